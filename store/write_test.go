package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"inspraak/participation"
	"inspraak/store"
)

// node is the domain on this store, with a poll that is open.
func node(t testing.TB) (*participation.Service, participation.Consultation) {
	t.Helper()
	db, path := empty(t)
	c := poll(t, db, "c1")
	keys := must(store.OpenKeys(filepath.Join(filepath.Dir(path), "keys"), true))(t)
	if err := keys.Create(c.ID); err != nil {
		t.Fatal(err)
	}
	return participation.New(db, keys, testSite(), func() time.Time { return noon }), c
}

// vote is one of several by the same person, each for another option.
func vote(c participation.Consultation, voter, n int) participation.Vote {
	actor := fmt.Sprintf("https://a.example/users/voter%d", voter)
	return participation.Vote{Consultation: c.ID, Actor: actor, Host: "a.example", Inbox: "https://a.example/inbox", ReceivedAt: noon,
		Marks: []participation.Mark{{Object: fmt.Sprintf("%s#votes/%d", actor, n), Name: c.Options[n]}}}
}

// Two different votes of each voter arrive at the same moment: one counts.
func TestOneBallotPerVoter(t *testing.T) {
	service, c := node(t)
	const voters = 2000
	var mu sync.Mutex
	outcomes := map[participation.Outcome]int{}
	var wg sync.WaitGroup
	limit := make(chan struct{}, 200)
	for voter := range voters {
		for n := range 2 {
			limit <- struct{}{}
			wg.Go(func() {
				defer func() { <-limit }()
				outcome, err := service.CastVote(t.Context(), vote(c, voter, n))
				if err != nil {
					t.Errorf("vote %d of %d: %v", n, voter, err)
				}
				mu.Lock()
				defer mu.Unlock()
				outcomes[outcome]++
			})
		}
	}
	wg.Wait()
	same(t, "outcomes", outcomes, map[participation.Outcome]int{participation.Counted: voters, participation.Repeated: voters})
	same(t, "tallies", must(service.Tallies(t.Context(), c))(t),
		participation.Tallies{Ballots: voters, Refused: map[participation.Outcome]int{participation.Repeated: voters}})
}

func record(subject string) func(participation.Tx) error {
	return func(tx participation.Tx) error {
		return tx.Record(&participation.Event{Type: participation.ActorBlocked, Subject: subject})
	}
}

func subjects(t *testing.T, db *store.DB) (all []string) {
	t.Helper()
	for i, e := range must(db.Events(t.Context(), 0, 0))(t) {
		if e.Seq != int64(i+1) {
			t.Errorf("event %d has number %d", i+1, e.Seq)
		}
		all = append(all, e.Subject)
	}
	return all
}

// together queues jobs while the writer is held, so that they share a COMMIT.
func together(db *store.DB, jobs ...func(participation.Tx) error) []error {
	hold, held := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		db.Update(context.Background(), func(participation.Tx) error { close(held); <-hold; return nil })
	})
	<-held
	errs := make([]error, len(jobs))
	for i, job := range jobs {
		started := make(chan struct{})
		wg.Go(func() { close(started); errs[i] = db.Update(context.Background(), job) })
		<-started
	}
	close(hold)
	wg.Wait()
	return errs
}

func TestNeighboursOfAFailureSurvive(t *testing.T) {
	db, _ := empty(t)
	sunk := errors.New("sunk")
	errs := together(db,
		record("a"),
		func(tx participation.Tx) error { return errors.Join(record("b")(tx), sunk) },
		record("c"),
		func(tx participation.Tx) error { record("d")(tx); panic("overboard") },
		record("e"),
	)
	for i, want := range []bool{true, false, true, false, true} {
		if (errs[i] == nil) != want {
			t.Errorf("job %d: %v", i, errs[i])
		}
	}
	if !errors.Is(errs[1], sunk) || !strings.Contains(errs[3].Error(), "overboard") {
		t.Errorf("errors: %v", errs)
	}
	got := map[string]bool{}
	for _, s := range subjects(t, db) { // checks that numbers have no gaps
		got[s] = true
	}
	same(t, "events", got, map[string]bool{"a": true, "c": true, "e": true})
}

func TestTransactionEndsWithItsJob(t *testing.T) {
	db, _ := empty(t)
	var escaped participation.Tx
	update(t, db, func(tx participation.Tx) error { escaped = tx; return nil })
	if err := record("late")(escaped); err == nil {
		t.Error("a transaction was used after its end")
	}
	if got := subjects(t, db); got != nil {
		t.Errorf("events: %v", got)
	}
}

func TestCancelledBeforeItStarts(t *testing.T) {
	db, _ := empty(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.Update(ctx, record("a")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	err := db.Update(ctx, func(tx participation.Tx) error { cancel(); return record("b")(tx) })
	if err != nil {
		t.Errorf("cancelled after it started: %v", err)
	}
	same(t, "events", subjects(t, db), []string{"b"})
}

func TestCloseDrains(t *testing.T) {
	db, path := empty(t)
	var acknowledged atomic.Int64
	var wg sync.WaitGroup
	for i := range 300 {
		wg.Go(func() {
			err := db.Update(context.Background(), record(fmt.Sprint(i)))
			if err == nil {
				acknowledged.Add(1)
			} else if !errors.Is(err, store.ErrUnavailable) {
				t.Error(err)
			}
		})
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if err := db.Update(t.Context(), record("late")); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("after Close: %v", err)
	}
	if n := len(subjects(t, open(t, path))); int64(n) != acknowledged.Load() {
		t.Errorf("%d events, %d acknowledged", n, acknowledged.Load())
	}
}

// The writer remembers consultations; it must notice what another connection,
// or a job of its own, changed.
func TestConsultationIsNeverStale(t *testing.T) {
	db, path := empty(t)
	c := poll(t, db, "c1")
	other := open(t, path)
	title := func(db *store.DB) (title string) {
		update(t, db, func(tx participation.Tx) error {
			c, err := tx.Consultation("c1")
			if err == nil {
				c.Options[0] = "altered by its reader"
			}
			title = c.Title
			return err
		})
		return title
	}
	for i, writer := range []*store.DB{db, other, db, other, other} {
		title(db)
		c.Title = fmt.Sprint("title ", i)
		update(t, writer, func(tx participation.Tx) error { return tx.SaveConsultation(&c) })
		for _, reader := range []*store.DB{db, other, db} {
			if got := title(reader); got != c.Title {
				t.Errorf("title %q, want %q", got, c.Title)
			}
		}
	}
	// A change that was undone is not remembered.
	db.Update(t.Context(), func(tx participation.Tx) error {
		c.Title = "undone"
		if err := tx.SaveConsultation(&c); err != nil {
			return err
		}
		tx.Consultation("c1")
		return errors.New("undo")
	})
	for range 2 { // read, then remembered
		if got := title(db); got != "title 4" {
			t.Errorf("title %q", got)
		}
	}
	update(t, db, func(tx participation.Tx) error {
		got, err := tx.Consultation("c1")
		same(t, "options", got.Options, c.Options)
		return err
	})
}

// testSite is where the node of the tests is found.
func testSite() participation.Site {
	return participation.Site{
		Host:   "node.example",
		Object: func(id string) string { return "https://node.example/o/" + id },
		Page:   func(slug string) string { return "https://node.example/consultations/" + slug },
	}
}
