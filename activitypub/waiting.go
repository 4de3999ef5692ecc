package activitypub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"inspraak/activitypub/as2"
	"inspraak/activitypub/signature"
	"inspraak/participation"
)

// The waiting room's pace: the first retry after a minute, doubling to six
// hours, for three days. That is as long as Mastodon itself would try.
const (
	firstRetry  = time.Minute
	lastRetry   = 6 * time.Hour
	waitingTime = 72 * time.Hour
	flushTime   = 30 * time.Second // for the last try at closing
)

// A held request is what is needed to judge it again, as of its receipt. It is
// kept sealed: it may hold a vote and its voter.
type held struct {
	Target string      `json:"target"`
	Host   string      `json:"host"`
	Header http.Header `json:"header"`
	Body   []byte      `json:"body"`
}

// wait commits a request whose signer's key cannot be had now, so that it can
// be answered 202 and verified later: a viral consultation must not lose votes
// because the voters' server is slow to serve actor documents.
func (f *Federation) wait(ctx context.Context, r *http.Request, body []byte, m message) error {
	consultation, secret, err := f.sealFor(ctx, m)
	if err != nil {
		return err
	}
	target := r.RequestURI
	if target == "" {
		target = r.URL.RequestURI()
	}
	plain, err := json.Marshal(held{Target: target, Host: r.Host, Header: m.signed.Header(), Body: body})
	if err != nil {
		return fmt.Errorf("wait: %w", err)
	}
	known, err := f.Store.KnownHost(ctx, m.host)
	if err != nil {
		return err
	}
	// The signature is part of what a retry must have in common: by the body
	// alone, a forged copy sent first would take a real vote's place.
	digest := f.Secrets.Node().Voter(fmt.Sprint(m.signed.Header()["Signature"]) + string(body))
	added, err := f.Store.AddWaiting(ctx, Waiting{
		Digest: digest, Consultation: consultation, Host: m.host, Known: known, ReceivedAt: m.received,
		Sealed: secret.Seal(plain, []byte(consultation)), Next: m.received.Add(firstRetry),
	})
	if err != nil {
		return err
	}
	if !added {
		return later(http.StatusServiceUnavailable, 5*time.Minute, "your server does not serve its actors now, and the waiting room is full")
	}
	f.counters.waited.Add(1)
	return nil
}

// sealFor picks the key that a waiting request is sealed with: that of the
// consultation it votes in, as its ballots are, else the node's own.
func (f *Federation) sealFor(ctx context.Context, m message) (consultation string, _ *participation.Secret, _ error) {
	a, err := m.doc.Activity()
	if err != nil {
		if errors.Is(err, as2.ErrUnsupported) {
			return "", f.Secrets.Node(), nil
		}
		return "", nil, refuse(http.StatusBadRequest, "%v", err)
	}
	for _, o := range a.Objects {
		id, ok := f.voteFor(o)
		if !ok {
			continue
		}
		c, err := f.Service.Consultation(ctx, id)
		if errors.Is(err, participation.ErrNotFound) || err == nil && c.Phase == participation.Draft {
			continue // never there, for all that a stranger may learn
		} else if err != nil {
			return "", nil, err
		}
		if c.Destroyed() {
			continue // its key is gone, and it will only be told that it is late
		}
		secret, err := f.Secrets.Secret(c.ID)
		return c.ID, secret, err
	}
	return "", f.Secrets.Node(), nil
}

// RetryWaiting tries the waiting requests that are due, and reports how many
// left the room. It is a job of the node.
func (f *Federation) RetryWaiting(ctx context.Context) (settled int, err error) {
	due, err := f.Store.DueWaiting(ctx, "", f.Now(), 200)
	if err != nil {
		return 0, fmt.Errorf("waiting room: %w", err)
	}
	left, err := f.retryAll(ctx, due)
	return len(due) - left, err
}

const forever = 100 * 365 * 24 * time.Hour

// FlushWaiting tries everything that waits for one consultation once more, as
// closing requires. It returns the number of those that remain: if the closing
// succeeds, they could not be verified in time and ClearWaiting removes them.
func (f *Federation) FlushWaiting(ctx context.Context, consultation string) (unverified int, err error) {
	if _, err := f.Secrets.Secret(consultation); err != nil { // nothing can be opened, so nothing may be thrown away
		return 0, fmt.Errorf("waiting room: %w", err)
	}
	all, err := f.Store.DueWaiting(ctx, consultation, f.Now().Add(forever), MaxWaiting)
	if err != nil {
		return 0, fmt.Errorf("waiting room: %w", err)
	}
	// The final count is due within a minute of closing.
	limited, cancel := context.WithTimeout(ctx, flushTime)
	defer cancel()
	if _, err := f.retryAll(limited, all); err != nil && limited.Err() == nil {
		return 0, err
	}
	rest, err := f.Store.DueWaiting(ctx, consultation, f.Now().Add(forever), MaxWaiting)
	if err != nil {
		return 0, fmt.Errorf("waiting room: %w", err)
	}
	return len(rest), nil
}

// ClearWaiting removes what still waits for a consultation that has closed.
func (f *Federation) ClearWaiting(ctx context.Context, consultation string) error {
	rest, err := f.Store.DueWaiting(ctx, consultation, f.Now().Add(forever), MaxWaiting)
	if err != nil {
		return fmt.Errorf("waiting room: %w", err)
	}
	for _, w := range rest {
		if err := f.Store.RemoveWaiting(ctx, w.ID); err != nil {
			return fmt.Errorf("waiting room: %w", err)
		}
		f.counters.givenUp.Add(1)
	}
	return nil
}

// strikes is how often a host may fail to answer before it is asked no more in
// the same round: one account that cannot be had, or one answer that took too
// long, must not keep its neighbours' votes out.
const strikes = 3

// retryAll tries each of the list, several at a time, and leaves out the hosts
// that have struck out.
func (f *Federation) retryAll(ctx context.Context, list []Waiting) (left int, err error) {
	var failed sync.Map // *atomic.Int32 by host, set back when it answers
	var stays atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for _, w := range list {
		group.Go(func() error {
			counter, _ := failed.LoadOrStore(w.Host, new(atomic.Int32))
			failures := counter.(*atomic.Int32)
			err := errUnreachable
			if failures.Load() < strikes {
				if err = f.judge(ctx, w); errors.Is(err, errUnreachable) {
					failures.Add(1)
				} else {
					failures.Store(0)
				}
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			stay, err := f.settle(ctx, w, err)
			if stay {
				stays.Add(1)
			}
			return err
		})
	}
	err = group.Wait()
	return int(stays.Load()), err
}

// settle removes a waiting request that was judged. It stays while its signer's
// server cannot be reached or has to wait among other new ones of its domain,
// while the consultation's key is missing, and after trouble of ours, which is
// no fault of the sender.
func (f *Federation) settle(ctx context.Context, w Waiting, judged error) (stays bool, err error) {
	var refusal *Refusal
	refused := errors.As(judged, &refusal) && refusal.RetryAfter == 0 && refusal.Status < 500
	putOff := errors.Is(judged, errUnreachable) || refusal != nil && refusal.RetryAfter > 0
	switch {
	case judged == nil, refused, errors.Is(judged, errGone), errors.Is(judged, errSpoilt):
		return false, f.Store.RemoveWaiting(ctx, w.ID)
	case putOff && f.Now().Sub(w.ReceivedAt) >= waitingTime:
		f.counters.givenUp.Add(1)
		return false, f.Store.RemoveWaiting(ctx, w.ID)
	case !putOff && !errors.Is(judged, participation.ErrSealed) && !errors.Is(judged, participation.ErrUnsure):
		f.Log.ErrorContext(ctx, "a waiting request could not be judged, it will be tried again", "host", w.Host)
	}
	pause := lastRetry
	if w.Attempts < 9 {
		pause = min(firstRetry<<(w.Attempts+1), lastRetry)
	}
	return true, f.Store.PostponeWaiting(ctx, w.ID, w.Attempts+1, f.Now().Add(pause))
}

func (f *Federation) judge(ctx context.Context, w Waiting) error {
	secret, err := f.secretOf(w.Consultation)
	if err != nil {
		return err
	}
	plain, err := secret.Open(w.Sealed, []byte(w.Consultation))
	if err != nil {
		return fmt.Errorf("%w: %w", errSpoilt, err)
	}
	var h held
	if err := json.Unmarshal(plain, &h); err != nil {
		return fmt.Errorf("%w: %w", errSpoilt, err)
	}
	m := message{received: w.ReceivedAt} // without a source: the room sets the pace, not the budgets
	if m.doc, err = as2.Decode(h.Body); err != nil {
		return fmt.Errorf("%w: %w", errSpoilt, err)
	}
	r := &http.Request{Method: http.MethodPost, Host: h.Host, RequestURI: h.Target, Header: h.Header}
	if m.signed, err = signature.Inspect(r, h.Body, w.ReceivedAt, f.policy()); err != nil {
		return fmt.Errorf("%w: %w", errSpoilt, err)
	}
	if m.host, err = f.origin(ctx, m.doc, m.signed.KeyID); err != nil { // it may have been blocked since
		return err
	}
	if err := f.authenticate(ctx, &m); err != nil {
		return err
	}
	return f.accept(ctx, m)
}
