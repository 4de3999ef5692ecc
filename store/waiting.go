package store

import (
	"context"
	"database/sql"
	"time"

	"inspraak/activitypub"
)

type waitingStatements struct {
	seen, room, add, postpone, remove *sql.Stmt
	due, dueOf, count, countOf        *sql.Stmt
}

const waitingColumns = `id, digest, consultation, host, known, sealed, received_at, attempts, next`

func prepareWaiting(p *preparer) waitingStatements {
	return waitingStatements{
		seen: p.write(`SELECT EXISTS (SELECT 1 FROM waiting WHERE digest = ?)`),
		room: p.write(`SELECT (SELECT n FROM occupancy WHERE room = 'waiting known'),
			(SELECT n FROM occupancy WHERE room = 'waiting unknown')`),
		add: p.write(`INSERT INTO waiting (digest, consultation, host, known, sealed, received_at, attempts, next)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?)`),
		postpone: p.write(`UPDATE waiting SET attempts = ?, next = ? WHERE id = ?`),
		remove:   p.write(`DELETE FROM waiting WHERE id = ?`),
		due:      p.read(`SELECT ` + waitingColumns + ` FROM waiting WHERE next <= ? ORDER BY next, id LIMIT ?`),
		dueOf: p.read(`SELECT ` + waitingColumns + ` FROM waiting WHERE consultation = ? AND next <= ?
			ORDER BY next, id LIMIT ?`),
		count:   p.read(`SELECT sum(n) FROM occupancy WHERE room IN ('waiting known', 'waiting unknown')`),
		countOf: p.read(`SELECT count(*) FROM waiting WHERE consultation = ?`),
	}
}

func scanWaiting(row scanner) (w activitypub.Waiting, err error) {
	err = row(&w.ID, digest{&w.Digest}, &w.Consultation, &w.Host, &w.Known, &w.Sealed,
		when{&w.ReceivedAt}, &w.Attempts, when{&w.Next})
	return w, err
}

// AddWaiting implements activitypub.Store. A digest that waits already is true
// even when the room is full.
func (d *DB) AddWaiting(ctx context.Context, w activitypub.Waiting) (added bool, err error) {
	err = d.write(ctx, func(t *tx) error {
		s := &t.db.waiting
		seen, err := column[bool](t.query(s.seen, w.Digest[:]))
		if err != nil || seen {
			added = seen
			return err
		}
		var known, unknown int
		if err := t.query(s.room)(&known, &unknown); err != nil {
			return err
		}
		if known+unknown >= activitypub.MaxWaiting ||
			!w.Known && unknown >= activitypub.MaxWaiting-activitypub.ReservedWaiting {
			return nil
		}
		added = true
		return t.do(s.add, w.Digest[:], w.Consultation, w.Host, w.Known, w.Sealed,
			ms(w.ReceivedAt), w.Attempts, ms(w.Next))
	})
	return added && err == nil, named(err, "add waiting request of", w.Host)
}

// DueWaiting implements activitypub.Store, longest due first.
func (d *DB) DueWaiting(ctx context.Context, consultation string, now time.Time, n int) ([]activitypub.Waiting, error) {
	if consultation == "" {
		return list(ctx, d.waiting.due, scanWaiting, ms(now), limit(n))
	}
	return list(ctx, d.waiting.dueOf, scanWaiting, consultation, ms(now), limit(n))
}

// PostponeWaiting implements activitypub.Store.
func (d *DB) PostponeWaiting(ctx context.Context, id int64, attempts int, next time.Time) error {
	return d.write(ctx, func(t *tx) error { return t.do(t.db.waiting.postpone, attempts, ms(next), id) })
}

// RemoveWaiting implements activitypub.Store.
func (d *DB) RemoveWaiting(ctx context.Context, id int64) error {
	return d.write(ctx, func(t *tx) error { return t.do(t.db.waiting.remove, id) })
}

// CountWaiting implements activitypub.Store: of one consultation, or with ""
// of all.
func (d *DB) CountWaiting(ctx context.Context, consultation string) (int, error) {
	if consultation == "" {
		return column[int](one(ctx, d.waiting.count))
	}
	return column[int](one(ctx, d.waiting.countOf, consultation))
}
