package participation

import "time"

// Result is a snapshot of a count. Page, feed, JSON and the Question on the
// wire all show the newest snapshot, hence the same numbers.
type Result struct {
	Consultation string
	Version      int // 1, 2, 3 … per consultation
	At           time.Time
	Turnout      int   // ballots
	Counts       []int // per option; nil while counts are hidden
	Pending      int   // ballots in Turnout that Counts does not yet show (Live, in batches)
	Replies      int   // shown now
	Likes        int
	Boosts       int
	Refused      map[Outcome]int // what was not counted, by reason
	Classes      *Classes        // of a final count of 20 ballots or more; nil otherwise
	Entries      int64           // of the log that Counts shows
	Final        bool
}

// Same tells whether two snapshots show the same numbers.
func (r Result) Same(o Result) bool {
	if r.Turnout != o.Turnout || r.Pending != o.Pending || r.Replies != o.Replies ||
		r.Likes != o.Likes || r.Boosts != o.Boosts || r.Final != o.Final ||
		!r.Classes.same(o.Classes) ||
		len(r.Counts) != len(o.Counts) || len(r.Refused) != len(o.Refused) {
		return false
	}
	for i := range r.Counts {
		if r.Counts[i] != o.Counts[i] {
			return false
		}
	}
	for reason, n := range r.Refused {
		if o.Refused[reason] != n {
			return false
		}
	}
	return true
}

// Shown returns the counts per option of a snapshot that may be told, or nil and
// why not: "scheduled", "close" (hidden until then), "counting", or "live" (the
// first batch is not full yet); nil and "" if it has no options. voters is how many
// ballots they hold. Page, feed, API and report all ask here: nothing while hidden.
// What is told are totals, which every server that follows has as well.
func (c Consultation) Shown(r Result) (counts []int, voters int, hidden string) {
	voters = r.Turnout - r.Pending
	switch {
	case !c.Kind.HasOptions():
		return nil, 0, ""
	case c.Phase == Scheduled:
		return nil, 0, "scheduled"
	case !c.CountsVisible():
		return nil, 0, "close"
	case c.Phase == Closed && !r.Final:
		return nil, 0, "counting"
	case len(r.Counts) != len(c.Options):
		return nil, 0, "live"
	}
	return r.Counts, voters, ""
}
