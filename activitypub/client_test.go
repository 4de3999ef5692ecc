package activitypub

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The tests below use the real dialer. 127.0.0.2 stands for the public network:
// it is the one address the guard is told to allow, and so is the port.
var (
	public  = netip.MustParseAddr("127.0.0.2")
	private = netip.MustParseAddr("127.0.0.1")
)

// A site is a TLS server that answers on every local address, so that any
// connection that should not have been made is seen.
type site struct {
	port        uint16
	roots       *x509.CertPool
	connections atomic.Int32
	mu          sync.Mutex
	signatures  []string // host and Signature of every request
}

func newSite(t *testing.T, handler http.HandlerFunc) *site {
	t.Helper()
	s := &site{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.signatures = append(s.signatures, strings.Split(r.Host, ":")[0]+" "+r.Header.Get("Signature"))
		s.mu.Unlock()
		handler(w, r)
	}))
	listener, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	server.Listener = listener
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.connections.Add(1)
		}
	}
	server.Config.ErrorLog = nil
	server.TLS, s.roots = newAuthority(t)
	server.StartTLS()
	t.Cleanup(server.Close)
	s.port = uint16(listener.Addr().(*net.TCPAddr).Port)
	return s
}

// client resolves every name of public.example to the public address, and of
// others what is said of them.
func (s *site) client(t *testing.T, names map[string][]netip.Addr) *Client {
	c := newClient(ClientConfig{UserAgent: "inspraak/test", RootCAs: s.roots,
		Resolver: func(_ context.Context, host string) ([]netip.Addr, error) {
			if addrs, ok := names[host]; ok {
				return addrs, nil
			}
			return []netip.Addr{public}, nil
		}}, s.port, netip.PrefixFrom(public, 32))
	t.Cleanup(c.Close)
	return c
}

func (s *site) url(host, path string) string {
	return "https://" + net.JoinHostPort(host, strconv.Itoa(int(s.port))) + path
}

// newAuthority makes a certificate for every name the tests use.
func newAuthority(t *testing.T) (*tls.Config, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames:              []string{"m1.example", "m2.example", "evil.example", "localhost", "*.test"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		BasicConstraintsValid: true, IsCA: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, roots
}

func temporary(err error) bool {
	var failed *FetchError
	return errors.As(err, &failed) && failed.Temporary()
}

func get(c *Client, url string) (*Response, error) {
	return c.Get(context.Background(), url, "application/activity+json", nil)
}

func hello(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }

func TestClientReachesThePublic(t *testing.T) {
	var seen http.Header
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) { seen = r.Header; hello(w, r) })
	c := s.client(t, map[string][]netip.Addr{"m2.example": {private, public}})
	res, err := get(c, s.url("m1.example", "/users/bob#main-key"))
	if err != nil {
		t.Fatal(err)
	}
	if res.Status != 200 || string(res.Body) != "{}" || res.FinalURL != s.url("m1.example", "/users/bob") {
		t.Errorf("%+v", res)
	}
	if seen.Get("User-Agent") != "inspraak/test" || seen.Get("Accept") != "application/activity+json" || seen.Get("Accept-Encoding") != "identity" {
		t.Errorf("sent %v", seen)
	}
	if _, err := get(c, s.url("m2.example", "/")); err != nil {
		t.Errorf("of a private and a public address the public one serves: %v", err)
	}
}

// N36: no name leads to an address that is not public, and no connection is made.
func TestClientBlocksAddresses(t *testing.T) {
	s := newSite(t, hello)
	for _, text := range []string{
		"127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "::127.0.0.1", "0.0.0.0", "::", "10.1.2.3", "172.16.0.1",
		"192.168.1.1", "100.64.0.1", "169.254.169.254", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1",
		"203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::",
		"2001::1", "2001:db8::1", "fd00::1", "fe80::1", "fec0::1", "ff02::1", "3fff::1", "5f00::1", "100::1",
		"::ffff:10.0.0.1", "::ffff:0:7f00:1",
	} {
		c := s.client(t, map[string][]netip.Addr{"evil.example": {netip.MustParseAddr(text)}})
		if _, err := get(c, s.url("evil.example", "/")); !errors.Is(err, ErrBlockedAddress) || temporary(err) {
			t.Errorf("%s: %v", text, err)
		}
		literal := "https://" + net.JoinHostPort(text, strconv.Itoa(int(s.port)))
		if _, err := get(c, literal); !errors.Is(err, ErrBlockedAddress) {
			t.Errorf("%s: %v", literal, err)
		}
		if _, err := c.Post(context.Background(), s.url("evil.example", "/inbox"), "text/plain", []byte("x"), nil); !errors.Is(err, ErrBlockedAddress) {
			t.Errorf("post to %s: %v", text, err)
		}
	}
	if n := s.connections.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}

	// Without a prefix allowed for the tests, 127.0.0.2 is as blocked as any.
	if _, err := get(s.client(t, nil), s.url(public.String(), "/")); !errors.Is(err, ErrBlockedAddress) {
		t.Errorf("a public address without a name: %v", err)
	}
	strict := newClient(ClientConfig{RootCAs: s.roots, Resolver: func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{public}, nil
	}}, s.port)
	if _, err := get(strict, s.url("m1.example", "/")); !errors.Is(err, ErrBlockedAddress) {
		t.Errorf("without exception: %v", err)
	}
	// The system resolver is guarded as well.
	system := newClient(ClientConfig{RootCAs: s.roots}, s.port)
	if _, err := get(system, s.url("localhost", "/")); !errors.Is(err, ErrBlockedAddress) {
		t.Errorf("localhost: %v", err)
	}
	if n := s.connections.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

// N36: an answer of the name server that changes cannot get past the guard, for
// the address that is connected to is the one that is checked.
func TestClientWithstandsRebinding(t *testing.T) {
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Connection", "close"); hello(w, r) })
	answers := 0
	c := newClient(ClientConfig{RootCAs: s.roots, Resolver: func(context.Context, string) ([]netip.Addr, error) {
		answers++
		if answers%2 == 0 {
			return []netip.Addr{private}, nil
		}
		return []netip.Addr{public}, nil
	}}, s.port, netip.PrefixFrom(public, 32))
	for i := range 4 {
		_, err := get(c, s.url("evil.example", "/"))
		if (err == nil) != (i%2 == 0) || err != nil && !errors.Is(err, ErrBlockedAddress) {
			t.Errorf("request %d: %v", i, err)
		}
	}
	if n := s.connections.Load(); n != 2 || answers != 4 {
		t.Errorf("%d connections after %d answers, want 2 after 4", n, answers)
	}
}

func TestClientRefusesURLs(t *testing.T) {
	s := newSite(t, hello)
	c := s.client(t, nil)
	other := strconv.Itoa(int(s.port) ^ 1)
	for _, url := range []string{
		"", "m1.example/x", "/x", "file:///etc/passwd", "gopher://m1.example/", "ftp://m1.example/", "https:///x", "https:m1.example",
		strings.Replace(s.url("m1.example", "/"), "https:", "http:", 1),
		strings.Replace(s.url("m1.example", "/"), "https://", "https://u:p@", 1),
		strings.Replace(s.url("m1.example", "/"), "https://", "https://@", 1),
		"https://m1.example:" + other + "/", "https://m1.example:22/", "https://m1.example:0x1bb/",
		s.url("m1.example.", "/"), s.url("gemeеnte.example", "/"), "https://m1.example\x00/", "https://m1.example /",
	} {
		if _, err := get(c, url); !errors.Is(err, ErrURL) || temporary(err) {
			t.Errorf("%q: %v", url, err)
		}
	}
	if n := s.connections.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
	if _, err := get(NewClient(ClientConfig{}), "https://m1.example:8443/"); !errors.Is(err, ErrURL) {
		t.Errorf("port 8443: %v", err)
	}
}

// N37: redirects are followed with care, and a signature is made for one host.
func TestClientRedirects(t *testing.T) {
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/doc" {
			hello(w, r)
			return
		}
		status, err := strconv.Atoi(r.URL.Query().Get("status"))
		if err != nil {
			status = http.StatusFound
		}
		w.Header().Set("Location", r.URL.Query().Get("to"))
		w.WriteHeader(status)
	})
	c := s.client(t, map[string][]netip.Addr{"evil.example": {private}})
	signed := func(r *http.Request) error { r.Header.Set("Signature", "for "+r.URL.Hostname()); return nil }

	for _, status := range []int{301, 302, 303, 307, 308} {
		s.signatures = nil
		url := s.url("m1.example", fmt.Sprintf("/?status=%d&to=%s", status, s.url("m2.example", "/doc")))
		res, err := c.Get(context.Background(), url, "*/*", signed)
		if err != nil || res.FinalURL != s.url("m2.example", "/doc") {
			t.Errorf("%d: %v", status, err)
		}
		if want := []string{"m1.example for m1.example", "m2.example for m2.example"}; fmt.Sprint(s.signatures) != fmt.Sprint(want) {
			t.Errorf("%d: signatures %q, want %q", status, s.signatures, want)
		}
	}
	if res, err := get(c, s.url("m1.example", "/a?to=doc")); err != nil || res.FinalURL != s.url("m1.example", "/doc") {
		t.Errorf("relative: %v", err)
	}

	before := s.connections.Load()
	for location, want := range map[string]error{
		s.url("evil.example", "/doc"): ErrBlockedAddress,
		s.url("127.0.0.1", "/doc"):    ErrBlockedAddress,
		s.url("169.254.169.254", "/"): ErrBlockedAddress,
		"//evil":                      nil, // not our port: see below
		"file:///etc/passwd":          ErrURL,
		"http://m1.example/doc":       ErrURL,
		"https://u:p@m1.example/doc":  ErrURL,
		"https://m1.example:22/":      ErrURL,
		"%zz":                         ErrURL,
	} {
		_, err := get(c, s.url("m1.example", "/?to="+strings.ReplaceAll(location, "%", "%25")))
		if want != nil && !errors.Is(err, want) || err == nil {
			t.Errorf("to %s: %v", location, err)
		}
	}
	if n := s.connections.Load() - before; n > 10 {
		t.Errorf("%d connections for 9 first hops", n)
	}
	for _, seen := range s.signatures {
		if strings.HasPrefix(seen, "evil.example") || strings.HasPrefix(seen, "127.0.0.1") {
			t.Errorf("reached %s", seen)
		}
	}

	// A delivery is never sent on.
	s.signatures = nil
	res, err := c.Post(context.Background(), s.url("m1.example", "/?status=307&to="+s.url("m2.example", "/doc")), "text/plain", []byte("x"), signed)
	if err != nil || res.Status != 307 || len(s.signatures) != 1 {
		t.Errorf("post: %v, %v, %q", res, err, s.signatures)
	}
	// A redirect that leads nowhere is an answer.
	if res, err := get(c, s.url("m1.example", "/?status=302")); err != nil || res.Status != 302 {
		t.Errorf("without Location: %v, %v", res, err)
	}
}

// N38: three hops are followed, a fourth is not.
func TestClientRedirectLoops(t *testing.T) {
	requests := 0
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		requests++
		n, _ := strconv.Atoi(r.URL.Query().Get("n"))
		if r.URL.Path == "/count" && n == 0 {
			hello(w, r)
			return
		}
		to := fmt.Sprintf("%s?n=%d", r.URL.Path, n-1)
		if r.URL.Path == "/self" {
			to = "/self"
		}
		http.Redirect(w, r, to, http.StatusFound)
	})
	c := s.client(t, nil)
	for path, want := range map[string]int{"/count?n=3": 0, "/count?n=4": 4, "/self": 4, "/query?n=9": 4} {
		requests = 0
		_, err := get(c, s.url("m1.example", path))
		if want == 0 && err != nil || want > 0 && (!errors.Is(err, ErrRedirects) || temporary(err) || requests != want) {
			t.Errorf("%s: %d requests, %v", path, requests, err)
		}
	}
}

// N39: nothing is read without bound of size or time.
func TestClientLimits(t *testing.T) {
	bomb := func(size int) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = w.Write(make([]byte, size))
		w.Close()
		return b.Bytes()
	}
	large, small := bomb(16<<20), bomb(1000)
	stop := make(chan struct{})
	drip := func(w http.ResponseWriter) {
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				if _, err := w.Write([]byte("x")); err != nil {
					return
				}
				w.(http.Flusher).Flush()
			}
		}
	}
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/gzip", "/small":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(map[string][]byte{"/gzip": large, "/small": small}[r.URL.Path])
		case "/br":
			w.Header().Set("Content-Encoding", "br")
			hello(w, r)
		case "/2MiB":
			_, _ = w.Write(make([]byte, 2<<20))
		case "/limit":
			_, _ = w.Write(make([]byte, 256<<10))
		case "/gone":
			w.WriteHeader(http.StatusGone)
			_, _ = w.Write(make([]byte, 2<<20))
		case "/drip":
			drip(w)
		case "/silent":
			<-stop
		case "/truncated":
			w.Header().Set("Content-Length", "100")
			hello(w, r)
		case "/endless":
			for {
				if _, err := w.Write(make([]byte, 32<<10)); err != nil {
					return
				}
			}
		case "/headers":
			conn, out, _ := w.(http.Hijacker).Hijack()
			defer conn.Close()
			_, _ = out.WriteString("HTTP/1.1 200 OK\r\n")
			for out.Flush() == nil {
				_, _ = out.WriteString("X-More: " + strings.Repeat("x", 1000) + "\r\n")
			}
		}
	})
	t.Cleanup(func() { close(stop) }) // before the server waits for its handlers
	c := s.client(t, nil)
	impatient := s.client(t, nil)
	impatient.getTimeout, impatient.postTimeout = 400*time.Millisecond, 400*time.Millisecond
	goroutines := runtime.NumGoroutine()

	for path, want := range map[string]int{"/small": 1000, "/limit": 256 << 10, "/gone": 256 << 10} {
		if res, err := get(c, s.url("m1.example", path)); err != nil || len(res.Body) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
	for path, want := range map[string]struct {
		err       error
		temporary bool
	}{
		"/gzip": {ErrTooLarge, false}, "/2MiB": {ErrTooLarge, false}, "/endless": {ErrTooLarge, false}, "/br": {ErrEncoding, false},
		"/drip": {context.DeadlineExceeded, true}, "/silent": {context.DeadlineExceeded, true},
		"/truncated": {io.ErrUnexpectedEOF, true}, "/headers": {nil, true},
	} {
		start, via := time.Now(), c
		if want.err == context.DeadlineExceeded {
			via = impatient
		}
		_, err := get(via, s.url("m1.example", path))
		if err == nil || want.err != nil && !errors.Is(err, want.err) || temporary(err) != want.temporary {
			t.Errorf("%s: %v", path, err)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: %v", path, took)
		}
	}
	// The status of a delivery counts, even if the rest never arrives.
	res, err := impatient.Post(context.Background(), s.url("m1.example", "/drip"), "text/plain", []byte("x"), nil)
	if err != nil || res.Status != 200 {
		t.Errorf("post answered by dripping: %v", err)
	}
	if res, err := c.Post(context.Background(), s.url("m1.example", "/2MiB"), "text/plain", []byte("x"), nil); err != nil || len(res.Body) != maxAnswer {
		t.Errorf("post answered at length: %v", err)
	}

	c.Close()
	impatient.Close()
	for range 100 {
		if runtime.NumGoroutine() <= goroutines+4 { // the server's own connections end as well
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), goroutines)
}

func TestClientKeepsTwoConnections(t *testing.T) {
	var now, most atomic.Int32
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		time.Sleep(40 * time.Millisecond) // long enough for a second one, also on a busy machine
		now.Add(-1)
		hello(w, r)
	})
	c := s.client(t, nil)
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			if _, err := c.Post(context.Background(), s.url("m1.example", "/inbox"), "text/plain", []byte("x"), nil); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if most.Load() != 2 || s.connections.Load() != 2 {
		t.Errorf("%d at a time over %d connections, want 2 over 2", most.Load(), s.connections.Load())
	}
}

// Loopback opens this machine, on any port and without TLS, and closes the rest.
func TestClientLoopback(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(hello))
	t.Cleanup(plain.Close)
	_, port, _ := net.SplitHostPort(plain.Listener.Addr().String())
	secure := newSite(t, hello)
	c := NewClient(ClientConfig{Loopback: true, RootCAs: secure.roots})
	t.Cleanup(c.Close)
	for _, url := range []string{
		plain.URL, "http://localhost:" + port, "http://m1.localhost:" + port, "http://city.test:" + port,
		secure.url("localhost", "/"), secure.url("m1.test", "/"), secure.url("127.0.0.1", "/"),
	} {
		if _, err := get(c, url); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	if _, err := get(NewClient(ClientConfig{Loopback: true}), secure.url("localhost", "/")); err == nil || !temporary(err) {
		t.Errorf("an unknown authority: %v", err)
	}
	for _, text := range []string{"10.0.0.1", "192.0.2.1", "8.8.8.8", "2606:4700::1111", "169.254.169.254", "0.0.0.0", "fe80::1"} {
		c := NewClient(ClientConfig{Loopback: true, Resolver: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr(text)}, nil
		}})
		for _, url := range []string{"http://m1.example/", "http://" + net.JoinHostPort(text, "80") + "/"} {
			if _, err := get(c, url); !errors.Is(err, ErrBlockedAddress) {
				t.Errorf("%s at %s: %v", url, text, err)
			}
		}
	}
}

func TestClientErrors(t *testing.T) {
	s := newSite(t, hello)
	c := s.client(t, map[string][]netip.Addr{"m2.example": {}})
	if _, err := c.Get(context.Background(), s.url("m1.example", "/"), "*/*", func(*http.Request) error { return errors.New("no key") }); err == nil || temporary(err) {
		t.Errorf("unsigned: %v", err)
	}
	var missing *net.DNSError
	if _, err := get(c, s.url("m2.example", "/")); !errors.As(err, &missing) || !missing.IsNotFound || !temporary(err) {
		t.Errorf("no addresses: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.Get(ctx, s.url("m1.example", "/"), "*/*", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	replaced := NewClient(ClientConfig{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		hello(w, r)
		return w.Result(), nil
	})})
	if res, err := get(replaced, "https://m1.example/"); err != nil || string(res.Body) != "{}" {
		t.Errorf("in process: %v", err)
	}
	if _, err := get(replaced, "http://m1.example/"); !errors.Is(err, ErrURL) {
		t.Errorf("in process, plain: %v", err)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// N41: the types that an ActivityStreams document may be served as.
func TestIsActivityStreams(t *testing.T) {
	for contentType, want := range map[string]bool{
		"application/activity+json":                                                                 true,
		"Application/Activity+JSON; charset=utf-8":                                                  true,
		`application/ld+json; profile="https://www.w3.org/ns/activitystreams"`:                      true,
		`application/ld+json; charset=utf-8; profile="https://www.w3.org/ns/activitystreams"`:       true,
		`application/ld+json`:                                                                       false,
		`application/ld+json; profile="https://www.w3.org/ns/activitystreams#"`:                     false,
		`application/ld+json; profile="https://www.w3.org/ns/json-ld#compacted"`:                    false,
		`application/ld+json; profile="https://www.w3.org/ns/activitystreams https://evil.example"`: false,
		"application/json": false, "text/html": false, "image/png": false, "": false,
		"text/plain; x=application/activity+json": false, "application/activity+json, text/html": false,
	} {
		if got := IsActivityStreams(contentType); got != want {
			t.Errorf("%q: %v", contentType, got)
		}
	}
}
