package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"inspraak/participation"
)

// TestArchiveAll archives a node whose consultations stand in every state, and
// walks through the copy as its reader would.
func TestArchiveAll(t *testing.T) {
	n, _ := newExhibition(t)
	question := must1(n.Service.Consultation(t.Context(), "question"))(t)
	n.says(question, n.object(question), "https://social.example/notes/gone", "<p>Spijt ervan</p>")
	if err := n.Service.Delete(t.Context(), "https://social.example/users/ana", "https://social.example/notes/gone"); err != nil {
		t.Fatal(err)
	}
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
	secrets := []string{"users/voter", "my-data/", "/receipt/", "Lelijke woorden", "Spijt ervan", receipts[0].Token}
	scripts := regexp.MustCompile(`(?i)<script|javascript:|\son[a-z]+=`)
	a.each(func(name string, content []byte) {
		for _, secret := range secrets {
			if bytes.Contains(content, []byte(secret)) && !strings.HasSuffix(name, "robots.txt") { // which names kinds of addresses
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
