package activitypub

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"inspraak/participation"
)

// FuzzAddress: an address that is accepted has one host in one spelling, the
// one that a browser or another server would go to, and no address is taken for
// one of ours that does not lie here.
func FuzzAddress(f *testing.F) {
	for _, seed := range []string{
		"https://m1.example/users/bob", "https://m1.example:8443/a#main-key", "https://inspraak.example/o/abc",
		"https://INSPRAAK.example/consultations/plein/", "http://inspraak.example/a/consult", "https://inspraak.example/o/a%2fb",
		"https://inspraak.example@evil.example/o/abc", `https://evil.example\@inspraak.example/o/abc`, "https://[::1]:443/",
		"https://m1.example./", "https://m1.example:443/", "https://m1.exa%6dple/", "https://é.example/", "//inspraak.example/o/x",
		"https://", "https:///x", "HTTPS://m1.example/", "https://m1.example:/", "https://inspraak.example/o/x?y", "https://m1.example\n/",
	} {
		f.Add(seed)
	}
	node, err := NewURLs("https://inspraak.example")
	if err != nil {
		f.Fatal(err)
	}
	federation := &Federation{Config: Config{URLs: node}}
	f.Fuzz(func(t *testing.T, address string) {
		host, err := federation.hostOf(address)
		if err == nil {
			u, err := url.Parse(address)
			if err != nil || u.Host != host || u.Scheme != "https" || u.User != nil {
				t.Errorf("%q: host %q, parsed as %v (%v)", address, host, u, err)
			}
			if !strings.HasPrefix(address, "https://"+host) || strings.ToLower(host) != host ||
				strings.ContainsAny(host, "@/\\ %") || strings.HasSuffix(host, ":443") {
				t.Errorf("%q: accepted with host %q", address, host)
			}
			if !federation.sameHost(address, address) {
				t.Errorf("%q: not on its own host", address)
			}
			if again, err := federation.hostOf(withoutFragment(address)); again != host {
				t.Errorf("%q: without its fragment on %q (%v), not on %q", address, again, err, host)
			}
		}
		for _, find := range []func(string) (string, bool){node.consultationAt, node.channelAt} {
			name, ok := find(address)
			if ok && (name == "" || strings.Contains(name, "/") || !node.ours(address) || err == nil && host != node.Host) {
				t.Errorf("%q names %q of ours", address, name)
			}
		}
	})
}

// FuzzWebFinger: a resource names an account, is unknown, or is none.
func FuzzWebFinger(f *testing.F) {
	for _, seed := range []string{"acct:consult@inspraak.example", "@consult@inspraak.example", "acct:inspraak.example@inspraak.example",
		"https://inspraak.example/a/consult", "https://inspraak.example/@consult", "https://inspraak.example/actor", "acct:", "@", "a@b@c",
		"acct:consult@evil.example", "https://evil.example/a/consult", "acct:%63onsult@inspraak.example", ""} {
		f.Add(seed)
	}
	node, err := NewURLs("https://inspraak.example")
	if err != nil {
		f.Fatal(err)
	}
	federation := &Federation{Config: Config{URLs: node}}
	f.Fuzz(func(t *testing.T, resource string) {
		name, err := federation.account(strings.ToLower(resource))
		switch {
		case err == nil && (name == "" || strings.Contains(name, "/") && strings.HasPrefix(resource, "http")):
			t.Errorf("%q is account %q", resource, name)
		case err == nil && !strings.Contains(strings.ToLower(resource), node.Host):
			t.Errorf("%q is taken for an account here", resource)
		case err != nil && (name != "" || !errors.Is(err, participation.ErrInvalid) && !errors.Is(err, participation.ErrNotFound)):
			t.Errorf("%q: %q, %v", resource, name, err)
		}
	})
}

// FuzzRetryAfter: whatever a server asks, it waits no less than no time and no
// more than a day.
func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"120", "-1", "99999999999", "9223372036854775807", "Tue, 01 Sep 2026 08:00:00 GMT",
		"Tuesday, 01-Sep-26 08:00:00 GMT", "Tue Sep  1 08:00:00 2026", "1e9", "", " 5"} {
		f.Add(seed)
	}
	now := time.Date(2026, 9, 1, 7, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, value string) {
		wait := retryAfter(&Response{Header: http.Header{"Retry-After": {value}}}, now)
		if wait < 0 || wait > maxRetryAfter {
			t.Errorf("%q: wait %v", value, wait)
		}
	})
}

// FuzzCommand: whatever a message holds, it is read as a command only if nothing
// but the word is left of it, and reading it changes nothing about it.
func FuzzCommand(f *testing.F) {
	for _, seed := range []string{"code", "<p><span class=\"h-card\"><a href=\"https://m.example/@x\">@<span>x</span></a></span> code</p>",
		"@consult@node.example MY-DATA", "gegevens!", "\u202ecode", "co\u200dde", "ｃｏｄｅ", "code code", "<script>code</script>", "&#99;ode", "\xff", "<",
		strings.Repeat("<b>", 600) + "code", "mijn\u00a0gegevens", "İcode", "c\u0301ode"} {
		f.Add(seed)
	}
	words := participation.DefaultCommands()
	f.Fuzz(func(t *testing.T, html string) {
		command, language := words.Read(html)
		if again, l := words.Read(html); again != command || l != language {
			t.Errorf("%q: %q, then %q", html, command, again)
		}
		switch command {
		case "":
			if language != "" {
				t.Errorf("%q: no command, in %q", html, language)
			}
			return
		case participation.AskCode, participation.AskMyData:
		default:
			t.Errorf("%q: command %q", html, command)
		}
		if around, _ := words.Read("<p>@somebody@m.example " + html + " !</p>"); around != command && !strings.ContainsAny(html, "<>&") && len(html) < 1000 {
			t.Errorf("%q: %q, and %q with a mention before it", html, command, around)
		}
		if more, _ := words.Read("please " + html); more != "" && !strings.ContainsAny(html, "<>&") {
			t.Errorf("%q: still %q with another word", html, more)
		}
	})
}
