// Package cataloguetest reads catalogues as others do, with RDF libraries of npm
// (interop/), and holds them to DCAT-AP-NL 3.0. Only tests use it.
package cataloguetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A Term is a thing (NamedNode, BlankNode) or a text (Literal).
type Term struct{ Kind, Value, Language, Datatype string }

// A Triple is a thing, a property and its value.
type Triple [3]Term

// Read lets a library read RDF: Turtle (ttl), JSON-LD (jsonld) or RDF/XML (rdf).
func Read(t testing.TB, form string, source []byte) []Triple {
	t.Helper()
	interop := "interop"
	for range 5 {
		if _, err := os.Stat(interop); err == nil {
			break
		}
		interop = filepath.Join("..", interop)
	}
	program := filepath.Join(interop, "node_modules/.bin/node")
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("%v\nThe Node modules of interop/ are missing. Run: make tools", err)
	}
	c := exec.CommandContext(t.Context(), program, filepath.Join(interop, "rdf/triples.mjs"), form)
	var stderr bytes.Buffer
	c.Stdin, c.Stderr = bytes.NewReader(source), &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s\n%s", form, err, stderr.Bytes(), source)
	}
	var triples []Triple
	if err := json.Unmarshal(out, &triples); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(triples, func(a, b Triple) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return triples
}

const (
	dct  = "http://purl.org/dc/terms/"
	dcat = "http://www.w3.org/ns/dcat#"
	foaf = "http://xmlns.com/foaf/0.1/"
	a    = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
)

// A Rule of the profile: how often a property is said of a class, and what its
// values are: things of a class ("" for any thing), texts ("text") or of a datatype
// ("xsd:…").
type Rule struct {
	Class, Property string
	Least, most     int // most 0: any number
	value           string
}

// Rules are those of DCAT-AP-NL 3.0 (chapter Klassen), for all that a catalogue of
// ours says: what is mandatory, and of the rest how many and of what kind.
func Rules() []Rule {
	const concept, document, agent, kind = "http://www.w3.org/2004/02/skos/core#Concept", foaf + "Document", foaf + "Agent", "http://www.w3.org/2006/vcard/ns#Kind"
	const rights, licence, tongue, media = dct + "RightsStatement", dct + "LicenseDocument", dct + "LinguisticSystem", dct + "MediaType"
	return []Rule{
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
		{dcat + "DataService", dcat + "keyword", 0, 0, "text"},
		{dcat + "DataService", dct + "language", 0, 0, tongue},
		{dcat + "DataService", dcat + "servesDataset", 0, 0, dcat + "Dataset"},

		{foaf + "Agent", foaf + "name", 1, 0, "text"},
		{foaf + "Agent", dct + "type", 0, 1, concept},
		{dct + "PeriodOfTime", dcat + "startDate", 0, 1, "xsd:dateTime"},
		{dct + "PeriodOfTime", dcat + "endDate", 0, 1, "xsd:dateTime"},
		{"http://spdx.org/rdf/terms#Checksum", "http://spdx.org/rdf/terms#algorithm", 1, 1, "http://spdx.org/rdf/terms#ChecksumAlgorithm"},
		{"http://spdx.org/rdf/terms#Checksum", "http://spdx.org/rdf/terms#checksumValue", 1, 1, "xsd:hexBinary"},
	}
}

// Broken lists the rules that triples break, and what they say that no rule knows.
func Broken(triples []Triple) (problems []string) {
	classes := map[string][]string{}
	said := map[string]map[string][]Term{}
	for _, x := range triples {
		if x[1].Value == a {
			classes[x[0].Value] = append(classes[x[0].Value], x[2].Value)
		}
		if said[x[0].Value] == nil {
			said[x[0].Value] = map[string][]Term{}
		}
		said[x[0].Value][x[1].Value] = append(said[x[0].Value][x[1].Value], x[2])
	}
	known := map[string]bool{}
	for _, r := range Rules() {
		known[r.Class+" "+r.Property] = true
		for thing, of := range classes {
			if !slices.Contains(of, r.Class) {
				continue
			}
			values := said[thing][r.Property]
			if len(values) < r.Least || r.most > 0 && len(values) > r.most {
				problems = append(problems, fmt.Sprintf("%s: %d × %s", thing, len(values), r.Property))
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
					problems = append(problems, fmt.Sprintf("%s: %s is %v, want %s", thing, r.Property, v, r.value))
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
