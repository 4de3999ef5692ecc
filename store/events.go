package store

import (
	"context"
	"database/sql"
	"time"

	"inspraak/participation"
)

const eventColumns = `seq, coalesce(place, 0), at, type, channel, consultation, subject, reason`

type eventStatements struct {
	record, after, cursor, move *sql.Stmt
	public, revisions           *sql.Stmt
}

func prepareEvents(p *preparer) eventStatements {
	return eventStatements{
		record: p.write(`INSERT INTO event (place, at, type, channel, consultation, subject, reason)
			VALUES (CASE WHEN ?1 THEN (SELECT coalesce(max(place), 0) + 1 FROM event) END, ?2, ?3, ?4, ?5, ?6, ?7)
			RETURNING seq, coalesce(place, 0)`),
		after:  p.read(`SELECT ` + eventColumns + ` FROM event WHERE seq > ? ORDER BY seq LIMIT ?`),
		public: p.read(`SELECT ` + eventColumns + ` FROM event WHERE place > ? ORDER BY place LIMIT ?`),
		revisions: p.read(`SELECT count(*), coalesce(max(at), 0) FROM event
			WHERE consultation = ? AND type IN ('consultation-scheduled', 'consultation-extended', 'consultation-closed', 'consultation-withdrawn')`),
		cursor: p.read(`SELECT seq FROM cursor WHERE one = 1`),
		move:   p.write(`UPDATE cursor SET seq = max(seq, ?) WHERE one = 1`),
	}
}

func scanEvent(row scanner) (e participation.Event, err error) {
	err = row(&e.Seq, &e.Place, when{&e.At}, &e.Type, &e.Channel, &e.Consultation, &e.Subject, &e.Reason)
	return e, err
}

// Events implements participation.Reader. A limit of 0 means all.
func (d *DB) Events(ctx context.Context, after int64, n int) ([]participation.Event, error) {
	return list(ctx, d.events.after, scanEvent, after, limit(n))
}

// PublicEvents implements participation.Reader.
func (d *DB) PublicEvents(ctx context.Context, after int64, n int) ([]participation.Event, error) {
	return list(ctx, d.events.public, scanEvent, after, limit(n))
}

// Revisions implements participation.Reader.
func (d *DB) Revisions(ctx context.Context, consultation string) (n int, last time.Time, err error) {
	err = one(ctx, d.events.revisions, consultation)(&n, when{&last})
	return n, last, named(err, "revisions of", consultation)
}

// Record implements participation.Tx. Numbers have no gaps: that of a job that
// failed is given to the next.
func (t *tx) Record(e *participation.Event) error {
	err := t.query(t.db.events.record, e.Type.Public(), ms(e.At), e.Type, e.Channel, e.Consultation, e.Subject, e.Reason)(&e.Seq, &e.Place)
	return named(err, "record", string(e.Type))
}

// Cursor implements activitypub.Store.
func (d *DB) Cursor(ctx context.Context) (int64, error) {
	return column[int64](one(ctx, d.events.cursor))
}
