package simulation

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// ErrUnsupported is returned for what servers of that kind cannot do.
var ErrUnsupported = errors.New("this kind of server cannot do that")

// StatusError is an answer that is no success.
type StatusError struct {
	Method, URL string
	Status      int
	Body        string // its first 200 bytes
	RetryAfter  string // the header, as sent
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s %s: answered %d: %s", e.Method, e.URL, e.Status, strings.TrimSpace(e.Body))
}

// maxBody bounds what is read of any answer.
const maxBody = 1 << 20

// get fetches a URL, signed by the account; redirects are followed and signed
// again, at most three times. It returns body, media type and final URL.
func (a *Account) get(ctx context.Context, rawURL, accept string) ([]byte, string, string, error) {
	for range 4 {
		req, err := a.Request(ctx, http.MethodGet, rawURL, nil, SignOptions{Scheme: a.server.config.Scheme, Accept: accept})
		if err != nil {
			return nil, "", "", err
		}
		resp, err := a.server.client.Do(req)
		if err != nil {
			return nil, "", "", fmt.Errorf("fetch %s: %w", rawURL, err)
		}
		if location := resp.Header.Get("Location"); resp.StatusCode >= 300 && resp.StatusCode < 400 && location != "" {
			next, err := req.URL.Parse(location)
			if err != nil {
				return nil, "", "", fmt.Errorf("fetch %s: redirect: %w", rawURL, err)
			}
			_ = resp.Body.Close()
			rawURL = next.String()
			continue
		}
		return readAnswer(resp, rawURL)
	}
	return nil, "", "", fmt.Errorf("fetch %s: too many redirects", rawURL)
}

// readAnswer reads a 200 answer: body, media type and URL. Any other status is
// a *StatusError.
func readAnswer(resp *http.Response, rawURL string) ([]byte, string, string, error) {
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return nil, "", "", fmt.Errorf("read %s: %w", rawURL, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, "", "", &StatusError{Method: http.MethodGet, URL: rawURL, Status: resp.StatusCode,
			Body: string(body[:min(len(body), 200)]), RetryAfter: resp.Header.Get("Retry-After")}
	}
	return body, resp.Header.Get("Content-Type"), rawURL, nil
}

// getObject fetches an ActivityPub document and checks what every server
// checks: media type, context, and that the id is the URL fetched.
func (a *Account) getObject(ctx context.Context, rawURL string) (object, error) {
	body, contentType, final, err := a.get(ctx, rawURL, "")
	if err != nil {
		return nil, err
	}
	if !isActivityType(contentType) {
		return nil, a.server.refuse("fetch %s: media type %q is not ActivityPub's", rawURL, contentType)
	}
	doc, err := decode(body)
	if err != nil {
		return nil, a.server.refuse("fetch %s: %v", rawURL, err)
	}
	if !namesActivityStreams(doc) {
		return nil, a.server.refuse("fetch %s: @context does not name ActivityStreams", rawURL)
	}
	// GoToSocial's key document is the actor under another URL.
	if id := text(doc, "id"); id != final && text(child(doc, "publicKey"), "id") != rawURL {
		return nil, a.server.refuse("fetch %s: id is %q", rawURL, id)
	}
	return doc, nil
}

// refuse records a problem and returns it as an error.
func (s *Server) refuse(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	s.report(err.Error())
	return err
}

// isActivityType reports whether the media type is one of ActivityPub's two.
func isActivityType(contentType string) bool {
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	return media == activityJSON || (media == "application/ld+json" && params["profile"] == activityStreams)
}

// namesActivityStreams reports whether the document's @context has the
// ActivityStreams URL.
func namesActivityStreams(doc object) bool {
	for _, c := range list(doc["@context"]) {
		if c == activityStreams {
			return true
		}
	}
	return false
}

// remoteActor is what a server keeps of an actor elsewhere.
type remoteActor struct {
	id, kind, username, url    string
	inbox, sharedInbox, outbox string
	followers, following, pins string
	keyID, keyPEM, movedTo     string
	alsoKnownAs                []string
}

// actor returns an actor by id, fetched and checked if unknown.
func (s *Server) actor(ctx context.Context, by *Account, id string) (remoteActor, error) {
	s.mu.Lock()
	known, ok := s.actors[id]
	own := s.byID[id]
	s.mu.Unlock()
	if ok {
		return known, nil
	}
	if own != nil {
		return remoteActor{id: own.id, username: own.name, url: own.profileURL(), inbox: own.inbox, followers: own.followersURL()}, nil
	}
	doc, err := by.getObject(ctx, id)
	if err != nil {
		return remoteActor{}, err
	}
	return s.keepActor(doc)
}

// keepActor checks an actor document and stores it.
func (s *Server) keepActor(doc object) (remoteActor, error) {
	problems, fatal := checkActor(s.kind, doc)
	s.report(problems...)
	if fatal != nil {
		s.report(fatal.Error())
		return remoteActor{}, fatal
	}
	key := child(doc, "publicKey")
	if key == nil {
		for _, k := range list(doc["publicKey"]) {
			key, _ = k.(object)
			break
		}
	}
	a := remoteActor{id: text(doc, "id"), kind: text(doc, "type"), username: text(doc, "preferredUsername"),
		url: text(doc, "url"), inbox: text(doc, "inbox"), outbox: text(doc, "outbox"),
		followers: text(doc, "followers"), following: text(doc, "following"), pins: text(doc, "featured"),
		sharedInbox: text(child(doc, "endpoints"), "sharedInbox"), movedTo: text(doc, "movedTo"),
		alsoKnownAs: refs(doc["alsoKnownAs"]), keyID: text(key, "id"), keyPEM: text(key, "publicKeyPem")}
	if hostOf(a.sharedInbox) != hostOf(a.id) {
		a.sharedInbox = ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, known := s.actors[a.id]; known && old.keyPEM != a.keyPEM && s.kind.isGTS() {
		s.problem("actor %s: its key changed, which GoToSocial refuses for good", a.id)
		return old, nil
	}
	s.actors[a.id] = a
	return a, nil
}

// keyFor returns the key with that id: from the cache, or fetched by the
// instance actor. The second result says that it came from the cache.
func (s *Server) keyFor(ctx context.Context, keyID string, again bool) (publicKey, bool, error) {
	s.mu.Lock()
	known, ok := s.keys[keyID]
	s.mu.Unlock()
	if ok && !again {
		return known, true, nil
	}
	document, _, _ := strings.Cut(keyID, "#")
	doc, err := s.instance.getObject(ctx, document)
	if err != nil {
		return publicKey{}, false, fmt.Errorf("fetch key %s: %w", keyID, err)
	}
	if text(doc, "publicKeyPem") != "" && text(doc, "owner") != "" { // a bare key
		if doc, err = s.instance.getObject(ctx, text(doc, "owner")); err != nil {
			return publicKey{}, false, fmt.Errorf("fetch owner of key %s: %w", keyID, err)
		}
	}
	for _, k := range list(doc["publicKey"]) {
		entry, _ := k.(object)
		if text(entry, "id") != keyID {
			continue
		}
		owner := text(entry, "owner")
		if owner != text(doc, "id") || hostOf(owner) != hostOf(keyID) {
			return publicKey{}, false, fmt.Errorf("key %s: its owner %q is not its actor", keyID, owner)
		}
		key, err := parseKey(text(entry, "publicKeyPem"))
		if err != nil {
			return publicKey{}, false, fmt.Errorf("key %s: %w", keyID, err)
		}
		found := publicKey{id: keyID, owner: owner, key: key}
		s.mu.Lock()
		s.keys[keyID] = found
		s.mu.Unlock()
		return found, false, nil
	}
	return publicKey{}, false, fmt.Errorf("key %s is not in its document", keyID)
}

// parseKey reads an RSA public key from PEM, as SubjectPublicKeyInfo or PKCS #1.
func parseKey(text string) (*rsa.PublicKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("no PEM")
	}
	if block.Type == "RSA PUBLIC KEY" {
		return x509.ParsePKCS1PublicKey(block.Bytes)
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read public key: %w", err)
	}
	key, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("public key is %T, not RSA", parsed)
	}
	if key.Size() < 256 {
		return nil, fmt.Errorf("RSA key of %d bits is too short", key.Size()*8)
	}
	return key, nil
}

// absolute resolves a reference against a base URL.
func absolute(base, reference string) string {
	b, err := url.Parse(base)
	if err != nil {
		return reference
	}
	u, err := b.Parse(reference)
	if err != nil {
		return reference
	}
	return u.String()
}
