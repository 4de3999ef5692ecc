package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The list cannot rot: each mutant's text is still in its file, once, and its
// test is still in its package.
func TestMutantsFit(t *testing.T) {
	all, err := read("mutants.txt")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 60 {
		t.Errorf("%d mutants", len(all))
	}
	names := map[string]bool{}
	for _, m := range all {
		if names[m.Name] {
			t.Errorf("%q is there twice", m.Name)
		}
		names[m.Name] = true
		if _, err := m.apply(".."); err != nil {
			t.Error(err)
		}
		test, _, _ := strings.Cut(m.Run, "/")
		if !declared(t, filepath.Join("..", m.Package), test) {
			t.Errorf("%q: no test %s in %s", m.Name, test, m.Package)
		}
	}
}

func declared(t *testing.T, folder, pattern string) bool {
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(pattern)
	for _, f := range files {
		source, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`).FindAllSubmatch(source, -1) {
			if want.Match(name[1]) {
				return true
			}
		}
	}
	return false
}
