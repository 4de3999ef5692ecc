package dataset_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"inspraak/participation/dataset"
)

const origin = "inspraak.example/log/k3v9"

// keys are those of the log, the same in every run.
func keys(t testing.TB) (private, public string) {
	t.Helper()
	private, public, err := note.GenerateKey(bytes.NewReader(bytes.Repeat([]byte{7}, 64)), origin)
	if err != nil {
		t.Fatal(err)
	}
	return private, public
}

func signer(t testing.TB) func(string) (string, error) {
	t.Helper()
	private, _ := keys(t)
	s, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	return func(text string) (string, error) {
		signed, err := note.Sign(&note.Note{Text: text}, s)
		return string(signed), err
	}
}

// title has all that could break a line, a table, a quote or a page.
const title = "Fietspad of \"parkeren\"?\r\nZeg het | ons: <b>*één*</b> & 🚲 `nu`"

// small is a dataset of 12 ballots that a verifier accepts.
func small(t testing.TB) dataset.Input {
	t.Helper()
	_, key := keys(t)
	options := []string{"Fietspad, \"breed\"", "Parkeren & laden | lossen", "Žádné – niets 🌳"}
	question := opening(t, options)
	entries := []string{"open/v1 " + string(question)}
	counts := make([]int, len(options))
	var rows []dataset.Row
	for i := range 12 {
		row := dataset.Row{Code: code(i * 77777), Options: [][]int{{1}, {1, 3}, {2}, {1, 2, 3}}[i%4], Nonce: fmt.Sprintf("%032x", i*1234567)}
		var numbers []string
		for _, o := range row.Options {
			counts[o-1]++
			numbers = append(numbers, fmt.Sprint(o))
		}
		sum := sha256.Sum256(fmt.Appendf(nil, "inspraak ballot v1\n%s\n%s\n%s\n%s\n", origin, row.Code, strings.Join(numbers, " "), row.Nonce))
		entries = append(entries, "ballot/v1 "+base64.StdEncoding.EncodeToString(sum[:]))
		rows = append(rows, row)
	}
	result, _ := json.Marshal(counts)
	entries = append(entries, fmt.Sprintf(`close/v1 {"at":"2026-11-20T20:00:00Z","early":"","turnout":12,"counts":%s,"live":12,"rows":"published"}`, result))
	return dataset.Input{
		Origin: origin, Key: key,
		Municipality: "Gemeente Voorbeeldstad", Title: title, Language: "nl", Page: "https://inspraak.example/c/fietspad",
		Kind: "multiple-choice", Options: options, BatchSize: 10, Question: question,
		Rule:   "Elk account telt een keer.\n\nOne account, one ballot.",
		Closed: time.Date(2026, 11, 20, 21, 0, 0, 5, time.FixedZone("", 3600)), Turnout: 12, Counts: counts,
		Rows:        each(rows),
		Servers:     []dataset.Range{{Name: "mastodon.example", AtLeast: 10, AtMost: 12}, {Name: dataset.Other, AtMost: 9}},
		Refused:     []dataset.Cell{{Name: "repeated", N: 25}, {Name: "late", N: 10}},
		Integrity:   []byte(`{"label":"fragile"}`),
		Entries:     each(entries),
		EntryCount:  int64(len(entries)),
		Checkpoints: []string{checkpoint(t, entries[:1]), checkpoint(t, entries)},
	}
}

// opening is the JSON of open/v1, its members in the document's order.
func opening(t testing.TB, options []string) []byte {
	t.Helper()
	b, err := json.Marshal(struct {
		Consultation    string   `json:"consultation"`
		Object          string   `json:"object"`
		Question        string   `json:"question"`
		Text            string   `json:"text"`
		Language        string   `json:"language"`
		Kind            string   `json:"kind"`
		Options         []string `json:"options"`
		Opens           string   `json:"opens"`
		Closes          string   `json:"closes"`
		Results         string   `json:"results"`
		Rule            string   `json:"rule"`
		AllowedServers  []string `json:"allowedServers"`
		BatchSize       int      `json:"batchSize"`
		IntervalSeconds int      `json:"intervalSeconds"`
		GraceSeconds    int      `json:"graceSeconds"`
		AuditorKey      string   `json:"auditorKey"`
		PerOption       bool     `json:"perOption"`
		Level           string   `json:"level"`
		Promise         string   `json:"promise"`
		DecidedBy       string   `json:"decidedBy"`
		DecidedWhen     string   `json:"decidedWhen"`
		NotOpen         string   `json:"notOpen"`
		Notice          string   `json:"notice"`
	}{
		"k3v9", "https://inspraak.example/consultations/k3v9", title, "Wat **vindt** u?", "nl", "multiple-choice", options,
		"2026-11-01T08:00:00Z", "2026-11-20T20:00:00Z", "at-close", "1", []string{}, 10, 3600, 300, "", false,
		"consult", "Wij luisteren.", "De raad", "2027", "Het tracé", "Geen zienswijze",
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func code(i int) string {
	var b [16]byte
	for k := range b {
		b[15-k] = "234567ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i>>(5*k)&31]
	}
	return fmt.Sprintf("%s-%s-%s-%s", b[:4], b[4:8], b[8:12], b[12:])
}

func each[T any](list []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range list {
			if !yield(v, nil) {
				return
			}
		}
	}
}

func checkpoint(t testing.TB, entries []string) string {
	t.Helper()
	var hashes []tlog.Hash
	reader := tlog.HashReaderFunc(func(at []int64) (list []tlog.Hash, err error) {
		for _, i := range at {
			list = append(list, hashes[i])
		}
		return list, nil
	})
	for i, e := range entries {
		more, err := tlog.StoredHashes(int64(i), []byte(e), reader)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, more...)
	}
	root, err := tlog.TreeHash(int64(len(entries)), reader)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer(t)(fmt.Sprintf("%s\n%d\n%s\n", origin, len(entries), base64.StdEncoding.EncodeToString(root[:])))
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// folder keeps what was written, and in which order it was created and closed.
type folder struct {
	files   map[string]*bytes.Buffer
	created []string
	open    int
}

type handle struct {
	io.Writer
	close func() error
}

func (h handle) Close() error { return h.close() }

func (f *folder) create(name string) (io.WriteCloser, error) {
	if f.files == nil {
		f.files = map[string]*bytes.Buffer{}
	}
	if f.files[name] != nil || f.open != 0 {
		return nil, fmt.Errorf("%s is created twice, or before another is closed", name)
	}
	f.files[name] = new(bytes.Buffer)
	f.created = append(f.created, name)
	f.open++
	return handle{f.files[name], func() error { f.open--; return nil }}, nil
}

func (f *folder) read(name string) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(f.files[name].Bytes())), nil
}

func written(t testing.TB, in dataset.Input) *folder {
	t.Helper()
	f := new(folder)
	if err := dataset.Write(in, f.create, signer(t)); err != nil {
		t.Fatal(err)
	}
	return f
}
