package handlers_test

import (
	"encoding/binary"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"inspraak/participation"
)

// logClient reads a log over HTTP with the library that others use.
type logClient struct {
	s    *site
	c    participation.Consultation
	base string
}

func (s *site) logClient(c participation.Consultation) *logClient {
	return &logClient{s, c, "/log/" + c.ID}
}

// head fetches and opens the newest checkpoint.
func (l *logClient) head() tlog.Tree {
	l.s.t.Helper()
	key := l.s.get(l.base + "/key")
	verifier, err := note.NewVerifier(strings.TrimSpace(key.Body.String()))
	l.s.ok(err)
	w := l.s.get(l.base + "/checkpoint")
	if w.Code != 200 || w.Header().Get("Content-Type") != "text/plain; charset=UTF-8" || w.Header().Get("Cache-Control") != "no-cache" {
		l.s.t.Errorf("checkpoint: %d %q %q", w.Code, w.Header().Get("Content-Type"), w.Header().Get("Cache-Control"))
	}
	signed, err := note.Open(w.Body.Bytes(), note.VerifierList(verifier))
	l.s.ok(err)
	origin, rest, _ := strings.Cut(signed.Text, "\n")
	if origin != "inspraak.example/log/"+l.c.ID {
		l.s.t.Errorf("origin %q", origin)
	}
	tree, err := tlog.ParseTree([]byte("go.sum database tree\n" + rest)) // the same lines under another title
	l.s.ok(err)
	return tree
}

func (l *logClient) Height() int                     { return 8 }
func (l *logClient) SaveTiles([]tlog.Tile, [][]byte) {}
func (l *logClient) ReadTiles(tiles []tlog.Tile) (all [][]byte, err error) {
	for _, t := range tiles {
		w := l.s.get(l.base + "/" + strings.Replace(t.Path(), "tile/8/", "tile/", 1))
		if w.Code != 200 {
			return nil, fmt.Errorf("%s: %d", t.Path(), w.Code)
		}
		if got := w.Header().Get("Content-Type") + w.Header().Get("Access-Control-Allow-Origin") + w.Header().Get("Cache-Control"); got !=
			"application/octet-stream*public, max-age=31536000, immutable" {
			l.s.t.Errorf("%s: headers %q", t.Path(), got)
		}
		all = append(all, w.Body.Bytes())
	}
	return all, nil
}

// entries fetches all entries below a size, bundle by bundle.
func (l *logClient) entries(size int64) (all []string) {
	l.s.t.Helper()
	for n := int64(0); n*256 < size; n++ {
		path := fmt.Sprintf("%s/tile/entries/%03d", l.base, n)
		if width := min(256, size-n*256); width < 256 {
			path += fmt.Sprintf(".p/%d", width)
		}
		w := l.s.get(path)
		if w.Code != 200 || w.Header().Get("Content-Type") != "application/octet-stream" {
			l.s.t.Fatalf("%s: %d %s", path, w.Code, w.Header().Get("Content-Type"))
		}
		for b := w.Body.Bytes(); len(b) > 0; {
			n := 2 + int(binary.BigEndian.Uint16(b))
			all, b = append(all, string(b[2:n])), b[n:]
		}
	}
	return all
}

// A client that trusts only the signature of the checkpoint recomputes its root
// from tiles and entries, at every size that was signed, past one tile, and sees
// that each log grew out of the one before.
func TestLogIsReadByOthers(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin")
	l := s.logClient(c)
	var heads []tlog.Tree
	check := func() {
		t.Helper()
		head := l.head()
		reader := tlog.TileHashReader(head, l) // checks every tile against the root
		root, err := tlog.TreeHash(head.N, reader)
		if err != nil || root != head.Hash {
			t.Fatalf("root of %d entries: %v, %v, want %v", head.N, root, err, head.Hash)
		}
		entries := l.entries(head.N)
		if int64(len(entries)) != head.N {
			t.Fatalf("%d entries, want %d", len(entries), head.N)
		}
		for n, e := range entries {
			hashes, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, int64(n))})
			if err != nil || hashes[0] != tlog.RecordHash([]byte(e)) {
				t.Fatalf("entry %d of %d is not what the tree says: %v", n, head.N, err)
			}
		}
		for _, old := range heads {
			proof, err := tlog.ProveTree(head.N, old.N, reader)
			s.ok(err)
			if err := tlog.CheckTree(proof, head.N, head.Hash, old.N, old.Hash); err != nil {
				t.Errorf("%d entries did not grow out of %d: %v", head.N, old.N, err)
			}
		}
		heads = append(heads, head)
	}
	check()
	for i, voters := range []int{3, 256, 2, 300} { // 1+2, then 256, 258 and 556 logged with what waited
		for v := range voters {
			s.cast(c, fmt.Sprintf("v%d-%d", i, v), "Ja")
		}
		s.advance(time.Minute)
		_, err := s.service.WriteLogs(t.Context())
		s.ok(err)
		check()
	}
	s.close(c)
	check()
	var sizes []int64
	for _, h := range heads {
		sizes = append(sizes, h.N)
	}
	if last := sizes[len(sizes)-1]; last != 1+3+256+2+300+1 || !slices.IsSorted(sizes) || len(slices.Compact(sizes)) != 6 {
		t.Errorf("sizes %d", sizes)
	}
	if !strings.HasPrefix(l.entries(sizes[5])[sizes[5]-1], "close/v1 ") {
		t.Error("the last entry does not close the log")
	}
	packed := s.get(l.base+"/tile/entries/000", "Accept-Encoding", "gzip")
	if packed.Code != 200 || packed.Header().Get("Content-Encoding") != "gzip" {
		t.Errorf("entries are not packed for who can unpack: %d %q", packed.Code, packed.Header().Get("Content-Encoding"))
	}
}

// What lies beyond the tree is not there, nor is what is spelled otherwise than
// C2SP tlog-tiles does.
func TestTilesThatAreNotThere(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin")
	for v := range 300 {
		s.cast(c, fmt.Sprint("v", v), "Ja")
	}
	s.close(c) // 302 entries
	for path, want := range map[string]int{
		"tile/0/000": 200, "tile/0/000.p/1": 200, "tile/0/000.p/255": 200, "tile/0/001.p/46": 200, "tile/0/001.p/1": 200, "tile/1/000.p/1": 200,
		"tile/entries/000": 200, "tile/entries/000.p/255": 200, "tile/entries/001.p/46": 200,
		"tile/0/001": 404, "tile/0/001.p/47": 404, "tile/0/002.p/1": 404, "tile/0/002": 404, "tile/1/000": 404, "tile/1/000.p/2": 404,
		"tile/2/000.p/1": 404, "tile/63/000": 404, "tile/entries/001": 404, "tile/entries/001.p/47": 404, "tile/entries/002.p/1": 404,
		"tile/00/000": 404, "tile/64/000": 404, "tile/-1/000": 404, "tile/+0/000": 404, "tile/0/0": 404, "tile/0/0000": 404, "tile/0/x000/000": 404,
		"tile/0/000/000": 404, "tile/0/x00/000": 404, "tile/0/000.p/0": 404, "tile/0/000.p/256": 404, "tile/0/000.p/01": 404,
		"tile/0/000.p/": 404, "tile/0/000.p": 404, "tile/0/-01": 404, "tile/0/": 404, "tile/0": 404, "tile/": 404, "tile": 404, "": 404,
		"tile/0/000/": 404, "tile/8/0/000": 404, "tile/data/000": 404, "tile/entries/": 404, "tile/entries/000.p/999": 404,
		"tile/0/x999/x999/x999/x999/x999/999": 404, "tile/entries/x999/x999/x999/x999/x999/999": 404, "tile/entries/x999/x999/x999/x999/x999/x999/999": 404,
		"tile/0/٠٠٠": 404, "checkpoint/": 404, "tile/0/000%0a": 404, "tile/0/..%2f000": 404,
	} {
		w := s.get("/log/" + c.ID + "/" + path)
		if w.Code != want {
			t.Errorf("%s: %d, want %d: %.80s", path, w.Code, want, w.Body)
		}
		if want == 404 && (strings.Contains(w.Header().Get("Cache-Control"), "immutable") || w.Header().Get("Content-Encoding") != "") {
			t.Errorf("%s: an error that is kept for good: %v", path, w.Header())
		}
	}
	if w := s.get("/log/"+c.ID+"/tile/entries/002", "Accept-Encoding", "gzip"); w.Code != 404 || w.Body.String() != `{"title":"Not Found","status":404}` {
		t.Errorf("beyond the log, packed: %d %q", w.Code, w.Body)
	}
}

// A log is found by the consultation's ID only, from its opening on, for good.
func TestWhichLogsThereAre(t *testing.T) {
	s := newSite(t)
	draft := s.draft("geheim")
	later := s.publish("straks", func(c *participation.Consultation) {
		c.OpensAt, c.ClosesAt = s.now().Add(time.Hour), s.now().Add(2*time.Hour)
	})
	open := s.publish("open")
	asked := s.publish("vraag", func(c *participation.Consultation) { c.Kind, c.Options = participation.OpenQuestion, nil })
	gone := s.publish("weg")
	s.ok(s.service.Withdraw(t.Context(), gone.ID, "De vraag klopte niet."))
	for _, file := range []string{"checkpoint", "key", "tile/0/000.p/1", "tile/entries/000.p/1"} {
		unknown := s.get("/log/nietes/" + file)
		for id, want := range map[string]int{open.ID: 200, gone.ID: 200, open.Slug: 404, later.ID: 404, draft.ID: 404, asked.ID: 404} {
			w := s.get("/log/" + id + "/" + file)
			if w.Code != want {
				t.Errorf("%s of %s: %d, want %d", file, id, w.Code, want)
			}
			if w.Code == http.StatusNotFound && w.Body.String() != unknown.Body.String() {
				t.Errorf("%s of %s: %q, and of what never was %q", file, id, w.Body, unknown.Body)
			}
		}
	}
	for lang, title := range map[string]string{"nl": "Stemlogboeken", "en": "Ballot logs"} {
		d := s.page("/logs", 200, "Accept-Language", lang)
		key, fingerprint := s.service.NodeKey()
		head, err := s.service.Log(t.Context(), open.Number)
		s.ok(err)
		if text(d, "h1") != title || d.Find("main article").Length() != 2 {
			t.Errorf("%q lists %d logs, want 2", text(d, "h1"), d.Find("main article").Length())
		}
		says(t, d, "main", []string{key, fingerprint, "@gemeente@inspraak.example"}, []string{"geheim", "straks"})
		says(t, d, "article#"+open.ID, []string{"inspraak.example/log/" + open.ID}, nil)
		if got := d.Find("article#" + open.ID + " pre").First().Text(); got != head.Checkpoint {
			t.Errorf("the checkpoint to copy is %q, want %q", got, head.Checkpoint)
		}
		if d.Find("article#"+open.ID+" details pre").Length() != 1 {
			t.Error("the published checkpoint is not there")
		}
	}
}

// The checkpoint's post stands on its own page only.
func TestCheckpointPost(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin")
	posts, err := s.service.Posts(t.Context(), c.ID)
	s.ok(err)
	if len(posts) != 1 {
		t.Fatalf("%d posts", len(posts))
	}
	for lang, want := range map[string]string{"nl": "Controlepunt van het stemlogboek", "en": "Checkpoint of the ballot log"} {
		d := s.page("/consultations/speeltuin/posts/"+posts[0].ID, 200, "Accept-Language", lang)
		if got := text(d, "h1"); got != want {
			t.Errorf("title %q, want %q", got, want)
		}
		says(t, d, "article", []string{"inspraak.example/log/" + c.ID}, nil)
		if d.Find(`main a[href="/logs"]`).Length() != 1 {
			t.Error("no link to the logs")
		}
	}
	if got := s.page("/consultations/speeltuin", 200).Find("article").Length(); got != 0 {
		t.Errorf("%d articles on the question's page", got)
	}
}
