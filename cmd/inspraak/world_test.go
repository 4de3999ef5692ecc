package main

import (
	"bytes"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"inspraak/activitypub"
	"inspraak/participation"
	"inspraak/simulation"
)

// A world is a node's files as they are when voting has just begun, and eight
// citizens on six kinds of server. Each run starts from a copy of the files.
// Signatures are made once per deed: the senders' clock stands still.
type world struct {
	*cluster
	start        time.Time
	config       Config // of the files that are copied
	urls         activitypub.URLs
	channel      string // its actor
	polls        [4]participation.Consultation
	citizens     []*simulation.Account
	eve, blocked *simulation.Account
	requests     map[requestKey]*http.Request
	runs         int

	leaving sync.Mutex
	quit    map[string]bool // paths of accounts that are gone
}

type requestKey struct {
	step
	renamed bool
}

// newWorld makes the files. The third and fourth consultation are the first two
// with their options in another order and under other names.
func newWorld(t *testing.T) *world {
	c := newCluster(t)
	node := c.node("node.example", "consult")
	w := &world{cluster: c, start: c.now, config: node.config, urls: node.urls, channel: node.actor(),
		requests: map[requestKey]*http.Request{}, quit: map[string]bool{}}
	names := [2][]string{{"Ja", "Nee", "Café"}, {"Bar", "Tak", "Nie"}}
	for i := range w.polls {
		kind := []participation.Kind{participation.SingleChoice, participation.MultipleChoice}[i%2]
		w.polls[i] = node.publish(fmt.Sprint("q", i), kind, participation.AtClose, names[i/2]...)
	}
	keys := must2(simulation.NewKeys(2))(c)
	server := func(kind simulation.Kind, host string, key *rsa.PrivateKey) *simulation.Server {
		return c.network.NewServer(simulation.Config{Kind: kind, Base: "https://" + host, Seed: 1, Keys: []*rsa.PrivateKey{key},
			Now: func() time.Time { return w.start }})
	}
	var first *simulation.Server
	for i, kind := range simulation.Kinds() {
		s := server(kind, fmt.Sprintf("m%d.example", i), keys[0])
		w.citizens = append(w.citizens, s.Account("alice"))
		if first == nil {
			first = s
			w.citizens = append(w.citizens, s.Account("bob"))
		}
	}
	rfc := c.network.NewServer(simulation.Config{Kind: simulation.Mastodon, Base: "https://m6.example", Seed: 1, Keys: keys[:1],
		Scheme: simulation.RFC9421, Now: func() time.Time { return w.start }})
	w.citizens = append(w.citizens, rfc.Account("carol"))
	w.eve = server(simulation.Mastodon, "evil.example", keys[1]).Account("eve")
	w.blocked = server(simulation.Mastodon, "blocked.example", keys[1]).Account("mallory")
	c.must(node.Service.Block(t.Context(), "blocked.example", "spam"))
	for i, who := range append(w.citizens[:len(w.citizens):len(w.citizens)], w.eve) {
		if i%2 == 0 { // every second account is known already
			_, status := w.answer(node.Handler, w.sign(who, w.activity(who, "Like", who.ID()+"#first", w.urls.Object("nothing")), false, simulation.SignOptions{}))
			if status != http.StatusAccepted {
				t.Fatalf("%s is not accepted: %d", who.Handle(), status)
			}
		}
	}
	c.must(node.Close())
	return w
}

func (w *world) object(poll int) string { return w.urls.Object(w.polls[poll].ID) }

// turned tells where an option of the first two polls is in the other two.
func turned() [options]int { return [options]int{1, 2, 0} }

// names are those of a poll's options, in the order of the first two polls, and
// one that no option has.
func (w *world) names(poll int) (names []string) {
	for i, place := range turned() {
		if poll < 2 {
			place = i
		}
		names = append(names, w.polls[poll].Options[place])
	}
	return append(names, "Misschien")
}

func encoded(v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return body
}

// sign makes a request to one of the inboxes.
func (w *world) sign(who *simulation.Account, body []byte, personal bool, o simulation.SignOptions) *http.Request {
	w.t.Helper()
	inbox := w.urls.SharedInbox()
	if personal {
		inbox = w.channel + "/inbox"
	}
	if strings.Contains(who.ID(), "m6.example") && o.Headers == nil {
		o.Scheme = simulation.RFC9421
	}
	r, err := who.Request(w.t.Context(), http.MethodPost, inbox, body, o)
	w.must(err)
	return r
}

// request is the signed request of a step, always the same one.
func (w *world) request(s step, renamed bool) *http.Request {
	key := requestKey{s, renamed}
	if w.requests[key] == nil {
		w.requests[key] = w.sign(w.citizens[s.actor], w.body(s.deed, renamed), s.personal, simulation.SignOptions{})
	}
	return w.requests[key]
}

// answer lets a handler answer a copy of a request.
func (w *world) answer(h http.Handler, r *http.Request) (body string, status int) {
	in := r.Clone(w.t.Context())
	in.Body, in.RequestURI, in.RemoteAddr = must2(r.GetBody())(w.cluster), r.URL.RequestURI(), "192.0.2.9:1234"
	in.Host = r.URL.Host
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, in)
	return recorder.Body.String(), recorder.Code
}

// RoundTrip is the network as a run sees it: the documents of accounts that
// have deleted themselves are gone.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	w.leaving.Lock()
	gone := w.quit[r.URL.Host+r.URL.Path]
	w.leaving.Unlock()
	if gone {
		return &http.Response{StatusCode: http.StatusGone, Header: http.Header{}, Body: io.NopCloser(&bytes.Reader{}), Request: r}, nil
	}
	return w.network.RoundTrip(r)
}

// A life is that of one node that goes through a stream, and is perhaps killed in between.
type life struct {
	*world
	test    *rapid.T
	node    *Node
	renamed bool
}

// begin starts a node on a copy of the files.
func (w *world) begin(test *rapid.T) *life {
	w.t.Helper()
	w.jump(w.start.Sub(w.clock()))
	w.leaving.Lock()
	clear(w.quit)
	w.leaving.Unlock()
	r := &life{world: w, test: test}
	r.open(w.config.Database())
	return r
}

// open starts the node on a copy of database files as they are: the file and
// its log, without the index of the log, as a process that was killed leaves them.
func (r *life) open(from string) {
	r.t.Helper()
	r.runs++
	config := r.config
	config.Data = filepath.Join(r.config.Data, fmt.Sprint("run", r.runs))
	r.must(os.Mkdir(config.Data, 0o700))
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(from + suffix)
		if suffix != "" && errors.Is(err, os.ErrNotExist) {
			continue
		}
		r.must(err)
		r.must(os.WriteFile(config.Database()+suffix, content, 0o600))
	}
	node, err := OpenNode(r.t.Context(), config, Surroundings{Log: slog.New(slog.DiscardHandler), Now: r.clock, Transport: r.world})
	r.must(err)
	r.test.Cleanup(func() { r.must(errors.Join(node.Close(), os.RemoveAll(config.Data))) })
	r.node = node
}

// send delivers steps one after the other, a second apart, as their servers do.
func (r *life) send(stream ...step) {
	r.t.Helper()
	for _, s := range stream {
		if s.kind == "quit" {
			r.leave(s.actor)
		}
		_, status := r.answer(r.node.Handler, r.request(s, r.renamed))
		if status != http.StatusAccepted && !(status == http.StatusUnauthorized && r.left(s.actor)) {
			r.test.Fatalf("%v: answered %d", s.deed, status)
		}
		r.jump(time.Second)
	}
}

// path of an account, as RoundTrip knows it.
func (w *world) path(actor int) string {
	return strings.TrimPrefix(w.citizens[actor].ID(), "https://")
}

func (w *world) leave(actor int) {
	w.leaving.Lock()
	defer w.leaving.Unlock()
	w.quit[w.path(actor)] = true
}

func (w *world) left(actor int) bool {
	w.leaving.Lock()
	defer w.leaving.Unlock()
	return w.quit[w.path(actor)]
}

// crash kills the node and starts it again on the files that it leaves. What is
// given is under way when it happens: its answer is lost, and it is sent again.
func (r *life) crash(underWay ...step) {
	r.t.Helper()
	old := r.node
	var busy sync.WaitGroup
	for _, s := range underWay {
		if s.kind == "quit" {
			r.leave(s.actor)
		}
		request := r.request(s, r.renamed)
		busy.Go(func() { r.answer(old.Handler, request) })
	}
	r.open(old.config.Database())
	busy.Wait()
	r.must(old.Close())
	r.send(underWay...)
}

// restore starts the node again on a backup.
func (r *life) restore(backup string) {
	r.t.Helper()
	r.must(r.node.Close())
	r.open(backup)
}

// end closes the consultations, counts, and stops the node.
func (r *life) end() outcome {
	r.t.Helper()
	ctx := r.t.Context()
	r.jump(25 * time.Hour)
	r.beat(r.node.DB)
	for range 3 {
		must2(r.node.moveClock(ctx))(r.cluster)
	}
	o := outcome{Replies: map[string]string{}, Followers: must2(r.node.DB.Followers(ctx, "consult"))(r.cluster)}
	for i := range o.Polls {
		poll := r.polls[i]
		if r.renamed {
			poll = r.polls[i+2]
		}
		result := must2(r.node.Service.Result(ctx, poll.ID))(r.cluster)
		if !result.Final {
			r.test.Fatalf("poll %d is not closed", i)
		}
		if _, same, err := r.node.Service.Recount(ctx, must2(r.node.Service.Consultation(ctx, poll.ID))(r.cluster)); err != nil || !same {
			r.test.Fatalf("poll %d: a recount differs (%v)", i, err)
		}
		o.Polls[i] = pollOutcome{Turnout: result.Turnout, Counts: [options]int(result.Counts), Likes: result.Likes,
			Boosts: result.Boosts, Refused: result.Refused}
		for _, reply := range must2(r.node.Service.Replies(ctx, participation.ReplyFilter{Consultation: poll.ID}))(r.cluster) {
			_, text, _ := strings.Cut(reply.HTML, "versie ") // behind the mention
			o.Replies[r.nameOf(reply.ID)] = "versie " + strings.TrimSuffix(text, "</p>")
		}
	}
	r.must(r.node.Close())
	return o
}

// nameOf is how the model calls a reply.
func (w *world) nameOf(id string) string {
	for a := range w.citizens {
		for i := range replies {
			if w.replyID(a, i) == id {
				return fmt.Sprintf("%d/%d", a, i)
			}
		}
	}
	return id
}
