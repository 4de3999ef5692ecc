package activitypub_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"inspraak/activitypub"
	"inspraak/activitypub/as2"
	"inspraak/participation"
)

// sent compares what arrived at other servers, as a set.
func (c *city) sent(t *testing.T, what string, want ...string) {
	t.Helper()
	c.settle(t)
	got := slices.DeleteFunc(c.net.arrived(), func(s string) bool { return strings.HasPrefix(s, " ") }) // test Accepts
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestWhoHearsOfWhat(t *testing.T) {
	c := newCity(t)
	c.follow(t, "https://m.example/users/ana", "https://m.example/users/ana/inbox", "https://m.example/inbox")
	c.follow(t, "https://m.example/users/bo", "https://m.example/users/bo/inbox", "https://m.example/inbox")
	c.follow(t, "https://g.example/users/cy", "https://g.example/users/cy/inbox", "")
	c.follow(t, "https://bad.example/users/x", "https://bad.example/users/x/inbox", "https://bad.example/inbox")
	must(t, c.Service.Block(t.Context(), "bad.example", "spam"))

	one := c.open(t, harbour())
	create := "Create /o/" + one.ID + "/create → "
	c.sent(t, "opening", create+"m.example/inbox", create+"g.example/users/cy/inbox")

	c.count(t)
	c.sent(t, "nothing happened")

	// A voter, a replier and a booster, none of whom follows.
	c.vote(t, one.ID, "https://v.example/users/v", "https://v.example/inbox", "Trees")
	must(t, c.db.SavePeer(t.Context(), activitypub.Peer{Actor: "https://r.example/users/r", Type: "Person", Inbox: "https://r.example/users/r/inbox"}))
	r := reply(one.ID, "https://r.example/1", 0)
	r.Author = participation.Author{ID: "https://r.example/users/r", Handle: "r@r.example"}
	must(t, c.Service.AddReply(t.Context(), r, true))
	must(t, c.Service.Gesture(t.Context(), one.ID, participation.Boost, "https://b.example/users/b", "https://b.example/inbox", "https://b.example/1", true))
	c.count(t)
	everybody := []string{"m.example/inbox", "g.example/users/cy/inbox", "v.example/inbox", "r.example/users/r/inbox", "b.example/inbox"}
	c.sent(t, "first count", updates(t, c, one.ID, everybody)...)

	// New replies alone do not make an Update.
	must(t, c.Service.AddReply(t.Context(), reply(one.ID, "https://m.example/3", 0), true))
	c.count(t)
	c.sent(t, "only a reply")

	// Two counts before the next projection are one Update, and the count
	// hidden until closing is not in it.
	c.vote(t, one.ID, "https://v.example/users/w", "https://v.example/inbox", "Trees")
	c.count(t)
	c.vote(t, one.ID, "https://v.example/users/u", "https://v.example/inbox", "Market hall")
	c.count(t)
	c.sent(t, "two counts", updates(t, c, one.ID, everybody)...)
	if n := shown(t, c, one.ID); n.Voters != 3 || n.Counts[0] != 0 || n.Closed != "" {
		t.Errorf("shown while sealed: %+v", n)
	}

	answer, err := c.Service.Answer(t.Context(), "https://r.example/1", "Behind the hall.")
	must(t, err)
	created := "Create /o/" + answer.ID + "/create → "
	c.sent(t, "answer", created+"m.example/inbox", created+"g.example/users/cy/inbox", created+"r.example/users/r/inbox")

	must(t, c.Service.SaveChannel(t.Context(), participation.Channel{Name: "participa", Title: "New title", Language: "en"}, true))
	c.project(t)
	edited := lastEvent(t, c, participation.ChannelEdited)
	profile := "Update /a/participa/updates/" + edited + " → "
	c.sent(t, "channel edited", profile+"m.example/inbox", profile+"g.example/users/cy/inbox")

	c.pass(15 * 24 * time.Hour)
	_, err = c.Service.Close(t.Context(), one.ID, "", 0)
	must(t, err)
	final := lastEvent(t, c, participation.ConsultationClosed)
	told := "Create /o/" + c.resultPost(t, one.ID) + "/create → "
	want := []string{told + "m.example/inbox", told + "g.example/users/cy/inbox"}
	for _, inbox := range everybody {
		want = append(want, "Update /o/"+one.ID+"/updates/"+final+" → "+inbox)
	}
	c.sent(t, "closing", want...)
	if n := shown(t, c, one.ID); n.Voters != 3 || n.Counts[0] != 2 || n.Counts[1] != 1 || n.Closed != n.EndTime || n.Closed == "" {
		t.Errorf("shown after closing: %+v", n)
	}
	// What was sent is what is served.
	if d := c.document(t, "/o/"+one.ID+"/updates/"+final); !strings.Contains(string(d.Body), `"closed":"2026-09-15T08:00:00Z"`) {
		t.Errorf("the closing Update lacks closed: %s", d.Body)
	}

	must(t, c.Service.Withdraw(t.Context(), one.ID, "wrong map"))
	want = nil
	posts, err := c.Service.Posts(t.Context(), one.ID)
	must(t, err)
	for _, inbox := range everybody {
		want = append(want, "Delete /o/"+one.ID+"/delete → "+inbox)
		for _, p := range posts {
			want = append(want, "Delete /o/"+p.ID+"/delete → "+inbox)
		}
	}
	c.sent(t, "withdrawal", want...)
}

// updates are the deliveries of the newest counted event.
func updates(t *testing.T, c *city, id string, inboxes []string) []string {
	t.Helper()
	seq := lastEvent(t, c, participation.ConsultationCounted)
	var all []string
	for _, inbox := range inboxes {
		all = append(all, "Update /o/"+id+"/updates/"+seq+" → "+inbox)
	}
	return all
}

func lastEvent(t *testing.T, c *city, kind participation.EventType) string {
	t.Helper()
	events, err := c.Service.Events(t.Context(), 0, 1000)
	must(t, err)
	for _, e := range slices.Backward(events) {
		if e.Type == kind {
			return fmt.Sprintf("%d-%d", e.Seq, e.At.Unix())
		}
	}
	t.Fatalf("no event %s", kind)
	return ""
}

type numbers struct {
	Voters          int
	Counts          []int
	EndTime, Closed string
}

// shown reads the numbers of the Question that is served.
func shown(t *testing.T, c *city, id string) numbers {
	t.Helper()
	var q struct {
		VotersCount     int
		OneOf           []struct{ Replies struct{ TotalItems int } }
		EndTime, Closed string
	}
	must(t, json.Unmarshal(c.document(t, "/o/"+id).Body, &q))
	n := numbers{Voters: q.VotersCount, EndTime: q.EndTime, Closed: q.Closed}
	for _, o := range q.OneOf {
		n.Counts = append(n.Counts, o.Replies.TotalItems)
	}
	return n
}

// An open question is a Note, and its end changes nothing about it.
func TestOpenQuestionHasNoNumbersToSend(t *testing.T) {
	c := newCity(t)
	c.follow(t, "https://m.example/users/ana", "https://m.example/users/ana/inbox", "https://m.example/inbox")
	question := harbour()
	question.Kind, question.Options = participation.OpenQuestion, nil
	one := c.open(t, question)
	c.sent(t, "opening", "Create /o/"+one.ID+"/create → m.example/inbox")
	must(t, c.Service.AddReply(t.Context(), reply(one.ID, "https://m.example/3", 0), true))
	c.count(t)
	c.pass(15 * 24 * time.Hour)
	_, err := c.Service.Close(t.Context(), one.ID, "", 0)
	must(t, err)
	c.sent(t, "closing", "Create /o/"+c.resultPost(t, one.ID)+"/create → m.example/inbox")
}

// resultPost is the post that tells the result.
func (c *city) resultPost(t *testing.T, consultation string) string {
	t.Helper()
	return firstPost(t, c, consultation, participation.Closing)
}

func checkpointPost(t *testing.T, c *city, consultation string) string {
	t.Helper()
	return firstPost(t, c, consultation, participation.CheckpointPost)
}

func firstPost(t *testing.T, c *city, consultation string, kind participation.PostKind) string {
	t.Helper()
	posts, err := c.Service.Posts(t.Context(), consultation)
	must(t, err)
	i := slices.IndexFunc(posts, func(p participation.Post) bool { return p.Kind == kind })
	if i < 0 {
		t.Fatalf("no %s was posted", kind)
	}
	return posts[i].ID
}

// Followers' servers get the heads of the log: at opening and closing in the
// thread, once a day in a post of its own. They are unlisted.
func TestCheckpointsReachFollowers(t *testing.T) {
	c := newCity(t)
	c.follow(t, "https://m.example/users/ana", "https://m.example/users/ana/inbox", "https://m.example/inbox")
	one := c.open(t, harbour())
	c.settle(t)
	for day := range 2 {
		for range 6 { // no more often than once a day, and only what has grown
			c.pass(5 * time.Hour)
			_, err := c.Service.PostCheckpoints(t.Context())
			must(t, err)
		}
		for i := range 4 {
			actor := fmt.Sprintf("https://v.example/users/%d-%d", day, i)
			c.vote(t, one.ID, actor, "https://v.example/inbox", "Trees")
		}
		c.count(t)
	}
	c.pass(15 * 24 * time.Hour)
	_, err := c.Service.Close(t.Context(), one.ID, "", 0)
	must(t, err)
	c.settle(t)
	c.net.arrived()
	var replies []string
	for _, p := range c.net.checkpoints {
		var a struct {
			Object struct {
				To, CC             []string
				InReplyTo, Content string
			}
		}
		must(t, json.Unmarshal(p.Body, &a))
		if len(a.Object.CC) != 1 || !as2.IsPublic(a.Object.CC[0]) || a.Object.To[0] != "https://city.example/a/participa/followers" {
			t.Errorf("to %v, cc %v: not unlisted", a.Object.To, a.Object.CC)
		}
		copied := checkpointWords.FindStringSubmatch(html.UnescapeString(tags.ReplaceAllString(a.Object.Content, "\n")))
		if copied == nil {
			t.Fatalf("no checkpoint in %s", a.Object.Content)
		}
		note := fmt.Sprintf("%s\n%s\n%s\n\n— %s %s\n", copied[1], copied[2], copied[3], copied[4], copied[5])
		if _, err := c.keys.LogKey().OpenCheckpoint(c.Service.Origin(one), note); err != nil {
			t.Errorf("the copy does not open: %v", err)
		}
		replies = append(replies, strings.TrimPrefix(a.Object.InReplyTo, "https://city.example/o/"))
	}
	if want := []string{one.ID, "", one.ID}; !slices.Equal(replies, want) {
		t.Errorf("checkpoints in reply to %q, want %q", replies, want)
	}
}

var tags = regexp.MustCompile(`<[^>]*>`)

var checkpointWords = regexp.MustCompile(`(\S+)\s+(\d+)\s+([A-Za-z0-9+/]{43}=)\s+—\s+(\S+)\s+([A-Za-z0-9+/=]+)`)

// broken is a store whose disk is full at the worst moment: before or after
// the commit.
type broken struct {
	activitypub.Store
	after bool
	times int
}

var errDisk = errors.New("disk full")

func (b *broken) Enqueue(ctx context.Context, cursor int64, out []activitypub.Outgoing) error {
	if b.times--; b.times < 0 {
		return b.Store.Enqueue(ctx, cursor, out)
	}
	if b.after {
		if err := b.Store.Enqueue(ctx, 0, out); err != nil { // stored, but the cursor is lost
			return err
		}
	}
	return errDisk
}

func TestProjectionSurvivesACrash(t *testing.T) {
	for _, after := range []bool{false, true} {
		dir, net := t.TempDir(), &network{}
		c := openCity(t, dir, net)
		c.follow(t, "https://m.example/users/ana", "https://m.example/users/ana/inbox", "https://m.example/inbox")
		one := c.open(t, harbour())
		c.vote(t, one.ID, "https://v.example/users/v", "https://v.example/inbox", "Trees")
		c.count(t)
		faulty := &broken{Store: c.db, after: after, times: 1}
		f := activitypub.New(activitypub.Config{
			URLs: c.URLs, Store: faulty, Service: c.Service, Keys: c.keys, Secrets: c.keys, Client: c.Client,
			Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: c.clock,
		})
		if _, err := f.Project(t.Context()); !errors.Is(err, errDisk) {
			t.Fatalf("want the disk's error, got %v", err)
		}
		must(t, c.db.Close())

		again := openCity(t, dir, net)
		again.pass(time.Hour)
		again.sent(t, "after the crash",
			"Create /o/"+one.ID+"/create → m.example/inbox",
			updates(t, again, one.ID, []string{"m.example/inbox"})[0], updates(t, again, one.ID, []string{"v.example/inbox"})[0])
		if n, err := again.Project(t.Context()); n != 0 || err != nil {
			t.Errorf("projected %d more, %v", n, err)
		}
		must(t, again.db.Close())
	}
}
