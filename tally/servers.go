package tally

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
)

// Concentration is I1. Its numbers are computed from the ranges told, so they
// add nothing to them.
type Concentration struct {
	Servers []Named `json:"servers"` // with ten ballots or more, by name; nil if nothing may be told
	Other   *Range  `json:"other"`   // ballots of all other servers together
	// HHI is the sum of the squares of shares, and Effective one divided by it:
	// so many servers of equal size would be as concentrated. Each ballot in
	// Other is taken for a server of its own, so this is the least
	// concentration that fits.
	HHI       *float64 `json:"hhi"`
	Effective *float64 `json:"effectiveServers"`
	Largest   *float64 `json:"largestShare"`
	// Excess is by how much shares lie above the usual ones, added up, Other
	// being one. Nil if nothing usual is known.
	Excess *float64 `json:"excess"`
	// Excessive: more than a fifth, all servers taken one by one.
	Excessive bool `json:"excessive"`
}

// Named is a server with ten ballots or more. It is doubtful if it has 20 or
// more and over three times its usual share.
type Named struct {
	Server   string `json:"server"`
	Ballots  Range  `json:"ballots"`
	Doubtful bool   `json:"doubtful"`
	index    int
}

// LeaveOneOut is I2, of the servers with ten ballots or more.
type LeaveOneOut struct {
	Winner Outcome `json:"winner"` // of the server that matters most
	// SmallestMargin is the winner's smallest lead when one server is left out,
	// less than nought if another option leads; told so widely that the ballots
	// of that server can still have split in six ways or more. Nil in a tie and
	// where there is no such server.
	SmallestMargin *Range `json:"smallestMargin"`
	Server         string `json:"server,omitempty"` // the one that matters most
	// WithoutNew leaves out all servers first seen in this consultation. How
	// many ballots they have is not told: it could be set against Concentration.
	WithoutNew Outcome `json:"withoutNew"`
}

const (
	doubtfulFrom  = 20  // ballots
	doubtfulTimes = 3   // times the usual share
	excessive     = 0.2 // of all ballots
)

func (in Input) perServer() []int {
	p := make([]int, len(in.Servers))
	for _, b := range in.Ballots {
		p[b.Server]++
	}
	return p
}

// flagged says that a server has far more ballots than usual.
func (in Input) flagged(p []int, server int) bool {
	usual := in.Servers[server].Usual
	return p[server] >= doubtfulFrom && usual >= 0 &&
		float64(p[server]) > doubtfulTimes*usual*float64(len(in.Ballots))
}

func (in Input) concentration(p []int) (c Concentration) {
	cells, all := []int{}, float64(len(in.Ballots))
	other, usualOther, usual, excess := 0, 1.0, false, 0.0
	for d, n := range p {
		q := in.Servers[d].Usual
		if q >= 0 {
			usual = true
			excess += max(0, float64(n)/max(1, all)-q)
		}
		if n >= FewerThan {
			c.Servers = append(c.Servers, Named{Server: in.Servers[d].Name, Doubtful: in.flagged(p, d), index: d})
		} else {
			other += n
		}
	}
	c.Excessive = usual && excess > excessive
	slices.SortFunc(c.Servers, func(a, b Named) int { return cmp.Compare(a.Server, b.Server) })
	for _, s := range c.Servers {
		cells = append(cells, p[s.index])
	}
	told := Disclose(append(cells, other), len(cells))
	// To hide few others behind one server takes a large one, and where many are
	// of one size there is none: then the smallest is told among the others.
	for told == nil && len(cells) > 1 {
		i := slices.Index(cells, slices.Min(cells))
		other += cells[i]
		cells, c.Servers = slices.Delete(cells, i, i+1), slices.Delete(c.Servers, i, i+1)
		told = Disclose(append(cells, other), len(cells))
	}
	if told == nil {
		c.Servers, c.Excessive = nil, false
		return c
	}
	c.Other = &told[len(cells)]
	if len(cells) == 0 {
		c.Servers = []Named{} // told: there are none
	}
	var hhi, largest, above float64
	for i := range c.Servers {
		c.Servers[i].Ballots = told[i]
		share := middle(told[i]) / all
		hhi += share * share
		largest = max(largest, share)
		q := max(0, in.Servers[c.Servers[i].index].Usual)
		usualOther -= q
		above += max(0, share-q)
	}
	rest := middle(*c.Other) / all
	hhi += rest / all
	above += max(0, rest-max(0, usualOther))
	c.HHI, c.Effective, c.Largest = decimals(hhi, 3), decimals(1/hhi, 1), decimals(largest, 2)
	if usual {
		c.Excess = decimals(above, 2)
	}
	return c
}

// middle is the number that a range stands for in further computation.
func middle(r Range) float64 {
	if n, ok := r.Rounded(); ok {
		return float64(n)
	}
	return float64(r.AtLeast+r.AtMost) / 2
}

func decimals(x float64, n int) *float64 {
	x = math.Round(x*math.Pow10(n)) / math.Pow10(n)
	return &x
}

func (in Input) leaveOneOut(c counted, p []int, told Concentration) *LeaveOneOut {
	l := &LeaveOneOut{
		Winner:     Same,
		WithoutNew: c.without(in.group(func(b Ballot) bool { return in.Servers[b.Server].New })),
	}
	// Rows of marks, for the servers with ten ballots or more.
	row, rows := make([]int32, len(p)), int32(0)
	for d, n := range p {
		if row[d] = -1; n >= FewerThan {
			row[d], rows = rows, rows+1
		}
	}
	counts := make([]int32, int(rows)*in.Options)
	for _, b := range in.Ballots {
		if r := row[b.Server]; r >= 0 {
			for x := b.Choices; x != 0; x &= x - 1 {
				counts[int(r)*in.Options+bits.TrailingZeros64(x)]++
			}
		}
	}
	smallest, worst, alone := math.MaxInt, -1, false
	for d, n := range p {
		if row[d] < 0 {
			continue
		}
		marks := func(option int) int { return int(counts[int(row[d])*in.Options+option]) }
		o := c.without(n, marks)
		if o == Untold { // nearly all ballots are from this server
			o, worst, alone = Differs, d, true
		}
		if o == Differs || o == CouldDiffer && l.Winner == Same {
			l.Winner = o
		}
		if m := margin(c.left(marks), c.winner); !alone && m < smallest {
			smallest, worst = m, d
		}
	}
	if bits.OnesCount64(c.winner) != 1 && !alone {
		return l // in a tie nearly every server matters
	}
	for _, s := range told.Servers {
		if s.index == worst {
			l.Server = s.Server
			if !alone {
				l.SmallestMargin = wide(smallest, c.margin, s.Ballots.AtLeast)
			}
		}
	}
	return l
}

// wide tells a margin without a server of at least n ballots: in tens, and wide
// enough that neither all of its voters but four need have chosen the winner nor
// all but four the second.
func wide(m, before, n int) *Range {
	tens := int(math.Floor(float64(m)/10)) * 10
	return &Range{min(tens, before+n-FewerThan), max(tens+9, before-n+FewerThan)}
}
