package handlers_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"inspraak/handlers"
	"inspraak/participation"
)

// The zip holds the files that stand beside it, byte for byte, and the page
// lists them with the sizes and sums that they have.
func TestDataset(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin")
	s.vote(c, "Ja", 6)
	s.vote(c, "Nee", 4)
	for path, title := range map[string]string{"": "Dit is er nog niet", ".zip": "Dit is er nog niet", "/manifest.txt": "Dit is er nog niet"} {
		d := s.page("/consultations/speeltuin/dataset"+path, 404, "Accept-Language", "nl")
		if text(d, "h1") != title {
			t.Errorf("%q before closing: %q", path, text(d, "h1"))
		}
		says(t, d, "main", []string{"maandag 2 maart 2026 om 11:00 uur"}, nil)
	}
	s.close(c)
	says(t, s.page("/consultations/speeltuin/dataset.zip", 404, "Accept-Language", "en"), "main", []string{"making the dataset"}, nil)
	says(t, s.page("/consultations/speeltuin/result", 200, "Accept-Language", "nl"), "section[aria-labelledby=check]", []string{"De dataset wordt gemaakt."}, []string{"Download"})
	s.freeze()

	w := s.get("/consultations/speeltuin/dataset.zip")
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/zip" || w.Header().Get("Access-Control-Allow-Origin") != "*" ||
		w.Header().Get("Content-Disposition") != `attachment; filename="speeltuin-dataset.zip"` {
		t.Fatalf("zip: %d %v", w.Code, w.Header())
	}
	archive, err := zip.NewReader(bytes.NewReader(w.Body.Bytes()), int64(w.Body.Len()))
	s.ok(err)
	page := s.page("/consultations/speeltuin/dataset", 200, "Accept-Language", "nl")
	if n := page.Find(".files li").Length(); n != 17 || len(archive.File) != n {
		t.Errorf("%d files in the zip, %d on the page, want 17", len(archive.File), n)
	}
	types := map[string]string{}
	for i, f := range archive.File {
		r, err := f.Open()
		s.ok(err)
		inside, err := io.ReadAll(r)
		s.ok(err)
		path := "/consultations/speeltuin/dataset/" + f.Name
		w := s.get(path)
		if w.Code != 200 || !bytes.Equal(w.Body.Bytes(), inside) || w.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %d, and not what the zip has", f.Name, w.Code)
		}
		if w.Header().Get("Content-Length") != fmt.Sprint(len(inside)) {
			t.Errorf("%s: length %s of %d", f.Name, w.Header().Get("Content-Length"), len(inside))
		}
		if again := s.get(path, "If-None-Match", w.Header().Get("ETag")); w.Header().Get("ETag") == "" || again.Code != 304 || again.Body.Len() > 0 {
			t.Errorf("%s: %d for a known ETag %q", f.Name, again.Code, w.Header().Get("ETag"))
		}
		types[f.Name] = w.Header().Get("Content-Type")
		sum := sha256.Sum256(inside)
		listed := page.Find(".files li").Eq(i)
		if listed.Find("a").Text() != f.Name || listed.Find("a").AttrOr("href", "") != path ||
			f.Name != "manifest.txt" && listed.Find("code").Text() != hex.EncodeToString(sum[:]) {
			t.Errorf("%s is listed as %q", f.Name, listed.Text())
		}
	}
	for name, want := range map[string]string{
		"README.md": "text/markdown; charset=utf-8", "log.txt": "text/plain; charset=utf-8", "ballots.csv": "text/csv; charset=utf-8; header=present",
		"result.json": "application/json", "ballots.csv-metadata.json": "application/csvm+json", "verify.py": "text/plain; charset=utf-8",
		"manifest.txt": "text/plain; charset=utf-8",
	} {
		if types[name] != want {
			t.Errorf("%s is %q, want %q", name, types[name], want)
		}
	}
	if again := s.get("/consultations/speeltuin/dataset.zip", "If-None-Match", w.Header().Get("ETag")); again.Code != 304 {
		t.Errorf("zip: %d for a known ETag", again.Code)
	}
	for _, name := range []string{"geheim.txt", "..%2f..%2fkeys%2flog.key", "README.md/", "", "readme.md", strings.Repeat("a", 3000)} {
		if w := s.get("/consultations/speeltuin/dataset/" + name); w.Code != 404 {
			t.Errorf("file %.40q: %d", name, w.Code)
		}
	}
	s.ok(s.service.Withdraw(t.Context(), c.ID, "De vraag klopte niet."))
	for _, path := range []string{"dataset", "dataset.zip", "dataset/ballots.csv", "figures", "ballots", "receipt/x", "receipt/x/proof"} {
		if w := s.get("/consultations/speeltuin/" + path); w.Code != 410 {
			t.Errorf("%s of a withdrawn question: %d", path, w.Code)
		}
	}
}

// Of a draft there is nothing, also not that there is nothing yet.
func TestDraftHasNoDataset(t *testing.T) {
	s := newSite(t)
	s.draft("geheim")
	for _, path := range []string{"dataset", "dataset.zip", "dataset/ballots.csv", "figures", "ballots", "receipt/x", "receipt/x/proof"} {
		draft, unknown := s.get("/consultations/geheim/"+path), s.get("/consultations/nietes/"+path)
		if draft.Code != 404 || strings.ReplaceAll(draft.Body.String(), "geheim", "nietes") != unknown.Body.String() {
			t.Errorf("%s of a draft: %d, and not what an unknown one answers", path, draft.Code)
		}
	}
}

// broken fails in the middle of a file.
type broken struct{ participation.Store }

func (b broken) DatasetPart(ctx context.Context, number int64, name string, part int) ([]byte, error) {
	if name == "ballots.csv" {
		return nil, errors.New("disk gone")
	}
	return b.Store.DatasetPart(ctx, number, name, part)
}

// A dataset that cannot be read to its end is cut off, never ended as if it were
// whole.
func TestHalfADatasetIsNoDataset(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin")
	s.vote(c, "Ja", 3)
	s.close(c)
	s.freeze()
	config := s.config
	config.Service = participation.New(broken{s.db}, s.keys, config.URLs.Site(), s.now)
	server := httptest.NewServer(handlers.New(config))
	defer server.Close()
	w, err := server.Client().Get(server.URL + "/consultations/speeltuin/dataset.zip")
	s.ok(err)
	defer w.Body.Close()
	if _, err := io.Copy(io.Discard, w.Body); err == nil {
		t.Errorf("half of a zip ended well, with %d", w.StatusCode)
	}
	w, err = server.Client().Get(server.URL + "/consultations/speeltuin/dataset/ballots.csv")
	s.ok(err)
	defer w.Body.Close()
	if w.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a file that cannot be read: %d", w.StatusCode)
	}
}

// What a result page says about checking it, in each kind of consultation.
func TestResultPageTellsHowToCheck(t *testing.T) {
	s := newSite(t)
	many := []string{"A", "B", "C", "D", "E", "F"}
	for _, c := range []struct {
		slug     string
		change   func(*participation.Consultation)
		says     []string
		saysNot  []string
		download bool
	}{
		{"gewoon", func(*participation.Consultation) {}, []string{"Iedereen kan de stemmen natellen.", "Niemand kon via deze site voor de sluiting", "Daarin staan alle stembiljetten", "Zoek uw stem"},
			[]string{"te weinig stemmen om de losse", "tussenstand voor iedereen"}, true},
		{"weinig", batch(9), []string{"te weinig stemmen om de losse", "Daarin staan de totalen"}, []string{"Iedereen kan de stemmen natellen.", "Zoek uw stem"}, true},
		{"bekend", live, []string{"Bij deze vraag was de tussenstand voor iedereen te zien."}, []string{"Niemand kon via deze site"}, true},
		{"veel", func(c *participation.Consultation) { c.Kind, c.Options = participation.MultipleChoice, many }, []string{"maar de opkomst niet"}, []string{"Iedereen kan de stemmen natellen."}, true},
	} {
		con := s.publish(c.slug, c.change)
		open := s.page("/consultations/"+c.slug, 200, "Accept-Language", "nl")
		says(t, open, "main", []string{"De stemmen staan verzegeld in een logboek.", "Vraag uw code", "privébericht aan @gemeente@inspraak.example met alleen het woord: code"},
			[]string{"Zo controleert u deze uitslag zelf", "Wat wij niet beloven"})
		if open.Find(`main a[href="/logs#`+con.ID+`"]`).Length() == 0 {
			t.Error("no link to the log")
		}
		s.vote(con, con.Options[0], 3)
		s.close(con)
		s.freeze()
		d := s.page("/consultations/"+c.slug+"/result", 200, "Accept-Language", "nl")
		says(t, d, "main", append(c.says, "Zo controleert u deze uitslag zelf", "Wat wij niet beloven", "Vraag uw code"), c.saysNot)
		if got := d.Find(`a[href="/consultations/`+c.slug+`/dataset.zip"]`).Length() == 1; got != c.download {
			t.Errorf("%s: a download is offered: %v", c.slug, got)
		}
		head, err := s.service.Log(t.Context(), con.Number)
		s.ok(err)
		if got := d.Find("section[aria-labelledby=check] pre").Text(); got != head.Checkpoint {
			t.Errorf("%s: checkpoint %q", c.slug, got)
		}
	}
	says(t, s.page("/consultations/gewoon/result", 200, "Accept-Language", "en"), "main", []string{"How to check this result yourself", "What we do not promise"}, nil)
	s.publish("straks", func(c *participation.Consultation) { c.OpensAt, c.ClosesAt = s.now().Add(3600e9), s.now().Add(7200e9) })
	for _, path := range []string{"", "/result"} {
		says(t, s.page("/consultations/straks"+path, 200, "Accept-Language", "nl"), "main", nil, []string{"Vraag uw code", "logboek"})
	}
}

// labelled has figures with a label beside every count.
type labelled struct {
	participation.Store
	figures string
}

func (l labelled) DatasetPart(ctx context.Context, number int64, name string, part int) ([]byte, error) {
	if name == "integrity.json" {
		return []byte(l.figures), nil
	}
	return l.Store.DatasetPart(ctx, number, name, part)
}

// The label stands beside the result if there is one that the site knows.
func TestLabel(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin")
	s.vote(c, "Ja", 3)
	s.close(c)
	s.freeze()
	for figures, want := range map[string]string{
		`{"version":1,"label":"robust","more":[1]}`: "Stevig", `{"version":1,"label":"fragile"}`: "Kwetsbaar",
		`{"version":1,"label":"not-conclusive"}`: "Geeft geen duidelijk antwoord",
		`{"version":1}`:                          "", `{"version":2,"label":"robust"}`: "", `{"version":1,"label":"title"}`: "", `{"version":1,"label":7}`: "", `?`: "", ``: "",
	} {
		config := s.config
		config.Service = participation.New(labelled{s.db, figures}, s.keys, config.URLs.Site(), s.now)
		w := httptest.NewRecorder()
		handlers.New(config).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/consultations/speeltuin/result?lang=nl", nil))
		d, err := goquery.NewDocumentFromReader(w.Body)
		s.ok(err)
		if got := text(d, "section[aria-labelledby=label] .badge"); w.Code != 200 || got != want {
			t.Errorf("%s: %d, label %q, want %q", figures, w.Code, got, want)
		}
		w = httptest.NewRecorder()
		handlers.New(config).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/consultations/speeltuin/figures", nil))
		if status := map[bool]int{true: 404, false: 200}[want == ""]; w.Code != status {
			t.Errorf("%s: the page of the figures is %d, want %d", figures, w.Code, status)
		}
	}
}
