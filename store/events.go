package store

import (
	"context"
	"database/sql"
	"fmt"

	"inspraak/participation"
)

type eventStatements struct {
	record, after, cursor, move *sql.Stmt
}

func prepareEvents(p *preparer) eventStatements {
	return eventStatements{
		record: p.write(`INSERT INTO event (at, type, channel, consultation, subject, reason) VALUES (?, ?, ?, ?, ?, ?)`),
		after: p.read(`SELECT seq, at, type, channel, consultation, subject, reason FROM event
			WHERE seq > ? ORDER BY seq LIMIT ?`),
		cursor: p.read(`SELECT seq FROM cursor WHERE one = 1`),
		move:   p.write(`UPDATE cursor SET seq = max(seq, ?) WHERE one = 1`),
	}
}

func scanEvent(row scanner) (e participation.Event, err error) {
	err = row(&e.Seq, when{&e.At}, &e.Type, &e.Channel, &e.Consultation, &e.Subject, &e.Reason)
	return e, err
}

// Events implements participation.Reader. A limit of 0 means all.
func (d *DB) Events(ctx context.Context, after int64, n int) ([]participation.Event, error) {
	return list(ctx, d.events.after, scanEvent, after, limit(n))
}

// Record implements participation.Tx. Numbers have no gaps: that of a job that
// failed is given to the next.
func (t *tx) Record(e participation.Event) (int64, error) {
	result, err := t.exec(t.db.events.record, ms(e.At), e.Type, e.Channel, e.Consultation, e.Subject, e.Reason)
	if err != nil {
		return 0, fmt.Errorf("record %s: %w", e.Type, err)
	}
	return result.LastInsertId()
}

// Cursor implements activitypub.Store.
func (d *DB) Cursor(ctx context.Context) (int64, error) {
	return column[int64](one(ctx, d.events.cursor))
}
