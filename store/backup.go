package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"strings"
)

// Backup writes a copy of what is committed to a new file, readable by its
// owner only, while the node goes on. It refuses a path that is taken. Keys
// are not part of it.
func (d *DB) Backup(ctx context.Context, path string) error {
	if err := vacuumInto(ctx, d.readers, path); err != nil {
		return fmt.Errorf("backup to %s: %w", path, translate(err))
	}
	return nil
}

// vacuumInto writes what is committed to a new file, whole and on disk, or
// leaves none.
func vacuumInto(ctx context.Context, db *sql.DB, path string) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(err, os.Remove(path))
		}
	}()
	// VACUUM INTO accepts an empty file, keeps its mode and does not sync it.
	if _, err := db.ExecContext(ctx, `VACUUM INTO ?`, path); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// Check looks for damage: SQLite's integrity_check, which examines the index of
// words too, and foreign_key_check. It returns a line for each problem, none if
// all is well.
func (d *DB) Check(ctx context.Context) (problems []string, err error) {
	// A connection of its own: FTS5 examines its index by what the connection
	// remembers of it, also if another has changed it since.
	fresh, err := sql.Open("sqlite", d.name+readerSettings)
	if err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	defer func() { err = errors.Join(err, fresh.Close()) }()
	return check(ctx, fresh, []examination{
		{`PRAGMA integrity_check`, "ok"},
		{`SELECT 'row ' || coalesce(rowid, '') || ' of ' || "table" || ' names no row of ' || parent
			FROM pragma_foreign_key_check`, ""},
	})
}

// CheckDeliveries looks whether what is to be sent holds together: the log was
// published no further than it goes, no two activities have one id, every
// delivery has its activity, and of those to one inbox about one object exactly
// one may be tried. It returns a line for each problem.
func (d *DB) CheckDeliveries(ctx context.Context) ([]string, error) {
	return check(ctx, d.readers, []examination{
		{`SELECT 'the log was published up to ' || seq || ' and ends before'
			FROM cursor WHERE seq > coalesce((SELECT max(seq) FROM event), 0)`, ""},
		{`SELECT count(*) || ' activities have the id ' || id FROM activity GROUP BY id HAVING count(*) > 1`, ""},
		{`SELECT 'delivery ' || id || ' is of activity ' || activity || ', which is not there'
			FROM delivery WHERE activity NOT IN (SELECT seq FROM activity)`, ""},
		{`SELECT count(next) || ' deliveries to ' || inbox || ' about ' || object || ' may be tried, want 1'
			FROM delivery GROUP BY inbox, object HAVING count(next) <> 1`, ""},
	})
}

// examination is a query that gives a line for each problem, and the line that
// is none.
type examination struct{ text, fine string }

func check(ctx context.Context, db *sql.DB, examinations []examination) ([]string, error) {
	var problems []string
	for _, check := range examinations {
		lines, err := lines(ctx, db, check.text)
		if err != nil {
			return problems, fmt.Errorf("check: %w", translate(err))
		}
		for _, line := range lines {
			if line != check.fine {
				problems = append(problems, line)
			}
		}
	}
	return problems, nil
}

func lines(ctx context.Context, db *sql.DB, query string) ([]string, error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return nil, err
		}
		all = append(all, line)
	}
	return all, rows.Err()
}

// Fingerprint tells the content of every table: the number of its rows and
// their SHA-256 in the order of its key, as "3 9f86…". Two databases with the
// same content have the same fingerprint, however they came to it. The beat,
// which time alone changes, is left out.
func (d *DB) Fingerprint(ctx context.Context) (map[string]string, error) {
	snapshot, err := d.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("fingerprint: %w", translate(err))
	}
	defer snapshot.Rollback()
	rows, err := snapshot.QueryContext(ctx, `SELECT s.name, iif(s.type = 'virtual', 'rowid',
		(SELECT group_concat('"' || name || '"') FROM (SELECT name FROM pragma_table_info(s.name) WHERE pk > 0 ORDER BY pk)))
		FROM pragma_table_list s WHERE s.schema = 'main' AND s.type IN ('table', 'virtual')
		AND s.name NOT LIKE 'sqlite\_%' ESCAPE '\' AND s.name NOT IN ('goose_db_version', 'beat')`)
	if err != nil {
		return nil, fmt.Errorf("fingerprint: %w", translate(err))
	}
	defer rows.Close()
	keys := map[string]string{}
	for rows.Next() {
		var table, key string
		if err := rows.Scan(&table, &key); err != nil {
			return nil, fmt.Errorf("fingerprint: %w", err)
		}
		keys[table] = key
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("fingerprint: %w", translate(err))
	}
	prints := map[string]string{}
	for table, key := range keys {
		if prints[table], err = fingerprint(ctx, snapshot, table, key); err != nil {
			return nil, fmt.Errorf("fingerprint of %s: %w", table, translate(err))
		}
	}
	return prints, nil
}

func fingerprint(ctx context.Context, snapshot *sql.Tx, table, key string) (string, error) {
	rows, err := snapshot.QueryContext(ctx, `SELECT `+key+`, * FROM "`+table+`" ORDER BY `+key)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return "", err
	}
	h, n := sha256.New(), 0
	h.Write([]byte(strings.Join(columns, ",")))
	values := make([]any, len(columns))
	dest := make([]any, len(columns))
	for i := range values {
		dest[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return "", err
		}
		for _, v := range values {
			digestValue(h, v)
		}
		n++
	}
	return fmt.Sprintf("%d %x", n, h.Sum(nil)), rows.Err()
}

// digestValue hashes a value with its type and length, so that no two rows
// look alike.
func digestValue(h hash.Hash, v any) {
	b := fmt.Appendf(nil, "%v", v)
	if raw, ok := v.([]byte); ok {
		b = raw
	}
	head := binary.BigEndian.AppendUint64(fmt.Appendf(nil, "%T", v), uint64(len(b)))
	h.Write(head)
	h.Write(b)
}
