package web

import (
	"errors"
	"fmt"
	"math"
	"regexp"

	"github.com/mazznoer/csscolorparser"
)

// A ColourPair is something that is read or recognised, on what stands behind it.
type ColourPair struct {
	What          string
	Front, Ground string  // tokens
	Least         float64 // contrast, to 1
	Criterion     string  // of WCAG 2.2
}

// ColourPairs lists what every theme is held to, ours included: text by 1.4.3
// (4.5 to 1), what is no text but must be recognised by 1.4.11 (3 to 1).
// docs/design.md has the same list, and a test compares them.
func ColourPairs() []ColourPair {
	const (
		page, panel, notice = "--utrecht-body-background-color", "--inspraak-panel-background-color", "--inspraak-notice-background-color"
		stop, official      = "--inspraak-stop-background-color", "--inspraak-official-background-color"
		text, link, soft    = "--utrecht-body-color", "--nl-link-color", "--inspraak-soft-color"
		header, navigation  = "--inspraak-header-background-color", "--inspraak-navigation-background-color"
		footer, outline     = "--inspraak-footer-background-color", "--basis-focus-outline-color"
	)
	read := func(what, front, ground string) ColourPair { return ColourPair{what, front, ground, 4.5, "1.4.3"} }
	seen := func(what, front, ground string) ColourPair { return ColourPair{what, front, ground, 3, "1.4.11"} }
	return []ColourPair{
		read("text on the page", text, page),
		read("text in a panel", text, panel),
		read("text in a notice", text, notice),
		read("text in a warning", text, stop),
		read("text in words of the municipality", text, official),
		read("soft text on the page", soft, page),
		read("soft text in a panel", soft, panel),
		read("soft text in a notice", soft, notice),
		read("soft text in a warning", soft, stop),
		read("soft text in words of the municipality", soft, official),
		read("heading 1", "--nl-heading-level-1-color", page),
		read("heading 2", "--nl-heading-level-2-color", page),
		read("heading 3", "--nl-heading-level-3-color", page),
		read("heading 3 in a panel", "--nl-heading-level-3-color", panel),
		read("link on the page", link, page),
		read("link in a panel", link, panel),
		read("link in a notice", link, notice),
		read("link in a warning", link, stop),
		read("link in words of the municipality", link, official),
		read("link under the pointer", "--nl-link-hover-color", page),
		read("link while pressed", "--nl-link-active-color", page),
		read("name of the site", "--inspraak-header-color", header),
		read("link to another language", link, header),
		read("navigation", "--inspraak-navigation-color", navigation),
		read("footer", "--inspraak-footer-color", footer),
		read("link with the focus", "--basis-focus-color", "--basis-focus-background-color"),
		read("link that skips the header", "--nl-skip-link-color", "--nl-skip-link-background-color"),
		read("main button", "--nl-button-primary-color", "--nl-button-primary-background-color"),
		read("main button under the pointer", "--nl-button-primary-hover-color", "--nl-button-primary-hover-background-color"),
		read("button", "--nl-button-default-color", "--nl-button-default-background-color"),
		read("button under the pointer", "--nl-button-default-hover-color", "--nl-button-default-hover-background-color"),
		read("button while pressed", "--nl-button-default-active-color", "--nl-button-default-active-background-color"),
		read("badge", "--inspraak-badge-color", "--inspraak-badge-background-color"),
		read("badge of what is open", "--inspraak-badge-open-color", "--inspraak-badge-open-background-color"),
		read("badge of what waits", "--inspraak-badge-wait-color", "--inspraak-badge-wait-background-color"),
		read("badge of what stopped", "--inspraak-badge-stop-color", "--inspraak-badge-stop-background-color"),
		read("label of a field", "--utrecht-form-label-color", page),
		read("label of a field in a panel", "--utrecht-form-label-color", panel),
		read("text in a field", "--utrecht-textbox-color", "--utrecht-textbox-background-color"),
		read("text in a field with the focus", "--utrecht-textbox-focus-color", "--utrecht-textbox-focus-background-color"),
		read("text in a field that is wrong", "--utrecht-textbox-invalid-color", "--utrecht-textbox-invalid-background-color"),
		read("example in a field", "--utrecht-textbox-placeholder-color", "--utrecht-textbox-background-color"),
		read("text in a large field", "--utrecht-textarea-color", "--utrecht-textarea-background-color"),
		read("choice in a list", "--utrecht-select-color", "--utrecht-select-background-color"),
		read("title of a table", "--utrecht-table-caption-color", page),
		read("head of a table", "--utrecht-table-header-color", page),
		read("text under a figure", "--utrecht-figure-caption-color", page),
		read("code on the page", "--nl-code-color", page),
		read("code in a panel", "--nl-code-color", panel),
		read("words that were searched", "--nl-mark-color", "--nl-mark-background-color"),

		seen("bar of a chart on its ground", "--inspraak-chart-bar-color", "--inspraak-chart-background-color"),
		seen("bar of a chart on the page", "--inspraak-chart-bar-color", page),
		seen("line around the focus on the page", outline, page),
		seen("line around the focus in a panel", outline, panel),
		seen("line around the focus in the header", outline, header),
		seen("line around the focus in the footer", outline, footer),
		seen("ground of the focus in the navigation", "--basis-focus-background-color", navigation),
		seen("border of a field on the page", "--utrecht-textbox-border-color", page),
		seen("border of a field in a panel", "--utrecht-textbox-border-color", panel),
		seen("border of a field that is wrong", "--utrecht-textbox-invalid-border-color", page),
		seen("border of a large field", "--utrecht-textarea-border-color", page),
		seen("border of a list of choices", "--utrecht-select-border-color", page),
		seen("border of what can be copied", "--basis-color-default-border-default", page),
	}
}

// checkContrast measures every pair in the light and in the dark, and returns
// all that fail.
func (t tokens) checkContrast() error {
	var problems []error
	for _, dark := range []bool{false, true} {
		mode := map[bool]string{false: "light", true: "dark"}[dark]
		for _, p := range ColourPairs() {
			front, failed := t.colour(p.Front, dark)
			ground, err := t.colour(p.Ground, dark)
			if err := errors.Join(failed, err); err != nil {
				problems = append(problems, fmt.Errorf("in the %s, %s: %w", mode, p.What, err))
				continue
			}
			// What shows through a ground is the page.
			if below, err := t.colour("--utrecht-body-background-color", dark); err == nil {
				ground = over(ground, below)
			}
			front = over(front, ground)
			if c := contrast(front, ground); c < p.Least {
				problems = append(problems, fmt.Errorf("in the %s, %s: %s (%s) on %s (%s) has a contrast of %.2f to 1, and WCAG 2.2, %s, asks %.1f to 1",
					mode, p.What, p.Front, front.HexString(), p.Ground, ground.HexString(), math.Floor(c*100)/100, p.Criterion, p.Least))
			}
		}
	}
	return errors.Join(problems...)
}

// noCSS are colours that the library knows and CSS does not.
var noCSS = regexp.MustCompile(`(?i)^(hsv|[0-9a-f]+$)`)

// colour is the colour that a token comes down to. Colours that only a browser
// can tell, such as color-mix() and currentcolor, are an error.
func (t tokens) colour(name string, dark bool) (csscolorparser.Color, error) {
	value, err := t.value(name, dark)
	if err != nil {
		return csscolorparser.Color{}, err
	}
	c, err := csscolorparser.Parse(value)
	if err != nil || noCSS.MatchString(value) {
		return csscolorparser.Color{}, fmt.Errorf("%s is %.80q, whose contrast cannot be measured; give a colour as #rrggbb, rgb(), hsl() or by name", name, value)
	}
	return c.Clamp(), nil
}

// over lays a colour that may show what is below over an opaque one.
func over(front, below csscolorparser.Color) csscolorparser.Color {
	mix := func(a, b float64) float64 { return a*front.A + b*(1-front.A) }
	return csscolorparser.Color{R: mix(front.R, below.R), G: mix(front.G, below.G), B: mix(front.B, below.B), A: 1}
}

// contrast is the ratio of WCAG 2.2, from 1 to 21: of relative luminances, with
// 0.05 for the light that every screen throws back.
func contrast(a, b csscolorparser.Color) float64 {
	la, lb := luminance(a), luminance(b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

func luminance(c csscolorparser.Color) float64 {
	linear := func(v float64) float64 {
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
}
