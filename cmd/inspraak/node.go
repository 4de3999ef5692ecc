package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/acme/autocert"
	"golang.org/x/sync/errgroup"

	"inspraak/activitypub"
	"inspraak/handlers"
	"inspraak/participation"
	"inspraak/participation/markup"
	"inspraak/store"
)

// Node is the whole program, wired: database, keys, domain, federation and
// pages. Tests start the same Node that `serve` does.
type Node struct {
	Service    *participation.Service
	Federation *activitypub.Federation
	Handler    http.Handler // what the public reaches
	Watch      http.Handler // metrics and health, for those who look after the node
	DB         *store.DB
	Keys       *store.Keys

	config         Config
	client         *activitypub.Client
	log            *slog.Logger
	now            func() time.Time
	certificates   *autocert.Manager // nil: a proxy does TLS
	plainPort      string            // where browsers without TLS are sent on
	acceptRollback bool
	wake           chan struct{} // there may be something to deliver
	beating        sync.Mutex
	recounts       recounts
	requests       *requestTimes
	stopping       atomic.Bool
	retained       time.Time // when retention was last done
}

// Surroundings are what a Node takes from outside: the clock, and for tests
// the network.
type Surroundings struct {
	Log       *slog.Logger
	Now       func() time.Time
	Transport http.RoundTripper // nil: the guarded client on the real network
	RootCAs   *x509.CertPool    // nil: the certificate authorities of the system
	ACME      string            // directory of the authority that gives certificates; "": Let's Encrypt
	PlainPort string            // "": 80
	// AcceptRollback lets Run begin with a database that is older than what the
	// node has run with, or another.
	AcceptRollback bool
}

// OpenNode opens what `init` has made. It starts no job and listens nowhere.
func OpenNode(ctx context.Context, c Config, s Surroundings) (_ *Node, err error) {
	n := &Node{config: c, log: s.Log, now: s.Now, acceptRollback: s.AcceptRollback,
		certificates: c.certificates(s.ACME), plainPort: cmp.Or(s.PlainPort, "80"),
		wake: make(chan struct{}, 1), requests: newRequestTimes()}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	if n.Keys, err = store.OpenKeys(c.Keys, false); err != nil {
		return nil, err
	}
	if n.DB, err = store.Open(ctx, c.Database(), s.Log); err != nil {
		return nil, err
	}
	n.client = activitypub.NewClient(activitypub.ClientConfig{
		UserAgent: fmt.Sprintf("inspraak/%s (+%s)", version(), c.URLs.Base),
		Loopback:  c.Loopback,
		Transport: s.Transport,
		RootCAs:   s.RootCAs,
	})
	n.Service = participation.New(n.DB, n.Keys, c.URLs.Site(), s.Now)
	site, err := c.site()
	if err != nil {
		return nil, err
	}
	commands := participation.Commands(c.Commands)
	n.Federation = activitypub.New(activitypub.Config{
		URLs: c.URLs, Name: c.Name, Version: version(), Store: n.DB, Service: n.Service, Keys: n.Keys,
		Secrets: n.Keys, Client: n.client, Loopback: c.Loopback, Log: s.Log, Now: s.Now,
		Direct: &activitypub.Direct{Commands: commands, Contact: c.Contact, Say: site.Text},
	})
	about, err := rendered(c.About)
	if err != nil {
		return nil, err
	}
	other, err := rendered(c.OtherWays)
	if err != nil {
		return nil, err
	}
	privacy, err := rendered(c.Privacy)
	if err != nil {
		return nil, err
	}
	n.Handler = handlers.New(handlers.Config{
		Service: n.Service, Doors: n.Federation, URLs: c.URLs, Site: site, Log: s.Log, Now: s.Now,
		Name: c.Name, About: about, OtherWays: other, Contact: c.Contact, OrganisationURI: c.OrganisationURI,
		Privacy: privacy, Accessibility: c.Accessibility.page(),
		SecurityContact: c.SecurityContact, SecurityPolicy: c.SecurityPolicy, RelMe: c.RelMe,
		DataWords:      commandWords(commands, participation.AskMyData, site.Languages()),
		CodeWords:      commandWords(commands, participation.AskCode, site.Languages()),
		TrustedProxies: c.TrustedProxies, MediaDir: c.Media, RequestsPerSecond: c.RequestsPerSec,
		BeingChecked: n.recounts.isPending,
		UnderReview:  n.underReview,
		Observe:      n.requests.observe,
	})
	registry, err := newRegistry(n)
	if err != nil {
		return nil, err
	}
	n.Watch = n.watch(registry)
	return n, nil
}

// commandWords is what to send for a command, by language.
func commandWords(c participation.Commands, command participation.Command, languages []string) map[string]string {
	words := map[string]string{}
	for _, l := range languages {
		words[l] = c.Example(command, l)
	}
	return words
}

// underReview tells whether a consultation cannot be counted, or does not add up
// to what was published.
func (n *Node) underReview(consultation string) bool {
	return n.sealed(consultation) || n.Service.UnderReview(consultation)
}

// sealed tells whether a consultation cannot be counted for lack of its key, as
// after a restore without it. One whose key was destroyed need not be.
func (n *Node) sealed(consultation string) bool {
	if _, err := n.Keys.Secret(consultation); !errors.Is(err, participation.ErrSealed) {
		return false
	}
	c, err := n.Service.Consultation(context.Background(), consultation)
	return err != nil || !c.Destroyed()
}

func rendered(t Texts) (map[string]string, error) {
	html := map[string]string{}
	for tag, text := range t.ByLanguage() {
		safe, err := markup.Markdown(text)
		if err != nil {
			return nil, fmt.Errorf("configuration: text in %s: %w", tag, err)
		}
		html[tag] = safe
	}
	return html, nil
}

// Close lets the writer finish what it has begun and closes the files.
func (n *Node) Close() error {
	if n.client != nil {
		n.client.Close()
	}
	if n.DB != nil {
		return n.DB.Close()
	}
	return nil
}

// stopGrace is how long requests under way may take when the node stops. What
// takes longer waits for its client, and would be cut by a timeout anyway.
const stopGrace = 5 * time.Second

// Run listens and runs the jobs until ctx ends, then stops in order: no new
// requests, those under way are answered within stopGrace, jobs end, nothing
// acknowledged is lost; who watches is told so to the end. It logs what a job
// could not do and lets it try again; only the wrong database or a listener that
// fails ends the node.
func (n *Node) Run(ctx context.Context) error {
	if err := n.begin(ctx); err != nil {
		return err
	}
	public, err := n.listen(ctx)
	if err != nil {
		return err
	}
	unwatch, err := n.startWatch(ctx)
	if err != nil {
		return errors.Join(err, public.Close())
	}
	context.AfterFunc(ctx, func() { n.stopping.Store(true) })
	group, ctx := errgroup.WithContext(ctx)
	for _, l := range public {
		group.Go(l.serve)
		group.Go(func() error {
			<-ctx.Done()
			grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
			defer cancel()
			if err := l.server.Shutdown(grace); !errors.Is(err, context.DeadlineExceeded) {
				return err
			}
			n.log.Warn("requests that had not arrived in time were cut off", "after", stopGrace)
			return l.server.Close()
		})
	}
	for _, job := range n.jobs() {
		group.Go(func() error { n.repeat(ctx, job); return nil })
	}
	group.Go(func() error { n.repeat(ctx, job{"memory", 2 * time.Minute, n.returnMemory}); return nil })
	group.Go(func() error { return n.Federation.RunDelivery(ctx, n.wake) })
	err = group.Wait()
	if _, late := n.heartbeat(context.WithoutCancel(ctx)); late != nil {
		n.log.Error("no last sign of life could be kept", "error", late)
	}
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, unwatch())
}

// A job is done every so often, until the node stops.
type job struct {
	name  string
	every time.Duration
	do    func(context.Context) (worked bool, err error)
}

func (n *Node) jobs() []job {
	return []job{
		{"heartbeat", beatEvery, n.heartbeat},
		{"clock", time.Second, n.moveClock},
		{"recount", time.Second, n.recount},
		{"dataset", time.Second, func(ctx context.Context) (bool, error) {
			frozen, err := n.Service.FreezeDue(ctx, n.config.Name)
			return frozen > 0, err
		}},
		{"checkpoints", time.Minute, func(ctx context.Context) (bool, error) {
			posted, err := n.Service.PostCheckpoints(ctx)
			return posted > 0, err
		}},
		{"publish", 500 * time.Millisecond, n.publish},
		{"retention", time.Hour, n.retain},
		{"waiting room", 15 * time.Second, func(ctx context.Context) (bool, error) {
			settled, err := n.Federation.RetryWaiting(ctx)
			return settled > 0, err
		}},
	}
}

func (n *Node) repeat(ctx context.Context, j job) {
	tick := time.NewTicker(j.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if _, err := j.do(ctx); err != nil && ctx.Err() == nil {
				n.log.Error("job failed, it will try again", "job", j.name, "error", err)
			}
		}
	}
}

// moveClock opens what is due, closes what is due, and counts what has changed.
func (n *Node) moveClock(ctx context.Context) (worked bool, err error) {
	if err := n.catchUp(ctx); err != nil {
		return false, err
	}
	opened, err := n.Service.OpenDue(ctx)
	if err != nil {
		return false, err
	}
	due, err := n.Service.ToClose(ctx)
	if err != nil {
		return false, err
	}
	var failed error
	closed := 0
	for _, c := range due {
		if c.Kind.HasOptions() && n.underReview(c.ID) {
			continue // the page and `check` say so; it closes when its key is back, or the trouble mended
		}
		closed++
		_, err := n.close(ctx, c, "")
		failed = errors.Join(failed, err)
	}
	counted, err := n.Service.CountDue(ctx)
	return opened+closed+counted > 0, errors.Join(failed, err)
}

// close tries every waiting vote once more, then ends the voting; with a reason
// also before its time. Votes are thrown away only when it has closed.
func (n *Node) close(ctx context.Context, c participation.Consultation, reason string) (participation.Result, error) {
	unverified, err := n.Federation.FlushWaiting(ctx, c.ID)
	if err != nil {
		return participation.Result{}, fmt.Errorf("close %s: %w", c.Slug, err)
	}
	r, err := n.Service.Close(ctx, c.ID, reason, unverified)
	if err != nil {
		return r, err
	}
	return r, n.Federation.ClearWaiting(ctx, c.ID)
}

// publish turns events into activities and wakes the deliverer.
func (n *Node) publish(ctx context.Context) (worked bool, err error) {
	for {
		projected, err := n.Federation.Project(ctx)
		if err != nil || projected == 0 {
			return worked, err
		}
		worked = true
		select {
		case n.wake <- struct{}{}:
		default:
		}
	}
}

// Step does every job once, deliveries included, and tells whether any had
// work: tests call it until the node is quiet.
func (n *Node) Step(ctx context.Context) (worked bool, err error) {
	for _, j := range n.jobs() {
		did, err := j.do(ctx)
		if err != nil {
			return false, fmt.Errorf("%s: %w", j.name, err)
		}
		worked = worked || did
	}
	delivered, err := n.Federation.Deliver(ctx)
	return worked || delivered > 0, err
}

// returnMemory gives the system back what a burst of votes took and nobody
// needs any more. By itself the runtime would keep most of it while all is quiet.
func (n *Node) returnMemory(ctx context.Context) (worked bool, err error) {
	err = n.DB.ReturnMemory(ctx)
	debug.FreeOSMemory()
	return false, err
}

// paceGC trades memory that a small server has for time: the heap may grow to
// five times what is live, and the collector works harder near 64 MiB. SQLite's
// memory comes on top. The
// environment's GOGC and GOMEMLIMIT (package runtime) go before.
func paceGC() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(64 << 20)
	}
}

// runServe runs the node of a configuration until ctx ends.
func runServe(ctx context.Context, c Config, acceptRollback bool, log *slog.Logger) error {
	paceGC()
	if c.Loopback {
		log.Warn("loopback is on: plain HTTP and loopback peers are accepted. Never do this on a server that others reach.")
	}
	n, err := OpenNode(ctx, c, Surroundings{Log: log, Now: time.Now, AcceptRollback: acceptRollback})
	if err != nil {
		return err
	}
	log.Info("serving", "address", c.URLs.Base, "listen", c.Listen, "database", c.Database(), "pid", os.Getpid())
	err = n.Run(ctx)
	return errors.Join(err, n.Close())
}
