package participation_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"inspraak/activitypub"
	"inspraak/participation"
)

const dayLong = 24 * time.Hour

// The table that officials decide by says what the program does.
func TestRetentionTable(t *testing.T) {
	src, err := os.ReadFile("../docs/gemeente/bewaartermijnen.md")
	must(t, err)
	_, section, _ := strings.Cut(string(src), "## Wat het programma zelf opruimt")
	section, _, _ = strings.Cut(section, "\n## ")
	first := regexp.MustCompile(`\d+`)
	var documented, inProgram []string
	for line := range strings.Lines(section) {
		if cells := strings.Split(line, "|"); len(cells) == 8 && strings.HasPrefix(cells[1], " `") {
			limits := strings.Join(first.FindAllString(cells[5], -1), " ")
			documented = append(documented, strings.Trim(fmt.Sprintln(strings.Trim(cells[1], " `"), first.FindString(cells[3]), strings.Trim(cells[4], " `–"), limits), " \n"))
		}
	}
	for _, r := range participation.DefaultRetention().Rules() {
		row := []any{r.Name, int(r.Period / dayLong), r.Key, ""}
		if r.Undated {
			row[1] = ""
		}
		if r.Key != "" {
			row[3] = fmt.Sprint(int(r.Least/dayLong), " ", int(r.Most/dayLong))
		}
		if r.Forever {
			row[3] = fmt.Sprint(row[3], " 0")
		}
		inProgram = append(inProgram, strings.Trim(fmt.Sprintln(row...), " \n"))
		if r.What == "" || r.Why == "" {
			t.Errorf("%s says not what or why", r.Name)
		}
	}
	if !slices.Equal(documented, inProgram) {
		t.Errorf("bewaartermijnen.md has\n%s\nthe program\n%s", strings.Join(documented, "\n"), strings.Join(inProgram, "\n"))
	}
}

func TestRetentionBounds(t *testing.T) {
	problems := func(change func(*participation.Retention)) (keys []string) {
		r := participation.DefaultRetention()
		change(&r)
		r.Check(func(key, format string, args ...any) { keys = append(keys, key) })
		return keys
	}
	for want, change := range map[string]func(*participation.Retention){
		"":               func(r *participation.Retention) { r.ModerationLog = 0 },
		"peers":          func(r *participation.Retention) { r.Peers = 0 },
		"reports":        func(r *participation.Retention) { r.Reports = 731 * dayLong },
		"hidden_replies": func(r *participation.Retention) { r.HiddenReplies = 30*dayLong - 1 },
		"moderation_log": func(r *participation.Retention) { r.ModerationLog = -dayLong },
	} {
		if got := strings.Join(problems(change), " "); got != want {
			t.Errorf("problems with %q, want %q", got, want)
		}
	}
}

// numbers are those of a run, by rule, without zeros.
func numbers(all []participation.Expiry) map[string]int {
	n := map[string]int{}
	for _, e := range all {
		if e.N > 0 {
			n[e.Name] = e.N
		}
	}
	return n
}

// lumber fills a town with what a node gathers, twice: long ago, and yesterday.
func lumber(tw *town, c participation.Consultation, mark string) {
	t, ctx := tw.t, tw.t.Context()
	t.Helper()
	actor := func(name string) string { return "https://" + mark + ".example/users/" + name }
	for _, name := range []string{"idle", "follower", "author", "fan", "quoter", "answered"} {
		must(t, tw.db.SavePeer(ctx, activitypub.Peer{Actor: actor(name), Inbox: actor(name) + "/inbox", FetchedAt: tw.now,
			Keys: []activitypub.PeerKey{{ID: actor(name) + "#main-key", PEM: "pem"}}}))
	}
	must(t, tw.db.SaveHostForm(ctx, mark+".example", true))
	must(t, tw.db.SaveHostForm(ctx, "nobody."+mark+".example", true))
	out := func(id string) activitypub.Outgoing {
		return activitypub.Outgoing{ID: id + mark, Channel: "stad", Object: id, Body: []byte("{}"), At: tw.now}
	}
	must(t, tw.db.SaveFollower(ctx, activitypub.Follower{Channel: "stad", Actor: actor("follower"), FollowID: "f", Since: tw.now}, out("accept")))
	must(t, tw.db.SaveQuote(ctx, activitypub.Quote{ID: mark, Actor: actor("quoter")}, out("quote")))
	must(t, tw.Gesture(ctx, c.ID, participation.Like, actor("fan"), "", actor("fan")+"#l", true))
	say := func(name, id, words string) string {
		must(t, tw.AddReply(ctx, participation.Reply{ID: actor(name) + "/" + id, Consultation: c.ID, Parent: "p", HTML: "<p>" + words, URL: actor(name),
			Author: participation.Author{ID: actor(name), Name: "Naam van " + name + mark}, Visibility: participation.Public}, true))
		return actor(name) + "/" + id
	}
	say("author", "1", "xylofoon "+mark)
	_, err := tw.Answer(ctx, say("answered", "1", "vraag"), "Antwoord")
	must(t, err)
	must(t, tw.Delete(ctx, actor("answered"), actor("answered")+"/1"))
	rude := say("rude", "1", "quetzalkwark"+mark)
	must(t, tw.HideReply(ctx, rude, "Scheldwoorden"))
	must(t, tw.Block(ctx, actor("troll"), "Bedreigt "+mark))
	for _, id := range []string{"settled", "open"} {
		must(t, tw.Receive(ctx, participation.Report{ID: id + mark, Server: mark + ".example", Text: id + " hij liegt " + mark, Objects: []string{rude}}))
	}
	must(t, tw.Resolve(ctx, "settled"+mark, "Verborgen "+mark))
	_, err = tw.db.Help(ctx, [16]byte{mark[0]}, out("help"))
	must(t, err)
	for i, about := range []string{"", c.ID, "unknown"} {
		_, err := tw.db.AddWaiting(ctx, activitypub.Waiting{Digest: [16]byte{mark[0], byte(i)}, Consultation: about, Sealed: []byte{1}, ReceivedAt: tw.now})
		must(t, err)
	}
}

func TestRetention(t *testing.T) {
	tw := newTown(t)
	draft := tw.draft(participation.SingleChoice, "Bomen", "Markthal")
	draft.ClosesAt = tw.now.Add(1000 * dayLong)
	c := tw.publish(draft)
	for i := range 9 {
		tw.vote(c, fmt.Sprintf("https://oud.example/users/voter%d", i), "1", "Bomen")
	}
	lumber(tw, c, "oud")
	must(t, tw.db.Enqueue(t.Context(), 1000, nil)) // all events are published
	tw.now = tw.now.Add(800 * dayLong)
	lumber(tw, c, "jong")
	tw.now = tw.now.Add(time.Hour)

	rules := participation.DefaultRetention()
	print := func() map[string]string {
		t.Helper()
		p, err := tw.db.Fingerprint(t.Context())
		must(t, err)
		return p
	}
	before := print()
	would, err := tw.Expiring(t.Context(), rules)
	must(t, err)
	if after := print(); !maps.Equal(before, after) {
		t.Errorf("telling changed something:\n%v\n%v", before, after)
	}
	// "oud": of the peers only the idle one; the answered one has an answer. The
	// tombstone is of a reply. Who was helped long ago went when somebody else was.
	want := map[string]int{"servers": 2, "peers": 1, "hidden-replies": 1, "reports": 1, "moderation-log": 4, "waiting": 2}
	if got := numbers(would); !maps.Equal(got, want) {
		t.Errorf("would go: %v, want %v", got, want)
	}
	for _, e := range would {
		if e.N > 0 && !e.Undated && (e.Oldest.IsZero() || tw.now.Sub(e.Oldest) < e.Period) {
			t.Errorf("%s: the oldest is from %s", e.Name, e.Oldest)
		}
	}
	did, err := tw.Retain(t.Context(), rules)
	must(t, err)
	if got := numbers(did); !maps.Equal(got, want) {
		t.Errorf("gone: %v, want %v", got, want)
	}
	again, err := tw.Expiring(t.Context(), rules)
	must(t, err)
	if got := numbers(again); len(got) > 0 {
		t.Errorf("then still: %v", got)
	}
	changed := []string{"event", "host_form", "occupancy", "peer", "peer_key", "reply", "report", "waiting"}
	var touched []string
	for table, p := range print() {
		if p != before[table] {
			touched = append(touched, table)
		}
	}
	if slices.Sort(touched); !slices.Equal(touched, changed) {
		t.Errorf("touched %v, want %v", touched, changed)
	}

	replies, err := tw.Replies(t.Context(), participation.ReplyFilter{Consultation: c.ID, All: true})
	must(t, err)
	i := slices.IndexFunc(replies, participation.Reply.Erased)
	if len(replies) != 4 || i < 0 {
		t.Fatalf("replies: %+v", replies)
	}
	left := replies[i]
	if left.Reason != "Scheldwoorden" || left.Standing != participation.Hidden || left.HTML+left.Author.ID+left.Author.Name+left.URL+left.Parent != "" || left.Received.Hour() != 0 {
		t.Errorf("left of a hidden reply: %+v", left)
	}
	if err := tw.ShowReply(t.Context(), left.ID); !errors.Is(err, participation.ErrPhase) {
		t.Errorf("shown again: %v", err)
	}
	must(t, tw.AddReply(t.Context(), participation.Reply{ID: "https://oud.example/users/rude/1", Consultation: c.ID, HTML: "weer",
		Author: participation.Author{ID: "https://oud.example/users/rude"}, Visibility: participation.Public}, true))
	if replies, _ = tw.Replies(t.Context(), participation.ReplyFilter{Consultation: c.ID}); len(replies) != 2 {
		t.Errorf("an erased reply came again: %d are shown", len(replies))
	}
	events, err := tw.Events(t.Context(), 0, 0)
	must(t, err)
	last := events[len(events)-1]
	if last.Type != participation.RetentionDone || last.Reason != "servers 2, peers 1, hidden-replies 1, reports 1, moderation-log 4, waiting 2" || last.Subject != "" {
		t.Errorf("the event says %+v", last)
	}
	for _, suffix := range []string{"", "-wal"} {
		raw, err := os.ReadFile(filepath.Join(tw.dir, "town.db"+suffix))
		must(t, err)
		for _, gone := range []string{"quetzalkwarkoud", "users/rude/1oud", "Naam van rudeoud", "Verborgen oud", "settled hij liegt oud", "oud.example/users/idle", "settledoud", "nobody.oud.example"} {
			if bytes.Contains(raw, []byte(gone)) {
				t.Errorf("%q is still in town.db%s", gone, suffix)
			}
		}
		if suffix == "" && !bytes.Contains(raw, []byte("quetzalkwarkjong")) {
			t.Error("what is young is not in the file: the search proves nothing")
		}
	}
	if done, err := tw.Retain(t.Context(), rules); err != nil || len(numbers(done)) > 0 {
		t.Errorf("once more: %v, %v", numbers(done), err)
	}
	if events, _ = tw.Events(t.Context(), last.Seq, 0); len(events) != 0 {
		t.Errorf("a run without work left an event: %+v", events)
	}
	if problems, err := tw.db.CheckSearch(t.Context()); err != nil || problems != nil {
		t.Errorf("check: %v, %v", problems, err)
	}
}

// A log of moderation that is kept for good is kept, more than one batch goes, and
// votes are counted meanwhile.
func TestRetentionBatches(t *testing.T) {
	tw := newTown(t)
	for i := range 450 {
		must(t, tw.db.SavePeer(t.Context(), activitypub.Peer{Actor: fmt.Sprintf("https://a.example/%d", i), FetchedAt: tw.now}))
	}
	must(t, tw.Block(t.Context(), "https://a.example/x", "spam"))
	must(t, tw.db.Enqueue(t.Context(), 1000, nil))
	tw.now = tw.now.Add(3000 * dayLong)
	c := tw.publish(tw.draft(participation.SingleChoice, "Bomen", "Markthal"))
	rules := participation.DefaultRetention()
	rules.ModerationLog = 0
	voted := make(chan int)
	go func() {
		n := 0
		for i := range 50 {
			actor := fmt.Sprintf("https://m.example/users/%d", i)
			if outcome, err := tw.CastVote(t.Context(), participation.Vote{Consultation: c.ID, Actor: actor, Host: "m.example", ReceivedAt: tw.now,
				Marks: []participation.Mark{{Object: actor + "#1", Name: "Bomen"}}}); err == nil && outcome == participation.Counted {
				n++
			}
		}
		voted <- n
	}()
	did, err := tw.Retain(t.Context(), rules)
	if n := <-voted; n != 50 {
		t.Errorf("%d of 50 votes were counted meanwhile", n)
	}
	must(t, err)
	if got := numbers(did); !maps.Equal(got, map[string]int{"peers": 450}) {
		t.Errorf("gone: %v", got)
	}
}
