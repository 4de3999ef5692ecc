package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"inspraak/activitypub"
	"inspraak/participation"
	"inspraak/store"
)

// What is committed together is one group of its size, and failures of the
// transaction as a whole are told apart.
func TestStats(t *testing.T) {
	db := open(t, t.TempDir()+"/inspraak.db")
	before := db.Stats()
	var jobs sync.WaitGroup
	const n = 200
	for range n {
		jobs.Go(func() {
			if err := db.Update(t.Context(), func(participation.Tx) error { return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	jobs.Wait()
	s := db.Stats()
	groups := int64(0)
	for i := range s.Groups {
		groups += s.Groups[i] - before.Groups[i]
	}
	if s.Jobs-before.Jobs != n || groups < 2 || groups > n || s.Failed != 0 || s.Queue != 0 || s.WriterBusy != 0 || s.Writing <= before.Writing {
		t.Errorf("%+v after %+v", s, before)
	}
	if s.WAL <= 0 {
		t.Errorf("the log has %d bytes", s.WAL)
	}
}

// A trial write that cannot be made is reported in time, and another is not
// begun while it hangs.
func TestProbe(t *testing.T) {
	path := t.TempDir() + "/inspraak.db"
	db, other := open(t, path), open(t, path)
	before := must(db.Fingerprint(t.Context()))(t)
	if err := db.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := must(db.Fingerprint(t.Context()))(t); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Error("a trial write changed something")
	}
	held, release := make(chan bool), make(chan bool)
	ended := make(chan error)
	go func() {
		ended <- other.Update(context.Background(), func(participation.Tx) error { close(held); <-release; return nil })
	}()
	<-held
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := db.Probe(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while another process holds the database: %v", err)
	}
	second, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := db.Probe(second); !errors.Is(err, store.ErrBusy) {
		t.Errorf("while a trial hangs: %v", err)
	}
	if busy := db.Stats().WriterBusy; busy < 50*time.Millisecond {
		t.Errorf("the writer hangs, and says it has been busy for %s", busy)
	}
	close(release)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	// All who ask at the same time are told that it can be written again.
	var asking errgroup.Group
	for range 20 {
		asking.Go(func() error { return db.Probe(t.Context()) })
	}
	if err := asking.Wait(); err != nil {
		t.Errorf("it does not recover: %v", err)
	}
}

// Hosts of whom few accounts are known are not named.
func TestBacklogs(t *testing.T) {
	db := open(t, t.TempDir()+"/inspraak.db")
	at := time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)
	for host, accounts := range map[string]int{"big.example": 10, "jan.example": 1, "small.example": 9} {
		for i := range accounts {
			if err := db.SavePeer(t.Context(), activitypub.Peer{Actor: fmt.Sprintf("https://%s/u/%d", host, i), Inbox: "https://" + host + "/inbox", FetchedAt: at}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, host := range []string{"jan.example", "big.example", "small.example"} {
		if err := db.Enqueue(t.Context(), 0, []activitypub.Outgoing{{ID: fmt.Sprintf("https://here.example/o/%d", i), Channel: "gemeente", Object: fmt.Sprint(i),
			Body: []byte("{}"), At: at.Add(time.Duration(i) * time.Minute), Inboxes: []string{"https://" + host + "/inbox"}}}); err != nil {
			t.Fatal(err)
		}
	}
	want := []store.Backlog{{Host: "", Queued: 2, Since: at}, {Host: "big.example", Queued: 1, Since: at.Add(time.Minute)}}
	if got := must(db.Backlogs(t.Context(), at.Add(time.Hour), 20))(t); !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := must(db.Backlogs(t.Context(), at.Add(time.Hour), 1))(t); len(got) != 1 {
		t.Errorf("one was asked for: %+v", got)
	}
	if got := must(db.Backlogs(t.Context(), at.Add(-time.Second), 20))(t); len(got) != 0 {
		t.Errorf("nothing is due: %+v", got)
	}
	due := must(db.DueDeliveries(t.Context(), "jan.example", at.Add(time.Hour), 1))(t)
	if err := db.SettleDeliveries(t.Context(), []activitypub.Settled{{ID: due[0].ID, Attempts: 3, Next: at.Add(2 * time.Hour)}}); err != nil {
		t.Fatal(err)
	}
	if n := must(db.FailingHosts(t.Context()))(t); n != 1 {
		t.Errorf("%d hosts fail", n)
	}
}
