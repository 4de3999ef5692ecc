package activitypub

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Doors is what the outside may ask of the node's federation; handlers opens
// each under its route and adds nothing but HTTP.
type Doors interface {
	// Receive takes one POST to an inbox: the shared one if channel is "",
	// else that channel's. Nil means it is on disk (answer 202); a *Refusal
	// says what to answer instead; any other error is ours (answer 503).
	// The caller has limited and read the body.
	Receive(ctx context.Context, r *http.Request, body []byte, channel string) error
	// Document returns what ActivityStreams clients get at one of our paths:
	// /actor, /a/NAME…, /@NAME, /o/ID…, /consultations/SLUG….
	Document(ctx context.Context, path string, query url.Values) (Document, error)
	WebFinger(ctx context.Context, resource string) ([]byte, error) // JRD; ErrInvalid for no resource
	// Account is what is held of a remote account, apart from what it did in
	// consultations; Erase ends that, and all else that its deletion would.
	Account(ctx context.Context, actor string) (Account, error)
	Erase(ctx context.Context, actor string) error
	// Home finds the way to an object or account of ours on the server of somebody
	// who types a handle. The error is a *NoHome.
	Home(ctx context.Context, typed, object string, follow bool, source string) (Home, error)
	HostMeta() []byte // XRD
	NodeInfoLinks() []byte
	NodeInfo(ctx context.Context, version string) ([]byte, error) // "2.0" or "2.1"
}

// Document is an ActivityStreams document. Gone ones are Tombstones, answered
// with 410. Page is where a browser should be sent that asks for it.
type Document struct {
	Body []byte
	Gone bool
	Page string
}

// Account is what is held of a remote account.
type Account struct {
	Peer    Peer   // zero if it is not known
	Handle  string // as it is shown beside its replies
	Follows []Follower
	Quotes  int // of our posts
}

// Refusal is an answer other than 202, with what the sender's administrator
// may read. Nothing of a refused request is stored.
type Refusal struct {
	Status     int
	RetryAfter time.Duration // for 429 and 503
	Reason     string
}

func (r *Refusal) Error() string { return fmt.Sprintf("%d %s", r.Status, r.Reason) }

func refuse(status int, format string, args ...any) *Refusal {
	return &Refusal{Status: status, Reason: fmt.Sprintf(format, args...)}
}

func later(status int, after time.Duration, format string, args ...any) *Refusal {
	return &Refusal{Status: status, RetryAfter: after, Reason: fmt.Sprintf(format, args...)}
}
