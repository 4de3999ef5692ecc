package activitypub

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"inspraak/participation"
)

// Stats tells how the federation fares: counts since the start of the process,
// and how things stand now. It names no account, no consultation and no option.
type Stats struct {
	DeliveryStats
	Votes     map[participation.Outcome]int64 // what became of them, repeated ones included
	Direct    map[DirectOutcome]int64         // direct messages, by what became of them
	Answers   map[int]int64                   // by HTTP status of what Receive decided; only statuses it knows
	Delayed   int64                           // times a server had to wait among new ones of its domain, see crowd
	Waited    int64                           // requests taken into the waiting room
	GivenUp   int64                           // of these, those whose signature could not be checked in time
	Fetched   int64                           // documents of other servers that could be had
	Unfetched int64                           // and that could not
	Unserved  int                             // servers asked for nothing now, because too many fetches failed
}

// DeliveryStats counts deliveries since the start.
type DeliveryStats struct {
	Delivered int64    // taken by the other server
	Failed    int64    // attempts that will be repeated
	Dropped   int64    // refused, or given up after three days
	Broken    []string // hosts left alone for now, sorted
}

// counters are what Stats reads. The maps are made once and only read after.
type counters struct {
	votes                               map[participation.Outcome]*atomic.Int64
	answers                             map[int]*atomic.Int64
	direct                              map[DirectOutcome]*atomic.Int64
	waited, givenUp, fetched, unfetched atomic.Int64
	delayed                             atomic.Int64
}

func newCounters() *counters {
	c := &counters{votes: map[participation.Outcome]*atomic.Int64{}, answers: map[int]*atomic.Int64{},
		direct: map[DirectOutcome]*atomic.Int64{}}
	for _, o := range directOutcomes() {
		c.direct[o] = new(atomic.Int64)
	}
	for _, o := range []participation.Outcome{participation.Counted, participation.Repeated, participation.Late,
		participation.Early, participation.UnknownOption, participation.NotAllowed, participation.Revoked,
		participation.NotVotable} {
		c.votes[o] = new(atomic.Int64)
	}
	for _, status := range []int{http.StatusAccepted, http.StatusBadRequest, http.StatusUnauthorized,
		http.StatusForbidden, http.StatusNotFound, http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		c.answers[status] = new(atomic.Int64)
	}
	return c
}

func (c *counters) voted(outcome participation.Outcome) {
	if n := c.votes[outcome]; n != nil {
		n.Add(1)
	}
}

// answered counts what Receive decided; a failure of ours is a 503.
func (c *counters) answered(err error) {
	status := http.StatusAccepted
	if refusal := (*Refusal)(nil); errors.As(err, &refusal) {
		status = refusal.Status
	} else if err != nil {
		status = http.StatusServiceUnavailable
	}
	if n := c.answers[status]; n != nil {
		n.Add(1)
	}
}

func (c *counters) fetch(err error) {
	if err == nil {
		c.fetched.Add(1)
	} else {
		c.unfetched.Add(1)
	}
}

// Stats implements what its type says. It reads memory only.
func (f *Federation) Stats() Stats {
	c := f.counters
	s := Stats{
		DeliveryStats: f.deliverer.stats(), Unserved: f.peers.unserved(),
		Votes: map[participation.Outcome]int64{}, Answers: map[int]int64{}, Direct: map[DirectOutcome]int64{},
		Delayed: c.delayed.Load(), Waited: c.waited.Load(), GivenUp: c.givenUp.Load(), Fetched: c.fetched.Load(), Unfetched: c.unfetched.Load(),
	}
	for outcome, n := range c.votes {
		s.Votes[outcome] = n.Load()
	}
	for outcome, n := range c.direct {
		s.Direct[outcome] = n.Load()
	}
	for status, n := range c.answers {
		s.Answers[status] = n.Load()
	}
	return s
}

func (d *deliverer) stats() DeliveryStats {
	s := DeliveryStats{Delivered: d.delivered.Load(), Failed: d.failed.Load(), Dropped: d.dropped.Load()}
	d.mu.Lock()
	defer d.mu.Unlock()
	for host, c := range d.circuits {
		if c.broken() {
			s.Broken = append(s.Broken, host)
		}
	}
	slices.Sort(s.Broken)
	return s
}

// unserved counts the hosts whose budget of failed fetches is used up.
func (p *peers) unserved() (n int) {
	now := p.f.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, b := range p.budgets {
		if strings.HasPrefix(name, "host ") && b.failed >= failedFetches && now.Sub(b.minute) < time.Minute {
			n++
		}
	}
	return n
}
