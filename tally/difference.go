package tally

import (
	"maps"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
)

// Difference compares the choices of two groups of ballots.
type Difference struct {
	// Significant: groups drawn at random differ as much in fewer than one of
	// a hundred draws. Told when each group has 30 ballots or more.
	Significant bool `json:"significant"`
	// TV is the total variation distance, half the sum over options of the
	// difference of shares, to a tenth. Told when each group has 1000 ballots
	// or more, so that a tenth is at least a hundred ballots.
	TV *float64 `json:"tv"`
}

const (
	draws       = 999
	significant = 0.01
	compareFrom = 30
	tvFrom      = 1000
	mostSets    = 4000 // different sets of options that a permutation test looks at
)

// difference compares the members of a group with the others that are known; nil
// if either are too few.
func (in Input) difference(member func(Ballot) (is, known bool)) *Difference {
	sets := map[uint64][2]int{}
	var n [2]int
	for _, b := range in.Ballots {
		if is, known := member(b); known {
			g := 1
			if is {
				g = 0
			}
			s := sets[b.Choices]
			s[g]++
			sets[b.Choices] = s
			n[g]++
		}
	}
	if min(n[0], n[1]) < compareFrom {
		return nil
	}
	s := newSplit(sets)
	d := &Difference{Significant: s.sample(in.Seed).p(in.Seed) < significant}
	if min(n[0], n[1]) >= tvFrom {
		d.TV = decimals(s.tv(), 1)
	}
	return d
}

// split is how two groups divide each set of options that was chosen.
type split struct {
	sets []uint64
	of   [][2]int
}

func newSplit(sets map[uint64][2]int) split {
	s := split{sets: slices.Sorted(maps.Keys(sets))}
	for _, x := range s.sets {
		s.of = append(s.of, sets[x])
	}
	return s
}

// sample is s itself, or, where almost every ballot chooses differently, so many
// ballots of it as it may have sets, drawn at random in one pass (Knuth, The Art
// of Computer Programming 3.4.2, algorithm S).
func (s split) sample(seed uint64) split {
	if len(s.sets) <= mostSets {
		return s
	}
	left, want := 0, mostSets
	for _, n := range s.of {
		left += n[0] + n[1]
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	drawn := map[uint64][2]int{}
	for i, n := range s.of {
		for g := range n {
			for range n[g] {
				if rng.IntN(left) < want {
					want--
					d := drawn[s.sets[i]]
					d[g]++
					drawn[s.sets[i]] = d
				}
				left--
			}
		}
	}
	return newSplit(drawn)
}

// tv is the distance between the shares that options have of the marks of each
// group. Of a single choice these are shares of ballots.
func (s split) tv() float64 {
	var first, all [64]int
	for i, x := range s.sets {
		for ; x != 0; x &= x - 1 {
			first[bits.TrailingZeros64(x)] += s.of[i][0]
			all[bits.TrailingZeros64(x)] += s.of[i][0] + s.of[i][1]
		}
	}
	return distance(&first, &all)
}

// distance is between the marks of a group and those of the others, which
// together are all.
func distance(first, all *[64]int) float64 {
	var a, b float64
	for i, n := range all {
		a += float64(first[i])
		b += float64(n - first[i])
	}
	if a == 0 || b == 0 {
		return 0
	}
	sum := 0.0
	for i, n := range all {
		sum += math.Abs(float64(first[i])/a - float64(n-first[i])/b)
	}
	return sum / 2
}

// p is the share of 999 random divisions into groups of the same sizes, and of
// the true one, that differ at least as much as the true one (Phipson & Smyth
// 2010). The generator is PCG-DXSM, that of math/rand/v2.
//
// Nobody is shuffled. How many of those who chose a set fall into the first
// group has a hypergeometric distribution, given those that went before; so a
// division costs one draw per set that was chosen, not one per ballot.
func (s split) p(seed uint64) float64 {
	total, group := 0, 0
	var all [64]int
	for i, n := range s.of {
		total += n[0] + n[1]
		group += n[0]
		for x := s.sets[i]; x != 0; x &= x - 1 {
			all[bits.TrailingZeros64(x)] += n[0] + n[1]
		}
	}
	const rounding = 1e-12
	h := newHypergeometric(rand.New(rand.NewPCG(seed, 0)), total)
	observed, asMuch := s.tv(), 1
	for range draws {
		left, wanted := total, group
		var first [64]int
		for i, n := range s.of {
			k := h.draw(left, wanted, n[0]+n[1])
			left -= n[0] + n[1]
			wanted -= k
			for x := s.sets[i]; x != 0; x &= x - 1 {
				first[bits.TrailingZeros64(x)] += k
			}
		}
		if distance(&first, &all) >= observed-rounding {
			asMuch++
		}
	}
	return float64(asMuch) / (draws + 1)
}

// hypergeometric draws numbers. It keeps the logarithms of the factorials.
type hypergeometric struct {
	rng *rand.Rand
	log []float64
}

func newHypergeometric(rng *rand.Rand, most int) hypergeometric {
	h := hypergeometric{rng, make([]float64, most+1)}
	for i := range h.log {
		h.log[i], _ = math.Lgamma(float64(i) + 1)
	}
	return h
}

// draw is how many of wanted things are among n taken at random from all. By
// inversion, from the likeliest number outwards: the number of steps is about
// the standard deviation, at most some hundreds for a million.
func (h hypergeometric) draw(all, wanted, n int) int {
	least, most := max(0, n+wanted-all), min(n, wanted)
	up := min(most, max(least, (n+1)*(wanted+1)/(all+2)))
	down, f := up, h.log
	u := h.rng.Float64()
	above := math.Exp(f[wanted] - f[up] - f[wanted-up] + f[all-wanted] - f[n-up] - f[all-wanted-n+up] - f[all] + f[n] + f[all-n])
	below, mode := above, up
	if u -= above; u < 0 {
		return mode
	}
	for up < most || down > least {
		if up < most {
			above *= float64(wanted-up) * float64(n-up) / (float64(up+1) * float64(all-wanted-n+up+1))
			up++
			if u -= above; u < 0 {
				return up
			}
		}
		if down > least {
			below *= float64(down) * float64(all-wanted-n+down) / (float64(wanted-down+1) * float64(n-down+1))
			down--
			if u -= below; u < 0 {
				return down
			}
		}
	}
	return mode // what rounding left over
}
