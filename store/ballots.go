package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"inspraak/participation"
)

// Deletes are remembered this long, and at most this many of them.
const (
	tombstoneAge = 7 * 24 * time.Hour
	maxTombstone = 100_000
)

type ballotStatements struct {
	get                                  statement
	save, all                            *sql.Stmt
	refuse                               *sql.Stmt
	bury, expire, excess, trim, isBuried *sql.Stmt
}

func prepareBallots(p *preparer) ballotStatements {
	return ballotStatements{
		get: p.both(`SELECT sealed FROM ballot WHERE consultation = ? AND voter = ?`),
		save: p.write(`INSERT INTO ballot (consultation, voter, counted, sealed) VALUES (?, ?, ?, ?)
			ON CONFLICT (consultation, voter) DO UPDATE SET counted = excluded.counted, sealed = excluded.sealed`),
		all: p.read(`SELECT voter, counted, sealed FROM ballot WHERE consultation = ? ORDER BY voter`),

		refuse: p.write(`INSERT INTO refused (consultation, reason, n) VALUES (?, ?, 1)
			ON CONFLICT (consultation, reason) DO UPDATE SET n = n + 1`),

		bury: p.write(`INSERT INTO tombstone (key, at) VALUES (?, ?)
			ON CONFLICT (key) DO UPDATE SET at = max(at, excluded.at)`),
		expire: p.write(`DELETE FROM tombstone WHERE at < ?`),
		excess: p.write(`SELECT max(n - ?, 0) FROM occupancy WHERE room = 'tombstone'`),
		trim:   p.write(`DELETE FROM tombstone WHERE key IN (SELECT key FROM tombstone ORDER BY at LIMIT ?)`),
		// Not IN, for which SQLite builds a table of the two each time.
		isBuried: p.write(`SELECT EXISTS (SELECT 1 FROM tombstone WHERE key = ?) OR EXISTS (SELECT 1 FROM tombstone WHERE key = ?)`),
	}
}

// Ballots implements participation.Reader.
func (d *DB) Ballots(ctx context.Context, number int64, fn func(participation.Pseudonym, bool, []byte) error) error {
	var voter participation.Pseudonym
	var counted bool
	var sealed sql.RawBytes
	into := []any{digest{(*[16]byte)(&voter)}, &counted, &sealed}
	return each(ctx, d.ballots.all, func(row scanner) error {
		if err := row(into...); err != nil {
			return fmt.Errorf("read ballot: %w", err)
		}
		return fn(voter, counted, sealed)
	}, number)
}

// Ballot implements participation.Reader.
func (d *DB) Ballot(ctx context.Context, number int64, voter participation.Pseudonym) ([]byte, error) {
	sealed, err := column[[]byte](one(ctx, d.ballots.get.read, number, voter[:]))
	return sealed, named(err, "ballot in", fmt.Sprint(number))
}

// Ballot implements participation.Tx.
func (t *tx) Ballot(number int64, voter participation.Pseudonym) ([]byte, error) {
	var sealed []byte
	err := t.query(t.db.ballots.get.write, number, voter[:])(&sealed)
	if errors.Is(err, participation.ErrNotFound) {
		return nil, nil
	}
	return sealed, err
}

// SaveBallot implements participation.Tx.
func (t *tx) SaveBallot(number int64, voter participation.Pseudonym, cast bool, sealed []byte) error {
	return t.do(t.db.ballots.save, number, voter[:], cast, sealed)
}

// Refuse implements participation.Tx.
func (t *tx) Refuse(number int64, reason participation.Outcome) error {
	return t.do(t.db.ballots.refuse, number, reason)
}

// Tombstone implements participation.Tx. It drops those a week older than at,
// and the oldest beyond 100,000.
func (t *tx) Tombstone(key participation.Pseudonym, at time.Time) error {
	s := &t.db.ballots
	if err := t.do(s.bury, key[:], ms(at)); err != nil {
		return err
	}
	if err := t.do(s.expire, ms(at.Add(-tombstoneAge))); err != nil {
		return err
	}
	excess, err := column[int64](t.query(s.excess, maxTombstone))
	if err != nil || excess == 0 {
		return err
	}
	return t.do(s.trim, excess)
}

// Buried implements participation.Tx. A tombstone older than a week may still
// be found until another one is made.
func (t *tx) Buried(a, b participation.Pseudonym) (bool, error) {
	return column[bool](t.query(t.db.ballots.isBuried, a[:], b[:]))
}
