package activitypub

import (
	"context"
	"time"
)

// Store is what federation needs kept. The room store implements it. Each
// method that writes is one transaction and durable when it returns nil.
// A single thing that is not there is participation.ErrNotFound, wrapped.
type Store interface {
	// Peers: what is known of remote actors.
	Peer(ctx context.Context, actor string) (Peer, error)
	PeerByKey(ctx context.Context, keyID string) (Peer, error)
	SavePeer(ctx context.Context, p Peer) error // insert or replace by Actor, keys included
	// HostForm and SaveHostForm remember that a host has shown RFC 9421.
	HostForm(ctx context.Context, host string) (rfc9421 bool, err error)
	SaveHostForm(ctx context.Context, host string, rfc9421 bool) error
	// KnownHost tells whether the host has a follower, or a known peer here.
	KnownHost(ctx context.Context, host string) (bool, error)

	// Followers of channels.
	SaveFollower(ctx context.Context, f Follower, accept Outgoing) error // insert or replace by (Channel, Actor); queues the Accept
	RemoveFollower(ctx context.Context, channel, actor string) error     // channel "" means all; no error if absent
	RemoveFollowersByInbox(ctx context.Context, inbox string) error      // by personal inbox, after 410
	// Undo removes whatever follow, like or boost of the actor has this id: some
	// servers undo by id alone.
	Undo(ctx context.Context, actor, id string) error
	Followers(ctx context.Context, channel string) (int, error)
	FollowerInboxes(ctx context.Context, channel string) ([]Recipient, error) // every follower
	// Attention lists where repliers (through their Peer) and boosters of a
	// consultation receive; ballots are not its business.
	Attention(ctx context.Context, consultation string) ([]Recipient, error)

	// Outgoing activities and their deliveries.
	Cursor(ctx context.Context) (int64, error)                                                                 // last event projected
	Enqueue(ctx context.Context, cursor int64, out []Outgoing) error                                           // stores all and moves the cursor; an activity id already there is skipped whole
	Activity(ctx context.Context, id string) ([]byte, error)                                                   // its JSON
	Activities(ctx context.Context, channel string, limit, offset int) (bodies [][]byte, total int, err error) // public ones, newest first
	DueHosts(ctx context.Context, now time.Time, limit int) ([]string, error)                                  // with a delivery due, longest waiting first
	// DueDeliveries returns deliveries of a host due by now, in order of
	// queueing, at most one per (inbox, object): a later activity about an
	// object never overtakes an earlier one on its way to the same inbox.
	DueDeliveries(ctx context.Context, host string, now time.Time, limit int) ([]Delivery, error)
	SettleDeliveries(ctx context.Context, done []Settled) error
	// PendingDeliveries counts what is queued, and tells when the next is due.
	PendingDeliveries(ctx context.Context) (n int, next time.Time, err error)

	// Help queues the help text for an account, by its keyed digest, unless it was
	// sent one within a day or too many others were; then sent is false.
	Help(ctx context.Context, account [16]byte, out Outgoing) (sent bool, err error)

	// What is held about an account, and its end: followers, quotes, peer and keys.
	FollowsOf(ctx context.Context, actor string) ([]Follower, error)
	QuotesOf(ctx context.Context, actor string) (int, error)
	ForgetAccount(ctx context.Context, actor string) error

	// The waiting room: requests whose signer's key could not be had yet.
	AddWaiting(ctx context.Context, w Waiting) (bool, error)                                          // false, without storing, if the room is full (MaxWaiting) ; same Digest twice is stored once
	DueWaiting(ctx context.Context, consultation string, now time.Time, limit int) ([]Waiting, error) // consultation "" means any
	PostponeWaiting(ctx context.Context, id int64, attempts int, next time.Time) error
	RemoveWaiting(ctx context.Context, id int64) error
	CountWaiting(ctx context.Context, consultation string) (int, error)

	// Quotes: stamps given to QuoteRequests (FEP-044f).
	SaveQuote(ctx context.Context, q Quote, accept Outgoing) error
	Quote(ctx context.Context, id string) (Quote, error)
}

// MaxWaiting bounds the waiting room; Reserved of it is kept for known hosts.
const (
	MaxWaiting      = 20000
	ReservedWaiting = 10000
)

// Peer is a remote actor as last fetched from its own server.
type Peer struct {
	Actor       string // canonical id: the `id` of its document
	Type        string
	Inbox       string
	SharedInbox string // "" if it has none
	Username    string
	Name        string // raw display name
	URL         string
	MovedTo     string
	AlsoKnownAs []string
	Published   time.Time
	Crowd       bool // first seen among many new accounts of its domain; saving it again changes nothing
	Keys        []PeerKey
	FetchedAt   time.Time
	Gone        bool // its server said 410
}

// PeerKey is a public key that a peer's document lists. Exactly one of PEM and
// Multibase is set.
type PeerKey struct {
	ID        string `json:"id"`
	PEM       string `json:"pem,omitempty"`
	Multibase string `json:"multibase,omitempty"`
}

// Follower follows one channel.
type Follower struct {
	Channel  string
	Actor    string
	FollowID string
	Inbox    string
	Shared   string // shared inbox, "" if none
	Since    time.Time
}

// Recipient is where one actor receives.
type Recipient struct {
	Actor  string
	Inbox  string
	Shared string
}

// Outgoing is an activity with the inboxes it goes to.
type Outgoing struct {
	ID      string
	Channel string // whose key signs
	Object  string // order is kept per (inbox, Object)
	Public  bool   // listed in the channel's outbox
	Count   bool   // new numbers: takes the place of older ones still held back for the same inbox
	Passing bool   // nothing of it is kept once its last delivery is settled
	// Sealed says that Body is what seal made of body and inbox, under the key of
	// the consultation Key, "" being the node's own. Whatever is sealed is Passing.
	Sealed  bool
	Key     string
	Body    []byte
	At      time.Time
	Inboxes []string // distinct
}

// Delivery is one Outgoing on its way to one inbox.
type Delivery struct {
	ID       int64
	Activity string
	Channel  string
	Object   string
	Inbox    string
	Host     string // host[:port] of Inbox
	Attempts int
	Queued   time.Time
	Sealed   bool
	Key      string
	Body     []byte
}

// Settled is what became of an attempt: Done removes the delivery, otherwise
// it is tried again at Next. Fallback replaces it by deliveries of the same
// activity to the personal inboxes of the followers that use this shared
// inbox, whose shared inbox is then forgotten.
type Settled struct {
	ID       int64
	Done     bool
	Fallback bool
	Attempts int
	Next     time.Time
}

// Waiting is a raw request, sealed, that waits for its signer's key.
type Waiting struct {
	ID           int64
	Digest       [16]byte // of the request, keyed: recognises a retry
	Consultation string   // ID whose key seals it; "" the node's own
	Host         string   // of the signer
	Known        bool     // host known before: may use the reserved part
	Sealed       []byte
	ReceivedAt   time.Time
	Attempts     int
	Next         time.Time
}

// Quote is permission to quote one of our objects (FEP-044f).
type Quote struct {
	ID         string // our random id; the stamp's address ends in it
	Object     string // our object's address
	Instrument string // the quoting post
	Actor      string
	Request    string // id of the QuoteRequest
}
