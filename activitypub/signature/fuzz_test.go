package signature_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"inspraak/activitypub/signature"
)

// FuzzKey: a published key that is accepted is one that proves something, and
// is the same key when written and read again.
func FuzzKey(f *testing.F) {
	public := newPeer().key.(*rsa.PrivateKey).PublicKey
	text, err := signature.EncodePublicKey(&public)
	if err != nil {
		f.Fatal(err)
	}
	edwards, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(edwards)
	if err != nil {
		f.Fatal(err)
	}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	for _, seed := range []string{
		text, strings.ReplaceAll(text, "\n", "\r\n"), text + text, "  " + text, block("PUBLIC KEY", der),
		block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&public)), block("CERTIFICATE", der), "-----BEGIN PUBLIC KEY-----",
		"z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK", "z", "z1111111111111111111111111111111111111111111111", "u7QF",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if key, err := signature.ParseMultikey(text); err == nil && len(key.(ed25519.PublicKey)) != ed25519.PublicKeySize {
			t.Errorf("a key of %d bytes", len(key.(ed25519.PublicKey)))
		}
		key, err := signature.ParseKey(text)
		if err != nil {
			return
		}
		switch key := key.(type) {
		case ed25519.PublicKey:
			if len(key) != ed25519.PublicKeySize {
				t.Errorf("a key of %d bytes", len(key))
			}
		case *rsa.PublicKey:
			if bits := key.N.BitLen(); bits < 2048 || bits > 8192 || key.E < 3 {
				t.Errorf("a key of %d bits with exponent %d", bits, key.E)
			}
			written, err := signature.EncodePublicKey(key)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := signature.ParseKey(written); err != nil || !key.Equal(again) {
				t.Errorf("written as %s it is another key: %v", written, err)
			}
		default:
			t.Errorf("a %T", key)
		}
	})
}
