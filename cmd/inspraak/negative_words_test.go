package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"inspraak/participation"
	"inspraak/simulation"
)

// replied delivers a reply to the first question and returns it as it is kept.
func (s *siege) replied(who *simulation.Account, html string, change func(o map[string]any)) participation.Reply {
	s.t.Helper()
	body := altered(who.ReplyActivity(s.object(s.q1), s.node.actor(), "", simulation.Public), func(_, o map[string]any) {
		delete(o, "contentMap")
		if o["content"] = html; change != nil { // without the mention of us that apps put before it
			change(o)
		}
	})
	s.deliver(who, body)
	id := decodeJSON[struct{ Object struct{ ID string } }](s.t, body).Object.ID
	return must2(s.node.Service.Reply(s.t.Context(), id))(s.cluster)
}

// page is every page of the first question on which strangers' words stand.
func (s *siege) page() (all string) {
	s.t.Helper()
	for _, path := range []string{"", "/replies", "/replies/1"} {
		w := s.node.get("/consultations/q1"+path, "text/html")
		if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
			s.t.Errorf("the page %s: %d, %v", path, w.Code, w.Header())
		}
		all += w.Body.String()
	}
	return all
}

// N42: an account is shown at its own host, whatever it calls itself, and no
// WebFinger answer is asked for, let alone believed.
func TestNegativeHandles(t *testing.T) {
	s := newSiege(t)
	at := s.watch("evil.example", s.evil)
	for i, c := range []struct{ username, handle string }{
		{"eve", "eve@evil.example"},
		{"Eve_2.x-y~z", "Eve_2.x-y~z@evil.example"},
		{"city.example", "city.example@evil.example"}, // as bridges name accounts
		{"mayor@city.example", "evil.example"},
		{"@mayor@city.example", "evil.example"},
		{"mayor＠city.example", "evil.example"},
		{"mayor@city.example ", "evil.example"},
		{"mayor city.example", "evil.example"},
		{"a/b", "evil.example"},
		{"elpmaxe.ytic\u202e", "evil.example"},
		{"mayor\u200b", "evil.example"},
		{"mаyor", "evil.example"}, // a Cyrillic letter
		{"mayor:8080", "evil.example"},
		{"<b>mayor</b>", "evil.example"},
		{strings.Repeat("x", 1000), "evil.example"},
		{"", "evil.example"},
	} {
		s.row("N42 "+c.handle, func() {
			who := s.evil.Account(fmt.Sprintf("n42-%d", i))
			doc := decodeJSON[map[string]any](s.t, must2(who.Document())(s.cluster))
			doc["preferredUsername"], doc["name"] = c.username, ""
			doc["webfinger"] = "mayor@city.example" // FEP-2c59, an actor's own word as well
			serve(s.evil, who.ID(), simulation.Override{ContentType: "application/activity+json", Body: must2(json.Marshal(doc))(s.cluster)})
			if r := s.replied(who, "<p>hallo</p>", nil); r.Author.Handle != c.handle {
				s.t.Errorf("%q is shown as %q, want %q", c.username, r.Author.Handle, c.handle)
			}
		})
	}
	page := strings.ReplaceAll(s.page(), "@city.example@evil.example", "")
	if strings.Contains(page, "@city.example") || strings.Contains(page, "\u202e") || !strings.Contains(page, "@evil.example") {
		t.Error("N42: the page shows a handle of another host")
	}
	for _, path := range at.take() {
		if strings.Contains(path, "webfinger") {
			t.Errorf("N42: fetched %s", path)
		}
	}
}

// N43: what is not published is not there for anybody, and activities that ask
// nothing of us do nothing.
func TestNegativeDrafts(t *testing.T) {
	s := newSiege(t)
	none := simulation.SignOptions{}
	ok := []int{http.StatusAccepted}
	draft := s.node.draft("geheim", participation.SingleChoice, participation.AtClose, "Ja", "Nee")
	eve := s.eve.ID()
	for _, kind := range []string{"Announce", "Like", "EmojiReact", "Accept", "Reject", "Add", "Remove", "Offer", "Invite", "Join", "View", "Flurb"} {
		for name, address := range map[string]string{"draft": s.object(draft), "draft's page": s.node.urls.Page(draft.Slug), "unknown": s.node.urls.Object("nothing")} {
			s.repels("N43 "+kind+" of "+name, ok, s.eve, s.activity(eve+"#"+kind, kind, eve, address), none)
		}
	}
	for _, kind := range []string{"Accept", "Reject", "Add", "Remove", "Join", "View", "Flurb"} {
		s.repels("N43 "+kind+" of what is open", ok, s.eve, s.activity(eve+"#"+kind, kind, eve, s.object(s.q1)), none)
	}
	s.repels("N43 a vote in a draft", ok, s.eve, s.vote(s.eve, draft, "Ja"), none)
	slow := s.server(simulation.Mastodon, "slow.example")
	slow.SetFault(simulation.Fault{KeyStatus: http.StatusServiceUnavailable})
	for _, asked := range []participation.Consultation{draft, {ID: "abcdefghijklmnop"}} {
		who := slow.Account("a" + asked.ID[:5])
		s.repels("N43 a vote that must wait", ok, who, s.vote(who, asked, "Ja"), none, "waiting", "occupancy")
	}
	s.repels("N43 a reply to a draft", ok, s.eve, s.eve.ReplyActivity(s.object(draft), s.node.actor(), "<p>x</p>", simulation.Public), none)
	s.repels("N43 bob's vote in eve's Announce", ok, s.eve, s.activity(eve+"#1", "Announce", eve, json.RawMessage(s.vote(s.bob, s.q1, "Ja"))), none)
	s.repels("N43 bob's vote in eve's Create", []int{400, 403}, s.eve, s.activity(eve+"#2", "Create", eve, json.RawMessage(s.vote(s.bob, s.q1, "Ja"))), none)
	for _, part := range []string{"", "/replies", "/likes", "/shares", "/context", "/create", "/delete", "/updates/1", "/quotes/1"} {
		s.row("N43 GET "+part, func() {
			for _, accept := range []string{"application/activity+json", "text/html"} {
				for _, path := range []string{"/o/", "/consultations/"} {
					name, unknown := draft.ID, "abcdefghijklmnop"
					if path == "/consultations/" {
						name = draft.Slug
					}
					got, want := s.node.get(path+name+part, accept), s.node.get(path+unknown+part, accept)
					if got.Code != http.StatusNotFound || want.Code != got.Code || strings.ReplaceAll(got.Body.String(), name, unknown) != want.Body.String() {
						s.t.Errorf("%s%s%s as %s: %d %s; one that never was: %d %s", path, name, part, accept, got.Code, got.Body, want.Code, want.Body)
					}
				}
			}
		})
	}
}

// N45, N46, N48: what strangers write is stored harmless, and their links say
// where they lead.
func TestNegativeMarkup(t *testing.T) {
	s := newSiege(t)
	const rel = ` rel="nofollow noopener noreferrer ugc"`
	for name, row := range map[string]struct{ html, want string }{
		"N45 script":              {`<script>alert(1)</script><p>ja</p>`, "<p>ja</p>"},
		"N45 onerror":             {`<p>ja<img src=x onerror=alert(1)></p>`, "<p>ja</p>"},
		"N45 svg":                 {`<p>ja</p><svg/onload=alert(1)>`, "<p>ja</p>"},
		"N45 style":               {`<style>*{display:none}</style><p style="position:fixed">ja</p>`, "<p>ja</p>"},
		"N45 javascript:":         {`<p><a href="javascript:alert(1)">ja</a></p>`, "<p>ja</p>"},
		"N45 data: and vbscript:": {`<p><a href="data:text/html,x">j</a><a href="vbscript:x">a</a></p>`, "<p>ja</p>"},
		"N45 math":                {`<p>ja</p><math><mtext><table><mglyph><style><img src=x onerror=alert(1)>`, "<p>ja</p>"},
		"N45 unclosed":            {`<p>ja<em>ja</div></article></body></html>`, "<p>ja<em>ja</em></p>"},
		"N45 NUL":                 {"<p>j\x00a<\x00script>x</script></p>", "<p>ja</p>"},
		"N46 another host shown": {`<p><a href="https://evil.example/">https://city.example</a></p>`,
			`<p><a href="https://evil.example/"` + rel + `>https://city.example [evil.example]</a></p>`},
		"N46 a long address with a user": {`<p><a href="https://city.example` + strings.Repeat("x", 2000) + `@evil.example/">ja</a></p>`, "<p>ja</p>"},
		"N46 letters of another script": {`<p><a href="https://gemeеnte.example/">gemeеnte.example</a></p>`,
			`<p><a href="https://xn--gemente-bhg.example/"` + rel + `>gemeеnte.example [xn--gemente-bhg.example]</a></p>`},
		"N48 nested 10,000 deep": {strings.Repeat("<b>", 10_000) + "ja", ""},
	} {
		s.row(name, func() {
			if r := s.replied(s.bob, row.html, nil); r.HTML != row.want {
				s.t.Errorf("stored %s\nwant %s", r.HTML, row.want)
			}
			page := s.page()
			for _, bad := range []string{"<script", "onerror", "onload", "<style", "<svg", "<math", "<img src=x", "javascript:", "vbscript:", "data:text", "\x00"} {
				if strings.Contains(page, bad) {
					s.t.Errorf("the page holds %q", bad)
				}
			}
		})
	}
}

// N45: an edit is made safe like what it replaces.
func TestNegativeMarkupOfEdits(t *testing.T) {
	s := newSiege(t)
	id := must2(s.bob.Reply(t.Context(), s.object(s.q1), "<p>ja</p>", simulation.Public))(s.cluster)
	s.wait(time.Minute)
	must2(s.bob.Edit(t.Context(), id, `<script>alert(1)</script><p onclick="x()">nee</p>`))(s.cluster)
	r := must2(s.node.Service.Reply(t.Context(), id))(s.cluster)
	if !strings.Contains(r.HTML, "nee") || strings.Contains(r.HTML, "script") || strings.Contains(r.HTML, "onclick") {
		t.Errorf("N45: stored %s", r.HTML)
	}
}

// N47: a name is one short line that shows what it is, and no office.
func TestNegativeNames(t *testing.T) {
	s := newSiege(t)
	for name, row := range map[string]struct{ display, want string }{
		"right to left": {"Ge\u202emeente", "Gemeente"},
		"invisible":     {"Ge\u200bme\u2060en\u00adte\ufeff", "Gemeente"},
		"a check mark":  {"✔️ Gemeente ✅", "Gemeente"},
		"an emoji":      {"Gemeente :verified:", "Gemeente"},
		"lines":         {"Gemeente\n\n\tConsult", "Gemeente Consult"},
		"markup":        {`<strong class="official">Gemeente</strong>`, `<strong class="official">Gemeente</strong>`},
		"10 KB":         {strings.Repeat("x", 10<<10), strings.Repeat("x", 59) + "…"},
	} {
		s.row("N47 "+name, func() {
			who := s.evil.Account("n47" + strings.Map(letters, name))
			who.SetDisplayName(row.display)
			r := s.replied(who, "<p>hallo</p>", nil)
			if r.Author.Name != row.want || utf8.RuneCountInString(r.Author.Name) > 60 {
				s.t.Errorf("shown as %q, want %q", r.Author.Name, row.want)
			}
			page := s.page()
			if !strings.Contains(page, "@"+r.Author.Handle) {
				s.t.Errorf("the page does not show %s beside the name", r.Author.Handle)
			}
			for _, bad := range []string{"\u202e", "\u200b", "\ufeff", "✔", "✅", ":verified:", "official\"", "Consult\n"} {
				if strings.Contains(page, bad) {
					s.t.Errorf("the page holds %q", bad)
				}
			}
		})
	}
	s.row("N47 a host of another script", func() {
		who := s.server(simulation.Mastodon, "xn--gemente-bhg.example").Account("raad")
		if r := s.replied(who, "<p>hallo</p>", nil); r.Author.Handle != "raad@xn--gemente-bhg.example" {
			s.t.Errorf("shown as %q", r.Author.Handle)
		}
	})
}

// N49: a reply links to its author's own server, or nowhere.
func TestNegativeLinks(t *testing.T) {
	s := newSiege(t)
	for name, url := range map[string]any{
		"javascript": "javascript:alert(1)", "ftp": "ftp://m1.example/1", "another host": "https://evil.example/1", "plain": "http://m1.example/1",
		"a user": "https://m1.example@evil.example/1", "a list": []any{"javascript:alert(1)", "https://evil.example/1"},
		"a Link": map[string]any{"type": "Link", "href": "javascript:alert(1)", "mediaType": "text/html"},
	} {
		s.row("N49 "+name, func() {
			s.wait(time.Second)
			r := s.replied(s.bob, "<p>hallo</p>", func(o map[string]any) { o["url"] = url })
			if r.URL != "" && r.URL != r.ID {
				s.t.Errorf("links to %q", r.URL)
			}
		})
	}
	if page := s.page(); strings.Contains(page, "javascript:") || strings.Contains(page, "ftp:") || strings.Contains(page, "//evil.example/1") || strings.Contains(page, "http://m1.example") {
		t.Error("N49: the page links there")
	}
	who := s.m1.Account("linker")
	doc := decodeJSON[map[string]any](t, must2(who.Document())(s.cluster))
	doc["url"] = "javascript:alert(1)"
	serve(s.m1, who.ID(), simulation.Override{ContentType: "application/activity+json", Body: must2(json.Marshal(doc))(s.cluster)})
	if r := s.replied(who, "<p>hallo</p>", nil); r.Author.URL != who.ID() {
		t.Errorf("N49: the author's page is %q, want %q", r.Author.URL, who.ID())
	}
}
