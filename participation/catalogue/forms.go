package catalogue

import (
	"bytes"
	"encoding/xml"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// A Form is a way to write RDF.
type Form string

// The forms that DCAT-AP-NL knows of.
const (
	Turtle Form = "ttl"    // https://www.w3.org/TR/turtle/
	JSONLD Form = "jsonld" // https://www.w3.org/TR/json-ld11/
	RDFXML Form = "rdf"    // https://www.w3.org/TR/rdf-syntax-grammar/
)

// MediaType is that of a form.
func (f Form) MediaType() string {
	switch f {
	case Turtle:
		return "text/turtle"
	case JSONLD:
		return "application/ld+json"
	default:
		return "application/rdf+xml"
	}
}

func (g *graph) turtle(b *bytes.Buffer) {
	for _, n := range namespaces() {
		b.WriteString("@prefix " + n.prefix + ": <" + n.iri + "> .\n")
	}
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`)
	for _, t := range g.things {
		b.WriteString("\n<")
		b.WriteString(t.iri)
		b.WriteString("> a ")
		b.WriteString(strings.Join(t.classes, ", "))
		for _, s := range t.said {
			b.WriteString(" ;\n  ")
			b.WriteString(s.property)
			if s.value.iri != "" {
				b.WriteString(" <")
				b.WriteString(s.value.iri)
				b.WriteByte('>')
				continue
			}
			b.WriteString(` "`)
			_, _ = escape.WriteString(b, s.value.text) // a buffer takes all
			b.WriteByte('"')
			if s.value.lang != "" {
				b.WriteByte('@')
				b.WriteString(s.value.lang)
			} else if s.value.datatype != "" {
				b.WriteString("^^")
				b.WriteString(s.value.datatype)
			}
		}
		b.WriteString(" .\n")
	}
}

func (g *graph) jsonLD(b *bytes.Buffer) {
	quote := func(s string) {
		// It fails for broken UTF-8 only, which add and clean have mended.
		quoted, _ := jsontext.AppendQuote(b.AvailableBuffer(), s)
		b.Write(quoted)
	}
	member := func(name, value string) {
		quote(name)
		b.WriteByte(':')
		quote(value)
	}
	b.WriteString(`{"@context":{`)
	for i, n := range namespaces() {
		if i > 0 {
			b.WriteByte(',')
		}
		member(n.prefix, n.iri)
	}
	b.WriteString(`},"@graph":[`)
	for i, t := range g.things {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n{")
		member("@id", t.iri)
		b.WriteString(`,"@type":["` + strings.Join(t.classes, `","`) + `"]`)
		for j, s := range t.said {
			if j > 0 && t.said[j-1].property == s.property {
				b.WriteByte(',')
			} else {
				if j > 0 {
					b.WriteByte(']')
				}
				b.WriteString(",\n")
				quote(s.property)
				b.WriteString(`:[`)
			}
			b.WriteByte('{')
			if s.value.iri != "" {
				member("@id", s.value.iri)
			} else {
				member("@value", s.value.text)
			}
			if s.value.lang != "" {
				b.WriteByte(',')
				member("@language", s.value.lang)
			} else if s.value.datatype != "" {
				b.WriteByte(',')
				member("@type", s.value.datatype)
			}
			b.WriteByte('}')
		}
		if len(t.said) > 0 {
			b.WriteByte(']')
		}
		b.WriteByte('}')
	}
	b.WriteString("]}\n")
}

func (g *graph) rdfXML(b *bytes.Buffer) {
	escape := func(s string) { _ = xml.EscapeText(b, []byte(s)) } // a buffer takes all
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n<rdf:RDF")
	for _, n := range namespaces() {
		b.WriteString("\n  xmlns:" + n.prefix + `="` + n.iri + `"`)
	}
	b.WriteString(">\n")
	for _, t := range g.things {
		b.WriteString(`<rdf:Description rdf:about="`)
		escape(t.iri)
		b.WriteString("\">\n")
		for _, c := range t.classes {
			b.WriteString(`  <rdf:type rdf:resource="` + whole(c) + "\"/>\n")
		}
		for _, s := range t.said {
			b.WriteString("  <")
			b.WriteString(s.property)
			if s.value.iri != "" {
				b.WriteString(` rdf:resource="`)
				escape(s.value.iri)
				b.WriteString("\"/>\n")
				continue
			}
			if s.value.lang != "" {
				b.WriteString(` xml:lang="` + s.value.lang + `"`)
			} else if s.value.datatype != "" {
				b.WriteString(` rdf:datatype="` + whole(s.value.datatype) + `"`)
			}
			b.WriteByte('>')
			escape(s.value.text)
			b.WriteString("</")
			b.WriteString(s.property)
			b.WriteString(">\n")
		}
		b.WriteString("</rdf:Description>\n")
	}
	b.WriteString("</rdf:RDF>\n")
}
