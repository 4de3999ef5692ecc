package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"inspraak/activitypub"
	"inspraak/participation"
	"inspraak/store"
)

// A liveNode is a Node with one channel on real loopback sockets and in real
// time: for software that is not ours and takes nothing else.
type liveNode struct {
	*Node
	t       *testing.T
	urls    activitypub.URLs
	channel string
}

// openLiveNode makes a node that will be reached at base and listen at an
// address. The clock and the log are the real ones, unless given.
func openLiveNode(t *testing.T, base, listen string, s Surroundings) *liveNode {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	s.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
	dir := t.TempDir()
	zone, err := time.LoadLocation("Europe/Amsterdam")
	must(err)
	c := Config{URL: base, Loopback: true, Listen: listen, Data: dir, Keys: filepath.Join(dir, "keys"),
		Media: filepath.Join(dir, "media"), Name: "Gemeente Zeewijk", Language: "nl", Zone: zone, Contact: "griffie@zeewijk.example",
		Commands:  CommandsConfig(participation.DefaultCommands()),
		About:     Texts{NL: "Zeewijk is een **verzonnen** gemeente.", EN: "Zeewijk is a **made-up** municipality."},
		OtherWays: Texts{NL: "Bel 14 0000 of kom langs.", EN: "Call 14 0000 or come by."}}
	c.URLs, err = activitypub.NewURLs(base)
	must(err)
	keys, err := store.OpenKeys(c.Keys, true)
	must(err)
	must(keys.CreateActorKey(activitypub.InstanceKey))
	must(keys.CreateActorKey("zeewijk"))
	n, err := OpenNode(t.Context(), c, s)
	must(err)
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	must(n.Service.SaveChannel(t.Context(), participation.Channel{Name: "zeewijk", Title: c.Name, Language: "nl",
		Summary: "Hier vraagt Zeewijk wat u vindt."}, false))
	return &liveNode{Node: n, t: t, urls: c.URLs, channel: "zeewijk"}
}

// serve runs the node until the test ends, and returns when it listens.
func (n *liveNode) serve() {
	n.t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(n.t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	n.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			n.t.Error(err)
		}
	})
	n.until("the node to listen", func() bool {
		conn, err := (&net.Dialer{}).DialContext(n.t.Context(), "tcp", n.config.Listen)
		return err == nil && conn.Close() == nil
	})
}

// until waits, ten seconds at most, for something to become true.
func (n *liveNode) until(what string, true func() bool) {
	n.t.Helper()
	for end := time.Now().Add(10 * time.Second); !true(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			n.t.Fatalf("waited ten seconds for %s", what)
		}
	}
}

// publish opens a consultation for an hour.
func (n *liveNode) publish(slug string, kind participation.Kind, results participation.Disclosure, options ...string) participation.Consultation {
	n.t.Helper()
	now := time.Now().UTC().Truncate(time.Second)
	return n.put(participation.Consultation{
		Slug: slug, Kind: kind, Title: "Wat komt er in de wijk?", Body: "Kies **mee** over [de wijk](https://example.nl/wijk).",
		Options: options, Results: results, OpensAt: now, ClosesAt: now.Add(time.Hour), Hashtags: []string{"plein"},
	})
}

// put publishes a consultation, with terms and the rest filled in.
func (n *liveNode) put(c participation.Consultation) participation.Consultation {
	n.t.Helper()
	c.Channel, c.Zone = n.channel, "Europe/Amsterdam"
	if c.Language == "" {
		c.Language = "nl"
	}
	c.Terms = participation.Terms{Level: participation.Advise, Promise: "De raad weegt uw stem mee.",
		DecidedBy: "De gemeenteraad", DecidedWhen: "december", NotOpen: "Het budget",
		Notice: "Dit is geen zienswijze.", BatchSize: 1, Interval: time.Second, Grace: time.Minute}
	if err := c.Prepare(); err != nil {
		n.t.Fatal(err)
	}
	if err := n.Service.Draft(n.t.Context(), &c); err != nil {
		n.t.Fatal(err)
	}
	published, err := n.Service.Publish(n.t.Context(), c.ID)
	if err != nil {
		n.t.Fatal(err)
	}
	return published
}

func (n *liveNode) object(c participation.Consultation) string { return n.urls.Object(c.ID) }
func (n *liveNode) actor() string                              { return n.urls.Actor(n.channel) }

func (n *liveNode) result(c participation.Consultation) participation.Result {
	n.t.Helper()
	r, err := n.Service.Result(n.t.Context(), c.ID)
	if err != nil {
		n.t.Fatal(err)
	}
	return r
}

// page asks for a page over the network, as a browser does.
func (n *liveNode) page(path string) string {
	n.t.Helper()
	r, err := http.NewRequestWithContext(n.t.Context(), http.MethodGet, n.urls.Base+path, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		n.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	return string(body)
}

// freeAddress is a loopback address with a port that nobody has.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// A testCA is a certificate authority that nobody trusts but who is told to.
type testCA struct {
	t    *testing.T
	dir  string
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pem  []byte
	pool *x509.CertPool
}

func newTestCA(t *testing.T) *testCA {
	t.Helper()
	ca := &testCA{t: t, dir: t.TempDir(), pool: x509.NewCertPool()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Authority of a test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	ca.key, ca.pem = ca.sign(template, nil)
	block, _ := pem.Decode(ca.pem)
	var err error
	if ca.cert, err = x509.ParseCertificate(block.Bytes); err != nil {
		t.Fatal(err)
	}
	ca.pool.AddCert(ca.cert)
	return ca
}

// sign makes a key and its certificate, signed by the authority, or by itself
// where there is none yet.
func (ca *testCA) sign(template *x509.Certificate, parent *x509.Certificate) (*ecdsa.PrivateKey, []byte) {
	ca.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		ca.t.Fatal(err)
	}
	signer := ca.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		ca.t.Fatal(err)
	}
	return key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// issue makes a certificate for a host and its key, both as PEM.
func (ca *testCA) issue(host string) (cert, key []byte) {
	ca.t.Helper()
	private, cert := ca.sign(&x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, ca.cert)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		ca.t.Fatal(err)
	}
	return cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func (ca *testCA) write(name string, content []byte) (path string) {
	ca.t.Helper()
	path = filepath.Join(ca.dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		ca.t.Fatal(err)
	}
	return path
}
