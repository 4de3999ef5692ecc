package activitypub

import (
	"crypto/rsa"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"inspraak/activitypub/signature"
	"inspraak/participation"
)

// InstanceKey is the name under which the instance actor's key is kept. No
// channel can have it.
const InstanceKey = "instance-actor"

// ActorKeys keeps the private keys of our actors, by channel name or
// InstanceKey. Keys are made once and never replaced: GoToSocial refuses an
// actor whose key has changed.
type ActorKeys interface {
	ActorKey(name string) (*rsa.PrivateKey, error)
}

// Config is what a Federation is made of. All fields but Direct are needed.
type Config struct {
	URLs    URLs
	Name    string // of the node, for NodeInfo and the instance actor
	Version string // of the program
	Store   Store
	Service *participation.Service
	Keys    ActorKeys
	Secrets participation.Keyring
	Client  *Client
	Direct  *Direct // nil: direct messages are not answered
	// Loopback accepts plain http and ports in peers' addresses, for a node
	// whose own name is a loopback name; the Client must agree.
	Loopback bool
	Log      *slog.Logger
	Now      func() time.Time
}

// Federation is the node on the fediverse. It implements Doors; its jobs are
// RetryWaiting, Project and Deliver. It is safe for concurrent use.
type Federation struct {
	Config
	peers     *peers
	deliverer *deliverer
	counters  *counters
	talks     *talks
	homes     *homes
	channels  sync.Map // names of channels seen, to true
}

var _ Doors = (*Federation)(nil)

// New makes a Federation. It starts nothing: the caller runs the jobs.
func New(c Config) *Federation {
	f := &Federation{Config: c, counters: newCounters(), talks: newTalks(), homes: newHomes()}
	f.peers = newPeers(f)
	f.deliverer = newDeliverer(f)
	return f
}

// signer signs requests as one of our actors, in the form a peer understands.
func (f *Federation) signer(name string, body []byte, form signature.Form) func(*http.Request) error {
	return func(r *http.Request) error {
		key, err := f.Keys.ActorKey(name)
		if err != nil {
			return fmt.Errorf("sign as %s: %w", name, err)
		}
		actor := f.URLs.InstanceActor()
		if name != InstanceKey {
			actor = f.URLs.Actor(name)
		}
		return signature.Sign(r, body, KeyID(actor), key, form, f.Now())
	}
}
