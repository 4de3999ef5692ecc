package simulation

import (
	"fmt"
	"html"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ServeHTTP serves the server's documents and inboxes.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	s.mu.Lock()
	override, overridden := s.overrides[path]
	route := s.routes[path]
	note := s.notes[s.base+strings.TrimSuffix(path, "/replies")]
	s.mu.Unlock()
	switch {
	case overridden && r.Method == http.MethodGet:
		for name, values := range override.Header {
			w.Header()[name] = values
		}
		if override.ContentType != "" {
			w.Header().Set("Content-Type", override.ContentType)
		}
		status := override.Status
		if status == 0 {
			status = http.StatusOK
		}
		w.WriteHeader(status)
		_, _ = w.Write(override.Body)
	case route != nil:
		route(w, r)
	case strings.HasPrefix(path, "/@") && r.Method == http.MethodGet:
		s.servePage(w, path)
	case note != nil && note.Own && strings.HasSuffix(path, "/replies"):
		s.serveReplies(w, r, note.ID)
	case note != nil && note.Own:
		s.serveNote(w, r, note.ID)
	default:
		http.Error(w, "not found", http.StatusNotFound)
	}
}

// serveWellKnown registers what every server has.
func (s *Server) serveWellKnown() {
	s.routes["/.well-known/webfinger"] = s.serveWebfinger
	s.routes["/.well-known/host-meta"] = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/xrd+xml; charset=utf-8")
		_, _ = fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><XRD xmlns="http://docs.oasis-open.org/ns/xri/xrd-1.0"><Link rel="lrdd" template="%s/.well-known/webfinger?resource={uri}"/></XRD>`, s.base)
	}
	s.routes["/.well-known/nodeinfo"] = func(w http.ResponseWriter, _ *http.Request) {
		write(w, "application/json", http.StatusOK, object{"links": []any{object{
			"rel": "http://nodeinfo.diaspora.software/ns/schema/2.0", "href": s.base + "/nodeinfo/2.0"}}})
	}
	s.routes["/nodeinfo/2.0"] = func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		users := len(s.accounts)
		s.mu.Unlock()
		write(w, "application/json", http.StatusOK, object{"version": "2.0",
			"software":  object{"name": s.traits.software, "version": s.traits.version},
			"protocols": []any{"activitypub"}, "services": object{"inbound": []any{}, "outbound": []any{}},
			"openRegistrations": false, "usage": object{"users": object{"total": users}}, "metadata": object{}})
	}
	if s.traits.sharedInbox != "" {
		s.routes[s.traits.sharedInbox] = s.serveInbox(nil)
	}
}

// write sends v as JSON.
func write(w http.ResponseWriter, contentType string, status int, v any) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(encode(v))
}

// serveWebfinger answers RFC 7033 queries for acct: and actor URLs.
func (s *Server) serveWebfinger(w http.ResponseWriter, r *http.Request) {
	resource := r.URL.Query().Get("resource")
	if resource == "" {
		http.Error(w, "resource is missing", http.StatusBadRequest)
		return
	}
	handle := strings.TrimPrefix(strings.TrimPrefix(resource, "acct:"), "@")
	name, host, _ := strings.Cut(handle, "@")
	s.mu.Lock()
	a := s.byID[resource]
	if a == nil && strings.EqualFold(host, s.host) {
		a = s.accounts[name]
		if name == s.instance.name {
			a = s.instance
		}
	}
	s.mu.Unlock()
	if a == nil {
		http.Error(w, "no such account", http.StatusNotFound)
		return
	}
	if a.isGone() {
		http.Error(w, "gone", http.StatusGone)
		return
	}
	links := []any{
		object{"rel": "self", "type": activityJSON, "href": a.id},
		object{"rel": "http://webfinger.net/rel/profile-page", "type": "text/html", "href": a.profileURL()},
	}
	const subscribe = "http://ostatus.org/schema/1.0/subscribe"
	if s.kind == Mastodon { // FEP-3b86 since 4.6; Create is for new posts
		links = append(links, object{"rel": "https://w3id.org/fep/3b86/Create", "template": s.base + "/share?text={content}"},
			object{"rel": "https://w3id.org/fep/3b86/Object", "template": s.base + "/authorize_interaction?uri={object}"})
	}
	if path, parameter := s.kind.interaction(); path != "" {
		links = append(links, object{"rel": subscribe, "template": s.base + path + "?" + parameter + "={uri}"})
	}
	w.Header().Set("Access-Control-Allow-Origin", "*")
	write(w, "application/jrd+json; charset=utf-8", http.StatusOK,
		object{"subject": "acct:" + a.name + "@" + s.host, "aliases": []any{a.profileURL(), a.id}, "links": links})
}

// mayFetch answers an unsigned or badly signed GET with 401 where the kind
// demands signatures, and reports whether to go on.
func (s *Server) mayFetch(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return false
	}
	if !s.traits.signedFetch {
		return true
	}
	if _, err := s.verify(r, nil); err != nil {
		if strings.Contains(r.Header.Get("Accept"), "json") {
			s.report(fmt.Sprintf("GET %s: %v (%s demands signed requests)", r.URL.Path, err, s.kind))
		}
		http.Error(w, "unauthorized", http.StatusUnauthorized)
		return false
	}
	return true
}

// keyFault plays a fault on a document with a key; true means that the request
// has been answered or abandoned.
func (s *Server) keyFault(w http.ResponseWriter, r *http.Request) bool {
	s.mu.Lock()
	f := s.fault
	s.mu.Unlock()
	if f.Hang {
		<-r.Context().Done()
		return true
	}
	if !wait(r.Context().Done(), f.KeyDelay) {
		return true
	}
	if f.KeyStatus != 0 {
		retryAfter(w, f.RetryAfter)
		http.Error(w, http.StatusText(f.KeyStatus), f.KeyStatus)
		return true
	}
	return false
}

// retryAfter sets the header, if there is something to say.
func retryAfter(w http.ResponseWriter, d time.Duration) {
	if d > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((d+time.Second-1)/time.Second)))
	}
}

// wait sleeps for d; it returns false when done came first.
func wait(done <-chan struct{}, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-done:
		return false
	}
}

// serveActor serves the actor document; instance actors never need a signature.
func (s *Server) serveActor(a *Account) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s.keyFault(w, r) || (!a.instance && !s.mayFetch(w, r)) {
			return
		}
		if a.isGone() {
			http.Error(w, "gone", http.StatusGone)
			return
		}
		doc, err := a.document()
		if err != nil {
			http.Error(w, "no key", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Vary", "Accept")
		write(w, activityJSON+"; charset=utf-8", http.StatusOK, doc)
	}
}

// serveStub serves GoToSocial's key document: the actor without an inbox, to
// anyone.
func (s *Server) serveStub(a *Account) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s.keyFault(w, r) {
			return
		}
		if a.isGone() {
			http.Error(w, "gone", http.StatusGone)
			return
		}
		key, err := a.keyDocument()
		if err != nil {
			http.Error(w, "no key", http.StatusServiceUnavailable)
			return
		}
		write(w, activityJSON, http.StatusOK, object{
			"@context": []any{"https://w3id.org/security/v1", activityStreams},
			"id":       a.id, "type": a.kind, "preferredUsername": a.name, "publicKey": key})
	}
}

// keyDocument is the publicKey of the actor.
func (a *Account) keyDocument() (object, error) {
	pem, err := a.publicKeyPEM()
	if err != nil {
		return nil, err
	}
	return object{"id": a.KeyID(), "owner": a.id, "publicKeyPem": pem}, nil
}

// document is the actor document in the shape of the kind.
func (a *Account) document() (object, error) {
	key, err := a.keyDocument()
	if err != nil {
		return nil, err
	}
	s := a.server
	s.mu.Lock()
	defer s.mu.Unlock()
	doc := object{
		"@context": s.context(activityStreams, "https://w3id.org/security/v1", object{
			"toot": "http://joinmastodon.org/ns#", "manuallyApprovesFollowers": "as:manuallyApprovesFollowers",
			"discoverable": "toot:discoverable", "alsoKnownAs": object{"@id": "as:alsoKnownAs", "@type": "@id"},
			"movedTo": object{"@id": "as:movedTo", "@type": "@id"}}),
		"id": a.id, "type": a.kind, "preferredUsername": a.name, "name": a.display, "summary": "",
		"inbox": a.inbox, "outbox": a.id + "/outbox", "following": a.id + "/following", "followers": a.followersURL(),
		"url": a.profileURL(), "manuallyApprovesFollowers": false, "discoverable": true, "publicKey": key,
		"tag": []any{}, "attachment": []any{},
	}
	if s.traits.sharedInbox != "" {
		doc["endpoints"] = object{"sharedInbox": s.base + s.traits.sharedInbox}
	}
	switch s.kind {
	case Mastodon, GoToSocial, GoToSocialOld, Tootik:
		doc["published"] = a.created.Format("2006-01-02T00:00:00Z")
	case Misskey:
		doc["isCat"], doc["sharedInbox"] = false, s.base+s.traits.sharedInbox
		doc["_misskey_summary"] = ""
	case Akkoma:
		doc["capabilities"] = object{"acceptsChatMessages": true}
	}
	if len(a.alsoKnownAs) > 0 {
		doc["alsoKnownAs"] = list(a.alsoKnownAs)
	}
	if a.movedTo != "" {
		doc["movedTo"] = a.movedTo
	}
	return doc, nil
}

// context is the @context of the kind: what is given, and with Akkoma its own
// schema in place of anything else.
func (s *Server) context(parts ...any) any {
	if s.kind == Akkoma {
		return []any{activityStreams, s.base + "/schemas/litepub-0.1.jsonld", object{"@language": "und"}}
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return parts
}

// serveCollection serves outbox, following or followers: a number, no items,
// as people with hidden relations have.
func (s *Server) serveCollection(a *Account, what string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !s.mayFetch(w, r) {
			return
		}
		n := 0
		s.mu.Lock()
		switch what {
		case "followers":
			n = len(s.followers[a.id])
		case "following":
			for f, state := range s.follows {
				if f.account == a.id && state.accepted {
					n++
				}
			}
		default:
			for _, note := range s.notes {
				if note.Own && note.Author == a.id {
					n++
				}
			}
		}
		s.mu.Unlock()
		write(w, activityJSON, http.StatusOK, object{"@context": activityStreams,
			"id": s.base + r.URL.Path, "type": "OrderedCollection", "totalItems": n})
	}
}

// serveNote serves a note of our own: public and unlisted ones to everyone,
// others to nobody, deleted ones as 410.
func (s *Server) serveNote(w http.ResponseWriter, r *http.Request, id string) {
	if !s.mayFetch(w, r) {
		return
	}
	s.mu.Lock()
	n := s.notes[id]
	gone, open := n.deleted, n.Public()
	doc := clone(n.document)
	s.mu.Unlock()
	switch {
	case gone:
		write(w, activityJSON, http.StatusGone, object{"@context": activityStreams, "id": id, "type": "Tombstone"})
	case !open:
		http.Error(w, "not found", http.StatusNotFound)
	default:
		write(w, activityJSON+"; charset=utf-8", http.StatusOK, doc)
	}
}

// serveReplies serves the collection of public replies to a note of ours.
func (s *Server) serveReplies(w http.ResponseWriter, r *http.Request, id string) {
	if !s.mayFetch(w, r) {
		return
	}
	items := []any{}
	s.mu.Lock()
	for _, n := range s.notes {
		if n.InReplyTo == id && n.Public() && !n.deleted {
			items = append(items, n.ID)
		}
	}
	s.mu.Unlock()
	write(w, activityJSON, http.StatusOK, object{"@context": activityStreams, "id": id + "/replies", "type": "Collection",
		"first": object{"id": id + "/replies?page=1", "type": "CollectionPage", "partOf": id + "/replies", "items": items}})
}

// servePage shows people who follow a link of the demo what they look at.
func (s *Server) servePage(w http.ResponseWriter, path string) {
	name, _, _ := strings.Cut(strings.TrimPrefix(path, "/@"), "/")
	s.mu.Lock()
	a := s.accounts[name]
	body := ""
	for _, n := range s.notes {
		if n.Own && !n.deleted && n.Public() && n.URL == s.base+path {
			body = n.Content // written by this package
		}
	}
	s.mu.Unlock()
	if a == nil {
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = fmt.Fprintf(w, "<!doctype html><html lang=\"en\"><title>%[1]s</title><h1>%[1]s</h1>%[2]s<p>A simulated %[3]s account: nobody is behind it.</p></html>",
		html.EscapeString(a.Handle()), body, s.kind)
}
