package simulation

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// searchAccept is what Mastodon asks for when somebody pastes a URL.
const searchAccept = ldJSON + ", " + activityJSON + ", text/html;q=0.1"

// SearchHandle looks "@name@host" up as the kind does and returns the actor's
// id: WebFinger (Akkoma asks host-meta first), the actor document, and a
// second WebFinger that must lead back to the same actor. Then the collections
// of the actor are read, which is when pinned posts become known.
func (a *Account) SearchHandle(ctx context.Context, handle string) (string, error) {
	name, host, ok := strings.Cut(strings.TrimPrefix(handle, "@"), "@")
	if !ok || name == "" || host == "" {
		return "", fmt.Errorf("search %q: not a handle of the form @name@host", handle)
	}
	s := a.server
	id, err := a.finger(ctx, name, host)
	if err != nil {
		return "", fmt.Errorf("search %s: %w", handle, err)
	}
	found, err := s.actor(ctx, a, id)
	if err != nil {
		return "", fmt.Errorf("search %s: %w", handle, err)
	}
	if !strings.EqualFold(found.username, name) || (s.kind.isGTS() && found.username != name) {
		return "", s.refuse("search %s: preferredUsername is %q", handle, found.username)
	}
	back, err := a.finger(ctx, found.username, hostOf(id))
	if err != nil || back != id {
		return "", s.refuse("search %s: WebFinger of the actor's own handle leads to %q, not to %s (%v)", handle, back, id, err)
	}
	a.readCollections(ctx, found)
	return id, nil
}

// lrdd finds the WebFinger template in host-meta.
var lrdd = regexp.MustCompile(`rel=["']lrdd["'][^>]*template=["']([^"']+)["']`)

// finger asks WebFinger (RFC 7033) for the actor id of a handle.
func (a *Account) finger(ctx context.Context, name, host string) (string, error) {
	s := a.server
	account := url.QueryEscape("acct:" + name + "@" + host)
	query := s.scheme + "://" + host + "/.well-known/webfinger?resource=" + account
	if s.kind == Akkoma {
		meta, _, _, err := s.plain(ctx, s.scheme+"://"+host+"/.well-known/host-meta", "application/xrd+xml, application/jrd+json")
		if m := lrdd.FindSubmatch(meta); err == nil && m != nil {
			query = strings.Replace(strings.ReplaceAll(string(m[1]), "&amp;", "&"), "{uri}", account, 1)
		}
	}
	body, contentType, _, err := s.plain(ctx, query, "application/jrd+json, application/json")
	if err != nil {
		return "", err
	}
	if !strings.Contains(contentType, "json") {
		return "", s.refuse("webfinger %s: media type %q", host, contentType)
	}
	doc, err := decode(body)
	if err != nil {
		return "", s.refuse("webfinger %s: %v", host, err)
	}
	if subject := text(doc, "subject"); !strings.EqualFold(subject, "acct:"+name+"@"+host) {
		s.report(fmt.Sprintf("webfinger %s: subject is %q", host, subject))
	}
	for _, l := range list(doc["links"]) {
		link, _ := l.(object)
		if text(link, "rel") == "self" && isActivityType(text(link, "type")) {
			return text(link, "href"), nil
		}
	}
	return "", s.refuse("webfinger %s: no self link with an ActivityPub type", host)
}

// plain fetches without a signature, as WebFinger is asked.
func (s *Server) plain(ctx context.Context, rawURL, accept string) ([]byte, string, string, error) {
	unsigned := &Account{server: s}
	req, err := unsigned.Request(ctx, http.MethodGet, rawURL, nil, SignOptions{Unsigned: true})
	if err != nil {
		return nil, "", "", err
	}
	req.Header.Set("Accept", accept)
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, "", "", fmt.Errorf("fetch %s: %w", rawURL, err)
	}
	return readAnswer(resp, rawURL)
}

// readCollections reads what Mastodon reads after a first look-up: the totals
// of outbox, following and followers, and the pinned posts.
func (a *Account) readCollections(ctx context.Context, found remoteActor) {
	s := a.server
	accept := ""
	if s.kind == Misskey {
		accept = "application/json"
	}
	for what, address := range map[string]string{"outbox": found.outbox, "followers": found.followers, "following": found.following} {
		if address == "" {
			continue
		}
		body, _, _, err := a.get(ctx, address, accept)
		if err != nil {
			s.report(fmt.Sprintf("actor %s: %s cannot be read: %v", found.id, what, err))
			continue
		}
		doc, err := decode(body)
		if _, counted := integer(doc, "totalItems"); err != nil || !counted {
			s.report(fmt.Sprintf("actor %s: %s has no totalItems", found.id, what))
		}
	}
	if found.pins == "" {
		return
	}
	for _, id := range a.items(ctx, found.pins, 1) {
		if hostOf(id) == hostOf(found.id) && s.kind != Misskey {
			_, _ = a.SearchURL(ctx, id) // an unreadable pin is left out
		}
	}
}

// Collection returns the ids in a collection, walking at most 50 pages. An
// activity stands for its object.
func (a *Account) Collection(ctx context.Context, id string) []string { return a.items(ctx, id, 50) }

// items walks a collection. What cannot be read is left out.
func (a *Account) items(ctx context.Context, id string, pages int) []string {
	var found []string
	var next any = id
	visited := map[string]bool{}
	for range pages + 1 {
		page, _ := next.(object)
		if page == nil || (page["items"] == nil && page["orderedItems"] == nil) {
			address := ref(next)
			if address == "" || visited[address] {
				break
			}
			visited[address] = true
			body, _, _, err := a.get(ctx, address, "")
			if err != nil {
				break
			}
			if page, err = decode(body); err != nil {
				break
			}
		}
		for _, e := range append(list(page["items"]), list(page["orderedItems"])...) {
			if activity, _ := e.(object); activity["object"] != nil {
				e = activity["object"]
			}
			if id := ref(e); id != "" {
				found = append(found, id)
			}
		}
		if next = page["next"]; next == nil {
			next = page["first"]
		}
	}
	return found
}

// alternate finds the ActivityPub address in a page's head.
var alternate = regexp.MustCompile(`<link\b[^>]*>`)
var attribute = regexp.MustCompile(`([a-z]+)\s*=\s*"([^"]*)"`)

// SearchURL does what pasting a URL into the search box does: it fetches with
// Mastodon's Accept header, follows <link rel="alternate"> or a Link header of
// an HTML page, and keeps what it finds. It returns the id of the post or actor.
func (a *Account) SearchURL(ctx context.Context, rawURL string) (string, error) {
	s := a.server
	body, contentType, _, err := a.get(ctx, rawURL, searchAccept)
	if err != nil {
		return "", fmt.Errorf("search: %w", err)
	}
	if strings.HasPrefix(contentType, "text/html") {
		address := ""
		for _, link := range alternate.FindAllString(string(body), -1) {
			values := map[string]string{}
			for _, m := range attribute.FindAllStringSubmatch(link, -1) {
				values[m[1]] = strings.ReplaceAll(m[2], "&amp;", "&")
			}
			if values["rel"] == "alternate" && isActivityType(values["type"]) {
				address = absolute(rawURL, values["href"])
				break
			}
		}
		if address == "" {
			return "", s.refuse("search %s: the page has no rel=alternate link to an ActivityPub document", rawURL)
		}
		rawURL = address
	} else if !isActivityType(contentType) {
		return "", s.refuse("search %s: media type %q is not ActivityPub's", rawURL, contentType)
	} else if doc, err := decode(body); err == nil && text(doc, "id") != rawURL {
		rawURL = text(doc, "id") // the page's own address, negotiated: fetch the object at its id
	}
	doc, err := a.getObject(ctx, rawURL)
	if err != nil {
		return "", fmt.Errorf("search: %w", err)
	}
	if text(doc, "inbox") != "" {
		found, err := s.keepActor(doc)
		return found.id, err
	}
	return text(doc, "id"), a.keep(ctx, doc)
}

// keep stores a fetched post after reading its author.
func (a *Account) keep(ctx context.Context, doc object) error {
	author := ref(doc["attributedTo"])
	if author == "" || hostOf(author) != hostOf(text(doc, "id")) {
		return a.server.refuse("object %s: attributedTo %q is on another host", text(doc, "id"), author)
	}
	if _, err := a.server.actor(ctx, a, author); err != nil {
		return err
	}
	return a.server.keepNote(doc)
}

// need returns a post, fetching it when the server does not have it.
func (a *Account) need(ctx context.Context, id string) (*Note, error) {
	s := a.server
	s.mu.Lock()
	n := s.notes[id]
	s.mu.Unlock()
	if n != nil {
		return n, nil
	}
	doc, err := a.getObject(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := a.keep(ctx, doc); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n = s.notes[id]; n == nil {
		return nil, fmt.Errorf("fetch %s: the server did not keep it", id)
	}
	return n, nil
}

// Refresh fetches a post again as opening it does, and treats the answer like
// an Update. Misskey never does (ErrUnsupported). On 404 or 410 the copy goes.
func (a *Account) Refresh(ctx context.Context, id string) error {
	s := a.server
	if s.kind == Misskey {
		return fmt.Errorf("refresh %s: %w", id, ErrUnsupported)
	}
	doc, err := a.getObject(ctx, id)
	var answer *StatusError
	if errors.As(err, &answer) && (answer.Status == http.StatusNotFound || answer.Status == http.StatusGone) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if n := s.notes[id]; n != nil && !n.Own {
			delete(s.notes, id)
			delete(s.polls, id)
		}
		return err
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	known := s.notes[id] != nil
	s.mu.Unlock()
	if !known {
		return a.keep(ctx, doc)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.updateNote(doc)
	return nil
}
