package tally

// FewerThan is the size below which the number of ballots in a group is not
// told: the "10" of the 10-5 rule of the Office for National Statistics.
const FewerThan = 10

// base is the "5" of that rule: larger numbers are told to the nearest five.
const base = 5

// Range is what is told of a number: it lies between two, both included.
type Range struct {
	AtLeast int `json:"atLeast"`
	AtMost  int `json:"atMost"`
}

// Rounded gives the multiple of five that the number was rounded to. It is not
// ok where the number is told as fewer than ten, or as what others leave.
func (r Range) Rounded() (n int, ok bool) {
	if r.AtLeast < FewerThan || r.AtMost-r.AtLeast > base-1 {
		return 0, false
	}
	return r.AtMost - base/2, true
}

// Few says that all that is told is that there are fewer than ten.
func (r Range) Few() bool { return r == few }

// Read says how a range is put in words: as "fewer" than a number, as "about"
// one, or as "between" two.
func (r Range) Read() (how string, n, to int) {
	if about, ok := r.Rounded(); ok {
		return "about", about, about
	}
	if r.Few() {
		return "fewer", r.AtMost + 1, r.AtMost + 1
	}
	return "between", r.AtLeast, r.AtMost
}

// Percent gives the range in whole percents of a base, outward. It is not ok
// for a base below ten.
func (r Range) Percent(of int) (from, to int, ok bool) {
	if of < FewerThan {
		return 0, 0, false
	}
	return max(0, r.AtLeast) * 100 / of, min(100, (r.AtMost*100+of-1)/of), true
}

var few = Range{0, FewerThan - 1}

// rounded tells a number of ten or more: to the nearest five, and as ten or
// more.
func rounded(n int) Range {
	n = (n + base/2) / base * base
	return Range{max(FewerThan, n-base/2), n + base/2}
}

// Disclose tells as much of a table as may be told, when the sum of its cells
// is public and exact: a range for each cell, or nil for nothing at all.
//
// A cell below ten, nought included, is told as fewer than ten. Every other one
// is rounded to five. If there is a cell below ten, one large cell, the
// remainder, is told only as what the others leave of the sum, so that nothing
// can be had by subtraction: the cell numbered rest if it is large enough, else
// the first that is. A cell that was tried and is hardly large enough is told
// widely as well. Nil is told where no cell can be the remainder.
//
// What it guarantees, for one table, against a reader who knows the sum and
// this rule: if there is a cell below ten, then all values within the ranges of
// the cells that are told as fewer than ten, or rounded, are possible in every
// combination. So a cell told as fewer than ten may be any of 0 to 9.
//
// Proof. Give these cells any values within their ranges, the cells that are
// told widely the value of the bar, and the remainder what is left. Which cells
// are below ten, and what the others round to, is as before. A cell at the bar
// leaves no more than the bar, whatever it is tried against, so it is again told
// widely. The remainder passes again, for its test is about the ranges of the
// others only, and what it gets is above the bar. So the same is told.
//
// What it does not guarantee: a second table about the same ballots may say
// more, a later one above all (see Due), and so may one whose groups overlap
// these. Who knows nine of ten ballots from elsewhere may learn the tenth. Where
// nothing is told, a reader learns that: no cell was large beside the others.
//
// Source: the 10-5 rule above; Handbook on Statistical Disclosure Control, ch. 5
// (complementary suppression).
func Disclose(cells []int, rest int) []Range {
	told := make([]Range, len(cells))
	small, sum := 0, 0
	for i, n := range cells {
		sum += n
		if n < FewerThan {
			told[i] = few
			small++
		} else {
			told[i] = rounded(n)
		}
	}
	if small == 0 {
		return told
	}
	if small == len(cells) {
		return nil
	}
	// Half the mean of the larger cells, as rounding has it.
	bar := rounded(max(FewerThan, (sum-small*few.AtMost)/(len(cells)-small)/2)).AtLeast
	for try := -1; try < len(cells); try++ {
		i := try
		if try < 0 {
			i = rest
		}
		if i < 0 || i >= len(cells) || try == rest || told[i].AtLeast < bar {
			continue
		}
		left, slack := Range{sum, sum}, 0
		for j, r := range told {
			if j != i {
				left.AtLeast -= r.AtMost
				left.AtMost -= r.AtLeast
				slack += max(base-1, r.AtMost-r.AtLeast)
			}
		}
		if left.AtLeast > bar {
			told[i] = left
			return told
		}
		if slack > sum {
			return nil // so wide that it says nothing
		}
		told[i] = Range{bar, bar + slack}
	}
	return nil
}

// Due says whether a table of so many ballots may take the place of a published
// one of fewer: when ten more have come. Tables that differ by one ballot would
// show a cell that has just reached ten, hence that it was nine.
//
// Even ten do not hide everything of a cell that reaches ten: where others have
// visibly grown, not all ten can have gone to this one. What is published once,
// at closing, has no such limit.
func Due(published, now int) bool { return now-published >= FewerThan }
