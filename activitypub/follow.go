package activitypub

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"strings"

	"inspraak/activitypub/as2"
	"inspraak/participation"
)

// follow adds a follower and answers with an Accept that embeds the whole
// Follow: Misskey cannot resolve a mere id. A repeated Follow is accepted
// again, since the first Accept may be lost.
func (f *Federation) follow(ctx context.Context, m message, a *as2.Activity) error {
	channel, err := f.channel(ctx, a.ObjectIDs[0])
	if errors.Is(err, participation.ErrNotFound) {
		return refuse(http.StatusNotFound, "no such account to follow")
	} else if err != nil {
		return err
	}
	accept, err := f.answer("Accept", channel, m.signer, &as2.OutActivity{
		ID: a.ID, Type: "Follow", Actor: a.Actor, Object: as2.Ref(a.ObjectIDs[0])}, "")
	if err != nil {
		return err
	}
	return f.Store.SaveFollower(ctx, Follower{Channel: channel, Actor: a.Actor, FollowID: a.ID,
		Inbox: m.signer.Inbox, Shared: m.signer.SharedInbox, Since: m.received}, accept)
}

// channel finds which of our channels an address names; ErrNotFound if none.
func (f *Federation) channel(ctx context.Context, address string) (string, error) {
	name, ok := f.URLs.channelAt(address)
	if !ok {
		return "", participation.ErrNotFound
	}
	return name, f.has(ctx, name)
}

// answer is an Accept or Reject of what a peer asked, on its way to that
// peer's own inbox.
func (f *Federation) answer(kind, channel string, to Peer, object as2.Part, result string) (Outgoing, error) {
	actor := f.URLs.Actor(channel)
	activity := as2.OutActivity{ID: actor + "/" + strings.ToLower(kind) + "s/" + strings.ToLower(rand.Text()[:16]),
		Type: kind, Actor: actor, To: []string{to.Actor}, Object: object, Result: result}
	body, err := activity.Marshal()
	if err != nil {
		return Outgoing{}, err
	}
	return Outgoing{ID: activity.ID, Channel: channel, Object: to.Actor, Passing: true, Body: body, At: f.Now(), Inboxes: []string{to.Inbox}}, nil
}

// undo takes back a Follow, Like, EmojiReact or Announce. Where only its id is
// given, whatever of the actor's has that id goes.
func (f *Federation) undo(ctx context.Context, a *as2.Activity) error {
	for _, id := range a.ObjectIDs {
		if !f.sameHost(id, a.Actor) && id != "" {
			return refuse(http.StatusForbidden, "what is undone is not on its actor's host")
		}
	}
	if len(a.Objects) == 0 {
		return f.Store.Undo(ctx, a.Actor, a.ObjectIDs[0])
	}
	for _, o := range a.Objects {
		if o.Actor != "" && o.Actor != a.Actor {
			return refuse(http.StatusForbidden, "only the actor can undo it")
		}
		var err error
		switch o.Type {
		case "Follow":
			if o.ObjectID == "" {
				err = f.Store.Undo(ctx, a.Actor, o.ID)
				break
			}
			err = f.unfollowed(ctx, a.Actor, []string{o.ObjectID})
		case "Like", "EmojiReact":
			err = f.gesture(ctx, a.Actor, "", o.ID, []string{o.ObjectID}, participation.Like, false)
		case "Announce":
			err = f.gesture(ctx, a.Actor, "", o.ID, []string{o.ObjectID}, participation.Boost, false)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// unfollowed drops a follower, who took the follow back or blocked us.
func (f *Federation) unfollowed(ctx context.Context, actor string, objects []string) error {
	for _, object := range objects {
		if name, ok := f.URLs.channelAt(object); ok {
			if err := f.Store.RemoveFollower(ctx, name, actor); err != nil {
				return err
			}
		}
	}
	return nil
}

// gesture keeps or takes back a like or boost of one of our consultations.
func (f *Federation) gesture(ctx context.Context, actor, inbox, id string, objects []string, g participation.Gesture, on bool) error {
	for _, object := range objects {
		consultation, ok := f.URLs.consultationAt(object)
		if !ok {
			continue
		}
		err := f.Service.Gesture(ctx, consultation, g, actor, inbox, id, on)
		if err != nil && !errors.Is(err, participation.ErrNotFound) {
			return err
		}
	}
	return nil
}

// grantQuote gives the stamp that Mastodon asks for before it shows a quote of a
// consultation or post of ours (FEP-044f). Everybody may quote what is public
// and not withdrawn.
func (f *Federation) grantQuote(ctx context.Context, m message, a *as2.Activity) error {
	id, ok := f.URLs.consultationAt(a.ObjectIDs[0])
	if !ok {
		return nil
	}
	if a.Instrument == "" || !f.sameHost(a.Instrument, a.Actor) {
		return refuse(http.StatusForbidden, "the quoting post is not on its author's host")
	}
	channel, err := f.quotable(ctx, id)
	if errors.Is(err, participation.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	q := Quote{ID: strings.ToLower(rand.Text()[:16]), Object: f.URLs.Object(id), Instrument: a.Instrument, Actor: a.Actor, Request: a.ID}
	request := &as2.OutActivity{ID: a.ID, Type: "QuoteRequest", Actor: a.Actor, Object: as2.Ref(a.ObjectIDs[0]), Instrument: a.Instrument}
	accept, err := f.answer("Accept", channel, m.signer, request, q.Object+"/quotes/"+q.ID)
	if err != nil {
		return err
	}
	return f.Store.SaveQuote(ctx, q, accept)
}

// quotable tells which channel's object an id is, of a consultation or of a
// post, if it may be quoted; else ErrNotFound.
func (f *Federation) quotable(ctx context.Context, id string) (channel string, err error) {
	c, err := f.Service.Consultation(ctx, id)
	if errors.Is(err, participation.ErrNotFound) {
		post, err := f.Service.Post(ctx, id)
		return post.Channel, err
	}
	if err == nil && (c.ID != id || c.Phase != participation.Open && c.Phase != participation.Closed) {
		err = participation.ErrNotFound
	}
	return c.Channel, err
}
