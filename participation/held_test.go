package participation_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"inspraak/participation"
)

func (tw *town) held(actor string) participation.Held {
	tw.t.Helper()
	h, err := tw.Held(tw.t.Context(), actor)
	must(tw.t, err)
	return h
}

// What is held tells everything but the choice while voting goes on, the choice
// after it, and nothing of anybody else.
func TestHeld(t *testing.T) {
	tw := newTown(t)
	c := tw.publish(tw.draft(participation.MultipleChoice, "Bomen", "Markthal", "Café"))
	object := "https://node.example/o/" + c.ID
	tw.vote(c, ana, "1", "Café", "Bomen")
	tw.vote(c, bo, "1", "Markthal")
	for _, who := range []string{ana, bo} {
		must(t, tw.AddReply(t.Context(), participation.Reply{ID: who + "/1", Consultation: c.ID, Parent: object, HTML: "Een bankje",
			Author: participation.Author{ID: who}, Visibility: participation.Public}, true))
	}
	must(t, tw.HideReply(t.Context(), ana+"/1", "Scheldwoorden"))
	_, err := tw.Answer(t.Context(), ana+"/1", "Dat kan niet.")
	must(t, err)
	must(t, tw.Gesture(t.Context(), c.ID, participation.Boost, ana, "", ana+"#b", true))
	for i, about := range []string{ana, ana + "/1", bo, "https://x.example/"} {
		must(t, tw.Receive(t.Context(), participation.Report{ID: about + "#" + string(rune('a'+i)), Server: "k.example", Objects: []string{about}}))
	}
	h := tw.held(ana)
	if len(h.Ballots) != 1 || len(h.Replies) != 1 || len(h.Answers) != 1 || len(h.Gestures) != 1 || len(h.Reports) != 2 {
		t.Fatalf("held: %+v", h)
	}
	b := h.Ballots[0]
	if b.Consultation.ID != c.ID || !b.Since.Equal(tw.now) || b.Choices != nil || len(b.Codes) != 1 || h.Replies[0].Reason != "Scheldwoorden" {
		t.Errorf("while voting: %+v", h)
	}
	tw.close(c)
	if b = tw.held(ana).Ballots[0]; !slices.Equal(b.Choices, []string{"Bomen", "Café"}) {
		t.Errorf("after closing: %+v", b)
	}
	if h := tw.held(cy); len(h.Ballots)+len(h.Replies)+len(h.Answers)+len(h.Gestures)+len(h.Reports) != 0 {
		t.Errorf("of somebody who did nothing: %+v", h)
	}
	must(t, tw.ForgetActor(t.Context(), ana))
	if h := tw.held(ana); len(h.Ballots)+len(h.Replies)+len(h.Gestures) != 0 {
		t.Errorf("after it was forgotten: %+v", h)
	}
	if h := tw.held(bo); len(h.Ballots) != 1 || len(h.Replies) != 1 {
		t.Errorf("of the other: %+v", h)
	}
}

func TestHeldIsGoneWithAWithdrawnBallot(t *testing.T) {
	tw := newTown(t)
	c := tw.publish(tw.draft(participation.SingleChoice, "Bomen", "Markthal"))
	tw.vote(c, ana, "1", "Bomen")
	must(t, tw.Delete(t.Context(), ana, ana+"#votes/1Bomen"))
	if h := tw.held(ana); h.Ballots != nil {
		t.Errorf("held: %+v", h)
	}
}

func TestDataTokens(t *testing.T) {
	tw := newTown(t)
	token := tw.DataToken(ana)
	if again := tw.DataToken(ana); again == token {
		t.Error("two tokens are the same")
	}
	tw.now = tw.now.Add(time.Hour)
	if actor, err := tw.DataActor(token); err != nil || actor != ana {
		t.Errorf("%q, %v", actor, err)
	}
	tw.now = tw.now.Add(2 * time.Second)
	if _, err := tw.DataActor(token); !errors.Is(err, participation.ErrExpired) {
		t.Errorf("after an hour: %v", err)
	}
	tw.now = tw.now.Add(-time.Hour)
	for i := range token {
		flipped := []byte(token)
		if flipped[i]++; !strings.Contains("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", string(flipped[i])) {
			continue
		}
		if actor, err := tw.DataActor(string(flipped)); !errors.Is(err, participation.ErrNotFound) {
			t.Fatalf("character %d changed: %q, %v", i, actor, err)
		}
	}
	waiting := tw.keys.Node().Seal([]byte("12345678"+ana), nil)
	for _, bad := range []string{"", "x", token + "=", token[:20], token + "\n", strings.Repeat("A", 10_000), string(waiting)} {
		if actor, err := tw.DataActor(bad); !errors.Is(err, participation.ErrNotFound) {
			t.Errorf("%.30q: %q, %v", bad, actor, err)
		}
	}
}
