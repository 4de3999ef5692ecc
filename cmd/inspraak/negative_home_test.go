package main

import (
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"inspraak/activitypub"
	"inspraak/simulation"
	"inspraak/web"
)

// types sends the form for the own account, as a visitor's browser does.
func (s *siege) types(h http.Handler, path, handle, ip string) (status int, location, page string) {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), http.MethodPost, s.node.urls.Base+path, strings.NewReader(url.Values{"handle": {handle}}.Encode()))
	r.Host, r.RemoteAddr = s.node.urls.Host, ip+":1234"
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "text/html")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Header().Get("Location"), w.Body.String()
}

// What visitors type, and what the servers that they name answer, opens no way into
// networks, leads nobody elsewhere, stores nothing and is not logged.
func TestNegativeOwnServers(t *testing.T) {
	s := newSiege(t)
	node, log := s.reopened(slog.LevelDebug)
	site := must2(web.Load())(s.cluster)
	const form = "/consultations/q1/take-part"
	at := s.watch("evil.example", s.evil)
	inside := map[string]*visits{}
	for _, host := range []string{"127.0.0.1", "[::1]", "10.0.0.1", "169.254.169.254", "localhost", "bank.example", "evil.example:22", "evil.example:6379"} {
		inside[host] = s.watch(host, s.evil)
	}
	finger := func(template string) simulation.Override {
		return simulation.Override{ContentType: "application/jrd+json", Body: fmt.Appendf(nil,
			`{"subject":"acct:eve@evil.example","links":[{"rel":"http://ostatus.org/schema/1.0/subscribe","template":%q}]}`, template)}
	}
	away := func(location string) simulation.Override {
		return simulation.Override{Status: http.StatusFound, Header: http.Header{"Location": {location}}}
	}
	rows := map[string]struct {
		handle string
		answer simulation.Override
		why    string
	}{
		"a template that is a script":            {"@eve@evil.example", finger("javascript:alert('{uri}')"), activitypub.BadAnswer},
		"a template of another server":           {"@eve@evil.example", finger("https://bank.example/pay?to={uri}"), activitypub.BadAnswer},
		"a template that forgets the post":       {"@eve@evil.example", finger("https://evil.example/authorize_interaction"), activitypub.BadAnswer},
		"a template with a header in it":         {"@eve@evil.example", finger("https://evil.example/\r\nSet-Cookie: a=b?{uri}"), activitypub.BadAnswer},
		"a template that goes inside":            {"@eve@evil.example", finger("https://127.0.0.1/?{uri}"), activitypub.BadAnswer},
		"ten megabytes":                          {"@eve@evil.example", simulation.Override{Body: make([]byte, 10<<20)}, activitypub.BadAnswer},
		"no JSON":                                {"@eve@evil.example", simulation.Override{Body: []byte("<html>")}, activitypub.BadAnswer},
		"sent on to a private address":           {"@eve@evil.example", away("https://10.0.0.1/"), activitypub.BadAnswer},
		"sent on to the metadata of a cloud":     {"@eve@evil.example", away("http://169.254.169.254/latest/meta-data/"), activitypub.BadAnswer},
		"sent on to a database":                  {"@eve@evil.example", away("https://evil.example:6379/"), activitypub.BadAnswer},
		"sent on in circles":                     {"@eve@evil.example", away("?again"), activitypub.BadAnswer},
		"an address inside":                      {"@eve@10.0.0.1", simulation.Override{}, activitypub.NoHandle},
		"our own machine":                        {"@eve@localhost", simulation.Override{}, activitypub.NoHandle},
		"our own machine, by number":             {"https://127.0.0.1/@eve", simulation.Override{}, activitypub.NoHandle},
		"another port":                           {"@eve@evil.example:22", simulation.Override{}, activitypub.NoHandle},
		"another port, as an address":            {"https://evil.example:6379/@eve", simulation.Override{}, activitypub.NoHandle},
		"a server that is not there":             {"@eve@nowhere.example", simulation.Override{}, activitypub.NoAnswer},
		"text that is turned round":              {"eve\u202e@evil.example", simulation.Override{}, activitypub.NoHandle},
		"ten thousand characters":                {strings.Repeat("e", 10_000) + "@evil.example", simulation.Override{}, activitypub.NoHandle},
		"a header":                               {"eve@evil.example\r\nHost: bank.example", simulation.Override{}, activitypub.NoHandle},
		"an account of this node":                {s.node.handle(), simulation.Override{}, activitypub.OurHandle},
		"the name of this node in other clothes": {"NODE.example", simulation.Override{}, activitypub.OurHandle},
	}
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		row := rows[name]
		s.row(name, func() {
			s.wait(61 * time.Second) // a new budget
			s.evil.SetDocument("/.well-known/webfinger", row.answer)
			before := s.node.fingerprint()
			at.take()
			status, location, page := s.types(node.Handler, form, row.handle, "192.0.2.50")
			if status != http.StatusUnprocessableEntity || location != "" || strings.Contains(page, "own-trouble.") || !strings.Contains(page, "own-trouble") {
				s.t.Errorf("%s: %d %s", name, status, location)
			}
			if want := site.Text("nl", "own-trouble."+row.why+".do"); !strings.Contains(page, want) {
				s.t.Errorf("%s: the page does not say %q", name, want)
			}
			if n := len(at.take()); n > 4 {
				s.t.Errorf("%s: %d requests to one server", name, n)
			}
			s.unchanged(before)
		})
	}
	for host, v := range inside {
		if paths := v.take(); len(paths) > 0 {
			t.Errorf("asked %s for %q", host, paths)
		}
	}
	for _, word := range []string{"eve@", "evil.example", "nowhere", "10.0.0.1"} {
		if strings.Contains(log.String(), word) {
			t.Errorf("the log tells of %q: %s", word, log.String())
		}
	}

	// A door that anybody may knock on is no lever: one source, and one server that
	// fails, are asked for no more than ten times a minute.
	s.wait(61 * time.Second)
	failing := s.watch("evil.example", http.NotFoundHandler())
	statuses := map[int]int{}
	for i := range 100 {
		status, _, _ := s.types(node.Handler, form, fmt.Sprintf("x%d@evil.example", i), fmt.Sprint("198.51.100.", i))
		statuses[status]++
	}
	if n := len(failing.take()); n != 20 || statuses[422] != 10 || statuses[429] != 90 {
		t.Errorf("%d requests to a server that fails, answers %v", n, statuses)
	}
}
