package faults_test

import (
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"
)

// An ioError makes system calls of the node fail as a failing disk does.
type ioError struct{ call, errno, when string }

// ioErrors are the errors to inject: each kind from the nth call on, for some
// calls only, and at every third call. Calls are counted per thread.
func ioErrors(n int) []ioError {
	kinds := []ioError{{call: "fsync", errno: "EIO"}, {call: "pwrite64", errno: "ENOSPC"}, {call: "pwrite64", errno: "EIO"}}
	all := make([]ioError, n)
	for i := range all {
		e := kinds[i%len(kinds)]
		first := 1 + i/len(kinds)*5
		if e.call == "pwrite64" {
			first *= 8
		}
		switch i % 4 {
		case 0, 1:
			e.when = fmt.Sprintf("%d+", first)
		case 2:
			e.when = fmt.Sprintf("%d..%d", first, first+10)
		default:
			e.when = fmt.Sprintf("%d+3", first)
		}
		all[i] = e
	}
	return all
}

func (e ioError) String() string { return e.call + " " + e.errno + " at calls " + e.when }

// TestIOErrors lets the disk fail under a node that takes in votes. A vote is
// acknowledged only if it is in the database; others are told to come again; the
// process stays up, or ends with an error; and once the disk is well again it
// counts the rest, each vote once.
func TestIOErrors(t *testing.T) {
	began := time.Now()
	n, c, h := newNode(t), newCrowd(t), newHammer(16)
	n.start()
	p := n.publish("io-errors")
	n.stop()
	var sent []*vote
	refused, ended, survived, lost, injected := 0, 0, 0, 0, ioErrors(size(6, 120))
	for _, e := range injected {
		n.wrap = tracer(t, "-o", os.DevNull, "-e", "trace="+e.call, "-e", "inject="+e.call+":error="+e.errno+":when="+e.when)
		votes := c.votes(p, size(60, 200))
		sent = append(sent, votes...)
		n.launch()
		if n.ready(20 * time.Second) {
			refused += takeIn(t, h, votes, e)
		}
		select {
		case err := <-n.waited:
			ended++
			n.serve = nil
			if err == nil {
				t.Errorf("%s: the node ended as if nothing were wrong\n%s", e, n.log())
			}
		default:
			survived++
			n.kill()
		}
		lost += missing(t, p, votes, e)
	}
	n.wrap = nil
	n.start()
	h.insist(c, sent)
	a := audit(c, h, map[poll][]*vote{p: sent})
	if refused == 0 {
		t.Error("no error reached a vote: the test shows nothing")
	}
	figure(t, began, "R3", "I/O errors: %d failing disks (fsync EIO, pwrite64 ENOSPC and EIO), %d votes refused with 503, %d nodes went on, %d ended with an error, %d acknowledged in the end, %d lost, %d double",
		len(injected), refused, survived, ended, a.acknowledged, a.lost+lost, a.double)
}

// takeIn sends the votes and demands of each answer that it is 202, or 503
// within a second with the time to come again. It returns how many were 503.
func takeIn(t *testing.T, h *hammer, votes []*vote, fault fmt.Stringer) (refused int) {
	t.Helper()
	counts := make(chan int, len(votes))
	each(votes, h.senders, func(v *vote) bool {
		began := time.Now()
		header, err := h.send(v)
		switch {
		case err != nil: // the process has ended
		case v.status == http.StatusServiceUnavailable:
			counts <- 1
			if header.Get("Retry-After") == "" {
				t.Errorf("%s: 503 without Retry-After", fault)
			}
			if took, most := time.Since(began), time.Duration(size(10, 1))*time.Second; took > most { // a test run shares its processors
				t.Errorf("%s: 503 after %s, want %s at most", fault, took, most)
			}
		case v.status != http.StatusAccepted:
			t.Errorf("%s: a vote was answered %d", fault, v.status)
		}
		return true
	})
	h.client.CloseIdleConnections()
	return len(counts)
}

// missing counts acknowledged votes that are not in the database of a poll's
// node, which must not be serving.
func missing(t *testing.T, p poll, votes []*vote, fault fmt.Stringer) (lost int) {
	t.Helper()
	left, err := contentOf(databaseOf(p.node))
	if err != nil {
		t.Fatalf("%s: the database is not sound: %v", fault, err)
	}
	secret := secretOf(t, p)
	for _, v := range votes {
		if v.fate == acknowledged && left.ballots[secret.Voter(v.account.ID())] == nil {
			lost++
		}
	}
	if lost = max(0, lost-left.waiting); lost > 0 {
		t.Errorf("%s: %d acknowledged votes are neither counted nor waiting", fault, lost)
	}
	return lost
}
