package main

import (
	"net/http"
	"testing"
	"time"

	"inspraak/participation"
	"inspraak/simulation"
)

// What still arrives for a consultation whose key is gone is answered as for any
// other that is over, also where its sender's key cannot be had: nobody is told to
// come back for ever.
func TestLateAfterDestruction(t *testing.T) {
	s := newSiege(t)
	s.deliver(s.bob, s.vote(s.bob, s.q1, "Ja"))
	s.closeAll()
	s.settle() // the dataset
	service, ctx := s.node.Service, t.Context()
	s.wait(s.q1.ClosesAt.Add(42 * 24 * time.Hour).Sub(s.clock()))
	c, err := service.AnnounceDestruction(ctx, s.reload(s.q1), "one", 42*24*time.Hour)
	s.must(err)
	s.settle()
	s.shows(c, "Dit hebben wij aangekondigd op", "We announced this on")
	s.wait(participation.DestroyPause)
	c, err = service.Destroy(ctx, c, "two", 42*24*time.Hour)
	s.must(err)
	s.settle()
	s.shows(c, "is vernietigd op", "was destroyed on")
	if page := s.node.get("/consultations/q1", "text/html"); page.Code != http.StatusOK || s.node.underReview(c.ID) {
		t.Errorf("the page answers %d, under review: %v", page.Code, s.node.underReview(c.ID))
	}

	refused := s.node.result(c).Refused[participation.Late]
	s.deliver(s.alice, s.vote(s.alice, s.q1, "Nee")) // 202
	down := s.server(simulation.Mastodon, "down.example")
	down.SetFault(simulation.Fault{KeyStatus: http.StatusServiceUnavailable})
	s.deliver(down.Account("cy"), s.vote(down.Account("cy"), s.q1, "Nee"))
	if n, all := s.waiting(c), must2(s.node.DB.CountWaiting(ctx, ""))(s.cluster); n != 0 || all != 1 {
		t.Errorf("%d requests wait under the key that is gone, %d in all; want 0, 1", n, all)
	}
	down.SetFault(simulation.Fault{})
	s.wait(10 * time.Minute)
	s.settle()
	tallies := must2(service.Tallies(ctx, c))(s.cluster)
	if n := must2(s.node.DB.CountWaiting(ctx, ""))(s.cluster); n != 0 || tallies.Ballots != 0 || tallies.Refused[participation.Late] != refused+2 {
		t.Errorf("%d wait, %d ballots, %d late; want 0, 0, %d", n, tallies.Ballots, tallies.Refused[participation.Late], refused+2)
	}
	var found findings
	o := &office{Config: s.node.config, Service: service, db: s.node.DB, keys: s.node.Keys}
	s.must(o.checkInvariants(&app{ctx: ctx, now: s.clock}, &found))
	for _, f := range found {
		if f.Level != "ok" {
			t.Errorf("check: %+v", f)
		}
	}
}
