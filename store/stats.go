package store

import (
	"context"
	"database/sql"
	"errors"
	"math/bits"
	"os"
	"sync/atomic"
	"time"
)

// Stats tells how the database fares: counts since it was opened, and how
// things stand now.
type Stats struct {
	Groups     [groupSizes]int64 // transactions by size: element i holds those of more than 2^(i-1) and at most 2^i jobs
	Jobs       int64             // jobs in them, failed ones included
	Failed     int64             // transactions that could not be begun or committed: all their jobs failed
	Writing    time.Duration     // time spent in them
	Queue      int               // jobs that wait for the writer
	WriterBusy time.Duration     // how long the writer has been at the present transaction; 0 if it rests
	WAL        int64             // size of the write-ahead log, in bytes
}

// groupSizes is how many powers of two there are up to maxGroup.
const groupSizes = 8

// writerCounters are written by the writer and read by Stats.
type writerCounters struct {
	groups         [groupSizes]atomic.Int64
	jobs, failed   atomic.Int64
	writing, since atomic.Int64 // nanoseconds; since the start of now
	start          time.Time
	probing        chan struct{} // full while a trial write goes on
}

// begun and committed enclose one transaction.
func (w *writerCounters) begun() { w.since.Store(max(1, int64(time.Since(w.start)))) }

func (w *writerCounters) committed(jobs int, failed bool) {
	w.groups[bits.Len(uint(jobs-1))].Add(1)
	w.jobs.Add(int64(jobs))
	if failed {
		w.failed.Add(1)
	}
	w.writing.Add(int64(time.Since(w.start)) - w.since.Swap(0))
}

// Stats reads memory, and the size of one file.
func (d *DB) Stats() Stats {
	w := &d.counters
	s := Stats{Jobs: w.jobs.Load(), Failed: w.failed.Load(), Writing: time.Duration(w.writing.Load()), Queue: len(d.jobs)}
	for i := range s.Groups {
		s.Groups[i] = w.groups[i].Load()
	}
	if since := w.since.Load(); since != 0 {
		s.WriterBusy = max(0, time.Since(w.start)-time.Duration(since))
	}
	if info, err := os.Stat(d.path + "-wal"); err == nil {
		s.WAL = info.Size()
	}
	return s
}

// ErrBusy is what Probe says when an earlier one got no answer before ctx ended.
var ErrBusy = errors.New("an earlier trial write has not ended yet")

// Probe writes something that changes nothing, durably, and tells whether that
// worked before ctx ended. One trial goes on at a time; others wait for it.
func (d *DB) Probe(ctx context.Context) error {
	select {
	case d.counters.probing <- struct{}{}:
	case <-ctx.Done():
		return ErrBusy
	}
	done := make(chan error, 1)
	go func() {
		defer func() { <-d.counters.probing }()
		done <- d.write(ctx, func(t *tx) error { return t.do(t.db.stats.touch) })
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Backlog is what waits to be delivered to one host, or to several.
type Backlog struct {
	Host   string    // host[:port]; "" for hosts of which fewer than ten accounts are known
	Queued int       // deliveries that could be made now
	Since  time.Time // when the first of them could have been
}

// Backlogs lists where deliveries are due by now and have not been made, the
// longest overdue first. A host with few accounts is not named, for its name may
// be a person's: all such hosts are one entry.
func (d *DB) Backlogs(ctx context.Context, now time.Time, most int) ([]Backlog, error) {
	return list(ctx, d.stats.backlogs, func(row scanner) (b Backlog, err error) {
		err = row(&b.Host, &b.Queued, when{&b.Since})
		return b, err
	}, ms(now), limit(most))
}

// FailingHosts counts the hosts to which a delivery has failed three times or
// more and is still to be made.
func (d *DB) FailingHosts(ctx context.Context) (int, error) {
	return column[int](one(ctx, d.stats.failing))
}

// Occupied tells how full the waiting room is: requests of hosts that were
// known, and of others.
func (d *DB) Occupied(ctx context.Context) (known, unknown int, err error) {
	err = one(ctx, d.stats.occupied)(&known, &unknown)
	return known, unknown, err
}

type statsStatements struct {
	touch, backlogs, failing, occupied *sql.Stmt
}

func prepareStats(p *preparer) statsStatements {
	return statsStatements{
		touch: p.write(`UPDATE cursor SET seq = seq`),
		backlogs: p.read(`WITH due AS MATERIALIZED
				(SELECT host, count(*) AS n, min(next) AS since FROM delivery INDEXED BY delivery_due WHERE next <= ? GROUP BY host)
			SELECT iif((SELECT count(*) FROM (SELECT 1 FROM peer p WHERE p.host = due.host LIMIT 10)) = 10, host, '') AS name,
				sum(n), min(since) FROM due GROUP BY name ORDER BY min(since) LIMIT ?`),
		failing: p.read(`SELECT count(DISTINCT host) FROM delivery INDEXED BY delivery_failing WHERE attempts >= 3`),
		occupied: p.read(`SELECT (SELECT n FROM occupancy WHERE room = 'waiting known'),
			(SELECT n FROM occupancy WHERE room = 'waiting unknown')`),
	}
}
