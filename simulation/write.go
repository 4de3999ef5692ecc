package simulation

import (
	"context"
	"errors"
	"fmt"
	"html"
	"path"
	"slices"
	"strings"
)

// draft is a post being written.
type draft struct {
	html, parent, context string
	to                    Audience
	mentions              []remoteActor
	quote                 string // id of a quoted post
}

// SetLanguage sets the language of the account's posts, "en" by default.
func (a *Account) SetLanguage(tag string) {
	a.server.mu.Lock()
	defer a.server.mu.Unlock()
	a.language = tag
}

// Reply replies to a post, fetching it if unknown, and returns the id of the
// new post. As all servers do it mentions the author and everybody the parent
// mentions, and delivers to them and to followers. The text is HTML; the
// mentions are put in front of it.
func (a *Account) Reply(ctx context.Context, parent, html string, to Audience) (string, error) {
	s := a.server
	n, err := a.need(ctx, parent)
	if err != nil {
		return "", fmt.Errorf("reply: %w", err)
	}
	d := draft{html: html, parent: parent, to: to, context: n.Context}
	for _, id := range appendOnce([]string{n.Author}, n.Mentions...) {
		if id == a.id {
			continue
		}
		who, err := s.actor(ctx, a, id)
		if err != nil && id == n.Author {
			return "", fmt.Errorf("reply: %w", err)
		}
		if err == nil {
			d.mentions = append(d.mentions, who)
		}
	}
	return a.publish(ctx, d)
}

// Post writes a post that replies to nothing and mentions the given actors: a
// private message with Direct. It returns the id of the post.
func (a *Account) Post(ctx context.Context, html string, to Audience, mentions ...string) (string, error) {
	d := draft{html: html, to: to}
	for _, id := range mentions {
		who, err := a.server.actor(ctx, a, id)
		if err != nil {
			return "", fmt.Errorf("post: %w", err)
		}
		d.mentions = append(d.mentions, who)
	}
	return a.publish(ctx, d)
}

// publish stores and delivers a draft.
func (a *Account) publish(ctx context.Context, d draft) (string, error) {
	s := a.server
	var inboxes []string
	for _, who := range d.mentions {
		inboxes = appendOnce(inboxes, inboxOf(who, s.traits.notesToShared || s.kind.isGTS()))
	}
	if d.to != Direct {
		inboxes = appendOnce(inboxes, a.followerInboxes()...)
	}
	s.mu.Lock()
	note, activity := a.compose(d)
	n := readNote(clone(note))
	n.document["@context"], n.Own, n.inboxes = activity["@context"], true, inboxes
	s.notes[n.ID] = n
	for _, who := range d.mentions {
		if other := s.byID[who.id]; other != nil {
			s.notify(other, "mention", a.id, n.ID)
		}
	}
	s.mu.Unlock()
	return n.ID, a.sendAll(ctx, inboxes, activity)
}

// ReplyActivity returns the Create of a reply to a post of owner, without
// storing or sending it.
func (a *Account) ReplyActivity(parent, owner, html string, to Audience) []byte {
	s := a.server
	s.mu.Lock()
	defer s.mu.Unlock()
	who, known := s.actors[owner]
	if !known {
		who = remoteActor{id: owner, username: path.Base(owner)}
	}
	_, activity := a.compose(draft{html: html, parent: parent, to: to, mentions: []remoteActor{who}})
	return encode(activity)
}

// compose writes the Note and its Create in the shape of the kind. The caller
// holds s.mu.
func (a *Account) compose(d draft) (note, activity object) {
	s := a.server
	id := s.newID()
	note = object{"type": "Note", "attributedTo": a.id, "published": s.stamp(), "content": withMentions(d.html, d.mentions)}
	if d.parent != "" {
		note["inReplyTo"] = d.parent
	}
	if d.quote != "" {
		note["quote"] = d.quote
	}
	to, cc := a.audience(d)
	note["to"], note["cc"] = list(to), list(cc)
	mentions := []any{}
	for _, who := range d.mentions {
		mentions = append(mentions, object{"type": "Mention", "href": who.id, "name": "@" + who.username + "@" + hostOf(who.id)})
	}
	note["tag"] = mentions
	activity = object{"type": "Create", "actor": a.id, "published": note["published"], "to": note["to"], "cc": note["cc"], "object": note}
	language := a.language
	if language == "" {
		language = "en"
	}
	switch s.kind {
	case GoToSocial, GoToSocialOld:
		note["id"], note["url"] = a.id+"/statuses/"+id, s.base+"/@"+a.name+"/statuses/"+id
		note["summary"], note["sensitive"], note["attachment"] = "", false, []any{}
		note["contentMap"] = object{language: note["content"]}
		note["tag"], note["to"], note["cc"] = compact(mentions), compact(list(to)), compact(list(cc))
		activity["to"], activity["cc"] = note["to"], note["cc"]
		activity["id"] = text(note, "id") + "/activity#Create"
		activity["@context"] = []any{"https://gotosocial.org/ns", activityStreams, object{"sensitive": "as:sensitive"}}
	case Misskey:
		note["id"] = s.base + "/notes/" + id
		note["source"] = object{"content": plainText(d.html), "mediaType": "text/x.misskeymarkdown"}
		note["_misskey_content"] = plainText(d.html)
		note["sensitive"], note["attachment"] = false, []any{}
		activity["id"] = text(note, "id") + "/activity"
		activity["@context"] = misskeyContext()
	case Akkoma:
		note["id"] = s.base + "/objects/" + id
		context := d.context
		if context == "" {
			context = d.parent
		}
		if context == "" {
			context = s.base + "/contexts/" + id
		}
		note["actor"], note["context"], note["conversation"] = a.id, context, context
		note["source"] = object{"content": plainText(d.html), "mediaType": "text/plain"}
		note["summary"], note["sensitive"], note["attachment"], note["emoji"] = "", false, []any{}, object{}
		activity["id"], activity["context"] = s.base+"/activities/"+s.newID(), context
		if d.to == Direct {
			activity["directMessage"] = true
		}
		activity["@context"] = s.context(activityStreams)
	case Tootik:
		note["id"] = s.base + "/post/" + id
		note["content"] = tootikText(d.html, d.mentions)
		note["@context"] = tootikContext()
		delete(activity, "published")
		activity["id"], activity["@context"] = s.base+"/create/"+s.newID(), tootikContext()
	default:
		note["id"], note["url"] = a.id+"/statuses/"+id, s.base+"/@"+a.name+"/"+id
		note["summary"], note["sensitive"], note["attachment"] = nil, false, []any{}
		note["contentMap"] = object{language: note["content"]}
		if d.context != "" {
			note["context"] = d.context
		}
		note["interactionPolicy"] = object{"canQuote": object{"automaticApproval": []any{a.id}}}
		replies := text(note, "id") + "/replies"
		note["replies"] = object{"id": replies, "type": "Collection", "first": object{"type": "CollectionPage",
			"next": replies + "?only_other_accounts=true&page=true", "partOf": replies, "items": []any{}}}
		activity["id"] = text(note, "id") + "/activity"
		activity["@context"] = mastodonContext()
	}
	return note, activity
}

// audience returns to and cc of a draft in the manner of the kind.
func (a *Account) audience(d draft) (to, cc []string) {
	var people []string
	for _, who := range d.mentions {
		people = append(people, who.id)
	}
	followers := a.followersURL()
	if a.server.kind == Akkoma { // mentions are always in to
		switch d.to {
		case Public:
			return append([]string{public}, people...), []string{followers}
		case Unlisted:
			return append([]string{followers}, people...), []string{public}
		case FollowersOnly:
			return append([]string{followers}, people...), nil
		}
		return people, nil
	}
	switch d.to {
	case Public:
		return []string{public}, append([]string{followers}, people...)
	case Unlisted:
		return []string{followers}, append([]string{public}, people...)
	case FollowersOnly:
		return []string{followers}, people
	}
	return people, nil
}

// Edit replaces the text of an own post and tells everybody who got it; the
// clock must have moved since the post, in whole seconds. Misskey cannot
// (ErrUnsupported).
func (a *Account) Edit(ctx context.Context, note, html string) (string, error) {
	s := a.server
	if s.kind == Misskey {
		return "", fmt.Errorf("edit: %w", ErrUnsupported)
	}
	s.mu.Lock()
	n := s.notes[note]
	if n == nil || !n.Own || n.Author != a.id || n.deleted {
		s.mu.Unlock()
		return "", fmt.Errorf("edit %s: not a post of this account", note)
	}
	doc := clone(n.document)
	context := doc["@context"]
	delete(doc, "@context")
	var mentions []remoteActor
	for _, id := range n.Mentions {
		if who, known := s.actors[id]; known {
			mentions = append(mentions, who)
		}
	}
	doc["content"], doc["updated"] = withMentions(html, mentions), s.stamp()
	if contents := child(doc, "contentMap"); contents != nil {
		doc["contentMap"] = object{n.Language: doc["content"]}
	}
	if doc["source"] != nil {
		child(doc, "source")["content"] = plainText(html)
	}
	activity := object{"@context": context, "type": "Update", "actor": a.id, "to": doc["to"], "cc": doc["cc"], "object": doc}
	switch s.kind {
	case GoToSocial, GoToSocialOld:
		activity["id"] = note + "/activity#Update" // the same for every edit
	case Akkoma:
		activity["id"] = s.base + "/activities/" + s.newID()
	case Tootik:
		doc["content"] = tootikText(html, mentions)
		activity["id"] = s.base + "/update/" + s.newID()
	default:
		activity["id"] = note + "#updates/" + unix(s.now())
		activity["published"] = doc["updated"]
	}
	fresh := readNote(clone(doc))
	fresh.document["@context"], fresh.Own, fresh.Edited, fresh.inboxes = context, true, true, n.inboxes
	fresh.Likes, fresh.Boosts = n.Likes, n.Boosts
	s.notes[note] = fresh
	inboxes := slices.Clone(n.inboxes)
	s.mu.Unlock()
	return text(activity, "id"), a.sendAll(ctx, inboxes, activity)
}

// Delete deletes an own post everywhere it went; its id answers 410 afterwards.
func (a *Account) Delete(ctx context.Context, note string) (string, error) {
	s := a.server
	s.mu.Lock()
	n := s.notes[note]
	if n == nil || !n.Own || n.Author != a.id || n.deleted {
		s.mu.Unlock()
		return "", fmt.Errorf("delete %s: not a post of this account", note)
	}
	n.deleted = true
	inboxes := slices.Clone(n.inboxes)
	s.mu.Unlock()
	activity := a.deleteActivity(note, list(n.To), list(n.Cc))
	return text(activity, "id"), a.sendAll(ctx, inboxes, activity)
}

// DeleteAccount deletes the account and tells every server it knows; its actor
// document answers 410 afterwards. Akkoma deletes every post and vote first.
func (a *Account) DeleteAccount(ctx context.Context) (string, error) {
	s := a.server
	var errs []error
	if s.kind == Akkoma {
		s.mu.Lock()
		questions := make([]string, 0, len(a.votes))
		for q := range a.votes {
			questions = append(questions, q)
		}
		s.mu.Unlock()
		for _, q := range questions {
			errs = append(errs, a.WithdrawVote(ctx, q))
		}
		for _, n := range s.Notes() {
			if n.Own && n.Author == a.id {
				_, err := a.Delete(ctx, n.ID)
				errs = append(errs, err)
			}
		}
	}
	s.mu.Lock()
	a.gone = true
	id := a.id + "#delete"
	if s.kind == Akkoma {
		id = s.base + "/activities/" + s.newID()
	}
	var inboxes []string
	for _, who := range s.actors {
		inboxes = appendOnce(inboxes, inboxOf(who, true))
	}
	slices.Sort(inboxes)
	s.mu.Unlock()
	activity := object{"@context": s.context(activityStreams), "id": id, "type": "Delete", "actor": a.id,
		"to": []any{public}, "object": a.id}
	errs = append(errs, a.sendAll(ctx, inboxes, activity))
	return id, errors.Join(errs...)
}

// withMentions puts the mentions in front of the text, within its first paragraph.
func withMentions(html string, mentions []remoteActor) string {
	var anchors strings.Builder
	for _, who := range mentions {
		anchors.WriteString(mentionAnchor(who) + " ")
	}
	if rest, ok := strings.CutPrefix(html, "<p>"); ok {
		return "<p>" + anchors.String() + rest
	}
	return "<p>" + anchors.String() + html + "</p>"
}

// plainText strips tags and resolves entities.
func plainText(markup string) string {
	markup = strings.ReplaceAll(markup, "</p><p>", "\n\n")
	return strings.TrimSpace(html.UnescapeString(tags.ReplaceAllString(markup, "")))
}

// tootikText is plain text with whole handles in front.
func tootikText(markup string, mentions []remoteActor) string {
	handles := ""
	for _, who := range mentions {
		handles += "@" + who.username + "@" + hostOf(who.id) + " "
	}
	return handles + plainText(markup)
}

// compact writes a list of one as the one, as GoToSocial does.
func compact(values []any) any {
	if len(values) == 1 {
		return values[0]
	}
	return values
}
