package store_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"inspraak/activitypub"
	"inspraak/participation"
	"inspraak/store"
)

// What one process destroys no other can use, though it has read it before; and a
// call that was cut short while it overwrote is finished by the next.
func TestDestroyKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	keys, other := must(store.OpenKeys(dir, true))(t), must(store.OpenKeys(dir, true))(t)
	if err := errors.Join(keys.Create("c1"), keys.Create("c2")); err != nil {
		t.Fatal(err)
	}
	must(other.Secret("c1"))(t)
	path := filepath.Join(dir, "consultations", "c1.key")
	raw := must(os.ReadFile(path))(t)
	watched := filepath.Join(dir, "watched") // the same file by another name
	if err := os.Link(path, watched); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := keys.Destroy("c1"); err != nil {
			t.Fatal(err)
		}
		for _, k := range []*store.Keys{keys, other} {
			if _, err := k.Secret("c1"); !errors.Is(err, participation.ErrSealed) {
				t.Errorf("its key still opens: %v", err)
			}
		}
	}
	if now := must(os.ReadFile(watched))(t); len(now) != len(raw) || bytes.Contains(now, raw[:8]) {
		t.Errorf("the file was not overwritten: %q", now)
	}
	must(other.Secret("c2"))(t)

	half := filepath.Join(dir, "consultations", "c2.key.destroyed")
	if err := os.Rename(filepath.Join(dir, "consultations", "c2.key"), half); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Secret("c2"); !errors.Is(err, participation.ErrSealed) {
		t.Errorf("half destroyed: %v", err)
	}
	if err := keys.Destroy("c2"); err != nil {
		t.Fatal(err)
	}
	left := must(filepath.Glob(filepath.Join(dir, "consultations", "*")))(t)
	same(t, "files", left, []string(nil))
	if err := keys.Destroy("../node"); !errors.Is(err, participation.ErrInvalid) {
		t.Errorf("a name that leads elsewhere: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "node.key")); errors.Is(err, fs.ErrNotExist) {
		t.Error("the node's key is gone")
	}
}

// DestroyBallots takes what is of that consultation's voters, and nothing else.
func TestDestroyBallots(t *testing.T) {
	db, _ := empty(t)
	ctx := t.Context()
	c, other := poll(t, db, "c1"), poll(t, db, "c2")
	object := func(c participation.Consultation) string { return "https://node.example/o/" + c.ID }
	counted := map[int64]int64{}
	for _, of := range []participation.Consultation{c, other} {
		update(t, db, func(tx participation.Tx) error {
			event := participation.Event{At: noon, Type: participation.ConsultationCounted, Consultation: of.ID}
			err := tx.Record(&event)
			counted[of.Number] = event.Seq
			late := tx.Record(&participation.Event{At: noon, Type: participation.ConsultationClosed, Consultation: of.ID})
			return errors.Join(err, late, tx.SaveBallot(of.Number, pseudonym("v"), true, sealed(1)), tx.Await(of.Number, pseudonym("v"), sealed(2)),
				tx.SaveResult(participation.Result{Consultation: of.ID, Version: 1, At: noon}),
				tx.SaveResult(participation.Result{Consultation: of.ID, Version: 2, At: noon, Final: true}),
				tx.Refuse(of.Number, participation.Late))
		})
		must(db.AddWaiting(ctx, activitypub.Waiting{Digest: pseudonym("request", of.ID), Consultation: of.ID, Host: "a.example", Sealed: sealed(3), ReceivedAt: noon, Next: noon}))(t)
		if err := db.Enqueue(ctx, counted[of.Number]+1, []activitypub.Outgoing{
			{ID: object(of) + "/create", Channel: "gemeente", Object: object(of), Public: true, Body: []byte("{}"), At: noon, Inboxes: []string{"https://f.example/inbox"}},
			{ID: object(of) + "x/create", Channel: "gemeente", Object: object(of) + "x", Sealed: true, Key: of.ID, Body: sealed(4), At: noon, Inboxes: []string{"https://f.example/x/inbox"}},
			{ID: object(of) + "y/create", Channel: "gemeente", Object: object(of) + "y", Sealed: true, Body: sealed(4), At: noon, Inboxes: []string{"https://f.example/x/inbox"}},
			{ID: object(of) + "/updates/1-1", Channel: "gemeente", Object: object(of), Count: true, Body: []byte("{}"), At: noon},
			{ID: object(of) + "/updates/2-2", Channel: "gemeente", Object: object(of), Count: true, Body: []byte("{}"), At: noon, Inboxes: []string{"https://voter.example/inbox"}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.SaveFollower(ctx, activitypub.Follower{Channel: "gemeente", Actor: "https://f.example/x", Inbox: "https://f.example/x/inbox",
		Shared: "https://f.example/inbox", FollowID: "https://f.example/1", Since: noon},
		activitypub.Outgoing{ID: "https://node.example/accept", Channel: "gemeente", Object: "https://f.example/x", Body: []byte("{}"), At: noon}); err != nil {
		t.Fatal(err)
	}
	update(t, db, func(tx participation.Tx) error {
		return errors.Join(tx.Tombstone(pseudonym("old"), noon.Add(-6*24*time.Hour)), tx.Tombstone(pseudonym("new"), noon))
	})
	for range 2 {
		update(t, db, func(tx participation.Tx) error {
			return tx.DestroyBallots(c.Number, object(c), noon.Add(24*time.Hour+time.Minute))
		})
	}

	left := func(of participation.Consultation) (n []int) {
		count := func() func() error {
			n = append(n, 0)
			i := len(n) - 1
			return func() error { n[i]++; return nil }
		}
		add := count()
		err := db.Ballots(ctx, of.Number, func(participation.Pseudonym, bool, []byte) error { return add() })
		add = count()
		err = errors.Join(err, db.Awaiting(ctx, of.Number, func(participation.Pseudonym, []byte) error { return add() }))
		events, failed := db.Events(ctx, 0, 0)
		add = count()
		for _, e := range events {
			if e.Consultation == of.ID {
				add()
			}
		}
		waiting, failed2 := db.CountWaiting(ctx, of.ID)
		n = append(n, waiting)
		for _, id := range []string{"/create", "/updates/1-1", "/updates/2-2", "x/create", "y/create"} {
			add = count()
			if _, err := db.Activity(ctx, object(of)+id); err == nil {
				add()
			}
		}
		if err := errors.Join(err, failed, failed2); err != nil {
			t.Fatal(err)
		}
		return n
	}
	same(t, "of the other", left(other), []int{1, 1, 2, 1, 1, 1, 1, 1, 1})
	same(t, "of the destroyed", left(c), []int{0, 0, 1, 0, 1, 0, 0, 0, 1})
	if r := must(db.Result(ctx, c.ID))(t); r.Version != 2 || must(db.Tallies(ctx, c))(t).Refused[participation.Late] != 1 {
		t.Errorf("what was published is %+v", r)
	}
	var inboxes []string
	for _, host := range []string{"f.example", "voter.example"} {
		for _, d := range must(db.DueDeliveries(ctx, host, noon.Add(time.Hour), 0))(t) {
			inboxes = append(inboxes, d.Object+" "+d.Inbox)
		}
	}
	slices.Sort(inboxes)
	same(t, "deliveries", inboxes, []string{object(c) + " https://f.example/inbox", object(c) + "y https://f.example/x/inbox", object(other) + " https://f.example/inbox",
		object(other) + " https://voter.example/inbox", object(other) + "x https://f.example/x/inbox", object(other) + "y https://f.example/x/inbox"})
	update(t, db, func(tx participation.Tx) error {
		old, err := tx.Buried(pseudonym("old"), pseudonym("old"))
		young, err2 := tx.Buried(pseudonym("new"), pseudonym("new"))
		if old || !young {
			t.Errorf("tombstones: old %v, young %v", old, young)
		}
		return errors.Join(err, err2)
	})
	if problems := must(db.CheckDeliveries(ctx))(t); problems != nil {
		t.Error(problems)
	}
}

// Scrub leaves no byte of what was deleted, in one process with the writer or
// beside another that has the database open; the first goes on reading and
// writing with the statements it has.
func TestScrub(t *testing.T) {
	serving, path := empty(t)
	c := poll(t, serving, "c1")
	needle := []byte("a needle that is in no other row")
	const rows = 5000
	update(t, serving, func(tx participation.Tx) (err error) {
		for i := range rows {
			err = errors.Join(err, tx.SaveBallot(c.Number, pseudonym(i), true, append(sealed(3), needle...)))
		}
		return err
	})
	here := func() bool {
		found := false
		for _, side := range []string{"", "-wal"} {
			found = found || bytes.Contains(must(os.ReadFile(path+side))(t), needle)
		}
		return found
	}
	command := open(t, path)
	size := func() int64 { return must(os.Stat(path))(t).Size() }
	update(t, command, func(tx participation.Tx) error { return tx.DestroyBallots(c.Number, "x", noon) })
	if !here() {
		t.Fatal("the needle is not found where it must be: the test proves nothing")
	}

	// While somebody reads it says so, and does not claim to have done it.
	reading, stop := make(chan struct{}), make(chan struct{})
	other := poll(t, serving, "c2")
	if _, err := cast(t.Context(), serving, other.ID, pseudonym("x"), sealed(1)); err != nil {
		t.Fatal(err)
	}
	go func() {
		serving.Ballots(context.Background(), other.Number, func(participation.Pseudonym, bool, []byte) error {
			close(reading)
			<-stop
			return nil
		})
	}()
	<-reading
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	err := command.Scrub(ctx)
	cancel()
	close(stop)
	if err == nil {
		t.Error("scrubbed while somebody read what was before")
	}
	if err := command.Scrub(t.Context()); err != nil {
		t.Fatal(err)
	}
	if here() {
		t.Error("the needle is still in the files")
	}
	if wal := must(os.Stat(path + "-wal"))(t).Size(); wal != 0 || size() > rows*int64(len(sealed(3))) {
		t.Errorf("%d bytes, and %d of log; the rows alone had more", size(), wal)
	}
	// The other process goes on.
	if _, err := cast(t.Context(), serving, other.ID, pseudonym("y"), sealed(1)); err != nil {
		t.Errorf("cannot write after it: %v", err)
	}
	if n := must(serving.Tallies(t.Context(), other))(t).Ballots; n != 2 {
		t.Errorf("%d ballots after it, want 2", n)
	}
	if err := serving.Scrub(t.Context()); err != nil {
		t.Errorf("in the process that serves: %v", err)
	}
}
