package store

import (
	"context"
	"database/sql"

	"inspraak/participation"
)

type resultStatements struct {
	newest, tallies statement
	save            *sql.Stmt
}

func prepareResults(p *preparer) resultStatements {
	return resultStatements{
		newest: p.both(`SELECT c.id, r.version, r.at, r.turnout, r.counts, r.pending, r.replies, r.likes, r.boosts,
			r.refused, r.classes, r.entries, r.final FROM result r JOIN consultation c ON c.number = r.consultation
			WHERE r.consultation = (SELECT number FROM consultation WHERE id = ?)
			ORDER BY r.version DESC LIMIT 1`),
		// One statement, so that all numbers are of the same moment.
		tallies: p.both(`SELECT
			(SELECT count(*) FROM ballot WHERE consultation = ?1 AND counted = 1),
			(SELECT count(*) FROM reply WHERE consultation = ?1 AND standing = 'shown'),
			(SELECT count(*) FROM gesture WHERE consultation = ?1 AND gesture = 'like'),
			(SELECT count(*) FROM gesture WHERE consultation = ?1 AND gesture = 'boost'),
			(SELECT json_group_object(reason, n) FROM refused WHERE consultation = ?1)`),
		save: p.write(`INSERT INTO result (consultation, version, at, turnout, counts, pending, replies, likes, boosts,
			refused, classes, entries, final) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (consultation, version) DO UPDATE SET at = excluded.at, turnout = excluded.turnout,
			counts = excluded.counts, pending = excluded.pending, replies = excluded.replies, likes = excluded.likes,
			boosts = excluded.boosts, refused = excluded.refused, classes = excluded.classes, entries = excluded.entries, final = excluded.final`),
	}
}

func scanResult(row scanner) (r participation.Result, err error) {
	err = row(&r.Consultation, &r.Version, when{&r.At}, &r.Turnout, document{&r.Counts}, &r.Pending, &r.Replies,
		&r.Likes, &r.Boosts, document{&r.Refused}, document{&r.Classes}, &r.Entries, &r.Final)
	return r, err
}

func scanTallies(row scanner) (n participation.Tallies, err error) {
	err = row(&n.Ballots, &n.Replies, &n.Likes, &n.Boosts, document{&n.Refused})
	return n, err
}

// Result implements participation.Reader.
func (d *DB) Result(ctx context.Context, consultation string) (participation.Result, error) {
	r, err := scanResult(one(ctx, d.results.newest.read, consultation))
	return r, named(err, "result of", consultation)
}

// Tallies implements participation.Reader. Hidden replies do not count.
func (d *DB) Tallies(ctx context.Context, c participation.Consultation) (participation.Tallies, error) {
	n, err := scanTallies(one(ctx, d.results.tallies.read, c.Number))
	return n, named(err, "tallies of", c.ID)
}

// Result implements participation.Tx.
func (t *tx) Result(consultation string) (participation.Result, error) {
	r, err := scanResult(t.query(t.db.results.newest.write, consultation))
	return r, named(err, "result of", consultation)
}

// Tallies implements participation.Tx.
func (t *tx) Tallies(c participation.Consultation) (participation.Tallies, error) {
	n, err := scanTallies(t.query(t.db.results.tallies.write, c.Number))
	return n, named(err, "tallies of", c.ID)
}

// SaveResult implements participation.Tx. Earlier versions stay.
func (t *tx) SaveResult(r participation.Result) error {
	number, err := t.number(r.Consultation)
	if err != nil {
		return err
	}
	counts, err := text(r.Counts)
	if err != nil {
		return err
	}
	refused, err := text(r.Refused)
	if err != nil {
		return err
	}
	classes, err := text(r.Classes)
	if err != nil {
		return err
	}
	return named(t.do(t.db.results.save, number, r.Version, ms(r.At), r.Turnout, counts, r.Pending, r.Replies,
		r.Likes, r.Boosts, refused, classes, r.Entries, r.Final), "save result of", r.Consultation)
}
