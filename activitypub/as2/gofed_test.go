package as2

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"testing"

	"github.com/go-fed/activity/streams"
)

// The library panics on some durations. None reaches it through Decode; if
// another such property is ever found, it must not take the request down.
func TestTypedSurvivesPanic(t *testing.T) {
	for _, duration := range []string{"", "-"} {
		_, err := typed(map[string]any{"type": "Note", "published": "2026-03-01T12:00:00Z", "duration": duration}, nil)
		if !errors.Is(err, ErrMalformed) {
			t.Errorf("duration %q: %v", duration, err)
		}
	}
	if kept("duration") {
		t.Error("duration is handed on")
	}
}

// The shortcut for votes must read what the library's own choice reads.
func TestShortcutIsToType(t *testing.T) {
	for _, typ := range []string{"Create", "Note"} {
		m := map[string]any{"type": typ, "id": "https://m.example/1", "actor": "https://m.example/ana", "name": "Ja: bomen",
			"to": []any{"https://city.example/a", namespace + "#Public"}, "published": "2026-03-01T12:00:00Z", "updated": "soon", "sensitive": true}
		short, err := toType(maps.Clone(m))
		if err != nil {
			t.Fatal(err)
		}
		m["@context"] = namespace
		long, err := streams.ToType(context.Background(), m)
		if err != nil {
			t.Fatal(err)
		}
		if reflect.TypeOf(short) != reflect.TypeOf(long) || !published(short).Equal(published(long)) || published(short).IsZero() {
			t.Errorf("%s: %T published %v, want %T published %v", typ, short, published(short), long, published(long))
		}
		got, err := short.Serialize()
		if err != nil {
			t.Fatal(err)
		}
		want, err := long.Serialize()
		if err != nil {
			t.Fatal(err)
		}
		delete(want, "@context") // an unknown property to it
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", typ, got, want)
		}
	}
}
