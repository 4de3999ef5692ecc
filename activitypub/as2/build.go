package as2

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/go-fed/activity/streams"
	"github.com/go-fed/activity/streams/vocab"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// One constant @context for each kind of document. Every term used in a
// document beyond ActivityStreams and security/v1 is defined in its own.
const (
	plainContext = `"https://www.w3.org/ns/activitystreams"`

	postContext = `["https://www.w3.org/ns/activitystreams",{` +
		`"toot":"http://joinmastodon.org/ns#","votersCount":"toot:votersCount",` +
		`"Hashtag":"as:Hashtag","sensitive":"as:sensitive",` +
		`"blurhash":"toot:blurhash","focalPoint":{"@container":"@list","@id":"toot:focalPoint"},` +
		`"gts":"https://gotosocial.org/ns#",` +
		`"interactionPolicy":{"@id":"gts:interactionPolicy","@type":"@id"},` +
		`"canQuote":{"@id":"gts:canQuote","@type":"@id"},` +
		`"automaticApproval":{"@id":"gts:automaticApproval","@type":"@id"}}]`

	actorContext = `["https://www.w3.org/ns/activitystreams","https://w3id.org/security/v1",{` +
		`"toot":"http://joinmastodon.org/ns#","manuallyApprovesFollowers":"as:manuallyApprovesFollowers",` +
		`"discoverable":"toot:discoverable","indexable":"toot:indexable",` +
		`"featured":{"@id":"toot:featured","@type":"@id"},` +
		`"schema":"http://schema.org#","PropertyValue":"schema:PropertyValue","value":"schema:value",` +
		`"alsoKnownAs":{"@id":"as:alsoKnownAs","@type":"@id"},` +
		`"webfinger":"https://purl.archive.org/socialweb/webfinger#webfinger",` +
		`"implements":{"@id":"https://w3id.org/fep/844e/implements","@type":"@id","@container":"@list"}}]`

	quoteRequestContext = `["https://www.w3.org/ns/activitystreams",{` +
		`"QuoteRequest":"https://w3id.org/fep/044f#QuoteRequest"}]`

	quoteAuthorizationContext = `["https://www.w3.org/ns/activitystreams",{` +
		`"QuoteAuthorization":"https://w3id.org/fep/044f#QuoteAuthorization",` +
		`"gts":"https://gotosocial.org/ns#",` +
		`"interactingObject":{"@id":"gts:interactingObject","@type":"@id"},` +
		`"interactionTarget":{"@id":"gts:interactionTarget","@type":"@id"}}]`
)

// marshal gives the bytes of a tree: names sorted, no white space, no HTML
// escapes. Text that is not UTF-8 is an error.
func marshal(tree map[string]any, context string) ([]byte, error) {
	tree["@context"] = jsontext.Value(context)
	return json.Marshal(tree, json.Deterministic(true))
}

// builder turns strings into go-fed properties. It remembers the first value
// that cannot be written, so that a caller asks err once.
type builder struct{ err error }

// iri checks an identifier and wraps it so that go-fed writes it back byte for
// byte: everything after the scheme is opaque to net/url, which would
// otherwise respell what it understands. A peer recognises its Follow by the
// exact id.
func (b *builder) iri(name, s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		if b.err == nil {
			b.err = fmt.Errorf("%s: %q is not an absolute http or https URL", name, s)
		}
		return &url.URL{}
	}
	scheme, rest, _ := strings.Cut(s, ":")
	return &url.URL{Scheme: scheme, Opaque: rest}
}

// serialize lets go-fed write a value, without its @context and with lists
// kept as lists.
func (b *builder) serialize(t vocab.Type) (map[string]any, error) {
	if b.err != nil {
		return nil, b.err
	}
	m, err := streams.Serialize(t)
	if err != nil {
		return nil, err
	}
	delete(m, "@context")
	keepLists(m)
	return m, nil
}

// keepLists undoes go-fed's shortcut of writing a list of one as its element:
// Mastodon takes a poll only from a list of options, and Pixelfed drops posts
// whose to or cc is a string.
func keepLists(m map[string]any) {
	for name, v := range m {
		switch name {
		case "to", "cc", "tag", "attachment", "oneOf", "anyOf", "items", "orderedItems":
			if _, ok := v.([]any); !ok {
				m[name] = []any{v}
			}
		}
		switch v := m[name].(type) {
		case map[string]any:
			keepLists(v)
		case []any:
			for _, e := range v {
				if e, ok := e.(map[string]any); ok {
					keepLists(e)
				}
			}
		}
	}
}

// wire rounds a time to what goes on the wire.
func wire(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// The setters below leave out what is empty.

func (b *builder) id(t interface {
	SetJSONLDId(vocab.JSONLDIdProperty)
}, id string) {
	p := streams.NewJSONLDIdProperty()
	p.Set(b.iri("id", id))
	t.SetJSONLDId(p)
}

func (b *builder) attributedTo(t interface {
	SetActivityStreamsAttributedTo(vocab.ActivityStreamsAttributedToProperty)
}, id string) {
	if id == "" {
		return
	}
	p := streams.NewActivityStreamsAttributedToProperty()
	p.AppendIRI(b.iri("attributedTo", id))
	t.SetActivityStreamsAttributedTo(p)
}

type addressed interface {
	SetActivityStreamsTo(vocab.ActivityStreamsToProperty)
	SetActivityStreamsCc(vocab.ActivityStreamsCcProperty)
}

func (b *builder) address(t addressed, to, cc []string) {
	if len(to) > 0 {
		p := streams.NewActivityStreamsToProperty()
		for _, id := range to {
			p.AppendIRI(b.iri("to", id))
		}
		t.SetActivityStreamsTo(p)
	}
	if len(cc) > 0 {
		p := streams.NewActivityStreamsCcProperty()
		for _, id := range cc {
			p.AppendIRI(b.iri("cc", id))
		}
		t.SetActivityStreamsCc(p)
	}
}

func (b *builder) published(t interface {
	SetActivityStreamsPublished(vocab.ActivityStreamsPublishedProperty)
}, at time.Time) {
	if at.IsZero() {
		return
	}
	p := streams.NewActivityStreamsPublishedProperty()
	p.Set(wire(at))
	t.SetActivityStreamsPublished(p)
}

func (b *builder) url(t interface {
	SetActivityStreamsUrl(vocab.ActivityStreamsUrlProperty)
}, u string) {
	if u == "" {
		return
	}
	p := streams.NewActivityStreamsUrlProperty()
	p.AppendIRI(b.iri("url", u))
	t.SetActivityStreamsUrl(p)
}

func (b *builder) name(t interface {
	SetActivityStreamsName(vocab.ActivityStreamsNameProperty)
}, name string) {
	if name == "" {
		return
	}
	p := streams.NewActivityStreamsNameProperty()
	p.AppendXMLSchemaString(name)
	t.SetActivityStreamsName(p)
}

func (b *builder) mediaType(t interface {
	SetActivityStreamsMediaType(vocab.ActivityStreamsMediaTypeProperty)
}, typ string) {
	if typ == "" {
		return
	}
	p := streams.NewActivityStreamsMediaTypeProperty()
	p.Set(typ)
	t.SetActivityStreamsMediaType(p)
}

// setID adds an identifier to a serialised tree, for properties go-fed has no
// setter for.
func (b *builder) setID(tree map[string]any, name, id string) {
	if id != "" {
		tree[name] = b.iri(name, id).String()
	}
}
