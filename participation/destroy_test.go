package participation_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"inspraak/participation"
	"inspraak/participation/ballotlog"
	"inspraak/store"
)

const (
	keyOne, keyTwo = "SHA256:one", "SHA256:two"
	objection      = 42 * 24 * time.Hour
)

// over is a consultation with n ballots that has closed and has its dataset.
func (tw *town) over(n int) participation.Consultation {
	tw.t.Helper()
	c := tw.publish(tw.draft(participation.SingleChoice, "Bomen", "Markthal"))
	for i := range n {
		tw.expect(c, fmt.Sprintf("https://m.example/users/v%d", i), "1", c.Options[i%2], participation.Counted)
	}
	tw.close(c)
	_, err := tw.FreezeDue(tw.t.Context(), "Stad")
	must(tw.t, err)
	return tw.reload(c)
}

func (tw *town) reload(c participation.Consultation) participation.Consultation {
	tw.t.Helper()
	c, err := tw.Consultation(tw.t.Context(), c.ID)
	must(tw.t, err)
	return c
}

// steps are what the log says of the destruction; the log keeps its rules, and
// each step has a checkpoint.
func (tw *town) steps(c participation.Consultation) string {
	tw.t.Helper()
	tally, said := ballotlog.NewTally(ballotlog.Set{}), []string{}
	var all []string
	must(tw.t, tw.LogEntries(tw.t.Context(), c.Number, 0, 0, func(_ int64, entry string) error {
		all = append(all, entry)
		var d ballotlog.Destroy
		if ballotlog.Parse(entry, ballotlog.DestroyType, &d) == nil {
			said = append(said, d.Step)
		}
		return tally.Add(entry, func(n int64) (string, error) { return all[n], nil })
	}))
	published, err := tw.Checkpoints(tw.t.Context(), c.Number)
	must(tw.t, err)
	if want := published[len(published)-1]; len(said) > 0 && want.Size != int64(len(all)) {
		tw.t.Errorf("the newest published checkpoint is of %d entries, the log has %d", want.Size, len(all))
	}
	return strings.Join(said, " ")
}

func TestDestroyRule(t *testing.T) {
	tw, ctx := newTown(t), t.Context()
	refused := func(c participation.Consultation, by string, kind error, says string) {
		t.Helper()
		if step, err := tw.NextDestruction(ctx, c, by, objection); !errors.Is(err, kind) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %s, %v; want %q", c.Slug, step, err, says)
		}
		_, err := tw.AnnounceDestruction(ctx, c, by, objection)
		_, err2 := tw.Destroy(ctx, c, by, objection)
		if err == nil || err2 == nil {
			t.Errorf("%s: done all the same: %v, %v", c.Slug, err, err2)
		}
	}
	draft := tw.draft(participation.OpenQuestion)
	open := tw.publish(draft)
	refused(open, keyOne, participation.ErrPhase, "open question")
	tw.now = open.Deadline().Add(time.Second)
	_, err := tw.Close(ctx, open.ID, "", 0)
	must(t, err)
	refused(tw.reload(open), keyOne, participation.ErrPhase, "open question")

	c := tw.publish(tw.draft(participation.SingleChoice, "Bomen", "Markthal"))
	for i := range 4 {
		tw.expect(c, fmt.Sprintf("https://m.example/users/v%d", i), "1", "Bomen", participation.Counted)
	}
	refused(c, keyOne, participation.ErrPhase, "it is open")
	tw.close(c)
	c = tw.reload(c)
	refused(c, keyOne, participation.ErrEarly, "objection period lasts until")
	tw.now = c.ClosedAt.Add(objection)
	refused(c, keyOne, participation.ErrPhase, "dataset is not published")
	_, err = tw.FreezeDue(ctx, "Stad")
	must(t, err)
	tw.now = c.ClosedAt.Add(objection - time.Second)
	refused(c, keyOne, participation.ErrEarly, "objection period lasts until")
	tw.now = c.ClosedAt.Add(objection)
	if _, err := tw.Destroy(ctx, c, keyOne, objection); err == nil {
		t.Error("destroyed what was not announced")
	}
	if _, err := tw.CancelDestruction(ctx, c, keyOne); !errors.Is(err, participation.ErrPhase) {
		t.Errorf("cancelled what was not announced: %v", err)
	}

	announce := func(by string) {
		t.Helper()
		if c, err = tw.AnnounceDestruction(ctx, c, by, objection); err != nil || c.AnnouncedBy != by || !c.AnnouncedAt.Equal(tw.now) {
			t.Fatalf("announced: %+v, %v", c, err)
		}
	}
	announce(keyOne)
	posts, err := tw.Posts(ctx, c.ID)
	must(t, err)
	last := posts[len(posts)-1]
	for _, want := range []string{"vernietigen", "bezwaar", "stad.example/log/" + c.ID} {
		if !strings.Contains(last.Source, want) {
			t.Errorf("the thread lacks %q: %s", want, last.Source)
		}
	}
	refused(c, keyTwo, participation.ErrEarly, "can be carried out from")
	tw.now = tw.now.Add(participation.DestroyPause)
	refused(c, keyOne, participation.ErrInvalid, keyOne)
	tw.now = tw.now.Add(-time.Second)
	refused(c, keyTwo, participation.ErrEarly, keyOne)
	if c, err = tw.CancelDestruction(ctx, c, keyTwo); err != nil || !c.AnnouncedAt.IsZero() {
		t.Fatalf("cancelled: %+v, %v", c, err)
	}
	tw.now = tw.now.Add(time.Hour)
	if _, err := tw.Destroy(ctx, c, keyTwo, objection); err == nil {
		t.Error("destroyed what was cancelled")
	}
	announce(keyTwo)
	tw.now = tw.now.Add(participation.DestroyPause)
	if c, err = tw.Destroy(ctx, c, keyOne, objection); err != nil || !c.DestroyedAt.Equal(tw.now) {
		t.Fatalf("destroyed: %+v, %v", c, err)
	}
	if got := tw.steps(c); got != "announced cancelled announced done" {
		t.Errorf("the log says %q", got)
	}
	refused(c, keyTwo, participation.ErrPhase, "were destroyed on")
	if _, err := tw.CancelDestruction(ctx, c, keyTwo); !errors.Is(err, participation.ErrPhase) {
		t.Errorf("cancelled what is destroyed: %v", err)
	}
}

// What does not add up is the only proof that it does not, and stays.
func TestDisputedIsNotDestroyed(t *testing.T) {
	tw, ctx := newTown(t), t.Context()
	c := tw.over(6)
	tw.now = c.ClosedAt.Add(objection)
	must(t, tw.db.Update(ctx, func(tx participation.Tx) error {
		r, err := tx.Result(c.ID)
		r.Counts[0]++
		return errors.Join(err, tx.SaveResult(r))
	}))
	if _, err := tw.AnnounceDestruction(ctx, c, keyOne, objection); !errors.Is(err, participation.ErrReview) {
		t.Errorf("announced: %v", err)
	}
}

func TestWithdrawnIsDestroyed(t *testing.T) {
	tw, ctx := newTown(t), t.Context()
	c := tw.publish(tw.draft(participation.SingleChoice, "Bomen", "Markthal"))
	tw.expect(c, ana, "1", "Bomen", participation.Counted)
	must(t, tw.Withdraw(ctx, c.ID, "Een fout"))
	c = tw.reload(c)
	tw.now = c.ClosesAt.Add(objection - time.Second)
	if _, err := tw.AnnounceDestruction(ctx, c, keyOne, objection); !errors.Is(err, participation.ErrEarly) {
		t.Errorf("too early: %v", err)
	}
	tw.now = c.ClosesAt.Add(objection)
	_, err := tw.AnnounceDestruction(ctx, c, keyOne, objection)
	must(t, err)
	tw.now = tw.now.Add(participation.DestroyPause)
	c, err = tw.Destroy(ctx, c, keyTwo, objection)
	must(t, err)
	tw.gone(c)
	if got := tw.steps(c); got != "announced done" {
		t.Errorf("the log says %q", got)
	}
	if a, err := tw.Audit(ctx, c); err != nil || !a.Agrees() || !a.AddsUp(c) {
		t.Errorf("audit %+v, %v", a, err)
	}

	never := tw.draft(participation.SingleChoice, "A", "B")
	never.Slug, never.OpensAt, never.ClosesAt = "nooit", tw.now.Add(time.Hour), tw.now.Add(2*time.Hour)
	must(t, never.Prepare())
	must(t, tw.Draft(ctx, &never))
	never, err = tw.Publish(ctx, never.ID)
	must(t, err)
	must(t, tw.Withdraw(ctx, never.ID, "Toch niet"))
	tw.now = never.ClosesAt.Add(objection)
	if _, err := tw.NextDestruction(ctx, tw.reload(never), keyOne, objection); !errors.Is(err, participation.ErrPhase) {
		t.Errorf("one that nobody could vote in: %v", err)
	}
}

// gone fails unless key and ballots of a consultation are.
func (tw *town) gone(c participation.Consultation) {
	tw.t.Helper()
	if _, err := tw.keys.Secret(c.ID); !errors.Is(err, participation.ErrSealed) {
		tw.t.Errorf("the key is there: %v", err)
	}
	n := 0
	count := func(participation.Pseudonym, []byte) error { n++; return nil }
	must(tw.t, tw.Ballots(tw.t.Context(), c.Number, func(v participation.Pseudonym, _ bool, b []byte) error { return count(v, b) }))
	must(tw.t, tw.Awaiting(tw.t.Context(), c.Number, count))
	if n > 0 {
		tw.t.Errorf("%d ballots are there", n)
	}
}

// After the destruction everything public is as it was and is still held against
// each other, and nothing finds the voter any more.
func TestAfterDestruction(t *testing.T) {
	for _, ballots := range []int{6, 2} { // of the latter the rows are withheld
		t.Run(fmt.Sprint(ballots), func(t *testing.T) {
			tw, ctx := newTown(t), t.Context()
			c := tw.over(ballots)
			const voter = "https://m.example/users/v0"
			before, err := tw.Result(ctx, c.ID)
			must(t, err)
			tw.now = c.ClosedAt.Add(objection)
			_, err = tw.AnnounceDestruction(ctx, c, keyOne, objection)
			must(t, err)
			tw.now = tw.now.Add(participation.DestroyPause)
			c, err = tw.Destroy(ctx, c, keyTwo, objection)
			must(t, err)
			tw.gone(c)

			if n, err := tw.CountDue(ctx); n != 0 || err != nil {
				t.Errorf("counted %d, %v", n, err)
			}
			if n, err := tw.FreezeDue(ctx, "Stad"); n != 0 || err != nil {
				t.Errorf("published %d datasets, %v", n, err)
			}
			if due, err := tw.ToClose(ctx); len(due) != 0 || err != nil {
				t.Errorf("to close: %v, %v", due, err)
			}
			if r, same, err := tw.Recount(ctx, c); !same || err != nil || !r.Same(before) {
				t.Errorf("recount: %v, %v, %+v; want %+v", same, err, r, before)
			}
			must(t, tw.WriteDatasetZip(ctx, c, io.Discard))
			if receipts, err := tw.Receipts(ctx, voter); len(receipts) != 0 || err != nil {
				t.Errorf("receipts %v, %v", receipts, err)
			}
			if _, err := tw.Receipt(ctx, c, "x"); !errors.Is(err, participation.ErrSealed) {
				t.Errorf("receipt: %v", err)
			}
			if inboxes, err := tw.VoterInboxes(ctx, c); len(inboxes) != 0 || err != nil {
				t.Errorf("voters' inboxes %v, %v", inboxes, err)
			}
			must(t, tw.ForgetActor(ctx, voter))
			must(t, tw.Delete(ctx, voter, voter+"#votes/1Bomen"))
			tw.expect(c, voter, "1", "Bomen", participation.Late)
			tw.gone(c)

			if ballots >= c.Terms.BatchSize {
				tw.alter(c, "ballots.csv", ",1,", ",2,")
				if a, err := tw.Audit(ctx, c); err != nil || a.Agrees() || !strings.Contains(a.Log, "of ballots.csv is not what the log says") {
					t.Errorf("audit of an altered row: %+v, %v", a, err)
				}
				tw.alter(c, "ballots.csv", ",2,", ",x,")
				if a, err := tw.Audit(ctx, c); err != nil || a.Unreadable == 0 || !strings.Contains(a.Log, "line 2") {
					t.Errorf("audit of a row that is none: %+v, %v", a, err)
				}
			}
			must(t, tw.db.Update(ctx, func(tx participation.Tx) error {
				r, err := tx.Result(c.ID)
				r.Counts[0]++
				r.Counts[1]--
				return errors.Join(err, tx.SaveResult(r))
			}))
			if _, same, err := tw.Recount(ctx, c); same || err != nil {
				t.Errorf("recount after the result was altered: %v, %v", same, err)
			}
		})
	}
}

// alter changes the first place where a text stands in a file of a dataset.
func (tw *town) alter(c participation.Consultation, name, from, to string) {
	tw.t.Helper()
	files, err := tw.Dataset(tw.t.Context(), c)
	must(tw.t, err)
	content := map[string]*bytes.Buffer{}
	for _, f := range files {
		content[f.Name] = &bytes.Buffer{}
		must(tw.t, tw.WriteDatasetFile(tw.t.Context(), c, f.Name, content[f.Name]))
	}
	content[name] = bytes.NewBufferString(strings.Replace(content[name].String(), from, to, 1))
	must(tw.t, tw.db.Update(tw.t.Context(), func(tx participation.Tx) error {
		err := tx.DropDataset(c.Number)
		for name, b := range content {
			err = errors.Join(err, tx.SaveDatasetPart(c.Number, name, 0, b.Bytes()))
		}
		return err
	}))
}

// TestMain lets the test binary be a process of its own: with the arguments DIR
// STEP it destroys what TestDestroyKilled has prepared, and kills itself there.
func TestMain(m *testing.M) {
	flag.Parse()
	if flag.NArg() == 0 {
		os.Exit(m.Run())
	}
	if err := destroyAndDie(flag.Arg(0), flag.Arg(1)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func destroyAndDie(dir, step string) error {
	ctx := context.Background()
	db, err := store.Open(ctx, filepath.Join(dir, "town.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	keys, err := store.OpenKeys(filepath.Join(dir, "keys"), false)
	if err != nil {
		return err
	}
	now, err := os.ReadFile(filepath.Join(dir, "now"))
	if err != nil {
		return err
	}
	at, err := time.Parse(time.RFC3339, string(now))
	if err != nil {
		return err
	}
	s := participation.New(&mortal{DB: db, step: step}, mortalKeys{keys, step}, testSite(), func() time.Time { return at })
	all, err := s.Consultations(ctx, participation.Filter{})
	if err != nil {
		return err
	}
	_, err = s.Destroy(ctx, all[0], keyTwo, objection)
	return err
}

// mortal is a store that kills its process before or after a step.
type mortal struct {
	*store.DB
	step    string
	updates int
}

func at(step, here string) {
	if step == here {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

func (m *mortal) Update(ctx context.Context, fn func(participation.Tx) error) error {
	m.updates++
	at(m.step, fmt.Sprint("before write ", m.updates))
	err := m.DB.Update(ctx, fn)
	at(m.step, fmt.Sprint("after write ", m.updates))
	return err
}

func (m *mortal) Scrub(ctx context.Context) error {
	at(m.step, "before scrubbing")
	err := m.DB.Scrub(ctx)
	at(m.step, "after scrubbing")
	return err
}

type mortalKeys struct {
	*store.Keys
	step string
}

func (m mortalKeys) Destroy(id string) error {
	at(m.step, "before the key")
	err := m.Keys.Destroy(id)
	at(m.step, "after the key")
	return err
}

// Killed between any two steps, it has not said that it is done, a node that
// comes back does not complain, and a call with any key finishes it.
func TestDestroyKilled(t *testing.T) {
	for _, step := range []string{"before write 1", "after write 1", "before the key", "after the key",
		"before scrubbing", "after scrubbing", "before write 2", "after write 2"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			tw, ctx := newTown(t), t.Context()
			c := tw.over(4)
			tw.now = c.ClosedAt.Add(objection)
			_, err := tw.AnnounceDestruction(ctx, c, keyOne, objection)
			must(t, err)
			tw.now = tw.now.Add(participation.DestroyPause)
			must(t, os.WriteFile(filepath.Join(tw.dir, "now"), []byte(tw.now.Format(time.RFC3339)), 0o600))
			out, err := exec.Command(os.Args[0], tw.dir, step).CombinedOutput()
			if err == nil || err.Error() != "signal: killed" {
				t.Fatalf("the child ended with %v: %s", err, out)
			}
			begun, done := step != "before write 1", step == "after write 2"
			c = tw.reload(c)
			if c.Destroyed() != begun || c.DestroyedAt.IsZero() == done || tw.steps(c) == "announced done" != done {
				t.Fatalf("begun %s, done %s, the log says %q", c.DestroyingAt, c.DestroyedAt, tw.steps(c))
			}
			if done {
				tw.gone(c)
				return
			}
			if _, same, err := tw.Recount(ctx, c); !same || err != nil {
				t.Errorf("recount: %v, %v", same, err)
			}
			if _, err := tw.CancelDestruction(ctx, c, keyOne); begun && !errors.Is(err, participation.ErrPhase) {
				t.Errorf("cancelled what has begun: %v", err)
			}
			tw.now = tw.now.Add(time.Hour)
			by := keyTwo
			if begun {
				by = keyOne // two have decided
			} else {
				_, err := tw.AnnounceDestruction(ctx, tw.reload(c), keyOne, objection)
				must(t, err)
				tw.now = tw.now.Add(participation.DestroyPause)
			}
			c, err = tw.Destroy(ctx, tw.reload(c), by, objection)
			must(t, err)
			tw.gone(c)
			if got := tw.steps(c); !strings.HasSuffix(got, "announced done") {
				t.Errorf("the log says %q", got)
			}
		})
	}
}
