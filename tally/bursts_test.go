package tally

import (
	"math"
	"testing"
)

// Poisson tails by hand: P(N>=1) = 1-e^-m; P(N>=3) = 1-e^-m(1+m+m²/2).
func TestLogTail(t *testing.T) {
	for _, c := range []struct {
		n       int
		m, want float64
	}{
		{1, 0.1, 1 - math.Exp(-0.1)},
		{3, 1, 1 - math.Exp(-1)*2.5},
		{3, 2, 1 - math.Exp(-2)*5},
	} {
		if got := math.Exp(logTail(c.n, c.m)); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("P(N>=%d), mean %v: %v, want %v", c.n, c.m, got, c.want)
		}
	}
	// Far out, where the chance itself is no longer a float64: about -1e5 (ln 1e5 - 1).
	if got := logTail(100_000, 1); math.Abs(got/-1051299.2-1) > 1e-4 {
		t.Error(got)
	}
}

// withBurst is a week of a ballot every half hour, and n ballots within five
// minutes of the fourth day's night.
func withBurst(n int) *poll {
	p := newPoll(Server{Name: "a", Usual: 0.5}, Server{Name: "b", Usual: 0.5}).add(168, yes(0)).add(168, no(1))
	for i := range n {
		b := yes(0)
		b.At = opens + 3*24*3600 + 12*3600 + int64(i*300/n) // 02:20
		p.Ballots = append(p.Ballots, b)
	}
	return p
}

func TestBursts(t *testing.T) {
	b := withBurst(27).figures(t).Bursts
	// With one of the quiet ones 28, or two of these 29: told as 30.
	if len(b.Found) != 1 || b.Found[0].Hour != "2026-09-25T02:00:00Z" || b.Found[0].Minutes != 10 || b.Found[0].Ballots != (Range{28, 32}) {
		t.Errorf("%+v", b)
	}
	if got := withBurst(16).figures(t).Bursts.Found; len(got) != 0 { // with the others at most 19
		t.Errorf("fewer than 20: %v", got)
	}
	if got := withBurst(20).figures(t).Bursts.Found; len(got) != 1 {
		t.Errorf("20: %v", got)
	}
	p := withBurst(27)
	p.OwnPosts = []int64{opens + 3*24*3600 + 12*3600 - 1800}
	if got := p.figures(t).Bursts.Found; len(got) != 0 {
		t.Errorf("half an hour after a post: %v", got)
	}
	p.OwnPosts[0] -= 2400
	if got := p.figures(t).Bursts.Found; len(got) != 1 {
		t.Errorf("70 minutes after a post: %v", got)
	}
	p.OwnPosts = nil
	for at := int64(opens) - 1800; at < opens+week; at += 3600 {
		p.OwnPosts = append(p.OwnPosts, at)
	}
	if got := p.figures(t).Bursts; got != nil {
		t.Errorf("nothing to compare with: %v", got)
	}
}

// Two hundred ballots every evening at eight are what is usual at eight.
func TestBusyHourIsNoBurst(t *testing.T) {
	p := newPoll(Server{Name: "a"}).add(336, yes(0))
	evening := func(day, n int) {
		for i := range n {
			b := yes(0)
			b.At = opens - 1200 + 6*3600 + int64(day)*24*3600 + int64(i*3600/n)
			p.Ballots = append(p.Ballots, b)
		}
	}
	for day := range 7 {
		evening(day, 200)
	}
	if got := p.figures(t).Bursts.Found; len(got) != 0 {
		t.Errorf("found %v", got)
	}
	// Another 200 on one evening is one; a busy hour is 60 minutes long.
	evening(2, 200)
	if got := p.figures(t).Bursts.Found; len(got) != 1 || got[0].Minutes != 60 {
		t.Errorf("found %v", got)
	}
}

// Ten in ten minutes for a week, and once 24: P(N>=24) is about 1e-4, and of
// 20,000 stretches one or two are like that by chance.
func TestOneOfManyStretches(t *testing.T) {
	p := newPoll(Server{Name: "a"}).add(10080, yes(0))
	for range 14 {
		b := yes(0)
		b.At = opens + 100_000
		p.Ballots = append(p.Ballots, b)
	}
	if got := p.figures(t).Bursts.Found; len(got) != 0 {
		t.Errorf("found %v", got)
	}
}

// Ballots in a burst are doubtful: 27 of them within a lead of 27.
func TestBurstIsDoubtful(t *testing.T) {
	if f := withBurst(27).figures(t); f.Margin.Delete != 27 || *f.Margin.ExceedsDoubtful {
		t.Errorf("%+v", f.Margin)
	}
	p := withBurst(27)
	p.OwnPosts = []int64{opens + 3*24*3600 + 12*3600 - 1800}
	if f := p.figures(t); !*f.Margin.ExceedsDoubtful {
		t.Errorf("%+v", f.Margin)
	}
}

func TestBurstiness(t *testing.T) {
	at := func(times ...int64) *float64 {
		var in Input
		for _, x := range times {
			in.Ballots = append(in.Ballots, Ballot{At: x})
		}
		return in.burstiness()
	}
	// Equal gaps: -1. Gaps of 1 and 3: mean 2, deviation 1, (1-2)/(1+2). Gaps of
	// 0, 0, 0, 8: mean 2, variance (3*4+36)/4 = 12, (3.464-2)/(3.464+2) = .268.
	if a, b, c := at(0, 5, 10, 15), at(0, 3, 4), at(7, 7, 7, 15, 7); *a != -1 || *b != -0.3 || *c != 0.3 {
		t.Error(*a, *b, *c)
	}
	if at() != nil || at(3) != nil || at(3, 3) != nil {
		t.Error("burstiness of no gap")
	}
}
