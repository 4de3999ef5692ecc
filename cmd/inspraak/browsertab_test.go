package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// A browser is one tab of Chromium.
type browser struct {
	t      *testing.T
	ctx    context.Context
	script string // axe
	shown  screen
}

func openBrowser(t *testing.T) *browser {
	t.Helper()
	script, err := os.ReadFile(filepath.Join(root, "interop/node_modules/axe-core/axe.min.js"))
	if err != nil {
		t.Fatalf("%v\nThe Node modules of interop/ are missing. Run: make tools", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("hide-scrollbars", false))
	allocator, free := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		err := chromedp.Cancel(ctx) // waits until the browser has ended
		cancel()
		free()
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start Chromium: %v\nIf it is missing, run: make tools", err)
	}
	return &browser{t: t, ctx: ctx, script: string(script)}
}

// act runs an action of the browser, for ten seconds at most.
func act[T any](b *browser, what string, a chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 10*time.Second)
	defer cancel()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
	return v
}

func evaluate[T any](b *browser, script string) T {
	b.t.Helper()
	return act(b, script, chromedp.Evaluate[T](script))
}

func (b *browser) scripts(on bool) {
	b.t.Helper()
	act(b, "switch scripts", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on})
		return err
	}))
}

func (b *browser) show(s screen) {
	b.t.Helper()
	b.shown = s
	act(b, "set the screen", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, failed := chromedp.Call(ctx, emulation.SetDeviceMetricsOverride,
			emulation.SetDeviceMetricsOverrideParams{Width: s.width, Height: 900, DeviceScaleFactor: 1})
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: s.scheme}}})
		return errors.Join(failed, err)
	}))
}

func (b *browser) open(address string, status int64) {
	b.t.Helper()
	if got := act(b, "open "+address, chromedp.NavigateResponse(address)); got.Status != status {
		b.t.Errorf("%s answers %d, want %d", address, got.Status, status)
	}
}

// reads checks that the words stand on the page, and that it wants nothing of
// a script.
func (b *browser) reads(words []string) {
	b.t.Helper()
	text := evaluate[string](b, `document.title + "\n" + document.body.innerText`)
	for _, w := range words {
		if !strings.Contains(text, w) {
			b.t.Errorf("the page does not read %q: %.400q", w, text)
		}
	}
	if n := evaluate[int](b, `document.scripts.length`); n != 0 {
		b.t.Errorf("%d scripts on the page", n)
	}
	if broken := evaluate[[]string](b, `[...document.images].filter(i => i.naturalWidth === 0).map(i => i.src)`); len(broken) > 0 {
		b.t.Errorf("images that do not load: %q", broken)
	}
}

// fits checks that nothing makes the page scroll sideways.
func (b *browser) fits() {
	b.t.Helper()
	wide := evaluate[[]string](b, `document.documentElement.scrollWidth <= document.documentElement.clientWidth ? [] :
		[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth)
			.map(e => e.outerHTML.slice(0, 120)).concat("the page")`)
	if len(wide) > 0 {
		b.t.Errorf("too wide for %d pixels: %q", b.shown.width, wide)
	}
}

// axe checks the page as it is shown now.
func (b *browser) axe(options string) {
	b.t.Helper()
	if !evaluate[bool](b, `typeof axe === "object"`) {
		act(b, "inject axe", chromedp.Evaluate[chromedp.Void](b.script+"\nundefined"))
	}
	violations := act(b, "run axe", chromedp.Evaluate[[]string](`axe.run(document, `+options+`)
		.then(r => r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.failureSummary + " " + n.html)))`, chromedp.EvalAwaitPromise))
	for _, v := range violations {
		b.t.Errorf("at %d, %s: %s", b.shown.width, b.shown.scheme, v)
	}
}

// tabsThrough presses Tab from the top of the page: the link that skips the
// header comes first and shows itself, then everything that can be used, in the order in
// which it is read, each with a visible focus.
func (b *browser) tabsThrough() {
	b.t.Helper()
	const all = `[...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']")]`
	count := evaluate[int](b, all+`.length`)
	for i := range count {
		act(b, "press Tab", chromedp.KeyEvent(kb.Tab))
		at := evaluate[string](b, `(() => {
			const e = document.activeElement, box = e.getBoundingClientRect(), style = getComputedStyle(e);
			const seen = box.width > 0 && box.left >= 0 && box.right <= innerWidth && style.outlineStyle !== "none";
			return JSON.stringify({index: `+all+`.indexOf(e), seen, skip: e.matches(".nl-skip-link"), html: e.outerHTML.slice(0, 120)});
		})()`)
		var focus struct {
			Index      int
			Seen, Skip bool
			HTML       string
		}
		if err := json.Unmarshal([]byte(at), &focus); err != nil {
			b.t.Fatal(err)
		}
		if focus.Index != i || !focus.Seen || focus.Skip != (i == 0) {
			b.t.Fatalf("Tab %d of %d leads to %+v", i+1, count, focus)
		}
	}
	evaluate[bool](b, `(document.querySelector(".nl-skip-link").focus(), true)`)
	act(b, "press Enter", chromedp.KeyEvent(kb.Enter))
	if id := evaluate[string](b, `document.activeElement.id`); id != "main" {
		b.t.Errorf("the skip link leads to %q", id)
	}
}
