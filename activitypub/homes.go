package activitypub

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
)

// Limits of lookups for visitors. Each one costs its server two to four small
// requests, so they are few, and who knocks in vain gets fewer.
const (
	lookups       = 30        // per minute and source
	lookupsOfHost = 120       // per minute and server
	lookupsAtOnce = 32        // altogether; each may hold 256 KiB
	homeKept      = time.Hour // a server's template is remembered for so long
)

// homes are the ways to other servers that were found, and the budgets of the
// search. It holds names of servers, never of accounts or visitors.
type homes struct {
	slots chan struct{}

	mu      sync.Mutex
	known   map[string]knownWay // by server and what for
	budgets map[string]budget   // by source and by server, for lookups and for failures
}

type knownWay struct {
	way
	until time.Time
}

func newHomes() *homes {
	return &homes{slots: make(chan struct{}, lookupsAtOnce), known: map[string]knownWay{}, budgets: map[string]budget{}}
}

// of finds the way to somebody's server, in memory or by a search.
func (h *homes) of(ctx context.Context, f *Federation, who acct, follow bool, source string) (way, error) {
	name := who.host
	if follow {
		name += " follow"
	}
	h.mu.Lock()
	known, ok := h.known[name]
	if ok && f.Now().Before(known.until) {
		h.mu.Unlock()
		return known.way, nil
	}
	allowed := h.spend("failed of "+source, failedFetches, 0, f.Now()) && h.spend("failed at "+who.host, failedFetches, 0, f.Now()) &&
		h.spend("of "+source, lookups, 1, f.Now()) && h.spend("at "+who.host, lookupsOfHost, 1, f.Now())
	h.mu.Unlock()
	if !allowed {
		return way{}, &NoHome{TooMany, who.host}
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	default:
		return way{}, &NoHome{TooMany, who.host}
	}
	found, err := f.search(ctx, who, follow)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		var none *NoHome
		if !errors.As(err, &none) {
			none = &NoHome{NoAnswer, who.host}
		}
		h.spend("failed of "+source, failedFetches, 1, f.Now())
		h.spend("failed at "+who.host, failedFetches, 1, f.Now())
		return way{}, none
	}
	if found.host == who.host && !found.names(who.user) { // else it is for this one account only
		sweep(h.known, func(k knownWay) bool { return f.Now().After(k.until) })
		h.known[name] = knownWay{found, f.Now().Add(homeKept)}
	}
	return found, nil
}

// names tells whether a template holds the name of an account.
func (w way) names(user string) bool {
	words := strings.FieldsFunc(w.template, func(r rune) bool { return strings.ContainsRune("/?&=@{}:", r) })
	return slices.ContainsFunc(words, func(word string) bool { return strings.EqualFold(word, user) })
}

// spend takes n from what may be spent in a minute, if it is not used up. The
// caller holds the lock.
func (h *homes) spend(on string, most, n int, now time.Time) bool {
	b := h.budgets[on]
	if now.Sub(b.minute) >= time.Minute || now.Before(b.minute) {
		b = budget{minute: now}
	}
	if b.failed >= most {
		return false
	}
	if b.failed += n; n > 0 {
		sweep(h.budgets, func(b budget) bool { return now.Sub(b.minute) > time.Minute })
		h.budgets[on] = b
	}
	return true
}
