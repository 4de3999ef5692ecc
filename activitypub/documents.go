package activitypub

import (
	"context"
	"errors"
	"fmt"
	"html"
	"net/url"
	"strings"

	"inspraak/activitypub/as2"
	"inspraak/activitypub/signature"
	"inspraak/participation"
)

// Document returns what ActivityStreams clients get at one of our paths. What
// is not there, and what the public may not see yet, is
// participation.ErrNotFound; any other error is trouble of ours, to be
// answered with 503: Mastodon deletes a post that answers 404. Of a withdrawn
// consultation only a Tombstone is left at every address.
//
// The path is decoded and without a trailing slash. Of the query only page is
// read, and only by collections.
func (f *Federation) Document(ctx context.Context, path string, query url.Values) (Document, error) {
	d, err := f.document(ctx, path, query)
	if err != nil {
		return Document{}, fmt.Errorf("document %.200s: %w", path, err)
	}
	return d, nil
}

var errNoDocument = fmt.Errorf("%w: there is no document at this address", participation.ErrNotFound)

func (f *Federation) document(ctx context.Context, path string, query url.Values) (Document, error) {
	room, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch {
	case path == "/actor":
		return f.instanceActor()
	case strings.HasPrefix(path, "/@"):
		return f.channelDocument(ctx, strings.TrimPrefix(path, "/@"), "", query)
	case room == "a":
		name, part, _ := strings.Cut(rest, "/")
		return f.channelDocument(ctx, name, part, query)
	case room == "o":
		id, part, _ := strings.Cut(rest, "/")
		return f.objectDocument(ctx, id, part, query)
	case room == "consultations" && !strings.Contains(rest, "/"):
		c, err := f.Service.Consultation(ctx, rest)
		if err != nil {
			return Document{}, err
		}
		if c.Slug != rest {
			return Document{}, errNoDocument
		}
		return f.consultationDocument(ctx, c, "", query)
	}
	return Document{}, errNoDocument
}

// A writer is anything as2 can serialise.
type writer interface{ Marshal() ([]byte, error) }

func written(w writer, page string) (Document, error) {
	raw, err := w.Marshal()
	return Document{Body: raw, Page: page}, err
}

// instanceActor is the actor that signs what the node fetches. It is served
// without asking for a signature: else two nodes would wait for each other.
func (f *Federation) instanceActor() (Document, error) {
	pem, err := f.publicKey(InstanceKey)
	if err != nil {
		return Document{}, err
	}
	id := f.URLs.InstanceActor()
	return written(&as2.OutActor{
		ID: id, Type: "Application", PreferredUsername: f.URLs.Host, Name: f.Name,
		URL: f.URLs.Base + "/about", Inbox: f.URLs.SharedInbox(), SharedInbox: f.URLs.SharedInbox(),
		PublicKeyID: KeyID(id), PublicKeyPEM: pem, Implements: implements,
	}, f.URLs.Base+"/about")
}

func (f *Federation) publicKey(name string) (string, error) {
	key, err := f.Keys.ActorKey(name)
	if err != nil {
		return "", fmt.Errorf("public key of %s: %w", name, err)
	}
	return signature.EncodePublicKey(&key.PublicKey)
}

func (f *Federation) channelDocument(ctx context.Context, name, part string, query url.Values) (Document, error) {
	c, err := f.Service.Channel(ctx, name)
	if err != nil {
		return Document{}, err
	}
	page := f.URLs.Profile(c.Name)
	switch kind, _, _ := strings.Cut(part, "/"); kind {
	case "":
		a, err := f.channelActor(c)
		if err != nil {
			return Document{}, err
		}
		return written(a, page)
	case "followers", "following", "outbox", "featured":
		w, err := f.channelCollection(ctx, c, part, query)
		if err != nil {
			return Document{}, err
		}
		return written(w, page)
	case "updates":
		return f.activity(ctx, f.URLs.Actor(name)+"/"+part, page)
	}
	return Document{}, errNoDocument
}

// channelActor is a channel as an Organization: Mastodon badges Service and
// Application as automated, and Lemmy takes a Group for a community.
func (f *Federation) channelActor(c participation.Channel) (*as2.OutActor, error) {
	pem, err := f.publicKey(c.Name)
	if err != nil {
		return nil, err
	}
	id := f.URLs.Actor(c.Name)
	a := &as2.OutActor{
		ID: id, Type: "Organization", PreferredUsername: c.Name, Name: c.Title, Summary: c.HTML,
		URL: f.URLs.Profile(c.Name), Inbox: id + "/inbox", Outbox: id + "/outbox",
		Followers: f.URLs.Followers(c.Name), Following: id + "/following", Featured: id + "/featured",
		SharedInbox: f.URLs.SharedInbox(), Published: c.Created, WebFinger: c.Name + "@" + f.URLs.Host,
		PublicKeyID: KeyID(id), PublicKeyPEM: pem, Discoverable: true, Indexable: true, Implements: implements,
	}
	for _, field := range c.Fields {
		value := html.EscapeString(field.Value)
		if strings.HasPrefix(field.Value, "https://") {
			value = link(field.Value, "me nofollow noopener")
		}
		a.Fields = append(a.Fields, as2.Field{Name: field.Name, Value: value})
	}
	a.Fields = append(a.Fields, as2.Field{Name: logKeyName(c.Language), Value: html.EscapeString(f.Secrets.LogKey().Public())})
	if c.Avatar != nil {
		icon := f.image(c.Avatar)
		a.Icon = &icon
	}
	if c.Header != nil {
		image := f.image(c.Header)
		a.Image = &image
	}
	return a, nil
}

// logKeyName names the profile field that carries the key of the ballot logs, so
// that every follower's server shows a copy of it.
func logKeyName(language string) string {
	if strings.HasPrefix(language, "nl") {
		return "Telsleutel"
	}
	return "Log key"
}

// objectDocument serves /o/ID and what hangs on it, of a consultation or of a
// post.
func (f *Federation) objectDocument(ctx context.Context, id, part string, query url.Values) (Document, error) {
	c, err := f.Service.Consultation(ctx, id)
	switch {
	case err == nil && c.ID == id:
		return f.consultationDocument(ctx, c, part, query)
	case err == nil: // found by its slug, which is no object of ours
		return Document{}, errNoDocument
	case !errors.Is(err, participation.ErrNotFound):
		return Document{}, err
	}
	p, err := f.Service.Post(ctx, id)
	if err != nil {
		return Document{}, err
	}
	if c, err = f.threadOfPost(ctx, p); err != nil {
		return Document{}, err
	}
	page := f.postPage(c, p)
	if c.Phase == participation.Withdrawn && part != "delete" {
		d, err := written(&as2.Tombstone{ID: f.URLs.Object(id), FormerType: "Note"}, page)
		d.Gone = true
		return d, err
	}
	switch kind, quote, _ := strings.Cut(part, "/"); {
	case part == "":
		return written(f.postNote(c, p), page)
	case part == "create", part == "delete":
		return f.activity(ctx, f.URLs.Object(id)+"/"+part, page)
	case kind == "quotes":
		return f.stamp(ctx, id, p.Channel, quote, page)
	}
	return Document{}, errNoDocument
}

func (f *Federation) consultationDocument(ctx context.Context, c participation.Consultation, part string, query url.Values) (Document, error) {
	object, page := f.URLs.Object(c.ID), f.URLs.Page(c.Slug)
	kind, rest, _ := strings.Cut(part, "/")
	switch {
	case c.Phase == participation.Draft, c.Phase == participation.Scheduled, c.OpenedAt.IsZero():
		return Document{}, errNoDocument // not on the fediverse, or never was
	case c.Phase == participation.Withdrawn && part != "delete":
		d, err := written(tombstone(object, c), page)
		d.Gone = true
		return d, err
	case part == "create", part == "delete", kind == "updates":
		return f.activity(ctx, object+"/"+part, page)
	case kind == "quotes":
		return f.stamp(ctx, c.ID, c.Channel, rest, page)
	case part == "":
		n, err := f.consultationNote(ctx, c)
		if err != nil {
			return Document{}, err
		}
		return written(n, page)
	}
	w, err := f.consultationCollection(ctx, c, part, query)
	if err != nil {
		return Document{}, err
	}
	return written(w, page)
}

func tombstone(object string, c participation.Consultation) *as2.Tombstone {
	former := "Note"
	if c.Kind.HasOptions() {
		former = "Question"
	}
	return &as2.Tombstone{ID: object, FormerType: former}
}

// activity serves a public activity as it was sent.
func (f *Federation) activity(ctx context.Context, id, page string) (Document, error) {
	body, err := f.Store.Activity(ctx, id)
	return Document{Body: body, Page: page}, err
}

// stamp serves the permission that allows a post to quote one of our objects
// (FEP-044f). It is valid for as long as it is served.
func (f *Federation) stamp(ctx context.Context, object, channel, id, page string) (Document, error) {
	q, err := f.Store.Quote(ctx, id)
	if err != nil {
		return Document{}, err
	}
	target := f.URLs.Object(object)
	if q.Object != target {
		return Document{}, errNoDocument
	}
	return written(&as2.QuoteAuthorization{
		ID: target + "/quotes/" + q.ID, AttributedTo: f.URLs.Actor(channel),
		InteractingObject: q.Instrument, InteractionTarget: target,
	}, page)
}
