package dataset_test

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"inspraak/participation/dataset"
)

// undescribed holds a table to its metadata (CSV on the Web: titles, datatypes,
// separators, keys).
func undescribed(name, content, metadata string) (problems []string) {
	bad := func(format string, args ...any) { problems = append(problems, name+": "+fmt.Sprintf(format, args...)) }
	var m struct {
		URL     string
		License map[string]string `json:"dc:license"`
		Dialect struct{ Header bool }
		Schema  struct {
			PrimaryKey any
			Columns    []struct {
				Name, Separator string
				Titles          map[string][]string
				Description     []map[string]string `json:"dc:description"`
				Required        bool
				Datatype        struct {
					Base, Format     string
					Minimum, Maximum *int
					MinLength        int
				}
			}
		} `json:"tableSchema"`
	}
	if err := json.Unmarshal([]byte(metadata), &m); err != nil {
		return append(problems, fmt.Sprintf("%s: %v", name, err))
	}
	if m.URL != name || m.License["@id"] != dataset.Licence {
		bad("is described as %q under %v", m.URL, m.License)
	}
	records, err := csv.NewReader(strings.NewReader(content)).ReadAll()
	if err != nil {
		return append(problems, fmt.Sprintf("%s: %v", name, err))
	}
	key := strings.Fields(strings.Trim(fmt.Sprint(m.Schema.PrimaryKey), "[]"))
	seen := map[string]bool{}
	for r, record := range records {
		if len(record) != len(m.Schema.Columns) {
			bad("%d cells for %d columns", len(record), len(m.Schema.Columns))
			return problems
		}
		identity := ""
		for i, cell := range record {
			c := m.Schema.Columns[i]
			if r == 0 && (len(c.Description) != 2 || !regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_]*$`).MatchString(c.Name)) {
				bad("column %q has %d descriptions", c.Name, len(c.Description))
			}
			if r == 0 && m.Dialect.Header {
				if !slices.Contains(c.Titles["en"], cell) {
					bad("column %q is described as %q", cell, c.Titles)
				}
				continue
			}
			if slices.Contains(key, c.Name) {
				identity += cell + "\x00"
			}
			parts := []string{cell}
			if c.Separator != "" {
				parts = strings.Split(cell, c.Separator)
			}
			for _, part := range parts {
				n, err := strconv.Atoi(part)
				whole := regexp.MustCompile("^(" + c.Datatype.Format + ")$")
				switch {
				case part == "" && !c.Required:
				case part == "" || len(part) < c.Datatype.MinLength:
					bad("an empty cell in %s", c.Name)
				case c.Datatype.Base == "integer" && (err != nil || c.Datatype.Minimum != nil && n < *c.Datatype.Minimum || c.Datatype.Maximum != nil && n > *c.Datatype.Maximum),
					c.Datatype.Format != "" && !whole.MatchString(part):
					bad("%q is no %+v", part, c.Datatype)
				}
			}
		}
		if identity != "" && seen[identity] {
			bad("the key %q stands there twice", identity)
		}
		seen[identity] = true
	}
	if len(key) == 0 {
		bad("has no key")
	}
	return problems
}

// table reads a CSV with a header line.
func table(t *testing.T, content string) (rows []map[string]string) {
	t.Helper()
	records, err := csv.NewReader(strings.NewReader(content)).ReadAll()
	if err != nil || len(records) < 2 {
		t.Fatalf("%d records: %v", len(records), err)
	}
	for _, r := range records[1:] {
		row := map[string]string{}
		for i, name := range records[0] {
			row[name] = r[i]
		}
		rows = append(rows, row)
	}
	return rows
}

// readPrefLib reads categorical preferences as PrefLib describes them: header
// lines, then "ballots: category, category" with braces about all but single ones.
func readPrefLib(t *testing.T, content string) (options []string, ballots map[string]int) {
	t.Helper()
	header := map[string]string{}
	ballots = map[string]int{}
	total := 0
	group := regexp.MustCompile(`\{[^}]*\}|\d+`)
	for line := range strings.Lines(content) {
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, "# "); ok {
			name, value, found := strings.Cut(rest, ": ")
			if !found {
				t.Fatalf("header line %q", line)
			}
			header[name] = value
			continue
		}
		count, preference, found := strings.Cut(line, ": ")
		n, err := strconv.Atoi(count)
		groups := group.FindAllString(preference, -1)
		if !found || err != nil || n < 1 || len(groups) != 2 {
			t.Fatalf("line %q", line)
		}
		chosen, rest := members(groups[0]), members(groups[1])
		both := slices.Concat(chosen, rest)
		slices.Sort(both)
		if len(both) != 3 || both[0] != "1" || both[1] != "2" || both[2] != "3" {
			t.Errorf("line %q does not place each option once", line)
		}
		ballots[strings.Join(chosen, " ")] += n
		total += n
	}
	for i := 1; header[fmt.Sprintf("ALTERNATIVE NAME %d", i)] != ""; i++ {
		options = append(options, header[fmt.Sprintf("ALTERNATIVE NAME %d", i)])
	}
	if header["DATA TYPE"] != "cat" || header["NUMBER ALTERNATIVES"] != strconv.Itoa(len(options)) || header["NUMBER VOTERS"] != strconv.Itoa(total) ||
		header["NUMBER UNIQUE PREFERENCES"] != strconv.Itoa(len(ballots)) || header["NUMBER CATEGORIES"] != "2" || header["CATEGORY NAME 2"] == "" {
		t.Errorf("header %v", header)
	}
	return options, ballots
}

func members(group string) []string {
	return strings.FieldsFunc(group, func(r rune) bool { return strings.ContainsRune("{}, ", r) })
}

// readBLT reads ballots by words, as its programs do: newlines mean nothing.
func readBLT(t *testing.T, content string) (options []string, ballots map[string]int) {
	t.Helper()
	words := regexp.MustCompile(`"[^"]*"|\S+`).FindAllString(content, -1)
	next := func() string {
		if len(words) == 0 {
			t.Fatal("BLT ends too early")
		}
		w := words[0]
		words = words[1:]
		return w
	}
	candidates, err := strconv.Atoi(next())
	if seats := next(); err != nil || seats != "1" {
		t.Fatalf("%d candidates for %s seats", candidates, seats)
	}
	ballots = map[string]int{}
	for n := next(); n != "0"; n = next() {
		count, err := strconv.Atoi(n)
		first := strings.ReplaceAll(next(), "=", " ")
		if end := next(); err != nil || end != "0" {
			t.Fatalf("%s ballots for %s, then %s", n, first, end)
		}
		ballots[first] += count
	}
	for range candidates {
		options = append(options, strings.Trim(next(), `"`))
	}
	if next(); len(words) != 0 {
		t.Errorf("BLT goes on: %q", words)
	}
	return options, ballots
}

// readDDS reads records, one a line, and adds votes up by author.
func readDDS(t *testing.T, content string) (options []string, ballots map[string]int) {
	t.Helper()
	uris, chosen, metrics := []string{}, map[string][]string{}, map[string]int{}
	lines := bufio.NewScanner(strings.NewReader(content))
	for lines.Scan() {
		var r struct {
			Type      string `json:"$type"`
			URI, Text string
			Target    struct{ URI string }
			Subject   struct{ URI string }
			Author    struct{ Code string }
			Value     struct {
				Approve bool
				Integer int
			}
		}
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		switch kind := strings.TrimPrefix(r.Type, "org.dds-wg.v1."); kind {
		case "statement":
			uris, options = append(uris, r.URI), append(options, r.Text)
		case "vote":
			option := slices.Index(uris, r.Target.URI)
			if option < 0 || !r.Value.Approve {
				t.Errorf("vote %s", lines.Bytes())
			}
			chosen[r.Author.Code] = append(chosen[r.Author.Code], strconv.Itoa(option+1))
		case "metric":
			metrics[r.Subject.URI] = r.Value.Integer
		case "project", "algorithm":
		default:
			t.Errorf("record of type %q", r.Type)
		}
	}
	ballots = map[string]int{}
	sums := map[string]int{}
	for _, options := range chosen {
		ballots[strings.Join(options, " ")]++
		for _, o := range options {
			i, _ := strconv.Atoi(o)
			sums[uris[i-1]]++
		}
	}
	for uri, n := range sums {
		if metrics[uri] != n {
			t.Errorf("%s has %d votes, and the metric says %d", uri, n, metrics[uri])
		}
	}
	return options, ballots
}
