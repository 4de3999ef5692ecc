package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"inspraak/participation"
)

// talk fills a consultation with conversations: replies say which earlier one
// they stand under, by place, or -1.
func talk(t *testing.T, tx participation.Tx, consultation string, under ...int) {
	t.Helper()
	for i, parent := range under {
		r := participation.Reply{ID: fmt.Sprintf("https://r.example/%s/%d", consultation, i), Consultation: consultation, Parent: "p",
			Visibility: participation.Public, Standing: participation.Shown, Published: noon, Received: noon}
		if parent >= 0 {
			above, err := tx.Reply(fmt.Sprintf("https://r.example/%s/%d", consultation, parent))
			if err != nil {
				t.Fatal(err)
			}
			r.Thread, r.Parent = above.Thread, above.ID
		}
		if err := tx.SaveReply(r); err != nil {
			t.Fatal(err)
		}
	}
}

func TestConversations(t *testing.T) {
	db, _ := empty(t)
	c, other := poll(t, db, "c1"), poll(t, db, "c2")
	update(t, db, func(tx participation.Tx) error {
		talk(t, tx, "c2", -1)
		talk(t, tx, "c1", -1, -1, 0, 2, -1, 3) // numbers 2 to 7; conversations of 4, 1 and 1
		return nil
	})
	read := func(conversations ...int64) (got [][]int64) {
		t.Helper()
		for _, conversation := range must(db.Conversations(t.Context(), c.Number, conversations, 2))(t) {
			line := []int64{conversation.Number, int64(conversation.Total)}
			for _, r := range conversation.Replies {
				line = append(line, r.Number)
			}
			got = append(got, line)
		}
		return got
	}
	first, second, third := []int64{1, 4, 2, 4}, []int64{2, 1, 3}, []int64{3, 1, 6}
	same(t, "all", read(3, 1, 2), [][]int64{third, first, second})
	same(t, "some that are none", read(4, 2, 0), [][]int64{second})
	same(t, "none", read(), [][]int64(nil))
	if n := must(db.LastConversation(t.Context(), c.Number))(t); n != 3 {
		t.Errorf("the last conversation is %d, want 3", n)
	}
	if n := must(db.LastConversation(t.Context(), 99))(t); n != 0 {
		t.Errorf("the last conversation of none is %d", n)
	}

	conversation, from, err := db.Conversation(t.Context(), c.Number, 7, 3, -1)
	if err != nil || from != 3 || conversation.Number != 1 || conversation.Total != 4 || len(conversation.Replies) != 1 || conversation.Replies[0].Number != 7 {
		t.Errorf("the page with the last reply: %d, %+v, %v", from, conversation, err)
	}
	if conversation, from, err = db.Conversation(t.Context(), c.Number, 5, 3, -1); err != nil || from != 0 || len(conversation.Replies) != 3 || conversation.Replies[2].Number != 5 {
		t.Errorf("the page that ends with a reply: %d, %+v, %v", from, conversation, err)
	}
	for _, c := range []struct{ consultation, reply int64 }{{c.Number, 99}, {c.Number, 1}, {other.Number, 2}} {
		if _, _, err := db.Conversation(t.Context(), c.consultation, c.reply, 3, -1); !errors.Is(err, participation.ErrNotFound) {
			t.Errorf("%v: %v", c, err)
		}
	}

	// What began a conversation may go; the rest stays together.
	update(t, db, func(tx participation.Tx) error { return tx.DeleteReply("https://r.example/c1/0") })
	same(t, "without its first", read(1), [][]int64{{1, 3, 4, 5}})
}

func TestModerationIsCounted(t *testing.T) {
	db, _ := empty(t)
	c := poll(t, db, "c1")
	update(t, db, func(tx participation.Tx) error {
		talk(t, tx, "c1", -1, -1, -1)
		for i, reason := range []string{"reclame", "reclame", "schelden"} {
			r, err := tx.Reply(fmt.Sprintf("https://r.example/c1/%d", i))
			if err != nil {
				return err
			}
			r.Standing, r.Reason = participation.Hidden, reason
			if err := errors.Join(tx.SaveReply(r), event(tx, noon.AddDate(0, i, 0), participation.ReplyHidden, reason)); err != nil {
				return err
			}
		}
		return errors.Join(event(tx, noon, participation.ReplyShown, "x"), event(tx, noon, participation.ReportReceived, ""),
			event(tx, noon, participation.ReportResolved, "done"), event(tx, noon, participation.ReplyAdded, ""))
	})
	same(t, "hidden", must(db.HiddenReplies(t.Context(), c.Number))(t), map[string]int{"reclame": 2, "schelden": 1})
	month := func(after int) string { return noon.AddDate(0, after, 0).Format("2006-01") }
	same(t, "moderation", must(db.Moderation(t.Context()))(t), []participation.Moderated{
		{Month: month(2), Type: participation.ReplyHidden, Reason: "schelden", N: 1},
		{Month: month(1), Type: participation.ReplyHidden, Reason: "reclame", N: 1},
		{Month: month(0), Type: participation.ReplyHidden, Reason: "reclame", N: 1},
		{Month: month(0), Type: participation.ReplyShown, N: 1},
		{Month: month(0), Type: participation.ReportReceived, N: 1},
		{Month: month(0), Type: participation.ReportResolved, N: 1},
	})
}

func event(tx participation.Tx, at time.Time, kind participation.EventType, reason string) error {
	return tx.Record(&participation.Event{At: at, Type: kind, Reason: reason})
}
