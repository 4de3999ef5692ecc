package handlers_test

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	ics "github.com/arran4/golang-ical"

	"inspraak/participation"
)

// entry is what each form of a feed says.
type entry struct{ ID, Title, Link, Content string }

// readFeed reads a feed in any of its forms.
func (s *site) readFeed(address string) (title, lang, self string, entries []entry) {
	s.t.Helper()
	w := s.get(address)
	if w.Code != 200 {
		s.t.Fatalf("%s: %d", address, w.Code)
	}
	body := w.Body.Bytes()
	switch kind := w.Header().Get("Content-Type"); kind {
	case "application/atom+xml; charset=utf-8":
		var f struct {
			XMLName xml.Name `xml:"http://www.w3.org/2005/Atom feed"`
			Lang    string   `xml:"http://www.w3.org/XML/1998/namespace lang,attr"`
			Title   string   `xml:"title"`
			Links   []struct {
				Rel  string `xml:"rel,attr"`
				Href string `xml:"href,attr"`
			} `xml:"link"`
			Entries []struct {
				ID    string `xml:"id"`
				Title string `xml:"title"`
				Link  struct {
					Href string `xml:"href,attr"`
				} `xml:"link"`
				Content string `xml:"content"`
				Updated time.Time
			} `xml:"entry"`
		}
		s.ok(xml.Unmarshal(body, &f))
		for _, l := range f.Links {
			if l.Rel == "self" {
				self = l.Href
			}
		}
		for _, e := range f.Entries {
			entries = append(entries, entry{e.ID, e.Title, e.Link.Href, e.Content})
		}
		return f.Title, f.Lang, self, entries
	case "application/rss+xml; charset=utf-8":
		var f struct {
			Version string `xml:"version,attr"`
			Channel struct {
				Title    string `xml:"title"`
				Language string `xml:"language"`
				Self     []struct {
					Href string `xml:"href,attr"`
				} `xml:"http://www.w3.org/2005/Atom link"`
				Items []struct {
					GUID struct {
						ID        string `xml:",chardata"`
						Permalink string `xml:"isPermaLink,attr"`
					} `xml:"guid"`
					Title   string `xml:"title"`
					Link    string `xml:"link"`
					Content string `xml:"http://purl.org/rss/1.0/modules/content/ encoded"`
					PubDate string `xml:"pubDate"`
				} `xml:"item"`
			} `xml:"channel"`
		}
		s.ok(xml.Unmarshal(body, &f))
		if f.Version != "2.0" || len(f.Channel.Self) != 1 {
			s.t.Errorf("%s: version %q, %d links to itself", address, f.Version, len(f.Channel.Self))
			return
		}
		for _, e := range f.Channel.Items {
			if _, err := time.Parse(time.RFC1123Z, e.PubDate); err != nil || e.GUID.Permalink != "false" {
				s.t.Errorf("%s: date %q, permalink %q", address, e.PubDate, e.GUID.Permalink)
			}
			entries = append(entries, entry{e.GUID.ID, e.Title, e.Link, e.Content})
		}
		return f.Channel.Title, f.Channel.Language, f.Channel.Self[0].Href, entries
	case "application/feed+json; charset=utf-8":
		var f struct {
			Version, Title, Language string
			FeedURL                  string `json:"feed_url"`
			Items                    *[]struct {
				ID, Title, URL string
				Content        string    `json:"content_html"`
				Published      time.Time `json:"date_published"`
			}
		}
		s.ok(json.Unmarshal(body, &f))
		if f.Version != "https://jsonfeed.org/version/1.1" || f.Items == nil {
			s.t.Errorf("%s: version %q, items %v", address, f.Version, f.Items)
			return
		}
		for _, e := range *f.Items {
			entries = append(entries, entry{e.ID, e.Title, e.URL, e.Content})
		}
		return f.Title, f.Language, f.FeedURL, entries
	default:
		s.t.Fatalf("%s is %s", address, kind)
	}
	return
}

// The three forms of a feed hold the same, under ids that stay.
func TestFeedsAgree(t *testing.T) {
	s := world(t)
	for of, want := range map[string]struct {
		entries int
		first   string
	}{
		"":                         {6, "Uitslag: Komt er een speeltuin?"},
		"/@gemeente":               {6, "Uitslag: Komt er een speeltuin?"},
		"/consultations/speeltuin": {7, "Reactie van fem: Komt er een speeltuin?"},
		"/consultations/klaar":     {2, "Uitslag: Komt er een speeltuin?"},
		"/consultations/straks":    {0, ""},
	} {
		_, _, _, atom := s.readFeed(of + "/feed.atom")
		if len(atom) != want.entries || want.entries > 0 && atom[0].Title != want.first {
			t.Errorf("%s has %d entries, want %d: %+v", of, len(atom), want.entries, atom)
		}
		seen := map[string]bool{}
		for _, e := range atom {
			if seen[e.ID] || e.Title == "" || !strings.HasPrefix(e.Link, "https://") {
				t.Errorf("%s: entry %+v", of, e)
			}
			seen[e.ID] = true
		}
		for _, form := range []string{"atom", "rss", "json"} {
			address := of + "/feed." + form
			title, lang, self, entries := s.readFeed(address)
			if !slices.Equal(entries, atom) {
				t.Errorf("%s has other entries than Atom:\n%+v\n%+v", address, entries, atom)
			}
			if lang != "nl" || self != "https://inspraak.example"+address || !strings.HasSuffix(title, "Gemeente Voorbeeld") {
				t.Errorf("%s is %q in %q at %q", address, title, lang, self)
			}
			w := s.get(address)
			if again := s.get(address, "If-None-Match", w.Header().Get("ETag")); again.Code != 304 || w.Header().Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("%s again: %d, for others %q", address, again.Code, w.Header().Get("Access-Control-Allow-Origin"))
			}
		}
	}
	for path, status := range map[string]int{"/consultations/weg/feed.rss": 410, "/consultations/concept/feed.json": 404, "/@niemand/feed.atom": 404, "/consultations/concept/calendar.ics": 404, "/@niemand/calendar.ics": 404} {
		if w := s.get(path); w.Code != status {
			t.Errorf("%s: %d, want %d", path, w.Code, status)
		}
	}
}

// A consultation's feed has the newest replies, and none that is hidden.
func TestConsultationFeedIsBounded(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin")
	for i := range 60 {
		s.reply(c, fmt.Sprint("burger", i), "", fmt.Sprintf("<p>Bericht %d.</p>", i))
	}
	s.ok(s.service.HideReply(t.Context(), "https://elders.example/notes/burger58", "scheldwoorden"))
	_, _, _, entries := s.readFeed("/consultations/speeltuin/feed.json")
	if len(entries) != 50 || entries[0].Content != "<p>Bericht 59.</p>" || entries[1].Content != "<p>Bericht 57.</p>" || entries[49].Content != "<p>Bericht 9.</p>" {
		t.Errorf("%d entries: %+v", len(entries), entries)
	}
	id := entries[1].ID
	s.advance(time.Second)
	s.ok(s.service.EditReply(t.Context(), participation.Reply{ID: id, Author: participation.Author{ID: "https://elders.example/users/burger57"}, HTML: "<p>Beter.</p>", Updated: s.now()}, true))
	if _, _, _, entries := s.readFeed("/consultations/speeltuin/feed.rss"); entries[0] != (entry{id, "Reactie van burger57: Komt er een speeltuin?", id, "<p>Beter.</p>"}) {
		t.Errorf("after an edit the first is %+v", entries[0])
	}
}

// Pages name the feeds that go with them, and these are there.
func TestPagesNameTheirFeeds(t *testing.T) {
	s := newSite(t)
	s.publish("speeltuin")
	for path, of := range map[string]string{"/": "/", "/about": "/", "/@gemeente": "/@gemeente/", "/consultations/speeltuin": "/consultations/speeltuin/"} {
		d := s.page(path, 200)
		for ending, kind := range map[string]string{"feed.atom": "application/atom+xml", "feed.rss": "application/rss+xml", "feed.json": "application/feed+json", "calendar.ics": "text/calendar"} {
			if n := d.Find(`head link[rel=alternate][type="` + kind + `"][href="` + of + ending + `"]`).Length(); n != 1 {
				t.Errorf("%s names %s %d times", path, of+ending, n)
			}
			if w := s.get(of + ending); w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), kind) {
				t.Errorf("%s: %d %s", of+ending, w.Code, w.Header().Get("Content-Type"))
			}
		}
	}
}

// dates reads a calendar: its events by UID.
func (s *site) dates(path string) map[string]*ics.VEvent {
	s.t.Helper()
	w := s.get(path)
	for line := range strings.SplitSeq(strings.TrimSuffix(w.Body.String(), "\r\n"), "\r\n") {
		if len(line) > 75 || strings.ContainsAny(line, "\r\n") {
			s.t.Errorf("%s: a line of %d octets: %q", path, len(line), line) // RFC 5545 §3.1
		}
	}
	c, err := ics.ParseCalendar(w.Body)
	s.ok(err)
	events := map[string]*ics.VEvent{}
	for _, e := range c.Events() {
		events[e.Id()] = e
	}
	return events
}

func property(e *ics.VEvent, name ics.ComponentProperty) string {
	if p := e.GetProperty(name); p != nil {
		return p.Value
	}
	return ""
}

// Dates keep their UID and raise their SEQUENCE when they move (RFC 5545 §3.8.7.4);
// what is withdrawn is cancelled.
func TestCalendars(t *testing.T) {
	s := newSite(t)
	title := "Bomen, banken; of een héél lange vraag met \\ en\nnog een regel, die nergens anders past dan hier?"
	c := s.publish("speeltuin", func(c *participation.Consultation) { c.Title = title })
	opens, closes := c.ID+"-opens@inspraak.example", c.ID+"-closes@inspraak.example"
	moment := func(t time.Time) string { return t.UTC().Format("20060102T150405Z") }
	says := func(when, status string, sequence string, at, revised time.Time) {
		t.Helper()
		for _, path := range []string{"/calendar.ics", "/@gemeente/calendar.ics", "/consultations/speeltuin/calendar.ics"} {
			events := s.dates(path)
			if len(events) != 2 || events[opens] == nil || events[closes] == nil {
				t.Fatalf("%s, %s: %v", when, path, events)
			}
			got := []string{}
			for _, name := range []ics.ComponentProperty{ics.ComponentPropertyDtStart, ics.ComponentPropertyStatus, ics.ComponentPropertySequence, ics.ComponentPropertyDtstamp, ics.ComponentPropertyLastModified, ics.ComponentPropertySummary, ics.ComponentPropertyUrl} {
				got = append(got, property(events[closes], name))
			}
			want := []string{moment(at), status, sequence, moment(revised), moment(revised), "Sluit: " + title, "https://inspraak.example/consultations/speeltuin"}
			if !slices.Equal(got, want) {
				t.Errorf("%s, %s:\n%q, want\n%q", when, path, got, want)
			}
			if got := property(events[opens], ics.ComponentPropertyDtStart); got != moment(c.OpensAt) {
				t.Errorf("%s, %s: opens %s", when, path, got)
			}
		}
	}
	began := s.now()
	says("open", "CONFIRMED", "0", c.ClosesAt, began)
	tag := s.get("/calendar.ics").Header().Get("ETag")
	s.advance(10 * time.Minute)
	if w := s.get("/calendar.ics", "If-None-Match", tag); w.Code != 304 {
		t.Errorf("nothing has moved: %d", w.Code)
	}
	_, _, err := s.service.Heartbeat(t.Context())
	s.ok(err)
	s.advance(45 * time.Minute)
	_, outage, err := s.service.Heartbeat(t.Context())
	s.ok(err)
	extended, err := s.service.Consultation(t.Context(), c.ID)
	s.ok(err)
	if outage.Number == 0 || !extended.Deadline().After(c.Deadline()) {
		t.Fatalf("no outage moved anything: %+v", outage)
	}
	says("extended", "CONFIRMED", "1", extended.Deadline(), s.now())
	s.advance(time.Minute)
	_, err = s.service.Close(t.Context(), c.ID, "de raad is eruit", 0)
	s.ok(err)
	early := s.now()
	says("closed early", "CONFIRMED", "2", early, early)
	s.advance(time.Hour)
	s.ok(s.service.Withdraw(t.Context(), c.ID, "het plan gaat niet door"))
	says("withdrawn", "CANCELLED", "3", early, s.now())
}
