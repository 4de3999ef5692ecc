package simulation

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// FediverseConfig describes a fediverse for a demo.
type FediverseConfig struct {
	// Node is the base URL of the node, such as "http://localhost:8080".
	Node string
	// Channels are handles ("@name" or "@name@host") or actor URLs.
	Channels []string
	Accounts int           // 200 if zero, spread over the servers
	Kinds    []Kind        // one server each; nil: two Mastodons and one of each other kind
	Pace     time.Duration // mean time between two actions, 350 ms if zero
	Seed     int64         // of preferences and of the order of events
	KeyPool  int           // see Config.KeyPool, per server
	CodeWord string        // what some voters send to a channel in private, to ask for the code of their vote; "": none does
	Now      func() time.Time
	// Progress hears of every action when it is over. It is called from
	// several goroutines.
	Progress func(Event)
}

// Event is one action of the crowd and how it went.
type Event struct {
	At      time.Time
	Server  string // host of the acting account's server, port included
	Kind    Kind
	Account string // handle
	Action  string // "follow", "vote", "reply", "answer", "edit", "delete", "like", "boost", "message", "ask", "flag", "discover"
	Object  string // id of what it was about
	Err     error  // nil when the node accepted it
}

// Counters counts what the crowd has done.
type Counters struct {
	Follows, Votes, Replies int // accepted by the node; an edit is no reply
	Other                   int // likes, boosts, edits, deletes, messages, reports
	Refused                 int // answered with an error, or not at all
}

// String writes the counters in one line for people.
func (c Counters) String() string {
	return fmt.Sprintf("%d follows, %d votes, %d replies, %d other, %d refused", c.Follows, c.Votes, c.Replies, c.Other, c.Refused)
}

// Fediverse is a set of servers on loopback ports with a crowd on them.
type Fediverse struct {
	Servers []*Server

	config FediverseConfig
	now    func() time.Time
	stops  []func() error
	done   chan struct{}
	wg     sync.WaitGroup

	mu            sync.Mutex
	random        *rand.Rand
	counters      Counters
	citizens      []*citizen
	consultations []*consultation
	replies       []string // ids of replies by the crowd
	flagged, sent bool
	asked         int // for the code
}

// Start listens on free ports of 127.0.0.1 under names such as
// mastodon.localhost:41234, finds the channels and their consultations by
// WebFinger, outbox and featured, and lets the crowd act until ctx ends. It
// returns at once; discovery is tried again every second while the node does
// not answer, and every minute after that. Wait tells when all is over.
func Start(ctx context.Context, c FediverseConfig) (*Fediverse, error) {
	if len(c.Channels) == 0 {
		return nil, errors.New("start fediverse: no channels: name at least one handle or actor URL")
	}
	if c.Accounts <= 0 {
		c.Accounts = 200
	}
	if c.Pace <= 0 {
		c.Pace = 350 * time.Millisecond
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if len(c.Kinds) == 0 {
		c.Kinds = []Kind{Mastodon, GoToSocial, Misskey, Mastodon, Akkoma, Tootik}
	}
	f := &Fediverse{config: c, now: c.Now, done: make(chan struct{}),
		random: rand.New(rand.NewPCG(uint64(c.Seed), 0x696e7370))}
	client := LoopbackClient()
	for i, kind := range c.Kinds {
		if err := f.listen(i, kind, client); err != nil {
			f.stop()
			return nil, err
		}
	}
	for i, p := range people(c.Accounts) {
		a := f.Servers[i%len(f.Servers)].Account(p.handle)
		a.SetDisplayName(p.first + " " + p.family)
		a.SetLanguage(p.language)
		f.citizens = append(f.citizens, &citizen{account: a, language: p.language, group: i % 3,
			followed: map[string]bool{}, voted: map[string]bool{}, liked: map[string]bool{}})
	}
	go f.run(ctx)
	return f, nil
}

// listen starts one server.
func (f *Fediverse) listen(i int, kind Kind, client *http.Client) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("start fediverse: %w", err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	name := strings.ReplaceAll(string(kind), ".", "-")
	if n := slices.Index(f.config.Kinds, kind); n < i {
		name += fmt.Sprint(i)
	}
	s := NewServer(Config{Kind: kind, Base: "http://" + name + ".localhost:" + port, Client: client, Now: f.config.Now,
		Seed: f.config.Seed*100 + int64(i), KeyPool: f.config.KeyPool,
		Retry: []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}})
	f.Servers = append(f.Servers, s)
	f.stops = append(f.stops, serve(l, s))
	return nil
}

// Wait blocks until the crowd has stopped and the ports are closed, which is
// soon after the context given to Start ends.
func (f *Fediverse) Wait() { <-f.done }

// Counters returns the counters so far.
func (f *Fediverse) Counters() Counters {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counters
}

// Consultations returns the ids of the consultations found.
func (f *Fediverse) Consultations() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var ids []string
	for _, c := range f.consultations {
		ids = append(ids, c.id)
	}
	return ids
}

// run lets things happen until ctx ends.
func (f *Fediverse) run(ctx context.Context) {
	defer close(f.done)
	defer f.stop()
	defer f.wg.Wait()
	next := time.Duration(0)
	discover := f.now()
	busy := make(chan struct{}, 8)
	for wait(ctx.Done(), next) && ctx.Err() == nil {
		next = f.pause()
		if !f.now().Before(discover) {
			discover = f.now().Add(time.Minute)
			for _, s := range f.Servers {
				s.dropReceived() // a demo may run for days
			}
			if f.discover(ctx); len(f.Consultations()) == 0 {
				discover, next = f.now(), time.Second
				continue
			}
		}
		select {
		case busy <- struct{}{}:
		default:
			continue // the node is slow; do not pile up
		}
		f.wg.Add(1)
		go func() {
			defer f.wg.Done()
			defer func() { <-busy }()
			f.act(ctx)
		}()
	}
}

// pause returns the time to the next action: the pace, give or take half.
func (f *Fediverse) pause() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.config.Pace/2 + time.Duration(f.random.Int64N(int64(f.config.Pace)+1))
}

// stop closes all ports.
func (f *Fediverse) stop() {
	for _, stop := range f.stops {
		_ = stop()
	}
}

// discover looks the channels up from the first server's scout and reads their
// outboxes and pins.
func (f *Fediverse) discover(ctx context.Context) {
	scout := f.citizens[0].account
	for _, channel := range f.config.Channels {
		owner, err := f.find(ctx, scout, channel)
		if err != nil {
			f.over(scout, "discover", channel, err)
			continue
		}
		s := scout.server
		s.mu.Lock()
		who := s.actors[owner]
		s.mu.Unlock()
		ids := scout.Collection(ctx, who.pins)
		ids = appendOnce(ids, scout.Collection(ctx, who.outbox)...)
		for _, id := range ids {
			if hostOf(id) == hostOf(owner) {
				f.consider(ctx, scout, owner, id)
			}
		}
	}
}

// find returns the actor id of a channel given as handle or URL.
func (f *Fediverse) find(ctx context.Context, scout *Account, channel string) (string, error) {
	if strings.HasPrefix(channel, "http://") || strings.HasPrefix(channel, "https://") {
		return scout.SearchURL(ctx, channel)
	}
	if !strings.Contains(strings.TrimPrefix(channel, "@"), "@") {
		channel += "@" + hostOf(f.config.Node)
	}
	return scout.SearchHandle(ctx, channel)
}

// consider takes a post of a channel up as a consultation: a Question, or a
// Note that starts a thread on one of the topics.
func (f *Fediverse) consider(ctx context.Context, scout *Account, owner, id string) {
	if slices.Contains(f.Consultations(), id) {
		return
	}
	n, err := scout.need(ctx, id)
	if err != nil || n.InReplyTo != "" || n.Author != owner {
		return
	}
	about := n.URL + " " + plainText(n.Content)
	t := topicFor(topics(), n.Language, about)
	if n.Type != "Question" && t.keywords == nil {
		return
	}
	c := &consultation{id: id, owner: owner, topic: t}
	if p, ok := scout.server.Poll(id); ok {
		c.multiple, c.end = p.Multiple, p.EndTime
		for _, o := range p.Options {
			c.options = append(c.options, o.Name)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	// Three leanings among the crowd, each with its own taste.
	for range 3 {
		taste := make([]float64, len(c.options))
		for i := range taste {
			taste[i] = f.random.ExpFloat64() + 0.15
		}
		c.tastes = append(c.tastes, taste)
	}
	c.unsaid = f.random.Perm(len(t.replies))
	f.consultations = append(f.consultations, c)
}

// over counts and reports an action.
func (f *Fediverse) over(a *Account, action, object string, err error) {
	f.mu.Lock()
	switch {
	case err != nil && action == "discover":
	case err != nil:
		f.counters.Refused++
	case action == "follow":
		f.counters.Follows++
	case action == "vote":
		f.counters.Votes++
	case action == "reply" || action == "answer":
		f.counters.Replies++
	default:
		f.counters.Other++
	}
	f.mu.Unlock()
	if f.config.Progress != nil {
		f.config.Progress(Event{At: f.now(), Server: a.server.host, Kind: a.server.kind, Account: a.Handle(), Action: action, Object: object, Err: err})
	}
}
