package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"inspraak/participation"
	"inspraak/store"
)

// beatEvery is the pace of the node's signs of life.
const beatEvery = 10 * time.Second

// begin is what comes before a node listens or closes anything: it refuses the
// wrong database, notices the outage that ends now, and lists what is to be
// counted again. A disk that cannot be written keeps it from neither serving
// pages nor from trying again; until then nothing closes.
func (n *Node) begin(ctx context.Context) error {
	if err := n.knowDatabase(ctx); err != nil {
		return err
	}
	if _, err := n.heartbeat(ctx); err != nil {
		n.log.Error("no sign of life could be kept, it will be tried again", "error", err)
	}
	votable, err := n.Service.Consultations(ctx, participation.Filter{Phases: []participation.Phase{participation.Open, participation.Closed}})
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	return n.recounts.add(ctx, n.Service, votable)
}

// knowDatabase holds the database against the head, which says what the node
// last ran with. An older one, or another, lacks votes that were accepted: that
// must be somebody's decision, and is recorded as such.
func (n *Node) knowDatabase(ctx context.Context) error {
	head, err := n.Keys.Head()
	if err != nil {
		return err
	}
	beat, err := n.Service.LastBeat(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	what := ""
	switch {
	case head.Database == "":
		return nil
	case head.Database != beat.Database:
		what = fmt.Sprintf("%s is not the database that this node last ran with, at %s",
			n.config.Database(), n.config.localStamp(head.At))
	case beat.N < head.N:
		what = fmt.Sprintf("%s is as of %s, but this node ran with a newer one until %s",
			n.config.Database(), n.config.localStamp(beat.At), n.config.localStamp(head.At))
	default:
		return nil
	}
	if !n.acceptRollback {
		return fmt.Errorf("%s: votes that it had accepted are missing here. "+
			"Put the right database back; or, if it is lost, go on without those votes with \"inspraak serve --accept-rollback\", "+
			"which the pages of the consultations concerned will say", what)
	}
	n.log.Warn("rollback accepted", "what", what)
	return n.Service.AcceptRollback(ctx, head.N)
}

// heartbeat keeps a sign of life in the database, and then in the head.
func (n *Node) heartbeat(ctx context.Context) (worked bool, err error) {
	n.beating.Lock()
	defer n.beating.Unlock()
	beat, outage, err := n.Service.Heartbeat(ctx)
	if err != nil {
		return false, err
	}
	if outage.Number > 0 {
		n.log.Warn("outage: no sign of life was kept in this time; consultations then open accept votes longer if need be",
			"began", outage.Began, "ended", outage.Ended)
	}
	return outage.Number > 0, n.Keys.SaveHead(beat)
}

// catchUp beats at once if the last beat is long ago, so that an outage is
// known before anything closes.
func (n *Node) catchUp(ctx context.Context) error {
	beat, err := n.Service.LastBeat(ctx)
	if err != nil || beat.At.IsZero() || n.now().Sub(beat.At) < participation.OutageFrom {
		return err
	}
	_, err = n.heartbeat(ctx)
	return err
}

// recounts are the consultations that are to be counted and held against their
// logs once more: all after a start, and each when it has closed. It is safe for
// concurrent use.
type recounts struct {
	mu      sync.Mutex
	pending []participation.Consultation // newest first
	waiting map[string]bool              // ID of each final result among them
	closed  map[string]bool              // ID of each final result that was ever among them
}

// add takes those that are voted on, newest closing first. One that has closed
// and is not counted yet is added when it is; a final result is added once.
func (r *recounts) add(ctx context.Context, s *participation.Service, some []participation.Consultation) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting == nil {
		r.waiting, r.closed = map[string]bool{}, map[string]bool{}
	}
	for _, c := range some {
		if !c.Kind.HasOptions() || r.closed[c.ID] {
			continue
		}
		result, err := s.Result(ctx, c.ID)
		if err != nil {
			return fmt.Errorf("recount: %w", err)
		}
		if result.Final {
			r.waiting[c.ID], r.closed[c.ID] = true, true
		} else if c.Phase == participation.Closed {
			continue
		}
		r.pending = append(r.pending, c)
	}
	slices.SortFunc(r.pending, func(a, b participation.Consultation) int {
		return cmp.Or(b.ClosedAt.Compare(a.ClosedAt), cmp.Compare(b.Number, a.Number))
	})
	return nil
}

func (r *recounts) next() (c participation.Consultation, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.pending) == 0 {
		return c, false
	}
	return r.pending[0], true
}

// done removes one that next gave.
func (r *recounts) done(c participation.Consultation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending = slices.DeleteFunc(r.pending, func(p participation.Consultation) bool { return p.ID == c.ID })
	delete(r.waiting, c.ID)
}

func (r *recounts) isPending(consultation string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.waiting[consultation]
}

// recount adds up what is pending, one after the other, until all is done.
// Where ballots, log and result differ, the consultation is under review from
// then on.
func (n *Node) recount(ctx context.Context) (worked bool, err error) {
	closed, err := n.Service.Consultations(ctx, participation.Filter{Phases: []participation.Phase{participation.Closed}})
	if err != nil {
		return false, err
	}
	if err := n.recounts.add(ctx, n.Service, closed); err != nil { // also what another process has closed
		return false, err
	}
	for {
		c, ok := n.recounts.next()
		if !ok {
			return worked, nil
		}
		a, err := n.Service.Audit(ctx, c)
		same := a.Fits(c)
		switch {
		case errors.Is(err, participation.ErrSealed):
			same = true // under review for lack of its key; nothing says that it is wrong
		case ctx.Err() != nil, errors.Is(err, store.ErrUnavailable):
			return worked, err
		case err != nil || !same:
			n.log.Error("ballots, log and result do not fit together; it is under review. Keep database and backups as they are",
				"consultation", c.Slug, "version", a.Result.Version, "what", a.Log, "error", err)
			n.Service.Review(c.ID)
		}
		n.recounts.done(c)
		worked = true
	}
}
