package faults_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"inspraak/simulation"
)

// TestFanOut kills the node in the middle of sending a new consultation to all
// followers. Each inbox gets it nevertheless, under one id, and few twice.
func TestFanOut(t *testing.T) {
	together(t)
	began, rounds, hosts, each := time.Now(), times(2, 100), size(10, 200), size(4, 5)
	inboxes := hosts * each
	n := newNode(t)
	n.start()
	s := newSink(t, n, hosts, each)
	for round := range rounds {
		published := make(chan struct{})
		go func() {
			defer close(published)
			n.publish(fmt.Sprintf("fan-%d", round))
		}()
		s.until(t, round+1, inboxes/20+rand.IntN(inboxes*8/10))
		<-published
		n.kill()
		n.start()
		s.until(t, round+1, inboxes)
	}
	time.Sleep(time.Second) // for duplicates that are still under way
	duplicates, ids := s.judge(t, rounds, inboxes)
	if share := float64(duplicates) / float64(rounds*inboxes); *large && share > 0.02 {
		t.Errorf("%.1f %% of the deliveries were duplicates, want 2 %%", 100*share)
	}
	n.check()
	figure(t, began, "R18", "kill -9 during fan-out: %d kills, %d inboxes on %d hosts, %d deliveries, %d activity ids, 0 missing, %d duplicates (%.2f %%)",
		rounds, inboxes, hosts, rounds*inboxes, ids, duplicates, 100*float64(duplicates)/float64(rounds*inboxes))
}

// A sink is servers whose accounts follow the node, and what they received.
type sink struct {
	servers map[string]*simulation.Server // by host
	mu      sync.Mutex
	order   []string                             // ids of Questions as they were first seen
	got     map[string]map[string]map[string]int // Question, inbox, activity: how often
}

// newSink makes followers with personal inboxes on as many hosts.
func newSink(t *testing.T, n *node, hosts, each int) *sink {
	t.Helper()
	keys, err := simulation.NewKeys(2)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{servers: map[string]*simulation.Server{}, got: map[string]map[string]map[string]int{}}
	var follows []*vote // signed and sent like votes
	for h := range hosts {
		host := fmt.Sprintf("h%d.localhost:%d", h, l.Addr().(*net.TCPAddr).Port)
		server := simulation.NewServer(simulation.Config{Kind: simulation.Mastodon, Base: "http://" + host, Keys: keys})
		s.servers[host] = server
		for i := range each {
			a := server.Account(fmt.Sprintf("follower%d", i))
			raw, err := a.Document()
			if err != nil {
				t.Fatal(err)
			}
			document := map[string]any{}
			if err := json.Unmarshal(raw, &document); err != nil {
				t.Fatal(err)
			}
			delete(document, "endpoints") // no shared inbox
			if raw, err = json.Marshal(document); err != nil {
				t.Fatal(err)
			}
			server.SetDocument("/users/"+a.Name(), simulation.Override{ContentType: "application/activity+json", Body: raw})
			body := fmt.Appendf(nil, `{"@context":"https://www.w3.org/ns/activitystreams","id":"%s#follow","type":"Follow","actor":"%[1]s","object":"%s"}`, a.ID(), n.actor())
			follows = append(follows, &vote{account: a, inbox: n.inbox(), body: body})
		}
	}
	serving := &http.Server{Handler: s}
	go serving.Serve(l)
	t.Cleanup(func() { serving.Close() })
	newHammer(16).insist(&crowd{t: t}, follows)
	n.followers(t, len(follows))
	return s
}

// followers waits until the channel has as many.
func (n *node) followers(t *testing.T, want int) {
	t.Helper()
	var collection struct {
		TotalItems int `json:"totalItems"`
	}
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, n.actor()+"/followers", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", "application/activity+json")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		err = json.NewDecoder(answer.Body).Decode(&collection)
		drain(answer)
		if err != nil {
			t.Fatal(err)
		}
		if collection.TotalItems == want {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d followers, want %d", collection.TotalItems, want)
		}
	}
}

// ServeHTTP takes deliveries and leaves the rest to the simulated servers.
func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		s.servers[r.Host].ServeHTTP(w, r)
		return
	}
	var activity struct {
		ID, Type string
		Object   json.RawMessage
	}
	var object struct{ ID, Type string }
	if err := json.NewDecoder(r.Body).Decode(&activity); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusAccepted)
	if json.Unmarshal(activity.Object, &object) != nil || activity.Type != "Create" || object.Type != "Question" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.got[object.ID] == nil {
		s.got[object.ID] = map[string]map[string]int{}
		s.order = append(s.order, object.ID)
	}
	inbox := r.Host + r.URL.Path
	if s.got[object.ID][inbox] == nil {
		s.got[object.ID][inbox] = map[string]int{}
	}
	s.got[object.ID][inbox][activity.ID]++
}

// until waits until as many Questions are known, and the last is in as many
// inboxes.
func (s *sink) until(t *testing.T, questions, inboxes int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		got := 0
		if len(s.order) == questions {
			got = len(s.got[s.order[questions-1]])
		}
		s.mu.Unlock()
		if got >= inboxes {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("Question %d has reached %d inboxes, want %d", questions, got, inboxes)
		}
	}
}

// judge counts what came more than once, and the activities.
func (s *sink) judge(t *testing.T, questions, inboxes int) (duplicates, activities int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.order) != questions {
		t.Errorf("%d Questions received, want %d", len(s.order), questions)
	}
	for question, byInbox := range s.got {
		ids := map[string]bool{}
		for _, times := range byInbox {
			for id, n := range times {
				ids[id] = true
				duplicates += n - 1
			}
		}
		if len(byInbox) != inboxes || len(ids) != 1 {
			t.Errorf("%s: %d inboxes of %d, under %d ids", question, len(byInbox), inboxes, len(ids))
		}
		activities += len(ids)
	}
	return duplicates, activities
}
