package signature

import (
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-fed/httpsig"
)

// draft-cavage-http-signatures-12, appendix C.3 ("All Headers Test"). Its key has
// 1024 bits, so the signature is checked below the rule on keys, and the rule
// is seen to refuse it.
func TestDraftVector(t *testing.T) {
	block, _ := pem.Decode([]byte(`-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDCFENGw33yGihy92pDjZQhl0C3
6rPJj+CvfSC8+q28hxA161QFNUd13wuCTUcq0Qd2qsBe/2hFyc2DCJJg0h1L78+6
Z4UMR7EOcpfdUE9Hf3m/hs+FUR45uBJeDK1HSFHD8bHKD6kv8FPGfJTotc+2xjJw
oYi+1hqp1fIekaxsyQIDAQAB
-----END PUBLIC KEY-----`))
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	body := `{"hello": "world"}`
	r := httptest.NewRequest(http.MethodPost, "/foo?param=value&pet=dog", strings.NewReader(body))
	r.Host = "example.com"
	r.Header = http.Header{
		"Date":           {"Sun, 05 Jan 2014 21:31:40 GMT"},
		"Content-Type":   {"application/json"},
		"Digest":         {"SHA-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE="},
		"Content-Length": {"18"},
		"Signature": {`keyId="Test",algorithm="rsa-sha256",` +
			`headers="(request-target) host date content-type digest content-length",` +
			`signature="vSdrb+dS3EceC9bcwHSo4MlyKS59iFIrhgYkz8+oVLEEzmYZZvRs8rgOp+63LEM3v+MF` +
			`HB32NfpB2bEKBIvB1q52LaEUHFv120V01IL+TAD48XaERZFukWgHoBTLMhYS2Gb51gWxpeIq8knRmPnY` +
			`ePbF5MOkR0Zkly4zKH7s1dE="`},
	}
	now := time.Date(2014, 1, 5, 21, 31, 40, 0, time.UTC)
	s, err := Inspect(r, []byte(body), now, Policy{Host: "example.com"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.verify(key, httpsig.RSA_SHA256); err != nil {
		t.Errorf("the vector's signature: %v", err)
	}
	names := []string{"(request-target)", "host", "date", "content-type", "digest", "content-length"}
	s.base = draftBase(names, s.header, draftParameters{}, s.method, s.target)
	if err := s.verify(key, httpsig.RSA_SHA256); err != nil {
		t.Errorf("the vector's signature over our own signing string: %v", err)
	}
	if err := s.Verify(key.(*rsa.PublicKey)); err == nil || !strings.Contains(err.Error(), "1024 bits") {
		t.Errorf("a key of 1024 bits: %v", err)
	}
}

// RFC 9421 appendix B.2.6. It covers no digest, so it is outside the profile:
// the signature base and Ed25519 are checked, and the profile is seen to refuse.
func TestMessageVector(t *testing.T) {
	key, err := ParseKey(`-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=
-----END PUBLIC KEY-----`)
	if err != nil {
		t.Fatal(err)
	}
	body := []byte(`{"hello": "world"}`)
	r := httptest.NewRequest(http.MethodPost, "/foo?param=Value&Pet=dog", nil)
	r.Host = "example.com"
	r.Header = http.Header{
		"Date":           {"Tue, 20 Apr 2021 02:07:55 GMT"},
		"Content-Type":   {"application/json"},
		"Content-Length": {"18"},
		"Signature-Input": {`sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length")` +
			`;created=1618884473;keyid="test-key-ed25519"`},
		"Signature": {`sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:`},
	}
	policy := Policy{Host: "example.com", Scheme: "https"}
	list, s, err := parseMessage(r.Header)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.writeBase(list, r, r.RequestURI, body, policy); err != nil {
		t.Fatal(err)
	}
	want := `"date": Tue, 20 Apr 2021 02:07:55 GMT
"@method": POST
"@path": /foo
"@authority": example.com
"content-type": application/json
"content-length": 18
"@signature-params": ("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"`
	if s.base != want {
		t.Errorf("signature base\n%s\nwant\n%s", s.base, want)
	}
	if err := s.Verify(key); err != nil {
		t.Errorf("the vector's signature: %v", err)
	}
	key.(ed25519.PublicKey)[0] ^= 1
	if err := s.Verify(key); err == nil {
		t.Error("another key verified it")
	}
	if _, err := Inspect(r, body, time.Unix(1618884473, 0), policy); err == nil || !strings.Contains(err.Error(), string(RuleComponents)) {
		t.Errorf("a POST without digest: %v", err)
	}
}

func TestDerivedComponents(t *testing.T) {
	// RFC 9421 §2.2, with its examples.
	p := Policy{Host: "www.example.com", Scheme: "https"}
	for name, want := range map[string]string{
		"@method": "POST", "@target-uri": "https://www.example.com/path?param=value",
		"@authority": "www.example.com", "@scheme": "https", "@path": "/path",
		"@request-target": "/path?param=value", "@query": "?param=value",
	} {
		if got, ok := derived(name, "POST", "/path?param=value", p); !ok || got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if got, _ := derived("@query", "POST", "/path", p); got != "?" {
		t.Errorf("@query of a target without one = %q, want ?", got)
	}
	if _, ok := derived("@status", "POST", "/path", p); ok {
		t.Error("@status belongs to responses")
	}
}
