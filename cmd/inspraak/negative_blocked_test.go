package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"inspraak/simulation"
)

// visits are the addresses that were fetched from a host.
type visits struct {
	mu    sync.Mutex
	paths []string
}

// watch puts a handler under a host and remembers what is fetched from there.
func (s *siege) watch(host string, h http.Handler) *visits {
	v := &visits{}
	s.network.Join(host, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			v.mu.Lock()
			v.paths = append(v.paths, r.RequestURI)
			v.mu.Unlock()
		}
		h.ServeHTTP(w, r)
	}))
	return v
}

// take returns what was fetched since it was last asked.
func (v *visits) take() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	paths := v.paths
	v.paths = nil
	return paths
}

// activity writes an activity by hand.
func (s *siege) activity(id, kind, actor string, object any) []byte {
	s.t.Helper()
	return must2(json.Marshal(map[string]any{"@context": "https://www.w3.org/ns/activitystreams", "id": id, "type": kind,
		"actor": actor, "object": object}))(s.cluster)
}

// N20: a block holds however the server spells itself, at every entrance, and
// nothing is fetched from there to find out.
func TestNegativeBlocked(t *testing.T) {
	s := newSiege(t)
	none := simulation.SignOptions{}
	s.must(s.node.Service.Block(t.Context(), "xn--gemente-bhg.example", "spam"))
	fetched := map[string]*visits{}
	for _, host := range []string{"blocked.example", "BLOCKED.example", "blocked.example.", "blocked.example:443", "blocked.example:8443",
		"sub.blocked.example", "xn--gemente-bhg.example", "gemeеnte.example", "ｂlocked.example"} {
		fetched[host] = s.watch(host, s.bad)
	}
	refused := []int{400, 401, 403}
	mallory := s.vote(s.blocked, s.q1, "Ja")
	s.repels("N20 as it is", []int{403}, s.blocked, mallory, none)
	s.repels("N20 an embedded actor", refused, s.blocked, altered(mallory, func(a, _ map[string]any) {
		a["actor"] = map[string]any{"type": "Person", "id": a["actor"]}
	}), none)
	for host := range fetched {
		spelt := func(body []byte) []byte {
			return []byte(strings.ReplaceAll(string(body), "https://blocked.example/", "https://"+host+"/"))
		}
		key := string(spelt([]byte(s.blocked.KeyID())))
		s.repels("N20 spelt "+host, refused, s.blocked, spelt(mallory), simulation.SignOptions{KeyID: key})
		s.repels("N20 only the key spelt "+host, refused, s.blocked, s.vote(s.bob, s.q1, "Ja"), simulation.SignOptions{KeyID: key})
		s.repels("N20 only the actor spelt "+host, refused, s.bob, spelt(mallory), none)
	}
	note := s.blocked.ID() + "/statuses/1"
	s.repels("N20 announced by another", []int{202}, s.bob, s.activity(s.bob.ID()+"#a", "Announce", s.bob.ID(), note), none)
	s.repels("N20 a Create announced by another", []int{202}, s.bob,
		s.activity(s.bob.ID()+"#b", "Announce", s.bob.ID(), json.RawMessage(mallory)), none)
	s.repels("N20 named by another's Create", []int{403}, s.bob, s.activity(s.bob.ID()+"#c", "Create", s.bob.ID(), note), none)
	s.repels("N20 a reply forwarded by another", []int{403}, s.bob,
		s.blocked.ReplyActivity(s.object(s.q1), s.node.actor(), "<p>Koop nu</p>", simulation.Public), none)
	for _, kind := range []string{"Create", "Update", "Delete", "Like", "Announce", "Follow", "Undo", "Flag", "Move", "QuoteRequest", "Block"} {
		for name, object := range map[string]any{"an unknown note": note, "our question": s.object(s.q1), "itself": s.blocked.ID()} {
			s.repels("N20 "+kind+" of "+name, []int{403}, s.blocked, s.activity(s.blocked.ID()+"#d", kind, s.blocked.ID(), object), none)
		}
	}
	// An account alone may be blocked.
	s.must(s.node.Service.Block(t.Context(), s.eve.ID(), "spam"))
	s.repels("N20 a blocked account", []int{403}, s.eve, s.vote(s.eve, s.q1, "Ja"), none)
	for host, v := range fetched {
		if paths := v.take(); len(paths) > 0 {
			t.Errorf("N20: fetched from %s: %q", host, paths)
		}
	}
}

// N21: whoever is written in many ways votes once. The server answers every
// spelling with the same document.
func TestNegativeSpelling(t *testing.T) {
	s := newSiege(t)
	document := must2(s.bob.Document())(s.cluster)
	anything := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/activity+json")
		_, _ = w.Write(document)
	})
	for _, host := range []string{"m1.example", "M1.example", "m1.example:443", "m1.example."} {
		s.network.Join(host, anything)
	}
	vote := s.vote(s.bob, s.q1, "Ja")
	id := s.bob.ID()
	for name, spelt := range map[string]string{
		"a slash":         id + "/",
		"capitals":        "HTTPS://M1.example/users/bob",
		"scheme capitals": strings.Replace(id, "https:", "HTTPS:", 1),
		"host capitals":   strings.Replace(id, "m1", "M1", 1),
		"a port":          strings.Replace(id, "m1.example", "m1.example:443", 1),
		"an empty port":   strings.Replace(id, "m1.example", "m1.example:", 1),
		"a final dot":     strings.Replace(id, "m1.example", "m1.example.", 1),
		"a dot":           strings.Replace(id, "/bob", "/./bob", 1),
		"a double slash":  strings.Replace(id, "/users", "//users", 1),
		"a percent sign":  strings.Replace(id, "/bob", "/%62ob", 1),
		"path capitals":   strings.Replace(id, "/bob", "/Bob", 1),
		"a fragment":      id + "#x",
		"a query":         id + "?a=1",
		"an empty query":  id + "?",
		"plain http":      strings.Replace(id, "https:", "http:", 1),
		"a user":          strings.Replace(id, "m1", "u:p@m1", 1),
		"a blank":         " " + id,
	} {
		s.wait(61 * time.Second) // ten failed fetches a minute and address
		for whose, key := range map[string]string{"its own": spelt + "#main-key", "bob's": s.bob.KeyID()} {
			body := []byte(strings.ReplaceAll(string(vote), id, spelt))
			s.repels("N21 "+name+" and "+whose+" key", []int{400, 401, 403}, s.bob, body, simulation.SignOptions{KeyID: key})
			// Only the actor is spelt otherwise, so that the ids are those of a vote.
			body = altered(vote, func(a, o map[string]any) { a["actor"], o["attributedTo"] = spelt, spelt })
			s.repels("N21 "+name+" as actor alone and "+whose+" key", []int{400, 401, 403}, s.bob, body, simulation.SignOptions{KeyID: key})
		}
	}
	s.deliver(s.bob, vote)
	s.closeAll()
	s.final(1)
}

// N22: a host in punycode and in letters is one host, and only the former is
// taken.
func TestNegativeIDN(t *testing.T) {
	s := newSiege(t)
	const punycode, letters = "xn--bcher-kva.example", "bücher.example"
	one := s.server(simulation.Mastodon, punycode).Account("ina")
	two := s.server(simulation.Mastodon, letters).Account("ina")
	s.deliver(one, s.vote(one, s.q1, "Ja"))
	for name, spelt := range map[string]string{"in letters": letters, "in capitals": "BÜCHER.example", "escaped": "b%C3%BCcher.example", "decomposed": "bu\u0308cher.example"} {
		body := []byte(strings.ReplaceAll(string(s.vote(two, s.q1, "Nee")), letters, spelt))
		s.repels("N22 "+name, []int{400, 401}, two, body, simulation.SignOptions{})
		s.repels("N22 "+name+", the key in punycode", []int{400}, one, body, simulation.SignOptions{})
		s.repels("N22 only the key "+name, []int{401}, two, s.vote(one, s.q1, "Nee"),
			simulation.SignOptions{KeyID: strings.ReplaceAll(two.KeyID(), letters, spelt)})
	}
	s.closeAll()
	s.final(1)
}

// N53: an activity's id is its sender's to choose and proves nothing: whoever
// takes somebody else's cannot keep that vote out.
func TestNegativeSquatting(t *testing.T) {
	s := newSiege(t)
	none := simulation.SignOptions{}
	bobs := s.vote(s.bob, s.q1, "Ja")
	id := decodeJSON[struct{ ID string }](t, bobs).ID
	object := decodeJSON[struct{ Object struct{ ID string } }](t, bobs).Object.ID
	taken := func(who *simulation.Account, name string) []byte {
		return altered(s.vote(who, s.q1, name), func(a, _ map[string]any) { a["id"] = id })
	}
	s.repels("N53 eve comes first with the id", []int{403}, s.eve, taken(s.eve, "Nee"), none)
	s.repels("N53 eve takes the object's id", []int{403}, s.eve, altered(s.vote(s.eve, s.q1, "Nee"), func(_, o map[string]any) { o["id"] = object }), none)
	s.deliver(s.alice, s.activity(s.alice.ID()+"#d", "Delete", s.alice.ID(), object)) // a neighbour's Delete before the vote
	s.deliver(s.alice, taken(s.alice, "Nee"))                                         // on bob's own server: a vote of alice's
	own := s.vote(s.eve, s.q1, "Nee")
	s.deliver(s.eve, own)
	second := altered(s.vote(s.eve, s.q2, "A"), func(a, _ map[string]any) { a["id"] = decodeJSON[struct{ ID string }](t, own).ID })
	s.deliver(s.eve, second) // an id seen before is no reason to drop what is new
	s.deliver(s.bob, bobs)
	s.closeAll()
	if r := s.final(3); fmt.Sprint(r.Counts) != "[1 2 0]" {
		t.Errorf("N53: counts %v, want [1 2 0]", r.Counts)
	}
	if r := s.node.result(s.q2); r.Turnout != 1 {
		t.Errorf("N53: turnout %d of the second question, want 1", r.Turnout)
	}
}
