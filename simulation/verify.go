package simulation

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// publicKey is a key as fetched.
type publicKey struct {
	id, owner string
	key       *rsa.PublicKey
}

// claim is a signature as written in the headers, with what it covers.
type claim struct {
	keyID     string
	algorithm string
	headers   []string
	signature []byte
	inputs    []string // acceptable strings, one of which must be signed
}

// verify checks the signature of a request by the rules of the server's kind
// and returns the key that made it. The body is nil on GET.
func (s *Server) verify(r *http.Request, body []byte) (publicKey, error) {
	if len(r.Header.Values("Signature")) == 0 {
		return publicKey{}, errors.New("no Signature header")
	}
	if len(r.Header.Values("Signature")) > 1 {
		return publicKey{}, errors.New("more than one Signature header")
	}
	var c claim
	var err error
	if r.Header.Get("Signature-Input") != "" {
		if !s.traits.rfc9421 {
			return publicKey{}, errors.New("RFC 9421 signature, which this server does not know")
		}
		c, err = s.readRFC9421(r, body)
	} else {
		c, err = s.readCavage(r, body)
	}
	if err != nil {
		return publicKey{}, err
	}
	key, cached, err := s.keyFor(r.Context(), c.keyID, false)
	if err != nil {
		return publicKey{}, err
	}
	err = c.check(key.key, s.kind)
	if err != nil && cached && s.traits.refetchKey {
		if key, _, err = s.keyFor(r.Context(), c.keyID, true); err != nil {
			return publicKey{}, err
		}
		err = c.check(key.key, s.kind)
	}
	return key, err
}

// check tries the acceptable inputs against the key.
func (c claim) check(key *rsa.PublicKey, kind Kind) error {
	for _, input := range c.inputs {
		sum := sha256.Sum256([]byte(input))
		if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], c.signature) == nil {
			return nil
		}
		if kind.isGTS() {
			long := sha512.Sum512([]byte(input))
			if rsa.VerifyPKCS1v15(key, crypto.SHA512, long[:], c.signature) == nil {
				return nil
			}
		}
	}
	return fmt.Errorf("signature of %s does not fit the request", c.keyID)
}

// readCavage reads a draft-cavage signature and applies the kind's demands.
func (s *Server) readCavage(r *http.Request, body []byte) (claim, error) {
	params, err := cavageParams(r.Header.Get("Signature"), s.kind == Misskey)
	if err != nil {
		return claim{}, err
	}
	c := claim{keyID: params["keyId"], algorithm: params["algorithm"]}
	if c.keyID == "" || params["signature"] == "" {
		return claim{}, errors.New("signature without keyId or signature parameter")
	}
	if c.signature, err = base64.StdEncoding.DecodeString(params["signature"]); err != nil {
		return claim{}, fmt.Errorf("signature is not base64: %w", err)
	}
	if c.algorithm == "" && s.kind == Misskey {
		return claim{}, errors.New("signature without the algorithm parameter, which Misskey needs")
	}
	if !slices.Contains([]string{"", "rsa-sha256", "hs2019"}, c.algorithm) && !(s.kind.isGTS() && c.algorithm == "rsa-sha512") {
		return claim{}, fmt.Errorf("unknown signature algorithm %q", c.algorithm)
	}
	if params["headers"] == "" {
		return claim{}, errors.New("signature without the headers parameter")
	}
	c.headers = strings.Split(params["headers"], " ")
	for i, h := range c.headers {
		if h != strings.ToLower(h) || h == "" || slices.Contains(c.headers[:i], h) {
			return claim{}, fmt.Errorf("header %q in the headers parameter is repeated or not lower case", h)
		}
		if !strings.HasPrefix(h, "(") && h != "host" && h != "content-length" && len(r.Header.Values(h)) == 0 {
			return claim{}, fmt.Errorf("signed header %q is not there", h)
		}
	}
	if err := s.covers(c.headers, body != nil); err != nil {
		return claim{}, err
	}
	if s.host != r.Host && s.kind == Misskey {
		return claim{}, fmt.Errorf("request is for host %q, not %q", r.Host, s.host)
	}
	created := params["created"]
	if err := s.timely(r, created, params["expires"]); err != nil {
		return claim{}, err
	}
	if body != nil {
		if err := digestFits(r.Header.Values("Digest"), body, s.kind); err != nil {
			return claim{}, err
		}
	}
	target := strings.ToLower(r.Method) + " " + r.URL.EscapedPath()
	if r.URL.RawQuery != "" {
		c.inputs = append(c.inputs, cavageInput(r, c.headers, target+"?"+r.URL.RawQuery, created, params["expires"]))
	}
	c.inputs = append(c.inputs, cavageInput(r, c.headers, target, created, params["expires"]))
	return c, nil
}

// covers checks that what the kind demands is among the signed headers.
func (s *Server) covers(headers []string, post bool) error {
	need := []string{"(request-target)", "host", "date"}
	has := func(name string) bool { return slices.Contains(headers, name) }
	if s.kind == Mastodon {
		if !has("date") && !has("(created)") {
			return errors.New("signature covers neither date nor (created)")
		}
		if !has("(request-target)") && !has("digest") {
			return errors.New("signature covers neither (request-target) nor digest")
		}
		need = nil
		if !post {
			need = []string{"host"}
		}
	}
	if post {
		need = append(need, "digest")
	}
	for _, name := range need {
		if !has(name) {
			return fmt.Errorf("signature does not cover %s", name)
		}
	}
	return nil
}

// timely checks Date, created and expires against the kind's window.
func (s *Server) timely(r *http.Request, created, expires string) error {
	now := s.now()
	if seconds, err := strconv.ParseInt(expires, 10, 64); err == nil && now.After(time.Unix(seconds, 0)) {
		return errors.New("signature has expired")
	}
	var signed time.Time
	if created != "" {
		seconds, err := strconv.ParseInt(created, 10, 64)
		if err != nil {
			return errors.New("created is not a number")
		}
		signed = time.Unix(seconds, 0)
	} else {
		var err error
		if signed, err = http.ParseTime(r.Header.Get("Date")); err != nil {
			return fmt.Errorf("date %q is unreadable", r.Header.Get("Date"))
		}
	}
	if s.traits.dateBack == 0 {
		return nil
	}
	if now.Sub(signed) > s.traits.dateBack || signed.Sub(now) > s.traits.dateOn {
		return fmt.Errorf("date %s is too far from now", signed.UTC().Format(time.RFC3339))
	}
	return nil
}

// digestFits checks the Digest header (RFC 3230) against the body.
func digestFits(values []string, body []byte, kind Kind) error {
	if len(values) != 1 {
		return fmt.Errorf("%d Digest headers in place of one", len(values))
	}
	parts := strings.Split(values[0], ",")
	if len(parts) > 1 && kind == Misskey {
		return errors.New("list of digests, which Misskey does not read")
	}
	sum := sha256.Sum256(body)
	for _, part := range parts {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if !strings.EqualFold(name, "SHA-256") {
			continue
		}
		got, err := base64.StdEncoding.DecodeString(value)
		if err == nil && subtle.ConstantTimeCompare(got, sum[:]) == 1 {
			return nil
		}
		return errors.New("digest does not fit the body")
	}
	return errors.New("no SHA-256 digest")
}

// cavageParams splits key="value",… strictly: each parameter once; tight
// allows no blank after a comma.
func cavageParams(header string, tight bool) (map[string]string, error) {
	params := map[string]string{}
	for rest := header; rest != ""; {
		name, after, found := strings.Cut(rest, "=")
		if !found {
			return nil, errors.New("signature parameter without a value")
		}
		if tight && strings.TrimSpace(name) != name {
			return nil, errors.New("blank between signature parameters, which Misskey does not read")
		}
		name = strings.TrimSpace(name)
		var value string
		if strings.HasPrefix(after, `"`) {
			if value, rest, found = strings.Cut(after[1:], `"`); !found {
				return nil, errors.New("signature parameter without a closing quote")
			}
			if rest != "" && rest[0] != ',' {
				return nil, errors.New("signature parameters are not separated by commas")
			}
			rest = strings.TrimPrefix(rest, ",")
		} else {
			value, rest, _ = strings.Cut(after, ",")
		}
		if _, twice := params[name]; twice {
			return nil, fmt.Errorf("signature parameter %s occurs twice", name)
		}
		params[name] = value
	}
	return params, nil
}

// readRFC9421 reads one signature of RFC 9421 with the components that
// Mastodon and tootik demand.
func (s *Server) readRFC9421(r *http.Request, body []byte) (claim, error) {
	label, input, found := strings.Cut(r.Header.Get("Signature-Input"), "=")
	if !found || strings.Contains(input, "),") {
		return claim{}, errors.New("Signature-Input holds not exactly one signature")
	}
	value, ok := strings.CutPrefix(r.Header.Get("Signature"), label+"=:")
	if !ok || !strings.HasSuffix(value, ":") {
		return claim{}, fmt.Errorf("no signature labelled %s", label)
	}
	var c claim
	var err error
	if c.signature, err = base64.StdEncoding.DecodeString(strings.TrimSuffix(value, ":")); err != nil {
		return claim{}, fmt.Errorf("signature is not base64: %w", err)
	}
	names, rest, found := strings.Cut(strings.TrimPrefix(input, "("), ")")
	if !found || !strings.HasPrefix(input, "(") {
		return claim{}, errors.New("Signature-Input is no inner list")
	}
	params := map[string]string{}
	for _, p := range strings.Split(rest, ";")[1:] {
		name, value, _ := strings.Cut(p, "=")
		if _, twice := params[name]; twice {
			return claim{}, fmt.Errorf("signature parameter %s occurs twice", name)
		}
		params[name] = strings.Trim(value, `"`)
	}
	for _, name := range strings.Fields(names) {
		c.headers = append(c.headers, strings.Trim(name, `"`))
	}
	need := []string{"@method", "@target-uri"}
	if body != nil {
		need = append(need, "content-digest")
	}
	for _, name := range need {
		if !slices.Contains(c.headers, name) {
			return claim{}, fmt.Errorf("signature does not cover %s", name)
		}
	}
	c.keyID = params["keyid"]
	if c.keyID == "" || params["created"] == "" {
		return claim{}, errors.New("signature without keyid or created")
	}
	if err := s.timely(r, params["created"], params["expires"]); err != nil {
		return claim{}, err
	}
	if body != nil {
		sum := sha256.Sum256(body)
		want := "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
		if !strings.Contains(r.Header.Get("Content-Digest"), want) {
			return claim{}, errors.New("content digest does not fit the body")
		}
	}
	c.inputs = []string{rfc9421Input(r, s.scheme, c.headers, input)}
	return c, nil
}
