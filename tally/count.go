package tally

import "math/bits"

// winners are the options with the most marks, as a set of bits; none if nobody
// chose.
func winners(counts []int) (set uint64) {
	most := 1
	for i, n := range counts {
		if n > most {
			most, set = n, 0
		}
		if n == most {
			set |= 1 << i
		}
	}
	return set
}

// margin is by how much the one winner leads the best of the others; less than
// nought if it does not. Of a tie, or of no winner, it is nought.
func margin(counts []int, winner uint64) int {
	if bits.OnesCount64(winner) != 1 {
		return 0
	}
	w, second := bits.TrailingZeros64(winner), 0
	for i, n := range counts {
		if i != w {
			second = max(second, n)
		}
	}
	return counts[w] - second
}

// Outcome says whether the winner stays when a group of ballots is left out.
type Outcome string

const (
	Same    Outcome = "same"
	Differs Outcome = "differs"
	// CouldDiffer: the group is large enough to decide, but only if nearly all
	// in it chose alike. Whether they did is not looked at: it would tell what
	// each of them chose.
	CouldDiffer Outcome = "could-differ"
	// Untold: the group or the rest has fewer than ten ballots, and the margin
	// does not settle it.
	Untold Outcome = "untold"
)

// counted is a count of so many ballots.
type counted struct {
	ballots int
	counts  []int // marks per option
	winner  uint64
	margin  int
}

// without says what leaving out a group does: n ballots, with these marks.
//
// Fewer ballots than the margin cannot change a winner, so of these nothing is
// looked at. That it does change, by fewer than margin+10, would leave fewer
// than six ways in which the group can have split (of n ballots, a for the
// winner and b for the second with a-b >= margin, b is at most (n-margin)/2).
func (c counted) without(n int, marks func(option int) int) Outcome {
	switch {
	case n < FewerThan && c.margin >= FewerThan:
		return Same
	case n < FewerThan || c.ballots-n < FewerThan:
		return Untold
	case n < c.margin:
		return Same
	case n < c.margin+FewerThan:
		return CouldDiffer
	case winners(c.left(marks)) == c.winner:
		return Same
	}
	return Differs
}

func (c counted) left(marks func(option int) int) []int {
	left := make([]int, len(c.counts))
	for i, n := range c.counts {
		left[i] = n - marks(i)
	}
	return left
}

// add raises the counts of the options of a ballot.
func add(counts []int, choices uint64) {
	for ; choices != 0; choices &= choices - 1 {
		counts[bits.TrailingZeros64(choices)]++
	}
}
