package handlers_test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image/png"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"inspraak/handlers"
	"inspraak/participation"
)

// fields reads lines of "Name: value".
func fields(text string) map[string]string {
	found := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		found[name] = value
	}
	return found
}

func TestSecurityTextNeverExpires(t *testing.T) {
	s := newSite(t)
	for range 40 { // three years
		w := s.get("/.well-known/security.txt")
		f := fields(w.Body.String())
		expires, err := time.Parse(time.RFC3339, f["Expires"])
		if ahead := expires.Sub(s.now()); err != nil || ahead < 150*24*time.Hour || ahead > 364*24*time.Hour {
			t.Fatalf("at %s it expires at %q", s.now(), f["Expires"])
		}
		if w.Code != 200 || w.Header().Get("Content-Type") != "text/plain; charset=UTF-8" || f["Contact"] != "mailto:inspraak@voorbeeld.example" ||
			f["Canonical"] != "https://inspraak.example/.well-known/security.txt" || f["Preferred-Languages"] != "nl, en" || f["Policy"] != "" {
			t.Fatalf("%d %s\n%s", w.Code, w.Header().Get("Content-Type"), w.Body)
		}
		s.advance(29 * 24 * time.Hour)
	}
	for _, c := range []struct{ contact, security, policy, want string }{
		{"a@b.example", "veilig@b.example", "https://b.example/cvd", "mailto:veilig@b.example"},
		{"a@b.example", "https://b.example/meld", "", "https://b.example/meld"},
		{"Bel 14 0123", "", "", ""},
		{"http://b.example", "", "", ""}, // RFC 9116 §2.5.3 asks for https
	} {
		s := newSite(t, func(h *handlers.Config) {
			h.Contact, h.SecurityContact, h.SecurityPolicy = c.contact, c.security, c.policy
		})
		w := s.get("/.well-known/security.txt")
		if f := fields(w.Body.String()); f["Contact"] != c.want || f["Policy"] != c.policy || (w.Code == 200) != (c.want != "") {
			t.Errorf("%+v: %d %s", c, w.Code, w.Body)
		}
	}
}

func TestRobots(t *testing.T) {
	s := newSite(t)
	body := s.get("/robots.txt").Body.String()
	for _, want := range []string{"Sitemap: https://inspraak.example/sitemap.xml\n", "Disallow: /my-data/\n", "Disallow: /consultations/*/receipt/\n", "Disallow: /search\n"} {
		if !strings.Contains(body, want) {
			t.Errorf("robots.txt lacks %q", want)
		}
	}
	if regexp.MustCompile(`Disallow: /\s`).MatchString(body) {
		t.Error("everything is forbidden")
	}
}

// Every address of the sitemap is a page that may be found, in its languages.
func TestSitemap(t *testing.T) {
	s := newSite(t)
	s.publish("speeltuin")
	klaar := s.publish("klaar")
	s.vote(klaar, "Nee", 2)
	weg := s.publish("weg")
	s.draft("geheim")
	s.ok(s.service.Withdraw(t.Context(), weg.ID, "De vraag klopte niet."))
	s.close(klaar)
	s.freeze()
	var m struct {
		URLs []struct {
			Address string `xml:"loc"`
			Changed string `xml:"lastmod"`
			Links   []struct {
				Lang string `xml:"hreflang,attr"`
				URL  string `xml:"href,attr"`
			} `xml:"http://www.w3.org/1999/xhtml link"`
		} `xml:"http://www.sitemaps.org/schemas/sitemap/0.9 url"`
	}
	w := s.get("/sitemap.xml")
	s.ok(xml.Unmarshal(w.Body.Bytes(), &m))
	found := map[string]string{}
	for _, u := range m.URLs {
		path := strings.TrimPrefix(u.Address, "https://inspraak.example")
		found[path] = u.Changed
		if d := s.page(path, 200); d.Find("meta[name=robots]").Length() != 0 {
			t.Errorf("%s is listed and wants no finding", path)
		}
		if len(u.Links) != 3 || u.Links[0].Lang != "nl" || u.Links[1].URL != u.Address+"?lang=en" || u.Links[2].Lang != "x-default" {
			t.Errorf("%s: languages %v", path, u.Links)
		}
	}
	for path, changed := range map[string]string{
		"/": "", "/about": "", "/logs": "", "/@gemeente": "", "/tags/speeltuin": "", "/consultations/speeltuin": "2026-03-02T09:00:00Z",
		"/consultations/klaar": klaar.ClosesAt.Format(time.RFC3339), "/consultations/klaar/dataset": klaar.ClosesAt.Format(time.RFC3339), "/consultations/klaar/figures": klaar.ClosesAt.Format(time.RFC3339),
	} {
		if got, listed := found[path]; !listed || got != changed {
			t.Errorf("%s: listed %v, changed %q, want %q", path, listed, got, changed)
		}
	}
	for path := range found {
		if strings.Contains(path, "weg") || strings.Contains(path, "geheim") || strings.Contains(path, "speeltuin/dataset") {
			t.Errorf("%s is listed", path)
		}
	}
	if w := s.get("/sitemap.xml", "If-None-Match", w.Header().Get("ETag")); w.Code != 304 {
		t.Errorf("asked again: %d", w.Code)
	}
	for _, part := range []string{"2", "0", "-1", "x", "99999999999999999999"} {
		if w := s.get("/sitemap.xml?part=" + part); w.Code != 404 {
			t.Errorf("part %s: %d", part, w.Code)
		}
	}
}

// What is one person's is for one origin and no cache, and an answer that says no
// carries the same headers as one that says yes (the others: TestEveryRoute).
func TestRefusalsHaveTheirHeaders(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin")
	s.vote(c, "Ja", 3)
	mine := []string{"/consultations/speeltuin/receipt/" + s.receipt("Ja0").Token, "/my-data/" + s.service.DataToken("https://elders.example/users/Ja0"), "/my-data/x"}
	for _, asked := range append(mine, "/nergens", "/o/missing", "/consultations/"+strings.Repeat("a", 5000), "/static/x", "/media/x.png", "PUT /", "POST /inbox", "POST "+mine[1]) {
		method, path, found := strings.Cut(asked, " ")
		if !found {
			method, path = http.MethodGet, asked
		}
		h := s.do(method, path, strings.NewReader("{}"), "Content-Type", "application/activity+json").Header()
		if !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none'; ") || h.Get("X-Content-Type-Options") != "nosniff" ||
			h.Get("Referrer-Policy") != "no-referrer" || h.Get("Cross-Origin-Opener-Policy") != "same-origin" || h.Get("Permissions-Policy") == "" ||
			h.Get("Strict-Transport-Security") != "max-age=31536000" || h.Get("Set-Cookie") != "" {
			t.Errorf("%s: %v", asked, h)
		}
		if h.Get("Cross-Origin-Resource-Policy") != "same-origin" || h.Get("Access-Control-Allow-Origin") != "" || h.Get("ETag") != "" ||
			h.Get("Cache-Control") != "no-store" && method == http.MethodGet {
			t.Errorf("%s: others may read or keep it: %v", asked, h)
		}
	}
}

// A question without an image of its own is shown by its card, which changes with
// its state and never with its votes.
func TestCardOfAQuestion(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin")
	s.publish("beeld", func(c *participation.Consultation) {
		c.Image = &participation.Image{Path: "park.png", Alt: "Het park", MediaType: "image/png"}
	})
	card := func(headers ...string) (body []byte, tag string) {
		t.Helper()
		w := s.get("/consultations/speeltuin/card.png", headers...)
		picture, err := png.DecodeConfig(bytes.NewReader(w.Body.Bytes()))
		if err != nil || w.Code != 200 || picture.Width != 1200 || picture.Height != 630 || w.Header().Get("Content-Type") != "image/png" {
			t.Fatalf("%d, %v, %v", w.Code, picture, err)
		}
		if w := s.get("/consultations/speeltuin/card.png", "If-None-Match", w.Header().Get("ETag")); w.Code != 304 {
			t.Errorf("asked again: %d", w.Code)
		}
		return w.Body.Bytes(), w.Header().Get("ETag")
	}
	first, _ := card()
	s.vote(c, "Ja", 5)
	if voted, _ := card("Accept-Language", "en"); !bytes.Equal(voted, first) {
		t.Error("the card changes with votes, or with who asks")
	}
	d := s.page("/consultations/speeltuin", 200)
	content := func(d *goquery.Document, name string) string {
		return d.Find(fmt.Sprintf("meta[property=%q], meta[name=%q]", name, name)).AttrOr("content", "")
	}
	if content(d, "og:image") != "https://inspraak.example/consultations/speeltuin/card.png" || content(d, "twitter:card") != "summary_large_image" ||
		content(d, "og:image:alt") != "Gemeente Voorbeeld vraagt: Komt er een speeltuin? Open. Sluit op maandag 2 maart 2026 om 11:00 uur (Nederlandse tijd)" {
		t.Errorf("shown by %q, which says %q", content(d, "og:image"), content(d, "og:image:alt"))
	}
	if got := content(s.page("/consultations/beeld", 200), "og:image"); got != "https://inspraak.example/media/park.png" {
		t.Errorf("one with an image is shown by %q", got)
	}
	s.close(c)
	if closed, _ := card(); bytes.Equal(closed, first) {
		t.Error("the card does not say that it is closed")
	}
	s.draft("geheim")
	s.ok(s.service.Withdraw(t.Context(), s.publish("weg").ID, "Fout."))
	for _, slug := range []string{"geheim", "weg", "nergens"} {
		if w := s.get("/consultations/" + slug + "/card.png"); w.Code != 404 || w.Header().Get("Content-Type") == "image/png" {
			t.Errorf("%s: %d", slug, w.Code)
		}
	}
	for i := range 70 { // more than are remembered
		s.publish(fmt.Sprintf("vraag-%d", i), func(c *participation.Consultation) { c.Title = fmt.Sprintf("Vraag %d?", i) })
		if i%10 == 0 || i > 66 {
			if w := s.get(fmt.Sprintf("/consultations/vraag-%d/card.png", i)); w.Code != 200 {
				t.Errorf("card %d: %d", i, w.Code)
			}
		}
	}
}

func TestIconsAndOwnAddresses(t *testing.T) {
	s := newSite(t, func(c *handlers.Config) {
		c.RelMe = []string{"https://voorbeeld.example", "https://social.example/@voorbeeld"}
	})
	w := s.get("/favicon.ico")
	if w.Code != 200 || w.Header().Get("Content-Type") != "image/vnd.microsoft.icon" || !bytes.HasPrefix(w.Body.Bytes(), []byte{0, 0, 1, 0, 1, 0, 48, 48}) {
		t.Errorf("favicon: %d %q", w.Code, w.Header().Get("Content-Type"))
	}
	d := s.page("/", 200)
	icon := d.Find("link[rel=apple-touch-icon]").AttrOr("href", "")
	if w := s.get(icon); w.Code != 200 || w.Header().Get("Content-Type") != "image/png" {
		t.Errorf("%s: %d", icon, w.Code)
	}
	if got := strings.Join(d.Find("link[rel=me]").Map(func(_ int, e *goquery.Selection) string { return e.AttrOr("href", "") }), " "); got != "https://voorbeeld.example https://social.example/@voorbeeld" {
		t.Errorf("rel=me: %q", got)
	}
	if n := newSite(t).page("/", 200).Find("link[rel=me]").Length(); n != 0 {
		t.Errorf("%d addresses that nobody gave", n)
	}
}

// A language that is not finished is a choice like the others, says so, and says of
// what is left in Dutch that it is Dutch.
func TestStartedLanguageIsMarked(t *testing.T) {
	s := newSite(t)
	s.publish("speeltuin")
	d := s.page("/consultations/speeltuin?lang=fy", 200)
	if d.Find("html").AttrOr("lang", "") != "fy" || text(d, "main > p.notice") != "De Fryske oersetting is noch net klear. Wat noch net oerset is, stiet hjir yn it Nederlânsk." {
		t.Errorf("%q says %q", d.Find("html").AttrOr("lang", ""), text(d, "main > p.notice"))
	}
	if got := d.Find(`a[href^="/about"]`).First().AttrOr("href", ""); got != "/about?lang=fy" {
		t.Errorf("the choice does not travel: %q", got)
	}
	if got := text(d, ".badge"); got != "Iepen" {
		t.Errorf("state: %q", got)
	}
	if got := d.Find(`main span[lang=nl]`).Length(); got < 5 {
		t.Errorf("%d texts are marked as Dutch", got)
	}
	if html, _ := d.Html(); strings.Contains(html, "&lt;span") {
		t.Error("a mark is shown as words")
	}
	if s.page("/", 200, "Accept-Language", "fy-NL,nl;q=0.5").Find("html").AttrOr("lang", "") != "fy" {
		t.Error("a browser that asks for Frisian does not get it")
	}
	if s.page("/", 200).Find("main > p.notice").Length() != 0 {
		t.Error("Dutch says that it is not finished")
	}
}
