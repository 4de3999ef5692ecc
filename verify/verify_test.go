package verify_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"inspraak/verify"
)

// shapes are those that the document tells apart.
func shapes() map[string]shape {
	return map[string]shape{
		"single":         {kind: "single-choice", options: 3, voters: 40, voids: 4, batch: 10, events: true},
		"multiple":       {kind: "multiple-choice", options: 5, voters: 37, voids: 5, batch: 10},
		"per option":     {kind: "multiple-choice", options: 7, voters: 30, voids: 6, batch: 10},
		"withheld":       {kind: "single-choice", options: 2, voters: 9, voids: 3, batch: 10},
		"few per option": {kind: "multiple-choice", options: 6, voters: 5, batch: 10},
		"nobody":         {kind: "multiple-choice", options: 2, voters: 0, batch: 10},
	}
}

func TestVerified(t *testing.T) {
	for name, s := range shapes() {
		t.Run(name, func(t *testing.T) {
			n := newNode(t, "x.example").hold(s)
			r, err := verify.Dataset(t.Context(), save(t, n.zip()), verify.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if !r.Verified || r.Anchored || r.Origin != n.origin || r.Result.Turnout != n.turnout ||
				!slices.Equal(r.Result.Counts, n.counts) || r.Result.Entries != len(n.log) || r.Result.Question != "Welke naam?" {
				t.Errorf("report: %+v %+v", r, r.Result)
			}
			if r.Result.Early != "" || r.Result.Closed != "2026-12-24T16:00:00Z" || r.Extra.Rows != len(n.rows) || r.Extra.Files != 14 {
				t.Errorf("report: %+v %+v", r, r.Result)
			}
			notes := strings.Join(r.Notes, "\n")
			for part, want := range map[string]bool{
				"only that the dataset fits itself":  true,
				"the turnout cannot be":              n.perOption,
				"rows are withheld":                  s.voters < s.batch,
				"received since 2026-12-23T16:00:00": s.events,
			} {
				if strings.Contains(notes, part) != want {
					t.Errorf("%q in the notes: want %v\n%s", part, want, notes)
				}
			}
		})
	}
}

// TestLarge has a file that does not compress to nothing.
func TestLarge(t *testing.T) {
	n := newNode(t, "x.example").hold(shapes()["single"])
	noise := make([]byte, 2<<20)
	n.random.Read(noise)
	files := n.files()
	files["README.md"] = hex.EncodeToString(noise)
	if _, err := verify.Dataset(t.Context(), save(t, zipped(t, n.members(files))), verify.Options{}); err != nil {
		t.Error(err)
	}
}

func TestAnchors(t *testing.T) {
	n := newNode(t, "x.example").hold(shapes()["single"])
	path := save(t, n.zip())
	parts := strings.SplitN(n.vkey, "+", 3)
	first, err := verify.Dataset(t.Context(), path, verify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	other := newNode(t, "x.example")
	public, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, err := note.NewEd25519VerifierKey("y.example/log/K3J5", public[1:])
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		key, where string
	}{
		"verifier key":          {n.vkey + "\n", ""},
		"KEY":                   {" " + parts[2], ""},
		"fingerprint":           {strings.ToUpper(first.Fingerprint), ""},
		"other verifier key":    {other.vkey, "key.txt"},
		"other KEY":             {strings.SplitN(other.vkey, "+", 3)[2], "key.txt"},
		"other fingerprint":     {strings.Repeat("0", 64), "key.txt"},
		"key of another origin": {elsewhere, "key.txt"},
	} {
		t.Run(name, func(t *testing.T) {
			anchor, err := verify.ParseAnchor(c.key)
			if err != nil {
				t.Fatal(err)
			}
			r, err := verify.Dataset(t.Context(), path, verify.Options{Anchor: anchor})
			if !r.Anchored || (err == nil) != (c.where == "") || r.Where != c.where {
				t.Errorf("%v, anchored %v", err, r.Anchored)
			}
			if strings.HasPrefix(name, "other") == (r.Fingerprint == first.Fingerprint) || r.Fingerprint == "" {
				t.Errorf("trusted %s", r.Fingerprint)
			}
		})
	}
	for _, bad := range []string{"", "x", "http://x.example/actor", "ftp://x.example", parts[2][1:], "x.example+00000000+" + parts[2]} {
		if _, err := verify.ParseAnchor(bad); err == nil {
			t.Errorf("%q is taken for a key", bad)
		}
	}
}

func TestCopies(t *testing.T) {
	n := newNode(t, "x.example").hold(shapes()["single"])
	path := save(t, n.zip())
	size := int64(len(n.log))
	of := n.checkpoints(7, 20, size)
	forked := newNode(t, "x.example")
	forked.signer, forked.vkey = n.signer, n.vkey
	forked.hold(shape{kind: "single-choice", options: 3, voters: 41, voids: 2, batch: 10})
	stranger := newNode(t, "x.example").hold(shapes()["single"]) // same log, another key
	neighbour := newNode(t, "y.example").hold(shapes()["single"])
	newer := newNode(t, "x.example")
	newer.signer, newer.vkey, newer.log = n.signer, n.vkey, append(slices.Clone(n.log), `destroy/v1 {"step":"done","at":`+at+`}`)

	one := strings.Fields(of[1])
	for name, c := range map[string]struct {
		text, where string
		copies      int
		unread      bool
	}{
		"as signed":              {of[0], "", 1, false},
		"three, on one line":     {strings.Join(strings.Fields(of[2]+of[0]+of[1]), " "), "", 3, false},
		"in a post":              {"Telstand – stand —  van vandaag:\r\n\r\n" + strings.ReplaceAll(of[1], "\n", "\u00a0\r\n\t ") + " #inspraak", "", 1, false},
		"as HTML":                {"<p>" + strings.ReplaceAll(strings.ReplaceAll(of[1], "\n\n", "</p><p>"), "\n", "<br />") + "</p>", "", 1, false},
		"with zero width":        {strings.Join(one, "\u200b \u200b"), "", 1, false},
		"beside another log":     {neighbour.checkpoints(5)[0] + of[0], "", 1, false},
		"another log":            {neighbour.checkpoints(5)[0], "copy", 0, false},
		"another key":            {stranger.checkpoints(7)[0], "copy checkpoint 1", 0, false},
		"another history":        {of[0] + forked.checkpoints(20)[0], "copy checkpoint 2", 0, false},
		"altered":                {strings.Replace(of[1], "\n20\n", "\n21\n", 1), "copy checkpoint 1", 0, false},
		"another log, same name": {n.sign("y.example/log/K3J5" + strings.TrimPrefix(strings.Split(of[1], "\n\n")[0], n.origin) + "\n"), "copy checkpoint 1", 0, false},
		"altered origin":         {strings.Replace(of[1], "x.example", "z.example", 1), "copy checkpoint 1", 0, false},
		"without signature":      {of[0] + strings.Join(one[:5], " "), "copy checkpoint 2", 0, false},
		"newer":                  {newer.checkpoints(size + 1)[0], "copy checkpoint 1", 0, true},
		"newer, another key":     {strings.Replace(stranger.checkpoints(7)[0], "\n7\n", "\n70\n", 1), "copy checkpoint 1", 0, false},
		"no checkpoint at all":   {"Hallo — wat een mooi plein.", "copy", 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := verify.Dataset(t.Context(), path, verify.Options{Copies: []verify.Copy{{Name: "copy", Text: []byte(c.text)}}})
			if r.Where != c.where || (err == nil) != (c.where == "") || r.Extra.Copies != c.copies && err == nil {
				t.Fatalf("%v; want it at %q", err, c.where)
			}
			var p *verify.Problem
			if errors.As(err, &p) && p.Unread != c.unread {
				t.Errorf("%v: unread %v", err, p.Unread)
			}
		})
	}
}

// TestKept verifies a dataset that was made once, from the document, and must stay
// valid; a copy of its checkpoints went through a post.
func TestKept(t *testing.T) {
	key, err := os.ReadFile("testdata/key.txt")
	if err != nil {
		t.Fatal(err)
	}
	post, err := os.ReadFile("testdata/post.txt")
	if err != nil {
		t.Fatal(err)
	}
	anchor, err := verify.ParseAnchor(string(key))
	if err != nil {
		t.Fatal(err)
	}
	r, err := verify.Dataset(t.Context(), "testdata/dataset.zip", verify.Options{Anchor: anchor, Copies: []verify.Copy{{Name: "post", Text: post}}})
	if err != nil || !r.Anchored || r.Extra.Copies != 2 || !slices.Equal(r.Result.Counts, []int{4, 8, 4}) {
		t.Errorf("%v, %+v", err, r)
	}
}

// TestUnreadable names what is no dataset at all.
func TestUnreadable(t *testing.T) {
	data := newNode(t, "x.example").hold(shapes()["single"]).zip()
	for name, path := range map[string]string{
		"no file": "does-not-exist.zip",
		"folder":  t.TempDir(),
		"empty":   save(t, nil),
		"cut off": save(t, data[:len(data)-30]),
		"half":    save(t, data[:len(data)/2]),
		"text":    save(t, []byte(strings.Repeat("This is no zip.\n", 1000))),
	} {
		r, err := verify.Dataset(t.Context(), path, verify.Options{})
		var p *verify.Problem
		if !errors.As(err, &p) || !p.Unread || r.Verified || r.Problem == "" || r.Result != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// BenchmarkVerify100k verifies a dataset of 100,000 ballots and as many rows.
func BenchmarkVerify100k(b *testing.B) {
	n := newNode(b, "x.example").hold(shape{kind: "single-choice", options: 5, voters: 100_000, batch: 10})
	n.sizes = nil
	for size := int64(1); size < int64(len(n.log)); size += 1000 {
		n.sizes = append(n.sizes, size)
	}
	n.sizes = append(n.sizes, int64(len(n.log)))
	path := save(b, n.zip())
	if info, err := os.Stat(path); err == nil {
		b.ReportMetric(float64(info.Size())/1e6, "MB")
	}
	for b.Loop() {
		if _, err := verify.Dataset(b.Context(), path, verify.Options{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/dataset")
}
