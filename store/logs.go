package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"

	"inspraak/participation"
)

type logStatements struct {
	head, tile, find     statement
	entry                *sql.Stmt
	entries, checkpoints *sql.Stmt
	awaiting, ballots    *sql.Stmt
	frozen, files, part  *sql.Stmt

	await, awaited, written           *sql.Stmt
	taken, take                       *sql.Stmt
	saveHead, append, saveTile, saveC *sql.Stmt
	savePart, drop                    *sql.Stmt
}

func prepareLogs(p *preparer) logStatements {
	return logStatements{
		head: p.both(`SELECT size, at, checkpoint FROM log WHERE consultation = ?`),
		tile: p.both(`SELECT hashes FROM log_tile WHERE consultation = ? AND level = ? AND n = ?`),
		find: p.both(`SELECT n FROM log_entry WHERE consultation = ?1 AND substr(entry, 11, 10) = substr(?2, 11, 10)
			AND entry GLOB 'ballot/*' AND entry = ?2 ORDER BY n DESC LIMIT 1`),
		entry:       p.read(`SELECT entry FROM log_entry WHERE consultation = ? AND n = ?`),
		entries:     p.read(`SELECT n, entry FROM log_entry WHERE consultation = ? AND n >= ? ORDER BY n LIMIT ?`),
		checkpoints: p.read(`SELECT size, at, note FROM checkpoint WHERE consultation = ? ORDER BY size`),
		awaiting:    p.read(`SELECT voter, logged FROM log_waiting WHERE consultation = ? ORDER BY voter`),
		ballots: p.read(`SELECT b.voter, w.voter IS NOT NULL, CASE WHEN w.voter IS NULL THEN b.sealed ELSE w.logged END
			FROM ballot b LEFT JOIN log_waiting w ON w.consultation = b.consultation AND w.voter = b.voter
			WHERE b.consultation = ? ORDER BY b.voter`),
		files: p.read(`SELECT name, sum(length(content)) FROM dataset WHERE consultation = ? GROUP BY name ORDER BY name`),
		part:  p.read(`SELECT content FROM dataset WHERE consultation = ? AND name = ? AND part = ?`),
		frozen: p.read(`SELECT number FROM consultation WHERE phase = 'closed'
			AND EXISTS (SELECT 1 FROM dataset WHERE consultation = number AND name = 'manifest.txt') ORDER BY number`),

		savePart: p.write(`INSERT INTO dataset (consultation, name, part, content) VALUES (?, ?, ?, ?)`),
		drop:     p.write(`DELETE FROM dataset WHERE consultation = ?`),

		await: p.write(`INSERT INTO log_waiting (consultation, voter, logged) VALUES (?, ?, ?)
			ON CONFLICT (consultation, voter) DO NOTHING`),
		awaited: p.write(`SELECT logged FROM log_waiting WHERE consultation = ? AND voter = ?`),
		// The voters come as JSON: one statement for a whole batch.
		taken: p.write(`SELECT w.voter, w.logged, b.sealed FROM json_each(?2) v
			CROSS JOIN log_waiting w ON w.consultation = ?1 AND w.voter = unhex(v.value)
			CROSS JOIN ballot b ON b.consultation = ?1 AND b.voter = w.voter`),
		take:    p.write(`DELETE FROM log_waiting WHERE consultation = ?1 AND voter IN (SELECT unhex(value) FROM json_each(?2))`),
		written: p.write(`DELETE FROM log_waiting WHERE consultation = ? AND voter = ?`),
		saveHead: p.write(`INSERT INTO log (consultation, size, at, checkpoint) VALUES (?, ?, ?, ?)
			ON CONFLICT (consultation) DO UPDATE SET size = excluded.size, at = excluded.at, checkpoint = excluded.checkpoint`),
		append: p.write(`INSERT INTO log_entry (consultation, n, entry) SELECT ?1, ?2 + key, value FROM json_each(?3)`),
		saveTile: p.write(`INSERT INTO log_tile (consultation, level, n, hashes) VALUES (?, ?, ?, ?)
			ON CONFLICT (consultation, level, n) DO UPDATE SET hashes = excluded.hashes`),
		saveC: p.write(`INSERT INTO checkpoint (consultation, size, at, note) VALUES (?, ?, ?, ?)
			ON CONFLICT (consultation, size) DO NOTHING`),
	}
}

func scanLog(row scanner) (h participation.LogHead, err error) {
	err = row(&h.Size, when{&h.At}, &h.Checkpoint)
	if errors.Is(err, participation.ErrNotFound) {
		return participation.LogHead{}, nil
	}
	return h, err
}

func scanTile(row scanner) ([]byte, error) {
	hashes, err := column[[]byte](row)
	if errors.Is(err, participation.ErrNotFound) {
		return nil, nil
	}
	return hashes, err
}

// Log implements participation.Reader.
func (d *DB) Log(ctx context.Context, number int64) (participation.LogHead, error) {
	return scanLog(one(ctx, d.logs.head.read, number))
}

// LogEntries implements participation.Reader.
func (d *DB) LogEntries(ctx context.Context, number, from int64, n int, fn func(int64, string) error) error {
	return each(ctx, d.logs.entries, func(row scanner) error {
		var at int64
		var entry string
		if err := row(&at, &entry); err != nil {
			return fmt.Errorf("read log: %w", err)
		}
		return fn(at, entry)
	}, number, from, limit(n))
}

// LogEntry implements participation.Reader.
func (d *DB) LogEntry(ctx context.Context, number, n int64) (string, error) {
	entry, err := column[string](one(ctx, d.logs.entry, number, n))
	return entry, named(err, "log entry", fmt.Sprint(n))
}

// LogTile implements participation.Reader.
func (d *DB) LogTile(ctx context.Context, number int64, level int, n int64) ([]byte, error) {
	return scanTile(one(ctx, d.logs.tile.read, number, level, n))
}

// FindEntry implements participation.Reader.
func (d *DB) FindEntry(ctx context.Context, number int64, entry string) (int64, error) {
	n, err := column[int64](one(ctx, d.logs.find.read, number, entry))
	return n, named(err, "log entry", entry)
}

// Checkpoints implements participation.Reader.
func (d *DB) Checkpoints(ctx context.Context, number int64) ([]participation.Checkpoint, error) {
	return list(ctx, d.logs.checkpoints, func(row scanner) (p participation.Checkpoint, err error) {
		err = row(&p.Size, when{&p.At}, &p.Note)
		return p, err
	}, number)
}

// Awaiting implements participation.Reader.
func (d *DB) Awaiting(ctx context.Context, number int64, fn func(participation.Pseudonym, []byte) error) error {
	var voter participation.Pseudonym
	var logged sql.RawBytes
	into := []any{digest{(*[16]byte)(&voter)}, &logged}
	return each(ctx, d.logs.awaiting, func(row scanner) error {
		if err := row(into...); err != nil {
			return fmt.Errorf("read what waits for the log: %w", err)
		}
		return fn(voter, logged)
	}, number)
}

// LoggedBallots implements participation.Reader.
func (d *DB) LoggedBallots(ctx context.Context, number int64, fn func(participation.Pseudonym, bool, []byte) error) error {
	var voter participation.Pseudonym
	var waits bool
	var sealed sql.RawBytes
	into := []any{digest{(*[16]byte)(&voter)}, &waits, &sealed}
	return each(ctx, d.logs.ballots, func(row scanner) error {
		if err := row(into...); err != nil {
			return fmt.Errorf("read ballot as the log has it: %w", err)
		}
		return fn(voter, waits, sealed)
	}, number)
}

// Await implements participation.Tx.
func (t *tx) Await(number int64, voter participation.Pseudonym, logged []byte) error {
	return t.do(t.db.logs.await, number, voter[:], logged)
}

// Awaited implements participation.Tx.
func (t *tx) Awaited(number int64, voter participation.Pseudonym) (logged []byte, waits bool, err error) {
	logged, err = column[[]byte](t.query(t.db.logs.awaited, number, voter[:]))
	if errors.Is(err, participation.ErrNotFound) {
		return nil, false, nil
	}
	return logged, err == nil, err
}

// Written implements participation.Tx.
func (t *tx) Written(number int64, voter participation.Pseudonym) error {
	return t.do(t.db.logs.written, number, voter[:])
}

// TakeAwaited implements participation.Tx.
func (t *tx) TakeAwaited(number int64, voters []participation.Pseudonym) ([]participation.BallotChange, error) {
	var names []string
	for _, v := range voters {
		names = append(names, hex.EncodeToString(v[:]))
	}
	list, err := text(names)
	if err != nil {
		return nil, err
	}
	changes, err := txList(t, t.db.logs.taken, func(row scanner) (c participation.BallotChange, err error) {
		err = row(digest{(*[16]byte)(&c.Voter)}, &c.Logged, &c.Sealed)
		return c, err
	}, number, list)
	if err != nil {
		return nil, err
	}
	return changes, t.do(t.db.logs.take, number, list)
}

// Log implements participation.Tx.
func (t *tx) Log(number int64) (participation.LogHead, error) {
	return scanLog(t.query(t.db.logs.head.write, number))
}

// SaveLog implements participation.Tx.
func (t *tx) SaveLog(number int64, h participation.LogHead) error {
	return t.do(t.db.logs.saveHead, number, h.Size, ms(h.At), h.Checkpoint)
}

// AppendLog implements participation.Tx.
func (t *tx) AppendLog(number, first int64, entries []string) error {
	list, err := text(entries)
	if err == nil {
		err = t.do(t.db.logs.append, number, first, list)
	}
	if err != nil {
		return fmt.Errorf("append to log: %w", err)
	}
	return nil
}

// FindEntry implements participation.Tx.
func (t *tx) FindEntry(number int64, entry string) (int64, error) {
	n, err := column[int64](t.query(t.db.logs.find.write, number, entry))
	return n, named(err, "log entry", entry)
}

// LogTile implements participation.Tx.
func (t *tx) LogTile(number int64, level int, n int64) ([]byte, error) {
	return scanTile(t.query(t.db.logs.tile.write, number, level, n))
}

// SaveLogTile implements participation.Tx.
func (t *tx) SaveLogTile(number int64, level int, n int64, hashes []byte) error {
	return t.do(t.db.logs.saveTile, number, level, n, hashes)
}

// SaveCheckpoint implements participation.Tx. One of a size that is there stays.
func (t *tx) SaveCheckpoint(number int64, p participation.Checkpoint) error {
	return t.do(t.db.logs.saveC, number, p.Size, ms(p.At), p.Note)
}

// DatasetFiles implements participation.Reader.
func (d *DB) DatasetFiles(ctx context.Context, number int64) ([]participation.DatasetFile, error) {
	return list(ctx, d.logs.files, func(row scanner) (f participation.DatasetFile, err error) {
		err = row(&f.Name, &f.Size)
		return f, err
	}, number)
}

// DatasetPart implements participation.Reader.
func (d *DB) DatasetPart(ctx context.Context, number int64, name string, part int) ([]byte, error) {
	content, err := column[[]byte](one(ctx, d.logs.part, number, name, part))
	return content, named(err, "dataset file", name)
}

// Frozen implements participation.Reader.
func (d *DB) Frozen(ctx context.Context) ([]int64, error) {
	return list(ctx, d.logs.frozen, func(row scanner) (n int64, err error) {
		err = row(&n)
		return n, err
	})
}

// SaveDatasetPart implements participation.Tx.
func (t *tx) SaveDatasetPart(number int64, name string, part int, content []byte) error {
	return t.do(t.db.logs.savePart, number, name, part, content)
}

// DropDataset implements participation.Tx.
func (t *tx) DropDataset(number int64) error { return t.do(t.db.logs.drop, number) }
