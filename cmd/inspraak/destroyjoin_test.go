package main

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"inspraak/participation"
)

// TestDestroyDrill destroys, and then tries to join ballots and voters with
// everything that was there before but the key: a backup, copies of the files
// from the middle and the end, and the keys folder as it is now. Every search
// first finds what it looks for where the key is still there, so that finding
// nothing means something.
func TestDestroyDrill(t *testing.T) {
	d := newDrill(t)
	d.vote(0, drillVoters/2)
	copies := map[string]string{"files, while voting": d.copyFiles("while voting")}
	d.vote(drillVoters/2, drillVoters)
	d.close()
	d.now = d.c.ClosedAt.Add(d.config.ObjectionPeriod)
	d.inspraak(d.config.Path, "backup", d.path("old.age"), "--recipient", d.age)
	copies["files, at the end"] = d.copyFiles("at the end")
	codes := d.published()
	secret, err := d.keys.Secret(d.c.ID)
	d.must(err)
	var pseudonyms []participation.Pseudonym // in the order of voting
	for _, v := range d.voters {
		pseudonyms = append(pseudonyms, secret.Voter(v))
	}
	if order, _ := d.ballots(d.copyFiles("check")); len(order) != drillVoters {
		t.Fatalf("%d ballots, want %d", len(order), drillVoters)
	}
	d.leave()
	before := d.read(d.config.Database())
	d.destroy()

	t.Run("files", func(t *testing.T) {
		needles := [][]byte{d.key, bytes.ToUpper(d.key), must2(hex.DecodeString(string(d.key)))(&cluster{t: t})}
		for i, v := range d.voters {
			needles = append(needles, []byte(v), pseudonyms[i][:])
		}
		_, sealed := d.ballots(copies["files, at the end"])
		for _, s := range sealed {
			needles = append(needles, s[:24], s[len(s)-24:])
		}
		if n := len(found(before, needles)); n < 3*drillVoters-10 {
			t.Errorf("only %d traces before the destruction: the test proves nothing", n)
		}
		d.must(filepath.WalkDir(d.config.Data, func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			content, err := os.ReadFile(path)
			if hits := found(content, needles); len(hits) > 0 {
				t.Errorf("%s holds %d traces, such as %q", path, len(hits), hits[0])
			}
			return err
		}))
		if info, err := os.Stat(d.config.Database() + "-wal"); err != nil || info.Size() > 200<<10 {
			t.Errorf("the write-ahead log: %v, %v", info, err) // only what came after: the entry, its post
		}
	})

	// Another machine: the backup, and the keys folder of the node as it is now.
	d.must(os.CopyFS(d.path("other", "data", "keys"), os.DirFS(d.config.Keys)))
	d.must(os.RemoveAll(d.path("other", "data", "keys", "actors")))
	d.must(filepath.WalkDir(d.path("other", "data", "keys"), func(path string, e os.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			return os.Chmod(path, 0o700)
		}
		return os.Chmod(path, 0o400)
	}))
	said := d.inspraak(d.path("other", "inspraak.yaml"), "restore", d.path("old.age"), "--identity", d.path("age.key"))
	if !strings.Contains(said, "Read-only for lack of its key: plein") {
		t.Errorf("restore says %s", said)
	}
	copies["backup"] = d.path("other", "data", "inspraak.db")
	keys := d.rawKeys(d.path("other", "data", "keys"))
	control := slices.Concat(keys, d.rawKeys(d.keyOnly()))

	for name, database := range copies {
		voted := drillVoters
		if name == "files, while voting" {
			voted /= 2
		}
		order, sealed := d.ballots(database)
		content := d.read(database)
		if len(order) != voted {
			t.Fatalf("%s: %d ballots, want %d", name, len(order), voted)
		}
		t.Run(name+" by value", func(t *testing.T) {
			rows := bytes.Join(sealed, nil)
			for _, v := range order {
				rows = append(rows, v[:]...)
			}
			if hits := d.byValue(rows, strings.Join(codes, " "), control); hits < 2*voted-20 {
				t.Errorf("with the key only %d are joined: the test proves nothing", hits)
			}
			if hits := d.byValue(rows, strings.Join(codes, " "), keys); hits > 0 {
				t.Errorf("%d ballots or codes are joined to an actor", hits)
			}
			if opened := opens(t, order, sealed, control); opened != voted {
				t.Errorf("with the key %d of %d ballots open: the test proves nothing", opened, voted)
			}
			if opened := opens(t, order, sealed, keys); opened > 0 {
				t.Errorf("%d ballots open", opened)
			}
		})
		t.Run(name+" by row order", func(t *testing.T) {
			limit := 5 / math.Sqrt(float64(voted))
			when := map[participation.Pseudonym]int{}
			for i, p := range pseudonyms {
				when[p] = i
			}
			var rows, places []int
			for _, v := range order {
				rows = append(rows, when[v])
			}
			for _, p := range pseudonyms[:voted] { // where the bytes lie in the file
				places = append(places, bytes.Index(content, p[:]))
			}
			if r := rank(ranked(rows)); math.Abs(r) > limit {
				t.Errorf("the order of the rows and that of voting correlate by %.2f", r)
			}
			if r := rank(ranked(places)); math.Abs(r) > limit {
				t.Errorf("the place of the rows in the file and the order of voting correlate by %.2f", r)
			}
		})
		t.Run(name+" by time", func(t *testing.T) {
			if hits := byTime(content, d.times); len(hits) > 0 {
				t.Errorf("%d times of votes are there, such as %s", len(hits), hits[0])
			}
		})
	}
	t.Run("codes by order", func(t *testing.T) {
		code := map[string]int{}
		for i, c := range codes {
			code[c] = i
		}
		var lines []int
		full := attacker(control[len(control)-1], d.voters)
		for _, c := range full.codes { // in the order of voting; who took it back has none
			if i, ok := code[c]; ok {
				lines = append(lines, i)
			}
		}
		if len(lines) != len(codes) {
			t.Fatalf("%d of %d codes known", len(lines), len(codes))
		}
		if r := rank(ranked(lines)); math.Abs(r) > 5/math.Sqrt(float64(len(lines))) {
			t.Errorf("the order of ballots.csv and that of voting correlate by %.2f", r)
		}
	})
	t.Run("times after it", func(t *testing.T) {
		if hits := byTime(d.read(d.config.Database()), d.times); len(hits) > 0 {
			t.Errorf("%d times of votes are there, such as %s", len(hits), hits[0])
		}
	})
}

// rawKeys are the bytes of every key file of a folder: decoded, where it is a key
// in hexadecimal.
func (d *drill) rawKeys(folder string) (keys [][]byte) {
	d.t.Helper()
	d.must(filepath.WalkDir(folder, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if raw, bad := hex.DecodeString(strings.TrimSpace(string(content))); bad == nil && len(raw) > 0 {
			content = raw
		}
		keys = append(keys, content)
		return err
	}))
	return keys
}

// keyOnly is a folder with the escrow copy of the key that was destroyed.
func (d *drill) keyOnly() string {
	d.t.Helper()
	d.must(os.MkdirAll(d.path("escrow"), 0o700))
	d.must(os.WriteFile(d.path("escrow", "c.key"), d.key, 0o600))
	return d.path("escrow")
}

// candidates are what an attacker who knows this program makes of a key and the
// addresses of all accounts.
type candidates struct {
	digests [][]byte
	codes   []string // of each actor, in order
}

func attacker(key []byte, actors []string) (c candidates) {
	mac := func(key, text []byte) []byte {
		h := hmac.New(sha256.New, key)
		h.Write(text)
		return h.Sum(nil)
	}
	derive := func(purpose string) []byte {
		out, err := hkdf.Expand(sha256.New, key, "inspraak/v1/"+purpose, 32)
		if err != nil {
			panic(err)
		}
		return out
	}
	names, marks, codes := derive("voter"), derive("mark"), derive("code")
	for _, a := range actors {
		plain := sha256.Sum256([]byte(a))
		voter := mac(names, []byte(a))[:16]
		code := mac(codes, append(slices.Clone(voter), 0xff))
		text := base32.StdEncoding.EncodeToString(code[:10])
		c.codes = append(c.codes, text[:4]+"-"+text[4:8]+"-"+text[8:12]+"-"+text[12:])
		c.digests = append(c.digests, []byte(a), plain[:16], voter, mac(key, []byte(a))[:16],
			mac(marks, []byte(a))[:16], mac(codes, []byte(a))[:16], mac(marks, []byte(a+"#votes/1"))[:8], mac(nil, []byte(a))[:16])
	}
	return c
}

// byValue counts what any of the keys joins to an actor, in rows of ballots and
// in published codes.
func (d *drill) byValue(rows []byte, published string, keys [][]byte) (hits int) {
	for _, key := range append(keys, nil) {
		c := attacker(key, d.voters)
		hits += len(found(rows, c.digests))
		for _, code := range c.codes {
			hits += strings.Count(published, code)
		}
	}
	return hits
}

// opens counts the ballots that any of the keys opens.
func opens(t *testing.T, order []participation.Pseudonym, sealed [][]byte, keys [][]byte) (opened int) {
	t.Helper()
	for _, key := range keys {
		secret, err := participation.NewSecret(key)
		if err != nil {
			continue // no key of that kind
		}
		for i, s := range sealed {
			if _, err := secret.Open(s, order[i][:]); err == nil {
				opened++
			}
		}
	}
	return opened
}

// byTime lists the times that stand in a file in any form that this program has
// for times: milliseconds and seconds, as SQLite and sealed ballots hold numbers,
// and in words.
func byTime(content []byte, times []time.Time) (hits [][]byte) {
	var needles [][]byte
	for _, at := range times {
		ms := binary.BigEndian.AppendUint64(nil, uint64(at.UnixMilli()))[2:]
		s := binary.BigEndian.AppendUint64(nil, uint64(at.Unix()))
		needles = append(needles, ms, s, fmt.Append(nil, at.UnixMilli()), fmt.Append(nil, at.Unix()),
			[]byte(at.UTC().Format("2006-01-02T15:04:05")), []byte(at.UTC().Format("2006-01-02 15:04:05")))
	}
	return found(content, needles)
}

// found lists the needles that occur in a text, by their first six bytes in one
// pass.
func found(text []byte, needles [][]byte) (hits [][]byte) {
	starts := map[[6]byte][][]byte{}
	for _, n := range needles {
		starts[[6]byte(n)] = append(starts[[6]byte(n)], n)
	}
	for i := 0; i+6 <= len(text); i++ {
		start := [6]byte(text[i:])
		kept := starts[start][:0]
		for _, n := range starts[start] {
			if bytes.HasPrefix(text[i:], n) {
				hits = append(hits, n)
			} else {
				kept = append(kept, n)
			}
		}
		if len(kept) > 0 || starts[start] != nil {
			starts[start] = kept
		}
	}
	return hits
}

// The searches of the drill find what they are for.
func TestDrillSearches(t *testing.T) {
	at := time.Date(2026, 9, 1, 8, 0, 0, 123e6, time.UTC)
	for what, text := range map[string][]byte{
		"milliseconds": binary.BigEndian.AppendUint64([]byte("x"), uint64(at.UnixMilli())),
		"seconds":      binary.BigEndian.AppendUint64(nil, uint64(at.Unix())),
		"words":        []byte(`{"at":"2026-09-01T08:00:00Z"}`),
	} {
		if len(byTime(text, []time.Time{at})) == 0 {
			t.Errorf("a time in %s was overlooked", what)
		}
	}
	if r := rank(ranked([]int{1, 5, 9, 70})); r != 1 {
		t.Errorf("an order correlates with itself by %f", r)
	}
	if hits := found([]byte("aaaaaabbbbbb-aaaaaab"), [][]byte{[]byte("aaaaaab"), []byte("aaaaaac"), []byte("bbbbbb")}); len(hits) != 2 {
		t.Errorf("found %q", hits)
	}
}
