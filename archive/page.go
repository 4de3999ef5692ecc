package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html"
	"net/http"
	"slices"
	"strings"

	markup "golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// pointer keeps a page that leads to another, for a web server that knows of no
// redirects. Its link is made right with those of all pages.
func (c *crawler) pointer(a address, to string) error {
	name, err := a.file(page)
	if err != nil {
		return err
	}
	if err := c.claim(a, name); err != nil {
		return err
	}
	to = html.EscapeString(to)
	content := []byte(`<!doctype html><html lang="` + c.language(a) + `"><meta charset="utf-8"><title>` + to + `</title><meta name="robots" content="noindex"><a href="` + to + `">` + to + `</a></html>`)
	if known := c.seen[a]; known.kind == activity {
		known.readable = true
	} else {
		known.name = name
	}
	c.files[name], c.pointers[name] = file{}, true
	return put(c.root, "data/"+name, content)
}

func (c *crawler) language(a address) string {
	if a.lang != "" {
		return a.lang
	}
	return c.Languages[0]
}

// rewrite makes the links of all pages lead to what was copied, and says on each
// page what it is. It comes when all is copied: only then it is known what
// became of each address.
func (c *crawler) rewrite() error {
	for _, name := range slices.Sorted(keys(c.files)) {
		at, isPage := c.owner[name], strings.HasSuffix(name, "/index.html") || name == "index.html"
		if known := c.seen[at]; !isPage || known.kind == raw {
			continue
		}
		if c.files[name].size > maxParsed {
			return fmt.Errorf("%s is a page of %d bytes; its links cannot be made right", name, c.files[name].size)
		}
		content, err := c.root.ReadFile("data/" + name)
		if err != nil {
			return err
		}
		doc, err := markup.Parse(bytes.NewReader(content))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for _, l := range linksOf(doc) {
			c.relink(at, l)
			if c.pointers[name] && l.node.DataAtom == atom.A {
				refresh(l)
			}
		}
		c.still(doc, c.Words[c.language(at)])
		var out bytes.Buffer
		if err := markup.Render(&out, doc); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := put(c.root, "data/"+name, out.Bytes()); err != nil {
			return err
		}
		sum := sha256.Sum256(out.Bytes())
		c.files[name] = file{int64(out.Len()), hex.EncodeToString(sum[:])}
	}
	return nil
}

// refresh leads on by itself to where the link of a pointer leads.
func refresh(l link) {
	meta := &markup.Node{Type: markup.ElementNode, Data: "meta", DataAtom: atom.Meta, Attr: []markup.Attribute{
		{Key: "http-equiv", Val: "refresh"}, {Key: "content", Val: "0; url=" + l.attribute.Val}}}
	l.node.Parent.InsertBefore(meta, l.node)
}

// relink makes a link of a page lead into the copy, or to where the site was, or
// takes it away.
func (c *crawler) relink(at address, l link) {
	to, fragment, inside := c.resolve(at, l.attribute.Val)
	if !inside {
		return
	}
	known := c.seen[to]
	switch {
	case l.node.Data == "meta": // for who reads it elsewhere: the address stays whole
	case known != nil && known.name != "":
		l.attribute.Val = to.link(known, fragment)
	case c.left[to] == "elsewhere":
		whole := c.base.ResolveReference(to.url())
		whole.Fragment = ""
		l.attribute.Val = whole.String()
		if fragment != "" {
			l.attribute.Val += "#" + fragment
		}
	case l.node.Data == "a":
		l.node.Data, l.node.DataAtom, l.node.Attr = "span", atom.Span, nil
	case l.node.Parent != nil:
		l.node.Parent.RemoveChild(l.node)
	}
}

// still takes out of a page what needs the site: forms, of which a sentence
// remains, and scripts, if there were any. On top it says that this is a copy.
func (c *crawler) still(doc *markup.Node, words Words) {
	var forms, scripts []*markup.Node
	var main *markup.Node
	for n := range doc.Descendants() {
		switch {
		case n.Type != markup.ElementNode:
		case n.DataAtom == atom.Form:
			forms = append(forms, n)
		case n.DataAtom == atom.Script:
			scripts = append(scripts, n)
		case n.DataAtom == atom.Main, n.DataAtom == atom.Body && main == nil:
			main = n
		}
	}
	for _, n := range forms {
		if n.Parent != nil {
			n.Parent.InsertBefore(sentence(words.Form), n)
			n.Parent.RemoveChild(n)
		}
	}
	for _, n := range scripts {
		n.Parent.RemoveChild(n)
	}
	if main != nil {
		main.InsertBefore(sentence(words.Copy), main.FirstChild)
	}
}

func sentence(text string) *markup.Node {
	p := &markup.Node{Type: markup.ElementNode, Data: "p", DataAtom: atom.P, Attr: []markup.Attribute{{Key: "class", Val: "panel notice"}}}
	p.AppendChild(&markup.Node{Type: markup.TextNode, Data: text})
	return p
}

// gone lists the addresses that answered 410, with their files.
func (c *crawler) gone() (list []address) {
	for a, known := range c.seen {
		if known.status == http.StatusGone && known.name != "" && a.query == "" {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, func(a, b address) int { return strings.Compare(a.place(), b.place()) })
	return list
}
