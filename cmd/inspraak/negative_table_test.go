package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every attack of the table has a test that is still there and still names it.
func TestNegativeTable(t *testing.T) {
	tests := map[string]string{} // folder and name: comment and text
	sources(t, func(room, path string) {
		if !strings.HasSuffix(path, "_test.go") {
			return
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "Test") {
				start := f.Pos()
				if f.Doc != nil {
					start = f.Doc.Pos()
				}
				tests[room+" "+f.Name.Name] = string(text[files.Position(start).Offset:files.Position(f.End()).Offset])
			}
		}
	})
	table, err := os.ReadFile(filepath.Join("testdata", "negative.table"))
	if err != nil {
		t.Fatal(err)
	}
	covered := map[string]bool{}
	for line := range strings.Lines(string(table)) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		covered[words[0]] = len(words) > 2
		for i := 1; i+1 < len(words); i += 2 {
			name, row, _ := strings.Cut(words[i+1], "/")
			text, there := tests[words[i]+" "+name]
			if !there || !strings.Contains(text, row) {
				t.Errorf("%s: no test %s in %s that names %q", words[0], name, words[i], row)
			}
		}
	}
	for n := 1; n <= 57; n++ {
		if row := fmt.Sprintf("N%02d", n); !covered[row] {
			t.Errorf("%s has no test", row)
		}
	}
}
