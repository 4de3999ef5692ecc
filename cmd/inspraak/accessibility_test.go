package main

import (
	"strings"
	"testing"
	"time"
)

func TestAccessibilityIsWatched(t *testing.T) {
	whole := AccessibilityConfig{Statement: "https://www.toegankelijkheidsverklaring.nl/register/1", Status: "B", Audited: "2026-01-31"}
	old := whole
	old.Status = ""
	for _, test := range []struct {
		config AccessibilityConfig
		now    string
		want   []string
	}{
		{AccessibilityConfig{}, "2026-02-01", []string{"warning lacks statement, status, audited"}},
		{whole, "2026-02-01", []string{"ok status B, last audit on 2026-01-31"}},
		{whole, "2026-01-01", []string{"warning which is to come"}},
		{whole, "2028-10-30", []string{"ok status B"}},
		{whole, "2028-11-02", []string{"warning order an audit now"}},
		{whole, "2029-02-02", []string{"warning no longer valid; have the site audited"}},
		{old, "2028-11-02", []string{"warning lacks status:", "warning order an audit now"}},
	} {
		now, err := time.Parse(time.DateOnly, test.now)
		if err != nil {
			t.Fatal(err)
		}
		var found findings
		checkAccessibility(test.config, now, &found)
		if len(found) != len(test.want) {
			t.Errorf("%+v on %s: %v", test.config, test.now, found)
			continue
		}
		for i, want := range test.want {
			level, text, _ := strings.Cut(want, " ")
			if found[i].Level != level || !strings.Contains(found[i].Text, text) {
				t.Errorf("%+v on %s: %v, want %q", test.config, test.now, found[i], want)
			}
		}
	}
}
