package store

import (
	"context"
	"database/sql"

	"inspraak/participation"
)

const reportColumns = `id, server, text, objects, received, resolved_at, resolution`

type moderationStatements struct {
	report, reports, saveReport    *sql.Stmt
	blocks, saveBlock, deleteBlock *sql.Stmt
}

func prepareModeration(p *preparer) moderationStatements {
	return moderationStatements{
		report: p.write(`SELECT ` + reportColumns + ` FROM report WHERE id = ?`),
		reports: p.read(`SELECT ` + reportColumns + ` FROM report WHERE ? OR resolved_at = 0
			ORDER BY received, id`),
		saveReport: p.write(`INSERT INTO report (` + reportColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET resolved_at = excluded.resolved_at, resolution = excluded.resolution
			WHERE excluded.resolved_at <> 0`),
		blocks: p.read(`SELECT subject, reason, created FROM block ORDER BY subject`),
		saveBlock: p.write(`INSERT INTO block (subject, reason, created) VALUES (?, ?, ?)
			ON CONFLICT (subject) DO UPDATE SET reason = excluded.reason, created = excluded.created`),
		deleteBlock: p.write(`DELETE FROM block WHERE subject = ?`),
	}
}

func scanReport(row scanner) (r participation.Report, err error) {
	err = row(&r.ID, &r.Server, &r.Text, document{&r.Objects}, when{&r.Received}, when{&r.ResolvedAt}, &r.Resolution)
	return r, err
}

func scanBlock(row scanner) (b participation.Block, err error) {
	err = row(&b.Subject, &b.Reason, when{&b.Created})
	return b, err
}

// Reports implements participation.Reader.
func (d *DB) Reports(ctx context.Context, all bool) ([]participation.Report, error) {
	return list(ctx, d.moderation.reports, scanReport, all)
}

// Blocks implements participation.Reader, in the order of their subjects.
func (d *DB) Blocks(ctx context.Context) ([]participation.Block, error) {
	return list(ctx, d.moderation.blocks, scanBlock)
}

// Report implements participation.Tx.
func (t *tx) Report(id string) (participation.Report, error) {
	r, err := scanReport(t.query(t.db.moderation.report, id))
	return r, named(err, "report", id)
}

// SaveReport implements participation.Tx.
func (t *tx) SaveReport(r participation.Report) error {
	objects, err := text(r.Objects)
	if err != nil {
		return named(err, "save report", r.ID)
	}
	return named(t.do(t.db.moderation.saveReport, r.ID, r.Server, r.Text, objects,
		ms(r.Received), ms(r.ResolvedAt), r.Resolution), "save report", r.ID)
}

// SaveBlock implements participation.Tx.
func (t *tx) SaveBlock(b participation.Block) error {
	err := t.do(t.db.moderation.saveBlock, b.Subject, b.Reason, ms(b.Created))
	if err == nil {
		err = t.indexCovered(b)
	}
	return named(err, "save block", b.Subject)
}

// DeleteBlock implements participation.Tx. One that is not there is no error.
func (t *tx) DeleteBlock(subject string) error {
	err := t.do(t.db.moderation.deleteBlock, subject)
	if err == nil {
		err = t.indexCovered(participation.Block{Subject: subject})
	}
	return named(err, "delete block", subject)
}
