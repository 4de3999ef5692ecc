package main

import (
	"errors"

	"golang.org/x/sync/errgroup"

	"inspraak/participation"
)

// The invariants that `check` proves, as its findings name them. Those that
// need the word of a sender are not among them.
const (
	invariantCounts     = "I1 counts"
	invariantOneBallot  = "I2 one ballot each"
	invariantSound      = "I5 database"
	invariantLog        = "I6 log"
	invariantDeliveries = "I7 deliveries"
	invariantSums       = "I8 sums"
	invariantSearch     = "I9 search"
)

const keepAsIs = "keep database and backups as they are and have it looked into"

// checkInvariants looks for damage, opens every ballot and holds it against
// what is stored beside it, and the newest results against all ballots. It says
// one sentence per invariant that holds, and one for each breach.
func (o *office) checkInvariants(a *app, f *findings) error {
	paceGC() // a million ballots leave little behind
	var problems []string
	var together errgroup.Group // the longest two, each on a processor
	together.Go(func() (err error) {
		problems, err = o.db.Check(a.ctx)
		return err
	})
	var ballots findings
	if err := errors.Join(o.checkBallots(a, &ballots), together.Wait()); err != nil {
		return err
	}
	for _, p := range problems {
		f.bad(invariantSound, "%s; stop the node and restore the last backup", p)
	}
	if len(problems) == 0 {
		f.ok(invariantSound, "%s is sound", o.Database())
	}
	*f = append(*f, ballots...)
	problems, err := o.db.CheckDeliveries(a.ctx)
	if err != nil {
		return err
	}
	for _, p := range problems {
		f.bad(invariantDeliveries, "%s; stop the node and restore the last backup", p)
	}
	if len(problems) == 0 {
		f.ok(invariantDeliveries, "every activity has its own id and every delivery its activity, in order")
	}
	if problems, err = o.db.CheckSearch(a.ctx); err != nil {
		return err
	}
	for _, p := range problems {
		f.bad(invariantSearch, "%s; stop the node and restore the last backup", p)
	}
	if len(problems) == 0 {
		f.ok(invariantSearch, "what may be found can be found, and nothing else")
	}
	return nil
}

// checkBallots audits every consultation that has been voted on.
func (o *office) checkBallots(a *app, f *findings) error {
	all, err := o.Consultations(a.ctx, participation.Filter{Phases: []participation.Phase{
		participation.Open, participation.Closed, participation.Withdrawn,
	}})
	if err != nil {
		return err
	}
	breaches := map[string]int{}
	breach := func(invariant string, c participation.Consultation, format string, args ...any) {
		breaches[invariant]++
		f.bad(invariant, "%s: "+format+"; "+keepAsIs, append([]any{c.Slug}, args...)...)
	}
	final, ballots, entries := 0, 0, int64(0)
	for _, c := range all {
		if !c.Kind.HasOptions() || c.OpenedAt.IsZero() {
			continue
		}
		found, err := o.Audit(a.ctx, c)
		if errors.Is(err, participation.ErrSealed) {
			f.warn(invariantCounts, "%s cannot be counted again: its key is not here", c.Slug)
			continue
		} else if err != nil {
			return err
		}
		ballots += found.Ballots
		entries += found.Entries
		if found.Result.Final {
			final++
		}
		if found.Unreadable > 0 {
			breach(invariantCounts, c, "%d ballots do not open with the consultation's key", found.Unreadable)
		}
		if found.Mismarked > 0 {
			breach(invariantCounts, c, "%d ballots are marked otherwise than they choose", found.Mismarked)
		}
		if found.Log != "" {
			breach(invariantLog, c, "%s", found.Log)
		}
		if !found.Agrees() {
			breach(invariantCounts, c, "the ballots do not add up to the published result (version %d): %d ballots %v, published %d %v",
				found.Result.Version, found.Ballots, found.Counts, found.Result.Turnout, found.Result.Counts)
		}
		if found.Doubled > 0 {
			breach(invariantOneBallot, c, "%d times a voter has a second ballot, or a ballot an option twice", found.Doubled)
		}
		if found.Overfull > 0 {
			breach(invariantOneBallot, c, "%d ballots choose more than they may", found.Overfull)
		}
		if !found.AddsUp(c) {
			breach(invariantSums, c, "voters and votes do not fit together, among %d ballots or in result version %d", found.Ballots, found.Result.Version)
		}
	}
	for _, line := range []struct{ invariant, format string }{
		{invariantCounts, "%[1]d ballots opened and counted again: as stored, and as the %[2]d final results say"},
		{invariantOneBallot, "%[1]d ballots, each of another voter, each option at most once"},
		{invariantLog, "%[3]d entries of logs: signed, and as the ballots, results and datasets say"},
		{invariantSums, "%[1]d voters, and votes to match"},
	} {
		if breaches[line.invariant] == 0 {
			f.ok(line.invariant, line.format, ballots, final, entries)
		}
	}
	return nil
}
