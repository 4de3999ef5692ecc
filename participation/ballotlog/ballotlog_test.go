package ballotlog_test

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"inspraak/participation/ballotlog"
)

type tiles map[[2]int64][]byte

func (t tiles) Tile(level int, n int64) ([]byte, error) { return t[[2]int64{int64(level), n}], nil }
func (t tiles) SaveTile(level int, n int64, hashes []byte) error {
	t[[2]int64{int64(level), n}] = hashes
	return nil
}

// plain computes the root from all entries, as RFC 6962 §2.1 defines it.
func plain(entries []string) tlog.Hash {
	switch n := len(entries); n {
	case 0:
		return tlog.Hash{}
	case 1:
		return tlog.RecordHash([]byte(entries[0]))
	default:
		k := 1
		for k*2 < n {
			k *= 2
		}
		return tlog.NodeHash(plain(entries[:k]), plain(entries[k:]))
	}
}

// TestTree grows a tree in steps of all sizes, past two levels of tiles, and
// holds each root and some proofs against the definition.
func TestTree(t *testing.T) {
	tree := &ballotlog.Tree{Tiles: tiles{}}
	var all []string
	for _, step := range []int{1, 1, 2, 250, 2, 1, 255, 256, 257, 1000, 3, 64000, 1100} {
		var batch []string
		for i := range step {
			batch = append(batch, fmt.Sprint("entry ", len(all)+i))
		}
		all = append(all, batch...)
		if err := tree.Append(batch); err != nil {
			t.Fatal(err)
		}
		root, err := tree.Root()
		if err != nil {
			t.Fatal(err)
		}
		if want := plain(all); root != want {
			t.Fatalf("root of %d entries: %v, want %v", len(all), root, want)
		}
		for _, n := range []int64{0, tree.Size / 2, tree.Size - 1} {
			proof, err := tlog.ProveRecord(tree.Size, n, tree)
			if err != nil {
				t.Fatal(err)
			}
			if err := tlog.CheckRecord(proof, tree.Size, root, n, tlog.RecordHash([]byte(all[n]))); err != nil {
				t.Errorf("entry %d of %d: %v", n, tree.Size, err)
			}
		}
	}
}

// TestRebuild sees every way in which tiles and entries can part.
func TestRebuild(t *testing.T) {
	stored := tiles{}
	tree := &ballotlog.Tree{Tiles: stored}
	var all []string
	for i := range 70_000 {
		all = append(all, fmt.Sprint("entry ", i))
	}
	if err := tree.Append(all); err != nil {
		t.Fatal(err)
	}
	rebuild := func() (root tlog.Hash, err error) {
		r := &ballotlog.Rebuild{Tiles: stored}
		for _, e := range all {
			if err := r.Add(e); err != nil {
				return root, err
			}
		}
		return r.Root(), r.Finish()
	}
	want, err := tree.Root()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := rebuild(); err != nil || got != want {
		t.Fatalf("root %v, %v; want %v", got, err, want)
	}
	for at, tile := range stored {
		if at[0] == 0 && at[1]%100 != 0 && at[1] != 273 {
			continue
		}
		for _, i := range []int{0, len(tile) - 1} {
			tile[i] ^= 1
			if _, err := rebuild(); err == nil {
				t.Errorf("byte %d of tile %d of level %d was altered, and nothing said so", i, at[1], at[0])
			}
			tile[i] ^= 1
		}
	}
	all[12345] += "!"
	if _, err := rebuild(); err == nil {
		t.Error("an entry was altered, and nothing said so")
	}
}

// TestCheckpoint opens a checkpoint with the library that others use, and sees
// that what is not the log's own is refused.
func TestCheckpoint(t *testing.T) {
	key, err := ballotlog.NewKey([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	const origin = "node.example/log/abc"
	root := tlog.RecordHash([]byte("x"))
	checkpoint, err := key.Checkpoint(origin, 1, root)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(key.Verifier(origin))
	if err != nil {
		t.Fatal(err)
	}
	opened, err := note.Open([]byte(checkpoint), note.VerifierList(verifier))
	if err != nil || opened.Text != fmt.Sprintf("%s\n1\n%s\n", origin, root) {
		t.Fatalf("opened %+v, %v", opened, err)
	}
	head, err := key.OpenCheckpoint(origin, checkpoint)
	if err != nil || head.Size != 1 || head.Root != root {
		t.Fatalf("head %+v, %v", head, err)
	}
	other, _ := key.Checkpoint("node.example/log/other", 1, root)
	for name, bad := range map[string]string{
		"another log's": other, "altered": strings.Replace(checkpoint, "\n1\n", "\n2\n", 1), "empty": "",
	} {
		if _, err := key.OpenCheckpoint(origin, bad); err == nil {
			t.Errorf("%s checkpoint was accepted", name)
		}
	}
}

// TestEntry fixes what a commitment is: computed by hand with
// printf 'inspraak ballot v1\n…' | sha256sum.
func TestEntry(t *testing.T) {
	b := ballotlog.Ballot{Code: "AAAA-BBBB-CCCC-2345", Options: []int{1, 3}, Nonce: strings.Repeat("0f", 16)}
	m, err := ballotlog.MarkOf(b.Entry("node.example/log/abc"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := hex.EncodeToString(m[:]), "8e7a04573bf5cea2776142f20c0e10fa"; got != want {
		t.Errorf("commitment begins with %s, want %s", got, want)
	}
}

func TestTally(t *testing.T) {
	one := ballotlog.Ballot{Code: "1", Options: []int{1}}.Entry("o")
	two := ballotlog.Ballot{Code: "2", Options: []int{2}}.Entry("o")
	open, closing := "open/v1 {}", `close/v1 {"turnout":1}`
	for _, c := range []struct {
		name    string
		entries []string
		wrong   string // the error; empty: none
		live    int
	}{
		{"an ordinary log", []string{open, one, two, `void/v1 {"entry":1,"reason":"withdrawn"}`, closing,
			`destroy/v1 {"step":"announced"}`, `destroy/v1 {"step":"cancelled"}`, `destroy/v1 {"step":"announced"}`, `destroy/v1 {"step":"done"}`}, "", 1},
		{"the same ballot again", []string{open, one, `void/v1 {"entry":1,"reason":"superseded"}`, one, closing}, "", 1},
		{"not opened", []string{one}, "entry 0", 0},
		{"opened twice", []string{open, open}, "entry 1", 0},
		{"voided twice", []string{open, one, `void/v1 {"entry":1}`, `void/v1 {"entry":1}`}, "entry 3", 0},
		{"a void of no ballot", []string{open, `void/v1 {"entry":0}`}, "entry 1", 0},
		{"a void of what comes", []string{open, `void/v1 {"entry":2}`, one}, "entry 1", 0},
		{"a ballot after closing", []string{open, closing, one}, "entry 2", 0},
		{"closed twice", []string{open, closing, closing}, "entry 2", 0},
		{"withdrawn and destroyed", []string{open, one, `destroy/v1 {"step":"announced"}`, `destroy/v1 {"step":"done"}`}, "", 1},
		{"a ballot after withdrawal", []string{open, `destroy/v1 {"step":"announced"}`, one}, "entry 2", 0},
		{"closed after destruction", []string{open, `destroy/v1 {"step":"announced"}`, closing}, "entry 2", 0},
		{"destroyed unannounced", []string{open, closing, `destroy/v1 {"step":"done"}`}, "entry 2", 0},
		{"cancelled unannounced", []string{open, closing, `destroy/v1 {"step":"cancelled"}`}, "entry 2", 0},
		{"announced twice", []string{open, closing, `destroy/v1 {"step":"announced"}`, `destroy/v1 {"step":"announced"}`}, "entry 3", 0},
		{"announced after it was done", []string{open, closing, `destroy/v1 {"step":"announced"}`, `destroy/v1 {"step":"done"}`, `destroy/v1 {"step":"announced"}`}, "entry 4", 0},
		{"destroyed in an unknown way", []string{open, closing, `destroy/v1 {"step":"burnt"}`}, "entry 2", 0},
		{"an unknown type", []string{open, "gift/v1 {}"}, "entry 1", 0},
		{"a ballot cut short", []string{open, one[:len(one)-1]}, "entry 1", 0},
	} {
		set, err := ballotlog.Set{}, error(nil)
		tally := ballotlog.NewTally(set)
		for _, e := range c.entries {
			if err = tally.Add(e, func(n int64) (string, error) { return c.entries[n], nil }); err != nil {
				break
			}
		}
		switch {
		case c.wrong == "" && (err != nil || len(set) != c.live):
			t.Errorf("%s: %d live, %v", c.name, len(set), err)
		case c.wrong != "" && (err == nil || !strings.HasPrefix(err.Error(), c.wrong+":")):
			t.Errorf("%s: %v, want one of %s", c.name, err, c.wrong)
		}
	}
}

// A sum tells what a set tells when all is taken: whether it was all, and nothing
// else.
func TestSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		few := rapid.Map(rapid.IntRange(0, 9), func(i int) ballotlog.Mark { return ballotlog.Mark{15: byte(i)} })
		added := rapid.SliceOf(few).Draw(t, "added")
		taken := rapid.OneOf(rapid.Permutation(added), rapid.SliceOf(few)).Draw(t, "taken")
		sum, set, all := ballotlog.NewSum(), ballotlog.Set{}, true
		for _, m := range added {
			sum.Add(m)
			set.Add(m)
		}
		for _, m := range taken {
			sum.Take(m)
			all = set.Take(m) && all
		}
		if want := all && set.Empty(); sum.Empty() != want {
			t.Errorf("a sum to which %v was added and from which %v was taken is empty: %v", added, taken, !want)
		}
	})
}
