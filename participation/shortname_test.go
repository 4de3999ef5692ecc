package participation

import (
	"strings"
	"testing"
)

func TestShortNames(t *testing.T) {
	// On posters for good: these three may never become others.
	for number, want := range map[int64]string{1: "wpc2b", 2: "hyw4n", 1000: "bbgvf"} {
		if got := (Consultation{Number: number}).ShortName(); got != want {
			t.Errorf("number %d has the short name %s, want %s", number, got, want)
		}
	}
	seen := map[string]int64{}
	for n := range int64(200_000) {
		name := Consultation{Number: n}.ShortName()
		if other, taken := seen[name]; taken || len(name) != shortLength || strings.Trim(name, shortAlphabet) != "" {
			t.Fatalf("number %d has the short name %q, as has %d", n, name, other)
		}
		seen[name] = n
	}
	if gcd(shortStep, shortNames) != 1 || len(shortAlphabet) != 28 {
		t.Error("numbers can share a short name")
	}
	if strings.ContainsAny(shortAlphabet, "01ilaeou") {
		t.Error("short names can be misread")
	}
	if got := CanonicalShortName(" WPC-2b "); got != "wpc2b" {
		t.Errorf("typed in another way: %q", got)
	}
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
