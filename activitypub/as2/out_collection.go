package as2

import (
	"encoding/json"
	"fmt"

	"github.com/go-fed/activity/streams"
	"github.com/go-fed/activity/streams/vocab"
)

// A Collection is a list of this node. Type is Collection, OrderedCollection,
// CollectionPage or OrderedCollectionPage; members are written as items or,
// where ordered, as orderedItems. totalItems is written for a collection,
// also when 0, and not for a page. A collection with neither First nor Items
// tells its size and hides its members.
type Collection struct {
	ID, Type     string
	AttributedTo string // FEP-f228: whose conversation it is
	TotalItems   int
	First, Last  string // ids of pages
	FirstPage    *Collection
	PartOf       string // of a page
	Next, Prev   string // of a page

	Items     []string          // ids; nil leaves the list out, an empty slice writes an empty one
	Documents []json.RawMessage // whole documents instead, as in an outbox; their @context is dropped
}

// Marshal gives the collection as it is served at its id. Where it holds
// whole documents, its @context is that of a post.
func (c *Collection) Marshal() ([]byte, error) { return marshalPart("collection", c) }

// list is what the four types have in common.
type list interface {
	vocab.Type
	SetActivityStreamsAttributedTo(vocab.ActivityStreamsAttributedToProperty)
	SetActivityStreamsTotalItems(vocab.ActivityStreamsTotalItemsProperty)
	SetActivityStreamsFirst(vocab.ActivityStreamsFirstProperty)
	SetActivityStreamsLast(vocab.ActivityStreamsLastProperty)
}

type page interface {
	SetActivityStreamsPartOf(vocab.ActivityStreamsPartOfProperty)
	SetActivityStreamsNext(vocab.ActivityStreamsNextProperty)
	SetActivityStreamsPrev(vocab.ActivityStreamsPrevProperty)
}

func (c *Collection) part() (map[string]any, string, error) {
	var b builder
	var t list
	items := "items"
	switch c.Type {
	case "Collection":
		t = streams.NewActivityStreamsCollection()
	case "CollectionPage":
		t = streams.NewActivityStreamsCollectionPage()
	case "OrderedCollection":
		t, items = streams.NewActivityStreamsOrderedCollection(), "orderedItems"
	case "OrderedCollectionPage":
		t, items = streams.NewActivityStreamsOrderedCollectionPage(), "orderedItems"
	default:
		return nil, "", fmt.Errorf("type %q is no collection", c.Type)
	}
	b.id(t, c.ID)
	b.attributedTo(t, c.AttributedTo)
	if p, ok := t.(page); ok {
		b.page(p, c)
	} else {
		total := streams.NewActivityStreamsTotalItemsProperty()
		total.Set(c.TotalItems)
		t.SetActivityStreamsTotalItems(total)
	}
	b.ends(t, c)
	tree, err := b.serialize(t)
	if err != nil {
		return nil, "", err
	}
	if c.FirstPage != nil {
		if tree["first"], _, err = c.FirstPage.part(); err != nil {
			return nil, "", fmt.Errorf("first page: %w", err)
		}
	}
	members, context, err := b.members(c)
	if err != nil {
		return nil, "", err
	}
	if members != nil {
		tree[items] = members
	}
	return tree, context, nil
}

func (b *builder) page(t page, c *Collection) {
	if c.PartOf != "" {
		p := streams.NewActivityStreamsPartOfProperty()
		p.SetIRI(b.iri("partOf", c.PartOf))
		t.SetActivityStreamsPartOf(p)
	}
	if c.Next != "" {
		p := streams.NewActivityStreamsNextProperty()
		p.SetIRI(b.iri("next", c.Next))
		t.SetActivityStreamsNext(p)
	}
	if c.Prev != "" {
		p := streams.NewActivityStreamsPrevProperty()
		p.SetIRI(b.iri("prev", c.Prev))
		t.SetActivityStreamsPrev(p)
	}
}

func (b *builder) ends(t list, c *Collection) {
	if c.First != "" {
		p := streams.NewActivityStreamsFirstProperty()
		p.SetIRI(b.iri("first", c.First))
		t.SetActivityStreamsFirst(p)
	}
	if c.Last != "" {
		p := streams.NewActivityStreamsLastProperty()
		p.SetIRI(b.iri("last", c.Last))
		t.SetActivityStreamsLast(p)
	}
}

// members gives the list; nil to leave it out. It is made by hand, for go-fed
// cannot write an empty one nor take over a finished document.
func (b *builder) members(c *Collection) ([]any, string, error) {
	if c.Documents == nil {
		if c.Items == nil {
			return nil, plainContext, nil
		}
		all := []any{}
		for _, id := range c.Items {
			all = append(all, b.iri("items", id).String())
		}
		return all, plainContext, b.err
	}
	all := []any{}
	for i, raw := range c.Documents {
		var m map[string]any
		if err := json.Unmarshal(raw, &m); err != nil {
			return nil, "", fmt.Errorf("document %d: %w", i, err)
		}
		delete(m, "@context")
		all = append(all, m)
	}
	return all, postContext, nil
}
