package activitypub_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"inspraak/activitypub"
)

// send queues an activity to inboxes.
func (c *city) send(t testing.TB, id, object string, inboxes ...string) {
	t.Helper()
	must(t, c.db.Enqueue(t.Context(), 0, []activitypub.Outgoing{{
		ID: "https://city.example/" + id, Channel: "participa", Object: object, At: c.clock(), Inboxes: inboxes,
		Body: fmt.Appendf(nil, `{"id":"https://city.example/%s","type":"Create"}`, id),
	}}))
}

func (c *city) deliver(t testing.TB) int {
	t.Helper()
	n, err := c.Deliver(t.Context())
	must(t, err)
	return n
}

func (c *city) expect(t *testing.T, what string, want ...string) {
	t.Helper()
	if got := c.net.arrived(); !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func TestOrderIsKeptPerInboxAndObject(t *testing.T) {
	c := newCity(t)
	down := true
	c.net.answer = func(_ *http.Request, p parcel) *http.Response {
		if down && strings.HasSuffix(p.ID, "/1") {
			return status(503)
		}
		return status(202)
	}
	c.send(t, "1", "o", "https://m.example/inbox", "https://n.example/inbox")
	c.send(t, "2", "o", "https://m.example/inbox")
	c.send(t, "3", "other", "https://m.example/inbox")
	c.deliver(t)
	c.expect(t, "first round", "Create /1 → m.example/inbox", "Create /3 → m.example/inbox", "Create /1 → n.example/inbox")
	down = false
	c.deliver(t)
	c.expect(t, "too early")
	c.pass(2 * time.Minute)
	c.deliver(t)
	got := c.net.arrived()
	first, second := slices.Index(got, "Create /1 → m.example/inbox"), slices.Index(got, "Create /2 → m.example/inbox")
	if first < 0 || second < first || len(got) != 3 {
		t.Errorf("second round out of order: %q", got)
	}
	if n, _ := c.pending(t); n != 0 {
		t.Errorf("%d deliveries left", n)
	}
}

func TestRetriesDoubleForThreeDays(t *testing.T) {
	c := newCity(t)
	c.net.answer = func(*http.Request, parcel) *http.Response { return status(502) }
	c.send(t, "1", "o", "https://m.example/inbox")
	tries := 0
	for wait := time.Minute; ; wait = min(2*wait, 6*time.Hour) {
		tries += c.deliver(t)
		n, next := c.pending(t)
		if n == 0 {
			break
		}
		if d := next.Sub(c.clock()); d < wait*3/4-time.Second || d > wait*5/4+time.Second {
			t.Fatalf("try %d is followed by %s, want %s ± 25 %%", tries, d, wait)
		}
		c.pass(next.Sub(c.clock()))
	}
	if passed := c.clock().Sub(morning); passed < 60*time.Hour || passed > 72*time.Hour {
		t.Errorf("given up after %s, want nearly three days", passed)
	}
	if s := c.Stats(); s.Dropped != 1 || s.Failed != int64(tries-1) {
		t.Errorf("stats %+v after %d tries", s, tries)
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"7200":    2 * time.Hour,
		"9999999": 24 * time.Hour,
		morning.Add(3 * time.Hour).Format(http.TimeFormat): 3 * time.Hour,
	} {
		c := newCity(t)
		c.net.answer = func(*http.Request, parcel) *http.Response { return status(429, "Retry-After", value) }
		c.send(t, "1", "o", "https://m.example/inbox", "https://m.example/other")
		if n := c.deliver(t); n != 1 {
			t.Errorf("%s: %d attempts at a host that asked for rest", value, n)
		}
		if _, next := c.pending(t); next.Sub(c.clock()) != want {
			t.Errorf("%s: next try after %s", value, next.Sub(c.clock()))
		}
	}
}

func TestWhatIsDropped(t *testing.T) {
	for code, tried := range map[int]int{400: 0, 403: 0, 404: 0, 413: 0, 422: 0, 401: 1, 408: 1, 429: 1, 302: 1, 500: 1, 501: 1, 503: 1} {
		c := newCity(t)
		c.net.answer = func(*http.Request, parcel) *http.Response { return status(code) }
		c.send(t, "1", "o", "https://m.example/inbox")
		c.deliver(t)
		if n, _ := c.pending(t); n != tried {
			t.Errorf("%d: %d deliveries left, want %d", code, n, tried)
		}
	}
	for code := range 3 { // 2xx is 2xx
		c := newCity(t)
		c.net.answer = func(*http.Request, parcel) *http.Response { return status(200 + code) }
		c.send(t, "1", "o", "https://m.example/inbox")
		c.deliver(t)
		if n, _ := c.pending(t); n != 0 || c.Stats().Delivered != 1 {
			t.Errorf("%d is not taken for success", 200+code)
		}
	}
}

func TestVacantInboxes(t *testing.T) {
	followers := func(c *city) int {
		n, err := c.db.Followers(t.Context(), "participa")
		must(t, err)
		return n
	}
	for _, code := range []int{404, 410} {
		c := newCity(t)
		vacant := "/inbox"
		c.net.answer = func(r *http.Request, _ parcel) *http.Response {
			if r.URL.Path == vacant {
				return status(code)
			}
			return status(202)
		}
		c.follow(t, "https://m.example/ana", "https://m.example/ana/inbox", "https://m.example/inbox")
		c.follow(t, "https://m.example/bo", "https://m.example/bo/inbox", "https://m.example/inbox")
		c.send(t, "1", "o", "https://m.example/inbox")
		c.deliver(t)
		c.expect(t, "fallback", "Create /1 → m.example/inbox", "Create /1 → m.example/ana/inbox", "Create /1 → m.example/bo/inbox")
		if n := followers(c); n != 2 {
			t.Errorf("%d of a shared inbox: %d followers are left", code, n)
		}
		vacant = "/ana/inbox"
		c.send(t, "2", "o", "https://m.example/ana/inbox", "https://m.example/bo/inbox")
		c.deliver(t)
		want := 2
		if code == 410 {
			want = 1
		}
		if n := followers(c); n != want {
			t.Errorf("%d of a personal inbox: %d followers are left, want %d", code, n, want)
		}
		if n, _ := c.pending(t); n != 0 {
			t.Errorf("%d deliveries left", n)
		}
	}
}

func TestRFC9421AfterARefusalToThoseWhoHaveShownIt(t *testing.T) {
	c := newCity(t)
	c.net.answer = func(r *http.Request, _ parcel) *http.Response {
		if r.Header.Get("Signature-Input") == "" {
			return status(401)
		}
		return status(202)
	}
	must(t, c.db.SaveHostForm(t.Context(), "new.example", true))
	c.send(t, "1", "o", "https://new.example/inbox", "https://old.example/inbox")
	c.deliver(t)
	c.expect(t, "double knock", "Create /1 → new.example/inbox", "Create /1 → new.example/inbox", "Create /1 → old.example/inbox")
	if n, _ := c.pending(t); n != 1 {
		t.Errorf("%d deliveries left, want the one to old.example", n)
	}
}

func TestBrokenHostIsLeftAlone(t *testing.T) {
	c := newCity(t)
	down := true
	c.net.answer = func(r *http.Request, _ parcel) *http.Response {
		if down && r.URL.Host == "m.example" {
			return status(500)
		}
		return status(202)
	}
	var inboxes []string
	for i := range 200 {
		inboxes = append(inboxes, fmt.Sprintf("https://m.example/%d/inbox", i))
	}
	c.send(t, "1", "o", append(inboxes, "https://n.example/inbox")...)
	if n := c.deliver(t); n != 4 { // three there, one elsewhere
		t.Errorf("%d attempts, want 4", n)
	}
	if s := c.Stats(); !slices.Equal(s.Broken, []string{"m.example"}) {
		t.Errorf("broken: %v", s.Broken)
	}
	c.pass(5 * time.Minute)
	if n := c.deliver(t); n != 1 {
		t.Errorf("%d attempts at a host that is still down, want one probe", n)
	}
	down = false
	c.pass(10 * time.Minute)
	c.net.arrived()
	c.deliver(t)
	if got := len(c.net.arrived()); got != 200 {
		t.Errorf("%d arrived after the host came back, want 200", got)
	}
	if s := c.Stats(); len(s.Broken) != 0 {
		t.Errorf("still broken: %v", s.Broken)
	}
}

func TestNothingGoesToABlockedServer(t *testing.T) {
	c := newCity(t)
	c.send(t, "1", "o", "https://m.example/inbox", "https://n.example/inbox")
	must(t, c.Service.Block(t.Context(), "m.example", "spam"))
	c.deliver(t)
	c.expect(t, "after the block", "Create /1 → n.example/inbox")
	if n, _ := c.pending(t); n != 0 {
		t.Errorf("%d deliveries left", n)
	}
}

// run delivers live until nothing that is expected is left, and tells how long
// that took.
func (c *city) run(t testing.TB, until func() bool) time.Duration {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	began := time.Now()
	go func() { ended <- c.RunDelivery(ctx, nil) }()
	for !until() {
		if time.Since(began) > time.Minute {
			t.Error("not done in a minute")
			break
		}
		time.Sleep(time.Millisecond)
	}
	took := time.Since(began)
	stop()
	must(t, <-ended)
	return took
}

// Load of the machine makes times differ; that every healthy server has been
// served while all that hang still do, it does not change.
func TestHangingServersDelayNobody(t *testing.T) {
	var inboxes []string
	for i := range 50 {
		inboxes = append(inboxes, fmt.Sprintf("https://a%d.example/inbox", i))
	}
	for i := range 150 {
		inboxes = append(inboxes, fmt.Sprintf("https://h%d.example/inbox", i))
	}
	c := newCity(t)
	var arrived, hung, ended atomic.Int64
	c.net.answer = func(r *http.Request, _ parcel) *http.Response {
		if strings.HasPrefix(r.URL.Host, "a") {
			hung.Add(1)
			<-r.Context().Done()
			ended.Add(1)
			return nil
		}
		time.Sleep(50 * time.Millisecond)
		arrived.Add(1)
		return status(202)
	}
	c.send(t, "1", "o", inboxes...)
	took := c.run(t, func() bool {
		if arrived.Load() < 150 || hung.Load() < 50 {
			return false
		}
		if ended.Load() > 0 {
			t.Errorf("the last healthy server waited for one that hangs")
		}
		return true
	})
	t.Logf("150 healthy servers beside 50 that hang: %s", took)
	if n, _ := c.pending(t); n != 50 {
		t.Errorf("%d deliveries left, want the 50 that were cut short", n)
	}
}

func TestConnectionsPerHost(t *testing.T) {
	c := newCity(t)
	var mu sync.Mutex
	now, most, done := map[string]int{}, 0, 0
	c.net.answer = func(r *http.Request, _ parcel) *http.Response {
		mu.Lock()
		now[r.URL.Host]++
		most = max(most, now[r.URL.Host])
		mu.Unlock()
		time.Sleep(2 * time.Millisecond)
		mu.Lock()
		now[r.URL.Host]--
		done++
		mu.Unlock()
		return status(202)
	}
	var inboxes []string
	for i := range 300 {
		inboxes = append(inboxes, fmt.Sprintf("https://m%d.example/%d/inbox", i%3, i))
	}
	c.send(t, "1", "o", inboxes...)
	c.run(t, func() bool { mu.Lock(); defer mu.Unlock(); return done == 300 })
	if most != 2 {
		t.Errorf("%d connections to one host, want 2", most)
	}
	if n, _ := c.pending(t); n != 0 {
		t.Errorf("%d deliveries left after the end", n)
	}
	if got := c.net.arrived(); len(slices.Compact(slices.Sorted(slices.Values(got)))) != 300 {
		t.Errorf("%d different deliveries arrived, want 300", len(got))
	}
}

// One delivery over a real connection: CPU of this process, the receiving
// servers included, against one RSA-2048 signature.
func BenchmarkDelivery(b *testing.B) {
	const servers = 200
	var arrived atomic.Int64
	var inboxes []string
	for i := range servers {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.1.%d:0", i+1))
		must(b, err)
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			arrived.Add(1)
			w.WriteHeader(http.StatusAccepted)
		}))
		s.Listener.Close()
		s.Listener = listener
		s.Start()
		b.Cleanup(s.Close)
		inboxes = append(inboxes, s.URL+"/inbox")
	}
	c := newCity(b)
	c.Config.Client = activitypub.NewClient(activitypub.ClientConfig{UserAgent: "inspraak-bench", Loopback: true})
	key, err := c.keys.ActorKey("participa")
	must(b, err)
	hash := sha256.Sum256([]byte("x"))
	start := cpu()
	const signatures = 300
	for range signatures {
		if _, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, hash[:]); err != nil {
			b.Fatal(err)
		}
	}
	signature := (cpu() - start) / signatures

	ctx, stop := context.WithCancel(b.Context())
	wake, ended := make(chan struct{}, 1), make(chan error, 1)
	go func() { ended <- c.RunDelivery(ctx, wake) }()
	b.ResetTimer()
	start = cpu()
	for i := 0; b.Loop(); i++ {
		before := arrived.Load()
		must(b, c.db.Enqueue(ctx, 0, []activitypub.Outgoing{{
			ID: fmt.Sprintf("https://city.example/%d", i), Channel: "participa", Object: fmt.Sprint(i), At: c.clock(),
			Inboxes: inboxes, Body: []byte(strings.Repeat("x", 4000)),
		}}))
		wake <- struct{}{}
		for arrived.Load() < before+servers {
			time.Sleep(time.Millisecond)
		}
	}
	per := (cpu() - start) / time.Duration(b.N*servers)
	stop()
	must(b, <-ended)
	b.ReportMetric(float64(per.Microseconds()), "cpu-µs/delivery")
	b.ReportMetric(float64(signature.Microseconds()), "cpu-µs/signature")
	b.ReportMetric(float64(per)/float64(signature), "ratio")
}

// cpu is what this process has used, user and system.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
