package handlers_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"inspraak/activitypub"
	"inspraak/participation"
)

// follow lets n accounts of a server follow.
func (s *site) follow(host, name string, n int) {
	s.t.Helper()
	for i := range n {
		actor := fmt.Sprintf("https://%s/users/%s%d", host, name, i)
		s.ok(s.db.SaveFollower(s.t.Context(), activitypub.Follower{Channel: "gemeente", Actor: actor, Inbox: actor + "/inbox", Since: s.now()},
			activitypub.Outgoing{ID: actor + "/accept", Channel: "gemeente", Body: []byte("{}"), At: s.now()}))
	}
}

// votes lets n accounts of a server vote, one a gap, who are so many days old.
func (s *site) votes(c participation.Consultation, host, option string, n, days int, gap time.Duration) {
	s.t.Helper()
	for i := range n {
		actor := fmt.Sprintf("https://%s/users/%s%d", host, option, i)
		_, err := s.service.CastVote(s.t.Context(), participation.Vote{
			Consultation: c.ID, Actor: actor, Host: host, Inbox: actor + "/inbox", AccountSince: s.now().AddDate(0, 0, -days),
			Marks: []participation.Mark{{Object: actor + "/stem/" + c.Slug, Name: option}}, ReceivedAt: s.now(),
		})
		s.ok(err)
		s.advance(gap)
	}
}

// What the page says of consultations of each kind; the page of the consultation
// has the label and its reasons too.
func TestFigures(t *testing.T) {
	s := newSite(t)
	for _, host := range []string{"a.example", "b.example", "c.example"} {
		s.follow(host, "Ja", 60)
		s.follow(host, "Nee", 20)
	}
	s.advance(time.Hour)
	for _, c := range []struct {
		slug, label string
		vote        func(participation.Consultation)
		nl, en      string              // the label
		reasons     []string            // in Dutch
		says        map[string][]string // by figure, in Dutch
		saysNot     []string
	}{
		{"stevig", "robust", func(c participation.Consultation) {
			for _, host := range []string{"a.example", "b.example", "c.example"} {
				s.votes(c, host, "Ja", 40, 800, time.Second)
			}
			s.votes(c, "a.example", "Nee", 12, 800, time.Second)
		}, "Stevig", "Firm", nil, map[string][]string{
			"I1": {"a.example39 tot 56", "b.exampleongeveer 40", "Alle andere servers samenminder dan 10", "alsof er 3,2 even grote servers"},
			"I2": {"De uitslag blijft dezelfde. De server die het meest uitmaakt: ", ".example. De winnende optie heeft dan nog 60 tot 80 stemmen", "nog niet kenden: De uitslag blijft dezelfde."},
			"I3": {"Met 108 stemmen minder", "Dat is meer dan het aantal", "Als 54 mensen"},
			"I4": {"Minder dan 7 dagenminder dan 10", "Meer dan een jaar96 tot 132", "hebben: De uitslag blijft dezelfde."},
			"I5": {"geen moment met opvallend veel"}, "I6": {"Niet van toepassing."}, "I8": {"Niet aangeboden."},
			"I7": {"Volgde ons al of reageerde al123 tot 132", "Nieuw voor onsminder dan 10", "deelnemers: De uitslag blijft dezelfde."},
		}, []string{"te weinig stemmen", "Waarom?", "heel anders"}},
		{"kwetsbaar", "fragile", func(c participation.Consultation) {
			s.votes(c, "a.example", "Ja", 60, 800, time.Second)
			s.votes(c, "b.example", "Nee", 20, 800, time.Second)
			s.votes(c, "c.example", "Nee", 20, 800, time.Second)
		}, "Kwetsbaar", "Fragile", []string{"Zonder de stemmen van één server is de uitslag anders, of blijft er bijna niets over."}, map[string][]string{
			"I1": {"heel anders dan gewoonlijk"},
			"I2": {"De uitslag wordt anders. De server die het meest uitmaakt: a.example. Een andere optie staat dan 17 tot 40 stemmen voor."},
		}, []string{"Geen van onze controles"}},
		{"randje", "fragile", func(c participation.Consultation) {
			s.votes(c, "a.example", "Ja", 40, 800, time.Second)
			s.votes(c, "b.example", "Ja", 20, 800, time.Second)
			s.votes(c, "b.example", "Nee", 10, 800, time.Second)
			s.votes(c, "c.example", "Nee", 20, 800, time.Second)
		}, "Kwetsbaar", "Fragile", []string{"Zonder de stemmen van één server is de uitslag anders, of blijft er bijna niets over."}, map[string][]string{
			"I2": {"De winnende optie staat dan tussen 10 stemmen achter en "},
		}, nil},
		{"dorp", "fragile", func(c participation.Consultation) {
			s.votes(c, "a.example", "Ja", 110, 800, time.Second)
			s.votes(c, "a.example", "Nee", 20, 800, time.Second)
		}, "Kwetsbaar", "Fragile", []string{"Zonder de stemmen van één server is de uitslag anders, of blijft er bijna niets over."}, map[string][]string{
			"I1": {"Bijna alle stemmen kwamen van één server."}, "I2": {"De server die het meest uitmaakt: a.example."},
		}, []string{"even grote servers"}},
		{"golf", "not-conclusive", func(c participation.Consultation) {
			s.advance(2 * time.Hour)
			s.votes(c, "a.example", "Ja", 40, 800, time.Hour)
			s.votes(c, "nieuw.example", "Nee", 40, 3, time.Second)
		}, "Geeft geen duidelijk antwoord", "No clear answer", []string{
			"Zonder de stemmen van één server is de uitslag anders, of blijft er bijna niets over.",
			"Het verschil is kleiner dan 10 stemmen. Een kleine groep kan dat verschil maken.",
			"Zonder nieuwe accounts en accounts zonder bekende leeftijd is de uitslag anders.",
			"Zonder accounts die nieuw voor ons zijn, is de uitslag anders.",
		}, map[string][]string{
			"I3": {"Er is geen verschil"},
			"I4": {"Hoe de stemmen verdeeld zijn, zeggen we niet", "De uitslag wordt anders.", "Nieuwe accounts kozen anders"},
			"I5": {"In het uur vanaf", "(Nederlandse tijd): ongeveer 40 stemmen in 10 minuten.", "koos anders dan de rest"},
		}, []string{"te weinig stemmen om"}},
		{"twintig", "not-conclusive", func(c participation.Consultation) { s.votes(c, "a.example", "Ja", 20, 800, time.Second) },
			"Geeft geen duidelijk antwoord", "No clear answer", []string{"Er zijn minder dan 30 stemmen."}, map[string][]string{
				"I1": {"a.example11 tot 20", "alsof er 1,6 even"}, "I7": {"11 tot 20", "te weinig stemmen om meer te laten zien"},
			}, []string{"blijft dezelfde"}},
		{"weinig", "not-conclusive", func(c participation.Consultation) { s.votes(c, "a.example", "Ja", 1, 800, time.Second) },
			"Geeft geen duidelijk antwoord", "No clear answer", []string{"Er zijn minder dan 30 stemmen."}, map[string][]string{
				"I1": {"te weinig stemmen"}, "I2": {"te weinig stemmen"}, "I3": {"Met 1 stem minder", "Als 1 persoon"}, "I4": {"te weinig stemmen"},
				"I5": {"te weinig stemmen"}, "I7": {"te weinig stemmen"},
			}, []string{"a.example", "blijft dezelfde", "wordt anders", "heel anders"}},
	} {
		con := s.publish(c.slug, func(c *participation.Consultation) { c.ClosesAt = s.now().AddDate(0, 0, 3) })
		s.page("/consultations/"+c.slug+"/figures", 404, "Accept-Language", "nl")
		c.vote(con)
		s.close(con)
		says(t, s.page("/consultations/"+c.slug+"/figures", 404, "Accept-Language", "nl"), "h1", []string{"Dit is er nog niet"}, nil)
		s.freeze()
		path := "/consultations/" + c.slug
		for lang, label := range map[string]string{"nl": c.nl, "en": c.en} {
			d, result := s.page(path+"/figures?lang="+lang, 200), s.page(path+"/result?lang="+lang, 200)
			for on, got := range map[string]string{"page": text(d, "main .badge-"+c.label), "result": text(result, "section[aria-labelledby=label] .badge-"+c.label)} {
				if got != label {
					t.Errorf("%s in %s, %s: label %q, want %q", c.slug, lang, on, got, label)
				}
			}
			if n := d.Find("section section h3").Length(); n != 8 {
				t.Errorf("%s in %s: %d figures", c.slug, lang, n)
			}
			says(t, d, "main", nil, []string{"integrity.", "class.", "{{", "<no value>"})
			for _, from := range []*goquery.Document{result, s.page(path+"/dataset?lang="+lang, 200)} {
				if from.Find(`main a[href="`+path+"/figures?lang="+lang+`"]`).Length() != 1 {
					t.Errorf("%s in %s: no link to the figures", c.slug, lang)
				}
			}
			if d.Find(`a[href="`+path+`/dataset/integrity.json"]`).Length() != 1 {
				t.Errorf("%s in %s: no link to the file", c.slug, lang)
			}
			reasons := func(d *goquery.Document, selector string) []string {
				return d.Find(selector).Map(func(_ int, e *goquery.Selection) string { return e.Text() })
			}
			here, there := reasons(d, "main .panel li"), reasons(result, "section[aria-labelledby=label] li")
			if !slices.Equal(here, there) || len(here) != len(c.reasons) || lang == "nl" && !slices.Equal(here, c.reasons) {
				t.Errorf("%s in %s: reasons %q, and with the result %q; want %q", c.slug, lang, here, there, c.reasons)
			}
		}
		d := s.page(path+"/figures", 200, "Accept-Language", "nl")
		says(t, d, "main", []string{"Het verandert niets aan de telling"}, c.saysNot)
		for id, words := range c.says {
			says(t, d, "section[aria-labelledby="+id+"]", words, nil)
		}
	}
	says(t, s.page("/consultations/stevig/figures", 200, "Accept-Language", "en"), "main",
		[]string{"None of our checks found a weak point.", "as if there were 3.2 servers", "about 40", "With 108 votes less", "Not offered."}, nil)
}
