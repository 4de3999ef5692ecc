package as2_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"inspraak/activitypub/as2"
)

// FuzzDecode: whatever comes in, nothing panics, refusals are one of the two
// errors, and what is read as an activity has what an activity must have.
func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob("testdata/*/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	for _, name := range []string{"duration", "published", "closed", "url", "tag", "endTime", "icon"} {
		for _, value := range []string{`""`, `"-"`, `"P"`, `[]`, `{}`, `[{}]`, `"%zz:"`, `1e308`, `true`} {
			f.Add([]byte(vote(name, value)))
			f.Add([]byte(vote("object."+name, value)))
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		expected := func(err error) {
			if err != nil && !errors.Is(err, as2.ErrMalformed) && !errors.Is(err, as2.ErrUnsupported) {
				t.Errorf("another error: %v", err)
			}
		}
		d, err := as2.Decode(raw)
		expected(err)
		if err != nil {
			return
		}
		a, err := d.Activity()
		expected(err)
		if err == nil && (a.ID == "" || a.Actor == "" || a.Type == "" || len(a.ObjectIDs)+len(a.Objects) == 0) {
			t.Errorf("incomplete: %+v", a)
		}
		_, err = d.Object()
		expected(err)
		_, err = d.AsActor()
		expected(err)
		_, err = d.AsKey()
		expected(err)
	})
}
