package simulation

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// city publishes one Question by hand: the origin in the tests of what servers
// make of it.
type city struct {
	t      *testing.T
	owner  *Account
	id     string
	doc    object
	serial int
}

// publish serves and sends the Question as it stands, as an activity of the
// given type with an id of its own.
func (c *city) publish(kind string, to *Server) {
	c.t.Helper()
	c.serial++
	c.send(kind, fmt.Sprintf("%s/activities/%d", c.id, c.serial), to)
}

func (c *city) send(kind, activityID string, to *Server) {
	c.t.Helper()
	doc := clone(c.doc)
	doc["@context"] = []any{activityStreams}
	c.owner.server.SetDocument("/o/1", Override{ContentType: activityJSON, Body: encode(doc)})
	activity := object{"@context": activityStreams, "id": activityID, "type": kind, "actor": c.owner.id,
		"to": c.doc["to"], "cc": c.doc["cc"], "object": c.doc}
	inbox := to.Base() + to.traits.sharedInbox
	if to.kind.isGTS() {
		inbox = to.Account("ana").Inbox()
	}
	if err := c.owner.Send(c.t.Context(), inbox, encode(activity)); err != nil {
		c.t.Fatal(err)
	}
}

// set changes the tallies.
func (c *city) set(key string, voters int, tallies ...int) {
	names := []string{"Trees", "Market hall", "Playground"}
	var options []any
	for i, n := range tallies {
		options = append(options, object{"type": "Note", "name": names[i], "replies": object{"type": "Collection", "totalItems": n}})
	}
	delete(c.doc, "oneOf")
	delete(c.doc, "anyOf")
	c.doc[key], c.doc["votersCount"] = options, voters
}

// question makes a city, a server of the kind whose account ana follows it,
// and a Question open for an hour that has arrived there.
func newCity(t *testing.T, kind Kind, key string) (*city, *Account, *clock) {
	t.Helper()
	n, now := NewNetwork(), &clock{}
	origin := n.NewServer(Config{Kind: Mastodon, Base: "https://city.example", Now: now.now, Keys: keys()})
	s := n.NewServer(Config{Kind: kind, Base: "https://s.example", Now: now.now, Keys: keys()})
	owner := origin.Account("participa")
	c := &city{t: t, owner: owner, id: "https://city.example/o/1"}
	c.doc = object{"id": c.id, "type": "Question", "attributedTo": owner.id, "url": "https://city.example/c/square",
		"to": []any{public}, "cc": []any{owner.followersURL()}, "published": "2026-09-02T10:00:00Z", "endTime": "2026-09-02T11:00:00Z",
		"content": "<p>Which?</p>", "contentMap": object{"en": "<p>Which?</p>"}}
	c.set(key, 0, 0, 0)
	ana := s.Account("ana")
	if _, err := ana.Follow(t.Context(), owner.id); err != nil {
		t.Fatal(err)
	}
	c.publish("Create", s)
	if _, ok := s.Poll(c.id); !ok {
		t.Fatalf("%s has no poll: %+v", kind, s.Received())
	}
	return c, ana, now
}

// tallies returns what the server shows.
func tallies(t *testing.T, a *Account, id string) []int {
	t.Helper()
	p, ok := a.server.Poll(id)
	if !ok {
		t.Fatal("no poll")
	}
	var n []int
	for _, o := range p.Options {
		n = append(n, o.Votes)
	}
	return n
}

func TestVotesArriveAndTalliesFollow(t *testing.T) {
	for _, kind := range Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			c, ana, _ := newCity(t, kind, "anyOf")
			if _, err := ana.Vote(t.Context(), c.id, "Trees", "Market hall"); err != nil {
				t.Fatal(err)
			}
			var votes []Received
			for _, r := range c.owner.server.Received() {
				if r.Type == "Create" {
					votes = append(votes, r)
				}
			}
			if want := map[bool]int{true: 1, false: 2}[kind == GoToSocialOld]; len(votes) != want {
				t.Fatalf("%d activities, want %d", len(votes), want)
			}
			shared := votes[0].Path == "/inbox"
			if want := kind.isGTS() || kind == Akkoma; shared != want {
				t.Errorf("vote went to %s", votes[0].Path)
			}
			if got := tallies(t, ana, c.id); !slices.Equal(got, []int{1, 1}) {
				t.Errorf("own tally %v, want 1 1", got)
			}
			c.set("anyOf", 9, 5, 7)
			c.publish("Update", ana.server)
			if got := tallies(t, ana, c.id); !slices.Equal(got, []int{5, 7}) {
				t.Errorf("after Update %v, want 5 7", got)
			}
			if _, err := ana.Vote(t.Context(), c.id, "Trees"); !errors.Is(err, ErrAlreadyVoted) {
				t.Errorf("second vote: %v", err)
			}
			if p := ana.server.Problems(); len(p) > 0 {
				t.Errorf("problems: %q", p)
			}
		})
	}
}

func TestEditTimesDecideAboutUpdates(t *testing.T) {
	type step struct {
		updated string
		want    []int
	}
	for kind, steps := range map[Kind][]step{
		// An edit is taken; then Updates without or with an older time are lost, tallies too.
		Mastodon:   {{"", []int{1, 0}}, {"2026-09-02T10:05:00Z", []int{2, 0}}, {"", []int{2, 0}}, {"2026-09-02T10:01:00Z", []int{2, 0}}, {"2026-09-02T10:05:00Z", []int{5, 0}}},
		Akkoma:     {{"2026-09-02T10:05:00Z", []int{1, 0}}, {"", []int{1, 0}}, {"2026-09-02T10:05:00Z", []int{3, 0}}},
		GoToSocial: {{"2026-09-02T10:05:00Z", []int{1, 0}}, {"", []int{2, 0}}},
		Misskey:    {{"2026-09-02T10:05:00Z", []int{1, 0}}, {"", []int{2, 0}}},
	} {
		c, ana, _ := newCity(t, kind, "oneOf")
		for i, s := range steps {
			delete(c.doc, "updated")
			if s.updated != "" {
				c.doc["updated"] = s.updated
			}
			c.set("oneOf", i+1, i+1, 0)
			c.publish("Update", ana.server)
			if got := tallies(t, ana, c.id); !slices.Equal(got, s.want) {
				t.Errorf("%s step %d: %v, want %v", kind, i, got, s.want)
			}
		}
	}
}

func TestChangedEndTime(t *testing.T) {
	for kind, want := range map[Kind]struct {
		lost bool
		end  string
	}{
		Mastodon: {false, "12:00"}, GoToSocial: {true, "12:00"}, Misskey: {false, "11:00"}, Akkoma: {false, "11:00"},
	} {
		c, ana, _ := newCity(t, kind, "oneOf")
		if _, err := ana.Vote(t.Context(), c.id, "Trees"); err != nil {
			t.Fatal(err)
		}
		c.doc["endTime"] = "2026-09-02T12:00:00Z"
		c.publish("Update", ana.server)
		p, _ := ana.server.Poll(c.id)
		if got := p.EndTime.Format("15:04"); got != want.end {
			t.Errorf("%s: ends %s, want %s", kind, got, want.end)
		}
		if lost := len(ana.server.Voted("ana", c.id)) == 0; lost != want.lost {
			t.Errorf("%s: vote lost is %v, want %v", kind, lost, want.lost)
		}
		if problem := len(ana.server.Problems()) > 0; problem != want.lost {
			t.Errorf("%s: problems %q", kind, ana.server.Problems())
		}
	}
}

func TestChangedOptions(t *testing.T) {
	for kind, want := range map[Kind]int{Mastodon: 3, GoToSocial: 3, Misskey: 2, Akkoma: 2} {
		c, ana, _ := newCity(t, kind, "oneOf")
		c.doc["updated"] = "2026-09-02T10:05:00Z"
		c.set("oneOf", 0, 0, 0, 0)
		c.publish("Update", ana.server)
		if got := tallies(t, ana, c.id); len(got) != want {
			t.Errorf("%s: %d options, want %d", kind, len(got), want)
		}
	}
}

func TestWhoHearsOfTheEnd(t *testing.T) {
	ended := func(a *Account) bool {
		return slices.ContainsFunc(a.server.Notifications("ana"), func(n Notification) bool { return n.Type == "poll" })
	}
	for kind, want := range map[Kind][3]bool{ // at the end, with the closing Update, six minutes later
		Mastodon: {false, false, true}, GoToSocial: {false, true, true}, Misskey: {true, true, true}, Akkoma: {true, true, true},
	} {
		c, ana, now := newCity(t, kind, "oneOf")
		if _, err := ana.Vote(t.Context(), c.id, "Trees"); err != nil {
			t.Fatal(err)
		}
		now.add(time.Hour)
		if got := ended(ana); got != want[0] {
			t.Errorf("%s at the end: %v", kind, got)
		}
		c.doc["closed"] = c.doc["endTime"]
		c.set("oneOf", 3, 2, 1)
		c.publish("Update", ana.server)
		if got := ended(ana); got != want[1] {
			t.Errorf("%s after closed: %v", kind, got)
		}
		now.add(6 * time.Minute)
		if got := ended(ana); got != want[2] {
			t.Errorf("%s later: %v", kind, got)
		}
		if p, _ := ana.server.Poll(c.id); !p.Expired || p.Options[0].Votes != 2 {
			t.Errorf("%s: %+v", kind, p)
		}
		if p := ana.server.Problems(); len(p) > 0 {
			t.Errorf("%s: %q", kind, p)
		}
		if _, err := c.owner.server.Account("late").Vote(t.Context(), c.id, "Trees"); err == nil {
			t.Error("a vote on the origin itself")
		}
		if _, err := ana.server.Account("late").Vote(t.Context(), c.id, "Trees"); !errors.Is(err, ErrPollEnded) {
			t.Errorf("%s: late vote: %v", kind, err)
		}
	}
}

func TestWhatBreaksAPoll(t *testing.T) {
	option := func(c *city, key string) object {
		o, _ := list(c.doc[key])[0].(object)
		return o
	}
	cases := []struct {
		name  string
		kind  Kind
		spoil func(c *city)
		kept  bool // the poll survives
	}{
		{"single option object", Mastodon, func(c *city) { c.doc["oneOf"] = option(c, "oneOf") }, false},
		{"empty anyOf beside", Mastodon, func(c *city) { c.doc["anyOf"] = []any{} }, false},
		{"option without type", GoToSocial, func(c *city) { delete(option(c, "oneOf"), "type") }, false},
		{"markup in an option", GoToSocial, func(c *city) { option(c, "oneOf")["name"] = "R&amp;D" }, true},
		{"no totalItems", GoToSocial, func(c *city) { delete(option(c, "oneOf"), "replies") }, true},
		{"name on the Question", GoToSocial, func(c *city) { c.doc["name"] = "Square" }, true},
		{"long option", Misskey, func(c *city) { option(c, "oneOf")["name"] = strings.Repeat("x", 257) }, false},
		{"url elsewhere", Misskey, func(c *city) { c.doc["url"] = "https://other.example/x" }, false},
		{"replies without type", Akkoma, func(c *city) { option(c, "oneOf")["replies"] = object{"totalItems": 0} }, false},
		{"no endTime", Mastodon, func(c *city) { delete(c.doc, "endTime") }, true},
		{"fractional endTime", Mastodon, func(c *city) { c.doc["endTime"] = "2026-09-02T11:00:00.5Z" }, true},
		{"no votersCount", Mastodon, func(c *city) { delete(c.doc, "votersCount") }, true},
		{"heading", Misskey, func(c *city) { c.doc["content"] = "<h1>x</h1>" }, true},
	}
	for _, k := range cases {
		c, ana, _ := newCity(t, k.kind, "oneOf")
		c.doc["id"] = "https://city.example/o/2"
		k.spoil(c)
		c.publish("Create", ana.server)
		if _, kept := ana.server.Poll("https://city.example/o/2"); kept != k.kept {
			t.Errorf("%s on %s: kept is %v, want %v", k.name, k.kind, kept, k.kept)
		}
		if len(ana.server.Problems()) == 0 {
			t.Errorf("%s on %s: no problem reported", k.name, k.kind)
		}
	}
}

func TestRepeatedActivityIDs(t *testing.T) {
	for kind, want := range map[Kind]int{Mastodon: 4, GoToSocial: 2, Akkoma: 2} {
		c, ana, _ := newCity(t, kind, "oneOf")
		c.set("oneOf", 2, 2, 0)
		c.send("Update", c.id+"#update", ana.server)
		c.set("oneOf", 4, 4, 0)
		c.send("Update", c.id+"#update", ana.server)
		if got := tallies(t, ana, c.id)[0]; got != want {
			t.Errorf("%s: %d, want %d", kind, got, want)
		}
		if len(ana.server.Problems()) != 1 {
			t.Errorf("%s: problems %q", kind, ana.server.Problems())
		}
	}
}

func TestVotesCanBeWithdrawnWhereUsersCan(t *testing.T) {
	for _, kind := range Kinds() {
		c, ana, _ := newCity(t, kind, "oneOf")
		if _, err := ana.Vote(t.Context(), c.id, "Trees"); err != nil {
			t.Fatal(err)
		}
		err := ana.WithdrawVote(t.Context(), c.id)
		if can := kind == Tootik || kind == Akkoma; can != (err == nil) {
			t.Errorf("%s: %v", kind, err)
		} else if can {
			got := c.owner.server.Received()
			if last := got[len(got)-1]; last.Type != "Delete" {
				t.Errorf("%s sent %s", kind, last.Type)
			}
			if _, err := ana.Vote(t.Context(), c.id, "Market hall"); err != nil {
				t.Errorf("%s: %v", kind, err)
			}
		}
	}
}

func TestRefreshAndDisappearance(t *testing.T) {
	c, ana, _ := newCity(t, Mastodon, "oneOf")
	c.set("oneOf", 3, 3, 0)
	doc := clone(c.doc)
	doc["@context"] = activityStreams
	c.owner.server.SetDocument("/o/1", Override{ContentType: activityJSON, Body: encode(doc)})
	if err := ana.Refresh(t.Context(), c.id); err != nil || tallies(t, ana, c.id)[0] != 3 {
		t.Errorf("refresh: %v", err)
	}
	c.owner.server.SetDocument("/o/1", Override{Status: http.StatusServiceUnavailable})
	if err := ana.Refresh(t.Context(), c.id); err == nil || len(tallies(t, ana, c.id)) == 0 {
		t.Error("503 must keep the copy")
	}
	c.owner.server.SetDocument("/o/1", Override{Status: http.StatusNotFound})
	_ = ana.Refresh(t.Context(), c.id)
	if _, ok := ana.server.Poll(c.id); ok {
		t.Error("Mastodon deletes on 404")
	}
}

func TestSearchURL(t *testing.T) {
	c, ana, _ := newCity(t, Akkoma, "oneOf")
	page := `<!doctype html><head><link href="https://city.example/o/1" rel="alternate" type="application/activity+json"></head>`
	c.owner.server.SetDocument("/c/square", Override{ContentType: "text/html; charset=utf-8", Body: []byte(page)})
	if id, err := ana.SearchURL(t.Context(), "https://city.example/c/square"); err != nil || id != c.id {
		t.Errorf("%q, %v", id, err)
	}
	c.owner.server.SetDocument("/c/square", Override{ContentType: "text/html", Body: []byte("<p>nothing</p>")})
	if _, err := ana.SearchURL(t.Context(), "https://city.example/c/square"); err == nil {
		t.Error("a page without the link was found")
	}
}
