package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"inspraak/participation"
	"inspraak/simulation"
)

// An inbox that is down for hours is told the newest numbers when it is back,
// not one by one what they were.
func TestOldNumbersDoNotPileUp(t *testing.T) {
	s := newSiege(t)
	s.m1.SetFault(simulation.Fault{InboxStatus: http.StatusServiceUnavailable})
	const rounds = 12
	for i := range rounds {
		who := s.evil.Account(fmt.Sprintf("w%d", i))
		s.deliver(who, s.vote(who, s.q1, "Ja"))
		s.wait(4 * time.Minute)
		s.settle()
		if n, _, err := s.node.DB.PendingDeliveries(t.Context()); err != nil || n > 2 {
			t.Fatalf("round %d: %d deliveries pending (%v), want at most 2", i, n, err)
		}
	}
	if n := count(s.evil, "Update", s.object(s.q1)); n != rounds {
		t.Errorf("an inbox that is up heard %d Updates, want %d", n, rounds)
	}
	s.m1.SetFault(simulation.Fault{})
	s.m1.Forget()
	for range 3 {
		s.wait(2 * time.Hour)
		s.settle()
	}
	if p, _ := s.m1.Poll(s.object(s.q1)); p.Voters != rounds {
		t.Errorf("after the outage the follower's server shows %d voters, want %d", p.Voters, rounds)
	}
	if n := count(s.m1, "Update", s.object(s.q1)); n > 2 {
		t.Errorf("%d Updates after the outage, want at most 2", n)
	}
}

// Citizens' addresses stay out of the log, whatever goes wrong, and a sender
// who leaves or whose account is gone is no error of ours.
func TestLogNamesNoVoter(t *testing.T) {
	s := newSiege(t)
	node, log := s.reopened(slog.LevelDebug)
	dead, gone := s.m1.Account("dead"), s.m1.Account("left")
	serve(s.m1, dead.ID(), simulation.Override{Status: http.StatusGone})
	if status := answerOf(node.Handler, "192.0.2.9", s.post(dead, s.vote(dead, s.q1, "Ja"))); status != http.StatusUnauthorized {
		t.Errorf("the vote of an account that is gone: answered %d", status)
	}
	left := s.post(gone, s.vote(gone, s.q1, "Ja"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	answerOf(node.Handler, "192.0.2.9", left.WithContext(ctx))
	if strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("logged as an error of ours: %s", log)
	}
	s.must(node.Close())
	if status := answerOf(node.Handler, "192.0.2.9", s.post(s.bob, s.vote(s.bob, s.q1, "Ja"))); status != http.StatusServiceUnavailable {
		t.Errorf("after the store failed: answered %d", status)
	}
	if !strings.Contains(log.String(), "level=ERROR") {
		t.Error("trouble of ours was not logged")
	}
	for _, who := range []string{"users/dead", "users/left", "users/bob"} {
		if strings.Contains(log.String(), who) {
			t.Errorf("the log names %s: %s", who, log)
		}
	}
}

// The final count does not wait for every vote of a server that never answers:
// after three of sixteen at a time it is not asked again, so that two waits of
// two seconds are enough.
func TestClosingDoesNotWaitForASilentServer(t *testing.T) {
	t.Parallel()
	s := newSiege(t)
	silent := s.server(simulation.Mastodon, "silent.example")
	silent.SetFault(simulation.Fault{KeyStatus: http.StatusServiceUnavailable})
	const votes = 80 // ten seconds, if each were asked
	for i := range votes {
		who := silent.Account(fmt.Sprintf("v%d", i))
		if status := s.sendFrom(fmt.Sprintf("192.0.2.%d", 100+i), s.post(who, s.vote(who, s.q1, "Ja"))); status != http.StatusAccepted {
			t.Fatalf("vote %d: answered %d", i, status)
		}
	}
	silent.SetFault(simulation.Fault{Hang: true})
	s.wait(s.q1.Deadline().Sub(s.clock()) + 10*time.Second)
	start := time.Now()
	if n := must2(s.node.Federation.FlushWaiting(t.Context(), s.q1.ID))(s.cluster); n != votes {
		t.Errorf("%d unverified, want %d", n, votes)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("the last try of %d votes of a silent server took %v", votes, took)
	}
	// Had the closing failed now, nothing would be lost.
	if n := s.waiting(s.q1); n != votes {
		t.Errorf("%d still wait before it has closed, want %d", n, votes)
	}
	silent.SetFault(simulation.Fault{KeyStatus: http.StatusServiceUnavailable})
	s.settle()
	if r := s.node.result(s.q1); !r.Final || r.Refused[participation.Unverified] != votes || s.waiting(s.q1) != 0 {
		t.Errorf("final %v, refused %v, %d wait", r.Final, r.Refused, s.waiting(s.q1))
	}
}

// A vote received just before the deadline, and still being verified when it
// passes, counts: closing leaves it a moment.
func TestVoteOnItsWayAtTheDeadline(t *testing.T) {
	s := newSiege(t)
	slow := s.server(simulation.Mastodon, "slow.example")
	asked, answer := make(chan bool, 1), make(chan bool)
	s.network.Join("slow.example", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- true
		<-answer
		slow.ServeHTTP(w, r)
	}))
	who := slow.Account("ana")
	s.wait(s.q1.Deadline().Sub(s.clock()) - time.Second)
	vote := s.post(who, s.vote(who, s.q1, "Ja"))
	status := make(chan int)
	go func() { status <- s.sendFrom("192.0.2.1", vote) }()
	<-asked
	s.wait(2 * time.Second)
	must2(s.node.Step(t.Context()))(s.cluster)
	close(answer)
	if got := <-status; got != http.StatusAccepted {
		t.Errorf("answered %d", got)
	}
	s.closeAll()
	s.final(1)
}

// An account says that it has changed and its server hangs: the sender is not
// kept waiting for the fetch.
func TestUpdateOfAnAccountOnASilentServer(t *testing.T) {
	t.Parallel()
	s := newSiege(t)
	s.evil.SetFault(simulation.Fault{Hang: true})
	update := must2(json.Marshal(map[string]any{"@context": "https://www.w3.org/ns/activitystreams", "id": s.eve.ID() + "#update",
		"type": "Update", "actor": s.eve.ID(), "object": map[string]any{"id": s.eve.ID(), "type": "Person"}}))(s.cluster)
	start := time.Now()
	s.deliver(s.eve, update)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("answered after %v", took)
	}
}
