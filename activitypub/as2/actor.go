package as2

import (
	"fmt"
	"time"
)

// An Actor is a foreign account or server. Everything but ID and Type may be
// empty: GoToSocial serves, to whoever does not sign, a stub of a name and a
// key.
type Actor struct {
	ID, Type                              string
	PreferredUsername, Name, URL          string
	Inbox, SharedInbox, Outbox, Followers string
	MovedTo                               string
	AlsoKnownAs                           []string
	Published                             time.Time
	Icon                                  string      // URL of an image
	Keys                                  []PublicKey // those with an id, an owner and a value
}

// A PublicKey is a key as published: PEM of a publicKey, or Multibase of a
// Multikey (FEP-521a). The key itself is not parsed.
type PublicKey struct {
	ID, Owner string
	PEM       string
	Multibase string
}

// AsActor reads the document as a Person, Service, Group, Organization or
// Application. Any other type is [ErrUnsupported]; a missing id is
// [ErrMalformed]. That a key's owner is the actor is for the caller to check.
func (d *Document) AsActor() (*Actor, error) {
	if kindOf(d.Type) != actorKind {
		return nil, fmt.Errorf("read actor: %w", unsupported("actor", d.Type))
	}
	a, err := readActor(d.tree)
	if err != nil {
		return nil, fmt.Errorf("read actor: %w", err)
	}
	return a, nil
}

func readActor(tree map[string]any) (*Actor, error) {
	r := reader{tree: tree}
	a := &Actor{
		ID:                r.text("id"),
		Type:              r.text("type"),
		PreferredUsername: r.text("preferredUsername"),
		Name:              r.text("name"),
		URL:               r.url("url"),
		Inbox:             r.id("inbox"),
		Outbox:            r.id("outbox"),
		Followers:         r.id("followers"),
		MovedTo:           r.id("movedTo"),
		AlsoKnownAs:       r.ids("alsoKnownAs"),
		Icon:              r.url("icon"),
	}
	if endpoints, ok := r.one("endpoints").(map[string]any); ok {
		e := reader{tree: endpoints}
		a.SharedInbox = e.id("sharedInbox")
		r.err = firstError(r.err, e.err)
	}
	if r.err != nil {
		return nil, r.err
	}
	if a.ID == "" {
		return nil, malformed("id is missing")
	}
	t, err := typed(tree, nil)
	if err != nil {
		return nil, err
	}
	a.Published = published(t)
	for _, name := range [...]string{"publicKey", "assertionMethod"} {
		for _, m := range r.nodes(name) {
			if k, err := readKey(m); err == nil {
				a.Keys = append(a.Keys, *k)
			}
		}
	}
	return a, nil
}

// AsKey reads the document as a key on its own, as some servers serve it where
// a keyId points. Any other document is [ErrUnsupported], an actor with keys
// too; a key without owner or without a value is [ErrMalformed].
func (d *Document) AsKey() (*PublicKey, error) {
	if d.Type != "" && kindOf(d.Type) != keyKind {
		return nil, fmt.Errorf("read key: %w", unsupported("public key", d.Type))
	}
	k, err := readKey(d.tree)
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	return k, nil
}

func readKey(tree map[string]any) (*PublicKey, error) {
	r := reader{tree: tree}
	k := &PublicKey{
		ID:        r.text("id"),
		Owner:     r.id("owner"),
		PEM:       r.text("publicKeyPem"),
		Multibase: r.text("publicKeyMultibase"),
	}
	if k.Owner == "" {
		k.Owner = r.id("controller")
	}
	switch {
	case r.err != nil:
		return nil, r.err
	case k.ID == "":
		return nil, malformed("key: id is missing")
	case k.Owner == "":
		return nil, malformed("key: owner is missing")
	case k.PEM == "" && k.Multibase == "":
		return nil, malformed("key: publicKeyPem is missing")
	}
	key := make(map[string]any, len(tree)+1)
	for name, v := range tree {
		key[name] = v
	}
	key["type"] = "PublicKey" // often left out
	if _, err := typed(key, nil); err != nil {
		return nil, err
	}
	return k, nil
}
