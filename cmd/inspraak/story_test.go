package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"inspraak/participation"
	"inspraak/simulation"
)

// The story of a consultation, told on three nodes with a server of every
// kind: found, followed, published, voted, discussed, closed. In the end page,
// feed, JSON, Question and every remote copy show the same numbers.
func TestStory(t *testing.T) {
	c := newCluster(t)
	plein := c.node("alkmaar.example", "alkmaar")
	straten := c.node("bergen.example", "bergen")
	wijk := c.node("castricum.example", "castricum")

	var people []*simulation.Account
	for _, kind := range simulation.Kinds() {
		s := c.server(kind, strings.ReplaceAll(string(kind), ".", "-")+".example")
		for _, name := range []string{"ana", "bo"} {
			people = append(people, s.Account(name))
		}
	}

	// Everybody finds the three channels by handle, and follows.
	for _, who := range people {
		for _, n := range []*testNode{plein, straten, wijk} {
			found, err := who.SearchHandle(t.Context(), n.handle())
			if err != nil || found != n.actor() {
				t.Fatalf("%s searches %s: %q, %v", who.Handle(), n.handle(), found, err)
			}
			must2(who.Follow(t.Context(), found))(c)
		}
	}
	c.settle()
	for _, who := range people {
		if !who.Server().Following(who.Name(), plein.actor()) {
			t.Errorf("%s: the Follow was not accepted", who.Handle())
		}
	}

	// The consultations arrive where somebody follows.
	single := plein.publish("plein", participation.SingleChoice, participation.AtClose, "Bomen", "Markthal", "Geen van beide")
	multiple := straten.publish("straten", participation.MultipleChoice, participation.Live, "Noorderstraat", "Zuiderstraat", "Westerstraat")
	open := wijk.publish("wijk", participation.OpenQuestion, participation.AtClose)
	c.settle()
	for _, who := range people {
		s := who.Server()
		for _, q := range []struct {
			id       string
			options  int
			multiple bool
		}{{plein.object(single), 3, false}, {straten.object(multiple), 3, true}} {
			poll, ok := s.Poll(q.id)
			if !ok || len(poll.Options) != q.options || poll.Multiple != q.multiple {
				t.Fatalf("%s shows the poll as %+v, %v", s.Kind(), poll, ok)
			}
		}
		if _, ok := s.Note(wijk.object(open)); !ok {
			t.Errorf("%s did not receive the open question", s.Kind())
		}
	}

	// The first of each server votes for one, the second for another.
	singleCounts, multipleCounts := []int{0, 0, 0}, []int{0, 0, 0}
	for i, who := range people {
		choice := i % 2
		names := [][]string{{"Noorderstraat", "Zuiderstraat"}, {"Westerstraat"}}[choice]
		must2(who.Vote(t.Context(), plein.object(single), []string{"Bomen", "Markthal"}[choice]))(c)
		must2(who.Vote(t.Context(), straten.object(multiple), names...))(c)
		singleCounts[choice]++
		if choice == 0 {
			multipleCounts[0]++
			multipleCounts[1]++
		} else {
			multipleCounts[2]++
		}
	}
	// One Mastodon account that nobody of its server's follows with, by pasted address.
	late := c.server(simulation.Mastodon, "late.example").Account("cy")
	if found := must2(late.SearchURL(t.Context(), plein.urls.Page(single.Slug)))(c); found != plein.object(single) {
		t.Errorf("the pasted page leads to %s", found)
	}
	must2(late.Vote(t.Context(), plein.object(single), "Geen van beide"))(c)
	singleCounts[2]++

	discuss(t, c, plein, single, people)
	c.wait(4 * time.Minute)
	c.settle()

	// Sealed: turnout and nothing else, on every way out.
	if r := plein.result(single); r.Turnout != len(people)+1 || r.Counts != nil {
		t.Errorf("before closing: turnout %d, counts %v", r.Turnout, r.Counts)
	}
	for _, o := range plein.question(single).Options {
		if o.TotalItems != 0 {
			t.Errorf("the Question tells %d for %q before closing", o.TotalItems, o.Name)
		}
	}
	if got := plein.question(single).VotersCount; got != len(people)+1 {
		t.Errorf("votersCount %d, want %d", got, len(people)+1)
	}
	// Live: counted as far as the log has it, and told to every server that takes Updates.
	shown := 0
	r := straten.result(multiple)
	for i, n := range r.Counts {
		if shown += n; n > multipleCounts[i] {
			t.Errorf("live: counts %v of %v", r.Counts, multipleCounts)
		}
	}
	if r.Turnout != len(people) || r.Pending != 0 || shown == 0 {
		t.Errorf("live: turnout %d, %d waiting, %d votes shown of %d people's", r.Turnout, r.Pending, shown, len(people))
	}

	c.wait(24 * time.Hour)
	c.settle()
	checkEverywhere(t, plein, single, people, singleCounts, len(people)+1)
	checkEverywhere(t, straten, multiple, people, multipleCounts, len(people))
	for _, who := range append(people, late) {
		if problems := who.Server().Problems(); len(problems) > 0 {
			t.Errorf("%s would object: %s", who.Server().Kind(), strings.Join(problems, "; "))
		}
	}
}

// discuss writes, edits and deletes replies, likes and boosts, from every kind.
func discuss(t *testing.T, c *cluster, n *testNode, about participation.Consultation, people []*simulation.Account) {
	object := n.object(about)
	var notes []string
	for i, who := range people {
		id := must2(who.Reply(t.Context(), object, fmt.Sprintf("<p>Ook ruimte voor bankjes, zegt %d</p>", i), simulation.Public))(c)
		notes = append(notes, id)
	}
	must2(people[1].Reply(t.Context(), notes[0], "<p>Helemaal eens</p>", simulation.Public))(c)
	must2(people[0].Reply(t.Context(), object, "<p>Dit is alleen voor u</p>", simulation.Direct))(c)
	c.wait(time.Minute)
	must2(people[0].Edit(t.Context(), notes[0], "<p>Vooral bankjes met een leuning</p>"))(c)
	must2(people[2].Delete(t.Context(), notes[2]))(c)
	must2(people[0].Like(t.Context(), object))(c)
	must2(people[6].React(t.Context(), object, "👍"))(c)
	must2(people[8].React(t.Context(), object, "👍"))(c)
	must2(people[3].Boost(t.Context(), object))(c)
	must2(people[3].Unboost(t.Context(), object))(c)
	must2(people[4].Boost(t.Context(), object))(c)
	must2(people[0].Flag(t.Context(), []string{n.actor(), object}, "off-topic"))(c)

	replies, err := n.Service.Replies(t.Context(), participation.ReplyFilter{Consultation: about.ID})
	c.must(err)
	if want := len(people); len(replies) != want { // each one, one more, one less
		t.Errorf("%d replies, want %d", len(replies), want)
	}
	page := n.get("/consultations/"+about.Slug+"/replies", "text/html").Body.String()
	for text, want := range map[string]bool{"bankjes met een leuning": true, "Helemaal eens": true, "zegt 2": false, "alleen voor u": false} {
		if strings.Contains(page, text) != want {
			t.Errorf("the page shows %q: %v", text, !want)
		}
	}
	if reports, err := n.Service.Reports(t.Context(), false); err != nil || len(reports) != 1 {
		t.Errorf("reports: %v, %v", reports, err)
	}

	// An official answer goes into the citizen's thread and notifies.
	_, err = n.Service.Answer(t.Context(), notes[0], "Dat nemen we mee: bankjes **met** leuning.")
	c.must(err)
	c.settle()
	if !slices.ContainsFunc(people[0].Server().Notifications("ana"), func(n simulation.Notification) bool { return n.Type == "mention" }) {
		t.Error("the answer did not reach its addressee")
	}
}

// checkEverywhere holds page, feed, JSON, Question and the remote copies
// against the true numbers.
func checkEverywhere(t *testing.T, n *testNode, about participation.Consultation, people []*simulation.Account, counts []int, turnout int) {
	t.Helper()
	r := n.result(about)
	if !r.Final || r.Turnout != turnout || !slices.Equal(r.Counts, counts) {
		t.Errorf("%s: final %v, turnout %d, counts %v; want %d, %v", about.Slug, r.Final, r.Turnout, r.Counts, turnout, counts)
	}
	q := n.question(about)
	if q.VotersCount != turnout {
		t.Errorf("%s: the Question says %d voters", about.Slug, q.VotersCount)
	}
	for i, o := range q.Options {
		if o.TotalItems != counts[i] {
			t.Errorf("%s: the Question says %d for %q, want %d", about.Slug, o.TotalItems, o.Name, counts[i])
		}
	}
	got := decodeJSON[struct {
		Turnout int `json:"turnout"`
		Options []struct {
			Name  string `json:"name"`
			Votes *int   `json:"votes"`
		} `json:"options"`
	}](t, n.get("/consultations/"+about.Slug+"/result.json", "application/json").Body.Bytes())
	if got.Turnout != turnout || len(got.Options) != len(counts) {
		t.Errorf("%s: result.json says %+v", about.Slug, got)
	}
	for i, o := range got.Options {
		if o.Votes == nil || *o.Votes != counts[i] {
			t.Errorf("%s: result.json says %v for %q, want %d", about.Slug, o.Votes, o.Name, counts[i])
		}
	}
	page := n.get("/consultations/"+about.Slug+"/result?lang=en", "text/html").Body.String()
	feed := n.get("/@"+n.channel+"/feed.atom", "application/atom+xml").Body.String()
	for i, o := range about.Options {
		if !strings.Contains(page, o) || !strings.Contains(page, fmt.Sprintf(">%d<", counts[i])) {
			t.Errorf("%s: the page does not show %d for %q", about.Slug, counts[i], o)
		}
		if !strings.Contains(feed, fmt.Sprintf("%s: %d", o, counts[i])) {
			t.Errorf("%s: the feed does not say %q: %d", about.Slug, o, counts[i])
		}
	}
	for _, who := range people {
		s := who.Server()
		poll, ok := s.Poll(n.object(about))
		if !ok {
			t.Errorf("%s lost the poll", s.Kind())
			continue
		}
		for i, o := range poll.Options {
			if o.Votes != counts[i] {
				t.Errorf("%s: %s shows %d for %q, want %d", about.Slug, s.Kind(), o.Votes, o.Name, counts[i])
			}
		}
		if !poll.Expired {
			t.Errorf("%s: %s still shows the poll as open", about.Slug, s.Kind())
		}
		var result bool
		for _, note := range s.Notes() {
			result = result || note.InReplyTo == n.object(about) && note.Author == n.actor() && strings.Contains(note.Content, about.Options[0])
		}
		if !result {
			t.Errorf("%s: %s did not receive the result post", about.Slug, s.Kind())
		}
	}
}
