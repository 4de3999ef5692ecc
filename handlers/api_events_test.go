package handlers_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"inspraak/participation"
)

type streamEvent struct {
	Cursor, Type, Consultation, Reason, Address string
	Number                                      int
	Reply                                       *struct {
		Number          int
		Hidden, Deleted bool
		HTML, Reason    string
		AnswersReply    int
	}
	Post *struct{ HTML string }
}

type stream struct {
	Events []streamEvent
	Next   string
	More   bool
}

// stream reads one answer of /events.
func (s *site) stream(address string) (v stream, tag string) {
	s.t.Helper()
	w := s.get(strings.TrimPrefix(address, s.config.URLs.Base))
	if w.Code != 200 {
		s.t.Fatalf("%s: %d %s", address, w.Code, w.Body)
	}
	s.ok(json.Unmarshal(w.Body.Bytes(), &v))
	if link := w.Header().Get("Link"); link != "<"+v.Next+`>; rel="next"` {
		s.t.Errorf("%s: Link is %q, next %q", address, link, v.Next)
	}
	return v, w.Header().Get("ETag")
}

// streamAll reads the stream to its end.
func (s *site) streamAll(limit int) (all []streamEvent, next, tag string) {
	s.t.Helper()
	next = fmt.Sprint(apiRoot, "/events?limit=", limit)
	for {
		v, now := s.stream(next)
		all, next, tag = append(all, v.Events...), v.Next, now
		if !v.More {
			return all, next, tag
		}
	}
}

func TestStream(t *testing.T) {
	s := world(t)
	all, next, _ := s.streamAll(200)
	var types []string
	for i, e := range all {
		types = append(types, e.Consultation+" "+e.Type)
		if e.Number != i+1 {
			t.Errorf("event %d has number %d", i+1, e.Number)
		}
	}
	want := []string{
		"speeltuin consultation-published", "speeltuin consultation-opened", "speeltuin checkpoint-published",
		"speeltuin reply-added", "speeltuin reply-added", "speeltuin reply-added", "speeltuin reply-added", "speeltuin reply-added",
		"speeltuin reply-hidden", "speeltuin reply-hidden", "speeltuin reply-shown", "speeltuin reply-edited", "speeltuin reply-deleted",
		"speeltuin post-published", "speeltuin post-published", "speeltuin reply-added",
		"straks consultation-published", "praat consultation-published", "praat consultation-opened",
		"weg consultation-published", "weg consultation-opened", "weg checkpoint-published", "weg reply-added", "weg post-published", "weg consultation-withdrawn",
		"klaar consultation-published", "klaar consultation-opened", "klaar checkpoint-published",
		"klaar consultation-closed", "klaar result-published", "klaar checkpoint-published", "klaar dataset-published",
	}
	if diff := cmp.Diff(want, types); diff != "" {
		t.Errorf("the stream differs:\n%s", diff)
	}
	if piecemeal, _, _ := s.streamAll(3); !cmp.Equal(all, piecemeal) {
		t.Errorf("in threes it is another stream:\n%s", cmp.Diff(all, piecemeal))
	}
	lines := s.get(apiRoot+"/events?limit=200", "Accept", "application/x-ndjson")
	if got := strings.Count(lines.Body.String(), "\n"); got != len(all) || lines.Header().Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("%d lines of %s for %d events", got, lines.Header().Get("Content-Type"), len(all))
	}

	// Nothing new is 304, until there is.
	end, tag := s.stream(next)
	if len(end.Events) != 0 || end.More || end.Next != next {
		t.Errorf("at the end: %+v", end)
	}
	path := strings.TrimPrefix(next, s.config.URLs.Base)
	if w := s.get(path, "If-None-Match", tag); w.Code != 304 {
		t.Errorf("nothing new: %d", w.Code)
	}
	praat, err := s.service.Consultation(t.Context(), "praat")
	s.ok(err)
	s.reply(praat, "iris", "", "<p>Nieuw.</p>")
	if w := s.get(path, "If-None-Match", tag); w.Code != 200 || !strings.Contains(w.Body.String(), "Nieuw.") {
		t.Errorf("a new reply: %d %s", w.Code, w.Body)
	}
}

// What is hidden, deleted or withdrawn leaves its words and author nowhere in the
// API, not even where it was told before.
func TestStreamForgets(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin")
	kept := s.reply(c, "anna", "", "<p>Behouden.</p>")
	gone := s.reply(c, "cor", "", "<p>Eerste versie.</p>")
	s.reply(c, "els", gone, "<p>Antwoord.</p>")
	hidden := s.reply(c, "dirk", kept, "<p>Scheldwoord.</p>")
	s.advance(1e9)
	s.ok(s.service.EditReply(t.Context(), participation.Reply{ID: gone, Author: participation.Author{ID: "https://elders.example/users/cor"}, HTML: "<p>Tweede versie.</p>", Updated: s.now()}, true))
	everything := func() (all string) {
		for _, path := range []string{"/events", "/consultations", "/consultations/speeltuin", "/consultations/speeltuin/replies", "/consultations/speeltuin/posts"} {
			all += s.get(apiRoot + path).Body.String()
		}
		for _, format := range []string{"atom", "rss", "json"} {
			all += s.get("/consultations/speeltuin/feed." + format).Body.String()
		}
		return all
	}
	for _, word := range []string{"Tweede versie", "Scheldwoord", "notes/cor", "notes/dirk", "dirk@elders.example"} {
		if !strings.Contains(everything(), word) {
			t.Fatalf("%q is nowhere to begin with", word)
		}
	}
	if strings.Contains(everything(), "Eerste versie") {
		t.Error("an edited reply is told as it was")
	}
	s.ok(s.service.HideReply(t.Context(), hidden, "scheldwoorden"))
	s.ok(s.service.Delete(t.Context(), "https://elders.example/users/cor", gone))
	for _, word := range []string{"versie", "Scheldwoord", "cor@", "/cor", "dirk"} {
		if text := everything(); strings.Contains(text, word) {
			t.Errorf("%q is still there: %s", word, text)
		}
	}
	events, _, _ := s.streamAll(200)
	told := func(number int) (all []string) {
		for _, e := range events {
			if e.Reply != nil && e.Reply.Number == number {
				all = append(all, fmt.Sprintf("%s hidden=%v deleted=%v %s%s", e.Type, e.Reply.Hidden, e.Reply.Deleted, e.Reply.HTML, e.Reply.Reason))
			}
		}
		return all
	}
	if got, want := told(5), []string{"reply-added hidden=false deleted=true ", "reply-edited hidden=false deleted=true ", "reply-deleted hidden=false deleted=true "}; !slices.Equal(got, want) {
		t.Errorf("of the deleted reply: %q", got)
	}
	if got, want := told(7), []string{"reply-added hidden=true deleted=false scheldwoorden", "reply-hidden hidden=true deleted=false scheldwoorden"}; !slices.Equal(got, want) {
		t.Errorf("of the hidden reply: %q", got)
	}
	if got := told(6); !slices.Equal(got, []string{"reply-added hidden=false deleted=false <p>Antwoord.</p>"}) {
		t.Errorf("of the answer to it: %q", got)
	}
	_, err := s.service.Announce(t.Context(), c.ID, participation.Notice, "Kom ook langs.")
	s.ok(err)
	s.ok(s.service.Withdraw(t.Context(), c.ID, "het plan gaat niet door"))
	for _, word := range []string{"Kom ook langs", "Behouden", "Antwoord", "Wij denken aan het park", "anna"} {
		if text := everything(); strings.Contains(text, word) {
			t.Errorf("after the withdrawal %q is still there: %s", word, text)
		}
	}
}

// The log of events holds no address of a reply: none can be found by it once the
// reply is gone.
func TestEventsHoldNoAddress(t *testing.T) {
	s := world(t)
	events, err := s.service.Events(t.Context(), 0, 0)
	s.ok(err)
	for _, e := range events {
		if strings.Contains(e.Subject, "elders.example") {
			t.Errorf("%+v", e)
		}
	}
}

// Page by page the lists are whole and in order; the result is that of the page.
func TestAPILists(t *testing.T) {
	s := world(t)
	for path, want := range map[string]int{"/consultations?limit=2": 5, "/consultations?limit=1&phase=open": 2, "/consultations/speeltuin/replies?limit=2": 5, "/consultations/speeltuin/posts?limit=1": 2} {
		found := map[string]bool{}
		for n, next := 0, apiRoot+path; next != ""; n++ {
			var v struct {
				Consultations []struct{ Slug string }
				Replies       []struct{ Number int }
				Posts         []struct{ ID string }
				Next          string
			}
			w := s.get(strings.TrimPrefix(next, s.config.URLs.Base))
			s.ok(json.Unmarshal(w.Body.Bytes(), &v))
			for _, item := range [][]string{ids(v.Consultations), ids(v.Replies), ids(v.Posts)} {
				for _, id := range item {
					if found[id] {
						t.Errorf("%s: %s twice", path, id)
					}
					found[id] = true
				}
			}
			if next = v.Next; n > want {
				t.Fatalf("%s does not end", path)
			}
		}
		if len(found) != want {
			t.Errorf("%s: %v, want %d", path, found, want)
		}
	}
	a, b := s.get(apiRoot+"/consultations/klaar/result"), s.get("/consultations/klaar/result.json")
	if a.Body.String() != b.Body.String() || !regexp.MustCompile(`"name":"Ja","votes":21`).MatchString(a.Body.String()) {
		t.Errorf("two results:\n%s\n%s", a.Body, b.Body)
	}
	if open := s.get(apiRoot + "/consultations/speeltuin/result").Body.String(); strings.Contains(open, "votes") || !strings.Contains(open, `"hidden":"close"`) {
		t.Errorf("an open count: %s", open)
	}
}

func ids[T any](items []T) (all []string) {
	for _, i := range items {
		all = append(all, fmt.Sprint(i))
	}
	return all
}
