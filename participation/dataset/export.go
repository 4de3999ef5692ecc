package dataset

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Published is a dataset as it was published. Exports are made of it and of
// nothing else, so whoever has the dataset can make them.
type Published struct {
	Municipality string
	Page         string                        // address of the consultation's page
	Question     []byte                        // question.json
	Result       []byte                        // result.json
	Ballots      func() (io.ReadCloser, error) // ballots.csv, from its beginning each time
}

// An Export is a dataset in the form of another tool. The same dataset gives the
// same bytes each time.
type Export struct {
	Name  string
	write func(io.Writer) error
}

// Write writes the file. It reads the ballots once or twice and holds no more of
// them than how often each choice stands there.
func (e Export) Write(w io.Writer) error {
	if err := e.write(w); err != nil {
		return fmt.Errorf("export %s: %w", e.Name, err)
	}
	return nil
}

// Absence is why there is no export of a name.
type Absence string

// The reasons that there are.
const (
	Withheld  Absence = "withheld"   // too few ballots: only totals are published
	PerOption Absence = "per-option" // whole ballots are not published, only the options chosen
	Single    Absence = "single"     // it needs a choice in which each option is judged by itself
)

// export is what can be made of a dataset, and of which ones.
type export struct {
	name     string
	ballots  bool // needs whole ballots
	multiple bool // needs a multiple choice
	write    func(poll, io.Writer) error
}

func exports() []export {
	list := []export{
		{"dds.jsonl", false, false, poll.dds},
		{"preflib.cat", true, false, poll.preflib},
		{"ballots.blt", true, false, poll.blt},
	}
	for _, p := range []struct {
		table func(poll) table
		write func(poll, io.Writer) error
	}{
		{poll.commentsTable, poll.comments}, {poll.votesTable, poll.votes},
		{poll.participantsTable, poll.participants}, {poll.summaryTable, poll.summary},
	} {
		name := p.table(poll{}).File
		list = append(list, export{name, true, true, p.write}, export{name + "-metadata.json", true, true, func(in poll, w io.Writer) error {
			return writeJSON(w, describe(in.input(), p.table(in)), "  ")
		}})
	}
	return list
}

// Exports lists those that this dataset has, and why it has not the others, by
// name. It fails for files that are not those of a dataset (ErrForm).
func (p Published) Exports() (list []Export, not map[string]Absence, err error) {
	in := poll{Published: p}
	if err := errors.Join(json.Unmarshal(p.Question, &in.question), json.Unmarshal(p.Result, &in.result)); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrForm, err)
	}
	if len(in.question.Options) == 0 || len(in.result.Counts) != len(in.question.Options) {
		return nil, nil, fmt.Errorf("%w: %d counts for %d options", ErrForm, len(in.result.Counts), len(in.question.Options))
	}
	not = map[string]Absence{}
	for _, e := range exports() {
		switch {
		case e.ballots && in.withheld():
			not[e.name] = Withheld
		case e.multiple && in.question.Kind != "multiple-choice":
			not[e.name] = Single
		case e.ballots && in.question.PerOption:
			not[e.name] = PerOption
		default:
			list = append(list, Export{e.name, func(w io.Writer) error { return e.write(in, w) }})
		}
	}
	return list, not, nil
}

// poll is a dataset, read.
type poll struct {
	Published
	question struct {
		Question, Text, Language, Kind, Rule string
		Options                              []string
		Opens                                time.Time
		BatchSize                            int
		PerOption                            bool
	}
	result struct {
		Turnout int
		Counts  []int
		Closed  time.Time
	}
}

func (p poll) withheld() bool { return p.result.Turnout < p.question.BatchSize }

// input is what metadata says of the consultation.
func (p poll) input() Input {
	return Input{Municipality: p.Municipality, Title: p.question.Question, Language: p.question.Language, Page: p.Page, Closed: p.result.Closed}
}

// each calls fn for every row of ballots.csv.
func (p poll) each(fn func(Row) error) error {
	if p.withheld() {
		return nil
	}
	r, err := p.Ballots()
	if err != nil {
		return err
	}
	return errors.Join(ReadBallots(r, func(row Row) error {
		if last := len(row.Options); last == 0 || row.Options[last-1] > len(p.question.Options) {
			return fmt.Errorf("%w: %s chose %v of %d options", ErrForm, row.Code, row.Options, len(p.question.Options))
		}
		return fn(row)
	}), r.Close())
}

// A choice is options, ascending, and how many ballots chose just them.
type choice struct {
	options []int
	ballots int
}

// choices adds up equal ballots: the most frequent first, then by options.
func (p poll) choices() ([]choice, error) {
	found := map[string]*choice{}
	err := p.each(func(row Row) error {
		key := fmt.Sprint(row.Options)
		if found[key] == nil {
			found[key] = &choice{options: slices.Clone(row.Options)}
		}
		found[key].ballots++
		return nil
	})
	var list []choice
	for _, c := range found {
		list = append(list, *c)
	}
	slices.SortFunc(list, func(a, b choice) int {
		if a.ballots != b.ballots {
			return b.ballots - a.ballots
		}
		return slices.Compare(a.options, b.options)
	})
	return list, err
}

// line makes a text one line.
func line(s string) string { return strings.Join(strings.Fields(s), " ") }

// numbers writes options with something between.
func numbers(options []int, between string) string {
	var b strings.Builder
	for i, o := range options {
		if i > 0 {
			b.WriteString(between)
		}
		fmt.Fprint(&b, o)
	}
	return b.String()
}
