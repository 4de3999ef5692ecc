package dataset

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// writeBallots writes the rows as they come, none where they are withheld.
func writeBallots(in Input, w io.Writer) error {
	out := csv.NewWriter(w)
	if err := out.Write(ballots(in).header()); err != nil || in.Withheld {
		out.Flush()
		return out.Error()
	}
	sums := tally{in: in, counts: make([]int, len(in.Counts))}
	record, options := make([]string, 3), []byte(nil)
	for row, err := range in.Rows {
		if err != nil {
			return fmt.Errorf("after %d ballots: %w", sums.rows, err)
		}
		if err := sums.add(row); err != nil {
			return err
		}
		options = options[:0]
		for i, o := range row.Options {
			if i > 0 {
				options = append(options, ' ')
			}
			options = strconv.AppendInt(options, int64(o), 10)
		}
		record[0], record[1], record[2] = row.Code, string(options), row.Nonce
		if err := out.Write(record); err != nil {
			return err
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return err
	}
	return sums.done()
}

func writeCells(w io.Writer, t table, cells []Cell) error {
	out := csv.NewWriter(w)
	records := [][]string{t.header()}
	for _, c := range cells {
		records = append(records, []string{unformula(c.Name), strconv.Itoa(c.N)})
	}
	return out.WriteAll(records) // flushes
}

func writeRanges(w io.Writer, t table, ranges []Range) error {
	out := csv.NewWriter(w)
	records := [][]string{t.header()}
	for _, r := range ranges {
		records = append(records, []string{unformula(r.Name), strconv.Itoa(r.AtLeast), strconv.Itoa(r.AtMost)})
	}
	return out.WriteAll(records) // flushes
}

// unformula puts an apostrophe before a text that a spreadsheet could take for a
// formula: one that begins with =, +, -, @ (also in full width), a tab, a
// carriage return or a newline, with or without white space before it.
func unformula(s string) string {
	first := strings.TrimLeftFunc(s, unicode.IsSpace)
	if strings.IndexAny(s, "\t\r\n") == 0 || first != "" && strings.ContainsRune("=+-@＝＋－＠", []rune(first)[0]) {
		return "'" + s
	}
	return s
}

func writeResult(in Input, w io.Writer) error {
	return writeJSON(w, struct {
		Turnout int      `json:"turnout"`
		Counts  []int    `json:"counts"`
		Options []string `json:"options"`
		Closed  string   `json:"closed"`
		Entries int64    `json:"entries"`
	}{in.Turnout, in.Counts, in.Options, in.Closed.UTC().Format(time.RFC3339), in.EntryCount}, "")
}

// writeJSON writes without insignificant white space and without a newline, or
// indented and with one.
func writeJSON(w io.Writer, v any, indent string) error {
	var b strings.Builder
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	out.SetIndent("", indent)
	if err := out.Encode(v); err != nil {
		return err
	}
	s := b.String()
	if indent == "" {
		s = strings.TrimSuffix(s, "\n")
	}
	_, err := io.WriteString(w, s)
	return err
}

// writeLog writes the entries, one a line, and holds that the first one is the
// question, the last one the closing.
func writeLog(in Input, w io.Writer) error {
	var n int64
	var last string
	for entry, err := range in.Entries {
		switch {
		case err != nil:
			return fmt.Errorf("after %d entries: %w", n, err)
		case n == 0 && entry != "open/v1 "+string(in.Question):
			return fmt.Errorf("entry 0 does not open this question")
		case strings.ContainsAny(entry, "\r\n"):
			return fmt.Errorf("entry %d has more than one line", n)
		}
		if _, err := io.WriteString(w, entry); err != nil {
			return err
		}
		if _, err := io.WriteString(w, "\n"); err != nil {
			return err
		}
		last = entry
		n++
	}
	if n != in.EntryCount || !strings.HasPrefix(last, "close/v1 ") {
		return fmt.Errorf("the log has %d entries, of %d, and ends with %.20q, not with close/v1", n, in.EntryCount, last)
	}
	return nil
}
