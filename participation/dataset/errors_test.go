package dataset_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"inspraak/participation/dataset"
)

var errPlain = errors.New("the disk is full")

// TestBadInput wants an error that names what is wrong, and no manifest.
func TestBadInput(t *testing.T) {
	row := func(change func(*dataset.Row)) func(*dataset.Input) {
		return func(in *dataset.Input) {
			rows := in.Rows
			in.Rows = func(yield func(dataset.Row, error) bool) {
				n := 0
				for r, err := range rows {
					if n++; n == 3 {
						change(&r)
					}
					if !yield(r, err) {
						return
					}
				}
			}
		}
	}
	entries := func(list ...string) func(*dataset.Input) {
		return func(in *dataset.Input) { in.Entries, in.EntryCount = each(list), int64(len(list)) }
	}
	question := string(small(t).Question)
	for words, change := range map[string]func(*dataset.Input){
		"is not one of the log":               func(in *dataset.Input) { in.Origin = "else.example/log/k3v9" },
		"carries the wrong hash":              func(in *dataset.Input) { in.Key = strings.Replace(in.Key, "k3v9+", "k3v9+0", 1) },
		"does not end with an Ed25519 key":    func(in *dataset.Input) { in.Key = in.Key[:len(in.Key)-4] },
		"is not the http address":             func(in *dataset.Input) { in.Page = "javascript:alert(1)" },
		`kind "open-question"`:                func(in *dataset.Input) { in.Kind = "open-question" },
		"language":                            func(in *dataset.Input) { in.Language = "" },
		"2 counts for 3 options":              func(in *dataset.Input) { in.Counts = in.Counts[:2] },
		"negative":                            func(in *dataset.Input) { in.Counts[0] = -1 },
		"must be withheld":                    func(in *dataset.Input) { in.BatchSize = 13 },
		"closing time":                        func(in *dataset.Input) { in.Closed = time.Time{} },
		"question is not JSON":                func(in *dataset.Input) { in.Question = []byte("{") },
		"integrity figures":                   func(in *dataset.Input) { in.Integrity = nil },
		"no checkpoint":                       func(in *dataset.Input) { in.Checkpoints = nil },
		"log or the ballots are missing":      func(in *dataset.Input) { in.Rows = nil },
		"below 10":                            func(in *dataset.Input) { in.Servers[0].AtLeast = 9 },
		"told as 12 to 12, too closely":       func(in *dataset.Input) { in.Servers[0].AtLeast = 12 },
		`"other" is told as 3 to 3`:           func(in *dataset.Input) { in.Servers[1].AtLeast, in.Servers[1].AtMost = 3, 3 },
		"stands there twice":                  func(in *dataset.Input) { in.Servers[1].Name = in.Servers[0].Name },
		"is not a code":                       row(func(r *dataset.Row) { r.Code = strings.ToLower(r.Code) }),
		"rows must ascend":                    row(func(r *dataset.Row) { r.Code = "2222-2222-2222-2222" }),
		"32 hexadecimal digits":               row(func(r *dataset.Row) { r.Nonce = strings.Repeat("A", 32) }),
		"has 0 options":                       row(func(r *dataset.Row) { r.Options = nil }),
		"do not exist":                        row(func(r *dataset.Row) { r.Options = []int{4} }),
		"do not ascend":                       row(func(r *dataset.Row) { r.Options = []int{3, 2} }),
		"add up to [9 5 7]":                   row(func(r *dataset.Row) { r.Options = []int{3} }),
		"12 rows, and the result says 11":     func(in *dataset.Input) { in.Turnout = 11 },
		"has 2 options":                       func(in *dataset.Input) { in.Kind = "single-choice" },
		"ballot 2222-2222-2222-4FYL has":      func(in *dataset.Input) { in.PerOption = true },
		"does not open this question":         entries("open/v1 {}", "close/v1 {}"),
		"entry 1 has more than one line":      entries("open/v1 "+question, "ballot/v1 a\nb", "close/v1 {}"),
		`ends with "ballot/v1 a"`:             entries("open/v1 "+question, "ballot/v1 a"),
		"the log has 14 entries, of 15":       func(in *dataset.Input) { in.EntryCount++ },
		"after 12 ballots: the disk is full":  func(in *dataset.Input) { in.Rows = failing(in.Rows) },
		"after 14 entries: the disk is full":  func(in *dataset.Input) { in.Entries = failing(in.Entries) },
		"after 0 entries: the disk is full":   func(in *dataset.Input) { in.Entries = failing(each[string](nil)) },
		"ballots.csv: after 0 ballots: the d": func(in *dataset.Input) { in.Rows = failing(each[dataset.Row](nil)) },
	} {
		in := small(t)
		change(&in)
		f := new(folder)
		err := dataset.Write(in, f.create, signer(t))
		if err == nil || !strings.Contains(err.Error(), words) || !strings.HasPrefix(err.Error(), "dataset: ") {
			t.Errorf("error is %v, want %q", err, words)
		}
		if strings.Contains(words, "disk") && !errors.Is(err, errPlain) {
			t.Errorf("%v does not wrap its cause", err)
		}
		if f.open != 0 || slices.Contains(f.created, "manifest.txt") {
			t.Errorf("%s: a manifest, or %d files left open", words, f.open)
		}
	}
}

// failing is a list whose end is an error.
func failing[T any](list func(func(T, error) bool)) func(func(T, error) bool) {
	return func(yield func(T, error) bool) {
		for v, err := range list {
			if !yield(v, err) {
				return
			}
		}
		var none T
		if yield(none, errPlain) {
			panic("iterated on after an error")
		}
	}
}

// TestFailures lets every file fail in three ways, and the signature.
func TestFailures(t *testing.T) {
	for _, name := range dataset.Names() {
		for _, way := range []string{"create", "write", "close"} {
			f := new(folder)
			err := dataset.Write(small(t), func(n string) (io.WriteCloser, error) {
				w, err := f.create(n)
				switch {
				case n != name:
					return w, err
				case way == "create":
					f.open--
					return nil, errPlain
				case way == "write":
					return handle{writer(func([]byte) (int, error) { return 0, errPlain }), w.Close}, err
				}
				return handle{w, func() error { return errors.Join(w.Close(), errPlain) }}, err
			}, signer(t))
			if !errors.Is(err, errPlain) || !strings.Contains(err.Error(), name) || f.open != 0 {
				t.Errorf("%s of %s fails, and the error is %v, %d files open", way, name, err, f.open)
			}
			if last := f.created[len(f.created)-1]; last != name {
				t.Errorf("%s of %s fails, and %s is written after it", way, name, last)
			}
		}
	}
	for _, sign := range []func(string) (string, error){
		func(string) (string, error) { return "", errPlain },
		func(text string) (string, error) { return text, nil },
		func(text string) (string, error) { return "x" + text + "\n— a b\n", nil },
	} {
		f := new(folder)
		err := dataset.Write(small(t), f.create, sign)
		if err == nil || !strings.HasPrefix(err.Error(), "dataset: manifest.txt: ") || slices.Contains(f.created, "manifest.txt") {
			t.Errorf("error is %v, and created %q", err, f.created)
		}
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

func TestZip(t *testing.T) {
	f := written(t, small(t))
	at := small(t).Closed
	var first, second bytes.Buffer
	for at, to := range map[time.Time]*bytes.Buffer{at: &first, at.UTC(): &second} {
		if err := dataset.Zip(to, at, dataset.Names(), f.read); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) || first.Len() == 0 {
		t.Error("two zips of the same files differ")
	}
	z, err := zip.NewReader(bytes.NewReader(first.Bytes()), int64(first.Len()))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range z.File {
		names = append(names, entry.Name)
		if len(entry.Extra) > 0 || entry.Comment != "" || entry.Method != zip.Deflate || !entry.Modified.Equal(at.Truncate(2*time.Second)) {
			t.Errorf("%s: %+v", entry.Name, entry.FileHeader)
		}
		r, err := entry.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(content, f.files[entry.Name].Bytes()) {
			t.Errorf("%s differs in the zip: %v", entry.Name, err)
		}
	}
	if !slices.Equal(names, dataset.Names()) {
		t.Errorf("the zip has %q", names)
	}

	for name, zipped := range map[string]func(io.Writer) error{
		"open": func(w io.Writer) error {
			return dataset.Zip(w, at, dataset.Names(), func(n string) (io.ReadCloser, error) {
				if n == "log.txt" {
					return nil, errPlain
				}
				return f.read(n)
			})
		},
		"read": func(w io.Writer) error {
			return dataset.Zip(w, at, dataset.Names(), func(string) (io.ReadCloser, error) {
				return io.NopCloser(io.MultiReader(strings.NewReader("x"), reader(func([]byte) (int, error) { return 0, errPlain }))), nil
			})
		},
		"write": func(io.Writer) error {
			return dataset.Zip(writer(func([]byte) (int, error) { return 0, errPlain }), at, dataset.Names(), f.read)
		},
	} {
		var to bytes.Buffer
		err := zipped(&to)
		if !errors.Is(err, errPlain) || !strings.HasPrefix(err.Error(), "zip: ") {
			t.Errorf("%s fails, and the error is %v", name, err)
		}
		if _, err := zip.NewReader(bytes.NewReader(to.Bytes()), int64(to.Len())); err == nil {
			t.Errorf("%s fails, and there is a whole zip", name)
		}
	}
}

type reader func([]byte) (int, error)

func (r reader) Read(p []byte) (int, error) { return r(p) }

// large is a dataset of n ballots, made as they are asked for.
func large(t testing.TB, n int) dataset.Input {
	in := small(t)
	in.Turnout, in.Counts = n, []int{n, n, 0}
	in.EntryCount = int64(n) + 2
	nonce, options := strings.Repeat("0f", 16), []int{1, 2}
	in.Rows = func(yield func(dataset.Row, error) bool) {
		for i := range n {
			if !yield(dataset.Row{Code: code(i), Options: options, Nonce: nonce}, nil) {
				return
			}
		}
	}
	open, ballot := "open/v1 "+string(in.Question), "ballot/v1 "+strings.Repeat("A", 43)+"="
	in.Entries = func(yield func(string, error) bool) {
		if !yield(open, nil) {
			return
		}
		for range n {
			if !yield(ballot, nil) {
				return
			}
		}
		yield("close/v1 {}", nil)
	}
	return in
}

func discard(string) (io.WriteCloser, error) {
	return handle{io.Discard, func() error { return nil }}, nil
}

// TestMemory counts all bytes that writing 200,000 ballots takes, those of making
// them left out. Keeping the lines alone would take 25 MB.
func TestMemory(t *testing.T) {
	const ballots, bound = 200_000, 5 << 20
	in, sign := large(t, ballots), signer(t)
	making := allocated(func() {
		for range in.Rows {
			continue
		}
	})
	var err error
	writing := allocated(func() { err = dataset.Write(in, discard, sign) })
	if err != nil {
		t.Fatal(err)
	}
	if writing > making+bound {
		t.Errorf("writing %d ballots takes %d bytes, making them %d", ballots, writing, making)
	}
	t.Logf("%d bytes for %d ballots", writing-making, ballots)
}

func allocated(work func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	work()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func BenchmarkWrite(b *testing.B) {
	in, sign := large(b, 100_000), signer(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := dataset.Write(in, discard, sign); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100_000, "ns/ballot")
}

// What is read is what was written, and what was written otherwise is named by
// its line.
func TestReadBallots(t *testing.T) {
	in := small(t)
	files := written(t, in)
	file, err := files.read("ballots.csv")
	if err != nil {
		t.Fatal(err)
	}
	var got []dataset.Row
	if err := dataset.ReadBallots(file, func(r dataset.Row) error { got = append(got, r); return nil }); err != nil {
		t.Fatal(err)
	}
	var want []dataset.Row
	for r := range in.Rows {
		want = append(want, r)
	}
	if diff := cmp.Diff(want, got); diff != "" || len(got) == 0 {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	const head = "code,options,nonce\n"
	for text, line := range map[string]string{
		head + "A,1,n\nB,x,n\n": "line 3", head + "A,0,n\n": "line 2", head + "A,1\n": "line 2", head + "A,\"1,n\n": "line",
	} {
		if err := dataset.ReadBallots(strings.NewReader(text), func(dataset.Row) error { return nil }); !errors.Is(err, dataset.ErrForm) || !strings.Contains(err.Error(), line) {
			t.Errorf("%q: %v, want %q", text, err, line)
		}
	}
	stop := errors.New("enough")
	if err := dataset.ReadBallots(strings.NewReader(head+"A,1,n\n"), func(dataset.Row) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the reader's error is lost: %v", err)
	}
}
