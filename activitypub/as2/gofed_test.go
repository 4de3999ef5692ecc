package as2

import (
	"errors"
	"testing"
)

// The library panics on some durations. None reaches it through Decode; if
// another such property is ever found, it must not take the request down.
func TestTypedSurvivesPanic(t *testing.T) {
	for _, duration := range []string{"", "-"} {
		_, err := typed(map[string]any{"type": "Note", "duration": duration}, nil)
		if !errors.Is(err, ErrMalformed) {
			t.Errorf("duration %q: %v", duration, err)
		}
	}
	if kept("duration") {
		t.Error("duration is handed on")
	}
}
