package simulation

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// serveInbox handles deliveries to a personal inbox, or to the shared one if
// owner is nil.
func (s *Server) serveInbox(owner *Account) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		s.mu.Lock()
		f := s.fault
		s.mu.Unlock()
		if f.Hang {
			<-r.Context().Done()
			return
		}
		if !wait(r.Context().Done(), f.InboxDelay) {
			return
		}
		body, err := io.ReadAll(io.LimitReader(r.Body, 2<<20))
		if err != nil {
			http.Error(w, "unreadable body", http.StatusBadRequest)
			return
		}
		got := Received{At: s.now(), Path: r.URL.Path, Header: r.Header.Clone(), Body: body}
		if doc, err := decode(body); err == nil {
			got.Type, got.ID, got.Object = text(doc, "type"), text(doc, "id"), ref(doc["object"])
		}
		if f.InboxStatus != 0 {
			got.Status, got.Effect = f.InboxStatus, "fault"
			retryAfter(w, f.RetryAfter)
		} else {
			got.Status, got.Effect = s.receive(r, body, owner)
		}
		s.mu.Lock()
		s.received = append(s.received, got)
		s.mu.Unlock()
		if got.Status >= 300 {
			http.Error(w, got.Effect, got.Status)
			return
		}
		w.WriteHeader(got.Status)
	}
}

// receive verifies, checks and handles one delivery. It returns the status and
// what was done.
func (s *Server) receive(r *http.Request, body []byte, owner *Account) (int, string) {
	if int64(len(body)) > s.traits.bodyLimit {
		s.report(fmt.Sprintf("delivery of %d bytes is too large for %s", len(body), s.kind))
		return http.StatusRequestEntityTooLarge, "too large"
	}
	if contentType := r.Header.Get("Content-Type"); !isActivityType(contentType) {
		s.report(fmt.Sprintf("delivery has media type %q", contentType))
		if s.kind.isGTS() {
			return http.StatusNotAcceptable, "media type is not ActivityPub's"
		}
	}
	doc, err := decode(body)
	if err != nil {
		s.report(fmt.Sprintf("delivery is not one JSON object: %v", err))
		return http.StatusBadRequest, "not JSON"
	}
	key, err := s.verify(r, body)
	if err != nil {
		// A deleted actor's key is gone; servers let its own Delete pass unread.
		if actor := text(doc, "actor"); text(doc, "type") == "Delete" && actor == ref(doc["object"]) {
			return s.traits.accepted, "delete of an unknown actor"
		}
		s.report(fmt.Sprintf("delivery of %s %s: %v", text(doc, "type"), text(doc, "id"), err))
		return s.traits.refused, err.Error()
	}
	problems, fatal := checkActivity(s.kind, doc, len(body))
	s.report(problems...)
	if fatal != nil {
		s.report(fatal.Error())
		return s.traits.accepted, "dropped: " + fatal.Error()
	}
	if text(doc, "actor") != key.owner {
		s.report(fmt.Sprintf("%s %s: signed by %s, not by its actor", text(doc, "type"), text(doc, "id"), key.owner))
		return s.traits.refused, "signer is not the actor"
	}
	if _, err := s.actor(r.Context(), s.instance, key.owner); err != nil {
		return s.traits.accepted, "dropped: " + err.Error()
	}
	if s.repeated(text(doc, "id"), body) {
		return s.traits.accepted, "dropped: activity id seen before"
	}
	return s.traits.accepted, s.handle(r.Context(), doc, owner)
}

// repeated reports whether the activity id was seen. The same id with another
// body is a problem: Akkoma and GoToSocial drop it unread.
func (s *Server) repeated(id string, body []byte) bool {
	sum := sha256.Sum256(body)
	s.mu.Lock()
	defer s.mu.Unlock()
	old, known := s.seen[id]
	s.seen[id] = sum
	if known && old != sum {
		s.problem("activity id %s is used again for another activity", id)
	}
	return known && (old == sum || s.kind == Akkoma || s.kind.isGTS())
}

// handle gives an activity its effect and says what it was.
func (s *Server) handle(ctx context.Context, doc object, owner *Account) string {
	target := ref(doc["object"])
	actor := text(doc, "actor")
	switch text(doc, "type") {
	case "Create":
		return s.onCreate(doc, owner)
	case "Update":
		return s.onUpdate(doc, owner)
	case "Follow":
		return s.onFollow(ctx, doc)
	case "Accept", "Reject":
		return s.onAnswer(ctx, doc)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch text(doc, "type") {
	case "Delete":
		n := s.notes[target]
		if n == nil || n.Own || n.Author != actor {
			return "nothing to delete"
		}
		delete(s.notes, target)
		delete(s.polls, target)
		return "deleted"
	case "Like", "EmojiReact", "Announce":
		n := s.notes[target]
		if n == nil || !n.Own {
			return "not about a post of ours"
		}
		what := "favourite"
		if text(doc, "type") == "Announce" {
			n.Boosts++
			what = "reblog"
		} else {
			n.Likes++
		}
		if a := s.byID[n.Author]; a != nil {
			s.notify(a, what, actor, target)
		}
		return what
	case "Undo":
		undone := child(doc, "object")
		if text(undone, "type") == "Follow" {
			delete(s.followers[ref(undone["object"])], actor)
			return "unfollowed"
		}
		return "undone"
	}
	return "no effect"
}

// onFollow accepts a follow of a local account at once.
func (s *Server) onFollow(ctx context.Context, doc object) string {
	actor, target := text(doc, "actor"), ref(doc["object"])
	s.mu.Lock()
	a := s.byID[target]
	if a == nil {
		s.mu.Unlock()
		return "nobody of that name"
	}
	if s.followers[a.id] == nil {
		s.followers[a.id] = map[string]bool{}
	}
	s.followers[a.id][actor] = true
	s.notify(a, "follow", actor, "")
	accept := object{"@context": s.context(activityStreams), "id": s.base + "/accepts/" + s.newID(), "type": "Accept",
		"actor": a.id, "to": []any{actor}, "object": clone(doc)}
	s.mu.Unlock()
	delete(child(accept, "object"), "@context")
	who, err := s.actor(ctx, a, actor)
	if err != nil {
		return "followed, but no Accept: " + err.Error()
	}
	if err := a.Send(ctx, who.inbox, encode(accept)); err != nil {
		return "followed, but no Accept: " + err.Error()
	}
	return "followed"
}

// onAnswer handles Accept and Reject of a follow or of a quote request.
func (s *Server) onAnswer(ctx context.Context, doc object) string {
	asked := child(doc, "object")
	accepted := text(doc, "type") == "Accept"
	if text(asked, "type") == "QuoteRequest" {
		return s.onQuoteAnswer(ctx, doc, asked, accepted)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for f, state := range s.follows {
		matches := state.id == ref(doc["object"]) || (text(asked, "type") == "Follow" && ref(asked["actor"]) == f.account)
		if !matches || f.actor != text(doc, "actor") {
			continue
		}
		if !accepted {
			delete(s.follows, f)
			return "follow rejected"
		}
		if !state.accepted {
			state.accepted = true
			s.notify(s.byID[f.account], "follow accepted", f.actor, "")
		}
		return "follow accepted"
	}
	s.problem("%s %s: answers no follow of ours", text(doc, "type"), text(doc, "id"))
	return "answers nothing"
}

// onQuoteAnswer checks the stamp of an approved quote (FEP-044f).
func (s *Server) onQuoteAnswer(ctx context.Context, doc, asked object, accepted bool) string {
	quote := ref(asked["instrument"])
	if !accepted {
		return "quote rejected"
	}
	stamp, err := s.instance.getObject(ctx, ref(doc["result"]))
	if err != nil {
		s.report(fmt.Sprintf("quote of %s: stamp: %v", ref(asked["object"]), err))
		return "quote stamp cannot be fetched"
	}
	if text(stamp, "type") != "QuoteAuthorization" || ref(stamp["interactingObject"]) != quote ||
		ref(stamp["interactionTarget"]) != ref(asked["object"]) || ref(stamp["attributedTo"]) != text(doc, "actor") {
		s.report(fmt.Sprintf("quote of %s: stamp %s does not fit", ref(asked["object"]), text(stamp, "id")))
		return "quote stamp does not fit"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quotes[quote] = true
	if n := s.notes[quote]; n != nil && s.byID[n.Author] != nil {
		s.notify(s.byID[n.Author], "quote accepted", text(doc, "actor"), quote)
	}
	return "quote accepted"
}

// onCreate keeps a post if somebody here is concerned, as every server does:
// a local account follows the author, is mentioned and addressed, or wrote the
// post that it replies to. GoToSocial asks this of the inbox's owner.
func (s *Server) onCreate(doc object, owner *Account) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	note := child(doc, "object")
	n := readNote(note)
	if s.notes[n.ID] != nil {
		return "known already"
	}
	var mentioned []*Account
	for _, id := range n.Mentions {
		if a := s.byID[id]; a != nil && slices.Contains(append(n.To, n.Cc...), id) {
			mentioned = append(mentioned, a)
		}
	}
	relevant := len(mentioned) > 0
	for f, state := range s.follows {
		if f.actor == n.Author && state.accepted && (!s.kind.isGTS() || owner == nil || f.account == owner.id) {
			relevant = true
		}
	}
	if parent := s.notes[n.InReplyTo]; parent != nil && parent.Own && !s.kind.isGTS() {
		relevant = true
	}
	if !relevant {
		return "dropped: nobody here follows the author or is mentioned"
	}
	if note["name"] != nil && note["content"] == nil {
		return "a vote, which is not for us"
	}
	if err := s.store(note); err != nil {
		return "dropped: " + err.Error()
	}
	for _, a := range mentioned {
		s.notify(a, "mention", n.Author, n.ID)
	}
	return "stored"
}

// onUpdate applies an Update of a post or an actor.
func (s *Server) onUpdate(doc object, owner *Account) string {
	changed := child(doc, "object")
	if text(changed, "inbox") != "" {
		if _, err := s.keepActor(changed); err != nil {
			return "update refused: " + err.Error()
		}
		return "actor updated"
	}
	s.mu.Lock()
	if known := s.notes[text(changed, "id")]; known == nil {
		s.mu.Unlock()
		young := s.now().Sub(instant(text(changed, "published"))) < 24*time.Hour
		if s.kind == Misskey || s.kind == Akkoma || (s.kind == Mastodon && !young) {
			return "update of an unknown post ignored"
		}
		return strings.TrimSpace("unknown post: " + s.onCreate(doc, owner))
	}
	defer s.mu.Unlock()
	return s.updateNote(changed)
}
