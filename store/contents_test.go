package store_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"inspraak/participation"
	"inspraak/tally"
)

func TestConsultations(t *testing.T) {
	db, _ := empty(t)
	c := poll(t, db, "c1")
	for _, name := range []string{c.ID, c.Slug} {
		same(t, name, must(db.Consultation(t.Context(), name))(t), c)
	}
	if _, err := db.Consultation(t.Context(), "c2"); !errors.Is(err, participation.ErrNotFound) {
		t.Errorf("unknown consultation: %v", err)
	}
	c.Phase, c.ClosedAt, c.Image, c.Terms.AllowedServers = participation.Closed, c.ClosesAt, nil, nil
	update(t, db, func(tx participation.Tx) error { return tx.SaveConsultation(&c) })
	same(t, "after saving", must(db.Consultation(t.Context(), "c1"))(t), c)

	for _, taken := range []participation.Consultation{{ID: c.ID, Slug: "other"}, {ID: "other", Slug: c.Slug}} {
		taken.Channel, taken.Kind, taken.Results, taken.Phase = c.Channel, c.Kind, c.Results, c.Phase
		err := db.Update(t.Context(), func(tx participation.Tx) error { return tx.SaveConsultation(&taken) })
		if !errors.Is(err, participation.ErrExists) {
			t.Errorf("id %q and slug %q: %v", taken.ID, taken.Slug, err)
		}
	}
	vanished := c
	vanished.Number = 99
	if err := db.Update(t.Context(), func(tx participation.Tx) error { return tx.SaveConsultation(&vanished) }); !errors.Is(err, participation.ErrNotFound) {
		t.Errorf("saving one that is not there: %v", err)
	}
	del := func(id string) error {
		return db.Update(t.Context(), func(tx participation.Tx) error { return tx.DeleteDraft(id) })
	}
	if err := del("c1"); !errors.Is(err, participation.ErrPhase) {
		t.Errorf("deleted what is no draft: %v", err)
	}
	c.Phase = participation.Draft
	update(t, db, func(tx participation.Tx) error { return tx.SaveConsultation(&c) })
	if err := del("c1"); err != nil {
		t.Error(err)
	}
	if err := del("c1"); !errors.Is(err, participation.ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	if again := poll(t, db, "c1"); again.Number == c.Number {
		t.Error("the number of a deleted draft was used again")
	}
}

func TestConsultationFilter(t *testing.T) {
	db, _ := empty(t)
	for i, phase := range []participation.Phase{participation.Draft, participation.Scheduled, participation.Open, participation.Closed} {
		c := poll(t, db, string(phase))
		c.Phase, c.OpensAt, c.ClosesAt = phase, noon.Add(time.Duration(i)*time.Hour), noon.Add(10*time.Hour)
		if phase == participation.Closed { // opens with the one before
			c.OpensAt, c.ClosesAt = noon.Add(2*time.Hour), noon.AddDate(1, 0, 0)
		}
		update(t, db, func(tx participation.Tx) error { return tx.SaveConsultation(&c) })
	}
	open := must(db.Consultation(t.Context(), "open"))(t)
	for _, test := range []struct {
		filter participation.Filter
		want   []string
	}{
		{participation.Filter{}, []string{"closed", "open", "scheduled", "draft"}},
		{participation.Filter{Limit: 1}, []string{"closed"}},
		{participation.Filter{Channel: "nobody"}, nil},
		{participation.Filter{Channel: "gemeente", Phases: []participation.Phase{participation.Draft, participation.Open}}, []string{"open", "draft"}},
		{participation.Filter{DueBefore: noon.Add(time.Hour)}, []string{"scheduled"}},
		{participation.Filter{DueBefore: noon.Add(time.Hour - 1)}, nil},
		{participation.Filter{DueBefore: noon.Add(10*time.Hour + 3*time.Minute - time.Second)}, []string{"scheduled"}},
		{participation.Filter{DueBefore: noon.Add(10*time.Hour + 3*time.Minute)}, []string{"open", "scheduled"}},
		{participation.Filter{After: &open}, []string{"scheduled", "draft"}},
		{participation.Filter{After: &participation.Consultation{OpensAt: open.OpensAt, Number: 9}, Limit: 2}, []string{"closed", "open"}},
		{participation.Filter{Year: noon.Year() + 1}, []string{"closed"}},
		{participation.Filter{Year: noon.Year(), Limit: 1}, []string{"open"}},
	} {
		var got []string
		for _, c := range must(db.Consultations(t.Context(), test.filter))(t) {
			got = append(got, c.ID)
		}
		same(t, fmt.Sprintf("%+v", test.filter), got, test.want)
	}
}

func TestChannels(t *testing.T) {
	db, _ := empty(t)
	first := participation.Channel{Name: "zuid", Title: "Zuid", Language: "nl", Created: noon,
		Avatar: &participation.Image{Path: "a.png", Alt: "wapen"}, Fields: []participation.Field{{Name: "web", Value: "https://a.example"}}}
	second := participation.Channel{Name: "noord", Title: "Noord", Created: noon.Add(time.Second)}
	update(t, db, func(tx participation.Tx) error { return errors.Join(tx.SaveChannel(second), tx.SaveChannel(first)) })
	first.Title, first.Avatar = "Zuidwijk", nil
	update(t, db, func(tx participation.Tx) error { return tx.SaveChannel(first) })
	same(t, "channels", must(db.Channels(t.Context()))(t), []participation.Channel{first, second})
	same(t, "channel", must(db.Channel(t.Context(), "zuid"))(t), first)
	update(t, db, func(tx participation.Tx) error {
		_, err := tx.Channel("oost")
		if !errors.Is(err, participation.ErrNotFound) {
			t.Errorf("unknown channel: %v", err)
		}
		got, err := tx.Channel("zuid")
		same(t, "channel", got, first)
		return err
	})
}

func TestBallots(t *testing.T) {
	db, _ := empty(t)
	c, other := poll(t, db, "c1"), poll(t, db, "c2")
	voter := pseudonym("voter")
	update(t, db, func(tx participation.Tx) error {
		if b, err := tx.Ballot(c.Number, voter); b != nil || err != nil {
			t.Errorf("no ballot yet: %v, %v", b, err)
		}
		return errors.Join(tx.SaveBallot(c.Number, voter, false, sealed(1)), tx.SaveBallot(c.Number, voter, true, sealed(2)),
			tx.SaveBallot(other.Number, voter, true, sealed(3)))
	})
	update(t, db, func(tx participation.Tx) error {
		b, err := tx.Ballot(c.Number, voter)
		same(t, "ballot", b, sealed(2))
		return errors.Join(err, tx.Refuse(c.Number, participation.Late), tx.Refuse(c.Number, participation.Late))
	})
	seen := map[participation.Pseudonym]string{}
	if err := db.Ballots(t.Context(), c.Number, func(p participation.Pseudonym, counted bool, b []byte) error {
		if !counted {
			t.Error("the ballot is not marked as counted")
		}
		seen[p] = string(b)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	same(t, "ballots", seen, map[participation.Pseudonym]string{voter: string(sealed(2))})
	stop := errors.New("stop")
	if err := db.Ballots(t.Context(), c.Number, func(participation.Pseudonym, bool, []byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("a failing fn: %v", err)
	}
	want := participation.Tallies{Ballots: 1, Refused: map[participation.Outcome]int{participation.Late: 2}}
	same(t, "tallies", must(db.Tallies(t.Context(), c))(t), want)
	update(t, db, func(tx participation.Tx) error { return tx.SaveBallot(c.Number, voter, false, sealed(4)) })
	if n := must(db.Tallies(t.Context(), c))(t).Ballots; n != 0 {
		t.Errorf("%d ballots after withdrawal", n)
	}
	if err := db.Update(t.Context(), func(tx participation.Tx) error { return tx.SaveBallot(99, voter, true, sealed(1)) }); err == nil {
		t.Error("a ballot of no consultation was kept")
	}
}

func TestEvidence(t *testing.T) {
	db, _ := empty(t)
	c, other := poll(t, db, "c1"), poll(t, db, "c2")
	ann, bob, x, y := pseudonym("ann"), pseudonym("bob"), [8]byte{1}, [8]byte{2}
	has := func(number int64, voter participation.Pseudonym, object [8]byte, option int) (has bool) {
		update(t, db, func(tx participation.Tx) error {
			_, err := tx.Request(number, voter, object, option)
			if has = err == nil; errors.Is(err, participation.ErrNotFound) {
				err = nil
			}
			return err
		})
		return has
	}
	update(t, db, func(tx participation.Tx) error {
		return errors.Join(tx.KeepRequest(c.Number, ann, x, 0, sealed(1)), tx.KeepRequest(c.Number, ann, x, 1, sealed(2)),
			tx.KeepRequest(c.Number, ann, y, 0, sealed(3)), tx.KeepRequest(c.Number, bob, y, 0, sealed(4)), tx.KeepRequest(other.Number, ann, y, 0, sealed(5)),
			tx.SaveEvidence(c.Number, sealed(6)), tx.SaveEvidence(c.Number, sealed(7)), tx.SaveEvidence(other.Number, sealed(8)))
	})
	update(t, db, func(tx participation.Tx) error { return tx.DropRequests(c.Number, ann, &x) })
	if has(c.Number, ann, x, 0) || has(c.Number, ann, x, 1) || !has(c.Number, ann, y, 0) {
		t.Error("not the requests of one object are gone")
	}
	update(t, db, func(tx participation.Tx) error { return tx.DropRequests(c.Number, ann, nil) })
	if has(c.Number, ann, y, 0) || !has(c.Number, bob, y, 0) || !has(other.Number, ann, y, 0) {
		t.Error("not the requests of one voter are gone")
	}
	bundles := func(number int64) (all []string) {
		if err := db.Evidence(t.Context(), number, func(n int64, b []byte) error {
			all = append(all, fmt.Sprint(n, string(b)))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return all
	}
	same(t, "bundles", bundles(c.Number), []string{fmt.Sprint(1, string(sealed(6))), fmt.Sprint(2, string(sealed(7)))})
	update(t, db, func(tx participation.Tx) error { return tx.DropEvidence(c.Number) })
	if has(c.Number, bob, y, 0) || bundles(c.Number) != nil || !has(other.Number, ann, y, 0) || len(bundles(other.Number)) != 1 {
		t.Error("not the evidence of one consultation is gone")
	}
}

func TestRepliesAndGestures(t *testing.T) {
	db, _ := empty(t)
	c, _ := poll(t, db, "c1"), poll(t, db, "c2")
	reply := func(id, consultation, author string, received time.Duration) participation.Reply {
		return participation.Reply{ID: "https://r.example/" + id, Consultation: consultation, Parent: "p", HTML: "<p>" + id,
			Author:     participation.Author{ID: "https://r.example/u/" + author, Name: author, Handle: author + "@r.example", URL: "u"},
			Visibility: participation.Public, Standing: participation.Shown, Published: noon, Received: noon.Add(received), Images: 2}
	}
	a, b, d := reply("a", "c1", "ann", 2), reply("b", "c1", "bob", time.Second), reply("d", "c2", "ann", 2*time.Second)
	a.Received = noon
	b.Standing, b.Reason, b.Updated = participation.Hidden, "off topic", noon.Add(time.Minute)
	update(t, db, func(tx participation.Tx) error {
		if err := tx.SaveReply(reply("x", "c9", "ann", 0)); !errors.Is(err, participation.ErrNotFound) {
			t.Errorf("a reply to nothing: %v", err)
		}
		return errors.Join(tx.SaveReply(d), tx.SaveReply(b), tx.SaveReply(reply("a", "c1", "eve", 0)), tx.SaveReply(a))
	})
	d.Number, b.Number, a.Number = 1, 2, 3 // in the order of arrival, each a conversation of its own
	d.Thread, b.Thread, a.Thread = 1, 1, 2
	for _, test := range []struct {
		filter participation.ReplyFilter
		want   []participation.Reply
	}{
		{participation.ReplyFilter{}, []participation.Reply{a, d}},
		{participation.ReplyFilter{All: true}, []participation.Reply{a, b, d}},
		{participation.ReplyFilter{All: true, Limit: 1, Offset: 1}, []participation.Reply{b}},
		{participation.ReplyFilter{Consultation: "c1"}, []participation.Reply{a}},
		{participation.ReplyFilter{Consultation: "c1", All: true}, []participation.Reply{a, b}},
		{participation.ReplyFilter{Consultation: "c1", All: true, Newest: true}, []participation.Reply{b, a}},
		{participation.ReplyFilter{Consultation: "c1", Newest: true, Limit: 1}, []participation.Reply{a}},
		{participation.ReplyFilter{Consultation: "c9"}, nil},
		{participation.ReplyFilter{Author: a.Author.ID}, []participation.Reply{a, d}},
		{participation.ReplyFilter{Author: a.Author.ID, Consultation: "c2"}, []participation.Reply{d}},
	} {
		same(t, fmt.Sprintf("%+v", test.filter), must(db.Replies(t.Context(), test.filter))(t), test.want)
	}
	same(t, "reply", must(db.Reply(t.Context(), b.ID))(t), b)

	update(t, db, func(tx participation.Tx) error {
		for _, actor := range []string{"x", "y", "x"} {
			if err := tx.SetGesture(c.Number, participation.Like, actor, "https://in/"+actor, "like of "+actor); err != nil {
				return err
			}
		}
		mine, err := tx.RepliesBy(a.Author.ID)
		same(t, "replies by ann", mine, []participation.Reply{a, d})
		return errors.Join(err, tx.SetGesture(c.Number, participation.Boost, "x", "", "boost"), tx.DeleteReply(d.ID), tx.DeleteReply("no such"))
	})
	want := participation.Tallies{Replies: 1, Likes: 2, Boosts: 1, Refused: map[participation.Outcome]int{}}
	same(t, "tallies", must(db.Tallies(t.Context(), c))(t), want)
	update(t, db, func(tx participation.Tx) error { return tx.UnsetGesture(c.Number, participation.Like, "y") })
	if err := db.Undo(t.Context(), "x", "boost"); err != nil {
		t.Error(err)
	}
	want.Likes, want.Boosts = 1, 0
	same(t, "tallies", must(db.Tallies(t.Context(), c))(t), want)
	update(t, db, func(tx participation.Tx) error { return tx.UnsetGestures("x") })
	want.Likes = 0
	same(t, "tallies", must(db.Tallies(t.Context(), c))(t), want)
}

func TestResultsPostsReportsBlocks(t *testing.T) {
	db, _ := empty(t)
	poll(t, db, "c1")
	if _, err := db.Result(t.Context(), "c1"); !errors.Is(err, participation.ErrNotFound) {
		t.Errorf("no result yet: %v", err)
	}
	first := participation.Result{Consultation: "c1", Version: 1, At: noon, Turnout: 4}
	second := participation.Result{Consultation: "c1", Version: 2, At: noon, Turnout: 4, Counts: []int{3, 1}, Pending: 1,
		Replies: 2, Likes: 3, Boosts: 4, Refused: map[participation.Outcome]int{participation.Late: 1}, Final: true,
		Classes: &participation.Classes{Established: tally.Range{AtLeast: 1, AtMost: 2}, Unclassified: tally.Range{AtMost: 3}}}
	post := participation.Post{ID: "p1", Consultation: "c1", Channel: "gemeente", Kind: participation.Answer, InReplyTo: "r",
		Mention: participation.Author{ID: "u", Name: "n", Handle: "h", URL: "l"}, Source: "s", HTML: "h", Language: "nl", Published: noon}
	report := participation.Report{ID: "f1", Server: "r.example", Text: "rude", Objects: []string{"o"}, Received: noon}
	resolved := report
	resolved.ResolvedAt, resolved.Resolution, resolved.Text = noon, "hidden", "not taken over"
	late := report
	late.ID, late.Text = "f2", "spam"
	block := participation.Block{Subject: "spam.example", Reason: "spam", Created: noon}
	update(t, db, func(tx participation.Tx) error {
		return errors.Join(tx.SaveResult(second), tx.SaveResult(first), tx.SavePost(post), tx.SaveReport(report), tx.SaveReport(resolved),
			tx.SaveReport(report), tx.SaveReport(late), tx.SaveBlock(block), tx.SaveBlock(participation.Block{Subject: "x", Created: noon}), tx.DeleteBlock("x"))
	})
	same(t, "result", must(db.Result(t.Context(), "c1"))(t), second)
	same(t, "posts", must(db.Posts(t.Context(), "c1"))(t), []participation.Post{post})
	same(t, "post", must(db.Post(t.Context(), "p1"))(t), post)
	resolved.Text = report.Text
	same(t, "reports", must(db.Reports(t.Context(), false))(t), []participation.Report{late})
	same(t, "all reports", must(db.Reports(t.Context(), true))(t), []participation.Report{resolved, late})
	same(t, "blocks", must(db.Blocks(t.Context()))(t), []participation.Block{block})
	update(t, db, func(tx participation.Tx) error {
		r, err := tx.Result("c1")
		same(t, "result", r, second)
		f, err2 := tx.Report("f1")
		same(t, "report", f, resolved)
		return errors.Join(err, err2)
	})
}

func TestTombstones(t *testing.T) {
	db, _ := empty(t)
	buried := func(key participation.Pseudonym) (is bool) {
		update(t, db, func(tx participation.Tx) (err error) { is, err = tx.Buried(key, pseudonym("other")); return err })
		return is
	}
	update(t, db, func(tx participation.Tx) error { return tx.Tombstone(pseudonym("old"), noon) })
	if !buried(pseudonym("old")) || buried(pseudonym("none")) {
		t.Error("a tombstone is not found, or one that is not there is")
	}
	week := noon.Add(7 * 24 * time.Hour)
	update(t, db, func(tx participation.Tx) error { return tx.Tombstone(pseudonym("new"), week) })
	if !buried(pseudonym("old")) {
		t.Error("forgotten before the week was over")
	}
	update(t, db, func(tx participation.Tx) error { return tx.Tombstone(pseudonym("new"), week.Add(time.Second)) })
	if buried(pseudonym("old")) || !buried(pseudonym("new")) {
		t.Error("kept for longer than a week")
	}
}

// Public events are numbered by themselves: nobody learns how many others came
// between. The number of a deleted event's reply names nothing.
func TestPublicEvents(t *testing.T) {
	db, _ := empty(t)
	c, other := poll(t, db, "c1"), poll(t, db, "c2")
	types := []participation.EventType{participation.ConsultationScheduled, participation.ReportReceived, participation.ConsultationCounted,
		participation.ReplyAdded, participation.ActorBlocked, participation.ConsultationExtended}
	for i, kind := range types {
		e := participation.Event{At: noon.Add(time.Duration(i) * time.Minute), Type: kind, Consultation: c.ID}
		update(t, db, func(tx participation.Tx) error { return tx.Record(&e) })
		same(t, string(kind)+" has a place", e.Place > 0, kind.Public())
	}
	var places []int64
	for _, e := range must(db.PublicEvents(t.Context(), 1, 5))(t) {
		places = append(places, e.Place)
	}
	same(t, "places", places, []int64{2, 3})
	same(t, "limited", len(must(db.PublicEvents(t.Context(), 0, 2))(t)), 2)
	n, last, err := db.Revisions(t.Context(), c.ID)
	same(t, "revisions", []any{n, last, err}, []any{2, noon.Add(5 * time.Minute), error(nil)})
	n, last, err = db.Revisions(t.Context(), other.ID)
	same(t, "revisions of another", []any{n, last, err}, []any{0, time.Time{}, error(nil)})

	for i, standing := range []participation.Standing{participation.Shown, participation.Hidden, participation.Shown} {
		r := participation.Reply{ID: fmt.Sprint("https://r.example/", i), Place: int64(7 - i), Parent: fmt.Sprint("https://r.example/", i-1), Consultation: c.ID, Standing: standing, Visibility: participation.Public, Received: noon}
		update(t, db, func(tx participation.Tx) error { return tx.SaveReply(r) })
	}
	numbers := func(replies []participation.NumberedReply, err error) (all []int64) {
		for _, r := range must(replies, err)(t) {
			all = append(all, r.Place, r.Answers)
		}
		return all
	}
	newest := must(db.NewestReplies(t.Context(), c.Number, 2))(t)
	same(t, "newest", []int64{newest[0].Place, newest[1].Place, int64(len(newest))}, []int64{7, 5, 2})
	same(t, "from the first", numbers(db.RepliesFrom(t.Context(), c.Number, 0, 2)), []int64{5, 6, 6, 7})
	same(t, "from the next", numbers(db.RepliesFrom(t.Context(), c.Number, 6, 2)), []int64{7, 0})
	same(t, "by number", numbers(db.RepliesNumbered(t.Context(), c.Number, []int64{5, 9})), []int64{5, 6})
	same(t, "by number, of another", numbers(db.RepliesNumbered(t.Context(), other.Number, []int64{5})), []int64(nil))
	same(t, "of another", numbers(db.RepliesFrom(t.Context(), other.Number, 0, 2)), []int64(nil))
}

func TestEvents(t *testing.T) {
	db, _ := empty(t)
	want := participation.Event{At: noon, Type: participation.ReplyHidden, Channel: "c", Consultation: "c1", Subject: "s", Reason: "r"}
	for range 3 {
		update(t, db, func(tx participation.Tx) error { return tx.Record(&want) })
	}
	got := must(db.Events(t.Context(), 1, 5))(t)
	same(t, "number of events", len(got), 2)
	same(t, "last event", got[1], want)
	same(t, "limited", slices.IndexFunc(must(db.Events(t.Context(), 0, 2))(t), func(e participation.Event) bool { return e.Seq == 2 }), 1)
}
