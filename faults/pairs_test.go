package faults_test

import (
	"runtime"
	"sync"
	"testing"
	"time"
)

// TestPairs sends two different votes of one voter at the same moment, many
// times: exactly one of each pair is counted.
func TestPairs(t *testing.T) {
	together(t)
	began, pairs := time.Now(), size(300, 10000)
	n, c, h := newNode(t), newCrowd(t), newHammer(64)
	n.start()
	p := n.publish("pairs")
	first, second := c.votes(p, pairs), make([]*vote, pairs)
	for i := range second {
		second[i] = c.vote(p, first[i].account.Name(), options()[(i+2)%len(options())])
		if second[i].option == first[i].option {
			t.Fatal("the two votes of a pair must differ")
		}
		if i%2 == 1 {
			second[i].inbox = n.base + "/inbox"
		}
	}
	c.sign(second)
	h.pairs(t, first, second)
	final := p.close()
	counted := 0
	for _, o := range options() {
		counted += final.votes(o)
	}
	if final.Turnout != pairs || counted != pairs || final.NotCounted["repeated"] != pairs {
		t.Errorf("%d ballots and %d marks of %d pairs, not counted %v", final.Turnout, counted, pairs, final.NotCounted)
	}
	n.check()
	figure(t, began, "R16", "simultaneous different votes: %d pairs, %d ballots, %d repeats reported", pairs, final.Turnout, final.NotCounted["repeated"])
}

// TestBothInboxes delivers one activity to the personal and the shared inbox at
// the same moment, as servers that know us by two ways do: it counts once, and
// is not reported as a second vote.
func TestBothInboxes(t *testing.T) {
	together(t)
	began, times := time.Now(), size(100, 1000)
	n, c, h := newNode(t), newCrowd(t), newHammer(32)
	n.start()
	p := n.publish("both")
	personal, shared := c.votes(p, times), make([]*vote, times)
	for i, v := range personal {
		shared[i] = &vote{account: v.account, inbox: n.base + "/inbox", option: v.option, body: v.body}
	}
	c.sign(shared)
	h.pairs(t, personal, shared)
	final := p.close()
	if final.Turnout != times || len(final.NotCounted) != 0 {
		t.Errorf("%d ballots of %d votes, not counted %v", final.Turnout, times, final.NotCounted)
	}
	n.check()
	figure(t, began, "R16", "one activity to personal and shared inbox at once: %d times, %d ballots", times, final.Turnout)
}

// pairs sends the i-th votes of both at once; all must be accepted.
func (h *hammer) pairs(t *testing.T, first, second []*vote) {
	t.Helper()
	partner := map[*vote]*vote{}
	for i, v := range first {
		partner[v] = second[i]
	}
	each(first, h.senders/2, func(v *vote) bool {
		ready := make(chan struct{})
		var group sync.WaitGroup
		for _, one := range []*vote{v, partner[v]} {
			group.Go(func() {
				<-ready
				if _, err := h.send(one); err != nil || one.status != 202 {
					t.Errorf("a vote was answered %d: %v", one.status, err)
				}
			})
		}
		runtime.Gosched()
		close(ready)
		group.Wait()
		return !t.Failed()
	})
	h.client.CloseIdleConnections()
}
