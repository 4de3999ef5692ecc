package participation_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"inspraak/participation"
)

// beat keeps a sign of life and returns the outage that it ends, if any.
func (tw *town) beat() participation.Incident {
	tw.t.Helper()
	_, outage, err := tw.Heartbeat(tw.t.Context())
	must(tw.t, err)
	return outage
}

// Whatever an outage's length and the time to the deadline: votes count for
// 15 minutes and for 1.2 times the outage after it, unless that is more than 48
// hours past the planned deadline; nothing is ever shortened, and the closing
// time stays.
func TestOutageArithmetic(t *testing.T) {
	tw := newTown(t)
	tw.beat()
	n := 0
	rapid.Check(t, func(r *rapid.T) {
		n++
		ahead := time.Duration(rapid.IntRange(2*60, 80*3600).Draw(r, "seconds to closing")) * time.Second
		length := time.Duration(rapid.IntRange(0, 100*3600*1000).Draw(r, "outage in ms")) * time.Millisecond
		draft := tw.draft(participation.SingleChoice, "Ja", "Nee")
		draft.Slug, draft.OpensAt = fmt.Sprintf("p%d", n), tw.now.Truncate(time.Second)
		draft.ClosesAt = draft.OpensAt.Add(ahead)
		tw.beat()
		before := tw.publish(draft)
		tw.now = tw.now.Add(length)
		outage := tw.beat()
		c, err := tw.Consultation(t.Context(), before.ID)
		must(t, err)
		planned, until := before.Deadline(), c.Deadline()
		least, most := tw.now.Add(15*time.Minute), planned.Add(48*time.Hour)
		wish := tw.now.Add(max(15*time.Minute, length*12/10))
		switch {
		case (length >= participation.OutageFrom) != (outage.Number > 0):
			r.Errorf("%s of silence: outage %d", length, outage.Number)
		case outage.Number == 0 && !until.Equal(planned), until.Before(planned):
			r.Errorf("deadline %s, planned %s", until, planned)
		case outage.Number > 0 && until.Before(wish) && until.Before(most):
			r.Errorf("%s, want %s or %s", until, wish, most)
		case outage.Number > 0 && until.Before(least):
			r.Errorf("%s is less than 15 minutes after %s", until, tw.now)
		case until.After(most.Add(time.Second)) && until.After(least.Add(time.Second)):
			r.Errorf("%s is later than %s and %s", until, most, least)
		case until.After(planned) && until.After(wish.Add(time.Second)):
			r.Errorf("%s is later than need be: %s", until, wish)
		case !c.ClosesAt.Equal(before.ClosesAt):
			r.Errorf("closing time %s, was %s", c.ClosesAt, before.ClosesAt)
		}
		must(t, tw.Withdraw(t.Context(), c.ID, "klaar"))
	})
}

// While the last beat is too long ago, a vote after the deadline is neither
// refused nor counted, a withdrawal waits too, and nothing closes.
func TestNothingIsLateBeforeTheNextBeat(t *testing.T) {
	tw := newTown(t)
	c := tw.publish(tw.draft(participation.SingleChoice, "Ja", "Nee"))
	tw.expect(c, ana, "1", "Ja", participation.Counted)
	tw.now = c.Deadline().Add(-time.Minute)
	tw.beat()
	tw.now = tw.now.Add(2 * time.Hour)
	late := participation.Vote{Consultation: c.ID, Actor: bo, Host: "m.example", Inbox: "https://m.example/inbox", ReceivedAt: tw.now,
		Marks: []participation.Mark{{Object: bo + "#votes/1Ja", Name: "Ja"}}}
	before, err := tw.db.Fingerprint(t.Context())
	must(t, err)
	_, cast := tw.CastVote(t.Context(), late)
	_, closing := tw.Close(t.Context(), c.ID, "", 0)
	for what, err := range map[string]error{
		"vote": cast, "close": closing,
		"withdrawal": tw.Delete(t.Context(), ana, ana+"#votes/1Ja"), "deletion": tw.ForgetActor(t.Context(), ana),
	} {
		if !errors.Is(err, participation.ErrUnsure) {
			t.Errorf("%s: %v, want %v", what, err, participation.ErrUnsure)
		}
	}
	after, err := tw.db.Fingerprint(t.Context())
	must(t, err)
	for table := range after {
		if before[table] != after[table] {
			t.Errorf("table %s changed", table)
		}
	}
	tw.beat()
	tw.expect(c, bo, "1", "Ja", participation.Counted)
	must(t, tw.Delete(t.Context(), ana, ana+"#votes/1Ja"))
	// Late for good once the beats go on.
	c, err = tw.Consultation(t.Context(), c.ID)
	must(t, err)
	must(t, tw.db.Update(t.Context(), func(tx participation.Tx) error {
		b, err := tx.Beat()
		if err != nil {
			return err
		}
		b.At = c.Deadline()
		return tx.SaveBeat(b)
	}))
	tw.now = c.Deadline().Add(time.Second)
	tw.expect(c, cy, "1", "Ja", participation.Late)
	if r := tw.close(c); r.Turnout != 1 {
		t.Errorf("turnout %d, want 1", r.Turnout)
	}
	tw.beat()
	tw.now = tw.now.Add(4 * time.Hour)
	tw.beat()
	if c, err = tw.Consultation(t.Context(), c.ID); err != nil || c.Phase != participation.Closed {
		t.Errorf("after another outage it is %s, %v", c.Phase, err)
	}
}
