// Package web is what a browser receives: templates, style sheet, icons and
// texts in Dutch, English and as far as it goes Frisian, all embedded. It knows HTML and languages and
// nothing of consultations, requests or the network; it imports no other
// package of this module.
package web

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"path"
	"slices"
	"strings"
	document "text/template"
	"text/template/parse"

	"golang.org/x/text/language"
)

//go:embed templates static locales
var files embed.FS

// HTML is text that has been made safe and is written as it is.
type HTML = template.HTML

// Site renders pages. It never changes after Load and is safe for concurrent
// use.
type Site struct {
	languages []string // the first one is the fallback
	complete  int      // so many of them have every text
	matcher   language.Matcher
	texts     map[string]*texts
	pages     map[string]*template.Template // by language: one set holds all pages
	documents map[string]*document.Template // the same of what is written as Markdown
	assets    map[string]Asset              // by hashed name
	hashed    map[string]string             // plain name to hashed name
	logo      shownLogo
	logoFile  string
}

// An Option changes how the site looks.
type Option func(*Site) error

// Load parses everything that is embedded. It fails if a template does not
// parse, or if a text that a template names is missing in a complete language, or
// if the complete languages do not have the same texts, or if an option is refused:
// what starts is complete. A language that is only started may lack texts, and then
// shows the Dutch ones, but has none that is unknown.
func Load(options ...Option) (*Site, error) {
	s := &Site{languages: []string{"nl", "en", "fy"}, complete: 2, texts: map[string]*texts{}, pages: map[string]*template.Template{},
		documents: map[string]*document.Template{}, logo: shownLogo{Width: logoHeight, Height: logoHeight}, logoFile: "icon.svg"}
	var tags []language.Tag
	for _, l := range s.languages {
		tags = append(tags, language.MustParse(l))
	}
	s.matcher = language.NewMatcher(tags)
	if err := s.loadAssets(); err != nil {
		return nil, fmt.Errorf("load static files: %w", err)
	}
	for _, option := range options {
		if err := option(s); err != nil {
			return nil, err
		}
	}
	s.logo.URL = s.AssetPath(s.logoFile)
	var problems []error
	for i, l := range s.languages {
		t, err := loadTexts(l)
		if err != nil {
			return nil, fmt.Errorf("load texts: %w", err)
		}
		s.texts[l] = t
		if i >= s.complete {
			t.fallback = s.texts[s.languages[0]]
		}
		set, err := template.New(l).Funcs(s.functions(t)).ParseFS(files, "templates/*.html")
		if err != nil {
			return nil, fmt.Errorf("load templates: %w", err)
		}
		s.pages[l] = set
		if s.documents[l], err = s.loadDocuments(t); err != nil {
			return nil, fmt.Errorf("load templates: %w", err)
		}
		if t.fallback == nil {
			problems = append(problems, t.missing(s.texts[s.languages[0]])...)
		}
		problems = append(problems, s.texts[s.languages[0]].missing(t)...) // or: t has one that is unknown
		for _, page := range set.Templates() {
			if page.Tree != nil {
				problems = append(problems, checkKeys(t, page.Name(), page.Tree.Root)...)
			}
		}
		for _, page := range s.documents[l].Templates() {
			if page.Tree != nil {
				problems = append(problems, checkKeys(t, page.Name(), page.Tree.Root)...)
			}
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("load texts: %w", err)
	}
	return s, nil
}

// Render writes a page in a language: "consultation" is the template of that
// name. Nothing is written if the template fails.
func (s *Site) Render(w io.Writer, page, lang string, data any) error {
	set, ok := s.pages[lang]
	if !ok {
		return fmt.Errorf("render %s: no language %q", page, lang)
	}
	var b bytes.Buffer
	if err := set.ExecuteTemplate(&b, page+".html", data); err != nil {
		return fmt.Errorf("render %s: %w", page, err)
	}
	_, err := b.WriteTo(w)
	return err
}

// Languages lists what the site speaks, wholly or in part; the first is the fallback.
func (s *Site) Languages() []string { return slices.Clone(s.languages) }

// Complete lists the languages in which the site has every text.
func (s *Site) Complete() []string { return slices.Clone(s.languages[:s.complete]) }

// Match chooses a language: the one asked for by name if the site speaks it,
// else the best for an Accept-Language header (RFC 9110 §12.5.4).
func (s *Site) Match(asked, acceptLanguage string) string {
	if slices.Contains(s.languages, asked) {
		return asked
	}
	if len(acceptLanguage) > 200 { // parsing costs more than linear time
		acceptLanguage = ""
	}
	tags, _, err := language.ParseAcceptLanguage(acceptLanguage)
	if err != nil {
		return s.languages[0]
	}
	_, i, confidence := s.matcher.Match(tags...)
	if confidence == language.No {
		i = 0
	}
	return s.languages[i]
}

// Text is one text in a language; args are pairs of a name and a value. An
// unknown key or language comes back as the key.
func (s *Site) Text(lang, key string, args ...any) string {
	t, ok := s.texts[lang]
	if !ok {
		return key
	}
	return t.text(key, args...)
}

// Count is Text for a key with singular and plural, filled in with .N.
func (s *Site) Count(lang, key string, n int, args ...any) string {
	t, ok := s.texts[lang]
	if !ok {
		return key
	}
	return t.count(key, n, args...)
}

// Has tells whether there is a text of that key.
func (s *Site) Has(key string) bool { return s.texts[s.languages[0]].has(key) }

func (s *Site) functions(t *texts) template.FuncMap {
	return template.FuncMap{
		"t":  func(key string, args ...any) any { return t.marked(key, t.text(key, args...)) },
		"tn": func(key string, n int, args ...any) any { return t.marked(key, t.count(key, n, args...)) },
		"label": func(group string, name any) any {
			key := group + "." + fmt.Sprint(name)
			return t.marked(key, t.text(key))
		},
		"started":  func() bool { return t.fallback != nil },
		"number":   t.number,
		"percent":  t.percent,
		"time":     t.timeElement,
		"short":    t.shortTimeElement,
		"zone":     t.zone,
		"day":      t.dayElement,
		"month":    t.month,
		"asset":    func(name string) string { return "/static/" + s.hashed[name] },
		"logo":     func() shownLogo { return s.logo },
		"language": t.languageName,
	}
}

// checkKeys walks a template and reports every constant key that has no text,
// and every group of labels that is empty.
func checkKeys(t *texts, page string, node parse.Node) (problems []error) {
	visit := func(nodes ...parse.Node) {
		for _, n := range nodes {
			problems = append(problems, checkKeys(t, page, n)...)
		}
	}
	branch := func(b *parse.BranchNode) {
		visit(b.Pipe, b.List)
		if b.ElseList != nil {
			visit(b.ElseList)
		}
	}
	switch n := node.(type) {
	case *parse.ListNode:
		visit(n.Nodes...)
	case *parse.ActionNode:
		visit(n.Pipe)
	case *parse.IfNode:
		branch(&n.BranchNode)
	case *parse.RangeNode:
		branch(&n.BranchNode)
	case *parse.WithNode:
		branch(&n.BranchNode)
	case *parse.TemplateNode:
		if n.Pipe != nil {
			visit(n.Pipe)
		}
	case *parse.PipeNode:
		for _, c := range n.Cmds {
			visit(c)
		}
	case *parse.CommandNode:
		visit(n.Args...)
		if len(n.Args) < 2 {
			return problems
		}
		function, isFunction := n.Args[0].(*parse.IdentifierNode)
		key, isConstant := n.Args[1].(*parse.StringNode)
		if !isFunction || !isConstant {
			return problems
		}
		switch {
		case (function.Ident == "t" || function.Ident == "tn") && !t.has(key.Text),
			function.Ident == "label" && !t.hasGroup(key.Text):
			problems = append(problems, fmt.Errorf("template %s: no text %q in %s", page, key.Text, t.lang))
		case function.Ident == "asset" && !slices.Contains(staticNames(), key.Text):
			problems = append(problems, fmt.Errorf("template %s: no static file %q", page, key.Text))
		}
	}
	return problems
}

func staticNames() (names []string) {
	entries, err := files.ReadDir("static")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		names = append(names, path.Base(e.Name()))
	}
	return names
}

// pageNames lists the templates that are pages: those not named after a part.
func (s *Site) pageNames() (names []string) {
	for _, t := range s.pages[s.languages[0]].Templates() {
		if name, ok := strings.CutSuffix(t.Name(), ".html"); ok && !strings.HasPrefix(name, "part_") {
			names = append(names, name)
		}
	}
	return names
}
