package as2

import (
	"fmt"
	"time"
)

// An Activity is what an inbox understands: Create, Update, Delete, Follow,
// Undo, Like, Announce, EmojiReact, Flag, Block, Move, Accept, Reject or
// QuoteRequest. ID, Type and Actor are never empty and there is at least one
// object.
type Activity struct {
	ID, Type, Actor string
	Published       time.Time // zero where absent
	To, CC          []string
	ObjectIDs       []string // of all objects, embedded or by reference, in order
	Objects         []Object // the embedded ones, in order
	Target          string   // of a Move: the new account
	Instrument      string   // of a QuoteRequest: the quoting post
	Content         string   // of a Flag: the complaint; of a reaction: the emoji
}

// Activity reads the document as an activity. Another type is
// [ErrUnsupported], whatever else is wrong with it; an id, actor or object
// that is missing is [ErrMalformed], and so is an embedded object without a
// type, or without an id in a Create, Update or Delete.
//
// Nothing is compared: whether the actor signed, owns the object or lives on
// its host is for the caller to say.
func (d *Document) Activity() (*Activity, error) {
	a, err := d.activity()
	if err != nil {
		return nil, fmt.Errorf("read activity: %w", err)
	}
	return a, nil
}

func (d *Document) activity() (*Activity, error) {
	if kindOf(d.Type) != activityKind {
		return nil, unsupported("activity", d.Type)
	}
	if d.ID == "" {
		return nil, malformed("%s: id is missing", d.Type)
	}
	if d.Actor == "" {
		return nil, malformed("%s: actor is missing", d.Type)
	}
	r := reader{tree: d.tree}
	a := &Activity{
		ID:         d.ID,
		Type:       d.Type,
		Actor:      d.Actor,
		To:         r.ids("to"),
		CC:         r.ids("cc"),
		Target:     r.id("target"),
		Instrument: r.id("instrument"),
	}
	a.Content, _ = r.content()
	if r.err != nil {
		return nil, r.err
	}
	if err := a.readObjects(r.list("object")); err != nil {
		return nil, fmt.Errorf("%s: %w", d.Type, err)
	}
	t, err := typed(d.tree, a.ObjectIDs)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.Type, err)
	}
	a.Published = published(t)
	return a, nil
}

func (a *Activity) readObjects(list []any) error {
	if len(list) == 0 {
		return malformed("object is missing")
	}
	for _, v := range list {
		id, isRef := reference(v)
		if isRef {
			if id == "" {
				return malformed("object is empty")
			}
			a.ObjectIDs = append(a.ObjectIDs, id)
			continue
		}
		tree, ok := v.(map[string]any)
		if !ok {
			return malformed("object must be a string or an object")
		}
		o, err := readObject(tree)
		if err != nil {
			return fmt.Errorf("object: %w", err)
		}
		switch {
		case o.ID != "":
			a.ObjectIDs = append(a.ObjectIDs, o.ID)
		case a.Type == "Create" || a.Type == "Update" || a.Type == "Delete":
			return malformed("object: id is missing")
		}
		a.Objects = append(a.Objects, *o)
	}
	return nil
}

// reference gives the identifier in a plain reference: a string, or an object
// that holds nothing but an id.
func reference(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case map[string]any:
		id, ok := v["id"].(string)
		return id, ok && len(v) == 1
	}
	return "", false
}
