package faults_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestKill kills the node at random moments while votes stream in. What was
// acknowledged is counted, once; so is what was stored and never acknowledged,
// when its sender tries again; and the node is back within two seconds.
func TestKill(t *testing.T) {
	together(t)
	began := time.Now()
	rounds := times(4, 200)
	n, c, h := newNode(t), newCrowd(t), newHammer(size(16, 64))
	n.start()
	votes := map[poll][]*vote{}
	var p poll
	var left []*vote
	var slowest, under time.Duration
	for range rounds {
		if len(left) < size(250, 800) {
			p = n.publish(fmt.Sprintf("kill-%d", len(votes)))
			left = c.votes(p, size(300, 2000))
			votes[p] = left
		}
		took, sent := hammerUntil(n, h, left, 20+rand.Int64N(int64(size(100, 600))))
		under, left = under+took, left[sent:]
		slowest = max(slowest, n.start())
	}
	rate := float64(h.acked.Load()) / under.Seconds()
	a := audit(c, h, votes)
	if *large && slowest > 2*time.Second {
		t.Errorf("ready after %s, want 2 s", slowest)
	}
	if *large && rate < 500 {
		t.Errorf("killed under %.0f votes/s only, want 500", rate)
	}
	if *large && a.stored == 0 {
		t.Error("no kill fell between commit and answer: the test shows too little")
	}
	figure(t, began, "R1", "kill -9: %d kills under %.0f votes/s, %d acknowledged, %d lost, %d double; %d of unknown fate, %d of them stored; ready after at most %s",
		rounds, rate, a.acknowledged, a.lost, a.double, a.unknown, a.stored, slowest.Round(time.Millisecond))
}

// hammerUntil sends votes until so many more are acknowledged, and kills the
// node then. It returns how long that took and how many votes were taken up.
func hammerUntil(n *node, h *hammer, votes []*vote, acked int64) (took time.Duration, sent int) {
	until := h.acked.Load() + acked
	stop, done := make(chan struct{}), make(chan struct{})
	began := time.Now()
	go func() {
		defer close(done)
		sent = h.pass(votes, stop)
	}()
	for end := time.Now().Add(time.Minute); h.acked.Load() < until; {
		if time.Sleep(time.Duration(rand.IntN(1000)) * time.Microsecond); time.Now().After(end) {
			n.t.Fatalf("too few votes are accepted\n%s", n.log())
		}
	}
	took = time.Since(began)
	n.kill()
	close(stop)
	<-done
	return took, sent
}
