package handlers_test

import (
	"strings"
	"testing"
	"time"

	"inspraak/handlers"
	"inspraak/participation"
)

func TestModerationInNumbers(t *testing.T) {
	s := newSite(t)
	says(t, s.page("/moderation", 200, "Accept-Language", "nl"), "main", []string{"Er is nog niets verborgen"}, nil)
	c := s.publish("speeltuin")
	for i, name := range []string{"anna", "bob", "carol"} {
		id := s.reply(c, name, "", "<p>Bah.</p>")
		s.ok(s.service.HideReply(t.Context(), id, []string{"reclame", "reclame", "schelden"}[i]))
	}
	s.advance(31 * 24 * time.Hour)
	s.ok(s.service.ShowReply(t.Context(), "https://elders.example/notes/carol"))
	for _, id := range []string{"https://m.example/flags/1", "https://m.example/flags/2"} {
		s.ok(s.service.Receive(t.Context(), participation.Report{ID: id, Server: "m.example", Text: "Anna Jansen scheldt"}))
	}
	s.ok(s.service.Resolve(t.Context(), "https://m.example/flags/1", "bob is gebeld"))
	s.ok(s.service.Block(t.Context(), "spam.example", "spam"))
	s.ok(s.service.Block(t.Context(), "https://elders.example/users/carol", "schelden"))
	d := s.page("/moderation", 200, "Accept-Language", "nl")
	for selector, want := range map[string]string{
		"section[aria-labelledby=months] tbody":  "april 202601 maart 202630 april 202621 maart 202600",
		"section[aria-labelledby=reasons] tbody": "reclame2 schelden1",
		"section[aria-labelledby=now] dl":        "Meldingen die wachten1 Servers die wij weigeren1 Accounts die wij weigeren1",
	} {
		if got := text(d, selector); got != want {
			t.Errorf("%s: %q, want %q", selector, got, want)
		}
	}
	body, _ := d.Html()
	for _, name := range []string{"carol", "bob", "Anna", "spam.example", "m.example", "elders.example"} {
		if strings.Contains(body, name) {
			t.Errorf("the figures name %s", name)
		}
	}
}

func TestArchive(t *testing.T) {
	s := newSite(t)
	says(t, s.page("/archive", 200, "Accept-Language", "nl"), "main", []string{"Er is nog geen vraag gesloten."}, nil)
	s.page("/archive/2026", 404)
	c := s.publish("speeltuin")
	s.vote(c, "Ja", 3)
	s.close(c)
	s.advance(s.at.AddDate(1, 0, 0).Sub(s.at))
	last := s.publish("brug", func(c *participation.Consultation) { // closes in another year here than in UTC
		c.OpensAt, c.ClosesAt = s.now(), time.Date(2027, 12, 31, 23, 30, 0, 0, time.UTC)
	})
	s.close(last)
	s.publish("open")
	d := s.page("/archive", 200, "Accept-Language", "nl")
	says(t, d, "main", []string{"Archief 2028", "2028 (1)", "2026 (1)", "Niemand heeft gestemd."}, nil)
	d = s.page("/archive/2026", 200, "Accept-Language", "nl")
	says(t, d, "main", []string{"Archief 2026", "Het vaakst gekozen: Ja, door 3 van de 3 stemmers (100%)."}, nil)
	if d.Find(`a[href="/consultations/speeltuin"]`).Length() != 1 || d.Find(`a[href="/consultations/open"], a[href="/consultations/brug"]`).Length() != 0 {
		t.Error("another question stands in the year")
	}
	for _, year := range []string{"2027", "02026", "+2026", "x", "-1", "99999999999999999999", "2026%0a"} {
		s.page("/archive/"+year, 404)
	}
}

func TestHomeTellsWhatIsAsked(t *testing.T) {
	s := newSite(t)
	later := func(d time.Duration) func(*participation.Consultation) {
		return func(c *participation.Consultation) { c.ClosesAt = s.now().Add(d) }
	}
	oud := s.publish("oud")
	s.vote(oud, "Nee", 2)
	s.close(oud)
	says(t, s.page("/", 200, "Accept-Language", "nl"), "main", []string{"Er is nu geen vraag open.", "Het vaakst gekozen: Nee, door 2 van de 2 stemmers (100%)."}, nil)
	s.publish("laat", later(72*time.Hour))
	c := s.publish("vroeg", later(24*time.Hour), func(c *participation.Consultation) {
		c.Body = "Er is **plaats** voor één ding. Wat moet er komen? Dit is de derde zin."
	})
	s.vote(c, "Ja", 3)
	d := s.page("/", 200, "Accept-Language", "nl")
	says(t, d, "section[aria-labelledby=open]", []string{"Er is plaats voor één ding. Wat moet er komen?", "3 mensen stemden", "0 reacties", "Sluit op"}, []string{"derde zin", "Ja"})
	first, _ := d.Find("section[aria-labelledby=open] li a").First().Attr("href")
	if first != "/consultations/vroeg" {
		t.Errorf("first is %s, want the one that closes first", first)
	}
	if d.Find(`section[aria-labelledby=closed] > p a[href="/archive"]`).Length() != 1 {
		t.Error("no link to the archive")
	}
}

// What is not at hand is said where it should be: other ways of taking part, and
// that these votes are one channel among others.
func TestEveryQuestionTellsOtherWays(t *testing.T) {
	for name, change := range map[string]map[string]string{"none": nil, "some": {"nl": "<p>Bel 14 0123.</p>"}} {
		s := newSite(t, func(c *handlers.Config) { c.OtherWays = change })
		s.publish("straks", func(c *participation.Consultation) {
			c.OpensAt, c.ClosesAt = s.now().Add(3*time.Hour), s.now().Add(4*time.Hour)
		})
		c := s.publish("open")
		dicht := s.publish("dicht")
		_, err := s.service.Close(t.Context(), dicht.ID, "Klaar.", 0)
		s.ok(err)
		for _, slug := range []string{"straks", c.Slug, "dicht"} {
			want, not := []string{"één van de manieren"}, []string(nil)
			switch {
			case slug == "dicht":
				want = append(want, "inspraak@voorbeeld.example")
			case change == nil:
				want = append(want, "Vraag ons hoe dat kan: inspraak@voorbeeld.example")
			default:
				want, not = append(want, "Bel 14 0123."), []string{"Vraag ons hoe"}
			}
			t.Run(name+"-"+slug, func(t *testing.T) {
				says(t, s.page("/consultations/"+slug, 200, "Accept-Language", "nl"), "section[aria-labelledby=take]", want, not)
			})
		}
	}
}
