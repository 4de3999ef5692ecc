package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"inspraak/activitypub/signature"
	"inspraak/participation"
	"inspraak/simulation"
)

func TestQuotesAreAllowed(t *testing.T) {
	s := newSiege(t)
	note := must2(s.bob.RequestQuote(t.Context(), s.object(s.q1), "<p>Doe mee!</p>"))(s.cluster)
	s.settle()
	if !s.m1.QuoteApproved(note) {
		t.Error("the quote was not approved")
	}
	post := must2(s.node.Service.Announce(t.Context(), s.q1.ID, participation.Notice, "Nog een week."))(s.cluster)
	s.settle()
	note = must2(s.bob.RequestQuote(t.Context(), s.node.urls.Object(post.ID), "<p>Nog een week!</p>"))(s.cluster)
	s.settle()
	if !s.m1.QuoteApproved(note) {
		t.Error("the quote of a notice was not approved")
	}
}

// What somebody else forwards is fetched where it lives, and only that counts.
func TestForwardedIsFetchedAtItsOrigin(t *testing.T) {
	s := newSiege(t)
	thread := must2(s.bob.Reply(t.Context(), s.object(s.q1), "<p>Mijn mening</p>", simulation.Public))(s.cluster)
	// Alice answers bob without mentioning us; eve's server passes it on, altered.
	answer := must2(s.alice.Post(t.Context(), "<p>Waarom?</p>", simulation.Public))(s.cluster)
	kept, _ := s.m1.Note(answer)
	object := decodeJSON[map[string]any](t, kept.Document())
	object["inReplyTo"] = thread
	served := must2(json.Marshal(object))(s.cluster)
	s.m1.SetDocument(strings.TrimPrefix(answer, s.m1.Base()), simulation.Override{ContentType: "application/activity+json", Body: served})
	object["content"] = "<p>Koop nu!</p>"
	create := map[string]any{"@context": "https://www.w3.org/ns/activitystreams", "id": answer + "/activity", "type": "Create",
		"actor": s.alice.ID(), "object": object}
	s.deliver(s.eve, must2(json.Marshal(create))(s.cluster))
	r := must2(s.node.Service.Reply(t.Context(), answer))(s.cluster)
	if !strings.Contains(r.HTML, "Waarom?") || r.Author.ID != s.alice.ID() {
		t.Errorf("kept %q by %s", r.HTML, r.Author.ID)
	}
	// A forwarded Delete counts when the origin says gone, and not before.
	deletion := must2(json.Marshal(map[string]any{"@context": "https://www.w3.org/ns/activitystreams", "id": answer + "#delete",
		"type": "Delete", "actor": s.alice.ID(), "object": answer}))(s.cluster)
	s.deliver(s.eve, deletion)
	if _, err := s.node.Service.Reply(t.Context(), answer); err != nil {
		t.Errorf("deleted on a stranger's word: %v", err)
	}
	s.m1.SetDocument(strings.TrimPrefix(answer, s.m1.Base()), simulation.Override{Status: http.StatusGone})
	s.deliver(s.eve, deletion)
	if _, err := s.node.Service.Reply(t.Context(), answer); err == nil {
		t.Error("gone at its origin, and still here")
	}
	// What concerns none of our threads makes us call nobody.
	var calls atomic.Int64
	s.network.Join("third.example", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
	stranger := func(parent string) []byte {
		return must2(json.Marshal(map[string]any{"id": "https://third.example/1/activity", "type": "Create", "actor": "https://third.example/u",
			"object": map[string]any{"id": "https://third.example/1", "type": "Note", "attributedTo": "https://third.example/u",
				"inReplyTo": parent, "content": "x"}}))(s.cluster)
	}
	s.deliver(s.eve, stranger("https://fourth.example/1"))
	if calls.Load() != 0 {
		t.Error("a stranger made us call another server")
	}
	s.deliver(s.eve, stranger(s.object(s.q1)))
	if calls.Load() == 0 {
		t.Error("a forwarded reply to our question was not fetched")
	}
}

func TestAccountsComeAndGo(t *testing.T) {
	s := newSiege(t)
	followers := func() int { return must2(s.node.DB.Followers(t.Context(), "consult"))(s.cluster) }
	if n := followers(); n != 3 {
		t.Fatalf("%d followers, want 3", n)
	}
	must2(s.alice.Unfollow(t.Context(), s.node.actor()))(s.cluster)
	must2(s.eve.Block(t.Context(), s.node.actor()))(s.cluster)
	if n := followers(); n != 1 {
		t.Errorf("%d followers after an Undo and a Block, want 1", n)
	}
	must2(s.alice.Follow(t.Context(), s.node.actor()))(s.cluster)
	must2(s.alice.Follow(t.Context(), s.node.actor()))(s.cluster) // a repeated Follow is accepted again
	s.settle()
	if n := followers(); n != 2 || !s.m1.Following("alice", s.node.actor()) {
		t.Errorf("%d followers after a repeated Follow, want 2", n)
	}
	s.deliver(s.bob, s.vote(s.bob, s.q1, "Ja"))
	s.deliver(s.alice, s.vote(s.alice, s.q1, "Nee"))
	must2(s.bob.Reply(t.Context(), s.object(s.q1), "<p>Mijn mening</p>", simulation.Public))(s.cluster)
	must2(s.bob.Like(t.Context(), s.object(s.q1)))(s.cluster)
	must2(s.bob.DeleteAccount(t.Context()))(s.cluster)
	if n := followers(); n != 1 {
		t.Errorf("%d followers after an account was deleted, want 1", n)
	}
	if page := s.node.get("/consultations/q1/replies", "text/html").Body.String(); strings.Contains(page, "Mijn mening") {
		t.Error("the reply of a deleted account is still shown")
	}
	s.wait(25 * time.Hour)
	s.settle()
	if r := s.node.result(s.q1); r.Turnout != 1 || r.Counts[0] != 0 || r.Likes != 0 {
		t.Errorf("turnout %d, counts %v, likes %d after the account was deleted", r.Turnout, r.Counts, r.Likes)
	}
}

// A key that was renewed at its server is fetched once more; the vote counts.
func TestRenewedKey(t *testing.T) {
	s := newSiege(t)
	s.bob.SetKey(must2(signature.GenerateKey())(s.cluster))
	s.deliver(s.bob, s.vote(s.bob, s.q1, "Ja"))
	s.bob.SetKey(must2(signature.GenerateKey())(s.cluster)) // again within five minutes: refused, so that nobody makes us fetch in a loop
	s.repels("renewed too often", []int{401}, s.bob, s.vote(s.bob, s.q2, "A"), simulation.SignOptions{})
	s.wait(6 * time.Minute)
	s.deliver(s.bob, s.vote(s.bob, s.q2, "A"))
}

// A tootik user takes a vote back and casts another.
func TestVoteIsTakenBack(t *testing.T) {
	s := newSiege(t)
	who := s.server(simulation.Tootik, "tootik.example").Account("tina")
	must2(who.Vote(t.Context(), s.object(s.q1), "Ja"))(s.cluster)
	s.must(who.WithdrawVote(t.Context(), s.object(s.q1), "Ja"))
	must2(who.Vote(t.Context(), s.object(s.q1), "Nee"))(s.cluster)
	s.wait(25 * time.Hour)
	s.settle()
	if r := s.node.result(s.q1); r.Turnout != 1 || r.Counts[0] != 0 || r.Counts[1] != 1 || r.Refused[participation.Withdrawals] != 1 {
		t.Errorf("turnout %d, counts %v, refused %v", r.Turnout, r.Counts, r.Refused)
	}
}

// After a withdrawal every address of the consultation is gone, and other
// servers are told.
func TestWithdrawnIsGone(t *testing.T) {
	s := newSiege(t)
	s.must(s.node.Service.Withdraw(t.Context(), s.q1.ID, "Het plan is van de baan"))
	s.settle()
	for _, path := range []string{"/o/" + s.q1.ID, "/consultations/q1", "/o/" + s.q1.ID + "/replies"} {
		if w := s.node.get(path, "application/activity+json"); w.Code != http.StatusGone || !bytes.Contains(w.Body.Bytes(), []byte("Tombstone")) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if w := s.node.get("/consultations/q1", "text/html"); w.Code != http.StatusGone || !strings.Contains(w.Body.String(), "Het plan is van de baan") {
		t.Errorf("the page: %d", w.Code)
	}
	if _, still := s.m1.Poll(s.object(s.q1)); still {
		t.Error("a follower's server still shows the poll")
	}
	s.repels("a vote in a withdrawn consultation", []int{202}, s.bob, s.vote(s.bob, s.q1, "Ja"), simulation.SignOptions{}, "refused")
}

// A key that is gone proves that its own account is gone, and nobody else's.
func TestGoneKeyDeletesNobodyElse(t *testing.T) {
	s := newSiege(t)
	s.deliver(s.bob, s.vote(s.bob, s.q1, "Ja"))
	deletion := must2(json.Marshal(map[string]any{"@context": "https://www.w3.org/ns/activitystreams", "id": s.bob.ID() + "#delete",
		"type": "Delete", "actor": s.bob.ID(), "object": s.bob.ID()}))(s.cluster)
	for _, server := range []*simulation.Server{s.evil, s.m1} {
		dead := server.Account("dead")
		server.SetDocument(strings.TrimPrefix(dead.ID(), server.Base()), simulation.Override{Status: http.StatusGone})
		s.repels("a gone account deletes bob", []int{202, 401, 403}, dead, deletion, simulation.SignOptions{})
	}
	// Bob's own server says 410: now it is so, whoever brings the message.
	s.m1.SetDocument(strings.TrimPrefix(s.bob.ID(), s.m1.Base()), simulation.Override{Status: http.StatusGone})
	s.wait(7 * time.Hour) // past what was remembered of earlier answers
	s.bob.SetKey(must2(signature.GenerateKey())(s.cluster))
	s.deliver(s.bob, deletion)
	if n := must2(s.node.DB.Followers(t.Context(), "consult"))(s.cluster); n != 2 {
		t.Errorf("%d followers after bob's account was deleted, want 2", n)
	}
}
