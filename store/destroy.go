package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// destroyStatements delete what must not outlast the key of a consultation. A new
// table that holds anything of a voter in it belongs here; TestDestroyKnowsAll
// asks for it.
type destroyStatements struct {
	byNumber                        []*sql.Stmt // of one consultation
	id                              *sql.Stmt
	waiting, events, letters, codes *sql.Stmt // of one ID
	counts, deliveries              *sql.Stmt // of one address
}

func prepareDestroy(p *preparer) destroyStatements {
	return destroyStatements{
		byNumber: []*sql.Stmt{
			p.write(`DELETE FROM ballot WHERE consultation = ?`),
			p.write(`DELETE FROM log_waiting WHERE consultation = ?`),
			// Snapshots from before the last one tell when votes came.
			p.write(`DELETE FROM result WHERE consultation = ?1
				AND version < (SELECT max(version) FROM result WHERE consultation = ?1)`),
		},
		id:      p.write(`SELECT id FROM consultation WHERE number = ?`),
		waiting: p.write(`DELETE FROM waiting WHERE consultation = ?`),
		// Answers to voters that are not delivered yet.
		letters: p.write(`DELETE FROM delivery WHERE activity IN (SELECT seq FROM activity WHERE key = ?)`),
		codes:   p.write(`DELETE FROM activity WHERE key = ?`),
		// These tell when votes came, too: the events, and the Updates that went out of them.
		events: p.write(`DELETE FROM event WHERE type = 'consultation-counted' AND consultation = ?
			AND seq <= (SELECT seq FROM cursor)`),
		counts: p.write(`DELETE FROM activity WHERE count = 1 AND id >= ?1 || '/updates/' AND id < ?1 || '/updates0'
			AND seq NOT IN (SELECT activity FROM delivery)`),
		// A delivery to somebody who does not follow is one to a voter, or to who
		// replied or boosted.
		deliveries: p.write(`DELETE FROM delivery WHERE object = ?
			AND NOT EXISTS (SELECT 1 FROM follower f WHERE f.inbox = delivery.inbox)
			AND NOT EXISTS (SELECT 1 FROM follower f WHERE f.shared = delivery.inbox AND f.shared <> '')`),
	}
}

// DestroyBallots implements participation.Tx. Tombstones, which do not tell of
// which consultation they are, go if they are a week old.
func (t *tx) DestroyBallots(number int64, object string, now time.Time) error {
	s := &t.db.destroy
	id, err := column[string](t.query(s.id, number))
	if err != nil {
		return named(err, "consultation", fmt.Sprint(number))
	}
	for _, stmt := range s.byNumber {
		if err := t.do(stmt, number); err != nil {
			return err
		}
	}
	if err := t.DropEvidence(number); err != nil {
		return err
	}
	for _, do := range []struct {
		stmt *sql.Stmt
		arg  any
	}{
		{s.waiting, id}, {s.events, id}, {s.letters, id}, {s.codes, id}, {s.deliveries, object}, {s.counts, object},
		{t.db.ballots.expire, ms(now.Add(-tombstoneAge))},
	} {
		if err := t.do(do.stmt, do.arg); err != nil {
			return err
		}
	}
	return nil
}

// scrubTries is how often Scrub waits, for a second each time, for who reads.
const scrubTries = 30

// Scrub implements participation.Store. Deleting has overwritten the rows in their
// pages; this writes the database anew, without the pages that became free, and
// empties the write-ahead log, which still held both. It has a connection of its
// own, so it is the same whether this process serves the node or another does:
// who writes meanwhile waits, or is told that the database is unavailable. It
// needs as much free disk as the database takes, twice.
func (d *DB) Scrub(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("scrub the database: %w", translate(err))
		}
	}()
	pool, err := sql.Open("sqlite", d.name+writerSettings)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	pool.SetMaxOpenConns(1)
	if err := emptyWAL(ctx, pool, scrubTries); err != nil {
		return err
	}
	if _, err := pool.ExecContext(ctx, "PRAGMA busy_timeout = 10000; VACUUM"); err != nil {
		return err
	}
	return emptyWAL(ctx, pool, scrubTries)
}

// FoldLog implements participation.Store.
func (d *DB) FoldLog(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("empty the write-ahead log: %w", translate(err))
		}
	}()
	pool, err := sql.Open("sqlite", d.name+writerSettings)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	pool.SetMaxOpenConns(1)
	return emptyWAL(ctx, pool, 1)
}

// emptyWAL folds the write-ahead log into the database and cuts it to nothing.
func emptyWAL(ctx context.Context, pool *sql.DB, tries int) error {
	if _, err := pool.ExecContext(ctx, "PRAGMA busy_timeout = 1000"); err != nil {
		return err
	}
	for range tries {
		var busy, frames, folded int
		if err := pool.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &folded); err != nil {
			return err
		}
		if busy == 0 {
			return nil
		}
	}
	return fmt.Errorf("%w: somebody reads it all the time: a download under way, or Litestream. End that, or stop the node", ErrUnavailable)
}
