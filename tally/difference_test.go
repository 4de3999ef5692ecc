package tally

import (
	"math"
	"math/rand/v2"
	"testing"
)

func halves(first, second [2]int) split {
	return newSplit(map[uint64][2]int{1: {first[0], second[0]}, 2: {first[1], second[1]}})
}

func TestTotalVariation(t *testing.T) {
	// 8 of 10 against 3 of 10: half of .5 + .5.
	if got := halves([2]int{8, 2}, [2]int{3, 7}).tv(); math.Abs(got-0.5) > 1e-12 {
		t.Error(got)
	}
	// Marks of a multiple choice: {1,2} and {2} against {1}: 1/3, 2/3 against 1, 0.
	if got := newSplit(map[uint64][2]int{0b11: {1, 0}, 0b10: {1, 0}, 0b01: {0, 1}}).tv(); math.Abs(got-2.0/3) > 1e-12 {
		t.Error(got)
	}
}

// The permutation test against the exact one. Fisher, both sides: of 20 people 11
// chose the first option; the chance that of ten of them at most three or at
// least eight did is 2*(C(11,8)C(9,2)+C(11,9)C(9,1)+C(11,10))/C(20,10) =
// 2*6446/184756 = .0698. 999 draws are within .03 of it.
func TestPermutationAgainstFisher(t *testing.T) {
	if p := halves([2]int{8, 2}, [2]int{3, 7}).p(1); math.Abs(p-0.0698) > 0.03 {
		t.Error(p)
	}
	if p := halves([2]int{10, 10}, [2]int{10, 10}).p(1); p != 1 {
		t.Errorf("groups that choose alike: %v", p)
	}
	if p := halves([2]int{30, 0}, [2]int{0, 30}).p(1); p != 0.001 {
		t.Errorf("groups that choose unlike: %v", p)
	}
}

func TestHypergeometric(t *testing.T) {
	h := newHypergeometric(rand.New(rand.NewPCG(3, 4)), 1_000_000)
	// 5 of 8, 4 drawn: C(5,k)C(3,4-k)/C(8,4) = 0, 5, 30, 30, 5 of 70.
	var seen [5]int
	const n = 70_000
	for range n {
		seen[h.draw(8, 5, 4)]++
	}
	for k, want := range []int{0, 5000, 30000, 30000, 5000} {
		if math.Abs(float64(seen[k]-want)) > 5*math.Sqrt(float64(want)) {
			t.Errorf("%d drawn %d times, want about %d", k, seen[k], want)
		}
	}
	// Of a million: mean 500000*.3, variance 500000*.3*.7/2 (nearly).
	var sum, squares float64
	for range 2000 {
		x := float64(h.draw(1_000_000, 300_000, 500_000)) - 150_000
		sum += x / 2000
		squares += x * x / 2000
	}
	if math.Abs(sum) > 5*229/math.Sqrt(2000) || math.Abs(squares/52_500-1) > 0.2 {
		t.Errorf("mean %v, variance %v", sum, squares)
	}
	for _, c := range [][4]int{{5, 5, 3, 3}, {5, 0, 3, 0}, {5, 2, 5, 2}, {5, 3, 0, 0}, {0, 0, 0, 0}} {
		if got := h.draw(c[0], c[1], c[2]); got != c[3] {
			t.Errorf("%v: %d", c, got)
		}
	}
}

func TestDifference(t *testing.T) {
	young := func(b Ballot) Ballot { b.AgeDays = 3; return b }
	p := newPoll(Server{Name: "a"}).add(40, yes(0)).add(60, no(0)).add(29, young(yes(0)))
	if d := p.figures(t).Age.Difference; d != nil {
		t.Errorf("29 new accounts: %+v", d)
	}
	p.add(1, young(yes(0)))
	if d := p.figures(t).Age.Difference; d == nil || !d.Significant || d.TV != nil {
		t.Errorf("30 new accounts that all chose alike: %+v", d)
	}
	p = newPoll(Server{Name: "a"}).add(40, yes(0)).add(60, no(0)).add(19, young(yes(0))).add(21, young(no(0)))
	unknown := yes(0)
	unknown.AgeDays = -1
	p.add(500, unknown) // in neither group
	if d := p.figures(t).Age.Difference; d == nil || d.Significant {
		t.Errorf("40 new accounts that chose much like the others: %+v", d)
	}
	// .7 against .4
	p = newPoll(Server{Name: "a"}).add(700, yes(0)).add(300, no(0)).add(400, young(yes(0))).add(600, young(no(0)))
	if d := p.figures(t).Age.Difference; !d.Significant || *d.TV != 0.3 {
		t.Errorf("%+v", d)
	}
}

// Where every ballot differs the test looks at some of them, always the same.
func TestSample(t *testing.T) {
	sets := map[uint64][2]int{}
	for i := range uint64(10_000) {
		sets[i+1] = [2]int{1, 3}
	}
	var n [2]int
	s := newSplit(sets).sample(7)
	for _, x := range s.of {
		n[0] += x[0]
		n[1] += x[1]
	}
	if n[0]+n[1] != mostSets || math.Abs(float64(n[0])-mostSets/4) > 5*math.Sqrt(mostSets*3/16.0) {
		t.Errorf("sampled %v", n)
	}
	if again := newSplit(sets).sample(7); len(again.sets) != len(s.sets) || again.p(7) != s.p(7) {
		t.Error("the same seed gives another answer")
	}
}
