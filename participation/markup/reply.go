package markup

import (
	"errors"
	"strings"

	"github.com/microcosm-cc/bluemonday"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

const (
	maxForeign = 256 << 10 // bytes of foreign HTML that are looked at
	maxReply   = 20_000    // bytes of the result
)

// Reply turns HTML from strangers into HTML of ours: p, br, em, strong, ul, ol,
// li, blockquote, and a with an http or https href and a fixed rel. Other blocks
// become paragraphs; of other elements the text remains, of images, scripts,
// forms and embedded things nothing.
//
// A link whose text names another host than it leads to shows the real one, in
// ASCII, in brackets behind the text.
//
// The result is well formed, has at most 20,000 bytes (a longer text ends in
// "…"), and is returned unchanged by a second call. What cannot be parsed (nested
// more than 512 deep, for one) or has more than 256 KiB is "".
func Reply(foreign string) (safe string) {
	defer func() {
		if recover() != nil { // a parser of strangers' input must not end the program
			safe = ""
		}
	}()
	nodes, err := parse(foreign)
	if err != nil {
		return ""
	}
	return write(nodes, maxReply)
}

// Shorten cuts what Reply returned to at most so many bytes, ending in "…", and
// tells whether it did. The result is well formed.
func Shorten(safe string, most int) (shorter string, cut bool) {
	if len(safe) <= most {
		return safe, false
	}
	nodes, err := parse(safe)
	if err != nil {
		return "", true
	}
	return write(nodes, most), true
}

// write makes HTML of ours of at most so many bytes.
func write(nodes []*html.Node, most int) string {
	w := &writer{most: most}
	for _, n := range nodes {
		w.node(n, place{})
	}
	if strings.TrimSpace(w.plain.String()) == "" {
		return ""
	}
	// The writer decides what is shown; that it is harmless is not left to it alone.
	policy := bluemonday.NewPolicy()
	policy.AllowElements("p", "br", "em", "strong", "ul", "ol", "li", "blockquote")
	policy.AllowAttrs("href", "rel").OnElements("a")
	policy.AllowURLSchemes("http", "https")
	policy.RequireParseableURLs(true)
	return strings.TrimSpace(policy.Sanitize(w.out.String()))
}

// parse reads HTML as a browser would inside a page's body.
func parse(text string) ([]*html.Node, error) {
	if len(text) > maxForeign {
		return nil, errors.New("too long")
	}
	text = strings.ReplaceAll(strings.ToValidUTF8(text, ""), "\x00", "")
	return html.ParseFragment(strings.NewReader(text), &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body})
}

// kind is what becomes of an element.
type kind uint8

const (
	text kind = iota // its text remains
	dropped
	block // a paragraph
	heading
	list // ul, ol or blockquote
	item
	cell
	emphasis
	strong
	link
	lineBreak
)

func kindOf(n *html.Node) kind {
	if n.Type != html.ElementNode || n.Namespace != "" {
		return dropped // comments, svg, math
	}
	switch n.DataAtom {
	case atom.P, atom.Div, atom.Section, atom.Article, atom.Header, atom.Footer, atom.Main, atom.Aside, atom.Nav,
		atom.Figure, atom.Figcaption, atom.Address, atom.Details, atom.Summary, atom.Tr, atom.Caption,
		atom.Dt, atom.Dd, atom.Pre, atom.Center, atom.Hr:
		return block
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		return heading
	case atom.Ul, atom.Ol, atom.Blockquote:
		return list
	case atom.Li:
		return item
	case atom.Td, atom.Th:
		return cell
	case atom.Em, atom.I:
		return emphasis
	case atom.Strong, atom.B:
		return strong
	case atom.A:
		return link
	case atom.Br:
		return lineBreak
	case atom.Script, atom.Style, atom.Template, atom.Title, atom.Head, atom.Iframe, atom.Noscript, atom.Noembed,
		atom.Noframes, atom.Object, atom.Embed, atom.Applet, atom.Video, atom.Audio, atom.Canvas, atom.Map, atom.Img,
		atom.Image, atom.Picture, atom.Svg, atom.Math, atom.Form, atom.Textarea, atom.Select, atom.Button, atom.Input,
		atom.Xmp, atom.Plaintext, atom.Frameset, atom.Dialog:
		return dropped
	}
	return text
}

// place is where in the result the writer is.
type place struct {
	paragraph, link, emphasis, strong bool // inside one
	list                              bool // directly inside ul or ol
	pre                               bool // line ends are lines
}

// writer writes the allowed elements, each closed, up to most bytes.
type writer struct {
	most  int
	out   strings.Builder
	plain strings.Builder // the text alone
	owed  int             // bytes of the end tags still to come
	full  bool
}

func (w *writer) fits(n int) bool {
	w.full = w.full || w.out.Len()+n+w.owed > w.most
	return !w.full
}

func (w *writer) node(n *html.Node, at place) {
	if w.full {
		return
	}
	if n.Type == html.TextNode {
		w.lines(clean(n.Data), at)
		return
	}
	switch kindOf(n) {
	case dropped:
	case lineBreak:
		w.lineBreak()
	case link:
		w.link(n, at)
	case emphasis:
		inside := at
		inside.emphasis, inside.list = true, false
		w.element("em", n, at.emphasis, inside)
	case strong:
		inside := at
		inside.strong, inside.list = true, false
		w.element("strong", n, at.strong, inside)
	case list:
		inside := at
		inside.list = n.DataAtom != atom.Blockquote
		w.block(n.Data, n, at, inside)
	case item:
		if at.list {
			at.list = false
			w.element("li", n, false, at)
			return
		}
		w.paragraph(n, at)
	case block:
		at.pre = at.pre || n.DataAtom == atom.Pre
		w.paragraph(n, at)
	case heading:
		inside := at
		inside.paragraph, inside.strong, inside.list = true, true, false
		if at.paragraph || at.strong {
			w.block("p", n, at, inside)
		} else if w.open("p") {
			w.element("strong", n, false, inside)
			w.close("p")
		}
	case cell:
		w.children(n, at)
		w.text(" ")
	default:
		w.children(n, at)
	}
}

// paragraph makes n a p, unless it holds blocks that will be paragraphs themselves.
func (w *writer) paragraph(n *html.Node, at place) {
	if n.DataAtom != atom.P {
		for child := range n.ChildNodes() {
			switch kindOf(child) {
			case block, heading, list, item:
				if child.Type == html.ElementNode {
					w.children(n, at)
					return
				}
			}
		}
	}
	inside := at
	inside.paragraph, inside.list = true, false
	w.block("p", n, at, inside)
}

// block writes a block, or inside a paragraph, which can hold none, a new line.
func (w *writer) block(tag string, n *html.Node, at, inside place) {
	if at.paragraph {
		w.lineBreak()
		w.children(n, at)
		return
	}
	w.element(tag, n, false, inside)
}

// element writes n as tag, or only its content where it is in one already.
func (w *writer) element(tag string, n *html.Node, already bool, inside place) {
	if already {
		w.children(n, inside)
		return
	}
	if w.open(tag) {
		w.children(n, inside)
		w.close(tag)
	}
}

func (w *writer) children(n *html.Node, at place) {
	for child := range n.ChildNodes() {
		w.node(child, at)
	}
}

func (w *writer) open(tag string) bool {
	end := len(tag) + len("</>")
	if !w.fits(len(tag) + len("<>") + end) {
		return false
	}
	w.out.WriteString("<" + tag + ">")
	w.owed += end
	return true
}

func (w *writer) close(tag string) {
	w.out.WriteString("</" + tag + ">")
	w.owed -= len(tag) + len("</>")
}

func (w *writer) lineBreak() {
	if w.fits(len("<br>")) {
		w.out.WriteString("<br>")
		w.plain.WriteByte('\n')
	}
}

func (w *writer) lines(s string, at place) {
	if !at.pre {
		w.text(s)
		return
	}
	for i, line := range strings.Split(s, "\n") {
		if i > 0 {
			w.lineBreak()
		}
		w.text(line)
	}
}

// text writes as much of s as fits, and an ellipsis where it does not.
func (w *writer) text(s string) {
	if w.full {
		return
	}
	escaped := html.EscapeString(s)
	if w.fits(len(escaped)) {
		w.out.WriteString(escaped)
		w.plain.WriteString(s)
		return
	}
	room := w.most - w.owed - w.out.Len() - len("…")
	for _, r := range s {
		piece := html.EscapeString(string(r))
		if room -= len(piece); room < 0 {
			break
		}
		w.out.WriteString(piece)
		w.plain.WriteRune(r)
	}
	if w.out.Len()+w.owed+len("…") <= w.most {
		w.out.WriteString("…")
	}
}

// link writes a link that cannot pass for another. One that does not fit is left
// out whole.
func (w *writer) link(n *html.Node, at place) {
	href, host, ok := safeURL(attribute(n, "href"))
	if at.link || !ok {
		w.children(n, at)
		return
	}
	at.link, at.list = true, false
	inner := &writer{most: w.most}
	inner.children(n, at)
	shown := inner.plain.String()
	note := ""
	switch suffix := " [" + host + "]"; {
	case strings.TrimSpace(shown) == "":
		note = host
	case !strings.HasSuffix(shown, suffix) && misleads(shown, host):
		note = suffix
	}
	start := `<a href="` + html.EscapeString(href) + `" rel="nofollow noopener noreferrer ugc">`
	rest := html.EscapeString(note) + "</a>"
	if inner.full || !w.fits(len(start)+inner.out.Len()+len(rest)) {
		w.full = true
		return
	}
	w.out.WriteString(start + inner.out.String() + rest)
	w.plain.WriteString(shown + note)
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name && a.Namespace == "" {
			return a.Val
		}
	}
	return ""
}
