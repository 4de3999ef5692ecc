package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"inspraak/participation"
	"inspraak/simulation"
)

// walkers is a node on real sockets and a browser beside it.
func walkers(t *testing.T) (*liveNode, *browser) {
	t.Helper()
	listen := freeAddress(t)
	n := openLiveNode(t, "http://"+listen, listen, Surroundings{})
	n.serve()
	return n, openBrowser(t)
}

// server lets a simulated server listen, where a browser finds it too.
func (n *liveNode) server(kind simulation.Kind) *simulation.Server {
	n.t.Helper()
	listen := freeAddress(n.t)
	_, port, _ := strings.Cut(listen, ":")
	s := simulation.NewServer(simulation.Config{Kind: kind, Base: "http://" + string(kind) + ".localhost:" + port, Seed: 1, KeyPool: 1})
	n.listen(listen, s)
	return s
}

func (n *liveNode) listen(address string, h http.Handler) {
	n.t.Helper()
	_, stop, err := simulation.Listen(address, h)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = stop() })
}

// tabTo presses Tab until an element has the focus.
func (b *browser) tabTo(selector string) {
	b.t.Helper()
	for range 80 {
		act(b, "press Tab", chromedp.KeyEvent(kb.Tab))
		if evaluate[bool](b, fmt.Sprintf(`document.activeElement.matches(%q)`, selector)) {
			return
		}
	}
	b.t.Fatalf("Tab leads to no %s on %s", selector, evaluate[string](b, `location.href + " " + document.body.innerText`))
}

func (b *browser) types(keys string) {
	b.t.Helper()
	act(b, "type", chromedp.KeyEvent(keys))
}

// edits presses a shortcut that Chromium knows as a command of its editor.
func (b *browser) edits(key, command string) {
	b.t.Helper()
	act(b, command, chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: key,
			Modifiers: int64(kb.ModifierCtrl), Commands: []string{command}})
		return err
	}))
}

// arrives waits for a page that begins with an address and reads words.
func (b *browser) arrives(at, words string) {
	b.t.Helper()
	here := ""
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		here = evaluate[string](b, `document.readyState === "complete" && document.body ? location.href + "\n" + document.body.innerText : ""`)
		if strings.HasPrefix(here, at) && strings.Contains(here, words) {
			return
		}
	}
	b.t.Fatalf("did not arrive at %s, %q: %s", at, words, here)
}

// ownServer goes by keyboard from a page of the node with the form, to the page
// of the own server that shows what the form was for.
func (b *browser) ownServer(n *liveNode, path string, s *simulation.Server, words string) {
	b.t.Helper()
	b.open(address(n, path, "nl"), 200)
	b.tabTo("#own-handle")
	b.types("@ana@" + s.Host())
	b.types(kb.Enter)
	if s.Kind() == simulation.GoToSocial {
		b.arrives(n.urls.Base, "Nog één stap")
		b.reads([]string{s.Host()})
		b.scripts(true)
		b.axe(`{}`)
		b.scripts(false)
		b.tabTo("#own-address")
		if !evaluate[bool](b, `(e => e.selectionStart === 0 && e.selectionEnd === e.value.length)(document.activeElement)`) {
			b.t.Error("the address is not selected when Tab comes to it")
		}
		b.edits("c", "copy")
		b.tabTo(fmt.Sprintf(`a[href=%q]`, s.Base()+"/"))
		b.types(kb.Enter)
		b.arrives(s.Base()+"/", "Search")
		b.tabTo("input[name=q]")
		b.edits("v", "paste")
		b.types(kb.Enter)
	}
	b.arrives(s.Base()+"/", words)
}

// Done when: who has an account on Mastodon, Misskey, Akkoma or GoToSocial comes
// from the page of a question to the own server and votes there, and follows a
// channel, by keyboard alone and without JavaScript; and the vote counts.
func TestTakePartFromHere(t *testing.T) {
	n, tab := walkers(t)
	con := n.publish("wijk", participation.SingleChoice, participation.AtClose, "Bomen", "Markthal")
	talk := n.publish("praat", participation.OpenQuestion, participation.AtClose)
	for i, kind := range []simulation.Kind{simulation.Mastodon, simulation.Misskey, simulation.Akkoma, simulation.GoToSocial} {
		t.Run(string(kind), func(t *testing.T) {
			s := n.server(kind)
			s.Account("ana")
			b := &browser{t: t, ctx: tab.ctx, script: tab.script}
			b.show(screen{1280, "light"})
			b.scripts(false)
			do := func(what string) {
				t.Helper()
				b.tabTo(fmt.Sprintf("button[value=%s]", what))
				b.types(kb.Enter)
				b.arrives(s.Base()+"/interact", "Done.")
			}

			path := "/consultations/wijk"
			if i%2 == 1 {
				path = takePartPath // the page of its own, as well as the form on the page of the question
			}
			b.ownServer(n, path, s, "Markthal")
			b.reads([]string{"Bomen", "Kies mee over de wijk"})
			b.tabTo("input[name=account]")
			b.types("ana")
			b.tabTo("input[type=radio]")
			b.types(kb.ArrowDown) // from the first, which has the focus, to the second
			do("Vote")
			if voted := s.Voted("ana", n.object(con)); len(voted) != 1 || voted[0] != "Markthal" {
				t.Errorf("the own server knows of %q", voted)
			}
			n.until("the vote to count", func() bool { return n.result(con).Turnout == i+1 })
			n.until("the page to say so", func() bool { return strings.Contains(n.page("/consultations/wijk?lang=en"), countedWords(i+1)) })

			b.ownServer(n, "/@zeewijk", s, "Follow")
			b.tabTo("input[name=account]")
			b.types("ana")
			do("Follow")
			n.until("the follow to be accepted", func() bool { return s.Following("ana", n.actor()) })

			b.ownServer(n, "/consultations/praat", s, "Reply")
			b.tabTo("input[name=account]")
			b.types("ana")
			b.tabTo("textarea")
			b.types("Een bankje van " + string(kind))
			do("Reply")
			n.until("the reply to arrive", func() bool {
				return strings.Contains(n.page("/consultations/"+talk.Slug), "Een bankje van "+string(kind))
			})
		})
	}
}

const takePartPath = "/consultations/wijk/take-part"

func countedWords(n int) string {
	if n == 1 {
		return "1 person voted"
	}
	return fmt.Sprint(n, " people voted")
}

// What goes wrong is told on the page, to a keyboard and a screen reader too.
func TestTakePartGoesWrong(t *testing.T) {
	listen := freeAddress(t)
	n, tab := openLiveNode(t, "http://"+listen, listen, Surroundings{}), openBrowser(t)
	n.listen(listen, n.Handler) // without its jobs, which write what this compares
	n.publish("wijk", participation.SingleChoice, participation.AtClose, "Bomen", "Markthal")
	evil := n.server(simulation.Mastodon)
	evil.SetDocument("/.well-known/webfinger", simulation.Override{ContentType: "application/jrd+json",
		Body: []byte(`{"subject":"acct:ana@` + evil.Host() + `","links":[{"rel":"http://ostatus.org/schema/1.0/subscribe","template":"javascript:alert('{uri}')"}]}`)})
	for handle, words := range map[string]string{
		"jan jansen":              "Dit is geen account en geen server.",
		"ana@" + evil.Host():      "geeft een antwoord waar wij niets mee kunnen",
		"@zeewijk@" + n.urls.Host: "Dit is ons eigen account",
		"ana@weg.localhost:1":     "geeft nu geen antwoord",
		"10.0.0.1":                "Dit is geen account en geen server.",
	} {
		t.Run(strings.ReplaceAll(handle, "/", "-"), func(t *testing.T) {
			b := &browser{t: t, ctx: tab.ctx, script: tab.script}
			b.show(screen{320, "light"})
			b.scripts(false)
			before, err := n.DB.Fingerprint(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			b.open(address(n, takePartPath, "nl"), 200)
			b.tabTo("#own-handle")
			b.types(handle)
			b.types(kb.Enter)
			b.arrives(n.urls.Base+takePartPath, words)
			if value := evaluate[string](b, `document.querySelector("#own-handle").value`); value != handle {
				t.Errorf("what was typed is %q", value)
			}
			b.tabsThrough()
			b.scripts(true)
			b.fits()
			b.axe(`{}`)
			after, err := n.DB.Fingerprint(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for table := range after {
				if before[table] != after[table] {
					t.Errorf("table %s changed", table)
				}
			}
		})
	}
}

// Another site frames the one page that may be framed, with its style, and its
// links work; any other page stays out of the frame.
func TestFrameOnAnotherSite(t *testing.T) {
	n, b := walkers(t)
	n.publish("wijk", participation.SingleChoice, participation.AtClose, "Bomen", "Markthal")
	code := decodeJSON[struct{ HTML string }](t, []byte(n.page("/oembed?url="+url.QueryEscape(n.urls.Page("wijk")))))
	listen := freeAddress(t)
	_, port, _ := strings.Cut(listen, ":")
	n.listen(listen, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, `<!doctype html><html lang="nl"><title>Gemeente</title><h1>Gemeente</h1>%s<iframe src=%q title="x"></iframe>`, code.HTML, n.urls.Page("wijk"))
	}))
	b.show(screen{1280, "light"})
	b.open("http://www.zeewijk.localhost:"+port+"/", 200)
	framed := map[string]string{} // address to what it reads
	n.until("both frames", func() bool {
		infos, err := chromedp.Targets(b.ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, info := range infos {
			if _, seen := framed[info.URL]; seen || info.Type != "iframe" || info.URL == "" {
				continue
			}
			ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithTargetID(info.TargetID))
			t.Cleanup(cancel) // which closes the frame
			inside := &browser{t: t, ctx: ctx}
			framed[info.URL] = evaluate[string](inside, `document.body.innerText + [...document.querySelectorAll("a.action")].map(e => "weight " + getComputedStyle(e).fontWeight)`)
		}
		return len(framed) == 2
	})
	b.open(n.urls.Base+"/embed/consultations/wijk?lang=nl", 200)
	for _, s := range []screen{{600, "light"}, {320, "light"}, {320, "dark"}} {
		b.show(s)
		b.fits()
		b.axe(`{}`)
	}
	for address, text := range framed {
		switch {
		case strings.HasPrefix(address, n.urls.Base+"/embed/"):
			for _, words := range []string{"Wat komt er in de wijk?", "Stem met uw eigen account", "weight 700"} {
				if !strings.Contains(text, words) {
					t.Errorf("the frame does not read %q: %q", words, text)
				}
			}
		case strings.Contains(text, "Wat komt er in de wijk?"):
			t.Errorf("%s is framed: %q", address, text)
		}
	}
}

// A poster is one sheet of A4, also with a long question.
func TestPosterIsOneSheet(t *testing.T) {
	n, b := walkers(t)
	now := time.Now().UTC().Truncate(time.Second)
	n.put(participation.Consultation{Slug: "wijk", Kind: participation.SingleChoice, Results: participation.AtClose, Options: []string{"Ja", "Nee"}, OpensAt: now, ClosesAt: now.Add(time.Hour),
		Title: "Wat vindt u het belangrijkste voor de nieuwe inrichting van het Havenplein en de straten eromheen?",
		Body:  strings.Repeat("Er is plaats voor een grote ingreep. ", 20)})
	b.open(address(n, "/consultations/wijk/poster", "nl"), 200)
	pdf := act(b, "print", chromedp.PrintToPDF(chromedp.PDFPreferCSSPageSize(), chromedp.PDFPrintBackground()))
	if pages := len(regexp.MustCompile(`/Type\s*/Page\b`).FindAll(pdf, -1)); pages != 1 {
		t.Errorf("%d pages", pages)
	}
	if size := regexp.MustCompile(`/MediaBox\s*\[\s*0 0 (59[45]\S*) (84[12]\S*)\s*\]`).Find(pdf); size == nil {
		t.Error("not A4")
	}
	if dir := os.Getenv("INSPRAAK_SCREENSHOTS"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, "poster.pdf"), pdf, 0o600); err != nil {
			t.Error(err)
		}
	}
}
