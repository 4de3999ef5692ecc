package activitypub

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"inspraak/activitypub/as2"
	"inspraak/activitypub/signature"
	"inspraak/participation"
)

// evidence is the message as an auditor needs it. Its key is written anew from
// what was verified with, one form for PEM and Multikey.
func (m message) evidence() participation.Request {
	key, _ := signature.EncodePublicKey(m.key) // fails for no kind of key that verifies
	return participation.Request{
		Target: m.target, Host: m.sentTo, Header: m.signed.Header(), Body: m.body, Form: m.signed.Form.String(),
		KeyID: m.signed.KeyID, Key: key, Fetched: m.signer.FetchedAt, Signer: m.signer.Actor,
		Received: m.received.UTC().Truncate(time.Millisecond),
	}
}

// Examiner returns what judges requests that were kept as evidence, by the rules
// of the inbox of the node at u but with no word of the node's taken for it: the
// signature, as of the receipt; that activity, signer, key and vote object are of
// one host; that the vote is in the question, which may be named by each of its
// last path segments, ID and slug. That a key is really the account's it cannot
// tell: see AskKey.
func Examiner(u URLs, question ...string) func(participation.Request) (participation.Claim, error) {
	f := &Federation{Config: Config{URLs: u, Loopback: strings.HasPrefix(u.Base, "http://")}}
	return func(r participation.Request) (participation.Claim, error) { return f.examine(r, question) }
}

func (f *Federation) examine(r participation.Request, question []string) (claim participation.Claim, err error) {
	if r.TooLarge > 0 {
		return claim, fmt.Errorf("the request was too large to keep (%d bytes)", r.TooLarge)
	}
	request := &http.Request{Method: http.MethodPost, Host: r.Host, RequestURI: r.Target, Header: r.Header}
	signed, err := signature.Inspect(request, r.Body, r.Received, f.policy())
	if err != nil {
		return claim, err
	}
	key, err := signature.ParseKey(r.Key)
	if err != nil {
		return claim, err
	}
	if err := signed.Verify(key); err != nil {
		return claim, err
	}
	doc, err := as2.Decode(r.Body)
	if err != nil {
		return claim, err
	}
	a, err := doc.Activity()
	if err != nil {
		return claim, err
	}
	host, err := f.hostOf(a.Actor)
	switch {
	case err != nil:
		return claim, err
	case host == f.URLs.Host:
		return claim, errors.New("it is signed by the node itself")
	case a.Type != "Create":
		return claim, fmt.Errorf("what was signed is a %s, and no vote", a.Type)
	case r.Signer != a.Actor, r.KeyID != signed.KeyID, r.Form != signed.Form.String():
		return claim, errors.New("signer, key or form are not those of the request")
	case !f.sameHost(a.ID, a.Actor), !f.sameHost(signed.KeyID, a.Actor):
		return claim, errors.New("the key or the activity is of another host than its actor")
	}
	encoded, err := signature.EncodePublicKey(key)
	if err != nil {
		return claim, err
	}
	claim = participation.Claim{Actor: a.Actor, Server: host, KeyID: signed.KeyID, Key: keyFingerprint(encoded)}
	for _, o := range a.Objects {
		id, vote := f.voteFor(o)
		if !vote || !slices.Contains(question, id) {
			continue
		}
		if err := f.owned(a.Actor, o); err != nil {
			return claim, err
		}
		claim.Names = append(claim.Names, o.Name)
	}
	if len(claim.Names) == 0 {
		return claim, errors.New("what was signed is no vote in this question")
	}
	return claim, nil
}

// keyFingerprint is SHA-256 of a key as EncodePublicKey writes it, in hexadecimal.
func keyFingerprint(pem string) string {
	sum := sha256.Sum256([]byte(pem))
	return hex.EncodeToString(sum[:])
}
