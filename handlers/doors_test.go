package handlers_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"inspraak/activitypub"
	"inspraak/handlers"
	"inspraak/participation"
)

const activityType = "application/activity+json"

// Every route answers, HEAD like GET, and carries the headers that protect
// visitors.
func TestEveryRoute(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin")
	s.advance(time.Second)
	post, err := s.service.Announce(t.Context(), c.ID, participation.Notice, "Er is een bijeenkomst.")
	s.ok(err)
	s.ok(os.WriteFile(filepath.Join(s.config.MediaDir, "foto.png"), []byte("\x89PNG"), 0o600))
	dicht := s.publish("dicht")
	s.vote(dicht, "Ja", 3)
	s.reply(dicht, "anna", "", "<p>Graag.</p>")
	s.close(dicht)
	s.freeze()
	fill := strings.NewReplacer(":slug/ballots", "dicht/ballots", ":slug/dataset/:name", "dicht/dataset/ballots.csv", ":slug/dataset", "dicht/dataset", ":slug/exports/:file", "dicht/exports/ballots.blt", ":slug/figures", "dicht/figures",
		":slug/replies/:number", "dicht/replies/1", ":year", "2026",
		":slug/receipt/:token", "dicht/receipt/"+s.receipt("Ja0").Token, ":number", "1", "/tile/entries/*", "/tile/entries/000.p/1", "/tile/*", "/tile/0/000.p/1",
		"/posts/:id", "/posts/"+post.ID, ":name", "gemeente", ":slug", "speeltuin", ":id", c.ID, ":tag", "Speeltuin",
		":code", c.ShortName(), "/oembed", "/oembed?url=https://inspraak.example/consultations/speeltuin", ":version", "2.1", "/media/:file", "/media/foto.png", "/static/:file", s.config.Site.AssetPath("style.css"), "*", "replies")
	status := map[string]int{"/my-data/:token": 404, "/toegankelijkheid": 301, "/c/" + c.ShortName(): 302, "/.well-known/webfinger": 400}
	seen := 0
	for _, route := range s.Handler.(*echo.Echo).Routes() {
		if route.Method != http.MethodGet {
			continue
		}
		seen++
		path := fill.Replace(route.Path)
		want := status[path]
		if want == 0 {
			want = 200
		}
		w, head := s.get(path), s.do(http.MethodHead, path, nil)
		if w.Code != want || head.Code != want {
			t.Errorf("%s: GET %d, HEAD %d, want %d: %.100s", path, w.Code, head.Code, want, w.Body)
		}
		referrer := "no-referrer"
		if withOwnAccount.MatchString(path) {
			referrer = "same-origin"
		}
		for name, value := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": referrer, "Cross-Origin-Opener-Policy": "same-origin",
			"Strict-Transport-Security": "max-age=31536000",
		} {
			if got := w.Header().Get(name); got != value {
				t.Errorf("%s: %s: %q, want %q", path, name, got, value)
			}
		}
		policy := w.Header().Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "script-src") ||
			!strings.Contains(policy, "frame-ancestors 'none'") && !strings.Contains(policy, "sandbox") && !strings.HasPrefix(path, "/embed/") {
			t.Errorf("%s: content policy %q", path, policy)
		}
		if own := w.Header().Get("Cross-Origin-Resource-Policy"); own != "same-origin" && own != "cross-origin" {
			t.Errorf("%s: resource policy %q", path, own)
		}
		if w.Header().Get("Set-Cookie") != "" || w.Header().Get("Permissions-Policy") == "" {
			t.Errorf("%s: a cookie, or no Permissions-Policy", path)
		}
		if put := s.do(http.MethodPut, path, nil); put.Code != http.StatusMethodNotAllowed {
			t.Errorf("PUT %s: %d, want 405", path, put.Code)
		}
	}
	if seen < 20 {
		t.Errorf("%d routes seen", seen)
	}
}

func TestNegotiation(t *testing.T) {
	s := newSite(t)
	s.publish("speeltuin")
	const ld = `application/ld+json; profile="https://www.w3.org/ns/activitystreams"`
	for _, c := range []struct {
		path, accept, kind string
		status             int
	}{
		{"/consultations/speeltuin", "", "text/html", 200},
		{"/consultations/speeltuin", "text/html,application/xhtml+xml,*/*;q=0.8", "text/html", 200},
		{"/consultations/speeltuin", activityType, activityType, 200},
		{"/consultations/speeltuin", ld + ", " + activityType + ", text/html;q=0.1", activityType, 200},
		{"/consultations/speeltuin", activityType + ", application/ld+json", activityType, 200},
		{"/consultations/speeltuin", "text/html, " + activityType + ";q=0.5", "text/html", 200},
		{"/consultations/speeltuin", "application/json", "text/html", 200},
		{"/@gemeente", activityType, activityType, 200},
		{"/@gemeente", "*/*", "text/html", 200},
		{"/a/gemeente", "", activityType, 200},
		{"/a/gemeente", "*/*", activityType, 200},
		{"/o/abc", "text/html", "", 303},
		{"/o/gone", activityType, activityType, 410},
		{"/o/missing", activityType, "application/problem+json", 404},
		{"/o/missing", "text/html", "text/html", 404},
		{"/consultations/missing", activityType, "application/problem+json", 404},
		{"/o/panic", activityType, "application/problem+json", 500},
		// N44: what is no activity is never called one.
		{"/about", activityType, "text/html", 200},
		{"/", activityType, "text/html", 200},
		{"/@gemeente/feed.atom", activityType, "application/atom+xml", 200},
		{"/consultations/speeltuin/result.json", activityType, "application/json", 200},
		{"/robots.txt", activityType, "text/plain", 200},
		{"/nergens", activityType, "application/problem+json", 404},
		{"/media/nergens.png", activityType, "application/problem+json", 404},
		{s.config.Site.AssetPath("style.css"), activityType, "text/css", 200},
		{"/.well-known/webfinger?resource=acct:gemeente@inspraak.example", activityType, "application/jrd+json", 200},
		{"/.well-known/webfinger?resource=acct:x@y", "", "application/problem+json", 404},
		{"/.well-known/webfinger", "", "application/problem+json", 400},
		{"/.well-known/host-meta", "", "application/xrd+xml", 200},
		{"/nodeinfo/2.0", "", "application/json", 200},
		{"/nodeinfo/9.9", "", "application/problem+json", 404},
	} {
		w := s.get(c.path, "Accept", c.accept)
		kind, _, _ := strings.Cut(w.Header().Get("Content-Type"), ";")
		if w.Code != c.status || kind != c.kind {
			t.Errorf("%s for %q: %d %s, want %d %s", c.path, c.accept, w.Code, kind, c.status, c.kind)
		}
		if (c.path == "/consultations/speeltuin" || strings.HasPrefix(c.path, "/o/a")) && !strings.Contains(w.Header().Get("Vary"), "Accept") {
			t.Errorf("%s for %q: Vary is %q", c.path, c.accept, w.Header().Get("Vary"))
		}
	}
}

// Trouble of ours is 503, never 404, and tells nothing of what it is.
func TestTrouble(t *testing.T) {
	s := newSite(t)
	s.publish("speeltuin")
	for _, err := range []error{errDisk, fmt.Errorf("document: %w", participation.ErrSealed)} {
		s.doors.document = err
		w := s.get("/o/abc", "Accept", activityType)
		if w.Code != 503 || w.Header().Get("Retry-After") != "60" || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%v: %d, Retry-After %q: %s", err, w.Code, w.Header().Get("Retry-After"), w.Body)
		}
	}
	s.ok(s.db.Close())
	for _, path := range []string{"/", "/consultations/speeltuin", "/@gemeente", "/@gemeente/feed.atom", "/consultations/speeltuin/result.json"} {
		w := s.get(path)
		if w.Code != 503 || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s without database: %d", path, w.Code)
		}
		if strings.Contains(w.Body.String(), "sql") || strings.Contains(w.Body.String(), "database") {
			t.Errorf("%s tells what is wrong: %s", path, w.Body)
		}
		if html := strings.Contains(w.Header().Get("Content-Type"), "html"); html && !strings.Contains(w.Body.String(), w.Header().Get("X-Request-Id")) {
			t.Errorf("%s: the page lacks the request's number", path)
		}
	}
}

func TestInboxAccepts(t *testing.T) {
	s := newSite(t)
	for path, channel := range map[string]string{"/inbox": "", "/a/gemeente/inbox": "gemeente"} {
		for _, kind := range []string{activityType, activityType + "; charset=utf-8", `application/ld+json; profile="https://www.w3.org/ns/activitystreams"`} {
			before := s.doors.count()
			w := s.do(http.MethodPost, path, strings.NewReader(`{"type":"Like"}`), "Content-Type", kind)
			if w.Code != http.StatusAccepted || s.doors.count() != before+1 {
				t.Fatalf("%s %s: %d", path, kind, w.Code)
			}
			if got := s.doors.received[before]; got != channel+` {"type":"Like"}` {
				t.Errorf("%s: the door got %q", path, got)
			}
		}
	}
	whole := bytes.Repeat([]byte(" "), 256<<10)
	if w := s.do(http.MethodPost, "/inbox", bytes.NewReader(whole), "Content-Type", activityType); w.Code != http.StatusAccepted {
		t.Errorf("exactly 256 KiB: %d", w.Code)
	}
}

// What is refused before the door never reaches it (N12, N28, N32).
func TestInboxRefuses(t *testing.T) {
	s := newSite(t)
	large := func() *bytes.Reader { return bytes.NewReader(make([]byte, 256<<10+1)) }
	for _, c := range []struct {
		name, method, path string
		body               *bytes.Reader
		headers            []string
		status             int
	}{
		{"PUT", "PUT", "/inbox", nil, []string{"Content-Type", activityType}, 405},
		{"GET", "GET", "/a/gemeente/inbox", nil, nil, 405},
		{"query", "POST", "/inbox?a=b", nil, []string{"Content-Type", activityType}, 404},
		{"empty query", "POST", "/inbox?", nil, []string{"Content-Type", activityType}, 404},
		{"trailing slash", "POST", "/inbox/", nil, []string{"Content-Type", activityType}, 404},
		{"other path", "POST", "/a/gemeente/outbox", nil, []string{"Content-Type", activityType}, 405},
		{"too large", "POST", "/inbox", large(), []string{"Content-Type", activityType}, 413},
		{"gzip", "POST", "/inbox", nil, []string{"Content-Type", activityType, "Content-Encoding", "gzip"}, 415},
		{"empty encoding", "POST", "/inbox", nil, []string{"Content-Type", activityType, "Content-Encoding", ""}, 415},
		{"type in a parameter", "POST", "/inbox", nil, []string{"Content-Type", "text/plain; x=application/activity+json"}, 415},
		{"no profile", "POST", "/inbox", nil, []string{"Content-Type", "application/ld+json"}, 415},
		{"other profile", "POST", "/inbox", nil, []string{"Content-Type", `application/ld+json; profile="https://www.w3.org/ns/activitystreams2"`}, 415},
		{"JSON", "POST", "/inbox", nil, []string{"Content-Type", "application/json"}, 415},
		{"no type", "POST", "/inbox", nil, nil, 415},
		{"two types", "POST", "/inbox", nil, []string{"Content-Type", activityType, "Content-Type", "text/plain"}, 415},
	} {
		body := c.body
		if body == nil {
			body = bytes.NewReader([]byte(`{"type":"Create"}`))
		}
		w := s.do(c.method, c.path, body, c.headers...)
		if w.Code != c.status {
			t.Errorf("%s: %d, want %d", c.name, w.Code, c.status)
		}
		if kind := w.Header().Get("Content-Type"); strings.Contains(kind, "activity") {
			t.Errorf("%s: a refusal of type %s", c.name, kind)
		}
	}
	// A body without announced length is cut where it grows too large.
	r := struct{ *bytes.Reader }{large()}
	if w := s.do("POST", "/inbox", r, "Content-Type", activityType); w.Code != 413 {
		t.Errorf("chunked and too large: %d", w.Code)
	}
	if s.doors.count() != 0 {
		t.Errorf("%d refused requests reached the door", s.doors.count())
	}
}

func TestInboxAnswers(t *testing.T) {
	s := newSite(t)
	for _, c := range []struct {
		err    error
		status int
		after  string
		words  string
	}{
		{&activitypub.Refusal{Status: 401, Reason: "signature is older than an hour"}, 401, "", "older than an hour"},
		{fmt.Errorf("inbox: %w", &activitypub.Refusal{Status: 429, RetryAfter: 1500 * time.Millisecond, Reason: "slow down"}), 429, "2", "slow down"},
		{&activitypub.Refusal{Status: 503, RetryAfter: 5 * time.Minute, Reason: "waiting room is full"}, 503, "300", "full"},
		{errDisk, 503, "60", "Service Unavailable"},
		{fmt.Errorf("cast vote: %w", participation.ErrNotFound), 503, "60", "Service Unavailable"},
		{fmt.Errorf("cast vote: %w", participation.ErrSealed), 503, "60", "Service Unavailable"},
	} {
		s.doors.err = c.err
		w := s.do("POST", "/inbox", strings.NewReader("{}"), "Content-Type", activityType)
		if w.Code != c.status || w.Header().Get("Retry-After") != c.after || !strings.Contains(w.Body.String(), c.words) || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%v: %d, Retry-After %q: %s", c.err, w.Code, w.Header().Get("Retry-After"), w.Body)
		}
	}
}

// A crowd gets 503, and a place that is free again is given again.
func TestInboxSlots(t *testing.T) {
	s := newSite(t, func(c *handlers.Config) { c.InboxSlots = 2 })
	s.doors.wait = make(chan struct{})
	post := func() int {
		return s.do("POST", "/inbox", strings.NewReader("{}"), "Content-Type", activityType).Code
	}
	first := make(chan int, 2)
	for range 2 {
		go func() { first <- post() }()
	}
	for s.doors.count() < 2 {
		time.Sleep(time.Millisecond)
	}
	if got := post(); got != 503 {
		t.Errorf("third of two: %d", got)
	}
	close(s.doors.wait)
	if a, b := <-first, <-first; a != 202 || b != 202 {
		t.Errorf("first two: %d and %d", a, b)
	}
	if got := post(); got != 202 {
		t.Errorf("after the crowd: %d", got)
	}
}

// N51: nobody escapes a limit by inventing addresses, and nobody is limited
// for another behind the same proxy.
func TestLimits(t *testing.T) {
	slow := func(c *handlers.Config) { c.RequestsPerSecond = 0.0001 }
	inbox := func(s *site, headers ...string) int {
		return s.do("POST", "/inbox", strings.NewReader("{}"), append(headers, "Content-Type", activityType)...).Code
	}
	s := newSite(t, slow)
	for i := range 20 {
		want := 429
		if i == 0 {
			want = 202
		}
		if got := inbox(s, "From-Address", "198.51.100.7", "X-Forwarded-For", fmt.Sprintf("203.0.113.%d", i), "X-Real-Ip", fmt.Sprintf("203.0.113.%d", i)); got != want {
			t.Fatalf("request %d with an invented address: %d, want %d", i, got, want)
		}
	}
	if w := s.get("/about", "From-Address", "198.51.100.7"); w.Code != 200 {
		t.Errorf("first page after too many activities: %d", w.Code)
	}
	w := s.get("/about", "From-Address", "198.51.100.7")
	if w.Code != 429 || w.Header().Get("Retry-After") == "" {
		t.Errorf("second page: %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
	s = newSite(t, slow, func(c *handlers.Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")} })
	for _, c := range []struct {
		from, forwarded string
		status          int
	}{
		{"192.0.2.1", "203.0.113.9, 198.51.100.1", 202},
		{"192.0.2.1", "203.0.113.10, 198.51.100.1", 429}, // the right-most one that is no proxy of ours
		{"192.0.2.1", "198.51.100.2", 202},
		{"192.0.2.1", "10.0.0.1, 198.51.100.3", 202},
		{"127.0.0.1", "198.51.100.4", 202}, // not trusted: the address is 127.0.0.1
		{"127.0.0.1", "198.51.100.5", 429},
	} {
		if got := inbox(s, "From-Address", c.from, "X-Forwarded-For", c.forwarded); got != c.status {
			t.Errorf("from %s for %s: %d, want %d", c.from, c.forwarded, got, c.status)
		}
	}
	for i, status := range []int{202, 429} { // one customer has a whole /64
		if got := inbox(s, "From-Address", fmt.Sprintf("[2001:db8:1:2::%d]", i)); got != status {
			t.Errorf("address %d of one network: %d, want %d", i, got, status)
		}
	}
}

func TestMedia(t *testing.T) {
	s := newSite(t)
	for name, data := range map[string]string{"foto.png": "\x89PNG", "plaat.svg": "<svg/>", "geheim.json": "{}", ".env": "x"} {
		s.ok(os.WriteFile(filepath.Join(s.config.MediaDir, name), []byte(data), 0o600))
	}
	s.ok(os.WriteFile(filepath.Join(s.config.MediaDir, "..", "buiten.png"), []byte("x"), 0o600))
	s.ok(os.Symlink("../buiten.png", filepath.Join(s.config.MediaDir, "link.png")))
	s.ok(os.Mkdir(filepath.Join(s.config.MediaDir, "map.png"), 0o700))
	w := s.get("/media/foto.png", "Accept", activityType)
	if w.Code != 200 || w.Header().Get("Content-Type") != "image/png" || w.Header().Get("Content-Security-Policy") != "default-src 'none'; sandbox" {
		t.Errorf("image: %d %v", w.Code, w.Header())
	}
	for _, name := range []string{"plaat.svg", "geheim.json", ".env", "map.png", "..%2fbuiten.png", "../buiten.png", "nergens.png"} {
		if w := s.get("/media/" + name); w.Code != 404 {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	if w := s.get("/media/link.png"); w.Code < 400 {
		t.Errorf("a link out of the directory is followed: %d", w.Code)
	}
}

func TestNoSecurityHeaderWithoutTLS(t *testing.T) {
	s := newSite(t, func(c *handlers.Config) {
		urls, err := activitypub.NewURLs("http://127.0.0.1:8080")
		if err != nil {
			t.Fatal(err)
		}
		c.URLs = urls
	})
	if got := s.get("/").Header().Get("Strict-Transport-Security"); got != "" {
		t.Errorf("a node without TLS promises it: %q", got)
	}
}

func TestServerCutsSlowClients(t *testing.T) {
	server := handlers.Server(http.NotFoundHandler())
	if server.ReadHeaderTimeout != 5*time.Second || server.ReadTimeout != 10*time.Second || server.WriteTimeout != 30*time.Second ||
		server.IdleTimeout != time.Minute || server.MaxHeaderBytes != 16<<10 {
		t.Errorf("timeouts are %+v", server)
	}
}
