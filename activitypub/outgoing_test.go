package activitypub_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"inspraak/activitypub"
	"inspraak/participation"
	"inspraak/store"
)

// A city is a node with its real store, service and keys, a clock that tests
// move, and a network of functions in place of other servers.
type city struct {
	*activitypub.Federation
	db   *store.DB
	keys *store.Keys
	net  *network

	mu  sync.Mutex
	now time.Time
}

var morning = time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)

func newCity(t testing.TB) *city { return openCity(t, t.TempDir(), &network{}) }

// openCity opens the node kept in a folder, which may have been closed before.
func openCity(t testing.TB, dir string, net *network) *city {
	t.Helper()
	c := &city{now: morning, net: net}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	urls, err := activitypub.NewURLs("https://city.example")
	must(t, err)
	c.db, err = store.Open(t.Context(), filepath.Join(dir, "node.db"), log)
	must(t, err)
	t.Cleanup(func() { c.db.Close() })
	c.keys, err = store.OpenKeys(filepath.Join(dir, "keys"), true)
	must(t, err)
	service := participation.New(c.db, c.keys, urls.Site(), c.clock)
	if _, err := service.Channel(t.Context(), "participa"); err != nil {
		must(t, c.keys.CreateActorKey(activitypub.InstanceKey))
		must(t, c.keys.CreateActorKey("participa"))
		must(t, service.SaveChannel(t.Context(), participation.Channel{
			Name: "participa", Title: "Participation – City of Example", Summary: "Consultations of the city.", Language: "en",
			Avatar: &participation.Image{Path: "arms.png", Alt: "Coat of arms", MediaType: "image/png"},
			Fields: []participation.Field{{Name: "Website", Value: "https://city.example"}, {Name: "Open", Value: "9 < 17"}},
		}, false))
	}
	client := activitypub.NewClient(activitypub.ClientConfig{UserAgent: "inspraak-test", Transport: net})
	c.Federation = activitypub.New(activitypub.Config{
		URLs: urls, Name: "City of Example", Version: "0.1.0", Store: c.db, Service: service, Keys: c.keys,
		Secrets: c.keys, Client: client, Log: log, Now: c.clock,
	})
	return c
}

func (c *city) clock() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *city) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// harbour is a consultation as a municipality would publish it.
func harbour() participation.Consultation {
	return participation.Consultation{
		ID: "harbour0000000aa", Slug: "harbour-square", Channel: "participa", Kind: participation.SingleChoice, Language: "en",
		Title: "Harbour <square>", Body: "Which design do you prefer?", HTML: "<p>Which design do you prefer?</p>",
		Options: []string{"Trees", "Market hall"}, Hashtags: []string{"Harbour"},
		Image: &participation.Image{Path: "plan.jpg", Alt: "Map: trees north, stalls south", MediaType: "image/jpeg", Width: 1280, Height: 720},
		Terms: participation.Terms{
			Level: participation.Advise, Promise: "p", DecidedBy: "d", DecidedWhen: "w", NotOpen: "n", Notice: "z",
			BatchSize: 1, Interval: time.Second, Grace: time.Minute, RuleVersion: participation.RuleVersion,
		},
		Results: participation.AtClose, Zone: "Europe/Amsterdam",
		OpensAt: morning, ClosesAt: morning.Add(14 * 24 * time.Hour),
	}
}

// keep stores things as they are, with ids that stay the same.
func (c *city) keep(t testing.TB, fn func(participation.Tx) error) {
	t.Helper()
	must(t, c.db.Update(t.Context(), fn))
}

// open publishes a consultation through the service.
func (c *city) open(t testing.TB, one participation.Consultation) participation.Consultation {
	t.Helper()
	must(t, one.Prepare())
	must(t, c.Service.Draft(t.Context(), &one))
	one, err := c.Service.Publish(t.Context(), one.ID)
	must(t, err)
	return one
}

func (c *city) follow(t testing.TB, actor, inbox, shared string) {
	t.Helper()
	must(t, c.db.SaveFollower(t.Context(), activitypub.Follower{
		Channel: "participa", Actor: actor, FollowID: actor + "#follow", Inbox: inbox, Shared: shared, Since: c.clock(),
	}, activitypub.Outgoing{ID: actor + "-accept", Channel: "participa", Object: actor, Body: []byte("{}"), At: c.clock()}))
}

func (c *city) vote(t testing.TB, consultation, actor, inbox, option string) {
	t.Helper()
	outcome, err := c.Service.CastVote(t.Context(), participation.Vote{
		Consultation: consultation, Actor: actor, Host: "voters.example", Inbox: inbox,
		Marks: []participation.Mark{{Object: actor + "#vote", Name: option}}, ReceivedAt: c.clock(),
	})
	must(t, err)
	if outcome != participation.Counted {
		t.Fatalf("vote of %s: %s", actor, outcome)
	}
}

func (c *city) count(t testing.TB) {
	t.Helper()
	c.pass(2 * time.Second)
	_, err := c.Service.CountDue(t.Context())
	must(t, err)
}

// project takes all events there are.
func (c *city) project(t testing.TB) {
	t.Helper()
	for {
		n, err := c.Project(t.Context())
		must(t, err)
		if n == 0 {
			return
		}
	}
}

// settle projects and delivers until nothing is due.
func (c *city) settle(t testing.TB) {
	t.Helper()
	c.project(t)
	_, err := c.Deliver(t.Context())
	must(t, err)
}

// A network stands for all other servers: answer, if set, is asked with every
// request; the default takes everything.
type network struct {
	answer func(*http.Request, parcel) *http.Response

	mu      sync.Mutex
	parcels []parcel
	// checkpoints came between the others; every opening and closing sends some.
	checkpoints []parcel
}

// A parcel is one delivery as it arrived.
type parcel struct {
	Inbox     string
	Signature string
	Body      []byte
	ID        string `json:"id"`
	Type      string `json:"type"`
}

func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	p := parcel{Inbox: r.URL.String(), Signature: r.Header.Get("Signature")}
	if r.Body != nil {
		p.Body, _ = io.ReadAll(r.Body)
		json.Unmarshal(p.Body, &p)
	}
	n.mu.Lock()
	n.parcels = append(n.parcels, p)
	answer := n.answer
	n.mu.Unlock()
	res := status(http.StatusAccepted)
	if answer != nil {
		res = answer(r, p)
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return res, nil
}

func status(code int, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: code, Header: h, Body: io.NopCloser(bytes.NewReader(nil))}
}

// arrived empties the mail: "Type path-of-id → inbox" of each, in order.
func (n *network) arrived() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []string
	for _, p := range n.parcels {
		if bytes.Contains(p.Body, []byte("city.example/log/")) {
			n.checkpoints = append(n.checkpoints, p)
			continue
		}
		all = append(all, p.Type+" "+strings.TrimPrefix(p.ID, "https://city.example")+" → "+strings.TrimPrefix(p.Inbox, "https://"))
	}
	n.parcels = nil
	return all
}

func (c *city) pending(t testing.TB) (int, time.Time) {
	t.Helper()
	n, next, err := c.db.PendingDeliveries(context.Background())
	must(t, err)
	return n, next
}
