package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"inspraak/activitypub"
	"inspraak/participation"
	"inspraak/store"
)

func TestPeers(t *testing.T) {
	db, _ := empty(t)
	p := activitypub.Peer{Actor: "https://A.example/u/ann", Type: "Person", Inbox: "https://a.example/u/ann/in",
		SharedInbox: "https://a.example/in", Username: "ann", Name: "Ann :heart:", URL: "https://a.example/@ann",
		MovedTo: "https://b.example/ann", AlsoKnownAs: []string{"https://b.example/ann"}, Published: noon, Crowd: true, FetchedAt: noon,
		Keys: []activitypub.PeerKey{{ID: "https://a.example/u/ann#ed", Multibase: "z6"}, {ID: "https://a.example/u/ann#main", PEM: "pem"}}}
	if _, err := db.Peer(t.Context(), p.Actor); !errors.Is(err, participation.ErrNotFound) {
		t.Errorf("unknown peer: %v", err)
	}
	for range 2 {
		if err := db.SavePeer(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		p.Crowd = true
		same(t, "peer", must(db.Peer(t.Context(), p.Actor))(t), p)
		same(t, "peer by key", must(db.PeerByKey(t.Context(), "https://a.example/u/ann#main"))(t), p)
		p.Keys, p.Name, p.Crowd = p.Keys[1:], "Ann", false // but she was first seen in a crowd
	}
	if _, err := db.PeerByKey(t.Context(), "https://a.example/u/ann#ed"); !errors.Is(err, participation.ErrNotFound) {
		t.Errorf("a key that the peer no longer lists: %v", err)
	}
	thief := activitypub.Peer{Actor: "https://thief.example/u", FetchedAt: noon.Add(time.Hour),
		Keys: []activitypub.PeerKey{{ID: "https://v.example/u#main", PEM: "thief's"}}}
	victim := activitypub.Peer{Actor: "https://v.example/u", FetchedAt: noon,
		Keys: []activitypub.PeerKey{{ID: "https://v.example/u#main", PEM: "victim's"}}}
	for _, p := range []activitypub.Peer{victim, thief} {
		if err := db.SavePeer(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	if got := must(db.PeerByKey(t.Context(), "https://v.example/u#main"))(t); got.Actor != victim.Actor {
		t.Errorf("the key is said to be that of %s", got.Actor)
	}
	bad := victim
	bad.Keys = []activitypub.PeerKey{{ID: "k", PEM: "p", Multibase: "m"}}
	if err := db.SavePeer(t.Context(), bad); err == nil {
		t.Error("a key in two forms was kept")
	}
	same(t, "a failed save changes nothing", must(db.Peer(t.Context(), victim.Actor))(t), victim)
}

func TestHosts(t *testing.T) {
	db, _ := empty(t)
	poll(t, db, "c1")
	if must(db.HostForm(t.Context(), "a.example"))(t) {
		t.Error("a form of a host never heard of")
	}
	if err := errors.Join(db.SaveHostForm(t.Context(), "A.example", true), db.SaveHostForm(t.Context(), "b.example", true),
		db.SaveHostForm(t.Context(), "b.example", false)); err != nil {
		t.Fatal(err)
	}
	if !must(db.HostForm(t.Context(), "a.example"))(t) || must(db.HostForm(t.Context(), "b.example"))(t) {
		t.Error("forms of hosts are mixed up")
	}
	if err := errors.Join(db.SavePeer(t.Context(), activitypub.Peer{Actor: "https://peer.example/u"}),
		db.SavePeer(t.Context(), activitypub.Peer{Actor: "https://gone.example/u", Gone: true}),
		db.SaveFollower(t.Context(), follower("ann", "https://f.example:8443", ""), accept("1"))); err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]bool{"peer.example": true, "gone.example": false, "f.example:8443": true, "f.example": false} {
		if got := must(db.KnownHost(t.Context(), host))(t); got != want {
			t.Errorf("%s known: %v, want %v", host, got, want)
		}
	}
}

func follower(name, server, shared string) activitypub.Follower {
	return activitypub.Follower{Channel: "gemeente", Actor: server + "/u/" + name, FollowID: server + "/follow/" + name,
		Inbox: server + "/u/" + name + "/in", Shared: shared, Since: noon}
}

func accept(id string) activitypub.Outgoing {
	return activitypub.Outgoing{ID: "accept " + id, Channel: "gemeente", Object: "follow " + id, Body: []byte("{}"), At: noon}
}

func TestFollowers(t *testing.T) {
	db, _ := empty(t)
	poll(t, db, "c1")
	ann, bob := follower("ann", "https://a.example", "https://a.example/in"), follower("bob", "https://a.example", "")
	for i, f := range []activitypub.Follower{ann, bob, bob} {
		if err := db.SaveFollower(t.Context(), f, accept(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.SaveFollower(t.Context(), activitypub.Follower{Channel: "nobody", Actor: ann.Actor}, accept("no")); err == nil {
		t.Error("a follower of no channel was kept")
	}
	if _, err := db.Activity(t.Context(), "accept no"); !errors.Is(err, participation.ErrNotFound) {
		t.Errorf("its Accept was queued all the same: %v", err)
	}
	same(t, "recipients", must(db.FollowerInboxes(t.Context(), "gemeente"))(t), []activitypub.Recipient{
		{Actor: ann.Actor, Inbox: ann.Inbox, Shared: ann.Shared}, {Actor: bob.Actor, Inbox: bob.Inbox}})
	count := func(want int) {
		t.Helper()
		if n := must(db.Followers(t.Context(), "gemeente"))(t); n != want {
			t.Errorf("%d followers, want %d", n, want)
		}
	}
	count(2)
	for _, undo := range [][2]string{{bob.Actor, ann.FollowID}, {ann.Actor, "other"}} {
		if err := db.Undo(t.Context(), undo[0], undo[1]); err != nil {
			t.Error(err)
		}
	}
	count(2)
	if err := db.Undo(t.Context(), ann.Actor, ann.FollowID); err != nil {
		t.Error(err)
	}
	count(1)
	if err := db.RemoveFollowersByInbox(t.Context(), bob.Inbox); err != nil {
		t.Error(err)
	}
	count(0)
	for _, channel := range []string{"gemeente", ""} {
		if err := db.SaveFollower(t.Context(), bob, accept(channel)); err != nil {
			t.Error(err)
		}
		count(1)
		if err := errors.Join(db.RemoveFollower(t.Context(), channel, bob.Actor), db.RemoveFollower(t.Context(), channel, bob.Actor)); err != nil {
			t.Error(err)
		}
		count(0)
	}
}

func TestAttention(t *testing.T) {
	db, _ := empty(t)
	c := poll(t, db, "c1")
	peer := func(name string) activitypub.Peer {
		return activitypub.Peer{Actor: "https://a.example/" + name, Inbox: "https://a.example/" + name + "/in", SharedInbox: "https://a.example/in"}
	}
	gone := peer("gone")
	gone.Gone = true
	for _, p := range []activitypub.Peer{peer("ann"), gone} {
		if err := db.SavePeer(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	update(t, db, func(tx participation.Tx) error {
		for i, author := range []string{"ann", "ann", "gone", "unknown"} {
			if err := tx.SaveReply(participation.Reply{ID: fmt.Sprint(i), Consultation: "c1", Author: participation.Author{ID: "https://a.example/" + author},
				Visibility: participation.Public, Standing: participation.Shown, Received: noon}); err != nil {
				return err
			}
		}
		return errors.Join(tx.SetGesture(c.Number, participation.Boost, "https://a.example/ann", "https://a.example/old", "b1"),
			tx.SetGesture(c.Number, participation.Boost, "https://b.example/bob", "https://b.example/in", "b2"),
			tx.SetGesture(c.Number, participation.Like, "https://b.example/eve", "https://b.example/in", "l1"))
	})
	same(t, "attention", must(db.Attention(t.Context(), "c1"))(t), []activitypub.Recipient{
		{Actor: "https://a.example/ann", Inbox: "https://a.example/ann/in", Shared: "https://a.example/in"},
		{Actor: "https://b.example/bob", Inbox: "https://b.example/in"}})
}

func outgoing(id, object string, inboxes ...string) activitypub.Outgoing {
	return activitypub.Outgoing{ID: id, Channel: "gemeente", Object: object, Public: true, Body: []byte(id), At: noon, Inboxes: inboxes}
}

func TestOutbox(t *testing.T) {
	db, _ := empty(t)
	if err := db.Enqueue(t.Context(), 7, []activitypub.Outgoing{outgoing("a", "o", "https://x/in"), outgoing("b", "o"), accept("1")}); err != nil {
		t.Fatal(err)
	}
	changed := outgoing("a", "o", "https://y/in")
	changed.Body = []byte("changed")
	if err := db.Enqueue(t.Context(), 5, []activitypub.Outgoing{changed, outgoing("c", "o", "no address", "https://x/in")}); err != nil {
		t.Fatal(err)
	}
	if n := must(db.Cursor(t.Context()))(t); n != 7 {
		t.Errorf("the cursor is at %d", n)
	}
	if got := string(must(db.Activity(t.Context(), "a"))(t)); got != "a" {
		t.Errorf("activity a is %s", got)
	}
	bodies, total, err := db.Activities(t.Context(), "gemeente", 2, 0)
	same(t, "outbox", fmt.Sprintf("%s %d %v", bodies, total, err), "[c b] 3 <nil>")
	bodies, total, err = db.Activities(t.Context(), "gemeente", 2, 2)
	same(t, "outbox, second page", fmt.Sprintf("%s %d %v", bodies, total, err), "[a] 3 <nil>")
	n, next, err := db.PendingDeliveries(t.Context())
	same(t, "pending", fmt.Sprint(n, next.Equal(noon), err), "2 true <nil>")
}

// due lists what may be delivered to the hosts that are due.
func due(t *testing.T, db *store.DB, now time.Time) (all []string, ids map[string]int64) {
	t.Helper()
	ids = map[string]int64{}
	for _, host := range must(db.DueHosts(t.Context(), now, 100))(t) {
		deliveries := must(db.DueDeliveries(t.Context(), host, now, 100))(t)
		if len(deliveries) == 0 {
			t.Errorf("host %s is due with nothing", host)
		}
		for _, d := range deliveries {
			if d.Host != host || d.Activity != string(d.Body) || d.Channel != "gemeente" || !d.Queued.Equal(noon) {
				t.Errorf("delivery %+v", d)
			}
			name := d.Activity + ">" + d.Inbox
			all, ids[name] = append(all, name), d.ID
		}
	}
	if problems := must(db.Check(t.Context()))(t); problems != nil {
		t.Errorf("check: %v", problems)
	}
	return all, ids
}

func settle(t *testing.T, db *store.DB, s ...activitypub.Settled) {
	t.Helper()
	if err := db.SettleDeliveries(t.Context(), s); err != nil {
		t.Fatal(err)
	}
}

func TestDeliveriesKeepTheirOrder(t *testing.T) {
	db, _ := empty(t)
	if err := db.Enqueue(t.Context(), 1, []activitypub.Outgoing{
		outgoing("1", "o", "https://x/in", "https://y/in"), outgoing("2", "o", "https://x/in", "https://y/in"),
		outgoing("3", "p", "https://x/in"), outgoing("4", "o", "https://x/in", "https://X/other")}); err != nil {
		t.Fatal(err)
	}
	if all, _ := due(t, db, noon.Add(-1)); all != nil {
		t.Errorf("due too early: %v", all)
	}
	all, ids := due(t, db, noon)
	same(t, "at first", all, []string{"1>https://x/in", "3>https://x/in", "4>https://X/other", "1>https://y/in"})

	// x fails once about o; p and y go on.
	settle(t, db, activitypub.Settled{ID: ids["1>https://x/in"], Attempts: 1, Next: noon.Add(time.Minute)},
		activitypub.Settled{ID: ids["3>https://x/in"], Done: true}, activitypub.Settled{ID: ids["4>https://X/other"], Done: true},
		activitypub.Settled{ID: ids["1>https://y/in"], Done: true}, activitypub.Settled{ID: 999, Done: true})
	all, ids = due(t, db, noon)
	same(t, "while x waits", all, []string{"2>https://y/in"})
	settle(t, db, activitypub.Settled{ID: ids["2>https://y/in"], Done: true})
	if all, _ := due(t, db, noon); all != nil {
		t.Errorf("overtaken: %v", all)
	}
	n, next, err := db.PendingDeliveries(t.Context())
	same(t, "pending", fmt.Sprint(n, next.Equal(noon.Add(time.Minute)), err), "3 true <nil>")
	later := noon.Add(time.Minute)
	for _, id := range []string{"1", "2", "4"} {
		all, ids = due(t, db, later)
		same(t, "in turn", all, []string{id + ">https://x/in"})
		if id == "1" && must(db.DueDeliveries(t.Context(), "x", later, 1))(t)[0].Attempts != 1 {
			t.Error("the attempt was not counted")
		}
		settle(t, db, activitypub.Settled{ID: ids[id+">https://x/in"], Done: true})
	}
	n, next, err = db.PendingDeliveries(t.Context())
	same(t, "pending", fmt.Sprint(n, next.IsZero(), err), "0 true <nil>")
}

func TestFallbackToPersonalInboxes(t *testing.T) {
	db, _ := empty(t)
	poll(t, db, "c1")
	const shared = "https://a.example/in"
	for _, f := range []activitypub.Follower{follower("ann", "https://a.example", shared), follower("bob", "https://a.example", shared),
		follower("eve", "https://e.example", "")} {
		if err := db.SaveFollower(t.Context(), f, accept(f.Actor)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.SavePeer(t.Context(), activitypub.Peer{Actor: "https://a.example/u/ann", SharedInbox: shared}); err != nil {
		t.Fatal(err)
	}
	if err := db.Enqueue(t.Context(), 1, []activitypub.Outgoing{outgoing("1", "o", shared), outgoing("2", "o", shared), outgoing("3", "p", shared)}); err != nil {
		t.Fatal(err)
	}
	_, ids := due(t, db, noon)
	// Both deliveries that were under way come back with 410.
	settle(t, db, activitypub.Settled{ID: ids["1>"+shared], Fallback: true}, activitypub.Settled{ID: ids["3>"+shared], Fallback: true})
	all, ids := due(t, db, noon)
	same(t, "after the fallback", all, []string{"1>https://a.example/u/ann/in", "1>https://a.example/u/bob/in",
		"3>https://a.example/u/ann/in", "3>https://a.example/u/bob/in"})
	settle(t, db, activitypub.Settled{ID: ids["1>https://a.example/u/ann/in"], Done: true})
	all, _ = due(t, db, noon)
	same(t, "the second follows the first", all, []string{"1>https://a.example/u/bob/in", "2>https://a.example/u/ann/in",
		"3>https://a.example/u/ann/in", "3>https://a.example/u/bob/in"})
	for _, r := range must(db.FollowerInboxes(t.Context(), "gemeente"))(t) {
		if r.Shared != "" {
			t.Errorf("the shared inbox of %s was not forgotten", r.Actor)
		}
	}
	if p := must(db.Peer(t.Context(), "https://a.example/u/ann"))(t); p.SharedInbox != "" {
		t.Error("the peer's shared inbox was not forgotten")
	}
	// An activity addressed before the fallback and queued after it gets through too.
	if err := db.Enqueue(t.Context(), 0, []activitypub.Outgoing{outgoing("4", "q", shared)}); err != nil {
		t.Fatal(err)
	}
	_, ids = due(t, db, noon)
	settle(t, db, activitypub.Settled{ID: ids["4>"+shared], Fallback: true})
	_, ids = due(t, db, noon)
	if ids["4>https://a.example/u/ann/in"] == 0 || ids["4>https://a.example/u/bob/in"] == 0 || ids["4>"+shared] != 0 {
		t.Errorf("deliveries after a late fallback: %v", ids)
	}
}

func TestWaitingRoom(t *testing.T) {
	db, _ := empty(t)
	wait := func(n int, known bool) activitypub.Waiting {
		return activitypub.Waiting{Digest: pseudonym(n), Consultation: "c1", Host: "h.example", Known: known, Sealed: sealed(n),
			ReceivedAt: noon, Next: noon.Add(time.Duration(n) * time.Second)}
	}
	add := func(w activitypub.Waiting) bool { t.Helper(); return must(db.AddWaiting(t.Context(), w))(t) }
	own := wait(1, true)
	own.Consultation, own.Next = "", noon
	for _, w := range []activitypub.Waiting{wait(2, true), wait(2, true), own} {
		if !add(w) {
			t.Error("an empty room refused")
		}
	}
	count := func(consultation string) int { return must(db.CountWaiting(t.Context(), consultation))(t) }
	same(t, "waiting", []int{count(""), count("c1"), count("c2")}, []int{2, 1, 0})
	if got := must(db.DueWaiting(t.Context(), "", noon.Add(time.Second), 9))(t); len(got) != 1 || got[0].Consultation != "" {
		t.Errorf("due: %v", got)
	}
	got := must(db.DueWaiting(t.Context(), "c1", noon.Add(2*time.Second), 9))(t)
	want := wait(2, true)
	want.ID = got[0].ID
	same(t, "due of c1", got, []activitypub.Waiting{want})
	if err := db.PostponeWaiting(t.Context(), want.ID, 3, noon.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := must(db.DueWaiting(t.Context(), "c1", noon.Add(time.Minute), 9))(t); got != nil {
		t.Errorf("postponed, yet due: %v", got)
	}
	if got := must(db.DueWaiting(t.Context(), "c1", noon.Add(time.Hour), 9))(t); got[0].Attempts != 3 {
		t.Errorf("attempts: %v", got[0].Attempts)
	}
}

func TestQuotes(t *testing.T) {
	db, _ := empty(t)
	q := activitypub.Quote{ID: "q1", Object: "o", Instrument: "i", Actor: "a", Request: "r"}
	if err := db.SaveQuote(t.Context(), q, accept("q")); err != nil {
		t.Fatal(err)
	}
	same(t, "quote", must(db.Quote(t.Context(), "q1"))(t), q)
	if _, err := db.Quote(t.Context(), "q2"); !errors.Is(err, participation.ErrNotFound) {
		t.Errorf("unknown quote: %v", err)
	}
	if _, err := db.Activity(t.Context(), "accept q"); err != nil {
		t.Errorf("its Accept: %v", err)
	}
}
