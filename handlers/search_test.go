package handlers_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"inspraak/handlers"
	"inspraak/participation"
)

func searchFor(text string) string { return "/search?lang=nl&q=" + url.QueryEscape(text) }

func TestSearchPage(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin")
	s.draft("speelveld")
	s.reply(c, "<b>ann", "", "<p>Een speeltuin met &lt;script&gt; graag</p>")
	rude := s.reply(c, "bob", "", "<p>Wat een speeltuin!</p>")

	d := s.page("/search", 200)
	if got := d.Find(`form[role=search] label[for=q]`).Length(); got != 1 {
		t.Errorf("%d labels", got)
	}
	if got, _ := d.Find(`meta[name=robots]`).Attr("content"); got != "noindex" {
		t.Errorf("robots: %q", got)
	}
	d = s.page(searchFor("speel"), 200)
	if got := text(d, "#answer"); got != "3 keer gevonden" {
		t.Errorf("found: %s", got)
	}
	want := "Open Komt er een speeltuin? … | Reactie bij: Komt er een speeltuin? bob @bob@elders.example | Reactie bij: Komt er een speeltuin? <b>ann @<b>ann@elders.example"
	var got []string
	for _, card := range d.Find(".cards li").EachIter() {
		got = append(got, strings.Join(strings.Fields(card.Find(".badge, h3, strong, .meta span").Text()), " "))
	}
	if len(got) != 3 || !strings.Contains(got[0], "Komt er een speeltuin?") || !strings.Contains(got[1], "@bob@") || !strings.Contains(got[2], "<b>ann") {
		t.Errorf("in the order %q, want %s", got, want)
	}
	if got := text(d, ".cards li:last-child mark"); got != "speeltuin" {
		t.Errorf("marked: %q", got)
	}
	if got := text(d, ".cards li:last-child .reply-words"); got != "Een speeltuin met <script> graag" {
		t.Errorf("excerpt: %q", got)
	}
	address, fragment, _ := strings.Cut(d.Find(".cards li:last-child h3 a").AttrOr("href", ""), "#")
	if s.page(address, 200).Find("#"+fragment).Length() != 1 {
		t.Errorf("a reply that is found is not at %s#%s", address, fragment)
	}
	if n := d.Find("script, b").Length(); n != 0 {
		t.Error("a stranger's markup was taken over")
	}
	for in, n := range map[string]int{"consultations": 1, "replies": 2, "": 3, "nonsense": 3} {
		if got := s.page(searchFor("speel")+"&in="+in, 200).Find(".cards li").Length(); got != n {
			t.Errorf("in %s: %d", in, got)
		}
	}
	s.ok(s.service.HideReply(t.Context(), rude, "Scheldwoorden"))
	if got := s.page(searchFor("speel")+"&in=replies", 200).Find(".cards li").Length(); got != 1 {
		t.Errorf("a hidden reply is found: %d", got)
	}
	s.ok(s.service.Block(t.Context(), "elders.example", "spam"))
	if got := text(s.page(searchFor("speel")+"&in=replies", 200), "#answer"); got != "Niets gevonden" {
		t.Errorf("a blocked server's reply is found: %s", got)
	}
	s.ok(s.service.Unblock(t.Context(), "elders.example"))
	s.ok(s.service.ForgetActor(t.Context(), "https://elders.example/users/<b>ann"))
	if got := text(s.page(searchFor("speel")+"&in=replies", 200), "#answer"); got != "Niets gevonden" {
		t.Errorf("a deleted account's reply is found: %s", got)
	}
	s.ok(s.service.Withdraw(t.Context(), c.ID, "Vergissing."))
	if got := text(s.page(searchFor("speel"), 200), "#answer"); got != "Niets gevonden" {
		t.Errorf("what was withdrawn is found: %s", got)
	}
}

func TestSearchPages(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin")
	for i := range 41 {
		s.reply(c, fmt.Sprint("n", i), "", "<p>wipkip</p>")
	}
	for page, want := range map[string]string{"1": "1 tot en met 20", "2": "21 tot en met 40", "3": "", "99999999999999999999": "", "-1": "1 tot en met 20", "x": "1 tot en met 20"} {
		d := s.page(searchFor("wipkip")+"&page="+page, 200)
		if got := text(d, "section[aria-labelledby=answer] > p"); !strings.Contains(got, want) {
			t.Errorf("page %s says %q", page, got)
		}
	}
	d := s.page(searchFor("wipkip")+"&page=2&in=replies", 200)
	next, _ := d.Find("a[rel=next]").Attr("href")
	if d = s.page(next, 200); d.Find(".cards li").Length() != 1 || d.Find("a[rel=next]").Length() != 0 {
		t.Errorf("the last page, %s, has %d hits", next, d.Find(".cards li").Length())
	}
	previous, _ := d.Find("a[rel=prev]").Attr("href")
	if !strings.Contains(previous, "lang=nl") || !strings.Contains(previous, "in=replies") || !strings.Contains(previous, "page=2") {
		t.Errorf("back leads to %s", previous)
	}
}

// Whatever is typed: a page that helps, nothing stored, nothing logged, and no
// operator of the search engine in it.
func TestAbsurdSearches(t *testing.T) {
	var log bytes.Buffer
	s := newSite(t, func(c *handlers.Config) {
		c.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	c := s.publish("speeltuin")
	s.reply(c, "ann", "", "<p>Een wipkip AND een glijbaan NEAR de kiosk</p>")
	before, err := s.db.Fingerprint(t.Context())
	s.ok(err)
	const none, wordless, found = "Niets gevonden", "Wij zagen geen woord om te zoeken", "1 keer gevonden"
	for asked, want := range map[string]string{
		strings.Repeat("x", 10_000):      none,
		strings.Repeat("wipkip ", 1_500): found,
		strings.Repeat(`"`, 9_999):       wordless,
		`"`:                              wordless,
		`""`:                             wordless,
		"wipkip\x00glijbaan":             none, // NUL parts them, and between them stand others
		"\x00":                           wordless,
		"\xff\xfe wipkip":                found,
		"wip\u202ekip":                   found,
		"\u202e\u2066\u200f":             wordless,
		"🎠🎡":                             wordless,
		"🎠 wipkip":                       found,
		"NEAR(wipkip glijbaan, 5)":       none,
		"wipkip NEAR kiosk":              found,
		"wipkip AND glijbaan":            found,
		"wipkip NOT glijbaan":            none,
		"wipkip OR draaimolen":           none,
		"body:wipkip":                    none,
		"{body} : wipkip":                none,
		"^wipkip":                        found,
		"wip*":                           found,
		"wipkip - glijbaan":              found,
		"'; DROP TABLE reply; --":        none,
		"?!.,;:-()*^{}[]<>&":             wordless,
		"<script>alert(1)</script>":      none,
		"\u0301\u0308":                   wordless,
		"„wipkip”":                       found,
		`"een wipkip" glijbaan "`:        found,
		"%00%ff":                         none,
		"wipkip\nglijbaan\tkiosk":        found,
		strings.Repeat("a ", 99) + "b":   none,
		strings.Repeat("\u0301", 199) + " wipkip": wordless,
		"𝔴𝔦𝔭𝔨𝔦𝔭":                                  none,
		"ｗｉｐｋｉｐ":                                  none,
		"א ב ג":                                   none,
	} {
		d := s.page(searchFor(asked), 200)
		if got := text(d, "#answer"); got != want {
			t.Errorf("%.40q: %q, want %q", asked, got, want)
		}
		cut := strings.Contains(text(d, "main"), "Wij zochten alleen met het begin")
		if want := len([]rune(asked)) > participation.MaxSearch || len(strings.Fields(asked)) > 12; cut != want {
			t.Errorf("%.40q: it says that it was cut: %v", asked, cut)
		}
		if value, _ := d.Find("#q").Attr("value"); len([]rune(value)) > participation.MaxSearch || strings.ContainsAny(value, "\x00\u202e\u2066") {
			t.Errorf("%.40q is shown again as %q", asked, value)
		}
		if want == none && len(text(d, "section li")) == 0 {
			t.Errorf("%.40q: no help", asked)
		}
	}
	after, err := s.db.Fingerprint(t.Context())
	s.ok(err)
	for table := range after {
		if before[table] != after[table] {
			t.Errorf("searching changed %s", table)
		}
	}
	for _, word := range []string{"wipkip", "xxxx", "DROP", "draaimolen", "level=ERROR", "level=WARN"} {
		if strings.Contains(log.String(), word) {
			t.Errorf("the log has %q", word)
		}
	}
	if !strings.Contains(log.String(), "route=/search") {
		t.Error("the log was not read")
	}
}
