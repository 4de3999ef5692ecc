package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"inspraak/simulation"
)

func TestNegativeOrigins(t *testing.T) {
	s := newSiege(t)
	none := simulation.SignOptions{}
	bobs := s.vote(s.bob, s.q1, "Ja")
	s.repels("N15 a colleague votes as bob", []int{403}, s.alice, bobs, none)
	s.repels("N15 a stranger votes as bob", []int{403}, s.eve, bobs, none)
	s.repels("N14b bob's vote with a linked-data signature of his, sent by eve", []int{403}, s.eve, altered(bobs, func(a, _ map[string]any) {
		a["signature"] = map[string]any{"type": "RsaSignature2017", "creator": s.bob.KeyID(), "created": "2026-09-01T08:00:00Z", "signatureValue": "AAAA"}
	}), none)
	for name, actor := range map[string]any{
		"object": map[string]any{"type": "Person", "id": s.bob.ID()}, "array": []any{s.bob.ID(), s.alice.ID()},
		"number": 7, "missing": nil,
	} {
		body := altered(bobs, func(a, _ map[string]any) {
			if a["actor"] = actor; actor == nil {
				delete(a, "actor")
			}
		})
		s.repels("N16 actor is "+name, []int{400}, s.bob, body, none)
	}
	q1 := s.node.get("/o/"+s.q1.ID, "application/activity+json").Body.String()
	forged := func(id string, counts any) []byte {
		return must2(json.Marshal(map[string]any{"@context": "https://www.w3.org/ns/activitystreams", "id": id, "type": "Update",
			"actor": s.eve.ID(), "object": map[string]any{"id": s.object(s.q1), "type": "Question", "attributedTo": s.node.actor(),
				"oneOf": []any{map[string]any{"type": "Note", "name": "Ja", "replies": map[string]any{"type": "Collection", "totalItems": counts}}}}}))(s.cluster)
	}
	s.repels("N17 Update of our Question", []int{403}, s.eve, forged(s.eve.ID()+"/up", 9999), none)
	s.repels("N17 negative counts", []int{403, 400}, s.eve, forged(s.eve.ID()+"/up", -1), none)
	s.repels("N17 Create of our Question", []int{403}, s.eve, altered(s.vote(s.eve, s.q1, "Ja"), func(_, o map[string]any) { o["id"] = s.object(s.q1) }), none)
	if now := s.node.get("/o/"+s.q1.ID, "application/activity+json").Body.String(); now != q1 {
		t.Error("N17: the Question changed")
	}
	note := must2(s.bob.Reply(t.Context(), s.object(s.q1), "<p>Mijn mening</p>", simulation.Public))(s.cluster)
	deletion := func(id, actor, object string) []byte {
		return must2(json.Marshal(map[string]any{"@context": "https://www.w3.org/ns/activitystreams", "id": id, "type": "Delete", "actor": actor, "object": object}))(s.cluster)
	}
	s.repels("N18 a colleague deletes bob's reply", []int{202, 403}, s.alice, deletion(s.alice.ID()+"#d", s.alice.ID(), note), none)
	s.repels("N18 an id that claims our host", []int{403}, s.eve, deletion(s.node.urls.Base+"/x", s.eve.ID(), s.object(s.q1)), none)
	s.repels("N18 our Question deleted", []int{403}, s.eve, deletion(s.eve.ID()+"#d", s.eve.ID(), s.object(s.q1)), none)
	s.repels("N18 bob's account deleted by eve", []int{403}, s.eve, deletion(s.eve.ID()+"#d", s.eve.ID(), s.bob.ID()), none)
	for name, change := range map[string]func(a, o map[string]any){
		"attributed to two":        func(_, o map[string]any) { o["attributedTo"] = []any{s.eve.ID(), s.bob.ID()} },
		"attributed to bob":        func(_, o map[string]any) { o["attributedTo"] = s.bob.ID() },
		"object on a third host":   func(_, o map[string]any) { o["id"] = "https://third.example/1" },
		"activity on another host": func(a, _ map[string]any) { a["id"] = "https://m1.example/1" },
		"no activity id":           func(a, _ map[string]any) { delete(a, "id") },
		"no object id":             func(_, o map[string]any) { delete(o, "id") },
	} {
		s.repels("N19 "+name, []int{403, 400}, s.eve, altered(s.vote(s.eve, s.q1, "Ja"), change), none)
	}
	s.repels("blocked server", []int{403}, s.blocked, s.vote(s.blocked, s.q1, "Ja"), none)
	if got := s.bad.Received(); len(got) != 0 {
		t.Errorf("the blocked server heard from us: %v", got)
	}
	s.repels("our own actor", []int{403}, s.eve, altered(s.vote(s.eve, s.q1, "Ja"), func(a, o map[string]any) {
		a["id"], a["actor"], o["id"], o["attributedTo"] = s.node.actor()+"#1", s.node.actor(), s.node.actor()+"#2", s.node.actor()
	}), none)
}

func TestNegativeVotes(t *testing.T) {
	s := newSiege(t)
	none := simulation.SignOptions{}
	ok := []int{202}
	uncounted := []string{"refused"}

	// N13, N23: the first vote stays, whatever follows.
	first := must2(s.bob.Request(t.Context(), http.MethodPost, s.node.urls.SharedInbox(), s.vote(s.bob, s.q1, "Ja"), none))(s.cluster)
	body := must2(first.GetBody())(s.cluster)
	raw := new(bytes.Buffer)
	must2(raw.ReadFrom(body))(s.cluster)
	replay := func() *http.Request {
		r := first.Clone(t.Context())
		r.Body = http.NoBody
		again := httptest.NewRequestWithContext(t.Context(), http.MethodPost, first.URL.String(), bytes.NewReader(raw.Bytes()))
		again.Header = r.Header
		return again
	}
	if status := s.send(replay()); status != 202 {
		t.Fatalf("a plain vote: %d", status)
	}
	s.row("N13 replayed", func() {
		before := s.node.fingerprint()
		for range 100 {
			if status := s.send(replay()); status != http.StatusAccepted {
				s.t.Fatalf("answered %d", status)
			}
		}
		s.unchanged(before)
	})
	for _, name := range []string{"Nee", "Ja"} {
		s.repels("N23 a second vote, "+name, ok, s.bob, s.vote(s.bob, s.q1, name), none, uncounted...)
	}
	// N24: names that no option has.
	for _, name := range []string{"ja", "Ja\u200b", strings.Repeat("J", 10<<10), "A"} {
		s.repels("N24 named "+name[:1], ok, s.alice, s.vote(s.alice, s.q1, name), none, uncounted...)
	}
	s.repels("N24 no name", ok, s.alice, altered(s.vote(s.alice, s.q1, "Ja"), func(_, o map[string]any) { delete(o, "name") }), none, uncounted...)
	s.repels("N24 empty name", ok, s.alice, altered(s.vote(s.alice, s.q1, "Ja"), func(_, o map[string]any) { o["name"] = "" }), none, uncounted...)
	// N25
	s.repels("N25 closed", ok, s.alice, s.vote(s.alice, s.q3, "Ja"), none, uncounted...)
	s.repels("N25 a poll of somebody else", ok, s.alice, altered(s.vote(s.alice, s.q1, "Ja"), func(_, o map[string]any) { o["inReplyTo"] = "https://m1.example/poll" }), none)
	s.repels("N25 a poll that is not there", ok, s.alice, altered(s.vote(s.alice, s.q1, "Ja"), func(_, o map[string]any) { o["inReplyTo"] = s.node.urls.Object("nothing") }), none)
	// N25: what was deleted before it came, and who has gone.
	early := s.vote(s.eve, s.q1, "Ja")
	s.deliver(s.eve, s.activity(s.eve.ID()+"#d", "Delete", s.eve.ID(), decodeJSON[struct{ Object struct{ ID string } }](t, early).Object.ID))
	s.repels("N25 its Delete came first", ok, s.eve, early, none, uncounted...)
	gone := s.m1.Account("gone")
	s.deliver(gone, s.activity(gone.ID()+"#l", "Like", gone.ID(), s.object(s.q1)))
	s.deliver(gone, s.activity(gone.ID()+"#d", "Delete", gone.ID(), gone.ID()))
	s.repels("N25 of an account that is gone", ok, gone, s.vote(gone, s.q1, "Ja"), none, append(uncounted, "peer", "peer_key")...)
	// N24: with content it is a reply.
	s.deliver(s.alice, altered(s.vote(s.alice, s.q1, "Ja"), func(_, o map[string]any) { o["content"] = "<p>Ja</p>" }))
	// N26
	array := func(n int, name string) []byte {
		return altered(s.vote(s.alice, s.q2, name), func(a, o map[string]any) {
			many := make([]any, n)
			for i := range many {
				twin := maps.Clone(o)
				twin["id"] = fmt.Sprintf("%s#votes/%d", s.alice.ID(), i)
				many[i] = twin
			}
			a["object"] = many
		})
	}
	s.repels("N26 no objects", []int{202, 400}, s.alice, array(0, "A"), none)
	s.repels("N26 101 objects", []int{400}, s.alice, array(101, "A"), none)
	s.deliver(s.alice, array(2, "A"))
	s.deliver(s.alice, s.vote(s.alice, s.q2, "B"))

	// N24 with blanks and NFD, which servers produce, counts.
	s.deliver(s.alice, s.vote(s.alice, s.q1, " Cafe\u0301 "))

	s.wait(25 * time.Hour)
	s.settle()
	if r := s.node.result(s.q1); r.Turnout != 2 || !slices.Equal(r.Counts, []int{1, 0, 1}) {
		t.Errorf("q1: turnout %d, counts %v; want 2, [1 0 1]", r.Turnout, r.Counts)
	}
	if r := s.node.result(s.q2); r.Turnout != 1 || !slices.Equal(r.Counts, []int{1, 1, 0}) {
		t.Errorf("q2: turnout %d, counts %v; want 1, [1 1 0]", r.Turnout, r.Counts)
	}
	s.repelsRequest("N13 replayed later", []int{401}, replay())
}
