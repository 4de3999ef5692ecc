package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// archived is a folder that the command wrote.
type archived struct {
	t      *testing.T
	folder string
	base   string
	server *httptest.Server
}

// archiveIt archives a node that goes on serving, and serves the folder with a plain
// file server that does what the settings in the bag say, and no more.
func archiveIt(t *testing.T, n *liveNode, args ...string) *archived {
	t.Helper()
	config := filepath.Join(t.TempDir(), "inspraak.yaml")
	text := fmt.Sprintf("url: %s\nloopback: true\ndata: %q\nname: Gemeente Zeewijk\ncontact: griffie@zeewijk.example\nother_ways: {nl: Bel 14 0000.}\n", n.urls.Base, n.config.Data)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	a := &archived{t: t, folder: filepath.Join(t.TempDir(), "bag"), base: n.urls.Base}
	var out bytes.Buffer
	if code := run(t.Context(), append([]string{"--config", config, "archive", "--out", a.folder}, args...), strings.NewReader(""), &out, &out); code != exitDone {
		t.Fatalf("archive %q: %d\n%s", args, code, &out)
	}
	t.Log(out.String())
	files := http.FileServer(http.Dir(filepath.Join(a.folder, "data")))
	nginx := a.read("server/nginx.conf")
	a.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		if page := r.URL.Query().Get("page"); page != "" {
			path = "/_q" + path + "/page-" + page
		}
		if lang := r.URL.Query().Get("lang"); lang == "en" {
			path = "/en" + path
		}
		if strings.Contains(r.Header.Get("Accept"), "application/activity+json") {
			if content, err := os.ReadFile(filepath.Join(a.folder, "data", filepath.FromSlash(path), "index.json")); err == nil {
				w.Header().Set("Content-Type", "application/activity+json")
				if strings.Contains(nginx, fmt.Sprintf("location = %q { error_page 410", path)) {
					w.WriteHeader(http.StatusGone)
				}
				_, _ = w.Write(content)
				return
			}
		}
		r.URL.Path = path
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(a.server.Close)
	return a
}

func (a *archived) read(name string) string {
	a.t.Helper()
	content, err := os.ReadFile(filepath.Join(a.folder, filepath.FromSlash(name)))
	if err != nil {
		a.t.Fatal(err)
	}
	return string(content)
}

// each calls see for every file of the site.
func (a *archived) each(see func(name string, content []byte)) {
	a.t.Helper()
	root := filepath.Join(a.folder, "data")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		name, relative := filepath.Rel(root, path)
		see(filepath.ToSlash(name), content)
		return errors.Join(err, relative)
	})
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *archived) get(path, accept string) (status int, mediaType, body string) {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), http.MethodGet, a.server.URL+path, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	r.Header.Set("Accept", accept)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	mediaType, _, _ = strings.Cut(answer.Header.Get("Content-Type"), ";")
	return answer.StatusCode, mediaType, string(content)
}

// ids are the places in a page that a link can lead to.
func ids(doc *html.Node) map[string]bool {
	found := map[string]bool{}
	for n := range doc.Descendants() {
		for _, a := range n.Attr {
			if a.Key == "id" {
				found[a.Val] = true
			}
		}
	}
	return found
}

// crawl follows every link of every page from a start: each must lead to something,
// each fragment to an element, and none may need the node.
func (a *archived) crawl(start string, elsewhere func(address string) bool) (pages int) {
	a.t.Helper()
	docs := map[string]*html.Node{}
	queue := []string{start}
	type fragment struct{ from, to, id string }
	var fragments []fragment
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		if _, seen := docs[at]; seen {
			continue
		}
		docs[at] = nil
		status, mediaType, body := a.get(at, "text/html")
		if status != http.StatusOK {
			a.t.Errorf("%s: %d", at, status)
			continue
		}
		if mediaType != "text/html" {
			continue
		}
		pages++
		doc, err := html.Parse(strings.NewReader(body))
		if err != nil {
			a.t.Fatal(err)
		}
		docs[at] = doc
		from, err := url.Parse(at)
		if err != nil {
			a.t.Fatal(err)
		}
		for n := range doc.Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			if n.Data == "form" || n.Data == "script" || n.Data == "input" {
				a.t.Errorf("%s has a %s", at, n.Data)
			}
			for _, attribute := range n.Attr {
				if attribute.Key != "href" && attribute.Key != "src" {
					continue
				}
				u, err := url.Parse(attribute.Val)
				if err != nil {
					a.t.Errorf("%s links to %q", at, attribute.Val)
					continue
				}
				if u.IsAbs() || u.Host != "" {
					if strings.HasPrefix(attribute.Val, a.base) && !elsewhere(attribute.Val) {
						a.t.Errorf("%s links to the node: %s", at, attribute.Val)
					}
					continue
				}
				to := from.ResolveReference(u)
				id := to.Fragment
				to.Fragment = ""
				if u.Path == "" {
					to = from
				}
				queue = append(queue, to.String())
				if id != "" {
					fragments = append(fragments, fragment{at, to.String(), id})
				}
			}
		}
	}
	for _, f := range fragments {
		if docs[f.to] == nil || !ids(docs[f.to])[f.id] {
			a.t.Errorf("%s links to %s#%s, which is not there", f.from, f.to, f.id)
		}
	}
	return pages
}

// valid checks the bag as RFC 8493 has it (§3): complete, and each digest right.
func (a *archived) valid() {
	a.t.Helper()
	if a.read("bagit.txt") != "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n" {
		a.t.Errorf("bagit.txt is %q", a.read("bagit.txt"))
	}
	listed := map[string]bool{}
	for _, list := range []string{"manifest-sha256.txt", "tagmanifest-sha256.txt"} {
		for line := range strings.Lines(a.read(list)) {
			digest, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
			name = strings.NewReplacer("%25", "%", "%0A", "\n", "%0D", "\r").Replace(name)
			sum := sha256.Sum256([]byte(a.read(name)))
			if hex.EncodeToString(sum[:]) != digest {
				a.t.Errorf("%s: %s is not %s", list, name, digest)
			}
			if listed[name] || strings.HasPrefix(name, "data/") != (list == "manifest-sha256.txt") {
				a.t.Errorf("%s: %s", list, name)
			}
			listed[name] = true
		}
	}
	files, size := 0, 0
	err := filepath.WalkDir(a.folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(a.folder, path)
		if name = filepath.ToSlash(name); name != "tagmanifest-sha256.txt" && !listed[name] {
			a.t.Errorf("%s is in no list", name)
		}
		if strings.HasPrefix(name, "data/") {
			info, err := d.Info()
			if err != nil {
				return err
			}
			files, size = files+1, size+int(info.Size())
		}
		return err
	})
	if err != nil {
		a.t.Fatal(err)
	}
	if want := fmt.Sprintf("Payload-Oxum: %d.%d\n", size, files); !strings.Contains(a.read("bag-info.txt"), want) {
		a.t.Errorf("bag-info.txt lacks %s:\n%s", want, a.read("bag-info.txt"))
	}
}
