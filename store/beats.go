package store

import (
	"context"
	"database/sql"
	"fmt"

	"inspraak/participation"
)

type beatStatements struct {
	get            statement
	save           *sql.Stmt
	incident, hit  *sql.Stmt
	all, affecting *sql.Stmt
}

func prepareBeats(p *preparer) beatStatements {
	return beatStatements{
		get:      p.both(`SELECT database, n, at FROM beat WHERE one = 1`),
		save:     p.write(`UPDATE beat SET n = ?, at = ? WHERE one = 1`),
		incident: p.write(`INSERT INTO incident (kind, began, ended) VALUES (?, ?, ?)`),
		hit:      p.write(`INSERT INTO affected (consultation, incident) VALUES (?, ?)`),
		all:      p.read(`SELECT number, kind, began, ended FROM incident ORDER BY number`),
		affecting: p.read(`SELECT i.number, i.kind, i.began, i.ended FROM affected h JOIN incident i ON i.number = h.incident
			WHERE h.consultation = ? ORDER BY i.number`),
	}
}

func scanBeat(row scanner) (b participation.Beat, err error) {
	err = row(&b.Database, &b.N, when{&b.At})
	return b, err
}

func scanIncident(row scanner) (i participation.Incident, err error) {
	err = row(&i.Number, &i.Kind, when{&i.Began}, when{&i.Ended})
	return i, err
}

// LastBeat implements participation.Reader.
func (d *DB) LastBeat(ctx context.Context) (participation.Beat, error) {
	return scanBeat(one(ctx, d.beats.get.read))
}

// Incidents implements participation.Reader.
func (d *DB) Incidents(ctx context.Context, number int64) ([]participation.Incident, error) {
	if number == 0 {
		return list(ctx, d.beats.all, scanIncident)
	}
	return list(ctx, d.beats.affecting, scanIncident, number)
}

// Beat implements participation.Tx.
func (t *tx) Beat() (participation.Beat, error) { return scanBeat(t.query(t.db.beats.get.write)) }

// SaveBeat implements participation.Tx.
func (t *tx) SaveBeat(b participation.Beat) error { return t.do(t.db.beats.save, b.N, ms(b.At)) }

// SaveIncident implements participation.Tx.
func (t *tx) SaveIncident(i participation.Incident, affected []int64) (int64, error) {
	result, err := t.exec(t.db.beats.incident, i.Kind, ms(i.Began), ms(i.Ended))
	if err != nil {
		return 0, fmt.Errorf("save %s: %w", i.Kind, err)
	}
	number, err := result.LastInsertId()
	if err != nil {
		return 0, fmt.Errorf("save %s: %w", i.Kind, err)
	}
	for _, consultation := range affected {
		if err := t.do(t.db.beats.hit, consultation, number); err != nil {
			return 0, fmt.Errorf("save %s: %w", i.Kind, err)
		}
	}
	return number, nil
}
