package web

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Theme is a municipality's own design tokens.
type Theme struct {
	Name string // of the file, for messages
	CSS  []byte
}

// maxTheme is the largest file, in bytes. The whole theme of a municipality, of
// which a tenth is used here, has about 200 KB.
const maxTheme = 1 << 20

// WithTheme lays a theme over our own tokens. Tokens that no page uses are left
// out. What its light says of colours does not hold in the dark, where ours stay
// unless the theme has its own; all else holds in both. It is refused, with
// everything that is wrong with it, if it is more than tokens, if a token refers
// to one that is not there, or if a pair of ColourPairs has too little contrast.
func WithTheme(theme Theme) Option {
	return func(s *Site) error {
		sheet := s.assets[s.hashed["style.css"]].Data
		ours := readTokens(sheet, nil)
		merged, _, err := theme.over(ours)
		if err == nil {
			err = merged.checkContrast()
		}
		if err != nil {
			return fmt.Errorf("theme %s is refused:\n%w", theme.Name, err)
		}
		s.addAsset("style.css", slices.Concat(sheet, merged.differences(ours)))
		return nil
	}
}

// Unused lists the tokens of the theme that no page uses, sorted; and how many
// are used.
func (theme Theme) Unused() (unused []string, used int) {
	sheet, err := files.ReadFile("static/style.css")
	if err != nil {
		return nil, 0
	}
	_, taken, _ := theme.over(readTokens(sheet, nil))
	given := readTokens(theme.CSS, func(int, string, ...any) {})
	names := map[string]bool{}
	for _, t := range []map[string]string{given.light, given.dark} {
		for name := range t {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if taken[name] {
			used++
		} else {
			unused = append(unused, name)
		}
	}
	return unused, used
}

// over lays the theme over our tokens, and tells which of its own were taken.
func (theme Theme) over(ours tokens) (merged tokens, taken map[string]bool, err error) {
	var problems []error
	if len(theme.CSS) > maxTheme {
		return ours, nil, fmt.Errorf("it has %d KiB, and %d are the most", len(theme.CSS)>>10, maxTheme>>10)
	}
	theirs := readTokens(theme.CSS, func(line int, format string, args ...any) {
		problems = append(problems, fmt.Errorf("line %d: "+format, append([]any{line}, args...)...))
	})
	if err := errors.Join(problems...); err != nil {
		return ours, nil, err
	}
	merged, taken = ours.clone(), map[string]bool{}
	var take func(name string)
	take = func(name string) {
		light, inLight := theirs.light[name]
		dark, inDark := theirs.dark[name]
		if taken[name] || !inLight && !inDark {
			return
		}
		taken[name] = true
		if problem := cmp.Or(checkGiven(name, light, inLight), checkGiven(name, dark, inDark)); problem != "" {
			problems = append(problems, fmt.Errorf("line %d: %.80s: %s", theirs.lines[name], name, problem))
			return
		}
		if inLight {
			merged.light[name] = light
			if old, known := ours.light[name]; known && merged.dark[name] == "" {
				if _, err := ours.colour(name, false); err == nil {
					merged.dark[name] = old
				}
			}
		}
		if inDark {
			merged.dark[name] = dark
		}
		for _, other := range slices.Concat(references(light), references(dark)) {
			take(other)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(ours.light)) {
		take(name)
	}
	if err := errors.Join(problems...); err != nil {
		return ours, nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(taken)) {
		_, light := merged.value(name, false)
		_, dark := merged.value(name, true)
		if err := cmp.Or(light, dark); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", name, err))
		}
	}
	return merged, taken, errors.Join(problems...)
}

func checkGiven(name, value string, given bool) string {
	if !given {
		return ""
	}
	return checkToken(name, value)
}

// differences is the style sheet that makes of the tokens `before` these.
func (t tokens) differences(before tokens) []byte {
	block := func(now, was map[string]string) string {
		var b strings.Builder
		for _, name := range slices.Sorted(maps.Keys(now)) {
			if old, known := was[name]; !known || old != now[name] {
				fmt.Fprintf(&b, "%s:%s;", name, now[name])
			}
		}
		return b.String()
	}
	// In the dark, a light token that changed must be said again: this comes later.
	dark := maps.Clone(before.dark)
	for name := range t.light {
		if t.light[name] != before.light[name] {
			delete(dark, name)
		}
	}
	return []byte(":root{" + block(t.light, before.light) + "}\n@media screen and (prefers-color-scheme:dark){:root{" + block(t.dark, dark) + "}}\n")
}
