package signature_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"net/http"
	"testing"

	"inspraak/activitypub/signature"
)

// FuzzInspect: whatever arrives, the answer is a request that could be verified
// or a refusal that names its rule, and a request kept with Header() alone is
// judged the same.
func FuzzInspect(f *testing.F) {
	p := newPeer()
	d, m := mastodonVote().request(p), messageVote().request(p)
	f.Add("POST", "/inbox", d.Header.Get("Signature"), "", d.Header.Get("Digest"), d.Header.Get("Date"), []byte(vote))
	f.Add("POST", "/inbox", m.Header.Get("Signature"), m.Header.Get("Signature-Input"), m.Header.Get("Content-Digest"), m.Header.Get("Date"), []byte(vote))
	f.Add("GET", "/a?b", `keyId="k" , created = 1788249605,headers="(request-target) host (created)",signature=AAAA`, "", "", "", []byte(nil))
	f.Add("POST", "*", `keyId="\"",,=`, `sig1=("@query";x);created=1`, `sha-256=:AA==:`, "0", []byte("{}"))
	f.Fuzz(func(t *testing.T, method, target, sig, input, digest, date string, body []byte) {
		r := &http.Request{Method: method, RequestURI: target, Host: "city.example", Header: http.Header{
			"Digest": {digest}, "Content-Digest": {digest}, "Date": {date}, "Content-Type": {"application/activity+json"},
		}}
		if sig != "" {
			r.Header["Signature"] = []string{sig}
		}
		if input != "" {
			r.Header["Signature-Input"] = []string{input}
		}
		s, err := signature.Inspect(r, body, moment, policy)
		if err != nil {
			var refusal *signature.Refusal
			if s != nil || !errors.As(err, &refusal) || refusal.Rule == "" {
				t.Fatalf("neither refused nor accepted: %v", err)
			}
			return
		}
		if s.KeyID == "" || s.Time.IsZero() {
			t.Fatalf("accepted without key or time: %+v", s)
		}
		r.Header = s.Header()
		if _, err := signature.Inspect(r, body, moment, policy); err != nil {
			t.Fatalf("refused when stored: %v", err)
		}
		_ = s.Verify(p.keys)
	})
}

func BenchmarkVerify(b *testing.B) {
	p := newPeer()
	body := []byte(vote)
	for name, r := range map[string]*http.Request{"cavage": mastodonVote().request(p), "rfc9421": messageVote().request(p)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s, err := signature.Inspect(r, body, moment, policy)
				if err == nil {
					err = s.Verify(p.keys)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("RSA alone", func(b *testing.B) {
		sum := sha256.Sum256(body)
		sig, _ := rsa.SignPKCS1v15(rand.Reader, p.key.(*rsa.PrivateKey), crypto.SHA256, sum[:])
		for b.Loop() {
			if err := rsa.VerifyPKCS1v15(p.keys.(*rsa.PublicKey), crypto.SHA256, sum[:], sig); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkSign(b *testing.B) {
	key := newPeer().key.(*rsa.PrivateKey)
	body := []byte(vote)
	for _, form := range []signature.Form{signature.Cavage, signature.RFC9421} {
		b.Run(form.String(), func(b *testing.B) {
			r, _ := http.NewRequest(http.MethodPost, "https://m1.example/inbox", bytes.NewReader(body))
			r.Header.Set("Content-Type", "application/activity+json")
			b.ReportAllocs()
			for b.Loop() {
				if err := signature.Sign(r, body, keyID, key, form, moment); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("RSA alone", func(b *testing.B) {
		sum := sha256.Sum256(body)
		for b.Loop() {
			if _, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:]); err != nil {
				b.Fatal(err)
			}
		}
	})
}
