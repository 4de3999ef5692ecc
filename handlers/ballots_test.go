package handlers_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"inspraak/participation"
)

// ask types a code into the form.
func ask(slug, code string) string {
	return "/consultations/" + slug + "/ballots?code=" + url.QueryEscape(code)
}

// Every published line is found by its code, however the code is typed, also
// where the file has several parts.
func TestBallotsAreFound(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin", multiple)
	s.vote(c, "Ja", 5)
	s.vote(c, "Nee", 7) // none of the first five
	s.cast(c, "Ja0", "Nee")
	if d := s.page("/consultations/speeltuin/ballots", 404, "Accept-Language", "nl"); text(d, "h1") != "Dit is er nog niet" || d.Find("form").Length() != 0 {
		t.Errorf("before closing: %q", text(d, "h1"))
	}
	s.close(c)
	s.freeze()
	var rows [][]string
	for line := range strings.Lines(s.get("/consultations/speeltuin/dataset/ballots.csv").Body.String()) {
		rows = append(rows, strings.Split(strings.TrimSpace(line), ","))
	}
	if len(rows) != 13 {
		t.Fatalf("%d lines", len(rows))
	}
	names := map[string]string{"1": "Ja", "2": "Nee", "1 2": "JaNee"}
	for i, row := range rows[1:] {
		code := row[0]
		typed := []string{code, strings.ToLower(code), strings.ReplaceAll(code, "-", ""), "  " + strings.ReplaceAll(code, "-", " ") + "\n",
			strings.ReplaceAll(code, "-", "–"), strings.ReplaceAll(strings.ToLower(code), "-", "")}[i%6]
		d := s.page(ask("speeltuin", typed), 200, "Accept-Language", "nl")
		says(t, d, "section[aria-labelledby=answer]", []string{"Deze code koos:", strings.Join(row, ",")}, nil)
		if got := text(d, "section[aria-labelledby=answer] ul strong"); strings.ReplaceAll(got, " ", "") != names[row[1]] {
			t.Errorf("%q chose %q, want %q", typed, got, names[row[1]])
		}
		if d.Find("input[name=code]").AttrOr("value", "") != code || d.Find("meta[name=robots][content=noindex]").Length() != 1 {
			t.Errorf("the form has %q", d.Find("input[name=code]").AttrOr("value", ""))
		}
	}
	if got := s.get(ask("speeltuin", rows[1][0])).Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("an answer may be kept: %q", got)
	}
	says(t, s.page(ask("speeltuin", rows[1][0])+"&lang=en", 200), "main", []string{"This code chose:"}, nil)
	if s.page("/consultations/speeltuin/ballots?lang=en", 200).Find(`form input[type=hidden][name=lang][value=en]`).Length() != 1 {
		t.Error("the form forgets the language")
	}
}

// What is no code, or of another question, finds nothing, and is told what to do;
// nothing of it is shown as anything but text.
func TestCodesThatAreNone(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin")
	other := s.publish("ander")
	for _, con := range []participation.Consultation{c, other} {
		s.vote(con, "Ja", 3)
	}
	foreign := s.receipt("Ja0").Codes[0]
	s.close(c)
	s.close(other)
	s.freeze()
	if r := s.receipt("Ja0"); r.Consultation.ID == c.ID {
		foreign = r.Codes[0]
	}
	at := "speeltuin"
	if s.page(ask(at, foreign), 200, "Accept-Language", "nl").Find("section.official").Length() > 0 {
		at = "ander"
	}
	for typed, want := range map[string]string{
		foreign: "Deze code staat niet in de lijst.", "AAAA-AAAA-AAAA-AAAA": "Deze code staat niet in de lijst.", "7777777777777777": "Deze code staat niet in de lijst.",
		"x": "Dit is geen code.", "AAAA-AAAA-AAAA-AAA": "Dit is geen code.", "AAAA-AAAA-AAAA-AAAAA": "Dit is geen code.", "AAAA-AAAA-AAAA-AAA1": "Dit is geen code.",
		"code-opti-onsn-once": "Deze code staat niet in de lijst.", " ": "Dit is geen code.", "\x00": "Dit is geen code.", "\xff\xfe": "Dit is geen code.",
		strings.Repeat("A", 10000): "Dit is geen code.", strings.Repeat("-", 10000): "Dit is geen code.", "\u202eAAAA-AAAA-AAAA-AAAA": "Dit is geen code.",
		`"><script>alert(1)</script>`: "Dit is geen code.", "שלום שלום": "Dit is geen code.", "АААА-АААА-АААА-АААА": "Dit is geen code.", // Cyrillic
		"AAAAAAAAAAAAAAAA' OR '1'='1": "Dit is geen code.", "%": "Dit is geen code.", "ıııııııııııııııı": "Deze code staat niet in de lijst.", // upper case is I
	} {
		w := s.get(ask(at, typed), "Accept-Language", "nl")
		if w.Code != 200 || !strings.Contains(w.Body.String(), want) || strings.Contains(w.Body.String(), "<script") || strings.Contains(w.Body.String(), "\u202e") {
			t.Errorf("%.60q: %d, want %q", typed, w.Code, want)
		}
	}
	says(t, s.page(ask(at, "AAAA-AAAA-AAAA-AAAA"), 200, "Accept-Language", "nl"), "section[aria-labelledby=answer]",
		[]string{"Elke vraag heeft andere codes.", "inspraak@voorbeeld.example"}, nil)
}

// Fewer ballots than a batch have no lines, and the page says so.
func TestWithheldBallots(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin", batch(5))
	s.vote(c, "Ja", 4)
	code := s.receipt("Ja0").Codes[0]
	s.close(c)
	s.freeze()
	for lang, want := range map[string]string{"nl": "Er zijn te weinig stemmen", "en": "There are too few votes"} {
		d := s.page(ask("speeltuin", code), 200, "Accept-Language", lang)
		says(t, d, "main", []string{want}, nil)
		if d.Find("form").Length() != 0 || d.Find(`a[href$="ballots.csv"]`).Length() != 0 || d.Find(`a[href$="dataset.zip"]`).Length() != 1 {
			t.Error("a search or list is offered where there is none")
		}
	}
	says(t, s.page("/consultations/speeltuin/receipt/"+s.receipt("Ja0").Token, 200, "Accept-Language", "nl"), "main",
		[]string{"te weinig stemmen om de losse stembiljetten"}, []string{"Zoek deze code"})
}

// large has a file of ballots of many parts, none of which ends with a line.
type large struct {
	participation.Store
	file  []byte
	reads *int
}

const part = 256 << 10

func (l large) DatasetFiles(ctx context.Context, number int64) ([]participation.DatasetFile, error) {
	files, err := l.Store.DatasetFiles(ctx, number)
	for i := range files {
		if files[i].Name == "ballots.csv" {
			files[i].Size = int64(len(l.file))
		}
	}
	return files, err
}

func (l large) DatasetPart(ctx context.Context, number int64, name string, n int) ([]byte, error) {
	if name != "ballots.csv" {
		return l.Store.DatasetPart(ctx, number, name, n)
	}
	*l.reads++
	if n*part >= len(l.file) {
		return nil, participation.ErrNotFound
	}
	return l.file[n*part : min((n+1)*part, len(l.file))], nil
}

// A million lines are not read to find one, at whatever place of a part it
// stands.
func TestLargeListIsNotReadWhole(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin")
	s.vote(c, "Ja", 3)
	s.close(c)
	s.freeze()
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	code := func(n int) string { // ascending as bytes: digits come before letters
		ordered := letters[26:] + letters[:26]
		text := make([]byte, 16)
		for i := range text {
			text[15-i] = ordered[n>>(5*i)&31]
		}
		return string(text[:4]) + "-" + string(text[4:8]) + "-" + string(text[8:12]) + "-" + string(text[12:])
	}
	for _, lines := range []int{0, 1, 4764, 4765, 4766, 4767, 60000} { // 4,766 end in the second part
		file := []byte("code,options,nonce\n")
		for n := range lines {
			file = fmt.Appendf(file, "%s,%d,%032x\n", code(2*n), n%2+1, n)
		}
		const line = 19 + 1 + 1 + 1 + 32 + 1
		reads := 0
		service := participation.New(large{s.db, file, &reads}, s.keys, s.config.URLs.Site(), func() time.Time { return s.now() })
		for n := range 2 * lines {
			at := (len("code,options,nonce\n") + n/2*line) % part
			if lines > 10 && n%997 != 0 && at > 10*line && at < part-10*line { // some, and all near the ends of parts
				continue
			}
			reads = 0
			b, err := service.FindBallot(t.Context(), c, code(n))
			found := err == nil && len(b.Options) == 1 && b.Options[0] == n/2%2 && strings.HasPrefix(b.Line, code(n)+",")
			if found != (n%2 == 0) || reads > 8 {
				t.Fatalf("line %d of %d: found %v with %d reads: %+v, %v", n, lines, found, reads, b, err)
			}
		}
		if _, err := service.FindBallot(t.Context(), c, "ZZZZ-ZZZZ-ZZZZ-ZZZZ"); err == nil {
			t.Errorf("of %d lines: found what is not there", lines)
		}
	}
}
