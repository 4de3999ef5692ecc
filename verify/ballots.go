package verify

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// tally is what the rows add up to.
type tally struct {
	rows   int
	counts []int
}

// archive checks what is in the zip, in the order of the document.
func (c *check) archive(file io.ReaderAt, size int64) (err error) {
	if c.zip, err = openContainer(file, size); err != nil {
		return err
	}
	if err := c.trust(); err != nil {
		return err
	}
	list, err := c.zip.manifest(c.key)
	if err != nil {
		return err
	}
	if err := c.zip.agree(list); err != nil {
		return err
	}
	for _, step := range []func() error{c.ownCheckpoints, c.elsewhere, c.readLog, c.readBallots, c.sums} {
		if err := step(); err != nil {
			return err
		}
	}
	c.report.Extra = Extra{Files: len(list) + 1, Checkpoints: len(c.marks), Copies: len(c.copies), Rows: c.tally.rows}
	return nil
}

// readBallots reads ballots.csv and finds each row's entry in the log.
func (c *check) readBallots() error {
	const name = "ballots.csv"
	c.tally.counts = make([]int, len(c.log.question.options))
	head := false
	var previous []byte
	b := newBallotReader(c.key.origin, c.log.question)
	for l, err := range c.zip.lines(name) {
		if err != nil {
			return err
		}
		where := fmt.Sprintf("%s line %d", name, l.number)
		if !head {
			if string(l.text) != "code,options,nonce" {
				return wrong(where, "is not the header code,options,nonce")
			}
			head = true
			continue
		}
		if c.log.closing.rows == withheld {
			return wrong(where, "is a row, and rows are withheld")
		}
		commitment, err := b.row(l.text)
		if err != nil {
			return wrong(where, "%v", err)
		}
		switch order := bytes.Compare(previous, b.code); {
		case order == 0:
			return wrong(where, "has the code of the line before")
		case order > 0:
			return wrong(where, "is not sorted by code")
		}
		previous = append(previous[:0], b.code...)
		if err := c.log.take(commitment); err != nil {
			return wrong(where, "%v", err)
		}
		c.tally.rows++
		for _, option := range b.chosen {
			c.tally.counts[option-1]++
		}
	}
	if !head {
		return wrong(name, "is empty")
	}
	if c.log.closing.rows == withheld {
		return nil
	}
	left := -1
	for _, b := range c.log.ballots {
		if b.state == live && (left < 0 || int(b.entry) < left) {
			left = int(b.entry)
		}
	}
	if left >= 0 {
		return wrong(place(left, "ballot/v1"), "its ballot counts and is not in ballots.csv")
	}
	return nil
}

// take finds the live ballot entry of a commitment, once.
func (l *ballotLog) take(commitment [32]byte) error {
	i, ok := slices.BinarySearchFunc(l.ballots, commitment, func(b ballot, c [32]byte) int {
		return bytes.Compare(b.commitment[:], c[:])
	})
	switch {
	case !ok:
		return fmt.Errorf("its commitment is not in the log")
	case l.ballots[i].state == void:
		return fmt.Errorf("its ballot, entry %d of the log, is void", l.ballots[i].entry)
	case l.ballots[i].state == found:
		return fmt.Errorf("its ballot, entry %d of the log, stood in an earlier row", l.ballots[i].entry)
	}
	l.ballots[i].state = found
	return nil
}

// ballotReader reads rows; what it holds is that of the last one.
type ballotReader struct {
	head   []byte // of every commitment's text
	text   []byte
	most   int // options in one row
	all    int // options there are
	code   []byte
	chosen []int
}

func newBallotReader(origin string, q question) *ballotReader {
	b := &ballotReader{head: []byte("inspraak ballot v1\n" + origin + "\n"), all: len(q.options), most: len(q.options)}
	if q.perOption || q.kind == "single-choice" {
		b.most = 1
	}
	return b
}

// row reads one and computes its commitment. No cell of a row needs quotes.
func (b *ballotReader) row(text []byte) (commitment [32]byte, err error) {
	code, rest, ok := bytes.Cut(text, []byte(","))
	options, nonce, ok2 := bytes.Cut(rest, []byte(","))
	if !ok || !ok2 {
		return commitment, fmt.Errorf("is not three cells: code,options,nonce")
	}
	if !isCode(code) {
		return commitment, fmt.Errorf("its code is not four groups of four characters A-Z and 2-7")
	}
	if len(nonce) != 32 || len(bytes.Trim(nonce, "0123456789abcdef")) > 0 {
		return commitment, fmt.Errorf("its nonce is not 32 lower-case hexadecimal digits")
	}
	b.code, b.chosen = code, b.chosen[:0]
	for last := 0; len(options) > 0 || last == 0; {
		var one []byte
		one, options, ok = bytes.Cut(options, []byte(" "))
		n, err := strconv.Atoi(string(one))
		if err != nil || n <= last || strconv.Itoa(n) != string(one) || ok && len(options) == 0 {
			return commitment, fmt.Errorf("its options are not numbers, ascending, with one space between")
		}
		if n > b.all {
			return commitment, fmt.Errorf("there is no option %d", n)
		}
		b.chosen, last = append(b.chosen, n), n
	}
	if len(b.chosen) > b.most {
		return commitment, fmt.Errorf("chooses %d options where a row has one", len(b.chosen))
	}
	b.text = append(b.text[:0], b.head...)
	for _, cell := range [][]byte{code, text[len(code)+1 : len(text)-len(nonce)-1], nonce} {
		b.text = append(append(b.text, cell...), '\n')
	}
	return sha256.Sum256(b.text), nil
}

func isCode(code []byte) bool {
	if len(code) != 19 {
		return false
	}
	for i, c := range code {
		letter := c >= 'A' && c <= 'Z' || c >= '2' && c <= '7'
		if i%5 == 4 && c != '-' || i%5 != 4 && !letter {
			return false
		}
	}
	return true
}

// sums compares the rows with close/v1, and both with result.json.
func (c *check) sums() error {
	end, q := c.log.closing, c.log.question
	where := place(c.log.size-1, "close/v1")
	if end.rows == published {
		for i, n := range c.tally.counts {
			if n != end.counts[i] {
				return wrong(where, "counts %d for option %d, and the rows make %d", end.counts[i], i+1, n)
			}
		}
	}
	sum, most := 0, 0
	for _, n := range end.counts {
		sum, most = sum+n, max(most, n)
	}
	switch {
	case !q.perOption && end.turnout != end.live:
		return wrong(where, "its turnout is %d, and %d ballots count", end.turnout, end.live)
	case q.perOption && sum != end.live:
		return wrong(where, "its counts make %d, and %d ballot entries count", sum, end.live)
	case q.kind == "single-choice" && sum != end.turnout:
		return wrong(where, "its counts make %d, its turnout is %d", sum, end.turnout)
	case end.turnout < most || end.turnout > sum:
		return wrong(where, "a turnout of %d cannot make these counts", end.turnout)
	}
	return c.stated()
}

// stated holds result.json against close/v1.
func (c *check) stated() error {
	const name = "result.json"
	data, err := c.zip.bytes(name, maxSmall)
	if err != nil {
		return err
	}
	f := jsonFields(data, "turnout", "counts", "options", "closed", "entries")
	turnout, counts, options, entries := f.number("turnout"), f.numbers("counts"), f.texts("options"), f.number("entries")
	f.time("closed")
	end := c.log.closing
	switch {
	case f.err != nil:
		return wrong(name, "%v", f.err)
	case turnout != end.turnout:
		return wrong(name, "its turnout is %d, that of close/v1 %d", turnout, end.turnout)
	case len(counts) != len(end.counts):
		return wrong(name, "it has %d counts for %d options", len(counts), len(end.counts))
	case !slices.Equal(options, c.log.question.options):
		return wrong(name, "its options are not those of the question")
	case entries != c.log.size:
		return wrong(name, "says %d entries, and log.txt has %d", entries, c.log.size)
	}
	for i, n := range counts {
		if n != end.counts[i] {
			return wrong(name, "counts %d for option %d, and close/v1 %d", n, i+1, end.counts[i])
		}
	}
	return nil
}
