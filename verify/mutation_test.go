package verify_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"inspraak/verify"
)

// mutation breaks a dataset: its log and rows before anything is computed from
// them, its files before the manifest is signed, or what is in the zip. The node
// signs each time what was made of it; only the zip is changed behind its back.
type mutation struct {
	shape string
	log   func(*node)
	files func(map[string]string)
	zip   func([]member) []member
	where string
}

func TestMutations(t *testing.T) {
	all := map[string]mutation{}
	maps.Copy(all, zipMutations())
	maps.Copy(all, fileMutations())
	maps.Copy(all, logMutations())
	for name, m := range all {
		t.Run(name, func(t *testing.T) {
			if m.shape == "" {
				m.shape = "single"
			}
			n := newNode(t, "x.example").hold(shapes()[m.shape])
			if m.log != nil {
				m.log(n)
			}
			files := n.files()
			if m.files != nil {
				m.files(files)
			}
			list := n.members(files)
			if m.zip != nil {
				list = m.zip(list)
			}
			r, err := verify.Dataset(t.Context(), save(t, zipped(t, list)), verify.Options{})
			if err == nil || r.Verified || r.Result != nil {
				t.Fatal("was verified")
			}
			want := strings.NewReplacer("LAST", fmt.Sprint(len(n.log)-1), "LINES", fmt.Sprint(len(n.log))).Replace(m.where)
			if r.Where != want {
				t.Errorf("%v; want it at %q", err, want)
			}
		})
	}
}

// TestManifests has the node sign manifests that are none.
func TestManifests(t *testing.T) {
	n := newNode(t, "x.example").hold(shapes()["single"])
	list := n.members(n.files())
	last := len(list) - 1
	text, _, _ := strings.Cut(list[last].text, "\n\n")
	lines := strings.Split(text, "\n")
	hash := lines[2][:64]
	for name, c := range map[string]struct {
		line  int
		text  string
		where string
	}{
		"another origin":    {0, "y.example/log/K3J5", "manifest.txt line 1"},
		"another version":   {1, "inspraak dataset v2", "manifest.txt line 2"},
		"unsorted":          {3, lines[4] + "\n" + lines[3], "manifest.txt line 5"},
		"twice":             {3, lines[3] + "\n" + lines[3], "manifest.txt line 5"},
		"no name":           {3, hash + " 8", "manifest.txt line 4"},
		"upper case":        {3, strings.ToUpper(hash) + " 8 README.md", "manifest.txt line 4"},
		"short hash":        {3, hash[1:] + " 8 README.md", "manifest.txt line 4"},
		"size below zero":   {3, hash + " -8 README.md", "manifest.txt line 4"},
		"size with zero":    {3, hash + " 08 README.md", "manifest.txt line 4"},
		"itself":            {3, hash + " 8 manifest.txt", "manifest.txt line 4"},
		"a path":            {3, hash + " 8 ../README.md", "manifest.txt line 4"},
		"not in the zip":    {3, lines[3] + "\n" + hash + " 8 a.txt", "a.txt"},
		"missing":           {3, "", "manifest.txt line 4"},
		"another size":      {3, strings.Replace(lines[3], " 14 ", " 15 ", 1), "README.md"},
		"nothing but files": {0, "", "manifest.txt line 1"},
	} {
		changed := slices.Clone(lines)
		changed[c.line] = c.text
		list[last].text = n.sign(strings.Join(changed, "\n") + "\n")
		r, err := verify.Dataset(t.Context(), save(t, zipped(t, list)), verify.Options{})
		if err == nil || r.Where != c.where {
			t.Errorf("%s: %v; want it at %q", name, err, c.where)
		}
	}
}

// TestOneByte changes one byte of each file, at the beginning, in the middle and at
// the end, and the bits that base64 leaves over.
func TestOneByte(t *testing.T) {
	n := newNode(t, "x.example").hold(shapes()["single"])
	list := n.members(n.files())
	for i, m := range list {
		for _, at := range []int{0, len(m.text) / 2, len(m.text) - 3, len(m.text) - 1} {
			for _, bit := range []byte{1, 2, 4, 128} {
				if at < 0 {
					continue
				}
				data := []byte(m.text)
				data[at] ^= bit
				changed := slices.Clone(list)
				changed[i].text = string(data)
				r, err := verify.Dataset(t.Context(), save(t, zipped(t, changed)), verify.Options{})
				if err == nil || !strings.HasPrefix(r.Where, m.name) {
					t.Errorf("%s, bit %d of byte %d: %v", m.name, bit, at, err)
				}
			}
		}
	}
}

func change(name string, f func(string) string) func([]member) []member {
	return func(list []member) []member {
		i := slices.IndexFunc(list, func(m member) bool { return m.name == name })
		list[i].text = f(list[i].text)
		return list
	}
}

func put(name, text string) func([]member) []member {
	return func(list []member) []member { return append(list, member{name, text}) }
}

func without(name string) func([]member) []member {
	return func(list []member) []member {
		return slices.DeleteFunc(list, func(m member) bool { return m.name == name })
	}
}

func zipMutations() map[string]mutation {
	return map[string]mutation{
		"added file":          {zip: put("extra.txt", "x"), where: "extra.txt"},
		"dropped file":        {zip: without("rule.md"), where: "rule.md"},
		"no manifest":         {zip: without("manifest.txt"), where: "manifest.txt"},
		"no key":              {zip: without("key.txt"), where: "key.txt"},
		"doubled file":        {zip: put("log.txt", "x"), where: "file log.txt"},
		"path up":             {zip: put("../log.txt", "x"), where: "file ../log.txt"},
		"path down":           {zip: put("a/log.txt", "x"), where: "file a/log.txt"},
		"backslash":           {zip: put(`a\log.txt`, "x"), where: `file a\log.txt`},
		"control in name":     {zip: put("a\x1b[2J", "x"), where: "file a\ufffd[2J"},
		"longer file":         {zip: change("rule.md", func(s string) string { return s + "x" }), where: "rule.md"},
		"same length":         {zip: change("verify.py", func(string) string { return "exit\n" }), where: "verify.py"},
		"unsigned manifest":   {zip: change("manifest.txt", func(s string) string { s, _, _ = strings.Cut(s, "\n\n"); return s + "\n" }), where: "manifest.txt"},
		"signed twice":        {zip: change("manifest.txt", func(s string) string { return s + s[strings.LastIndex(s, "—"):] }), where: "manifest.txt"},
		"text after manifest": {zip: change("manifest.txt", func(s string) string { return s + "x\n" }), where: "manifest.txt"},
		"another node's key":  {log: func(n *node) { n.vkey = newNode(n.t, "x.example").vkey }, where: "manifest.txt"},
	}
}

func set(name, text string) func(map[string]string) {
	return func(files map[string]string) { files[name] = text }
}

func edit(name, old, new string) func(map[string]string) {
	return func(files map[string]string) {
		if !strings.Contains(files[name], old) {
			panic(name + " has no " + old)
		}
		files[name] = strings.Replace(files[name], old, new, 1)
	}
}

// line changes the n-th line, from 1, of a file.
func line(name string, n int, f func(string) string) func(map[string]string) {
	return func(files map[string]string) {
		lines := strings.SplitAfter(files[name], "\n")
		lines[n-1] = f(lines[n-1])
		files[name] = strings.Join(lines, "")
	}
}

// cell changes one cell of line 17 of ballots.csv.
func cell(i int, text string) func(map[string]string) {
	return line("ballots.csv", 17, func(row string) string {
		cells := strings.Split(strings.TrimSuffix(row, "\n"), ",")
		cells[i] = text
		return strings.Join(cells, ",") + "\n"
	})
}

func fileMutations() map[string]mutation {
	var other *node
	twice := func(s string) string { return s + s }
	none := func(string) string { return "" }
	checkpoints := func(f func(files map[string]string) string) func(map[string]string) {
		return func(files map[string]string) { files["checkpoints.json"] = f(files) }
	}
	return map[string]mutation{
		"log left out":         {files: func(f map[string]string) { delete(f, "log.txt") }, where: "log.txt"},
		"rows left out":        {files: func(f map[string]string) { delete(f, "ballots.csv") }, where: "ballots.csv"},
		"key.txt of two lines": {files: func(f map[string]string) { f["key.txt"] += f["key.txt"] }, where: "key.txt"},
		"key.txt of no key":    {files: set("key.txt", "hallo\n"), where: "key.txt"},
		"key.txt huge":         {files: set("key.txt", strings.Repeat("x", 5000)), where: "key.txt"},
		"foreign checkpoints": {
			log:   func(n *node) { other = newNode(n.t, "x.example").hold(shapes()["single"]) },
			files: func(f map[string]string) { f["checkpoints.json"] = compact(other.checkpoints(other.sizes...)) },
			where: "checkpoints.json checkpoint 1",
		},
		"checkpoints absurd":      {files: set("checkpoints.json", strings.Repeat("[", 100_000)), where: "checkpoints.json checkpoint 1"},
		"checkpoints null":        {files: set("checkpoints.json", "[null]"), where: "checkpoints.json checkpoint 1"},
		"checkpoints none":        {files: set("checkpoints.json", "[]"), where: "checkpoints.json"},
		"checkpoints no array":    {files: set("checkpoints.json", "{}"), where: "checkpoints.json"},
		"checkpoints and more":    {files: checkpoints(func(f map[string]string) string { return f["checkpoints.json"] + "[]" }), where: "checkpoints.json"},
		"checkpoints cut off":     {files: checkpoints(func(f map[string]string) string { return strings.TrimSuffix(f["checkpoints.json"], "]") }), where: "checkpoints.json"},
		"checkpoints swapped":     {log: func(n *node) { slices.Reverse(n.sizes) }, where: "checkpoints.json checkpoint 2"},
		"checkpoint doubled":      {log: func(n *node) { n.sizes = append(n.sizes, n.sizes[2]) }, where: "checkpoints.json checkpoint 4"},
		"last checkpoint missing": {log: func(n *node) { n.sizes = n.sizes[:2] }, where: "checkpoints.json checkpoint 2"},
		"entry altered":           {files: line("log.txt", 5, func(s string) string { return strings.Replace(s, s[20:22], "//", 1) }), where: "checkpoints.json checkpoint 2"},
		"last entry dropped":      {files: line("log.txt", 55, none), where: "checkpoints.json checkpoint 3"},
		"log without end":         {files: func(f map[string]string) { f["log.txt"] = strings.TrimSuffix(f["log.txt"], "\n") }, where: "log.txt line LINES"},
		"log of one huge line":    {files: set("log.txt", strings.Repeat("x", 3<<20)), where: "log.txt line 1"},
		"log not UTF-8":           {files: line("log.txt", 3, func(s string) string { return "ballot/v1 \xff\n" }), where: "log.txt line 3"},
		"log empty":               {files: set("log.txt", ""), where: "checkpoints.json checkpoint 3"},
		"question altered":        {files: edit("question.json", "Welke", "Welk "), where: "log entry 0 (open/v1)"},
		"question ends newline":   {files: edit("question.json", "}", "}\n"), where: "log entry 0 (open/v1)"},

		"row altered, other option": {files: line("ballots.csv", 17, func(s string) string {
			return strings.NewReplacer(",1,", ",2,", ",2,", ",3,", ",3,", ",1,").Replace(s)
		}), where: "ballots.csv line 17"},
		"row of no such option":    {files: cell(1, "4"), where: "ballots.csv line 17"},
		"row of option 0":          {files: cell(1, "0"), where: "ballots.csv line 17"},
		"row of option 01":         {files: cell(1, "01"), where: "ballots.csv line 17"},
		"row of two options":       {files: cell(1, "1 2"), where: "ballots.csv line 17"},
		"row without options":      {files: cell(1, ""), where: "ballots.csv line 17"},
		"row with a bad code":      {files: cell(0, "AAAA-AAAA-AAAA-AAA1"), where: "ballots.csv line 17"},
		"row with a bad nonce":     {files: cell(2, strings.Repeat("A", 32)), where: "ballots.csv line 17"},
		"row with another nonce":   {files: cell(2, strings.Repeat("a", 32)), where: "ballots.csv line 17"},
		"row of four cells":        {files: line("ballots.csv", 17, func(s string) string { return "x," + s }), where: "ballots.csv line 17"},
		"row with carriage return": {files: line("ballots.csv", 17, func(s string) string { return strings.Replace(s, "\n", "\r\n", 1) }), where: "ballots.csv line 17"},
		"row empty":                {files: line("ballots.csv", 17, func(s string) string { return "\n" }), where: "ballots.csv line 17"},
		"row doubled":              {files: line("ballots.csv", 17, twice), where: "ballots.csv line 18"},
		"rows unsorted": {files: func(f map[string]string) {
			rows := strings.SplitAfter(f["ballots.csv"], "\n")
			rows[15], rows[16] = rows[16], rows[15]
			f["ballots.csv"] = strings.Join(rows, "")
		}, where: "ballots.csv line 17"},
		"row huge":         {files: cell(0, strings.Repeat("A", 2<<20)), where: "ballots.csv line 17"},
		"no header":        {files: line("ballots.csv", 1, none), where: "ballots.csv line 1"},
		"rows empty":       {files: set("ballots.csv", ""), where: "ballots.csv"},
		"row and withheld": {shape: "withheld", files: line("ballots.csv", 1, func(s string) string { return s + "x\n" }), where: "ballots.csv line 2"},

		"result, turnout":      {files: edit("result.json", `"turnout":40`, `"turnout":41`), where: "result.json"},
		"result, counts":       {files: edit("result.json", `[14,13,13]`, `[13,14,13]`), where: "result.json"},
		"result, fewer counts": {files: edit("result.json", `[14,13,13]`, `[14,13]`), where: "result.json"},
		"result, null":         {files: edit("result.json", `[14,13,13]`, `null`), where: "result.json"},
		"result, options":      {files: edit("result.json", `Plein 1`, `Plein 9`), where: "result.json"},
		"result, entries":      {files: edit("result.json", `"entries":`, `"entries":1`), where: "result.json"},
		"result, doubled":      {files: edit("result.json", `"turnout":40`, `"turnout":40,"turnout":40`), where: "result.json"},
		"result, a fraction":   {files: edit("result.json", `"turnout":40`, `"turnout":4e1`), where: "result.json"},
		"result, absurd":       {files: set("result.json", strings.Repeat(`{"turnout":`, 50_000)), where: "result.json"},
		"result, empty":        {files: set("result.json", ""), where: "result.json"},
	}
}

// at changes entry i; negative ones count from the end.
func entry(i int, old, new string) func(*node) {
	return func(n *node) {
		if i < 0 {
			i += len(n.log)
		}
		if !strings.Contains(n.log[i], old) {
			panic(n.log[i])
		}
		n.log[i] = strings.Replace(n.log[i], old, new, 1)
	}
}

// insert puts an entry before the i-th, and has the checkpoints cover it.
func insert(i int, text string) func(*node) {
	return func(n *node) {
		at := i
		if at < 0 {
			at += len(n.log) + 1
		}
		n.log = slices.Insert(n.log, at, text)
		n.sizes[len(n.sizes)-1] = int64(len(n.log))
	}
}

func both(steps ...func(*node)) func(*node) {
	return func(n *node) {
		for _, step := range steps {
			step(n)
		}
	}
}

// rewritten has the node log other options, or another code, for the row that is
// to be line 17 of ballots.csv, so that only the row itself is wrong.
func rewritten(code, options string) func(*node) {
	return func(n *node) {
		c := strings.Split(n.rows[15], ",")
		i := slices.Index(n.log, "ballot/v1 "+n.commitment(c[0], c[1], c[2]))
		if code == "the one before" {
			c[0] = strings.Split(n.rows[14], ",")[0]
		}
		c[1] = options
		n.rows[15] = strings.Join(c, ",")
		n.log[i] = "ballot/v1 " + n.commitment(c[0], c[1], c[2])
	}
}

// logMutations are those of a node that signs a log that breaks the rules. Of the
// log "single", entry 1 is a ballot that entry 2 voids; 3, 4 and 5 are ballots.
func logMutations() map[string]mutation {
	const pause = `pause/v1 {"at":` + at + `}`
	return map[string]mutation{
		"opened twice":           {log: func(n *node) { insert(3, n.log[0])(n) }, where: "log entry 3 (open/v1)"},
		"not opened":             {log: func(n *node) { n.log[0] = pause }, where: "log entry 0 (pause/v1)"},
		"reopened after close":   {log: insert(-1, `resume/v1 {"at":`+at+`,"acceptsUntil":`+at+`}`), where: "log entry LAST (resume/v1)"},
		"closed twice":           {log: func(n *node) { insert(-1, n.log[len(n.log)-1])(n) }, where: "log entry LAST (close/v1)"},
		"closed early":           {log: func(n *node) { insert(5, n.log[len(n.log)-1])(n) }, where: "log entry 5 (close/v1)"},
		"not closed":             {log: func(n *node) { n.log = n.log[:len(n.log)-1]; n.sizes[2]-- }, where: "log entry LAST"},
		"destroyed before":       {log: insert(5, `destroy/v1 {"step":"done","at":`+at+`}`), where: "log entry 5 (destroy/v1)"},
		"unknown type":           {log: insert(5, `ballot/v2 x`), where: "log entry 5 (ballot/v2)"},
		"empty entry":            {log: insert(5, ""), where: "log entry 5"},
		"white space":            {log: entry(2, `,"reason"`, `, "reason"`), where: "log entry 2 (void/v1)"},
		"space after type":       {log: entry(2, ` {`, `  {`), where: "log entry 2 (void/v1)"},
		"member order":           {log: entry(2, `{"entry":1,"reason":"superseded"}`, `{"reason":"superseded","entry":1}`), where: "log entry 2 (void/v1)"},
		"member more":            {log: entry(2, `"}`, `","x":1}`), where: "log entry 2 (void/v1)"},
		"member less":            {log: entry(2, `,"reason":"superseded"`, ``), where: "log entry 2 (void/v1)"},
		"two objects":            {log: entry(2, `}`, `}{}`), where: "log entry 2 (void/v1)"},
		"reason":                 {log: entry(2, `superseded`, `unwelcome`), where: "log entry 2 (void/v1)"},
		"void of itself":         {log: entry(2, `"entry":1`, `"entry":2`), where: "log entry 2 (void/v1)"},
		"void of a later one":    {log: entry(2, `"entry":1`, `"entry":3`), where: "log entry 2 (void/v1)"},
		"void of the opening":    {log: entry(2, `"entry":1`, `"entry":0`), where: "log entry 2 (void/v1)"},
		"void of nothing":        {log: entry(2, `"entry":1`, `"entry":-1`), where: "log entry 2 (void/v1)"},
		"void twice":             {log: func(n *node) { insert(3, n.log[2])(n) }, where: "log entry 3 (void/v1)"},
		"void too many":          {log: insert(5, `void/v1 {"entry":3,"reason":"withdrawn"}`), where: "log entry LAST (close/v1)"},
		"time with offset":       {log: insert(5, `pause/v1 {"at":"2026-12-24T16:00:00+01:00"}`), where: "log entry 5 (pause/v1)"},
		"time with fractions":    {log: insert(5, `pause/v1 {"at":"2026-12-24T16:00:00.5Z"}`), where: "log entry 5 (pause/v1)"},
		"resume without end":     {log: insert(5, `resume/v1 {"at":`+at+`}`), where: "log entry 5 (resume/v1)"},
		"commitment too short":   {log: func(n *node) { n.log[3] = n.log[3][:40] }, where: "log entry 3 (ballot/v1)"},
		"commitment, loose bits": {log: func(n *node) { n.log[3] = n.log[3][:52] + "B=" }, where: "log entry 3 (ballot/v1)"},
		"commitment twice":       {log: both(func(n *node) { n.log[5] = n.log[3] }), where: "log entry 5 (ballot/v1)"},
		"commitment of another": {log: func(n *node) {
			n.log[3] = "ballot/v1 " + n.commitment("AAAA-AAAA-AAAA-AAAA", "1", strings.Repeat("0", 32))
		}, where: "ballots.csv line 9"},
		"another consultation": {log: entry(0, `"consultation":"K3J5"`, `"consultation":"K3J6"`), where: "log entry 0 (open/v1)"},
		"another kind":         {log: entry(0, `single-choice`, `ranked-choice`), where: "log entry 0 (open/v1)"},
		"per option, needless": {log: entry(0, `"perOption":false`, `"perOption":true`), where: "log entry 0 (open/v1)"},
		"option null":          {log: entry(0, `"options":["Plein 1 é"`, `"options":[null`), where: "log entry 0 (open/v1)"},

		"row dropped": {log: func(n *node) {
			i := slices.IndexFunc(n.rows, func(r string) bool {
				c := strings.Split(r, ",")
				return n.log[4] == "ballot/v1 "+n.commitment(c[0], c[1], c[2])
			})
			n.rows = slices.Delete(n.rows, i, i+1)
		}, where: "log entry 4 (ballot/v1)"},
		"row of a void ballot": {log: func(n *node) {
			n.ballot([]int{1})
			n.log = n.log[:len(n.log)-1]
			row := n.rows[len(n.rows)-1]
			n.rows = append([]string{"2222" + row[4:]}, n.rows[:len(n.rows)-1]...)
			c := strings.Split(n.rows[0], ",")
			n.log[1] = "ballot/v1 " + n.commitment(c[0], c[1], c[2])
		}, where: "ballots.csv line 2"},
		"row too many": {log: func(n *node) {
			n.rows = append([]string{"2222-2222-2222-2222,1," + strings.Repeat("0", 32)}, n.rows...)
		}, where: "ballots.csv line 2"},

		"code twice":                     {log: rewritten("the one before", "1"), where: "ballots.csv line 17"},
		"two options logged":             {log: rewritten("", "1 2"), where: "ballots.csv line 17"},
		"option twice, logged":           {shape: "multiple", log: rewritten("", "2 2"), where: "ballots.csv line 17"},
		"descending, logged":             {shape: "multiple", log: rewritten("", "2 1"), where: "ballots.csv line 17"},
		"per option, two logged":         {shape: "per option", log: rewritten("", "1 2"), where: "ballots.csv line 17"},
		"another choice, logged":         {log: rewritten("", "1"), where: "log entry LAST (close/v1)"},
		"multiple, wrong turnout":        {shape: "multiple", log: both(entry(-1, `"turnout":37`, `"turnout":38`), func(n *node) { n.turnout = 38 }), where: "log entry LAST (close/v1)"},
		"few per option, wrong counts":   {shape: "few per option", log: both(entry(-1, `[1,2,`, `[2,2,`), func(n *node) { n.counts[0] = 2 }), where: "log entry LAST (close/v1)"},
		"wrong sums":                     {log: both(entry(-1, `[14,13,13]`, `[13,14,13]`), func(n *node) { n.counts = []int{13, 14, 13} }), where: "log entry LAST (close/v1)"},
		"wrong turnout":                  {log: both(entry(-1, `"turnout":40`, `"turnout":41`), func(n *node) { n.turnout = 41 }), where: "log entry LAST (close/v1)"},
		"wrong live":                     {log: entry(-1, `"live":40`, `"live":41`), where: "log entry LAST (close/v1)"},
		"counts missing":                 {log: entry(-1, `[14,13,13]`, `[14,26]`), where: "log entry LAST (close/v1)"},
		"rows unknown":                   {log: entry(-1, `published`, `elsewhere`), where: "log entry LAST (close/v1)"},
		"withheld for no reason":         {log: both(entry(-1, `published`, `withheld`), func(n *node) { n.rows = nil }), where: "log entry LAST (close/v1)"},
		"withheld, wrong live":           {shape: "withheld", log: entry(-1, `"live":9`, `"live":8`), where: "log entry LAST (close/v1)"},
		"withheld, wrong turnout":        {shape: "withheld", log: entry(-1, `"turnout":9`, `"turnout":8`), where: "log entry LAST (close/v1)"},
		"withheld, wrong counts":         {shape: "withheld", log: entry(-1, `[5,4]`, `[6,4]`), where: "log entry LAST (close/v1)"},
		"per option, impossible turnout": {shape: "per option", log: entry(-1, `"turnout":30`, `"turnout":3`), where: "log entry LAST (close/v1)"},
		"per option, two in a row":       {shape: "per option", files: cell(1, "1 2"), where: "ballots.csv line 17"},
		"multiple, descending":           {shape: "multiple", files: cell(1, "2 1"), where: "ballots.csv line 17"},
		"multiple, two spaces":           {shape: "multiple", files: cell(1, "1  2"), where: "ballots.csv line 17"},
		"multiple, twice":                {shape: "multiple", files: cell(1, "2 2"), where: "ballots.csv line 17"},
		"multiple, space at end":         {shape: "multiple", files: cell(1, "2 "), where: "ballots.csv line 17"},
		"multiple, another choice":       {shape: "multiple", files: cell(1, "1 2 3 4 5"), where: "ballots.csv line 17"},
	}
}
