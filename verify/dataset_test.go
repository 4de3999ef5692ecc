package verify_test

import (
	"archive/zip"
	"bytes"
	crand "crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// node makes datasets as docs/ballot-log.md says, in three steps that a test can
// meddle with: the log and rows, the files, the zip.
type node struct {
	t            testing.TB
	origin       string
	signer, vkey string
	random       *rand.ChaCha8

	options   []string
	batch     int
	perOption bool
	log       []string
	rows      []string
	sizes     []int64 // of the checkpoints
	counts    []int
	turnout   int
}

// shape is what a consultation was like.
type shape struct {
	kind    string
	options int
	voters  int
	voids   int // of every so many, one is superseded
	batch   int
	events  bool // outages and an older database
}

const at = `"2026-12-24T16:00:00Z"`

func newNode(t testing.TB, host string) *node {
	n := &node{t: t, origin: host + "/log/K3J5", random: rand.NewChaCha8([32]byte{1})}
	var err error
	if n.signer, n.vkey, err = note.GenerateKey(crand.Reader, n.origin); err != nil {
		t.Fatal(err)
	}
	return n
}

// hold carries a consultation through.
func (n *node) hold(s shape) *node {
	n.batch, n.perOption = s.batch, s.kind == "multiple-choice" && s.options > 5
	for i := range s.options {
		n.options = append(n.options, fmt.Sprintf("Plein %d é", i+1))
	}
	n.counts = make([]int, s.options)
	n.log = append(n.log, "open/v1 "+n.question(s.kind))
	for v := range s.voters {
		chosen := []int{1 + v%s.options}
		if s.kind == "multiple-choice" && v%3 == 0 && chosen[0] < s.options {
			chosen = append(chosen, chosen[0]+1)
		}
		if s.voids > 0 && v%s.voids == 0 {
			n.void(n.ballot(chosen), "superseded")
		}
		if s.events && v == s.voters/2 {
			n.log = append(n.log, `pause/v1 {"at":`+at+`}`, `resume/v1 {"at":`+at+`,"acceptsUntil":`+at+`}`,
				`rollback/v1 {"at":`+at+`,"databaseOf":"2026-12-23T16:00:00Z"}`)
		}
		n.turnout++
		for _, o := range chosen {
			n.counts[o-1]++
		}
		if !n.perOption {
			n.ballot(chosen)
			continue
		}
		for _, o := range chosen {
			n.ballot([]int{o})
		}
	}
	rows := "published"
	if n.turnout < n.batch {
		rows = "withheld"
	}
	n.log = append(n.log, fmt.Sprintf(`close/v1 {"at":%s,"early":"","turnout":%d,"counts":%s,"live":%d,"rows":"%s"}`,
		at, n.turnout, compact(n.counts), len(n.rows), rows))
	slices.Sort(n.rows)
	if rows == "withheld" {
		n.rows = nil
	}
	n.sizes = slices.Compact([]int64{1, int64(len(n.log)+1) / 2, int64(len(n.log))})
	return n
}

func (n *node) question(kind string) string {
	return fmt.Sprintf(`{"consultation":"K3J5","object":"https://x.example/o/K3J5","question":"Welke naam?","text":"**Tekst** <b>","language":"nl","kind":"%s","options":%s,"opens":%s,"closes":%s,"results":"at-close","rule":"1","allowedServers":[],"batchSize":%d,"intervalSeconds":180,"graceSeconds":180,"auditorKey":"","perOption":%v,"level":"","promise":"","decidedBy":"","decidedWhen":"","notOpen":"","notice":""}`,
		kind, compact(n.options), at, at, n.batch, n.perOption)
}

// ballot logs one and returns its row.
func (n *node) ballot(chosen []int) string {
	var raw [26]byte
	n.random.Read(raw[:])
	var letters [16]byte
	for i := range letters {
		letters[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[raw[i]&31]
	}
	code := fmt.Sprintf("%s-%s-%s-%s", letters[:4], letters[4:8], letters[8:12], letters[12:])
	options := strings.Trim(fmt.Sprint(chosen), "[]")
	nonce := hex.EncodeToString(append(raw[10:], raw[:0]...))
	n.log = append(n.log, "ballot/v1 "+n.commitment(code, options, nonce))
	row := code + "," + options + "," + nonce
	n.rows = append(n.rows, row)
	return row
}

func (n *node) commitment(code, options, nonce string) string {
	sum := sha256.Sum256([]byte("inspraak ballot v1\n" + n.origin + "\n" + code + "\n" + options + "\n" + nonce + "\n"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// void takes the newest ballot back.
func (n *node) void(row, reason string) {
	n.rows = slices.DeleteFunc(n.rows, func(r string) bool { return r == row })
	n.log = append(n.log, fmt.Sprintf(`void/v1 {"entry":%d,"reason":"%s"}`, len(n.log)-1, reason))
}

func (n *node) sign(text string) string {
	signer, err := note.NewSigner(n.signer)
	if err != nil {
		n.t.Fatal(err)
	}
	signed, err := note.Sign(&note.Note{Text: text}, signer)
	if err != nil {
		n.t.Fatal(err)
	}
	return string(signed)
}

// checkpoints signs the log at these sizes.
func (n *node) checkpoints(sizes ...int64) []string {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) (hashes []tlog.Hash, err error) {
		for _, i := range indexes {
			hashes = append(hashes, stored[i])
		}
		return hashes, nil
	})
	for i, entry := range n.log {
		more, err := tlog.StoredHashes(int64(i), []byte(entry), reader)
		if err != nil {
			n.t.Fatal(err)
		}
		stored = append(stored, more...)
	}
	var signed []string
	for _, size := range sizes {
		root, err := tlog.TreeHash(size, reader)
		if err != nil {
			n.t.Fatal(err)
		}
		signed = append(signed, n.sign(fmt.Sprintf("%s\n%d\n%s\n", n.origin, size, base64.StdEncoding.EncodeToString(root[:]))))
	}
	return signed
}

// files are all but the manifest.
func (n *node) files() map[string]string {
	csv := "code,options,nonce\n"
	if len(n.rows) > 0 {
		csv += strings.Join(n.rows, "\n") + "\n"
	}
	return map[string]string{
		"README.md": "What this is.\n", "LICENSE.txt": "CC0 1.0\n", "rule.md": "One ballot each.\n",
		"question.json":    strings.TrimPrefix(n.log[0], "open/v1 "),
		"ballots.csv":      csv,
		"servers.csv":      "server,ballots\nother,5\n",
		"refused.csv":      "reason,votes\n",
		"result.json":      fmt.Sprintf(`{"turnout":%d,"counts":%s,"options":%s,"closed":%s,"entries":%d}`, n.turnout, compact(n.counts), compact(n.options), at, len(n.log)),
		"integrity.json":   "{}",
		"log.txt":          strings.Join(n.log, "\n") + "\n",
		"checkpoints.json": compact(n.checkpoints(n.sizes...)),
		"key.txt":          n.vkey + "\n",
		"verify.py":        "pass\n",
	}
}

// member is a file in a zip.
type member struct{ name, text string }

// members adds the manifest.
func (n *node) members(files map[string]string) []member {
	text := n.origin + "\ninspraak dataset v1\n"
	var list []member
	for name, content := range files {
		list = append(list, member{name, content})
	}
	slices.SortFunc(list, func(a, b member) int { return strings.Compare(a.name, b.name) })
	for _, m := range list {
		text += fmt.Sprintf("%x %d %s\n", sha256.Sum256([]byte(m.text)), len(m.text), m.name)
	}
	return append(list, member{"manifest.txt", n.sign(text)})
}

func zipped(t testing.TB, list []member) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, m := range list {
		f, err := w.Create(m.name)
		if err == nil {
			_, err = f.Write([]byte(m.text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// zip is the honest dataset.
func (n *node) zip() []byte { return zipped(n.t, n.members(n.files())) }

func save(t testing.TB, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "dataset.zip")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// compact is JSON without escapes that are not needed.
func compact(v any) string {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return strings.TrimSpace(out.String())
}
