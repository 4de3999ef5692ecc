package participation

import (
	"context"
	"errors"
	"fmt"
)

// CountDue makes a new snapshot of every open consultation whose numbers have
// changed and whose interval since the last one has passed.
func (s *Service) CountDue(ctx context.Context) (counted int, err error) {
	open, err := s.Consultations(ctx, Filter{Phases: []Phase{Open}})
	if err != nil {
		return 0, fmt.Errorf("count: %w", err)
	}
	for _, c := range open {
		last, err := s.Result(ctx, c.ID)
		if err != nil {
			return counted, fmt.Errorf("count %s: %w", c.Slug, err)
		}
		if s.now().Sub(last.At) < c.Terms.Interval {
			continue
		}
		r, err := s.count(ctx, c)
		if errors.Is(err, ErrSealed) {
			continue // under review until its key is back
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

// count computes the numbers from the rows, never from a running total, and
// keeps them as a new snapshot if they differ from the last one.
func (s *Service) count(ctx context.Context, c Consultation) (Result, error) {
	tallies, err := s.Tallies(ctx, c)
	if err != nil {
		return Result{}, err
	}
	last, err := s.Result(ctx, c.ID)
	if err != nil {
		return Result{}, err
	}
	r := Result{
		Consultation: c.ID, Version: last.Version + 1, At: s.now(), Final: c.Phase == Closed,
		Turnout: tallies.Ballots, Replies: tallies.Replies, Likes: tallies.Likes, Boosts: tallies.Boosts,
		Refused: tallies.Refused,
	}
	switch {
	case !c.Kind.HasOptions() || !c.CountsVisible():
	case !r.Final && r.Turnout-(last.Turnout-last.Pending) < max(c.Terms.BatchSize, 1):
		// Too few new ballots: showing them would tell what the last voter chose.
		r.Counts, r.Pending = last.Counts, r.Turnout-(last.Turnout-last.Pending)
	default:
		if r.Counts, r.Turnout, err = s.tally(ctx, c); err != nil {
			return Result{}, err
		}
	}
	if r.Same(last) {
		return last, nil
	}
	return r, s.store.Update(ctx, func(tx Tx) error {
		current, err := tx.Result(c.ID)
		if err != nil {
			return err
		}
		if current.Version != last.Version {
			return errors.New("another process has just counted; the next count is due in a moment")
		}
		if err := tx.SaveResult(r); err != nil {
			return err
		}
		if !r.Final {
			_, err = tx.Record(Event{At: s.now(), Type: ConsultationCounted, Channel: c.Channel, Consultation: c.ID})
			return err
		}
		_, err = tx.Record(Event{At: s.now(), Type: ConsultationClosed, Channel: c.Channel, Consultation: c.ID, Reason: c.Reason})
		if err != nil {
			return err
		}
		return s.publish(tx, c, &Post{Kind: Closing, Source: resultText(c, r)})
	})
}

// tally opens every ballot and adds up: marks per option, and ballots.
func (s *Service) tally(ctx context.Context, c Consultation) (counts []int, ballots int, err error) {
	secret, err := s.keys.Secret(c.ID)
	if err != nil {
		return nil, 0, err
	}
	counts = make([]int, len(c.Options))
	err = s.Ballots(ctx, c.Number, func(voter Pseudonym, sealed []byte) error {
		b, err := secret.openBallot(voter, sealed)
		if err != nil {
			return err
		}
		if b.Choices != 0 {
			ballots++
		}
		for i := range counts {
			if b.Choices&(1<<i) != 0 {
				counts[i]++
			}
		}
		return nil
	})
	if err != nil {
		return nil, 0, fmt.Errorf("tally: %w", err)
	}
	return counts, ballots, nil
}

// Recount adds up the ballots anew and tells whether the newest snapshot shows
// the same. It changes nothing. Snapshots that hide their counts are compared
// by turnout, and a later ballot than the snapshot is no difference.
func (s *Service) Recount(ctx context.Context, c Consultation) (Result, bool, error) {
	r, err := s.Result(ctx, c.ID)
	if err != nil || !c.Kind.HasOptions() {
		return r, true, err
	}
	counts, ballots, err := s.tally(ctx, c)
	if err != nil {
		return r, false, fmt.Errorf("recount %s: %w", c.Slug, err)
	}
	if !r.Final {
		return r, true, nil
	}
	same := ballots == r.Turnout && len(counts) == len(r.Counts)
	for i := range counts {
		same = same && counts[i] == r.Counts[i]
	}
	return r, same, nil
}
