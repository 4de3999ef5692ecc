package dataset

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// ErrForm says that a file is not as Write writes it.
var ErrForm = errors.New("not in the form of a dataset")

// HeaderOnly tells whether a file of a dataset is a table without rows, by its
// length.
func HeaderOnly(name string, size int64) bool {
	for _, t := range []table{ballots(Input{}), servers(Input{}), refused(Input{})} {
		if t.File == name {
			return size <= int64(len(strings.Join(t.header(), ",")+"\n"))
		}
	}
	return false
}

// ReadBallots calls fn for every row of a ballots.csv that Write wrote, in order,
// until fn fails. What is not in that form is ErrForm, and names the line.
func ReadBallots(r io.Reader, fn func(Row) error) error {
	lines := csv.NewReader(r)
	lines.FieldsPerRecord, lines.ReuseRecord = 3, true
	for n := 1; ; n++ {
		record, err := lines.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			var bad *csv.ParseError
			if errors.As(err, &bad) {
				err = fmt.Errorf("%w: %w", ErrForm, err)
			}
			return fmt.Errorf("ballots.csv: %w", err)
		}
		if n == 1 {
			continue
		}
		row := Row{Code: record[0], Nonce: record[2]}
		for text := range strings.FieldsSeq(record[1]) {
			option, err := strconv.Atoi(text)
			if err != nil || option < 1 {
				return fmt.Errorf("ballots.csv: %w: line %d: %q is no option", ErrForm, n, text)
			}
			row.Options = append(row.Options, option)
		}
		if err := fn(row); err != nil {
			return err
		}
	}
}
