package handlers_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"inspraak/activitypub"
	"inspraak/handlers"
	"inspraak/participation"
	"inspraak/store"
	"inspraak/web"
)

// site is the whole website over a real store in a temporary directory. Only
// the doors to the fediverse are a stand-in, which records what reaches it.
type site struct {
	http.Handler
	t       testing.TB
	service *participation.Service
	db      *store.DB
	keys    *store.Keys
	dir     string
	doors   *doors
	config  handlers.Config
	mu      sync.Mutex
	at      time.Time
}

func (s *site) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at
}

func (s *site) advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = s.at.Add(d)
}

// doors stands in for the room activitypub.
type doors struct {
	mu       sync.Mutex
	received []string // channel and body
	erased   []string // actors
	homes    []string // what was typed, for what, from where
	err      error    // what Receive answers
	document error    // what Document answers
	wait     chan struct{}
}

func (d *doors) Receive(_ context.Context, _ *http.Request, body []byte, channel string) error {
	d.mu.Lock()
	d.received = append(d.received, channel+" "+string(body))
	wait, err := d.wait, d.err
	d.mu.Unlock()
	if wait != nil {
		<-wait
	}
	return err
}

func (d *doors) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.received)
}

func (d *doors) Document(_ context.Context, path string, _ url.Values) (activitypub.Document, error) {
	switch {
	case d.document != nil:
		return activitypub.Document{}, d.document
	case strings.Contains(path, "missing"):
		return activitypub.Document{}, fmt.Errorf("document: %w", participation.ErrNotFound)
	case strings.Contains(path, "gone"):
		return activitypub.Document{Body: []byte(`{"type":"Tombstone"}`), Gone: true, Page: "https://inspraak.example/consultations/gone"}, nil
	case strings.Contains(path, "panic"):
		panic("a library gave up")
	}
	return activitypub.Document{Body: []byte(`{"id":"` + path + `"}`), Page: "https://inspraak.example/consultations/speeltuin"}, nil
}

func (d *doors) WebFinger(_ context.Context, resource string) ([]byte, error) {
	switch resource {
	case "":
		return nil, participation.ErrInvalid
	case "acct:gemeente@inspraak.example":
		return []byte(`{"subject":"` + resource + `"}`), nil
	}
	return nil, participation.ErrNotFound
}

func (d *doors) Account(_ context.Context, actor string) (activitypub.Account, error) {
	if !strings.Contains(actor, "/users/") {
		return activitypub.Account{Handle: "elders.example"}, nil
	}
	at := time.Date(2025, 5, 4, 23, 30, 0, 0, time.UTC)
	return activitypub.Account{Handle: "anna@elders.example", Quotes: 1,
		Follows: []activitypub.Follower{{Channel: "gemeente", Since: at}},
		Peer: activitypub.Peer{Actor: actor, Name: "Anna <b>", URL: "https://elders.example/@anna", Published: at, FetchedAt: at,
			AlsoKnownAs: []string{"https://oud.example/anna"}, Keys: []activitypub.PeerKey{{ID: actor + "#main-key", PEM: "pem"}}}}, nil
}

func (d *doors) Erase(_ context.Context, actor string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.erased = append(d.erased, actor)
	return d.err
}

// Home leads every account of a server to that server, and knows each way to
// fail by the name of one.
func (d *doors) Home(_ context.Context, typed, object string, follow bool, source string) (activitypub.Home, error) {
	d.mu.Lock()
	d.homes = append(d.homes, fmt.Sprint(typed, " ", object, " ", follow, " ", source))
	d.mu.Unlock()
	user, host, ok := strings.Cut(strings.TrimPrefix(typed, "@"), "@")
	h := activitypub.Home{Host: host, Base: "https://" + host + "/"}
	switch {
	case !ok:
		return activitypub.Home{}, &activitypub.NoHome{Why: activitypub.NoHandle}
	case host == "fails.example":
		return h, &activitypub.NoHome{Why: user, Host: host}
	case host != "gotosocial.example":
		h.URL = h.Base + "authorize_interaction?uri=" + url.QueryEscape(object)
	}
	return h, nil
}

func (d *doors) HostMeta() []byte      { return []byte("<XRD/>") }
func (d *doors) NodeInfoLinks() []byte { return []byte(`{"links":[]}`) }
func (d *doors) NodeInfo(_ context.Context, version string) ([]byte, error) {
	if version != "2.0" && version != "2.1" {
		return nil, participation.ErrNotFound
	}
	return []byte(`{"version":"` + version + `"}`), nil
}

func newSite(t testing.TB, change ...func(*handlers.Config)) *site {
	t.Helper()
	dir, log := t.TempDir(), slog.New(slog.NewTextHandler(io.Discard, nil))
	db, err := store.Open(t.Context(), filepath.Join(dir, "inspraak.db"), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	keys, err := store.OpenKeys(filepath.Join(dir, "keys"), true)
	if err != nil {
		t.Fatal(err)
	}
	pages, err := web.Load()
	if err != nil {
		t.Fatal(err)
	}
	urls, err := activitypub.NewURLs("https://inspraak.example")
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, db: db, keys: keys, dir: dir, doors: &doors{}, at: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	s.service = participation.New(db, keys, urls.Site(), s.now)
	s.config = handlers.Config{
		Service: s.service, Doors: s.doors, URLs: urls, Site: pages, Log: log, Now: s.now,
		Name: "Gemeente Voorbeeld", Contact: "inspraak@voorbeeld.example", MediaDir: filepath.Join(dir, "media"),
		About:     map[string]string{"nl": "<p>Wij zijn Voorbeeld.</p>", "en": "<p>We are Voorbeeld.</p>"},
		OtherWays: map[string]string{"nl": "<p>Bel 14 0123.</p>"}, RequestsPerSecond: 1000,
		CodeWords: map[string]string{"nl": "code", "en": "my code"},
	}
	if err := os.Mkdir(s.config.MediaDir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(&s.config)
	}
	s.Handler = handlers.New(s.config)
	s.ok(s.service.SaveChannel(t.Context(), participation.Channel{
		Name: "gemeente", Title: "Gemeente Voorbeeld", Summary: "Vragen van de gemeente.", Language: "nl",
		Fields: []participation.Field{{Name: "Website", Value: "https://voorbeeld.example"}, {Name: "Plaats", Value: "Voorbeeld"}},
	}, false))
	return s
}

func (s *site) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// publish publishes a single choice that is open for an hour; change may make
// it anything else.
func (s *site) publish(slug string, change ...func(*participation.Consultation)) participation.Consultation {
	s.t.Helper()
	c := s.draft(slug, change...)
	c, err := s.service.Publish(s.t.Context(), c.ID)
	s.ok(err)
	return c
}

func (s *site) draft(slug string, change ...func(*participation.Consultation)) participation.Consultation {
	s.t.Helper()
	c := participation.Consultation{
		Slug: slug, Channel: "gemeente", Kind: participation.SingleChoice, Language: "nl",
		Title: "Komt er een speeltuin?", Body: "Wij denken aan het park.", Options: []string{"Ja", "Nee"},
		Hashtags: []string{"Speeltuin"}, Results: participation.AtClose, Zone: "Europe/Amsterdam",
		OpensAt: s.now(), ClosesAt: s.now().Add(time.Hour),
		Terms: participation.Terms{
			Level: participation.Advise, Promise: "De raad leest alles.", DecidedBy: "De gemeenteraad",
			DecidedWhen: "In juni", NotOpen: "De plek staat vast.", Notice: "Een zienswijze dient u in bij de balie.",
			BatchSize: 1, Interval: time.Second, Grace: 3 * time.Minute,
		},
	}
	for _, f := range change {
		f(&c)
	}
	s.ok(c.Prepare())
	s.ok(s.service.Draft(s.t.Context(), &c))
	return c
}

// vote lets n accounts vote for an option. Each has a name of its own.
func (s *site) vote(c participation.Consultation, option string, n int) {
	s.t.Helper()
	for i := range n {
		s.cast(c, fmt.Sprintf("%s%d", option, i), option)
	}
	s.advance(5 * time.Second)
	_, err := s.service.CountDue(s.t.Context())
	s.ok(err)
}

// cast lets an account choose an option, or one more.
func (s *site) cast(c participation.Consultation, name, option string) {
	s.t.Helper()
	actor := "https://elders.example/users/" + url.PathEscape(name)
	_, err := s.service.CastVote(s.t.Context(), participation.Vote{
		Consultation: c.ID, Actor: actor, Host: "elders.example", Inbox: "https://elders.example/inbox",
		Marks:      []participation.Mark{{Object: actor + "/stem/" + c.Slug + "/" + url.PathEscape(option), Name: option}},
		ReceivedAt: s.now(),
	})
	s.ok(err)
}

func (s *site) close(c participation.Consultation) {
	s.t.Helper()
	if wait := c.Deadline().Sub(s.now()); wait > 0 {
		s.advance(wait + time.Second)
	}
	_, err := s.service.Close(s.t.Context(), c.ID, "", 0)
	s.ok(err)
}

// freeze publishes the datasets of what is closed.
func (s *site) freeze() {
	s.t.Helper()
	_, err := s.service.FreezeDue(s.t.Context(), s.config.Name)
	s.ok(err)
}

// receipt is the newest one of an account.
func (s *site) receipt(name string) participation.Receipt {
	s.t.Helper()
	all, err := s.service.Receipts(s.t.Context(), "https://elders.example/users/"+url.PathEscape(name))
	s.ok(err)
	if len(all) == 0 {
		s.t.Fatalf("%s has no receipt", name)
	}
	return all[0]
}

func (s *site) reply(c participation.Consultation, name, parent, html string) string {
	s.t.Helper()
	id := "https://elders.example/notes/" + name
	if parent == "" {
		parent = s.config.URLs.Object(c.ID)
	}
	s.advance(time.Second)
	s.ok(s.service.AddReply(s.t.Context(), participation.Reply{
		ID: id, Consultation: c.ID, Parent: parent, HTML: html, Language: "nl", URL: id, Published: s.now(),
		Visibility: participation.Public,
		Author:     participation.Author{ID: "https://elders.example/users/" + name, Name: name, Handle: name + "@elders.example"},
	}, true))
	return id
}

// get asks for an address; headers are pairs.
func (s *site) get(path string, headers ...string) *httptest.ResponseRecorder {
	return s.do(http.MethodGet, path, nil, headers...)
}

func (s *site) do(method, path string, body io.Reader, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, body)
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "From-Address" {
			r.RemoteAddr = headers[i+1] + ":1234"
			continue
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// page asks for a page and reads it.
func (s *site) page(path string, status int, headers ...string) *goquery.Document {
	s.t.Helper()
	w := s.get(path, headers...)
	if w.Code != status {
		s.t.Fatalf("GET %s: %d, want %d: %.200s", path, w.Code, status, w.Body)
	}
	d, err := goquery.NewDocumentFromReader(w.Body)
	s.ok(err)
	return d
}

func text(d *goquery.Document, selector string) string {
	return strings.Join(strings.Fields(d.Find(selector).Text()), " ")
}

var errDisk = errors.New("disk full at /var/lib/secret")
