// Package markup makes text safe once, on its way in: what a municipality
// writes (Markdown), what strangers send (Reply, Name), and what is left of
// either where only text fits (Plain). Everything it returns as HTML holds a few
// elements without style, script, image or identity, so pages and federated
// documents can carry it as it stands. It stores nothing and fetches nothing.
package markup

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"strings"
	"unicode/utf8"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer"
	goldtext "github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

const maxMarkdown = 64 << 10 // bytes of a source text

// Markdown turns the text of an administrator (CommonMark, and bare URLs as
// links) into the HTML that Mastodon keeps: p, br, a, strong, em, ul, ol, li,
// blockquote and code. Headings become a paragraph in strong, code blocks a
// paragraph of code, images their alternative text; raw HTML is left out. Links
// must be absolute, to http, https or mailto; of others the text remains.
//
// It refuses more than 64 KiB and what is not UTF-8.
func Markdown(src string) (string, error) {
	return Linked(src, func(to string) string { return to })
}

// Linked is Markdown with each link's destination replaced by what lead returns
// for it; where that is "" the link's text remains. It is asked in the order of
// the text, once for each link that is written [text](to), not for bare addresses.
func Linked(src string, lead func(to string) string) (string, error) {
	if len(src) > maxMarkdown {
		return "", fmt.Errorf("render markdown: more than %d bytes; shorten the text", maxMarkdown)
	}
	if !utf8.ValidString(src) {
		return "", errors.New("render markdown: the text is not UTF-8; save it as UTF-8")
	}
	md := goldmark.New(goldmark.WithExtensions(extension.Linkify))
	md.Renderer().AddOptions(renderer.WithNodeRenderers(util.Prioritized(plainBlocks{}, 1)))
	source := []byte(clean(src))
	doc := md.Parser().Parse(goldtext.NewReader(source))
	var out bytes.Buffer
	if err := errors.Join(relink(doc, lead), md.Renderer().Render(&out, source, doc)); err != nil {
		return "", fmt.Errorf("render markdown: %w", err)
	}
	policy := bluemonday.NewPolicy()
	policy.AllowElements("p", "br", "strong", "em", "ul", "ol", "li", "blockquote", "code")
	policy.AllowAttrs("href").OnElements("a")
	policy.AllowURLSchemes("http", "https", "mailto")
	policy.RequireParseableURLs(true)
	return strings.TrimSpace(policy.Sanitize(out.String())), nil
}

func relink(doc ast.Node, lead func(to string) string) error {
	return ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if l, ok := n.(*ast.Link); ok && entering {
			l.Destination = []byte(lead(string(l.Destination)))
		}
		return ast.WalkContinue, nil
	})
}

// plainBlocks renders the kinds of node for which there is no element of their own.
type plainBlocks struct{}

// RegisterFuncs is asked for by goldmark.
func (p plainBlocks) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindHeading, p.heading)
	r.Register(ast.KindCodeBlock, p.code)
	r.Register(ast.KindFencedCodeBlock, p.code)
	r.Register(ast.KindImage, p.nothing) // its children are the alternative text
	r.Register(ast.KindThematicBreak, p.nothing)
}

func (plainBlocks) heading(w util.BufWriter, _ []byte, _ ast.Node, entering bool) (ast.WalkStatus, error) {
	tags := "</strong></p>\n"
	if entering {
		tags = "<p><strong>"
	}
	_, err := w.WriteString(tags)
	return ast.WalkContinue, err
}

func (plainBlocks) code(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	text := strings.TrimRight(string(n.Lines().Value(source)), "\n")
	_, err := w.WriteString("<p><code>" + strings.ReplaceAll(html.EscapeString(text), "\n", "<br>") + "</code></p>\n")
	return ast.WalkSkipChildren, err
}

func (plainBlocks) nothing(util.BufWriter, []byte, ast.Node, bool) (ast.WalkStatus, error) {
	return ast.WalkContinue, nil
}
