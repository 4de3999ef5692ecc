package handlers_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"inspraak/handlers"
	"inspraak/participation"
)

const anna = "https://elders.example/users/anna"

// confirm sends the form on a page of data.
func (s *site) confirm(path, form string, headers ...string) (int, *goquery.Document, http.Header) {
	s.t.Helper()
	w := s.do(http.MethodPost, path, strings.NewReader(form), append(headers, "Content-Type", "application/x-www-form-urlencoded")...)
	d, err := goquery.NewDocumentFromReader(w.Body)
	s.ok(err)
	return w.Code, d, w.Header()
}

// annaTakesPart votes, replies, is answered, likes and is reported.
func annaTakesPart(s *site) participation.Consultation {
	c := s.publish("speeltuin")
	_, err := s.service.CastVote(s.t.Context(), participation.Vote{Consultation: c.ID, Actor: anna, Host: "elders.example",
		Marks: []participation.Mark{{Object: anna + "/1", Name: "Nee"}}, ReceivedAt: s.now()})
	s.ok(err)
	id := s.reply(c, "anna", "", "<p>Een <b>bankje</b>.</p>")
	s.ok(s.service.HideReply(s.t.Context(), id, "Scheldwoorden"))
	_, err = s.service.Answer(s.t.Context(), id, "Dat kan niet.")
	s.ok(err)
	s.ok(s.service.Gesture(s.t.Context(), c.ID, participation.Like, anna, "", anna+"#l", true))
	s.ok(s.service.Receive(s.t.Context(), participation.Report{ID: "https://x.example/1", Server: "x.example", Objects: []string{anna}}))
	return c
}

func TestMyData(t *testing.T) {
	s := newSite(t)
	c := annaTakesPart(s)
	path := func() string { return "/my-data/" + s.service.DataToken(anna) }
	held := []string{"@anna@elders.example", "Anna <b>", anna, anna + "#main-key", "https://oud.example/anna", "4 mei 2025", "Gemeente Voorbeeld, sinds",
		"Komt er een speeltuin?", "2 maart 2026", "Een bankje.", "Scheldwoorden", "Dat kan niet.", "like:", "1 bericht van ons geciteerd", "1 melding"}
	d := s.page(path(), 200, "Accept-Language", "nl")
	says(t, d, "main", append(held, "na de sluiting te zien"), []string{"Nee"})
	s.close(c)
	d = s.page(path(), 200, "Accept-Language", "nl")
	says(t, d, "main", append(held, "Nee"), []string{"na de sluiting te zien"})
	says(t, s.page(path(), 200, "Accept-Language", "en"), "main", []string{"Held since", "4 May 2025"}, nil)
	nothing := "/my-data/" + s.service.DataToken("https://elders.example/nobody")
	says(t, s.page(nothing, 200, "Accept-Language", "nl"), "main", []string{"Wij bewaren niets van het account zelf.", "Niets."}, held[1:])

	s.ok(s.service.Withdraw(t.Context(), c.ID, "De vraag klopte niet."))
	says(t, s.page(path(), 200, "Accept-Language", "nl"), "section[aria-labelledby=ballots]", []string{"ingetrokken"}, []string{"Nee", "na de sluiting"})
}

// A page of data is for one person: no cache, no search engine and no other site
// hears of it.
func TestMyDataIsPrivate(t *testing.T) {
	s := newSite(t, func(c *handlers.Config) { c.DataWords = map[string]string{"nl": "gegevens"} })
	annaTakesPart(s)
	token := s.service.DataToken(anna)
	s.advance(time.Hour + 2*time.Second)
	expired := token
	token = s.service.DataToken(anna)
	for path, status := range map[string]int{"/my-data/" + token: 200, "/my-data/" + expired: 410, "/my-data/x": 404, "/my-data/" + token + "%0a": 404} {
		w := s.get(path, "Accept-Language", "nl")
		h := w.Header()
		if w.Code != status || h.Get("Cache-Control") != "no-store" || h.Get("Etag") != "" || h.Get("Referrer-Policy") != "no-referrer" ||
			!strings.Contains(h.Get("X-Robots-Tag"), "noindex") || h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %d, %v", path, w.Code, h)
		}
		d, err := goquery.NewDocumentFromReader(w.Body)
		s.ok(err)
		if d.Find("meta[name=robots][content=noindex]").Length() != 1 || d.Find("meta[property], meta[name=description]").Length() != 0 {
			t.Errorf("%s introduces itself to strangers", path)
		}
		if status != 200 {
			says(t, d, "main", []string{"Stuur ons account het bericht nog eens", "gegevens"}, []string{"bankje", anna})
		}
	}
	if w := s.get("/my-data/"+token, "If-None-Match", "*"); w.Code != http.StatusOK {
		t.Errorf("from a cache: %d", w.Code)
	}
}

func TestErasure(t *testing.T) {
	s := newSite(t)
	annaTakesPart(s)
	path := "/my-data/" + s.service.DataToken(anna)
	form := s.page(path, 200).Find("form")
	if form.AttrOr("method", "") != "post" || form.AttrOr("action", "") != path || form.Find("input[type=checkbox][required]").Length() != 1 {
		t.Error("the form is not as it should be")
	}
	for _, c := range []struct {
		name, path, form string
		headers          []string
		want             int
	}{
		{"not confirmed", path, "", nil, 422},
		{"confirmed otherwise", path, "confirm=no", nil, 422},
		{"confirmed in the address", path + "?confirm=yes", "", nil, 422},
		{"from another site", path, "confirm=yes", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"from another origin", path, "confirm=yes", []string{"Origin", "https://evil.example"}, 403},
		{"another token", "/my-data/x", "confirm=yes", nil, 404},
		{"too long", path, "confirm=yes&x=" + strings.Repeat("x", 5000), nil, 400},
	} {
		status, d, h := s.confirm(c.path, c.form, c.headers...)
		if status != c.want || h.Get("Cache-Control") != "no-store" || d.Find("h1").Length() != 1 {
			t.Errorf("%s: %d, %v", c.name, status, h)
		}
		if c.want == 422 && d.Find("[role=alert]").Length() != 1 {
			t.Errorf("%s: the page does not say what is missing", c.name)
		}
	}
	if s.doors.erased != nil {
		t.Fatalf("erased %q without being asked properly", s.doors.erased)
	}
	s.doors.err = errDisk
	if status, d, _ := s.confirm(path, "confirm=yes"); status != 503 || strings.Contains(d.Text(), "secret") || d.Find("h1").Length() != 1 {
		t.Errorf("with a full disk: %d", status)
	}
	s.doors.err = nil
	status, d, _ := s.confirm(path, "confirm=yes", "Sec-Fetch-Site", "same-origin", "Origin", "null", "Accept-Language", "nl")
	if status != 200 || len(s.doors.erased) != 2 || s.doors.erased[1] != anna {
		t.Errorf("%d, erased %q", status, s.doors.erased)
	}
	says(t, d, "main", []string{"Uw gegevens zijn gewist", "een week lang geen stem"}, []string{"bankje"})
	s.advance(time.Hour + 2*time.Second)
	if status, _, _ := s.confirm(path, "confirm=yes"); status != 410 || len(s.doors.erased) != 2 {
		t.Errorf("after an hour: %d, erased %q", status, s.doors.erased)
	}
}
