package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"inspraak/activitypub"
)

// A sink is one listener that stands for many hosts and takes all deliveries.
type sink struct {
	p       *program
	port    int
	serving *http.Server

	mu       sync.Mutex
	received map[string]int // by host
	total    atomic.Int64
}

// sink opens one. behave, unless nil, answers in the place of a host and returns
// true; what it leaves is taken.
func (p *program) sink(behave func(host string, w http.ResponseWriter, r *http.Request) bool) *sink {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.b.Fatal(err)
	}
	s := &sink{p: p, port: l.Addr().(*net.TCPAddr).Port, received: map[string]int{}}
	s.serving = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := strings.Cut(r.Host, ".")
		if behave != nil && behave(host, w, r) {
			return
		}
		io.Copy(io.Discard, r.Body)
		s.mu.Lock()
		s.received[host]++
		s.mu.Unlock()
		s.total.Add(1)
		w.WriteHeader(http.StatusAccepted)
	})}
	go s.serving.Serve(l)
	return s
}

// follow makes followers on a host: so many, each with an inbox of its own, or
// one with a shared inbox.
func (s *sink) follow(host string, inboxes int) {
	base := fmt.Sprintf("http://%s.localhost:%d", host, s.port)
	for i := range inboxes {
		f := activitypub.Follower{Channel: "bench", Actor: fmt.Sprintf("%s/users/%d", base, i), Since: time.Now(),
			FollowID: fmt.Sprintf("%s/follows/%d", base, i), Inbox: fmt.Sprintf("%s/users/%d/inbox", base, i)}
		if inboxes == 1 {
			f.Shared = base + "/inbox"
		}
		quiet := activitypub.Outgoing{ID: fmt.Sprintf("%s/accepts/%s-%d-%d", s.p.urls.Base, host, s.port, i), Channel: "bench",
			Object: f.Actor, Body: []byte("{}"), At: time.Now()}
		if err := s.p.node.DB.SaveFollower(s.p.b.Context(), f, quiet); err != nil {
			s.p.b.Fatal(err)
		}
	}
}

func (s *sink) unfollow(host string, inboxes int) {
	for i := range inboxes {
		actor := fmt.Sprintf("http://%s.localhost:%d/users/%d", host, s.port, i)
		if err := s.p.node.DB.RemoveFollower(s.p.b.Context(), "", actor); err != nil {
			s.p.b.Fatal(err)
		}
	}
}

func hostName(kind string, i int) string { return kind + strconv.Itoa(i) }

// fanOut publishes to hosts with some personal inboxes each, or one shared
// inbox if it is one, and waits until all have received.
func (p *program) fanOut(y *yardstick, what string, hosts, inboxes, times int) {
	s := p.sink(nil)
	defer s.serving.Close()
	for h := range hosts {
		s.follow(hostName("h", h), inboxes)
	}
	n := hosts * inboxes * times * 2 // of each the question, and the checkpoint of its log
	var each time.Duration
	unit := y.during(y.sign, func() {
		before := p.cpu()
		for range times {
			p.publish()
		}
		p.until("all have received", func() bool { return s.total.Load() >= int64(n) })
		each = (p.cpu() - before) / time.Duration(n)
	})
	row(what, n, each, "signature", unit, 0)
	for h := range hosts {
		s.unfollow(hostName("h", h), inboxes)
	}
}

// badHosts publishes to 150 hosts, alone and beside 50 that never answer, and
// beside 50 that each misbehave in one of five ways.
func (p *program) badHosts() {
	const healthy, bad = 150, 50
	over := make(chan struct{})
	s := p.sink(func(host string, w http.ResponseWriter, r *http.Request) bool { return misbehave(host, w, r, over) })
	defer s.serving.Close()
	defer close(over)
	for h := range healthy {
		s.follow(hostName("h", h), 1)
	}
	alone := s.reach(healthy)
	line("150 healthy hosts have all received after", "%s", alone.Round(time.Millisecond))
	for _, kinds := range [][]string{{"hang"}, {"drip", "lie", "redirect", "later", "gone"}} {
		for i := range bad {
			s.follow(hostName(kinds[i%len(kinds)]+"-", i), 1)
		}
		beside := s.reach(healthy)
		line("  beside 50 that "+strings.Join(kinds, ", "), "%s, %.2f × as long", beside.Round(time.Millisecond), float64(beside)/float64(alone))
		for i := range bad {
			s.unfollow(hostName(kinds[i%len(kinds)]+"-", i), 1)
		}
	}
}

// reach publishes ten times, one after the other, and returns how long it took
// until the healthy hosts had received everything.
func (s *sink) reach(healthy int) time.Duration {
	const times = 10
	began, want := time.Now(), s.total.Load()+int64(healthy*times)
	for range times {
		s.p.publish()
	}
	s.p.until("the healthy hosts have received", func() bool { return s.total.Load() >= want })
	return time.Since(began)
}

// misbehave plays the host that a name says, and returns false for others.
func misbehave(host string, w http.ResponseWriter, r *http.Request, over <-chan struct{}) bool {
	kind, _, bad := strings.Cut(host, "-")
	if !bad {
		return false
	}
	io.Copy(io.Discard, r.Body)
	switch kind {
	case "hang":
		select {
		case <-over:
		case <-r.Context().Done():
		}
	case "drip": // a byte a second, without end
		w.Header().Set("Content-Length", "100000")
		for r.Context().Err() == nil {
			w.Write([]byte("x"))
			_ = http.NewResponseController(w).Flush()
			select {
			case <-over:
				return true
			case <-time.After(time.Second):
			}
		}
	case "lie": // taken, it says, and sends garbage
		w.Header().Set("Content-Type", "application/activity+json")
		w.Write([]byte(strings.Repeat("\x00{[", 50_000)))
	case "redirect":
		http.Redirect(w, r, "/inbox?again", http.StatusTemporaryRedirect)
	case "later":
		w.Header().Set("Retry-After", "86400")
		w.WriteHeader(http.StatusTooManyRequests)
	case "gone":
		w.WriteHeader(http.StatusGone)
	}
	return true
}
