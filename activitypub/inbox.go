package activitypub

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"inspraak/activitypub/as2"
	"inspraak/activitypub/signature"
	"inspraak/participation"
)

// Receive takes one POST to an inbox, in the order that keeps hostile input
// cheap: decode under limits, compare hosts, check all of the signature that
// needs no key, and only then look for the key. It returns nil when the effect,
// or the request itself in the waiting room, is on disk.
//
// r.RemoteAddr must be the sender's own address, not a proxy's, or the network
// that shares its budget.
func (f *Federation) Receive(ctx context.Context, r *http.Request, body []byte, channel string) error {
	err := f.receive(ctx, r, body, channel)
	f.counters.answered(err)
	return err
}

func (f *Federation) receive(ctx context.Context, r *http.Request, body []byte, channel string) error {
	if err := f.has(ctx, channel); errors.Is(err, participation.ErrNotFound) {
		return refuse(http.StatusNotFound, "no such inbox")
	} else if err != nil {
		return err
	}
	m := message{received: f.Now(), source: sourceOf(r), target: targetOf(r), sentTo: r.Host, body: body}
	var err error
	if m.doc, err = as2.Decode(body); err != nil {
		return refuse(http.StatusBadRequest, "%v", err)
	}
	if m.signed, err = signature.Inspect(r, body, m.received, f.policy()); err != nil {
		return refuse(http.StatusUnauthorized, "%v", err)
	}
	if m.host, err = f.origin(ctx, m.doc, m.signed.KeyID); err != nil {
		return err
	}
	err = f.authenticate(ctx, &m)
	switch {
	case err == nil:
		return f.accept(ctx, m)
	case errors.Is(err, errUnreachable):
		return f.wait(ctx, m)
	case errors.Is(err, errGone) && deletesItself(m.doc):
		return f.gone(ctx, m.doc.Actor, m.source)
	case errors.Is(err, errGone):
		return refuse(http.StatusUnauthorized, "the signer's account is gone")
	}
	return err
}

// has tells whether a channel is ours, or ErrNotFound; "" stands for the shared
// inbox. Channels are never removed, so one that was here is remembered.
func (f *Federation) has(ctx context.Context, channel string) error {
	if _, known := f.channels.Load(channel); known || channel == "" {
		return nil
	}
	if _, err := f.Service.Channel(ctx, channel); err != nil {
		return err
	}
	f.channels.Store(channel, true)
	return nil
}

// A message is one request on its way through the inbox.
type message struct {
	doc      *as2.Document
	signed   *signature.Signed
	signer   Peer
	key      crypto.PublicKey // that verified it
	host     string           // of the signer
	source   string           // IP address that sent it
	received time.Time

	target, sentTo string // request target and Host, as sent
	body           []byte
}

func targetOf(r *http.Request) string {
	if r.RequestURI != "" {
		return r.RequestURI
	}
	return r.URL.RequestURI()
}

func (f *Federation) policy() signature.Policy {
	scheme, _, _ := strings.Cut(f.URLs.Base, "://")
	return signature.Policy{Host: f.URLs.Host, Scheme: scheme}
}

func sourceOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr) // handlers may give the bare address
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// origin compares what can be compared before anything is fetched: activity
// and actor on one host, neither ours, none blocked. The signer may be another
// actor, who forwards; its host must not be blocked either.
func (f *Federation) origin(ctx context.Context, doc *as2.Document, keyID string) (signerHost string, err error) {
	if doc.ID == "" || doc.Actor == "" || doc.Type == "" {
		return "", refuse(http.StatusBadRequest, "an activity has an id, a type and an actor, each a string")
	}
	actorHost, err := f.hostOf(doc.Actor)
	if err != nil {
		return "", refuse(http.StatusBadRequest, "actor: %v", err)
	}
	if withoutFragment(doc.Actor) != doc.Actor {
		return "", refuse(http.StatusBadRequest, "actor: an actor's address has no fragment")
	}
	idHost, err := f.hostOf(doc.ID)
	if err != nil {
		return "", refuse(http.StatusBadRequest, "id: %v", err)
	}
	signerHost, err = f.hostOf(keyID)
	if err != nil {
		return "", refuse(http.StatusUnauthorized, "keyId: %v", err)
	}
	switch {
	case idHost != actorHost:
		return "", refuse(http.StatusForbidden, "the activity's id is not on its actor's host")
	case actorHost == f.URLs.Host, signerHost == f.URLs.Host:
		return "", refuse(http.StatusForbidden, "our own actors do not write to us")
	}
	for _, party := range [][2]string{{doc.Actor, actorHost}, {withoutFragment(keyID), signerHost}} {
		blocked, err := f.Service.Blocked(ctx, party[0], party[1])
		if err != nil {
			return "", err
		}
		if blocked {
			return "", refuse(http.StatusForbidden, "blocked here")
		}
	}
	return signerHost, nil
}

// authenticate finds the signer's key and verifies with it, fetching the key
// once more if the one we had does not fit. It sets m.signer.
func (f *Federation) authenticate(ctx context.Context, m *message) error {
	// An account that deletes itself and was never seen here: nothing to do,
	// and nothing to fetch. Mastodon sends these to every server it knows.
	if deletesItself(m.doc) {
		if known, err := f.known(ctx, m.doc.Actor); err == nil && !known {
			return errGone
		}
	}
	s, cached, err := f.peers.bySignature(ctx, m.signed.KeyID, m.source)
	if err != nil {
		return keyError(err)
	}
	if err = m.signed.Verify(s.key); err != nil && cached {
		renewed, renewal := f.peers.renew(ctx, m.signed.KeyID, m.source)
		switch {
		case renewal == nil:
			s, err = renewed, m.signed.Verify(renewed.key)
		case errors.Is(renewal, errUnreachable), errors.Is(renewal, errGone):
			return renewal
		}
	}
	if err != nil {
		return refuse(http.StatusUnauthorized, "%v", err)
	}
	m.key = s.key
	if m.signer, err = f.peers.verified(ctx, m.signed.KeyID, s); err != nil {
		return err
	}
	return f.peers.shown(ctx, m.host, m.signed.Form)
}

// keyError keeps what a caller can act on and turns the rest into 401.
func keyError(err error) error {
	if errors.Is(err, errUnreachable) || errors.Is(err, errGone) || errors.As(err, new(*Refusal)) {
		return err
	}
	if errors.Is(err, errNoKey) {
		return refuse(http.StatusUnauthorized, "%v", err)
	}
	return err
}

func deletesItself(d *as2.Document) bool {
	if d.Type != "Delete" {
		return false
	}
	a, err := d.Activity()
	return err == nil && len(a.ObjectIDs) == 1 && a.ObjectIDs[0] == a.Actor
}

// gone ends the Delete of an account whose signer's key is gone. The key proves
// nothing: its id is the sender's to choose. Only where the account's own
// document is gone as well is it believed.
func (f *Federation) gone(ctx context.Context, actor, source string) error {
	peer, err := f.Store.Peer(ctx, actor)
	if ignoreNotFound(err) != nil {
		return err
	}
	if known, err := f.known(ctx, actor); err != nil || !known || peer.Gone {
		return err
	}
	err = f.peers.refreshSoon(ctx, actor, source)
	switch {
	case errors.Is(err, errGone):
		return f.forget(ctx, actor)
	case errors.Is(err, errUnreachable):
		return later(http.StatusServiceUnavailable, time.Minute, "the account's server does not answer now")
	case err == nil:
		return refuse(http.StatusUnauthorized, "the account is there, and this is not its key")
	}
	return keyError(err)
}

// known tells whether anything of an account is here: its document, or, where
// retention let go of that, what the account did.
func (f *Federation) known(ctx context.Context, actor string) (bool, error) {
	if _, err := f.Store.Peer(ctx, actor); !errors.Is(err, participation.ErrNotFound) {
		return err == nil, err
	}
	follows, err := f.Store.FollowsOf(ctx, actor)
	if err != nil || len(follows) > 0 {
		return len(follows) > 0, err
	}
	return f.Service.Holds(ctx, actor)
}

// forget removes what an account that is gone left here.
func (f *Federation) forget(ctx context.Context, actor string) error {
	if err := f.Service.ForgetActor(ctx, actor); err != nil {
		return err
	}
	if err := f.Store.RemoveFollower(ctx, "", actor); err != nil {
		return err
	}
	f.peers.forget(actor)
	peer, err := f.Store.Peer(ctx, actor)
	if err != nil {
		return ignoreNotFound(err)
	}
	return f.Store.SavePeer(ctx, Peer{Actor: actor, Inbox: peer.Inbox, Keys: peer.Keys, FetchedAt: peer.FetchedAt, Gone: true})
}

// ForgetSigners empties the memory of keys, so that who acts next is looked up in
// the store. Call it after accounts were removed there.
func (f *Federation) ForgetSigners() {
	f.peers.mu.Lock()
	defer f.peers.mu.Unlock()
	f.peers.young, f.peers.old = map[string]signer{}, map[string]signer{}
}

// Account implements Doors.
func (f *Federation) Account(ctx context.Context, actor string) (a Account, err error) {
	if a.Peer, err = f.Store.Peer(ctx, actor); ignoreNotFound(err) != nil {
		return a, fmt.Errorf("account: %w", err)
	}
	host, err := f.hostOf(actor)
	if err != nil {
		return a, fmt.Errorf("account: %w", err)
	}
	a.Handle = handleOf(a.Peer.Username, host)
	if a.Follows, err = f.Store.FollowsOf(ctx, actor); err != nil {
		return a, fmt.Errorf("account: %w", err)
	}
	if a.Quotes, err = f.Store.QuotesOf(ctx, actor); err != nil {
		return a, fmt.Errorf("account: %w", err)
	}
	return a, nil
}

// Erase implements Doors: what forget does, but nothing at all is left of the
// account, which is still there and may come again. Calling it again finishes
// what a crash left undone.
func (f *Federation) Erase(ctx context.Context, actor string) error {
	if err := f.Service.ForgetActor(ctx, actor); err != nil {
		return fmt.Errorf("erase: %w", err)
	}
	if err := f.Store.ForgetAccount(ctx, actor); err != nil {
		return fmt.Errorf("erase: %w", err)
	}
	f.peers.forget(actor)
	return nil
}

// accept does what a verified message says.
func (f *Federation) accept(ctx context.Context, m message) error {
	a, err := m.doc.Activity()
	switch {
	case errors.Is(err, as2.ErrUnsupported):
		return nil
	case err != nil:
		return refuse(http.StatusBadRequest, "%v", err)
	case m.signer.Actor != a.Actor:
		return f.forwarded(ctx, m, a)
	}
	switch a.Type {
	case "Create":
		return f.create(ctx, m, a)
	case "Update":
		return f.update(ctx, m, a)
	case "Delete":
		return f.remove(ctx, a)
	case "Follow":
		return f.follow(ctx, m, a)
	case "Undo":
		return f.undo(ctx, a)
	case "Like", "EmojiReact":
		return f.gesture(ctx, a.Actor, inboxOf(m.signer), a.ID, a.ObjectIDs, participation.Like, true)
	case "Announce":
		return f.gesture(ctx, a.Actor, inboxOf(m.signer), a.ID, a.ObjectIDs, participation.Boost, true)
	case "Flag":
		return f.flag(ctx, m, a)
	case "Block":
		return f.unfollowed(ctx, a.Actor, a.ObjectIDs)
	case "Move":
		return f.move(ctx, m, a)
	case "QuoteRequest":
		return f.grantQuote(ctx, m, a)
	}
	return nil // Accept and Reject: we follow nobody
}
