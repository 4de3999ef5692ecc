package web

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template/parse"
)

// Words that a template may say in every language: names, and file names.
func wordless() []string {
	return []string{"JSON", "CSV", "Atom", "RSS", "SHA", "Mastodon", "Markdown", "OpenAPI", "DCAT", "CC", "Feed", "iCal", "iCalendar", "verify.py", "inspraak", "verify"}
}

// filled stands where a template writes what it is given.
const filled = "\x00"

var (
	htmlTag  = regexp.MustCompile(`<[^<>]*>`)
	spoken   = regexp.MustCompile(`\s(?:alt|title|placeholder|aria-label|aria-description)="([^"]*)"`)
	word     = regexp.MustCompile(`\pL[\pL.]*\pL`)
	entity   = regexp.MustCompile(`&[a-z]+;`)
	unspoken = regexp.MustCompile(`(?s)<(?:code|svg|style)\b.*?</(?:code|svg|style)>`)
	address  = regexp.MustCompile(`\S*/\S*`)
	doctype  = regexp.MustCompile(`(?i)<!doctype[^>]*>`)
)

// literals are the words that a template says by itself, in no language's texts.
func literals(source string) (words []string) {
	text := doctype.ReplaceAllString(source, "")
	for _, attribute := range spoken.FindAllStringSubmatch(text, -1) {
		words = append(words, word.FindAllString(strings.ReplaceAll(attribute[1], filled, " "), -1)...)
	}
	text = htmlTag.ReplaceAllString(unspoken.ReplaceAllString(text, " "), " ")
	words = append(words, word.FindAllString(address.ReplaceAllString(entity.ReplaceAllString(text, " "), " "), -1)...)
	return slices.DeleteFunc(words, func(w string) bool { return slices.Contains(wordless(), w) })
}

// source is what a template writes whatever it is given, with a mark for what it is
// given.
func source(node parse.Node) string {
	var b strings.Builder
	switch n := node.(type) {
	case *parse.ListNode:
		for _, child := range n.Nodes {
			b.WriteString(source(child))
		}
	case *parse.TextNode:
		return string(n.Text)
	case *parse.IfNode:
		return branches(&n.BranchNode)
	case *parse.RangeNode:
		return branches(&n.BranchNode)
	case *parse.WithNode:
		return branches(&n.BranchNode)
	default:
		return filled
	}
	return b.String()
}

func branches(n *parse.BranchNode) string {
	s := source(n.List)
	if n.ElseList != nil {
		s += source(n.ElseList)
	}
	return s
}

// Every word on a page comes from the texts of a language. A word that stands in a
// template itself would be the same in all.
func TestTemplatesSayNothingThemselves(t *testing.T) {
	s, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, page := range s.pages["nl"].Templates() {
		if page.Tree == nil {
			continue
		}
		text := source(page.Tree.Root)
		seen += strings.Count(text, filled)
		for _, w := range literals(text) {
			t.Errorf("template %s says %q itself; put it into locales/*", page.Name(), w)
		}
	}
	if seen < 500 {
		t.Errorf("only %d places that are filled in", seen)
	}
	for text, want := range map[string]string{
		`<p>Hallo {{.}}</p>`:                          "Hallo",
		`<img alt="Een kaart" src="a.png">`:           "Een kaart",
		`{{if .}}<b>ja en</b>{{else}}nee{{end}}`:      "ja en nee",
		`<p class="lead" id="words">{{.}}, &amp;</p>`: "",
		`<a href="/api">/api/v1/events</a>`:           "",
		`<code>ballots.csv</code> {{.}} JSON`:         "",
	} {
		tree, err := parse.Parse("try", text, "", "")
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(literals(source(tree["try"].Root)), " "); got != want {
			t.Errorf("%s: found %q, want %q", text, got, want)
		}
	}
}
