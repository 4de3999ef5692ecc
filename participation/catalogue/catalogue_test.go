package catalogue_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"inspraak/participation/catalogue"
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
			Title: both("Leesinterface", "Read API"), Explanation: both("Wat openbaar is", "What is public")},
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

type term struct{ Kind, Value, Language, Datatype string }

type triple [3]term

// read lets a library read a form.
func read(t *testing.T, form catalogue.Form, source []byte) []triple {
	t.Helper()
	const interop = "../../interop"
	program := filepath.Join(interop, "node_modules/.bin/node")
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("%v\nThe Node modules of interop/ are missing. Run: make tools", err)
	}
	c := exec.CommandContext(t.Context(), program, filepath.Join(interop, "rdf/triples.mjs"), string(form))
	var stderr bytes.Buffer
	c.Stdin, c.Stderr = bytes.NewReader(source), &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s\n%s", form, err, stderr.Bytes(), source)
	}
	var triples []triple
	if err := json.Unmarshal(out, &triples); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(triples, func(a, b triple) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return triples
}

var forms = []catalogue.Form{catalogue.Turtle, catalogue.JSONLD, catalogue.RDFXML}

// The three forms say the same to who reads them, and say it as it was meant,
// whatever stands in a title.
func TestFormsSayTheSame(t *testing.T) {
	c := sample()
	first := read(t, forms[0], c.Write(forms[0]))
	if len(first) < 100 {
		t.Fatalf("%d triples", len(first))
	}
	for _, f := range forms[1:] {
		if diff := cmp.Diff(first, read(t, f, c.Write(f))); diff != "" {
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
	dct  = "http://purl.org/dc/terms/"
	dcat = "http://www.w3.org/ns/dcat#"
	foaf = "http://xmlns.com/foaf/0.1/"
	a    = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
)

// A rule of the profile: how often a property is said of a class, and what its
// values are: things of a class ("" for any thing), texts ("text") or of a datatype
// ("xsd:…").
type rule struct {
	class, property string
	least, most     int // most 0: any number
	value           string
}

// rules are those of DCAT-AP-NL 3.0 (chapter Klassen), for all that a catalogue of
// ours says: what is mandatory, and of the rest how many and of what kind.
func rules() []rule {
	const concept, document, agent, kind = "http://www.w3.org/2004/02/skos/core#Concept", foaf + "Document", foaf + "Agent", "http://www.w3.org/2006/vcard/ns#Kind"
	const rights, licence, tongue, media = dct + "RightsStatement", dct + "LicenseDocument", dct + "LinguisticSystem", dct + "MediaType"
	return []rule{
		{dcat + "Catalog", dct + "title", 1, 0, "text"},
		{dcat + "Catalog", dct + "description", 1, 0, "text"},
		{dcat + "Catalog", dct + "publisher", 1, 1, agent},
		{dcat + "Catalog", dct + "creator", 0, 1, agent},
		{dcat + "Catalog", dcat + "contactPoint", 1, 1, kind},
		{dcat + "Catalog", dcat + "dataset", 1, 0, dcat + "Dataset"},
		{dcat + "Catalog", dcat + "service", 0, 0, dcat + "DataService"},
		{dcat + "Catalog", dct + "license", 0, 1, licence},
		{dcat + "Catalog", dct + "language", 0, 0, tongue},
		{dcat + "Catalog", dcat + "themeTaxonomy", 0, 0, "http://www.w3.org/2004/02/skos/core#ConceptScheme"},
		{dcat + "Catalog", foaf + "homepage", 0, 1, document},

		{dcat + "Dataset", dct + "title", 1, 0, "text"},
		{dcat + "Dataset", dct + "description", 1, 0, "text"},
		{dcat + "Dataset", dct + "identifier", 1, 1, "text"},
		{dcat + "Dataset", dct + "publisher", 1, 1, agent},
		{dcat + "Dataset", dct + "creator", 1, 0, agent},
		{dcat + "Dataset", dcat + "contactPoint", 1, 1, kind}, // the text says 1..n, the shapes 1
		{dcat + "Dataset", dcat + "theme", 1, 0, concept},
		{dcat + "Dataset", dct + "accessRights", 1, 1, rights},
		{dcat + "Dataset", dcat + "distribution", 0, 0, dcat + "Distribution"},
		{dcat + "Dataset", dcat + "landingPage", 0, 0, document},
		{dcat + "Dataset", foaf + "page", 0, 0, document},
		{dcat + "Dataset", dcat + "keyword", 0, 0, "text"},
		{dcat + "Dataset", dct + "language", 0, 0, tongue},
		{dcat + "Dataset", dct + "issued", 0, 1, "xsd:dateTime"},
		{dcat + "Dataset", dct + "modified", 0, 1, "xsd:dateTime"},
		{dcat + "Dataset", dcat + "version", 0, 1, "text"},
		{dcat + "Dataset", dct + "temporal", 0, 0, dct + "PeriodOfTime"},
		{dcat + "Dataset", dct + "accrualPeriodicity", 0, 1, dct + "Frequency"},

		{dcat + "Distribution", dcat + "accessURL", 1, 1, ""},
		{dcat + "Distribution", dct + "license", 1, 1, licence},
		{dcat + "Distribution", dct + "title", 0, 0, "text"},
		{dcat + "Distribution", dcat + "downloadURL", 0, 1, ""},
		{dcat + "Distribution", dcat + "mediaType", 1, 1, media}, // conditional: wherever there is a download
		{dcat + "Distribution", dct + "format", 0, 1, dct + "MediaTypeOrExtent"},
		{dcat + "Distribution", dct + "language", 0, 0, tongue},
		{dcat + "Distribution", dct + "conformsTo", 0, 0, dct + "Standard"},
		{dcat + "Distribution", dcat + "accessService", 0, 1, dcat + "DataService"},
		{dcat + "Distribution", dcat + "byteSize", 0, 1, "xsd:nonNegativeInteger"},
		{dcat + "Distribution", "http://spdx.org/rdf/terms#checksum", 0, 1, "http://spdx.org/rdf/terms#Checksum"},

		{dcat + "DataService", dct + "title", 1, 0, "text"},
		{dcat + "DataService", dct + "description", 1, 0, "text"},
		{dcat + "DataService", dct + "identifier", 1, 1, "text"},
		{dcat + "DataService", dct + "publisher", 1, 1, agent},
		{dcat + "DataService", dct + "creator", 0, 1, agent},
		{dcat + "DataService", dcat + "contactPoint", 1, 1, kind},
		{dcat + "DataService", dcat + "theme", 1, 0, concept},
		{dcat + "DataService", dct + "license", 1, 1, licence},
		{dcat + "DataService", dct + "accessRights", 1, 1, rights},
		{dcat + "DataService", dcat + "endpointURL", 1, 1, ""},
		{dcat + "DataService", dcat + "endpointDescription", 1, 1, ""},
		{dcat + "DataService", dcat + "landingPage", 0, 0, document},
		{dcat + "DataService", dcat + "servesDataset", 0, 0, dcat + "Dataset"},

		{foaf + "Agent", foaf + "name", 1, 0, "text"},
		{foaf + "Agent", dct + "type", 0, 1, concept},
		{dct + "PeriodOfTime", dcat + "startDate", 0, 1, "xsd:dateTime"},
		{dct + "PeriodOfTime", dcat + "endDate", 0, 1, "xsd:dateTime"},
		{"http://spdx.org/rdf/terms#Checksum", "http://spdx.org/rdf/terms#algorithm", 1, 1, ""},
		{"http://spdx.org/rdf/terms#Checksum", "http://spdx.org/rdf/terms#checksumValue", 1, 1, "xsd:hexBinary"},
	}
}

// broken lists the rules that triples break, and what they say that no rule knows.
func broken(triples []triple) (problems []string) {
	classes := map[string][]string{}
	said := map[string]map[string][]term{}
	for _, x := range triples {
		if x[1].Value == a {
			classes[x[0].Value] = append(classes[x[0].Value], x[2].Value)
		}
		if said[x[0].Value] == nil {
			said[x[0].Value] = map[string][]term{}
		}
		said[x[0].Value][x[1].Value] = append(said[x[0].Value][x[1].Value], x[2])
	}
	known := map[string]bool{}
	for _, r := range rules() {
		known[r.class+" "+r.property] = true
		for thing, of := range classes {
			if !slices.Contains(of, r.class) {
				continue
			}
			values := said[thing][r.property]
			if len(values) < r.least || r.most > 0 && len(values) > r.most {
				problems = append(problems, fmt.Sprintf("%s: %d × %s", thing, len(values), r.property))
			}
			for _, v := range values {
				datatype := strings.Replace(v.Datatype, "http://www.w3.org/2001/XMLSchema#", "xsd:", 1)
				plain := datatype == "xsd:string" || v.Language != ""
				switch {
				case r.value == "text" && v.Kind == "Literal" && plain && v.Value != "":
				case strings.HasPrefix(r.value, "xsd:") && datatype == r.value:
				case r.value == "" && v.Kind == "NamedNode" && strings.Contains(v.Value, ":"):
				case r.value != "" && v.Kind == "NamedNode" && slices.Contains(classes[v.Value], r.value):
				default:
					problems = append(problems, fmt.Sprintf("%s: %s is %v, want %s", thing, r.property, v, r.value))
				}
			}
		}
	}
	for thing, of := range classes {
		for property := range said[thing] {
			ruled := slices.ContainsFunc(of, func(c string) bool { return known[c+" "+property] })
			if strings.HasPrefix(of[0], dcat) && property != a && !ruled {
				problems = append(problems, fmt.Sprintf("%s: no rule knows %s", thing, property))
			}
		}
	}
	slices.Sort(problems)
	return problems
}

// A catalogue has all that DCAT-AP-NL 3.0 asks for, and every value is of the kind
// that it asks for.
func TestProfile(t *testing.T) {
	c := sample()
	triples := read(t, catalogue.Turtle, c.Write(catalogue.Turtle))
	if problems := broken(triples); len(problems) > 0 {
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
		if !slices.ContainsFunc(triples, func(x triple) bool { return x[1].Value == list.property && x[2].Value == list.value }) {
			t.Errorf("nothing has the %s %s", list.property, list.value)
		}
	}
}

// Every mandatory value, taken out or made a text, is missed: the check above can
// fail.
func TestProfileIsChecked(t *testing.T) {
	c := sample()
	triples := read(t, catalogue.Turtle, c.Write(catalogue.Turtle))
	for _, r := range rules() {
		if r.least == 0 {
			continue
		}
		of := map[string]bool{}
		for _, x := range triples {
			if x[1].Value == a && x[2].Value == r.class {
				of[x[0].Value] = true
			}
		}
		if len(of) == 0 {
			t.Errorf("there is no %s", r.class)
		}
		without, wrong := []triple{}, slices.Clone(triples)
		for i, x := range triples {
			if !of[x[0].Value] || x[1].Value != r.property {
				without = append(without, x)
				continue
			}
			wrong[i][2] = term{Kind: "Literal", Value: "x", Datatype: "http://www.w3.org/2001/XMLSchema#boolean"}
		}
		if len(broken(without)) == 0 || len(broken(wrong)) == 0 {
			t.Errorf("nobody misses %s of %s", r.property, r.class)
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
	if problems := broken(read(t, catalogue.Turtle, source)); len(problems) > 0 {
		t.Errorf("%s", strings.Join(problems, "\n"))
	}
	for _, gone := range []string{"mailto:", "README", "PeriodOfTime", "Checksum", "<>", `""`} {
		if bytes.Contains(source, []byte(gone)) {
			t.Errorf("%q is still there", gone)
		}
	}
}

// FuzzForms holds the three writers to each other on texts of strangers.
func FuzzForms(f *testing.F) {
	f.Add(hostile)
	f.Fuzz(func(t *testing.T, text string) {
		c := sample()
		c.Title, c.Contact.Page = both(text, text), "https://inspraak.example/"+text
		told := map[string]string{}
		for _, form := range forms {
			told[fmt.Sprint(read(t, form, c.Write(form)))] = string(form)
		}
		if len(told) != 1 {
			t.Errorf("%q: the forms differ: %q", text, slices.Collect(maps.Values(told)))
		}
	})
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
