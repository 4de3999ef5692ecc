package participation

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// aftermath is how long after closing late votes, replies, likes and boosts
// still make new snapshots. Counts and turnout never change again.
const aftermath = 14 * 24 * time.Hour

// CountDue writes the logs that are due, and makes a new snapshot of every
// consultation whose numbers have changed and whose interval since the last one
// has passed. One whose ballots are destroyed keeps the snapshot it has.
func (s *Service) CountDue(ctx context.Context) (counted int, err error) {
	if _, err := s.WriteLogs(ctx); err != nil {
		return 0, err
	}
	due, err := s.Consultations(ctx, Filter{Phases: []Phase{Open, Closed}})
	if err != nil {
		return 0, fmt.Errorf("count: %w", err)
	}
	for _, c := range due {
		if c.Destroyed() || c.Phase == Closed && s.now().Sub(c.ClosedAt) > aftermath {
			continue
		}
		last, err := s.Result(ctx, c.ID)
		if err != nil {
			return counted, fmt.Errorf("count %s: %w", c.Slug, err)
		}
		if s.now().Sub(last.At) < c.Terms.Interval || c.Phase == Closed && !last.Final || s.UnderReview(c.ID) {
			continue
		}
		r, err := s.count(ctx, c.ID)
		if errors.Is(err, ErrSealed) || errors.Is(err, errOvertaken) {
			continue // under review until its key is back; or another process has counted
		}
		if err != nil {
			return counted, fmt.Errorf("count %s: %w", c.Slug, err)
		}
		if r.Version != last.Version {
			counted++
		}
	}
	return counted, nil
}

// errOvertaken says that what was counted is no longer the newest.
var errOvertaken = errors.New("another count came between")

// count computes the numbers from the rows, never from a running total, and
// keeps them as a new snapshot if they differ from the last one. Where another
// process comes between it counts anew.
func (s *Service) count(ctx context.Context, id string) (r Result, err error) {
	for range 5 {
		if r, err = s.countOnce(ctx, id); !errors.Is(err, errOvertaken) {
			break
		}
	}
	return r, err
}

func (s *Service) countOnce(ctx context.Context, id string) (Result, error) {
	last, err := s.Result(ctx, id)
	if err != nil {
		return Result{}, err
	}
	c, err := s.Consultation(ctx, id)
	if err != nil {
		return Result{}, err
	}
	head, err := s.Log(ctx, c.Number)
	if err != nil {
		return Result{}, err
	}
	tallies, err := s.Tallies(ctx, c)
	if err != nil {
		return Result{}, err
	}
	r := Result{
		Consultation: c.ID, Version: last.Version + 1, At: s.now(), Final: c.Phase == Closed,
		Turnout: tallies.Ballots, Replies: tallies.Replies, Likes: tallies.Likes, Boosts: tallies.Boosts,
		Refused: tallies.Refused,
	}
	switch {
	case last.Final:
		r.Turnout, r.Counts, r.Classes, r.Entries = last.Turnout, last.Counts, last.Classes, last.Entries
	case !c.Kind.HasOptions() || !c.CountsVisible():
	case r.Final:
		var established int
		if r.Counts, r.Turnout, established, err = s.tally(ctx, c, false); err != nil {
			return Result{}, err
		}
		r.Classes = classes(established, r.Turnout)
	default:
		// What the log says, and no ballot more: a single one more would tell what
		// the last voter chose. Where more were withdrawn than came since, the
		// turnout waits as well: it would be less than the votes beside it.
		shown := last.Turnout - last.Pending
		if r.Counts, r.Entries, err = last.Counts, last.Entries, nil; r.Entries != head.Size {
			if r.Counts, shown, _, err = s.tally(ctx, c, true); err != nil {
				return Result{}, err
			}
			if r.Entries = head.Size; shown == 0 {
				r.Counts = nil // nothing to show yet
			}
		}
		r.Pending = max(0, r.Turnout-shown)
		r.Turnout = shown + r.Pending
	}
	if r.Same(last) {
		return last, nil
	}
	return r, s.store.Update(ctx, func(tx Tx) error {
		current, err := tx.Result(c.ID)
		if err != nil {
			return err
		}
		now, err := tx.Consultation(c.ID)
		if err != nil {
			return err
		}
		log, err := tx.Log(c.Number)
		if err != nil {
			return err
		}
		if current.Version != last.Version || now.Phase != c.Phase || log.Size != head.Size {
			return errOvertaken
		}
		if r.Final && !last.Final && c.Kind.HasOptions() {
			r.Entries = log.Size + 1 // with the one that closes it
		}
		if err := tx.SaveResult(r); err != nil || last.Final {
			return err
		}
		if !r.Final {
			return s.record(tx, ConsultationCounted, c, "", "")
		}
		if err := s.record(tx, ConsultationClosed, c, "", c.Reason); err != nil {
			return err
		}
		if err := s.publish(tx, c, &Post{Kind: Closing, Source: resultText(c, r)}); err != nil {
			return err
		}
		return s.closeLog(tx, c, r)
	})
}

// tally opens every ballot and adds up: marks per option, ballots, and how many
// of these are of established accounts. It takes the ballots as they are stored,
// or as the log has them: its tally is then one of the log.
func (s *Service) tally(ctx context.Context, c Consultation, logged bool) (counts []int, ballots, established int, err error) {
	secret, err := s.keys.Secret(c.ID)
	if err != nil {
		return nil, 0, 0, err
	}
	counts = make([]int, len(c.Options))
	read := s.Ballots
	if logged {
		read = s.LoggedBallots
	}
	err = read(ctx, c.Number, func(voter Pseudonym, _ bool, sealed []byte) error {
		if sealed == nil { // the log says nothing of it yet
			return nil
		}
		b, err := secret.openBallot(voter, sealed)
		if err != nil {
			return err
		}
		if b.Choices != 0 {
			ballots++
			if b.Class == Established {
				established++
			}
		}
		for i := range counts {
			if b.Choices&(1<<i) != 0 {
				counts[i]++
			}
		}
		return nil
	})
	if err != nil {
		return nil, 0, 0, fmt.Errorf("tally: %w", err)
	}
	return counts, ballots, established, nil
}

// Recount adds up the ballots anew and tells whether the newest snapshot shows
// the same, if it is final. It changes nothing.
func (s *Service) Recount(ctx context.Context, c Consultation) (Result, bool, error) {
	if !c.Kind.HasOptions() {
		r, err := s.Result(ctx, c.ID)
		return r, true, err
	}
	a, err := s.Audit(ctx, c)
	return a.Result, a.Fits(c), err
}
