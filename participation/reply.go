package participation

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"
)

// Visibility is whom the sender addressed. Only Public and Unlisted replies
// are kept at all; anything narrower is a private message to the municipality
// and leaves only a number.
type Visibility string

const (
	Public   Visibility = "public"
	Unlisted Visibility = "unlisted"
)

// Standing says whether a reply is shown.
type Standing string

const (
	Shown  Standing = "shown"
	Hidden Standing = "hidden" // by a moderator, with a reason
)

// Reply is a citizen's public message in a consultation's thread. Its words
// belong to its author, who may edit or delete it at any time.
type Reply struct {
	Number       int64  // small and internal: the store's own key, in order of arrival
	ID           string // address of the remote object
	Place        int64  // place of the event that added it: by this the log names it, which says nothing once it is deleted
	Consultation string // ID of the consultation
	Thread       int64  // number of its conversation, from 1 on in each consultation; SaveReply begins one for 0
	Parent       string // address of what it answers
	Author       Author
	HTML         string // made safe
	Language     string // BCP 47, "" unknown
	URL          string // page at the author's server, "" if it gave none of its own host
	Visibility   Visibility
	Standing     Standing
	Reason       string    // public reason if hidden
	HiddenAt     time.Time // zero while it is shown
	Published    time.Time
	Updated      time.Time // zero if never edited
	Received     time.Time
	Images       int // number of attachments, which are not shown here
}

// NumberedReply is a reply with the number of the one that it answers; 0 if it
// answers none that is here.
type NumberedReply struct {
	Reply
	Answers int64
}

func (r Reply) number() string { return strconv.FormatInt(r.Place, 10) }

// ShortID is a handy name for something whose own is an address, as the command
// line shows it: the first eight letters of the address's SHA-256, in hexadecimal.
// It stays the same for good.
func ShortID(address string) string {
	sum := sha256.Sum256([]byte(address))
	return hex.EncodeToString(sum[:4])
}

// Anchor names a reply on our own pages.
func (r Reply) Anchor() string { return "reply-" + strconv.FormatInt(r.Number, 10) }

// Author is how a remote account is shown beside its reply.
type Author struct {
	ID     string // canonical actor id
	Name   string // display name made safe, may be empty
	Handle string // user@host, host in punycode; the host alone where the user is no plain name
	URL    string // profile page
}

// PostKind is why the municipality wrote a post.
type PostKind string

const (
	Answer  PostKind = "answer"  // official answer to a reply, in the citizen's thread
	Notice  PostKind = "notice"  // message to all in the consultation's thread
	Erratum PostKind = "erratum" // correction that leaves the frozen text as it was
	Closing PostKind = "result"  // the result, posted at closing
	// CheckpointPost carries signed heads of logs, so that every follower's
	// server keeps a copy. It is unlisted. The daily one has no consultation.
	CheckpointPost PostKind = "checkpoint"
)

// Post is a message of the municipality in a consultation's thread.
type Post struct {
	ID           string // random, permanent; the object's address ends in it
	Consultation string
	Channel      string
	Kind         PostKind
	InReplyTo    string // address: of a reply for an answer, else of the consultation
	Mention      Author // whom an answer addresses; empty otherwise
	Source       string // Markdown
	HTML         string
	Language     string
	Published    time.Time
}

// Gesture is a public sign of attention for a consultation.
type Gesture string

const (
	Like  Gesture = "like"  // once per actor, whatever the emoji
	Boost Gesture = "boost" // an Announce
)

// GivenGesture is a gesture of one actor.
type GivenGesture struct {
	Consultation string // ID
	Gesture      Gesture
}

// Report is a complaint that another server's moderators sent (Flag).
type Report struct {
	ID         string // address of the Flag
	Server     string // host that sent it
	Text       string // plain text
	Objects    []string
	Received   time.Time
	ResolvedAt time.Time // zero while open
	Resolution string
}

// Block refuses everything from an account or a server and its subdomains.
type Block struct {
	Subject string // an actor id (https://…) or a host name in punycode
	Reason  string
	Created time.Time
}
