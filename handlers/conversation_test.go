package handlers_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"inspraak/participation"
)

// begins lists what the conversations of a page begin with, in their order.
func begins(d *goquery.Document) []string {
	return d.Find("main > ol.thread > li").Map(func(_ int, e *goquery.Selection) string {
		return strings.TrimSpace(e.Find(".reply-words").First().Text())
	})
}

func TestOrderOfReplies(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin")
	for i := range 60 {
		s.reply(c, fmt.Sprint("burger", i), "", fmt.Sprintf("<p>Nummer %d</p>", i))
	}
	path := "/consultations/speeltuin/replies"
	if got := begins(s.page(path, 200)); len(got) != 50 || got[0] != "Nummer 59" || got[49] != "Nummer 10" {
		t.Errorf("newest first: %q", got)
	}
	if got := begins(s.page(path+"?order=oldest&page=2", 200)); len(got) != 10 || got[0] != "Nummer 50" {
		t.Errorf("oldest first, second page: %q", got)
	}
	if got := begins(s.page(path+"?order=liked", 200)); got[0] != "Nummer 59" {
		t.Errorf("an order that there is not: %q", got[0])
	}
	seeds := map[string]bool{}
	for range 3 {
		w := s.get(path + "?order=random&lang=en")
		to := w.Header().Get("Location")
		if w.Code != http.StatusFound || w.Header().Get("Cache-Control") != "no-store" || !strings.HasPrefix(to, path+"?order=random&seed=") || !strings.HasSuffix(to, "&lang=en") {
			t.Fatalf("random without a seed: %d to %q, %q", w.Code, to, w.Header().Get("Cache-Control"))
		}
		seeds[to] = true
		d := s.page(to, 200)
		first := begins(d)
		next, _ := d.Find("a[rel=next]").Attr("href")
		all := map[string]bool{}
		for _, b := range append(first, begins(s.page(next, 200))...) {
			all[b] = true
		}
		if len(all) != 60 || fmt.Sprint(begins(s.page(to, 200))) != fmt.Sprint(first) {
			t.Errorf("%s: %d of 60 conversations on two pages, or another order the second time", to, len(all))
		}
	}
	if len(seeds) != 3 {
		t.Errorf("three visits drew %d orders", len(seeds))
	}
	if w := s.get(path + "?order=random&seed=-1"); w.Code != http.StatusFound {
		t.Errorf("a seed that is none: %d", w.Code)
	}
	if links := s.page(path, 200).Find(`nav a[href*="like"], nav a[href*="popular"]`).Length(); links != 0 {
		t.Error("there is an order by likes")
	}
}

// However much strangers write, a page stays small, and all of it can be read.
func TestLongRepliesAreCut(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin")
	random := rand.New(rand.NewPCG(1, 2))
	s.ok(s.db.Update(t.Context(), func(tx participation.Tx) error {
		for i := range 60 * 5 {
			var words strings.Builder
			for words.Len() < 19_000 {
				fmt.Fprintf(&words, "%x ", random.Uint64())
			}
			id := fmt.Sprint("https://elders.example/notes/", i)
			if err := tx.SaveReply(participation.Reply{ID: id, Consultation: c.ID, Thread: int64(i/5) + 1, HTML: "<p>" + words.String() + "einde</p>", URL: id,
				Visibility: participation.Public, Standing: participation.Shown, Published: s.now(), Received: s.now()}); err != nil {
				return err
			}
		}
		return nil
	}))
	for _, path := range []string{"", "/replies", "/replies?order=oldest", "/replies/7"} {
		w := s.get("/consultations/speeltuin" + path)
		if n := compressed(w.Body.Bytes()); w.Code != 200 || n > 60<<10 {
			t.Errorf("%q: %d, %d bytes when compressed", path, w.Code, n)
		}
	}
	d := s.page("/consultations/speeltuin/replies?order=oldest", 200, "Accept-Language", "nl")
	whole, _ := d.Find("#reply-2 a[href*='#reply-2']").Attr("href")
	if text(d, "#reply-2 .reply-words") == "" || strings.Contains(text(d, "#reply-2"), "einde") {
		t.Error("a long reply is not cut")
	}
	whole, _, _ = strings.Cut(whole, "#")
	if got := text(s.page(whole, 200), "#reply-2 .reply-words"); !strings.HasSuffix(got, "einde") {
		t.Errorf("%s: it is not whole there: %.40q", whole, got)
	}
}

func TestConversationPage(t *testing.T) {
	s := newSite(t)
	c, other := s.publish("speeltuin"), s.publish("ander")
	id := s.reply(c, "eerst", "", "<p>Eerste</p>")
	for i := range 120 {
		s.reply(c, fmt.Sprint("antwoord", i), id, fmt.Sprintf("<p>Antwoord %d</p>", i))
	}
	s.reply(other, "elders", "", "<p>Elders</p>")
	d := s.page("/consultations/speeltuin/replies", 200, "Accept-Language", "nl")
	says(t, d, "main", []string{"Eerste", "Antwoord 3", "nog 116 reacties"}, []string{"Antwoord 4"})
	d = s.page("/consultations/speeltuin/replies/100", 200, "Accept-Language", "nl")
	says(t, d, "main", []string{"Pagina 2 van 3", "Antwoord 98"}, []string{"Antwoord 12", "Elders"})
	if d.Find("#reply-100").Length() != 1 {
		t.Error("the reply in the address is not on the page")
	}
	last, _ := d.Find("a[rel=next]").Attr("href")
	says(t, s.page(last, 200, "Accept-Language", "nl"), "main", []string{"Pagina 3 van 3", "Antwoord 119"}, nil)
	for _, number := range []string{"122", "999", "0", "-1", "x", "99999999999999999999", "1%00", "%E2%80%AE1"} {
		s.page("/consultations/speeltuin/replies/"+number, 404)
	}
	for _, page := range []string{"99", "-1", "99999999999999999999", "x"} {
		s.page("/consultations/speeltuin/replies/1?page="+page, 200)
	}
	s.ok(s.service.EditReply(t.Context(), participation.Reply{ID: id, Author: participation.Author{ID: "https://elders.example/users/eerst"}}, false)) // deleted
	says(t, s.page("/consultations/speeltuin/replies", 200, "Accept-Language", "nl"), "main", []string{"Antwoord 0", "nog 115 reacties"}, []string{"Eerste"})
	s.page("/consultations/speeltuin/replies/1", 404)
}

// An account that goes leaves a page of conversations empty; its neighbours stay
// where they are.
func TestEmptyPageOfConversations(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin")
	for i := range 51 {
		s.reply(c, fmt.Sprint("burger", i), "", "<p>Nummer</p>")
	}
	s.ok(s.service.EditReply(t.Context(), participation.Reply{ID: "https://elders.example/notes/burger0",
		Author: participation.Author{ID: "https://elders.example/users/burger0"}}, false))
	says(t, s.page("/consultations/speeltuin/replies?page=2", 200, "Accept-Language", "nl"), "main",
		[]string{"Op deze pagina staan geen reacties meer.", "Pagina 2 van 2"}, []string{"Schrijf de eerste"})
}

func TestThread(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin")
	anna := s.reply(c, "anna", "", "<p>Graag een glijbaan.</p>")
	s.reply(c, "carol", "", "<p>Liever niet.</p>")
	bob := s.reply(c, "bob", anna, "<p>Eens met Anna.</p>")
	spam := s.reply(c, "spam", anna, "<p>Koop nu horloges.</p>")
	s.ok(s.service.HideReply(t.Context(), spam, "reclame"))
	s.advance(time.Second)
	answer, err := s.service.Answer(t.Context(), bob, "Dank u, wij nemen dit mee.")
	s.ok(err)
	deep := s.config.URLs.Object(answer.ID)
	for i := range 6 {
		deep = s.reply(c, fmt.Sprintf("diep%d", i), deep, "<p>Dieper.</p>")
	}
	s.reply(c, "wees", "https://elders.example/notes/verwijderd", "<p>Mijn ouder is weg.</p>")
	_, err = s.service.Announce(t.Context(), c.ID, participation.Erratum, "Er stond een tikfout.")
	s.ok(err)

	d := s.page("/consultations/speeltuin/replies?order=oldest", 200, "Accept-Language", "nl")
	roots := d.Find("main > ol.thread > li")
	if roots.Length() != 3 {
		t.Fatalf("%d conversations, want 3", roots.Length())
	}
	says(t, d, "main", []string{"De gemeente heeft 1 reactie verborgen.", "reclame1", "Mijn ouder is weg.", "Lees het hele gesprek: nog 4 reacties"}, []string{"Dieper. Dieper. Dieper. Dieper."})
	says(t, s.page("/consultations/speeltuin", 200, "Accept-Language", "nl"), "main", []string{"Er stond een tikfout.", "Mijn ouder is weg."}, nil)
	more := roots.First().Children().Filter("p").Find("a").AttrOr("href", "")
	d = s.page(more, 200, "Accept-Language", "nl")
	first := d.Find("main > ol.thread > li").First()
	if got := strings.TrimSpace(first.Find("article").First().Find(".reply-words").Text()); got != "Graag een glijbaan." {
		t.Errorf("oldest conversation begins with %q", got)
	}
	second := first.ChildrenFiltered("ol").ChildrenFiltered("li")
	if second.Length() != 2 {
		t.Errorf("%d answers under the first, want 2", second.Length())
	}
	official := second.First().ChildrenFiltered("ol").Find("article.official").First()
	if !strings.Contains(official.Text(), "Dank u, wij nemen dit mee.") || !strings.Contains(official.Text(), "Antwoord van de gemeente") {
		t.Errorf("official answer: %q", official.Text())
	}
	body := text(d, "body")
	if strings.Contains(body, "horloges") || strings.Contains(body, "spam@") {
		t.Error("a hidden reply is shown, or named")
	}
	for _, want := range []string{"Verborgen door de gemeente. De reden: reclame", "Antwoord aan diep"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if d.Find("ol ol ol ol ol ol").Length() != 0 {
		t.Error("replies are indented without limit")
	}
	if got := d.Find("article.reply:not(.official):not(.soft)").Length(); got != 8 {
		t.Errorf("%d replies shown, want 8", got)
	}
	post := s.page("/consultations/speeltuin/posts/"+answer.ID, 200, "Accept-Language", "nl")
	if !strings.Contains(text(post, "article"), "Dank u") {
		t.Error("the answer's own page lacks its words")
	}
}

func TestThreadsThatAnswerEachOther(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin")
	s.reply(c, "ei", "https://elders.example/notes/kip", "<p>Eerst het ei.</p>")
	s.reply(c, "kip", "https://elders.example/notes/ei", "<p>Eerst de kip.</p>")
	s.reply(c, "zelf", "https://elders.example/notes/zelf", "<p>Ik antwoord mezelf.</p>")
	if got := s.page("/consultations/speeltuin/replies", 200).Find("article.reply").Length(); got != 3 {
		t.Errorf("%d replies shown, want 3", got)
	}
}

func TestLongThreadsHavePages(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin")
	for i := range 60 {
		s.reply(c, fmt.Sprintf("burger%d", i), "", "<p>Reactie.</p>")
	}
	for page, want := range map[string]int{"": 50, "?page=1": 50, "?page=2": 10, "?page=99": 10, "?page=-1": 50, "?page=x": 50} {
		d := s.page("/consultations/speeltuin/replies"+page, 200)
		if got := d.Find("article.reply").Length(); got != want {
			t.Errorf("%q: %d replies, want %d", page, got, want)
		}
	}
	d := s.page("/consultations/speeltuin/replies?order=oldest&lang=en", 200)
	if href, _ := d.Find("a[rel=next]").Attr("href"); href != "/consultations/speeltuin/replies?order=oldest&page=2&lang=en" {
		t.Errorf("next page is %q", href)
	}
}
