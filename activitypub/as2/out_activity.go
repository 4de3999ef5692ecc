package as2

import (
	"fmt"
	"time"

	"github.com/go-fed/activity/streams"
	"github.com/go-fed/activity/streams/vocab"
)

// A Part is what an OutActivity may have as its object: [Ref], *[Note],
// *[OutActor], *[Tombstone], *[QuoteAuthorization] or another *[OutActivity].
type Part interface {
	// part gives the tree without @context, and the @context it needs.
	part() (map[string]any, string, error)
}

// A Ref names an object by its id alone.
type Ref string

func (r Ref) part() (map[string]any, string, error) { return nil, plainContext, nil }

// An OutActivity is an activity of this node: Create, Update, Delete, Accept,
// Reject, Announce, Undo, Follow, Like, Block, Flag or QuoteRequest. It also
// embeds a foreign one, as an Accept has to: with the whole Follow or
// QuoteRequest, whose identifiers are written exactly as they came.
//
// ID and Actor are required, and so is Object. The rest is left out where
// empty.
type OutActivity struct {
	ID, Type, Actor string
	To, CC          []string
	Published       time.Time
	Object          Part
	Target          string
	Result          string // of an Accept of a QuoteRequest: the QuoteAuthorization
	Instrument      string // of a QuoteRequest: the quoting post
}

// Marshal gives the activity as it is delivered. Its @context serves the
// object too.
func (a *OutActivity) Marshal() ([]byte, error) { return marshalPart("activity", a) }

func marshalPart(kind string, p Part) ([]byte, error) {
	tree, context, err := p.part()
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", kind, err)
	}
	raw, err := marshal(tree, context)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", kind, err)
	}
	return raw, nil
}

// deed is what all activities have in common.
type deed interface {
	vocab.Type
	addressed
	SetActivityStreamsActor(vocab.ActivityStreamsActorProperty)
	SetActivityStreamsObject(vocab.ActivityStreamsObjectProperty)
	SetActivityStreamsPublished(vocab.ActivityStreamsPublishedProperty)
	SetActivityStreamsTarget(vocab.ActivityStreamsTargetProperty)
	SetActivityStreamsResult(vocab.ActivityStreamsResultProperty)
	SetActivityStreamsInstrument(vocab.ActivityStreamsInstrumentProperty)
}

func newDeed(typ string) (deed, error) {
	switch typ {
	case "Create":
		return streams.NewActivityStreamsCreate(), nil
	case "Update":
		return streams.NewActivityStreamsUpdate(), nil
	case "Delete":
		return streams.NewActivityStreamsDelete(), nil
	case "Accept":
		return streams.NewActivityStreamsAccept(), nil
	case "Reject":
		return streams.NewActivityStreamsReject(), nil
	case "Announce":
		return streams.NewActivityStreamsAnnounce(), nil
	case "Undo":
		return streams.NewActivityStreamsUndo(), nil
	case "Follow":
		return streams.NewActivityStreamsFollow(), nil
	case "Like":
		return streams.NewActivityStreamsLike(), nil
	case "Block":
		return streams.NewActivityStreamsBlock(), nil
	case "Flag":
		return streams.NewActivityStreamsFlag(), nil
	case "QuoteRequest": // FEP-044f; part names it
		return streams.NewActivityStreamsActivity(), nil
	}
	return nil, fmt.Errorf("type %q is not one that is sent", typ)
}

func (a *OutActivity) part() (map[string]any, string, error) {
	t, err := newDeed(a.Type)
	if err != nil {
		return nil, "", err
	}
	if a.Object == nil {
		return nil, "", fmt.Errorf("%s: object is missing", a.Type)
	}
	object, context, err := a.Object.part()
	if err != nil {
		return nil, "", fmt.Errorf("%s: object: %w", a.Type, err)
	}
	var b builder
	b.id(t, a.ID)
	b.address(t, a.To, a.CC)
	b.published(t, a.Published)
	b.references(t, a)
	tree, err := b.serialize(t)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", a.Type, err)
	}
	if object != nil {
		tree["object"] = object
	}
	if a.Type == "QuoteRequest" {
		tree["type"], context = a.Type, quoteRequestContext
	}
	return tree, context, nil
}

func (b *builder) references(t deed, a *OutActivity) {
	actor := streams.NewActivityStreamsActorProperty()
	actor.AppendIRI(b.iri("actor", a.Actor))
	t.SetActivityStreamsActor(actor)
	if ref, ok := a.Object.(Ref); ok {
		p := streams.NewActivityStreamsObjectProperty()
		p.AppendIRI(b.iri("object", string(ref)))
		t.SetActivityStreamsObject(p)
	}
	if a.Target != "" {
		p := streams.NewActivityStreamsTargetProperty()
		p.AppendIRI(b.iri("target", a.Target))
		t.SetActivityStreamsTarget(p)
	}
	if a.Result != "" {
		p := streams.NewActivityStreamsResultProperty()
		p.AppendIRI(b.iri("result", a.Result))
		t.SetActivityStreamsResult(p)
	}
	if a.Instrument != "" {
		p := streams.NewActivityStreamsInstrumentProperty()
		p.AppendIRI(b.iri("instrument", a.Instrument))
		t.SetActivityStreamsInstrument(p)
	}
}

// A Tombstone stands where an object of this node was (ActivityPub §6.4).
type Tombstone struct {
	ID, FormerType string
	Deleted        time.Time
}

// Marshal gives the tombstone as it is served, with status 410, at its id.
func (s *Tombstone) Marshal() ([]byte, error) { return marshalPart("tombstone", s) }

func (s *Tombstone) part() (map[string]any, string, error) {
	var b builder
	t := streams.NewActivityStreamsTombstone()
	b.id(t, s.ID)
	if s.FormerType != "" {
		p := streams.NewActivityStreamsFormerTypeProperty()
		p.AppendXMLSchemaString(s.FormerType)
		t.SetActivityStreamsFormerType(p)
	}
	if !s.Deleted.IsZero() {
		p := streams.NewActivityStreamsDeletedProperty()
		p.Set(wire(s.Deleted))
		t.SetActivityStreamsDeleted(p)
	}
	tree, err := b.serialize(t)
	return tree, plainContext, err
}

// A QuoteAuthorization is the stamp that lets a post be quoted (FEP-044f). It
// is valid as long as it is served.
type QuoteAuthorization struct {
	ID, AttributedTo  string
	InteractingObject string // the quoting post
	InteractionTarget string // the quoted post
}

// Marshal gives the stamp as it is served at its id.
func (q *QuoteAuthorization) Marshal() ([]byte, error) {
	return marshalPart("quote authorization", q)
}

func (q *QuoteAuthorization) part() (map[string]any, string, error) {
	var b builder
	t := streams.NewActivityStreamsObject()
	b.id(t, q.ID)
	b.attributedTo(t, q.AttributedTo)
	unknown := t.GetUnknownProperties()
	b.setID(unknown, "interactingObject", q.InteractingObject)
	b.setID(unknown, "interactionTarget", q.InteractionTarget)
	tree, err := b.serialize(t)
	if err != nil {
		return nil, "", err
	}
	tree["type"] = "QuoteAuthorization" // unknown to go-fed
	return tree, quoteAuthorizationContext, nil
}
