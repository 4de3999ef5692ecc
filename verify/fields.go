package verify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// fields are the members of a JSON object. The first of them that is not as it
// should be stays in err.
type fields struct {
	values map[string]json.RawMessage
	err    error
}

// jsonFields reads an object that has exactly these members in this order; so none
// stands twice, for one reader to take the first and another the last.
func jsonFields(data []byte, names ...string) *fields {
	f := &fields{values: make(map[string]json.RawMessage, len(names))}
	if !json.Valid(data) {
		f.err = fmt.Errorf("is not valid JSON")
		return f
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		f.err = fmt.Errorf("is no JSON object")
		return f
	}
	for _, name := range names {
		if t, err := d.Token(); err != nil || t != name {
			f.err = fmt.Errorf("%q should stand where %s does", name, plain(fmt.Sprintf("%q", fmt.Sprint(t))))
			return f
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			f.err = fmt.Errorf("%q is not valid JSON", name)
			return f
		}
		f.values[name] = value
	}
	if t, err := d.Token(); err != nil || t != json.Delim('}') {
		f.err = fmt.Errorf("has more members than %q", names)
	}
	return f
}

// entryFields reads an object without insignificant white space.
func entryFields(data []byte, names ...string) *fields {
	f := jsonFields(data, names...)
	var compact bytes.Buffer
	if f.err == nil && (json.Compact(&compact, data) != nil || !bytes.Equal(compact.Bytes(), data)) {
		f.err = fmt.Errorf("its JSON has white space between members")
	}
	return f
}

// into decodes a value that is not null; encoding/json would let null pass as
// anything.
func (f *fields) into(name, what string, raw json.RawMessage, value any) {
	if f.err == nil && (string(raw) == "null" || json.Unmarshal(raw, value) != nil) {
		f.err = fmt.Errorf("%q is not %s", name, what)
	}
}

func (f *fields) text(name string) (s string) {
	f.into(name, "text", f.values[name], &s)
	return s
}

func (f *fields) truth(name string) (b bool) {
	f.into(name, "true or false", f.values[name], &b)
	return b
}

func (f *fields) number(name string) int { return f.whole(name, f.values[name]) }

// whole is a number of ballots or the like, from 0.
func (f *fields) whole(name string, raw json.RawMessage) int {
	n, err := decimal(string(raw))
	if f.err == nil && (err != nil || n > 1<<31) {
		f.err = fmt.Errorf("%q is not a whole number", name)
	}
	return int(n)
}

func (f *fields) texts(name string) []string {
	list := []string{}
	for _, raw := range f.array(name) {
		var s string
		f.into(name, "an array of texts", raw, &s)
		list = append(list, s)
	}
	return list
}

func (f *fields) numbers(name string) []int {
	list := []int{}
	for _, raw := range f.array(name) {
		list = append(list, f.whole(name, raw))
	}
	return list
}

func (f *fields) array(name string) (list []json.RawMessage) {
	f.into(name, "an array", f.values[name], &list)
	return list
}

// time is RFC 3339 in UTC with whole seconds.
func (f *fields) time(name string) string {
	s := f.text(name)
	if _, err := time.Parse("2006-01-02T15:04:05Z", s); f.err == nil && (err != nil || len(s) != 20) {
		f.err = fmt.Errorf("%q is not a time in UTC with whole seconds", name)
	}
	return s
}
