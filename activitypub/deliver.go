package activitypub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"inspraak/activitypub/signature"
	"inspraak/participation"
)

// How many deliveries are under way.
const (
	connectionsPerHost = 2
	deliveryBatch      = 64   // deliveries of a host read at a time
	dueHosts           = 1024 // hosts read at a time
	hostsAtOnce        = 256  // a host that hangs costs a connection, hardly more
	suspectsAtOnce     = 64   // of these, hosts that failed last time
)

// deliverer is the state of what goes out: how hosts stand, and which numbers
// were last sent.
type deliverer struct {
	f       *Federation
	random  func() float64 // in [0, 1)
	signing chan struct{}  // as many signatures at once as processors but one: answers and votes need that

	mu       sync.Mutex
	circuits map[string]circuit // of hosts that fail
	numbers  map[string]string  // by consultation: what its last Update showed

	delivered, failed, dropped atomic.Int64
}

func newDeliverer(f *Federation) *deliverer {
	return &deliverer{
		f: f, random: rand.Float64, signing: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1)),
		circuits: map[string]circuit{}, numbers: map[string]string{},
	}
}

func (d *deliverer) told(consultation string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.numbers[consultation]
}

func (d *deliverer) tell(numbers map[string]string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for consultation, shown := range numbers {
		d.numbers[consultation] = shown
	}
}

// Deliver tries everything due now, one at a time, host by host, and returns
// how many attempts it made. It is the deterministic twin of RunDelivery, for
// tests and for a node that is settling; not both at a time.
func (f *Federation) Deliver(ctx context.Context) (attempted int, err error) {
	for {
		hosts, err := f.Store.DueHosts(ctx, f.Now(), dueHosts)
		if err != nil || len(hosts) == 0 {
			return attempted, wrap("deliver", err)
		}
		for _, host := range hosts {
			n, err := f.deliverer.host(ctx, host, 1, &directLedger{store: f.Store})
			attempted += n
			if err != nil {
				return attempted, fmt.Errorf("deliver: %w", err)
			}
		}
	}
}

// A ledger books what became of deliveries. flush returns when all that was
// booked before is on disk.
type ledger interface {
	book(Settled)
	flush(context.Context) error
}

type directLedger struct {
	store   Store
	settled []Settled
}

func (l *directLedger) book(s Settled) { l.settled = append(l.settled, s) }

func (l *directLedger) flush(ctx context.Context) error {
	err := l.store.SettleDeliveries(ctx, l.settled)
	l.settled = nil
	return err
}

// host delivers all that is due to one host, over so many connections. Each
// round holds at most one delivery per inbox and object and is on disk before
// the next is read, so that order is kept.
func (d *deliverer) host(ctx context.Context, host string, connections int, l ledger) (attempted int, err error) {
	cut, err := d.f.Service.Blocked(ctx, "", host)
	if err != nil {
		return 0, err
	}
	for ctx.Err() == nil {
		limit := deliveryBatch
		if c := d.circuit(host); c.broken() && !d.f.Now().Before(c.until) {
			limit = 1 // a probe
		}
		due, err := d.f.Store.DueDeliveries(ctx, host, d.f.Now(), limit)
		if err != nil || len(due) == 0 {
			return attempted, err
		}
		if cut {
			for _, one := range due {
				d.drop(ctx, l, one, "the server is blocked")
			}
		} else {
			attempted += d.round(ctx, due, connections, l)
		}
		if err := l.flush(ctx); err != nil {
			return attempted, err
		}
	}
	return attempted, ctx.Err()
}

func (d *deliverer) round(ctx context.Context, due []Delivery, connections int, l ledger) int {
	var attempted, next atomic.Int64
	work := func() {
		for i := int(next.Add(1)) - 1; i < len(due) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
			if d.attempt(ctx, due[i], l) {
				attempted.Add(1)
			}
		}
	}
	var others sync.WaitGroup
	for range min(connections, len(due)) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
	return int(attempted.Load())
}

// attempt tries one delivery and books what became of it. An attempt that the
// end of ctx cuts short is not booked. It returns false if the host is broken
// and nothing was tried.
func (d *deliverer) attempt(ctx context.Context, one Delivery, l ledger) bool {
	now := d.f.Now()
	if c := d.circuit(one.Host); c.broken() && now.Before(c.until) {
		d.again(ctx, l, one, one.Attempts, c.until)
		return false
	}
	if one.Sealed {
		switch err := d.f.unseal(&one); {
		case errors.Is(err, participation.ErrSealed), errors.Is(err, errSpoilt):
			d.drop(ctx, l, one, "it can no longer be opened")
			return true
		case err != nil:
			d.f.Log.ErrorContext(ctx, "delivery failed on our side", "activity", one.Activity, "error", err)
			d.again(ctx, l, one, one.Attempts+1, now.Add(ourRetry))
			return true
		}
	}
	answer, err := d.post(ctx, one)
	if ctx.Err() != nil && err != nil {
		return true
	}
	v := judgeAnswer(answer, err)
	if v == vacant {
		if v, err = d.vacate(ctx, one, answer.Status, l); err != nil {
			v = ours
		}
	}
	if d.f.Log.Enabled(ctx, slog.LevelDebug) {
		d.f.Log.LogAttrs(ctx, slog.LevelDebug, "delivery", slog.String("host", one.Host), slog.String("activity", one.Activity),
			slog.Int("attempt", one.Attempts+1), slog.Int("status", statusOf(answer)), slog.Any("error", cause(err)))
	}
	switch v {
	case delivered:
		d.delivered.Add(1)
		d.mend(one.Host)
		l.book(Settled{ID: one.ID, Done: true})
	case refused:
		d.mend(one.Host)
		d.drop(ctx, l, one, fmt.Sprintf("refused with status %d", statusOf(answer)))
	case vacant: // booked by vacate
		d.mend(one.Host)
	case ours:
		d.f.Log.ErrorContext(ctx, "delivery failed on our side", "activity", one.Activity, "channel", one.Channel, "error", cause(err))
		d.again(ctx, l, one, one.Attempts+1, now.Add(ourRetry))
	default:
		asked := retryAfter(answer, now)
		until := wholeSecond(now.Add(max(backOff(one.Attempts+1, d.random()), asked)))
		if v == unanswered {
			d.fail(one.Host, until, asked > 0)
		} else {
			d.mend(one.Host)
		}
		d.again(ctx, l, one, one.Attempts+1, until)
	}
	return true
}

// cause leaves the address out of an error: a personal inbox names its owner.
func cause(err error) error {
	var fetch *FetchError
	if errors.As(err, &fetch) {
		return fetch.Err
	}
	return err
}

func statusOf(answer *Response) int {
	if answer == nil {
		return 0
	}
	return answer.Status
}

// post sends one delivery in the form that every server understands, and once
// more as RFC 9421 to a server that refuses it and has shown that form.
func (d *deliverer) post(ctx context.Context, one Delivery) (*Response, error) {
	answer, err := d.send(ctx, one, signature.Cavage)
	if err != nil || answer.Status != http.StatusUnauthorized {
		return answer, err
	}
	if shown, err := d.f.Store.HostForm(ctx, one.Host); err != nil || !shown {
		return answer, nil
	}
	return d.send(ctx, one, signature.RFC9421)
}

func (d *deliverer) send(ctx context.Context, one Delivery, form signature.Form) (*Response, error) {
	sign := d.f.signer(one.Channel, one.Body, form)
	return d.f.Client.Post(ctx, one.Inbox, mediaType, one.Body, func(r *http.Request) error {
		d.signing <- struct{}{}
		defer func() { <-d.signing }()
		return sign(r)
	})
}

// vacate handles an inbox where nobody receives. A shared one is replaced by
// the personal inboxes of the followers behind it, and none of them is
// forgotten; what is sealed is for one receiver only. The owner of a personal one is forgotten if the server says that
// it is gone for good (410); a 404 may be a mistake, and drops this delivery
// only.
func (d *deliverer) vacate(ctx context.Context, one Delivery, status int, l ledger) (verdict, error) {
	followers, err := d.f.Store.FollowerInboxes(ctx, one.Channel)
	if err != nil {
		return ours, fmt.Errorf("followers at a vacant inbox: %w", err)
	}
	if !one.Sealed && slices.ContainsFunc(followers, func(r Recipient) bool { return r.Shared == one.Inbox && r.Inbox != one.Inbox }) {
		l.book(Settled{ID: one.ID, Fallback: true})
		return vacant, nil
	}
	if status != http.StatusGone {
		return refused, nil
	}
	if err := d.f.Store.RemoveFollowersByInbox(ctx, one.Inbox); err != nil {
		return ours, fmt.Errorf("forget who is gone: %w", err)
	}
	return refused, nil
}

// again books another try, or the end of trying.
func (d *deliverer) again(ctx context.Context, l ledger, one Delivery, attempts int, next time.Time) {
	if next.Sub(one.Queued) > giveUpAfter {
		d.drop(ctx, l, one, "given up after three days")
		return
	}
	if attempts > one.Attempts {
		d.failed.Add(1)
	}
	l.book(Settled{ID: one.ID, Attempts: attempts, Next: next})
}

// drop books the end of a delivery that did not arrive. The log names the
// host only: the inbox may be a person's.
func (d *deliverer) drop(ctx context.Context, l ledger, one Delivery, why string) {
	d.dropped.Add(1)
	d.f.Log.InfoContext(ctx, "delivery dropped", "host", one.Host, "activity", one.Activity, "why", why)
	l.book(Settled{ID: one.ID, Done: true})
}
