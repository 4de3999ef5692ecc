package archive_test

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"inspraak/archive"
)

// site answers from a table of address and body; a body that begins with "<" is a
// page, with "{" JSON, with "→" a redirect, with a number that status.
type site map[string]string

func (s site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, found := s[r.URL.RequestURI()]
	status := http.StatusOK
	header := w.Header()
	switch to, redirects := strings.CutPrefix(body, "→"); {
	case !found:
		status = http.StatusNotFound
	case redirects:
		header.Set("Location", to)
		status = http.StatusFound
	case strings.HasPrefix(body, "<?xml"):
		header.Set("Content-Type", "application/atom+xml")
	case strings.HasPrefix(body, "<"):
		header.Set("Content-Type", "text/html; charset=utf-8")
	case strings.HasPrefix(body, "{"):
		header.Set("Content-Type", "application/json")
		if strings.HasPrefix(r.URL.Path, "/o/") {
			header.Set("Content-Type", "application/activity+json")
			if r.Header.Get("Accept") == "text/html" {
				header.Set("Location", "/")
				w.WriteHeader(http.StatusSeeOther)
				return
			}
		}
	case strings.HasSuffix(r.URL.Path, ".css"):
		header.Set("Content-Type", "text/css")
	case strings.HasPrefix(r.URL.Path, "/stream"):
		header.Set("Content-Type", "text/event-stream")
		for {
			if _, err := fmt.Fprintln(w, "data: x"); err != nil {
				return
			}
		}
	case strings.HasPrefix(r.URL.Path, "/cut"):
		panic(http.ErrAbortHandler)
	default:
		_, _ = fmt.Sscan(body, &status)
		header.Set("Content-Type", "text/plain")
	}
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}

func copySite(t *testing.T, s site, start ...string) (folder string, r archive.Result, err error) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "bag")
	r, err = archive.Write(t.Context(), folder, archive.Options{
		Handler: s, Base: "https://stad.example", Languages: []string{"nl", "en"}, Start: start, Now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Judge: func(path string, _ url.Values) archive.Verdict {
			switch {
			case strings.HasPrefix(path, "/secret"):
				return archive.Never
			case strings.HasPrefix(path, "/other"):
				return archive.Elsewhere
			}
			return archive.Copied
		},
		Words: map[string]archive.Words{"nl": {Copy: "Kopie & zo", Form: "Geen formulier"}, "en": {Copy: "Copy", Form: "No form"}},
		Info:  []archive.Field{{Name: "Source-Organization", Value: "Stad\nX: y"}},
	})
	return folder, r, err
}

func read(t *testing.T, folder, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestAddressesBecomePaths(t *testing.T) {
	folder, r, err := copySite(t, site{
		"/": `<html lang="nl"><main><a href="/a?lang=en#x">a</a><a href="https://stad.example/a?page=2&amp;order=old">b</a><a href="/a?lang=nl">c</a>
			<a href="/missing">weg</a><img src="/missing.png" alt="x"><a href="/secret/1">geheim</a><a href="/other/1?x=2#y">ander</a><a href="https://elders.example/">e</a>
			<a href="#hier">hier</a><a href="/go">door</a><a href="/o/1">object</a><a href="/api">api</a><a href="/feed.atom?page=2">feed</a><a href="mailto:x@y">m</a>
			<a href="//stad.example/tags/caf%C3%A9">tag</a><a href="/stream">stroom</a>
			<form action="/zoek"><input name=q></form><script>alert(1)</script><link rel="stylesheet" href="/s.css"></main>`,
		"/a": `<html lang="nl"><p>a</p>`, "/a?lang=en": `<html lang="en"><p>a</p><a href="/?lang=en">home</a>`, "/a?order=old&page=2": `<html><p>twee</p>`,
		"/?lang=en": `<html lang="en"><form></form>`, "/s.css": `p { background: url("/bg.svg") }`, "/bg.svg": "svg", "/go": "→/a?lang=en", "/stream": "x",
		"/o/1":        `{"id": "https://stad.example/o/1", "next": "https://stad.example/o/1?page=1", "text": "<a href=\"https://stad.example/deep\">", "inbox": "https://stad.example/secret/inbox"}`,
		"/o/1?page=1": `{"id": "https://stad.example/o/1?page=1"}`, "/deep": "<p>diep</p>", "/api": `{"x": 1}`, "/tags/caf%C3%A9": "<p>tag</p>",
		"/feed.atom?page=2": `<?xml version="1.0"?><a href="https://stad.example/fromfeed?a=1&amp;b=2"/> zie https://stad.example/end.`,
		"/fromfeed?a=1&b=2": "<p>f</p>", "/end": "<p>e</p>",
	}, "/")
	if err != nil {
		t.Fatal(err)
	}
	home := read(t, folder, "data/index.html")
	for _, want := range []string{
		`href="/en/a#x"`, `href="/_q/a/order-old/page-2"`, `href="/a"`, `<span>weg</span>`, `<span>geheim</span>`, `href="https://stad.example/other/1?x=2#y"`,
		`href="https://elders.example/"`, `href="#hier"`, `href="/go"`, `href="/o/1"`, `href="/api/index.json"`, `href="/_q/feed.atom/page-2.atom"`, `href="mailto:x@y"`,
		`href="/tags/caf%C3%A9"`, `<span>stroom</span>`, "Geen formulier", `<main><p class="panel notice">Kopie &amp; zo</p>`,
	} {
		if !strings.Contains(strings.ReplaceAll(home, `href="/#hier"`, `href="#hier"`), want) {
			t.Errorf("the page lacks %s:\n%s", want, home)
		}
	}
	for _, never := range []string{"<script", "<form", "<input", "missing.png"} {
		if strings.Contains(home, never) {
			t.Errorf("the page has %s", never)
		}
	}
	for name, want := range map[string]string{
		"en/index.html": "No form", "en/a/index.html": "Copy", "_q/a/order-old/page-2/index.html": "twee", "bg.svg": "svg", "go/index.html": `content="0; url=/en/a"`,
		"o/1/index.json": `"id": "https://stad.example/o/1"`, "o/1/index.html": `url=/"`, "_q/o/1/page-1/index.json": "page=1", "deep/index.html": "diep",
		"tags/café/index.html": "tag", "_q/fromfeed/a-1/b-2/index.html": "f", "end/index.html": "e",
	} {
		if got := read(t, folder, "data/"+name); !strings.Contains(got, want) {
			t.Errorf("%s is %q, want %s", name, got, want)
		}
	}
	left := read(t, folder, "left-out.txt")
	for _, want := range []string{"404\t/missing\n", "never\t/secret/1\n", "never\t/secret/inbox\n", "elsewhere\t/other/1?x=2\n", "endless\t/stream\n"} {
		if !strings.Contains(left, want) {
			t.Errorf("left-out.txt lacks %q:\n%s", want, left)
		}
	}
	if r.Files != strings.Count(read(t, folder, "manifest-sha256.txt"), "\n") || r.LeftOut != 6 {
		t.Errorf("%+v", r)
	}
	if info := read(t, folder, "bag-info.txt"); !strings.Contains(info, "Source-Organization: Stad X: y\nBagging-Date: 2026-01-02\n") {
		t.Errorf("bag-info.txt is %s", info)
	}
}

// What would not be whole is refused, and says so.
func TestTroubleIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		site site
		want string
	}{
		"the node fails":        {site{"/": `<a href="/x">`, "/x": "503"}, "GET /x: 503"},
		"the node is too busy":  {site{"/": `<a href="/x">`, "/x": "429"}, "GET /x: 429"},
		"an answer is cut":      {site{"/": `<a href="/cut">`, "/cut": "x"}, "GET /cut: the answer was cut off"},
		"a start is missing":    {site{}, "GET /: 404"},
		"a name is none":        {site{"/": `<a href="/a/%2e%2e/b">`, "/a/%2e%2e/b": "x", "/b": "y"}, ""},
		"a name is too long":    {site{"/": `<a href="/` + strings.Repeat("x", 300) + `">`, "/" + strings.Repeat("x", 300): "x"}, "can be no name of a file"},
		"a backslash":           {site{"/": `<a href="/a%5Cb">`, "/a%5Cb": "x"}, "can be no name of a file"},
		"a file is a folder":    {site{"/": `<a href="/a"><a href="/a/b">`, "/a": "x", "/a/b": "x"}, "data/a"},
		"two are the same file": {site{"/": `<a href="/en/a"><a href="/a?lang=en">`, "/en/a": "<p>", "/a?lang=en": "<p>"}, "the same file"},
	} {
		folder, _, err := copySite(t, c.site, "/")
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), folder+" is not whole: remove it")):
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if _, stat := os.Stat(filepath.Join(folder, "bagit.txt")); err != nil && stat == nil {
			t.Errorf("%s: it passes for a bag", name)
		}
	}
}

// A site that always has one more page is noticed.
func TestNoEnd(t *testing.T) {
	n := 0
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n++
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<a href="/?n=%d">`, n)
	})
	_, err := archive.Write(t.Context(), filepath.Join(t.TempDir(), "bag"), archive.Options{Handler: handler, Base: "https://stad.example",
		Languages: []string{"nl"}, Start: []string{"/"}, Variants: 20, Judge: func(string, url.Values) archive.Verdict { return archive.Copied }})
	if err == nil || !strings.Contains(err.Error(), "no end") || n > 30 {
		t.Errorf("after %d pages: %v", n, err)
	}
}

func TestFolderMustBeEmpty(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "kept"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := archive.Write(t.Context(), folder, archive.Options{Handler: site{}, Base: "https://stad.example"})
	if err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("a folder with something in it: %v", err)
	}
	if read(t, folder, "kept") != "x" {
		t.Error("something was overwritten")
	}
}

// A disk that fills up ends it with words about what remains.
func TestFullDisk(t *testing.T) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	small := limit
	small.Cur = 4 << 10 // a write beyond it fails with EFBIG, for the Go runtime ignores SIGXFSZ
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &small); err != nil {
		t.Fatal(err)
	}
	folder, _, err := copySite(t, site{"/": "<p>" + strings.Repeat("x", 64<<10)}, "/")
	if restored := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); restored != nil {
		t.Fatal(restored)
	}
	if err == nil || !strings.Contains(err.Error(), folder+" is not whole: remove it") {
		t.Errorf("on a full disk: %v", err)
	}
}

func TestMDTO(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	content, err := archive.MDTO(archive.Record{Address: "https://stad.example/consultations/x", Title: "Wat <nu> & straks?", Level: "Dossier", Maker: "Stad",
		From: at, Until: at.Add(time.Hour), Events: []archive.Event{{What: "Publicatie", At: at, Who: "Stad"}}, Category: "1.2"})
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		XMLName xml.Name
		Object  struct {
			Naam       string `xml:"naam"`
			Waardering string `xml:"waardering>begripLabel"`
			Categorie  string `xml:"informatiecategorie>begripLabel"`
		} `xml:"informatieobject"`
	}
	if err := xml.Unmarshal(content, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.XMLName.Space != "https://www.nationaalarchief.nl/mdto" || doc.Object.Naam != "Wat <nu> & straks?" || doc.Object.Waardering != "Nog vast te stellen" || doc.Object.Categorie != "1.2" {
		t.Errorf("%+v in\n%s", doc, content)
	}
}
