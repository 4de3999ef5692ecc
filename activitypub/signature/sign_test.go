package signature_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"inspraak/activitypub/signature"
)

const keyID = "https://city.example/a/consult#main-key"

func newPost(t testing.TB, url string) *http.Request {
	r, err := http.NewRequest(http.MethodPost, url, bytes.NewReader([]byte(vote)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/activity+json")
	return r
}

// What leaves us is exactly what the strictest receivers parse.
func TestSignDraft(t *testing.T) {
	key := newPeer().key.(*rsa.PrivateKey)
	r := newPost(t, "https://M1.example:443/users/a%2Fb/inbox?x=1")
	if err := signature.Sign(r, []byte(vote), keyID, key, signature.Cavage, moment); err != nil {
		t.Fatal(err)
	}
	shape := regexp.MustCompile(`^keyId="https://city\.example/a/consult#main-key",algorithm="rsa-sha256",` +
		`headers="\(request-target\) host date digest content-type",signature="([A-Za-z0-9+/]+=*)"$`)
	match := shape.FindStringSubmatch(r.Header.Get("Signature"))
	if match == nil {
		t.Fatalf("Signature: %s", r.Header.Get("Signature"))
	}
	sum := sha256.Sum256([]byte(vote))
	digest := "SHA-256=" + base64.StdEncoding.EncodeToString(sum[:])
	base := "(request-target): post /users/a%2Fb/inbox?x=1\nhost: m1.example\ndate: Tue, 01 Sep 2026 08:00:05 GMT\n" +
		"digest: " + digest + "\ncontent-type: application/activity+json"
	hash := sha256.Sum256([]byte(base))
	sig, _ := base64.StdEncoding.DecodeString(match[1])
	if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, hash[:], sig); err != nil {
		t.Errorf("not a signature of\n%s", base)
	}
	if r.Host != "m1.example" || r.Header["Host"] != nil {
		t.Errorf("Host %q, header %q", r.Host, r.Header["Host"])
	}
	if got := r.Header["Digest"]; len(got) != 1 || got[0] != digest {
		t.Errorf("Digest %q", got)
	}

	get, _ := http.NewRequest(http.MethodGet, "https://m1.example", nil)
	get.Header.Set("Accept", "application/activity+json")
	if err := signature.Sign(get, nil, keyID, key, signature.Cavage, moment); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(get.Header.Get("Signature"), `,headers="(request-target) host date accept",`) || get.Header["Digest"] != nil {
		t.Errorf("GET: %v", get.Header)
	}
	get.RequestURI = "/" // as the other side reads it
	s, err := signature.Inspect(get, nil, moment, signature.Policy{Host: "m1.example"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(&key.PublicKey); err != nil {
		t.Error(err)
	}
}

// Signing again, in the other form, leaves nothing of the first signature.
func TestSignAgain(t *testing.T) {
	key := newPeer().key.(*rsa.PrivateKey)
	r := newPost(t, "http://localhost:8080/inbox")
	here := signature.Policy{Host: "localhost:8080", Scheme: "http"}
	for _, form := range []signature.Form{signature.Cavage, signature.RFC9421, signature.Cavage, signature.RFC9421} {
		now := moment.Add(time.Duration(form) * time.Second)
		if err := signature.Sign(r, []byte(vote), keyID, key, form, now); err != nil {
			t.Fatal(err)
		}
		s, err := signature.Inspect(r, []byte(vote), now, here)
		if err != nil {
			t.Fatalf("%v: %v", form, err)
		}
		if s.Form != form || s.KeyID != keyID || !s.Time.Equal(now) {
			t.Errorf("%v: read as %v by %q at %v", form, s.Form, s.KeyID, s.Time)
		}
		if err := s.Verify(&key.PublicKey); err != nil {
			t.Errorf("%v: %v", form, err)
		}
		if draft := r.Header["Digest"] != nil; draft != (form == signature.Cavage) || len(r.Header["Signature"]) != 1 {
			t.Errorf("%v: header %v", form, r.Header)
		}
	}
	want := `sig1=("@method" "@target-uri" "content-type" "content-digest");created=1788249606;keyid="` + keyID + `";alg="rsa-v1_5-sha256"`
	if got := r.Header.Get("Signature-Input"); got != want {
		t.Errorf("Signature-Input\n%s\nwant\n%s", got, want)
	}
}

func TestSignRefuses(t *testing.T) {
	key := newPeer().key.(*rsa.PrivateKey)
	for name, try := range map[string]func(r *http.Request) error{
		"a key id with a comma": func(r *http.Request) error {
			return signature.Sign(r, []byte(vote), "https://x/a,b", key, signature.Cavage, moment)
		},
		"a body without type": func(r *http.Request) error {
			r.Header.Del("Content-Type")
			return signature.Sign(r, []byte(vote), keyID, key, signature.Cavage, moment)
		},
		"a GET without Accept": func(r *http.Request) error {
			return signature.Sign(r, nil, keyID, key, signature.Cavage, moment)
		},
		"no key": func(r *http.Request) error {
			return signature.Sign(r, []byte(vote), keyID, nil, signature.RFC9421, moment)
		},
		"a relative URL": func(r *http.Request) error {
			r.URL.Host = ""
			return signature.Sign(r, []byte(vote), keyID, key, signature.Cavage, moment)
		},
	} {
		if err := try(newPost(t, "https://m1.example/inbox")); err == nil {
			t.Errorf("%s was signed", name)
		}
	}
}

func TestKeyRoundTrip(t *testing.T) {
	key, err := signature.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	private, err := signature.EncodePrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	again, err := signature.DecodePrivateKey(private)
	if err != nil || !again.Equal(key) {
		t.Errorf("private key read back: %v", err)
	}
	public, err := signature.EncodePublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	pkcs1 := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&key.PublicKey)}))
	for _, text := range []string{public, pkcs1, "\n" + public + "\n\n"} {
		read, err := signature.ParseKey(text)
		if err != nil || !key.PublicKey.Equal(read) {
			t.Errorf("public key read back: %v\n%s", err, text)
		}
	}
	if _, err := signature.DecodePrivateKey(public); err == nil {
		t.Error("a public key passed as a private one")
	}
}

// N11: keys that are too small, too large, degenerate, or secret.
func TestParseKeyRefuses(t *testing.T) {
	spki := func(bits uint, exponent int) string {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		der, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: n.Add(n, big.NewInt(1)), E: exponent})
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}
	if _, err := signature.ParseKey(spki(2048, 3)); err != nil {
		t.Errorf("RSA-2048, e=3: %v", err)
	}
	if _, err := signature.ParseKey(spki(8192, 65537)); err != nil {
		t.Errorf("RSA-8192: %v", err)
	}
	private, _ := signature.EncodePrivateKey(newPeer().key.(*rsa.PrivateKey))
	public, _ := signature.EncodePublicKey(newPeer().keys.(*rsa.PublicKey))
	for name, text := range map[string]string{
		"RSA-1024": spki(1024, 65537), "RSA-2047": spki(2047, 65537), "RSA-16384": spki(16384, 65537),
		"e=1": spki(2048, 1), "e=2": spki(2048, 2), "private": private, "private beside public": public + private,
		"empty": "", "no PEM": "MIIB", "oversized": public + strings.Repeat(" ", 20000),
		"certificate": strings.ReplaceAll(public, "PUBLIC KEY", "CERTIFICATE"),
	} {
		if key, err := signature.ParseKey(text); err == nil {
			t.Errorf("%s was accepted: %T", name, key)
		}
	}
}

func TestParseMultikey(t *testing.T) {
	// The example of FEP-521a's underlying specification (Data Integrity EdDSA).
	key, err := signature.ParseMultikey("z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2")
	if err != nil {
		t.Fatal(err)
	}
	if key, ok := key.(ed25519.PublicKey); !ok || len(key) != ed25519.PublicKeySize {
		t.Errorf("%T", key)
	}
	raw, _, _ := ed25519.GenerateKey(rand.Reader)
	if read, err := signature.ParseMultikey("z" + base58(append([]byte{0xed, 0x01}, raw...))); err != nil || !raw.Equal(read) {
		t.Errorf("read back: %v", err)
	}
	for _, text := range []string{
		"", "z", "m7QE", "z0OIl", "z" + strings.Repeat("1", 200),
		"z" + base58(append([]byte{0x12, 0x00}, raw...)),      // another codec
		"z" + base58(append([]byte{0xed, 0x01}, raw[:31]...)), // a byte short
	} {
		if _, err := signature.ParseMultikey(text); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}

func base58(raw []byte) string {
	const alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	var out []byte
	n, digit := new(big.Int).SetBytes(raw), new(big.Int)
	for n.Sign() > 0 {
		n.DivMod(n, big.NewInt(58), digit)
		out = append([]byte{alphabet[digit.Int64()]}, out...)
	}
	return string(out)
}
