package handlers_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"inspraak/handlers"
	"inspraak/participation"
	"inspraak/participation/catalogue/cataloguetest"
)

const (
	rdfType  = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
	dcatType = "http://www.w3.org/ns/dcat#"
	dct      = "http://purl.org/dc/terms/"
)

func named(name string) func(*participation.Consultation) {
	return func(c *participation.Consultation) { c.Title = name }
}

// found lists what triples say of a thing with a property; "" is any thing.
func found(triples []cataloguetest.Triple, thing, property string) (values []string) {
	for _, x := range triples {
		if (thing == "" || x[0].Value == thing) && x[1].Value == property {
			values = append(values, x[2].Value)
		}
	}
	return values
}

// The catalogue is valid DCAT-AP-NL with and without datasets, says the same in
// all forms, and every file in it is there, of the length, the sum and the type
// that it gives. What is open or withdrawn has no dataset in it.
func TestCatalogue(t *testing.T) {
	const tooi = "https://identifier.overheid.nl/tooi/id/gemeente/gm0000"
	s := newSite(t, func(c *handlers.Config) { c.OrganisationURI = tooi })
	get := func(form string) []cataloguetest.Triple {
		t.Helper()
		w := s.get("/catalogus." + form)
		types := map[string]string{"ttl": "text/turtle", "jsonld": "application/ld+json", "rdf": "application/rdf+xml"}
		if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), types[form]) || w.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Fatalf("%s: %d %v %.300s", form, w.Code, w.Header(), w.Body)
		}
		triples := cataloguetest.Read(t, form, w.Body.Bytes())
		if problems := cataloguetest.Broken(triples); len(problems) > 0 {
			t.Errorf("%s: %s", form, strings.Join(problems, "\n"))
		}
		return triples
	}
	const base = "https://inspraak.example"
	if sets := found(get("ttl"), base+"/catalogus", dcatType+"dataset"); !slices.Equal(sets, []string{base + "/data#consultations"}) {
		t.Errorf("an empty node has the datasets %q", sets)
	}

	hostile := "Komt er \"iets\" <b>moois</b> & 'nieuws'? \\ \u202e@nl"
	closed := s.publish("speeltuin", named(hostile))
	s.vote(closed, "Ja", 6)
	few := s.publish("weinig", batch(9))
	s.vote(few, "Ja", 2)
	gone := s.publish("weg")
	s.vote(gone, "Ja", 2)
	s.publish("open", func(c *participation.Consultation) { c.ClosesAt = s.now().Add(1000 * time.Hour) })
	before := s.get("/catalogus.ttl").Header().Get("ETag")
	for _, c := range []participation.Consultation{closed, few, gone} {
		s.close(c)
	}
	if after := s.get("/catalogus.ttl").Header().Get("ETag"); after != before {
		t.Error("the catalogue changes before there is a dataset")
	}
	s.freeze()
	if w := s.get("/catalogus.ttl"); !strings.Contains(w.Body.String(), "/consultations/weg/dataset") {
		t.Error("a dataset is not in the catalogue")
	}
	s.ok(s.service.Withdraw(t.Context(), gone.ID, "De vraag klopte niet."))

	first := get("ttl")
	for _, form := range []string{"jsonld", "rdf"} {
		if diff := cmp.Diff(first, get(form)); diff != "" {
			t.Errorf("ttl and %s differ:\n%s", form, diff)
		}
	}
	want := []string{base + "/consultations/speeltuin/dataset", base + "/consultations/weinig/dataset", base + "/data#consultations"}
	got := found(first, base+"/catalogus", dcatType+"dataset")
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("datasets %q, want %q", got, want)
	}
	if titles := found(first, want[0], dct+"title"); len(titles) != 2 || !slices.ContainsFunc(titles, func(s string) bool { return strings.HasSuffix(s, hostile) }) {
		t.Errorf("titles %q", titles)
	}
	for property, value := range map[string]string{"publisher": tooi, "creator": tooi, "issued": "2026-03-02T10:00:00Z", "identifier": want[0]} {
		if got := found(first, want[0], dct+property); !slices.Equal(got, []string{value}) {
			t.Errorf("%s is %q, want %q", property, got, value)
		}
	}
	files := 0
	for _, x := range first {
		if x[1].Value != dcatType+"downloadURL" {
			continue
		}
		files++
		thing, address := x[0].Value, strings.TrimPrefix(x[2].Value, base)
		w := s.get(address)
		kind, _, _ := strings.Cut(w.Header().Get("Content-Type"), ";")
		if media := found(first, thing, dcatType+"mediaType"); w.Code != 200 || len(media) != 1 || media[0] != "https://www.iana.org/assignments/media-types/"+kind {
			t.Errorf("%s: %d, %s, said to be %q", address, w.Code, kind, media)
		}
		if path.Ext(address) == ".zip" {
			continue
		}
		sum := sha256.Sum256(w.Body.Bytes())
		if size := found(first, thing, dcatType+"byteSize"); len(size) != 1 || size[0] != fmt.Sprint(w.Body.Len()) {
			t.Errorf("%s has %d bytes, said to have %q", address, w.Body.Len(), size)
		}
		if told := found(first, thing+"-checksum", "http://spdx.org/rdf/terms#checksumValue"); len(told) != 1 || told[0] != hex.EncodeToString(sum[:]) {
			t.Errorf("%s has the sum %x, said to be %q", address, sum, told)
		}
		if path.Ext(address) == ".csv" && s.get(strings.TrimPrefix(found(first, thing, dct+"conformsTo")[0], base)).Code != 200 {
			t.Errorf("%s has no schema", address)
		}
	}
	if empty := base + "/consultations/weinig/dataset/ballots.csv"; files != 9 || slices.Contains(found(first, "", dcatType+"downloadURL"), empty) {
		t.Errorf("%d files, or one without rows", files)
	}
}

// A client gets the form that it likes best, packed if it can unpack it, and
// nothing if it has it.
func TestCatalogueIsNegotiated(t *testing.T) {
	s := newSite(t)
	for accept, want := range map[string]string{
		"": "text/turtle", "*/*": "text/turtle", "application/*": "application/ld+json", "application/rdf+xml": "application/rdf+xml",
		"text/turtle;q=0.2, application/ld+json;q=0.9": "application/ld+json", "application/rdf+xml, text/html;q=0.9, */*;q=0.1": "application/rdf+xml",
		"*/*, text/turtle;q=0, application/ld+json;q=0": "application/rdf+xml", ";;,, text/turtle": "text/turtle",
	} {
		w := s.get("/catalogus", "Accept", accept)
		if kind, _, _ := strings.Cut(w.Header().Get("Content-Type"), ";"); w.Code != 200 || kind != want || !strings.Contains(strings.Join(w.Header().Values("Vary"), ","), "Accept") {
			t.Errorf("%q gets %d %s, want %s", accept, w.Code, kind, want)
		}
	}
	if w := s.get("/catalogus", "Accept", "text/html,application/xhtml+xml,*/*;q=0.8"); w.Code != 303 || w.Header().Get("Location") != "/data" {
		t.Errorf("a browser gets %d %s", w.Code, w.Header().Get("Location"))
	}
	if w := s.get("/catalogus", "Accept", "image/png"); w.Code != 406 {
		t.Errorf("who likes pictures only gets %d", w.Code)
	}
	plain := s.get("/catalogus.ttl")
	packed := s.get("/catalogus.ttl", "Accept-Encoding", "br, gzip")
	r, err := gzip.NewReader(packed.Body)
	s.ok(err)
	unpacked, err := io.ReadAll(r)
	s.ok(err)
	if packed.Header().Get("Content-Encoding") != "gzip" || !bytes.Equal(unpacked, plain.Body.Bytes()) || packed.Header().Get("ETag") == plain.Header().Get("ETag") {
		t.Errorf("packed: %v", packed.Header())
	}
	if w := s.get("/catalogus.ttl", "Accept-Encoding", "gzip;q=0"); w.Header().Get("Content-Encoding") != "" {
		t.Error("packed for who cannot unpack")
	}
	for _, w := range []*httptest.ResponseRecorder{plain, packed} {
		again := s.get("/catalogus.ttl", "If-None-Match", w.Header().Get("ETag"), "Accept-Encoding", w.Header().Get("Content-Encoding"))
		if again.Code != 304 || again.Body.Len() > 0 {
			t.Errorf("%d for a known ETag", again.Code)
		}
	}
}

// The page lists datasets once they are there, and all that it links to of its own
// is there.
func TestOpenDataPage(t *testing.T) {
	s := newSite(t)
	says(t, s.page("/data", 200, "Accept-Language", "nl"), "main", []string{"Er is nog geen dataset.", "data.overheid.nl", "CC0", "inspraak@voorbeeld.example"}, nil)
	c := s.publish("speeltuin")
	s.vote(c, "Ja", 3)
	says(t, s.page("/data", 200), "main", nil, []string{"speeltuin"})
	s.close(c)
	says(t, s.page("/data", 200), "main", nil, []string{"speeltuin"})
	s.freeze()
	d := s.page("/data", 200, "Accept-Language", "en")
	says(t, d, "main", []string{"1 dataset", "Komt er een speeltuin? (2026)", "below 10"}, []string{"no dataset yet"})
	if d.Find(`a[href="/consultations/speeltuin/dataset"]`).Length() != 1 {
		t.Error("the dataset is not linked")
	}
	for i := range d.Find("main a").Nodes {
		address := strings.TrimPrefix(d.Find("main a").Eq(i).AttrOr("href", ""), "https://inspraak.example")
		address, _, _ = strings.Cut(address, "#")
		elsewhere := strings.HasPrefix(address, "https://creativecommons.org/") || strings.HasPrefix(address, "mailto:")
		others := address == "/api" || address == "/api/v1/openapi.json" || address == "/feed.atom"
		if !elsewhere && !others && s.get(address).Code != 200 {
			t.Errorf("the page links to %s, which is not there", address)
		}
	}
	s.ok(s.service.Withdraw(t.Context(), c.ID, "De vraag klopte niet."))
	says(t, s.page("/data", 200), "main", nil, []string{"speeltuin"})
}

// A dataset is cited by what makes it the same one elsewhere, in the language of
// the page.
func TestDatasetIsCited(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin", named("Komt er <iets> & \"meer\"?"))
	s.vote(c, "Ja", 3)
	s.close(c)
	s.freeze()
	sum := sha256.Sum256(s.get("/consultations/speeltuin/dataset/manifest.txt").Body.Bytes())
	for lang, words := range map[string]string{"nl": "stemmen en uitslag. Dataset, versie", "en": "ballots and result. Dataset, version"} {
		want := fmt.Sprintf("Gemeente Voorbeeld (2026). Komt er <iets> & \"meer\"?: %s 1, manifest SHA-256 %x. https://inspraak.example/consultations/speeltuin/dataset", words, sum)
		if got := text(s.page("/consultations/speeltuin/dataset", 200, "Accept-Language", lang), ".cite"); got != want {
			t.Errorf("cited as %q, want %q", got, want)
		}
	}
}

// Exports come of frozen datasets, are listed beside them, and where there is none
// the answer says why.
func TestExportsOfADataset(t *testing.T) {
	s := newSite(t)
	multiple := func(c *participation.Consultation) {
		c.Kind, c.Options = participation.MultipleChoice, []string{"=1+1", "Nee"}
	}
	many := func(c *participation.Consultation) {
		c.Kind, c.Options = participation.MultipleChoice, []string{"A", "B", "C", "D", "E", "F"}
	}
	all := []string{"dds.jsonl", "preflib.cat", "ballots.blt", "polis-comments.csv", "polis-votes.csv", "polis-participants-votes.csv", "polis-summary.csv"}
	for _, c := range []struct {
		slug   string
		change func(*participation.Consultation)
		there  []string
		why    string
	}{
		{"meer", multiple, all, ""},
		{"een", func(*participation.Consultation) {}, all[:3], "één antwoord kiezen"},
		{"veel", many, all[:1], "los van elkaar"},
		{"weinig", batch(9), all[:1], "te weinig stemmen"},
	} {
		con := s.publish(c.slug, c.change)
		for i := range 3 {
			s.cast(con, fmt.Sprint(c.slug, i), con.Options[i%2])
		}
		s.advance(5 * time.Second)
		_, err := s.service.CountDue(t.Context())
		s.ok(err)
		base := "/consultations/" + c.slug + "/exports/"
		says(t, s.page(base+"dds.jsonl", 404, "Accept-Language", "nl"), "h1", []string{"Dit is er nog niet"}, nil)
		s.close(con)
		s.freeze()
		page := s.page("/consultations/"+c.slug+"/dataset", 200, "Accept-Language", "nl")
		var listed []string
		for i := range page.Find(".exports a").Nodes {
			listed = append(listed, page.Find(".exports a").Eq(i).Text())
		}
		if !slices.Equal(listed, c.there) {
			t.Errorf("%s: listed are %q, want %q", c.slug, listed, c.there)
		}
		for _, name := range all {
			w := s.get(base+name, "Accept-Language", "nl")
			if !slices.Contains(c.there, name) {
				if w.Code != 404 || !strings.Contains(w.Body.String(), c.why) || !strings.Contains(text(page, "main"), c.why) {
					t.Errorf("%s/%s: %d, without %q", c.slug, name, w.Code, c.why)
				}
				continue
			}
			again := s.get(base+name, "If-None-Match", w.Header().Get("ETag"))
			if w.Code != 200 || w.Body.Len() == 0 || w.Header().Get("Content-Type") == "" || w.Header().Get("Access-Control-Allow-Origin") != "*" || again.Code != 304 {
				t.Errorf("%s/%s: %d %v, then %d", c.slug, name, w.Code, w.Header(), again.Code)
			}
		}
		for _, name := range []string{"nietes", "ballots.csv", "..%2fdataset%2fballots.csv", strings.Repeat("a", 3000)} {
			if w := s.get(base + name); w.Code != 404 {
				t.Errorf("%s/%.40s: %d", c.slug, name, w.Code)
			}
		}
	}
	if w := s.get("/consultations/meer/exports/polis-comments.csv"); !strings.Contains(w.Body.String(), "\n0,2,0,'=1+1\n") {
		t.Errorf("a formula is still one: %s", w.Body)
	}
}

// Every CSV names the metadata beside it, which name the CSV.
func TestCSVNamesItsMetadata(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin", func(c *participation.Consultation) { c.Kind = participation.MultipleChoice })
	s.vote(c, "Ja", 3)
	s.close(c)
	s.freeze()
	for _, file := range []string{"dataset/ballots.csv", "dataset/servers.csv", "dataset/refused.csv",
		"exports/polis-comments.csv", "exports/polis-votes.csv", "exports/polis-participants-votes.csv", "exports/polis-summary.csv"} {
		w := s.get("/consultations/speeltuin/" + file)
		want := "<" + path.Base(file) + `-metadata.json>; rel="describedby"; type="application/csvm+json"`
		if w.Code != 200 || w.Header().Get("Link") != want {
			t.Errorf("%s: %d, Link: %s", file, w.Code, w.Header().Get("Link"))
		}
		w = s.get("/consultations/speeltuin/" + file + "-metadata.json")
		var m struct{ URL string }
		if err := json.Unmarshal(w.Body.Bytes(), &m); err != nil || m.URL != path.Base(file) || w.Header().Get("Content-Type") != "application/csvm+json" {
			t.Errorf("metadata of %s: %v, %q, %v", file, err, m.URL, w.Header())
		}
	}
}
