package store

import (
	"context"
	"database/sql"
	"fmt"

	"inspraak/participation"
)

type summaryStatements struct{ list, next, forget, save *sql.Stmt }

func prepareSummaries(p *preparer) summaryStatements {
	return summaryStatements{
		list:   p.read(`SELECT version, at, sha256, source FROM summary WHERE consultation = ? ORDER BY version`),
		next:   p.write(`SELECT coalesce(max(version), 0) + 1 FROM summary WHERE consultation = ?`),
		forget: p.write(`UPDATE summary SET source = '' WHERE consultation = ?`),
		save:   p.write(`INSERT INTO summary (consultation, version, at, sha256, source) VALUES (?, ?, ?, ?, ?)`),
	}
}

// Summaries implements participation.Reader.
func (d *DB) Summaries(ctx context.Context, number int64) ([]participation.Summary, error) {
	return list(ctx, d.summaries.list, func(row scanner) (s participation.Summary, err error) {
		err = row(&s.Version, when{&s.At}, &s.SHA256, &s.Source)
		return s, err
	}, number)
}

// SaveSummary implements participation.Tx.
func (t *tx) SaveSummary(number int64, s participation.Summary) (version int, err error) {
	if err := t.query(t.db.summaries.next, number)(&version); err != nil {
		return 0, fmt.Errorf("save summary: %w", err)
	}
	if err := t.do(t.db.summaries.forget, number); err != nil {
		return 0, fmt.Errorf("save summary: %w", err)
	}
	if err := t.do(t.db.summaries.save, number, version, ms(s.At), s.SHA256, s.Source); err != nil {
		return 0, fmt.Errorf("save summary: %w", err)
	}
	return version, nil
}
