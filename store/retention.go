package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"inspraak/participation"
)

// expiring says in SQL what falls under a rule of retention (participation.Rules)
// that is from before ?1; rows are named by key, when is the column of their time,
// and do is what lets go of them, by default deleting.
type expiring struct{ table, key, when, where, do string }

func expirings() map[string]expiring {
	// Of these consultations no vote can count any more.
	const over = `consultation NOT IN (SELECT id FROM consultation WHERE phase IN ('scheduled', 'open', 'closed') AND destroying_at = 0)`
	return map[string]expiring{
		"servers": {table: "host_form f", key: "host", when: "0", where: `?1 <> 0
			AND NOT EXISTS (SELECT 1 FROM peer p WHERE p.host = f.host) AND NOT EXISTS (SELECT 1 FROM follower n WHERE n.host = f.host)`},
		"peers": {table: "peer p", key: "actor", when: "fetched_at", where: `fetched_at < ?1
			AND NOT EXISTS (SELECT 1 FROM follower f WHERE f.actor = p.actor) AND NOT EXISTS (SELECT 1 FROM reply r WHERE r.author = p.actor)
			AND NOT EXISTS (SELECT 1 FROM gesture g WHERE g.actor = p.actor) AND NOT EXISTS (SELECT 1 FROM quote q WHERE q.actor = p.actor)
			AND NOT EXISTS (SELECT 1 FROM post o WHERE o.mention = p.actor AND o.mention <> '')`},
		"hidden-replies": {table: "reply", key: "number", when: "hidden_at", where: `standing = 'hidden' AND hidden_at < ?1 AND author <> ''`},
		"reports": {table: "report", key: "id", when: "resolved_at", where: `resolved_at BETWEEN 1 AND ?1 - 1 AND server <> ''`,
			do: `UPDATE report SET id = 'erased:' || lower(hex(randomblob(16))), server = '', text = '', objects = '[]', resolution = ''`},
		// What has not been published yet is not touched; what is told in public has a
		// number for its subject, which says nothing.
		"moderation-log": {table: "event", key: "seq", when: "at", where: `at < ?1 AND subject <> '' AND seq <= (SELECT seq FROM cursor)
			AND type IN ('blocked', 'unblocked', 'report-received', 'report-resolved')`,
			do: `UPDATE event SET subject = '', reason = ''`},
		"tombstones": {table: "tombstone", key: "key", when: "at", where: `at < ?1`},
		"helped":     {table: "helped", key: "key", when: "at", where: `at < ?1`},
		"waiting":    {table: "waiting", key: "id", when: "received_at", where: `received_at < ?1 AND ` + over},
	}
}

type retentionStatements struct {
	counts, drops map[string]*sql.Stmt
	erasable      *sql.Stmt
}

func prepareRetention(p *preparer) retentionStatements {
	s := retentionStatements{counts: map[string]*sql.Stmt{}, drops: map[string]*sql.Stmt{},
		erasable: p.write(`SELECT ` + replyColumns + replySource + `WHERE r.standing = 'hidden' AND r.hidden_at < ? AND r.author <> ''
			ORDER BY r.hidden_at, r.number LIMIT ?`),
	}
	for rule, e := range expirings() {
		s.counts[rule] = p.read(`SELECT count(*), coalesce(min(` + e.when + `), 0) FROM ` + e.table + ` WHERE ` + e.where)
		if rule == "hidden-replies" {
			continue
		}
		table, _, _ := strings.Cut(e.table, " ")
		do := e.do
		if do == "" {
			do = `DELETE FROM ` + table
		}
		s.drops[rule] = p.write(do + ` WHERE ` + e.key + ` IN (SELECT ` + e.key + ` FROM ` + e.table + ` WHERE ` + e.where + ` LIMIT ?2)`)
	}
	return s
}

// Expired implements participation.Reader.
func (d *DB) Expired(ctx context.Context, rule string, before time.Time) (n int, oldest time.Time, err error) {
	stmt := d.retention.counts[rule]
	if stmt == nil {
		return 0, oldest, fmt.Errorf("rule %q: %w", rule, participation.ErrNotFound)
	}
	err = one(ctx, stmt, ms(before))(&n, when{&oldest})
	return n, oldest, err
}

// DropExpired implements participation.Tx.
func (t *tx) DropExpired(rule string, before time.Time, limit int) (int, error) {
	stmt := t.db.retention.drops[rule]
	if stmt == nil {
		return 0, fmt.Errorf("rule %q: %w", rule, participation.ErrNotFound)
	}
	result, err := t.exec(stmt, ms(before), limit)
	if err != nil {
		return 0, fmt.Errorf("rule %q: %w", rule, err)
	}
	n, err := result.RowsAffected()
	return int(n), err
}

// ErasableReplies implements participation.Tx.
func (t *tx) ErasableReplies(before time.Time, limit int) ([]participation.Reply, error) {
	return txList(t, t.db.retention.erasable, scanReply, ms(before), limit)
}
