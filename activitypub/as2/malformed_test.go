package as2_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"inspraak/activitypub/as2"
)

// vote gives a vote with one property replaced, added or, where value is
// empty, left out. A name that starts with "object." is one of the object.
func vote(name, value string) string {
	top := map[string]string{
		"id": `"https://m.example/v/1/activity"`, "type": `"Create"`,
		"actor": `"https://m.example/users/ana"`, "to": `"https://city.example/a/participa"`,
	}
	object := map[string]string{
		"id": `"https://m.example/v/1"`, "type": `"Note"`, "name": `"Trees"`,
		"attributedTo": `"https://m.example/users/ana"`, "inReplyTo": `"https://city.example/o/01J9ZK"`,
	}
	set := func(m map[string]string, name string) {
		if value == "" {
			delete(m, name)
		} else {
			m[name] = value
		}
	}
	if inner, ok := strings.CutPrefix(name, "object."); ok {
		set(object, inner)
		top["object"] = write(object)
	} else {
		top["object"] = write(object)
		set(top, name)
	}
	return write(top)
}

func write(m map[string]string) string {
	var all []string
	for name, value := range m {
		all = append(all, fmt.Sprintf("%q:%s", name, value))
	}
	return "{" + strings.Join(all, ",") + "}"
}

func read(raw string) (*as2.Activity, error) {
	d, err := as2.Decode([]byte(raw))
	if err != nil {
		return nil, err
	}
	return d.Activity()
}

func TestVoteHelper(t *testing.T) {
	a, err := read(vote("x", "1"))
	if err != nil || a.Objects[0].Name != "Trees" {
		t.Fatalf("the vote to be spoilt is not in order: %+v, %v", a, err)
	}
}

func repeat(s string, n int) string {
	return "[" + strings.TrimSuffix(strings.Repeat(s+",", n), ",") + "]"
}

// Everything that must not be read, with a word that the error has to say.
func TestMalformed(t *testing.T) {
	note := `{"id":"https://m.example/v/1","type":"Note","name":"A"}`
	bob := `{"type":"Person","id":"https://m.example/users/bob"}`
	for name, c := range map[string]struct{ raw, says string }{
		// Whose activity it is must be one string, or checks and effects could differ.
		"actor object":          {vote("actor", bob), "actor"},
		"actor array":           {vote("actor", `["https://m.example/users/bob","https://m.example/users/alice"]`), "actor"},
		"actor array of one":    {vote("actor", `["https://m.example/users/bob"]`), "actor"},
		"actor number":          {vote("actor", `5`), "actor"},
		"actor missing":         {vote("actor", ""), "actor"},
		"actor null":            {vote("actor", "null"), "actor"},
		"actor empty":           {vote("actor", `""`), "actor"},
		"attributedTo array":    {vote("object.attributedTo", `["https://e.example/eve","https://m.example/users/bob"]`), "attributedTo"},
		"attributedTo one":      {vote("object.attributedTo", `["https://m.example/users/bob"]`), "attributedTo"},
		"attributedTo object":   {vote("object.attributedTo", bob), "attributedTo"},
		"no id":                 {vote("id", ""), "id"},
		"id number":             {vote("id", "1"), "id"},
		"id array":              {vote("id", `["a"]`), "id"},
		"no object id":          {vote("object.id", ""), "id"},
		"object id object":      {vote("object.id", `{"id":"x"}`), "id"},
		"no object":             {vote("object", ""), "object"},
		"object empty":          {vote("object", `""`), "object"},
		"object null":           {vote("object", `null`), "object"},
		"object empty array":    {vote("object", `[]`), "object"},
		"object number":         {vote("object", `3`), "object"},
		"object nested array":   {vote("object", `[[`+note+`]]`), "object"},
		"object without type":   {vote("object.type", ""), "type"},
		"101 objects":           {vote("object", repeat(note, 101)), "100 elements"},
		"inReplyTo two":         {vote("object.inReplyTo", `["https://city.example/o/1","https://city.example/o/2"]`), "inReplyTo"},
		"inReplyTo number":      {vote("object.inReplyTo", `7`), "inReplyTo"},
		"name object":           {vote("object.name", `{"en":"Trees"}`), "name"},
		"name two":              {vote("object.name", `["Trees","Market hall"]`), "name"},
		"content number":        {vote("object.content", `0`), "content"},
		"to number":             {vote("to", `[1]`), "to"},
		"negative count":        {vote("object", `{"id":"https://m.example/q","type":"Question","oneOf":[{"name":"A","replies":{"totalItems":-1}}]}`), "totalItems"},
		"fractional count":      {vote("object", `{"id":"https://m.example/q","type":"Question","anyOf":[{"name":"A","replies":{"totalItems":1.5}}]}`), "totalItems"},
		"count as text":         {vote("object", `{"id":"https://m.example/q","type":"Question","oneOf":[{"name":"A","replies":{"totalItems":"1"}}]}`), "totalItems"},
		"endless count":         {vote("object", `{"id":"https://m.example/q","type":"Question","oneOf":[{"name":"A"}],"votersCount":9007199254740993}`), "votersCount"},
		"10,000 recipients":     {vote("to", repeat(`"https://a.example/"`, 10000)), "100 elements"},
		"10,000 mentions":       {vote("object.tag", repeat(`{"type":"Mention"}`, 10000)), "100 elements"},
		"10,000 in a dropped":   {vote("audience", repeat(`1`, 10000)), "100 elements"},
		"10,000 notes":          {vote("object", repeat(note, 10000)), "bytes"},
		"36,000 small objects":  {vote("object", repeat(`{}`, 36000)), "100 elements"},
		"too many tokens":       {vote("x", repeat(repeat("1", 90), 90)), "5000 tokens"},
		"too large":             {vote("x", `"`+strings.Repeat("a", as2.MaxBytes)+`"`), "bytes"},
		"depth 33":              {strings.Repeat(`{"a":`, 33) + "1" + strings.Repeat("}", 33), "deeper than 32"},
		"depth 10,000":          {strings.Repeat(`{"a":`, 10000), "deeper than 32"},
		"10,000 arrays":         {`{"a":` + strings.Repeat("[", 10000), "deeper than 32"},
		"top level array":       {strings.Repeat("[", 10000), "object is needed"},
		"type number":           {vote("type", "7"), "type"},
		"type empty array":      {vote("type", "[]"), "type"},
		"type empty":            {vote("type", `""`), "type"},
		"type null":             {vote("type", `null`), "type"},
		"type of numbers":       {vote("type", `["Create",1]`), "type"},
		"type missing":          {vote("type", ""), "type"},
		"object type number":    {vote("object.type", "7"), "type"},
		"number out of range":   {vote("x", "1e999"), "out of range"},
		"minus out of range":    {vote("object.totalItems", "-1e999"), "out of range"},
		"null":                  {"null", "null"},
		"array":                 {"[]", "object is needed"},
		"string":                {`"x"`, "object is needed"},
		"nothing":               {"", "nothing"},
		"white space":           {" \n", "nothing"},
		"truncated":             {vote("x", "1")[:40], "EOF"},
		"two documents":         {vote("x", "1") + vote("x", "1"), "more than one"},
		"trailing garbage":      {vote("x", "1") + "x", "after the object"},
		"comment":               {"/**/" + vote("x", "1"), "malformed"},
		"NaN":                   {vote("x", "NaN"), "malformed"},
		"same name":             {`{"actor":"https://a.example/","actor":"https://b.example/"}`, "twice"},
		"same name folded":      {`{"actor":"https://a.example/","Actor":"https://b.example/"}`, "twice"},
		"same name escaped":     {`{"actor":"https://a.example/","\u0061ctor":"https://b.example/"}`, "twice"},
		"same name, long s":     {`{"sensitive":true,"ſensitive":false}`, "twice"},
		"same name, Kelvin":     {`{"k":1,"` + "\u212a" + `":2}`, "twice"},
		"same name, dropped":    {`{"x":{"y":1,"Y":2}}`, "twice"},
		"same language":         {vote("object.contentMap", `{"nl":"a","NL":"b"}`), "twice"},
		"invalid UTF-8":         {vote("object.name", "\"\xff\""), "UTF-8"},
		"invalid UTF-8 name":    {"{\"\xff\":1}", "UTF-8"},
		"lone surrogate":        {vote("object.name", `"\ud800"`), "surrogate"},
		"graph":                 {vote("@graph", "[]"), "@graph"},
		"included":              {vote("@included", "[]"), "@included"},
		"reverse in the object": {vote("object.@reverse", "{}"), "@reverse"},
		"reverse in a dropped":  {vote("x", `{"@reverse":{}}`), "@reverse"},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := read(c.raw)
			if !errors.Is(err, as2.ErrMalformed) {
				t.Fatalf("got %+v, %v", a, err)
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("%q does not speak of %q", err, c.says)
			}
		})
	}
}

// Odd but harmless: read, and the oddity has no effect.
func TestTolerated(t *testing.T) {
	for name, raw := range map[string]string{
		"empty duration":      vote("object.duration", `""`),
		"duration minus":      vote("object.duration", `"-"`),
		"duration at the top": vote("duration", `"-"`),
		"published duration":  vote("published", `"P1D"`),
		"published number":    vote("object.published", `5`),
		"published list":      vote("object.published", `["x","y"]`),
		"context number":      vote("@context", `5`),
		"context of an enemy": vote("@context", `["http://169.254.169.254/",{"actor":"evil:actor","x":{"@reverse":"as:y"}}]`),
		"type list":           vote("type", `["x:Unknown","Create"]`),
		"object type list":    vote("object.type", `["Note","x"]`),
		"object list":         vote("object", `[{"id":"https://m.example/v/1","type":"Note","name":"Trees"},null]`),
		"null everywhere":     vote("object.content", `null`),
		"name list":           vote("object.name", `["Trees"]`),
		"parent object":       vote("object.inReplyTo", `{"id":"https://city.example/o/01J9ZK"}`),
		"recipient object":    vote("object.to", `{"id":"https://city.example/a/participa","type":"Organization"}`),
		"depth 32":            vote("x", strings.Repeat("[", 31)+strings.Repeat("]", 31)),
		"100 elements":        vote("x", repeat("1", 100)),
		"a name per object":   vote("x", `[{"y":1},{"Y":1}]`),
	} {
		a, err := read(raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if a.Type != "Create" || len(a.Objects) != 1 || a.Objects[0].Type != "Note" || a.Objects[0].Name != "Trees" || !a.Published.IsZero() {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

// Identifiers and names go through byte for byte, whatever they look like.
func TestVerbatim(t *testing.T) {
	for _, s := range []string{
		"Ja: meer bomen", "HTTPS://M.example/x", "https://m.example/%62ob/../é?a b#c#d", "mailto:A@B", " a\tb ", "<18 & up", "❤️", "1",
	} {
		quoted := fmt.Sprintf("%q", s)
		a, err := read(vote("object.name", quoted))
		if err != nil || a.Objects[0].Name != s {
			t.Errorf("name %q: %+v, %v", s, a, err)
		}
		a, err = read(vote("actor", quoted))
		if err != nil || a.Actor != s {
			t.Errorf("actor %q: %+v, %v", s, a, err)
		}
	}
}

func TestUnsupported(t *testing.T) {
	for _, typ := range []string{"Offer", "as:Follow", "create", "Note", "Person", "Arrive", "x"} {
		_, err := read(fmt.Sprintf(`{"type":%q}`, typ))
		if !errors.Is(err, as2.ErrUnsupported) || !strings.Contains(err.Error(), typ) {
			t.Errorf("%s: %v", typ, err)
		}
	}
	d, err := as2.Decode([]byte(`{"id":"https://m.example/x","type":"Create","publicKeyPem":"x","owner":"y"}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, read := range map[string]func() error{
		"object": func() error { _, err := d.Object(); return err },
		"actor":  func() error { _, err := d.AsActor(); return err },
		"key":    func() error { _, err := d.AsKey(); return err },
	} {
		if err := read(); !errors.Is(err, as2.ErrUnsupported) {
			t.Errorf("a Create as %s: %v", name, err)
		}
	}
}

// The bounds hold the cost of the worst that is accepted, and of refusals.
func TestCostIsBounded(t *testing.T) {
	note := `{"id":"https://m.example/v/1","type":"Note","name":"A","to":["https://a.example/"],"tag":[{"type":"Hashtag"}]}`
	for name, raw := range map[string]string{
		"100 notes":   vote("object", repeat(note, 100)),
		"deep":        strings.Repeat(`{"a":`, 10000),
		"wide":        vote("object", repeat(`{}`, 36000)),
		"many names":  write(manyNames(2400)),
		"long poll":   vote("object", `{"id":"https://m.example/q","type":"Question","oneOf":`+repeat(`{"type":"Note","name":"A","replies":{"type":"Collection","totalItems":1}}`, 100)+`}`),
		"odd options": vote("object", repeat(`{"id":"https://m.example/q","type":"Question","oneOf":`+repeat(`{"type":"x","name":"A"}`, 6)+`}`, 100)),
	} {
		// Allocations, for they are the same on a busy machine. 20,000 of them
		// are some 5 ms.
		n := testing.AllocsPerRun(3, func() { _, _ = read(raw) })
		t.Logf("%s: %.0f allocations", name, n)
		if n > 20000 {
			t.Errorf("%s makes %.0f allocations", name, n)
		}
	}
}

// manyNames gives long names that begin alike.
func manyNames(n int) map[string]string {
	all := map[string]string{}
	for i := range n {
		all[strings.Repeat("é", 40)+fmt.Sprint(i)] = "1"
	}
	return all
}

func TestIsPublic(t *testing.T) {
	for s, want := range map[string]bool{
		as2.Public: true, "as:Public": true, "Public": true,
		"": false, "public": false, "https://www.w3.org/ns/activitystreams": false,
	} {
		if as2.IsPublic(s) != want {
			t.Errorf("IsPublic(%q) is %v", s, !want)
		}
	}
}

func TestClosedWithoutTime(t *testing.T) {
	for closed, want := range map[string]string{
		`true`:                          "2026-09-05T07:00:00Z",
		`false`:                         "0001-01-01T00:00:00Z",
		`"2026-09-04T01:00:00.5+02:00"`: "2026-09-03T23:00:00.5Z",
		`"soon"`:                        "0001-01-01T00:00:00Z",
		`["2026-09-04T01:00:00Z"]`:      "2026-09-04T01:00:00Z",
	} {
		d, err := as2.Decode([]byte(`{"id":"https://m.example/q","type":"Question","endTime":"2026-09-05T07:00:00Z","oneOf":[{"name":"A"}],"closed":` + closed + `}`))
		if err != nil {
			t.Fatal(err)
		}
		o, err := d.Object()
		if err != nil || o.Closed.Format(time.RFC3339Nano) != want || !o.Poll.Closed.Equal(o.Closed) {
			t.Errorf("closed %s: %+v, %v", closed, o, err)
		}
	}
}
