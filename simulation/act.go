package simulation

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Follow asks to follow an actor and returns the id of the Follow. Whether it
// was accepted is for Server.Following to say.
func (a *Account) Follow(ctx context.Context, actor string) (string, error) {
	s := a.server
	who, err := s.actor(ctx, a, actor)
	if err != nil {
		return "", fmt.Errorf("follow: %w", err)
	}
	s.mu.Lock()
	activity := a.activity("Follow", "follows", actor)
	switch s.kind {
	case GoToSocial, GoToSocialOld:
		activity["to"] = actor
	case Akkoma:
		activity["to"], activity["cc"], activity["state"] = []any{actor}, []any{}, "pending"
	case Tootik:
		activity["to"], activity["cc"] = []any{actor}, []any{}
	}
	f := follow{a.id, actor}
	if state := s.follows[f]; state == nil {
		s.follows[f] = &followState{id: text(activity, "id")}
	} else {
		state.id = text(activity, "id") // asked again, as after a lost Accept
	}
	s.mu.Unlock()
	return text(activity, "id"), a.Send(ctx, inboxOf(who, s.traits.followsToShared), encode(activity))
}

// Unfollow undoes a follow.
func (a *Account) Unfollow(ctx context.Context, actor string) (string, error) {
	s := a.server
	who, err := s.actor(ctx, a, actor)
	if err != nil {
		return "", fmt.Errorf("unfollow: %w", err)
	}
	s.mu.Lock()
	state := s.follows[follow{a.id, actor}]
	delete(s.follows, follow{a.id, actor})
	s.mu.Unlock()
	if state == nil {
		return "", fmt.Errorf("unfollow %s: not followed", actor)
	}
	return a.undo(ctx, sent{object{"id": state.id, "type": "Follow", "actor": a.id, "object": actor},
		[]string{inboxOf(who, s.traits.followsToShared)}})
}

// undo sends an Undo of what was sent, embedded, to where it went.
func (a *Account) undo(ctx context.Context, done sent) (string, error) {
	s := a.server
	inner := clone(done.activity)
	delete(inner, "@context")
	s.mu.Lock()
	activity := a.activity("Undo", "undo", inner)
	if s.kind == Mastodon || s.kind == Misskey {
		activity["id"] = text(inner, "id") + "/undo"
	}
	if s.kind == Misskey {
		activity["published"] = s.stamp()
	}
	for _, key := range []string{"to", "cc"} {
		if inner[key] != nil {
			activity[key] = inner[key]
		}
	}
	s.mu.Unlock()
	return text(activity, "id"), a.sendAll(ctx, done.inboxes, activity)
}

// deleteActivity makes the Delete of an own object.
func (a *Account) deleteActivity(id string, to, cc []any) object {
	s := a.server
	s.mu.Lock()
	defer s.mu.Unlock()
	activity := a.activity("Delete", "delete", object{"id": id, "type": "Tombstone"})
	activity["to"] = to
	switch s.kind {
	case Mastodon:
		activity["id"] = id + "#delete"
		activity["to"] = []any{public}
		activity["object"] = object{"id": id, "type": "Tombstone", "atomUri": id}
	case GoToSocial, GoToSocialOld:
		activity["object"], activity["to"], activity["cc"] = id, compact(to), compact(cc)
	case Misskey:
		activity["id"], activity["published"] = s.base+"/"+s.uuid(), s.stamp()
		delete(activity, "to")
	case Akkoma:
		activity["object"], activity["cc"] = id, cc
		activity["deleted_activity_id"] = s.base + "/activities/" + s.newID()
	case Tootik:
		activity["id"], activity["cc"] = id+"#delete", cc
		activity["object"] = object{"id": id, "type": "Note"}
	}
	return activity
}

// author returns the author of a post, or the actor itself.
func (a *Account) author(ctx context.Context, id string) (remoteActor, error) {
	a.server.mu.Lock()
	who, known := a.server.actors[id]
	a.server.mu.Unlock()
	if known {
		return who, nil
	}
	n, err := a.need(ctx, id)
	if err != nil {
		return remoteActor{}, err
	}
	return a.server.actor(ctx, a, n.Author)
}

// Like likes a post. tootik cannot (ErrUnsupported).
func (a *Account) Like(ctx context.Context, id string) (string, error) {
	return a.react(ctx, id, "")
}

// React reacts to a post with an emoji: Misskey sends a Like with content,
// Akkoma an EmojiReact; others cannot (ErrUnsupported).
func (a *Account) React(ctx context.Context, id, emoji string) (string, error) {
	if a.server.kind != Misskey && a.server.kind != Akkoma {
		return "", fmt.Errorf("react: %w", ErrUnsupported)
	}
	return a.react(ctx, id, emoji)
}

func (a *Account) react(ctx context.Context, id, emoji string) (string, error) {
	s := a.server
	if s.kind == Tootik {
		return "", fmt.Errorf("like: %w", ErrUnsupported)
	}
	who, err := a.author(ctx, id)
	if err != nil {
		return "", fmt.Errorf("like: %w", err)
	}
	s.mu.Lock()
	activity := a.activity("Like", "likes", id)
	switch s.kind {
	case GoToSocial, GoToSocialOld:
		activity["to"] = who.id
	case Misskey:
		if emoji == "" {
			emoji = "❤"
		}
		activity["content"], activity["_misskey_reaction"] = emoji, emoji
	case Akkoma:
		activity["to"], activity["cc"] = []any{who.id}, []any{public}
		if emoji != "" {
			activity["type"], activity["content"] = "EmojiReact", emoji
		}
	}
	done := sent{activity, []string{inboxOf(who, s.traits.followsToShared)}}
	a.likes[id] = done
	s.mu.Unlock()
	return text(activity, "id"), a.sendAll(ctx, done.inboxes, activity)
}

// take removes and returns what was sent about id. The map belongs to the
// account and is guarded by the server.
func (a *Account) take(from map[string]sent, id string) (sent, error) {
	a.server.mu.Lock()
	defer a.server.mu.Unlock()
	done, ok := from[id]
	if !ok {
		return sent{}, fmt.Errorf("undo: nothing was sent about %s", id)
	}
	delete(from, id)
	return done, nil
}

// Unlike takes a like or reaction back.
func (a *Account) Unlike(ctx context.Context, id string) (string, error) {
	done, err := a.take(a.likes, id)
	if err != nil {
		return "", err
	}
	return a.undo(ctx, done)
}

// Boost announces a post to the account's followers and its author.
func (a *Account) Boost(ctx context.Context, id string) (string, error) {
	who, err := a.author(ctx, id)
	if err != nil {
		return "", fmt.Errorf("boost: %w", err)
	}
	s := a.server
	inboxes := appendOnce([]string{inboxOf(who, s.traits.notesToShared || s.kind.isGTS())}, a.followerInboxes()...)
	s.mu.Lock()
	activity := a.activity("Announce", "announces", id)
	activity["published"] = s.stamp()
	activity["to"], activity["cc"] = []any{public}, []any{who.id, a.followersURL()}
	switch s.kind {
	case GoToSocial, GoToSocialOld:
		activity["id"] = a.id + "/statuses/" + s.newID()
		activity["to"], activity["cc"] = a.followersURL(), []any{who.id, public}
	case Misskey:
		activity["id"] = s.base + "/notes/" + s.newID() + "/activity"
	case Akkoma:
		activity["to"], activity["cc"] = []any{a.followersURL(), who.id}, []any{public}
	case Mastodon:
		activity["id"] = a.id + "/statuses/" + s.newID() + "/activity"
	}
	done := sent{activity, inboxes}
	a.boosts[id] = done
	s.mu.Unlock()
	return text(activity, "id"), a.sendAll(ctx, inboxes, activity)
}

// Unboost takes a boost back.
func (a *Account) Unboost(ctx context.Context, id string) (string, error) {
	done, err := a.take(a.boosts, id)
	if err != nil {
		return "", err
	}
	return a.undo(ctx, done)
}

// Block blocks an actor and tells it. Misskey and Mastodon federate blocks as
// well as GoToSocial; Akkoma does by default; tootik cannot (ErrUnsupported).
func (a *Account) Block(ctx context.Context, actor string) (string, error) {
	s := a.server
	if s.kind == Tootik {
		return "", fmt.Errorf("block: %w", ErrUnsupported)
	}
	who, err := s.actor(ctx, a, actor)
	if err != nil {
		return "", fmt.Errorf("block: %w", err)
	}
	s.mu.Lock()
	delete(s.follows, follow{a.id, actor})
	activity := a.activity("Block", "blocks", actor)
	if s.kind.isGTS() {
		activity["to"] = actor
	}
	if s.kind == Akkoma {
		activity["to"] = []any{actor}
	}
	done := sent{activity, []string{inboxOf(who, s.traits.followsToShared)}}
	a.blocks[actor] = done
	s.mu.Unlock()
	return text(activity, "id"), a.sendAll(ctx, done.inboxes, activity)
}

// Unblock takes a block back.
func (a *Account) Unblock(ctx context.Context, actor string) (string, error) {
	done, err := a.take(a.blocks, actor)
	if err != nil {
		return "", err
	}
	return a.undo(ctx, done)
}

// Flag reports posts or actors. The first target should be the actor reported,
// which is where the report goes. Akkoma signs it as the user and inlines the
// posts it has; the others sign it as the instance actor.
func (a *Account) Flag(ctx context.Context, targets []string, reason string) (string, error) {
	if len(targets) == 0 {
		return "", errors.New("flag: no targets")
	}
	s := a.server
	who, err := a.author(ctx, targets[0])
	if err != nil {
		return "", fmt.Errorf("flag: %w", err)
	}
	s.mu.Lock()
	by := s.instance
	objects := list(targets)
	if s.kind == Akkoma {
		by = a
		for i, id := range targets {
			if n := s.notes[id]; n != nil {
				objects[i] = object{"type": n.Type, "id": n.ID, "content": n.Content, "published": n.published, "actor": object{"id": n.Author}}
			}
		}
	}
	activity := by.activity("Flag", "reports", objects)
	activity["content"] = reason
	switch s.kind {
	case Mastodon:
		activity["to"] = who.id
	case Akkoma:
		activity["to"], activity["cc"] = []any{who.id}, []any{}
	case Misskey:
		activity["object"] = compact(objects)
	}
	s.mu.Unlock()
	return text(activity, "id"), by.Send(ctx, inboxOf(who, s.traits.followsToShared), encode(activity))
}

// MoveTo moves the account to another, which lists it in alsoKnownAs. Real
// servers tell followers only; further inboxes may be named.
func (a *Account) MoveTo(ctx context.Context, other *Account, inboxes ...string) (string, error) {
	other.server.mu.Lock()
	if !slices.Contains(other.alsoKnownAs, a.id) {
		other.alsoKnownAs = append(other.alsoKnownAs, a.id)
	}
	other.server.mu.Unlock()
	s := a.server
	inboxes = appendOnce(a.followerInboxes(), inboxes...)
	s.mu.Lock()
	a.movedTo = other.id
	activity := a.activity("Move", "move", a.id)
	activity["target"], activity["to"] = other.id, []any{a.followersURL()}
	s.mu.Unlock()
	return text(activity, "id"), a.sendAll(ctx, inboxes, activity)
}

// RequestQuote writes a post that quotes another and asks its author for
// approval (FEP-044f). It returns the id of the quoting post; whether it was
// approved is for Server.QuoteApproved to say. Mastodon only.
func (a *Account) RequestQuote(ctx context.Context, id, html string) (string, error) {
	s := a.server
	if s.kind != Mastodon {
		return "", fmt.Errorf("quote: %w", ErrUnsupported)
	}
	who, err := a.author(ctx, id)
	if err != nil {
		return "", fmt.Errorf("quote: %w", err)
	}
	quote, err := a.publish(ctx, draft{html: html, quote: id})
	if err != nil {
		return quote, err
	}
	s.mu.Lock()
	request := object{"@context": []any{activityStreams, object{"QuoteRequest": "https://w3id.org/fep/044f#QuoteRequest",
		"quote": object{"@id": "https://w3id.org/fep/044f#quote", "@type": "@id"}}},
		"id": a.id + "/quote_requests/" + s.newID(), "type": "QuoteRequest", "actor": a.id, "object": id, "instrument": quote}
	s.mu.Unlock()
	return quote, a.Send(ctx, who.inbox, encode(request))
}
