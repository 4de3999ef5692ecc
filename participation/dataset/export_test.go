package dataset_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"inspraak/participation/dataset"
)

// published is a dataset as others find it.
func published(t testing.TB, in dataset.Input) dataset.Published {
	t.Helper()
	f := written(t, in)
	return dataset.Published{
		Municipality: in.Municipality, Page: in.Page, Question: f.files["question.json"].Bytes(), Result: f.files["result.json"].Bytes(),
		Ballots: func() (io.ReadCloser, error) { return f.read("ballots.csv") },
	}
}

// exported writes all exports that there are, twice, and holds them to be the same.
func exported(t testing.TB, p dataset.Published) (files map[string]string, not map[string]dataset.Absence) {
	t.Helper()
	list, not, err := p.Exports()
	if err != nil {
		t.Fatal(err)
	}
	files = map[string]string{}
	for _, e := range list {
		var once, again bytes.Buffer
		if err := errors.Join(e.Write(&once), e.Write(&again)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(once.Bytes(), again.Bytes()) {
			t.Errorf("%s is different each time", e.Name)
		}
		files[e.Name] = once.String()
	}
	return files, not
}

// asked changes what question.json says, and the input with it.
func asked(t testing.TB, in dataset.Input, change func(q map[string]any)) dataset.Input {
	t.Helper()
	var q map[string]any
	if err := json.Unmarshal(in.Question, &q); err != nil {
		t.Fatal(err)
	}
	change(q)
	question, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	var entries []string
	for e := range in.Entries {
		entries = append(entries, e)
	}
	entries[0] = "open/v1 " + string(question)
	in.Question, in.Entries = question, each(entries)
	return in
}

// Each export has the counts of the result, read by a reader of its own.
func TestExports(t *testing.T) {
	in := small(t)
	files, not := exported(t, published(t, in))
	if len(not) > 0 || len(files) != 11 {
		t.Fatalf("%d exports, and not %v", len(files), not)
	}
	for name, read := range map[string]func(*testing.T, string) ([]string, map[string]int){
		"preflib.cat": readPrefLib, "ballots.blt": readBLT, "dds.jsonl": readDDS,
	} {
		options, ballots := read(t, files[name])
		if want := map[string]int{"1": 3, "1 3": 3, "2": 3, "1 2 3": 3}; !maps.Equal(ballots, want) {
			t.Errorf("%s has the ballots %v, want %v", name, ballots, want)
		}
		for i, o := range options {
			if want := in.Options[i]; o != want && o != strings.ReplaceAll(want, `"`, "'") {
				t.Errorf("%s: option %d is %q, want %q", name, i, o, want)
			}
		}
	}

	votes, comments, people := table(t, files["polis-votes.csv"]), table(t, files["polis-comments.csv"]), table(t, files["polis-participants-votes.csv"])
	sums := map[string]int{}
	for _, v := range votes {
		sums[v["comment-id"]]++
		voter, err := strconv.Atoi(v["voter-id"])
		if err != nil || people[voter]["participant"] != v["voter-id"] || people[voter][v["comment-id"]] != v["vote"] || v["vote"] != "1" {
			t.Errorf("the vote %v is not that of the voter %v", v, people[voter])
		}
	}
	cells := 0
	for _, p := range people {
		for i := range in.Options {
			if p[strconv.Itoa(i)] != "" {
				cells++
			}
		}
	}
	if len(people) != in.Turnout || cells != len(votes) {
		t.Errorf("%d people with %d votes, want %d with %d", len(people), cells, in.Turnout, len(votes))
	}
	for i, c := range comments {
		if c["agrees"] != strconv.Itoa(in.Counts[i]) || sums[c["comment-id"]] != in.Counts[i] || c["comment-body"] != in.Options[i] {
			t.Errorf("statement %v has %d votes, want %d", c, sums[c["comment-id"]], in.Counts[i])
		}
	}
	if !strings.Contains(files["polis-summary.csv"], "\nvoters,12\n") {
		t.Errorf("summary: %s", files["polis-summary.csv"])
	}
}

// With fewer ballots than a batch there are totals only, and where rows are single
// choices of voters, or voters choose once, nothing says more than they do.
func TestExportsThatThereAreNot(t *testing.T) {
	withheld := small(t)
	withheld.Turnout, withheld.Withheld = 9, true
	files, not := exported(t, published(t, withheld))
	if len(files) != 1 || strings.Contains(files["dds.jsonl"], "vote") || !strings.Contains(files["dds.jsonl"], `"integer":9`) {
		t.Errorf("of withheld ballots: %q", slices.Collect(maps.Keys(files)))
	}
	for name, why := range not {
		if why != dataset.Withheld {
			t.Errorf("%s: %s", name, why)
		}
	}
	perOption := asked(t, small(t), func(q map[string]any) { q["perOption"] = true })
	perOption.PerOption, perOption.Turnout, perOption.Counts = true, 10, []int{1, 0, 1}
	perOption.Rows = each([]dataset.Row{{Code: code(1), Options: []int{3}, Nonce: strings.Repeat("0a", 16)}, {Code: code(2), Options: []int{1}, Nonce: strings.Repeat("1b", 16)}})
	files, not = exported(t, published(t, perOption))
	if len(files) != 1 || len(not) != 10 || not["preflib.cat"] != dataset.PerOption {
		t.Errorf("per option: %q, %v", slices.Collect(maps.Keys(files)), not)
	}
	single := asked(t, small(t), func(q map[string]any) { q["kind"] = "single-choice" })
	single.Kind, single.Counts = "single-choice", []int{4, 4, 4}
	var rows []dataset.Row
	for i := range 12 {
		rows = append(rows, dataset.Row{Code: code(i), Options: []int{i%3 + 1}, Nonce: strings.Repeat("0a", 16)})
	}
	single.Rows = each(rows)
	files, not = exported(t, published(t, single))
	if len(files) != 3 || len(not) != 8 || not["polis-votes.csv"] != dataset.Single {
		t.Errorf("single choice: %q, %v", slices.Collect(maps.Keys(files)), not)
	}
	if _, ballots := readBLT(t, files["ballots.blt"]); !maps.Equal(ballots, map[string]int{"1": 4, "2": 4, "3": 4}) {
		t.Errorf("single choice as BLT: %v", ballots)
	}
	if _, _, err := (dataset.Published{Question: []byte("{}"), Result: []byte("{")}).Exports(); !errors.Is(err, dataset.ErrForm) {
		t.Errorf("no dataset at all: %v", err)
	}
}

// What a spreadsheet could take for a formula does not begin a cell of any export
// (N50), and a text of many lines breaks no form that knows of lines.
func TestExportsHoldHostileTexts(t *testing.T) {
	for _, first := range []string{"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1", "\u00a0=1"} {
		text := first + "\"; # 0\n0\r\n3 1\u2028{1}: \u202e,"
		in := small(t)
		in.Options = []string{text, text + "2", "Nee"}
		in = asked(t, in, func(q map[string]any) { q["options"], q["question"], q["text"] = in.Options, text, text })
		files, _ := exported(t, published(t, in))
		for name, content := range files {
			if !strings.HasSuffix(name, ".csv") {
				continue
			}
			records, err := csv.NewReader(strings.NewReader(content)).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			for _, cell := range slices.Concat(records...) {
				if trimmed := strings.TrimSpace(cell); trimmed != "" && (strings.ContainsAny(cell[:1], "\t\r\n") || strings.ContainsRune("=+-@＝＋－＠", []rune(trimmed)[0])) {
					t.Errorf("%s has the cell %q", name, cell)
				}
			}
		}
		for name, read := range map[string]func(*testing.T, string) ([]string, map[string]int){"preflib.cat": readPrefLib, "ballots.blt": readBLT, "dds.jsonl": readDDS} {
			options, ballots := read(t, files[name])
			if len(options) != 3 || !strings.HasPrefix(strings.TrimSpace(options[0]), strings.TrimSpace(first)) || len(ballots) != 4 {
				t.Errorf("%s: %q became %q with %v", name, text, options, ballots)
			}
		}
	}
}

// Every column of every CSV, of the dataset and of the exports, is described
// beside it, and every cell is of the type that the description gives.
func TestEveryColumnIsDescribed(t *testing.T) {
	in := small(t)
	all := map[string]string{}
	for name, content := range written(t, in).files {
		all[name] = content.String()
	}
	files, _ := exported(t, published(t, in))
	maps.Copy(all, files)
	tables := 0
	for name, content := range all {
		if !strings.HasSuffix(name, ".csv") {
			continue
		}
		tables++
		if problems := undescribed(name, content, all[name+"-metadata.json"]); len(problems) > 0 {
			t.Errorf("%s", strings.Join(problems, "\n"))
		}
		for _, spoil := range []func(string) string{ // the check can fail
			func(s string) string { return s + s },
			func(s string) string { return strings.Replace(s, ",", ",x", 1) },
			func(s string) string {
				return s + "\"x\"" + strings.Repeat(",\"x\"", strings.Count(strings.SplitN(s, "\n", 2)[0], ",")) + "\n"
			},
		} {
			if name != "polis-summary.csv" && len(undescribed(name, spoil(content), all[name+"-metadata.json"])) == 0 {
				t.Errorf("nothing is said of a spoiled %s", name)
			}
		}
	}
	if tables != 7 {
		t.Errorf("%d tables, want 7", tables)
	}
}

// The table in the documentation is the one that exports are written with.
func TestVocabularyIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/open-data.md")
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, n := range dataset.Vocabulary() {
		cell := func(s string) string {
			if s == "" {
				return "–"
			}
			return "`" + s + "`"
		}
		want = append(want, strings.Join([]string{"|", string(n.Concept), "|", cell(n.ActivityStreams), "|", cell(n.DDS), "|", cell(n.Polis), "|", cell(n.PrefLib), "|"}, " "))
	}
	_, section, _ := strings.Cut(string(page), "## Words of others\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for line := range strings.Lines(section) {
		if strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| here") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/open-data.md differs from the code:\n%s", diff)
	}
}
