package catalogue

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// A graph is a list of things and what is said of each. Names of properties and
// classes are written with a prefix of namespaces(). There are no blank nodes:
// every thing has an address, so that two versions of a catalogue can be compared.
type graph struct {
	things []*thing
	about  map[string]bool // addresses of things, each once
}

// A thing is what its address names. What is said with one property stands
// together.
type thing struct {
	iri     string
	classes []string
	said    []statement
}

type statement struct {
	property string
	value    value
}

// A value is another thing, or a text with a language or a datatype.
type value struct {
	iri            string
	text           string
	lang, datatype string
}

// A namespace is a prefix and what it stands for.
type namespace struct{ prefix, iri string }

func namespaces() []namespace {
	return []namespace{
		{"adms", "http://www.w3.org/ns/adms#"},
		{"dcat", "http://www.w3.org/ns/dcat#"},
		{"dct", "http://purl.org/dc/terms/"},
		{"foaf", "http://xmlns.com/foaf/0.1/"},
		{"rdf", "http://www.w3.org/1999/02/22-rdf-syntax-ns#"},
		{"skos", "http://www.w3.org/2004/02/skos/core#"},
		{"spdx", "http://spdx.org/rdf/terms#"},
		{"vcard", "http://www.w3.org/2006/vcard/ns#"},
		{"xsd", "http://www.w3.org/2001/XMLSchema#"},
	}
}

// whole is a prefixed name in full.
func whole(name string) string {
	prefix, rest, _ := strings.Cut(name, ":")
	for _, n := range namespaces() {
		if n.prefix == prefix {
			return n.iri + rest
		}
	}
	return name
}

// add begins a thing. Of one that is there already, nothing more is said.
func (g *graph) add(iri string, classes ...string) *thing {
	iri = address(iri)
	if g.about == nil {
		g.about = map[string]bool{}
	}
	t := &thing{iri: iri, classes: classes}
	if !g.about[iri] {
		g.about[iri] = true
		g.things = append(g.things, t)
	}
	return t
}

// The methods say something of a thing. What is empty is not said.

func (t *thing) link(property string, iris ...string) {
	for _, iri := range iris {
		if iri != "" {
			t.said = append(t.said, statement{property, value{iri: address(iri)}})
		}
	}
}

func (t *thing) text(property string, words Text) {
	for _, w := range words {
		if w.Text != "" {
			t.said = append(t.said, statement{property, value{text: clean(w.Text), lang: language(w.Language)}})
		}
	}
}

func (t *thing) literal(property, text, datatype string) {
	if text != "" {
		t.said = append(t.said, statement{property, value{text: clean(text), datatype: datatype}})
	}
}

func (t *thing) moment(property string, at time.Time) {
	if !at.IsZero() {
		t.literal(property, at.UTC().Format(time.RFC3339), "xsd:dateTime")
	}
}

// address escapes what may not stand in a URI (RFC 3986), so that none can end
// before its time and every reader takes it for the same.
func address(iri string) string {
	escaped := 0
	for _, c := range []byte(iri) {
		if !uriByte[c] {
			escaped++
		}
	}
	if escaped == 0 {
		return iri
	}
	b := make([]byte, 0, len(iri)+2*escaped)
	for _, c := range []byte(iri) {
		if uriByte[c] {
			b = append(b, c)
		} else {
			b = fmt.Appendf(b, "%%%02X", c)
		}
	}
	return string(b)
}

// uriByte marks what may stand in a URI: unreserved, reserved and the percent sign.
var uriByte = func() (t [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?#[]@!$&'()*+,;=%") {
		t[c] = true
	}
	return t
}()

// clean replaces what XML 1.0 cannot carry (section 2.2, Char), so that all forms
// say the same.
func clean(s string) string {
	plain := true
	for _, c := range []byte(s) {
		plain = plain && c >= ' ' && c < 0x80
	}
	if plain {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t', r == '\n', r == '\r', r >= 0x20 && r <= 0xd7ff, r >= 0xe000 && r <= 0xfffd, r >= 0x10000:
			return r
		}
		return utf8.RuneError
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// language is a tag as Turtle allows it (LANGTAG), in lower case, "" for what is
// none.
func language(tag string) string {
	if tag == "nl" || tag == "en" {
		return tag
	}
	if tag = strings.ToLower(tag); languageTag.MatchString(tag) {
		return tag
	}
	return ""
}

var languageTag = regexp.MustCompile(`^[a-z]{1,8}(-[a-z0-9]{1,8})*$`)
