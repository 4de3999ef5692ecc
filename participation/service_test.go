package participation_test

import (
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"inspraak/participation"
	"inspraak/store"
)

// A town is a Service on a real database with a clock that tests move.
type town struct {
	*participation.Service
	t    *testing.T
	dir  string
	db   *store.DB
	keys *store.Keys
	now  time.Time
}

func newTown(t *testing.T) *town {
	t.Helper()
	dir := t.TempDir()
	tw := &town{t: t, dir: dir, now: time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)}
	var err error
	if tw.keys, err = store.OpenKeys(filepath.Join(dir, "keys"), true); err != nil {
		t.Fatal(err)
	}
	tw.db, err = store.Open(t.Context(), filepath.Join(dir, "town.db"), slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tw.db.Close() })
	tw.Service = participation.New(tw.db, tw.keys, testSite(), func() time.Time { return tw.now })
	must(t, tw.SaveChannel(t.Context(), participation.Channel{Name: "stad", Title: "De stad", Language: "nl"}, false))
	return tw
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (tw *town) draft(kind participation.Kind, options ...string) participation.Consultation {
	return participation.Consultation{
		Slug: "plein-" + string(kind), Channel: "stad", Kind: kind, Language: "nl", Title: "Wat komt er op het plein?",
		Body: "Kies **mee**.", Options: options, Results: participation.AtClose, Zone: "Europe/Amsterdam",
		OpensAt: tw.now, ClosesAt: tw.now.Add(24 * time.Hour),
		Terms: participation.Terms{Level: participation.Advise, Promise: "Wij wegen mee.", DecidedBy: "De raad",
			DecidedWhen: "december", NotOpen: "Het budget", Notice: "Dit is geen zienswijze.", BatchSize: 3,
			Interval: time.Minute, Grace: 3 * time.Minute},
	}
}

func (tw *town) publish(c participation.Consultation) participation.Consultation {
	tw.t.Helper()
	must(tw.t, c.Prepare())
	must(tw.t, tw.Draft(tw.t.Context(), &c))
	c, err := tw.Publish(tw.t.Context(), c.ID)
	must(tw.t, err)
	if c.Phase != participation.Open {
		tw.t.Fatalf("phase %s after publishing, want open", c.Phase)
	}
	return c
}

// vote casts names as one activity, its objects numbered by id.
func (tw *town) vote(c participation.Consultation, actor, id string, names ...string) participation.Outcome {
	tw.t.Helper()
	v := participation.Vote{Consultation: c.ID, Actor: actor, Host: "m.example", Inbox: "https://m.example/inbox", ReceivedAt: tw.now}
	for _, name := range names {
		v.Marks = append(v.Marks, participation.Mark{Object: actor + "#votes/" + id + name, Name: name})
	}
	outcome, err := tw.CastVote(tw.t.Context(), v)
	must(tw.t, err)
	return outcome
}

func (tw *town) close(c participation.Consultation) participation.Result {
	tw.t.Helper()
	tw.now = c.Deadline().Add(time.Second)
	r, err := tw.Close(tw.t.Context(), c.ID, "", 0)
	must(tw.t, err)
	return r
}

func (tw *town) expect(c participation.Consultation, actor, id, name string, want participation.Outcome) {
	tw.t.Helper()
	if got := tw.vote(c, actor, id, name); got != want {
		tw.t.Errorf("%s votes %q: %s, want %s", actor, name, got, want)
	}
}

const ana, bo, cy = "https://m.example/users/ana", "https://m.example/users/bo", "https://k.example/users/cy"

func TestFirstVoteCounts(t *testing.T) {
	tw := newTown(t)
	c := tw.publish(tw.draft(participation.SingleChoice, "Bomen", "Markthal", "Café"))
	tw.expect(c, ana, "1", "Bomen", participation.Counted)
	tw.expect(c, ana, "1", "Bomen", participation.Repeated)    // retransmitted
	tw.expect(c, ana, "2", "Markthal", participation.Repeated) // a second opinion
	tw.expect(c, bo, "1", "bomen", participation.UnknownOption)
	tw.expect(c, bo, "1", "Bomen\u200b", participation.UnknownOption)
	tw.expect(c, bo, "2", "  Cafe\u0301 ", participation.Counted) // NFD with blanks, as some servers rewrite it
	r := tw.close(c)
	if r.Turnout != 2 || !slices.Equal(r.Counts, []int{1, 0, 1}) {
		t.Errorf("turnout %d, counts %v; want 2, [1 0 1]", r.Turnout, r.Counts)
	}
	if r.Refused[participation.Repeated] != 1 || r.Refused[participation.UnknownOption] != 2 {
		t.Errorf("refused %v: want one repeated (a retransmission is none) and two unknown options", r.Refused)
	}
}

func TestMultipleChoiceInPieces(t *testing.T) {
	tw := newTown(t)
	c := tw.publish(tw.draft(participation.MultipleChoice, "A", "B", "C"))
	if got := tw.vote(c, ana, "1", "A", "B"); got != participation.Counted {
		t.Errorf("two marks in one activity: %s", got)
	}
	tw.expect(c, bo, "1", "A", participation.Counted)
	tw.now = tw.now.Add(20 * time.Hour)
	tw.expect(c, bo, "2", "C", participation.Counted)
	tw.expect(c, bo, "3", "C", participation.Repeated)
	r := tw.close(c)
	if r.Turnout != 2 || !slices.Equal(r.Counts, []int{2, 1, 1}) {
		t.Errorf("turnout %d, counts %v; want 2, [2 1 1]", r.Turnout, r.Counts)
	}
}

func TestDeadlineIsByReceipt(t *testing.T) {
	tw := newTown(t)
	c := tw.publish(tw.draft(participation.SingleChoice, "A", "B"))
	tw.now = c.Deadline()
	tw.expect(c, ana, "1", "A", participation.Counted)
	tw.now = c.Deadline().Add(time.Millisecond)
	tw.expect(c, bo, "1", "A", participation.Late)
	if _, err := tw.Close(t.Context(), c.ID, "", 2); err != nil {
		t.Fatal(err)
	}
	tw.expect(c, cy, "1", "B", participation.Late)
	r, err := tw.Result(t.Context(), c.ID)
	must(t, err)
	if !r.Final || r.Turnout != 1 || r.Refused[participation.Unverified] != 2 {
		t.Errorf("final %v, turnout %d, refused %v", r.Final, r.Turnout, r.Refused)
	}
	if _, same, err := tw.Recount(t.Context(), must2(tw.Consultation(t.Context(), c.ID))); err != nil || !same {
		t.Errorf("recount: same %v, %v", same, err)
	}
}

func must2[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestWithdrawnVote(t *testing.T) {
	tw := newTown(t)
	c := tw.publish(tw.draft(participation.MultipleChoice, "A", "B"))
	tw.vote(c, ana, "1", "A", "B")
	must(t, tw.Delete(t.Context(), bo, ana+"#votes/1A")) // not hers: nothing
	must(t, tw.Delete(t.Context(), ana, ana+"#votes/1A"))
	tw.expect(c, ana, "1", "A", participation.Revoked) // a replay of what was withdrawn
	must(t, tw.Delete(t.Context(), ana, ana+"#votes/1B"))
	tw.expect(c, ana, "2", "B", participation.Counted) // and votes anew
	must(t, tw.Delete(t.Context(), cy, cy+"#votes/1A"))
	tw.expect(c, cy, "1", "A", participation.Revoked) // the Delete came before its Create
	r := tw.close(c)
	if r.Turnout != 1 || !slices.Equal(r.Counts, []int{0, 1}) {
		t.Errorf("turnout %d, counts %v; want 1, [0 1]", r.Turnout, r.Counts)
	}
	must(t, tw.Delete(t.Context(), ana, ana+"#votes/2B")) // after closing the count stands
	must(t, tw.ForgetActor(t.Context(), ana))
	if _, same, err := tw.Recount(t.Context(), must2(tw.Consultation(t.Context(), c.ID))); err != nil || !same {
		t.Errorf("after the account was deleted: same %v, %v", same, err)
	}
	if inboxes, err := tw.VoterInboxes(t.Context(), c); err != nil || len(inboxes) != 0 {
		t.Errorf("a forgotten voter is still told: %v, %v", inboxes, err)
	}
}

// A sender may name two options with one object, one after the other; its
// Delete takes both back, and what comes of it later does not count.
func TestWithdrawnVoteOfTwoNames(t *testing.T) {
	tw := newTown(t)
	c := tw.publish(tw.draft(participation.MultipleChoice, "A", "B", "C"))
	cast := func(name string, want participation.Outcome) {
		t.Helper()
		got, err := tw.CastVote(t.Context(), participation.Vote{Consultation: c.ID, Actor: ana, ReceivedAt: tw.now,
			Marks: []participation.Mark{{Object: ana + "#votes/1", Name: name}}})
		must(t, err)
		if got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	cast("A", participation.Counted)
	cast("B", participation.Counted)
	must(t, tw.Delete(t.Context(), ana, ana+"#votes/1"))
	cast("A", participation.Revoked)
	cast("C", participation.Revoked)
	if r := tw.close(c); r.Turnout != 0 || !slices.Equal(r.Counts, []int{0, 0, 0}) {
		t.Errorf("turnout %d, counts %v; want none", r.Turnout, r.Counts)
	}
}

func TestForgottenWhileOpen(t *testing.T) {
	tw := newTown(t)
	c := tw.publish(tw.draft(participation.SingleChoice, "A", "B"))
	tw.expect(c, ana, "1", "A", participation.Counted)
	must(t, tw.AddReply(t.Context(), participation.Reply{ID: ana + "/1", Consultation: c.ID, Parent: "x",
		HTML: "<p>Goed</p>", Visibility: participation.Public, Author: participation.Author{ID: ana}}, true))
	must(t, tw.ForgetActor(t.Context(), ana))
	tw.expect(c, ana, "1", "A", participation.Revoked)
	tw.expect(c, ana, "2", "B", participation.Revoked)
	if replies, err := tw.Replies(t.Context(), participation.ReplyFilter{Consultation: c.ID, All: true}); err != nil || len(replies) != 0 {
		t.Errorf("replies left: %v, %v", replies, err)
	}
	if r := tw.close(c); r.Turnout != 0 {
		t.Errorf("turnout %d, want 0", r.Turnout)
	}
}

func TestCountsStaySealed(t *testing.T) {
	tw := newTown(t)
	c := tw.publish(tw.draft(participation.SingleChoice, "A", "B"))
	for _, actor := range []string{ana, bo, cy} {
		tw.expect(c, actor, "1", "A", participation.Counted)
	}
	tw.now = tw.now.Add(time.Hour)
	if n, err := tw.CountDue(t.Context()); err != nil || n != 1 {
		t.Fatalf("counted %d, %v", n, err)
	}
	r, err := tw.Result(t.Context(), c.ID)
	must(t, err)
	if r.Turnout != 3 || r.Counts != nil {
		t.Errorf("turnout %d, counts %v; want 3 and none", r.Turnout, r.Counts)
	}
}

func TestLiveCountsMoveInBatches(t *testing.T) {
	tw := newTown(t)
	d := tw.draft(participation.SingleChoice, "A", "B")
	d.Results = participation.Live
	c := tw.publish(d)
	for i, want := range []struct {
		turnout, pending int
		counts           []int
	}{{1, 1, nil}, {2, 2, nil}, {3, 3, nil}, {4, 4, nil}, {5, 5, nil}, {6, 3, []int{3, 0}}, {7, 4, []int{3, 0}}, {8, 5, []int{3, 0}}, {9, 3, []int{6, 0}}} {
		tw.expect(c, ana+strings.Repeat("x", i), "1", "A", participation.Counted)
		tw.now = tw.now.Add(time.Minute)
		must2(tw.CountDue(t.Context()))
		r := must2(tw.Result(t.Context(), c.ID))
		if r.Turnout != want.turnout || r.Pending != want.pending || !slices.Equal(r.Counts, want.counts) {
			t.Errorf("after %d votes: turnout %d, pending %d, counts %v; want %+v", i+1, r.Turnout, r.Pending, r.Counts, want)
		}
	}
}

// Withdrawals move live counts in batches as well, and never leave more votes
// than voters beside each other.
func TestLiveCountsAfterWithdrawals(t *testing.T) {
	tw := newTown(t)
	d := tw.draft(participation.SingleChoice, "A", "B")
	d.Results = participation.Live
	c := tw.publish(d)
	actor := func(i int) string { return ana + strings.Repeat("x", i) }
	for i := range 60 {
		tw.expect(c, actor(i), "1", "A", participation.Counted)
	}
	count := func() participation.Result {
		tw.now = tw.now.Add(time.Minute)
		must2(tw.CountDue(t.Context()))
		return must2(tw.Result(t.Context(), c.ID))
	}
	if r := count(); r.Turnout != 60 || r.Counts[0] != 57 { // three stay behind
		t.Fatalf("turnout %d, counts %v", r.Turnout, r.Counts)
	}
	for gone := range 50 {
		must(t, tw.ForgetActor(t.Context(), actor(gone)))
		if r := count(); r.Counts[0] > r.Turnout {
			t.Errorf("after %d withdrawals: turnout %d, counts %v", gone+1, r.Turnout, r.Counts)
		}
	}
	if r := count(); r.Counts[0] > 20 {
		t.Errorf("after 50 withdrawals of 60: counts %v", r.Counts)
	}
}

func TestEarlyCloseNeedsAReasonAndStays(t *testing.T) {
	tw := newTown(t)
	c := tw.publish(tw.draft(participation.SingleChoice, "A", "B"))
	if _, err := tw.Close(t.Context(), c.ID, "", 0); !errors.Is(err, participation.ErrPhase) {
		t.Fatalf("closed before its time without a reason: %v", err)
	}
	r, err := tw.Close(t.Context(), c.ID, "Het plan is ingetrokken", 0)
	must(t, err)
	c = must2(tw.Consultation(t.Context(), c.ID))
	if !r.Final || c.Phase != participation.Closed || !c.ClosedAt.Equal(tw.now) {
		t.Errorf("final %v, phase %s, closed at %s", r.Final, c.Phase, c.ClosedAt)
	}
	if _, err := tw.Close(t.Context(), c.ID, "nog eens", 0); !errors.Is(err, participation.ErrPhase) {
		t.Errorf("closed twice: %v", err)
	}
	posts := slices.DeleteFunc(must2(tw.Posts(t.Context(), c.ID)), func(p participation.Post) bool { return p.Kind == participation.CheckpointPost })
	if len(posts) != 1 || posts[0].Kind != participation.Closing {
		t.Errorf("posts %v: want the result, once", posts)
	}
}

// A crash between ending the voting and the final count leaves a closed
// consultation without a final result; the next round finishes it.
func TestCloseAfterCrash(t *testing.T) {
	tw := newTown(t)
	c := tw.publish(tw.draft(participation.SingleChoice, "A", "B"))
	tw.expect(c, ana, "1", "A", participation.Counted)
	tw.now = c.Deadline().Add(time.Second)
	must(t, tw.db.Update(t.Context(), func(tx participation.Tx) error {
		c, err := tx.Consultation(c.ID)
		if err != nil {
			return err
		}
		c.Phase, c.ClosedAt = participation.Closed, c.ClosesAt
		return tx.SaveConsultation(&c)
	}))
	due := must2(tw.ToClose(t.Context()))
	if len(due) != 1 {
		t.Fatalf("%d due to close, want the one left over", len(due))
	}
	r := must2(tw.Close(t.Context(), due[0].ID, "", 0))
	if !r.Final || !slices.Equal(r.Counts, []int{1, 0}) {
		t.Errorf("final %v, counts %v", r.Final, r.Counts)
	}
	if due := must2(tw.ToClose(t.Context())); len(due) != 0 {
		t.Errorf("still due: %v", due)
	}
}

func TestRepliesAreTheirAuthors(t *testing.T) {
	tw := newTown(t)
	c := tw.publish(tw.draft(participation.OpenQuestion))
	reply := participation.Reply{ID: ana + "/1", Consultation: c.ID, Parent: "x", Published: tw.now, Language: "nl", Visibility: participation.Public,
		HTML: `<p>Meer <script>alert(1)</script>bomen</p>`, Author: participation.Author{ID: ana, Handle: "ana@m.example"}}
	must(t, tw.AddReply(t.Context(), reply, true))
	must(t, tw.AddReply(t.Context(), reply, true)) // retransmitted
	private := reply
	private.ID = ana + "/2"
	must(t, tw.AddReply(t.Context(), private, false))

	edit := reply
	edit.HTML, edit.Updated, edit.Author.ID = "<p>Van bo</p>", tw.now.Add(2*time.Minute), bo
	must(t, tw.EditReply(t.Context(), edit, true)) // not hers
	edit.HTML, edit.Updated, edit.Author.ID = "<p>Nee</p>", tw.now.Add(time.Minute), ana
	must(t, tw.EditReply(t.Context(), edit, true))
	edit.HTML, edit.Updated = "<p>Ouder</p>", tw.now.Add(time.Second)
	must(t, tw.EditReply(t.Context(), edit, true)) // older than the last

	replies := must2(tw.Replies(t.Context(), participation.ReplyFilter{Consultation: c.ID, All: true}))
	if len(replies) != 1 || !strings.Contains(replies[0].HTML, "Nee") {
		t.Fatalf("replies %+v: want one, edited by its author", replies)
	}
	must(t, tw.HideReply(t.Context(), reply.ID, "scheldt"))
	if shown := must2(tw.Replies(t.Context(), participation.ReplyFilter{Consultation: c.ID})); len(shown) != 0 {
		t.Errorf("hidden, yet shown: %v", shown)
	}
	must(t, tw.ShowReply(t.Context(), reply.ID))
	must(t, tw.Delete(t.Context(), bo, reply.ID)) // not his
	must(t, tw.Delete(t.Context(), ana, reply.ID))
	must(t, tw.AddReply(t.Context(), reply, true)) // a replay of what was deleted
	if all := must2(tw.Replies(t.Context(), participation.ReplyFilter{Consultation: c.ID, All: true})); len(all) != 0 {
		t.Errorf("deleted, yet here: %v", all)
	}
}

func TestPublishRefusesWhatServersMangle(t *testing.T) {
	tw := newTown(t)
	for _, test := range []struct{ option, names string }{
		{"<18 jaar", "GoToSocial"}, {"R&D", "GoToSocial"}, {" Ja", "GoToSocial"}, {"Ja  nee", "GoToSocial"}, {"Cafe\u0301", "NFC"},
		{"", "Mastodon"}, {strings.Repeat("a", 201), "Misskey"}, {"Ja :tada:", "shortcode"}, {"Ja\u200b", "invisible"},
		{"❤\ufe0f", "invisible"}, {"Ja\n", "GoToSocial"}, {"nee", "capitals"},
	} {
		c := tw.draft(participation.SingleChoice, "Nee", test.option)
		err := c.Check(tw.now)
		if !errors.Is(err, participation.ErrInvalid) || !strings.Contains(err.Error(), test.names) {
			t.Errorf("option %q: %v; want a refusal that names %q", test.option, err, test.names)
		}
	}
	c := tw.draft(participation.SingleChoice, "Ja", "Nee")
	must(t, c.Check(tw.now))
	c.Terms, c.Title, c.ClosesAt = participation.Terms{}, "", tw.now
	err := c.Check(tw.now)
	for _, field := range []string{"title", "closes", "level", "promise", "decidedBy", "decidedWhen", "notOpen", "notice", "terms"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s is missing, and the refusal does not say so: %v", field, err)
		}
	}
}

func TestWithoutItsKeyNothingIsCounted(t *testing.T) {
	tw := newTown(t)
	c := tw.publish(tw.draft(participation.SingleChoice, "A", "B"))
	elsewhere, err := store.OpenKeys(filepath.Join(t.TempDir(), "keys"), true)
	must(t, err)
	restored := participation.New(tw.db, elsewhere, testSite(), func() time.Time { return tw.now })
	v := participation.Vote{Consultation: c.ID, Actor: ana, ReceivedAt: tw.now, Marks: []participation.Mark{{Object: "o", Name: "A"}}}
	if _, err := restored.CastVote(t.Context(), v); !errors.Is(err, participation.ErrSealed) {
		t.Errorf("voted without the key: %v", err)
	}
	tw.now = c.Deadline().Add(time.Second)
	if _, err := restored.Close(t.Context(), c.ID, "", 0); !errors.Is(err, participation.ErrSealed) {
		t.Errorf("closed without the key: %v", err)
	}
	if got := must2(tw.Consultation(t.Context(), c.ID)); got.Phase != participation.Open {
		t.Errorf("phase %s: it changed", got.Phase)
	}
}

// The stored form of a ballot tells neither what nor how many were chosen.
func TestStoredBallotsLookAlike(t *testing.T) {
	tw := newTown(t)
	c := tw.publish(tw.draft(participation.MultipleChoice, "A", "B", "C"))
	tw.vote(c, ana, "1", "A")
	tw.vote(c, bo+"_", "1", "A", "B", "C")
	var sizes []int
	must(t, tw.Ballots(t.Context(), c.Number, func(_ participation.Pseudonym, _ bool, sealed []byte) error {
		sizes = append(sizes, len(sealed))
		if strings.Contains(string(sealed), "m.example") {
			t.Error("a stored ballot names its voter's server")
		}
		return nil
	}))
	if len(sizes) != 2 || sizes[0] != sizes[1] {
		t.Errorf("ballots of one and of three choices take %v bytes", sizes)
	}
}

// testSite is where the node of the tests is found.
func testSite() participation.Site {
	return participation.Site{
		Host:   "stad.example",
		Object: func(id string) string { return "https://stad.example/o/" + id },
		Page:   func(slug string) string { return "https://stad.example/consultations/" + slug },
	}
}
