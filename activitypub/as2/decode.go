package as2

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Decode reads one JSON object within the limits of this package. It refuses,
// wrapping [ErrMalformed]: invalid UTF-8, names that occur twice in an object
// (also when they differ only in case), numbers that fit no float64, anything
// after the object, @graph, @included and @reverse outside @context, a type
// that is neither a string nor a list of strings, an id, actor or attributedTo
// that is not one string. Only a bare key may do without a type.
//
// Properties of no use here are checked and dropped. raw is not kept.
func Decode(raw []byte) (*Document, error) {
	if len(raw) > MaxBytes {
		return nil, fmt.Errorf("decode: %w", malformed("%d bytes, at most %d are read", len(raw), MaxBytes))
	}
	d := decoder{
		// Names are compared by the decoder below, which is stricter.
		json:  jsontext.NewDecoder(bytes.NewBuffer(raw), jsontext.AllowDuplicateNames(true)),
		names: make(map[member]struct{}, 32),
	}
	tree, err := d.document()
	if err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	doc := &Document{tree: tree}
	doc.ID, _ = tree["id"].(string)
	doc.Type, _ = tree["type"].(string)
	doc.Actor, _ = tree["actor"].(string)
	if doc.Type == "" && !bareKey(tree) {
		return nil, fmt.Errorf("decode: %w", malformed("type is missing"))
	}
	return doc, nil
}

// bareKey reports whether a document without a type is a public key: some
// servers serve one where the keyId points.
func bareKey(tree map[string]any) bool {
	_, pem := tree["publicKeyPem"].(string)
	_, owner := tree["owner"].(string)
	return pem && owner
}

type decoder struct {
	json    *jsontext.Decoder
	tokens  int
	objects int                 // objects begun, to tell their names apart
	names   map[member]struct{} // names seen, folded
}

type member struct {
	object int
	name   string
}

// mode says what happens to a value.
type mode int

const (
	keep   mode = iota // build it
	drop               // check it only
	opaque             // check it only; keywords of JSON-LD are at home there
)

func (d *decoder) document() (map[string]any, error) {
	if k := d.json.PeekKind(); k != '{' && k != 0 {
		return nil, malformed("%v where an object is needed", k)
	}
	v, err := d.value(keep)
	if err != nil {
		return nil, err
	}
	switch _, err := d.json.ReadToken(); {
	case err == nil:
		return nil, malformed("more than one value")
	case !errors.Is(err, io.EOF):
		return nil, malformed("after the object: %v", err)
	}
	return v.(map[string]any), nil
}

// token reads one token and counts it.
func (d *decoder) token() (jsontext.Token, error) {
	t, err := d.json.ReadToken()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return t, malformed("nothing to decode")
		}
		return t, malformed("%v", err)
	}
	if d.tokens++; d.tokens > MaxTokens {
		return t, malformed("more than %d tokens", MaxTokens)
	}
	if d.json.StackDepth() > MaxDepth {
		return t, malformed("nested deeper than %d", MaxDepth)
	}
	return t, nil
}

// value reads the next value. It gives nil for null and in the modes that do
// not build.
func (d *decoder) value(m mode) (any, error) {
	t, err := d.token()
	if err != nil {
		return nil, err
	}
	switch t.Kind() {
	case '{':
		return d.object(m)
	case '[':
		return d.array(m)
	case '"':
		if m != keep {
			return nil, nil
		}
		return t.String(), nil
	case '0':
		f, err := t.Float()
		if err != nil {
			return nil, malformed("%s: number out of range", d.json.StackPointer())
		}
		if m != keep {
			return nil, nil
		}
		return f, nil
	case 't', 'f':
		if m != keep {
			return nil, nil
		}
		return t.Bool(), nil
	}
	return nil, nil
}

// object reads the members of an object up to and including its end.
func (d *decoder) object(m mode) (any, error) {
	d.objects++
	self := d.objects
	var tree map[string]any
	if m == keep {
		tree = make(map[string]any, 8)
	}
	for d.json.PeekKind() != '}' {
		t, err := d.token()
		if err != nil {
			return nil, err
		}
		name := t.String()
		key := name
		if m != opaque {
			key = fold(name)
		}
		if err := d.unique(self, key); err != nil {
			return nil, err
		}
		inner, err := inside(m, name)
		if err != nil {
			return nil, err
		}
		if inner == keep && name == "contentMap" && d.json.PeekKind() == '{' {
			if tree[name], err = d.languages(); err != nil {
				return nil, err
			}
			continue
		}
		v, err := d.value(inner)
		if err != nil {
			return nil, err
		}
		if v != nil {
			tree[name] = v
		}
	}
	if m == keep {
		if err := shape(tree, d.json.StackPointer()); err != nil {
			return nil, err
		}
	}
	if _, err := d.token(); err != nil {
		return nil, err
	}
	if m != keep {
		return nil, nil // an untyped nil, not an empty map
	}
	return tree, nil
}

func (d *decoder) array(m mode) (any, error) {
	list := []any{}
	for n := 1; d.json.PeekKind() != ']'; n++ {
		if n > MaxElements {
			return nil, malformed("%s: more than %d elements", d.json.StackPointer(), MaxElements)
		}
		v, err := d.value(m)
		if err != nil {
			return nil, err
		}
		if v != nil {
			list = append(list, v)
		}
	}
	if _, err := d.token(); err != nil {
		return nil, err
	}
	if m != keep {
		return nil, nil
	}
	return list, nil
}

// languages reads a contentMap, whose order matters: some servers give the
// language of a post by the first key alone.
func (d *decoder) languages() (languageMap, error) {
	if _, err := d.token(); err != nil {
		return nil, err
	}
	d.objects++
	self := d.objects
	all := languageMap{}
	for d.json.PeekKind() != '}' {
		t, err := d.token()
		if err != nil {
			return nil, err
		}
		name := t.String()
		if err := d.unique(self, fold(name)); err != nil {
			return nil, err
		}
		v, err := d.value(keep)
		if err != nil {
			return nil, err
		}
		if text, ok := v.(string); ok {
			all = append(all, translation{name, text})
		}
	}
	_, err := d.token()
	return all, err
}

type languageMap []translation

type translation struct{ language, text string }

// unique refuses a name seen before in the same object. Readers differ in
// which of two they take, and some fold case.
func (d *decoder) unique(object int, name string) error {
	m := member{object, name}
	if _, seen := d.names[m]; seen {
		return malformed("%s: name occurs twice", d.json.StackPointer())
	}
	d.names[m] = struct{}{}
	return nil
}

// fold maps names that differ only in case to one. It is lower case but for
// the few letters that Unicode folds across scripts, such as the Kelvin sign.
func fold(name string) string {
	for i := 0; i < len(name); i++ {
		if name[i] >= utf8.RuneSelf {
			return strings.Map(func(r rune) rune {
				least := r
				for o := unicode.SimpleFold(r); o != r; o = unicode.SimpleFold(o) {
					least = min(least, o)
				}
				return unicode.ToLower(least)
			}, name)
		}
	}
	return strings.ToLower(name)
}

// inside gives the mode for the value of a member.
func inside(m mode, name string) (mode, error) {
	if m == opaque {
		return opaque, nil
	}
	switch name {
	case "@context":
		return opaque, nil
	case "@graph", "@included", "@reverse":
		return drop, malformed("%s is not understood", name)
	}
	if m == keep && !kept(name) {
		return drop, nil
	}
	return m, nil
}

// kept holds the properties that are read, at any depth. What is not listed
// never reaches go-fed; duration in particular, which makes it panic.
func kept(name string) bool {
	switch name {
	case "id", "type", "actor", "object", "target", "instrument",
		"attributedTo", "inReplyTo", "context", "to", "cc",
		"name", "summary", "content", "contentMap", "sensitive",
		"url", "href", "mediaType", "attachment", "tag", "width", "height",
		"published", "updated", "endTime", "closed",
		"oneOf", "anyOf", "replies", "totalItems", "votersCount",
		"preferredUsername", "inbox", "outbox", "followers", "endpoints", "sharedInbox",
		"movedTo", "alsoKnownAs", "icon",
		"publicKey", "publicKeyPem", "owner", "assertionMethod", "controller", "publicKeyMultibase":
		return true
	}
	return false
}

// shape checks the members whose form decides who says what, and reduces type
// to one string.
func shape(tree map[string]any, at jsontext.Pointer) error {
	if v, ok := tree["type"]; ok {
		typ, ok := firstType(v)
		if !ok {
			return malformed("%s: type must be a string or a list of strings", at)
		}
		tree["type"] = typ
		if kindOf(typ) == actorKind {
			// PeerTube names the owners of a channel here; nothing hangs on it.
			delete(tree, "attributedTo")
		}
	}
	for _, name := range [...]string{"id", "actor", "attributedTo"} {
		if v, ok := tree[name]; ok {
			if _, ok := v.(string); !ok {
				return malformed("%s: %s must be one string", at, name)
			}
		}
	}
	return nil
}

// firstType picks the first type known here, else the first.
func firstType(v any) (string, bool) {
	if s, ok := v.(string); ok {
		return s, s != ""
	}
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return "", false
	}
	first := ""
	for _, v := range list {
		s, ok := v.(string)
		if !ok || s == "" {
			return "", false
		}
		if first == "" || kindOf(first) == unknownKind && kindOf(s) != unknownKind {
			first = s
		}
	}
	return first, true
}
