package simulation

import (
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Config describes one server.
type Config struct {
	Kind Kind
	// Base is scheme and authority without a slash at the end, such as
	// "http://mastodon.localhost:4001" or "https://m1.example".
	Base string
	// Client sends every request; nil means LoopbackClient. Redirects are
	// followed by the server itself, signing again, at most three times.
	Client *http.Client
	// Now is the clock, time.Now if nil.
	Now func() time.Time
	// Seed makes ids repeatable; two servers with one Base should differ in it.
	Seed int64
	// KeyPool, if positive, lets all accounts share that many RSA keys. By
	// default every account has a key of its own, made when first needed.
	KeyPool int
	// Keys, if given, are the keys that all accounts share: see NewKeys.
	Keys []*rsa.PrivateKey
	// Retry lists the waits between attempts of a failed delivery; nil means
	// one attempt. What is worth a retry is for the kind to say.
	Retry []time.Duration
	// Scheme signs all deliveries of this server; the zero value is draft-cavage.
	Scheme Scheme
	// NumericIDs gives Mastodon accounts ids like /ap/users/1139…, as Mastodon
	// 4.6 does for new accounts.
	NumericIDs bool
}

// Server is one simulated server. It is an http.Handler and safe for
// concurrent use.
type Server struct {
	kind   Kind
	traits traits
	base   string
	scheme string
	host   string
	client *http.Client
	now    func() time.Time
	retry  []time.Duration
	config Config
	order  keyedMutex

	mu            sync.Mutex
	serial        int64
	accounts      map[string]*Account // by name
	byID          map[string]*Account
	instance      *Account
	pool          []*rsa.PrivateKey
	routes        map[string]http.HandlerFunc // by path
	overrides     map[string]Override         // by path
	notes         map[string]*Note            // by id, own and foreign
	polls         map[string]*poll            // by id of the Question, foreign
	follows       map[follow]*followState     // own accounts following
	followers     map[string]map[string]bool  // own account id → actor ids
	actors        map[string]remoteActor      // by id
	keys          map[string]publicKey        // by keyId
	seen          map[string][32]byte         // activity id → hash of its body
	received      []Received
	problems      []string
	notifications map[string][]Notification // by account name
	quotes        map[string]bool           // quoting note id → approved
	fault         Fault
}

// follow is one following relation of an account of ours.
type follow struct{ account, actor string }

// followState is what is known of a follow.
type followState struct {
	id       string // of the Follow activity
	accepted bool
}

// Received is one delivery to an inbox of the server.
type Received struct {
	At     time.Time
	Path   string
	Header http.Header
	Body   []byte
	Type   string // of the activity, "" if it could not be read
	ID     string // of the activity
	Object string // id of its object
	Status int    // what was answered
	Effect string // what the server did, in words
}

// Notification is what a user of the server would see.
type Notification struct {
	At     time.Time
	Type   string // "mention", "poll", "follow", "follow accepted", "favourite", "reblog", "quote accepted"
	Actor  string
	Object string
}

// Fault makes a server misbehave.
type Fault struct {
	KeyDelay    time.Duration // before an actor or key document is served
	KeyStatus   int           // in place of an actor or key document
	InboxStatus int           // in place of handling a delivery
	InboxDelay  time.Duration // before a delivery is handled
	RetryAfter  time.Duration // Retry-After header with InboxStatus or KeyStatus
	Hang        bool          // inboxes and keys never answer
}

// Override is a document served in place of the server's own.
type Override struct {
	Status      int // 200 if zero
	ContentType string
	Header      http.Header
	Body        []byte
}

// NewServer makes a server with an instance actor and no accounts. It listens
// nowhere: see Listen and Network.
func NewServer(c Config) *Server {
	if c.Client == nil {
		c.Client = LoopbackClient()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	client := *c.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	s := &Server{
		kind: c.Kind, traits: c.Kind.traits(), base: strings.TrimSuffix(c.Base, "/"), scheme: "https",
		client: &client, now: c.Now, retry: c.Retry, config: c,
		accounts: map[string]*Account{}, byID: map[string]*Account{},
		routes: map[string]http.HandlerFunc{}, overrides: map[string]Override{},
		notes: map[string]*Note{}, polls: map[string]*poll{},
		follows: map[follow]*followState{}, followers: map[string]map[string]bool{},
		actors: map[string]remoteActor{}, keys: map[string]publicKey{}, seen: map[string][32]byte{},
		notifications: map[string][]Notification{}, quotes: map[string]bool{},
	}
	if len(c.Keys) > 0 {
		s.pool, s.config.KeyPool = c.Keys, len(c.Keys)
	}
	if u, err := url.Parse(s.base); err == nil {
		s.scheme, s.host = u.Scheme, u.Host
	}
	s.serveWellKnown()
	s.servePages()
	s.mu.Lock()
	s.instance = s.newInstanceActor()
	s.mu.Unlock()
	return s
}

// Kind returns the kind of the server.
func (s *Server) Kind() Kind { return s.kind }

// Base returns scheme and authority, without a slash at the end.
func (s *Server) Base() string { return s.base }

// Host returns the authority, port included.
func (s *Server) Host() string { return s.host }

// Received returns all deliveries so far, oldest first, refused ones included.
func (s *Server) Received() []Received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Received(nil), s.received...)
}

// Problems returns everything in the documents, headers and activities of
// others that this kind of server would refuse or mangle, each once, in the
// order in which it was met.
func (s *Server) Problems() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.problems...)
}

// Forget drops what Received and Problems report so far.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.received, s.problems = nil, nil
}

// dropReceived drops what Received reports so far, and keeps the problems.
func (s *Server) dropReceived() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.received = nil
}

// SetFault makes the server misbehave from now on; the zero Fault heals it.
func (s *Server) SetFault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// SetDocument serves o at path in place of the server's own document. Only
// GET is affected.
func (s *Server) SetDocument(path string, o Override) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.overrides[path] = o
}

// Notifications returns what the named account would have been notified of.
// The end of a poll is announced as the kind does: Mastodon five minutes after
// the end by its own clock, Misskey and Akkoma at the end by their own clock,
// GoToSocial only when an Update carried closed.
func (s *Server) Notifications(account string) []Notification {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endPolls()
	return append([]Notification(nil), s.notifications[account]...)
}

// Following reports whether the named account follows the actor, which means
// that the actor's Accept arrived and was understood.
func (s *Server) Following(account, actor string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[account]
	if a == nil {
		return false
	}
	f := s.follows[follow{a.id, actor}]
	return f != nil && f.accepted
}

// QuoteApproved reports whether the author of the quoted object approved the
// quoting note with a stamp that could be fetched and fits.
func (s *Server) QuoteApproved(note string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.quotes[note]
}

// problem records a problem once. The caller holds s.mu.
func (s *Server) problem(format string, args ...any) {
	p := fmt.Sprintf(format, args...)
	for _, known := range s.problems {
		if known == p {
			return
		}
	}
	s.problems = append(s.problems, p)
}

// report records problems found without the lock.
func (s *Server) report(problems ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range problems {
		s.problem("%s", p)
	}
}

// notify adds a notification. The caller holds s.mu.
func (s *Server) notify(account *Account, kind, actor, object string) {
	s.notifications[account.name] = append(s.notifications[account.name],
		Notification{At: s.now(), Type: kind, Actor: actor, Object: object})
}

// newID makes an id in the manner of the kind: a snowflake, a ULID, an aid or
// a UUID. The caller holds s.mu.
func (s *Server) newID() string {
	s.serial++
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %d", s.config.Seed, s.serial))
	x := hex.EncodeToString(sum[:])
	switch s.kind {
	case GoToSocial, GoToSocialOld:
		return fmt.Sprintf("01M8%06X", s.serial) + strings.ToUpper(x[:16])
	case Misskey:
		return fmt.Sprintf("a%05x", s.serial) + x[:10]
	case Akkoma, Tootik:
		return x[:8] + "-" + x[8:12] + "-4" + x[13:16] + "-a" + x[17:20] + "-" + x[20:32]
	}
	return fmt.Sprintf("113%06d%09d", s.serial, int(sum[0])<<16|int(sum[1])<<8|int(sum[2]))
}

// stamp writes the current time as the kind does.
func (s *Server) stamp() string { return s.now().UTC().Format(s.traits.stamp) }

// sinceSecond drops the fraction of t.
func sinceSecond(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// keyedMutex serialises the deliveries that concern one object, so that an
// edit never overtakes the reply it edits.
type keyedMutex struct {
	mu    sync.Mutex
	locks map[string]*countedLock
}

type countedLock struct {
	sync.Mutex
	users int
}

// lock waits for the key and returns what releases it.
func (k *keyedMutex) lock(key string) func() {
	k.mu.Lock()
	if k.locks == nil {
		k.locks = map[string]*countedLock{}
	}
	l := k.locks[key]
	if l == nil {
		l = &countedLock{}
		k.locks[key] = l
	}
	l.users++
	k.mu.Unlock()
	l.Lock()
	return func() {
		l.Unlock()
		k.mu.Lock()
		if l.users--; l.users == 0 {
			delete(k.locks, key)
		}
		k.mu.Unlock()
	}
}
