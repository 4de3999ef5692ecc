package main

import (
	"crypto/sha256"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// makeFlags are the flags with which `make build` builds.
func makeFlags(t *testing.T) []string {
	t.Helper()
	src, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^BUILD_FLAGS = (.*?) -ldflags "(.*)"$`).FindStringSubmatch(string(src))
	if line == nil {
		t.Fatal("the Makefile has no BUILD_FLAGS")
	}
	return append(strings.Fields(line[1]), "-ldflags", strings.ReplaceAll(line[2], "$(VERSION)", "v0.0.0-test"))
}

// The same source in two folders gives the same program, byte for byte, and the
// program can say what it was built from.
func TestReproducibleBuild(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: builds the program twice")
	}
	var sums []string
	binary := ""
	for _, name := range []string{"one", "another/deeper"} {
		folder := filepath.Join(t.TempDir(), name)
		copySource(t, folder)
		binary = filepath.Join(folder, "inspraak")
		build := exec.CommandContext(t.Context(), "go", append(append([]string{"build"}, makeFlags(t)...), "-o", binary, "./cmd/inspraak")...)
		build.Dir = folder
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		program, err := os.ReadFile(binary)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(program)
		sums = append(sums, string(sum[:]))
		t.Logf("SHA-256 %x, %d bytes", sum, len(program))
	}
	if sums[0] != sums[1] {
		t.Error("two folders gave two programs")
	}
	out, err := exec.CommandContext(t.Context(), binary, "sbom").Output()
	if err != nil {
		t.Fatal(err)
	}
	checkSBOM(t, out)
}

// copySource copies what the program is built from.
func copySource(t *testing.T, to string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		switch name := d.Name(); {
		case d.IsDir() && inside != "." && (strings.HasPrefix(name, ".") || slices.Contains([]string{"node_modules", "testdata", "bin", "data", "interop", "docs"}, name)):
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, inside), 0o755)
		case strings.HasSuffix(name, "_test.go") || !d.Type().IsRegular():
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, inside), content, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// checkSBOM holds a bill of materials to what CycloneDX 1.6 requires, and to
// what the program must be made of.
func checkSBOM(t *testing.T, src []byte) {
	t.Helper()
	var s sbom
	d := json.NewDecoder(strings.NewReader(string(src)))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		t.Fatal(err)
	}
	if s.Format != "CycloneDX" || s.SpecVersion != "1.6" || s.Version != 1 || s.Metadata.Component.Type != "application" || s.Metadata.Component.Version != "v0.0.0-test" {
		t.Errorf("head: %+v", s)
	}
	refs := map[string]bool{s.Metadata.Component.Ref: true}
	names := map[string]bool{}
	for _, c := range s.Components {
		if c.Type != "library" || c.Name == "" || c.Version == "" || refs[c.Ref] ||
			!regexp.MustCompile(`^pkg:golang/[\w.~%/-]+@[\w.~%+-]+$`).MatchString(c.PURL) {
			t.Errorf("component %+v", c)
		}
		if c.Name != "std" && (len(c.Properties) != 1 || !strings.HasPrefix(c.Properties[0].Value, "h1:")) {
			t.Errorf("%s has no checksum", c.Name)
		}
		refs[c.Ref], names[c.Name] = true, true
	}
	for _, name := range []string{"std", "modernc.org/sqlite", "github.com/labstack/echo/v4", "github.com/prometheus/client_golang", "golang.org/x/crypto"} {
		if !names[name] {
			t.Errorf("%s is not listed", name)
		}
	}
	if names["github.com/chromedp/chromedp"] {
		t.Error("what only tests use is listed")
	}
}

// Every library that we chose has a line that says why, and no other has one.
func TestDependencyReasons(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json", filepath.Join(root, "go.mod")).Output()
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	src, err := os.ReadFile(filepath.Join(root, "docs", "dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ([^|]+) \\| ([^|]+) \\| ([^|]+) \\|$").FindAllStringSubmatch(string(src), -1) {
		listed = append(listed, row[1])
	}
	var direct []string
	for _, r := range mod.Require {
		if !r.Indirect {
			direct = append(direct, r.Path)
		}
	}
	slices.Sort(direct)
	if !slices.IsSorted(listed) {
		t.Error("docs/dependencies.md is not sorted")
	}
	for _, path := range direct {
		if !slices.Contains(listed, path) {
			t.Errorf("%s is required, and docs/dependencies.md does not say why", path)
		}
	}
	for _, path := range listed {
		if !slices.Contains(direct, path) {
			t.Errorf("docs/dependencies.md lists %s, which go.mod does not require directly", path)
		}
	}
}
