package simulation

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"time"
)

// object is a JSON object as it travels.
type object = map[string]any

// encode writes v as JSON without HTML escapes, keys sorted.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		// Only maps, slices, strings, numbers and booleans are encoded here.
		return nil
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// decode reads exactly one JSON object.
func decode(data []byte) (object, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var m object
	if err := d.Decode(&m); err != nil {
		return nil, err
	}
	if m == nil {
		return nil, errors.New("not a JSON object")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("more than one JSON value")
	}
	return m, nil
}

// clone copies an object by value, numbers kept exact.
func clone(m object) object {
	c, err := decode(encode(m))
	if err != nil {
		return object{}
	}
	return c
}

// text returns m[key] when it is a string, else "".
func text(m object, key string) string {
	s, _ := m[key].(string)
	return s
}

// child returns m[key] when it is an object, else nil.
func child(m object, key string) object {
	c, _ := m[key].(object)
	return c
}

// list returns v as a list: an array as it is, nothing as empty, any other
// value as the single element (JSON-LD compaction).
func list(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	case []string:
		l := make([]any, len(v))
		for i, s := range v {
			l[i] = s
		}
		return l
	}
	return []any{v}
}

// ref returns the id of v: a string itself, or the id of an embedded object.
func ref(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case object:
		return text(v, "id")
	}
	return ""
}

// refs returns the ids in v, which may be one value or an array.
func refs(v any) []string {
	var ids []string
	for _, e := range list(v) {
		if id := ref(e); id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// integer returns m[key] when it is a whole number.
func integer(m object, key string) (int, bool) {
	switch n := m[key].(type) {
	case json.Number:
		i, err := n.Int64()
		return int(i), err == nil
	case int:
		return n, true
	}
	return 0, false
}

// instant parses an RFC 3339 time, fractions allowed; zero if it is none.
func instant(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return t
}

// hostOf returns host[:port] of a URL, "" if it has none.
func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Host
}
