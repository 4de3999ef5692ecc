package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// mutant is one rule taken out of one file.
type mutant struct {
	Line     int // of the list
	Name     string
	File     string // from the module's folder
	Package  string // whose tests must notice
	Run      string // which, as go test -run takes it
	Old, New string
}

// read reads a list of mutants. A mutant is a line "mutant NAME", then "file
// PATH" and "test PACKAGE PATTERN", then the text that goes and the text that
// comes in its place, each line with "-" or "+" before it. Blank lines and those
// that begin with "#" are skipped.
func read(path string) ([]mutant, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read mutants: %w", err)
	}
	defer f.Close()
	var all []mutant
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		key, value, _ := strings.Cut(line, " ")
		if line == "" || line[0] == '#' {
			continue
		}
		if key == "mutant" {
			all = append(all, mutant{Line: n, Name: value})
			continue
		}
		if len(all) == 0 {
			return nil, fmt.Errorf("read mutants: %s:%d: begin with \"mutant NAME\"", path, n)
		}
		m := &all[len(all)-1]
		switch {
		case line[0] == '-':
			m.Old = joined(m.Old, line[1:])
		case line[0] == '+':
			m.New = joined(m.New, line[1:])
		case key == "file":
			m.File = value
		case key == "test":
			m.Package, m.Run, _ = strings.Cut(value, " ")
		default:
			return nil, fmt.Errorf("read mutants: %s:%d: %q is no part of a mutant", path, n, key)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read mutants: %w", err)
	}
	for _, m := range all {
		if m.Name == "" || m.File == "" || m.Package == "" || m.Run == "" || m.Old == "" || m.Old == m.New {
			return nil, fmt.Errorf("read mutants: %s:%d: a name, a file, a test, and a text to change are needed", path, m.Line)
		}
	}
	return all, nil
}

func joined(text, line string) string {
	if text == "" {
		return line
	}
	return text + "\n" + line
}

// apply returns the file of a mutant with its rule gone. The text must occur
// exactly once, else it would not be known which rule goes.
func (m mutant) apply(root string) (string, error) {
	source, err := os.ReadFile(filepath.Join(root, m.File))
	if err != nil {
		return "", fmt.Errorf("mutant %q: %w", m.Name, err)
	}
	if n := strings.Count(string(source), m.Old); n != 1 {
		return "", fmt.Errorf("mutant %q (line %d): its text occurs %d times in %s; once is needed: follow the change of the code, or remove the mutant", m.Name, m.Line, n, m.File)
	}
	return strings.Replace(string(source), m.Old, m.New, 1), nil
}
