package verify

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// key is the node's key for one log.
type key struct {
	origin   string
	public   ed25519.PublicKey
	verifier note.Verifier
}

// parseKey reads ORIGIN+HASH+KEY (https://c2sp.org/signed-note).
func parseKey(text string) (*key, error) {
	verifier, err := note.NewVerifier(text)
	if err != nil {
		return nil, err
	}
	parts := strings.SplitN(text, "+", 3)
	public, ok := parsePublic(parts[2])
	if !ok {
		return nil, errors.New("no Ed25519 key")
	}
	return &key{parts[0], public, verifier}, nil
}

// parsePublic reads KEY: base64 of the byte 1 and the 32 of the public key.
func parsePublic(text string) (ed25519.PublicKey, bool) {
	data, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(data) != 1+ed25519.PublicKeySize || data[0] != 1 || len(text) != 44 {
		return nil, false
	}
	return data[1:], true
}

func fingerprint(public ed25519.PublicKey) string {
	sum := sha256.Sum256(public)
	return hex.EncodeToString(sum[:])
}

func (k *key) text() string {
	return base64.StdEncoding.EncodeToString(append([]byte{1}, k.public...))
}

// open checks that a note has one signature, the key's, and returns its text.
// Every byte of it counts: there is one way to write a note.
func (k *key) open(where string, message []byte) (string, error) {
	n, err := note.Open(message, note.VerifierList(k.verifier))
	var invalid *note.InvalidSignatureError
	var unverified *note.UnverifiedNoteError
	switch {
	case errors.As(err, &invalid):
		return "", wrong(where, "its signature is wrong")
	case errors.As(err, &unverified):
		return "", wrong(where, "it is not signed with the key %s for %s", k.text(), plain(k.origin))
	case err != nil:
		return "", wrong(where, "is no signed note")
	}
	s := n.Sigs[0]
	_, err = base64.StdEncoding.Strict().DecodeString(s.Base64)
	if err != nil || string(message) != n.Text+"\n— "+s.Name+" "+s.Base64+"\n" {
		return "", wrong(where, "has more to it than one signature")
	}
	return n.Text, nil
}

// splitOrigin splits HOST/log/ID.
func splitOrigin(origin string) (host, id string, ok bool) {
	host, id, ok = strings.Cut(origin, "/log/")
	return host, id, ok && host != "" && id != "" && url.PathEscape(id) == id && id[0] != '.' &&
		!strings.ContainsAny(host, "/?#@\\")
}

// Anchor is what is known of the key from elsewhere.
type Anchor struct {
	origin  string   // "" if not given
	prints  []string // fingerprints, one of which it must be
	actor   *url.URL // where to find them, or nil
	fetched bool
}

// ParseAnchor reads a verifier key, its KEY part, the fingerprint, or the https
// address of a channel's actor (http only on this machine). It fetches nothing.
func ParseAnchor(text string) (*Anchor, error) {
	text = strings.TrimSpace(text)
	if public, ok := parsePublic(text); ok {
		return &Anchor{prints: []string{fingerprint(public)}}, nil
	}
	if print, err := hex.DecodeString(text); err == nil && len(print) == sha256.Size {
		return &Anchor{prints: []string{strings.ToLower(text)}}, nil
	}
	if u, err := url.Parse(text); err == nil && u.Host != "" {
		if u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()) {
			return &Anchor{actor: u}, nil
		}
		return nil, errors.New("a key over the web needs an https address")
	}
	k, err := parseKey(text)
	if err != nil {
		return nil, errors.New("this is neither a verifier key (ORIGIN+HASH+KEY), nor its KEY part (44 characters), nor a fingerprint (64 hexadecimal digits), nor the https address of a channel")
	}
	return &Anchor{origin: k.origin, prints: []string{fingerprint(k.public)}}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// resolve fetches the actor, if that is what was given: its fields of type
// PropertyValue, of which one or more hold a KEY.
func (a *Anchor) resolve(ctx context.Context, w web) error {
	if a.actor == nil || a.fetched {
		return nil
	}
	where := a.actor.String()
	data, err := w.get(ctx, where, "application/activity+json", maxSmall)
	if err != nil {
		return err
	}
	var actor struct{ Attachment json.RawMessage }
	if err := json.Unmarshal(data, &actor); err != nil {
		return unread(where, "does not answer with an actor in JSON")
	}
	var fields []json.RawMessage
	if json.Unmarshal(actor.Attachment, &fields) != nil {
		fields = []json.RawMessage{actor.Attachment} // JSON-LD: one may stand without brackets
	}
	for _, raw := range fields {
		var field struct{ Type, Value string }
		if json.Unmarshal(raw, &field) != nil || field.Type != "PropertyValue" {
			continue
		}
		for _, word := range words(field.Value) {
			if public, ok := parsePublic(word); ok {
				a.prints = append(a.prints, fingerprint(public))
			}
		}
	}
	if len(a.prints) == 0 {
		return unread(where, "has no field with a log key")
	}
	a.fetched = true
	return nil
}

// trust reads key.txt and settles which key is trusted.
func (c *check) trust() error {
	const name = "key.txt"
	data, err := c.zip.bytes(name, 4096)
	if err != nil {
		return err
	}
	text, ended := strings.CutSuffix(string(data), "\n")
	k, err := parseKey(text)
	if err != nil || !ended || strings.ContainsAny(text, "\r\n") {
		return wrong(name, "is not one line with a verifier key, ORIGIN+HASH+KEY")
	}
	if _, _, ok := splitOrigin(k.origin); !ok {
		return wrong(name, "its origin %s is not HOST/log/ID", plain(k.origin))
	}
	c.key = k
	c.report.Origin, c.report.Key = k.origin, k.text()
	if c.Anchor == nil {
		c.report.Fingerprint = fingerprint(k.public)
		return nil
	}
	if !slices.Contains(c.Anchor.prints, fingerprint(k.public)) {
		return wrong(name, "the dataset is signed with another key (fingerprint %s) than the one that was given", fingerprint(k.public))
	}
	c.report.Fingerprint = fingerprint(k.public)
	if c.Anchor.origin != "" && c.Anchor.origin != k.origin {
		return wrong(name, "the dataset is of the log %s, the key that was given of %s", plain(k.origin), plain(c.Anchor.origin))
	}
	return nil
}
