package activitypub

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"inspraak/activitypub/as2"
	"inspraak/activitypub/signature"
	"inspraak/participation"
)

// How keys are fetched, and how often not.
const (
	keyPatience   = 2 * time.Second  // how long a request waits for its signer's key
	fetchDeadline = 15 * time.Second // how long the fetch itself goes on, for the next request
	refetchEvery  = 5 * time.Minute  // per key, after a signature that did not verify
	firstRefusal  = 5 * time.Minute  // a failed fetch is not repeated for so long, doubling
	lastRefusal   = 6 * time.Hour
	cachedKeys    = 4096 // parsed keys held in memory, twice
	failedFetches = 10   // per minute, per host and per source IP
)

// Why a key cannot be had. Only errUnreachable is worth waiting for.
var (
	errUnreachable = errors.New("its server cannot be reached now")
	errGone        = errors.New("the account is gone")
	errNoKey       = errors.New("no such key")
	errAbsent      = fmt.Errorf("%w: it answered 404", errNoKey)
)

// A signer is a public key and the actor that owns it.
type signer struct {
	key    crypto.PublicKey
	peer   Peer
	stored bool // the actor is in the store as it is here
}

// peers knows remote actors and their keys: memory, store, or one guarded
// fetch. Failures are remembered, so that nobody can make us fetch in a loop.
type peers struct {
	f       *Federation
	flights singleflight.Group
	crowd   crowd

	mu       sync.Mutex
	young    map[string]signer // two generations: old is what young was, once full
	old      map[string]signer
	refusals map[string]refusal // by what was fetched, see allowed
	renewed  map[string]time.Time
	budgets  map[string]budget
	rfc9421  map[string]bool // hosts that have shown it
}

type refusal struct {
	err   error
	until time.Time
	wait  time.Duration
}

type budget struct {
	minute time.Time
	failed int
}

func newPeers(f *Federation) *peers {
	return &peers{f: f, crowd: crowd{hours: map[string]*domainHour{}}, young: map[string]signer{}, old: map[string]signer{},
		refusals: map[string]refusal{}, renewed: map[string]time.Time{}, budgets: map[string]budget{}, rfc9421: map[string]bool{}}
}

// bySignature returns the signer that a key id names, from memory or store, or
// fetched within keyPatience. source is the IP address that asked.
func (p *peers) bySignature(ctx context.Context, keyID, source string) (s signer, cached bool, err error) {
	if s, ok := p.remembered(keyID); ok {
		return s, true, nil
	}
	peer, err := p.f.Store.PeerByKey(ctx, keyID)
	if err == nil && !peer.Gone {
		if s, err = p.remember(keyID, peer, true); err == nil {
			return s, true, nil
		}
	} else if err != nil && !errors.Is(err, participation.ErrNotFound) {
		return s, false, err
	}
	s, err = p.fetchSigner(ctx, keyID, source)
	return s, false, err
}

// renew fetches a key again after a signature did not verify with the one we
// had, at most every refetchEvery; errNoKey if that was not long enough ago.
func (p *peers) renew(ctx context.Context, keyID, source string) (signer, error) {
	now := p.f.Now()
	p.mu.Lock()
	recently := now.Sub(p.renewed[keyID]) < refetchEvery
	if !recently {
		sweep(p.renewed, func(t time.Time) bool { return now.Sub(t) > refetchEvery })
		p.renewed[keyID] = now
	}
	p.mu.Unlock()
	if recently {
		return signer{}, fmt.Errorf("%w: %s was fetched a moment ago", errNoKey, keyID)
	}
	return p.fetchSigner(ctx, keyID, source)
}

func (p *peers) remembered(keyID string) (signer, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, ok := p.young[keyID]
	if !ok {
		if s, ok = p.old[keyID]; ok {
			p.young[keyID] = s
		}
	}
	return s, ok
}

// remember parses the named key of a peer and keeps it in memory.
func (p *peers) remember(keyID string, peer Peer, stored bool) (signer, error) {
	i := slices.IndexFunc(peer.Keys, func(k PeerKey) bool { return k.ID == keyID })
	if i < 0 {
		return signer{}, fmt.Errorf("%w: %s does not list %s", errNoKey, peer.Actor, keyID)
	}
	var s signer
	var err error
	if s.peer, s.stored = peer, stored; stored {
		s.peer.Keys = nil // they fill the memory, and are in the store
	}
	if peer.Keys[i].Multibase != "" {
		s.key, err = signature.ParseMultikey(peer.Keys[i].Multibase)
	} else {
		s.key, err = signature.ParseKey(peer.Keys[i].PEM)
	}
	if err != nil {
		return signer{}, fmt.Errorf("%w: %s: %w", errNoKey, keyID, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.young) >= cachedKeys {
		p.old, p.young = p.young, map[string]signer{}
	}
	p.young[keyID] = s
	return s, nil
}

func (p *peers) forget(actor string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, generation := range []map[string]signer{p.young, p.old} {
		for id, s := range generation {
			if s.peer.Actor == actor {
				delete(generation, id)
			}
		}
	}
}

// fetchSigner fetches a key's actor, once for all who ask at the same time.
// The caller waits for keyPatience; the fetch itself may go on and fill the
// cache for the sender's next try.
func (p *peers) fetchSigner(ctx context.Context, keyID, source string) (signer, error) {
	got, err := p.once(ctx, "key "+keyID, keyID, source, func(ctx context.Context) (any, error) { return p.fetch(ctx, keyID) })
	if err != nil {
		return signer{}, err
	}
	return got.(signer), nil
}

// once makes one fetch for all who ask for it by the same name, if earlier
// failures allow it, and books its outcome. The caller waits for keyPatience.
func (p *peers) once(ctx context.Context, name, address, source string, fetch func(context.Context) (any, error)) (any, error) {
	host, err := p.f.hostOf(address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoKey, err)
	}
	if err := p.allowed(name, host, source); err != nil {
		return nil, err
	}
	if err := p.welcome(ctx, host); err != nil {
		return nil, err
	}
	flight := p.flights.DoChan(name, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchDeadline)
		defer cancel()
		got, err := fetch(ctx)
		p.note(name, host, source, err)
		return got, err
	})
	patience := time.NewTimer(keyPatience)
	defer patience.Stop()
	select {
	case done := <-flight:
		return done.Val, done.Err
	case <-patience.C:
		return nil, fmt.Errorf("fetch %s: %w: no answer within %s", address, errUnreachable, keyPatience)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// allowed says whether a fetch may be made, by earlier failures. Its name says
// what for and of which address: a key that somebody made up must not keep out
// the account at whose address it would be, nor that account's other keys. A
// host that failed to answer too often is merely unreachable for now. The
// waiting room, which has no source, is held to what failed for good only.
func (p *peers) allowed(name, host, source string) error {
	now := p.f.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if r, ok := p.refusals[name]; ok && now.Before(r.until) {
		return r.err
	}
	if source == "" {
		return nil
	}
	if b := p.budgets["ip "+source]; b.failed >= failedFetches && now.Sub(b.minute) < time.Minute {
		return later(http.StatusTooManyRequests, time.Minute, "too many keys that could not be fetched, from your address")
	}
	if b := p.budgets["host "+host]; b.failed >= failedFetches && now.Sub(b.minute) < time.Minute {
		p.charge("ip "+source, now) // as if it had been tried: else two addresses could fill the waiting room
		return fmt.Errorf("%s: %w", name, errUnreachable)
	}
	return nil
}

// note books the outcome of a fetch. Permanent failures are remembered with
// doubling, and charged to who asked: made-up key ids must not use up an honest
// server's budget. Failures to reach a server are charged to it as well. A
// failure of our own, such as a full disk, is nobody's fault.
func (p *peers) note(name, host, source string, err error) {
	p.f.counters.fetch(err)
	now := p.f.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		delete(p.refusals, name)
		return
	}
	if !errors.Is(err, errUnreachable) && !errors.Is(err, errGone) && !errors.Is(err, errNoKey) {
		return
	}
	if source != "" {
		p.charge("ip "+source, now)
	}
	if errors.Is(err, errUnreachable) {
		p.charge("host "+host, now)
		return
	}
	sweep(p.refusals, func(r refusal) bool { return now.Sub(r.until) > lastRefusal })
	r := p.refusals[name]
	r.err, r.wait = err, min(max(2*r.wait, firstRefusal), lastRefusal)
	r.until = now.Add(r.wait)
	p.refusals[name] = r
}

// charge books one failed fetch. The caller holds the lock.
func (p *peers) charge(who string, now time.Time) {
	sweep(p.budgets, func(b budget) bool { return now.Sub(b.minute) > time.Minute })
	b := p.budgets[who]
	if now.Sub(b.minute) >= time.Minute {
		b = budget{minute: now}
	}
	b.failed++
	p.budgets[who] = b
}

// sweep keeps a map of memories bounded: past 10,000 the stale ones go, and if
// that is not enough, any.
func sweep[V any](m map[string]V, stale func(V) bool) {
	const most = 10_000
	if len(m) < most {
		return
	}
	for k, v := range m {
		if stale(v) || len(m) > most*9/10 {
			delete(m, k)
		}
	}
}

// fetch gets the document that a key id names, finds the actor that owns the
// key, and insists that the actor's own document, at its own address, lists
// the key. The document at the key id may be the actor itself (`#main-key`), a
// stub of it (GoToSocial's …/main-key) or a bare key with an owner. It stores
// nothing: see verified.
func (p *peers) fetch(ctx context.Context, keyID string) (signer, error) {
	at := withoutFragment(keyID)
	doc, err := p.f.get(ctx, at)
	if err != nil {
		return signer{}, err
	}
	var owner string
	if actor, err := doc.AsActor(); err == nil {
		owner = actor.ID
	} else if key, err := doc.AsKey(); err == nil && key.ID == keyID {
		owner = key.Owner
	} else {
		return signer{}, fmt.Errorf("%w: %s is neither an actor nor a key", errNoKey, at)
	}
	if owner != at {
		if !p.f.sameHost(owner, keyID) {
			return signer{}, fmt.Errorf("%w: %s claims an owner on another host", errNoKey, at)
		}
		if doc, err = p.f.get(ctx, owner); err != nil {
			return signer{}, err
		}
	}
	peer, err := p.read(doc, owner)
	if err != nil {
		return signer{}, err
	}
	return p.remember(keyID, peer, false)
}

// read turns an actor document into a Peer, if it is what stands at its own
// address and keeps to its own host.
func (p *peers) read(doc *as2.Document, at string) (Peer, error) {
	a, err := doc.AsActor()
	if err != nil {
		return Peer{}, fmt.Errorf("%w: %s: %w", errNoKey, at, err)
	}
	switch {
	case a.ID != at || strings.Contains(a.ID, "#"):
		return Peer{}, fmt.Errorf("%w: the document at %s says it is %s", errNoKey, at, a.ID)
	case a.Inbox == "" || !p.f.sameHost(a.Inbox, a.ID):
		return Peer{}, fmt.Errorf("%w: %s has no inbox on its own host", errNoKey, at)
	}
	peer := Peer{Actor: a.ID, Type: a.Type, Inbox: a.Inbox, Username: a.PreferredUsername, Name: a.Name,
		MovedTo: a.MovedTo, AlsoKnownAs: a.AlsoKnownAs, Published: a.Published,
		FetchedAt: p.f.Now().UTC().Truncate(24 * time.Hour)} // the day: the moment would tell when somebody voted
	if p.f.sameHost(a.SharedInbox, a.ID) {
		peer.SharedInbox = a.SharedInbox
	}
	if p.f.sameHost(a.URL, a.ID) {
		peer.URL = a.URL
	}
	for _, k := range a.Keys {
		if k.Owner == a.ID && p.f.sameHost(k.ID, a.ID) {
			peer.Keys = append(peer.Keys, PeerKey{ID: k.ID, PEM: k.PEM, Multibase: k.Multibase})
		}
	}
	return peer, nil
}

// actor returns a remote actor, fetched if it is not known.
func (p *peers) actor(ctx context.Context, id string) (Peer, error) {
	peer, err := p.f.Store.Peer(ctx, id)
	if err == nil || !errors.Is(err, participation.ErrNotFound) {
		return peer, err
	}
	return p.refresh(ctx, id)
}

// refreshSoon fetches an actor's document again, waiting for it no longer than
// keyPatience; the fetch may go on.
func (p *peers) refreshSoon(ctx context.Context, id, source string) error {
	_, err := p.once(ctx, "actor "+id, id, source, func(ctx context.Context) (any, error) { return p.refresh(ctx, id) })
	return err
}

// refresh fetches an actor's document again.
func (p *peers) refresh(ctx context.Context, id string) (Peer, error) {
	doc, err := p.f.get(ctx, id)
	if err != nil {
		return Peer{}, err
	}
	peer, err := p.read(doc, id)
	if err != nil {
		return Peer{}, err
	}
	p.forget(id)
	return p.save(ctx, peer)
}

// shown remembers that a host signs with RFC 9421, so that we may too.
func (p *peers) shown(ctx context.Context, host string, form signature.Form) error {
	if form != signature.RFC9421 {
		return nil
	}
	p.mu.Lock()
	known := p.rfc9421[host]
	if !known {
		sweep(p.rfc9421, func(bool) bool { return false })
		p.rfc9421[host] = true
	}
	p.mu.Unlock()
	if known {
		return nil
	}
	return p.f.Store.SaveHostForm(ctx, host, true)
}
