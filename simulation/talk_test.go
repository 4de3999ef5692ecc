package simulation

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// clock is a clock that tests move.
type clock struct{ seconds atomic.Int64 }

func (c *clock) now() time.Time      { return noon().Add(time.Duration(c.seconds.Load()) * time.Second) }
func (c *clock) add(d time.Duration) { c.seconds.Add(int64(d / time.Second)) }

func TestTwoServersTalk(t *testing.T) {
	for _, kind := range Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			ctx, n, time := t.Context(), NewNetwork(), &clock{}
			one := n.NewServer(Config{Kind: kind, Base: "https://one.example", Now: time.now, Keys: keys()})
			two := n.NewServer(Config{Kind: Mastodon, Base: "https://two.example", Now: time.now, Keys: keys()})
			ana, bo := one.Account("ana"), two.Account("bo")
			must := func(what string) func(string, error) string {
				return func(id string, err error) string {
					t.Helper()
					if err != nil || id == "" {
						t.Fatalf("%s: %q, %v", what, id, err)
					}
					return id
				}
			}
			id := must("search")(ana.SearchHandle(ctx, "@bo@two.example"))
			must("follow")(ana.Follow(ctx, id))
			if !one.Following("ana", id) {
				t.Fatal("not following")
			}
			post := must("post")(bo.Post(ctx, "<p>Good morning</p>", Public))
			if _, ok := one.Note(post); !ok {
				t.Fatalf("the post did not arrive: %+v", one.Received())
			}
			reply := must("reply")(ana.Reply(ctx, post, "<p>Morning!</p>", Unlisted))
			if got, ok := two.Note(reply); !ok || got.InReplyTo != post || got.Author != ana.ID() {
				t.Fatalf("reply: %+v, %v", got, ok)
			}
			again := must("answer")(bo.Reply(ctx, reply, "<p>Coffee?</p>", Public))
			if _, ok := one.Note(again); !ok {
				t.Fatal("the answer did not arrive")
			}
			time.add(5e9)
			if kind == Misskey {
				if _, err := ana.Edit(ctx, reply, "<p>x</p>"); !errors.Is(err, ErrUnsupported) {
					t.Errorf("edit on Misskey: %v", err)
				}
			} else {
				must("edit")(ana.Edit(ctx, reply, "<p>Good morning!</p>"))
				if got, _ := two.Note(reply); !got.Edited {
					t.Error("the edit did not arrive")
				}
			}
			if kind != Tootik {
				must("like")(ana.Like(ctx, post))
				must("unlike")(ana.Unlike(ctx, post))
			}
			must("boost")(ana.Boost(ctx, post))
			must("unboost")(ana.Unboost(ctx, post))
			must("flag")(ana.Flag(ctx, []string{bo.ID(), post}, "test"))
			must("delete")(ana.Delete(ctx, reply))
			if _, ok := two.Note(reply); ok {
				t.Error("the delete did not arrive")
			}
			secret := must("message")(ana.Post(ctx, "<p>psst</p>", Direct, bo.ID()))
			if got, _ := two.Note(secret); got.Public() {
				t.Error("a private message is public")
			}
			must("unfollow")(ana.Unfollow(ctx, id))
			must("delete account")(ana.DeleteAccount(ctx))
			types := map[string]int{}
			for _, r := range two.Received() {
				types[r.Type]++
				if r.Status != 202 {
					t.Errorf("%s answered %d: %s", r.Type, r.Status, r.Effect)
				}
			}
			if types["Undo"] < 2 || types["Flag"] != 1 || types["Announce"] != 1 {
				t.Errorf("received %v", types)
			}
			var seen []string
			for _, note := range two.Notifications("bo") {
				seen = append(seen, note.Type)
			}
			if len(seen) < 4 { // follow, mention, (favourite), reblog, mention
				t.Errorf("notifications: %v", seen)
			}
			for _, p := range append(one.Problems(), two.Problems()...) {
				t.Error(p)
			}
		})
	}
}

func TestStrangersPostsAreDropped(t *testing.T) {
	n := NewNetwork()
	one := n.NewServer(Config{Kind: Mastodon, Base: "https://one.example", Now: noon, Keys: keys()})
	two := n.NewServer(Config{Kind: Mastodon, Base: "https://two.example", Now: noon, Keys: keys()})
	ana := one.Account("ana")
	body := ana.ReplyActivity("https://three.example/x", "https://three.example/a", "Hello", Public)
	if err := ana.Send(t.Context(), two.Account("bo").Inbox(), body); err != nil {
		t.Fatal(err)
	}
	if r := two.Received(); len(two.Notes()) != 0 || r[0].Status != 202 {
		t.Errorf("%d notes, answered %d", len(two.Notes()), r[0].Status)
	}
}

func TestFaultsAndRetries(t *testing.T) {
	n := NewNetwork()
	for kind, want := range map[Kind]int{Mastodon: 3, GoToSocial: 3} {
		one := n.NewServer(Config{Kind: kind, Base: "https://one.example", Now: noon, Keys: keys(), Retry: []time.Duration{time.Millisecond, time.Millisecond}})
		two := n.NewServer(Config{Kind: Mastodon, Base: "https://two.example", Now: noon, Keys: keys()})
		ana, bo := one.Account("ana"), two.Account("bo")
		two.SetFault(Fault{InboxStatus: http.StatusServiceUnavailable})
		_, err := ana.Follow(t.Context(), bo.ID())
		var answer *StatusError
		if !errors.As(err, &answer) || answer.Status != 503 {
			t.Errorf("%s: %v", kind, err)
		}
		if got := len(two.Received()); got != want {
			t.Errorf("%s: %d attempts on 503, want %d", kind, got, want)
		}
		two.Forget()
		two.SetFault(Fault{InboxStatus: http.StatusBadRequest})
		_, _ = ana.Follow(t.Context(), bo.ID())
		if got := len(two.Received()); got != 1 {
			t.Errorf("%s: %d attempts on 400, want 1", kind, got)
		}
	}
}

func TestEditsNeverOvertake(t *testing.T) {
	n, now := NewNetwork(), &clock{}
	one := n.NewServer(Config{Kind: Mastodon, Base: "https://one.example", Now: now.now, Keys: keys(), Retry: []time.Duration{50 * time.Millisecond}})
	two := n.NewServer(Config{Kind: Mastodon, Base: "https://two.example", Now: now.now, Keys: keys()})
	ana, bo := one.Account("ana"), two.Account("bo")
	if _, err := ana.SearchHandle(t.Context(), bo.Handle()); err != nil {
		t.Fatal(err)
	}
	two.SetFault(Fault{InboxStatus: http.StatusServiceUnavailable})
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = ana.Post(t.Context(), "<p>first</p>", Direct, bo.ID()) })
	for len(two.Received()) == 0 {
		time.Sleep(time.Millisecond)
	}
	two.SetFault(Fault{})
	now.add(2 * time.Second)
	if _, err := ana.Edit(t.Context(), one.Notes()[0].ID, "<p>second</p>"); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	r := two.Received()
	if len(r) != 3 || r[1].Type != "Create" || r[2].Type != "Update" {
		t.Errorf("%d deliveries, out of order: %s", len(r), r[len(r)-1].Type)
	}
}

func TestMoveAndQuote(t *testing.T) {
	n := NewNetwork()
	one := n.NewServer(Config{Kind: Mastodon, Base: "https://one.example", Now: noon, Keys: keys(), NumericIDs: true})
	two := n.NewServer(Config{Kind: Mastodon, Base: "https://two.example", Now: noon, Keys: keys()})
	ana, bo := one.Account("ana"), two.Account("bo")
	if _, err := ana.MoveTo(t.Context(), one.Account("ana2"), bo.Inbox()); err != nil {
		t.Fatal(err)
	}
	post, err := bo.Post(t.Context(), "<p>Hi</p>", Public)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ana.RequestQuote(t.Context(), post, "<p>Look</p>"); err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, r := range two.Received() {
		types = append(types, r.Type)
	}
	if len(types) != 2 || types[0] != "Move" || types[1] != "QuoteRequest" {
		t.Errorf("received %v", types)
	}
	if one.QuoteApproved("x") {
		t.Error("approved from nothing")
	}
}

func TestOnlyTheActorSpeaksForItself(t *testing.T) {
	n := NewNetwork()
	for _, kind := range Kinds() {
		one := n.NewServer(Config{Kind: Mastodon, Base: "https://one.example", Now: noon, Keys: keys()})
		two := n.NewServer(Config{Kind: kind, Base: "https://two.example", Now: noon, Keys: keys()})
		ana, eve, bo := one.Account("ana"), one.Account("eve"), two.Account("bo")
		body := ana.ReplyActivity("https://two.example/x", bo.ID(), "Hello", Public)
		req, err := eve.Request(t.Context(), http.MethodPost, bo.Inbox(), body, SignOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := one.Do(req); err == nil || len(two.Notes()) != 0 {
			t.Errorf("%s took ana's post from eve (%v)", kind, err)
		}
	}
}

func TestKeyFaults(t *testing.T) {
	n := NewNetwork()
	one := n.NewServer(Config{Kind: Mastodon, Base: "https://one.example", Now: noon, Keys: keys()})
	two := n.NewServer(Config{Kind: Mastodon, Base: "https://two.example", Now: noon, Keys: keys()})
	ana, bo := one.Account("ana"), two.Account("bo")
	one.SetFault(Fault{KeyStatus: http.StatusServiceUnavailable, RetryAfter: time.Second})
	if _, err := ana.Follow(t.Context(), bo.ID()); err == nil {
		t.Error("a follow was accepted without its key")
	}
	one.SetFault(Fault{Hang: true})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := ana.Follow(ctx, bo.ID()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("hanging key: %v", err)
	}
	one.SetFault(Fault{KeyDelay: 30 * time.Millisecond})
	if _, err := ana.Follow(t.Context(), bo.ID()); err != nil || !one.Following("ana", bo.ID()) {
		t.Errorf("slow key: %v", err)
	}
}
