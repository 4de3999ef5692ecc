package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"inspraak/activitypub/signature"
	"inspraak/participation"
	"inspraak/simulation"
)

// post signs a delivery to the shared inbox.
func (s *siege) post(by *simulation.Account, body []byte) *http.Request {
	s.t.Helper()
	return must2(by.Request(s.t.Context(), http.MethodPost, s.node.urls.SharedInbox(), body, simulation.SignOptions{}))(s.cluster)
}

// sendFrom delivers a request from an address of the sender's own, since what
// cannot be verified is limited per address, and returns the status answered.
func (s *siege) sendFrom(ip string, r *http.Request) int {
	s.t.Helper()
	return answerOf(s.node.Handler, ip, r)
}

func answerOf(h http.Handler, ip string, r *http.Request) int {
	in := r.Clone(r.Context())
	in.RequestURI, in.RemoteAddr = r.URL.RequestURI(), ip+":1234"
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, in)
	return w.Code
}

// serve makes a server answer a GET of one of its own addresses in another way.
func serve(at *simulation.Server, address string, o simulation.Override) {
	at.SetDocument(strings.TrimPrefix(address, at.Base()), o)
}

// closeAll waits until the open consultations are closed and counted.
func (s *siege) closeAll() {
	s.t.Helper()
	s.wait(25 * time.Hour)
	s.settle()
}

// final is the result of q1, which must be final, with a turnout and nothing refused.
func (s *siege) final(turnout int) participation.Result {
	s.t.Helper()
	r := s.node.result(s.q1)
	if !r.Final || r.Turnout != turnout || len(r.Refused) != 0 {
		s.t.Errorf("final %v, turnout %d, refused %v; want %d votes and none refused", r.Final, r.Turnout, r.Refused, turnout)
	}
	return r
}

// Many votes of one server that is down, from one address: rounds of retries
// that fail use nothing up, and none is lost.
func TestNoWaitingVoteIsLost(t *testing.T) {
	s := newSiege(t)
	slow := s.server(simulation.Mastodon, "slow.example")
	slow.SetFault(simulation.Fault{KeyStatus: http.StatusServiceUnavailable})
	const votes = 30
	for i := range votes {
		if i%8 == 0 {
			s.wait(61 * time.Second) // ten failed fetches a minute and address
		}
		who := slow.Account(fmt.Sprintf("v%d", i))
		if status := s.sendFrom("192.0.2.77", s.post(who, s.vote(who, s.q1, "Ja"))); status != http.StatusAccepted {
			t.Fatalf("vote %d: answered %d", i, status)
		}
	}
	for range 3 {
		s.wait(10 * time.Minute)
		must2(s.node.Federation.RetryWaiting(t.Context()))(s.cluster)
		if n := s.waiting(s.q1); n != votes {
			t.Fatalf("%d wait while their server is down, want %d", n, votes)
		}
	}
	slow.SetFault(simulation.Fault{})
	s.closeAll()
	s.final(votes)
}

// Whoever makes up key ids on an honest server pays for it himself: voters of
// that server are verified at once, and at closing too.
func TestMadeUpKeysCostTheirSender(t *testing.T) {
	s := newSiege(t)
	made := 0
	attack := func() {
		for range 10 {
			made++
			r := s.post(s.eve, s.vote(s.eve, s.q1, "Ja"))
			key := fmt.Sprintf("https://m1.example/users/none%d#main-key", made)
			r.Header.Set("Signature", strings.ReplaceAll(r.Header.Get("Signature"), s.eve.KeyID(), key))
			if status := s.sendFrom("198.51.100.66", r); status != http.StatusUnauthorized {
				t.Fatalf("a made-up key: answered %d", status)
			}
		}
		neighbour := s.m1.Account("neighbour")
		if status := s.sendFrom("198.51.100.66", s.post(neighbour, s.vote(neighbour, s.q1, "Ja"))); status != http.StatusTooManyRequests {
			t.Errorf("the sender's address after ten made-up keys: answered %d", status)
		}
	}
	attack()
	honest := s.m1.Account("honest")
	if status := s.sendFrom("192.0.2.80", s.post(honest, s.vote(honest, s.q1, "Ja"))); status != http.StatusAccepted || s.waiting(s.q1) != 0 {
		t.Errorf("an honest vote: answered %d, %d waiting; want 202 and none", status, s.waiting(s.q1))
	}
	s.wait(s.q1.Deadline().Sub(s.clock()) + 10*time.Second)
	attack()
	s.settle()
	s.final(1)
}

// What the voter's server answers to the fetch of the key decides: gone and not
// found are the end of it, anything that may pass makes the vote wait.
func TestAnswersToAKeyFetch(t *testing.T) {
	s := newSiege(t)
	for _, status := range []int{http.StatusGone, http.StatusNotFound} {
		who := s.m1.Account(fmt.Sprintf("k%d", status))
		serve(s.m1, who.ID(), simulation.Override{Status: status})
		s.repels(fmt.Sprintf("key answered %d", status), []int{401}, who, s.vote(who, s.q1, "Ja"), simulation.SignOptions{})
	}
	passing := []int{401, 403, 408, 429, 500, 503}
	for i, status := range passing {
		who := s.m1.Account(fmt.Sprintf("k%d", status))
		serve(s.m1, who.ID(), simulation.Override{Status: status})
		if got := s.sendFrom("192.0.2.82", s.post(who, s.vote(who, s.q1, "Ja"))); got != http.StatusAccepted || s.waiting(s.q1) != i+1 {
			t.Errorf("key answered %d: the vote %d, %d waiting; want 202, %d", status, got, s.waiting(s.q1), i+1)
		}
		serve(s.m1, who.ID(), simulation.Override{ContentType: "application/activity+json", Body: must2(who.Document())(s.cluster)})
	}
	s.closeAll()
	s.final(len(passing))
}

// The key was renewed and its server is down: the vote waits for the new key.
func TestRenewedKeyIsWaitedFor(t *testing.T) {
	s := newSiege(t)
	s.bob.SetKey(must2(signature.GenerateKey())(s.cluster))
	s.m1.SetFault(simulation.Fault{KeyStatus: http.StatusServiceUnavailable})
	s.deliver(s.bob, s.vote(s.bob, s.q1, "Ja"))
	if n := s.waiting(s.q1); n != 1 {
		t.Errorf("%d wait, want 1", n)
	}
	s.m1.SetFault(simulation.Fault{})
	s.closeAll()
	s.final(1)
}

// An actor whose key file is missing is trouble of ours. Were it answered 404,
// other servers would forget the account.
func TestMissingActorKeyIsNotNotFound(t *testing.T) {
	s := newSiege(t)
	for _, name := range []string{"instance-actor", "consult"} {
		s.must(os.Remove(filepath.Join(s.node.config.Keys, "actors", name+".pem")))
	}
	again, _ := s.reopened(slog.LevelError)
	for _, path := range []string{"/actor", "/a/consult"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, s.node.urls.Base+path, nil)
		r.Header.Set("Accept", "application/activity+json")
		if status := answerOf(again.Handler, "192.0.2.7", r); status != http.StatusServiceUnavailable {
			t.Errorf("GET %s: answered %d, want 503", path, status)
		}
	}
}

// reopened is a second process on the data of the node, and what it logs.
func (s *siege) reopened(level slog.Level) (*Node, *bytes.Buffer) {
	s.t.Helper()
	log := new(bytes.Buffer)
	n := must2(OpenNode(s.t.Context(), s.node.config, Surroundings{
		Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: level})), Now: s.clock, Transport: s.network}))(s.cluster)
	s.t.Cleanup(func() { _ = n.Close() })
	return n, log
}

// A withdrawal takes the posts of the thread along: other servers are told to
// delete them, and their addresses are gone.
func TestPostsGoWithTheirConsultation(t *testing.T) {
	s := newSiege(t)
	post := must2(s.node.Service.Announce(t.Context(), s.q1.ID, participation.Notice, "Nog een week."))(s.cluster)
	s.settle()
	address := s.node.urls.Object(post.ID)
	if _, shown := s.m1.Note(address); !shown {
		t.Fatal("the notice did not arrive")
	}
	s.must(s.node.Service.Withdraw(t.Context(), s.q1.ID, "fout"))
	s.settle()
	for _, server := range []*simulation.Server{s.m1, s.evil} {
		if _, still := server.Note(address); still {
			t.Errorf("%s still shows the notice", server.Host())
		}
		for _, id := range []string{address, s.object(s.q1)} {
			if n := count(server, "Delete", id); n != 1 {
				t.Errorf("%s received %d Deletes of %s, want 1", server.Host(), n, id)
			}
		}
	}
	for _, path := range []string{"/o/" + post.ID, "/o/" + post.ID + "/create"} {
		if w := s.node.get(path, "application/activity+json"); w.Code != http.StatusGone || !strings.Contains(w.Body.String(), "Tombstone") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if w := s.node.get("/o/"+post.ID+"/delete", "application/activity+json"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"Delete"`) {
		t.Errorf("the Delete itself: %d %s", w.Code, w.Body)
	}
	if w := s.node.get("/a/consult/outbox?page=1", "application/activity+json"); strings.Contains(w.Body.String(), post.ID) {
		t.Error("the outbox still lists the notice")
	}
}

// count is how many activities of a type about an object a server received.
func count(at *simulation.Server, kind, object string) (n int) {
	for _, r := range at.Received() {
		if r.Type == kind && r.Object == object {
			n++
		}
	}
	return n
}

// A Delete that somebody else forwards counts when the origin agrees: not
// found, gone, or a Tombstone in its place; and not while it cannot be asked.
func TestForwardedDeleteIsAskedAtTheOrigin(t *testing.T) {
	s := newSiege(t)
	for name, row := range map[string]struct {
		origin func(id string) simulation.Override
		stays  bool
	}{
		"404": {origin: func(string) simulation.Override { return simulation.Override{Status: http.StatusNotFound} }},
		"410": {origin: func(string) simulation.Override { return simulation.Override{Status: http.StatusGone} }},
		"503": {origin: func(string) simulation.Override { return simulation.Override{Status: http.StatusServiceUnavailable} }, stays: true},
		"tombstone": {origin: func(id string) simulation.Override {
			return simulation.Override{ContentType: "application/activity+json",
				Body: fmt.Appendf(nil, `{"@context":"https://www.w3.org/ns/activitystreams","id":%q,"type":"Tombstone"}`, id)}
		}},
	} {
		id := must2(s.bob.Reply(t.Context(), s.object(s.q1), "<p>hallo</p>", simulation.Public))(s.cluster)
		must2(s.node.Service.Reply(t.Context(), id))(s.cluster)
		serve(s.m1, id, row.origin(id))
		s.deliver(s.alice, must2(json.Marshal(map[string]any{"@context": "https://www.w3.org/ns/activitystreams", "id": id + "#delete",
			"type": "Delete", "actor": s.bob.ID(), "object": map[string]any{"id": id, "type": "Tombstone"}}))(s.cluster))
		if _, err := s.node.Service.Reply(t.Context(), id); (err == nil) != row.stays {
			t.Errorf("the origin says %s: reading the reply gives %v", name, err)
		}
		s.wait(10 * time.Minute)
	}
}

// An Undo says by its id alone which Follow it takes back; that of somebody
// else's stays.
func TestUndoOfAFollowByItsID(t *testing.T) {
	s := newSiege(t)
	undo := func(by *simulation.Account, follow string) []byte {
		return must2(json.Marshal(map[string]any{"@context": "https://www.w3.org/ns/activitystreams", "id": by.ID() + "#undo", "type": "Undo",
			"actor": by.ID(), "object": map[string]any{"id": follow, "type": "Follow", "actor": by.ID()}}))(s.cluster)
	}
	follow := must2(s.bob.Follow(t.Context(), s.node.actor()))(s.cluster)
	s.settle()
	s.repels("the Follow of a colleague", []int{202}, s.alice, undo(s.alice, follow), simulation.SignOptions{})
	s.deliver(s.bob, undo(s.bob, follow))
	if n := must2(s.node.DB.Followers(t.Context(), "consult"))(s.cluster); n != 2 {
		t.Errorf("%d followers, want 2", n)
	}
}

// A store in which something happens just before the ballots are counted.
type interrupted struct {
	participation.Store
	once func()
}

func (i *interrupted) Tallies(ctx context.Context, c participation.Consultation) (participation.Tallies, error) {
	if f := i.once; f != nil && c.Slug == "q1" {
		i.once = nil
		f()
	}
	return i.Store.Tallies(ctx, c)
}

// Another process closes a consultation while this one counts it as open: what
// it has in hand never takes the final result's place.
func TestStaleCountNeverReplacesTheResult(t *testing.T) {
	s := newSiege(t)
	s.deliver(s.bob, s.vote(s.bob, s.q1, "Ja"))
	s.wait(10 * time.Minute)
	between := &interrupted{Store: s.node.DB}
	between.once = func() { must2(s.node.Service.Close(t.Context(), s.q1.ID, "vroeg", 0))(s.cluster) }
	must2(participation.New(between, s.node.Keys, s.node.urls.Site(), s.clock).CountDue(t.Context()))(s.cluster)
	if between.once != nil {
		t.Fatal("nothing was counted")
	}
	r := s.final(1)
	if !slices.Equal(r.Counts, []int{1, 0, 0}) {
		t.Errorf("counts %v, want [1 0 0]", r.Counts)
	}
	s.settle()
	if posts := s.node.results(s.q1); len(posts) != 1 {
		t.Errorf("%d posts of the result, want 1", len(posts))
	}
	if now := s.node.result(s.q1); now.Version != r.Version {
		t.Errorf("version %d came after the final %d", now.Version, r.Version)
	}
}

// Votes after closing are reported by number, in a new final snapshot; what was
// counted stays, and nobody is told twice.
func TestLateVotesAreReported(t *testing.T) {
	s := newSiege(t)
	s.deliver(s.bob, s.vote(s.bob, s.q1, "Ja"))
	s.closeAll()
	before := s.final(1)
	posts := must2(s.node.Service.Posts(t.Context(), s.q1.ID))(s.cluster)
	s.m1.Forget()
	s.evil.Forget()
	for range 2 { // two rounds, each a snapshot of its own
		s.deliver(s.alice, s.vote(s.alice, s.q1, "Nee"))
		s.deliver(s.eve, s.vote(s.eve, s.q1, "Nee"))
		s.wait(s.q1.Terms.Interval)
		s.settle()
	}
	after := s.node.result(s.q1)
	if after.Version != before.Version+2 || !after.Final || after.Refused[participation.Late] != 4 {
		t.Errorf("version %d after %d, final %v, refused %v; want two newer, final, 4 late", after.Version, before.Version, after.Final, after.Refused)
	}
	if after.Turnout != before.Turnout || !slices.Equal(after.Counts, before.Counts) {
		t.Errorf("turnout %d, counts %v; were %d, %v", after.Turnout, after.Counts, before.Turnout, before.Counts)
	}
	if now := must2(s.node.Service.Posts(t.Context(), s.q1.ID))(s.cluster); len(now) != len(posts) {
		t.Errorf("%d posts, were %d", len(now), len(posts))
	}
	for _, server := range []*simulation.Server{s.m1, s.evil} {
		for _, r := range server.Received() {
			t.Errorf("%s received %s of %s", server.Host(), r.Type, r.Object)
		}
	}
}
