package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"inspraak/activitypub"
	"inspraak/activitypub/as2"
	"inspraak/participation"
	"inspraak/simulation"
	"inspraak/store"
)

// A cluster is a small fediverse in one process: nodes and simulated servers
// on a network without sockets, with one clock that the test moves.
type cluster struct {
	t       *testing.T
	network *simulation.Network
	nodes   []*testNode
	log     io.Writer // what nodes say, at their most talkative

	mu  sync.Mutex
	now time.Time
}

func newCluster(t *testing.T) *cluster {
	return &cluster{t: t, network: simulation.NewNetwork(), log: io.Discard, now: time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)}
}

func (c *cluster) clock() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// wait lets time pass in which every node lives: its signs of life are kept.
func (c *cluster) wait(d time.Duration) {
	c.t.Helper()
	c.jump(d)
	for _, n := range c.nodes {
		c.beat(n.DB)
	}
}

// beat keeps a sign of life.
func (c *cluster) beat(db *store.DB) {
	c.t.Helper()
	c.must(db.Update(c.t.Context(), func(tx participation.Tx) error {
		b, err := tx.Beat()
		if err != nil {
			return err
		}
		b.At = c.clock()
		return tx.SaveBeat(b)
	}))
}

// jump moves the clock while no node shows a sign of life: an outage, or a
// clock that is set.
func (c *cluster) jump(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func (c *cluster) server(kind simulation.Kind, host string) *simulation.Server {
	return c.network.NewServer(simulation.Config{Kind: kind, Base: "https://" + host, Now: c.clock, Seed: 1, KeyPool: 2})
}

// A testNode is a Node on the cluster, with one channel.
type testNode struct {
	*Node
	cluster *cluster
	urls    activitypub.URLs
	channel string
}

func (c *cluster) node(host, channel string) *testNode {
	c.t.Helper()
	dir := c.t.TempDir()
	config := Config{URL: "https://" + host, Listen: "127.0.0.1:0", Data: dir, Keys: filepath.Join(dir, "keys"),
		Media: filepath.Join(dir, "media"), Name: "Gemeente " + channel, RequestsPerSec: 1e6, Language: "nl", Contact: "griffie@" + host,
		Zone: time.UTC, Commands: CommandsConfig(participation.DefaultCommands())}
	var err error
	if config.URLs, err = activitypub.NewURLs(config.URL); err != nil {
		c.t.Fatal(err)
	}
	keys, err := store.OpenKeys(config.Keys, true)
	c.must(err)
	c.must(keys.CreateActorKey(activitypub.InstanceKey))
	c.must(keys.CreateActorKey(channel))
	n, err := OpenNode(c.t.Context(), config, Surroundings{
		Log: slog.New(slog.NewTextHandler(c.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Now: c.clock, Transport: c.network})
	c.must(err)
	c.t.Cleanup(func() { c.must(n.Close()) })
	c.must(n.Service.SaveChannel(c.t.Context(), participation.Channel{Name: channel, Title: config.Name, Language: "nl",
		Summary: "Consultaties van " + channel}, false))
	c.network.Join(host, n.Handler)
	node := &testNode{Node: n, cluster: c, urls: config.URLs, channel: channel}
	c.nodes = append(c.nodes, node)
	return node
}

func (c *cluster) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// settle runs the jobs of every node until none has anything left to do.
func (c *cluster) settle() {
	c.t.Helper()
	for range 200 {
		quiet := true
		for _, n := range c.nodes {
			worked, err := n.Step(c.t.Context())
			c.must(err)
			quiet = quiet && !worked
		}
		if quiet {
			return
		}
	}
	c.t.Fatal("the cluster does not settle")
}

// publish opens a consultation that closes in a day.
func (n *testNode) publish(slug string, kind participation.Kind, results participation.Disclosure, options ...string) participation.Consultation {
	n.cluster.t.Helper()
	return n.publishIn(1, slug, kind, results, options...)
}

// publishIn publishes with batches of at least k ballots.
func (n *testNode) publishIn(k int, slug string, kind participation.Kind, results participation.Disclosure, options ...string) participation.Consultation {
	n.cluster.t.Helper()
	draft := n.draftIn(k, slug, kind, results, options...)
	return must2(n.Service.Publish(n.cluster.t.Context(), draft.ID))(n.cluster)
}

// draft prepares a consultation that nobody may know of yet.
func (n *testNode) draft(slug string, kind participation.Kind, results participation.Disclosure, options ...string) participation.Consultation {
	return n.draftIn(1, slug, kind, results, options...)
}

func (n *testNode) draftIn(k int, slug string, kind participation.Kind, results participation.Disclosure, options ...string) participation.Consultation {
	c := n.cluster
	c.t.Helper()
	draft := participation.Consultation{
		Slug: slug, Channel: n.channel, Kind: kind, Language: "nl", Title: "Wat komt er op het plein?",
		Body: "Kies **mee** over [het plein](https://example.nl/plein).", Options: options, Results: results,
		Zone: "Europe/Amsterdam", OpensAt: c.clock(), ClosesAt: c.clock().Add(24 * time.Hour), Hashtags: []string{"plein"},
		Terms: participation.Terms{Level: participation.Advise, Promise: "De raad weegt uw stem mee.",
			DecidedBy: "De gemeenteraad", DecidedWhen: "december 2026", NotOpen: "Het budget",
			Notice: "Dit is geen zienswijze.", BatchSize: k, Interval: 3 * time.Minute, Grace: 3 * time.Minute},
	}
	c.must(draft.Prepare())
	c.must(n.Service.Draft(c.t.Context(), &draft))
	return draft
}

func (n *testNode) object(c participation.Consultation) string { return n.urls.Object(c.ID) }
func (n *testNode) actor() string                              { return n.urls.Actor(n.channel) }
func (n *testNode) handle() string                             { return n.urls.Handle(n.channel) }

// get asks the node's handler, as a browser or as a server does.
func (n *testNode) get(path, accept string) *httptest.ResponseRecorder {
	n.cluster.t.Helper()
	r := httptest.NewRequestWithContext(n.cluster.t.Context(), http.MethodGet, n.urls.Base+path, nil)
	r.Host, r.RemoteAddr = n.urls.Host, "192.0.2.7:1234"
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	n.Handler.ServeHTTP(w, r)
	return w
}

// question reads the Question as another server fetches it.
func (n *testNode) question(c participation.Consultation) *as2.Poll {
	n.cluster.t.Helper()
	w := n.get("/o/"+c.ID, "application/activity+json")
	doc, err := as2.Decode(w.Body.Bytes())
	n.cluster.must(err)
	o, err := doc.Object()
	n.cluster.must(err)
	return o.Poll
}

func (n *testNode) result(c participation.Consultation) participation.Result {
	n.cluster.t.Helper()
	r, err := n.Service.Result(n.cluster.t.Context(), c.ID)
	n.cluster.must(err)
	return r
}

// results are the posts that tell a result.
func (n *testNode) results(c participation.Consultation) []participation.Post {
	n.cluster.t.Helper()
	return slices.DeleteFunc(must2(n.Service.Posts(n.cluster.t.Context(), c.ID))(n.cluster), func(p participation.Post) bool {
		return p.Kind != participation.Closing
	})
}

func (n *testNode) fingerprint() map[string]string {
	n.cluster.t.Helper()
	f, err := n.DB.Fingerprint(n.cluster.t.Context())
	n.cluster.must(err)
	return f
}

// must2 is for calls in the middle of a story that are expected to succeed.
func must2[T any](v T, err error) func(*cluster) T {
	return func(c *cluster) T {
		c.t.Helper()
		c.must(err)
		return v
	}
}

func decodeJSON[T any](t *testing.T, body []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return v
}
