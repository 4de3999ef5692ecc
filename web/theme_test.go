package web

import (
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mazznoer/csscolorparser"
)

// ourTokens are those of the style sheet that is served without a theme.
func ourTokens(t *testing.T) tokens {
	t.Helper()
	sheet, err := files.ReadFile("static/style.css")
	if err != nil {
		t.Fatal(err)
	}
	return readTokens(sheet, nil)
}

// The light and the dark that we come with pass what a municipality's theme must.
func TestOurOwnContrast(t *testing.T) {
	ours := ourTokens(t)
	if len(ours.light) < 100 || len(ours.dark) < 20 {
		t.Fatalf("%d tokens, %d of the dark", len(ours.light), len(ours.dark))
	}
	if err := ours.checkContrast(); err != nil {
		t.Error(err)
	}
	for _, p := range ColourPairs() {
		for _, name := range []string{p.Front, p.Ground} {
			if ours.light[name] == "" {
				t.Errorf("%s: no page uses %s", p.What, name)
			}
		}
	}
}

// The figures of WCAG's own examples.
func TestContrast(t *testing.T) {
	for _, c := range []struct {
		front, ground string
		want          float64
	}{
		{"#000", "white", 21},
		{"#fff", "#fff", 1},
		{"#777777", "#ffffff", 4.48},
		{"rgb(118, 118, 118)", "hsl(0 0% 100%)", 4.54},
		{"#f00", "#fff", 4.00},
	} {
		front, err := csscolorparser.Parse(c.front)
		if err != nil {
			t.Fatal(err)
		}
		ground, err := csscolorparser.Parse(c.ground)
		if err != nil {
			t.Fatal(err)
		}
		if got := contrast(front, ground); math.Abs(got-c.want) > 0.005 {
			t.Errorf("%s on %s: %.3f, want %.2f", c.front, c.ground, got, c.want)
		}
	}
}

func sheetOf(t *testing.T, css string) (string, error) {
	t.Helper()
	s, err := Load(WithTheme(Theme{"theme.css", []byte(css)}))
	if err != nil {
		return "", err
	}
	a, ok := s.Asset(strings.TrimPrefix(s.AssetPath("style.css"), "/static/"))
	if !ok {
		t.Fatal("the style sheet is not served")
	}
	return string(a.Data), nil
}

// A theme is in the one style sheet that pages ask for, under another name, and
// of it only what pages use.
func TestTheme(t *testing.T) {
	plain, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	theme := Theme{"theme.css", []byte(`@charset "utf-8";
		/* Zeewijk */
		.zeewijk-theme { --zeewijk-red: hsl(0 80% 35%); --nl-link-color: var(--zeewijk-red); --zeewijk-unused: url(x.png); --basis-border-radius-sm: 0px }
		@media (prefers-color-scheme: dark) { :root { --nl-link-color: rgb(255 180 180) } }`)}
	s, err := Load(WithTheme(theme))
	if err != nil {
		t.Fatal(err)
	}
	if s.AssetPath("style.css") == plain.AssetPath("style.css") {
		t.Error("a browser that knew the site before would not see the theme")
	}
	if len(s.assets) != len(plain.assets) {
		t.Errorf("%d static files, %d without a theme", len(s.assets), len(plain.assets))
	}
	sheet := string(s.assets[s.hashed["style.css"]].Data)
	for _, want := range []string{
		":root{--basis-border-radius-sm:0px;--nl-link-color:var(--zeewijk-red);--zeewijk-red:hsl(0 80% 35%);}",
		"@media screen and (prefers-color-scheme:dark){:root{--nl-link-color:rgb(255 180 180);}}",
	} {
		if !strings.HasSuffix(strings.TrimSpace(sheet), want) && !strings.Contains(sheet, want+"\n") {
			t.Errorf("the style sheet lacks %s: …%s", want, sheet[max(0, len(sheet)-400):])
		}
	}
	if unused, used := theme.Unused(); used != 3 || !slices.Equal(unused, []string{"--zeewijk-unused"}) {
		t.Errorf("%d tokens used, not used %v", used, unused)
	}
}

// A theme that says nothing of the dark changes no colour there, and all else.
func TestThemeInTheDark(t *testing.T) {
	ours := ourTokens(t)
	sheet, err := sheetOf(t, `:root { --basis-color-action-2-color-default: #800; --inspraak-panel-background-color: #ffe; --basis-border-radius-sm: 1px }`)
	if err != nil {
		t.Fatal(err)
	}
	merged := readTokens([]byte(sheet), nil)
	for _, name := range slices.Sorted(maps.Keys(ours.light)) {
		want, err := ours.value(name, true)
		if err != nil {
			t.Fatal(err)
		}
		got, err := merged.value(name, true)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "border-radius") || name == "--basis-border-radius-sm" {
			if strings.Contains(ours.light[name], "radius-sm") && got != "1px" {
				t.Errorf("%s is %s in the dark", name, got)
			}
		} else if got != want {
			t.Errorf("%s is %s in the dark, want %s", name, got, want)
		}
	}
	if got, _ := merged.value("--nl-link-color", false); got != "#800" {
		t.Errorf("in the light, a link is %s", got)
	}
}

// What fails is named, with both colours, the contrast and what is asked.
func TestThemeOfTooLittleContrast(t *testing.T) {
	_, err := sheetOf(t, `:root { --nl-button-primary-background-color: #fc0 }`)
	want := "in the light, main button: --nl-button-primary-color (#ffffff) on --nl-button-primary-background-color (#ffcc00) has a contrast of 1.51 to 1, and WCAG 2.2, 1.4.3, asks 4.5 to 1"
	if err == nil || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("%v, want one problem: %s", err, want)
	}
	// A colour that lets the page through is measured as it is seen.
	if _, err := sheetOf(t, `:root { --nl-link-color: rgb(0 0 0 / 40%) }`); err == nil || !strings.Contains(err.Error(), "(#999999)") {
		t.Errorf("%v, want a link of #999999", err)
	}
	// Every pair is measured in the light and in the dark.
	ours := ourTokens(t)
	for _, p := range ColourPairs() {
		for mode, rule := range map[string]string{"light": ":root{%}", "dark": "@media (prefers-color-scheme: dark){:root{%}}"} {
			theme := Theme{"theme.css", []byte(strings.ReplaceAll(rule, "%", p.Front+":#777;"+p.Ground+":#787878"))}
			merged, _, err := theme.over(ours)
			if err != nil {
				t.Fatal(err)
			}
			err = merged.checkContrast()
			if err == nil || !strings.Contains(err.Error(), "in the "+mode+", "+p.What+": "+p.Front) {
				t.Errorf("%s in the %s: %v", p.What, mode, err)
			}
		}
	}
}

// A theme is tokens and nothing else; each mistake is told with its line.
func TestThemeIsRefused(t *testing.T) {
	for css, want := range map[string]string{
		`body { color: red }`:                                           "line 1: body: tokens stand under :root",
		`:root { color: red }`:                                          "line 1: color: only tokens",
		`a { --nl-link-color: red }`:                                    "line 1: a: tokens stand under :root",
		":root {}\n\n@import \"x.css\";":                                "line 3: \"@import\": a theme is tokens only",
		"@font-face { font-family: X; src: url(x.woff2) }":              "line 1: @font-face ",
		"@media (max-width: 1px) { :root { --nl-link-color: #000 } }":   "line 1: @media ",
		"@media print { :root { --nl-link-color: #000 } }":              "line 1: @media print",
		".zeewijk-theme--dark { --nl-link-color: #000 }":                "colours for the dark stand in @media",
		":root { --nl-link-color: url(//elsewhere.example/x) }":         "--nl-link-color: url() is refused",
		`:root { --nl-link-color: url("//elsewhere.example/x") }`:       "--nl-link-color: url() is refused",
		":root { --nl-link-color: image-set('//elsewhere.example/x') }": "--nl-link-color: image-set() is refused",
		":root { --nl-link-color: #000 !important }":                    "--nl-link-color: has \"!\"",
		":root { --nl-link-color: {} }":                                 "--nl-link-color: has \"{\"",
		":root { --nl-link-color: rgb(0 0 0; --nl-code-color: #000 }":   "--nl-link-color: ",
		`:root { --nl-link-color: \75rl(//elsewhere.example) }`:         "--nl-link-color: ",
		":root { --nl-link-color: }":                                    "--nl-link-color: a value has 1 to 500 characters",
		":root { --nl-link-color: " + strings.Repeat("#", 501) + " }":   "--nl-link-color: a value has 1 to 500 characters",
		":root { --nl-link-color: var(--nowhere) }":                     "--nl-link-color: --nowhere is defined nowhere",
		":root { --nl-link-color: var(--nl-link-color) }":               "--nl-link-color refers to itself",
		":root { --nl-link-color: color-mix(in srgb, red, blue) }":      "in the light, link on the page: --nl-link-color is \"color-mix(in srgb, red, blue)\", whose contrast cannot be measured",
		":root { --nl-link-color: currentcolor }":                       "whose contrast cannot be measured",
		":root { --nl-link-color: 000 }":                                "whose contrast cannot be measured",
		":root { --nl-link-color: #00000g }":                            "whose contrast cannot be measured",
		"<style>":                                                       "line 1: ",
		":root { --nl-link-color: #000":                                 "",
		strings.Repeat("/* long */", maxTheme/10+1):                     "1024 are the most",
	} {
		_, err := sheetOf(t, css)
		if want == "" { // CSS closes at its end what is open (CSS Syntax §5)
			if err != nil {
				t.Errorf("%.60s: %v", css, err)
			}
		} else if err == nil || !strings.HasPrefix(err.Error(), "theme theme.css is refused:\n") || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %s", css, err, want)
		}
	}
}

// A fallback stands in for a token that is not there.
func TestTokenFallback(t *testing.T) {
	ours := ourTokens(t)
	for value, want := range map[string]string{
		"var(--nowhere, #123456)":                      "#123456",
		"var(--nowhere, var(--nor-here, rgb(1 2 3)))":  "rgb(1 2 3)",
		"var( --basis-color-default-bg-document )":     "#fff",
		"var(--nowhere,var(--basis-border-radius-sm))": "4px",
	} {
		ours.light["--x"] = value
		if got, err := ours.value("--x", false); err != nil || got != want {
			t.Errorf("%s is %q, %v, want %q", value, got, err, want)
		}
	}
}

// A municipality can put the theme that it has at NL Design System here as it is;
// the largest that we know stands for it.
func TestWholeThemeOfNLDesignSystem(t *testing.T) {
	css, err := os.ReadFile("style/node_modules/@nl-design-system-unstable/voorbeeld-design-tokens/dist/theme.css")
	if err != nil {
		t.Skipf("%v; run make style to have it", err)
	}
	sheet, err := sheetOf(t, string(css))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(sheet, "--voorbeeld-kleuren-violet-500:") {
		t.Error("its own colours are not taken")
	}
}

func TestLogo(t *testing.T) {
	svg := func(attributes string) []byte {
		return []byte(`<svg xmlns="http://www.w3.org/2000/svg" ` + attributes + `><path d="M0 0h9v9z"/></svg>`)
	}
	for _, c := range []struct {
		logo  Logo
		width int    // in CSS pixels
		want  string // of the error
	}{
		{Logo{Name: "logo.svg", Data: svg(`viewBox="0 0 300 100"`)}, 120, ""},
		{Logo{Name: "logo.svg", Data: svg(`viewBox="0,0,50,100" width="999"`)}, 20, ""},
		{Logo{Name: "logo.svg", Data: svg(`width="80px" height="40"`)}, 80, ""},
		{Logo{Name: "logo.svg", Data: svg(`width="8cm" height="4cm"`)}, 0, "its shape is not known"},
		{Logo{Name: "logo.svg", Data: svg(`viewBox="0 0 900 100"`)}, 0, "9.0 times as wide as high"},
		{Logo{Name: "logo.svg", Data: svg(`viewBox="0 0 0 100"`)}, 0, "as wide as high"},
		{Logo{Name: "logo.svg", Data: []byte("<html></html>")}, 0, "is no SVG"},
		{Logo{Name: "logo.svg", Data: []byte("nothing")}, 0, "is no SVG"},
		{Logo{Name: "logo.png", Data: []byte("nothing")}, 0, "is no PNG"},
		{Logo{Name: "logo.jpg"}, 0, "must be an .svg or .png file"},
		{Logo{Name: "logo.svg", Data: make([]byte, maxLogo+1)}, 0, "64 are the most"},
	} {
		s, err := Load(WithLogo(c.logo))
		switch {
		case c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), "logo "+c.logo.Name+" ") || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s %.80s: %v, want %s", c.logo.Name, c.logo.Data, err, c.want)
		case c.want == "" && err != nil:
			t.Error(err)
		case c.want == "" && (s.logo.Width != c.width || s.logo.Height != 40 || !regexp.MustCompile(`^/static/logo\.[0-9a-f]{12}\.svg$`).MatchString(s.logo.URL)):
			t.Errorf("%.80s: shown as %+v, want %d wide", c.logo.Data, s.logo, c.width)
		}
	}
}

// The list in docs/design.md is the list that is measured.
func TestColourPairsAreWritten(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "design.md"))
	if err != nil {
		t.Fatal(err)
	}
	var written []string
	for _, m := range regexp.MustCompile("(?m)^\\| ([^|]+) \\| `(--[^`]+)` \\| `(--[^`]+)` \\| ([0-9.]+) \\| ([0-9.]+) \\|$").FindAllStringSubmatch(string(text), -1) {
		written = append(written, strings.Join(m[1:], " | "))
	}
	var measured []string
	for _, p := range ColourPairs() {
		least := "4.5"
		if p.Least == 3 {
			least = "3"
		}
		measured = append(measured, strings.Join([]string{p.What, p.Front, p.Ground, least, p.Criterion}, " | "))
	}
	if !slices.Equal(written, measured) {
		t.Errorf("docs/design.md says\n%s\nmeasured is\n| %s |", strings.Join(written, "\n"), strings.Join(measured, " |\n| "))
	}
}

// The theme that docs/design.md shows can be used.
func TestWrittenTheme(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "design.md"))
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile(`(?s)    :root \{\n.*?\n    \}\n`).FindString(string(text))
	dark := regexp.MustCompile(`(?s)      @media .*?\n      \}\n`).FindString(string(text))
	if shown == "" || dark == "" {
		t.Fatal("docs/design.md shows no theme")
	}
	if _, err := sheetOf(t, shown+dark); err != nil {
		t.Error(err)
	}
	if unused, used := (Theme{"theme.css", []byte(shown + dark)}).Unused(); len(unused) > 0 || used != 5 {
		t.Errorf("%d tokens used, not used %v", used, unused)
	}
}
