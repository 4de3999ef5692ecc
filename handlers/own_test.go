package handlers_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"inspraak/activitypub"
	"inspraak/handlers"
	"inspraak/participation"
)

// withOwnAccount are the addresses of pages that hold the form for the own account.
var withOwnAccount = regexp.MustCompile(`^/(consultations/[^/]+(/take-part)?|@gemeente(/follow)?)$`)

const takePart = "/consultations/speeltuin/take-part"

// own sends the form for the own account.
func (s *site) own(path, handle string, headers ...string) (int, http.Header, string) {
	s.t.Helper()
	w := s.do(http.MethodPost, path, strings.NewReader(url.Values{"handle": {handle}}.Encode()), append(headers, "Content-Type", "application/x-www-form-urlencoded")...)
	return w.Code, w.Header(), w.Body.String()
}

// The form leads to the own server: to the post that is open or closed, to the
// channel before a question opens, in the language chosen by hand.
func TestOwnAccount(t *testing.T) {
	s := newSite(t)
	dicht := s.publish("dicht")
	s.close(dicht)
	c := s.publish("speeltuin")
	s.publish("later", func(c *participation.Consultation) {
		c.OpensAt, c.ClosesAt = s.now().Add(time.Hour), s.now().Add(2*time.Hour)
	})
	open := s.publish("praat", func(c *participation.Consultation) { c.Kind, c.Options = participation.OpenQuestion, nil })
	for _, k := range []struct{ page, action, nl, en, object string }{
		{"/consultations/speeltuin", takePart, "Stem met uw eigen account", "Vote with your own account", s.config.URLs.Object(c.ID)},
		{"/consultations/later", "/consultations/later/take-part", "Volg ons met uw eigen account", "Follow us", s.config.URLs.Actor("gemeente")},
		{"/consultations/praat", "/consultations/praat/take-part", "Reageer met uw eigen account", "Reply with your own account", s.config.URLs.Object(open.ID)},
		{"/consultations/dicht", "/consultations/dicht/take-part", "Lees verder op uw eigen server", "Read on", s.config.URLs.Object(dicht.ID)},
		{"/@gemeente", "/@gemeente/follow", "Volg ons met uw eigen account", "Follow us", s.config.URLs.Actor("gemeente")},
	} {
		for lang, words := range map[string]string{"nl": k.nl, "en": k.en} {
			for _, at := range []string{k.page, k.action} {
				d := s.page(at+"?lang="+lang, 200)
				says(t, d, "main", []string{words}, nil)
				form := d.Find("form.own")
				input := form.Find("input[name=handle]")
				if form.AttrOr("action", "") != k.action+"?lang="+lang || form.AttrOr("method", "") != "post" ||
					input.AttrOr("autocomplete", "") == "" || d.Find("label[for=own-handle]").Length() != 1 {
					html, _ := form.Html()
					t.Errorf("%s in %s: form %s", at, lang, html)
				}
			}
		}
		s.doors.homes = nil
		status, header, body := s.own(k.action+"?lang=en", "@ana@mastodon.example", "From-Address", "192.0.2.7")
		if want := "https://mastodon.example/authorize_interaction?uri=" + url.QueryEscape(k.object); status != http.StatusSeeOther || header.Get("Location") != want {
			t.Errorf("%s leads to %d %s, want %s", k.action, status, header.Get("Location"), want)
		}
		if header.Get("Cache-Control") != "no-store" || strings.Contains(body, "ana@") {
			t.Errorf("%s: an answer that may be kept", k.action)
		}
		if want := fmt.Sprintf("[@ana@mastodon.example %s %v 192.0.2.7]", k.object, strings.Contains(k.object, "/a/")); fmt.Sprint(s.doors.homes) != want {
			t.Errorf("%s asks %v, want %s", k.action, s.doors.homes, want)
		}
	}
	s.publish("besloten", func(c *participation.Consultation) {
		c.Terms.AllowedServers = []string{"sociaal.example", "school.example"}
	})
	says(t, s.page("/consultations/besloten/take-part", 200, "Accept-Language", "nl"), ".notice", []string{"Stemmen kan met een account op sociaal.example, school.example."}, nil)
	// A server without a page of its own: the address to copy, and the way there.
	status, _, body := s.own(takePart, "@ana@gotosocial.example", "Accept-Language", "nl")
	for _, part := range []string{`value="https://inspraak.example/consultations/speeltuin"`, "readonly", `href="https://gotosocial.example/"`, "Nog één stap"} {
		if status != http.StatusOK || !strings.Contains(body, part) {
			t.Errorf("a server without a page: %d, without %s", status, part)
		}
	}
}

// What leads nowhere is told in plain words, with what to do, in both languages;
// what was typed is kept for correction, shown as text, and nothing else comes of
// it: nothing stored, no line of the log.
func TestOwnAccountBadInput(t *testing.T) {
	var log bytes.Buffer
	s := newSite(t, func(c *handlers.Config) {
		c.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	s.publish("speeltuin")
	weg := s.publish("weg")
	s.ok(s.service.Withdraw(t.Context(), weg.ID, "Vergissing."))
	s.draft("geheim")
	before, err := s.db.Fingerprint(t.Context())
	s.ok(err)
	for why, status := range map[string]int{activitypub.NoHandle: 422, activitypub.OurHandle: 422, activitypub.NoServer: 422, activitypub.NoAnswer: 422,
		activitypub.NoFedi: 422, activitypub.BadAnswer: 422, activitypub.TooMany: 429} {
		for _, lang := range []string{"nl", "en"} {
			got, header, body := s.own(takePart+"?lang="+lang, why+"@fails.example")
			for _, part := range []string{"own-trouble", `value="` + why + `@fails.example"`, `aria-invalid="true"`, `role="alert"`, "https://inspraak.example/consultations/speeltuin"} {
				if got != status || !strings.Contains(body, part) || strings.Contains(body, "own-trouble.") {
					t.Errorf("%s in %s: %d, without %s", why, lang, got, part)
				}
			}
			if (header.Get("Retry-After") != "") != (status == 429) || header.Get("Location") != "" || header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: headers %v", why, header)
			}
		}
	}
	for _, k := range []struct {
		name, path, handle string
		headers            []string
		status             int
	}{
		{"nothing", takePart, "", nil, 422},
		{"no handle", takePart, "jan", nil, 422},
		{"markup", takePart, `"><script>alert(1)</script>`, nil, 422},
		{"text turned round", takePart, "a\u202eb\u0000c\r\n", nil, 422},
		{"ten thousand characters", takePart, strings.Repeat("x", 10_000), nil, 422},
		{"a hundred thousand", takePart, strings.Repeat("x", 100_000), nil, 400},
		{"from another site", takePart, "@ana@mastodon.example", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"from another site, an old browser", takePart, "@ana@mastodon.example", []string{"Origin", "https://evil.example"}, 403},
		{"an unknown consultation", "/consultations/nergens/take-part", "@ana@mastodon.example", nil, 404},
		{"a draft", "/consultations/geheim/take-part", "@ana@mastodon.example", nil, 404},
		{"a withdrawn one", "/consultations/weg/take-part", "@ana@mastodon.example", nil, 410},
		{"an unknown channel", "/@niemand/follow", "@ana@mastodon.example", nil, 404},
	} {
		status, header, body := s.own(k.path, k.handle, k.headers...)
		if status != k.status || header.Get("Location") != "" || strings.Contains(body, "<script") || strings.Contains(body, "\u202e") || len(body) > 20_000 {
			t.Errorf("%s: %d, want %d; %d bytes, location %q", k.name, status, k.status, len(body), header.Get("Location"))
		}
	}
	if w := s.do(http.MethodPost, takePart, strings.NewReader("handle=%zz"), "Content-Type", "application/x-www-form-urlencoded"); w.Code != 400 {
		t.Errorf("a broken form: %d", w.Code)
	}
	for _, origin := range [][]string{{"Origin", "http://example.com"}, {"Sec-Fetch-Site", "same-origin", "Origin", "null"}} { // httptest's host
		if status, _, _ := s.own(takePart, "@ana@mastodon.example", origin...); status != http.StatusSeeOther {
			t.Errorf("from our own page, %v: %d", origin, status)
		}
	}
	s.own(takePart, "@ana@mastodon.example")
	after, err := s.db.Fingerprint(t.Context())
	s.ok(err)
	if !maps.Equal(before, after) {
		t.Error("something was stored")
	}
	if said := log.String(); !strings.Contains(said, "take-part") || strings.Contains(said, "fails.example") || strings.Contains(said, "ana@") || strings.Contains(said, "mastodon") {
		t.Errorf("the log tells what was typed: %s", said)
	}
}

// Only where the form stands may a page lead to another server.
func TestOnlyTheFormLeadsAway(t *testing.T) {
	s := newSite(t)
	s.publish("speeltuin")
	for _, path := range []string{"/", "/about", "/logs", "/tags/speeltuin", "/consultations/speeltuin/share", "/embed/consultations/speeltuin", "/nergens",
		"/consultations/speeltuin", takePart, "/@gemeente", "/@gemeente/follow"} {
		policy := s.get(path).Header().Get("Content-Security-Policy")
		want := "form-action 'self';"
		if withOwnAccount.MatchString(path) {
			want = "form-action 'self' https:;"
		}
		if !strings.Contains(policy, want) {
			t.Errorf("%s: %s", path, policy)
		}
	}
}
