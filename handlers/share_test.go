package handlers_test

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"inspraak/participation"
)

// The short link leads to its consultation however it is typed, never to a draft,
// and who mistypes is shown what is open.
func TestShortLink(t *testing.T) {
	s := newSite(t)
	c, draft := s.publish("speeltuin"), s.draft("geheim")
	other := s.publish("dicht")
	s.close(other)
	s.publish("open")
	weg := s.publish("weg")
	s.ok(s.service.Withdraw(t.Context(), weg.ID, "Vergissing."))
	name := c.ShortName()
	for typed, want := range map[string]string{
		name: "/consultations/speeltuin", strings.ToUpper(name): "/consultations/speeltuin", name[:2] + "-" + name[2:]: "/consultations/speeltuin",
		name + "?lang=en": "/consultations/speeltuin?lang=en", other.ShortName(): "/consultations/dicht", weg.ShortName(): "/consultations/weg",
	} {
		if w := s.get("/c/" + typed); w.Code != http.StatusFound || w.Header().Get("Location") != want {
			t.Errorf("/c/%s: %d %s, want %s", typed, w.Code, w.Header().Get("Location"), want)
		}
	}
	for _, typed := range []string{draft.ShortName(), "zzzzz", name + "2", name[1:], "%00", "%E2%80%AE", strings.Repeat("z", 10_000), "%3Cscript%3E"} {
		w := s.get("/c/"+typed, "Accept-Language", "nl")
		if body := w.Body.String(); w.Code != http.StatusNotFound || !strings.Contains(body, "Deze korte link kennen wij niet") ||
			!strings.Contains(body, `href="/consultations/open"`) || strings.Contains(body, "/consultations/dicht") || strings.Contains(body, "<script") {
			t.Errorf("/c/%.20s: %d %.300s", typed, w.Code, body)
		}
	}
}

// The drawing is the code, module by module, with a quiet zone of four around it.
func TestQRCode(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin", func(c *participation.Consultation) { c.Title = `Een "plein" & <meer>?` })
	w := s.get("/consultations/speeltuin/qr.svg")
	var svg struct {
		Title string `xml:"title"`
		Paths []struct {
			D    string `xml:"d,attr"`
			Fill string `xml:"fill,attr"`
		} `xml:"path"`
		ViewBox string `xml:"viewBox,attr"`
	}
	if err := xml.Unmarshal(w.Body.Bytes(), &svg); err != nil || w.Header().Get("Content-Type") != "image/svg+xml" {
		t.Fatalf("%v in %s %.300s", err, w.Header().Get("Content-Type"), w.Body)
	}
	if want := `QR: Een "plein" & <meer>? (https://inspraak.example/c/` + c.ShortName() + ")"; svg.Title != want || len(svg.Paths) != 2 || svg.Paths[0].Fill != "#fff" {
		t.Fatalf("drawing of %q, want %q: %d paths", svg.Title, want, len(svg.Paths))
	}
	var size int
	if _, err := fmt.Sscanf(svg.ViewBox, "0 0 %d", &size); err != nil {
		t.Fatal(err)
	}
	dark := map[[2]int]bool{}
	for _, m := range regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1H(\d+)`).FindAllStringSubmatch(svg.Paths[1].D, -1) {
		var x, y, n int
		if _, err := fmt.Sscan(m[1], &x); err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Sscan(m[2], &y)
		_, _ = fmt.Sscan(m[3], &n)
		for i := range n {
			dark[[2]int{x + i, y}] = true
		}
	}
	for y := range size {
		for x := range size {
			if edge := min(x, y, size-1-x, size-1-y) < 4; edge && dark[[2]int{x, y}] {
				t.Fatalf("ink in the quiet zone at %d, %d", x, y)
			}
		}
	}
	for _, corner := range [][2]int{{4, 4}, {size - 11, 4}, {4, size - 11}} { // finder patterns (ISO/IEC 18004 §6.3.3)
		for y := range 7 {
			for x := range 7 {
				ring := max(x-3, 3-x, y-3, 3-y)
				if dark[[2]int{corner[0] + x, corner[1] + y}] != (ring != 2) {
					t.Fatalf("no finder pattern at %v", corner)
				}
			}
		}
	}
	if n := len(dark); n < size*size/4 || (size-8-17)%4 != 0 {
		t.Errorf("%d dark modules of %d", n, size*size)
	}
	if w := s.get("/consultations/speeltuin/qr.svg", "If-None-Match", w.Header().Get("ETag")); w.Code != http.StatusNotModified {
		t.Errorf("again: %d", w.Code)
	}
}

// Poster and words say what can be done now, until when, and how without account.
func TestPosterAndWords(t *testing.T) {
	s := newSite(t)
	dicht := s.publish("dicht")
	s.close(dicht)
	c := s.publish("speeltuin")
	s.publish("later", func(c *participation.Consultation) {
		c.OpensAt, c.ClosesAt = s.now().Add(time.Hour), s.now().Add(2*time.Hour)
	})
	weg := s.publish("weg")
	s.ok(s.service.Withdraw(t.Context(), weg.ID, "Vergissing."))
	s.draft("geheim")
	link := "inspraak.example/c/" + c.ShortName()
	d := s.page("/consultations/speeltuin/poster", 200, "Accept-Language", "nl")
	says(t, d, ".poster", []string{"Komt er een speeltuin?", "Wij denken aan het park.", "Doe mee tot maandag 2 maart 2026", link, "Stem met uw eigen account", "Bel 14 0123."}, nil)
	if img := d.Find(".poster img.qr"); img.AttrOr("src", "") != "/consultations/speeltuin/qr.svg" || !strings.Contains(img.AttrOr("alt", ""), link) {
		t.Error("no QR code on the poster")
	}
	says(t, s.page("/consultations/speeltuin/poster?lang=en", 200), ".poster", []string{"Take part until Monday 2 March 2026", "No account?"}, nil)
	says(t, s.page("/consultations/dicht/poster", 200, "Accept-Language", "nl"), ".poster", []string{"Deze vraag is gesloten"}, []string{"Geen account?", "Doe mee tot"})
	says(t, s.page("/consultations/later/poster", 200, "Accept-Language", "nl"), ".poster", []string{"Opent op", "Volg ons account"}, nil)
	says(t, s.page("/consultations/speeltuin/share", 200, "Accept-Language", "nl"), "main", []string{"https://" + link, "Gemeente Voorbeeld vraagt: Komt er een speeltuin?",
		"Gemeente Voorbeeld asks: Komt er een speeltuin?", "tot maandag 2 maart 2026", `<iframe src="https://inspraak.example/embed/consultations/speeltuin?lang=nl"`}, []string{"share."})
	says(t, s.page("/consultations/later/share", 200), "main", []string{"@gemeente@inspraak.example", "Meedoen kan vanaf"}, []string{"share."})
	says(t, s.page("/consultations/dicht/share", 200), "main", []string{"Deze vraag is gesloten.", "vroeg: Komt"}, []string{"share."})
	for slug, status := range map[string]int{"weg": 410, "geheim": 404, "nergens": 404} {
		for _, page := range []string{"poster", "share", "qr.svg", "take-part"} {
			if w := s.get("/consultations/" + slug + "/" + page); w.Code != status {
				t.Errorf("%s of %s: %d, want %d", page, slug, w.Code, status)
			}
		}
	}
	if page := s.page("/consultations/speeltuin", 200); page.Find(`a[href="/consultations/speeltuin/share"]`).Length() != 1 {
		t.Error("nothing leads to the page for sharing")
	}
}
