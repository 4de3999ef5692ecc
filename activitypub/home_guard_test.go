package activitypub

import (
	"errors"
	"net/http"
	"net/netip"
	"strconv"
	"testing"
	"time"
)

// The search goes through the guarded client: a private address is not
// connected to, whether a name leads there or a redirect does, and a server that
// does not answer is given up.
func TestHomeIsGuarded(t *testing.T) {
	var s *site
	hang := make(chan struct{})
	s = newSite(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Host == "slow.example:"+strconv.Itoa(int(s.port)) {
			<-hang
		}
		http.Redirect(w, r, s.url("inside.example", "/"), http.StatusFound)
	})
	t.Cleanup(func() { close(hang) })
	f := &Federation{Config: Config{Client: s.client(t, map[string][]netip.Addr{"inside.example": {private}}), Now: time.Now}, homes: newHomes()}
	for host, c := range map[string]struct {
		why         string
		connections int32
	}{"inside.example": {NoServer, 0}, "evil.example": {BadAnswer, 1}, "slow.example": {NoAnswer, 1}} {
		before, began := s.connections.Load(), time.Now()
		_, err := f.search(t.Context(), acct{"x", host + ":" + strconv.Itoa(int(s.port))}, false)
		var none *NoHome
		if !errors.As(err, &none) || none.Why != c.why {
			t.Errorf("%s: %v, want %s", host, err, c.why)
		}
		if n := s.connections.Load() - before; n != c.connections {
			t.Errorf("%s: %d connections, want %d", host, n, c.connections)
		}
		if took := time.Since(began); took > homeWithin+2*time.Second {
			t.Errorf("%s: took %v", host, took)
		}
	}
}

// FuzzHandle: what is read as a handle names a server in plain ASCII that the
// client may ask, and is read again as the same.
func FuzzHandle(f *testing.F) {
	for _, seed := range []string{"@ana@m1.example", "m1.example", "https://m1.example/@ana", "acct:a@b.c", "a@bücher.example", "@a@b@c", "x@[::1]",
		"x@m1.example:443", "\u202aana@m1.example", "HTTPS://M1.example/users/ana", "ana@m1.example/x", "＠ana＠m1.example", "//x@y.z", "a@xn--.example"} {
		f.Add(seed)
	}
	federation := &Federation{Config: Config{Client: NewClient(ClientConfig{})}}
	f.Fuzz(func(t *testing.T, text string) {
		who, ok := federation.readHandle(text)
		if !ok {
			return
		}
		if _, err := federation.Client.parse("https://" + who.host + "/"); err != nil {
			t.Errorf("%q: server %q: %v", text, who.host, err)
		}
		again := who.host
		if who.user != "" {
			again = who.user + "@" + who.host
		}
		if other, ok := federation.readHandle(again); !ok || other != who {
			t.Errorf("%q is read as %q, and that as %q (%v)", text, who, other, ok)
		}
	})
}
