package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"
)

// An authority gives certificates over ACME (RFC 8555) to who answers its
// challenge, as far as this needs to know the protocol: it believes every
// signature, and has one order at a time.
type authority struct {
	t                        *testing.T
	server                   *httptest.Server
	kind                     string // of the challenge it offers
	tlsAddress, plainAddress string // where a name leads that it examines
	key                      *ecdsa.PrivateKey
	root                     *x509.Certificate

	mu          sync.Mutex
	orders      []string // names asked for
	contacts    []string
	proved      bool
	certificate string
}

// acmeIdentifier marks the certificate that answers tls-alpn-01 (RFC 8737 §6.1).
var acmeIdentifier = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 31}

func newAuthority(t *testing.T, kind, tlsAddress, plainAddress string) *authority {
	t.Helper()
	a := &authority{t: t, kind: kind, tlsAddress: tlsAddress, plainAddress: plainAddress}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Proefgezag"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, root, root, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.root, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.server = httptest.NewServer(a)
	t.Cleanup(a.server.Close)
	return a
}

// trusted holds the authority's own certificate.
func (a *authority) trusted() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.root)
	return pool
}

// ServeHTTP implements http.Handler.
func (a *authority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := func(path string) string { return a.server.URL + path }
	w.Header().Set("Replay-Nonce", rand.Text())
	var signed struct{ Payload string }
	_ = json.NewDecoder(io.LimitReader(r.Body, 1<<16)).Decode(&signed) // a GET has none
	payload, err := base64.RawURLEncoding.DecodeString(signed.Payload)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var asked struct {
		Contact     []string
		Identifiers []struct{ Value string }
		CSR         string
	}
	_ = json.Unmarshal(payload, &asked) // many have none
	a.mu.Lock()
	defer a.mu.Unlock()
	answer := func(status int, v map[string]any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	}
	order := func() map[string]any {
		v := map[string]any{"status": "pending", "authorizations": []string{at("/authz")}, "finalize": at("/finalize")}
		if len(a.orders) > 0 {
			v["identifiers"] = []map[string]string{{"type": "dns", "value": a.orders[len(a.orders)-1]}}
		}
		if a.proved {
			v["status"] = "ready"
		}
		if a.certificate != "" {
			v["status"], v["certificate"] = "valid", at("/certificate")
		}
		return v
	}
	challenge := map[string]any{"type": a.kind, "url": at("/challenge"), "token": "proef", "status": "pending"}
	switch r.URL.Path {
	case "/":
		answer(http.StatusOK, map[string]any{"newNonce": at("/nonce"), "newAccount": at("/account"), "newOrder": at("/order")})
	case "/nonce":
		w.WriteHeader(http.StatusOK)
	case "/account":
		a.contacts = append(a.contacts, asked.Contact...)
		w.Header().Set("Location", at("/account/1"))
		answer(http.StatusCreated, map[string]any{"status": "valid"})
	case "/order":
		a.orders, a.proved, a.certificate = append(a.orders, asked.Identifiers[0].Value), false, ""
		w.Header().Set("Location", at("/order/1"))
		answer(http.StatusCreated, order())
	case "/order/1":
		w.Header().Set("Location", at("/order/1"))
		answer(http.StatusOK, order())
	case "/authz":
		v := map[string]any{"status": "pending", "challenges": []any{challenge}, "identifier": map[string]string{"type": "dns", "value": a.orders[len(a.orders)-1]}}
		if a.proved {
			v["status"] = "valid"
		}
		answer(http.StatusOK, v)
	case "/challenge":
		if err := a.examine(a.orders[len(a.orders)-1]); err != nil {
			a.t.Errorf("%s: %v", a.kind, err)
		} else {
			a.proved = true
		}
		answer(http.StatusOK, challenge)
	case "/finalize":
		if a.certificate, err = a.issue(asked.CSR); err != nil {
			a.t.Error(err)
		}
		w.Header().Set("Location", at("/order/1"))
		answer(http.StatusOK, order())
	case "/certificate":
		w.Header().Set("Content-Type", "application/pem-certificate-chain")
		_, _ = io.WriteString(w, a.certificate)
	default:
		http.NotFound(w, r)
	}
}

// examine looks whether who ordered answers at the name (RFC 8555 §8.3, RFC 8737).
func (a *authority) examine(name string) error {
	if a.kind == "http-01" {
		r, err := http.NewRequestWithContext(a.t.Context(), http.MethodGet, "http://"+a.plainAddress+"/.well-known/acme-challenge/proef", nil)
		if err != nil {
			return err
		}
		r.Host = name
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if text, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusOK || len(text) < len("proef.") || string(text[:6]) != "proef." {
			return fmt.Errorf("answered %d %q: %v", answer.StatusCode, text, err)
		}
		return nil
	}
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", a.tlsAddress, &tls.Config{
		ServerName: name, NextProtos: []string{"acme-tls/1"}, InsecureSkipVerify: true, //nolint:gosec // its certificate is the proof
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	state := conn.ConnectionState()
	if state.NegotiatedProtocol != "acme-tls/1" || !slices.ContainsFunc(state.PeerCertificates[0].Extensions, func(e pkix.Extension) bool { return e.Id.Equal(acmeIdentifier) }) {
		return fmt.Errorf("answers %q with a certificate for %v", state.NegotiatedProtocol, state.PeerCertificates[0].DNSNames)
	}
	return nil
}

// issue makes the certificate that a request asks for.
func (a *authority) issue(request string) (string, error) {
	der, err := base64.RawURLEncoding.DecodeString(request)
	if err != nil {
		return "", err
	}
	asked, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return "", err
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: asked.Subject, DNSNames: asked.DNSNames,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	made, err := x509.CreateCertificate(rand.Reader, leaf, a.root, asked.PublicKey, a.key)
	if err != nil {
		return "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made})) +
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.root.Raw})), nil
}
