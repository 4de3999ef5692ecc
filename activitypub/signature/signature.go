// Package signature signs and verifies HTTP requests between servers of the
// fediverse, in the two forms in use: draft-cavage-http-signatures-12 and
// RFC 9421 (HTTP Message Signatures).
//
// It answers one question: did the holder of this key send these bytes, to
// this host and path, at about this time? It does not fetch keys, does not
// know actors, and does not remember what it has seen: whether the key belongs
// to the activity's actor, and whether the request is a repetition, is the
// caller's to decide.
//
// Verification has two steps, so that nobody can make the node fetch a key for
// a request that no key could save. Inspect checks all that needs no key;
// Signed.Verify checks the signature itself. Both forms demand that method,
// target, host, time and (where there is a body) a digest of the body are
// covered, and never let the sender choose the algorithm: the key's type does.
package signature

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"github.com/go-fed/httpsig"
)

// Form is one of the two ways to write a signature into a request.
type Form uint8

const (
	// Cavage is draft-cavage-http-signatures-12, which every server accepts.
	Cavage Form = iota
	// RFC9421 is HTTP Message Signatures, with Content-Digest (RFC 9530).
	RFC9421
)

// String names the form as its specification is called.
func (f Form) String() string {
	if f == RFC9421 {
		return "rfc9421"
	}
	return "cavage"
}

// ErrSignature is wrapped by every error of Inspect and Verify: the request
// does not prove who sent it. The right answer is 401, which also makes
// senders that know both forms try the other one.
var ErrSignature = errors.New("http signature refused")

// Rule names what a request failed on; it is stable, and fit for counters.
type Rule string

// The rules.
const (
	RuleMissing    Rule = "missing"    // no signature, or more than one
	RuleParameters Rule = "parameters" // malformed, repeated or absent parameter
	RuleAlgorithm  Rule = "algorithm"  // an algorithm outside the profile
	RuleComponents Rule = "components" // a part of the request is not covered, or twice
	RuleTarget     Rule = "target"     // the request target is not a path
	RuleHost       Rule = "host"       // meant for another host
	RuleTime       Rule = "time"       // too old, too far ahead, or expired
	RuleDigest     Rule = "digest"     // the body is not the one that was signed
	RuleKey        Rule = "key"        // the key is of a kind or size not accepted
	RuleCrypto     Rule = "crypto"     // the key did not make this signature
)

// Refusal is the error of Inspect and Verify.
type Refusal struct {
	Rule   Rule
	Reason string
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("%v: %s: %s", ErrSignature, r.Rule, r.Reason)
}

// Unwrap returns ErrSignature.
func (r *Refusal) Unwrap() error { return ErrSignature }

func refuse(rule Rule, format string, args ...any) error {
	return &Refusal{Rule: rule, Reason: fmt.Sprintf(format, args...)}
}

// Policy is what the receiving server knows about itself.
type Policy struct {
	Host   string        // public host, with the port if it is not the scheme's own
	Scheme string        // public scheme; empty means https
	Window time.Duration // largest distance between the signed time and now; 0 means DefaultWindow
}

// DefaultWindow is Mastodon's own: one hour of clock error and five minutes of
// transport.
const DefaultWindow = 65 * time.Minute

const (
	maxHeader     = 8 << 10 // bytes in Signature or Signature-Input
	maxKeyID      = 2 << 10 // bytes in a key id
	maxComponents = 32
	maxSignature  = 1 << 10 // bytes of an RSA-8192 signature
)

// Signed is a request that lacks nothing but the proof by key. It holds copies
// of what it needs, not the request; it is safe for concurrent use.
type Signed struct {
	KeyID string    // as sent, fragment included
	Form  Form      // how it was signed
	Time  time.Time // the signed Date, or the time of creation where that is covered

	algorithm string      // as declared, lower case; empty if it was not
	signature []byte      // decoded
	header    http.Header // covered fields; for Cavage also what httpsig reads
	raw       http.Header // the signature's own fields, as sent
	method    string      // for Cavage
	target    string      // for Cavage: path and query as sent
	base      string      // what was signed; empty where httpsig writes it
}

// Inspect checks everything about the signature of r that needs no key. body
// is the raw body as received, now the moment of receipt; p.Host must be set.
// It reads Method, Host, RequestURI (URL where that is empty), Header and
// nothing else, so a request stored as those four can be inspected again later,
// with the time at which it first arrived.
//
// A Signature-Input field makes it RFC 9421 and nothing else: a draft signature
// beside it is refused, not preferred, so that nobody chooses for the sender.
//
// The error is always a *Refusal.
func Inspect(r *http.Request, body []byte, now time.Time, p Policy) (*Signed, error) {
	if p.Window == 0 {
		p.Window = DefaultWindow
	}
	if p.Scheme == "" {
		p.Scheme = "https"
	}
	p.Host = trimPort(strings.ToLower(p.Host), p.Scheme)

	if host := trimPort(strings.ToLower(r.Host), p.Scheme); host != p.Host {
		return nil, refuse(RuleHost, "sent to %q, not to this server", r.Host)
	}
	target := r.RequestURI
	if target == "" && r.URL != nil {
		target = r.URL.RequestURI()
	}
	if !strings.HasPrefix(target, "/") {
		return nil, refuse(RuleTarget, "the request target must be a path")
	}
	if len(r.Header["Signature-Input"]) > 0 {
		return inspectMessage(r, target, body, now, p)
	}
	return inspectDraft(r, target, body, now, p)
}

// Verify reports whether the holder of key made the signature. The key's type
// decides the algorithm: RSA keys of 2048 to 8192 bits are PKCS #1 v1.5 with
// SHA-256, and for the draft also SHA-512 (its "hs2019" may mean either);
// Ed25519 keys are Ed25519. An algorithm named by the sender can only narrow
// that. It may be called again with another key, for one that was renewed.
//
// The error is always a *Refusal.
func (s *Signed) Verify(key crypto.PublicKey) error {
	if err := checkKey(key); err != nil {
		return refuse(RuleKey, "%v", err)
	}
	_, isRSA := key.(*rsa.PublicKey)
	switch s.algorithm {
	case "rsa-sha256", "rsa-v1_5-sha256":
		if !isRSA {
			return refuse(RuleAlgorithm, "%q with a key that is not RSA", s.algorithm)
		}
	case "ed25519":
		if isRSA {
			return refuse(RuleAlgorithm, "%q with an RSA key", s.algorithm)
		}
	}
	for _, algorithm := range s.algorithms(isRSA) {
		if s.verify(key, algorithm) == nil {
			return nil
		}
	}
	return refuse(RuleCrypto, "the key %q did not make this signature", s.KeyID)
}

// algorithms lists what the key's type leaves to try.
func (s *Signed) algorithms(isRSA bool) []httpsig.Algorithm {
	switch {
	case !isRSA:
		return []httpsig.Algorithm{httpsig.ED25519}
	case s.Form == RFC9421 || s.algorithm == "rsa-sha256":
		return []httpsig.Algorithm{httpsig.RSA_SHA256}
	}
	return []httpsig.Algorithm{httpsig.RSA_SHA256, httpsig.RSA_SHA512}
}

func (s *Signed) verify(key crypto.PublicKey, algorithm httpsig.Algorithm) error {
	if s.base == "" {
		return s.verifyDraft(key, algorithm)
	}
	switch key := key.(type) {
	case ed25519.PublicKey:
		if ed25519.Verify(key, []byte(s.base), s.signature) {
			return nil
		}
	case *rsa.PublicKey:
		if algorithm == httpsig.RSA_SHA512 {
			sum := sha512.Sum512([]byte(s.base))
			return rsa.VerifyPKCS1v15(key, crypto.SHA512, sum[:], s.signature)
		}
		sum := sha256.Sum256([]byte(s.base))
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], s.signature)
	}
	return ErrSignature
}

// Header returns the fields, and no others, that Inspect needs to come to the
// same result: what was covered, and the signature itself.
func (s *Signed) Header() http.Header {
	h := make(http.Header, len(s.header)+len(s.raw))
	for name, values := range s.header {
		if name != "Host" && name != "Signature" {
			h[name] = append([]string(nil), values...)
		}
	}
	for name, values := range s.raw {
		h[name] = append([]string(nil), values...)
	}
	return h
}

// hasBody reports whether a digest is due: for every method that may act.
func hasBody(method string, body []byte) bool {
	return len(body) > 0 || (method != http.MethodGet && method != http.MethodHead)
}

// field returns the lines of a covered header field. Host lives beside the
// header in Go, and Content-Length may.
func field(r *http.Request, name string, body []byte) []string {
	switch name {
	case "host":
		return []string{r.Host}
	case "content-length":
		if _, ok := r.Header["Content-Length"]; !ok && body != nil {
			return []string{strconv.Itoa(len(body))}
		}
	}
	return r.Header[textproto.CanonicalMIMEHeaderKey(name)]
}

// checkTime applies the window to a covered time and honours an expiry.
func checkTime(signed, now time.Time, window time.Duration) error {
	switch age := now.Sub(signed); {
	case age > window:
		return refuse(RuleTime, "signed %v ago", age.Round(time.Second))
	case age < -window:
		return refuse(RuleTime, "signed %v in the future", -age.Round(time.Second))
	}
	return nil
}

func checkExpiry(expires int64, now time.Time) error {
	if now.Unix() > expires {
		return refuse(RuleTime, "expired %v ago", now.Sub(time.Unix(expires, 0)).Round(time.Second))
	}
	return nil
}

// parseDate reads a Date field, which must be there exactly once.
func parseDate(values []string) (time.Time, error) {
	if len(values) != 1 {
		return time.Time{}, refuse(RuleTime, "%d Date fields", len(values))
	}
	t, err := http.ParseTime(values[0])
	if err != nil {
		return time.Time{}, refuse(RuleTime, "the Date is no HTTP date")
	}
	return t, nil
}

// checkSum compares a SHA-256 digest with the body, in constant time.
func checkSum(sum, body []byte) error {
	want := sha256.Sum256(body)
	if subtle.ConstantTimeCompare(sum, want[:]) != 1 {
		return refuse(RuleDigest, "the digest is not that of the body")
	}
	return nil
}

// decodeSignature reads the signature's base64.
func decodeSignature(text string) ([]byte, error) {
	sig, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(sig) == 0 || len(sig) > maxSignature {
		return nil, refuse(RuleParameters, "the signature is not base64 of 1 to %d bytes", maxSignature)
	}
	return sig, nil
}

// trimPort drops the scheme's own port, which URLs and Host fields leave out.
func trimPort(host, scheme string) string {
	switch scheme {
	case "https":
		return strings.TrimSuffix(host, ":443")
	case "http":
		return strings.TrimSuffix(host, ":80")
	}
	return host
}
