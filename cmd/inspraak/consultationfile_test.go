package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"inspraak/participation"
)

func amsterdam(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Amsterdam")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func TestLocalTime(t *testing.T) {
	for in, want := range map[string]string{
		"2026-12-24 17:00":          "2026-12-24T16:00:00Z",
		"2026-07-01 17:00":          "2026-07-01T15:00:00Z",
		"2026-12-24T17:00:00+01:00": "2026-12-24T16:00:00Z",
		"2026-12-24T17:00:00Z":      "2026-12-24T17:00:00Z",
		"2026-10-25T02:30:00+02:00": "2026-10-25T00:30:00Z",
		"2026-03-29 02:30":          "does not exist",
		"2026-10-25 02:30":          "comes twice",
		"2026-10-25 02:00":          "comes twice",
		"2026-10-25 03:00":          "2026-10-25T02:00:00Z",
		"2026-10-25 01:59":          "2026-10-24T23:59:00Z",
		"24-12-2026 17:00":          "is no time",
		"2026-12-24":                "is no time",
		"2026-02-30 12:00":          "is no time",
		"":                          "is no time",
	} {
		got, err := localTime(in, amsterdam(t))
		if err != nil {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v, want %s", in, err, want)
			}
			continue
		}
		if got.Format(time.RFC3339) != want {
			t.Errorf("%q is %s, want %s", in, got.Format(time.RFC3339), want)
		}
	}
}

func TestNormalHost(t *testing.T) {
	for in, want := range map[string]string{
		"Mastodon.Social":  "mastodon.social",
		"münster.example.": "xn--mnster-3ya.example",
		" a.example ":      "a.example",
		"localhost:8080":   "localhost:8080",
		"a/b":              "",
		"example":          "",
		"":                 "",
		"a b.example":      "",
	} {
		got, err := normalHost(in)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
	}
}

const goodFile = `---
title: Welke naam?
slug: naam
kind: single-choice
options: [Ja, 1672, true, "Nee: nooit"]
closes: 2026-12-24 17:00
level: consult
promise: x
decided_by: x
decided_when: x
not_open: x
notice: x
---
Tekst met een streep:

---

en een staart.
`

func read(t *testing.T, text string) (checkedFile, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "naam.md")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := Config{Language: "nl", Timezone: "Europe/Amsterdam", Zone: amsterdam(t),
		Defaults: Defaults{Grace: time.Minute, BatchSize: 7, Interval: 2 * time.Minute}}
	return readConsultation(path, cfg, []string{"gemeente"}, time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC))
}

// What an author leaves out comes from the node's configuration, and options
// that YAML would take for numbers or truths stay texts.
func TestReadConsultation(t *testing.T) {
	for _, text := range []string{goodFile, strings.ReplaceAll(goodFile, "\n", "\r\n"), "\ufeff" + goodFile} {
		c, err := read(t, text)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Join(c.Options, "|") != "Ja|1672|true|Nee: nooit" || c.Language != "nl" || c.Channel != "gemeente" ||
			c.Results != participation.AtClose || c.Zone != "Europe/Amsterdam" ||
			c.ClosesAt != time.Date(2026, 12, 24, 16, 0, 0, 0, time.UTC) || c.OpensAt != time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) ||
			c.Terms.Grace != time.Minute || c.Terms.BatchSize != 7 || c.Terms.Interval != 2*time.Minute ||
			c.Terms.RuleVersion != participation.RuleVersion || !strings.HasSuffix(c.Body, "en een staart.") || c.HTML == "" {
			t.Errorf("read as %+v", c.Consultation)
		}
	}
}

func TestReadConsultationProblems(t *testing.T) {
	for from, to := range map[string]string{
		"kind: single-choice":            "kind: single-choice\nkind: open-question",
		"closes: 2026-12-24 17:00":       "closes: 2026-10-24 17:00",
		"closes: 2026-12-24":             "grace: 2h\ncloses: 2026-12-24",
		"notice: x":                      "notice:",
		"level: consult":                 "level: consult\nauditor_key: age1x",
		"slug: naam":                     "slug: naam\nopens: 2026-11-01 10:00",
		"slug: naam\n":                   "slug: naam\nimage: {file: naam.md, alt: x}\n",
		"options: [Ja, 1672, true":       "options: [Ja, {a: b}",
		"decided_by: x":                  "decided_by: x\nallowed_servers: [http://a.example]",
		"not_open: x":                    "not_open: x\ntags: [\"12\"]",
		"title: Welke naam?\nslug: naam": "title: Welke naam?\nslug: naam\nresults: secret",
	} {
		if !strings.Contains(goodFile, from) {
			t.Fatalf("%q is not in the file", from)
		}
		_, err := read(t, strings.Replace(goodFile, from, to, 1))
		if err == nil || !strings.Contains(err.Error(), "\n  line ") {
			t.Errorf("%q: %v, want a problem with its line", to, err)
		}
	}
}
