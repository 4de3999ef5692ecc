package faults_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

var (
	large      = flag.Bool("large", false, "inject as many faults as the published figures name")
	soak       = flag.Duration("soak", 6*time.Second, "how long TestSoak lives")
	kills      = flag.Int("kills", 0, "number of kills or stops in each test that does them; 0: as many as the size says")
	litestream = flag.String("litestream", "", "path of a Litestream program; TestRestore then tries it too")
)

// binary is the program under test, built once per run as it is for release.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "inspraak-faults-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "inspraak")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, "../cmd/inspraak")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// size picks how often something is done.
func size(small, big int) int {
	if *large {
		return big
	}
	return small
}

// times is size for kills and stops, where -kills goes before.
func times(small, big int) int {
	if *kills > 0 {
		return *kills
	}
	return size(small, big)
}

// figure reports one line, "GOAL what: numbers (seconds)". A large run prints it
// at the start of a line of standard output as well, where it can be collected.
func figure(t *testing.T, began time.Time, goal, format string, args ...any) {
	t.Helper()
	line := fmt.Sprintf("%s %s (%.0f s)", goal, fmt.Sprintf(format, args...), time.Since(began).Seconds())
	if t.Failed() {
		line += " FAILED"
	}
	t.Log(line)
	if *large {
		fmt.Println(line)
	}
}

// together lets the tests of a small run wait side by side. A large run
// measures, so there each has the machine to itself.
func together(t *testing.T) {
	if !*large {
		t.Parallel()
	}
}
