package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"inspraak/participation"
	"inspraak/simulation"
	"inspraak/verify"
)

// verdict is what a verifier says of a dataset.
type verdict struct {
	Verified       bool
	Problem, Where string
}

// byGo and byPython ask the two verifiers, which share no code.
func byGo(t *testing.T, path string) verdict {
	t.Helper()
	r, err := verify.Dataset(t.Context(), path, verify.Options{})
	if err != nil {
		return verdict{Problem: err.Error()}
	}
	return verdict{r.Verified, r.Problem, r.Where}
}

func byPython(t *testing.T, path string) (v verdict) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "python3", root+"/participation/dataset/verify.py", "--json", path).Output()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &v); err != nil {
		t.Fatalf("verify.py says %q, %v", out, err)
	}
	if v.Verified != (err == nil) {
		t.Errorf("verify.py: verified is %v, and it exits with %v", v.Verified, err)
	}
	return v
}

func needPython(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is not installed: verify.py is not run")
	}
}

// packed is a zip as a list, so that it can be spoilt.
type packed []struct {
	name    string
	content []byte
}

func unpack(t *testing.T, raw []byte) (p packed) {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.File {
		from, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(from)
		if err != nil {
			t.Fatal(err)
		}
		p = append(p, struct {
			name    string
			content []byte
		}{f.Name, content})
	}
	return p
}

func (p packed) pack(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "dataset.zip")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := zip.NewWriter(f)
	for _, file := range p {
		to, err := w.Create(file.name)
		if err == nil {
			_, err = to.Write(file.content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// The dataset that a node publishes, of every shape that there is: both verifiers
// say yes, and after one byte of any file has changed, or a file was added,
// doubled or dropped, both say no and where.
func TestBothVerifiers(t *testing.T) {
	needPython(t)
	for name, shape := range map[string]struct {
		kind    participation.Kind
		options []string
		k       int
	}{
		"single":     {participation.SingleChoice, []string{"Ja", "Nee", "Weet niet"}, 2},
		"multiple":   {participation.MultipleChoice, []string{"Eén", "Twee", "Drie en vier"}, 2},
		"per option": {participation.MultipleChoice, []string{"A", "B", "C", "D", "E", "F"}, 2},
		"withheld":   {participation.SingleChoice, []string{"Ja", "Nee"}, 50},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			city := c.node("city.example", "gemeente")
			poll := city.publishIn(shape.k, "vraag", shape.kind, participation.AtClose, shape.options...)
			server := c.server(simulation.Mastodon, "m1.example")
			for i := range 9 {
				who := server.Account(fmt.Sprint("v", i))
				choices := shape.options[i%len(shape.options):][:1]
				if shape.kind == participation.MultipleChoice {
					choices = shape.options[:1+i%len(shape.options)]
				}
				must2(who.Vote(t.Context(), city.object(poll), choices...))(c)
			}
			c.settle()
			c.wait(poll.Deadline().Sub(c.clock()) + time.Minute)
			c.settle()
			answer := city.get("/consultations/vraag/dataset.zip", "*/*")
			if answer.Code != 200 {
				t.Fatalf("the dataset is answered %d", answer.Code)
			}
			files := unpack(t, answer.Body.Bytes())
			for who, ask := range map[string]func(*testing.T, string) verdict{"inspraak verify": byGo, "verify.py": byPython} {
				if v := ask(t, files.pack(t)); !v.Verified {
					t.Fatalf("%s: %s, %s", who, v.Problem, v.Where)
				}
				refuses := func(what, where string, spoilt packed) {
					t.Helper()
					if v := ask(t, spoilt.pack(t)); v.Verified || !strings.Contains(v.Problem+" "+v.Where, where) {
						t.Errorf("%s, %s: %+v; want a no that names %s", who, what, v, where)
					}
				}
				for i, f := range files {
					for _, at := range []int{0, len(f.content) / 2, len(f.content) - 1} {
						spoilt := slices.Clone(files)
						spoilt[i].content = slices.Clone(f.content)
						spoilt[i].content[at] ^= 1
						refuses(fmt.Sprintf("byte %d of %s", at, f.name), f.name, spoilt)
					}
					refuses("without "+f.name, f.name, slices.Delete(slices.Clone(files), i, i+1))
					refuses("twice "+f.name, f.name, append(slices.Clone(files), f))
				}
				more := append(slices.Clone(files), files[0])
				more[len(more)-1].name = "more.txt"
				refuses("a file more", "more.txt", more)
			}
		})
	}
}
