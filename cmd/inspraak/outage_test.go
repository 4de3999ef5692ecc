package main

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"inspraak/participation"
	"inspraak/simulation"
)

// retried sends a request and returns the status and Retry-After.
func (s *siege) retried(r *http.Request) (int, string) {
	s.t.Helper()
	in := r.Clone(s.t.Context())
	in.RequestURI, in.RemoteAddr, in.Host = r.URL.RequestURI(), "192.0.2.9:1234", r.URL.Host
	w := httptest.NewRecorder()
	s.node.Handler.ServeHTTP(w, in)
	return w.Code, w.Header().Get("Retry-After")
}

func (s *siege) reload(c participation.Consultation) participation.Consultation {
	s.t.Helper()
	return must2(s.node.Service.Consultation(s.t.Context(), c.ID))(s.cluster)
}

// shows looks for words on the pages of a consultation.
func (s *siege) shows(c participation.Consultation, nl, en string) {
	s.t.Helper()
	for lang, want := range map[string]string{"nl": nl, "en": en} {
		if page := s.node.get("/consultations/"+c.Slug+"?lang="+lang, "text/html").Body.String(); !strings.Contains(page, want) {
			s.t.Errorf("%s: the page lacks %q", lang, want)
		}
	}
}

// The deadline passes while the node is down: what servers send again after it
// is back still counts, the page says so, and the wire keeps the closing time.
func TestOutageExtends(t *testing.T) {
	s := newSiege(t)
	s.deliver(s.bob, s.vote(s.bob, s.q1, "Ja"))
	s.wait(s.q1.ClosesAt.Sub(s.clock()) - time.Hour)
	s.settle()
	down := s.clock()
	told := len(s.toldOf("Update"))
	s.jump(4 * time.Hour)

	// Before the first sign of life nothing is judged late, and nothing closes.
	before := s.node.fingerprint()
	status, after := s.retried(s.post(s.alice, s.vote(s.alice, s.q1, "Nee")))
	if status != http.StatusServiceUnavailable || after == "" {
		t.Errorf("a vote of which nobody knows whether it is late: %d, Retry-After %q; want 503", status, after)
	}
	if _, err := s.node.Service.Close(t.Context(), s.q1.ID, "", 0); err == nil {
		t.Error("closed before the outage was noticed")
	}
	s.unchanged(before)

	s.must(s.node.begin(t.Context()))
	s.settle()
	c := s.reload(s.q1)
	want := s.clock().Add(4*time.Hour + 48*time.Minute)
	if c.Phase != participation.Open || !c.Deadline().Equal(want) || !c.ClosesAt.Equal(s.q1.ClosesAt) {
		t.Fatalf("%s until %s, closing time %s; want open until %s, %s", c.Phase, c.Deadline(), c.ClosesAt, want, s.q1.ClosesAt)
	}
	if closed := s.reload(s.q3); closed.Phase != participation.Closed || !closed.ExtendedUntil.IsZero() {
		t.Errorf("what had closed is %s until %s", closed.Phase, closed.Deadline())
	}
	if n := len(s.toldOf("Update")); n != told {
		t.Errorf("other servers were told %d things", n-told)
	}
	if q := s.node.get("/o/"+c.ID, "application/activity+json").Body.String(); !strings.Contains(q, s.q1.ClosesAt.Format(time.RFC3339)) {
		t.Errorf("endTime changed: %s", q)
	}
	s.shows(c, "Deze site kon geen stemmen ontvangen van", "This site could not receive votes from")
	s.shows(c, "Daarom tellen stemmen mee als ze binnenkomen tot", "votes count if they arrive until")
	j := decodeJSON[struct {
		AcceptsUntil time.Time
		Incidents    []struct {
			Kind         string
			Began, Ended time.Time
		}
	}](t, s.node.get("/consultations/q1/result.json", "application/json").Body.Bytes())
	if !j.AcceptsUntil.Equal(want) || len(j.Incidents) != 1 || j.Incidents[0].Kind != "outage" ||
		!j.Incidents[0].Began.Equal(down) || !j.Incidents[0].Ended.Equal(s.clock()) {
		t.Errorf("JSON says %+v", j)
	}

	s.wait(4 * time.Hour)
	s.settle()
	s.deliver(s.alice, s.vote(s.alice, s.q1, "Nee"))
	s.wait(time.Hour)
	s.settle()
	s.final(2)
	s.shows(c, "Daarom telden stemmen mee", "votes counted if they arrived until")
	s.deliver(s.eve, s.vote(s.eve, s.q1, "Nee"))
	if c := s.reload(s.q1); c.Phase != participation.Closed {
		t.Errorf("after the final count it is %s", c.Phase)
	}
}

// The disk is full, or the machine suspended, while the node runs: the next
// beat notices, without a start. A gap below half a minute is none.
func TestOutageWhileRunning(t *testing.T) {
	s := newSiege(t)
	s.wait(s.q1.ClosesAt.Sub(s.clock()))
	s.settle()
	s.jump(participation.OutageFrom - time.Second)
	s.settle()
	if all := must2(s.node.Service.Incidents(t.Context(), 0))(s.cluster); len(all) != 0 {
		t.Errorf("recorded %v", all)
	}
	s.jump(participation.OutageFrom)
	s.settle()
	c := s.reload(s.q1)
	if want := s.clock().Add(15 * time.Minute); !c.Deadline().Equal(want) {
		t.Errorf("accepts until %s, want %s", c.Deadline(), want)
	}
	events := must2(s.node.Service.Events(t.Context(), 0, 0))(s.cluster)
	extended := 0
	for _, e := range events {
		if e.Type == participation.ConsultationExtended {
			extended++
		}
	}
	if extended != 2 { // q1 and q2
		t.Errorf("%d events say so, want 2", extended)
	}
}

// A clock that once stood ten years ahead does not keep a consultation open for
// ten years: set right, it takes back what it has moved.
func TestClockOnceFarAhead(t *testing.T) {
	s := newSiege(t)
	planned := s.reload(s.q1).Deadline()
	const far = 10 * 365 * 24 * time.Hour
	s.jump(far)
	must2(s.node.heartbeat(t.Context()))(s.cluster)
	if c := s.reload(s.q1); !c.Deadline().After(planned.Add(far / 2)) {
		t.Fatalf("accepts until %s: the step was not taken for an outage", c.Deadline())
	}
	s.jump(-far)
	must2(s.node.heartbeat(t.Context()))(s.cluster)
	if c := s.reload(s.q1); !c.Deadline().Equal(planned) || c.Phase != participation.Open {
		t.Errorf("%s until %s, want open until %s", c.Phase, c.Deadline(), planned)
	}
	s.jump(time.Hour) // a true outage still counts
	must2(s.node.heartbeat(t.Context()))(s.cluster)
	s.wait(planned.Sub(s.clock()) - time.Minute)
	s.jump(2 * time.Minute)
	must2(s.node.heartbeat(t.Context()))(s.cluster)
	if c, want := s.reload(s.q1), s.clock().Add(15*time.Minute); !c.Deadline().Equal(want) {
		t.Errorf("accepts until %s, want %s", c.Deadline(), want)
	}
}

// R5. The clock is set two hours forward or back and, within the time for which
// that is made up, right again, time after time, while people vote: no vote in
// time is refused, nothing closes before its time has really come, nothing that
// closed opens again, and no id is used twice.
func TestClockSteps(t *testing.T) {
	var all clockSteps
	for seed := range uint64(3) {
		all.run(t, rand.New(rand.NewPCG(5, seed)))
	}
	t.Logf("R5 clock: %d steps of 2 h, %d votes (%d told to come again), 0 lost, closed at most %s after the deadline, 0 early, 0 reopened, %d activity ids unique",
		all.steps, all.votes, all.again, all.latest, all.ids)
}

type clockSteps struct {
	steps, votes, again, ids int
	latest                   time.Duration
}

func (all *clockSteps) run(t *testing.T, random *rand.Rand) {
	s := newSiege(t)
	s.wait(21 * time.Hour)
	s.settle()
	real, ends := s.clock(), s.q1.Deadline() // as a clock that is never set would say
	steps, votes, again, closed := 0, 0, 0, time.Time{}
	wrong, corrected := time.Duration(0), real
	observe := func() {
		t.Helper()
		switch phase := s.reload(s.q1).Phase; {
		case phase == participation.Closed && closed.IsZero():
			if closed = real; closed.Before(ends) {
				t.Fatalf("closed %s early after %d steps", ends.Sub(closed), steps)
			}
		case phase != participation.Closed && !closed.IsZero():
			t.Fatalf("opened again: %s", phase)
		}
	}
	for i := 0; i < 2000 && (closed.IsZero() || i%50 != 0); i++ {
		pass := time.Duration(1+random.IntN(20)) * time.Minute
		s.wait(pass)
		real = real.Add(pass)
		switch {
		case wrong != 0 && !real.Before(corrected):
			s.jump(-wrong)
			steps, wrong = steps+1, 0
		case wrong == 0 && random.IntN(3) == 0 && real.Before(ends.Add(time.Hour)):
			wrong = []time.Duration{2 * time.Hour, -2 * time.Hour}[random.IntN(2)]
			s.jump(wrong)
			steps, corrected = steps+1, real.Add(time.Duration(random.IntN(120))*time.Minute)
		}
		if inTime := !real.After(ends); inTime {
			votes++
			who := s.m1.Account(fmt.Sprintf("r5-%d", votes))
			body := s.vote(who, s.q1, "Ja")
			status, _ := s.retried(s.post(who, body))
			if status == http.StatusServiceUnavailable {
				again++
				s.settle()
				status, _ = s.retried(s.post(who, body))
			}
			if status != http.StatusAccepted {
				t.Fatalf("vote %d was answered %d", votes, status)
			}
		}
		s.settle()
		observe()
	}
	for _, d := range []time.Duration{-2 * time.Hour, -2 * time.Hour, 2 * time.Hour, 6 * time.Hour} {
		s.jump(d)
		s.settle()
		observe()
	}
	if closed.IsZero() {
		t.Fatal("it never closed")
	}
	s.final(votes)
	ids := map[string]int{}
	for _, r := range s.m1.Received() {
		if ids[r.ID]++; ids[r.ID] > 1 && r.ID != "" {
			t.Errorf("%s came twice", r.ID)
		}
	}
	all.steps, all.votes, all.again, all.ids = all.steps+steps, all.votes+votes, all.again+again, all.ids+len(ids)
	all.latest = max(all.latest, closed.Sub(ends))
}

// A database older than what the node ran with, or another, is refused unless
// somebody accepts it; then the pages of what it concerns say so.
func TestRollback(t *testing.T) {
	s := newSiege(t)
	s.settle()
	old := must2(s.node.Service.LastBeat(t.Context()))(s.cluster)
	for range 3 {
		s.wait(10 * time.Second)
		must2(s.node.heartbeat(t.Context()))(s.cluster)
	}
	head := must2(s.node.Keys.Head())(s.cluster)
	s.must(s.node.begin(t.Context()))

	lead := func(b participation.Beat) { s.must(s.node.Keys.SaveHead(b)) }
	refuses := func(why string) {
		t.Helper()
		before := s.node.fingerprint()
		if err := s.node.begin(t.Context()); err == nil || !strings.Contains(err.Error(), why) || !strings.Contains(err.Error(), "--accept-rollback") {
			t.Errorf("began, or said %v; want %q", err, why)
		}
		s.unchanged(before)
	}
	lead(participation.Beat{Database: "another", N: 1, At: old.At})
	refuses("is not the database that this node last ran with")
	newer := participation.Beat{Database: head.Database, N: head.N + 100, At: s.clock()}
	lead(newer)
	refuses("but this node ran with a newer one")

	s.jump(2 * time.Hour)
	s.node.acceptRollback = true
	s.must(s.node.begin(t.Context()))
	s.settle()
	if b := must2(s.node.Service.LastBeat(t.Context()))(s.cluster); b.N <= newer.N {
		t.Errorf("beat %d: the database left behind, with %d, would pass", b.N, newer.N)
	}
	s.shows(s.q1, "Deze site werkt met gegevens van", "This site works with data of")
	if page := s.node.get("/consultations/q3?lang=en", "text/html").Body.String(); strings.Contains(page, "works with data of") {
		t.Error("what had closed before says so too")
	}
	s.node.acceptRollback = false
	s.must(s.node.begin(t.Context()))
}

// After a start what has closed is counted once more; until then its page says
// so, and where ballots and result differ, from then on.
func TestRecountAfterStart(t *testing.T) {
	s := newSiege(t)
	s.deliver(s.bob, s.vote(s.bob, s.q1, "Ja"))
	s.deliver(s.bob, s.vote(s.bob, s.q2, "A"))
	s.closeAll()
	s.final(1)
	r := s.node.result(s.q1)
	r.Counts = []int{0, 1, 0}
	s.must(s.node.DB.Update(t.Context(), func(tx participation.Tx) error { return tx.SaveResult(r) }))

	again, log := s.reopened(slog.LevelError)
	s.must(again.begin(t.Context()))
	doubt := func(slug string) string {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, s.node.urls.Base+"/consultations/"+slug+"/result.json", nil)
		again.Handler.ServeHTTP(w, r)
		return decodeJSON[struct{ Doubt string }](t, w.Body.Bytes()).Doubt
	}
	words := func(slug, want string) {
		t.Helper()
		w := httptest.NewRecorder()
		again.Handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, s.node.urls.Base+"/consultations/"+slug+"?lang=en", nil))
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: the page lacks %q", slug, want)
		}
	}
	for _, slug := range []string{"q1", "q2", "q3"} {
		words(slug, "We are counting this result once more.")
		if d := doubt(slug); d != "being-checked" {
			t.Errorf("%s: JSON says %q", slug, d)
		}
	}
	must2(again.recount(t.Context()))(s.cluster)
	for slug, want := range map[string]string{"q1": "under-review", "q2": "", "q3": ""} {
		if d := doubt(slug); d != want {
			t.Errorf("%s: JSON says %q, want %q", slug, d, want)
		}
	}
	words("q1", "do not add up to the result on this page")
	if !strings.Contains(log.String(), "consultation=q1") || strings.Contains(log.String(), "consultation=q2") {
		t.Errorf("log: %s", log)
	}
}

// toldOf lists what the voters' server received of one type.
func (s *siege) toldOf(kind string) []simulation.Received {
	return slices.DeleteFunc(s.m1.Received(), func(r simulation.Received) bool { return r.Type != kind })
}
