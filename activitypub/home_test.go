package activitypub_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"inspraak/activitypub"
)

const post, channel = "https://city.example/o/abc", "https://city.example/a/participa"

// web answers with the body of an address, 404 where there is none; "→" leads on.
func web(pages map[string]string) func(*http.Request, parcel) *http.Response {
	return func(r *http.Request, _ parcel) *http.Response {
		at := r.URL.Host + r.URL.Path
		if r.URL.Path == "/.well-known/webfinger" {
			at = r.URL.Host + " " + r.URL.Query().Get("resource")
		}
		body, ok := pages[at]
		if !ok {
			return status(http.StatusNotFound)
		}
		if to, moved := strings.CutPrefix(body, "→"); moved {
			return status(http.StatusFound, "Location", to)
		}
		res := status(http.StatusOK)
		res.Body = io.NopCloser(bytes.NewReader([]byte(body)))
		return res
	}
}

func jrd(subject string, links ...string) string {
	return fmt.Sprintf(`{"subject":"acct:%s","links":[%s]}`, subject, strings.Join(links, ","))
}

func link(rel, template string) string { return fmt.Sprintf(`{"rel":%q,"template":%q}`, rel, template) }

const (
	ostatus = "http://ostatus.org/schema/1.0/subscribe"
	fep     = "https://w3id.org/fep/3b86/"
)

func nodeInfo(host, software string) (string, string) {
	return fmt.Sprintf(`{"links":[{"rel":"http://nodeinfo.diaspora.software/ns/schema/2.0","href":"https://%s/nodeinfo/2.0"}]}`, host),
		fmt.Sprintf(`{"version":"2.0","software":{"name":%q}}`, software)
}

// Every kind of server is found in the way it says itself.
func TestHome(t *testing.T) {
	pages := map[string]string{
		"m1.example acct:ana@m1.example": jrd("ana@m1.example", link(fep+"Create", "https://m1.example/share?text={content}"),
			link(ostatus, "https://m1.example/authorize_interaction?uri={uri}"), link(fep+"Object", "https://m1.example/authorize_interaction?uri={object}&then={on-success}")),
		"k1.example acct:ana@k1.example": jrd("ana@k1.example", link(ostatus, "https://k1.example/authorize-follow?acct={uri}")),
		"e1.example acct:ana@e1.example": jrd("ana@e1.example", link(fep+"Follow", "https://e1.example/intents/follow?object={object}"), link(fep+"Object", "https://e1.example/look?at={object}")),
		"g1.example acct:ana@g1.example": jrd("ana@g1.example"),
		// A server at another name than its accounts: sent on, or below it.
		"split.example acct:ana@split.example":        "→https://social.other.example/.well-known/webfinger?resource=acct:ana@split.example",
		"social.other.example acct:ana@split.example": jrd("ana@split.example", link(ostatus, "https://social.other.example/authorize_interaction?uri={uri}")),
		"below.example acct:ana@below.example":        jrd("ana@below.example", link(ostatus, "https://social.below.example/authorize_interaction?uri={uri}")),
		// A name at somebody's own domain, for an account elsewhere.
		"ana.example acct:ik@ana.example":                      jrd("ana@m1.example", link(ostatus, "https://m1.example/authorize_interaction?uri={uri}")),
		"xn--bcher-kva.example acct:ana@xn--bcher-kva.example": jrd("ana@xn--bcher-kva.example", link(ostatus, "https://xn--bcher-kva.example/x?uri={uri}")),
	}
	for host, software := range map[string]string{"g1.example": "gotosocial", "k2.example": "misskey", "a2.example": "akkoma", "m2.example": "mastodon", "new.example": "something"} {
		pages[host+"/.well-known/nodeinfo"], pages[host+"/nodeinfo/2.0"] = nodeInfo(host, software)
	}
	const at = "https%3A%2F%2Fcity.example%2Fo%2Fabc"
	city := newCity(t)
	city.net.answer = web(pages)
	for _, c := range []struct{ typed, want string }{
		{"@ana@m1.example", "https://m1.example/authorize_interaction?uri=" + at + "&then="},
		{"ana@m1.example", "https://m1.example/authorize_interaction?uri=" + at + "&then="},
		{"\u202a @ana@M1.Example\u202c ", "https://m1.example/authorize_interaction?uri=" + at + "&then="},
		{"acct:ana@m1.example", "https://m1.example/authorize_interaction?uri=" + at + "&then="},
		{"https://m1.example/@ana", "https://m1.example/authorize_interaction?uri=" + at + "&then="},
		{"m1.example/users/ana", "https://m1.example/authorize_interaction?uri=" + at + "&then="},
		{"https://m1.example/@ana/113", "https://m1.example/authorize_interaction?uri=" + at + "&then="},
		{"@ana@k1.example", "https://k1.example/authorize-follow?acct=" + at},
		{"@ana@e1.example", "https://e1.example/look?at=" + at},
		{"@ana@split.example", "https://social.other.example/authorize_interaction?uri=" + at},
		{"@ana@below.example", "https://social.below.example/authorize_interaction?uri=" + at},
		{"@ik@ana.example", "https://m1.example/authorize_interaction?uri=" + at + "&then="},
		{"ana@bücher.example", "https://xn--bcher-kva.example/x?uri=" + at},
		{"m2.example", "https://m2.example/authorize_interaction?uri=" + at},
		{"@nobody@m2.example", "https://m2.example/authorize_interaction?uri=" + at},
		{"https://m2.example/@ana@elsewhere.example", "https://m2.example/authorize_interaction?uri=" + at},
		{"k2.example", "https://k2.example/authorize-follow?acct=" + at},
		{"a2.example", "https://a2.example/ostatus_subscribe?acct=" + at},
		{"@ana@g1.example", ""}, {"g1.example", ""}, {"new.example", ""},
	} {
		city.pass(2 * time.Hour) // nothing is remembered
		home, err := city.Home(t.Context(), c.typed, post, false, "192.0.2.1")
		if err != nil || home.URL != c.want || home.Host == "" || !strings.HasPrefix(home.Base, "https://") {
			t.Errorf("%q leads to %+v (%v), want %s", c.typed, home, err, c.want)
		}
	}
	home, err := city.Home(t.Context(), "@ana@e1.example", channel, true, "192.0.2.1")
	if want := "https://e1.example/intents/follow?object=https%3A%2F%2Fcity.example%2Fa%2Fparticipa"; err != nil || home.URL != want {
		t.Errorf("following leads to %+v (%v), want %s", home, err, want)
	}
}

// What is no handle, and what servers say that lie, lead nowhere.
func TestNoHome(t *testing.T) {
	info, about := nodeInfo("evil.example", "mastodon")
	lie := func(template string) map[string]string {
		return map[string]string{"evil.example acct:x@evil.example": jrd("x@evil.example", link(ostatus, template)),
			"evil.example/.well-known/nodeinfo": info, "evil.example/nodeinfo/2.0": about}
	}
	with := func(at, body string) map[string]string {
		return map[string]string{"evil.example acct:x@evil.example": jrd("x@evil.example"), at: body}
	}
	city := newCity(t)
	for _, c := range []struct {
		typed, why string
		pages      map[string]string
	}{
		{"", activitypub.NoHandle, nil},
		{"   ", activitypub.NoHandle, nil},
		{"jan", activitypub.NoHandle, nil},
		{"@jan", activitypub.NoHandle, nil},
		{"@a@b@c.example", activitypub.NoHandle, nil},
		{"@@c.example", activitypub.NoHandle, nil},
		{"jan jansen@m1.example", activitypub.NoHandle, nil},
		{"x@evil\u202eelpmaxe.moc", activitypub.NoHandle, nil},
		{"x\u202ey@m1.example", activitypub.NoHandle, nil},
		{"<script>@m1.example", activitypub.NoHandle, nil},
		{strings.Repeat("x", 10_000) + "@m1.example", activitypub.NoHandle, nil},
		{"x@" + strings.Repeat("x", 100) + ".example", activitypub.NoHandle, nil},
		{"javascript:alert(1)", activitypub.NoHandle, nil},
		{"ftp://m1.example/@x", activitypub.NoHandle, nil},
		{"https://u:p@m1.example/@x", activitypub.NoHandle, nil},
		{"x@127.0.0.1", activitypub.NoHandle, nil},
		{"x@[::1]", activitypub.NoHandle, nil},
		{"x@169.254.169.254", activitypub.NoHandle, nil},
		{"x@m1.example:22", activitypub.NoHandle, nil},
		{"x@localhost", activitypub.NoHandle, nil},
		{"x@m1.example.", activitypub.NoHandle, nil},
		{"x@m1.example?y", activitypub.NoHandle, nil},
		{"x@m1.example\r\nSet-Cookie: a=b", activitypub.NoHandle, nil},
		{"@participa@city.example", activitypub.OurHandle, nil},
		{"https://city.example/@participa", activitypub.OurHandle, nil},
		{"jan@gmail.example", activitypub.NoFedi, nil},
		{"@x@evil.example", activitypub.BadAnswer, lie("javascript:alert('{uri}')")},
		{"@x@evil.example", activitypub.BadAnswer, lie("https://bank.example/login?next={uri}")},
		{"@x@evil.example", activitypub.BadAnswer, lie("https://notevil.example/?u={uri}")},
		{"@x@evil.example", activitypub.BadAnswer, lie("https://evil.example@bank.example/?u={uri}")},
		{"@x@evil.example", activitypub.BadAnswer, lie(`https://bank.example\@evil.example/?u={uri}`)},
		{"@x@evil.example", activitypub.BadAnswer, lie("https://u:p@evil.example/?u={uri}")},
		{"@x@evil.example", activitypub.BadAnswer, lie("//bank.example/?u={uri}")},
		{"@x@evil.example", activitypub.BadAnswer, lie("/relative?u={uri}")},
		{"@x@evil.example", activitypub.BadAnswer, lie("{uri}")},
		{"@x@evil.example", activitypub.BadAnswer, lie("http://evil.example/?u={uri}")},
		{"@x@evil.example", activitypub.BadAnswer, lie("https://evil.example:8443/?u={uri}")},
		{"@x@evil.example", activitypub.BadAnswer, lie("https://evil.example/authorize_interaction")},
		{"@x@evil.example", activitypub.BadAnswer, lie("https://evil.example/?u={url}")},
		{"@x@evil.example", activitypub.BadAnswer, lie("https://evil.example/\r\n?u={uri}")},
		{"@x@evil.example", activitypub.BadAnswer, lie("https://evil.example/" + strings.Repeat("x", 2000) + "?u={uri}")},
		{"@x@evil.example", activitypub.BadAnswer, map[string]string{"evil.example acct:x@evil.example": "<html>"}},
		{"@x@evil.example", activitypub.BadAnswer, map[string]string{"evil.example acct:x@evil.example": strings.Repeat(" ", 10<<20)}},
		{"@x@evil.example", activitypub.BadAnswer, map[string]string{"evil.example acct:x@evil.example": "→https://127.0.0.1/secret"}},
		{"@x@evil.example", activitypub.BadAnswer, map[string]string{"evil.example acct:x@evil.example": "→https://[::1]:6379/"}},
		{"@x@evil.example", activitypub.BadAnswer, map[string]string{"evil.example acct:x@evil.example": "→file:///etc/passwd"}},
		{"@x@evil.example", activitypub.BadAnswer, map[string]string{"evil.example acct:x@evil.example": "→?resource=acct:x@evil.example"}},
		{"@x@evil.example", activitypub.BadAnswer, with("evil.example/.well-known/nodeinfo", strings.ReplaceAll(info, "evil.example", "bank.example"))},
		{"@x@evil.example", activitypub.NoFedi, with("evil.example/.well-known/nodeinfo", strings.ReplaceAll(info, "https://evil.example", "http://10.0.0.1"))},
		{"@x@evil.example", activitypub.NoFedi, with("evil.example/.well-known/nodeinfo", "[]")},
		// An account that says it is another, which says it is a third.
		{"@x@evil.example", activitypub.BadAnswer, map[string]string{
			"evil.example acct:x@evil.example": jrd("y@evil2.example"), "evil2.example acct:y@evil2.example": jrd("z@bank.example", link(ostatus, "https://bank.example/?u={uri}"))}},
	} {
		city.pass(2 * time.Hour)
		city.net.answer = web(c.pages)
		home, err := city.Home(t.Context(), c.typed, post, false, "192.0.2.1")
		var none *activitypub.NoHome
		if !errors.As(err, &none) || none.Why != c.why || home.URL != "" {
			t.Errorf("%.60q %.120v: leads to %+v (%v), want %s", c.typed, c.pages, home, err, c.why)
		}
		if n := len(city.net.arrived()); n > 8 || c.pages == nil && c.why != activitypub.NoFedi && n > 0 {
			t.Errorf("%.60q: %d requests", c.typed, n)
		}
		if err != nil && c.typed != "" && strings.Contains(err.Error(), strings.Trim(c.typed, "@ ")) && len(c.typed) > 3 {
			t.Errorf("the error tells what was typed: %v", err)
		}
	}
}

// A source that knocks in vain, or too often, is told to wait, and so is
// everybody where a server fails; what is known costs no request.
func TestHomeBudgets(t *testing.T) {
	city := newCity(t)
	city.net.answer = web(map[string]string{
		"m1.example acct:ana@m1.example":       jrd("ana@m1.example", link(ostatus, "https://m1.example/authorize_interaction?uri={uri}")),
		"own.example acct:ana@own.example":     jrd("ana@own.example", link(ostatus, "https://own.example/actors/ana/follow?uri={uri}")),
		"own.example acct:bob@own.example":     jrd("bob@own.example", link(ostatus, "https://own.example/actors/bob/follow?uri={uri}")),
		"alias.example acct:ik@alias.example":  jrd("ana@m1.example"),
		"alias.example acct:wij@alias.example": jrd("bob@own.example"),
	})
	ask := func(typed, source string) (string, string) {
		home, err := city.Home(t.Context(), typed, post, false, source)
		var none *activitypub.NoHome
		if errors.As(err, &none) {
			return "", none.Why
		}
		return home.URL, ""
	}
	for i := range 40 {
		if at, why := ask("@ana@m1.example", "192.0.2.1"); at == "" {
			t.Fatalf("lookup %d of what is known: %s", i, why)
		}
	}
	if n := len(city.net.arrived()); n != 1 {
		t.Errorf("%d requests for 40 lookups at one server, want 1", n)
	}
	for _, c := range [][2]string{{"ana@own.example", "/actors/ana/"}, {"bob@own.example", "/actors/bob/"}, {"ik@alias.example", "m1.example/"}, {"wij@alias.example", "/actors/bob/"}} {
		if at, _ := ask(c[0], "192.0.2.1"); !strings.Contains(at, c[1]) {
			t.Errorf("%s is led to %s", c[0], at)
		}
	}
	city.pass(time.Hour + time.Second)
	city.net.arrived()
	if ask("@ana@m1.example", "192.0.2.1"); len(city.net.arrived()) != 1 {
		t.Error("what is known is never asked again")
	}

	// Ten failures of a source in a minute, each at another server.
	for i := range 20 {
		_, why := ask(fmt.Sprintf("x@none%d.example", i), "192.0.2.2")
		if want := map[bool]string{true: activitypub.NoFedi, false: activitypub.TooMany}[i < 10]; why != want {
			t.Errorf("lookup %d in vain: %s, want %s", i, why, want)
		}
	}
	if n := len(city.net.arrived()); n != 20 {
		t.Errorf("%d requests for 20 lookups in vain, want 20", n)
	}
	if _, why := ask("x@none.example", "192.0.2.3"); why != activitypub.NoFedi {
		t.Errorf("another source is told %s", why)
	}
	if at, _ := ask("@ana@m1.example", "192.0.2.2"); at == "" {
		t.Error("what is known is refused to who failed")
	}
	// Ten failures at a server, each of another source.
	for i := range 20 {
		ask("x@none.example", fmt.Sprint("198.51.100.", i))
	}
	if n := len(city.net.arrived()); n != 20 {
		t.Errorf("%d requests to a server that fails, want 20", n)
	}
	city.pass(time.Minute)
	if _, why := ask("x@none.example", "192.0.2.2"); why != activitypub.NoFedi {
		t.Errorf("a minute later: %s", why)
	}
	// Thirty lookups that succeed and are not remembered.
	ok := 0
	for range 60 {
		if at, _ := ask("ana@own.example", "192.0.2.4"); at != "" {
			ok++
		}
	}
	if ok != 30 {
		t.Errorf("%d lookups of one source in a minute, want 30", ok)
	}
}
