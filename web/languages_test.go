package web

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
)

// What Frisian lacks stands there in Dutch, and says so to a screen reader.
func TestStartedLanguage(t *testing.T) {
	s, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	fy := s.texts["fy"]
	if n := len(fy.messages); n < 80 {
		t.Errorf("%d Frisian texts", n)
	}
	zone, err := time.LoadLocation("Europe/Amsterdam")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ got, want string }{
		{s.Moment("fy", time.Date(2026, 3, 1, 22, 30, 0, 0, time.UTC).In(zone)), "snein 1 maart 2026 om 23:30 oere (Nederlânske tiid)"},
		{s.Count("fy", "result.turnout-count", 1), "1 persoan hat stimd."},
		{s.Count("fy", "result.turnout-count", 12345), "12.345 minsken hawwe stimd."},
		{s.Count("fy", "search.found", 1234), "1.234 keer gevonden"},
		{s.Text("fy", "review.what"), "We kijken deze consultatie na."},
		{s.Text("fy", "no.such.key"), "no.such.key"},
		{s.Decimal("fy", 1234.5), "1.234,5"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
	kept := fy.messages["frame.menu"]
	delete(fy.messages, "frame.menu")
	defer func() { fy.messages["frame.menu"] = kept }()
	var b bytes.Buffer
	set, err := s.pages["fy"].New("try.html").Parse(`<nav aria-label="{{t "frame.menu"}}">{{t "frame.menu"}} {{t "frame.skip"}} {{tn "search.found" 3}} {{label "outcome" "late"}}</nav>`)
	if err != nil {
		t.Fatal(err)
	}
	if err := set.Execute(&b, nil); err != nil {
		t.Fatal(err)
	}
	d, err := goquery.NewDocumentFromReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	nav := d.Find("nav")
	if nav.AttrOr("aria-label", "") != "Hoofdmenu" || nav.Text() != "Hoofdmenu Gean nei de ynhâld 3 keer gevonden Te laat binnengekomen" {
		t.Errorf("%q, %q", nav.AttrOr("aria-label", ""), nav.Text())
	}
	if dutch := strings.Join(nav.Find("span[lang=nl]").Map(func(_ int, e *goquery.Selection) string { return e.Text() }), "|"); dutch != "Hoofdmenu|3 keer gevonden|Te laat binnengekomen" {
		t.Errorf("marked as Dutch: %q", dutch)
	}
}

// A started language has no text that the complete ones do not have: it would be
// the translation of nothing.
func TestStartedLanguageHasNothingUnknown(t *testing.T) {
	s, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	nl, fy := s.texts["nl"], s.texts["fy"]
	if problems := nl.missing(fy); len(problems) != 0 {
		t.Fatal(problems)
	}
	fy.messages["frame.nothing"] = fy.messages["frame.menu"]
	if problems := nl.missing(fy); len(problems) != 1 {
		t.Errorf("%d problems with a text that only Frisian has", len(problems))
	}
}
