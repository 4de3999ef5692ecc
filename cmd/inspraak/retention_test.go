package main

import (
	"errors"
	"testing"
	"time"

	"inspraak/participation"
	"inspraak/simulation"
)

// Who voted and whose account was let go of since is not forgotten by that: the
// deletion of the account is still believed and done, a second vote still refused,
// and nothing but what is not needed tells that retention came by.
func TestRetentionKeepsVotersWord(t *testing.T) {
	c := newCluster(t)
	city := c.node("city.example", "gemeente")
	poll := city.publish("vraag", participation.SingleChoice, participation.AtClose, "Ja", "Nee")
	server := c.server(simulation.Mastodon, "m1.example")
	ann, bob, cy := server.Account("ann"), server.Account("bob"), server.Account("cy")
	for _, who := range []*simulation.Account{ann, bob} {
		must2(who.Vote(t.Context(), city.object(poll), "Ja"))(c)
	}
	must2(cy.Follow(t.Context(), city.actor()))(c)
	c.settle()
	ballots := func() (n int) {
		for _, who := range []*simulation.Account{ann, bob} {
			n += len(must2(city.Service.Held(t.Context(), who.ID()))(c).Ballots)
		}
		return n
	}
	if ballots() != 2 {
		t.Fatalf("%d ballots", ballots())
	}
	before := city.fingerprint()
	city.config.Retention.Peers = time.Hour // what was fetched today is from midnight
	city.retained = time.Time{}
	if worked := must2(city.retain(t.Context()))(c); !worked {
		t.Fatal("nothing went")
	}
	for table, print := range city.fingerprint() {
		if changed := print != before[table]; changed && table != "peer" && table != "peer_key" && table != "event" {
			t.Errorf("retention changed %s", table)
		}
	}
	for _, who := range []*simulation.Account{ann, bob} {
		if _, err := city.DB.Peer(t.Context(), who.ID()); !errors.Is(err, participation.ErrNotFound) {
			t.Fatalf("%s: still there: %v", who.ID(), err)
		}
	}
	must2(city.DB.Peer(t.Context(), cy.ID()))(c) // follows

	must2(ann.DeleteAccount(t.Context()))(c)
	c.settle()
	if ballots() != 1 {
		t.Errorf("%d ballots after an account was deleted, want 1", ballots())
	}
	must2(bob.Reply(t.Context(), city.object(poll), "<p>Nog iets</p>", simulation.Public))(c)
	c.settle()
	must2(city.DB.Peer(t.Context(), bob.ID()))(c) // again
	must2(bob.DeleteAccount(t.Context()))(c)
	c.settle()
	if ballots() != 0 {
		t.Errorf("%d ballots are left", ballots())
	}
	if worked := must2(city.retain(t.Context()))(c); worked {
		t.Error("it came twice on one day")
	}
}
