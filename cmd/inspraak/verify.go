package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"inspraak/verify"
)

// verifyCommand checks the published dataset of a consultation.
type verifyCommand struct {
	Source     string   `arg:"" name:"URL|ZIP" help:"Address of the consultation's page or of its dataset.zip, or a local file."`
	Key        string   `placeholder:"KEY" help:"What you know of the node's log key from elsewhere: the verifier key, its last part as in the profile of the channel, the fingerprint, or the channel's https address."`
	Checkpoint []string `sep:"none" placeholder:"FILE" help:"A text with checkpoints from elsewhere, for example a copied post. May be repeated."`
	JSON       bool     `name:"json" help:"Print one JSON object."`
}

// Help says what the exit codes mean.
func (verifyCommand) Help() string {
	return `It needs no configuration and no node. Exit codes: 0 verified, 1 not verified, 2 the command line is wrong, 3 something could not be read or fetched, so that nothing can be said.`
}

// maxCopy bounds a text with checkpoints, in bytes.
const maxCopy = 4 << 20

// Run prints what came of it on standard output.
func (v verifyCommand) Run(a *app) error {
	var o verify.Options
	if v.Key != "" {
		anchor, err := verify.ParseAnchor(v.Key)
		if err != nil {
			return exit{exitUsage, fmt.Errorf("verify: --key: %w", err)}
		}
		o.Anchor = anchor
	}
	for _, name := range v.Checkpoint {
		text, err := readCopy(name)
		if err != nil {
			return exit{exitUnread, fmt.Errorf("verify: %w", err)}
		}
		o.Copies = append(o.Copies, verify.Copy{Name: name, Text: text})
	}
	report, err := verify.Dataset(a.ctx, v.Source, o)
	if v.JSON {
		if err := a.json(report); err != nil {
			return err
		}
	} else {
		a.showReport(report, err)
	}
	var p *verify.Problem
	switch {
	case err == nil:
		return nil
	case errors.As(err, &p) && p.Unread:
		return exit{code: exitUnread}
	}
	return exit{code: exitFail}
}

func readCopy(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxCopy+1))
	if err == nil && len(text) > maxCopy {
		err = fmt.Errorf("%s is larger than %d bytes", name, maxCopy)
	}
	return text, err
}

// showReport prints the report for people. The dataset is a stranger's: each of
// its texts stays on its line.
func (a *app) showReport(r *verify.Report, problem error) {
	if result := r.Result; result != nil {
		closed := result.Closed
		if result.Early != "" {
			closed += ", early: " + oneLine(result.Early)
		}
		a.say("Question:    %s", oneLine(result.Question))
		a.say("Closed:      %s", closed)
		a.say("Ballots:     %d", result.Turnout)
		for i, option := range result.Options {
			a.say("%11d  %s", result.Counts[i], oneLine(option))
		}
		a.say("Checked:     %d files, %d log entries, %d rows, %d checkpoints, %d from elsewhere",
			r.Extra.Files, result.Entries, r.Extra.Rows, r.Extra.Checkpoints, r.Extra.Copies)
	}
	if r.Origin != "" {
		a.say("Log:         %s", oneLine(r.Origin))
	}
	if r.Fingerprint != "" {
		a.say("Fingerprint: %s (%s)", r.Fingerprint, map[bool]string{true: "as you gave it", false: "as the dataset has it"}[r.Anchored])
	}
	if r.Key != "" && !r.Anchored {
		a.say("Key:         %s", r.Key)
	}
	for _, note := range r.Notes {
		a.say("Note:        %s", note)
	}
	if problem != nil {
		a.say("NOT VERIFIED: %s", oneLine(problem.Error()))
		return
	}
	a.say("Verified.")
}

func oneLine(s string) string {
	return cmp.Or(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return unicode.ReplacementChar
		}
		return r
	}, s), "-")
}
