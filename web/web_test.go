package web

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestLoadIsComplete(t *testing.T) {
	s, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"about", "accessibility", "api", "archive", "ballots", "channel", "consultation", "conversation", "data", "dataset",
		"embed", "error", "figures", "how-it-works", "list", "logs", "moderation", "my-data", "my-data-done", "my-data-link",
		"no-export", "post", "poster", "privacy", "receipt", "receipt-none", "replies", "report", "result", "search",
		"share", "short-none", "soon", "tag", "take-part"}
	got := s.pageNames()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("pages are %v, want %v", got, want)
	}
}

// A text that one language lacks, or that a template misspells, is an error.
func TestMissingTextsAreFound(t *testing.T) {
	s, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	nl := s.texts["nl"]
	for key, page := range map[string]string{"take.once": "take", "replies.whole": "whole"} {
		tree := s.pages["nl"].Lookup(page).Tree.Root
		if problems := checkKeys(nl, page, tree); len(problems) != 0 {
			t.Fatal(problems)
		}
		kept := nl.messages[key]
		delete(nl.messages, key)
		if problems := checkKeys(nl, page, tree); len(problems) != 1 {
			t.Errorf("without %s: %d problems, want 1", key, len(problems))
		}
		if problems := nl.missing(s.texts["en"]); len(problems) != 1 {
			t.Errorf("without %s: %d differences from English, want 1", key, len(problems))
		}
		nl.messages[key] = kept
	}
	plural := nl.messages["result.turnout-count"]
	kept := plural.One
	plural.One = ""
	if problems := nl.missing(s.texts["en"]); len(problems) != 1 {
		t.Errorf("without singular: %d differences from English, want 1", len(problems))
	}
	plural.One = kept
}

// Every text is used by a template, or named here because Go code asks for it.
func TestNoTextIsUnused(t *testing.T) {
	s, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	inCode := []string{"language.", "zone.", "time.", "duration.", "state.", "list.", "post.", "outcome.", "class.", "level.",
		"hidden.", "error.", "feed.", "direct.", "data-file.", "integrity.", "catalogue.", "cite.", "export-file.", "no-export.",
		"picture.", "calendar.", "timeline.step.", "accessibility.is.", "replies.by.", "result.in-short", "replies.in-short", "own-title.", "own-what.", "own-do.",
		"own-then.", "own-trouble.", "share.text-", "share.title", "share.what", "poster.title", "poster.what", "poster-step2.", "static-copy."}
	var all strings.Builder
	entries, err := os.ReadDir("templates")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile("templates/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		all.Write(data)
	}
	for key := range s.texts["nl"].messages {
		used := strings.Contains(all.String(), `"`+key+`"`) ||
			slices.ContainsFunc(inCode, func(p string) bool { return strings.HasPrefix(key, p) })
		if !used {
			t.Errorf("text %q is used nowhere", key)
		}
	}
}

func TestMatch(t *testing.T) {
	s, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ asked, accept, want string }{
		{"", "", "nl"},
		{"en", "nl", "en"},
		{"xx", "en-GB,en;q=0.8", "en"},
		{"", "fr;q=0.9, nl-BE;q=0.5", "nl"},
		{"", "de", "nl"},
		{"", "en;q=0.3, nl;q=0.9", "nl"},
		{"", ";;;=,,", "nl"},
		{"", strings.Repeat("en,", 5000), "nl"},
		{"../etc", "en", "en"},
		{"fy", "en", "fy"},
		{"", "fy, nl;q=0.8, en;q=0.5", "fy"},
		{"", "fy-NL", "fy"},
		{"", "nl, fy;q=0.9", "nl"},
		{"", "af", "nl"},
	} {
		if got := s.Match(c.asked, c.accept); got != c.want {
			t.Errorf("Match(%q, %.20q) = %s, want %s", c.asked, c.accept, got, c.want)
		}
	}
}

func TestNumbersAndDates(t *testing.T) {
	s, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	zone, err := time.LoadLocation("Europe/Amsterdam")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 1, 22, 30, 0, 0, time.UTC).In(zone)
	for _, c := range []struct{ got, want string }{
		{s.Moment("nl", at), "zondag 1 maart 2026 om 23:30 uur (Nederlandse tijd)"},
		{s.Moment("en", at), "Sunday 1 March 2026, 23:30 (Dutch time)"},
		{s.Moment("en", at.In(time.FixedZone("Asia/Tokyo", 9*3600))), "Monday 2 March 2026, 07:30 (Asia/Tokyo)"},
		{s.texts["nl"].shortMoment(at), "1 mrt 2026, 23:30"},
		{s.texts["en"].shortMoment(at), "1 Mar 2026, 23:30"},
		{string(s.texts["nl"].shortTimeElement(at)), `<time datetime="2026-03-01T22:30:00Z">1 mrt 2026, 23:30</time>`},
		{s.texts["nl"].zone(at), "Nederlandse tijd"},
		{s.Count("nl", "result.turnout-count", 1), "1 persoon heeft gestemd."},
		{s.Count("nl", "result.turnout-count", 12345), "12.345 mensen hebben gestemd."},
		{s.Count("en", "result.turnout-count", 12345), "12,345 people voted."},
		{s.Text("nl", "no.such.key"), "no.such.key"},
		{s.texts["nl"].percent(2.0 / 3), "67%"},
		{s.texts["nl"].percent(0), "0%"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestRenderWritesAllOrNothing(t *testing.T) {
	s, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := s.Render(&b, "list", "nl", struct{ Page struct{ Lang string } }{}); err == nil {
		t.Error("a view without its fields was rendered")
	}
	if b.Len() != 0 {
		t.Errorf("%d bytes of a failed page were written", b.Len())
	}
	if err := s.Render(&b, "list", "fr", nil); err == nil {
		t.Error("a language that the site does not speak was rendered")
	}
}

func TestAssets(t *testing.T) {
	s, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(s.AssetPath("style.css"), "/static/")
	if !regexp.MustCompile(`^style\.[0-9a-f]{12}\.css$`).MatchString(name) {
		t.Errorf("asset name %q", name)
	}
	if a, ok := s.Asset(name); !ok || a.MediaType != "text/css; charset=utf-8" {
		t.Errorf("asset %s: %v %q", name, ok, a.MediaType)
	}
	if _, ok := s.Asset("style.css"); ok {
		t.Error("an asset is served under a name that may not be kept for good")
	}
}

// A JSON object keeps only the last of two equal keys, so a text could vanish
// unseen.
func TestLocalesHaveNoDuplicateKeys(t *testing.T) {
	names, err := fs.Glob(files, "locales/*/*.json")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		data, err := files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		duplicates(t, name, json.NewDecoder(bytes.NewReader(data)))
	}
}

func duplicates(t *testing.T, path string, d *json.Decoder) {
	token, err := d.Token()
	if err != nil {
		t.Fatal(err)
	}
	if token != json.Delim('{') {
		return
	}
	seen := map[any]bool{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		if seen[key] {
			t.Errorf("%s: %v is there twice", path, key)
		}
		seen[key] = true
		duplicates(t, path+"."+key.(string), d)
	}
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
}
