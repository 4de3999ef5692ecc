package handlers_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"
)

// An error is told in the form and the language that the client reads, and says
// what to do.
func TestErrorsAreToldInTheFormAskedFor(t *testing.T) {
	s := newSite(t)
	weg := s.publish("weg")
	s.ok(s.service.Withdraw(t.Context(), weg.ID, "De vraag klopte niet."))
	const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
	for _, c := range []struct {
		method, path, accept, kind string
		status                     int
		words                      string
	}{
		{"GET", "/nergens", browser, "text/html", 404, "Deze pagina is er niet"},
		{"GET", "/nergens", "*/*", "text/html", 404, "Deze pagina is er niet"},
		{"GET", "/nergens", "", "text/html", 404, "Deze pagina is er niet"},
		{"GET", "/nergens", "application/json", "application/problem+json", 404, `"title":"Not Found"`},
		{"GET", "/nergens", "application/activity+json, text/html;q=0.5", "application/problem+json", 404, `"status":404`},
		{"GET", "/nergens", "application/activity+json;q=0.5, text/html", "text/html", 404, "Deze pagina is er niet"},
		{"GET", "/nergens", "text/plain", "text/plain", 404, "Naar alle consultaties: https://inspraak.example/"},
		{"GET", "/nergens", "image/png", "text/plain", 404, "inspraak@voorbeeld.example"},
		{"GET", "/media/nergens.png", "image/avif,*/*;q=0.8", "text/plain", 404, "Deze pagina is er niet"},
		{"GET", "/media/nergens.png", browser, "text/html", 404, "Deze pagina is er niet"},
		{"GET", "/consultations/weg", browser, "text/html", 410, "De vraag klopte niet."},
		{"GET", "/consultations/weg/result", browser, "text/html", 410, "De vraag klopte niet."},
		{"GET", "/consultations/weg/replies", browser, "text/html", 410, "De vraag klopte niet."},
		{"GET", "/consultations/weg/replies/1", browser, "text/html", 410, "De vraag klopte niet."},
		{"GET", "/consultations/weg/dataset", "application/json", "application/problem+json", 410, `"detail":"this consultation was withdrawn"`},
		{"POST", "/about", browser, "text/html", 405, "Dit kan hier niet"},
		{"DELETE", "/consultations/weg", "application/json", "application/problem+json", 405, `"status":405`},
		{"POST", "/nergens", "", "application/problem+json", 404, `"status":404`},
	} {
		w := s.do(c.method, c.path, nil, "Accept", c.accept, "Accept-Language", "nl")
		kind, _, _ := strings.Cut(w.Header().Get("Content-Type"), ";")
		if w.Code != c.status || kind != c.kind || !strings.Contains(w.Body.String(), c.words) {
			t.Errorf("%s %s for %q: %d %s, want %d %s with %q: %.300s", c.method, c.path, c.accept, w.Code, kind, c.status, c.kind, c.words, w.Body)
		}
		if c.kind == "application/problem+json" && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %s: not JSON: %s", c.method, c.path, w.Body)
		}
		if !strings.Contains(w.Header().Get("Vary"), "Accept") {
			t.Errorf("%s %s for %q: Vary is %q", c.method, c.path, c.accept, w.Header().Get("Vary"))
		}
	}
	says(t, s.page("/nergens", 404, "Accept-Language", "en"), "main", []string{"This page does not exist", "inspraak@voorbeeld.example"}, nil)
	for _, path := range []string{"/", "/search", "/archive"} {
		if s.page("/nergens", 404).Find(`main a[href="`+path+`"]`).Length() != 1 {
			t.Errorf("a missing page does not lead to %s", path)
		}
	}
}

// N42, N44 to N50: whatever stands in an address, nothing breaks and nothing of it
// comes back alive.
func TestOddAddresses(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin")
	s.reply(c, "anna", "", "<p>Graag.</p>")
	odd := []string{strings.Repeat("a", 10_000), strings.Repeat("%F0%9F%8C%B7", 2_500), "%E2%80%AEgpj.exe", "%00", "%0D%0ASet-Cookie:a=b", "%FF%FE", "..%2f..%2fetc",
		"%3Cscript%3Ealert(1)%3C/script%3E", "%22%3E%3Cimg%20src=x%20onerror=alert(1)%3E", "javascript:alert(1)", "=HYPERLINK(1)", "%25%25%25", "%E2%80%8B"}
	for _, name := range odd {
		for _, path := range []string{"/consultations/%s", "/consultations/%s/result", "/consultations/%s/replies", "/consultations/speeltuin/replies/%s", "/archive/%s", "/%s", "/@%s", "/tags/%s",
			"/consultations/speeltuin/replies?order=%s", "/consultations/speeltuin/replies?page=%s", "/consultations/speeltuin/replies?order=random&seed=%s",
			"/consultations/speeltuin/result?lang=%s", "/privacy?lang=%s", "/moderation?%s"} {
			path = strings.Replace(path, "%s", name, 1)
			w := s.get(path)
			if w.Code >= 500 || w.Code == http.StatusOK && !strings.Contains(path, "?") {
				t.Errorf("%.80s: %d", path, w.Code)
			}
			body := w.Body.String()
			if strings.Contains(body, "<script") || strings.Contains(body, "<img src=x") || strings.ContainsRune(body, '\u202e') || !utf8.ValidString(body) || w.Header().Get("Set-Cookie") != "" {
				t.Errorf("%.80s: it comes back alive", path)
			}
		}
	}
}
