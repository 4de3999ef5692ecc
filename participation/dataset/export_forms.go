package dataset

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// preflib writes categorical preferences (https://www.preflib.org/format): each
// ballot puts every option in one of two categories.
func (p poll) preflib(w io.Writer) error {
	choices, err := p.choices()
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	closed := p.result.Closed.UTC().Format(time.DateOnly)
	fmt.Fprintf(out, "# FILE NAME: preflib.cat\n# TITLE: %s\n# DESCRIPTION: Ballots of a consultation of %s, %s\n", line(p.question.Question), line(p.Municipality), p.Page)
	fmt.Fprintf(out, "# DATA TYPE: cat\n# MODIFICATION TYPE: original\n# RELATES TO: \n# RELATED FILES: \n# PUBLICATION DATE: %s\n# MODIFICATION DATE: %[1]s\n", closed)
	fmt.Fprintf(out, "# NUMBER ALTERNATIVES: %d\n# NUMBER VOTERS: %d\n# NUMBER UNIQUE PREFERENCES: %d\n", len(p.question.Options), p.result.Turnout, len(choices))
	fmt.Fprint(out, "# NUMBER CATEGORIES: 2\n# CATEGORY NAME 1: Chosen\n# CATEGORY NAME 2: Not chosen\n")
	for i, o := range p.question.Options {
		fmt.Fprintf(out, "# ALTERNATIVE NAME %d: %s\n", i+1, line(o))
	}
	for _, c := range choices {
		var rest []int
		chosen := c.options
		for o := range len(p.question.Options) {
			if len(chosen) > 0 && chosen[0] == o+1 {
				chosen = chosen[1:]
				continue
			}
			rest = append(rest, o+1)
		}
		fmt.Fprintf(out, "%d: %s, %s\n", c.ballots, category(c.options), category(rest))
	}
	return out.Flush()
}

func category(options []int) string {
	if len(options) == 1 {
		return numbers(options, "")
	}
	return "{" + numbers(options, ", ") + "}"
}

// blt writes ballots as programs for transferable votes read them (Hill, Wichmann
// and Woodall, Algorithm 123, 1987; with "=" for equal ranks, as OpenSTV, OpaVote
// and OpenTally have it): one seat, and all options of a ballot in the first place.
func (p poll) blt(w io.Writer) error {
	choices, err := p.choices()
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "%d 1\n", len(p.question.Options))
	for _, c := range choices {
		fmt.Fprintf(out, "%d %s 0\n", c.ballots, numbers(c.options, "="))
	}
	fmt.Fprint(out, "0\n")
	for _, name := range append(p.question.Options[:len(p.question.Options):len(p.question.Options)], p.question.Question) {
		// The form knows no escapes.
		fmt.Fprintf(out, "\"%s\"\n", strings.ReplaceAll(line(name), `"`, "'"))
	}
	return out.Flush()
}

// dds writes records under the names of the Deliberative Data Standard, one a line:
// the project, its statements, how they were counted, what came of it, and the
// votes. It says nothing that the dataset does not: there are no DIDs, no CIDs and
// no times of votes, which the standard's own records have.
func (p poll) dds(w io.Writer) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	type record = map[string]any
	say := func(about Concept, fields record) error {
		fields["$type"] = about.dds()
		return out.Encode(fields)
	}
	at := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	project := record{"uri": p.Page}
	option := func(i int) record { return record{"uri": fmt.Sprint(p.Page, "#option-", i)} }
	err := say(ConceptConsultation, record{"uri": p.Page, "name": p.question.Question, "description": p.question.Text, "creator": record{"name": p.Municipality},
		"phases": []record{{"name": p.question.Kind, "order": 0, "status": "closed", "opened": at(p.question.Opens), "closed": at(p.result.Closed)}}, "createdAt": at(p.question.Opens)})
	for i, text := range p.question.Options {
		if err == nil {
			fields := option(i + 1)
			fields["text"], fields["author"], fields["createdAt"] = text, record{"name": p.Municipality}, at(p.question.Opens)
			err = say(ConceptOption, fields)
		}
	}
	if err == nil {
		err = say(ConceptRule, record{"uri": p.Page + "/dataset/rule.md", "name": "inspraak counting rule " + p.question.Rule, "createdAt": at(p.question.Opens)})
	}
	metric := func(name string, subject record, n int) {
		if err == nil {
			err = say(ConceptFigure, record{"name": name, "metricType": name, "value": record{"$type": ConceptFigure.dds() + "#integerValue", "integer": n},
				"subject": subject, "createdAt": at(p.result.Closed)})
		}
	}
	metric("turnout", project, p.result.Turnout)
	for i, n := range p.result.Counts {
		metric("approvalCount", option(i+1), n)
	}
	if err != nil {
		return err
	}
	return p.each(func(row Row) error {
		for _, o := range row.Options {
			err := say(ConceptVote, record{"author": record{"code": row.Code}, "target": option(o), "value": record{"$type": ConceptVote.dds() + "#approval", "approve": true}})
			if err != nil {
				return err
			}
		}
		return nil
	})
}
