package activitypub

import (
	"fmt"
	"testing"
	"time"
)

func TestRegistrable(t *testing.T) {
	type row struct {
		domain string
		own    bool
	}
	for host, want := range map[string]row{
		"mastodon.nl":                {"mastodon.nl", true},
		"social.overheid.nl":         {"overheid.nl", false},
		"a1.workers.dev":             {"workers.dev", false}, // a private suffix counts as its owner's
		"a.b.a1.workers.dev":         {"workers.dev", false},
		"workers.dev":                {"workers.dev", true},
		"x.blogspot.co.uk":           {"blogspot.co.uk", false},
		"a.x.github.io":              {"github.io", false},
		"s3.eu-west-1.amazonaws.com": {"amazonaws.com", false},
		"a.b.example.co.uk":          {"example.co.uk", false},
		"co.uk":                      {"co.uk", true},
		"nl":                         {"nl", true},
		"a1.workers.example":         {"workers.example", false}, // a suffix on no list
		"m1.example":                 {"m1.example", true},
		"names.test":                 {"names.test", true},
		"h7.localhost:41234":         {"h7.localhost", true},
		"localhost:8080":             {"localhost", true},
		"127.0.0.1:8080":             {"127.0.0.1", true},
		"192.0.2.7":                  {"192.0.2.7", true},
		"[::1]:8080":                 {"::1", true},
		"[2001:db8::1]":              {"2001:db8::1", true},
		"a1.workers.dev:8443":        {"workers.dev", false},
	} {
		if domain, own := registrable(host); (row{domain, own}) != want {
			t.Errorf("%s counts under %s, itself %v; want %v", host, domain, own, want)
		}
	}
}

func TestCrowdForgetsAfterAnHourAndStaysSmall(t *testing.T) {
	now := time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)
	c := crowd{hours: map[string]*domainHour{}}
	for i := range newHosts {
		if _, wait := c.arrive("workers.dev", fmt.Sprintf("a%d.workers.dev", i), true, now); wait != 0 {
			t.Fatalf("host %d waits %s", i, wait)
		}
	}
	if _, wait := c.arrive("workers.dev", "b.workers.dev", true, now.Add(20*time.Minute)); wait != 40*time.Minute {
		t.Errorf("the eleventh host waits %s, want 40m", wait)
	}
	if wait := c.full("workers.dev", "a3.workers.dev", now); wait != 0 {
		t.Errorf("a host let in already waits %s", wait)
	}
	if _, wait := c.arrive("workers.dev", "a3.workers.dev", true, now.Add(time.Minute)); wait != 0 {
		t.Errorf("another account of a host let in waits %s", wait)
	}
	if !c.tell("workers.dev", now) || c.tell("workers.dev", now) || !c.hours["workers.dev"].told {
		t.Error("not told once an hour")
	}
	if _, wait := c.arrive("workers.dev", "b.workers.dev", true, now.Add(time.Hour)); wait != 0 {
		t.Errorf("the next hour a host waits %s", wait)
	}
	for i := range newAccounts + 1 {
		crowded, wait := c.arrive("mastodon.example", "mastodon.example", false, now)
		if wait != 0 || crowded != (i >= newAccounts) {
			t.Errorf("account %d: crowd %v, waits %s", i+1, crowded, wait)
		}
	}
	for i := range 25_000 {
		c.arrive(fmt.Sprintf("d%d.example", i), "h", false, now)
	}
	if len(c.hours) > 10_000 {
		t.Errorf("%d domains are remembered", len(c.hours))
	}
}
