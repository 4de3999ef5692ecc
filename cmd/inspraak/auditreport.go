package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"inspraak/tally"
)

// other gathers the servers that are too small to be named.
const other = "other"

// servers are the numbers of accounts by server, as far as they may be told
// further: with the rule of the dataset, so that the two tables together tell no
// more than one. Where ballots are not backed they would differ, and nothing is
// told. The exact numbers are for the auditor alone.
func (r *auditReport) servers(exact bool) []ofServer {
	names := slices.Sorted(maps.Keys(r.byServer))
	list := []ofServer{}
	if exact {
		for _, name := range names {
			list = append(list, ofServer{name, tally.Range{AtLeast: r.byServer[name], AtMost: r.byServer[name]}})
		}
		return list
	}
	var cells []int
	rest := 0
	for _, name := range names {
		if n := r.byServer[name]; n >= tally.FewerThan {
			list, cells = append(list, ofServer{Server: name}), append(cells, n)
		} else {
			rest += n
		}
	}
	told := tally.Disclose(append(cells, rest), len(cells))
	if told == nil || len(r.NotBacked) > 0 {
		return nil
	}
	list = append(list, ofServer{Server: other})
	for i := range list {
		list[i].Range = told[i]
	}
	return list
}

const listed = 20 // ballots that are not backed, on the screen

// report prints, writes what was asked for, and fails unless all is backed.
func (c auditCommand) report(a *app, r *auditReport) error {
	if c.Out != "" {
		text, err := json.MarshalIndent(r.ballots, "", "  ")
		if err == nil {
			err = writeNew(c.Out, append(text, '\n'), 0o600)
		}
		if err != nil {
			return fmt.Errorf("audit: write %s: %w", c.Out, err)
		}
	}
	r.Servers = r.servers(c.Servers)
	if c.JSON {
		if err := a.json(r); err != nil {
			return err
		}
	} else {
		c.show(a, r)
	}
	fmt.Fprintln(a.errs, "What you hold is personal data: with your identity the evidence tells who voted what. Keep it offline, report numbers only, and destroy it after your report.")
	if len(r.NotBacked) > 0 {
		return fmt.Errorf("audit: %d of %d ballots are not backed by another server's signature", len(r.NotBacked), r.Published)
	}
	if len(r.Problems) > 0 {
		return errors.New("audit: every ballot is backed, and yet: " + strings.Join(r.Problems, "; "))
	}
	return nil
}

func (c auditCommand) show(a *app, r *auditReport) {
	a.say("Question:  %s", oneLine(r.Question))
	a.say("Object:    %s", oneLine(r.Object))
	a.say("Page:      %s", oneLine(r.Page))
	a.say("Log:       %d entries; verified, fingerprint %s (%s)", r.Entries, r.Fingerprint,
		map[bool]string{true: "as you gave it", false: "as the dataset has it; compare it with one from elsewhere, or give that with --key"}[r.Anchored])
	a.say("%d ballots published, of these %d backed by a valid signature of another server, %d not.", r.Published, r.Backed, len(r.NotBacked))
	a.say("%d accounts signed.", r.Accounts)
	if c.Ask > 0 {
		a.say("Keys:      servers of %d accounts asked: %d the same, %d other, %d did not tell.", r.Asked.Accounts, r.Asked.Same,
			r.Asked.Accounts-r.Asked.Same-r.Asked.Silent, r.Asked.Silent)
	} else {
		a.say("Keys:      as the node kept them; with --ask N servers are asked whether they are theirs.")
	}
	for _, p := range r.Problems {
		a.say("Problem:   %s", oneLine(p))
	}
	for _, b := range r.NotBacked[:min(len(r.NotBacked), listed)] {
		a.say("Not backed: %s (entry %d): %s", cmp.Or(b.Code, "a ballot"), b.Entry, oneLine(b.Reason))
	}
	if more := len(r.NotBacked) - listed; more > 0 {
		a.say("and %d more; --json lists them all.", more)
	}
	if r.Servers == nil {
		a.say("Accounts by server are not told: the numbers would tell too much. --servers shows them to you alone.")
		return
	}
	what := "Accounts by server, from 10 on, in ranges:"
	if c.Servers {
		what = "Accounts by server, exactly; do not pass this on:"
	}
	a.say("%s", what)
	for _, s := range r.Servers {
		number := strconv.Itoa(s.AtLeast)
		if s.AtMost != s.AtLeast {
			number += "–" + strconv.Itoa(s.AtMost)
		}
		a.say("%11s  %s", number, oneLine(s.Server))
	}
}
