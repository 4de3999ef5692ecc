package as2

import (
	"fmt"
	"time"

	"github.com/go-fed/activity/streams"
	"github.com/go-fed/activity/streams/vocab"
)

// An OutActor is an actor of this node: an Organization that publishes, or the
// Application that signs what the node fetches. What is empty is left out; an
// Organization always says whether it is discoverable and indexable, and that
// it accepts every follower.
type OutActor struct {
	ID, Type                            string // Organization or Application
	PreferredUsername, Name             string
	Summary                             string // HTML
	URL                                 string
	Inbox, Outbox, Followers, Following string
	Featured, SharedInbox               string
	Published                           time.Time
	Icon, Image                         *Image
	Fields                              []Field
	WebFinger                           string // user@host (FEP-2c59)
	PublicKeyID, PublicKeyPEM           string
	Discoverable, Indexable             bool
	Implements                          []Specification // FEP-844e
}

// A Field is a line of the profile table; Value is HTML.
type Field struct{ Name, Value string }

// A Specification is one that the server implements, by its address.
type Specification struct{ Name, Href string }

// Marshal gives the actor as it is served at its id.
func (a *OutActor) Marshal() ([]byte, error) { return marshalPart("actor", a) }

func (a *OutActor) part() (map[string]any, string, error) {
	var b builder
	var t profile
	switch a.Type {
	case "Organization":
		t = streams.NewActivityStreamsOrganization()
	case "Application":
		t = streams.NewActivityStreamsApplication()
	default:
		return nil, "", fmt.Errorf("type %q: Organization or Application is needed", a.Type)
	}
	b.id(t, a.ID)
	b.name(t, a.Name)
	b.url(t, a.URL)
	b.published(t, a.Published)
	b.profile(t, a)
	b.endpoints(t, a)
	b.publicKey(t, a)
	tree, err := b.serialize(t)
	if err != nil {
		return nil, "", err
	}
	if a.Type == "Organization" {
		tree["manuallyApprovesFollowers"] = false
		tree["indexable"] = a.Indexable
	}
	if a.SharedInbox != "" {
		tree["endpoints"] = map[string]any{"sharedInbox": b.iri("sharedInbox", a.SharedInbox).String()}
	}
	if a.WebFinger != "" {
		tree["webfinger"] = a.WebFinger
	}
	if len(a.Fields) > 0 {
		var all []any
		for _, f := range a.Fields {
			all = append(all, map[string]any{"type": "PropertyValue", "name": f.Name, "value": f.Value})
		}
		tree["attachment"] = all
	}
	if len(a.Implements) > 0 {
		var all []any
		for _, s := range a.Implements {
			all = append(all, map[string]any{"name": s.Name, "href": b.iri("implements", s.Href).String()})
		}
		if a.Type == "Application" {
			tree["implements"] = all
		} else {
			tree["generator"] = map[string]any{"type": "Application", "implements": all}
		}
	}
	return tree, actorContext, b.err
}

// profile is what Organization and Application have in common.
type profile interface {
	vocab.Type
	SetActivityStreamsName(vocab.ActivityStreamsNameProperty)
	SetActivityStreamsPreferredUsername(vocab.ActivityStreamsPreferredUsernameProperty)
	SetActivityStreamsSummary(vocab.ActivityStreamsSummaryProperty)
	SetActivityStreamsUrl(vocab.ActivityStreamsUrlProperty)
	SetActivityStreamsPublished(vocab.ActivityStreamsPublishedProperty)
	SetActivityStreamsInbox(vocab.ActivityStreamsInboxProperty)
	SetActivityStreamsOutbox(vocab.ActivityStreamsOutboxProperty)
	SetActivityStreamsFollowers(vocab.ActivityStreamsFollowersProperty)
	SetActivityStreamsFollowing(vocab.ActivityStreamsFollowingProperty)
	SetActivityStreamsIcon(vocab.ActivityStreamsIconProperty)
	SetActivityStreamsImage(vocab.ActivityStreamsImageProperty)
	SetTootDiscoverable(vocab.TootDiscoverableProperty)
	SetTootFeatured(vocab.TootFeaturedProperty)
	SetW3IDSecurityV1PublicKey(vocab.W3IDSecurityV1PublicKeyProperty)
}

func (b *builder) profile(t profile, a *OutActor) {
	if a.PreferredUsername != "" {
		p := streams.NewActivityStreamsPreferredUsernameProperty()
		p.SetXMLSchemaString(a.PreferredUsername)
		t.SetActivityStreamsPreferredUsername(p)
	}
	if a.Summary != "" {
		p := streams.NewActivityStreamsSummaryProperty()
		p.AppendXMLSchemaString(a.Summary)
		t.SetActivityStreamsSummary(p)
	}
	if a.Icon != nil {
		p := streams.NewActivityStreamsIconProperty()
		p.AppendActivityStreamsImage(b.image(a.Icon))
		t.SetActivityStreamsIcon(p)
	}
	if a.Image != nil {
		p := streams.NewActivityStreamsImageProperty()
		p.AppendActivityStreamsImage(b.image(a.Image))
		t.SetActivityStreamsImage(p)
	}
	if a.Type == "Organization" {
		p := streams.NewTootDiscoverableProperty()
		p.Set(a.Discoverable)
		t.SetTootDiscoverable(p)
	}
}

func (b *builder) endpoints(t profile, a *OutActor) {
	if a.Inbox != "" {
		p := streams.NewActivityStreamsInboxProperty()
		p.SetIRI(b.iri("inbox", a.Inbox))
		t.SetActivityStreamsInbox(p)
	}
	if a.Outbox != "" {
		p := streams.NewActivityStreamsOutboxProperty()
		p.SetIRI(b.iri("outbox", a.Outbox))
		t.SetActivityStreamsOutbox(p)
	}
	if a.Followers != "" {
		p := streams.NewActivityStreamsFollowersProperty()
		p.SetIRI(b.iri("followers", a.Followers))
		t.SetActivityStreamsFollowers(p)
	}
	if a.Following != "" {
		p := streams.NewActivityStreamsFollowingProperty()
		p.SetIRI(b.iri("following", a.Following))
		t.SetActivityStreamsFollowing(p)
	}
	if a.Featured != "" {
		p := streams.NewTootFeaturedProperty()
		p.SetIRI(b.iri("featured", a.Featured))
		t.SetTootFeatured(p)
	}
}

func (b *builder) image(i *Image) vocab.ActivityStreamsImage {
	t := streams.NewActivityStreamsImage()
	b.url(t, i.URL)
	b.mediaType(t, i.MediaType)
	b.name(t, i.Alt)
	if i.Width > 0 && i.Height > 0 {
		t.GetUnknownProperties()["width"] = i.Width
		t.GetUnknownProperties()["height"] = i.Height
	}
	return t
}

func (b *builder) publicKey(t profile, a *OutActor) {
	if a.PublicKeyPEM == "" {
		return
	}
	key := streams.NewW3IDSecurityV1PublicKey()
	b.id(key, a.PublicKeyID)
	owner := streams.NewW3IDSecurityV1OwnerProperty()
	owner.Set(b.iri("owner", a.ID))
	key.SetW3IDSecurityV1Owner(owner)
	pem := streams.NewW3IDSecurityV1PublicKeyPemProperty()
	pem.Set(a.PublicKeyPEM)
	key.SetW3IDSecurityV1PublicKeyPem(pem)
	p := streams.NewW3IDSecurityV1PublicKeyProperty()
	p.AppendW3IDSecurityV1PublicKey(key)
	t.SetW3IDSecurityV1PublicKey(p)
}
