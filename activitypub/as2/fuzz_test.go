package as2_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"inspraak/activitypub/as2"
)

// slowest is how long one input may keep a reader busy.
const slowest = 500 * time.Millisecond

// quickly does do, and fails if it takes too long, three times in a row: once
// may be the machine's fault.
func quickly(t *testing.T, do func()) {
	t.Helper()
	for range 3 {
		start := time.Now()
		if do(); time.Since(start) < slowest {
			return
		}
	}
	t.Errorf("slower than %v", slowest)
}

// FuzzDecode: whatever comes in, nothing panics or takes long, refusals are one
// of the two errors, what is read as an activity has what an activity must
// have, and blanks between the tokens change nothing.
func FuzzDecode(f *testing.F) {
	seed(f, "testdata/*/*.json")
	for _, name := range []string{"duration", "published", "closed", "url", "tag", "endTime", "icon"} {
		for _, value := range []string{`""`, `"-"`, `"P"`, `[]`, `{}`, `[{}]`, `"%zz:"`, `1e308`, `true`} {
			f.Add([]byte(vote(name, value)))
			f.Add([]byte(vote("object."+name, value)))
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var a *as2.Activity
		quickly(t, func() { a = readAll(t, raw) })
		if a == nil {
			return
		}
		if a.ID == "" || a.Actor == "" || a.Type == "" || len(a.ObjectIDs)+len(a.Objects) == 0 {
			t.Errorf("incomplete: %+v", a)
		}
		var spaced bytes.Buffer
		if err := json.Indent(&spaced, raw, " ", "\t"); err != nil {
			t.Fatalf("read as JSON, and is none: %v", err)
		}
		if spaced.Len() > as2.MaxBytes {
			return
		}
		if again := readAll(t, spaced.Bytes()); !reflect.DeepEqual(a, again) {
			t.Errorf("read as %+v, then with blanks as %+v", a, again)
		}
	})
}

// FuzzActor: an actor that is read has an id, and its keys have all that a key
// needs.
func FuzzActor(f *testing.F) {
	seed(f, "testdata/*/actor*.json")
	seed(f, "testdata/*/key*.json")
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := as2.Decode(raw)
		if err != nil {
			return
		}
		var keys []as2.PublicKey
		quickly(t, func() {
			keys = nil
			if a, err := d.AsActor(); err == nil {
				if a.ID == "" || a.Type == "" {
					t.Errorf("incomplete: %+v", a)
				}
				keys = a.Keys
			}
			if k, err := d.AsKey(); err == nil {
				keys = append(keys, *k)
			}
		})
		for _, k := range keys {
			if k.ID == "" || k.Owner == "" || k.PEM == "" && k.Multibase == "" {
				t.Errorf("incomplete: %+v", k)
			}
		}
	})
}

// FuzzTime: a time in a document is one that can be written again, or none.
func FuzzTime(f *testing.F) {
	for _, s := range []string{"2026-09-01T08:00:00Z", "2026-09-01T08:00:00.123456789+02:00", "2026-09-01T08:00Z",
		"2026-09-01T08:00:00", "2016-12-31T23:59:60Z", "24:00:00", "-0001-01-01T00:00:00Z", "99999-01-01T00:00:00Z",
		"2026-09-01", "Tue, 01 Sep 2026 08:00:00 GMT", "0", "", "9999-12-31T23:59:59-23:59"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		raw := fmt.Appendf(nil, `{"type":"Question","id":"https://m1.example/1","attributedTo":"https://m1.example/a",`+
			`"published":%[1]s,"updated":%[1]s,"endTime":%[1]s,"closed":%[1]s,"oneOf":[]}`, quoted)
		d, err := as2.Decode(raw)
		if err != nil {
			t.Fatalf("%q keeps a document from being read: %v", text, err)
		}
		o, err := d.Object()
		if err != nil {
			return
		}
		for _, at := range []time.Time{o.Published, o.Updated} {
			written := at.UTC().Format(time.RFC3339Nano)
			if again, err := time.Parse(time.RFC3339Nano, written); at.Year() >= 0 && at.Year() <= 9999 && (err != nil || !again.Equal(at)) {
				t.Errorf("%q was read as %s, which reads as %s (%v)", text, written, again, err)
			}
		}
	})
}

// seed adds documents as starting points.
func seed(f *testing.F, pattern string) {
	f.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds in %s: %v", pattern, err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
}

// readAll reads a document as everything it could be, and returns it as an
// activity if it is one.
func readAll(t *testing.T, raw []byte) *as2.Activity {
	expected := func(err error) {
		if err != nil && !errors.Is(err, as2.ErrMalformed) && !errors.Is(err, as2.ErrUnsupported) {
			t.Errorf("another error: %v", err)
		}
	}
	d, err := as2.Decode(raw)
	if expected(err); err != nil {
		return nil
	}
	_, err = d.Object()
	expected(err)
	_, err = d.AsActor()
	expected(err)
	_, err = d.AsKey()
	expected(err)
	a, err := d.Activity()
	if expected(err); err != nil {
		return nil
	}
	return a
}
