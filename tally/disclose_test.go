package tally

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Worked by hand from the rule in the comment of Disclose.
func TestDisclose(t *testing.T) {
	for _, c := range []struct {
		cells []int
		rest  int
		want  []Range
	}{
		{[]int{3, 97}, 0, []Range{{0, 9}, {91, 100}}},                                    // as participation.veiled
		{[]int{97, 3}, 0, []Range{{91, 100}, {0, 9}}},                                    // and the other way round
		{[]int{0, 100}, 1, []Range{{0, 9}, {91, 100}}},                                   // nought looks like nine
		{[]int{47, 53}, 0, []Range{{43, 47}, {53, 57}}},                                  // 45 and 55
		{[]int{12, 88}, 0, []Range{{10, 12}, {88, 92}}},                                  // 10 and 90; no less than ten
		{[]int{5, 5, 40, 45, 5}, 3, []Range{{0, 9}, {0, 9}, {38, 42}, {31, 62}, {0, 9}}}, // 100-42-3*9, 100-38
		{[]int{9, 9}, 0, nil},                                                            // neither can be the remainder
		{[]int{12, 12, 4}, 0, nil},                                                       // 28-12-9 = 7, below the bar
		{[]int{15, 12, 5}, 0, []Range{{11, 22}, {10, 12}, {0, 9}}},                       // 32-12-9 = 11, above the bar of ten; 32-10
		// The bar is (215-9)/3/2 = 34, as rounding has it 33. The last leaves 215-102-72-9 = 32: told as
		// 33 to 33+4+4+9. The first leaves 215-72-9-50 = 84 to 215-68-0-33.
		{[]int{100, 70, 5, 40}, 3, []Range{{84, 114}, {68, 72}, {0, 9}, {33, 50}}},
		// Two are tried in vain, with a bar of 18: 145-27-92-9 = 17, then 145-35-92-9 = 9.
		{[]int{24, 26, 5, 90}, 1, []Range{{18, 48}, {18, 35}, {0, 9}, {53, 109}}},
		{[]int{12, 88, 3}, 0, []Range{{10, 12}, {82, 93}, {0, 9}}}, // 12 is below the bar of 23
		{[]int{10, 9}, 0, nil}, // 19-9 = 10: as participation tells nothing of fewer than 20
		{[]int{11, 9}, 0, []Range{{11, 20}, {0, 9}}},
		{[]int{}, 0, []Range{}},
		{[]int{0}, 0, nil},
	} {
		if got := Disclose(c.cells, c.rest); !slices.Equal(got, c.want) || (got == nil) != (c.want == nil) {
			t.Errorf("%v: told %v, want %v", c.cells, got, c.want)
		}
	}
}

func TestRange(t *testing.T) {
	for _, c := range []struct {
		r       Range
		rounded int
		ok      bool
	}{{rounded(10), 10, true}, {rounded(12), 10, true}, {rounded(13), 15, true}, {rounded(102), 100, true}, {few, 0, false}, {Range{91, 100}, 0, false}} {
		if n, ok := c.r.Rounded(); n != c.rounded || ok != c.ok {
			t.Errorf("%v: %d %v", c.r, n, ok)
		}
	}
	if !few.Few() || rounded(10).Few() {
		t.Error("Few")
	}
	if from, to, ok := (Range{10, 12}).Percent(90); from != 11 || to != 14 || !ok { // 11.1 and 13.3, outward
		t.Error(from, to, ok)
	}
	if _, to, _ := (Range{38, 42}).Percent(40); to != 100 {
		t.Error(to)
	}
	if _, _, ok := (Range{0, 9}).Percent(9); ok {
		t.Error("a percentage of nine")
	}
}

// tables calls see with every table of so many cells and this sum. It must not
// keep the slice.
func tables(cells, sum int, see func([]int)) {
	c := make([]int, cells)
	var fill func(i, left int)
	fill = func(i, left int) {
		if i == cells-1 {
			c[i] = left
			see(c)
			return
		}
		for n := 0; n <= left; n++ {
			c[i] = n
			fill(i+1, left-n)
		}
	}
	fill(0, sum)
}

// open says that a cell is told as itself, not as what others leave.
func open(r Range) bool {
	_, rounded := r.Rounded()
	return rounded || r == few
}

// A reader with unlimited time tries every table that has the public sum and
// keeps those for which the same would have been told. For all tables of two to
// four cells: what is left is every combination within the ranges.
func TestDiscloseAgainstEveryTable(t *testing.T) {
	for cells, most := range map[int]int{2: 120, 3: 75, 4: 55} {
		for sum := 0; sum <= most; sum++ {
			fits := map[string]map[string]bool{} // the cells few or rounded of all tables, by what is told
			told := map[string][]Range{}
			hidden := make([]map[int]bool, cells) // values of cells in tables of which nothing is told
			for i := range hidden {
				hidden[i] = map[int]bool{}
			}
			tables(cells, sum, func(c []int) {
				r := Disclose(c, cells-1)
				if r == nil {
					for i, n := range c {
						hidden[i][n] = true
					}
					return
				}
				key := fmt.Sprint(r)
				told[key] = r
				if fits[key] == nil {
					fits[key] = map[string]bool{}
				}
				var free []byte
				for i, x := range r {
					if open(x) {
						free = append(free, byte(c[i]))
					}
				}
				fits[key][string(free)] = true
				for i, n := range c {
					if n < r[i].AtLeast || n > r[i].AtMost || n < FewerThan && r[i] != few {
						t.Fatalf("%v: told %v", c, r)
					}
				}
			})
			for key, r := range told {
				combinations := 1
				for _, x := range r {
					if open(x) {
						combinations *= x.AtMost - x.AtLeast + 1
					}
				}
				if slices.Contains(r, few) && len(fits[key]) != combinations {
					t.Fatalf("sum %d, told %s: %d combinations fit, want all %d", sum, key, len(fits[key]), combinations)
				}
			}
			// Where nothing is told, any cell can still be any small number.
			for i := range hidden {
				for n := 0; len(hidden[i]) > 0 && n <= min(FewerThan-1, sum); n++ {
					if !hidden[i][n] && sum-n != 0 {
						t.Errorf("of %d cells with sum %d nothing is told: cell %d cannot be %d", cells, sum, i, n)
					}
				}
			}
		}
	}
}

// The same for large tables, by trying some of what the ranges allow. The cell
// told widely gets the least it can have, the remainder what is left.
func TestDiscloseTellsRangesOnly(t *testing.T) {
	wide := 0
	try := func(t *rapid.T) {
		cell := rapid.OneOf(rapid.IntRange(0, 12), rapid.IntRange(0, 60), rapid.IntRange(0, 5000))
		cells := rapid.SliceOfN(cell, 1, 12).Draw(t, "cells")
		rest := rapid.IntRange(-1, len(cells)).Draw(t, "rest")
		r := Disclose(cells, rest)
		if r == nil || !slices.Contains(r, few) {
			return
		}
		other, moved, remainder := slices.Clone(cells), 0, -1
		for i, x := range r {
			left := 0
			for j, n := range cells {
				left += n
				if j != i {
					left -= r[j].AtMost
				}
			}
			switch {
			case cells[i] < x.AtLeast || cells[i] > x.AtMost:
				t.Fatalf("%v told %v", cells, r)
			case open(x):
				other[i] = rapid.IntRange(x.AtLeast, x.AtMost).Draw(t, "other")
			case left == x.AtLeast:
				remainder = i
			default:
				other[i] = x.AtLeast
				wide++
			}
			moved += other[i] - cells[i]
		}
		if remainder < 0 {
			t.Fatalf("%v told %v: no remainder", cells, r)
		}
		other[remainder] -= moved
		if again := Disclose(other, rest); !slices.Equal(r, again) {
			t.Fatalf("%v told %v, %v told %v", cells, r, other, again)
		}
	}
	for tries := 0; wide == 0 && tries < 20; tries++ { // a hundred tables may hold none
		rapid.Check(t, try)
	}
	if wide == 0 {
		t.Error("no cell was ever told widely")
	}
}

// One ballot more, both tables seen: as long as no cell reaches ten, a cell below
// ten may still have been anything. One that reaches ten is given away, which is
// why Due wants ten ballots.
func TestOneBallotMore(t *testing.T) {
	const cells = 3
	given := 0
	for sum := 0; sum <= 60; sum++ {
		before := map[string][cells]map[int]bool{} // by what is told of both
		same := map[string][]bool{}                // cells below ten in both
		tables(cells, sum, func(c []int) {
			r := fmt.Sprint(Disclose(c, 2))
			for i := range c {
				after := slices.Clone(c)
				after[i]++
				both := r + fmt.Sprint(Disclose(after, 2))
				seen, ok := before[both]
				if !ok {
					for j := range seen {
						seen[j] = map[int]bool{}
					}
					before[both] = seen
				}
				for j, n := range c {
					seen[j][n] = true
				}
				if a, b := Disclose(c, 2), Disclose(after, 2); a != nil && b != nil {
					flags := make([]bool, cells)
					for j := range a {
						flags[j] = a[j] == few && b[j] == few
						if a[j] == few && b[j] != few {
							flags = nil
							break
						}
					}
					same[both] = flags
				}
			}
		})
		for both, small := range same {
			if small == nil {
				given++
				continue
			}
			for j, s := range small {
				for n := 0; s && n < FewerThan; n++ {
					if !before[both][j][n] {
						t.Fatalf("sum %d, told %s: cell %d was not %d", sum, both, j, n)
					}
				}
			}
		}
	}
	if given == 0 {
		t.Error("no cell was given away: then Due is not needed")
	}
	if Due(100, 109) || !Due(100, 110) || Due(100, 90) {
		t.Error("Due")
	}
}

// Ten ballots that may have gone anywhere: a cell that reaches ten may have had
// none before, if no other is seen to grow.
func TestTenBallotsMore(t *testing.T) {
	possible := map[int]bool{}
	tables(2, 90, func(c []int) {
		for more := 0; more <= FewerThan; more++ {
			after := []int{c[0] + more, c[1] + FewerThan - more}
			if slices.Equal(Disclose(c, 1), []Range{{0, 9}, {81, 90}}) && slices.Equal(Disclose(after, 1), []Range{{10, 12}, {88, 92}}) {
				possible[c[0]] = true
			}
		}
	})
	for n := range FewerThan {
		if !possible[n] {
			t.Errorf("the cell was not %d", n)
		}
	}
}
