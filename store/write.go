package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"

	"inspraak/participation"
)

// maxGroup bounds how many jobs share one COMMIT.
const maxGroup = 128

// job is a transaction that waits for the writer.
type job struct {
	ctx  context.Context
	fn   func(*tx) error
	err  error
	done chan struct{}
}

// Update implements participation.Store. fn runs on the writer's goroutine, at
// most once; calling Update inside it would wait forever. A panic in fn comes
// back as an error. ctx is honoured until fn starts, not after.
func (d *DB) Update(ctx context.Context, fn func(participation.Tx) error) error {
	return d.write(ctx, func(t *tx) error { return fn(t) })
}

func (d *DB) write(ctx context.Context, fn func(*tx) error) error {
	j := &job{ctx: ctx, fn: fn, done: make(chan struct{})}
	if err := d.enqueue(j); err != nil {
		return err
	}
	<-j.done
	return j.err
}

func (d *DB) enqueue(j *job) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return errClosed
	}
	select {
	case d.jobs <- j:
		return nil
	case <-j.ctx.Done():
		return j.ctx.Err()
	}
}

// run is the writer: it commits what waits, together, until Close.
func (d *DB) run() {
	defer close(d.ended)
	for first := range d.jobs {
		group := d.gather(first)
		d.commit(group)
		for _, j := range group {
			close(j.done)
		}
	}
}

// gather takes what waits. It yields once, so that callers who are just about
// to queue a job still share this COMMIT; it never waits for them.
func (d *DB) gather(first *job) []*job {
	group, yielded := []*job{first}, false
	for len(group) < maxGroup {
		select {
		case j, ok := <-d.jobs:
			if !ok {
				return group
			}
			group = append(group, j)
		default:
			if yielded {
				return group
			}
			yielded = true
			runtime.Gosched()
		}
	}
	return group
}

// commit runs a group in one transaction. A job that fails is undone alone; if
// the transaction as a whole cannot be started or committed, every job that
// had succeeded fails.
func (d *DB) commit(group []*job) {
	d.counters.begun()
	err := d.run1(d.txn.begin)
	if err == nil {
		d.recall()
		if err = d.attempt(group); err == nil {
			err = d.run1(d.txn.commit)
		}
		if err != nil {
			d.run1(d.txn.rollback) // SQLite may have rolled back already, and then says so
		}
		d.forget()
	}
	d.counters.committed(len(group), err != nil)
	if err == nil {
		return
	}
	err = fmt.Errorf("commit: %w", translate(err))
	d.log.Error("transaction failed", "jobs", len(group), "err", err)
	for _, j := range group {
		if j.err == nil {
			j.err = err
		}
	}
}

// attempt runs each job in a savepoint. It fails only when the transaction
// itself is broken.
func (d *DB) attempt(group []*job) error {
	for _, j := range group {
		if j.err = j.ctx.Err(); j.err != nil {
			continue
		}
		if err := d.run1(d.txn.savepoint); err != nil {
			return err
		}
		t := &tx{db: d}
		if j.err = t.call(j.fn); j.err != nil {
			j.err = translate(j.err)
			if err := d.run1(d.txn.undo); err != nil {
				return err
			}
		}
		// After a full disk SQLite may have ended the transaction by itself;
		// then there is no savepoint left, and this fails.
		if err := d.run1(d.txn.release); err != nil {
			return err
		}
	}
	return nil
}

func (d *DB) run1(s *sql.Stmt) error {
	_, err := s.ExecContext(context.Background())
	return err
}

type transactionStatements struct {
	begin, commit, rollback, savepoint, undo, release, version *sql.Stmt
}

func prepareTransaction(p *preparer) transactionStatements {
	return transactionStatements{
		begin:     p.write(`BEGIN IMMEDIATE`),
		commit:    p.write(`COMMIT`),
		rollback:  p.write(`ROLLBACK`),
		savepoint: p.write(`SAVEPOINT job`),
		undo:      p.write(`ROLLBACK TO job`),
		release:   p.write(`RELEASE job`),
		version:   p.write(`PRAGMA data_version`),
	}
}

// tx implements participation.Tx for the length of one job.
type tx struct {
	db     *DB
	failed error // once the database is unavailable or the job over, nothing more is tried
}

func (t *tx) call(fn func(*tx) error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("panic in a transaction: %v", value)
			t.db.log.Error("a transaction was undone", "err", err, "stack", string(debug.Stack()))
		} else if err == nil {
			err = t.failed // a job that overlooked it must not be taken for done
		}
		t.failed = errOver
	}()
	return fn(t)
}

// note translates a statement's error, and remembers one after which SQLite
// may have ended the transaction: what followed would be written outside it.
func (t *tx) note(err error) error {
	if err = translate(err); errors.Is(err, ErrUnavailable) {
		t.failed = err
	}
	return err
}

func (t *tx) exec(s *sql.Stmt, args ...any) (sql.Result, error) {
	if t.failed != nil {
		return nil, t.failed
	}
	result, err := s.ExecContext(context.Background(), args...)
	return result, t.note(err)
}

// do is exec for statements whose result does not matter.
func (t *tx) do(s *sql.Stmt, args ...any) error {
	_, err := t.exec(s, args...)
	return err
}

// query returns a scanner of the one row of a query; no row is
// participation.ErrNotFound.
func (t *tx) query(s *sql.Stmt, args ...any) scanner {
	return func(dest ...any) error {
		if t.failed != nil {
			return t.failed
		}
		return t.note(s.QueryRowContext(context.Background(), args...).Scan(dest...))
	}
}
