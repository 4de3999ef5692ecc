// Command mutants takes one rule of the node out at a time and demands that a
// test turns red. A rule whose absence no test sees is not a rule: it may be
// lost in any change.
//
//	go run ./mutants [PATTERN]
//
// runs those whose package and name, as in "handlers N12", match a regular
// expression, by default all, each with one go test. The list is mutants.txt. Nothing in the working tree is changed:
// the compiler is given the altered file by its -overlay flag. The exit code is
// 1 if any mutant survives or does not compile.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	all, err := read(filepath.Join(root, "mutants", "mutants.txt"))
	if err != nil {
		return err
	}
	chosen, err := regexp.Compile(strings.Join(args, " "))
	if err != nil {
		return fmt.Errorf("mutants: %w", err)
	}
	all = slices.DeleteFunc(all, func(m mutant) bool { return !chosen.MatchString(m.Package + " " + m.Name) })
	if err := green(ctx, all); err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	counts := map[fate]int{}
	for _, m := range all {
		start := time.Now()
		became, why := m.try(ctx, root, scratch)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		counts[became]++
		fmt.Printf("%-8s %s (%s, %.0f s)\n", became, m.Name, why, time.Since(start).Seconds())
	}
	fmt.Printf("%d mutants, %d killed, %d survived, %d broken\n", len(all), counts[killed], counts[survived], counts[broken])
	if counts[killed] < len(all) {
		return fmt.Errorf("%d rules can be taken out without a test turning red", len(all)-counts[killed])
	}
	return nil
}

// green runs the tests of all mutants on the code as it is: a test that is red
// anyway would kill every mutant.
func green(ctx context.Context, all []mutant) error {
	patterns := map[string][]string{}
	for _, m := range all {
		if !slices.Contains(patterns[m.Package], m.Run) {
			patterns[m.Package] = append(patterns[m.Package], m.Run)
		}
	}
	for name, list := range patterns {
		out, err := test(ctx, name, strings.Join(list, "|"))
		if err != nil {
			return fmt.Errorf("mutants: the tests of %s must pass before any rule is taken out: %w\n%s", name, err, out)
		}
	}
	return nil
}

// fate is what became of a mutant.
type fate string

const (
	killed   fate = "killed"   // a test failed
	survived fate = "SURVIVED" // none did
	broken   fate = "BROKEN"   // it did not compile, or there was no such test
)

// try runs the tests with a rule gone, and names the first that failed.
func (m mutant) try(ctx context.Context, root, scratch string) (fate, string) {
	text, err := m.apply(root)
	if err != nil {
		return broken, err.Error()
	}
	altered, overlay := filepath.Join(scratch, "altered.go"), filepath.Join(scratch, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(root, m.File): altered}})
	if err == nil {
		err = os.WriteFile(altered, []byte(text), 0o600)
	}
	if err == nil {
		err = os.WriteFile(overlay, replace, 0o600)
	}
	if err != nil {
		return broken, err.Error()
	}
	out, err := test(ctx, m.Package, m.Run, "-failfast", "-timeout", "2m", "-overlay", overlay)
	failed := regexp.MustCompile(`(?m)^ *--- FAIL: (\S+)`).FindAllStringSubmatch(out, -1)
	switch {
	case len(failed) > 0:
		return killed, failed[len(failed)-1][1]
	case strings.Contains(out, "panic: test timed out"):
		return killed, "a test waits for ever"
	case err != nil:
		return broken, strings.TrimSpace(out)
	case strings.Contains(out, "no tests to run"):
		return broken, "no test " + m.Run
	}
	return survived, m.Run
}

func test(ctx context.Context, name, pattern string, flags ...string) (string, error) {
	args := append([]string{"test", "-vet=off", "-count=1", "-timeout", "30m", "-run", pattern}, flags...)
	out, err := exec.CommandContext(ctx, "go", append(args, "./"+name)...).CombinedOutput()
	return string(out), err
}
