package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"inspraak/participation"
	"inspraak/store"
	"inspraak/verify"
)

// BenchmarkLog measures what the ballot log costs: beside a vote of the built
// program, in entries written per second, in bytes of disk, and in the time that
// both verifiers take for a dataset.
func BenchmarkLog(b *testing.B) {
	needProc(b)
	for b.Loop() {
		y := newYardstick(b)
		fmt.Println()
		heading()
		p := newProgram(b)
		p.start()
		server := p.voters("mastodon")
		first := p.publish()
		p.vote(y, server.sign(4000, first), first) // keys are fetched
		again := p.publish()
		each, unit, p99 := p.vote(y, server.sign(4000, again), again)
		server.serving.Close()
		p.stop()
		row("signed votes, key cached, the log still unwritten", 4000, each, "verification", unit, p99)

		const ballots = 100_000
		l, plain := newLogBench(b), newLogBench(b)
		note := l.cast(l.db, ballots) - plain.cast(forgetful{plain.db}, ballots)
		written, perSecond := l.write()
		line("to note a ballot for the log · to write it, CPU each", "%s · %s", round(note), round(written))
		line("a vote with the log costs, of one without", "%.2f ×", float64(each+written)/float64(each-note))
		line("ballots written to the log", "%.0f a second", perSecond)
		l.close(ballots)
	}
}

// forgetful is a store in which the log hears of no ballot.
type forgetful struct{ participation.Store }

// Update implements participation.Store.
func (f forgetful) Update(ctx context.Context, fn func(participation.Tx) error) error {
	return f.Store.Update(ctx, func(tx participation.Tx) error { return fn(deaf{tx}) })
}

type deaf struct{ participation.Tx }

// Await implements participation.Tx.
func (deaf) Await(int64, participation.Pseudonym, []byte) error { return nil }

// logBench is the domain on a store of its own, in this process.
type logBench struct {
	b    *testing.B
	dir  string
	db   *store.DB
	keys *store.Keys
	now  time.Time
	c    participation.Consultation
}

func newLogBench(b *testing.B) *logBench {
	l := &logBench{b: b, dir: b.TempDir(), now: time.Now().UTC().Truncate(time.Second)}
	var err error
	if l.keys, err = store.OpenKeys(filepath.Join(l.dir, "keys"), true); err != nil {
		b.Fatal(err)
	}
	if l.db, err = store.Open(b.Context(), l.path(), slog.New(slog.DiscardHandler)); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.db.Close() })
	l.ok(l.on(l.db).SaveChannel(b.Context(), participation.Channel{Name: "bench", Title: "Bench", Language: "en"}, false))
	return l
}

func (l *logBench) path() string { return filepath.Join(l.dir, "bench.db") }

func (l *logBench) ok(err error) {
	l.b.Helper()
	if err != nil {
		l.b.Fatal(err)
	}
}

func (l *logBench) on(s participation.Store) *participation.Service {
	site := participation.Site{Host: "bench.example", Object: func(id string) string { return "https://bench.example/o/" + id },
		Page: func(slug string) string { return "https://bench.example/consultations/" + slug }}
	return participation.New(s, l.keys, site, func() time.Time { return l.now })
}

// cast opens a consultation and casts votes in it, and returns the CPU time of
// this process for each.
func (l *logBench) cast(s participation.Store, n int) time.Duration {
	ctx, service := l.b.Context(), l.on(s)
	c := participation.Consultation{
		Slug: fmt.Sprintf("bench-%d", time.Now().UnixNano()), Channel: "bench", Kind: participation.SingleChoice, Language: "en",
		Title: "Which?", Body: "Choose one.", Options: []string{"A", "B"}, Results: participation.AtClose, Zone: "UTC",
		OpensAt: l.now, ClosesAt: l.now.Add(time.Hour),
		Terms: participation.Terms{Level: participation.Advise, Promise: "p", DecidedBy: "d", DecidedWhen: "w", NotOpen: "n",
			Notice: "n", BatchSize: 10, Interval: time.Minute, Grace: time.Minute},
	}
	l.ok(c.Prepare())
	l.ok(service.Draft(ctx, &c))
	c, err := service.Publish(ctx, c.ID)
	l.ok(err)
	l.c = c
	runtime.GC()
	began := ownCPU()
	var group sync.WaitGroup
	for worker := range senders {
		group.Go(func() {
			for i := worker; i < n; i += senders {
				actor := fmt.Sprintf("https://m%d.example/users/voter%d", i%200, i)
				_, err := service.CastVote(ctx, participation.Vote{
					Consultation: c.ID, Actor: actor, Host: "m.example", Inbox: fmt.Sprintf("https://m%d.example/inbox", i%200),
					Marks: []participation.Mark{{Object: actor + "#votes/1", Name: c.Options[i%2]}}, ReceivedAt: l.now,
				})
				if err != nil {
					l.b.Error(err)
				}
			}
		})
	}
	group.Wait()
	return (ownCPU() - began) / time.Duration(n)
}

// write writes all that waits but the last ten, and returns the CPU time of each
// and how many went into the log in a second.
func (l *logBench) write() (each time.Duration, perSecond float64) {
	l.now = l.now.Add(2 * time.Minute)
	runtime.GC() // what others left is not this one's cost
	cpu, began := ownCPU(), time.Now()
	n, err := l.on(l.db).WriteLogs(l.b.Context())
	l.ok(err)
	return (ownCPU() - cpu) / time.Duration(n), float64(n) / time.Since(began).Seconds()
}

// close closes, freezes and verifies.
func (l *logBench) close(ballots int) {
	ctx, service := l.b.Context(), l.on(l.db)
	l.now = l.c.ClosesAt.Add(10 * time.Minute)
	_, err := service.Close(ctx, l.c.ID, "", 0)
	l.ok(err)
	began := time.Now()
	_, err = service.FreezeDue(ctx, "Bench")
	l.ok(err)
	line(fmt.Sprintf("writing the dataset of %d ballots", ballots), "%s", time.Since(began).Round(10*time.Millisecond))
	l.c, err = service.Consultation(ctx, l.c.ID)
	l.ok(err)
	r, err := service.Receipts(ctx, "https://m7.example/users/voter7")
	l.ok(err)
	proof, err := service.Proof(ctx, r[0].Consultation, r[0].Entries[0])
	l.ok(err)
	head, err := service.Log(ctx, l.c.Number)
	l.ok(err)
	line("inclusion proof · with its signed checkpoint", "%d · %d bytes", len(proof)-len(head.Checkpoint), len(proof))

	zip := filepath.Join(l.dir, "dataset.zip")
	f, err := os.Create(zip)
	l.ok(err)
	l.ok(service.WriteDatasetZip(ctx, l.c, f))
	l.ok(f.Close())
	l.verifiers(zip)

	l.ok(l.db.Close())
	info, err := os.Stat(l.path())
	l.ok(err)
	line("bytes of disk for each ballot, log and dataset included", "%d", info.Size()/int64(ballots))
}

// verifiers has both check a dataset.
func (l *logBench) verifiers(zip string) {
	began := time.Now()
	report, err := verify.Dataset(l.b.Context(), zip, verify.Options{})
	l.ok(err)
	if !report.Verified {
		l.b.Fatalf("inspraak verify: %s, %s", report.Problem, report.Where)
	}
	line("inspraak verify", "%s", time.Since(began).Round(10*time.Millisecond))
	began = time.Now()
	out, err := exec.CommandContext(l.b.Context(), "python3", "../../participation/dataset/verify.py", zip).CombinedOutput()
	if err != nil {
		l.b.Fatalf("verify.py: %v\n%s", err, out)
	}
	line("verify.py", "%s", time.Since(began).Round(100*time.Millisecond))
}

// ownCPU is the user and system time of this process.
func ownCPU() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
