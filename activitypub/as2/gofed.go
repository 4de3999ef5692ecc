package as2

import (
	"context"
	"time"

	"github.com/go-fed/activity/streams"
	"github.com/go-fed/activity/streams/vocab"
)

const namespace = "https://www.w3.org/ns/activitystreams"

// typed hands the flat part of a node to go-fed, for its times. It is malformed
// if go-fed refuses it, or panics. objects stands for the node's object
// property. A node that states no time gives nil: most votes are such, and the
// reading costs as much as the rest of the document together.
func typed(tree map[string]any, objects []string) (t vocab.Type, err error) {
	if !timed(tree) {
		return nil, nil
	}
	defer func() {
		if p := recover(); p != nil {
			t, err = nil, malformed("unreadable: %v", p)
		}
	}()
	m := make(map[string]any, len(tree)+1)
	for name, v := range tree {
		if flat(v) {
			m[name] = v
		}
	}
	if len(objects) > 0 {
		list := make([]any, len(objects))
		for i, id := range objects {
			list[i] = id
		}
		m["object"] = list
	}
	typ, _ := tree["type"].(string)
	m["type"] = fedType(typ)
	if t, err = toType(m); err != nil {
		return nil, malformed("%v", err)
	}
	return t, nil
}

// timed reports whether a node states a time.
func timed(tree map[string]any) bool {
	for _, name := range [...]string{"published", "updated", "endTime", "closed"} {
		if _, ok := tree[name]; ok {
			return true
		}
	}
	return false
}

// toType is streams.ToType in ActivityStreams' own namespace. A vote, a Create
// of a Note, goes straight to the readers that ToType would choose among some
// sixty: the choice costs more than the reading.
func toType(m map[string]any) (vocab.Type, error) {
	switch m["type"] {
	case "Create":
		return streams.Manager{}.DeserializeCreateActivityStreams()(m, nil) // nil: names go without prefix
	case "Note":
		return streams.Manager{}.DeserializeNoteActivityStreams()(m, nil)
	}
	m["@context"] = namespace
	return streams.ToType(context.Background(), m)
}

// flat reports whether a value is a scalar or a list of scalars.
func flat(v any) bool {
	switch v := v.(type) {
	case string, float64, bool:
		return true
	case []any:
		for _, e := range v {
			switch e.(type) {
			case string, float64, bool:
			default:
				return false
			}
		}
		return true
	}
	return false
}

// The times of a typed node, in UTC. Zero where absent or where the value is
// no date: a vote is not lost over a date nobody reads.

func published(t vocab.Type) time.Time {
	o, ok := t.(interface {
		GetActivityStreamsPublished() vocab.ActivityStreamsPublishedProperty
	})
	if !ok {
		return time.Time{}
	}
	if p := o.GetActivityStreamsPublished(); p != nil && p.IsXMLSchemaDateTime() {
		return p.Get().UTC()
	}
	return time.Time{}
}

func updated(t vocab.Type) time.Time {
	o, ok := t.(interface {
		GetActivityStreamsUpdated() vocab.ActivityStreamsUpdatedProperty
	})
	if !ok {
		return time.Time{}
	}
	if p := o.GetActivityStreamsUpdated(); p != nil && p.IsXMLSchemaDateTime() {
		return p.Get().UTC()
	}
	return time.Time{}
}

func endTime(t vocab.Type) time.Time {
	o, ok := t.(interface {
		GetActivityStreamsEndTime() vocab.ActivityStreamsEndTimeProperty
	})
	if !ok {
		return time.Time{}
	}
	if p := o.GetActivityStreamsEndTime(); p != nil && p.IsXMLSchemaDateTime() {
		return p.Get().UTC()
	}
	return time.Time{}
}

// closed gives when a Question was closed. `"closed": true` says that it was
// but not when: then endTime stands in, else updated, else published.
func closed(t vocab.Type) time.Time {
	q, ok := t.(vocab.ActivityStreamsQuestion)
	if !ok || q.GetActivityStreamsClosed() == nil {
		return time.Time{}
	}
	c := q.GetActivityStreamsClosed()
	for i := c.Begin(); i != c.End(); i = i.Next() {
		switch {
		case i.IsXMLSchemaDateTime():
			return i.GetXMLSchemaDateTime().UTC()
		case i.IsXMLSchemaBoolean() && i.GetXMLSchemaBoolean():
			for _, at := range []time.Time{endTime(t), updated(t), published(t)} {
				if !at.IsZero() {
					return at
				}
			}
		}
	}
	return time.Time{}
}
