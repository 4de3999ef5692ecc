package faults_test

import "time"

// An account is what became of votes.
type account struct {
	acknowledged int // when the faults ended
	unknown      int // whose sender could not know
	stored       int // of the unknown, what had been counted nevertheless
	lost, double int
}

// audit settles the polls of a serving node, given the votes of each. What was
// of unknown fate is sent again, and then the turnout must be the number of
// those who sent: this shows what was lost of the acknowledged. Then
// everything is sent again, which must change nothing. Then the poll is closed
// and held against what was sent, option by option. It fails the test on a
// loss, on a double, and on an unsound database.
func audit(c *crowd, h *hammer, votes map[poll][]*vote) account {
	c.t.Helper()
	time.Sleep(2500 * time.Millisecond) // turnout is counted every second, by a clock that ticks every second
	var sum account
	for p, cast := range votes {
		a := auditPoll(c, h, p, cast)
		sum.acknowledged += a.acknowledged
		sum.unknown += a.unknown
		sum.stored += a.stored
		sum.lost += a.lost
		sum.double += a.double
	}
	for p := range votes {
		p.node.check()
		break
	}
	return sum
}

func auditPoll(c *crowd, h *hammer, p poll, votes []*vote) account {
	c.t.Helper()
	var a account
	var sent, open []*vote
	for _, v := range votes {
		switch v.fate {
		case acknowledged:
			a.acknowledged++
		case unknown:
			open = append(open, v)
		default:
			continue
		}
		sent = append(sent, v)
	}
	a.unknown = len(open)
	a.stored = max(0, p.result().Turnout-a.acknowledged)
	h.insist(c, open)
	// A vote whose key could not be had at once is tried again after a minute.
	a.lost = max(0, len(sent)-p.turnout(len(sent), 100*time.Second))
	h.insist(c, sent)
	final := p.close()
	a.double = max(0, final.Turnout-len(sent))
	a.lost = max(a.lost, len(sent)-final.Turnout)
	want := map[string]int{}
	for _, v := range sent {
		want[v.option]++
	}
	for _, o := range options() {
		if final.votes(o) != want[o] {
			c.t.Errorf("%s: %s has %d votes, want %d", p.slug, o, final.votes(o), want[o])
		}
	}
	if a.lost != 0 || a.double != 0 {
		c.t.Errorf("%s: %d acknowledged votes lost, %d counted twice; turnout %d, not counted %v", p.slug, a.lost, a.double, final.Turnout, final.NotCounted)
	}
	return a
}

// turnout waits until as many ballots are counted as are wanted, or for so
// long, and returns how many there are.
func (p poll) turnout(want int, patience time.Duration) int {
	p.node.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		if r := p.result(); r.Turnout >= want || time.Now().After(end) {
			return r.Turnout
		}
	}
}
