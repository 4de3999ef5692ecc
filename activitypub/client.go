package activitypub

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Limits of one exchange with another server.
const (
	maxDocument   = 256 << 10 // bytes of a fetched document, inflated
	maxAnswer     = 64 << 10  // bytes read of the answer to a delivery
	maxHeader     = 64 << 10  // bytes of response header
	maxRedirects  = 3
	maxAddresses  = 4 // tried per connection
	maxConns      = 2 // per host, for fetches, deliveries and lookups each
	getTimeout    = 10 * time.Second
	postTimeout   = 30 * time.Second
	answerTimeout = 5 * time.Second // for the body of the answer to a delivery
	dialTimeout   = 5 * time.Second
	httpsPort     = 443
)

// Why an exchange failed for good: trying again changes nothing.
var (
	ErrURL            = errors.New("url not allowed")
	ErrBlockedAddress = errors.New("address not allowed")
	ErrRedirects      = errors.New("too many redirects")
	ErrTooLarge       = errors.New("document too large")
	ErrEncoding       = errors.New("content encoding not supported")
)

// FetchError is the error of Get and Post: no answer was had. An answer of any
// status, 4xx and 5xx included, is no error.
type FetchError struct {
	URL string // of the hop that failed
	Err error
}

func (e *FetchError) Error() string { return fmt.Sprintf("%s: %v", e.URL, e.Err) }

// Unwrap returns the cause.
func (e *FetchError) Unwrap() error { return e.Err }

// Temporary reports whether the same request may succeed later: after failures
// of name resolution, connection, TLS, and time. A name that does not exist is
// among them (see *net.DNSError), as resolvers say that of broken zones too.
func (e *FetchError) Temporary() bool {
	for _, permanent := range []error{ErrURL, ErrBlockedAddress, ErrRedirects, ErrTooLarge, ErrEncoding, errSign} {
		if errors.Is(e.Err, permanent) {
			return false
		}
	}
	return true
}

var errSign = errors.New("request could not be signed")

// ClientConfig says how this node reaches others.
type ClientConfig struct {
	UserAgent string // "name/version (+https://host)"

	// Loopback turns the guard round, for trying things out on one machine: plain
	// HTTP and any port, but no peer outside 127.0.0.0/8 and ::1. The names
	// localhost and below, and those below test that the system does not know, are
	// this machine (RFC 6761).
	Loopback bool

	// Resolver replaces the system's.
	Resolver func(ctx context.Context, host string) ([]netip.Addr, error)
	// RootCAs replaces the system's certificate authorities.
	RootCAs *x509.CertPool
	// Transport replaces the network altogether, and with it the guard on
	// addresses; the guard on URLs stays.
	Transport http.RoundTripper

	GetTimeout  time.Duration // for a fetch, redirects and body included; 0 means 10 s
	PostTimeout time.Duration // for a delivery; 0 means 30 s
}

// Client is the only way out of this node. URLs come from strangers, so it goes
// to public addresses only, whatever a name resolves to at the moment of
// connecting; it speaks HTTPS on port 443 only; and it never reads, waits or
// follows without bound. It keeps no cookies and uses no proxy. It is safe for
// concurrent use.
type Client struct {
	userAgent   string
	loopback    bool
	port        uint16
	getTimeout  time.Duration
	postTimeout time.Duration
	// Apart, so that neither slow inboxes nor what visitors look up delay the
	// fetching of keys.
	gets, posts, asks http.RoundTripper
}

// Response is the answer of another server.
type Response struct {
	Status   int
	Header   http.Header
	Body     []byte // inflated; of answers other than 2xx at most the beginning
	FinalURL string // after redirects, without fragment
}

// NewClient makes a client.
func NewClient(cfg ClientConfig) *Client {
	return newClient(cfg, httpsPort)
}

// newClient lets tests, which may not own port 443 or a public address, choose
// another port and allow a prefix.
func newClient(cfg ClientConfig, port uint16, allowed ...netip.Prefix) *Client {
	c := &Client{
		userAgent: cfg.UserAgent, loopback: cfg.Loopback, port: port,
		getTimeout: cfg.GetTimeout, postTimeout: cfg.PostTimeout,
		gets: cfg.Transport, posts: cfg.Transport, asks: cfg.Transport,
	}
	if c.getTimeout == 0 {
		c.getTimeout = getTimeout
	}
	if c.postTimeout == 0 {
		c.postTimeout = postTimeout
	}
	if cfg.Transport == nil {
		d := newDialer(cfg, port, allowed)
		c.gets, c.posts, c.asks = newTransport(d, cfg.RootCAs), newTransport(d, cfg.RootCAs), newTransport(d, cfg.RootCAs)
	}
	return c
}

func newTransport(d *dialer, roots *x509.CertPool) *http.Transport {
	// HTTP/1.1 only: two connections per host then mean two requests at a time.
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		DialContext:            d.dial,
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    dialTimeout,
		MaxConnsPerHost:        maxConns,
		MaxIdleConnsPerHost:    maxConns,
		MaxIdleConns:           512,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: maxHeader,
		DisableCompression:     true, // it would inflate without limit
		Protocols:              protocols,
	}
}

// Close closes the connections that are kept alive; those in use end by
// themselves.
func (c *Client) Close() {
	for _, t := range []http.RoundTripper{c.gets, c.posts, c.asks} {
		if t, ok := t.(*http.Transport); ok {
			t.CloseIdleConnections()
		}
	}
}

// Get fetches a document. It follows up to three redirects, each to a URL that is
// allowed itself, and calls sign (which may be nil) anew for every hop, so no
// signature reaches a host it was not made for. A fragment is not sent. A 2xx
// answer of more than 256 KiB is ErrTooLarge. Everything together takes at most
// ten seconds. Whether FinalURL may speak for url is the caller's to judge.
//
// The error is a *FetchError.
func (c *Client) Get(ctx context.Context, url, accept string, sign func(*http.Request) error) (*Response, error) {
	return c.get(ctx, c.gets, url, accept, sign)
}

// Ask is Get for a visitor who waits: unsigned, and over connections of its own.
func (c *Client) Ask(ctx context.Context, url, accept string) (*Response, error) {
	return c.get(ctx, c.asks, url, accept, nil)
}

func (c *Client) get(ctx context.Context, via http.RoundTripper, url, accept string, sign func(*http.Request) error) (*Response, error) {
	ctx, cancel := context.WithTimeout(ctx, c.getTimeout)
	defer cancel()
	for hops := 0; ; hops++ {
		u, err := c.parse(url)
		if err != nil {
			return nil, &FetchError{url, err}
		}
		res, err := c.send(ctx, via, http.MethodGet, u, "Accept", accept, nil, sign)
		if err != nil {
			return nil, &FetchError{url, err}
		}
		location := res.Header.Get("Location")
		if !isRedirect(res.StatusCode) || location == "" {
			answer, err := read(res, u, maxDocument)
			if err != nil {
				return nil, &FetchError{url, err}
			}
			return answer, nil
		}
		res.Body.Close()
		if hops == maxRedirects {
			return nil, &FetchError{url, ErrRedirects}
		}
		next, err := u.Parse(location)
		if err != nil {
			return nil, &FetchError{url, fmt.Errorf("%w: unreadable Location", ErrURL)}
		}
		url = next.String()
	}
}

// Post delivers body, calling sign (which may be nil) once. Redirects are not
// followed: nobody would sign again for the new place. Of the answer at most
// 64 KiB are read, for at most five seconds; what of it fails to arrive is left
// out, as the status has been given. Everything together takes at most thirty
// seconds.
//
// The error is a *FetchError.
func (c *Client) Post(ctx context.Context, url, contentType string, body []byte, sign func(*http.Request) error) (*Response, error) {
	ctx, cancel := context.WithTimeout(ctx, c.postTimeout)
	defer cancel()
	u, err := c.parse(url)
	if err != nil {
		return nil, &FetchError{url, err}
	}
	res, err := c.send(ctx, c.posts, http.MethodPost, u, "Content-Type", contentType, body, sign)
	if err != nil {
		return nil, &FetchError{url, err}
	}
	stop := time.AfterFunc(answerTimeout, cancel)
	defer stop.Stop()
	defer res.Body.Close()
	answer := &Response{Status: res.StatusCode, Header: res.Header, FinalURL: u.String()}
	answer.Body, _ = io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	return answer, nil
}

// send makes one exchange; the caller closes the body.
func (c *Client) send(ctx context.Context, via http.RoundTripper, method string, u *url.URL, name, value string, body []byte, sign func(*http.Request) error) (*http.Response, error) {
	var content io.Reader
	if body != nil {
		content = bytes.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, method, u.String(), content)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrURL, err)
	}
	r.Header = http.Header{
		name: {value}, "User-Agent": {c.userAgent}, "Accept-Encoding": {"identity"},
	}
	if sign != nil {
		if err := sign(r); err != nil {
			return nil, fmt.Errorf("%w: %w", errSign, err)
		}
	}
	return via.RoundTrip(r)
}

// parse reads a URL and applies all rules that need no name resolution.
func (c *Client) parse(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%w: unreadable", ErrURL)
	}
	host, port := u.Hostname(), u.Port()
	switch {
	case u.Scheme != "https" && (u.Scheme != "http" || !c.loopback):
		return nil, fmt.Errorf("%w: the scheme must be https", ErrURL)
	case u.User != nil:
		return nil, fmt.Errorf("%w: it holds a user name", ErrURL)
	case host == "" || u.Opaque != "" || strings.HasSuffix(host, "."):
		return nil, fmt.Errorf("%w: it has no plain host name", ErrURL)
	case port != "" && port != fmt.Sprint(c.port) && !c.loopback:
		return nil, fmt.Errorf("%w: the port must be %d", ErrURL, c.port)
	}
	for i := range len(host) {
		if host[i] <= ' ' || host[i] > '~' {
			return nil, fmt.Errorf("%w: the host must be in its ASCII form", ErrURL)
		}
	}
	if addr, err := netip.ParseAddr(host); err == nil && (!c.loopback || !addr.Unmap().IsLoopback()) {
		return nil, fmt.Errorf("%w: %s is not a name", ErrBlockedAddress, host)
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// read takes the body of a fetched document, limited after inflation: some
// servers compress although they were asked not to. Where the answer is not 2xx
// its status matters and its body does not.
func read(res *http.Response, u *url.URL, limit int64) (*Response, error) {
	defer res.Body.Close()
	answer := &Response{Status: res.StatusCode, Header: res.Header, FinalURL: u.String()}
	var body io.Reader = res.Body
	var err error
	switch encoding := strings.ToLower(res.Header.Get("Content-Encoding")); encoding {
	case "", "identity":
	case "gzip":
		body, err = gzip.NewReader(res.Body)
	default:
		err = fmt.Errorf("%w: %q", ErrEncoding, encoding)
	}
	if err == nil {
		answer.Body, err = io.ReadAll(io.LimitReader(body, limit+1))
	}
	if err == nil && int64(len(answer.Body)) > limit {
		answer.Body, err = answer.Body[:limit], fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
	}
	if res.StatusCode/100 != 2 {
		return answer, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read document: %w", err)
	}
	return answer, nil
}

// IsActivityStreams reports whether a media type is that of an ActivityStreams
// document (ActivityPub §3.2): application/activity+json, or application/ld+json
// with the ActivityStreams profile. Nothing else may be believed to be one: what
// users can upload is served as something else.
func IsActivityStreams(contentType string) bool {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	switch kind {
	case "application/activity+json":
		return true
	case "application/ld+json":
		return params["profile"] == "https://www.w3.org/ns/activitystreams"
	}
	return false
}
