package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/template"
	"text/template/parse"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// RenderMarkdown writes a page as Markdown for pandoc: "report" is the template
// report.md. What the view says is text and stays text, whatever signs it holds;
// HTML that has been made safe keeps its paragraphs, lists, links and emphasis.
// Nothing is written if the template fails.
func (s *Site) RenderMarkdown(w io.Writer, page, lang string, data any) error {
	set, ok := s.documents[lang]
	if !ok {
		return fmt.Errorf("render %s: no language %q", page, lang)
	}
	var b bytes.Buffer
	if err := set.ExecuteTemplate(&b, page+".md", data); err != nil {
		return fmt.Errorf("render %s: %w", page, err)
	}
	_, err := b.WriteTo(w)
	return err
}

// loadDocuments parses the templates of Markdown. Each value in them is escaped,
// without being asked: nobody can forget it.
func (s *Site) loadDocuments(t *texts) (*template.Template, error) {
	functions := template.FuncMap(s.functions(t))
	functions["t"], functions["tn"] = t.text, t.count // without the marks of HTML around what is in another language
	functions["label"] = func(group string, name any) string { return t.text(group + "." + fmt.Sprint(name)) }
	functions["time"], functions["short"] = t.moment, t.shortMoment
	functions["day"] = func(at time.Time) string {
		return t.text("time.day", "Day", at.Day(), "Month", t.text(fmt.Sprintf("time.month.%d", at.Month())), "Year", at.Year())
	}
	functions["md"], functions["quote"], functions["yaml"], functions["link"] = escaped, quoted, yamlText, linkTo
	functions["code"], functions["fenced"], functions["anchor"] = code, fenced, anchored
	set, err := template.New(t.lang).Funcs(functions).ParseFS(files, "templates/*.md")
	if err != nil {
		return nil, err
	}
	for _, page := range set.Templates() {
		if page.Tree != nil {
			escapeAll(page.Tree.Root)
		}
	}
	return set, nil
}

// escapeAll ends each pipeline that writes with md.
func escapeAll(node parse.Node) {
	branch := func(b *parse.BranchNode) {
		escapeAll(b.List)
		if b.ElseList != nil {
			escapeAll(b.ElseList)
		}
	}
	switch n := node.(type) {
	case *parse.ListNode:
		for _, child := range n.Nodes {
			escapeAll(child)
		}
	case *parse.IfNode:
		branch(&n.BranchNode)
	case *parse.RangeNode:
		branch(&n.BranchNode)
	case *parse.WithNode:
		branch(&n.BranchNode)
	case *parse.ActionNode:
		if len(n.Pipe.Decl) == 0 {
			name := parse.NewIdentifier("md").SetPos(n.Pos)
			n.Pipe.Cmds = append(n.Pipe.Cmds, &parse.CommandNode{NodeType: parse.NodeCommand, Pos: n.Pos, Args: []parse.Node{name}})
		}
	}
}

// markdown is text that is Markdown already.
type markdown string

// escaped writes a value as Markdown: safe HTML as blocks, anything else as text
// of one line.
func escaped(v any) markdown {
	switch v := v.(type) {
	case markdown:
		return v
	case HTML:
		return markdown(strings.Join(blocks(v), "\n\n"))
	}
	var e escaper
	e.text(fmt.Sprint(v))
	return markdown(strings.TrimSpace(e.String()))
}

// quoted writes safe HTML as a block quotation.
func quoted(v HTML) markdown { return markdown(prefixed(strings.Join(blocks(v), "\n\n"), "> ", "> ")) }

// yamlText writes a text as a value of pandoc's metadata, which is Markdown in a
// string of YAML.
func yamlText(v any) (markdown, error) {
	text, err := json.Marshal(string(escaped(v))) // JSON is YAML
	return markdown(text), err
}

// linkTo writes a link; an address that is none of the web, of mail or of this
// document leaves its text.
func linkTo(text any, to string) markdown {
	if !strings.HasPrefix(to, "https://") && !strings.HasPrefix(to, "http://") && !strings.HasPrefix(to, "mailto:") && !strings.HasPrefix(to, "#") {
		return escaped(text)
	}
	return "[" + escaped(text) + "](<" + markdown(destination.Replace(to)) + ">)"
}

// anchored is a text that links can lead to, by an identifier of ours (pandoc,
// bracketed_spans).
func anchored(text any, id string) markdown {
	return "[" + escaped(text) + "]{#" + markdown(id) + "}"
}

// code writes a text of ours to be copied, in a line or in lines of its own. A
// backtick, of which it has none, would end it.
func code(text string) markdown { return markdown("`" + strings.ReplaceAll(text, "`", "’") + "`") }

func fenced(text string) markdown {
	return markdown("```\n" + strings.ReplaceAll(strings.TrimSpace(text), "`", "’") + "\n```")
}

var destination = strings.NewReplacer("<", "%3C", ">", "%3E", " ", "%20", "\n", "", "\r", "", `\`, "%5C", "`", "%60", "&", "&amp;")

// An escaper writes text so that CommonMark and pandoc's Markdown read it as
// text. Either takes any sign of ASCII behind a backslash for itself (CommonMark
// 2.4; pandoc, all_symbols_escapable).
type escaper struct {
	strings.Builder
	begun bool // the line has begun
	first bool // and is in its first word, where signs begin lists, headings, tables and more
	last  rune
}

// always are the signs that mean something in the middle of a line.
const always = "\\`*_[]{}<>#|~^$@&\"'"

func (e *escaper) text(s string) {
	for i, r := range s {
		next, _ := utf8.DecodeRuneInString(s[i+utf8.RuneLen(r):])
		switch {
		case strings.ContainsRune(" \n\t\r", r):
			if !e.begun || e.last == ' ' { // at the beginning of a line blanks are code
				continue
			}
			r, e.first = ' ', false
		case r < utf8.RuneSelf && unicode.IsControl(r):
			continue
		case r < utf8.RuneSelf && (unicode.IsPunct(r) || unicode.IsSymbol(r)) &&
			(e.first || !e.begun || strings.ContainsRune(always, r) || (r == '-' || r == '.') && (r == e.last || r == next)): // dashes, ellipses
			e.WriteByte('\\')
		}
		if !e.begun {
			e.begun, e.first = true, true
		}
		e.WriteRune(r)
		e.last = r
	}
}

// blocks turns safe HTML (see HTML) into blocks of Markdown.
func blocks(safe HTML) []string {
	nodes, err := html.ParseFragment(strings.NewReader(string(safe)), &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body})
	if err != nil {
		return nil
	}
	return blocksOf(nodes)
}

func blocksOf(nodes []*html.Node) (list []string) {
	var line escaper
	end := func() {
		if text := strings.TrimRight(line.String(), " \n"); text != "" {
			list = append(list, text)
		}
		line = escaper{}
	}
	for _, n := range nodes {
		inner := children(n)
		switch {
		case n.Type == html.ElementNode && n.Data == "p":
			end()
			list = append(list, blocksOf(inner)...)
		case n.Type == html.ElementNode && n.Data == "blockquote":
			end()
			list = append(list, prefixed(strings.Join(blocksOf(inner), "\n\n"), "> ", "> "))
		case n.Type == html.ElementNode && (n.Data == "ul" || n.Data == "ol"):
			end()
			list = append(list, items(n, inner))
		default:
			line.inline(n)
		}
	}
	end()
	return list
}

func items(list *html.Node, inner []*html.Node) string {
	var lines []string
	for _, n := range inner {
		if n.Type != html.ElementNode {
			continue
		}
		bullet := "-   "
		if list.Data == "ol" {
			bullet = fmt.Sprintf("%-4s", fmt.Sprintf("%d.", len(lines)+1))
		}
		if text := strings.Join(blocksOf(children(n)), "\n\n"); text != "" {
			lines = append(lines, prefixed(text, bullet, "    "))
		}
	}
	return strings.Join(lines, "\n")
}

// hardBreak ends a line within a paragraph. A backslash could be taken for one of
// the text.
const hardBreak = "  \n"

func (e *escaper) inline(n *html.Node) {
	if n.Type == html.TextNode {
		e.text(n.Data)
		return
	}
	if n.Data == "br" {
		if e.begun {
			e.WriteString(hardBreak)
		}
		e.begun = false
		return
	}
	inner := escaper{begun: e.begun, first: e.first, last: e.last}
	for _, child := range children(n) {
		inner.inline(child)
	}
	text := inner.String()
	switch n.Data {
	case "strong":
		text = between("**", text)
	case "em":
		text = between("*", text)
	case "a":
		for _, a := range n.Attr {
			if a.Key == "href" && strings.TrimSpace(text) != "" && !strings.Contains(text, "\n") {
				text = string(linkTo(markdown(text), a.Val))
			}
		}
	}
	e.WriteString(text)
	e.begun, e.first, e.last = inner.begun, inner.first, inner.last
}

// between puts marks of emphasis around a text, if they would be read as such
// whatever stands around them.
func between(mark, text string) string {
	first, _ := utf8.DecodeRuneInString(text)
	last, _ := utf8.DecodeLastRuneInString(text)
	letter := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	if !letter(first) || !letter(last) || strings.Contains(text, "\n") {
		return text
	}
	return mark + text + mark
}

func children(n *html.Node) (list []*html.Node) {
	for child := range n.ChildNodes() {
		list = append(list, child)
	}
	return list
}

func prefixed(text, first, rest string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		prefix := rest
		if i == 0 {
			prefix = first
		}
		if lines[i] = prefix + line; line == "" {
			lines[i] = strings.TrimRight(prefix, " ")
		}
	}
	return strings.Join(lines, "\n")
}
