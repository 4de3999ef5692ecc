package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"inspraak/activitypub"
	"inspraak/participation"
)

func passing(id string, inboxes ...string) activitypub.Outgoing {
	o := outgoing(id, "o "+id, inboxes...)
	o.Public, o.Passing = false, true
	return o
}

// What passes is gone when the last of its deliveries is settled, whatever
// became of them, and so is what had none.
func TestPassingActivities(t *testing.T) {
	db, _ := empty(t)
	poll(t, db, "c1")
	const shared = "https://s.example/in"
	if err := db.SaveFollower(t.Context(), follower("ann", "https://s.example", shared), accept("1")); err != nil {
		t.Fatal(err)
	}
	sealed := outgoing("sealed", "x", "https://x")
	sealed.Public, sealed.Sealed, sealed.Key = false, true, "c1"
	if err := db.Enqueue(t.Context(), 0, []activitypub.Outgoing{passing("two", "https://x/in", "https://y/in"), passing("none", "no address"),
		passing("scattered", shared), passing("lost", "https://nobody.example/in"), sealed, outgoing("stays", "s", "https://x/in")}); err != nil {
		t.Fatal(err)
	}
	here := func(want ...string) {
		t.Helper()
		var got []string
		for _, id := range []string{"two", "none", "scattered", "lost", "sealed", "stays"} {
			_, err := db.Activity(t.Context(), id)
			if err == nil {
				got = append(got, id)
			} else if !errors.Is(err, participation.ErrNotFound) {
				t.Fatal(err)
			}
		}
		same(t, "here", got, want)
	}
	here("two", "scattered", "lost", "sealed", "stays")
	for _, d := range must(db.DueDeliveries(t.Context(), "x", noon, 9))(t) {
		if d.Sealed != (d.Activity == "sealed") || d.Sealed && d.Key != "c1" {
			t.Errorf("%s: sealed %v under %q", d.Activity, d.Sealed, d.Key)
		}
	}
	_, ids := due(t, db, noon)
	settle(t, db, activitypub.Settled{ID: ids["two>https://x/in"], Done: true}, activitypub.Settled{ID: ids["stays>https://x/in"], Done: true},
		activitypub.Settled{ID: ids["sealed>https://x"], Attempts: 1, Next: noon},
		activitypub.Settled{ID: ids["scattered>"+shared], Fallback: true}, activitypub.Settled{ID: ids["lost>https://nobody.example/in"], Fallback: true})
	here("two", "scattered", "sealed", "stays")
	_, ids = due(t, db, noon)
	settle(t, db, activitypub.Settled{ID: ids["two>https://y/in"], Done: true}, activitypub.Settled{ID: ids["sealed>https://x"], Done: true},
		activitypub.Settled{ID: ids["scattered>https://s.example/u/ann/in"], Done: true})
	here("stays")
	if problems := must(db.CheckDeliveries(t.Context()))(t); problems != nil {
		t.Errorf("check: %v", problems)
	}
}

func TestHelp(t *testing.T) {
	db, _ := empty(t)
	n := 0
	help := func(who string, at time.Time) bool {
		t.Helper()
		n++
		out := passing(fmt.Sprint("help ", n), "https://x/in")
		out.At = at
		sent := must(db.Help(t.Context(), pseudonym(who), out))(t)
		if _, err := db.Activity(t.Context(), out.ID); (err == nil) != sent {
			t.Errorf("sent %v, and queued: %v", sent, err)
		}
		return sent
	}
	for _, c := range []struct {
		who   string
		after time.Duration
		want  bool
	}{{"ann", 0, true}, {"ann", time.Hour, false}, {"bob", time.Hour, true}, {"ann", 24*time.Hour - time.Millisecond, false},
		{"ann", 24 * time.Hour, true}, {"bob", 24 * time.Hour, false}, {"ann", 25 * time.Hour, false}, {"bob", 25 * time.Hour, true}} {
		if got := help(c.who, noon.Add(c.after)); got != c.want {
			t.Errorf("%s after %s: %v, want %v", c.who, c.after, got, c.want)
		}
	}
}

func TestAccounts(t *testing.T) {
	db, _ := empty(t)
	c := poll(t, db, "c1")
	ann, bob := follower("ann", "https://a.example", ""), follower("bob", "https://a.example", "")
	for _, f := range []activitypub.Follower{ann, bob} {
		peer := activitypub.Peer{Actor: f.Actor, Inbox: f.Inbox, Keys: []activitypub.PeerKey{{ID: f.Actor + "#main", PEM: "pem"}}}
		quote := activitypub.Quote{ID: f.Actor, Actor: f.Actor}
		if err := errors.Join(db.SaveFollower(t.Context(), f, accept(f.Actor)), db.SavePeer(t.Context(), peer), db.SaveQuote(t.Context(), quote, accept("q"+f.Actor))); err != nil {
			t.Fatal(err)
		}
	}
	post := participation.Post{ID: "p", Consultation: "c1", Channel: "gemeente", Kind: participation.Answer, Mention: participation.Author{ID: ann.Actor}, Published: noon}
	update(t, db, func(tx participation.Tx) error {
		return errors.Join(tx.SetGesture(c.Number, participation.Like, ann.Actor, "", "1"), tx.SavePost(post),
			tx.SavePost(participation.Post{ID: "q", Consultation: "c1", Channel: "gemeente", Kind: participation.Notice}))
	})
	same(t, "gestures", must(db.GesturesOf(t.Context(), ann.Actor))(t), []participation.GivenGesture{{Consultation: "c1", Gesture: participation.Like}})
	same(t, "posts", must(db.PostsTo(t.Context(), ann.Actor))(t), []participation.Post{post})
	if posts := must(db.PostsTo(t.Context(), ""))(t); posts != nil {
		t.Errorf("posts to nobody: %v", posts)
	}
	held := func(f activitypub.Follower) string {
		_, err := db.Peer(t.Context(), f.Actor)
		_, byKey := db.PeerByKey(t.Context(), f.Actor+"#main")
		return fmt.Sprint(len(must(db.FollowsOf(t.Context(), f.Actor))(t)), must(db.QuotesOf(t.Context(), f.Actor))(t), err == nil, byKey == nil)
	}
	same(t, "follow", must(db.FollowsOf(t.Context(), ann.Actor))(t), []activitypub.Follower{ann})
	for range 2 {
		if err := db.ForgetAccount(t.Context(), ann.Actor); err != nil {
			t.Fatal(err)
		}
	}
	same(t, "of who was forgotten", held(ann), "0 0 false false")
	same(t, "of the other", held(bob), "1 1 true true")
}
