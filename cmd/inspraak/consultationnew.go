package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"inspraak/participation"
)

// consultationNew writes a file to fill in.
type consultationNew struct {
	Name     string             `arg:"" help:"Slug, or file to write (SLUG.md)."`
	Kind     participation.Kind `default:"single-choice" enum:"single-choice,multiple-choice,open-question" help:"${enum}."`
	Language string             `help:"nl or en; the node's own if left out."`
	Channel  string             `help:"Channel that will publish it; the first if left out."`
}

// Run writes the template with the node's defaults, and overwrites nothing.
// What only the author can know is left empty, so that publish asks for it.
func (n consultationNew) Run(a *app) error {
	return a.at(func(o *office) error {
		path, slug := n.Name, strings.TrimSuffix(filepath.Base(n.Name), ".md")
		if !strings.HasSuffix(path, ".md") {
			path += ".md"
		}
		if n.Language == "" {
			n.Language = o.Language
		}
		words, ok := templateWords(n.Language, o.Contact)
		if !ok {
			return fmt.Errorf("new consultation: no template in language %q; use nl or en", n.Language)
		}
		channels, err := o.channelNames(a)
		if err != nil {
			return err
		}
		if n.Channel == "" {
			n.Channel = channels[0]
		}
		closes := a.now().In(o.Zone).AddDate(0, 0, 28)
		text := &strings.Builder{}
		form, err := consultationTemplate()
		if err != nil {
			return fmt.Errorf("new consultation: %w", err)
		}
		err = form.Execute(text, map[string]any{
			"Slug": slug, "Kind": n.Kind, "Language": n.Language, "Channel": n.Channel, "HasOptions": n.Kind.HasOptions(),
			"Closes":   time.Date(closes.Year(), closes.Month(), closes.Day(), 17, 0, 0, 0, o.Zone).Format("2006-01-02 15:04"),
			"Timezone": o.Timezone, "Defaults": o.Defaults, "Words": words,
		})
		if err != nil {
			return fmt.Errorf("new consultation: %w", err)
		}
		if err := writeNew(path, []byte(text.String()), 0o644); errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("new consultation: %s is there already, and is not overwritten", path)
		} else if err != nil {
			return fmt.Errorf("new consultation: %w", err)
		}
		a.say("Written: %s\nFill it in, then: inspraak consultation publish %s --dry-run", path, path)
		return nil
	})
}

// words are what citizens will read unless the author changes it.
type words struct {
	Promises               []promise
	DecidedBy, Notice      string
	NotOpenHint, TitleHint string
	BodyHint               string
}

// promise is what a participation level promises.
type promise struct {
	Level participation.Level
	Text  string
}

// Promise is what the level promises that the template starts with.
func (w words) Promise() string {
	for _, p := range w.Promises {
		if p.Level == participation.Consult {
			return p.Text
		}
	}
	return ""
}

// templateWords are the texts offered to a small municipality: plain Dutch
// (B1) or English. What the levels promise follows the usual participation
// ordinances; the notice follows from the Awb, division 3.4 and chapter 6.
func templateWords(language, contact string) (words, bool) {
	switch language {
	case "nl":
		return words{
			Promises: []promise{
				{participation.Inform, "Wij vertellen u wat er gaat gebeuren en waarom. Wij beantwoorden uw vragen."},
				{participation.Consult, "Wij lezen alle bijdragen en wegen ze mee. U hoort van ons wat wij ermee doen, en waarom."},
				{participation.Advise, "U geeft ons advies. Wij volgen het, of wij leggen openbaar uit waarom niet."},
				{participation.Coproduce, "Wij werken het plan samen met u uit. Wat wij samen afspreken, komt in het voorstel."},
				{participation.Codecide, "U beslist mee. Wij voeren de uitkomst uit, binnen de grenzen die hier staan."},
			},
			DecidedBy:   "Het college van burgemeester en wethouders",
			Notice:      "Uw stem of reactie hier is geen zienswijze en geen bezwaar volgens de wet. Wilt u die indienen? Vraag ons hoe dat moet: " + contact + ".",
			NotOpenHint: "wat al vaststaat, bijvoorbeeld: Het budget en de plek staan vast.",
			TitleHint:   "de vraag in één zin, bijvoorbeeld: Welke naam krijgt het nieuwe plein?",
			BodyHint:    "Leg in een paar korte zinnen uit wat u vraagt en waarom.",
		}, true
	case "en":
		return words{
			Promises: []promise{
				{participation.Inform, "We tell you what is going to happen and why. We answer your questions."},
				{participation.Consult, "We read all contributions and take them into account. We tell you what we do with them, and why."},
				{participation.Advise, "You give us advice. We follow it, or explain in public why not."},
				{participation.Coproduce, "We work out the plan together with you. What we agree on goes into the proposal."},
				{participation.Codecide, "You decide with us. We carry out the outcome, within the limits given here."},
			},
			DecidedBy:   "The mayor and aldermen",
			Notice:      "Your vote or reply here is not a formal view (zienswijze) and not a formal objection under Dutch law. Do you want to file one? Ask us how: " + contact + ".",
			NotOpenHint: "what has been settled, for example: Budget and place are fixed.",
			TitleHint:   "the question in one sentence, for example: What shall we call the new square?",
			BodyHint:    "Explain in a few short sentences what you ask and why.",
		}, true
	}
	return words{}, false
}

func consultationTemplate() (*template.Template, error) {
	return template.New("consultation").Funcs(template.FuncMap{"quote": yamlQuote}).Parse(`---
# A consultation. Fill in what is empty. "inspraak consultation publish FILE
# --dry-run" says what is still missing. After publishing nothing can change.

# {{.Words.TitleHint}}
title:
slug: {{.Slug}}
language: {{.Language}}
channel: {{.Channel}}

# single-choice, multiple-choice or open-question
kind: {{.Kind}}
{{- if .HasOptions}}
# Two to four options reach everybody; at most 50. Short, without < > & and
# emoji codes, for example:
#   - Ja
#   - Nee
options:
{{- end}}

# Times are local ({{.Timezone}}) or with an offset, 2026-12-24T17:00:00+01:00.
# Leave out opens to open at once.
# opens: 2026-12-01 09:00
closes: {{.Closes}}

# at-close: nobody sees counts before closing. live: counts while voting.
results: at-close
# tags: [verkeer]
# image:
#   file: plein.jpg
#   alt: what the picture shows, for those who cannot see it

# How far the say of citizens goes, and what that promises them:
{{- range .Words.Promises}}
#   {{.Level}}: {{.Text}}
{{- end}}
level: consult
promise: {{quote .Words.Promise}}
decided_by: {{quote .Words.DecidedBy}}
# when the decision is expected, in words
decided_when:
# {{.Words.NotOpenHint}}
not_open:
notice: {{quote .Words.Notice}}

# Rarely needed; the node's own values are shown.
# allowed_servers: [social.example.nl]   # voting only from accounts there
# batch_size: {{.Defaults.BatchSize}}
# interval: {{.Defaults.Interval}}
# grace: {{.Defaults.Grace}}
# auditor_key: age1…   # of an auditor, who can then see who voted what

# The text, in Markdown, comes below the next line. {{.Words.BodyHint}}
---
`)
}
