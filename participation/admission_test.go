package participation_test

import (
	"testing"

	"inspraak/participation"
)

// Where a consultation names servers, votes from others are counted as such and
// as nothing else.
func TestAllowedServers(t *testing.T) {
	tw := newTown(t)
	c := tw.draft(participation.SingleChoice, "Bomen", "Markthal")
	c.Terms.AllowedServers = []string{"m.example"}
	c = tw.publish(c)
	tw.expect(c, ana, "1", "Bomen", participation.Counted)
	for _, host := range []string{"k.example", "sub.m.example", "m.example.k.example", "m.example:8443"} {
		outcome, err := tw.CastVote(t.Context(), participation.Vote{Consultation: c.ID, Actor: "https://" + host + "/u", Host: host, ReceivedAt: tw.now,
			Marks: []participation.Mark{{Object: "https://" + host + "/1", Name: "Bomen"}}})
		if must(t, err); outcome != participation.NotAllowed {
			t.Errorf("a vote from %s: %s", host, outcome)
		}
	}
	if r := tw.close(c); r.Turnout != 1 || r.Refused[participation.NotAllowed] != 4 {
		t.Errorf("turnout %d, refused %v; want 1 and four not allowed", r.Turnout, r.Refused)
	}
}

// N20: a blocked server is blocked on every port and under every name below its
// own, and nobody else is.
func TestBlockCovers(t *testing.T) {
	for host, want := range map[string]bool{
		"m.example": true, "m.example:8443": true, "sub.m.example": true, "sub.m.example:8443": true, "a.b.m.example": true,
		"example": false, "am.example": false, "m.example.k.example": false, "am.example:8443": false,
	} {
		if got := (participation.Block{Subject: "m.example"}).Covers("https://"+host+"/users/ana", host); got != want {
			t.Errorf("%s: %v, want %v", host, got, want)
		}
	}
	one := participation.Block{Subject: ana}
	if !one.Covers(ana, "m.example") || one.Covers(bo, "m.example") {
		t.Error("a blocked account is not the one that was named")
	}
}
