package main

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"inspraak/participation"
	"inspraak/simulation"
)

// siege is a node with an open single choice, an open multiple choice and a
// closed one, citizens on one server, an attacker on another and a blocked
// server. Every attack goes to both inboxes, and the whole database is compared
// before and after.
type siege struct {
	*cluster
	node          *testNode
	q1, q2, q3    participation.Consultation
	bob, alice    *simulation.Account
	eve, blocked  *simulation.Account
	m1, evil, bad *simulation.Server
}

func newSiege(t *testing.T) *siege {
	c := newCluster(t)
	s := &siege{cluster: c, node: c.node("node.example", "consult")}
	s.q3 = s.node.publish("q3", participation.SingleChoice, participation.AtClose, "Ja", "Nee")
	s.wait(25 * time.Hour)
	s.settle()
	s.q1 = s.node.publish("q1", participation.SingleChoice, participation.AtClose, "Ja", "Nee", "Café")
	s.q2 = s.node.publish("q2", participation.MultipleChoice, participation.AtClose, "A", "B", "C")
	s.m1, s.evil, s.bad = s.server(simulation.Mastodon, "m1.example"), s.server(simulation.Mastodon, "evil.example"), s.server(simulation.Mastodon, "blocked.example")
	s.bob, s.alice, s.eve, s.blocked = s.m1.Account("bob"), s.m1.Account("alice"), s.evil.Account("eve"), s.bad.Account("mallory")
	for _, who := range []*simulation.Account{s.bob, s.alice, s.eve} { // their keys are known
		must2(who.Follow(t.Context(), s.node.actor()))(c)
	}
	s.settle()
	c.must(s.node.Service.Block(t.Context(), "blocked.example", "spam"))
	return s
}

func (s *siege) object(c participation.Consultation) string { return s.node.object(c) }

// vote is the body of a vote by who.
func (s *siege) vote(who *simulation.Account, in participation.Consultation, name string) []byte {
	return who.VoteActivities(s.object(in), s.node.actor(), name)[0]
}

// altered changes a JSON body.
func altered(body []byte, change func(activity, object map[string]any)) []byte {
	var activity map[string]any
	if err := json.Unmarshal(body, &activity); err != nil {
		panic(err)
	}
	object, _ := activity["object"].(map[string]any)
	change(activity, object)
	out, err := json.Marshal(activity)
	if err != nil {
		panic(err)
	}
	return out
}

// send delivers a request to the node and returns the status answered.
func (s *siege) send(r *http.Request) int {
	s.t.Helper()
	in := r.Clone(s.t.Context())
	in.RequestURI, in.RemoteAddr = r.URL.RequestURI(), "192.0.2.9:1234"
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	w := httptest.NewRecorder()
	s.node.Handler.ServeHTTP(w, in)
	return w.Code
}

// row runs one row of the table as a subtest, so that it is found by its number.
func (s *siege) row(name string, f func()) {
	s.t.Helper()
	outer := s.t
	outer.Run(name, func(t *testing.T) {
		s.t = t
		defer func() { s.t = outer }()
		f()
	})
}

// repels is a row: a request is answered with one of want on both inboxes and
// leaves the database as it was, but for the exempt tables.
func (s *siege) repels(row string, want []int, by *simulation.Account, body []byte, o simulation.SignOptions, exempt ...string) {
	s.t.Helper()
	s.row(row, func() {
		for _, inbox := range s.inboxes() {
			r, err := by.Request(s.t.Context(), http.MethodPost, inbox, body, o)
			s.must(err)
			s.repelled(want, r, exempt...)
		}
	})
}

// inboxes are the shared one and that of the channel.
func (s *siege) inboxes() []string {
	return []string{s.node.urls.SharedInbox(), s.node.actor() + "/inbox"}
}

// repelsRequest is a row of one request, which needs no inbox of ours.
func (s *siege) repelsRequest(row string, want []int, r *http.Request, exempt ...string) {
	s.t.Helper()
	s.row(row, func() { s.repelled(want, r, exempt...) })
}

// repelled asserts what repels says of one request.
func (s *siege) repelled(want []int, r *http.Request, exempt ...string) {
	s.t.Helper()
	before := s.node.fingerprint()
	if status := s.send(r); !slices.Contains(want, status) {
		s.t.Errorf("%s: answered %d, want %v", r.URL.Path, status, want)
	}
	s.unchanged(before, exempt...)
}

// unchanged asserts that the database is as it was, but for the exempt tables.
func (s *siege) unchanged(before map[string]string, exempt ...string) {
	s.t.Helper()
	after := s.node.fingerprint()
	for table := range after {
		if before[table] != after[table] && !slices.Contains(exempt, table) {
			s.t.Errorf("table %s changed from %s to %s", table, before[table], after[table])
		}
	}
	if !slices.Equal(slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after))) {
		s.t.Error("tables came or went")
	}
}

// deliver sends what must be accepted.
func (s *siege) deliver(by *simulation.Account, body []byte) {
	s.t.Helper()
	r := must2(by.Request(s.t.Context(), http.MethodPost, s.node.urls.SharedInbox(), body, simulation.SignOptions{}))(s.cluster)
	if status := s.send(r); status != http.StatusAccepted {
		s.t.Fatalf("answered %d to what is fine: %s", status, body)
	}
}
