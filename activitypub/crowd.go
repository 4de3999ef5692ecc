package activitypub

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/publicsuffix"

	"inspraak/participation"
)

// What may come from one registrable domain in an hour, counted from the first
// that came.
const (
	newHosts    = 10 // let in; further ones are told to come back
	newAccounts = 30 // from this one on, accounts are remembered as part of a crowd
	crowdHour   = time.Hour
)

// crowd counts, per registrable domain, the hosts and accounts that are new
// here. Whoever owns a domain can make any number of subdomains, each a server
// with accounts of its own; so new hosts are let in ten an hour. Exempt are the
// registrable domain itself, so that a server with a name of its own is never
// limited, and every host with an account or follower known here.
//
// Only a host whose signature verified, or whose reply was fetched from it,
// counts. A key id is the sender's to choose: were naming one enough, anybody
// could shut out the new servers of an honest hoster by making names up.
// Requests that do not verify are limited by the budgets of failed fetches of
// who sends them, and their actors are not stored, so that a host does not
// become known by them either. What remains: ten real new servers an hour under
// one domain do keep its other new servers waiting. Senders retry for days.
//
// It is kept in memory, for at most 10,000 domains; a restart forgets it.
type crowd struct {
	mu    sync.Mutex
	hours map[string]*domainHour
}

type domainHour struct {
	since    time.Time
	hosts    map[string]bool
	accounts int
	told     bool // the log has it
}

// at returns the current hour of a domain, nil if nothing came in it. The
// caller holds the lock.
func (c *crowd) at(domain string, now time.Time) *domainHour {
	if h := c.hours[domain]; h != nil && now.Sub(h.since) < crowdHour {
		return h
	}
	return nil
}

// full tells how long a new host has to wait, 0 if not at all.
func (c *crowd) full(domain, host string, now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h := c.at(domain, now); h != nil && len(h.hosts) >= newHosts && !h.hosts[host] {
		return max(h.since.Add(crowdHour).Sub(now), time.Minute)
	}
	return 0
}

// arrive counts an account never seen before, and its host if that is new, and
// tells whether the account is part of a crowd; or how long it has to wait, and
// counts nothing.
func (c *crowd) arrive(domain, host string, newHost bool, now time.Time) (crowded bool, wait time.Duration) {
	if newHost {
		if wait = c.full(domain, host, now); wait > 0 {
			return false, wait
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.at(domain, now)
	if h == nil {
		sweep(c.hours, func(h *domainHour) bool { return now.Sub(h.since) >= crowdHour })
		h = &domainHour{since: now, hosts: map[string]bool{}}
		c.hours[domain] = h
	}
	if newHost {
		h.hosts[host] = true
	}
	h.accounts++
	return h.accounts > newAccounts, 0
}

// tell is true once per domain and hour.
func (c *crowd) tell(domain string, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.at(domain, now)
	first := h != nil && !h.told
	if first {
		h.told = true
	}
	return first
}

// verified stores the actor whose signature was verified with a key that had
// just been fetched, and returns it. Only now: a key id that somebody made up
// must leave nothing behind, and make no host known.
func (p *peers) verified(ctx context.Context, keyID string, s signer) (Peer, error) {
	if s.stored {
		return s.peer, nil
	}
	if now, ok := p.remembered(keyID); ok && now.stored { // by another of its requests
		return now.peer, nil
	}
	peer, err := p.save(ctx, s.peer)
	if err != nil {
		return Peer{}, err
	}
	_, err = p.remember(keyID, peer, true)
	return peer, err
}

// save stores an actor. One never seen before is an arrival (see crowd), and
// may have to wait.
func (p *peers) save(ctx context.Context, peer Peer) (Peer, error) {
	known, err := p.f.Store.Peer(ctx, peer.Actor)
	if err != nil && !errors.Is(err, participation.ErrNotFound) {
		return Peer{}, err
	}
	peer.Crowd = known.Crowd
	if err != nil {
		host, err := p.f.hostOf(peer.Actor)
		if err != nil {
			return Peer{}, err
		}
		if peer.Crowd, err = p.arrive(ctx, host); err != nil {
			return Peer{}, err
		}
	}
	return peer, p.f.Store.SavePeer(ctx, peer)
}

// welcome refuses, before anything is fetched from it, a new host of a domain
// of which too many came.
func (p *peers) welcome(ctx context.Context, host string) error {
	domain, own := registrable(host)
	if own {
		return nil
	}
	wait := p.crowd.full(domain, host, p.f.Now())
	if wait == 0 {
		return nil
	}
	if known, err := p.f.Store.KnownHost(ctx, host); err != nil || known {
		return err
	}
	return p.delay(domain, wait)
}

// arrive counts an account never seen before and tells whether it is part of a
// crowd; it refuses as welcome does, since several may have come at once.
func (p *peers) arrive(ctx context.Context, host string) (crowded bool, err error) {
	domain, own := registrable(host)
	known := own
	if !own {
		if known, err = p.f.Store.KnownHost(ctx, host); err != nil {
			return false, err
		}
	}
	crowded, wait := p.crowd.arrive(domain, host, !known, p.f.Now())
	if wait > 0 {
		return false, p.delay(domain, wait)
	}
	return crowded, nil
}

func (p *peers) delay(domain string, wait time.Duration) error {
	p.f.counters.delayed.Add(1)
	if p.crowd.tell(domain, p.f.Now()) {
		p.f.Log.Warn("many new servers of one domain: further ones have to wait", "domain", domain, "hour", newHosts, "wait", wait)
	}
	return later(http.StatusTooManyRequests, wait, "too many new servers under %s this hour, try again later", domain)
}

// registrable returns the domain that its owner registered, by the ICANN part
// of the public suffix list (https://publicsuffix.org), and whether a host is
// that domain itself. The private part of the list is passed over: who rents
// out names under workers.dev or masto.host answers for all of them. A name
// under a suffix that is on no list (.test, .localhost) counts by its last two
// labels, an IP address by itself. Ports make no difference.
func registrable(host string) (domain string, own bool) {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return strings.Trim(name, "[]"), true
	}
	suffix, icann := publicsuffix.PublicSuffix(name)
	for !icann {
		_, parent, more := strings.Cut(suffix, ".")
		if !more {
			break
		}
		suffix, icann = publicsuffix.PublicSuffix(parent)
	}
	rest, found := strings.CutSuffix(name, "."+suffix)
	if !found {
		return name, true
	}
	label := rest[strings.LastIndexByte(rest, '.')+1:]
	return label + "." + suffix, label == rest
}
