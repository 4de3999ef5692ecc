package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"inspraak/participation"
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

// TestArchiveAll archives a node whose consultations stand in every state, and
// walks through the copy as its reader would.
func TestArchiveAll(t *testing.T) {
	n, _ := newExhibition(t)
	a := archiveIt(t, n, "--all", "--open", "De site verhuist.", "--category", "1.2 Participatie")
	if pages := a.crawl("/", func(string) bool { return false }); pages < 80 {
		t.Errorf("only %d pages", pages)
	}
	a.valid()
	for _, words := range []string{"Archived-Before-Closing: De site verhuist.", "Source-Organization: Gemeente Zeewijk", "External-Identifier: " + n.urls.Base} {
		if !strings.Contains(a.read("bag-info.txt"), words+"\n") {
			t.Errorf("bag-info.txt lacks %q", words)
		}
	}

	// Addresses that others have keep working, in both languages and on later pages.
	for path, words := range map[string]string{
		"/consultations/closed": "Uitslag", "/consultations/closed?lang=en": "Chosen most", "/en/consultations/closed": "Chosen most",
		"/consultations/withdrawn": "Het plein is verkocht.", "/@zeewijk": "Hier vraagt Zeewijk", "/consultations/closed/report": "Verslag van de participatie",
		"/consultations/closed/dataset/ballots.csv": "code,", "/@zeewijk/feed.atom": "<feed", "/media/plein.png": "PNG",
	} {
		if status, _, body := a.get(path, "text/html"); status != http.StatusOK || !strings.Contains(body, words) {
			t.Errorf("%s: %d, without %q", path, status, words)
		}
	}
	if _, _, body := a.get("/consultations/closed", "text/html"); !strings.Contains(body, "Dit is een kopie van deze site") {
		t.Error("the page does not say what it is")
	}
	if _, _, body := a.get("/consultations/closed/ballots", "text/html"); !strings.Contains(body, "Hier stond een formulier") {
		t.Error("where a form stood nothing is said")
	}

	// ActivityStreams have ids that are their addresses, of the media type, and what
	// is gone is gone.
	documents := 0
	a.each(func(name string, content []byte) {
		if !regexp.MustCompile(`^(o|a|actor)/`).MatchString(name) || !strings.HasSuffix(name, "/index.json") {
			return
		}
		documents++
		var doc struct{ ID, Type string }
		if err := json.Unmarshal(content, &doc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		path, found := strings.CutPrefix(doc.ID, n.urls.Base)
		status, mediaType, body := a.get(path, "application/activity+json")
		gone := doc.Type == "Tombstone"
		if strings.HasPrefix(name, strings.TrimPrefix(path, "/")+"/") && body != string(content) || !found ||
			status != map[bool]int{false: 200, true: 410}[gone] || mediaType != "application/activity+json" {
			t.Errorf("%s has the id %s, which answers %d %s", name, doc.ID, status, mediaType)
		}
	})
	if documents < 20 {
		t.Errorf("only %d documents", documents)
	}
	if status, _, body := a.get("/o/"+must1(n.Service.Consultation(t.Context(), "closed"))(t).ID, "text/html"); status != 200 || !strings.Contains(body, `content="0; url=/consultations/closed"`) {
		t.Errorf("who opens an object is led to %s", body)
	}

	// The dataset still verifies.
	var report bytes.Buffer
	if code := run(t.Context(), []string{"verify", filepath.Join(a.folder, "data/consultations/closed/dataset.zip")}, strings.NewReader(""), &report, &report); code != exitDone {
		t.Errorf("verify: %d\n%s", code, &report)
	}

	// Nobody's secrets. What an author may take back is not promised to be forgotten, but
	// names of those who only voted are in no file.
	receipts := must1(n.Service.Receipts(t.Context(), "https://social.example/users/voter3"))(t)
	secrets := []string{"users/voter", "my-data/", "/receipt/", "Lelijke woorden", receipts[0].Token}
	scripts := regexp.MustCompile(`(?i)<script|javascript:|\son[a-z]+=`)
	a.each(func(name string, content []byte) {
		for _, secret := range secrets {
			if bytes.Contains(content, []byte(secret)) {
				t.Errorf("%s tells %q", name, secret)
			}
		}
		if strings.HasSuffix(name, ".html") && scripts.Match(content) {
			t.Errorf("%s has a script", name)
		}
	})
	// Every address of the node that stands in a file is in the copy, or in the list of
	// what is not.
	left := a.read("left-out.txt")
	for line := range strings.Lines(left) {
		if why, address, listed := strings.Cut(strings.TrimSpace(line), "\t"); listed && why != "never" {
			t.Errorf("left out: %s %s", why, address)
		}
	}
	metadata(t, a, "metadata/site.mdto.xml", "1.2 Participatie")
	metadata(t, a, "metadata/closed.mdto.xml", "Wat komt er op het closed?")
}

func must1[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// metadata checks the elements of MDTO and their order, as its schema has them.
func metadata(t *testing.T, a *archived, name, words string) {
	t.Helper()
	content := a.read(name)
	order := []string{"identificatie", "naam", "aggregatieniveau", "omschrijving", "raadpleeglocatie", "dekkingInTijd", "taal", "event", "waardering",
		"informatiecategorie", "isOnderdeelVan", "bevatOnderdeel", "archiefvormer", "beperkingGebruik"}
	d := xml.NewDecoder(strings.NewReader(content))
	depth, last := 0, 0
	seen := map[string]bool{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if depth == 2 {
				at := slices.Index(order, token.Name.Local)
				if at < last || token.Name.Space != "https://www.nationaalarchief.nl/mdto" {
					t.Errorf("%s: %s out of order", name, token.Name)
				}
				last, seen[token.Name.Local] = at, true
			}
			depth++
		case xml.EndElement:
			depth--
		}
	}
	for _, must := range []string{"identificatie", "naam", "waardering", "archiefvormer", "beperkingGebruik"} {
		if !seen[must] {
			t.Errorf("%s lacks %s, which is mandatory", name, must)
		}
	}
	if !strings.Contains(content, words) {
		t.Errorf("%s lacks %q", name, words)
	}
}

// One consultation is archived without the others; links to these stay whole.
func TestArchiveOne(t *testing.T) {
	n, _ := newExhibition(t)
	a := archiveIt(t, n, "closed")
	a.crawl("/consultations/closed", func(address string) bool { return !strings.Contains(address, "/closed") })
	a.valid()
	other := must1(n.Service.Consultation(t.Context(), "figures"))(t)
	a.each(func(name string, _ []byte) {
		if strings.Contains(name, other.ID) || strings.Contains(name, "consultations/figures") {
			t.Errorf("%s is of another consultation", name)
		}
	})
	if c := must1(n.Service.Consultation(t.Context(), "closed"))(t); c.Phase != participation.Closed {
		t.Errorf("it is %s", c.Phase)
	}
}
