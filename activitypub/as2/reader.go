package as2

import "math"

// reader takes values out of one node of a decoded tree. It remembers the
// first value that had the wrong form, so that a caller asks err once. What
// may be a list of one is accepted as a list of one, everywhere.
type reader struct {
	tree map[string]any
	err  error
}

func (r *reader) fail(name, must string) {
	if r.err == nil {
		r.err = malformed("%s must be %s", name, must)
	}
}

// one gives a value, or the only element of a list; nil for what is absent.
func (r *reader) one(name string) any {
	v := r.tree[name]
	if list, ok := v.([]any); ok {
		switch len(list) {
		case 0:
			return nil
		case 1:
			return list[0]
		}
		r.fail(name, "a single value")
		return nil
	}
	return v
}

// list gives all values of a property, one or many.
func (r *reader) list(name string) []any {
	switch v := r.tree[name].(type) {
	case nil:
		return nil
	case []any:
		return v
	default:
		return []any{v}
	}
}

func (r *reader) text(name string) string {
	switch v := r.one(name).(type) {
	case nil:
		return ""
	case string:
		return v
	}
	r.fail(name, "a string")
	return ""
}

// id gives the identifier of what a property refers to: a string, or an object
// with an id.
func (r *reader) id(name string) string {
	v := r.one(name)
	if v == nil {
		return ""
	}
	id, ok := identifier(v)
	if !ok {
		r.fail(name, "an identifier or an object with one")
	}
	return id
}

// ids is id for properties with several values. Empty identifiers are left out.
func (r *reader) ids(name string) []string {
	var all []string
	for _, v := range r.list(name) {
		id, ok := identifier(v)
		if !ok {
			r.fail(name, "identifiers or objects with one")
			return nil
		}
		if id != "" {
			all = append(all, id)
		}
	}
	return all
}

func identifier(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case map[string]any:
		id, ok := v["id"].(string)
		return id, ok
	}
	return "", false
}

// flag is true for true and false for everything else.
func (r *reader) flag(name string) bool {
	b, _ := r.tree[name].(bool)
	return b
}

// count gives a whole number, 0 where absent.
func (r *reader) count(name string) int {
	v := r.one(name)
	if v == nil {
		return 0
	}
	f, ok := v.(float64)
	if !ok || f < 0 || f > math.MaxInt32 || f != math.Trunc(f) {
		r.fail(name, "a whole number from 0 to 2147483647")
		return 0
	}
	return int(f)
}

// size is count for what merely describes: 0 where it makes no sense.
func (r *reader) size(name string) int {
	if f, ok := r.tree[name].(float64); ok && f > 0 && f < math.MaxInt32 {
		return int(f)
	}
	return 0
}

// nodes gives the objects among the values of a property.
func (r *reader) nodes(name string) []map[string]any {
	var all []map[string]any
	for _, v := range r.list(name) {
		if m, ok := v.(map[string]any); ok {
			all = append(all, m)
		}
	}
	return all
}

// url gives the address to show: a string or a Link; of several the first
// that is text/html, else the first.
func (r *reader) url(name string) string {
	first := ""
	for _, v := range r.list(name) {
		switch v := v.(type) {
		case string:
			if first == "" {
				first = v
			}
		case map[string]any:
			l := reader{tree: v}
			href := l.text("href")
			if href == "" {
				href = l.text("url") // an Image, as in icon
			}
			if l.text("mediaType") == "text/html" && href != "" {
				return href
			}
			if first == "" {
				first = href
			}
		}
	}
	return first
}

// content gives the text and its language: the key of contentMap with the very
// same text, else the first key. Text may be in contentMap alone.
func (r *reader) content() (text, language string) {
	text = r.text("content")
	all, _ := r.tree["contentMap"].(languageMap)
	if len(all) == 0 {
		return text, ""
	}
	if _, ok := r.tree["content"]; !ok {
		text = all[0].text
	}
	language = all[0].language
	for _, t := range all {
		if t.text == text {
			return text, t.language
		}
	}
	return text, language
}
