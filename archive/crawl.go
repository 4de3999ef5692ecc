package archive

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

const (
	patience  = 2 * time.Minute // for one answer
	maxParsed = 64 << 20        // bytes of an answer in which links are looked for
)

// crawler copies a site, one address after the other.
type crawler struct {
	Options
	root     *os.Root
	base     *url.URL
	queue    []address
	seen     map[address]*answer
	pages    map[string]int     // addresses by path
	files    map[string]file    // by name below data
	owner    map[string]address // of each file
	pointers map[string]bool    // files that only lead to another
	left     map[address]string // named somewhere, not copied: why
}

// answer is what became of an address.
type answer struct {
	status int
	kind   kind
	name   string // of its file, below data; empty: there is none
	must   bool   // it has to be there
	quiet  bool   // that it is not there is no news
	// readable tells of ActivityStreams that a page stands beside them.
	readable bool
}

func keys[K cmp.Ordered, V any](m map[K]V) iter.Seq[K] { return maps.Keys(m) }

func newCrawler(root *os.Root, o Options) (*crawler, error) {
	base, err := url.Parse(o.Base)
	if err != nil {
		return nil, err
	}
	o.Variants = cmp.Or(o.Variants, 10_000)
	return &crawler{Options: o, root: root, base: base, seen: map[address]*answer{}, pages: map[string]int{},
		files: map[string]file{}, owner: map[string]address{}, pointers: map[string]bool{}, left: map[address]string{}}, nil
}

func (c *crawler) crawl(ctx context.Context) error {
	for _, link := range c.Start {
		a, _, inside := c.resolve(address{path: "/"}, link)
		if !inside {
			return fmt.Errorf("%s is not of %s", link, c.Base)
		}
		c.add(a)
		if to := c.seen[a]; to != nil {
			to.must = true
		}
	}
	for _, link := range c.Try {
		if a, _, inside := c.resolve(address{path: "/"}, link); inside {
			c.add(a)
			if to := c.seen[a]; to != nil {
				to.quiet = true
			}
		}
	}
	for len(c.queue) > 0 {
		next := c.queue[0]
		c.queue = c.queue[1:]
		if err := errors.Join(ctx.Err(), c.copy(ctx, next)); err != nil {
			return err
		}
		if n := c.pages[next.path]; n > c.Variants {
			return fmt.Errorf("%s has more than %d variants; an archive of it would have no end", next.path, c.Variants)
		}
	}
	return nil
}

// follow takes up a link that stands at an address.
func (c *crawler) follow(at address, link string) {
	if a, _, inside := c.resolve(at, link); inside {
		c.add(a)
	}
}

func (c *crawler) add(a address) {
	if c.seen[a] != nil || c.left[a] != "" {
		return
	}
	switch c.Judge(a.path, a.url().Query()) {
	case Copied:
		c.seen[a] = &answer{}
		c.pages[a.path]++
		c.queue = append(c.queue, a)
	case Elsewhere:
		c.left[a] = "elsewhere"
	case Never:
		c.left[a] = "never"
	}
}

// copy asks for an address and keeps what it answers.
func (c *crawler) copy(ctx context.Context, a address) error {
	known := c.seen[a]
	got, err := c.ask(ctx, a, "*/*")
	if err != nil {
		return fmt.Errorf("GET %s: %w", a, err)
	}
	known.status = got.status
	switch {
	case got.status >= 300 && got.status < 400:
		return c.redirect(ctx, a, got.header.Get("Location"))
	case got.status == http.StatusTooManyRequests || got.status >= 500:
		return fmt.Errorf("GET %s: %d %s: the copy would not be whole", a, got.status, http.StatusText(got.status))
	case got.status != http.StatusOK && got.status != http.StatusGone || got.endless:
		if known.must {
			return fmt.Errorf("GET %s: %d %s", a, got.status, http.StatusText(got.status))
		}
		switch {
		case got.endless:
			c.left[a] = "endless"
		case !known.quiet:
			c.left[a] = fmt.Sprint(got.status)
		}
		return c.root.Remove(part)
	}
	known.kind = kindOf(a, got.mediaType)
	if err := c.keep(a, got); err != nil {
		return err
	}
	if known.kind == activity { // people are sent to a page
		to, err := c.ask(ctx, a, "text/html")
		if err != nil {
			return fmt.Errorf("GET %s as a page: %w", a, err)
		}
		if err := c.root.Remove(part); err != nil {
			return err
		}
		if place := to.header.Get("Location"); place != "" {
			c.follow(a, place)
			return c.pointer(a, place)
		}
	}
	return nil
}

func kindOf(a address, mediaType string) kind {
	switch {
	case mediaType == "text/html":
		return page
	case mediaType == "application/activity+json":
		return activity
	case (mediaType == "application/json" || strings.HasSuffix(mediaType, "+json")) && !extension.MatchString(path.Ext(a.path)):
		return document
	}
	return raw
}

// redirect keeps where an address leads to: as a page that leads there, or, of an
// address that looks like a file, as a copy of that.
func (c *crawler) redirect(ctx context.Context, a address, to string) error {
	target, _, inside := c.resolve(a, to)
	if err := c.root.Remove(part); err != nil {
		return err
	}
	if !inside || to == "" {
		c.left[a] = "leads elsewhere"
		return nil
	}
	c.add(target)
	if !extension.MatchString(path.Ext(a.path)) {
		c.seen[a].kind = page
		return c.pointer(a, to)
	}
	got, err := c.ask(ctx, target, "*/*")
	if err == nil && got.status != http.StatusOK {
		err = fmt.Errorf("it leads to %s, which answers %d", target, got.status)
	}
	if err != nil {
		return fmt.Errorf("GET %s: %w", a, err)
	}
	return c.keep(a, got)
}

// part is where an answer is written before it has its name.
const part = "data/.part"

// received is an answer that lies in part.
type received struct {
	status    int
	header    http.Header
	mediaType string
	endless   bool // it would go on as long as somebody listens
	file
}

// ask sends one request to the site. What it answers lies in part then.
func (c *crawler) ask(ctx context.Context, a address, accept string) (got received, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := c.root.MkdirAll("data", 0o755); err != nil {
		return got, err
	}
	f, err := c.root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return got, err
	}
	u := a.url()
	request := (&http.Request{
		Method: http.MethodGet, URL: u, Host: c.base.Host, RequestURI: u.RequestURI(), RemoteAddr: "127.0.0.1:1",
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody, Header: http.Header{"Accept": {accept}},
	}).WithContext(ctx)
	w := &writer{header: http.Header{}, to: f, hash: sha256.New(), cancel: cancel}
	err = func() (err error) {
		defer func() {
			if r := recover(); r != nil { // how a handler cuts a connection
				err = errors.New("the answer was cut off")
			}
		}()
		c.Handler.ServeHTTP(w, request)
		return nil
	}()
	if w.endless {
		err = nil
	}
	if err = errors.Join(err, w.err, f.Close()); err != nil {
		return got, err
	}
	got = received{status: w.status, header: w.header, endless: w.endless, file: file{w.size, hex.EncodeToString(w.hash.Sum(nil))}}
	if got.status == 0 {
		got.status = http.StatusOK
	}
	got.mediaType, _, _ = mime.ParseMediaType(w.header.Get("Content-Type"))
	return got, nil
}

// keep gives what was received its name, and looks for links in it.
func (c *crawler) keep(a address, got received) error {
	known := c.seen[a]
	name, err := a.file(known.kind)
	if err != nil {
		return err
	}
	if err := c.claim(a, name); err != nil {
		return err
	}
	if err := c.root.MkdirAll(path.Dir("data/"+name), 0o755); err != nil {
		return err
	}
	if err := c.root.Rename(part, "data/"+name); err != nil {
		return err
	}
	known.name, c.files[name] = name, got.file
	if !textual(got.mediaType) || got.size > maxParsed {
		return nil
	}
	content, err := c.root.ReadFile("data/" + name)
	if err != nil {
		return err
	}
	for link := range c.links(content, got.mediaType) {
		c.follow(a, link)
	}
	return nil
}

func (c *crawler) claim(a address, name string) error {
	if other, taken := c.owner[name]; taken {
		return fmt.Errorf("%s and %s would be the same file", other, a)
	}
	c.owner[name] = a
	return nil
}

// leftList are addresses that are named in the copy and not part of it.
type leftList []string

func (l leftList) text() string {
	return "# Addresses that are named in the copy and not part of it, and why: the status that\n" +
		"# the site answered, or never (for one visitor, for programs that send, or without\n" +
		"# end), endless (a stream), elsewhere (of no consultation of this archive), leads\n" +
		"# elsewhere (to another site).\n" + strings.Join(append(l, ""), "\n")
}

func (c *crawler) leftOut() (list leftList) {
	for a, why := range c.left {
		list = append(list, why+"\t"+a.String())
	}
	slices.Sort(list)
	return list
}
