package participation

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/bits"
)

// Audit is what one pass over the sealed ballots of a consultation finds. It
// names no voter.
type Audit struct {
	Result  Result // newest snapshot
	Ballots int    // that choose something
	Counts  []int  // per option

	Established int  // of the Ballots, by class
	Destroyed   bool // the ballots are: what was published of them is counted, and Established is not known

	Unreadable int // sealed ballots that the consultation's key does not open
	Mismarked  int // counted although they choose nothing, or the other way round
	Doubled    int // voters with more than one ballot, or with an option more often than once
	Overfull   int // ballots that choose more options than they may, or options that are not there

	Entries int64  // of the log
	Log     string // the first thing by which ballots, log, result and dataset do not fit, naming the place; empty: they do
}

// Audit opens every ballot of a consultation and compares it with what is
// stored beside it, with the log and with the dataset, all as of one moment. It
// changes nothing, and fails with ErrSealed where the key is not here. If the
// ballots are destroyed it goes by the dataset.
func (s *Service) Audit(ctx context.Context, c Consultation) (a Audit, err error) {
	err = s.Snapshot(ctx, func(ctx context.Context) error {
		if c, err = s.Consultation(ctx, c.ID); err != nil {
			return err
		}
		if a, err = s.audit(ctx, c); err != nil {
			return err
		}
		a.Log, err = s.auditLog(ctx, c, &a)
		return err
	})
	if err != nil {
		return a, fmt.Errorf("audit %s: %w", c.Slug, err)
	}
	return a, nil
}

func (s *Service) audit(ctx context.Context, c Consultation) (a Audit, err error) {
	if c.Destroyed() {
		return s.auditPublished(ctx, c)
	}
	if a.Result, err = s.Result(ctx, c.ID); err != nil {
		return a, err
	}
	secret, err := s.keys.Secret(c.ID)
	if err != nil {
		return a, err
	}
	a.Counts = make([]int, len(c.Options))
	var last Pseudonym
	var plain []byte
	first := true
	err = s.Ballots(ctx, c.Number, func(voter Pseudonym, counted bool, sealed []byte) error {
		if !first && bytes.Compare(last[:], voter[:]) >= 0 { // they come in order
			a.Doubled++
		}
		last, first = voter, false
		opened, err := secret.seal.Open(plain[:0], nil, sealed, voter[:])
		if err != nil {
			a.Unreadable++
			return nil
		}
		plain = opened
		a.add(c, plain, counted)
		return nil
	})
	return a, err
}

// add judges one ballot, in the form that sealBallot gives it, without taking
// it apart: there may be a million.
func (a *Audit) add(c Consultation, plain []byte, counted bool) {
	if len(plain) < 18 || len(plain) < 18+markSize*int(plain[17]) {
		a.Unreadable++
		return
	}
	choices := binary.BigEndian.Uint64(plain)
	if counted != (choices != 0) {
		a.Mismarked++
	}
	if choices>>len(c.Options) != 0 || c.Kind == SingleChoice && bits.OnesCount64(choices) > 1 {
		a.Overfull++
	}
	var marked uint64
	for i := range int(plain[17]) {
		mark := plain[18+markSize*i]
		if mark&0x80 != 0 {
			continue // revoked
		}
		if bit := uint64(1) << mark; marked&bit != 0 {
			a.Doubled++
		} else {
			marked |= bit
		}
	}
	if marked != choices {
		a.Mismarked++
	}
	if choices != 0 {
		a.Ballots++
		if Class(plain[16]) == Established {
			a.Established++
		}
	}
	for i := range a.Counts {
		a.Counts[i] += int(choices >> i & 1)
	}
}

// Fits tells whether nothing at all was found.
func (a Audit) Fits(c Consultation) bool {
	return a.Agrees() && a.AddsUp(c) && a.Log == "" && a.Unreadable+a.Mismarked+a.Doubled+a.Overfull == 0
}

// Agrees tells whether the newest snapshot shows what the ballots say. One that
// is not final is only a step on the way, and always does.
func (a Audit) Agrees() bool {
	r := a.Result
	if !r.Final {
		return true
	}
	agrees := a.Ballots == r.Turnout && len(a.Counts) == len(r.Counts) &&
		(a.Destroyed || r.Classes.same(classes(a.Established, a.Ballots)))
	for i := range a.Counts {
		agrees = agrees && a.Counts[i] == r.Counts[i]
	}
	return agrees
}

// AddsUp tells whether voters and votes fit together, in the ballots and in the
// newest snapshot: as many of one as of the other in a single choice, and in a
// multiple choice at least one vote for each voter, at most one per option.
func (a Audit) AddsUp(c Consultation) bool {
	return addsUp(c, a.Ballots, a.Counts) &&
		(a.Result.Counts == nil || addsUp(c, a.Result.Turnout-a.Result.Pending, a.Result.Counts))
}

func addsUp(c Consultation, voters int, counts []int) bool {
	votes := 0
	for _, n := range counts {
		if n < 0 || n > voters {
			return false
		}
		votes += n
	}
	if c.Kind == SingleChoice {
		return votes == voters
	}
	return votes >= voters
}
