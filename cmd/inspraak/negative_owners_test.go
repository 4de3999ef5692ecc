package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"inspraak/participation"
	"inspraak/simulation"
)

// shown makes a server show a document at one of its addresses.
func (s *siege) shown(at *simulation.Server, address string, document any) {
	s.t.Helper()
	serve(at, address, simulation.Override{ContentType: "application/activity+json", Body: must2(json.Marshal(document))(s.cluster)})
}

// N14, N40: a key is its owner's when the owner's document, at its own address,
// lists it, and what that document says of other hosts is not kept.
func TestNegativeOwners(t *testing.T) {
	s := newSiege(t)
	document := func(who *simulation.Account) map[string]any {
		return decodeJSON[map[string]any](t, must2(who.Document())(s.cluster))
	}
	key := func(who *simulation.Account) map[string]any { return document(who)["publicKey"].(map[string]any) }

	// The document at a key's address is another key of the same owner's.
	owner := s.evil.Account("owner")
	doc, bare := document(owner), key(owner)
	at := s.evil.Base() + "/keys/1"
	bare["id"] = at
	doc["publicKey"] = bare
	s.shown(s.evil, owner.ID(), doc)
	other := key(owner)
	other["id"] = s.evil.Base() + "/keys/2"
	s.shown(s.evil, at, other)
	s.repels("N14 another key at the key's address", []int{401}, owner, s.vote(owner, s.q1, "Ja"), simulation.SignOptions{KeyID: at})

	// x says it is y, and y says it is z: z's document is what counts, and was not seen.
	x, y, z := s.evil.Account("x"), s.evil.Account("y"), s.evil.Account("z")
	xs, ys := document(x), document(y)
	xs["id"] = y.ID()
	s.shown(s.evil, x.ID(), xs)
	ys["id"], ys["inbox"] = z.ID(), z.Inbox()
	ys["publicKey"] = map[string]any{"id": x.KeyID(), "owner": z.ID(), "publicKeyPem": key(x)["publicKeyPem"]}
	s.shown(s.evil, y.ID(), ys)
	s.repels("N40 a document that says it is a third", []int{401}, x, s.vote(z, s.q1, "Ja"), simulation.SignOptions{})

	// A document that claims a neighbour's key, and another's shared inbox.
	carol, thief := s.m1.Account("carol"), s.evil.Account("thief")
	stolen := document(thief)
	claimed := key(thief)
	claimed["id"] = carol.KeyID()
	stolen["publicKey"] = []any{key(thief), claimed}
	stolen["endpoints"] = map[string]any{"sharedInbox": "https://m1.example/inbox"}
	s.shown(s.evil, thief.ID(), stolen)
	s.deliver(thief, s.vote(thief, s.q1, "Ja"))
	if peer, err := s.node.DB.PeerByKey(t.Context(), carol.KeyID()); !errors.Is(err, participation.ErrNotFound) {
		t.Errorf("N40: carol's key is said to be %s's: %v", peer.Actor, err)
	}
	if peer := must2(s.node.DB.Peer(t.Context(), thief.ID()))(s.cluster); peer.SharedInbox != "" {
		t.Errorf("N40: %s receives at %s", peer.Actor, peer.SharedInbox)
	}
	s.deliver(carol, s.vote(carol, s.q1, "Ja"))
	s.closeAll()
	s.final(2)
}

// N15, N19: what somebody else passes on is only what its origin says, and never
// a vote.
func TestNegativeForwarded(t *testing.T) {
	s := newSiege(t)
	none := simulation.SignOptions{}
	const id = "https://m1.example/users/bob/statuses/9"
	for _, kind := range []string{"Follow", "Like", "EmojiReact", "Announce", "Undo", "Flag", "Block", "Move", "QuoteRequest", "Accept"} {
		for name, object := range map[string]string{"our question": s.object(s.q1), "our channel": s.node.actor(), "a post of bob's": id} {
			s.repels("N15 "+kind+" of "+name, []int{403}, s.alice, s.activity(s.bob.ID()+"#f", kind, s.bob.ID(), object), none)
		}
	}
	reply := map[string]any{"id": id, "type": "Note", "attributedTo": s.bob.ID(), "inReplyTo": s.object(s.q1), "content": "<p>x</p>",
		"to": []string{"https://www.w3.org/ns/activitystreams#Public"}}
	with := func(name string, value any) map[string]any {
		changed := map[string]any{}
		for k, v := range reply {
			changed[k] = v
		}
		if changed[name] = value; value == nil {
			delete(changed, name)
		}
		return changed
	}
	vote := with("content", nil)
	vote["name"] = "Ja"
	for name, origin := range map[string]any{
		"N15 its origin shows a vote":              vote,
		"N19 its origin shows another":             with("id", id+"0"),
		"N19 its origin attributes it to eve":      with("attributedTo", s.eve.ID()),
		"N19 its origin attributes it to nobody":   with("attributedTo", nil),
		"N19 its origin shows an answer elsewhere": with("inReplyTo", "https://m1.example/1"),
	} {
		s.shown(s.m1, id, origin)
		s.repels(name, []int{202}, s.eve, s.activity(id+"/activity", "Create", s.bob.ID(), reply), none)
	}
	for name, o := range map[string]simulation.Override{
		"N15 its origin does not know it": {Status: http.StatusNotFound},
		"N41 its origin shows a page":     {ContentType: "text/html", Body: must2(json.Marshal(reply))(s.cluster)},
	} {
		s.wait(10 * time.Minute)
		serve(s.m1, id, o)
		s.repels(name, []int{202}, s.eve, s.activity(id+"/activity", "Create", s.bob.ID(), reply), none)
	}
}
