// Package tally computes what may be said of a finished count: the integrity
// figures that stand beside it and the ranges in which small numbers are hidden.
// It counts and nothing else. It knows no voter, no clock and no database, and
// nothing it says alters a count. docs/integrity.md explains each figure.
package tally

import (
	"fmt"
	"math/bits"
)

// Ballot is what the figures need of one counted ballot.
type Ballot struct {
	Server     int    // index in Input.Servers
	At         int64  // when it was received, unix seconds
	Choices    uint64 // bit i stands for option i, from 0
	AgeDays    int    // of the account when it voted, by its server's word; -1: unknown
	Acquainted bool   // had followed or replied here before opening
}

// Server is one that ballots came from.
type Server struct {
	Name  string
	Usual float64 // its share (0 to 1) of followers or earlier polls; negative: unknown
	New   bool    // first seen in this consultation
}

// Input is one closed consultation.
type Input struct {
	Options     int // 1 to 64
	Multiple    bool
	From, Until int64 // unix seconds: opening, and when the last ballot could be received
	Ballots     []Ballot
	Servers     []Server
	OwnPosts    []int64 // when the municipality posted about it or boosted it, the question included
	Seed        uint64  // of the permutation tests
}

// Figures is integrity.json. All of it may be published: it names no server with
// fewer than ten ballots and tells no number below ten; see docs/integrity.md
// for what a reader can and cannot infer. A nil figure is one that could not be
// had, or not told, of this consultation. Ballots, Counts, Winners and Margin
// follow from the public result.
type Figures struct {
	Version       int           `json:"version"` // 1
	Ballots       int           `json:"ballots"`
	Counts        []int         `json:"counts"`
	Winners       []int         `json:"winners"` // numbers of options, from 1; several in a tie
	Label         Label         `json:"label"`
	Reasons       []Reason      `json:"reasons"`       // one per test that failed
	Concentration Concentration `json:"concentration"` // I1
	LeaveOneOut   *LeaveOneOut  `json:"leaveOneOut"`   // I2
	Margin        Margin        `json:"margin"`        // I3
	Age           Age           `json:"age"`           // I4
	Bursts        *Bursts       `json:"bursts"`        // I5
	Lockstep      Absent        `json:"lockstep"`      // I6
	Acquaintance  Acquaintance  `json:"acquaintance"`  // I7
	Confirmed     Absent        `json:"confirmed"`     // I8
}

// Label is advice beside the count.
type Label string

const (
	Robust        Label = "robust"
	Fragile       Label = "fragile"        // one test failed
	NotConclusive Label = "not-conclusive" // two or more failed, or fewer than 30 ballots
)

// Reason says which test failed.
type Reason string

const (
	TooFewBallots          Reason = "too-few-ballots"
	OneServerDecides       Reason = "one-server-decides"
	OneServerCouldDecide   Reason = "one-server-could-decide"
	MarginBelowTen         Reason = "margin-below-ten"
	MarginWithinDoubtful   Reason = "margin-within-doubtful"
	NewAccountsDiffer      Reason = "new-accounts-differ"
	NewAccountsCouldDiffer Reason = "new-accounts-could-differ"
	NewcomersDiffer        Reason = "newcomers-differ"
	NewcomersCouldDiffer   Reason = "newcomers-could-differ"
)

// enough is how many ballots a label other than not-conclusive takes.
const enough = 30

// Margin is I3, in ballots.
type Margin struct {
	Delete int `json:"delete"` // so many fewer for the winner make a tie
	Swap   int `json:"swap"`   // so many changed from the winner to the second make a tie, or overturn it
	// ExceedsDoubtful says that more ballots would have to go than doubtful ones
	// may have been cast for the winner. Nil with fewer than 30 ballots.
	ExceedsDoubtful *bool `json:"exceedsDoubtful"`
}

// Acquaintance is I7.
type Acquaintance struct {
	Acquainted *Range  `json:"acquainted"`
	Newcomers  *Range  `json:"newcomers"`
	Winner     Outcome `json:"winner"` // when newcomers are left out
}

// Absent says why a figure is not there.
type Absent struct {
	Status string `json:"status"` // not-applicable or not-offered
	Why    string `json:"why,omitempty"`
}

// check refuses what no closed consultation can have.
func (in Input) check() error {
	const longest = 10 * 366 * 24 * 3600
	if in.Options < 1 || in.Options > 64 {
		return fmt.Errorf("tally: %d options; give 1 to 64", in.Options)
	}
	if in.Until < in.From || in.Until-in.From > longest {
		return fmt.Errorf("tally: open from %d to %d; give unix seconds, in order, at most ten years apart", in.From, in.Until)
	}
	for i, b := range in.Ballots {
		switch {
		case b.Server < 0 || b.Server >= len(in.Servers):
			return fmt.Errorf("tally: ballot %d is from server %d, and there are %d", i, b.Server, len(in.Servers))
		case b.Choices == 0 || bits.Len64(b.Choices) > in.Options:
			return fmt.Errorf("tally: ballot %d chooses nothing, or an option that is not there", i)
		case !in.Multiple && bits.OnesCount64(b.Choices) > 1:
			return fmt.Errorf("tally: ballot %d chooses several options of a single choice", i)
		case b.At < in.From || b.At > in.Until:
			return fmt.Errorf("tally: ballot %d was received outside the time of voting", i)
		}
	}
	return nil
}

// Integrity computes the figures of one closed consultation. The same input
// gives the same figures. It changes nothing in its input, and fails only on one
// that contradicts itself; the error names no voter.
//
// Of fewer than 30 ballots it tells no figure that looks at choices.
func Integrity(in Input) (Figures, error) {
	if err := in.check(); err != nil {
		return Figures{}, err
	}
	c := counted{ballots: len(in.Ballots), counts: make([]int, in.Options)}
	for _, b := range in.Ballots {
		add(c.counts, b.Choices)
	}
	c.winner = winners(c.counts)
	c.margin = margin(c.counts, c.winner)

	f := Figures{
		Version: 1, Ballots: c.ballots, Counts: c.counts, Winners: []int{}, Reasons: []Reason{},
		Margin:       Margin{Delete: c.margin, Swap: (c.margin + 1) / 2},
		Acquaintance: Acquaintance{Winner: Untold},
		Lockstep:     Absent{Status: "not-applicable", Why: "one-question"},
		Confirmed:    Absent{Status: "not-offered"},
	}
	for i := range in.Options {
		if c.winner&(1<<i) != 0 {
			f.Winners = append(f.Winners, i+1)
		}
	}
	p := in.perServer()
	f.Concentration = in.concentration(p)
	f.Age = in.age(c)
	in.acquaintance(c, &f.Acquaintance)
	if c.ballots < enough {
		f.Label, f.Reasons = NotConclusive, append(f.Reasons, TooFewBallots)
		return f, nil
	}
	bursts, within := in.bursts()
	f.Bursts = bursts
	f.LeaveOneOut = in.leaveOneOut(c, p, f.Concentration)
	exceeds := c.margin > in.doubtfulAtMost(c, p, within)
	f.Margin.ExceedsDoubtful = &exceeds
	f.label()
	return f, nil
}

func (in Input) acquaintance(c counted, a *Acquaintance) {
	n, marks := in.group(func(b Ballot) bool { return !b.Acquainted })
	if told := Disclose([]int{c.ballots - n, n}, 0); told != nil {
		a.Acquainted, a.Newcomers = &told[0], &told[1]
	}
	if c.ballots >= enough {
		a.Winner = c.without(n, marks)
	}
}

// group counts the ballots of a group, and its marks.
func (in Input) group(member func(Ballot) bool) (n int, marks func(option int) int) {
	counts := make([]int, in.Options)
	for _, b := range in.Ballots {
		if member(b) {
			n++
			add(counts, b.Choices)
		}
	}
	return n, func(option int) int { return counts[option] }
}

// doubtfulAtMost is the most that may be told of how many ballots for the winner
// are doubtful: their number would not do, for together with a small margin it
// could tell what the only voter with a new account chose.
func (in Input) doubtfulAtMost(c counted, p []int, within func(at int64) bool) int {
	forWinner, doubtful := 0, 0
	for _, b := range in.Ballots {
		if b.Choices&c.winner == 0 {
			continue
		}
		forWinner++
		if b.AgeDays < established || in.flagged(p, b.Server) || within(b.At) {
			doubtful++
		}
	}
	told := Disclose([]int{doubtful, forWinner - doubtful}, 1)
	if told == nil {
		return forWinner
	}
	return told[0].AtMost
}

// label judges by what the figures tell, and by nothing that they hide.
func (f *Figures) label() {
	fails := func(o Outcome, differs, could Reason) {
		switch o {
		case Differs:
			f.Reasons = append(f.Reasons, differs)
		case CouldDiffer:
			f.Reasons = append(f.Reasons, could)
		}
	}
	fails(f.LeaveOneOut.Winner, OneServerDecides, OneServerCouldDecide)
	switch {
	case f.Margin.Delete < FewerThan:
		f.Reasons = append(f.Reasons, MarginBelowTen)
	case !*f.Margin.ExceedsDoubtful:
		f.Reasons = append(f.Reasons, MarginWithinDoubtful)
	}
	fails(f.Age.Winner, NewAccountsDiffer, NewAccountsCouldDiffer)
	fails(f.Acquaintance.Winner, NewcomersDiffer, NewcomersCouldDiffer)
	switch len(f.Reasons) {
	case 0:
		f.Label = Robust
	case 1:
		f.Label = Fragile
	default:
		f.Label = NotConclusive
	}
}
