package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"inspraak/simulation"
)

func TestNegativeSignatures(t *testing.T) {
	s := newSiege(t)
	vote := s.vote(s.bob, s.q1, "Ja")
	type options = simulation.SignOptions
	for _, row := range []struct {
		name string
		o    options
	}{
		{"N01 no signature", options{Unsigned: true}},
		{"N02 no digest", options{OmitDigest: true, Headers: []string{"(request-target)", "host", "date"}}},
		{"N03 body changed", options{TamperBody: bytes.Replace(vote, []byte(`"Ja"`), []byte(`"Ne"`), 1)}},
		{"N04 digest not signed", options{Headers: []string{"(request-target)", "host", "date"}}},
		{"N05 headers left out", options{OmitHeadersParam: true}},
		{"N06 too old", options{DateOffset: -66 * time.Minute}},
		{"N06 too new", options{DateOffset: 66 * time.Minute}},
		{"N07 created long ago", options{OmitDate: true, Algorithm: "hs2019", Created: time.Unix(0, 0),
			Headers: []string{"(request-target)", "host", "(created)", "digest"}}},
		{"N07 expired", options{Expires: s.clock().Add(-time.Minute)}},
		{"N08 two signatures", options{RepeatHeader: true}},
		{"N08 two key ids", options{RepeatParam: "keyId"}},
		{"N08 digest named twice", options{Headers: []string{"(request-target)", "host", "date", "digest", "digest"}}},
		{"N09 md5", options{Digest: []string{"MD5=1B2M2Y8AsgTpgAmY7PhCfg=="}}},
		{"N09 short sum", options{Digest: []string{"SHA-256=" + strings.Repeat("A", 41) + "=="}}},
		{"N09 sha-512 only", options{Digest: []string{"SHA-512=" + strings.Repeat("A", 86) + "=="}}},
		{"N10 hmac", options{HMAC: true, Algorithm: "hmac-sha256"}},
		{"N10 none", options{Algorithm: "none"}},
		{"N10 ed25519 for an RSA key", options{Ed25519: true}},
		{"N12 signed for another inbox", options{SignedTarget: "post /a/other/inbox"}},
		{"N12 signed for another method", options{SignedTarget: "put /inbox"}},
		{"N12 another host", options{SignedHost: "other.example"}},
	} {
		s.repels(row.name, []int{401}, s.bob, vote, row.o)
	}
	// N09 two Digest headers.
	r := must2(s.bob.Request(t.Context(), http.MethodPost, s.node.urls.SharedInbox(), vote, options{}))(s.cluster)
	r.Header.Add("Digest", r.Header.Get("Digest"))
	s.repelsRequest("N09 two digests", []int{401}, r)
	// N12 another method.
	r = must2(s.bob.Request(t.Context(), http.MethodPut, s.node.urls.SharedInbox(), vote, options{}))(s.cluster)
	s.repelsRequest("N12 PUT", []int{405}, r)
	r = must2(s.bob.Request(t.Context(), http.MethodPost, s.node.urls.SharedInbox()+"?a=1", vote, options{}))(s.cluster)
	s.repelsRequest("N12 query", []int{404}, r)
	r = must2(s.bob.Request(t.Context(), http.MethodPost, s.node.urls.Base+"/a/nobody/inbox", vote, options{}))(s.cluster)
	s.repelsRequest("an inbox that is not there", []int{404}, r)
}

func TestNegativeKeys(t *testing.T) {
	s := newSiege(t)
	encode := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	small := must2(rsa.GenerateKey(rand.Reader, 1024))(s.cluster)
	sound := must2(rsa.GenerateKey(rand.Reader, 2048))(s.cluster)
	spki := func(k *rsa.PublicKey) string {
		return encode("PUBLIC KEY", must2(x509.MarshalPKIXPublicKey(k))(s.cluster))
	}
	for name, text := range map[string]string{
		"N11 RSA-1024":    spki(&small.PublicKey),
		"N11 private key": encode("PRIVATE KEY", must2(x509.MarshalPKCS8PrivateKey(sound))(s.cluster)),
		"N11 RSA-16384":   spki(&rsa.PublicKey{N: new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 16383), big.NewInt(1)), E: 65537}),
		"N11 exponent 1":  spki(&rsa.PublicKey{N: sound.N, E: 1}),
		"N11 no key":      "-",
	} {
		who := s.evil.Account("n11" + fmt.Sprint(len(name)))
		who.SetPublicKeyPEM(text)
		s.repels(name, []int{401}, who, s.vote(who, s.q1, "Ja"), simulation.SignOptions{})
	}

	document := func(who *simulation.Account) map[string]any {
		return decodeJSON[map[string]any](t, must2(who.Document())(s.cluster))
	}
	for name, change := range map[string]func(doc map[string]any){
		"N14 owner is somebody else": func(doc map[string]any) { doc["publicKey"].(map[string]any)["owner"] = s.bob.ID() },
		"N40 id on a third host":     func(doc map[string]any) { doc["id"] = "https://third.example/users/x" },
		"N40 id of a colleague":      func(doc map[string]any) { doc["id"] = s.bob.ID() },
		"N40 inbox on another host":  func(doc map[string]any) { doc["inbox"] = "https://third.example/inbox" },
		"N40 another key id":         func(doc map[string]any) { doc["publicKey"].(map[string]any)["id"] = s.eve.KeyID() },
	} {
		who := s.evil.Account("n" + strings.Map(letters, name))
		doc := document(who)
		change(doc)
		body, err := json.Marshal(doc)
		s.must(err)
		s.evil.SetDocument(strings.TrimPrefix(who.ID(), s.evil.Base()), simulation.Override{ContentType: "application/activity+json", Body: body})
		s.repels(name, []int{401, 403}, who, s.vote(who, s.q1, "Ja"), simulation.SignOptions{})
	}
	s.wait(time.Minute) // ten failed fetches a minute and address, then 429
	for _, kind := range []string{"text/html", "application/json", "image/png", "application/ld+json", `application/ld+json; profile="https://example.org/other"`} {
		who := s.evil.Account("n41" + strings.Map(letters, kind))
		s.evil.SetDocument(strings.TrimPrefix(who.ID(), s.evil.Base()), simulation.Override{ContentType: kind, Body: must2(who.Document())(s.cluster)})
		s.repels("N41 served as "+kind, []int{401}, who, s.vote(who, s.q1, "Ja"), simulation.SignOptions{})
	}
	s.repels("N14 a colleague's key id", []int{401}, s.alice, s.vote(s.alice, s.q1, "Ja"), simulation.SignOptions{KeyID: s.bob.KeyID()}, "peer") // bob's own document is fetched again
}

func letters(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
		return r
	}
	return -1
}
