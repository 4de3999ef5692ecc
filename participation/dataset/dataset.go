// Package dataset writes what is published of a consultation at its closing, in
// the form of docs/ballot-log.md, section "The dataset": ballots, count, log and
// all that a stranger needs to read and check them. It decides nothing: numbers
// come in counted, cells come in safe to publish. It knows no database, no clock
// and no HTTP, and holds no more than one ballot at a time.
package dataset

import (
	"bufio"
	"crypto/sha256"
	_ "embed" // the texts that are the same in every dataset
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"
)

// Row is one line of ballots.csv.
type Row struct {
	Code    string // four groups of four of A–Z and 2–7, hyphens between
	Options []int  // from 1, ascending
	Nonce   string // 32 lower-case hexadecimal digits
}

// Range is a number of ballots that may be published, with what it is a number
// of: it lies between two, both included, wide enough to tell on nobody.
type Range struct {
	Name            string
	AtLeast, AtMost int
}

// Cell is an exact number, with what it is a number of.
type Cell struct {
	Name string
	N    int
}

// Other names the cell of what is too small to stand alone.
const Other = "other"

// Input is all that a dataset says.
type Input struct {
	Origin string // of the log
	Key    string // the whole verifier key of the log

	Municipality string // who publishes
	Title        string
	Language     string // of title and options, a BCP 47 tag
	Page         string // http or https address of the consultation's page

	Kind      string // single-choice or multiple-choice
	Options   []string
	PerOption bool // a row is one chosen option, not a whole ballot
	BatchSize int
	Question  []byte // JSON of open/v1
	Rule      string // the counting rule in words, Markdown

	Closed  time.Time
	Turnout int   // ballots
	Counts  []int // per option

	Rows     iter.Seq2[Row, error] // ascending by code; not read where Withheld
	Withheld bool                  // there are fewer ballots than BatchSize
	Servers  []Range               // ballots by server, in the order of the file
	Refused  []Cell                // votes not counted, by reason

	Integrity   []byte                   // JSON
	Entries     iter.Seq2[string, error] // of the log, from open/v1 to close/v1, without newlines
	EntryCount  int64
	Checkpoints []string // signed, ascending by size
}

const manifestName = "manifest.txt"

// file is one file of the dataset and what writes its content.
type file struct {
	name  string
	write func(Input, io.Writer) error
}

// License is the address of the licence of every dataset: CC0 1.0.
const License = "https://creativecommons.org/publicdomain/zero/1.0/"

//go:embed LICENSE.txt
var license string

//go:embed verify.py
var verifier string

// files lists all but the manifest, in the order of the document.
func files() []file {
	return append([]file{
		{"README.md", writeCard},
		{"LICENSE.txt", text(func(Input) string { return license })},
		{"question.json", text(func(in Input) string { return string(in.Question) })},
		{"rule.md", text(func(in Input) string { return strings.TrimRight(in.Rule, "\n") + "\n" })},
		{"ballots.csv", writeBallots},
		{"servers.csv", func(in Input, w io.Writer) error { return writeRanges(w, servers(in), in.Servers) }},
		{"refused.csv", func(in Input, w io.Writer) error { return writeCells(w, refused(in), in.Refused) }},
		{"result.json", writeResult},
		{"integrity.json", text(func(in Input) string { return string(in.Integrity) })},
		{"log.txt", writeLog},
		{"checkpoints.json", func(in Input, w io.Writer) error { return writeJSON(w, in.Checkpoints, "") }},
		{"key.txt", text(func(in Input) string { return in.Key + "\n" })},
	},
		metadata(ballots), metadata(servers), metadata(refused),
		file{"verify.py", text(func(Input) string { return verifier })},
	)
}

func text(of func(Input) string) func(Input, io.Writer) error {
	return func(in Input, w io.Writer) error {
		_, err := io.WriteString(w, of(in))
		return err
	}
}

// Names lists the files of a dataset, in the order of the zip: the manifest is
// the last one.
func Names() []string {
	var names []string
	for _, f := range files() {
		names = append(names, f.name)
	}
	return append(names, manifestName)
}

// Write writes every file of Names once, each to what create gives for its name,
// and the manifest last, as the note that sign makes of its text. It closes each
// file before it creates the next.
//
// It refuses input that no verifier would accept or that tells too much: a row
// out of place, rows that do not add up to the counts, a log that is not this
// question's, a cell below 10. Then, and after an error of create, sign, a file
// or an iterator, it stops at once and returns the error, wrapped with the name
// of the file. Files created by then may be incomplete. There is no manifest
// unless all went well; without one it is no dataset.
func Write(in Input, create func(name string) (io.WriteCloser, error), sign func(text string) (note string, err error)) error {
	if err := in.check(); err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	var sums []string
	for _, f := range files() {
		hash, size, err := write(f, in, create)
		if err != nil {
			return fmt.Errorf("dataset: %s: %w", f.name, err)
		}
		sums = append(sums, fmt.Sprintf("%s %d %s\n", hash, size, f.name))
	}
	note, err := sign(manifest(in.Origin, sums))
	if err == nil && !strings.HasPrefix(note, manifest(in.Origin, sums)+"\n") {
		err = errors.New("the signed note has another text")
	}
	if err == nil {
		_, _, err = write(file{manifestName, text(func(Input) string { return note })}, in, create)
	}
	if err != nil {
		return fmt.Errorf("dataset: %s: %w", manifestName, err)
	}
	return nil
}

// manifest is the text to sign: origin, what it is, and a line per file, sorted
// by name. Each line ends with the name, and before it stands one hash and size.
func manifest(origin string, sums []string) string {
	slices.SortFunc(sums, func(a, b string) int { return strings.Compare(name(a), name(b)) })
	return origin + "\ninspraak dataset v1\n" + strings.Join(sums, "")
}

func name(line string) string { return line[strings.LastIndexByte(line, ' ')+1:] }

// write writes one file and closes it, whatever happens.
func write(f file, in Input, create func(string) (io.WriteCloser, error)) (hash string, size int64, err error) {
	to, err := create(f.name)
	if err != nil {
		return "", 0, fmt.Errorf("create: %w", err)
	}
	sum, count := sha256.New(), new(counter)
	buffered := bufio.NewWriterSize(io.MultiWriter(to, sum, count), 64<<10)
	if err = f.write(in, buffered); err == nil {
		err = buffered.Flush()
	}
	return hex.EncodeToString(sum.Sum(nil)), int64(*count), errors.Join(err, to.Close())
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
