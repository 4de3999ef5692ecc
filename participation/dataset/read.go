package dataset

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// ReadBallots calls fn for every row of a ballots.csv that Write wrote, in order,
// until fn fails. What is not in that form is an error that names the line.
func ReadBallots(r io.Reader, fn func(Row) error) error {
	lines := csv.NewReader(r)
	lines.FieldsPerRecord, lines.ReuseRecord = 3, true
	for n := 1; ; n++ {
		record, err := lines.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("ballots.csv: %w", err)
		}
		if n == 1 {
			continue
		}
		row := Row{Code: record[0], Nonce: record[2]}
		for text := range strings.FieldsSeq(record[1]) {
			option, err := strconv.Atoi(text)
			if err != nil || option < 1 {
				return fmt.Errorf("ballots.csv: line %d: %q is no option", n, text)
			}
			row.Options = append(row.Options, option)
		}
		if err := fn(row); err != nil {
			return err
		}
	}
}
