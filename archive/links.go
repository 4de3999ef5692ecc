package archive

import (
	"bytes"
	"encoding/json"
	"html"
	"iter"
	"regexp"
	"slices"
	"strings"

	markup "golang.org/x/net/html"
)

// textual tells of which media types links are looked for.
func textual(mediaType string) bool {
	return strings.HasPrefix(mediaType, "text/") || slices.ContainsFunc([]string{"json", "xml", "turtle", "n-triples"}, func(end string) bool {
		return strings.HasSuffix(mediaType, "/"+end) || strings.HasSuffix(mediaType, "+"+end)
	})
}

// links are those that stand in an answer: of a page and a style sheet as a
// browser would follow them, of anything else whole addresses of the site.
func (c *crawler) links(content []byte, mediaType string) iter.Seq[string] {
	return func(yield func(string) bool) {
		switch {
		case mediaType == "text/html":
			doc, err := markup.Parse(bytes.NewReader(content))
			if err != nil {
				return
			}
			for _, l := range linksOf(doc) {
				if !yield(l.attribute.Val) {
					return
				}
			}
		case mediaType == "text/css":
			for _, m := range styleURL.FindAllSubmatch(content, -1) {
				if !yield(string(m[1])) {
					return
				}
			}
		case strings.HasSuffix(mediaType, "json"):
			for text := range stringsOf(content) {
				for link := range c.addresses(text) {
					if !yield(link) {
						return
					}
				}
			}
		default:
			for link := range c.addresses(html.UnescapeString(string(content))) {
				if !yield(link) {
					return
				}
			}
		}
	}
}

var styleURL = regexp.MustCompile(`url\(\s*["']?([^"')\s]+)`)

// stringsOf are the strings of JSON, unescaped.
func stringsOf(content []byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		d := json.NewDecoder(bytes.NewReader(content))
		for {
			token, err := d.Token()
			if err != nil {
				return
			}
			if text, ok := token.(string); ok && !yield(html.UnescapeString(text)) {
				return
			}
		}
	}
}

// addresses are the addresses of the site that stand in a text.
func (c *crawler) addresses(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for rest := text; ; {
			i := strings.Index(rest, c.Base)
			if i < 0 {
				return
			}
			rest = rest[i:]
			end := strings.IndexFunc(rest, func(r rune) bool { return r <= ' ' || strings.ContainsRune("\"'<>\\()[]{}|`", r) })
			if end < 0 {
				end = len(rest)
			}
			link := strings.TrimRight(rest[:end], ".,;:!?*_")
			rest = rest[end:]
			if after := strings.TrimPrefix(link, c.Base); (after == "" || strings.ContainsAny(after[:1], "/?#")) && !yield(link) {
				return
			}
		}
	}
}

// link is an attribute of a page that leads somewhere.
type link struct {
	node      *markup.Node
	attribute *markup.Attribute
}

// linksOf finds them all. Where a form sends to is none: forms are not kept.
func linksOf(doc *markup.Node) (list []link) {
	for n := range doc.Descendants() {
		if n.Type != markup.ElementNode || n.Data == "base" {
			continue
		}
		preview := n.Data == "meta" && slices.ContainsFunc(n.Attr, func(a markup.Attribute) bool {
			return a.Key == "property" && (a.Val == "og:image" || a.Val == "og:url")
		})
		for i := range n.Attr {
			a := &n.Attr[i]
			if a.Key == "href" || a.Key == "src" || a.Key == "poster" || preview && a.Key == "content" {
				list = append(list, link{n, a})
			}
		}
	}
	return list
}
