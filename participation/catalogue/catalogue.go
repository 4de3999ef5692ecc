// Package catalogue writes the catalogue of a node's open data in the terms of
// DCAT-AP-NL 3.0 (https://docs.geostandaarden.nl/dcat/dcat-ap-nl30/), which
// data.overheid.nl and other portals harvest, in three forms of RDF. It decides
// nothing: what is open, and under which licence, it is told. It knows no
// database, no clock and no HTTP.
package catalogue

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Catalogue is what a node offers. Addresses are http or https. Title, description,
// publisher and contact must be set, and there must be a dataset, or no harvester
// takes it.
type Catalogue struct {
	URI                string // of the catalogue itself
	Page               string // for people
	Title, Description Text
	Languages          []string // BCP 47 tags
	Licence            string   // of all that is offered
	Publisher          Organisation
	Contact            Contact
	Service            Service
	Datasets           []Dataset
}

// Text is one text in one or more languages, in the order in which they are
// written.
type Text []Words

// Words are a text in a language.
type Words struct{ Language, Text string }

// Organisation publishes and made the data. For a municipality its URI is that of
// the TOOI register (https://standaarden.overheid.nl/tooi).
type Organisation struct{ URI, Name string }

// Contact is where questions go. Email or Page must be set.
type Contact struct {
	URI   string
	Name  string
	Email string
	Page  string
}

// Service is the interface for programs.
type Service struct {
	URI                string
	Page               string // its documentation, for people
	Endpoint           string // root of all its addresses
	Description        string // address of its OpenAPI document
	Title, Explanation Text
	Keywords           Text
}

// Dataset is data that belong together.
type Dataset struct {
	URI                string
	Page               string // where people read about it
	Documentation      string // data card; may be empty
	Title, Description Text
	Keywords           Text
	Language           string // of the texts in it; may be empty
	From, Until        time.Time
	Issued             time.Time // zero if it has no one date
	Version            string
	Grows              bool // it changes all the time; else never
	Distributions      []Distribution
}

// Distribution is a file, or where the service has the data.
type Distribution struct {
	URI       string
	Title     Text
	Access    string // page or address that leads to the data
	Download  string // address of the file; empty if there is none
	MediaType string
	Schema    string // address of what describes its columns; may be empty
	Size      int64  // bytes; 0 if not known
	SHA256    string // hexadecimal; empty if not known
	Service   bool   // had from the service
}

// The value lists that the profile prescribes.
const (
	authority  = "http://publications.europa.eu/resource/authority/"
	government = authority + "data-theme/GOVE"
	themes     = authority + "data-theme"
	public     = authority + "access-right/PUBLIC"
	mediaTypes = "https://www.iana.org/assignments/media-types/"
	localBody  = "http://purl.org/adms/publishertype/LocalAuthority"
	sha256     = "http://spdx.org/rdf/terms#checksumAlgorithm_sha256"
)

// licence gives a licence the address that the profile's list has for it
// (https://definities.geostandaarden.nl/dcat-ap-nl/id/waardelijst/licenties).
func licence(uri string) string {
	if uri == "https://creativecommons.org/publicdomain/zero/1.0/" {
		return "http://creativecommons.org/publicdomain/zero/1.0/deed.nl"
	}
	return uri
}

// languageURI is what the EU's list has for a tag, "" for nothing. It goes by codes
// of ISO 639-3.
func languageURI(tag string) string {
	primary, _, _ := strings.Cut(strings.ToLower(tag), "-")
	switch primary {
	case "nl":
		return authority + "language/NLD"
	case "en":
		return authority + "language/ENG"
	case "fy":
		return authority + "language/FRY"
	case "de":
		return authority + "language/DEU"
	case "fr":
		return authority + "language/FRA"
	case "pap":
		return authority + "language/PAP"
	}
	return ""
}

// formatURI is what the EU's list has for a media type, "" for nothing.
func formatURI(mediaType string) string {
	switch mediaType {
	case "text/csv":
		return authority + "file-type/CSV"
	case "application/zip":
		return authority + "file-type/ZIP"
	case "application/json":
		return authority + "file-type/JSON"
	case "text/plain":
		return authority + "file-type/TXT"
	}
	return ""
}

// Write returns a catalogue in a form. The same one gives the same bytes each time.
func (c Catalogue) Write(f Form) []byte {
	var b bytes.Buffer
	g := c.graph()
	switch f {
	case Turtle:
		g.turtle(&b)
	case JSONLD:
		g.jsonLD(&b)
	case RDFXML:
		g.rdfXML(&b)
	}
	return b.Bytes()
}

// graph says it in triples. Comments name the table of the profile.
func (c Catalogue) graph() *graph {
	g := &graph{}
	t := g.add(c.URI, "dcat:Catalog") // Catalog
	t.text("dct:title", c.Title)
	t.text("dct:description", c.Description)
	t.link("dct:publisher", c.Publisher.URI)
	t.link("dct:creator", c.Publisher.URI)
	t.link("dcat:contactPoint", c.Contact.URI)
	t.link("foaf:homepage", c.Page)
	for _, l := range c.Languages {
		t.link("dct:language", languageURI(l))
	}
	t.link("dct:license", licence(c.Licence))
	t.link("dcat:themeTaxonomy", themes)
	t.link("dcat:service", c.Service.URI)
	for _, d := range c.Datasets {
		t.link("dcat:dataset", d.URI)
	}

	g.add(c.Page, "foaf:Document")
	t = g.add(c.Publisher.URI, "foaf:Agent")
	t.literal("foaf:name", c.Publisher.Name, "")
	t.link("dct:type", localBody)
	// vcard:Kind is what the profile asks for, in so many words.
	t = g.add(c.Contact.URI, "vcard:Kind", "vcard:Organization")
	t.literal("vcard:fn", c.Contact.Name, "")
	if c.Contact.Email != "" {
		t.link("vcard:hasEmail", "mailto:"+c.Contact.Email)
	}
	t.link("vcard:hasURL", c.Contact.Page)

	c.service(g)
	for _, d := range c.Datasets {
		c.dataset(g, d)
	}
	c.terms(g)
	return g
}

func (c Catalogue) service(g *graph) {
	s := c.Service
	t := g.add(s.URI, "dcat:DataService") // DataService
	t.text("dct:title", s.Title)
	t.text("dct:description", s.Explanation)
	t.literal("dct:identifier", s.URI, "")
	t.link("dct:publisher", c.Publisher.URI)
	t.link("dct:creator", c.Publisher.URI)
	t.link("dcat:contactPoint", c.Contact.URI)
	t.link("dcat:theme", government)
	t.link("dct:license", licence(c.Licence))
	t.link("dct:accessRights", public)
	t.link("dcat:endpointURL", s.Endpoint)
	t.link("dcat:endpointDescription", s.Description)
	t.link("dcat:landingPage", s.Page)
	t.text("dcat:keyword", s.Keywords)
	for _, l := range c.Languages {
		t.link("dct:language", languageURI(l))
	}
	for _, d := range c.Datasets {
		for _, part := range d.Distributions {
			if part.Service {
				t.link("dcat:servesDataset", d.URI)
			}
		}
	}
	if s.Page != "" {
		g.add(s.Page, "foaf:Document")
	}
}

func (c Catalogue) dataset(g *graph, d Dataset) {
	period := d.URI + "#period"
	t := g.add(d.URI, "dcat:Dataset") // Dataset
	t.text("dct:title", d.Title)
	t.text("dct:description", d.Description)
	t.literal("dct:identifier", d.URI, "")
	t.link("dct:publisher", c.Publisher.URI)
	t.link("dct:creator", c.Publisher.URI)
	t.link("dcat:contactPoint", c.Contact.URI)
	t.link("dcat:theme", government)
	t.link("dct:accessRights", public)
	t.text("dcat:keyword", d.Keywords)
	t.link("dct:language", languageURI(d.Language))
	t.link("dcat:landingPage", d.Page)
	t.link("foaf:page", d.Documentation)
	t.moment("dct:issued", d.Issued)
	t.moment("dct:modified", d.Issued)
	t.literal("dcat:version", d.Version, "")
	t.link("dct:accrualPeriodicity", frequency(d.Grows))
	if !d.From.IsZero() {
		t.link("dct:temporal", period)
	}
	for _, part := range d.Distributions {
		t.link("dcat:distribution", part.URI)
	}
	if !d.From.IsZero() {
		t = g.add(period, "dct:PeriodOfTime")
		t.moment("dcat:startDate", d.From)
		t.moment("dcat:endDate", d.Until)
	}
	for _, document := range []string{d.Page, d.Documentation} {
		if document != "" {
			g.add(document, "foaf:Document")
		}
	}
	for _, part := range d.Distributions {
		c.distribution(g, d, part)
	}
}

func (c Catalogue) distribution(g *graph, d Dataset, part Distribution) {
	t := g.add(part.URI, "dcat:Distribution") // Distribution
	t.text("dct:title", part.Title)
	t.link("dcat:accessURL", part.Access)
	t.link("dcat:downloadURL", part.Download)
	t.link("dct:license", licence(c.Licence))
	t.link("dct:language", languageURI(d.Language))
	if part.MediaType != "" {
		t.link("dcat:mediaType", mediaTypes+part.MediaType)
	}
	t.link("dct:format", formatURI(part.MediaType))
	t.link("dct:conformsTo", part.Schema)
	if part.Service {
		t.link("dcat:accessService", c.Service.URI)
	}
	if part.Size > 0 {
		t.literal("dcat:byteSize", strconv.FormatInt(part.Size, 10), "xsd:nonNegativeInteger")
	}
	if part.SHA256 != "" {
		sum := part.URI + "-checksum"
		t.link("spdx:checksum", sum)
		t = g.add(sum, "spdx:Checksum")
		t.link("spdx:algorithm", sha256)
		t.literal("spdx:checksumValue", part.SHA256, "xsd:hexBinary")
		g.add(sha256, "spdx:ChecksumAlgorithm")
	}
	if part.Schema != "" {
		g.add(part.Schema, "dct:Standard")
	}
}

func frequency(grows bool) string {
	if grows {
		return authority + "frequency/UPDATE_CONT"
	}
	return authority + "frequency/NEVER"
}

// terms says what kind of thing each value of a list is: the profile asks for
// classes, and who validates need not fetch the lists.
func (c Catalogue) terms(g *graph) {
	theme := g.add(government, "skos:Concept")
	theme.text("skos:prefLabel", Text{{"nl", "Overheid en publieke sector"}, {"en", "Government and public sector"}})
	theme.link("skos:inScheme", themes)
	g.add(themes, "skos:ConceptScheme").text("dct:title", Text{{"nl", "Thema’s van datasets"}, {"en", "Dataset themes"}})
	g.add(localBody, "skos:Concept").text("skos:prefLabel", Text{{"nl", "Lokale overheid"}, {"en", "Local authority"}})
	g.add(public, "dct:RightsStatement")
	g.add(licence(c.Licence), "dct:LicenseDocument")
	tags := slices.Clone(c.Languages)
	for _, d := range c.Datasets {
		tags = append(tags, d.Language)
		g.add(frequency(d.Grows), "dct:Frequency")
		for _, part := range d.Distributions {
			if part.MediaType != "" {
				g.add(mediaTypes+part.MediaType, "dct:MediaType")
			}
			if f := formatURI(part.MediaType); f != "" {
				g.add(f, "dct:MediaTypeOrExtent")
			}
		}
	}
	for _, tag := range tags {
		if l := languageURI(tag); l != "" {
			g.add(l, "dct:LinguisticSystem")
		}
	}
}
