package main

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"inspraak/participation"
	"inspraak/simulation"
)

// A viral consultation must not lose votes because the voters' server is slow
// to serve its actors: they wait, on disk and sealed, are judged as of their
// receipt, and what can never be verified is reported by number.
func TestWaitingRoom(t *testing.T) {
	s := newSiege(t)
	slow := s.server(simulation.Mastodon, "slow.example")
	slow.SetFault(simulation.Fault{KeyStatus: http.StatusServiceUnavailable})
	ana, bo := slow.Account("ana"), slow.Account("bo")
	// A forged copy that comes first must not take the place of the real vote.
	bos := s.vote(bo, s.q1, "Ja")
	forged := must2(bo.Request(t.Context(), http.MethodPost, s.node.urls.SharedInbox(), bos, simulation.SignOptions{KeyOf: s.eve}))(s.cluster)
	if status := s.send(forged); status != http.StatusAccepted {
		t.Fatalf("a request that cannot be judged yet: %d", status)
	}
	s.deliver(bo, bos)
	s.deliver(ana, s.vote(ana, s.q1, "Ja"))
	if n := s.waiting(s.q1); n != 3 {
		t.Fatalf("%d requests wait, want 3", n)
	}
	s.wait(time.Minute)
	s.settle()
	if r := s.node.result(s.q1); r.Turnout != 0 {
		t.Fatalf("turnout %d before anything was verified", r.Turnout)
	}

	// The server recovers for one round, long enough for ana's and bo's keys.
	slow.SetFault(simulation.Fault{})
	s.wait(10 * time.Minute)
	s.settle()
	if n := s.waiting(s.q1); n != 0 {
		t.Errorf("%d still wait", n)
	}
	// Verified after closing, received before: at closing all is tried once more.
	down := s.server(simulation.Misskey, "down.example")
	down.SetFault(simulation.Fault{KeyStatus: http.StatusServiceUnavailable})
	cy, never := down.Account("cy"), down.Account("never")
	s.wait(s.q1.ClosesAt.Sub(s.clock()) - time.Second)
	s.deliver(cy, s.vote(cy, s.q1, "Nee"))
	s.deliver(never, s.vote(never, s.q1, "Nee"))
	down.SetFault(simulation.Fault{})
	down.SetDocument(strings.TrimPrefix(never.ID(), down.Base()), simulation.Override{Status: http.StatusBadGateway})
	s.wait(5 * time.Minute)
	s.settle()
	result := s.node.result(s.q1)
	if !result.Final || result.Turnout != 3 || !slices.Equal(result.Counts, []int{2, 1, 0}) {
		t.Errorf("final %v, turnout %d, counts %v; want 3 votes, [2 1 0]", result.Final, result.Turnout, result.Counts)
	}
	if result.Refused[participation.Unverified] != 1 {
		t.Errorf("refused %v: want one unverified", result.Refused)
	}
}

func (s *siege) waiting(c participation.Consultation) int {
	s.t.Helper()
	return must2(s.node.DB.CountWaiting(s.t.Context(), c.ID))(s.cluster)
}

// The Creates of one ballot arrive at the same time on both inboxes, again and
// again, from many voters: each mark counts once.
func TestConcurrentMarks(t *testing.T) {
	s := newSiege(t)
	const voters = 20
	var requests []*http.Request
	for i := range voters {
		who := s.m1.Account("crowd" + string(rune('a'+i)))
		for j, body := range who.VoteActivities(s.object(s.q2), s.node.actor(), "A", "C") {
			inbox := []string{s.node.urls.SharedInbox(), s.node.actor() + "/inbox"}[(i+j)%2]
			for range 3 {
				requests = append(requests, must2(who.Request(t.Context(), http.MethodPost, inbox, body, simulation.SignOptions{}))(s.cluster))
			}
		}
		// And a single choice, with two minds at once.
		for _, name := range []string{"Ja", "Nee"} {
			requests = append(requests, must2(who.Request(t.Context(), http.MethodPost, s.node.urls.SharedInbox(), s.vote(who, s.q1, name), simulation.SignOptions{}))(s.cluster))
		}
	}
	var group sync.WaitGroup
	for _, r := range requests {
		group.Go(func() {
			if status := s.send(r); status != http.StatusAccepted {
				t.Errorf("answered %d", status)
			}
		})
	}
	group.Wait()
	s.wait(25 * time.Hour)
	s.settle()
	if r := s.node.result(s.q2); r.Turnout != voters || !slices.Equal(r.Counts, []int{voters, 0, voters}) {
		t.Errorf("multiple choice: turnout %d, counts %v", r.Turnout, r.Counts)
	}
	if r := s.node.result(s.q1); r.Turnout != voters || r.Counts[0]+r.Counts[1] != voters {
		t.Errorf("single choice: turnout %d, counts %v", r.Turnout, r.Counts)
	}
}
