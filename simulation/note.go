package simulation

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Audience is who may read a post.
type Audience int

// The audiences. Direct posts reach only those mentioned.
const (
	Public Audience = iota
	Unlisted
	FollowersOnly
	Direct
)

// Note is a post that a server keeps, its own or received.
type Note struct {
	ID, Type, Author   string
	InReplyTo          string
	Content, Language  string
	Summary            string // the content warning shown, if any
	URL, Context       string
	To, Cc, Mentions   []string
	Published, Updated time.Time
	Edited             bool // an edit was taken
	Own                bool // written on this server
	Likes, Boosts      int
	document           object
	published          string // as sent
	inboxes            []string
	deleted            bool
	attachments        int
}

// Public reports whether everyone is addressed, in to or in cc.
func (n *Note) Public() bool {
	return slices.ContainsFunc(append(slices.Clone(n.To), n.Cc...), isPublic)
}

// isPublic reports whether an address is everyone's (ActivityPub §5.6).
func isPublic(address string) bool {
	return address == public || address == "as:Public" || address == "Public"
}

// Document returns the post as it was received or is served.
func (n *Note) Document() []byte { return encode(n.document) }

// Note returns a post that the server keeps.
func (s *Server) Note(id string) (Note, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.notes[id]
	if n == nil || n.deleted {
		return Note{}, false
	}
	return *n, true
}

// Notes returns all posts that the server keeps, oldest first.
func (s *Server) Notes() []Note {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Note
	for _, n := range s.notes {
		if !n.deleted {
			all = append(all, *n)
		}
	}
	slices.SortFunc(all, func(a, b Note) int {
		if c := a.Published.Compare(b.Published); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return all
}

// readNote turns a document into a Note.
func readNote(doc object) *Note {
	n := &Note{ID: text(doc, "id"), Type: text(doc, "type"), Author: ref(doc["attributedTo"]),
		InReplyTo: ref(doc["inReplyTo"]), Content: text(doc, "content"), Summary: text(doc, "summary"),
		URL: text(doc, "url"), Context: text(doc, "context"), To: refs(doc["to"]), Cc: refs(doc["cc"]),
		Published: instant(text(doc, "published")), Updated: instant(text(doc, "updated")),
		document: doc, published: text(doc, "published"), attachments: len(list(doc["attachment"]))}
	for language, content := range child(doc, "contentMap") {
		if n.Language == "" || content == n.Content {
			n.Language = language
		}
	}
	for _, raw := range list(doc["tag"]) {
		if tag, _ := raw.(object); text(tag, "type") == "Mention" {
			n.Mentions = append(n.Mentions, text(tag, "href"))
		}
	}
	return n
}

// keepNote checks a received or fetched post and stores it, with its poll.
// The error says why this kind loses it.
func (s *Server) keepNote(doc object) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.store(doc)
}

// store does the work of keepNote. The caller holds s.mu.
func (s *Server) store(doc object) error {
	problems, fatal := checkObject(s.kind, s.now(), doc)
	for _, p := range problems {
		s.problem("%s", p)
	}
	if fatal != nil {
		s.problem("%s", fatal.Error())
		return fatal
	}
	n := readNote(doc)
	if n.Type == "Question" {
		p, problems, err := parsePoll(s.kind, doc)
		for _, problem := range problems {
			s.problem("%s", problem)
		}
		if err != nil {
			s.problem("%s", err.Error())
			if !s.kind.isGTS() { // GoToSocial keeps the post without its poll
				return err
			}
		} else {
			s.polls[n.ID] = p
		}
	}
	s.notes[n.ID] = n
	return nil
}

// updateNote applies an Update or a fresh copy to a stored post by the kind's
// rules and says what happened. The caller holds s.mu.
func (s *Server) updateNote(doc object) string {
	id := text(doc, "id")
	old := s.notes[id]
	if n := readNote(doc); n.Author != old.Author || n.Type != old.Type {
		s.problem("update of %s: author or type changed", id)
		return "update refused"
	}
	if problems, fatal := checkObject(s.kind, s.now(), doc); fatal != nil {
		s.problem("update: %v", fatal)
		return "update refused"
	} else {
		for _, p := range problems {
			s.problem("%s", p)
		}
	}
	if text(doc, "published") != old.published {
		s.problem("update of %s: published changed from %q to %q", id, old.published, text(doc, "published"))
		if s.kind.isGTS() {
			return "update refused: published changed"
		}
	}
	updated := instant(text(doc, "updated"))
	newer := updated.After(old.Updated)
	same := updated.Equal(old.Updated)
	if !newer && !same && !s.kind.isGTS() && s.kind != Misskey {
		// Mastodon and Akkoma: an edit is known and this is older or says nothing.
		s.problem("update of %s: `updated` is missing or older than the known edit, so %s rejects all of it", id, s.kind)
		return "update rejected"
	}
	effect := "nothing new"
	if p := s.polls[id]; p != nil && doc["type"] == "Question" {
		effect = s.updatePoll(id, p, doc, newer, same)
	} else if s.kind == Misskey {
		return "update of a Note is not supported"
	}
	if s.kind == Misskey || (!newer && !s.kind.isGTS()) {
		return effect
	}
	fresh := readNote(doc)
	fresh.Own, fresh.Likes, fresh.Boosts, fresh.inboxes = old.Own, old.Likes, old.Boosts, old.inboxes
	fresh.Edited = old.Edited || fresh.Content != old.Content || fresh.Summary != old.Summary
	s.notes[id] = fresh
	if fresh.Edited {
		effect = "edited; " + effect
	}
	return effect
}

// html of a mention, as Mastodon writes it.
func mentionAnchor(who remoteActor) string {
	page := who.url
	if page == "" {
		page = who.id
	}
	return fmt.Sprintf(`<span class="h-card"><a href="%s" class="u-url mention">@<span>%s</span></a></span>`, page, who.username)
}
