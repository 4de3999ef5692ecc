package verify

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

// maxEntries bounds memory: each ballot takes 40 bytes of it.
const maxEntries = 10_000_000

// The two values of `rows`.
const (
	published = "published"
	withheld  = "withheld"
)

// state of a ballot entry.
type state byte

const (
	live state = iota
	void
	found // live, and its row was seen
)

// ballot is an entry of type ballot/v1.
type ballot struct {
	commitment [32]byte
	entry      uint32
	state      state
}

// question is what the checks need of open/v1.
type question struct {
	title, kind string
	options     []string
	batchSize   int
	perOption   bool
}

// closing is close/v1.
type closing struct {
	at, early     string
	turnout, live int
	counts        []int
	rows          string
}

// ballotLog is what the entries say.
type ballotLog struct {
	size      int
	question  question
	closing   closing
	closed    bool
	ballots   []ballot // by entry; by commitment once the log has ended
	lives     int
	rollbacks []string
}

// readLog reads log.txt once: for the roots of all checkpoints, and for what the
// entries say. A root that does not fit comes before an entry that makes no sense.
func (c *check) readLog() error {
	const name = "log.txt"
	asked, err := c.zip.bytes("question.json", maxSmall)
	if err != nil {
		return err
	}
	marks := slices.Concat(c.marks, c.copies)
	slices.SortStableFunc(marks, bySize)
	var first error // what is wrong with the entries
	for l, err := range c.zip.lines(name) {
		if err != nil {
			return err
		}
		if l.number > maxEntries {
			return unread(name, "has more than %d entries, more than this verifier reads", maxEntries)
		}
		for ; len(marks) > 0 && marks[0].size == c.tree.size; marks = marks[1:] {
			if err := marks[0].fits(&c.tree); err != nil {
				return err
			}
		}
		c.tree.add(l.text)
		if first == nil {
			first = c.log.entry(l.text, asked, c.key)
		}
	}
	for ; len(marks) > 0 && marks[0].size <= c.tree.size; marks = marks[1:] {
		if err := marks[0].fits(&c.tree); err != nil {
			return err
		}
	}
	if last := c.marks[len(c.marks)-1]; last.size != c.tree.size {
		return wrong(last.where, "is the last one and of %d entries, and log.txt has %d", last.size, c.tree.size)
	}
	if first != nil {
		return first
	}
	return c.log.end()
}

// entry reads the next one.
func (l *ballotLog) entry(text, asked []byte, k *key) (err error) {
	n := l.size
	l.size++
	kind, rest, _ := bytes.Cut(text, []byte(" "))
	defer func() {
		if err != nil {
			err = wrong(place(n, string(kind)), "%v", err)
		}
	}()
	switch {
	case l.closed:
		return fmt.Errorf("stands after close/v1")
	case n == 0 && string(kind) != "open/v1":
		return fmt.Errorf("is not open/v1")
	case n > 0 && string(kind) == "open/v1":
		return fmt.Errorf("opens a second time")
	}
	switch string(kind) {
	case "ballot/v1":
		return l.ballot(n, rest)
	case "void/v1":
		return l.void(n, rest)
	case "open/v1":
		if !bytes.Equal(rest, asked) {
			return fmt.Errorf("its JSON is not that of question.json")
		}
		return l.open(rest, k)
	case "close/v1":
		return l.close(rest)
	case "pause/v1":
		f := entryFields(rest, "at")
		f.time("at")
		return f.err
	case "resume/v1":
		f := entryFields(rest, "at", "acceptsUntil")
		f.time("at")
		f.time("acceptsUntil")
		return f.err
	case "rollback/v1":
		f := entryFields(rest, "at", "databaseOf")
		f.time("at")
		l.rollbacks = append(l.rollbacks, f.time("databaseOf"))
		return f.err
	case "destroy/v1":
		return fmt.Errorf("stands before close/v1")
	}
	return fmt.Errorf("is of no known type")
}

// place names an entry.
func place(n int, kind string) string {
	if kind == "" || strings.Trim(kind, "abcdefghijklmnopqrstuvwxyz/0123456789") != "" || len(kind) > 20 {
		return fmt.Sprintf("log entry %d", n)
	}
	return fmt.Sprintf("log entry %d (%s)", n, kind)
}

func (l *ballotLog) open(rest []byte, k *key) error {
	f := entryFields(rest, "consultation", "object", "question", "text", "language", "kind", "options", "opens", "closes",
		"results", "rule", "allowedServers", "batchSize", "intervalSeconds", "graceSeconds", "auditorKey", "perOption",
		"level", "promise", "decidedBy", "decidedWhen", "notOpen", "notice")
	q := question{title: f.text("question"), kind: f.text("kind"), options: f.texts("options"),
		batchSize: f.number("batchSize"), perOption: f.truth("perOption")}
	id := f.text("consultation")
	_, ours, _ := splitOrigin(k.origin)
	switch {
	case f.err != nil:
		return f.err
	case id != ours:
		return fmt.Errorf("its consultation is %s, that of the log %s", plain(id), plain(ours))
	case q.kind != "single-choice" && q.kind != "multiple-choice":
		return fmt.Errorf("its kind is %s", plain(q.kind))
	case len(q.options) == 0:
		return fmt.Errorf("it has no options")
	case q.perOption != (q.kind == "multiple-choice" && len(q.options) > 5):
		return fmt.Errorf("perOption is %v for a %s of %d options", q.perOption, q.kind, len(q.options))
	}
	l.question = q
	return nil
}

func (l *ballotLog) ballot(n int, rest []byte) error {
	b := ballot{entry: uint32(n)}
	var buffer [34]byte // what 44 characters may hold
	if len(rest) == 44 {
		size, err := base64.StdEncoding.Strict().Decode(buffer[:], rest)
		if err == nil && size == len(b.commitment) {
			copy(b.commitment[:], buffer[:])
			l.ballots = append(l.ballots, b)
			l.lives++
			return nil
		}
	}
	return fmt.Errorf("is not base64 of 32 bytes")
}

func (l *ballotLog) void(n int, rest []byte) error {
	f := entryFields(rest, "entry", "reason")
	of, reason := f.number("entry"), f.text("reason")
	if f.err != nil {
		return f.err
	}
	if reason != "superseded" && reason != "withdrawn" {
		return fmt.Errorf("its reason is %s", plain(reason))
	}
	i, ok := slices.BinarySearchFunc(l.ballots, of, func(b ballot, n int) int { return int(b.entry) - n })
	switch {
	case !ok:
		return fmt.Errorf("entry %d is no earlier ballot", of)
	case l.ballots[i].state == void:
		return fmt.Errorf("the ballot of entry %d was void already", of)
	}
	l.ballots[i].state = void
	l.lives--
	return nil
}

func (l *ballotLog) close(rest []byte) error {
	f := entryFields(rest, "at", "early", "turnout", "counts", "live", "rows")
	l.closing = closing{at: f.time("at"), early: f.text("early"), turnout: f.number("turnout"),
		counts: f.numbers("counts"), live: f.number("live"), rows: f.text("rows")}
	l.closed = true
	switch end := l.closing; {
	case f.err != nil:
		return f.err
	case end.rows != published && end.rows != withheld:
		return fmt.Errorf("its rows are %s", plain(end.rows))
	case len(end.counts) != len(l.question.options):
		return fmt.Errorf("it has %d counts for %d options", len(end.counts), len(l.question.options))
	case end.live != l.lives:
		return fmt.Errorf("live is %d, and %d ballot entries are not void", end.live, l.lives)
	case end.rows == withheld && end.turnout >= l.question.batchSize:
		return fmt.Errorf("the rows are withheld, and %d ballots are not fewer than the batch size of %d", end.turnout, l.question.batchSize)
	}
	return nil
}

// end is reached when every entry was read.
func (l *ballotLog) end() error {
	if l.size == 0 {
		return wrong("log.txt", "is empty")
	}
	if !l.closed {
		return wrong(place(l.size-1, ""), "is the last one and not close/v1")
	}
	slices.SortFunc(l.ballots, func(a, b ballot) int {
		if d := bytes.Compare(a.commitment[:], b.commitment[:]); d != 0 {
			return d
		}
		return int(a.entry) - int(b.entry)
	})
	twice, same := -1, -1
	for i := 1; i < len(l.ballots); i++ {
		a, b := l.ballots[i-1], l.ballots[i]
		if a.commitment == b.commitment && (twice < 0 || int(b.entry) < twice) {
			twice, same = int(b.entry), int(a.entry)
		}
	}
	if twice >= 0 {
		return wrong(place(twice, "ballot/v1"), "has the commitment of entry %d", same)
	}
	return nil
}

// grown takes an entry of the live log after close/v1.
func grown(n int64, text []byte) error {
	where := fmt.Sprintf("live log entry %d", n)
	kind, rest, _ := bytes.Cut(text, []byte(" "))
	if string(kind) != "destroy/v1" {
		return wrong(where, "stands after close/v1 and is not destroy/v1")
	}
	f := entryFields(rest, "step", "at")
	step := f.text("step")
	f.time("at")
	if f.err == nil && step != "announced" && step != "done" {
		f.err = fmt.Errorf("its step is %s", plain(step))
	}
	if f.err != nil {
		return wrong(where, "%v", f.err)
	}
	return nil
}

func bySize(a, b checkpoint) int {
	switch {
	case a.size < b.size:
		return -1
	case a.size > b.size:
		return 1
	}
	return 0
}
