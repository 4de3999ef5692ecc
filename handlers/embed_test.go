package handlers_test

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"inspraak/participation"
)

// One page may be framed, and its links leave the frame.
func TestEmbed(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin")
	s.vote(c, "Ja", 3)
	weg := s.publish("weg")
	s.ok(s.service.Withdraw(t.Context(), weg.ID, "Vergissing."))
	s.draft("geheim")
	w := s.get("/embed/consultations/speeltuin?lang=nl")
	d, err := goquery.NewDocumentFromReader(w.Body)
	s.ok(err)
	says(t, d, "main", []string{"Komt er een speeltuin?", "Open", "Sluit op maandag 2 maart 2026", "3 mensen stemden", "Stem met uw eigen account"}, []string{"Ja", "Nee"})
	d.Find("a").Each(func(_ int, a *goquery.Selection) {
		if a.AttrOr("target", "") != "_blank" || a.AttrOr("rel", "") != "noopener" || !strings.HasSuffix(a.AttrOr("href", ""), "?lang=nl") {
			t.Errorf("a link that stays in the frame: %s", a.AttrOr("href", ""))
		}
	})
	if d.Find("a").Length() != 2 || d.Find("script, form, iframe, [style], header, nav").Length() != 0 {
		t.Error("more in the frame than is wanted")
	}
	if w.Header().Get("Set-Cookie") != "" || w.Header().Get("Cross-Origin-Resource-Policy") != "cross-origin" {
		t.Errorf("headers %v", w.Header())
	}
	framed := map[string]bool{"/embed/consultations/speeltuin": true, "/embed/consultations/weg": true}
	for _, path := range []string{"/embed/consultations/speeltuin", "/embed/consultations/weg", "/embed/consultations/nergens", "/embed/consultations/geheim", "/", "/about",
		"/consultations/speeltuin", takePart, "/consultations/speeltuin/share", "/consultations/speeltuin/poster", "/consultations/speeltuin/qr.svg", "/@gemeente", "/c/x", "/oembed", "/nergens"} {
		policy := s.get(path).Header().Get("Content-Security-Policy")
		if strings.Contains(policy, "frame-ancestors *") != framed[path] || strings.Contains(policy, "frame-ancestors 'none'") == framed[path] {
			t.Errorf("%s: %s", path, policy)
		}
	}
	for slug, status := range map[string]int{"weg": 410, "geheim": 404, "nergens": 404} {
		if w := s.get("/embed/consultations/" + slug); w.Code != status {
			t.Errorf("frame of %s: %d, want %d", slug, w.Code, status)
		}
	}
}

// What oembed.com 1.0 says, for each of our addresses, in both formats.
func TestOEmbed(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin", func(c *participation.Consultation) { c.Title = `Een "plein" & <meer>?` })
	weg := s.publish("weg")
	s.ok(s.service.Withdraw(t.Context(), weg.ID, "Vergissing."))
	draft := s.draft("geheim")
	type answer struct {
		Version, Type, Title string
		Provider             string `json:"provider_name" xml:"provider_name"`
		HTML                 string
		Width, Height        int
	}
	d := s.page("/consultations/speeltuin", 200)
	discovered := d.Find(`link[rel=alternate][type="application/json+oembed"]`).AttrOr("href", "")
	if !strings.HasPrefix(discovered, "https://inspraak.example/oembed?") {
		t.Fatalf("the page leads to %q", discovered)
	}
	const base = "https://inspraak.example"
	for _, at := range []string{base + "/consultations/speeltuin", base + "/consultations/speeltuin/", base + "/consultations/speeltuin?lang=nl#take", "http://INSPRAAK.example/consultations/speeltuin",
		base + "/o/" + c.ID, base + "/c/" + c.ShortName(), base + "/embed/consultations/speeltuin"} {
		w := s.get("/oembed?url=" + url.QueryEscape(at))
		var a answer
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != 200 || a.Version != "1.0" || a.Type != "rich" || a.Title != c.Title ||
			a.Provider != "Gemeente Voorbeeld" || a.Width != 600 || a.Height != 320 || w.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %d %v %s", at, w.Code, err, w.Body)
		}
		frame, err := goquery.NewDocumentFromReader(strings.NewReader(a.HTML))
		s.ok(err)
		f := frame.Find("iframe")
		if f.AttrOr("src", "") != base+"/embed/consultations/speeltuin?lang=nl" || f.AttrOr("title", "") != c.Title || !strings.HasPrefix(f.AttrOr("sandbox", ""), "allow-popups") ||
			strings.Contains(f.AttrOr("sandbox", ""), "scripts") || frame.Find("body *").Length() != 1 {
			t.Errorf("%s: code %s", at, a.HTML)
		}
	}
	w := s.get("/oembed?format=xml&maxwidth=300&maxheight=100&url=" + url.QueryEscape(base+"/consultations/speeltuin?lang=en"))
	var a struct {
		XMLName xml.Name `xml:"oembed"`
		Title   string   `xml:"title"`
		HTML    string   `xml:"html"`
		Width   int      `xml:"width"`
		Height  int      `xml:"height"`
	}
	if err := xml.Unmarshal(w.Body.Bytes(), &a); err != nil || a.Title != c.Title || a.Width != 300 || a.Height != 100 ||
		!strings.Contains(a.HTML, `width="300" height="100"`) || !strings.Contains(a.HTML, "?lang=en") || w.Header().Get("Content-Type") != "text/xml; charset=utf-8" {
		t.Errorf("as XML: %v %s", err, w.Body)
	}
	for query, status := range map[string]int{
		"": 400, "url=": 400, "url=" + base + "/": 404, "url=" + base + "/consultations/nergens": 404, "url=" + base + "/consultations/weg": 404,
		"url=" + base + "/consultations/geheim": 404, "url=" + base + "/o/" + draft.ID: 404, "url=" + base + "/c/" + draft.ShortName(): 404, "url=" + base + "/c/zzzzz": 404,
		"url=https://evil.example/consultations/speeltuin": 404, "url=https://inspraak.example@evil.example/consultations/speeltuin": 404,
		"url=https://u@inspraak.example/consultations/speeltuin": 404, "url=%3A%3A": 404, "url=javascript:alert(1)": 404, "url=" + strings.Repeat("x", 10_000): 404,
		"url=" + base + "/consultations/speeltuin&format=yaml": 501, "url=" + base + "/consultations/speeltuin&maxwidth=-1": 400,
		"url=" + base + "/consultations/speeltuin&maxheight=0": 400, "url=" + base + "/consultations/speeltuin&maxwidth=breed": 400,
		"url=" + base + "/consultations/speeltuin&maxwidth=99999999999999999999": 400,
	} {
		w := s.get("/oembed?" + query)
		var said struct{ Title, Error string }
		if err := json.Unmarshal(w.Body.Bytes(), &said); err != nil || w.Code != status || said.Title+said.Error == "" {
			t.Errorf("%.80s: %d, want %d: %v %.100s", query, w.Code, status, err, w.Body)
		}
	}
	if w := s.do(http.MethodPost, "/oembed?url=x", nil); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
}
