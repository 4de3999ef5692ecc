package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

var screenshots = flag.String("screenshots", "", "folder for pictures of every page; TestPagesInBrowser then does nothing else")

// An album is a folder of pictures, with a page that shows them all.
type album struct {
	dir   string
	index strings.Builder
	pages int
}

// A view is how somebody looks at a page.
type view struct {
	name          string
	width, height int64   // of the window, in CSS pixels
	zoom          float64 // device pixels to a CSS pixel
	scheme, media string
	whole         bool // the page, not only what is in the window
}

// views are those of `make screenshots`. A window of 1280 pixels at 400 % is one
// of 320 CSS pixels that are four times as large (WCAG 2.2, 1.4.10): of it only
// the beginning is taken. Paper is A4 at 96 pixels to the inch, less its margins.
func views() []view {
	return []view{
		{"1-wide-1280", 1280, 900, 1, "light", "screen", true},
		{"2-narrow-320", 320, 640, 1, "light", "screen", true},
		{"3-dark-1280", 1280, 900, 1, "dark", "screen", true},
		{"4-zoom-400", 320, 720, 4, "light", "screen", false},
		{"5-print-a4", 643, 900, 1, "light", "print", true},
	}
}

// newAlbum begins one if pictures are wanted; nil if not.
func newAlbum(t *testing.T) *album {
	t.Helper()
	if *screenshots == "" {
		return nil
	}
	a := &album{dir: *screenshots}
	if err := os.MkdirAll(a.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	old, err := filepath.Glob(filepath.Join(a.dir, "[0-9][0-9]-*-[1-6]-*.p[nd][gf]"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range old {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		page := "<!doctype html><html lang=en><meta charset=utf-8><title>Pictures of every page</title>" +
			"<style>body{font:16px/1.5 sans-serif;margin:2rem}div{display:flex;gap:1rem;align-items:flex-start;overflow-x:auto}figure{margin:0}img{width:15rem;border:1px solid #888}</style>" +
			"<h1>Pictures of every page</h1>" + a.index.String()
		if err := os.WriteFile(filepath.Join(a.dir, "index.html"), []byte(page), 0o644); err != nil {
			t.Error(err)
		}
	})
	return a
}

// pose takes the pictures of one page in one language, and prints it.
func (b *browser) pose(a *album, p sitePage, lang, address string) {
	b.t.Helper()
	if lang == "nl" {
		a.pages++
	}
	name := fmt.Sprintf("%02d-%s-%s", a.pages, p.name, lang)
	fmt.Fprintf(&a.index, "<h2>%s</h2><div>", html.EscapeString(name))
	b.scripts(true) // the size of a page is asked by script
	for _, v := range views() {
		b.look(v)
		b.open(address, p.status)
		take := chromedp.CaptureScreenshot()
		if v.whole {
			take = chromedp.FullScreenshot(100)
		}
		file := name + "-" + v.name + ".png"
		a.keep(b.t, file, act(b, "take a picture", take))
		fmt.Fprintf(&a.index, `<figure><a href="%[1]s"><img src="%[1]s" loading="lazy" alt=""></a><figcaption>%[2]s</figcaption></figure>`, html.EscapeString(file), v.name)
	}
	file := name + "-6-print.pdf"
	a.keep(b.t, file, act(b, "print", chromedp.PrintToPDF(chromedp.PDFPreferCSSPageSize(), chromedp.PDFPaper(chromedp.PaperA4), chromedp.PDFOutlineAndTagged())))
	fmt.Fprintf(&a.index, `<p><a href="%s">PDF</a></div>`, html.EscapeString(file))
}

func (a *album) keep(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(a.dir, name), data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func (b *browser) look(v view) {
	b.t.Helper()
	act(b, "set the view", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, barred := chromedp.Call(ctx, emulation.SetScrollbarsHidden, emulation.SetScrollbarsHiddenParams{Hidden: true})
		_, failed := chromedp.Call(ctx, emulation.SetDeviceMetricsOverride,
			emulation.SetDeviceMetricsOverrideParams{Width: v.width, Height: v.height, DeviceScaleFactor: v.zoom})
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Media: v.media, Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: v.scheme}}})
		return errors.Join(barred, failed, err)
	}))
}

// maxPage is what a page may weigh, its images left out: 60 KiB.
const maxPage = 60 << 10

// budget checks what the page made the browser do: nothing has moved, nothing but
// one style sheet kept it from showing, and nothing came from elsewhere.
func (b *browser) budget(base string) {
	b.t.Helper()
	moved := act(b, "read layout shifts", chromedp.Evaluate[[]string](`new Promise(done => {
		const all = [];
		const see = shifts => all.push(...shifts.filter(s => !s.hadRecentInput && s.value > 0)
			.flatMap(s => s.sources.map(e => e.node ? (e.node.outerHTML || e.node.textContent).slice(0, 120) : "something")));
		const seen = new PerformanceObserver(list => see(list.getEntries()));
		seen.observe({type: "layout-shift", buffered: true});
		// What was seen before is told in a task of its own, after the next frame.
		requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => { see(seen.takeRecords()); done(all); }, 50)));
	})`, chromedp.EvalAwaitPromise))
	for _, m := range moved {
		b.t.Errorf("at %d, moves while the page loads: %s", b.shown.width, m)
	}
	// On loopback an image may be there before anything is shown: what would move
	// elsewhere is what has no size of its own.
	for _, i := range evaluate[[]string](b, `[...document.querySelectorAll("img, iframe, video")]
		.filter(e => !e.getAttribute("width") || !e.getAttribute("height")).map(e => e.outerHTML.slice(0, 120))`) {
		b.t.Errorf("has no width and height, so the page moves when it comes: %s", i)
	}
	type resource struct {
		Name, InitiatorType, RenderBlockingStatus string
		EncodedBodySize                           int
	}
	all := evaluate[[]resource](b, `[...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
		.map(r => ({Name: r.name, InitiatorType: r.initiatorType, RenderBlockingStatus: r.renderBlockingStatus, EncodedBodySize: r.encodedBodySize}))`)
	total, blocking := 0, []string{}
	for _, r := range all {
		if !strings.HasPrefix(r.Name, base+"/") {
			b.t.Errorf("a request to others: %s", r.Name)
		}
		if r.InitiatorType != "img" && !strings.Contains(r.Name, "/media/") {
			total += r.EncodedBodySize
		}
		if r.InitiatorType != "navigation" && r.RenderBlockingStatus == "blocking" {
			blocking = append(blocking, r.Name)
		}
	}
	if len(blocking) != 1 || !strings.HasSuffix(blocking[0], ".css") {
		b.t.Errorf("the page waits for %q, want one style sheet", blocking)
	}
	if total == 0 || total > maxPage {
		b.t.Errorf("the page weighs %d bytes without images, want 1 to %d: %+v", total, maxPage, all)
	}
}
