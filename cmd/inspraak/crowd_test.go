package main

import (
	"crypto/rsa"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"inspraak/participation"
	"inspraak/simulation"
	"inspraak/tally"
)

var newVoters = flag.Int("new-voters", 100, "voters of one server in TestNegativeN27ManyAccounts")

// A flood is a siege with servers that share one key, so that hundreds of them
// cost nothing to make.
type flood struct {
	*siege
	keys []*rsa.PrivateKey
}

func newFlood(t *testing.T) *flood {
	s := newSiege(t)
	return &flood{s, must2(simulation.NewKeys(1))(s.cluster)}
}

// voter is an account on a new server, made some days ago.
func (f *flood) voter(host string, days int) *simulation.Account {
	server := f.network.NewServer(simulation.Config{Kind: simulation.Mastodon, Base: "https://" + host, Now: f.clock, Seed: 1, Keys: f.keys})
	return f.member(server, "voter", days)
}

func (f *flood) member(server *simulation.Server, name string, days int) *simulation.Account {
	a := server.Account(name)
	a.SetCreated(f.clock().AddDate(0, 0, -days))
	return a
}

func (f *flood) voters(n int, format string, days int) []*simulation.Account {
	list := make([]*simulation.Account, n)
	for i := range list {
		list[i] = f.voter(fmt.Sprintf(format, i), days)
	}
	return list
}

// casts sends a vote in q1 and returns the answer.
func (f *flood) casts(who *simulation.Account, o simulation.SignOptions) *httptest.ResponseRecorder {
	f.t.Helper()
	r, err := who.Request(f.t.Context(), http.MethodPost, f.node.urls.SharedInbox(), f.vote(who, f.q1, "Ja"), o)
	f.must(err)
	r.RequestURI, r.RemoteAddr, r.Host = r.URL.RequestURI(), "192.0.2.27:1234", r.URL.Host
	w := httptest.NewRecorder()
	f.node.Handler.ServeHTTP(w, r)
	return w
}

func (f *flood) accepted(voters []*simulation.Account) (in []*simulation.Account) {
	f.t.Helper()
	for _, who := range voters {
		switch w := f.casts(who, simulation.SignOptions{}); w.Code {
		case http.StatusAccepted:
			in = append(in, who)
		case http.StatusTooManyRequests:
			if after, err := strconv.Atoi(w.Header().Get("Retry-After")); err != nil || after < 60 || after > 3600 {
				f.t.Fatalf("Retry-After %q, want 60 to 3600 s", w.Header().Get("Retry-After"))
			}
		default:
			f.t.Fatalf("%s: answered %d: %s", who.ID(), w.Code, w.Body)
		}
	}
	return in
}

// N27: whoever owns a domain makes as many servers under it as he likes. Ten an
// hour get in; nothing of the others is fetched or kept, and nobody else waits.
func TestNegativeN27Subdomains(t *testing.T) {
	f := newFlood(t)
	known := f.voter("old.workers.example", 400)
	must2(known.Follow(t.Context(), f.node.actor()))(f.cluster)
	f.settle()
	f.wait(2 * time.Hour)

	swarm := f.voters(500, "a%d.workers.example", 0)
	var group sync.WaitGroup // the first ones at the same moment
	var mu sync.Mutex
	in := map[string]bool{}
	for _, who := range swarm[:50] {
		group.Go(func() {
			w := f.casts(who, simulation.SignOptions{})
			mu.Lock()
			defer mu.Unlock()
			in[who.ID()] = w.Code == http.StatusAccepted
		})
	}
	group.Wait()
	maps.DeleteFunc(in, func(_ string, accepted bool) bool { return !accepted })
	if len(in) != 10 {
		t.Errorf("%d of 50 servers that came at once got in, want 10", len(in))
	}
	stats, before := f.node.Federation.Stats(), f.node.fingerprint()
	for i := range 9 {
		f.wait(6 * time.Second)
		if more := f.accepted(swarm[50+50*i : 100+50*i]); len(more) != 0 {
			t.Fatalf("%d more servers got in", len(more))
		}
	}
	if after := f.node.fingerprint(); !maps.Equal(before, after) {
		t.Error("servers that have to wait left something in the database")
	}
	after := f.node.Federation.Stats()
	if asked := after.Fetched + after.Unfetched - stats.Fetched - stats.Unfetched; asked != 0 {
		t.Errorf("servers that have to wait were asked %d times", asked)
	}
	if n := after.Delayed - stats.Delayed; stats.Delayed != 40 || n != 450 {
		t.Errorf("%d and %d delayed, want 40 and 450", stats.Delayed, n)
	}
	// A server known before, the domain itself and others never wait.
	free := []*simulation.Account{known, f.voter("workers.example", 0), f.voter("social.other.example", 0), f.member(f.m1, "new", 0)}
	if got := f.accepted(free); len(got) != len(free) {
		t.Errorf("%d of %d others got in", len(got), len(free))
	}
	// Another account of a server that got in.
	for _, who := range swarm[:50] {
		if in[who.ID()] {
			if got := f.accepted([]*simulation.Account{f.member(who.Server(), "second", 0)}); len(got) != 1 {
				t.Error("a server that got in is shut out")
			}
			break
		}
	}
	f.wait(time.Hour)
	if more := f.accepted(swarm[50:150]); len(more) != 10 {
		t.Errorf("after an hour %d more got in, want 10", len(more))
	}
	f.closeAll()
	r := f.final(10 + len(free) + 1 + 10)
	want := participation.Classes{Established: tally.Range{AtMost: 9}, Unclassified: tally.Range{AtLeast: 16, AtMost: 25}}
	if r.Classes == nil || *r.Classes != want {
		t.Errorf("classes %v, want %v", r.Classes, want)
	}
}

// N27, and what must not be hindered by it: a server of any size gets all its new
// voters in within ten minutes, 100 here, 2,000 in `make faults`, each counted. Only the class says that they
// came as a crowd.
func TestNegativeN27ManyAccounts(t *testing.T) {
	f := newFlood(t)
	const steps = 10
	voters := *newVoters
	big := f.voter("mastodon.big.example", 400).Server()
	requests := make([]*simulation.Account, voters)
	for i := range requests {
		requests[i] = f.member(big, fmt.Sprintf("v%d", i), 400)
	}
	began := f.clock()
	for i := range steps {
		var group sync.WaitGroup
		for part := range slices.Chunk(requests[i*voters/steps:(i+1)*voters/steps], max(voters/steps/8, 1)) {
			group.Go(func() {
				for _, who := range part {
					if w := f.casts(who, simulation.SignOptions{}); w.Code != http.StatusAccepted {
						t.Errorf("answered %d: %s", w.Code, w.Body)
					}
				}
			})
		}
		group.Wait()
		f.wait(time.Minute - time.Second)
	}
	t.Logf("%d new voters of one server within %s: all accepted", voters, f.clock().Sub(began))
	if n := f.waiting(f.q1); n != 0 {
		t.Errorf("%d wait", n)
	}
	f.deliver(f.bob, f.vote(f.bob, f.q1, "Ja")) // known before, on another server
	f.closeAll()
	r := f.final(voters + 1)
	want := participation.Classes{Established: tally.Range{AtLeast: 28, AtMost: 32}, Unclassified: tally.Range{AtLeast: voters - 32, AtMost: voters - 28}}
	if r.Classes == nil || *r.Classes != want {
		t.Errorf("classes %v, want %v", r.Classes, want)
	}
}

// Naming the servers of an honest hoster neither shuts out its new ones nor
// lets in those of somebody who owns the domain.
func TestForgedKeysUseUpNoQuota(t *testing.T) {
	f := newFlood(t)
	named, honest := f.voters(12, "n%d.masto.example", 400), f.voters(10, "h%d.masto.example", 400)
	before := f.node.fingerprint()
	for _, who := range named {
		if w := f.casts(who, simulation.SignOptions{KeyOf: f.eve}); w.Code != http.StatusUnauthorized {
			t.Fatalf("a forged signature: answered %d", w.Code)
		}
	}
	if after := f.node.fingerprint(); !maps.Equal(before, after) {
		t.Error("forged signatures left something in the database")
	}
	if in := f.accepted(honest); len(in) != len(honest) {
		t.Errorf("%d of %d honest servers got in", len(in), len(honest))
	}
	if in := f.accepted(named); len(in) != 0 { // their keys are in memory, they are not known for that
		t.Errorf("%d servers got in because somebody had named them", len(in))
	}
	// An account that was seen with a false signature first is new all the same.
	f.wait(time.Hour)
	if in := f.accepted(named); len(in) != 10 {
		t.Errorf("after an hour %d got in, want 10", len(in))
	}
}

// Servers that are slow and many: their votes wait in the room, and get in as
// their domain's share allows; what is left at closing is reported.
func TestQuotaHoldsForTheWaitingRoom(t *testing.T) {
	f := newFlood(t)
	slow := f.voters(25, "s%d.slow.example", 400)
	for i, who := range slow {
		if i%8 == 0 {
			f.wait(61 * time.Second) // ten failed fetches a minute and address
		}
		who.Server().SetFault(simulation.Fault{KeyStatus: http.StatusServiceUnavailable})
		if w := f.casts(who, simulation.SignOptions{}); w.Code != http.StatusAccepted {
			t.Fatalf("answered %d", w.Code)
		}
		who.Server().SetFault(simulation.Fault{})
	}
	for round, left := range []int{15, 5} {
		for range 4 {
			f.wait(16 * time.Minute)
			must2(f.node.Federation.RetryWaiting(t.Context()))(f.cluster)
			if round == 0 {
				break
			}
		}
		if n := f.waiting(f.q1); n != left {
			t.Errorf("%d wait, want %d", n, left)
		}
	}
	f.wait(f.q1.Deadline().Sub(f.clock()) - 10*time.Second)
	eleven := f.voters(11, "t%d.slow.example", 400) // they take the last places
	f.accepted(eleven)
	f.wait(time.Minute)
	f.settle()
	r := f.node.result(f.q1)
	if !r.Final || r.Turnout != 30 || r.Refused[participation.Unverified] != 5 {
		t.Errorf("final %v, turnout %d, refused %v; want 30 and 5 unverified", r.Final, r.Turnout, r.Refused)
	}
}

// Classes are told after closing only, everywhere in the same words, and a
// small one not by its number. Whoever withdraws and votes again keeps his.
func TestClassesAreToldAfterClosing(t *testing.T) {
	f := newFlood(t)
	live := f.node.publish("live", participation.SingleChoice, participation.Live, "Ja", "Nee")
	f.q1 = live
	home := f.voter("home.example", 400).Server()
	for i := range 21 {
		f.accepted([]*simulation.Account{f.member(home, fmt.Sprintf("old%d", i), 8)})
	}
	for i := range 4 {
		f.accepted([]*simulation.Account{f.member(home, fmt.Sprintf("young%d", i), 6)})
	}
	f.wait(live.Terms.Interval)
	f.settle()
	for _, path := range []string{"/consultations/live/result.json", "/consultations/live?lang=en", "/consultations/live/result?lang=en"} {
		if body := f.node.get(path, "text/html").Body.String(); strings.Contains(body, "stablished") || strings.Contains(body, "classes") {
			t.Errorf("%s tells classes before closing", path)
		}
	}
	if r := f.node.result(live); r.Classes != nil || r.Turnout != 25 {
		t.Errorf("before closing: turnout %d, classes %v", r.Turnout, r.Classes)
	}
	f.closeAll()
	var j struct {
		Turnout int                   `json:"turnout"`
		Classes participation.Classes `json:"classes"`
	}
	f.must(json.Unmarshal(f.node.get("/consultations/live/result.json", "application/json").Body.Bytes(), &j))
	want := participation.Classes{Established: tally.Range{AtLeast: 16, AtMost: 25}, Unclassified: tally.Range{AtMost: 9}}
	if j.Turnout != 25 || j.Classes != want {
		t.Errorf("JSON says turnout %d, classes %v", j.Turnout, j.Classes)
	}
	for language, words := range map[string][]string{
		"nl": {"Van welke accounts", "16 tot 25", "minder dan 10", "Alle stemmen tellen even zwaar"},
		"en": {"From which accounts", "16 to 25", "fewer than 10", "All votes count the same"},
	} {
		page := f.node.get("/consultations/live/result?lang="+language, "text/html").Body.String()
		for _, w := range words {
			if !strings.Contains(page, w) {
				t.Errorf("the page in %s does not say %q", language, w)
			}
		}
	}
	posts := f.node.results(live)
	if len(posts) != 1 || !strings.Contains(posts[0].HTML, "gevestigde accounts: 16 tot 25; andere: minder dan 10.") {
		t.Errorf("posts %v", posts)
	}
	if _, same, err := f.node.Service.Recount(t.Context(), must2(f.node.Service.Consultation(t.Context(), live.ID))(f.cluster)); err != nil || !same {
		t.Errorf("the recount differs: %v", err)
	}
}
