package participation

import (
	"crypto/rand"
	"html"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"
)

// Mark is one choice as it arrived: the name of an option, and the address of
// the object that carried it, by which its sender may later withdraw it.
type Mark struct {
	Object string
	Name   string
}

// Vote is what one activity brought: one mark, or several of one ballot
// (GoToSocial before 0.18 sends them together).
type Vote struct {
	Consultation string // its ID
	Actor        string // canonical id of the voting account
	Host         string // host of Actor
	Inbox        string // where Updates for this voter go: shared inbox, else own
	Marks        []Mark
	ReceivedAt   time.Time // judged by this, never by a sender's clock
	AccountSince time.Time // when its server says the account was made; zero if it does not
	Crowd        bool      // the account was first seen here among many new ones of its domain
	// Request is what was signed, for an auditor. It is asked for at most once,
	// and only if a mark counts and the consultation has an auditor's key; it must
	// not wait for anything. It may be nil: the auditor will then find nothing.
	Request func() Request
}

// Outcome is what became of a vote. Everything but Counted and Repeated leaves
// only a number behind.
type Outcome string

const (
	Counted       Outcome = "counted"
	Repeated      Outcome = "repeated"       // already voted: the first vote counts
	Late          Outcome = "late"           // received after the deadline
	Early         Outcome = "early"          // received before opening
	UnknownOption Outcome = "unknown-option" // no option has that name
	NotAllowed    Outcome = "not-allowed"    // the server is not among those allowed
	Revoked       Outcome = "revoked"        // its Delete had come before it, or it was withdrawn
	NotVotable    Outcome = "not-votable"    // an open question, a withdrawn consultation
	Withdrawals   Outcome = "withdrawn"      // counted first, then taken back by its sender
	Unverified    Outcome = "unverified"     // received in time, its signature could never be checked
	Private       Outcome = "private-reply"  // a reply that is not public: not kept, not shown
)

// Ballot is all marks of one voter. It exists in the clear only while it is
// worked on: the store keeps it sealed under the consultation's key.
type Ballot struct {
	Voter      Pseudonym
	Choices    uint64 // bit i set: option i chosen
	Class      Class
	Marks      []ballotMark
	Actor      string // empty once the account is gone
	Inbox      string
	ReceivedAt time.Time // of the first mark, whole seconds
	Since      int       // day since 1970 on which its server says the account was made; 0 if it does not
}

// ballotMark remembers the vote object that brought a choice, by a digest, so
// that a replay is recognised and its sender can withdraw it. A revoked one
// stays: a replay of what was withdrawn must not count. Its nonce goes: without
// it nobody can tell any more what the log once said of it.
type ballotMark struct {
	Object  [8]byte
	Nonce   [16]byte // random; hides the choice in the log
	Option  int
	Revoked bool
}

// maxMarks bounds what one voter can make us keep by voting and withdrawing.
const maxMarks = 200

// find returns the index of the mark that an object made, of a given option or
// of any (-1), or -1.
func (b Ballot) find(object [8]byte, option int) int {
	return slices.IndexFunc(b.Marks, func(m ballotMark) bool {
		return m.Object == object && (option < 0 || m.Option == option)
	})
}

// withdraw takes back all that an object chose: nobody keeps a sender from
// naming two options, one after the other, with one object.
func (b *Ballot) withdraw(object [8]byte) {
	for i := range b.Marks {
		if b.Marks[i].Object == object {
			b.revoke(i)
		}
	}
}

// withdrew tells whether an object was withdrawn. Nothing that it names counts
// any more.
func (b Ballot) withdrew(object [8]byte) bool {
	return slices.ContainsFunc(b.Marks, func(m ballotMark) bool { return m.Object == object && m.Revoked })
}

// revoke takes mark i back. A ballot that chooses nothing any more forgets
// whose it was.
func (b *Ballot) revoke(i int) {
	b.Marks[i].Revoked, b.Marks[i].Nonce = true, [16]byte{}
	b.Choices &^= uint64(1) << b.Marks[i].Option
	if b.Choices == 0 {
		b.forget()
	}
}

// forget drops what tells whose ballot it is; choices and marks stay.
func (b *Ballot) forget() { b.Actor, b.Inbox, b.ReceivedAt, b.Since = "", "", time.Time{}, 0 }

// match finds the option that a mark names: equal bytes, else equal after NFC,
// HTML-unescaping, trimming and collapsing of blanks, which undoes all that
// servers are known to do to names. Case is never folded.
func (c Consultation) match(name string) (option int, ok bool) {
	if i := slices.Index(c.Options, name); i >= 0 {
		return i, true
	}
	folded := foldName(name)
	i := slices.IndexFunc(c.Options, func(o string) bool { return foldName(o) == folded })
	return i, i >= 0
}

func foldName(s string) string {
	return strings.Join(strings.Fields(norm.NFC.String(html.UnescapeString(s))), " ")
}

// admits judges whether a vote may be considered at all; Counted means yes.
func (c Consultation) admits(v Vote) Outcome {
	switch {
	case !c.Kind.HasOptions() || c.Phase == Withdrawn:
		return NotVotable
	case c.Phase == Scheduled:
		return Early
	case c.Phase == Closed, v.ReceivedAt.After(c.Deadline()):
		return Late
	case len(c.Terms.AllowedServers) > 0 && !slices.Contains(c.Terms.AllowedServers, v.Host):
		return NotAllowed
	}
	return Counted
}

// add puts option i on the ballot: a single choice takes one mark and keeps
// it, a multiple choice takes each option once.
func (c Consultation) add(b *Ballot, i int, object [8]byte) Outcome {
	bit := uint64(1) << i
	if b.Choices&bit != 0 || (c.Kind == SingleChoice && b.Choices != 0) || len(b.Marks) >= maxMarks {
		return Repeated
	}
	b.Choices |= bit
	m := ballotMark{Object: object, Option: i}
	rand.Read(m.Nonce[:]) // never fails (crypto/rand, Go 1.24)
	b.Marks = append(b.Marks, m)
	return Counted
}

// day counts days since 1970; 0 for a time that is not known or lies before.
func day(t time.Time) int {
	if t.IsZero() {
		return 0
	}
	return max(0, int(t.Unix()/(24*60*60)))
}
