package simulation

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// LoopbackClient returns a client that reaches this computer and nothing else:
// localhost, *.localhost, *.test, 127.0.0.0/8 and ::1 are dialled on 127.0.0.1
// (or the literal given); every other name is refused, unresolved.
func LoopbackClient() *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	return &http.Client{
		Timeout: 30 * time.Second,
		Transport: &http.Transport{
			Proxy: nil, MaxIdleConnsPerHost: 16, IdleConnTimeout: 30 * time.Second,
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				host, port, err := net.SplitHostPort(address)
				if err != nil {
					return nil, fmt.Errorf("dial %s: %w", address, err)
				}
				host = strings.TrimSuffix(strings.ToLower(host), ".")
				ip := net.ParseIP(host)
				switch {
				case ip != nil && ip.IsLoopback():
				case host == "localhost", strings.HasSuffix(host, ".localhost"), strings.HasSuffix(host, ".test"):
					host = "127.0.0.1"
				default:
					return nil, fmt.Errorf("dial %s: the simulation stays on this computer", address)
				}
				return dialer.DialContext(ctx, network, net.JoinHostPort(host, port))
			},
		},
	}
}

// Listen serves h on a TCP address such as "127.0.0.1:0" in the background. It
// returns the address in use and a function that stops serving and closes all
// connections.
func Listen(address string, h http.Handler) (net.Addr, func() error, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, nil, fmt.Errorf("listen: %w", err)
	}
	stop := serve(l, h)
	return l.Addr(), stop, nil
}

// serve serves h on l in the background and returns what stops it.
func serve(l net.Listener, h http.Handler) func() error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l) // always http.ErrServerClosed after stop
	}()
	return func() error {
		err := server.Close()
		<-done
		return err
	}
}

// Network lets servers talk inside one process, without a socket: it is an
// http.RoundTripper that hands each request to the handler of its host. Names
// nobody joined under cannot be reached.
type Network struct {
	mu       sync.Mutex
	handlers map[string]http.Handler
}

// NewNetwork returns an empty network.
func NewNetwork() *Network { return &Network{handlers: map[string]http.Handler{}} }

// Join makes h answer for a host such as "m1.example" or "m1.example:8443".
// A nil handler leaves the network.
func (n *Network) Join(host string, h http.Handler) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.handlers[host] = h
}

// NewServer makes a server and joins it under the host of its base.
func (n *Network) NewServer(c Config) *Server {
	c.Client = n.Client()
	s := NewServer(c)
	n.Join(s.Host(), s)
	return s
}

// Client returns a client that speaks through the network.
func (n *Network) Client() *http.Client { return &http.Client{Transport: n} }

// RoundTrip hands the request to its host's handler and waits for the answer
// or for the request's context.
func (n *Network) RoundTrip(r *http.Request) (*http.Response, error) {
	n.mu.Lock()
	h := n.handlers[r.URL.Host]
	n.mu.Unlock()
	if h == nil {
		return nil, fmt.Errorf("no such host: %s", r.URL.Host)
	}
	in := r.Clone(r.Context())
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	in.RequestURI = r.URL.RequestURI()
	in.RemoteAddr = "127.0.0.1:1"
	in.URL.Scheme, in.URL.Host = "", ""
	if in.Body == nil {
		in.Body = http.NoBody
	}
	a := &answer{header: http.Header{}, done: make(chan struct{})}
	go func() {
		defer close(a.done)
		h.ServeHTTP(a, in)
	}()
	select {
	case <-a.done:
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if r.Body != nil {
		_ = r.Body.Close()
	}
	return a.response(r), nil
}

// answer collects what a handler writes.
type answer struct {
	header http.Header
	sent   http.Header
	status int
	body   strings.Builder
	done   chan struct{}
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status, a.sent = status, a.header.Clone()
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

// response turns the collected answer into a response.
func (a *answer) response(r *http.Request) *http.Response {
	a.WriteHeader(http.StatusOK)
	return &http.Response{StatusCode: a.status, Status: http.StatusText(a.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.sent, Body: io.NopCloser(strings.NewReader(a.body.String())), ContentLength: int64(a.body.Len()), Request: r}
}
