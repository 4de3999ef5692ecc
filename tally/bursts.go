package tally

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Bursts is I5.
type Bursts struct {
	Found []Burst `json:"found"` // in order of time
	// Difference of choices, ballots in bursts against all others.
	Difference *Difference `json:"difference"`
	// Burstiness of the gaps between ballots, to a tenth: -1 regular, 0 random,
	// towards 1 in bursts (Goh & Barabasi 2008). A description, no test.
	Burstiness *float64 `json:"burstiness"`
}

// Burst is a stretch of time with more ballots than chance explains (p below
// 0.001, all stretches that were looked at allowed for) and at least 20.
type Burst struct {
	Hour    string `json:"hour"`    // in which it began, RFC 3339, UTC
	Minutes int    `json:"minutes"` // how long it is: 10 or 60
	Ballots Range  `json:"ballots"`
}

const (
	binMinutes  = 10
	burstFrom   = 20 // ballots
	burstChance = 0.001
	ownMinutes  = 60 // after a post of the municipality's own, in which many ballots are no surprise
)

// bursts finds them, and says which times are within one. It is nil where no
// time is left to compare with.
func (in Input) bursts() (*Bursts, func(at int64) bool) {
	none := func(int64) bool { return false }
	minutes := int(in.Until-in.From)/60 + 1
	minute := func(at int64) int { return int(at-in.From) / 60 }
	count, own := make([]int, minutes+1), make([]int, minutes+1) // running sums, below
	for _, b := range in.Ballots {
		count[minute(b.At)+1]++
	}
	for _, at := range in.OwnPosts {
		first := int(math.Floor(float64(at-in.From) / 60))
		for m := max(0, first); m < min(minutes, first+ownMinutes); m++ {
			own[m+1] = 1
		}
	}
	for m := range minutes {
		count[m+1] += count[m]
		own[m+1] += own[m]
	}
	rate := in.rates(count, own)
	if rate == nil {
		return nil, none
	}

	type window struct {
		start, length int
		chance        float64 // logarithm
	}
	var found []window
	windows := 0
	for _, length := range []int{binMinutes, 60} {
		for m := 0; m+length <= minutes; m++ {
			if own[m+length] > own[m] {
				continue
			}
			windows++
			c, expected := count[m+length]-count[m], rate[m+length]-rate[m]
			if c >= burstFrom && float64(c) > expected+3*math.Sqrt(expected) { // else the chance is no less
				found = append(found, window{m, length, logTail(c, expected)})
			}
		}
	}
	found = slices.DeleteFunc(found, func(w window) bool { return w.chance+math.Log(float64(windows)) >= math.Log(burstChance) })
	slices.SortFunc(found, func(a, b window) int {
		return cmp.Or(cmp.Compare(a.chance, b.chance), cmp.Compare(a.length, b.length), cmp.Compare(a.start, b.start))
	})
	// The least likely first; what overlaps it is the same burst.
	inBurst := make([]bool, minutes)
	var kept []window
	for _, w := range found {
		if stretch := inBurst[w.start : w.start+w.length]; !slices.Contains(stretch, true) {
			for m := range stretch {
				stretch[m] = true
			}
			kept = append(kept, w)
		}
	}
	slices.SortFunc(kept, func(a, b window) int { return cmp.Compare(a.start, b.start) })
	within := func(at int64) bool { return inBurst[minute(at)] }

	b := &Bursts{Found: []Burst{}, Burstiness: in.burstiness()}
	for _, w := range kept {
		b.Found = append(b.Found, Burst{
			Hour:    time.Unix(in.From+int64(w.start)*60, 0).UTC().Truncate(time.Hour).Format(time.RFC3339),
			Minutes: w.length,
			Ballots: rounded(count[w.start+w.length] - count[w.start]),
		})
	}
	b.Difference = in.difference(func(x Ballot) (bool, bool) { return within(x.At), true })
	return b, within
}

// rates gives running sums of the expected number of ballots per minute: the
// median of the ten-minute stretches of the same hour of the day, those after
// own posts left out; of all of them for an hour that has fewer than three. A
// median of nought fits any rate up to ln 2 (then half of the stretches are
// empty), so it is taken for that. Nil if there is no stretch.
func (in Input) rates(count, own []int) []float64 {
	minutes := len(count) - 1
	hour := func(m int) int64 { return (in.From + int64(m)*60) / 3600 % 24 }
	var byHour [24][]int
	var all []int
	for m := 0; m+binMinutes <= minutes; m += binMinutes {
		if own[m+binMinutes] == own[m] {
			n := count[m+binMinutes] - count[m]
			byHour[hour(m)] = append(byHour[hour(m)], n)
			all = append(all, n)
		}
	}
	if len(all) == 0 {
		return nil
	}
	var per [24]float64
	overall := median(all)
	for h, stretches := range byHour {
		if per[h] = overall; len(stretches) >= 3 {
			per[h] = median(stretches)
		}
	}
	rate := make([]float64, minutes+1)
	for m := range minutes {
		rate[m+1] = rate[m] + max(per[hour(m)], math.Ln2)/binMinutes
	}
	return rate
}

func median(n []int) float64 {
	slices.Sort(n)
	return float64(n[(len(n)-1)/2]+n[len(n)/2]) / 2
}

// logTail is the logarithm of the chance that a Poisson variable is at least c,
// for c above its mean.
func logTail(c int, mean float64) float64 {
	g, _ := math.Lgamma(float64(c) + 1)
	sum, term := 1.0, 1.0
	for k := c + 1; term > sum*1e-12; k++ {
		term *= mean / float64(k)
		sum += term
	}
	return float64(c)*math.Log(mean) - mean - g + math.Log(sum)
}

// burstiness is (sigma-mu)/(sigma+mu) of the gaps.
func (in Input) burstiness() *float64 {
	at := make([]int64, len(in.Ballots))
	for i, b := range in.Ballots {
		at[i] = b.At
	}
	slices.Sort(at)
	n := float64(len(at) - 1)
	if n < 1 || at[0] == at[len(at)-1] {
		return nil
	}
	mu, squares := float64(at[len(at)-1]-at[0])/n, 0.0
	for i, t := range at[1:] {
		gap := float64(t - at[i])
		squares += (gap - mu) * (gap - mu)
	}
	sigma := math.Sqrt(squares / n)
	return decimals((sigma-mu)/(sigma+mu), 1)
}
