package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"
)

// scanner copies the columns of one row.
type scanner func(dest ...any) error

// one returns a scanner of the one row of a query; no row is
// participation.ErrNotFound.
func one(ctx context.Context, s *sql.Stmt, args ...any) scanner {
	return func(dest ...any) error { return translate(within(ctx, s).QueryRowContext(ctx, args...).Scan(dest...)) }
}

// moment is the key of a context by which reads see one moment.
type moment struct{}

// Snapshot implements participation.Reader.
func (d *DB) Snapshot(ctx context.Context, fn func(context.Context) error) error {
	tx, err := d.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("snapshot: %w", translate(err))
	}
	defer tx.Rollback() // nothing was written
	return fn(context.WithValue(ctx, moment{}, tx))
}

// within is a reader's statement, in the snapshot of the context if it has one.
func within(ctx context.Context, s *sql.Stmt) *sql.Stmt {
	if tx, ok := ctx.Value(moment{}).(*sql.Tx); ok {
		return tx.StmtContext(ctx, s)
	}
	return s
}

// list collects all rows of a query.
func list[T any](ctx context.Context, s *sql.Stmt, scan func(scanner) (T, error), args ...any) ([]T, error) {
	var all []T
	err := each(ctx, s, func(row scanner) error {
		item, err := scan(row)
		all = append(all, item)
		return err
	}, args...)
	return all, err
}

// txList is list within the transaction.
func txList[T any](t *tx, s *sql.Stmt, scan func(scanner) (T, error), args ...any) ([]T, error) {
	if t.failed != nil {
		return nil, t.failed
	}
	all, err := list(context.Background(), s, scan, args...)
	return all, t.note(err)
}

// each calls fn for every row of a query until fn fails.
func each(ctx context.Context, s *sql.Stmt, fn func(scanner) error, args ...any) error {
	rows, err := within(ctx, s).QueryContext(ctx, args...)
	if err != nil {
		return translate(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows.Scan); err != nil {
			return err
		}
	}
	return translate(rows.Err())
}

// column scans a single column.
func column[T any](row scanner) (v T, err error) {
	err = row(&v)
	return v, err
}

// ms turns a time into what is stored, and when turns it back. Zero stays
// zero; what is finer than a millisecond is lost.
func ms(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// when scans a time.
type when struct{ t *time.Time }

// Scan implements sql.Scanner.
func (w when) Scan(value any) error {
	n, ok := value.(int64)
	if !ok {
		return fmt.Errorf("a time is stored as %T, want milliseconds", value)
	}
	*w.t = time.Time{}
	if n != 0 {
		*w.t = time.UnixMilli(n).UTC()
	}
	return nil
}

// document is a JSON column.
type document struct{ v any }

// Scan implements sql.Scanner.
func (d document) Scan(value any) error {
	text, ok := value.(string)
	if !ok {
		return fmt.Errorf("a JSON column holds %T", value)
	}
	return json.Unmarshal([]byte(text), d.v)
}

// text encodes a value of ours for a JSON column.
func text(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

// digest scans a pseudonym or another 16 bytes.
type digest struct{ p *[16]byte }

// Scan implements sql.Scanner.
func (d digest) Scan(value any) error {
	b, ok := value.([]byte)
	if !ok || len(b) != len(d.p) {
		return fmt.Errorf("a digest is stored as %d bytes of %T, want 16", len(b), value)
	}
	copy(d.p[:], b)
	return nil
}

// limit is a LIMIT clause's argument: 0 means all.
func limit(n int) int {
	if n <= 0 {
		return -1
	}
	return n
}

// named adds what was looked for to an error.
func named(err error, what, name string) error {
	if err != nil {
		return fmt.Errorf("%s %q: %w", what, name, err)
	}
	return nil
}
