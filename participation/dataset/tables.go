package dataset

import (
	"io"
	"strings"
	"time"
)

// table describes a CSV file, once for its header line, its metadata and the
// data card.
type table struct {
	File     string
	Title    words
	Columns  []column
	Key      int  // how many of them, the first ones, are the key together; 0 means 1
	Headless bool // it has no header line
}

type column struct {
	Name      string
	Title     words
	Meaning   words // with form or unit
	Datatype  map[string]any
	Separator string
	Empty     bool // a cell may be
}

// name is that of a column in metadata, where no hyphen may be (CSVW vocabulary,
// section 5.5.1).
func (c column) name() string { return strings.ReplaceAll(c.Name, "-", "_") }

// words is a text in both languages.
type words struct{ EN, NL string }

func (t table) header() []string {
	var names []string
	for _, c := range t.Columns {
		names = append(names, c.Name)
	}
	return names
}

func ballots(in Input) table {
	options := words{
		"the numbers of the options chosen, counted from 1 in the order of result.json, ascending, one space between",
		"de nummers van de gekozen antwoorden, geteld vanaf 1 in de volgorde van result.json, oplopend, met een spatie ertussen",
	}
	if in.PerOption || in.Kind == "single-choice" {
		options = words{
			"the number of the option chosen, counted from 1 in the order of result.json",
			"het nummer van het gekozen antwoord, geteld vanaf 1 in de volgorde van result.json",
		}
	}
	code := words{
		"stands for the voter, who was sent it, in this consultation only. Four groups of four of A–Z and 2–7, with hyphens",
		"staat voor de stemmer, die de code kreeg, alleen in deze raadpleging. Vier groepen van vier tekens A–Z en 2–7, met streepjes",
	}
	if in.PerOption {
		code = words{
			"stands for one choice of one voter, who was sent it, in this consultation only. Four groups of four of A–Z and 2–7, with hyphens",
			"staat voor een keuze van een stemmer, die de code kreeg, alleen in deze raadpleging. Vier groepen van vier tekens A–Z en 2–7, met streepjes",
		}
	}
	return table{File: "ballots.csv", Title: words{"Ballots", "Stemmen"}, Columns: []column{
		{
			Name: "code", Title: words{"Code", "Code"}, Meaning: code,
			Datatype: map[string]any{"base": "string", "format": "[A-Z2-7]{4}(-[A-Z2-7]{4}){3}"},
		},
		{
			Name: "options", Title: words{"Options chosen", "Gekozen antwoorden"}, Meaning: options,
			Datatype:  map[string]any{"base": "integer", "minimum": 1, "maximum": len(in.Options)},
			Separator: " ",
		},
		{
			Name: "nonce", Title: words{"Nonce", "Toevalsgetal"},
			Meaning: words{
				"a random number without meaning, needed to check the row against the log. 32 hexadecimal digits",
				"een toevalsgetal zonder betekenis, nodig om de regel met het logboek te vergelijken. 32 hexadecimale cijfers",
			},
			Datatype: map[string]any{"base": "string", "format": "[0-9a-f]{32}"},
		},
	}}
}

func servers(Input) table {
	return table{File: "servers.csv", Title: words{"Ballots by server", "Stemmen per server"}, Columns: []column{
		{
			Name: "server", Title: words{"Server", "Server"},
			Meaning: words{
				"host name of the server where the voters have their accounts; `other` is all servers not named, together",
				"naam van de server waar de stemmers hun account hebben; `other` is alle niet genoemde servers samen",
			},
			Datatype: map[string]any{"base": "string", "minLength": 1},
		},
		{
			Name: "at_least", Title: words{"At least", "Minstens"},
			Meaning: words{
				"number of ballots counted, at least; servers with fewer than 10 are not named",
				"aantal getelde stemmen, minstens; servers met minder dan 10 worden niet genoemd",
			},
			Datatype: map[string]any{"base": "integer", "minimum": 0},
		},
		{
			Name: "at_most", Title: words{"At most", "Hoogstens"},
			Meaning: words{
				"the same, at most; mostly two more or less than a multiple of 5",
				"hetzelfde, hoogstens; meestal twee meer of minder dan een veelvoud van 5",
			},
			Datatype: map[string]any{"base": "integer", "minimum": 0},
		},
	}}
}

func refused(Input) table {
	return table{File: "refused.csv", Title: words{"Votes not counted", "Niet getelde stemmen"}, Columns: []column{
		{
			Name: "reason", Title: words{"Reason", "Reden"},
			Meaning: words{
				"why a vote that was received does not count; the words are explained below",
				"waarom een ontvangen stem niet meetelt",
			},
			Datatype: map[string]any{"base": "string", "minLength": 1},
		},
		{
			Name: "votes", Title: words{"Votes", "Stemmen"},
			Meaning: words{
				"number of votes received, not of voters",
				"aantal ontvangen stemmen, niet van stemmers",
			},
			Datatype: map[string]any{"base": "integer", "minimum": 0},
		},
	}}
}

// reason explains one of refused.csv, "" if this room has no words for it.
func reason(name string) string {
	return map[string]string{
		"repeated":       "the account had voted already, and the first vote counts",
		"late":           "received after the deadline",
		"early":          "received before voting began",
		"unknown-option": "for an option that there is not",
		"not-allowed":    "from a server that was not among those allowed",
		"revoked":        "taken back before or when it arrived",
		"not-votable":    "sent when the consultation could not be voted on",
		"withdrawn":      "counted at first, then taken back by the voter",
		"unverified":     "its signature could never be checked",
		"private-reply":  "a reply that is not public, which is not kept",
		"unknown":        "another reason",
		Other:            "all reasons not named, together",
	}[name]
}

// metadata is the file that describes a table in the vocabulary of CSV on the Web
// (https://www.w3.org/TR/2015/REC-tabular-metadata-20151217/). It lies where
// programs look for it: beside the table, under its name and "-metadata.json"
// (https://www.w3.org/TR/2015/REC-tabular-data-model-20151217/, section 5.3).
func metadata(of func(Input) table) file {
	return file{of(Input{}).File + "-metadata.json", func(in Input, w io.Writer) error {
		return writeJSON(w, describe(in, of(in)), "  ")
	}}
}

func describe(in Input, t table) any {
	var columns []any
	var key []string
	for i, c := range t.Columns {
		if i < max(t.Key, 1) {
			key = append(key, c.name())
		}
		columns = append(columns, csvwColumn{
			Name: c.name(),
			// What the header line says must be among the titles (section 5.5.1).
			Titles:      map[string][]string{"en": {c.Name, c.Title.EN}, "nl": {c.Name, c.Title.NL}},
			Description: tagged(c.Meaning),
			Datatype:    c.Datatype,
			Separator:   c.Separator,
			Required:    !c.Empty,
		})
	}
	return csvwTable{
		Context: "http://www.w3.org/ns/csvw",
		URL:     t.File,
		Title:   tagged(t.Title),
		Creator: in.Municipality,
		License: map[string]string{"@id": License},
		Issued:  map[string]string{"@value": in.Closed.UTC().Format(time.RFC3339), "@type": "xsd:dateTime"},
		PartOf: map[string]any{
			"@id":      in.Page,
			"dc:title": map[string]string{"@value": in.Title, "@language": in.Language},
		},
		Dialect: map[string]any{
			"encoding": "utf-8", "header": !t.Headless, "delimiter": ",", "quoteChar": `"`, "doubleQuote": true,
			"lineTerminators": []string{"\n"},
		},
		Schema: csvwSchema{columns, oneOrMore(key)},
	}
}

type csvwTable struct {
	Context string            `json:"@context"`
	URL     string            `json:"url"`
	Title   []any             `json:"dc:title"`
	Creator string            `json:"dc:creator"`
	License map[string]string `json:"dc:license"`
	Issued  map[string]string `json:"dc:issued"`
	PartOf  map[string]any    `json:"dc:isPartOf"`
	Dialect map[string]any    `json:"dialect"`
	Schema  csvwSchema        `json:"tableSchema"`
}

type csvwSchema struct {
	Columns    []any `json:"columns"`
	PrimaryKey any   `json:"primaryKey"` // a string or several
}

type csvwColumn struct {
	Name        string              `json:"name"`
	Titles      map[string][]string `json:"titles"`
	Description []any               `json:"dc:description"`
	Datatype    map[string]any      `json:"datatype"`
	Separator   string              `json:"separator,omitempty"`
	Required    bool                `json:"required"`
}

// oneOrMore is a string, or an array of several.
func oneOrMore(list []string) any {
	if len(list) == 1 {
		return list[0]
	}
	return list
}

func tagged(w words) []any {
	return []any{
		map[string]string{"@value": w.EN, "@language": "en"},
		map[string]string{"@value": w.NL, "@language": "nl"},
	}
}
