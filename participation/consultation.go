package participation

import (
	"fmt"
	"time"
)

// Kind says what a consultation asks.
type Kind string

// The three kinds. An open question is answered with replies only; it has no
// options and no ballots.
const (
	SingleChoice   Kind = "single-choice"
	MultipleChoice Kind = "multiple-choice"
	OpenQuestion   Kind = "open-question"
)

// HasOptions tells whether the kind is voted on.
func (k Kind) HasOptions() bool { return k == SingleChoice || k == MultipleChoice }

// Phase is where a consultation stands. The clock moves it from Scheduled to
// Open and from Open to Closed; it never moves back.
type Phase string

const (
	Draft     Phase = "draft"
	Scheduled Phase = "scheduled"
	Open      Phase = "open"
	Closed    Phase = "closed"
	Withdrawn Phase = "withdrawn"
)

// Visible tells whether the public may see a consultation in this phase.
// A withdrawn one is shown as withdrawn, with its reason.
func (p Phase) Visible() bool { return p != Draft }

// Disclosure says when the counts per option may be seen, by anybody, the
// municipality's own staff included.
type Disclosure string

const (
	// AtClose hides all counts per option until closing; turnout is shown.
	AtClose Disclosure = "at-close"
	// Live shows counts while voting, in steps of at least BatchSize ballots.
	Live Disclosure = "live"
)

// Level is the participation level: what a citizen may expect of taking part.
// The five rungs are those of Dutch participation ordinances (informeren,
// raadplegen, adviseren, coproduceren, meebeslissen).
type Level string

const (
	Inform    Level = "inform"
	Consult   Level = "consult"
	Advise    Level = "advise"
	Coproduce Level = "coproduce"
	Codecide  Level = "codecide"
)

// Image is a picture published with a consultation or channel. Alt is required
// for publication (WCAG 2.2, 1.1.1). Path is the file's name under /media/.
type Image struct {
	Path      string `json:"path"`
	Alt       string `json:"alt"`
	MediaType string `json:"mediaType"`
	Width     int    `json:"width,omitempty"`
	Height    int    `json:"height,omitempty"`
}

// Terms are the conditions under which a consultation is held: everything that
// the law and a later check of the count need to know, fixed at opening.
type Terms struct {
	Level       Level  `json:"level"`
	Promise     string `json:"promise"`     // what the level promises, in plain words
	DecidedBy   string `json:"decidedBy"`   // who decides
	DecidedWhen string `json:"decidedWhen"` // when the decision is expected
	NotOpen     string `json:"notOpen"`     // what is not up for discussion
	Notice      string `json:"notice"`      // that this is no formal objection (zienswijze)
	// AllowedServers restricts voting to accounts on these hosts; empty allows all.
	AllowedServers []string `json:"allowedServers,omitempty"`
	// BatchSize is k: live counts move only by at least this many ballots, and
	// with fewer ballots than this in all only the totals are published.
	BatchSize int `json:"batchSize"`
	// Interval is the least time between two published counts.
	Interval time.Duration `json:"interval"`
	// Grace is how long after ClosesAt a vote received still counts.
	Grace       time.Duration `json:"grace"`
	AuditorKey  string        `json:"auditorKey,omitempty"` // age public key of the auditor, if any
	RuleVersion string        `json:"ruleVersion"`          // version of the counting rule
}

// RuleVersion is the counting rule that this program applies: one ballot per
// actor, first ballot counts, plurality or approval, votes received until
// ClosesAt plus Grace.
const RuleVersion = "1"

// Consultation is one question put to the public. Question, options, closing
// time and terms are frozen when it opens.
type Consultation struct {
	ID       string // random, permanent; the object's address ends in it
	Number   int64  // small and internal: the store's own key
	Slug     string // readable, permanent; the page's address ends in it
	Channel  string // name of the channel that publishes it
	Kind     Kind
	Language string // BCP 47 tag of title, body and options
	Title    string
	Body     string // Markdown source
	HTML     string // Body made safe, ready for pages and posts
	Options  []string
	Hashtags []string // without "#"
	Image    *Image
	Terms    Terms

	Results  Disclosure
	Phase    Phase
	Zone     string    // IANA zone in which closing time was given, for display
	OpensAt  time.Time // whole seconds, UTC
	ClosesAt time.Time // whole seconds, UTC; `endTime` on the wire, never changes
	OpenedAt time.Time // when it did open; zero before
	ClosedAt time.Time // when counting stopped: ClosesAt, or the early close; zero before
	Reason   string    // public reason of an early close or a withdrawal
	// ExtendedUntil is when votes stop counting after an outage; zero if none
	// moved the deadline.
	ExtendedUntil time.Time

	AnnouncedAt  time.Time // when the destruction of its ballots was announced; zero: it is not
	AnnouncedBy  string    // fingerprint of the key that announced it
	DestroyingAt time.Time // when the destruction began, which nothing stops; zero before
	DestroyedAt  time.Time // when key and ballots were gone; zero before
}

// Deadline is the last moment at which a received vote counts.
func (c Consultation) Deadline() time.Time {
	if c.ExtendedUntil.After(c.planned()) {
		return c.ExtendedUntil
	}
	return c.planned()
}

// planned is the deadline if no outage moves it.
func (c Consultation) planned() time.Time { return c.ClosesAt.Add(c.Terms.Grace) }

// CountsVisible tells whether counts per option may be shown at all: after
// closing, or before if the consultation says so.
func (c Consultation) CountsVisible() bool {
	return c.Phase == Closed || (c.Phase == Open && c.Results == Live)
}

// schedule moves a draft to Scheduled. Only a draft without problems can be
// published; the caller has asked Check.
func (c *Consultation) schedule() error {
	if c.Phase != Draft {
		return fmt.Errorf("%w: it is %s, and only a draft can be published", ErrPhase, c.Phase)
	}
	c.Phase = Scheduled
	return nil
}

func (c *Consultation) open(now time.Time) error {
	if c.Phase != Scheduled {
		return fmt.Errorf("%w: it is %s, and only a scheduled consultation can open", ErrPhase, c.Phase)
	}
	c.Phase, c.OpenedAt = Open, now.UTC().Truncate(time.Second)
	return nil
}

// close ends the voting. A reason makes it an early close, effective now.
func (c *Consultation) close(now time.Time, reason string) error {
	if c.Phase != Open {
		return fmt.Errorf("%w: it is %s, and only an open consultation can close", ErrPhase, c.Phase)
	}
	c.Phase, c.ClosedAt = Closed, c.ClosesAt
	if reason != "" {
		c.Reason = reason
		if now.Before(c.ClosesAt) {
			c.ClosedAt = now.UTC().Truncate(time.Second)
		}
	}
	return nil
}

func (c *Consultation) withdraw(reason string) error {
	if c.Phase != Scheduled && c.Phase != Open && c.Phase != Closed {
		return fmt.Errorf("%w: it is %s; withdraw works once it is published", ErrPhase, c.Phase)
	}
	c.Phase, c.Reason = Withdrawn, reason
	return nil
}
