package catalogue_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"inspraak/participation/catalogue"
	"inspraak/participation/catalogue/cataloguetest"
)

// hostile has what could end a string, a tag, an address or a line in any form,
// what XML cannot carry, broken UTF-8 and text from right to left.
const hostile = "A \"b\" 'c' \\ <d> & ]]> {e} \r\n\t\u2028 .\x00\x01\x1b\xff\ufffe \u202eolleh \u0645\u0631\u062d\u0628\u0627 🚲 @nl ^^xsd:int \\u0041 \u0085é"

func both(nl, en string) catalogue.Text { return catalogue.Text{{"nl", nl}, {"en", en}} }

// sample is a catalogue with all that there can be in one.
func sample() catalogue.Catalogue {
	const base = "https://inspraak.example"
	at := time.Date(2026, 3, 2, 11, 0, 0, 0, time.FixedZone("", 3600))
	page := base + "/consultations/plein"
	return catalogue.Catalogue{
		URI: base + "/catalogus", Page: base + "/data", Title: both("Open data", "Open data"),
		Description: both(hostile, "All of it"), Languages: []string{"nl", "en"}, Licence: "https://creativecommons.org/publicdomain/zero/1.0/",
		Publisher: catalogue.Organisation{URI: "https://identifier.overheid.nl/tooi/id/gemeente/gm0000", Name: hostile},
		Contact:   catalogue.Contact{URI: base + "/about#contact", Name: "Voorbeeld", Email: "open \"data\"@voorbeeld.example", Page: base + "/a b>c"},
		Service: catalogue.Service{URI: base + "/api/v1", Page: base + "/api", Endpoint: base + "/api/v1", Description: base + "/api/v1/openapi.json",
			Title: both("Leesinterface", "Read API"), Explanation: both("Wat openbaar is", "What is public"), Keywords: both("burgerparticipatie", "participation")},
		Datasets: []catalogue.Dataset{
			{URI: base + "/data#consultations", Page: base + "/data", Title: both("Raadplegingen", "Consultations"), Description: both("Alles", "All"), Grows: true,
				Distributions: []catalogue.Distribution{{URI: base + "/data#api", Access: base + "/api/v1/consultations", MediaType: "application/json", Service: true}}},
			{URI: page + "/dataset", Page: page, Documentation: page + "/dataset/README.md", Title: catalogue.Text{{"nl\"><x", hostile}}, Description: both(hostile, hostile),
				Keywords: catalogue.Text{{"nl", "wijk"}, {"nl", "plein"}}, Language: "nl-NL", From: at.AddDate(0, -1, 0), Until: at, Issued: at, Version: "1",
				Distributions: []catalogue.Distribution{
					{URI: page + "/dataset.zip#file", Title: both("Alles", "All"), Access: page + "/dataset", Download: page + "/dataset.zip", MediaType: "application/zip"},
					{URI: page + "/dataset/ballots.csv#file", Title: both("Stemmen", "Ballots"), Access: page + "/dataset", Download: page + "/dataset/ballots.csv", MediaType: "text/csv",
						Schema: page + "/dataset/ballots.csv-metadata.json", Size: 1234, SHA256: strings.Repeat("0f", 32)},
				}},
		},
	}
}

var forms = []catalogue.Form{catalogue.Turtle, catalogue.JSONLD, catalogue.RDFXML}

// The three forms say the same to who reads them, and say it as it was meant,
// whatever stands in a title.
func TestFormsSayTheSame(t *testing.T) {
	c := sample()
	first := cataloguetest.Read(t, string(forms[0]), c.Write(forms[0]))
	if len(first) < 100 {
		t.Fatalf("%d triples", len(first))
	}
	for _, f := range forms[1:] {
		if diff := cmp.Diff(first, cataloguetest.Read(t, string(f), c.Write(f))); diff != "" {
			t.Errorf("%s and %s differ:\n%s", forms[0], f, diff)
		}
		if !bytes.Equal(c.Write(f), c.Write(f)) {
			t.Errorf("%s is different each time", f)
		}
	}
	want := strings.NewReplacer("\x00", "\ufffd", "\x01", "\ufffd", "\x1b", "\ufffd", "\xff", "\ufffd", "\ufffe", "\ufffd").Replace(hostile)
	told := 0
	for _, x := range first {
		if x[2].Value == want {
			told++
		}
		if x[0].Kind != "NamedNode" || x[2].Kind == "BlankNode" {
			t.Errorf("a thing without an address: %v", x)
		}
	}
	if told != 5 { // description, name, title of a dataset, its description twice
		t.Errorf("the hostile text is told %d times", told)
	}
}

const (
	dct     = "http://purl.org/dc/terms/"
	dcat    = "http://www.w3.org/ns/dcat#"
	rdfType = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
)

// A catalogue has all that DCAT-AP-NL 3.0 asks for, and every value is of the kind
// that it asks for.
func TestProfile(t *testing.T) {
	c := sample()
	triples := cataloguetest.Read(t, "ttl", c.Write(catalogue.Turtle))
	if problems := cataloguetest.Broken(triples); len(problems) > 0 {
		t.Errorf("%s", strings.Join(problems, "\n"))
	}
	for _, list := range []struct{ property, value string }{
		{dcat + "theme", "http://publications.europa.eu/resource/authority/data-theme/GOVE"},
		{dct + "accessRights", "http://publications.europa.eu/resource/authority/access-right/PUBLIC"},
		{dct + "license", "http://creativecommons.org/publicdomain/zero/1.0/deed.nl"},
		{dct + "publisher", "https://identifier.overheid.nl/tooi/id/gemeente/gm0000"},
		{dct + "language", "http://publications.europa.eu/resource/authority/language/NLD"},
		{dcat + "mediaType", "https://www.iana.org/assignments/media-types/text/csv"},
		{dct + "format", "http://publications.europa.eu/resource/authority/file-type/ZIP"},
	} {
		if !slices.ContainsFunc(triples, func(x cataloguetest.Triple) bool { return x[1].Value == list.property && x[2].Value == list.value }) {
			t.Errorf("nothing has the %s %s", list.property, list.value)
		}
	}
}

// Every mandatory value, taken out or made a text, is missed: the check above can
// fail.
func TestProfileIsChecked(t *testing.T) {
	c := sample()
	triples := cataloguetest.Read(t, "ttl", c.Write(catalogue.Turtle))
	for _, r := range cataloguetest.Rules() {
		if r.Least == 0 {
			continue
		}
		of := map[string]bool{}
		for _, x := range triples {
			if x[1].Value == rdfType && x[2].Value == r.Class {
				of[x[0].Value] = true
			}
		}
		if len(of) == 0 {
			t.Errorf("there is no %s", r.Class)
		}
		without, wrong := []cataloguetest.Triple{}, slices.Clone(triples)
		for i, x := range triples {
			if !of[x[0].Value] || x[1].Value != r.Property {
				without = append(without, x)
				continue
			}
			wrong[i][2] = cataloguetest.Term{Kind: "Literal", Value: "x", Datatype: "http://www.w3.org/2001/XMLSchema#boolean"}
		}
		if len(cataloguetest.Broken(without)) == 0 || len(cataloguetest.Broken(wrong)) == 0 {
			t.Errorf("nobody misses %s of %s", r.Property, r.Class)
		}
	}
}

// Each contact, schema or date that is not known is left out, and a dataset in an
// unknown language has none.
func TestUnknownIsLeftOut(t *testing.T) {
	c := sample()
	c.Contact.Email, c.Datasets[1].Documentation, c.Datasets[1].Language = "", "", "xx"
	c.Datasets[1].From, c.Datasets[1].Distributions[1].SHA256 = time.Time{}, ""
	source := c.Write(catalogue.Turtle)
	if problems := cataloguetest.Broken(cataloguetest.Read(t, "ttl", source)); len(problems) > 0 {
		t.Errorf("%s", strings.Join(problems, "\n"))
	}
	for _, gone := range []string{"mailto:", "README", "PeriodOfTime", "Checksum", "<>", `""`} {
		if bytes.Contains(source, []byte(gone)) {
			t.Errorf("%q is still there", gone)
		}
	}
}

// The three writers agree on texts and addresses made at random of what means
// something in any of the forms.
func TestFormsHoldAnyText(t *testing.T) {
	signs := []rune("\"\"''\\\\<>&;@^_:#{}[]|`%ntu0041 \t\r\n\x00\x7f\u0085\u00a0é\u200f\u202e\u2028\ufeff\ufffe\U0001f6b2\U0010ffff]]>")
	random := rand.New(rand.NewPCG(1, 2))
	c := sample()
	for range 500 {
		var b strings.Builder
		for range 1 + random.IntN(12) {
			b.WriteRune(signs[random.IntN(len(signs))])
		}
		if random.IntN(5) == 0 {
			b.WriteByte(byte(random.IntN(256))) // broken UTF-8
		}
		c.Datasets[1].Keywords = append(c.Datasets[1].Keywords, catalogue.Words{Language: "nl", Text: b.String()})
		c.Datasets[1].Distributions = append(c.Datasets[1].Distributions, catalogue.Distribution{
			URI: "https://inspraak.example/" + b.String(), Access: "https://inspraak.example/?" + b.String(), MediaType: "text/csv"})
	}
	once := func(form catalogue.Form) []cataloguetest.Triple { // a set, as RDF is
		return slices.Compact(cataloguetest.Read(t, string(form), c.Write(form)))
	}
	first := once(forms[0])
	if len(first) < 2000 {
		t.Errorf("%d triples", len(first))
	}
	for _, form := range forms[1:] {
		if diff := cmp.Diff(first, once(form)); diff != "" {
			t.Errorf("%s and %s differ:\n%.3000s", forms[0], form, diff)
		}
	}
}

// Of 500 datasets, as many as a busy municipality has in ten years.
func BenchmarkWrite(b *testing.B) {
	c := sample()
	one := c.Datasets[1]
	number := regexp.MustCompile("plein")
	for i := range 500 {
		d := one
		rename := func(s string) string { return number.ReplaceAllString(s, fmt.Sprint("plein-", i)) }
		d.URI, d.Page, d.Distributions = rename(d.URI), rename(d.Page), nil
		for j := range 6 {
			part := one.Distributions[1]
			part.URI = rename(part.URI) + fmt.Sprint(j)
			d.Distributions = append(d.Distributions, part)
		}
		c.Datasets = append(c.Datasets, d)
	}
	for _, f := range forms {
		b.Run(string(f), func(b *testing.B) {
			for b.Loop() {
				b.SetBytes(int64(len(c.Write(f))))
			}
		})
	}
}
