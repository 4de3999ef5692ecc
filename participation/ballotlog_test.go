package participation_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"inspraak/participation"
	"inspraak/store"
)

// logOf reads a whole log.
func (tw *town) logOf(c participation.Consultation) (entries []string) {
	tw.t.Helper()
	must(tw.t, tw.LogEntries(tw.t.Context(), c.Number, 0, 0, func(_ int64, entry string) error {
		entries = append(entries, entry)
		return nil
	}))
	return entries
}

func (tw *town) waiting(c participation.Consultation) (n int) {
	tw.t.Helper()
	must(tw.t, tw.Awaiting(tw.t.Context(), c.Number, func(participation.Pseudonym, []byte) error { n++; return nil }))
	return n
}

// fits demands that ballots, log, result and dataset tell the same.
func (tw *town) fits(c participation.Consultation) {
	tw.t.Helper()
	a, err := tw.Audit(tw.t.Context(), c)
	must(tw.t, err)
	if !a.Fits(c) {
		tw.t.Fatalf("the audit finds %q: %+v", a.Log, a)
	}
}

// TestLogFollowsBallots casts, adds, takes back and deletes at random, writes the
// log in between, and holds it against the ballots after every step. No batch is
// smaller than k, none leaves fewer than k behind, and none tells by its order who
// came first.
func TestLogFollowsBallots(t *testing.T) {
	options := []string{"A", "B", "C", "D", "E", "F"}
	for name, kind := range map[string]participation.Kind{
		"single": participation.SingleChoice, "multiple": participation.MultipleChoice, "per option": participation.MultipleChoice,
	} {
		t.Run(name, func(t *testing.T) {
			tw := newTown(t)
			run := 0
			rapid.Check(t, func(rt *rapid.T) {
				run++
				d := tw.draft(kind, options[:map[bool]int{true: 6, false: 4}[name == "per option"]]...)
				d.Slug = fmt.Sprintf("%s-%d", strings.ReplaceAll(name, " ", "-"), run)
				d.Terms.BatchSize = rapid.IntRange(1, 3).Draw(rt, "k")
				c := tw.publish(d)
				for step := range rapid.IntRange(1, 30).Draw(rt, "steps") {
					voter := rapid.IntRange(0, 12).Draw(rt, "voter")
					actor := fmt.Sprintf("https://m.example/users/%d", voter)
					option := rapid.IntRange(0, len(d.Options)-1).Draw(rt, "option")
					object := fmt.Sprintf("%s/%s/%d", actor, c.ID, option)
					switch rapid.IntRange(0, 9).Draw(rt, "what") {
					case 0:
						must(t, tw.Delete(t.Context(), actor, object))
					case 1:
						must(t, tw.ForgetActor(t.Context(), actor))
					case 2, 3:
						tw.now = tw.now.Add(time.Minute)
						before, waited := len(tw.logOf(c)), tw.waiting(c)
						must2(tw.CountDue(t.Context()))
						left := tw.waiting(c)
						if grown := len(tw.logOf(c)) - before; grown > 0 && d.Terms.BatchSize > 1 && (left < d.Terms.BatchSize || waited-left < d.Terms.BatchSize) {
							rt.Fatalf("of %d that waited %d were written and %d left, with k = %d", waited, waited-left, left, d.Terms.BatchSize)
						}
					default:
						_, err := tw.CastVote(t.Context(), participation.Vote{
							Consultation: c.ID, Actor: actor, Host: "m.example", Inbox: "https://m.example/inbox", ReceivedAt: tw.now,
							Marks: []participation.Mark{{Object: fmt.Sprint(object, "/", step), Name: d.Options[option]}},
						})
						must(t, err)
					}
					if step%4 == 3 {
						tw.fits(c)
					}
				}
				must2(tw.Close(t.Context(), c.ID, "genoeg", 0))
				tw.fits(c)
				must2(tw.FreezeDue(t.Context(), "Gemeente Stad"))
				tw.fits(c)
			})
		})
	}
}

// TestLogShufflesBatches sees that the order of entries is not that of votes.
func TestLogShufflesBatches(t *testing.T) {
	tw := newTown(t)
	c := tw.publish(tw.draft(participation.SingleChoice, "A", "B"))
	const voters = 200
	for i := range voters {
		tw.expect(c, fmt.Sprintf("https://m.example/users/%d", i), "1", "A", participation.Counted)
	}
	must2(tw.Close(t.Context(), c.ID, "genoeg", 0))
	var places []int
	for i := range voters {
		r := must2(tw.Receipts(t.Context(), fmt.Sprintf("https://m.example/users/%d", i)))
		if len(r) != 1 || len(r[0].Entries) != 1 || r[0].Entries[0] < 1 {
			t.Fatalf("receipts %+v", r)
		}
		places = append(places, int(r[0].Entries[0]))
	}
	inOrder := 0
	for i := 1; i < voters; i++ {
		if places[i] > places[i-1] {
			inOrder++
		}
	}
	if inOrder < voters/4 || inOrder > 3*voters/4 {
		t.Errorf("%d of %d neighbours stand in the log in the order of their votes", inOrder, voters-1)
	}
}

// TestLogParts sees that in a log per option the choices of one voter do not
// stand together.
func TestLogParts(t *testing.T) {
	tw := newTown(t)
	options := []string{"A", "B", "C", "D", "E", "F"}
	c := tw.publish(tw.draft(participation.MultipleChoice, options...))
	const voters = 50
	for i := range voters {
		if tw.vote(c, fmt.Sprintf("https://m.example/users/%d", i), "1", options[:3]...) != participation.Counted {
			t.Fatal("not counted")
		}
	}
	must2(tw.Close(t.Context(), c.ID, "genoeg", 0))
	together := 0
	for i := range voters {
		r := must2(tw.Receipts(t.Context(), fmt.Sprintf("https://m.example/users/%d", i)))[0]
		if len(r.Codes) != 3 || r.Codes[0] == r.Codes[1] {
			t.Fatalf("codes %v", r.Codes)
		}
		for _, n := range r.Entries {
			if slices.Contains(r.Entries, n+1) {
				together++
			}
		}
	}
	if together > voters/2 {
		t.Errorf("%d times two choices of one voter stand beside each other", together)
	}
}

// TestTamperedLogIsNamed alters what is stored, one thing at a time, with all the
// keys that a program of ours could have but that of the log, and demands that
// the audit names the place.
func TestTamperedLogIsNamed(t *testing.T) {
	tw := newTown(t)
	c := tw.publish(tw.draft(participation.SingleChoice, "A", "B"))
	for i := range 12 {
		tw.expect(c, fmt.Sprintf("https://m.example/users/%d", i), "1", "A", participation.Counted)
	}
	tw.now = tw.now.Add(time.Minute)
	must2(tw.CountDue(t.Context()))
	must2(tw.Close(t.Context(), c.ID, "genoeg", 0))
	must2(tw.FreezeDue(t.Context(), "Gemeente Stad"))
	tw.fits(c)
	c = must2(tw.Consultation(t.Context(), c.ID))
	voters := map[participation.Pseudonym][]byte{}
	must(t, tw.Ballots(t.Context(), c.Number, func(v participation.Pseudonym, _ bool, sealed []byte) error {
		voters[v] = append([]byte(nil), sealed...)
		return nil
	}))
	var one, two participation.Pseudonym
	for v := range voters {
		one, two = two, v
	}
	for name, tamper := range map[string]struct {
		change func(tx participation.Tx) error
		want   string
	}{
		"a ballot in another's place": {func(tx participation.Tx) error {
			return tx.SaveBallot(c.Number, one, true, voters[two])
		}, "does not open"},
		"one ballot more": {func(tx participation.Tx) error {
			secret := must2(tw.keys.Secret(c.ID))
			plain := must2(secret.Open(voters[two], two[:]))
			other := secret.Voter("https://evil.example/users/x")
			return tx.SaveBallot(c.Number, other, true, secret.Seal(plain, other[:]))
		}, "no entry is of it"},
		"another question": {func(tx participation.Tx) error {
			edited := c
			edited.Title = "Wat komt er niet op het plein?"
			return tx.SaveConsultation(&edited)
		}, "entry 0"},
		"other options": {func(tx participation.Tx) error {
			edited := c
			edited.Options = []string{"B", "A"}
			return tx.SaveConsultation(&edited)
		}, "entry 0"},
		"reopened": {func(tx participation.Tx) error {
			r, err := tx.Result(c.ID)
			if err != nil {
				return err
			}
			r.Version, r.Final = r.Version+1, false
			return tx.SaveResult(r)
		}, "log closed: true"},
		"another result": {func(tx participation.Tx) error {
			r, err := tx.Result(c.ID)
			if err != nil {
				return err
			}
			r.Version, r.Counts = r.Version+1, []int{11, 1}
			return tx.SaveResult(r)
		}, "the entry that closes the log says 12 ballots [12 0]"},
		"one entry more": {func(tx participation.Tx) error {
			return tx.AppendLog(c.Number, 14, []string{`destroy/v1 {"step":"announced","at":"2026-01-01T00:00:00Z"}`})
		}, "its head says 14"},
		"a head of another tree": {func(tx participation.Tx) error {
			h, err := tx.Log(c.Number)
			if err != nil {
				return err
			}
			h.Checkpoint = strings.Replace(h.Checkpoint, "\n14\n", "\n15\n", 1)
			return tx.SaveLog(c.Number, h)
		}, "invalid signature"},
		"a head of another tree, signed": {func(tx participation.Tx) error {
			h, err := tx.Log(c.Number)
			if err != nil {
				return err
			}
			h.Checkpoint = must2(tw.keys.LogKey().Checkpoint(tw.Origin(c), h.Size, tlog.RecordHash([]byte("x"))))
			return tx.SaveLog(c.Number, h)
		}, "its root is not that of the entries"},
		"a tile": {func(tx participation.Tx) error {
			tile, err := tx.LogTile(c.Number, 0, 0)
			if err != nil {
				return err
			}
			tile[40] ^= 1
			return tx.SaveLogTile(c.Number, 0, 0, tile)
		}, "tile 0 of level 0"},
		"a file of the dataset": {func(tx participation.Tx) error {
			return tx.SaveDatasetPart(c.Number, "ballots.csv", 1, []byte("AAAA-AAAA-AAAA-AAAA,1,00000000000000000000000000000000\n"))
		}, "ballots.csv"},
	} {
		t.Run(name, func(t *testing.T) {
			copied := tw.copy(t)
			must(t, copied.db.Update(t.Context(), tamper.change))
			a, err := copied.Audit(t.Context(), c)
			must(t, err)
			if !strings.Contains(a.Log, tamper.want) || a.Fits(c) {
				t.Errorf("the audit finds %q, want %q", a.Log, tamper.want)
			}
		})
	}
}

// copy is the same town on a copy of its database.
func (tw *town) copy(t *testing.T) *town {
	t.Helper()
	path := filepath.Join(t.TempDir(), "copy.db")
	must(t, tw.db.Backup(t.Context(), path))
	other := &town{t: t, keys: tw.keys, now: tw.now}
	var err error
	other.db, err = store.Open(t.Context(), path, slog.New(slog.NewTextHandler(io.Discard, nil)))
	must(t, err)
	t.Cleanup(func() { other.db.Close() })
	other.Service = participation.New(other.db, other.keys, testSite(), func() time.Time { return other.now })
	return other
}

// TestWithdrawnChoiceCannotBeOpened sees that nothing stored opens the entry of a
// choice that was taken back, not even with the consultation's key.
func TestWithdrawnChoiceCannotBeOpened(t *testing.T) {
	tw := newTown(t)
	d := tw.draft(participation.MultipleChoice, "A", "B", "C")
	d.Terms.BatchSize = 1
	c := tw.publish(d)
	for i := range 4 {
		actor := fmt.Sprintf("https://m.example/users/%d", i)
		tw.expect(c, actor, "1", "A", participation.Counted)
		tw.expect(c, actor, "2", "B", participation.Counted)
	}
	tw.now = tw.now.Add(time.Minute)
	must2(tw.CountDue(t.Context()))
	for i := range 4 {
		actor := fmt.Sprintf("https://m.example/users/%d", i)
		must(t, tw.Delete(t.Context(), actor, actor+"#votes/2B"))
	}
	must2(tw.Close(t.Context(), c.ID, "genoeg", 0))
	secret := must2(tw.keys.Secret(c.ID))
	must(t, tw.Ballots(t.Context(), c.Number, func(v participation.Pseudonym, _ bool, sealed []byte) error {
		plain := must2(secret.Open(sealed, v[:]))
		// After 17 bytes the number of marks: each an option, its highest bit set
		// when revoked, 8 bytes of the vote object and 16 of the nonce.
		revoked := 0
		for n := range int(plain[17]) {
			mark := plain[18+25*n:][:25]
			if mark[0]&0x80 == 0 {
				continue
			}
			if revoked++; strings.Trim(string(mark[9:]), "\x00") != "" {
				t.Errorf("a revoked mark keeps its nonce %x", mark[9:])
			}
		}
		if revoked != 1 {
			t.Errorf("%d revoked marks, want 1", revoked)
		}
		return nil
	}))
}

// TestUnderReviewIsReadOnly sees that nothing of a consultation under review
// changes: votes, withdrawals and closing are put off, the log stands still.
func TestUnderReviewIsReadOnly(t *testing.T) {
	tw := newTown(t)
	c := tw.publish(tw.draft(participation.SingleChoice, "A", "B"))
	tw.expect(c, ana, "1", "A", participation.Counted)
	tw.Review(c.ID)
	before := must2(tw.db.Fingerprint(t.Context()))
	_, err := tw.CastVote(t.Context(), participation.Vote{Consultation: c.ID, Actor: ana + "x", Host: "m.example", Inbox: "i",
		Marks: []participation.Mark{{Object: "2", Name: "A"}}, ReceivedAt: tw.now})
	if !errors.Is(err, participation.ErrReview) {
		t.Errorf("a vote: %v", err)
	}
	if err := tw.Delete(t.Context(), ana, ana+"#votes/1A"); !errors.Is(err, participation.ErrReview) {
		t.Errorf("a withdrawal: %v", err)
	}
	if _, err := tw.Close(t.Context(), c.ID, "genoeg", 0); !errors.Is(err, participation.ErrReview) {
		t.Errorf("closing: %v", err)
	}
	tw.now = tw.now.Add(time.Hour)
	must2(tw.CountDue(t.Context()))
	if after := must2(tw.db.Fingerprint(t.Context())); !maps.Equal(before, after) {
		t.Error("the database changed")
	}
}
