package handlers_test

import (
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"inspraak/participation"
)

func TestTimeline(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin", func(c *participation.Consultation) {
		c.OpensAt, c.ClosesAt = s.now().Add(time.Hour), s.now().Add(3*time.Hour)
	})
	steps := func() (names []string) {
		s.page("/consultations/speeltuin", 200, "Accept-Language", "nl").Find("section[aria-labelledby=timeline] li").Each(func(_ int, e *goquery.Selection) {
			name, _, _ := strings.Cut(strings.Join(strings.Fields(e.Text()), " "), ":")
			if e.AttrOr("aria-current", "") == "step" {
				name += " (nu)"
			}
			names = append(names, strings.TrimSuffix(name, "Wie beslist"))
		})
		return names
	}
	want := func(when string, want ...string) {
		t.Helper()
		if got := steps(); strings.Join(got, "; ") != strings.Join(want, "; ") {
			t.Errorf("%s: %q, want %q", when, got, want)
		}
	}
	want("before", "De vraag gaat open", "De vraag sluit", "De uitslag", "Het besluit")
	s.advance(time.Hour)
	_, err := s.service.OpenDue(t.Context())
	s.ok(err)
	want("open", "De vraag ging open (nu)", "De vraag sluit", "De uitslag", "Het besluit")
	s.advance(time.Minute)
	_, err = s.service.Announce(t.Context(), c.ID, participation.Notice, "Er is een bijeenkomst.")
	s.ok(err)
	want("with a notice", "De vraag ging open (nu)", "Bericht van de gemeente", "De vraag sluit", "De uitslag", "Het besluit")
	c, err = s.service.Consultation(t.Context(), c.ID)
	s.ok(err)
	s.advance(c.ClosesAt.Sub(s.now()) + time.Second)
	want("closing", "De vraag ging open", "Bericht van de gemeente", "De vraag is gesloten (nu)", "De uitslag", "Het besluit")
	s.close(c)
	want("closed", "De vraag ging open", "Bericht van de gemeente", "De vraag is gesloten", "De uitslag", "Het besluit")
	d := s.page("/consultations/speeltuin", 200, "Accept-Language", "nl")
	says(t, d, "section[aria-labelledby=timeline] li:last-child", []string{"Wie beslist: De gemeenteraad", "Wanneer: In juni"}, nil)
	if d.Find(`section[aria-labelledby=timeline] a[href="/consultations/speeltuin/result"]`).Length() != 1 {
		t.Error("the result is not linked")
	}
}
