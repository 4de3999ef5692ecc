package simulation

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestCrowd lets a crowd loose on a stand-in node: a channel with a poll, a
// multiple-choice poll and an open question, found by WebFinger and outbox.
func TestCrowd(t *testing.T) {
	var node http.Handler
	addr, stop, err := Listen("127.0.0.1:0", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { node.ServeHTTP(w, r) }))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stop() }()
	_, port, _ := strings.Cut(addr.String(), ":")
	base := "http://localhost:" + port
	city := NewServer(Config{Kind: Mastodon, Base: base, Keys: keys()})
	node = city
	owner := city.Account("participa")

	published := time.Now().UTC().Truncate(time.Second)
	options := func(names ...string) []any {
		var all []any
		for _, name := range names {
			all = append(all, object{"type": "Note", "name": name, "replies": object{"type": "Collection", "totalItems": 0}})
		}
		return all
	}
	var items []any
	for path, extra := range map[string]object{
		"/o/1": {"type": "Question", "content": "<p>Hoe richten we het Havenplein in?</p>", "oneOf": options("Bomen", "Markthal", "Speelplek", "Parkeren")},
		"/o/2": {"type": "Question", "content": "<p>Which streets should become bicycle streets first?</p>", "anyOf": options("Mill Lane", "School Street", "Station Road")},
		"/o/3": {"type": "Note", "content": "<p>Wat mist u in uw wijk?</p>"},
	} {
		doc := object{"@context": []any{activityStreams}, "id": base + path, "attributedTo": owner.ID(), "url": base + path,
			"to": []any{public}, "cc": []any{owner.followersURL()}, "published": published.Format(time.RFC3339)}
		for k, v := range extra {
			doc[k] = v
		}
		doc["contentMap"] = object{map[bool]string{true: "en", false: "nl"}[path == "/o/2"]: doc["content"]}
		if doc["type"] == "Question" {
			doc["votersCount"], doc["endTime"] = 0, published.Add(time.Hour).Format(time.RFC3339)
		}
		city.SetDocument(path, Override{ContentType: activityJSON, Body: encode(doc)})
		items = append(items, object{"type": "Create", "id": base + path + "/create", "object": base + path})
	}
	outbox := strings.TrimPrefix(owner.ID(), base) + "/outbox"
	city.SetDocument(outbox, Override{ContentType: activityJSON, Body: encode(object{"@context": activityStreams, "type": "OrderedCollection",
		"id": base + outbox, "totalItems": 3, "orderedItems": items})})

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var mu sync.Mutex
	actions := map[string]int{}
	f, err := Start(ctx, FediverseConfig{Node: base, Channels: []string{"participa"}, Accounts: 60, Pace: 8 * time.Millisecond, Seed: 7, KeyPool: 1, CodeWord: "code",
		Progress: func(e Event) {
			mu.Lock()
			defer mu.Unlock()
			actions[e.Action]++
			if e.Err != nil {
				t.Errorf("%s %s %s: %v", e.Account, e.Action, e.Object, e.Err)
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	asked := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return actions["ask"] > 0
	}
	for c := f.Counters(); ctx.Err() == nil && (!asked() || c.Follows < 20 || c.Votes < 30 || c.Replies < 15 || c.Other < 5); c = f.Counters() {
		time.Sleep(20 * time.Millisecond)
	}
	if ctx.Err() != nil {
		t.Errorf("after 30 s only %s", f.Counters())
	}
	cancel()
	f.Wait()
	if got := len(f.Consultations()); got != 3 {
		t.Errorf("%d consultations found, want 3", got)
	}
	if f.Counters().Refused > 0 {
		t.Errorf("refused: %s", f.Counters())
	}
	for _, s := range append(f.Servers, city) {
		for _, p := range s.Problems() {
			if !strings.Contains(p, "context canceled") {
				t.Errorf("%s: %s", s.Kind(), p)
			}
		}
	}
	t.Log(f.Counters(), actions)
	if actions["ask"] > mostAsk {
		t.Errorf("%d of the crowd asked for a code", actions["ask"])
	}
	senders := map[string]bool{}
	for _, r := range city.Received() {
		if _, host, ok := strings.Cut(r.Header.Get("User-Agent"), "(+http://"); ok {
			senders[host] = true
		}
	}
	if len(senders) < 5 {
		t.Errorf("only %d servers took part", len(senders))
	}
}

func TestLoopbackClientStaysHome(t *testing.T) {
	for _, address := range []string{"http://example.org/", "http://192.0.2.1/", "http://localhost.example.org/"} {
		if _, err := LoopbackClient().Get(address); err == nil || !strings.Contains(err.Error(), "stays on this computer") {
			t.Errorf("%s: %v", address, err)
		}
	}
}
