package simulation

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Scheme is a way to sign HTTP requests.
type Scheme string

// The schemes: draft-cavage-http-signatures-12, which every server speaks, and
// RFC 9421, which Mastodon verifies since 4.5.
const (
	Cavage  Scheme = ""
	RFC9421 Scheme = "rfc9421"
)

// SignOptions departs from the signature that a server of the account's kind
// makes. The zero value signs correctly; each field spoils or changes one thing.
type SignOptions struct {
	Scheme   Scheme
	Unsigned bool // no Signature header at all

	// Headers are the signed headers (draft-cavage) or components (RFC 9421,
	// without quotes) in this order; nil means what the kind signs.
	Headers          []string
	OmitHeadersParam bool // leave the headers parameter out (draft-cavage)
	OmitDigest       bool // send no Digest or Content-Digest
	Digest           []string
	TamperBody       []byte // sent in place of the body that was signed
	DateOffset       time.Duration
	OmitDate         bool
	Created, Expires time.Time // created and expires parameters; RFC 9421 always has created

	// Algorithm is the algorithm (or alg) parameter; "-" leaves it out, "" is
	// what the kind writes.
	Algorithm    string
	KeyID        string   // in place of the account's own
	KeyOf        *Account // sign with this account's key, the keyId unchanged
	HMAC         bool     // HMAC-SHA256 with the public key's PEM bytes as secret
	Ed25519      bool     // a fresh Ed25519 key under the RSA keyId
	SignedTarget string   // "post /other/inbox" in place of the true request target
	SignedHost   string   // sign and send this Host
	RepeatHeader bool     // send the Signature header twice
	RepeatParam  string   // repeat this parameter
	SpaceAfter   bool     // ", " between parameters
	ContentType  string   // in place of the kind's own
	Accept       string   // on GET, in place of ActivityPub's two media types
}

// Request makes a request by the account, signed as its kind signs, or as o
// says. A nil body makes no digest and no content type.
func (a *Account) Request(ctx context.Context, method, rawURL string, body []byte, o SignOptions) (*http.Request, error) {
	sent := body
	if o.TamperBody != nil {
		sent = o.TamperBody
	}
	var r io.Reader
	if body != nil {
		r = bytes.NewReader(sent)
	}
	req, err := http.NewRequestWithContext(ctx, method, rawURL, r)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	t := a.server.traits
	req.Header.Set("User-Agent", t.software+"/"+t.version+" (+"+a.server.base+"/)")
	if !o.OmitDate {
		req.Header.Set("Date", a.server.now().Add(o.DateOffset).UTC().Format(http.TimeFormat))
	}
	if o.SignedHost != "" {
		req.Host = o.SignedHost
	}
	if method == http.MethodGet {
		req.Header.Set("Accept", activityJSON+", "+ldJSON)
		if o.Accept != "" {
			req.Header.Set("Accept", o.Accept)
		}
	}
	if body != nil {
		req.Header.Set("Content-Type", t.postType)
		if o.ContentType != "" {
			req.Header.Set("Content-Type", o.ContentType)
		}
		sum := sha256.Sum256(body)
		b64 := base64.StdEncoding.EncodeToString(sum[:])
		name, values := "Digest", []string{"SHA-256=" + b64}
		if o.Scheme == RFC9421 {
			name, values = "Content-Digest", []string{"sha-256=:" + b64 + ":"}
		}
		if o.Digest != nil {
			values = o.Digest
		}
		if !o.OmitDigest {
			req.Header[name] = values
		}
	}
	if o.Unsigned {
		return req, nil
	}
	if o.Scheme == RFC9421 {
		err = a.signRFC9421(req, body != nil, o)
	} else {
		err = a.signCavage(req, body != nil, o)
	}
	if err != nil {
		return nil, err
	}
	if o.RepeatHeader {
		req.Header.Add("Signature", req.Header.Get("Signature"))
	}
	return req, nil
}

// signCavage sets the Signature header of draft-cavage-http-signatures-12.
func (a *Account) signCavage(req *http.Request, hasBody bool, o SignOptions) error {
	t := a.server.traits
	names := t.getHeaders
	if hasBody {
		names = t.postHeaders
	}
	if o.Headers != nil {
		names = o.Headers
	}
	target := strings.ToLower(req.Method) + " " + req.URL.EscapedPath()
	if t.signsQuery && req.URL.RawQuery != "" {
		target += "?" + req.URL.RawQuery
	}
	if o.SignedTarget != "" {
		target = o.SignedTarget
	}
	input := cavageInput(req, names, target, unix(o.Created), unix(o.Expires))
	signature, err := a.signature([]byte(input), o)
	if err != nil {
		return err
	}

	params := []string{`keyId="` + a.keyIDFor(o) + `"`}
	algorithm := t.algorithm
	if o.Algorithm != "" {
		algorithm = o.Algorithm
	}
	if algorithm != "-" {
		params = append(params, `algorithm="`+algorithm+`"`)
	}
	if !o.Created.IsZero() {
		params = append(params, "created="+unix(o.Created))
	}
	if !o.Expires.IsZero() {
		params = append(params, "expires="+unix(o.Expires))
	}
	if !o.OmitHeadersParam {
		params = append(params, `headers="`+strings.Join(names, " ")+`"`)
	}
	params = append(params, `signature="`+base64.StdEncoding.EncodeToString(signature)+`"`)
	for _, p := range params {
		if o.RepeatParam != "" && strings.HasPrefix(p, o.RepeatParam+"=") {
			params = append(params, p)
			break
		}
	}
	separator := ","
	if o.SpaceAfter {
		separator = ", "
	}
	req.Header.Set("Signature", strings.Join(params, separator))
	return nil
}

// cavageInput is the string that draft-cavage signs.
func cavageInput(req *http.Request, names []string, target, created, expires string) string {
	lines := make([]string, 0, len(names))
	for _, name := range names {
		value := strings.Join(req.Header.Values(name), ", ")
		switch name {
		case "(request-target)":
			value = target
		case "(created)":
			value = created
		case "(expires)":
			value = expires
		case "host":
			value = req.Host
		case "content-length":
			value = fmt.Sprint(req.ContentLength)
		}
		lines = append(lines, name+": "+value)
	}
	return strings.Join(lines, "\n")
}

// signRFC9421 sets Signature-Input and Signature (RFC 9421 §3.1).
func (a *Account) signRFC9421(req *http.Request, hasBody bool, o SignOptions) error {
	names := []string{"@method", "@target-uri"}
	if hasBody {
		names = append(names, "content-digest")
		if a.server.kind == Tootik {
			names = append(names, "content-type")
		}
	}
	if o.Headers != nil {
		names = o.Headers
	}
	created := o.Created
	if created.IsZero() {
		created = a.server.now().Add(o.DateOffset)
	}
	params := `("` + strings.Join(names, `" "`) + `");created=` + unix(created)
	if !o.Expires.IsZero() {
		params += ";expires=" + unix(o.Expires)
	}
	params += `;keyid="` + a.keyIDFor(o) + `"`
	if o.Algorithm != "" && o.Algorithm != "-" {
		params += `;alg="` + o.Algorithm + `"`
	}
	if o.RepeatParam == "keyid" {
		params += `;keyid="` + a.keyIDFor(o) + `"`
	}
	input := rfc9421Input(req, req.URL.Scheme, names, params)
	if o.SignedTarget != "" {
		input = strings.Replace(input, req.URL.String(), o.SignedTarget, 1)
	}
	signature, err := a.signature([]byte(input), o)
	if err != nil {
		return err
	}
	req.Header.Set("Signature-Input", "sig1="+params)
	req.Header.Set("Signature", "sig1=:"+base64.StdEncoding.EncodeToString(signature)+":")
	return nil
}

// rfc9421Input is the signature base (RFC 9421 §2.5).
func rfc9421Input(req *http.Request, scheme string, names []string, params string) string {
	var b strings.Builder
	for _, name := range names {
		value := strings.Join(req.Header.Values(name), ", ")
		switch name {
		case "@method":
			value = req.Method
		case "@target-uri":
			value = scheme + "://" + req.Host + req.URL.RequestURI()
		case "@authority", "host":
			value = strings.ToLower(req.Host)
		case "@scheme":
			value = scheme
		case "@path":
			value = req.URL.EscapedPath()
		case "@query":
			value = "?" + req.URL.RawQuery
		case "@request-target":
			value = req.URL.RequestURI()
		}
		fmt.Fprintf(&b, "\"%s\": %s\n", name, value)
	}
	b.WriteString(`"@signature-params": ` + params)
	return b.String()
}

// signature signs the input with the account's RSA key (PKCS #1 v1.5,
// SHA-256), or wrongly, as o asks.
func (a *Account) signature(input []byte, o SignOptions) ([]byte, error) {
	signer := a
	if o.KeyOf != nil {
		signer = o.KeyOf
	}
	switch {
	case o.HMAC:
		pem, err := a.publicKeyPEM()
		if err != nil {
			return nil, err
		}
		m := hmac.New(sha256.New, []byte(pem))
		m.Write(input)
		return m.Sum(nil), nil
	case o.Ed25519:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("make Ed25519 key: %w", err)
		}
		return ed25519.Sign(key, input), nil
	}
	key, err := signer.privateKey()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(input)
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return signature, nil
}

// keyIDFor returns the keyId to write.
func (a *Account) keyIDFor(o SignOptions) string {
	if o.KeyID != "" {
		return o.KeyID
	}
	return a.KeyID()
}

// unix writes t in seconds, "" for the zero time.
func unix(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return fmt.Sprint(t.Unix())
}
