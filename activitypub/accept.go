package activitypub

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"inspraak/activitypub/as2"
	"inspraak/participation"
)

// create counts the votes of a Create, keeps its replies and answers its direct
// messages. A Create may hold
// an array: GoToSocial before 0.18 sent a whole ballot so.
func (f *Federation) create(ctx context.Context, m message, a *as2.Activity) error {
	for _, o := range a.Objects {
		if err := f.owned(a.Actor, o); err != nil {
			return err
		}
	}
	if len(a.Objects) == 0 { // by reference: some servers do
		if !f.sameHost(a.ObjectIDs[0], a.Actor) {
			return refuse(http.StatusForbidden, "the object is not on its author's host")
		}
		return f.fetchReply(ctx, m, a.ObjectIDs[0])
	}
	votes := map[string]*participation.Vote{}
	var order []string
	for _, o := range a.Objects {
		id, ok := f.voteFor(o)
		if !ok {
			if err := f.note(ctx, m, a, o); err != nil {
				return err
			}
			continue
		}
		if votes[id] == nil {
			votes[id] = &participation.Vote{Consultation: id, Actor: a.Actor, Host: m.host,
				Inbox: inboxOf(m.signer), ReceivedAt: m.received, AccountSince: m.signer.Published, Crowd: m.signer.Crowd, Request: m.evidence}
			order = append(order, id)
		}
		votes[id].Marks = append(votes[id].Marks, participation.Mark{Object: o.ID, Name: o.Name})
	}
	for _, id := range order {
		outcome, err := f.Service.CastVote(ctx, *votes[id])
		if errors.Is(err, participation.ErrNotFound) {
			continue // a poll we never had
		}
		if err != nil {
			return err
		}
		f.counters.voted(outcome)
		f.Log.Debug("vote", "consultation", id, "outcome", outcome)
	}
	return nil
}

// note takes what is no vote: a direct message, or a reply.
func (f *Federation) note(ctx context.Context, m message, a *as2.Activity, o as2.Object) error {
	channel, err := f.addressee(ctx, a, o)
	if err != nil {
		return err
	}
	if channel != "" {
		return f.direct(ctx, m.signer, channel, o)
	}
	return f.reply(ctx, m.signer, o)
}

// owned refuses an object that its sender may not speak for: attributed to
// somebody else, or living on another host than its author.
func (f *Federation) owned(actor string, o as2.Object) error {
	switch {
	case o.ID == "":
		return refuse(http.StatusBadRequest, "an embedded object has an id")
	case o.AttributedTo != "" && o.AttributedTo != actor, o.Actor != "" && o.Actor != actor:
		return refuse(http.StatusForbidden, "the object is attributed to somebody else")
	case !f.sameHost(o.ID, actor):
		return refuse(http.StatusForbidden, "the object's id is not on its author's host")
	}
	return nil
}

// voteFor tells whether an object is a vote in one of our consultations, and
// which. Mastodon, FEP-9967: a vote is a Note with a name, in reply to a
// Question, without content; litepub calls it Answer.
func (f *Federation) voteFor(o as2.Object) (idOrSlug string, ok bool) {
	if (o.Type != "Note" && o.Type != "Answer") || o.Name == "" || o.Content != "" {
		return "", false
	}
	return f.URLs.consultationAt(o.InReplyTo)
}

// inboxOf is where a peer's server is told of changes.
func inboxOf(p Peer) string {
	if p.SharedInbox != "" {
		return p.SharedInbox
	}
	return p.Inbox
}

// replyTypes are the object types that people answer with.
var replyTypes = map[string]bool{"Note": true, "Article": true, "Page": true, "Question": true,
	"Image": true, "Video": true, "Audio": true, "Event": true}

// reply keeps an object that answers one of our consultations, our posts or a
// reply that is here. Anything else is none of our business.
func (f *Federation) reply(ctx context.Context, author Peer, o as2.Object) error {
	if !replyTypes[o.Type] {
		return nil
	}
	consultation, ok, err := f.threadOf(ctx, o)
	if err != nil || !ok {
		return err
	}
	err = f.Service.AddReply(ctx, f.asReply(author, o, consultation), visible(o))
	if errors.Is(err, participation.ErrNotFound) {
		return nil
	}
	return err
}

func (f *Federation) asReply(author Peer, o as2.Object, consultation string) participation.Reply {
	host, _ := f.hostOf(author.Actor)
	r := participation.Reply{
		ID: o.ID, Consultation: consultation, Parent: o.InReplyTo, HTML: o.Content, Language: o.Language,
		Visibility: participation.Public, Published: o.Published, Updated: o.Updated, Images: len(o.Attachments),
		Author: participation.Author{ID: author.Actor, Name: author.Name, Handle: handleOf(author.Username, host), URL: author.URL},
	}
	if !slices.ContainsFunc(o.To, as2.IsPublic) {
		r.Visibility = participation.Unlisted
	}
	if o.Content == "" && o.Name != "" { // a converted type: Event, Video …
		r.HTML = o.Name
	}
	if f.sameHost(o.URL, o.ID) {
		r.URL = o.URL
	}
	if r.Author.URL == "" {
		r.Author.URL = author.Actor
	}
	return r
}

// handleOf is how an account is shown: its name at its own host. The name is the
// account's own word. One that is not plain ASCII letters, digits, "_", "-", "."
// and "~" (RFC 7565 lets more be, real servers do not) could pass for another
// account's handle, as "mayor@city.example" would: then the host stands alone.
func handleOf(username, host string) string {
	plain := username != "" && len(username) <= maxUsername
	for i := range len(username) {
		c := username[i]
		plain = plain && ('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("_-.~", c) >= 0)
	}
	if !plain {
		return host
	}
	return username + "@" + host
}

const maxUsername = 128 // bytes; longer ones are made to fill a page

// visible tells whether an object was addressed to everybody.
func visible(o as2.Object) bool {
	return slices.ContainsFunc(o.To, as2.IsPublic) || slices.ContainsFunc(o.CC, as2.IsPublic)
}

// threadOf finds the consultation whose thread an object belongs to: by what
// it answers, else by its context (FEP-7888).
func (f *Federation) threadOf(ctx context.Context, o as2.Object) (consultation string, ok bool, err error) {
	if id, ours := f.URLs.consultationAt(o.InReplyTo); ours {
		post, err := f.Service.Post(ctx, id)
		if err == nil { // a post in no thread has none to answer in
			return post.Consultation, post.Consultation != "", nil
		}
		return id, true, ignoreNotFound(err)
	}
	if o.InReplyTo == "" {
		return "", false, nil
	}
	parent, err := f.Service.Reply(ctx, o.InReplyTo)
	if err == nil {
		return parent.Consultation, true, nil
	}
	if context, found := strings.CutSuffix(o.Context, "/context"); found {
		if id, ours := f.URLs.consultationAt(context); ours {
			return id, true, ignoreNotFound(err)
		}
	}
	return "", false, ignoreNotFound(err)
}

func ignoreNotFound(err error) error {
	if errors.Is(err, participation.ErrNotFound) {
		return nil
	}
	return err
}

// update takes an author's edit of a reply, or of the account itself.
func (f *Federation) update(ctx context.Context, m message, a *as2.Activity) error {
	for _, id := range a.ObjectIDs {
		if !f.sameHost(id, a.Actor) {
			return refuse(http.StatusForbidden, "the object is not on its author's host")
		}
	}
	if a.ObjectIDs[0] == a.Actor {
		return ignoreUnreachable(f.peers.refreshSoon(ctx, a.Actor, m.source))
	}
	for _, o := range a.Objects {
		if err := f.owned(a.Actor, o); err != nil {
			return err
		}
		if !replyTypes[o.Type] {
			continue
		}
		if err := f.Service.EditReply(ctx, f.asReply(m.signer, o, ""), visible(o)); err != nil {
			return err
		}
	}
	return nil
}

// ignoreUnreachable: what could not be fetched now is fetched when next needed.
func ignoreUnreachable(err error) error {
	if errors.Is(err, errUnreachable) || errors.Is(err, errGone) || errors.Is(err, errNoKey) || errors.As(err, new(*Refusal)) {
		return nil
	}
	return err
}

// remove does what a Delete asks: of the account itself, or of one object.
// ActivityPub §7.4; whether the object is its author's own is checked against
// what is stored, host equality alone is not enough.
func (f *Federation) remove(ctx context.Context, a *as2.Activity) error {
	for _, id := range a.ObjectIDs {
		if id == a.Actor {
			return f.forget(ctx, a.Actor)
		}
		if !f.sameHost(id, a.Actor) {
			return refuse(http.StatusForbidden, "the object is not on its author's host")
		}
		if err := f.Service.Delete(ctx, a.Actor, id); err != nil {
			return err
		}
	}
	return nil
}

// flag keeps a report for the municipality's moderators.
func (f *Federation) flag(ctx context.Context, m message, a *as2.Activity) error {
	return f.Service.Receive(ctx, participation.Report{ID: a.ID, Server: m.host, Text: a.Content, Objects: a.ObjectIDs})
}

// move records that two accounts are one person's. Nothing is merged.
func (f *Federation) move(ctx context.Context, m message, a *as2.Activity) error {
	if a.ObjectIDs[0] != a.Actor || a.Target == "" {
		return nil
	}
	peer, err := f.Store.Peer(ctx, a.Actor)
	if err != nil {
		return err
	}
	peer.MovedTo = a.Target
	return f.Store.SavePeer(ctx, peer)
}

// forwarded handles an activity that somebody else's server passed on. Its
// body proves nothing. A reply that can be fetched is fetched from where it
// lives; a vote, which cannot, is refused, and so is all that only the actor
// may say.
func (f *Federation) forwarded(ctx context.Context, m message, a *as2.Activity) error {
	if a.Type != "Create" && a.Type != "Update" && a.Type != "Delete" {
		return refuse(http.StatusForbidden, "signed by %s, not by its actor", m.signer.Actor)
	}
	for _, o := range a.Objects {
		if _, vote := f.voteFor(o); vote {
			return refuse(http.StatusForbidden, "a vote is signed by the voter")
		}
	}
	object := a.ObjectIDs[0]
	if object == a.Actor || withoutFragment(object) != object || !f.sameHost(object, a.Actor) {
		return refuse(http.StatusForbidden, "signed by %s, not by its actor", m.signer.Actor)
	}
	known, err := f.Service.Reply(ctx, object)
	if err != nil && !errors.Is(err, participation.ErrNotFound) {
		return err
	}
	if a.Type != "Create" && known.ID == "" {
		return nil
	}
	if a.Type == "Create" && !f.concernsUs(ctx, a) {
		return nil
	}
	return f.fetchReply(ctx, m, object)
}

// concernsUs keeps strangers from making us fetch whatever they name.
func (f *Federation) concernsUs(ctx context.Context, a *as2.Activity) bool {
	for _, o := range a.Objects {
		if _, ok, err := f.threadOf(ctx, o); ok && err == nil {
			return true
		}
	}
	return false
}

// fetchReply gets an object from its own server and does what it then says:
// keep it, edit it, or remove it if it is gone. Where the server does not
// answer now, nothing happens: its author's own server will tell.
func (f *Federation) fetchReply(ctx context.Context, m message, id string) error {
	host, err := f.hostOf(id)
	if err != nil {
		return refuse(http.StatusBadRequest, "object: %v", err)
	}
	if f.URLs.ours(id) {
		return refuse(http.StatusForbidden, "the object is ours")
	}
	if err := f.peers.allowed("object "+id, host, m.source); err != nil {
		return ignoreUnreachable(err)
	}
	if err := f.peers.welcome(ctx, host); err != nil {
		return ignoreUnreachable(err)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*keyPatience)
	defer cancel()
	known, err := f.Service.Reply(ctx, id)
	if err := ignoreNotFound(err); err != nil {
		return err
	}
	doc, err := f.get(ctx, id)
	f.peers.note("object "+id, host, m.source, ignoreGone(err))
	if known.ID != "" && (errors.Is(err, errGone) || m.doc.Type == "Delete" && errors.Is(err, errAbsent)) {
		return f.Service.Delete(ctx, known.Author.ID, id)
	}
	if err != nil {
		return ignoreUnreachable(err)
	}
	o, err := doc.Object()
	if err == nil && o.ID == id && o.Type == "Tombstone" && known.ID != "" {
		return f.Service.Delete(ctx, known.Author.ID, id)
	}
	if err != nil || o.ID != id || o.AttributedTo == "" || f.owned(o.AttributedTo, *o) != nil {
		return nil
	}
	if blocked, err := f.Service.Blocked(ctx, o.AttributedTo, host); err != nil || blocked {
		return err
	}
	author, err := f.peers.actor(ctx, o.AttributedTo)
	if err != nil {
		return ignoreUnreachable(err)
	}
	if known.ID != "" {
		return f.Service.EditReply(ctx, f.asReply(author, *o, ""), visible(*o))
	}
	if _, vote := f.voteFor(*o); vote {
		return nil // an unsigned vote is no vote
	}
	return f.reply(ctx, author, *o)
}

func ignoreGone(err error) error {
	if errors.Is(err, errGone) {
		return nil
	}
	return err
}
