package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// root is the module's folder, seen from this package.
const root = "../.."

// rooms says which of our own rooms each room may import. A room that is not
// listed may not exist.
func rooms() map[string][]string {
	return map[string][]string{
		"participation/markup":                  {},
		"participation/ballotlog":               {},
		"tally":                                 {},
		"participation/dataset":                 {"tally"},
		"participation/catalogue":               {},
		"participation/catalogue/cataloguetest": {},
		"participation":                         {"participation/markup", "participation/ballotlog", "participation/dataset", "tally"},
		"activitypub/as2":                       {},
		"activitypub/signature":                 {},
		"activitypub":                           {"participation", "activitypub/as2", "activitypub/signature"},
		"store":                                 {"participation", "participation/ballotlog", "activitypub", "activitypub/signature"},
		"web":                                   {},
		"handlers":                              {"participation", "participation/catalogue", "tally", "activitypub", "web", "handlers/feed", "handlers/api"},
		"handlers/feed":                         {"participation", "activitypub", "web"},
		"handlers/api":                          {"participation", "activitypub"},
		"archive":                               {},
		"simulation":                            {},
		"verify":                                {},
		"mutants":                               {},
		"faults":                                {"simulation", "participation", "store"}, // the last two read what a fault leaves on disk
		"cmd/inspraak": {"participation", "participation/markup", "tally", "activitypub", "store", "web", "handlers", "simulation", "verify",
			"activitypub/as2", "activitypub/signature", "archive"},
	}
}

// libraries says which rooms may import what others must not know of. A path
// stands for all below it.
func libraries() map[string][]string {
	return map[string][]string{
		"github.com/go-fed/activity":         {"activitypub/as2"},
		"github.com/go-fed/httpsig":          {"activitypub/signature"},
		"github.com/dunglas/httpsfv":         {"activitypub/signature"},
		"code.dny.dev/ssrf":                  {"activitypub"},
		"golang.org/x/net/publicsuffix":      {"activitypub"},
		"github.com/labstack":                {"handlers", "handlers/api"},
		"github.com/gorilla/feeds":           {"handlers/feed"},
		"github.com/arran4/golang-ical":      {"handlers/feed"},
		"github.com/getkin/kin-openapi":      {},
		"github.com/skip2/go-qrcode":         {"handlers"},
		"html/template":                      {"web"},
		"github.com/nicksnyder/go-i18n":      {"web"},
		"github.com/tdewolff/parse":          {"web"},
		"github.com/mazznoer/csscolorparser": {"web"},
		"database/sql":                       {"store"},
		"modernc.org":                        {"store"},
		"github.com/pressly/goose":           {"store"},
		"github.com/yuin/goldmark":           {"participation/markup"},
		"github.com/microcosm-cc/bluemonday": {"participation/markup"},
		"github.com/alecthomas/kong":         {"cmd/inspraak"},
		"github.com/prometheus":              {"cmd/inspraak"},
		"github.com/goccy/go-yaml":           {"cmd/inspraak"},
		"filippo.io/age":                     {"cmd/inspraak", "store", "faults"},
		"golang.org/x/crypto":                {"cmd/inspraak"}, // SSH keys, for age; certificates
		"golang.org/x/image":                 {"web"},
		"golang.org/x/term":                  {"cmd/inspraak"},
		"github.com/chromedp":                {"cmd/inspraak"},
		"golang.org/x/mod":                   {"verify", "participation/ballotlog", "participation/dataset", "participation"},
		"encoding/csv":                       {"participation/dataset"}, // N50: it keeps formulas out of cells
		"unsafe":                             {},
	}
}

// testLibraries says what tests of a room may import beyond that: they read what
// others read with it.
func testLibraries() map[string][]string {
	return map[string][]string{"golang.org/x/mod": {"handlers"}, "github.com/getkin/kin-openapi": {"handlers"}, "github.com/arran4/golang-ical": {"handlers"},
		"github.com/yuin/goldmark": {"web"}}
}

// walledNames says which rooms may use a name of the standard library, in code that
// is not a test. Who has no HTTP client cannot reach past the guarded one.
func walledNames() map[string][]string {
	client := []string{"activitypub", "simulation", "verify"}
	return map[string][]string{
		"os.Getenv":                  {"cmd/inspraak"},
		"os.LookupEnv":               {"cmd/inspraak"},
		"os.Environ":                 {"cmd/inspraak"},
		"http.Client":                client,
		"http.DefaultClient":         client,
		"http.Transport":             client,
		"http.DefaultTransport":      client,
		"http.Get":                   client,
		"http.Head":                  client,
		"http.Post":                  client,
		"http.PostForm":              client,
		"http.NewRequest":            client,
		"http.NewRequestWithContext": client,
	}
}

// breach is an import or a name where it must not be.
func breaches(file *ast.File, room string, test bool) []string {
	var found []string
	for _, spec := range file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return []string{err.Error()}
		}
		if ours, ok := strings.CutPrefix(path, "inspraak/"); ok {
			// Tests of a room in the middle use the real rooms around it.
			if !slices.Contains(rooms()[room], ours) && !(test && ours == room) && !(test && strings.HasSuffix(file.Name.Name, "_test")) {
				found = append(found, "imports "+path)
			}
			outside := room == "simulation" || room == "faults"
			if outside && ours != room && !slices.Contains(rooms()[room], ours) {
				found = append(found, "is the other end and imports "+path)
			}
			continue
		}
		for library, allowed := range libraries() {
			if test {
				allowed = slices.Concat(allowed, testLibraries()[library])
			}
			if (path == library || strings.HasPrefix(path, library+"/")) && !slices.Contains(allowed, room) {
				found = append(found, "imports "+path)
			}
		}
	}
	if test {
		return found
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok {
				allowed, walled := walledNames()[x.Name+"."+s.Sel.Name]
				if walled && !slices.Contains(allowed, room) {
					found = append(found, "uses "+x.Name+"."+s.Sel.Name)
				}
			}
		}
		return true
	})
	return found
}

// sources calls see for every Go file of the module.
func sources(t *testing.T, see func(room, path string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != root):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go"):
			return nil
		}
		room, err := filepath.Rel(root, filepath.Dir(path))
		see(filepath.ToSlash(room), path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestWalls(t *testing.T) {
	seen := map[string]bool{}
	sources(t, func(room, path string) {
		seen[room] = true
		if _, known := rooms()[room]; !known {
			t.Errorf("%s: %s is no room of this house; say in rooms() what it may import", path, room)
			return
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Error(err)
			return
		}
		for _, b := range breaches(file, room, strings.HasSuffix(path, "_test.go")) {
			t.Errorf("%s: %s %s", path, room, b)
		}
	})
	for _, room := range slices.Sorted(maps.Keys(rooms())) {
		if !seen[room] {
			t.Errorf("%s is in rooms() and has no files", room)
		}
	}
}

// TestWallsHold breaks each kind of wall on purpose.
func TestWallsHold(t *testing.T) {
	for _, c := range []struct {
		room, source string
		test, breach bool
	}{
		{"web", `package web; import _ "html/template"`, false, false},
		{"handlers", `package handlers; import _ "html/template"`, false, true},
		{"participation", `package participation; import _ "inspraak/store"`, false, true},
		{"participation", `package participation_test; import _ "inspraak/store"`, true, false},
		{"simulation", `package simulation_test; import _ "inspraak/activitypub/signature"`, true, true},
		{"faults", `package faults_test; import _ "inspraak/simulation"`, true, false},
		{"faults", `package faults_test; import _ "inspraak/store"`, true, false},
		{"faults", `package faults_test; import _ "inspraak/handlers"`, true, true},
		{"store", `package store; import _ "github.com/go-fed/activity/streams"`, false, true},
		{"store", `package store; import "net/http"; var c http.Client`, false, true},
		{"activitypub", `package activitypub; import "net/http"; var c http.Client`, false, false},
		{"handlers", `package handlers; import _ "golang.org/x/mod/sumdb/tlog"`, false, true},
		{"handlers", `package handlers_test; import _ "golang.org/x/mod/sumdb/tlog"`, true, false},
		{"handlers", `package handlers; import "os"; var home = os.Getenv("HOME")`, false, true},
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "x.go", c.source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if got := breaches(file, c.room, c.test); (len(got) > 0) != c.breach {
			t.Errorf("%s in %s: %q, want a breach: %v", c.source, c.room, got, c.breach)
		}
	}
}

// TestLibcVersion holds modernc.org/libc to the version that modernc.org/sqlite
// was made and tested with (https://gitlab.com/cznic/sqlite/-/issues/177).
func TestLibcVersion(t *testing.T) {
	ours := required(t, filepath.Join(root, "go.mod"), "modernc.org/libc")
	out, err := exec.Command("go", "list", "-m", "-f", "{{.GoMod}}", "modernc.org/sqlite").Output()
	if err != nil {
		t.Fatal(err)
	}
	theirs := required(t, strings.TrimSpace(string(out)), "modernc.org/libc")
	if ours != theirs {
		t.Errorf("go.mod requires modernc.org/libc %s, and modernc.org/sqlite %s: run go get modernc.org/libc@%[2]s", ours, theirs)
	}
}

func required(t *testing.T, path, module string) string {
	t.Helper()
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(src)) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "require ")), module+" "); ok {
			return strings.Fields(rest)[0]
		}
	}
	t.Fatalf("%s does not require %s", path, module)
	return ""
}
