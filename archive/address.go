package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
)

// address is one of the site's, in one spelling: a language that is that of
// addresses without one is left out, and parameters are sorted.
type address struct {
	path  string // decoded, from the first slash
	lang  string
	query string // without lang, encoded
}

// resolve reads a link that stands at an address. inside is false for links to
// other sites, and for what is no link of the web.
func (c *crawler) resolve(at address, link string) (a address, fragment string, inside bool) {
	u, err := url.Parse(strings.TrimSpace(link))
	if err != nil {
		return a, "", false
	}
	u = c.base.ResolveReference(&url.URL{Path: at.path}).ResolveReference(u)
	if u.Scheme != "http" && u.Scheme != "https" || !strings.EqualFold(u.Host, c.base.Host) || u.User != nil {
		return a, "", false
	}
	if link == "" || strings.HasPrefix(link, "#") { // in the page itself
		a, u.RawQuery = at, ""
	} else {
		a = c.canonical(u)
	}
	return a, u.EscapedFragment(), true
}

func (c *crawler) canonical(u *url.URL) address {
	query := u.Query()
	a := address{path: u.Path, lang: query.Get("lang")}
	if a.path == "" {
		a.path = "/"
	}
	query.Del("lang")
	if a.lang == c.Languages[0] || !slices.Contains(c.Languages, a.lang) {
		a.lang = ""
	}
	a.query = query.Encode()
	return a
}

// url is an address as the site is asked for it.
func (a address) url() *url.URL {
	query, _ := url.ParseQuery(a.query) // our own encoding
	if a.lang != "" {
		query.Set("lang", a.lang)
	}
	return &url.URL{Path: a.path, RawQuery: query.Encode()}
}

func (a address) String() string { return a.url().String() }

var plainValue = regexp.MustCompile(`^[A-Za-z0-9-]{1,40}$`)

// place is where an address goes: the same path, in a folder of its language, and
// with parameters as folders below _q. It has no slash at its end.
func (a address) place() string {
	place := strings.TrimSuffix(a.path, "/")
	if a.query != "" {
		values, _ := url.ParseQuery(a.query)
		place = "/_q" + place
		for _, name := range slices.Sorted(keys(values)) {
			part := name + "-" + strings.Join(values[name], "-")
			if !plainValue.MatchString(part) {
				sum := sha256.Sum256([]byte(part))
				part = hex.EncodeToString(sum[:8])
			}
			place += "/" + part
		}
		if ext := path.Ext(a.path); extension.MatchString(ext) {
			place += ext
		}
	}
	if a.lang != "" {
		place = "/" + a.lang + place
	}
	return place
}

// extension is the end of a file's name, as web servers know media types by it.
var extension = regexp.MustCompile(`^\.[a-z0-9]{1,8}$`)

// The kinds of answer, which decide how a file is called.
type kind int

const (
	raw      kind = iota // as its address is
	page                 // index.html
	document             // index.json: JSON whose address has no extension
	activity             // index.json, which those get who ask for ActivityStreams; as a rule index.html too
)

// file is the name of an answer's file, below data; link is what leads there in a
// page, from the site's root.
func (a address) file(k kind) (name string, err error) {
	place := strings.TrimPrefix(a.place(), "/")
	switch k {
	case page:
		place = path.Join(place, "index.html")
	case document, activity:
		place = path.Join(place, "index.json")
	}
	for part := range strings.SplitSeq(place, "/") {
		if part == "" || part == "." || part == ".." || len(part) > 200 || strings.ContainsAny(part, "\\\x00\r\n") {
			return "", fmt.Errorf("%s can be no name of a file", a)
		}
	}
	return place, nil
}

func (a address) link(known *answer, fragment string) string {
	u := url.URL{Path: a.place()}
	if u.Path == "" {
		u.Path = "/"
	}
	if known.kind == document || known.kind == activity && !known.readable {
		u.Path += "/index.json"
	}
	link := u.EscapedPath()
	if fragment != "" {
		link += "#" + fragment
	}
	return link
}
