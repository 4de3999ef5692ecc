package web

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tdewolff/parse/v2"
	"github.com/tdewolff/parse/v2/css"
)

func styleSheet(t *testing.T) string {
	t.Helper()
	sheet, err := files.ReadFile("static/style.css")
	if err != nil {
		t.Fatal(err)
	}
	return string(sheet)
}

// The first request of a first visit carries 14 KiB at most (RFC 6928: ten
// segments): of that the style sheet, which the page waits for, takes 9.
func TestStyleSheetIsSmall(t *testing.T) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, failed := io.WriteString(w, styleSheet(t))
	if err := errors.Join(failed, w.Close()); err != nil {
		t.Fatal(err)
	}
	if b.Len() < 1<<10 || b.Len() > 9<<10 {
		t.Errorf("style sheet has %d bytes, compressed, want 1 to 9 KiB", b.Len())
	}
}

// What is served must name whose work it is, and be of the versions that are
// pinned.
func TestStyleSheetNamesItsSources(t *testing.T) {
	var pinned struct{ DevDependencies map[string]string }
	data, err := os.ReadFile("style/package.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &pinned); err != nil {
		t.Fatal(err)
	}
	header, _, _ := strings.Cut(styleSheet(t), "*/")
	named := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^   (@\S+) (\S+)$`).FindAllStringSubmatch(header, -1) {
		named[m[1]] = m[2]
	}
	for name := range pinned.DevDependencies {
		if !strings.Contains(name, "design-system") && !strings.Contains(name, "utrecht") {
			delete(pinned.DevDependencies, name) // a tool
		}
	}
	if !maps.Equal(named, pinned.DevDependencies) || !strings.Contains(header, "EUPL-1.2") {
		t.Errorf("the style sheet names %v, web/style/package.json %v; run make style", named, pinned.DevDependencies)
	}
	about, err := os.ReadFile("style/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, version := range named {
		if !regexp.MustCompile("(?m)^\\| `" + regexp.QuoteMeta(name) + "` \\| " + regexp.QuoteMeta(version) + " \\| EUPL-1.2 \\|").Match(about) {
			t.Errorf("web/style/README.md lacks %s %s and its licence", name, version)
		}
	}
}

// Our own part is in what is served: who changes own.css must run make style.
func TestStyleSheetIsMade(t *testing.T) {
	for _, name := range []string{"style/own.css", "style/tokens.css"} {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		served := classes(t, styleSheet(t))
		for class := range classes(t, string(source)) {
			if !served[class] {
				t.Errorf("%s styles .%s, web/static/style.css does not; run make style", name, class)
			}
		}
		for name, value := range readTokens(source, nil).light {
			// Values are as the minifier writes them; a length or word is enough to see.
			if now, used := ourTokens(t).light[name]; used && regexp.MustCompile(`^[a-z]+$`).MatchString(value) && now != value {
				t.Errorf("%s is %s in web/style, %s in web/static/style.css; run make style", name, value, now)
			}
		}
	}
}

// Every class in a template or in Go has a style, or is named here as a hook for
// something else; and every class that has a style is used.
func TestNoClassIsDead(t *testing.T) {
	hooks := []string{"files", "own", "exports", "cite"} // by which tests find them
	// Pages that are being made; this list goes when they are here.
	styled, used := classes(t, styleSheet(t)), map[string]bool{}
	attribute := regexp.MustCompile(`class="([^"]*)"`)
	templates, err := fs.Glob(files, "templates/*.html")
	if err != nil || len(templates) == 0 {
		t.Fatal(templates, err)
	}
	sources := map[string]string{}
	for _, name := range templates {
		data, err := files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sources[name] = string(data)
	}
	thread, err := os.ReadFile("../handlers/thread.go") // marks mentions in what others wrote
	if err != nil {
		t.Fatal(err)
	}
	sources["handlers/thread.go"] = string(thread)
	for name, text := range sources {
		for _, m := range attribute.FindAllStringSubmatch(text, -1) {
			for _, class := range strings.Fields(regexp.MustCompile(`\{\{[^}]*\}\}`).ReplaceAllString(m[1], "*")) {
				if before, _, built := strings.Cut(class, "*"); built {
					for c := range styled { // badge-{{.State}} stands for all of them
						used[c] = used[c] || before != "" && strings.HasPrefix(c, before)
					}
					continue
				}
				used[class] = true
				if !styled[class] && !slices.Contains(hooks, class) {
					t.Errorf("%s: class %q has no style", name, class)
				}
			}
		}
	}
	for class := range styled {
		if !used[class] {
			t.Errorf("the style sheet styles .%s, which no page has", class)
		}
	}
}

// classes are those in the selectors of a style sheet.
func classes(t *testing.T, sheet string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	p := css.NewParser(parse.NewInputString(sheet), false)
	for {
		grammar, _, _ := p.Next()
		switch grammar {
		case css.ErrorGrammar:
			if errors.Is(p.Err(), io.EOF) {
				return found
			}
			t.Fatal(p.Err())
		case css.BeginRulesetGrammar, css.QualifiedRuleGrammar:
			for _, m := range regexp.MustCompile(`\.([A-Za-z][\w-]*)`).FindAllStringSubmatch(joined(p.Values()), -1) {
				found[m[1]] = true
			}
		}
	}
}

// Every custom property that is asked for is there, and nothing moves or asks
// for a file.
func TestStyleSheetIsWhole(t *testing.T) {
	sheet, ours := styleSheet(t), ourTokens(t)
	local := regexp.MustCompile(`[{;](--[\w-]+):`)
	defined := map[string]bool{}
	for _, m := range local.FindAllStringSubmatch(sheet, -1) {
		defined[m[1]] = true
	}
	asked := regexp.MustCompile(`var\((--[\w-]+)\s*([,)])`).FindAllStringSubmatch(sheet, -1)
	if len(asked) < 200 {
		t.Fatalf("%d custom properties are asked for", len(asked))
	}
	for _, m := range asked {
		if !defined[m[1]] && m[2] == ")" {
			t.Errorf("%s is defined nowhere", m[1])
		}
	}
	for _, mode := range []bool{false, true} {
		for name := range ours.light {
			if _, err := ours.value(name, mode); err != nil {
				t.Error(err)
			}
		}
	}
	for name := range ours.dark {
		if ours.light[name] == "" {
			t.Errorf("%s is there in the dark only", name)
		}
	}
	for _, word := range []string{"url(", "@import", "@font-face", "animation", "transition", "scroll-behavior"} {
		if strings.Contains(sheet, word) {
			t.Errorf("the style sheet has %s", word)
		}
	}
}
