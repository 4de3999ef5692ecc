package handlers_test

import (
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"inspraak/handlers"
	"inspraak/participation"
)

// says checks that words stand in a part of a page, and that others do not.
func says(t *testing.T, d *goquery.Document, selector string, want, not []string) {
	t.Helper()
	got := text(d, selector)
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("%s lacks %q: %q", selector, w, got)
		}
	}
	for _, w := range not {
		if strings.Contains(got, w) {
			t.Errorf("%s says %q: %q", selector, w, got)
		}
	}
}

// No server can have the object before it opens, so the page must not send
// people to look for it.
func TestScheduledConsultationInvitesToFollow(t *testing.T) {
	s := newSite(t)
	s.publish("straks", func(c *participation.Consultation) {
		c.OpensAt, c.ClosesAt = s.now().Add(time.Hour), s.now().Add(2*time.Hour)
	})
	d := s.page("/consultations/straks", 200, "Accept-Language", "nl")
	says(t, d, "section[aria-labelledby=take]",
		[]string{"Volg ons account", "als zij opengaat, op maandag 2 maart 2026 om 11:00 uur", "@gemeente@inspraak.example"},
		[]string{"/consultations/straks", "Kopieer dit adres"})
	if n := d.Find(`link[type="application/activity+json"]`).Length(); n != 0 {
		t.Error("the page points to an object that is not served yet")
	}
	says(t, s.page("/consultations/straks", 200, "Accept-Language", "en"), "section[aria-labelledby=take]",
		[]string{"appears in your timeline when it opens"}, []string{"Copy this address"})
}

// Where voting is over a consultation is past, also while votes on their way
// still come in and while they are counted.
func TestListsAreGroupedByWhatAVisitorCanDo(t *testing.T) {
	s := newSite(t)
	s.publish("kort")
	s.publish("lang", func(c *participation.Consultation) { c.ClosesAt = s.now().Add(48 * time.Hour) })
	s.publish("straks", func(c *participation.Consultation) {
		c.OpensAt, c.ClosesAt = s.now().Add(24*time.Hour), s.now().Add(48*time.Hour)
	})
	where := func(path, group, slug string) bool {
		return s.page(path, 200).Find(`section[aria-labelledby=`+group+`] a[href="/consultations/`+slug+`"]`).Length() == 1
	}
	for _, path := range []string{"/", "/@gemeente", "/tags/speeltuin"} {
		if !where(path, "open", "kort") || !where(path, "open", "lang") || !where(path, "scheduled", "straks") {
			t.Errorf("%s: not grouped while all is open", path)
		}
	}
	for _, wait := range []time.Duration{time.Hour + time.Minute, time.Hour} { // votes come in, then are counted
		s.advance(wait)
		for _, path := range []string{"/", "/@gemeente", "/tags/speeltuin"} {
			if where(path, "open", "kort") || !where(path, "closed", "kort") || !where(path, "open", "lang") {
				t.Errorf("%s at %s: what has closed stands among what is open", path, s.now())
			}
		}
	}
}

func TestClosedConsultationStartsWithItsResult(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin")
	s.vote(c, "Ja", 3)
	s.vote(c, "Nee", 1)
	invitations := []string{"U kunt één antwoord kiezen", "Schrijf de eerste", "Kies", "geheim tot de sluiting", "Zo doet u mee", "Bel 14 0123"}
	s.advance(c.ClosesAt.Sub(s.now()) + time.Second)
	says(t, s.page("/consultations/speeltuin", 200, "Accept-Language", "nl"), "main",
		[]string{"De uitslag verschijnt hier zodra alles is geteld.", "Er zijn geen reacties."}, invitations)

	s.close(c)
	d := s.page("/consultations/speeltuin", 200, "Accept-Language", "nl")
	says(t, d, "main", []string{"Er zijn geen reacties.", "Reageren kan nog wel."}, invitations)
	says(t, d, "section[aria-labelledby=result] p.lead", []string{"Het vaakst gekozen: Ja, door 3 van de 4 stemmers (75%)."}, nil)
	d = s.page("/consultations/speeltuin/result", 200, "Accept-Language", "nl")
	says(t, d, "section[aria-labelledby=answer]", []string{"Het vaakst gekozen: Ja, door 3 van de 4 stemmers (75%). 4 mensen hebben gestemd."}, nil)
	says(t, d, "section[aria-labelledby=refused]", []string{"Te laat binnengekomen0", "Afzender kon niet worden gecontroleerd0", "later ingetrokken door de stemmer0"}, nil)
	html, err := d.Find("main").Html()
	s.ok(err)
	at := 0
	for _, next := range []string{"<h1", "p class=\"lead\"", "<figure", "<table", "id=\"accounts\"", "id=\"refused\"", "id=\"limits\"", "id=\"check\""} {
		found := strings.Index(html[at:], next)
		if found < 0 {
			t.Fatalf("%q does not come after what should stand above it", next)
		}
		at += found
	}
	says(t, s.page("/consultations/speeltuin/result", 200, "Accept-Language", "en"), "p.lead",
		[]string{"Chosen most: Ja, by 3 of 4 voters (75%)."}, nil)
}

func TestResultInWords(t *testing.T) {
	for _, c := range []struct {
		name    string
		ja, nee int
		want    string
	}{
		{"tie", 2, 2, "Even vaak gekozen: Ja, Nee, elk door 2 van de 4 stemmers (50%)."},
		{"nobody", 0, 0, "Niemand heeft gestemd."},
		{"one", 0, 1, "Het vaakst gekozen: Nee, door 1 van de 1 stemmer (100%)."},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t)
			con := s.publish("speeltuin")
			s.vote(con, "Ja", c.ja)
			s.vote(con, "Nee", c.nee)
			s.close(con)
			d := s.page("/consultations/speeltuin", 200, "Accept-Language", "nl")
			if got := text(d, "section[aria-labelledby=result] p.lead"); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	s := newSite(t)
	con := s.publish("vraag", func(c *participation.Consultation) { c.Kind, c.Options = participation.OpenQuestion, nil })
	s.reply(con, "anna", "", "<p>Een bankje.</p>")
	s.close(con)
	d := s.page("/consultations/vraag", 200, "Accept-Language", "nl")
	says(t, d, "section[aria-labelledby=result]", []string{"Hoeveel mensen deden mee?", "Er kwam 1 reactie."}, nil)
	says(t, d, "section[aria-labelledby=take]", []string{"Reageren kan nog wel."}, []string{"Stemmen kan niet meer"})
}

func TestWithdrawalTellsWhy(t *testing.T) {
	s := newSite(t)
	c := s.publish("weg")
	s.ok(s.service.Withdraw(t.Context(), c.ID, "De vraag klopte niet."))
	for lang, why := range map[string]string{"nl": "De reden:", "en": "The reason:"} {
		d := s.page("/consultations/weg", 410, "Accept-Language", lang)
		says(t, d, ".panel.stop", []string{why, "De vraag klopte niet."}, nil)
		if d.Find("meta[name=robots][content=noindex]").Length() != 1 || d.Find("meta[property]").Length() != 0 {
			t.Error("a withdrawn question still presents itself")
		}
	}
}

func TestThreadTellsTimesBriefly(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin")
	s.reply(c, "anna", "", "<p>Graag.</p>")
	s.close(c)
	s.reply(c, "laat", "", "<p>Ik ook.</p>")
	d := s.page("/consultations/speeltuin/replies?order=oldest", 200, "Accept-Language", "nl")
	first, last := d.Find("article.reply").First(), d.Find("article.reply").Last()
	if got := first.Find(".meta time").Text(); got != "2 mrt 2026, 10:00" {
		t.Errorf("time of a reply is %q", got)
	}
	if at, _ := first.Find(".meta time").Attr("datetime"); at != "2026-03-02T09:00:01Z" {
		t.Errorf("and for machines %q", at)
	}
	if n := strings.Count(text(d, "main"), "Nederlandse tijd"); n != 1 {
		t.Errorf("the zone is told %d times, want once", n)
	}
	if strings.Contains(first.Text(), "na sluiting") || !strings.Contains(last.Find(".meta").Text(), "na sluiting") {
		t.Errorf("marked as late: %q, %q", first.Text(), last.Text())
	}
}

func TestLeadingMentionsAreSoft(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin")
	ours := `<a href="https://inspraak.example/@gemeente">@gemeente</a>`
	for name, r := range map[string]struct{ html, soft string }{
		"link":    {`<p>` + ours + ` Graag.</p>`, "@gemeente"},
		"several": {`<p><a href="https://elders.example/@b">@b</a> ` + ours + ` Graag.</p>`, "@b @gemeente"},
		"plain":   {`@gemeente@inspraak.example Graag.`, "@gemeente@inspraak.example"},
		"inside":  {`<p>Vraag het ` + ours + ` eens.</p>`, ""},
		"website": {`<p><a href="https://elders.example/">elders</a> Graag.</p>`, ""},
	} {
		s.reply(c, name, "", r.html)
		d := s.page("/consultations/speeltuin/replies?order=oldest", 200)
		last := d.Find("article.reply").Last()
		if got := strings.TrimSpace(last.Find(".mention").Text()); got != r.soft {
			t.Errorf("%s: soft is %q, want %q", name, got, r.soft)
		}
		if !strings.Contains(last.Text(), "Graag.") && name != "inside" {
			t.Errorf("%s: words are gone: %q", name, last.Text())
		}
	}
}

// What people ask of such a site has an answer on the page where they look for it.
func TestPagesAnswerWhatPeopleAsk(t *testing.T) {
	s := newSite(t, func(c *handlers.Config) {
		c.Privacy = map[string]string{"nl": "<p>Onze FG is Anna.</p>"}
		c.DataWords = map[string]string{"nl": "gegevens", "en": "my data"}
	})
	for path, texts := range map[string]map[string][]string{
		"/about": {
			"nl": {"Deze site is van Gemeente Voorbeeld", "inspraak@voorbeeld.example", "Wij zijn Voorbeeld."},
			"en": {"This site belongs to Gemeente Voorbeeld", "inspraak@voorbeeld.example", "We are Voorbeeld."},
		},
		"/how-it-works": {
			"nl": {"De eerste stem telt.", "Het moment waarop onze server de stem ontvangt", "Eén account is niet altijd één mens.", "Kunt u de telling vertrouwen?",
				"verzegeld in een openbaar logboek", "één van de manieren", "komt niet hoger", "met dit woord: code"},
			"en": {"The first vote counts", "when our server receives the vote", "One account is not always one person.", "Can you trust the count?",
				"sealed in a public log", "one of the ways", "comes no higher", "with this word: my code"},
		},
		"/privacy": {
			"nl": {"Onze FG is Anna.", "Uw eigen server.", "geen cookies", "met alleen dit erin: gegevens", "inspraak@voorbeeld.example"},
			"en": {"Onze FG is Anna.", "Your own server.", "no cookies", "with only this in it: my data", "inspraak@voorbeeld.example"},
		},
		"/accessibility": {
			"nl": {"Er is nog geen verklaring bekend", "Er is nog geen onderzoek bekend.", "inspraak@voorbeeld.example"},
			"en": {"No statement is known", "No audit is known yet.", "inspraak@voorbeeld.example"},
		},
	} {
		for lang, want := range texts {
			says(t, s.page(path, 200, "Accept-Language", lang), "main", want, nil)
		}
	}
	if lang := s.page("/privacy", 200, "Accept-Language", "en").Find("section[aria-labelledby=own] div").AttrOr("lang", ""); lang != "nl" {
		t.Errorf("the municipality's Dutch words on an English page say lang=%q", lang)
	}
}

func TestAccessibilityStatement(t *testing.T) {
	s := newSite(t, func(c *handlers.Config) {
		c.Accessibility = handlers.Accessibility{Statement: "https://www.toegankelijkheidsverklaring.nl/register/1", Status: "B",
			Audited: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC), Contact: "toegankelijk@voorbeeld.example"}
	})
	d := s.page("/accessibility", 200, "Accept-Language", "nl")
	says(t, d, "main", []string{"B: de site voldoet gedeeltelijk aan de eisen.", "5 januari 2026", "toegankelijk@voorbeeld.example"}, []string{"bekend", "inspraak@voorbeeld.example"})
	if d.Find(`main a[href="https://www.toegankelijkheidsverklaring.nl/register/1"]`).Length() != 1 {
		t.Error("no link to the statement")
	}
	if w := s.get("/toegankelijkheid?lang=en"); w.Code != 301 || w.Header().Get("Location") != "/accessibility?lang=en" {
		t.Errorf("/toegankelijkheid: %d to %q", w.Code, w.Header().Get("Location"))
	}
}

func TestPagesIntroduceThemselves(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin", func(c *participation.Consultation) {
		c.Body = "Wij denken aan **het park**: daar & nergens anders.\n\n- groot\n- *klein*\n\n" + strings.Repeat("Een lang verhaal. ", 40)
		c.Image = &participation.Image{Path: "het park.png", Alt: "Het park", MediaType: "image/png"}
	})
	s.advance(time.Second)
	post, err := s.service.Announce(t.Context(), c.ID, participation.Notice, "Er is een bijeenkomst.")
	s.ok(err)
	titles := map[string]string{}
	for path, p := range map[string]struct{ title, description string }{
		"/":                                {"Alle consultaties", "Hier leest u welke vragen"},
		"/about":                           {"Over deze site", "Op deze site stelt Gemeente Voorbeeld"},
		"/how-it-works":                    {"Zo werkt het", "Zo vraagt Gemeente Voorbeeld"},
		"/privacy":                         {"Privacy", "Hier leest u wat deze site van u bewaart"},
		"/accessibility":                   {"Toegankelijkheid", "Iedereen moet deze site"},
		"/moderation":                      {"Moderatie in cijfers", "Hoe vaak wij reacties"},
		"/archive":                         {"Archief", "Alle vragen die gesloten zijn"},
		"/consultations/speeltuin/result":  {"Uitslag: Komt er een speeltuin?", "De uitslag van: Komt er"},
		"/consultations/speeltuin/replies": {"Reacties: Komt er een speeltuin?", "De reacties op: Komt er"},
		"/logs":                            {"Stemlogboeken", "Elke stem die telt"},
		"/@gemeente":                       {"Gemeente Voorbeeld", "Vragen van de gemeente."},
		"/tags/speeltuin":                  {"#speeltuin", "1 consultatie over dit onderwerp."},
		"/consultations/speeltuin":         {"Komt er een speeltuin?", "Wij denken aan het park: daar & nergens anders. groot, klein. Een lang verhaal."},
		"/consultations/speeltuin/posts/" + post.ID: {"Bericht van de gemeente: Komt er een speeltuin?", "Er is een bijeenkomst."},
	} {
		d := s.page(path, 200, "Accept-Language", "nl")
		content := func(selector string) string { return d.Find(selector).AttrOr("content", "") }
		title := d.Find("title").Text()
		if other, twice := titles[title]; twice || title != p.title+" – Gemeente Voorbeeld" {
			t.Errorf("%s: title %q, also that of %q", path, title, other)
		}
		titles[title] = path
		description := content("meta[name=description]")
		if !strings.HasPrefix(description, p.description) || len([]rune(description)) > 201 || description != content(`meta[property="og:description"]`) {
			t.Errorf("%s: description %q", path, description)
		}
		if content(`meta[property="og:title"]`) != p.title || content(`meta[property="og:url"]`) != "https://inspraak.example"+path {
			t.Errorf("%s: preview %q at %q", path, content(`meta[property="og:title"]`), content(`meta[property="og:url"]`))
		}
	}
	d := s.page("/consultations/speeltuin", 200)
	if got := d.Find(`meta[property="og:image"]`).AttrOr("content", ""); got != "https://inspraak.example/media/het%20park.png" {
		t.Errorf("picture %q", got)
	}
	if n := s.page("/nergens", 404).Find("meta[property]").Length(); n != 0 {
		t.Errorf("an error presents itself with %d properties", n)
	}
}
