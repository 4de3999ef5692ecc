package tally

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const (
	opens = 1_790_000_400 // 2026-09-21 14:20 UTC
	week  = 7 * 24 * 3600
)

// poll is a quiet consultation of a week, to which groups of ballots are added;
// they are spread evenly.
type poll struct{ Input }

func newPoll(servers ...Server) *poll {
	return &poll{Input{Options: 2, From: opens, Until: opens + week, Servers: servers, Seed: 1}}
}

func (p *poll) add(n int, b Ballot) *poll {
	for i := range n {
		b.At = opens + int64(i)*(week/int64(n))
		p.Ballots = append(p.Ballots, b)
	}
	return p
}

func (p *poll) figures(t interface{ Fatal(...any) }) Figures {
	f, err := Integrity(p.Input)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Ballots of known old accounts for the first and second option.
func yes(server int) Ballot {
	return Ballot{Server: server, Choices: 1, AgeDays: 400, Acquainted: true}
}
func no(server int) Ballot { return Ballot{Server: server, Choices: 2, AgeDays: 400, Acquainted: true} }

// three servers of 40, 30 and 30 ballots; 80 to 20, evenly.
func quiet() *poll {
	return newPoll(Server{Name: "a", Usual: 0.4}, Server{Name: "b", Usual: 0.3}, Server{Name: "c", Usual: 0.3}).
		add(32, yes(0)).add(24, yes(1)).add(24, yes(2)).add(8, no(0)).add(6, no(1)).add(6, no(2))
}

func TestRobust(t *testing.T) {
	f := quiet().figures(t)
	if f.Label != Robust || len(f.Reasons) != 0 || f.Ballots != 100 || !slices.Equal(f.Counts, []int{80, 20}) ||
		!slices.Equal(f.Winners, []int{1}) || f.Margin.Delete != 60 || f.Margin.Swap != 30 || !*f.Margin.ExceedsDoubtful {
		t.Errorf("%+v", f)
	}
}

// The whole file, computed by hand. Servers: Other (0) is below ten, so the first
// at or above the bar ((100-9)/3/2, told as 13) is the remainder: 100-2*32-9 = 27
// to 100-2*28 = 44, and 35.5 in what follows. HHI .355²+.3²+.3²+.045/100 = .3065.
// Ages: all over 365, four classes of 0 to 9 beside.
func TestFileIsStable(t *testing.T) {
	want := `{
 "version": 1,
 "ballots": 100,
 "counts": [80, 20],
 "winners": [1],
 "label": "robust",
 "reasons": [],
 "concentration": {
  "servers": [
   {"server": "a", "ballots": {"atLeast": 27, "atMost": 44}, "doubtful": false},
   {"server": "b", "ballots": {"atLeast": 28, "atMost": 32}, "doubtful": false},
   {"server": "c", "ballots": {"atLeast": 28, "atMost": 32}, "doubtful": false}
  ],
  "other": {"atLeast": 0, "atMost": 9},
  "hhi": 0.306,
  "effectiveServers": 3.3,
  "largestShare": 0.36,
  "excess": 0.05,
  "excessive": false
 },
 "leaveOneOut": {"winner": "same", "smallestMargin": {"atLeast": 30, "atMost": 43}, "server": "a", "withoutNew": "same"},
 "margin": {"delete": 60, "swap": 30, "exceedsDoubtful": true},
 "age": {
  "classes": [
   {"days": "0-6", "ballots": {"atLeast": 0, "atMost": 9}},
   {"days": "7-29", "ballots": {"atLeast": 0, "atMost": 9}},
   {"days": "30-365", "ballots": {"atLeast": 0, "atMost": 9}},
   {"days": "over-365", "ballots": {"atLeast": 64, "atMost": 100}},
   {"days": "unknown", "ballots": {"atLeast": 0, "atMost": 9}}
  ],
  "difference": null,
  "winner": "same"
 },
 "bursts": {"found": [], "difference": null, "burstiness": 0.1},
 "lockstep": {"status": "not-applicable", "why": "one-question"},
 "acquaintance": {"acquainted": {"atLeast": 91, "atMost": 100}, "newcomers": {"atLeast": 0, "atMost": 9}, "winner": "same"},
 "confirmed": {"status": "not-offered"}
}`
	got, err := json.Marshal(quiet().figures(t))
	if err != nil {
		t.Fatal(err)
	}
	strip := strings.NewReplacer(" ", "", "\n", "")
	if strip.Replace(string(got)) != strip.Replace(want) {
		t.Errorf("got  %s\nwant %s", got, strip.Replace(want))
	}
}

// spread adds ballots to each of three servers.
func (p *poll) spread(n int, b Ballot) *poll {
	for b.Server = range 3 {
		p.add(n, b)
	}
	return p
}

func TestLabel(t *testing.T) {
	aged := func(b Ballot, days int) Ballot { b.AgeDays = days; return b }
	newcomer := func(b Ballot) Ballot { b.Acquainted = false; return b }
	abc := func(usualOfA float64) *poll {
		return newPoll(Server{Name: "a", Usual: usualOfA}, Server{Name: "b", Usual: -1}, Server{Name: "c", Usual: -1})
	}
	// Ahead by 32 or 33, with 30 for the winner from accounts of some age, and no server as large as that.
	ahead := func(by, days int) *poll {
		return abc(-1).spread(10, aged(yes(0), days)).spread(10, no(0)).spread(by/3, yes(0)).add(by%3/2, yes(0)).add(by%3/2, yes(1))
	}
	for name, c := range map[string]struct {
		p    *poll
		want []Reason
	}{
		"no ballots":          {abc(-1), []Reason{TooFewBallots}},
		"29 ballots":          {abc(-1).add(29, yes(0)), []Reason{TooFewBallots}},
		"30 of one server":    {abc(-1).add(30, yes(0)), []Reason{OneServerDecides}},
		"nine of others":      {abc(-1).add(30, yes(0)).add(9, yes(1)), []Reason{OneServerDecides}},
		"30 of three servers": {abc(-1).spread(10, yes(0)), nil},
		"tie":                 {abc(-1).spread(20, yes(0)).spread(20, no(0)), []Reason{MarginBelowTen}},
		"tie, uneven":         {abc(-1).spread(20, yes(0)).spread(20, no(0)).add(1, yes(0)).add(1, no(1)), []Reason{OneServerDecides, MarginBelowTen}},
		"nine ahead":          {abc(-1).spread(20, yes(0)).spread(17, no(0)), []Reason{MarginBelowTen}},
		"twelve ahead":        {abc(-1).spread(20, yes(0)).spread(16, no(0)), nil},
		"a decides":           {abc(-1).add(36, yes(0)).add(4, no(0)).add(26, yes(1)).add(17, no(1)).add(17, no(2)), []Reason{OneServerDecides}}, // 62-38; 26-34 without
		// 32 ahead. Of 38 ballots it is not looked at how they split; of 42 it is, and 44-12 without.
		"a could decide":       {abc(-1).add(20, yes(0)).add(18, no(0)).add(22, yes(1)).add(6, no(1)).add(22, yes(2)).add(8, no(2)), []Reason{OneServerCouldDecide}},
		"a does not decide":    {abc(-1).add(21, yes(0)).add(21, no(0)).add(22, yes(1)).add(6, no(1)).add(22, yes(2)).add(6, no(2)), nil},
		"33 ahead, 30 new":     {ahead(33, 29), nil}, // 30 is told as 28 to 32
		"32 ahead, 30 new":     {ahead(32, 29), []Reason{MarginWithinDoubtful}},
		"32 ahead, 30 unknown": {ahead(32, -1), []Reason{MarginWithinDoubtful}},
		"32 ahead, 30 days":    {ahead(32, 30), nil},
		"30 new for another":   {abc(-1).spread(10, aged(no(0), 5)).spread(20, yes(0)).add(1, yes(0)).add(1, yes(1)), nil}, // 32 ahead
		// Without a 26-34; b and c could decide as well.
		"a decides, b could": {abc(-1).add(36, yes(0)).add(4, no(0)).add(26, yes(1)).add(2, no(1)).add(32, no(2)), []Reason{OneServerDecides}},
		// 60-39, and 24-36 without new accounts or newcomers.
		"new decide":       {abc(-1).spread(12, aged(yes(0), 5)).spread(1, aged(no(0), 5)).spread(8, yes(0)).spread(12, no(0)), []Reason{MarginWithinDoubtful, NewAccountsDiffer}},
		"newcomers decide": {abc(-1).spread(12, newcomer(yes(0))).spread(1, newcomer(no(0))).spread(8, yes(0)).spread(12, no(0)), []Reason{NewcomersDiffer}},
		// 48-33: 15 ahead, and 21 of these.
		"new could decide":       {abc(-1).spread(5, aged(yes(0), 5)).spread(2, aged(no(0), 5)).spread(11, yes(0)).spread(9, no(0)), []Reason{MarginWithinDoubtful, NewAccountsCouldDiffer}},
		"newcomers could decide": {abc(-1).spread(5, newcomer(yes(0))).spread(2, newcomer(no(0))).spread(11, yes(0)).spread(9, no(0)), []Reason{NewcomersCouldDiffer}},
		"newcomers do not":       {abc(-1).spread(5, newcomer(yes(0))).spread(5, newcomer(no(0))).spread(14, yes(0)).spread(9, no(0)), nil},
		// 60-48: 12 ahead; a has 36 of 108, 20 of them for the winner.
		"a is as large as ever":    {abc(0.2).spread(20, yes(0)).spread(16, no(0)), nil},
		"a is larger than usual":   {abc(0.1).spread(20, yes(0)).spread(16, no(0)), []Reason{MarginWithinDoubtful}},
		"a is larger, but too few": {abc(0.01).add(19, yes(0)).spread(20, yes(1)), nil},
	} {
		f := c.p.figures(t)
		label := []Label{Robust, Fragile, NotConclusive}[min(2, len(c.want))]
		if slices.Contains(c.want, TooFewBallots) {
			label = NotConclusive
		}
		if !slices.Equal(f.Reasons, c.want) || f.Label != label {
			t.Errorf("%s: %s %v, want %s %v", name, f.Label, f.Reasons, label, c.want)
		}
	}
}

func TestUntold(t *testing.T) {
	// Nine ahead, and nine newcomers: whether they matter would tell how they voted.
	p := newPoll(Server{}, Server{}, Server{}).spread(20, yes(0)).spread(17, no(0))
	for i := range 9 {
		p.Ballots[i].Acquainted = false
		p.Ballots[i].AgeDays = 3
	}
	f := p.figures(t)
	if f.Acquaintance.Winner != Untold || f.Age.Winner != Untold || f.Age.Difference != nil || !f.Acquaintance.Newcomers.Few() {
		t.Errorf("%+v %+v", f.Acquaintance, f.Age)
	}
	few := newPoll(Server{Name: "a"}).add(29, yes(0)).figures(t)
	if few.LeaveOneOut != nil || few.Bursts != nil || few.Margin.ExceedsDoubtful != nil || few.Age.Winner != Untold || few.Acquaintance.Winner != Untold {
		t.Errorf("%+v", few)
	}
}

func TestWithout(t *testing.T) {
	c := counted{ballots: 100, counts: []int{60, 40}, winner: 1, margin: 20}
	for _, x := range []struct {
		n, first int
		want     Outcome
	}{
		{9, 9, Same}, {19, 19, Same}, // fewer than the margin
		{20, 20, CouldDiffer}, {29, 0, CouldDiffer}, // not looked at
		{30, 25, Differs}, // 35-35
		{30, 24, Same},    // 36-34
		{90, 50, Same},    // 10-0
		{91, 51, Untold},
	} {
		if got := c.without(x.n, func(o int) int { return []int{x.first, x.n - x.first}[o] }); got != x.want {
			t.Errorf("without %d, %d for the winner: %s, want %s", x.n, x.first, got, x.want)
		}
	}
	c = counted{ballots: 100, counts: []int{52, 48}, winner: 1, margin: 4}
	if got := c.without(9, func(int) int { panic("looked") }); got != Untold {
		t.Error(got)
	}
}

func TestWinnersAndMargin(t *testing.T) {
	for _, c := range []struct {
		counts       []int
		want         uint64
		margin, swap int
	}{
		{[]int{0, 0}, 0, 0, 0},
		{[]int{5, 3, 5}, 0b101, 0, 0},
		{[]int{3, 10, 7}, 0b10, 3, 2}, // two changed: 8 to 9
		{[]int{3, 10, 8}, 0b10, 2, 1}, // one changed: 9 to 9
		{[]int{7}, 1, 7, 4},
	} {
		w := winners(c.counts)
		if m := margin(c.counts, w); w != c.want || m != c.margin || (m+1)/2 != c.swap {
			t.Errorf("%v: winners %b, margin %d", c.counts, w, m)
		}
	}
}

func TestMultipleChoice(t *testing.T) {
	p := newPoll(Server{}, Server{}, Server{})
	p.Options, p.Multiple = 3, true
	p.spread(10, Ballot{Choices: 0b011, AgeDays: 400, Acquainted: true}).spread(5, Ballot{Choices: 0b110, AgeDays: 400, Acquainted: true})
	f := p.figures(t)
	if !slices.Equal(f.Counts, []int{30, 45, 15}) || !slices.Equal(f.Winners, []int{2}) || f.Margin.Delete != 15 || f.Margin.Swap != 8 || f.Ballots != 45 {
		t.Errorf("%+v", f)
	}
}

func TestConcentration(t *testing.T) {
	p := newPoll(Server{Name: "z", Usual: 0.1}, Server{Name: "a", Usual: 0.5}, Server{Name: "small", Usual: 0.4})
	// 50 of 100 where 10 were usual: flagged, and 0.4 + 0 + 0 above.
	p.add(50, yes(0)).add(41, yes(1)).add(9, yes(2))
	c := p.figures(t).Concentration
	if len(c.Servers) != 2 || c.Servers[0].Server != "a" || c.Servers[0].Doubtful || !c.Servers[1].Doubtful || !c.Other.Few() || !c.Excessive {
		t.Errorf("%+v", c)
	}
	// All as usual, with an Other of 20 by two small servers: rounded throughout.
	p = newPoll(Server{Name: "z", Usual: 0.5}, Server{Name: "a", Usual: 0.3}, Server{Usual: 0.1}, Server{Usual: 0.1}, Server{Usual: 0})
	c = p.add(50, yes(0)).add(32, yes(1)).add(9, yes(2)).add(9, yes(3)).figures(t).Concentration
	// .3² + .5² + .2/100 = .342 (32 is told as 30, 18 as 20)
	if c.Excessive || c.Servers[1].Doubtful || *c.Other != (Range{18, 22}) || *c.HHI != 0.342 || *c.Effective != 2.9 || *c.Largest != 0.5 || *c.Excess != 0 {
		t.Errorf("%+v hhi %v effective %v largest %v excess %v", c, *c.HHI, *c.Effective, *c.Largest, *c.Excess)
	}
	// Nothing usual is known.
	if c = newPoll(Server{Name: "a", Usual: -1}).add(50, yes(0)).figures(t).Concentration; c.Excess != nil || c.Excessive || c.Servers[0].Doubtful {
		t.Errorf("%+v", c)
	}
	// Many servers of one ballot each are no concentration.
	p = newPoll(make([]Server, 60)...)
	for i := range 60 {
		p.add(1, yes(i))
	}
	if c = p.figures(t).Concentration; len(c.Servers) != 0 || *c.Effective != 60 {
		t.Errorf("%+v", c)
	}
}

func TestDoubtfulServer(t *testing.T) {
	in := Input{Ballots: make([]Ballot, 100), Servers: []Server{{Usual: 0.1}}}
	if in.flagged([]int{30}, 0) || !in.flagged([]int{31}, 0) {
		t.Error("three times the usual share, and more")
	}
	in.Servers[0].Usual = 0
	if in.flagged([]int{19}, 0) || !in.flagged([]int{20}, 0) {
		t.Error("19 ballots, and 20")
	}
}

// Of 18 ballots for the winner nine are doubtful. It is not told how many, so it
// may be all.
func TestDoubtfulAtMost(t *testing.T) {
	p := newPoll(Server{Usual: -1}).add(9, yes(0)).add(9, Ballot{Choices: 1, AgeDays: 3})
	c := counted{ballots: 18, counts: []int{18, 0}, winner: 1}
	if n := p.doubtfulAtMost(c, p.perServer(), func(int64) bool { return false }); n != 18 {
		t.Error(n)
	}
}

func TestLeaveOutNewServers(t *testing.T) {
	p := newPoll(Server{Name: "a"}, Server{Name: "b", New: true}, Server{Name: "c", New: true})
	p.add(20, yes(0)).add(30, no(0)).add(15, yes(1)).add(15, yes(2)).add(1, yes(2)) // 51-30, and 20-30 without the new ones
	if l := p.figures(t).LeaveOneOut; l.WithoutNew != Differs {
		t.Errorf("%+v", l)
	}
	p.Servers[2].New = false // 36-30
	if l := p.figures(t).LeaveOneOut; l.WithoutNew != Same {
		t.Errorf("%+v", l)
	}
}

func TestAgeClasses(t *testing.T) {
	for days, want := range map[int]int{-1: 4, 0: 0, 6: 0, 7: 1, 29: 1, 30: 2, 365: 2, 366: 3} {
		if got := ageClass(days); got != want {
			t.Errorf("%d days: class %d, want %d", days, got, want)
		}
	}
}

func TestContradictionsAreRefused(t *testing.T) {
	for want, spoil := range map[string]func(*poll){
		"0 options":          func(p *poll) { p.Options = 0 },
		"65 options":         func(p *poll) { p.Options = 65 },
		"is from server 3":   func(p *poll) { p.Ballots[7].Server = 3 },
		"is from server -1":  func(p *poll) { p.Ballots[7].Server = -1 },
		"chooses nothing":    func(p *poll) { p.Ballots[7].Choices = 0 },
		"option that is not": func(p *poll) { p.Ballots[7].Choices = 4 },
		"several options":    func(p *poll) { p.Ballots[7].Choices = 3 },
		"time of voting":     func(p *poll) { p.Ballots[7].At = p.Until + 1 },
		"in order":           func(p *poll) { p.Until = p.From - 1 },
		"ten years":          func(p *poll) { p.Until = p.From + 11*366*24*3600 },
	} {
		p := quiet()
		spoil(p)
		if _, err := Integrity(p.Input); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
	p := quiet()
	p.Options, p.Multiple, p.Ballots[0].Choices = 64, true, 1<<63|1
	if f := p.figures(t); f.Counts[63] != 1 {
		t.Error("the 64th option is lost")
	}
}

// What fewer than ten chose changes nothing of the file: it is the same if two
// voters exchange the age of their accounts, or their acquaintance.
func TestFewVotersChoicesAreNotTold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newPoll(Server{Name: "a", Usual: 0.5}, Server{Name: "b", Usual: 0.5}, Server{Name: "c", Usual: -1})
		for server := range 3 {
			p.add(rapid.IntRange(0, 60).Draw(t, "yes"), yes(server)).add(rapid.IntRange(0, 60).Draw(t, "no"), no(server))
		}
		n := len(p.Ballots)
		if n < 20 {
			return
		}
		few := rapid.IntRange(0, 9).Draw(t, "few")
		draw := func() []int { return rapid.Permutation(indices(n)).Draw(t, "who")[:few] }
		young, newcomers := draw(), draw()
		mark := func(young, newcomers []int) Figures {
			q := poll{p.Input}
			q.Ballots = slices.Clone(p.Ballots)
			for _, i := range young {
				q.Ballots[i].AgeDays = 3
			}
			for _, i := range newcomers {
				q.Ballots[i].Acquainted = false
			}
			return q.figures(t)
		}
		one, err1 := json.Marshal(mark(young, newcomers))
		two, err2 := json.Marshal(mark(draw(), draw()))
		if err1 != nil || err2 != nil || string(one) != string(two) {
			t.Fatalf("%s\n%s", one, two)
		}
	})
}

func indices(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// No range told of a server's margin leaves fewer than five ballots of doubt
// about how a server of its size split.
func TestWide(t *testing.T) {
	for before := range 80 {
		for n := 10; n < 90; n++ {
			for first := 0; first <= n; first++ {
				m := before - first + (n - first)
				r := wide(m, before, rounded(n).AtLeast)
				splits := 0
				for a := 0; a <= n; a++ {
					if x := before - a + (n - a); r.AtLeast <= x && x <= r.AtMost {
						splits++
					}
				}
				if m < r.AtLeast || m > r.AtMost || splits < 5 {
					t.Fatalf("%d ahead, %d ballots, %d for the winner: told %v, %d splits", before, n, first, *r, splits)
				}
			}
		}
	}
}

// A poll of many servers of one size, and none small, is told: the sizes are
// rounded, and one of them stands among the others.
func TestManyServersOfOneSize(t *testing.T) {
	var in Input
	in.Options, in.Until = 2, 100
	for s := range 200 {
		in.Servers = append(in.Servers, Server{Name: fmt.Sprintf("s%03d", s), Usual: -1})
		for range 500 {
			in.Ballots = append(in.Ballots, Ballot{Server: s, Choices: 1, AgeDays: -1})
		}
	}
	f, err := Integrity(in)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Concentration.Servers) != 199 || *f.Concentration.Other != (Range{AtLeast: 498, AtMost: 502}) {
		t.Fatalf("%d servers, others %v", len(f.Concentration.Servers), f.Concentration.Other)
	}
	for _, s := range f.Concentration.Servers {
		if s.Ballots != (Range{AtLeast: 498, AtMost: 502}) {
			t.Errorf("%s: %v", s.Server, s.Ballots)
		}
	}
}
