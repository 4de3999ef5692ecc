package participation_test

import (
	"slices"
	"testing"

	"inspraak/participation"
)

// The list of where voters receive is read once and kept; it holds whoever
// votes later, and nobody who has left.
func TestVoterInboxesFollowTheVotes(t *testing.T) {
	tw := newTown(t)
	c := tw.publish(tw.draft(participation.SingleChoice, "A", "B"))
	vote := func(actor, inbox string) {
		t.Helper()
		outcome, err := tw.CastVote(t.Context(), participation.Vote{Consultation: c.ID, Actor: actor, Inbox: inbox,
			Marks: []participation.Mark{{Object: actor + "#1", Name: "A"}}, ReceivedAt: tw.now})
		if err != nil || outcome != participation.Counted {
			t.Fatalf("%s: %v", outcome, err)
		}
	}
	want := func(inboxes ...string) {
		t.Helper()
		for range 2 { // read, then remembered
			if got, err := tw.VoterInboxes(t.Context(), c); err != nil || !slices.Equal(got, inboxes) {
				t.Errorf("%v, %v; want %v", got, err, inboxes)
			}
		}
	}
	vote(ana, "https://m.example/inbox")
	want("https://m.example/inbox")
	vote(cy, "https://n.example/inbox")
	want("https://m.example/inbox", "https://n.example/inbox")
	must(t, tw.ForgetActor(t.Context(), ana))
	want("https://n.example/inbox")
	must(t, tw.Delete(t.Context(), cy, cy+"#1"))
	want()
}
