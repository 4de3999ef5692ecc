package dataset_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"inspraak/participation/dataset"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden compares every file with what it was; verify.py is kept elsewhere,
// and the manifest, which has its hash, is checked by TestManifest.
func TestGolden(t *testing.T) {
	perOption := small(t)
	perOption.PerOption, perOption.Turnout = true, 10
	perOption.Rows, perOption.Counts = each([]dataset.Row{
		{Code: code(1), Options: []int{3}, Nonce: strings.Repeat("0a", 16)},
		{Code: code(2), Options: []int{1}, Nonce: strings.Repeat("1b", 16)},
	}), []int{1, 0, 1}
	withheld := small(t)
	withheld.Turnout, withheld.Withheld, withheld.Kind = 9, true, "single-choice"
	withheld.Servers, withheld.Refused = nil, nil
	withheld.Rows = func(func(dataset.Row, error) bool) { t.Error("rows are read though withheld") }

	for name, in := range map[string]dataset.Input{"small": small(t), "per-option": perOption, "withheld": withheld} {
		f := written(t, in)
		if f.open != 0 || !slices.Equal(f.created, dataset.Names()) {
			t.Errorf("%s: %q created, %d left open; want %q", name, f.created, f.open, dataset.Names())
		}
		for _, file := range dataset.Names() {
			if file == "verify.py" || file == "manifest.txt" {
				continue
			}
			path := filepath.Join("testdata", name, file)
			if *update {
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, f.files[file].Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got := f.files[file].String(); got != string(want) {
				t.Errorf("%s differs:\n%s", path, got)
			}
		}
	}
}

func TestManifest(t *testing.T) {
	f := written(t, small(t))
	_, key := keys(t)
	v, err := note.NewVerifier(key)
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open(f.files["manifest.txt"].Bytes(), note.VerifierList(v))
	if err != nil {
		t.Fatal(err)
	}
	names := slices.DeleteFunc(dataset.Names(), func(n string) bool { return n == "manifest.txt" })
	sort.Strings(names)
	want := origin + "\ninspraak dataset v1\n"
	for _, name := range names {
		content := f.files[name].Bytes()
		sum := sha256.Sum256(content)
		want += fmt.Sprintf("%s %d %s\n", hex.EncodeToString(sum[:]), len(content), name)
	}
	if n.Text != want {
		t.Errorf("manifest is\n%s\nwant\n%s", n.Text, want)
	}
}

// TestNames reads the document's table of files.
func TestNames(t *testing.T) {
	doc, err := os.ReadFile("../../docs/ballot-log.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(doc), "\n## The dataset\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var names, tables []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(section, -1) {
		switch name := m[1]; {
		case strings.HasPrefix(name, "NAME"):
			for _, table := range tables {
				names = append(names, table+strings.TrimPrefix(name, "NAME.csv"))
			}
		default:
			if strings.HasSuffix(name, ".csv") {
				tables = append(tables, name)
			}
			names = append(names, name)
		}
	}
	if got := dataset.Names(); len(names) < 10 || !slices.Equal(got, names) {
		t.Errorf("names are %q; the document says %q", got, names)
	}
}

// TestColumns holds header line, metadata, data card and document together.
func TestColumns(t *testing.T) {
	doc, err := os.ReadFile("../../docs/ballot-log.md")
	if err != nil {
		t.Fatal(err)
	}
	f := written(t, small(t))
	card := f.files["README.md"].String()
	for _, name := range dataset.Names() {
		if !strings.HasSuffix(name, ".csv") {
			continue
		}
		records, err := csv.NewReader(bytes.NewReader(f.files[name].Bytes())).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(doc), "| `"+name+"` | `"+strings.Join(records[0], ",")+"`") {
			t.Errorf("%s: the document has not the header line %q", name, records[0])
		}
		var table struct {
			Context     string `json:"@context"`
			URL         string
			TableSchema struct {
				PrimaryKey string
				Columns    []struct {
					Name, Separator string
					Titles          map[string][]string
					Required        bool
					Datatype        struct {
						Base, Format     string
						Minimum, Maximum *int
					}
					Description []struct {
						Value    string `json:"@value"`
						Language string `json:"@language"`
					} `json:"dc:description"`
				}
			}
		}
		if err := json.Unmarshal(f.files[name+"-metadata.json"].Bytes(), &table); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if table.URL != name || table.Context != "http://www.w3.org/ns/csvw" || table.TableSchema.PrimaryKey != records[0][0] {
			t.Errorf("%s: its metadata is that of %q in %q with key %q", name, table.URL, table.Context, table.TableSchema.PrimaryKey)
		}
		_, section, _ := strings.Cut(card, "\n### "+name+"\n")
		section, _, _ = strings.Cut(section, "\n###")
		var described []string
		for i, c := range table.TableSchema.Columns {
			described = append(described, c.Name)
			if !regexp.MustCompile("(?m)^\\| `" + c.Name + "` \\| .{20}").MatchString(section) {
				t.Errorf("%s: the data card does not describe %q", name, c.Name)
			}
			if !slices.Contains(c.Titles["nl"], c.Name) || !slices.Contains(c.Titles["en"], c.Name) || len(c.Description) != 2 || !c.Required || c.Datatype.Base == "" {
				t.Errorf("%s: %q is described by %+v", name, c.Name, c)
			}
			// What the metadata says of the cells is so.
			form := regexp.MustCompile("^(?:" + c.Datatype.Format + ")$")
			for _, record := range records[1:] {
				cells := []string{record[i]}
				if c.Separator != "" {
					cells = strings.Split(record[i], c.Separator)
				}
				for _, cell := range cells {
					var n int
					_, err := fmt.Sscanf(cell+"\n", "%d\n", &n)
					switch d := c.Datatype; {
					case d.Base == "integer" && (err != nil || n < *d.Minimum || d.Maximum != nil && n > *d.Maximum),
						d.Format != "" && !form.MatchString(cell):
						t.Errorf("%s: cell %q is not %+v", name, cell, d)
					}
				}
			}
		}
		if !slices.Equal(described, records[0]) {
			t.Errorf("%s has the columns %q, its metadata %q", name, records[0], described)
		}
	}
	for _, word := range []string{"Samenvatting", "CC0", "How to cite", "inspraak verify", "verify.py", small(t).Page, "told as ranges",
		"One account is not one person", "not representative", "Voters' own servers saw"} {
		if !strings.Contains(card, word) {
			t.Errorf("the data card does not say %q", word)
		}
	}
	for _, name := range dataset.Names() {
		if !strings.Contains(card, "`"+name+"`") && !strings.HasSuffix(name, "-metadata.json") && name != "README.md" {
			t.Errorf("the data card does not name %s", name)
		}
	}
}

// TestText looks for strangers' texts after their way through each form.
func TestText(t *testing.T) {
	in := small(t)
	f := written(t, in)
	var result struct {
		Turnout int
		Counts  []int
		Options []string
		Closed  string
		Entries int64
	}
	raw := f.files["result.json"].Bytes()
	if err := json.Unmarshal(raw, &result); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(result.Options, in.Options) || result.Closed != "2026-11-20T20:00:00Z" || !bytes.Contains(raw, []byte("& laden")) ||
		!bytes.HasPrefix(raw, []byte(`{"turnout":12,"counts":[9,6,6],"options":["`)) || !bytes.HasSuffix(raw, []byte(`"],"closed":"2026-11-20T20:00:00Z","entries":14}`)) {
		t.Errorf("result is %s", raw)
	}
	var metadata struct {
		PartOf struct {
			Title struct {
				Value string `json:"@value"`
			} `json:"dc:title"`
		} `json:"dc:isPartOf"`
	}
	if err := json.Unmarshal(f.files["ballots.csv-metadata.json"].Bytes(), &metadata); err != nil || metadata.PartOf.Title.Value != title {
		t.Errorf("title is %q, %v", metadata.PartOf.Title.Value, err)
	}
	heading, _, _ := strings.Cut(f.files["README.md"].String(), "\n")
	if want := "# Fietspad of \"parkeren\"? Zeg het \\| ons: &lt;b&gt;\\*één\\*&lt;/b&gt; &amp; 🚲 \\`nu\\`"; heading != want {
		t.Errorf("the card's heading is\n%s, want\n%s", heading, want)
	}
	if !bytes.Equal(f.files["question.json"].Bytes(), in.Question) {
		t.Error("question.json is not the question")
	}
}

// TestN50 keeps formulas out of cells.
func TestN50(t *testing.T) {
	in := small(t)
	names := map[string]bool{ // whether it could be a formula
		`=HYPERLINK("http://eve.example","x")`: true, "+1": true, "-1+cmd|' /C calc'!A0": true, "@SUM(A1)": true,
		"\t=1": true, "\r=1": true, "\r\n=1": true, "  =1": true, "\u00a0=1": true, "＝1+1": true, "\tx": true,
		"mastodon.example": false, "a=b": false, "x\r\n\"y\", z": false, "'quoted'": false, "münchen.example 🌍": false,
	}
	in.Servers, in.Refused = nil, nil
	var order []string
	for name := range names {
		order = append(order, name)
		in.Servers = append(in.Servers, dataset.Range{Name: name, AtLeast: 10, AtMost: 12})
		in.Refused = append(in.Refused, dataset.Cell{Name: name, N: 10})
	}
	f := written(t, in)
	for _, file := range []string{"servers.csv", "refused.csv"} {
		_, got, _ := strings.Cut(f.files[file].String(), "\n")
		for _, name := range order {
			cell := name
			if names[name] {
				cell = "'" + name
			}
			if strings.ContainsAny(cell, ",\"\r\n") {
				cell = `"` + strings.ReplaceAll(cell, `"`, `""`) + `"`
			}
			rest, ok := strings.CutPrefix(got, cell+map[string]string{"servers.csv": ",10,12\n", "refused.csv": ",10\n"}[file])
			if !ok {
				t.Fatalf("%s: cell of %q begins %.40q", file, name, got)
			}
			got = rest
		}
	}
}

// TestReasons holds the data card to the reasons that the domain knows.
func TestReasons(t *testing.T) {
	src, err := os.ReadFile("../vote.go")
	if err != nil {
		t.Fatal(err)
	}
	in := small(t)
	in.Refused = nil
	for _, m := range regexp.MustCompile(`(?m)^\t\w+ +Outcome = "([^"]+)"`).FindAllStringSubmatch(string(src), -1) {
		if m[1] != "counted" {
			in.Refused = append(in.Refused, dataset.Cell{Name: m[1], N: 10})
		}
	}
	if len(in.Refused) < 8 {
		t.Fatalf("reasons are %v", in.Refused)
	}
	f := written(t, in)
	if card := f.files["README.md"].String(); strings.Contains(card, "no words for") || !strings.Contains(card, "| late | received") {
		t.Errorf("a reason is not explained:\n%s", card)
	}
	in.Refused = []dataset.Cell{{Name: "moon", N: 10}}
	if card := written(t, in).files["README.md"].String(); !strings.Contains(card, "| moon | a reason that this card has no words for |") {
		t.Error("an unknown reason is left out")
	}
}

// TestCheckpoints reads back what json made of signed notes.
func TestCheckpoints(t *testing.T) {
	in := small(t)
	var got []string
	if err := json.Unmarshal(written(t, in).files["checkpoints.json"].Bytes(), &got); err != nil || !reflect.DeepEqual(got, in.Checkpoints) {
		t.Errorf("checkpoints are %q, %v", got, err)
	}
}
