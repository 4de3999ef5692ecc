// Package archive copies a site into a folder that any web server can serve, with
// all of it listed and hashed: a bag (BagIt, RFC 8493). It asks the site's own
// handler, in the same process, and follows links in pages, ActivityStreams, feeds
// and style sheets; what nothing links to, and is not named at the start, is not
// found. It knows nothing of what the site is about.
//
// Addresses keep their paths, so that links from elsewhere live on when the folder
// is served under the site's own name. What stood behind a question mark becomes
// part of the path. Forms are replaced by a sentence.
package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"time"
)

// Verdict says what becomes of an address of the site.
type Verdict int

// An address is copied; or it belongs to another archive, and links to it keep
// the whole address; or it is for one visitor or without end, and links to it
// become text.
const (
	Copied Verdict = iota
	Elsewhere
	Never
)

// Options say what to copy and what to write beside it.
type Options struct {
	Handler http.Handler
	Base    string // of the site, scheme://host[:port]
	// Languages are the values of the parameter lang; the first is that of
	// addresses without it.
	Languages []string
	Start     []string // paths, with queries, that must be there
	Try       []string // paths that may be
	Judge     func(path string, query url.Values) Verdict
	Words     map[string]Words  // by language
	Info      []Field           // for bag-info.txt, before the payload's size
	Tags      map[string][]byte // further files of the bag, by path, that are no part of the site
	Now       time.Time
	// Variants is how many addresses may differ only by what is behind the question
	// mark; more would have no end. 0 means 10,000.
	Variants int
}

// Words are what the pages of a copy say, as plain text.
type Words struct {
	Copy string // on top of each
	Form string // where a form stood
}

// Result is what was written.
type Result struct {
	Files   int   // of the site
	Bytes   int64 // of these
	LeftOut int   // addresses that are named somewhere and not copied; left-out.txt lists them
}

// Write copies a site into a folder, which must be empty or not be there. Its
// folder data is what a web server serves. After an error, which says so, what was
// written is no bag and of no use.
func Write(ctx context.Context, folder string, o Options) (r Result, err error) {
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("archive: %w", err)
	}
	if len(entries) > 0 {
		return r, fmt.Errorf("archive: folder %s is not empty, and nothing in it is overwritten", folder)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return r, fmt.Errorf("archive: %w", err)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return r, fmt.Errorf("archive: %w", err)
	}
	defer root.Close()
	if r, err = write(ctx, root, o); err != nil {
		return r, fmt.Errorf("archive: %w; what is in %s is not whole: remove it", err, folder)
	}
	return r, nil
}

func write(ctx context.Context, root *os.Root, o Options) (r Result, err error) {
	c, err := newCrawler(root, o)
	if err != nil {
		return r, err
	}
	if err := c.crawl(ctx); err != nil {
		return r, err
	}
	if err := c.rewrite(); err != nil {
		return r, err
	}
	b := bag{root: root}
	for _, name := range slices.Sorted(keys(o.Tags)) {
		if err := b.tag(name, o.Tags[name]); err != nil {
			return r, err
		}
	}
	left := c.leftOut()
	for name, content := range map[string]string{"left-out.txt": left.text(), "server/Caddyfile": c.caddy(), "server/nginx.conf": c.nginx()} {
		if err := b.tag(name, []byte(content)); err != nil {
			return r, err
		}
	}
	r = Result{Files: len(c.files), LeftOut: len(left)}
	for _, f := range c.files {
		r.Bytes += f.size
	}
	return r, b.close(c.files, o.Info, r.Bytes, o.Now)
}

// file is one of the site's.
type file struct {
	size   int64
	sha256 string // in hexadecimal
}

// put writes a file and its folders.
func put(root *os.Root, name string, content []byte) error {
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}
