package main

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"inspraak/participation"
)

type complaintCommands struct {
	List    complaintList    `cmd:"" help:"List reports that wait for a decision."`
	Resolve complaintResolve `cmd:"" help:"Close a report, with what was done."`
}

type complaintList struct {
	All  bool `help:"Resolved ones too."`
	JSON bool `help:"As JSON."`
}

// Run lists, oldest first.
func (l complaintList) Run(a *app) error {
	return a.at(func(o *office) error {
		reports, err := o.Reports(a.ctx, l.All)
		if err != nil {
			return err
		}
		type view struct {
			ID         string     `json:"id"`
			Address    string     `json:"address"`
			Server     string     `json:"server"`
			Text       string     `json:"text"`
			Objects    []string   `json:"objects"`
			Received   time.Time  `json:"received"`
			ResolvedAt *time.Time `json:"resolvedAt,omitempty"`
			Resolution string     `json:"resolution,omitempty"`
		}
		views := []view{}
		rows := [][]string{{"ID", "RECEIVED", "SERVER", "RESOLVED", "TEXT", "ABOUT"}}
		for _, r := range reports {
			v := view{ID: participation.ShortID(r.ID), Address: r.ID, Server: r.Server, Text: r.Text, Objects: r.Objects, Received: r.Received, Resolution: r.Resolution}
			if !r.ResolvedAt.IsZero() {
				v.ResolvedAt = &r.ResolvedAt
			}
			views = append(views, v)
			rows = append(rows, []string{v.ID, o.localStamp(r.Received), r.Server, o.localStamp(r.ResolvedAt), excerpt(r.Text, 60), strings.Join(r.Objects, " ")})
		}
		if l.JSON {
			return a.json(views)
		}
		return a.table("No reports.", rows)
	})
}

type complaintResolve struct {
	ID   string `arg:"" help:"Id or address of the report."`
	Text string `arg:"" help:"What was done about it."`
}

// Run resolves.
func (r complaintResolve) Run(a *app) error {
	return a.at(func(o *office) error {
		reports, err := o.Reports(a.ctx, true)
		if err != nil {
			return err
		}
		if strings.TrimSpace(r.Text) == "" {
			return fmt.Errorf("complaint %s: say what was done about it", r.ID)
		}
		for _, known := range reports {
			if known.ID == r.ID || participation.ShortID(known.ID) == strings.ToLower(r.ID) {
				if err := o.Resolve(a.ctx, known.ID, r.Text); err != nil {
					return err
				}
				a.say("Resolved.")
				return nil
			}
		}
		return fmt.Errorf("complaint %s: %w; \"inspraak complaint list --all\" shows ids", r.ID, participation.ErrNotFound)
	})
}

type blockCommands struct {
	Add    blockAdd    `cmd:"" help:"Refuse everything from a server and its subdomains, or from one account."`
	List   blockList   `cmd:"" help:"List the blocks."`
	Remove blockRemove `cmd:"" help:"Take a block back."`
}

type blockAdd struct {
	Subject string `arg:"" help:"Host name, or the address of an account's actor (https://…)."`
	Reason  string `required:"" help:"Why."`
}

// Run blocks. What was counted before stays counted.
func (b blockAdd) Run(a *app) error {
	return a.at(func(o *office) error {
		subject, err := normalSubject(b.Subject)
		if err != nil {
			return fmt.Errorf("block add: %w", err)
		}
		if subject == o.URLs.Host || strings.HasPrefix(subject, o.URLs.Base+"/") {
			return fmt.Errorf("block add: %s is this node", subject)
		}
		if err := o.Block(a.ctx, subject, strings.TrimSpace(b.Reason)); err != nil {
			return err
		}
		a.say("Blocked %s.", subject)
		return nil
	})
}

type blockList struct {
	JSON bool `help:"As JSON."`
}

// Run lists.
func (l blockList) Run(a *app) error {
	return a.at(func(o *office) error {
		blocks, err := o.Blocks(a.ctx)
		if err != nil {
			return err
		}
		type view struct {
			Subject string    `json:"subject"`
			Reason  string    `json:"reason"`
			Created time.Time `json:"created"`
		}
		views := []view{}
		rows := [][]string{{"SUBJECT", "SINCE", "REASON"}}
		for _, b := range blocks {
			views = append(views, view{b.Subject, b.Reason, b.Created})
			rows = append(rows, []string{b.Subject, o.localStamp(b.Created), b.Reason})
		}
		if l.JSON {
			return a.json(views)
		}
		return a.table("No blocks.", rows)
	})
}

type blockRemove struct {
	Subject string `arg:"" help:"As the list shows it."`
}

// Run unblocks.
func (b blockRemove) Run(a *app) error {
	return a.at(func(o *office) error {
		subject, err := normalSubject(b.Subject)
		if err != nil {
			return fmt.Errorf("block remove: %w", err)
		}
		blocks, err := o.Blocks(a.ctx)
		if err != nil {
			return err
		}
		for _, known := range blocks {
			if known.Subject == subject {
				if err := o.Unblock(a.ctx, subject); err != nil {
					return err
				}
				a.say("No longer blocked: %s.", subject)
				return nil
			}
		}
		return fmt.Errorf("block remove: %s is not blocked", subject)
	})
}

// normalSubject brings what is to be blocked into the form in which it is
// compared: an actor's address with its host in lower-case ASCII, or a host.
func normalSubject(s string) (string, error) {
	if !strings.Contains(s, "://") {
		if strings.Contains(s, "@") {
			return "", fmt.Errorf("%q is a handle, which may change hands; give the address of its actor (https://…), or the host", s)
		}
		return normalHost(s)
	}
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.User != nil {
		return "", fmt.Errorf("%q is no address of an actor", s)
	}
	if strings.Trim(u.Path, "/") == "" && u.RawQuery == "" {
		return normalHost(u.Host)
	}
	if u.Host, err = normalHost(u.Host); err != nil {
		return "", err
	}
	return u.String(), nil
}
