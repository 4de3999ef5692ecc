package verify_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"inspraak/verify"
)

// FuzzDataset reads any bytes as a zip: a report or a problem, never a panic.
func FuzzDataset(f *testing.F) {
	n := newNode(f, "x.example").hold(shape{kind: "single-choice", options: 2, voters: 3, batch: 2})
	list := n.members(n.files())
	f.Add(zipped(f, list))
	f.Add(zipped(f, list[:4]))
	var stored bytes.Buffer // what is not compressed can be altered inside
	w := zip.NewWriter(&stored)
	for _, m := range list {
		file, err := w.CreateHeader(&zip.FileHeader{Name: m.name})
		if err == nil {
			_, err = file.Write([]byte(m.text))
		}
		if err != nil {
			f.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(stored.Bytes())
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	path := filepath.Join(f.TempDir(), "dataset.zip")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := verify.Dataset(t.Context(), path, verify.Options{})
		var p *verify.Problem
		if r.Verified != (err == nil) || err != nil && (!errors.As(err, &p) || p.What == "") {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

// FuzzCopy reads any text as a copied post.
func FuzzCopy(f *testing.F) {
	n := newNode(f, "x.example").hold(shape{kind: "single-choice", options: 2, voters: 3, batch: 2})
	path := save(f, n.zip())
	other := newNode(f, "x.example").hold(shape{kind: "single-choice", options: 2, voters: 3, batch: 2})
	f.Add(other.checkpoints(3)[0])
	f.Add("<p>x.example/log/K3J5<br>3<br>" + strings.Repeat("A", 43) + "=</p><p>— x.example/log/K3J5 AAAA</p>")
	f.Add("— — —")
	f.Fuzz(func(t *testing.T, text string) {
		// None of these is signed with the key, so none may pass.
		if r, err := verify.Dataset(t.Context(), path, verify.Options{Copies: []verify.Copy{{Name: "copy", Text: []byte(text)}}}); err == nil {
			t.Errorf("verified with %q: %+v", text, r)
		}
	})
}

// TestBombs are archives that promise, or are, far more than they weigh.
func TestBombs(t *testing.T) {
	n := newNode(t, "x.example").hold(shapes()["single"])
	honest := n.files()
	total := func(list []member) []member { // a signed manifest of three terabytes
		for i := range list {
			if list[i].name == "manifest.txt" {
				text, _, _ := strings.Cut(list[i].text, "\n\n")
				list[i].text = n.sign(strings.Replace(text, " 8 LICENSE.txt", " 3000000000000 LICENSE.txt", 1) + "\n")
			}
		}
		return list
	}
	many := make([]member, 40_000)
	for i := range many {
		many[i] = member{name: strings.Repeat("x", 30) + string(rune('a'+i%26)) + strings.Repeat("y", i/26%200), text: ""}
	}
	wide := zipped(t, many)
	claim := bytes.Clone(wide) // an end record that promises four gigabytes of directory
	binary.LittleEndian.PutUint32(claim[len(claim)-10:], 1<<32-2)
	for name, c := range map[string]struct {
		data  []byte
		where string
	}{
		"manifest":         {zipped(t, total(n.members(honest))), "manifest.txt line 3"},
		"huge manifest":    {zipped(t, append(without("manifest.txt")(n.members(honest)), member{"manifest.txt", strings.Repeat("\n", 8<<20)})), "manifest.txt"},
		"huge key":         {zipped(t, []member{{"key.txt", strings.Repeat("x", 8<<20)}}), "key.txt"},
		"directory":        {wide, "the zip"},
		"directory's size": {claim, "the zip"},
	} {
		if r, err := verify.Dataset(t.Context(), save(t, c.data), verify.Options{}); err == nil || r.Where != c.where {
			t.Errorf("%s: %v; want it at %q", name, err, c.where)
		}
	}
}

// FuzzSigned is a node that signs whatever it is given: an entry, a row, a result
// and an array of checkpoints.
func FuzzSigned(f *testing.F) {
	n := newNode(f, "x.example").hold(shape{kind: "multiple-choice", options: 3, voters: 4, voids: 2, batch: 2})
	honest := n.files()
	for _, entry := range n.log {
		f.Add(entry, n.rows[0], honest["result.json"], honest["checkpoints.json"])
	}
	f.Add(`resume/v1 {"at":`+at+`,"acceptsUntil":`+at+`}`, "2222-2222-2222-2222,1 2,"+strings.Repeat("0", 32), "{}", "[]")
	path := filepath.Join(f.TempDir(), "dataset.zip")
	f.Fuzz(func(t *testing.T, entry, row, result, checkpoints string) {
		bad := *n
		bad.t, bad.log = t, slices.Insert(slices.Clone(n.log), 2, entry)
		bad.sizes = []int64{1, int64(len(bad.log))}
		files := bad.files()
		files["ballots.csv"] = "code,options,nonce\n" + row + "\n" + strings.TrimPrefix(files["ballots.csv"], "code,options,nonce\n")
		files["result.json"] = result
		if len(checkpoints)%2 == 0 {
			files["checkpoints.json"] = checkpoints
		}
		if err := os.WriteFile(path, zipped(t, bad.members(files)), 0o600); err != nil {
			t.Fatal(err)
		}
		// There is no row that fits this log: one would be a second preimage.
		r, err := verify.Dataset(t.Context(), path, verify.Options{})
		if err == nil || r.Where == "" {
			t.Errorf("%+v, %v", r, err)
		}
	})
}
