package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"inspraak/participation"
	"inspraak/simulation"
)

// dataPath asks for one's own data and returns where it is shown.
func (n *testNode) dataPath(who *simulation.Account) string {
	c := n.cluster
	c.t.Helper()
	answers := n.asks(who, "gegevens")
	if len(answers) != 1 || len(answers[0].Links) != 1 {
		c.t.Fatalf("%s: %+v", who.Handle(), answers)
	}
	path, ok := strings.CutPrefix(answers[0].Links[0], n.urls.Base)
	if !ok || !strings.HasPrefix(path, "/my-data/") {
		c.t.Fatalf("the link leads to %s", answers[0].Links[0])
	}
	return path
}

// reads checks what a page of data says and does not say.
func (n *testNode) reads(path string, status int, want, not []string) {
	c := n.cluster
	c.t.Helper()
	w := n.get(path+"?lang=nl", "text/html")
	if w.Code != status {
		c.t.Fatalf("%.20s: %d", path, w.Code)
	}
	for _, text := range want {
		if !strings.Contains(w.Body.String(), text) {
			c.t.Errorf("the page lacks %q", text)
		}
	}
	for _, text := range not {
		if strings.Contains(w.Body.String(), text) {
			c.t.Errorf("the page says %q", text)
		}
	}
}

func (n *testNode) erases(path string) {
	c := n.cluster
	c.t.Helper()
	r := httptest.NewRequestWithContext(c.t.Context(), http.MethodPost, n.urls.Base+path, strings.NewReader("confirm=yes"))
	r.Host, r.RemoteAddr = n.urls.Host, "192.0.2.7:1234"
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	w := httptest.NewRecorder()
	n.Handler.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		c.t.Fatalf("erasure: %d %s", w.Code, w.Body)
	}
}

// A citizen asks what is held, sees it, and has it erased: while voting is open
// the vote goes, after closing it stays in the count without a name.
func TestMyDataByDirectMessage(t *testing.T) {
	s := newSiege(t)
	for _, who := range []*simulation.Account{s.bob, s.alice} {
		must2(who.Vote(t.Context(), s.object(s.q1), "Nee"))(s.cluster)
		must2(who.Vote(t.Context(), s.object(s.q2), "A", "C"))(s.cluster)
		must2(who.Reply(t.Context(), s.object(s.q1), "<p>Mening van "+who.Name()+"</p>", simulation.Public))(s.cluster)
		must2(who.Like(t.Context(), s.object(s.q1)))(s.cluster)
	}
	must2(s.bob.RequestQuote(t.Context(), s.object(s.q1), "<p>Doe mee!</p>"))(s.cluster)
	s.settle()
	codes := s.node.codesOf(s.bob)
	others := s.node.codesOf(s.alice)
	path := s.node.dataPath(s.bob)
	own := append([]string{s.bob.KeyID(), "Mening van bob", "like: ", "1 bericht van ons geciteerd", "2 september 2026", ">Gemeente consult</a>, sinds"}, codes...)
	held := append([]string{"@bob@m1.example"}, own...)
	foreign := append([]string{"alice"}, others...)
	s.node.reads(path, 200, append(held[:len(held):len(held)], "na de sluiting te zien"), append([]string{">Nee", ">A\n"}, foreign...))
	s.wait(time.Hour + time.Minute)
	s.node.reads(path, 410, []string{"Deze link is verlopen", "gegevens"}, own)

	s.wait(25 * time.Hour)
	s.settle()
	path = s.node.dataPath(s.bob)
	s.node.reads(path, 200, append(held, ">Nee", ">A\nC"), append([]string{"na de sluiting te zien"}, foreign...))
	before := s.node.result(s.q1)
	s.node.erases(path)
	s.node.reads(path, 200, []string{"Wij bewaren niets van het account zelf."}, own)
	s.settle()
	if after := s.node.result(s.q1); after.Turnout != before.Turnout || after.Counts[1] != before.Counts[1] || before.Counts[1] != 2 {
		t.Errorf("the result was %+v and is %+v", before, after)
	}
	if _, same, err := s.node.Service.Recount(t.Context(), s.reload(s.q1)); err != nil || !same {
		t.Errorf("a recount after the erasure differs: %v", err)
	}
	if page := s.node.get("/consultations/q1/replies", "text/html").Body.String(); strings.Contains(page, "Mening van bob") || !strings.Contains(page, "Mening van alice") {
		t.Error("the wrong reply is shown")
	}
	if got := s.node.asks(s.alice, "code"); len(got) != 2 {
		t.Errorf("the other's codes: %+v", got)
	}
}

func TestErasureWhileVotingIsOpen(t *testing.T) {
	s := newSiege(t)
	must2(s.bob.Vote(t.Context(), s.object(s.q1), "Nee"))(s.cluster)
	must2(s.alice.Vote(t.Context(), s.object(s.q1), "Ja"))(s.cluster)
	s.settle()
	s.node.erases(s.node.dataPath(s.bob))
	if n := must2(s.node.DB.Followers(t.Context(), "consult"))(s.cluster); n != 2 {
		t.Errorf("%d followers, want 2", n)
	}
	backup := filepath.Join(t.TempDir(), "backup.db")
	s.must(s.node.DB.Backup(t.Context(), backup))
	content := string(must2(os.ReadFile(backup))(s.cluster))
	if strings.Contains(content, s.bob.ID()) || !strings.Contains(content, s.alice.ID()) {
		t.Error("the database still names bob, or no longer alice")
	}
	// What was still on its way does not count, and neither does a new vote for a week.
	s.deliver(s.bob, s.vote(s.bob, s.q1, "Nee"))
	if got := s.node.asks(s.bob, "code"); len(got) != 1 || strings.Contains(got[0].Text, "q1") {
		t.Errorf("answered %+v", got)
	}
	if p, err := s.node.DB.Peer(t.Context(), s.bob.ID()); err != nil || len(p.Keys) == 0 { // who comes again is fetched again
		t.Errorf("after it came again: %+v, %v", p, err)
	}
	s.wait(25 * time.Hour)
	s.settle()
	if r := s.node.result(s.q1); r.Turnout != 1 || r.Counts[1] != 0 || r.Refused[participation.Withdrawals] != 1 || r.Refused[participation.Revoked] != 1 {
		t.Errorf("turnout %d, counts %v, refused %v", r.Turnout, r.Counts, r.Refused)
	}
}

// What is not a link of ours, or no longer valid, says so; nothing is answered
// to a link made for somebody else's node.
func TestMyDataLinksOfOthers(t *testing.T) {
	c := newCluster(t)
	one, two := c.node("one.example", "een"), c.node("two.example", "twee")
	who := c.server(simulation.Mastodon, "m1.example").Account("ana")
	path := one.dataPath(who)
	one.reads(path, 200, []string{"@ana@m1.example"}, nil)
	two.reads(path, 404, []string{"Deze link werkt niet"}, []string{"ana"})
	one.reads(path[:len(path)-1], 404, []string{"Deze link werkt niet"}, []string{"ana"})
}
