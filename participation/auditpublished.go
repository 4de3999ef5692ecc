package participation

import (
	"context"
	"errors"
	"io"

	"inspraak/participation/dataset"
)

// auditPublished is the audit of a consultation whose ballots are destroyed: it
// adds up the rows of its dataset instead. Where there are none (they were
// withheld, or it was withdrawn) nothing is left to count, and what was published
// stands. So does the turnout where a row is one option of a ballot.
func (s *Service) auditPublished(ctx context.Context, c Consultation) (Audit, error) {
	a := Audit{Destroyed: true}
	var err error
	if a.Result, err = s.Result(ctx, c.ID); err != nil || !a.Result.Final {
		return a, err
	}
	a.Ballots, a.Counts = a.Result.Turnout, a.Result.Counts
	if a.Ballots < c.Terms.BatchSize {
		return a, nil
	}
	rows, last, counts := 0, "", make([]int, len(c.Options))
	err = s.publishedRows(ctx, c, func(r dataset.Row) error {
		if rows++; r.Code <= last {
			a.Doubled++
		}
		if last = r.Code; len(r.Options) != 1 && (c.Kind == SingleChoice || c.PerOption()) {
			a.Overfull++
		}
		for _, option := range r.Options {
			if option > len(counts) {
				a.Overfull++
				continue
			}
			counts[option-1]++
		}
		return nil
	})
	switch {
	case errors.Is(err, ErrNotFound) && c.Phase == Withdrawn:
		return a, nil // it was withdrawn before there was a dataset
	case errors.Is(err, dataset.ErrForm):
		a.Unreadable, err = 1, nil
	}
	if a.Counts = counts; !c.PerOption() {
		a.Ballots = rows
	}
	return a, err
}

// publishedRows calls fn for every row of ballots.csv until fn fails. As long as
// there is no dataset it is ErrNotFound.
func (s *Service) publishedRows(ctx context.Context, c Consultation, fn func(dataset.Row) error) error {
	if _, err := s.Dataset(ctx, c); err != nil {
		return err
	}
	r, to := io.Pipe()
	read := make(chan struct{})
	go func() {
		defer close(read)
		to.CloseWithError(s.WriteDatasetFile(ctx, c, "ballots.csv", to))
	}()
	err := dataset.ReadBallots(r, fn)
	r.CloseWithError(errStop)
	<-read
	return err
}
