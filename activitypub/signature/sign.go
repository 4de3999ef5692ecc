package signature

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/dunglas/httpsfv"
	"github.com/go-fed/httpsig"
)

// Sign signs r, whose body is body (nil for a GET), with key. keyID is where
// others find the public half. It sets Date, the digest and the signature,
// takes away those of an earlier call, and sets r.Host to the URL's host without
// the scheme's own port: what is signed is what will be sent. r must have an
// absolute URL, a Content-Type where there is a body, and an Accept where there
// is none; nothing that is covered may change afterwards.
//
// The draft form covers (request-target), host, date, digest and content-type,
// or accept for a GET, in that order and without blanks after commas: Misskey
// refuses any other spelling. Its algorithm is given as rsa-sha256. The RFC 9421
// form covers @method, @target-uri, and for a body content-type and
// content-digest.
func Sign(r *http.Request, body []byte, keyID string, key *rsa.PrivateKey, form Form, now time.Time) error {
	if r.URL == nil || r.URL.Host == "" || r.URL.Opaque != "" {
		return errors.New("sign request: the URL is not absolute")
	}
	if key == nil {
		return errors.New("sign request: no key")
	}
	if keyID == "" || strings.ContainsAny(keyID, "\"\\, ") {
		return fmt.Errorf("sign request: key id %q has a character that peers cannot read", keyID)
	}
	if body != nil && r.Header.Get("Content-Type") == "" {
		return errors.New("sign request: a body needs a Content-Type")
	}
	if body == nil && r.Header.Get("Accept") == "" {
		return errors.New("sign request: a request without body needs an Accept")
	}
	for _, name := range []string{"Signature", "Signature-Input", "Digest", "Content-Digest", "Host"} {
		delete(r.Header, name)
	}
	r.Host = trimPort(strings.ToLower(r.URL.Host), r.URL.Scheme)
	r.Header["Date"] = []string{now.UTC().Format(http.TimeFormat)}

	sign := signDraft
	if form == RFC9421 {
		sign = signMessage
	}
	if err := sign(r, body, keyID, key, now); err != nil {
		return fmt.Errorf("sign request: %w", err)
	}
	return nil
}

func signDraft(r *http.Request, body []byte, keyID string, key *rsa.PrivateKey, _ time.Time) error {
	covered := []string{httpsig.RequestTarget, "host", "date", "accept"}
	if body != nil {
		covered = []string{httpsig.RequestTarget, "host", "date", "digest", "content-type"}
	}
	signer, _, err := httpsig.NewSigner(
		[]httpsig.Algorithm{httpsig.RSA_SHA256}, httpsig.DigestSha256, covered, httpsig.Signature, 0)
	if err != nil {
		return err
	}
	// httpsig looks for Host in the header, where Go has none, and signs URL.Path
	// as it stands: give it both as they will be on the wire.
	wire := &http.Request{
		Method: r.Method,
		URL:    &url.URL{Path: r.URL.RequestURI()},
		Header: http.Header{
			"Host": {r.Host}, "Date": r.Header["Date"],
			"Accept": r.Header["Accept"], "Content-Type": r.Header["Content-Type"],
		},
	}
	if err := signer.SignRequest(key, keyID, wire, body); err != nil {
		return err
	}
	// It writes algorithm="hs2019", which Misskey's parser does not know for RSA
	// keys; rsa-sha256 says the same and is understood by all.
	_, value, ok := strings.Cut(wire.Header.Get("Signature"), `,signature="`)
	if !ok {
		return errors.New("no signature was made")
	}
	if body != nil {
		r.Header["Digest"] = wire.Header["Digest"]
	}
	r.Header["Signature"] = []string{`keyId="` + keyID + `",algorithm="rsa-sha256",headers="` +
		strings.Join(covered, " ") + `",signature="` + value}
	return nil
}

func signMessage(r *http.Request, body []byte, keyID string, key *rsa.PrivateKey, now time.Time) error {
	components := []string{"@method", "@target-uri"}
	if r.URL.RawQuery != "" {
		components = append(components, "@query")
	}
	if body != nil {
		sum := sha256.Sum256(body)
		r.Header["Content-Digest"] = []string{"sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"}
		components = append(components, "content-type", "content-digest")
	}
	list := httpsfv.InnerList{Params: httpsfv.NewParams()}
	for _, name := range components {
		list.Items = append(list.Items, httpsfv.NewItem(name))
	}
	list.Params.Add("created", now.Unix())
	list.Params.Add("keyid", keyID)
	list.Params.Add("alg", "rsa-v1_5-sha256")

	var s Signed
	s.header = http.Header{}
	self := Policy{Scheme: r.URL.Scheme, Host: r.Host}
	if err := s.writeBase(list, r, r.URL.RequestURI(), body, self); err != nil {
		return err
	}
	hash := sha256.Sum256([]byte(s.base))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, hash[:])
	if err != nil {
		return err
	}
	params, err := httpsfv.Marshal(list)
	if err != nil {
		return err
	}
	r.Header["Signature-Input"] = []string{"sig1=" + params}
	r.Header["Signature"] = []string{"sig1=:" + base64.StdEncoding.EncodeToString(sig) + ":"}
	return nil
}
