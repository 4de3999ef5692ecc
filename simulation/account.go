package simulation

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Account is an account on a simulated server, or its instance actor.
type Account struct {
	server   *Server
	name     string
	id       string
	path     string // of the actor document
	inbox    string
	kind     string // Person or Application
	number   int    // order of creation
	created  time.Time
	instance bool

	keyMu     sync.Mutex
	key       *rsa.PrivateKey
	servedPEM string // "" means the PEM of key

	// Guarded by server.mu.
	display     string
	alsoKnownAs []string
	movedTo     string
	gone        bool
	likes       map[string]sent   // by object id
	boosts      map[string]sent   // by object id
	blocks      map[string]sent   // by actor id
	votes       map[string][]mark // by Question id
	language    string            // of posts, "" is "en"
}

// sent is an activity that can be undone, and where it went.
type sent struct {
	activity object
	inboxes  []string
}

// mark is one vote cast: the option, the vote object, where it went and whose
// poll it is.
type mark struct {
	name, object, inbox, owner string
}

// Account returns the account with that name, made on first use. Names are
// taken as they are: lower-case letters, digits and underscores are safe.
func (s *Server) Account(name string) *Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accountLocked(name)
}

// accountLocked does the work of Account. The caller holds s.mu.
func (s *Server) accountLocked(name string) *Account {
	if a := s.accounts[name]; a != nil {
		return a
	}
	path := "/users/" + name
	switch {
	case s.kind == Misskey:
		path = "/users/" + s.newID()
	case s.kind == Tootik:
		path = "/user/" + name
	case s.kind == Mastodon && s.config.NumericIDs:
		path = "/ap/users/" + s.newID()
	}
	a := s.newAccount(name, path)
	// Believable ages, repeatable: from a month to some five years.
	a.created = sinceSecond(s.now()).Add(-time.Duration(30+(a.number*397)%1800) * 24 * time.Hour)
	s.accounts[name] = a
	s.routes[path] = s.serveActor(a)
	s.routes[path+"/outbox"] = s.serveCollection(a, "outbox")
	s.routes[path+"/following"] = s.serveCollection(a, "following")
	s.routes[a.followersPath()] = s.serveCollection(a, "followers")
	if s.kind.isGTS() {
		s.routes[path+"/main-key"] = s.serveStub(a)
	}
	return a
}

// newAccount makes the parts that people and instance actors share. The caller
// holds s.mu.
func (s *Server) newAccount(name, path string) *Account {
	a := &Account{server: s, name: name, display: name, path: path, id: s.base + path, kind: "Person",
		number: len(s.byID) + 1, created: sinceSecond(s.now()),
		likes: map[string]sent{}, boosts: map[string]sent{}, blocks: map[string]sent{}, votes: map[string][]mark{}}
	inbox := path + "/inbox"
	if s.kind == Tootik {
		inbox = "/inbox/" + name
	}
	a.inbox = s.base + inbox
	s.byID[a.id] = a
	s.routes[inbox] = s.serveInbox(a)
	return a
}

// newInstanceActor makes the actor that signs for the server itself. The
// caller holds s.mu.
func (s *Server) newInstanceActor() *Account {
	name, _, _ := strings.Cut(s.host, ":") // a port is no part of a user name
	path := "/actor"
	switch s.kind {
	case GoToSocial, GoToSocialOld:
		path = "/users/" + name
	case Misskey:
		name = "instance.actor"
		path = "/users/" + s.newID()
	case Akkoma:
		name, path = "internal.fetch", "/internal/fetch"
	case Tootik:
		name, path = "nobody", "/user/nobody"
	}
	a := s.newAccount(name, path)
	a.kind, a.instance = "Application", true
	if s.kind.isGTS() {
		a.kind = "Service"
		s.routes[path+"/main-key"] = s.serveStub(a)
	}
	s.routes[path] = s.serveActor(a)
	return a
}

// Name returns the local part of the handle.
func (a *Account) Name() string { return a.name }

// Handle returns "@name@host".
func (a *Account) Handle() string { return "@" + a.name + "@" + a.server.host }

// ID returns the actor's id.
func (a *Account) ID() string { return a.id }

// Inbox returns the URL of the personal inbox.
func (a *Account) Inbox() string { return a.inbox }

// Server returns the server of the account.
func (a *Account) Server() *Server { return a.server }

// KeyID returns the id of the public key: a fragment of the actor's id, or
// with GoToSocial a document of its own.
func (a *Account) KeyID() string {
	if a.server.kind.isGTS() {
		return a.id + "/main-key"
	}
	return a.id + "#main-key"
}

// SetDisplayName sets the name shown beside the handle.
func (a *Account) SetDisplayName(name string) {
	a.server.mu.Lock()
	defer a.server.mu.Unlock()
	a.display = name
}

// SetCreated sets when the account says it was made.
func (a *Account) SetCreated(t time.Time) {
	a.server.mu.Lock()
	defer a.server.mu.Unlock()
	a.created = sinceSecond(t)
}

// SetKey replaces the account's key, as a server that lost its keys would.
func (a *Account) SetKey(key *rsa.PrivateKey) {
	a.keyMu.Lock()
	defer a.keyMu.Unlock()
	a.key = key
}

// SetPublicKeyPEM serves any text as the account's public key.
func (a *Account) SetPublicKeyPEM(text string) {
	a.keyMu.Lock()
	defer a.keyMu.Unlock()
	a.servedPEM = text
}

// Document returns the actor document as it is served.
func (a *Account) Document() ([]byte, error) {
	doc, err := a.document()
	if err != nil {
		return nil, err
	}
	return encode(doc), nil
}

// privateKey returns the account's key, made on first use.
func (a *Account) privateKey() (*rsa.PrivateKey, error) {
	a.keyMu.Lock()
	defer a.keyMu.Unlock()
	if a.key != nil {
		return a.key, nil
	}
	key, err := a.server.newKey(a.number)
	if err != nil {
		return nil, err
	}
	a.key = key
	return key, nil
}

// NewKeys makes n RSA-2048 keys for Config.Keys, some 0.1 s of CPU each, so that
// many servers of a test need not make keys of their own.
func NewKeys(n int) ([]*rsa.PrivateKey, error) {
	keys := make([]*rsa.PrivateKey, n)
	for i := range keys {
		var err error
		if keys[i], err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			return nil, fmt.Errorf("make RSA key: %w", err)
		}
	}
	return keys, nil
}

// newKey makes an RSA-2048 key, or takes one from the pool.
func (s *Server) newKey(number int) (*rsa.PrivateKey, error) {
	if n := s.config.KeyPool; n > 0 {
		s.mu.Lock()
		if s.pool == nil {
			s.pool = make([]*rsa.PrivateKey, n)
		}
		key := s.pool[number%n]
		s.mu.Unlock()
		if key != nil {
			return key, nil
		}
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("make RSA key: %w", err)
	}
	if n := s.config.KeyPool; n > 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.pool[number%n] != nil {
			return s.pool[number%n], nil // another account was quicker
		}
		s.pool[number%n] = key
	}
	return key, nil
}

// publicKeyPEM returns the public key as served: SubjectPublicKeyInfo in PEM.
func (a *Account) publicKeyPEM() (string, error) {
	key, err := a.privateKey()
	if err != nil {
		return "", err
	}
	a.keyMu.Lock()
	defer a.keyMu.Unlock()
	if a.servedPEM != "" {
		return a.servedPEM, nil
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return "", fmt.Errorf("write public key: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), nil
}

// followersPath is the path of the followers collection.
func (a *Account) followersPath() string {
	if a.server.kind == Tootik {
		return "/followers/" + a.name
	}
	return a.path + "/followers"
}

// followersURL is the address of the account's followers.
func (a *Account) followersURL() string { return a.server.base + a.followersPath() }

// profileURL is the page of the account for people.
func (a *Account) profileURL() string {
	if a.server.kind == Akkoma || a.server.kind == Tootik {
		return a.id
	}
	return a.server.base + "/@" + a.name
}

// isGone reports whether the account has been deleted.
func (a *Account) isGone() bool {
	a.server.mu.Lock()
	defer a.server.mu.Unlock()
	return a.gone
}

var _ http.Handler = (*Server)(nil)
