package handlers_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"inspraak/handlers"
	"inspraak/participation"
)

func live(c *participation.Consultation)     { c.Results = participation.Live }
func multiple(c *participation.Consultation) { c.Kind = participation.MultipleChoice }
func batch(k int) func(*participation.Consultation) {
	return func(c *participation.Consultation) { c.Terms.BatchSize = k }
}

func TestOpenConsultationHidesCounts(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin", batch(3))
	s.vote(c, "Ja", 3)
	s.vote(c, "Nee", 1)
	d := s.page("/consultations/speeltuin", 200, "Accept-Language", "nl")
	for selector, want := range map[string]string{
		"h1":     "Komt er een speeltuin?",
		".badge": "Open",
	} {
		if got := text(d, selector); got != want {
			t.Errorf("%s: %q, want %q", selector, got, want)
		}
	}
	body := text(d, "body")
	for _, want := range []string{
		"De tussenstand is geheim tot de sluiting.", "4 mensen hebben gestemd.", "Stemmen er minder dan 3 mensen",
		"De raad leest alles.", "De gemeenteraad", "In juni", "De plek staat vast.", "Een zienswijze dient u in bij de balie.",
		"maandag 2 maart 2026 om 11:00 uur (Nederlandse tijd)", "binnen 3 minuten", "https://inspraak.example/consultations/speeltuin",
		"@gemeente@inspraak.example", "Bel 14 0123.", "Er zijn nog geen reacties.", "Met Pixelfed kunt u niet stemmen.",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if n := d.Find("svg, figure").Length(); n != 0 {
		t.Errorf("%d charts while counts are hidden", n)
	}
}

// randomText are keys, roots and signatures.
var randomText = regexp.MustCompile(`(?:[A-Za-z0-9/=+]|&#43;){43,}`)

// Whoever watches everything public learns nothing of the count before
// closing: two opposite counts give the same bytes at every address.
func TestHiddenCountsLeakNowhere(t *testing.T) {
	watch := func(ja, nee int) (all string) {
		s := newSite(t)
		c := s.publish("speeltuin")
		s.vote(c, "Ja", ja)
		s.vote(c, "Nee", nee)
		for _, path := range []string{"/", "/@gemeente", "/tags/speeltuin", "/@gemeente/feed.atom", "/feed.rss", "/consultations/speeltuin/feed.json", "/calendar.ics",
			"/api/v1/events", "/api/v1/consultations/speeltuin/result", "/consultations/speeltuin", "/consultations/speeltuin/result", "/consultations/speeltuin/replies", "/consultations/speeltuin/result.json"} {
			w := s.get(path)
			if w.Code != 200 {
				t.Fatalf("%s: %d", path, w.Code)
			}
			all += path + w.Body.String()
		}
		// Nonces are random, so of the log and of receipts the sizes are compared,
		// and what the pages say but for them.
		for _, path := range []string{"checkpoint", "key", "tile/0/000", "tile/0/000.p/6", "tile/0/000.p/7", "tile/1/000.p/1", "tile/entries/000", "tile/entries/000.p/6", "tile/entries/000.p/7"} {
			w := s.get("/log/" + c.ID + "/" + path)
			all += fmt.Sprintln(path, w.Code, w.Body.Len(), w.Header().Get("Content-Type"))
		}
		for _, path := range []string{"dataset", "dataset.zip", "dataset/ballots.csv", "dataset/integrity.json", "figures", "ballots", "ballots?code=AAAA-AAAA-AAAA-AAAA"} {
			w := s.get("/consultations/speeltuin/" + path)
			all += fmt.Sprintln(path, w.Code) + w.Body.String()
		}
		for _, name := range []string{"Ja0", "Nee0"} {
			r := s.receipt(name)
			w := s.get("/consultations/speeltuin/receipt/" + r.Token)
			place := "waits"
			if r.Entries[0] >= 0 { // drawn at random
				place = "logged"
			}
			if place == "waits" != strings.Contains(w.Body.String(), "zodra er genoeg") {
				t.Errorf("a receipt that %s says otherwise", place)
			}
			says(t, s.page("/consultations/speeltuin/receipt/"+r.Token, 200), "main", nil, []string{"Ja", "Nee"})
		}
		all += s.get("/logs").Body.String()
		return randomText.ReplaceAllString(strings.ReplaceAll(all, c.ID, "ID"), "RANDOM")
	}
	if watch(5, 1) != watch(1, 5) {
		t.Error("the pages of two counts differ before closing")
	}
}

func TestClosedConsultationShowsTheSameEverywhere(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin", multiple)
	s.vote(c, "Ja", 3)
	s.vote(c, "Nee", 1)
	s.close(c)
	d := s.page("/consultations/speeltuin/result", 200, "Accept-Language", "nl")
	if got := text(d, "section[aria-labelledby=answer] figure + table tbody tr:first-child"); got != "Ja375%" {
		t.Errorf("first row is %q", got)
	}
	if w, _ := d.Find("figure svg rect.bar").First().Attr("width"); w != "75.0%" {
		t.Errorf("first bar is %q wide", w)
	}
	if !strings.Contains(text(d, "body"), "deel van de stemmers") {
		t.Error("a multiple choice does not say what its percentages are of")
	}
	var j struct {
		Turnout int
		Final   bool
		Options []struct {
			Name  string
			Votes *int
		}
	}
	s.ok(json.Unmarshal(s.get("/consultations/speeltuin/result.json").Body.Bytes(), &j))
	if j.Turnout != 4 || !j.Final || len(j.Options) != 2 || j.Options[0].Votes == nil || *j.Options[0].Votes != 3 {
		t.Errorf("JSON says %+v", j)
	}
	feed := s.get("/@gemeente/feed.atom").Body.String()
	if !strings.Contains(feed, "Ja: 3 (75%)") || !strings.Contains(feed, "4 mensen hebben gestemd") {
		t.Errorf("feed lacks the result:\n%s", feed)
	}
}

func TestFewBallotsGiveTotalsAndSaySoBefore(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin", batch(5))
	s.vote(c, "Ja", 4)
	d := s.page("/consultations/speeltuin", 200, "Accept-Language", "nl")
	if !strings.Contains(text(d, "body"), "minder dan 5 mensen") {
		t.Error("the page does not say beforehand what few votes mean")
	}
	s.close(c)
	if d := s.page("/consultations/speeltuin/result", 200, "Accept-Language", "nl"); d.Find("figure").Length() == 0 {
		t.Error("the page hides the totals that every server has received")
	}
}

func TestLiveCounts(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin", live, batch(2))
	s.vote(c, "Nee", 3)
	if d := s.page("/consultations/speeltuin/result", 200); d.Find("figure").Length() != 0 {
		t.Error("of three ballots a batch of two is shown, and the third stays behind alone")
	}
	s.vote(c, "Nee", 4) // one more
	s.vote(c, "Anders", 1)
	d := s.page("/consultations/speeltuin/result", 200, "Accept-Language", "en")
	if got := text(d, "figure"); !strings.Contains(got, "Nee: 100%") {
		t.Errorf("chart says %q", got)
	}
	if !strings.Contains(text(d, "body"), "Answer that does not exist1") {
		t.Error("the refused vote is not reported")
	}
}

func TestStates(t *testing.T) {
	s := newSite(t)
	ctx := t.Context()
	s.publish("straks", func(c *participation.Consultation) {
		c.OpensAt, c.ClosesAt = s.now().Add(time.Hour), s.now().Add(2*time.Hour)
	})
	weg := s.publish("weg")
	s.ok(s.service.Withdraw(ctx, weg.ID, "De vraag klopte niet."))
	vroeg := s.publish("vroeg")
	_, err := s.service.Close(ctx, vroeg.ID, "De bouw gaat niet door.", 0)
	s.ok(err)
	s.publish("open-vraag", func(c *participation.Consultation) { c.Kind, c.Options = participation.OpenQuestion, nil })

	for _, c := range []struct {
		slug, badge, words string
		status             int
	}{
		{"straks", "Nog niet open", "Deze vraag is nog niet open.", 200},
		{"weg", "Ingetrokken", "De vraag klopte niet.", 410},
		{"vroeg", "Gesloten", "De bouw gaat niet door.", 200},
		{"open-vraag", "Open", "Beantwoord het bericht dat u vindt", 200},
	} {
		d := s.page("/consultations/"+c.slug, c.status, "Accept-Language", "nl")
		if got := text(d, ".badge"); got != c.badge {
			t.Errorf("%s: badge %q, want %q", c.slug, got, c.badge)
		}
		if !strings.Contains(text(d, "main"), c.words) {
			t.Errorf("%s: the page lacks %q", c.slug, c.words)
		}
	}
	if body := s.get("/consultations/weg").Body.String(); strings.Contains(body, "Wij denken aan het park") {
		t.Error("a withdrawn question is still shown")
	}
	if w := s.get("/consultations/weg/result.json"); w.Code != 410 {
		t.Errorf("JSON of a withdrawn one: %d", w.Code)
	}
	sluit := s.publish("sluit")
	s.advance(sluit.ClosesAt.Sub(s.now()) + time.Minute)
	if got := text(s.page("/consultations/sluit", 200, "Accept-Language", "nl"), ".badge"); got != "Gesloten, laatste stemmen komen binnen" {
		t.Errorf("in the grace time: %q", got)
	}
	s.advance(time.Hour)
	if got := text(s.page("/consultations/sluit", 200, "Accept-Language", "nl"), ".badge"); got != "Gesloten, we tellen" {
		t.Errorf("after the grace time: %q", got)
	}
}

func TestUnderReview(t *testing.T) {
	s := newSite(t, func(c *handlers.Config) { c.UnderReview = func(string) bool { return true } })
	s.publish("speeltuin")
	d := s.page("/consultations/speeltuin", 200, "Accept-Language", "nl")
	if got := text(d, ".badge"); got != "Wordt nagekeken" {
		t.Errorf("badge %q", got)
	}
}

// A draft cannot be told from something that never was.
func TestDraftDoesNotExist(t *testing.T) {
	s := newSite(t)
	c := s.draft("geheim")
	open := s.publish("open")
	for _, path := range []string{"/consultations/geheim", "/consultations/geheim/result.json", "/consultations/geheim/posts/x", "/consultations/" + c.ID, "/consultations/" + open.ID} {
		draft := s.get(path)
		unknown := s.get(strings.NewReplacer("geheim", "nietes", c.ID, "nietes", open.ID, "nietes").Replace(path))
		same := strings.NewReplacer("geheim", "nietes", c.ID, "nietes", open.ID, "nietes").Replace(draft.Body.String()) == unknown.Body.String()
		if draft.Code != 404 || !same {
			t.Errorf("%s: %d; like an unknown address: %v", path, draft.Code, same)
		}
	}
	for _, path := range []string{"/", "/@gemeente", "/tags/speeltuin", "/@gemeente/feed.atom"} {
		if strings.Contains(s.get(path).Body.String(), "geheim") {
			t.Errorf("%s names a draft", path)
		}
	}
}

func TestLanguage(t *testing.T) {
	s := newSite(t)
	s.publish("speeltuin")
	for _, c := range []struct{ path, accept, lang, link string }{
		{"/", "", "nl", "/how-it-works"},
		{"/", "en-GB,nl;q=0.5", "en", "/how-it-works"},
		{"/?lang=en", "nl", "en", "/how-it-works?lang=en"},
		{"/?lang=xx", "nl", "nl", "/how-it-works"},
	} {
		d := s.page(c.path, 200, "Accept-Language", c.accept)
		if lang, _ := d.Find("html").Attr("lang"); lang != c.lang {
			t.Errorf("%s with %q is in %q, want %q", c.path, c.accept, lang, c.lang)
		}
		if d.Find(`header nav a[href="`+c.link+`"]`).Length() != 1 {
			t.Errorf("%s: no link %s in the menu", c.path, c.link)
		}
	}
	d := s.page("/consultations/speeltuin?lang=en", 200)
	if lang, _ := d.Find("h1").Attr("lang"); lang != "nl" {
		t.Errorf("a Dutch title on an English page says lang=%q", lang)
	}
	if d.Find(`a[hreflang=nl][href="/consultations/speeltuin?lang=nl"]`).Length() != 1 {
		t.Error("no link to the same page in Dutch")
	}
}

func TestUnchangedPageIsNotSentAgain(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin")
	for _, path := range []string{"/consultations/speeltuin", "/consultations/speeltuin/result", "/consultations/speeltuin/replies", "/consultations/speeltuin/result.json", "/@gemeente/feed.atom"} {
		tag := s.get(path).Header().Get("ETag")
		if w := s.get(path, "If-None-Match", `"x", `+tag); tag == "" || w.Code != 304 || w.Body.Len() != 0 {
			t.Errorf("%s: %d with %d bytes for a known ETag %q", path, w.Code, w.Body.Len(), tag)
		}
	}
	tag := s.get("/consultations/speeltuin").Header().Get("ETag")
	s.reply(c, "anna", "", "<p>Hoi.</p>")
	if w := s.get("/consultations/speeltuin", "If-None-Match", tag); w.Code != 200 {
		t.Errorf("%d after a new reply", w.Code)
	}
	if w := s.get("/consultations/speeltuin", "If-None-Match", tag, "Accept-Language", "en"); w.Code != 200 {
		t.Errorf("%d in another language", w.Code)
	}
}

func TestTextsAreEscaped(t *testing.T) {
	s := newSite(t)
	s.publish("speeltuin", func(c *participation.Consultation) {
		c.Title = `<script>alert(1)</script> "quoted"`
		c.Terms.Promise = "<img src=x onerror=alert(1)>"
	})
	for _, path := range []string{"/", "/consultations/speeltuin", "/@gemeente", `/tags/%3Cscript%3E`, `/consultations/%22%3E%3Cscript%3E`} {
		body := s.get(path).Body.String()
		if strings.Contains(body, "<script") || strings.Contains(body, "<img src=x") {
			t.Errorf("%s: markup of a text is live", path)
		}
	}
	if feed := s.get("/@gemeente/feed.atom").Body.String(); strings.Contains(feed, "<script") {
		t.Error("feed: markup of a title is live")
	}
}

var inlineHandler = regexp.MustCompile(`\son[a-z]+=`)

// What every page must be for people with a screen reader, a keyboard or no
// JavaScript, and for the content policy.
func TestPagesAreWellMade(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin", live)
	s.vote(c, "Ja", 3)
	s.reply(c, "anna", "", "<p>Graag.</p>")
	klaar := s.publish("klaar")
	s.vote(klaar, "Nee", 2)
	bon := "/consultations/klaar/receipt/" + s.receipt("Nee0").Token
	s.close(klaar)
	s.freeze()
	dicht := s.publish("dicht")
	s.vote(dicht, "Nee", 2)
	_, err := s.service.Announce(t.Context(), c.ID, participation.Notice, "Er is een bijeenkomst.")
	s.ok(err)
	mine := "/my-data/" + s.service.DataToken("https://elders.example/users/Ja0")
	for _, path := range []string{"/", "/about", "/@gemeente", "/tags/speeltuin", "/consultations/speeltuin", "/consultations/dicht", "/nergens", "/api", mine, "/my-data/x",
		"/how-it-works", "/privacy", "/accessibility", "/moderation", "/archive", "/archive/2026", "/consultations/speeltuin/result", "/consultations/klaar/result",
		"/consultations/speeltuin/replies", "/consultations/speeltuin/replies?order=oldest", "/consultations/speeltuin/replies/1", "/consultations/dicht/replies",
		"/logs", "/consultations/klaar", "/consultations/klaar/dataset", "/consultations/klaar/figures", "/consultations/klaar/ballots", "/consultations/klaar/ballots?code=x",
		"/consultations/klaar/report", "/consultations/speeltuin/report",
		"/consultations/klaar/ballots?code=AAAAAAAAAAAAAAAA", "/consultations/dicht/dataset", bon, "/consultations/klaar/receipt/x",
		"/consultations/speeltuin/take-part", "/@gemeente/follow", "/consultations/speeltuin/share", "/consultations/klaar/poster", "/c/nergens"} {
		for _, lang := range []string{"nl", "en"} {
			status, forms := 200, 0
			switch path {
			case "/c/nergens", "/nergens", "/my-data/x", "/consultations/dicht/dataset", "/consultations/klaar/receipt/x":
				status = 404
			case mine:
				forms = 1
			}
			if strings.Contains(path, "/ballots") {
				forms = 1
			}
			if withOwnAccount.MatchString(path) {
				forms = 1
			}
			name := path + " in " + lang
			d := s.page(path, status, "Accept-Language", lang)
			for selector, want := range map[string]int{"h1": 1, "main": 1, "header": 1, "footer": 1, "script": 0, "[style]": 0, "style": 0, "form": forms, "iframe": 0} {
				if got := d.Find(selector).Length(); got != want {
					t.Errorf("%s: %d of %s, want %d", name, got, selector, want)
				}
			}
			ids := map[string]bool{}
			d.Find("[id]").Each(func(_ int, e *goquery.Selection) {
				if ids[e.AttrOr("id", "")] {
					t.Errorf("%s: id %q twice", name, e.AttrOr("id", ""))
				}
				ids[e.AttrOr("id", "")] = true
			})
			d.Find("[aria-labelledby]").Each(func(_ int, e *goquery.Selection) {
				if !ids[e.AttrOr("aria-labelledby", "")] {
					t.Errorf("%s: labelled by %q, which is not there", name, e.AttrOr("aria-labelledby", ""))
				}
			})
			d.Find("table").Each(func(_ int, e *goquery.Selection) {
				if e.Find("caption").Length() != 1 || e.Find("thead th[scope=col]").Length() == 0 {
					t.Errorf("%s: a table without caption or headers", name)
				}
			})
			d.Find("img").Each(func(_ int, e *goquery.Selection) {
				if _, ok := e.Attr("alt"); !ok || !strings.HasPrefix(e.AttrOr("src", ""), "/") {
					t.Errorf("%s: image %q without alt or from elsewhere", name, e.AttrOr("src", ""))
				}
			})
			level := 0
			d.Find("h1,h2,h3,h4").Each(func(_ int, e *goquery.Selection) {
				now := int(goquery.NodeName(e)[1] - '0')
				if now > level+1 {
					t.Errorf("%s: heading %q skips a level", name, e.Text())
				}
				level = now
			})
			if html, _ := d.Html(); inlineHandler.MatchString(html) {
				t.Errorf("%s: an inline event handler", name)
			}
		}
	}
}

func TestEmptySite(t *testing.T) {
	s := newSite(t)
	if d := s.page("/", 200, "Accept-Language", "nl"); !strings.Contains(text(d, "main"), "Er zijn nu geen consultaties.") {
		t.Error("an empty list says nothing")
	}
	if w := s.get("/tags/speeltuin"); w.Code != http.StatusNotFound {
		t.Errorf("unknown tag: %d", w.Code)
	}
}
