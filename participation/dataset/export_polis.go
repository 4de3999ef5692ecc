package dataset

import (
	"encoding/csv"
	"io"
	"strconv"
)

// The exports of Polis (https://compdemocracy.org/export) are of people who agree
// or disagree with statements of each other. An option of a multiple choice is
// such a statement, and choosing it is agreeing. Not choosing it is neither
// disagreeing nor passing, so those cells are empty. Columns that nobody could fill
// are left out: times, groups and who wrote what.

func number(least, most int) map[string]any {
	d := map[string]any{"base": "integer", "minimum": least}
	if most >= least {
		d["maximum"] = most
	}
	return d
}

func (p poll) comment() column {
	return column{Name: "comment-id", Title: words{"Statement", "Stelling"}, Datatype: number(0, len(p.question.Options)-1),
		Meaning: words{"number of the option, counted from 0", "nummer van het antwoord, geteld vanaf 0"}}
}

func (p poll) voter(name string) column {
	return column{Name: name, Title: words{"Voter", "Stemmer"}, Datatype: number(0, p.result.Turnout-1),
		Meaning: words{"number of the row in ballots.csv, counted from 0 without the header line", "nummer van de regel in ballots.csv, geteld vanaf 0 zonder de kopregel"}}
}

func count(name string, title words) column {
	return column{Name: name, Title: title, Datatype: number(0, -1),
		Meaning: words{"a number of votes or statements, as Polis counts them", "een aantal stemmen of stellingen, zoals Polis telt"}}
}

func (p poll) commentsTable() table {
	return table{File: "polis-comments.csv", Title: words{"Statements for Polis", "Stellingen voor Polis"}, Columns: []column{
		p.comment(), count("agrees", words{"Agree", "Eens"}), count("disagrees", words{"Disagree", "Oneens"}),
		{Name: "comment-body", Title: words{"Text", "Tekst"}, Datatype: map[string]any{"base": "string", "minLength": 1},
			Meaning: words{"the option", "het antwoord"}},
	}}
}

func (p poll) comments(w io.Writer) error {
	out := csv.NewWriter(w)
	records := [][]string{p.commentsTable().header()}
	for i, o := range p.question.Options {
		records = append(records, []string{strconv.Itoa(i), strconv.Itoa(p.result.Counts[i]), "0", unformula(o)})
	}
	return out.WriteAll(records) // flushes
}

func (p poll) votesTable() table {
	return table{File: "polis-votes.csv", Title: words{"Votes for Polis", "Stemmen voor Polis"}, Key: 2, Columns: []column{
		p.comment(), p.voter("voter-id"),
		{Name: "vote", Title: words{"Vote", "Stem"}, Datatype: number(1, 1), Meaning: words{"1: the option was chosen", "1: het antwoord is gekozen"}},
	}}
}

func (p poll) votes(w io.Writer) error {
	out := csv.NewWriter(w)
	if err := out.Write(p.votesTable().header()); err != nil {
		return err
	}
	voter := 0
	err := p.each(func(row Row) error {
		for _, o := range row.Options {
			if err := out.Write([]string{strconv.Itoa(o - 1), strconv.Itoa(voter), "1"}); err != nil {
				return err
			}
		}
		voter++
		return nil
	})
	out.Flush()
	if err == nil {
		err = out.Error()
	}
	return err
}

func (p poll) participantsTable() table {
	t := table{File: "polis-participants-votes.csv", Title: words{"Voters for Polis", "Stemmers voor Polis"}, Columns: []column{
		p.voter("participant"), count("n-votes", words{"Votes", "Stemmen"}), count("n-agree", words{"Agree", "Eens"}), count("n-disagree", words{"Disagree", "Oneens"}),
	}}
	for i, o := range p.question.Options {
		t.Columns = append(t.Columns, column{Name: strconv.Itoa(i), Title: words{line(o), line(o)}, Datatype: number(1, 1), Empty: true,
			Meaning: words{"1: the option of this number was chosen; empty: it was not", "1: het antwoord met dit nummer is gekozen; leeg: niet gekozen"}})
	}
	return t
}

func (p poll) participants(w io.Writer) error {
	out := csv.NewWriter(w)
	if err := out.Write(p.participantsTable().header()); err != nil {
		return err
	}
	voter := 0
	err := p.each(func(row Row) error {
		n := strconv.Itoa(len(row.Options))
		record := append([]string{strconv.Itoa(voter), n, n, "0"}, make([]string, len(p.question.Options))...)
		for _, o := range row.Options {
			record[3+o] = "1"
		}
		voter++
		return out.Write(record)
	})
	out.Flush()
	if err == nil {
		err = out.Error()
	}
	return err
}

func (p poll) summaryTable() table {
	return table{File: "polis-summary.csv", Title: words{"Summary for Polis", "Samenvatting voor Polis"}, Headless: true, Columns: []column{
		{Name: "name", Title: words{"Name", "Naam"}, Datatype: map[string]any{"base": "string", "minLength": 1}, Meaning: words{"what is told, as Polis calls it", "wat verteld wordt, in de woorden van Polis"}},
		{Name: "value", Title: words{"Value", "Waarde"}, Datatype: map[string]any{"base": "string"}, Empty: true, Meaning: words{"a text, an address or a number", "een tekst, een adres of een getal"}},
	}}
}

func (p poll) summary(w io.Writer) error {
	return csv.NewWriter(w).WriteAll([][]string{ // flushes
		{"topic", unformula(p.question.Question)},
		{"url", p.Page},
		{"voters", strconv.Itoa(p.result.Turnout)},
		{"comments", strconv.Itoa(len(p.question.Options))},
		{"conversation-description", unformula(p.question.Text)},
	})
}
