package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"inspraak/participation"
)

// RetentionConfig says how long is kept what the municipality may decide about.
type RetentionConfig struct {
	Peers         time.Duration `yaml:"peers"`
	HiddenReplies time.Duration `yaml:"hidden_replies"`
	Reports       time.Duration `yaml:"reports"`
	ModerationLog time.Duration `yaml:"moderation_log"`
}

// retentionCommand lets go of what is no longer needed, or only tells.
type retentionCommand struct {
	DryRun bool `help:"Only tell what would go; change nothing."`
	JSON   bool `help:"As JSON, with the reason for each rule."`
}

// Run does what the node does by itself once a day, also while it serves.
func (r retentionCommand) Run(a *app) error {
	return a.at(func(o *office) error {
		did := o.Retain
		if r.DryRun {
			did = o.Expiring
		}
		all, err := did(a.ctx, participation.Retention(o.Retention))
		if err != nil {
			return err
		}
		type view struct {
			Rule   string     `json:"rule"`
			What   string     `json:"what"`
			Why    string     `json:"why"`
			Days   *float64   `json:"days"` // null: for good
			Number int        `json:"number"`
			Oldest *time.Time `json:"oldest,omitempty"`
		}
		views, total := []view{}, 0
		head := "GONE"
		if r.DryRun {
			head = "WOULD GO"
		}
		rows := [][]string{{"RULE", "AFTER", head, "OLDEST", "WHAT"}}
		for _, e := range all {
			v := view{Rule: e.Name, What: e.What, Why: e.Why, Number: e.N}
			after := "at once"
			switch {
			case e.Period > 0:
				days := e.Period.Hours() / 24
				v.Days, after = &days, strings.TrimSuffix(fmt.Sprintf("%.1f", days), ".0")+" days"
			case e.Undated:
				v.Days = new(float64)
			default:
				after = "never"
			}
			if !e.Oldest.IsZero() {
				v.Oldest = &e.Oldest
			}
			total += e.N
			views = append(views, v)
			rows = append(rows, []string{e.Name, after, fmt.Sprint(e.N), o.localStamp(e.Oldest), e.What})
		}
		if r.JSON {
			return a.json(views)
		}
		if err := a.table("", rows); err != nil {
			return err
		}
		if r.DryRun {
			a.say("Nothing was changed. Without --dry-run %d would go.", total)
		} else {
			a.say("%d gone.", total)
		}
		return nil
	})
}

// retentionEvery is how often the node lets go of what is no longer needed.
const retentionEvery = 24 * time.Hour

// retain does so when it is due: with the first tick after a start, then daily.
func (n *Node) retain(ctx context.Context) (worked bool, err error) {
	if !n.retained.IsZero() && n.now().Sub(n.retained) < retentionEvery {
		return false, nil
	}
	all, err := n.Service.Retain(ctx, participation.Retention(n.config.Retention))
	if err != nil {
		return false, err
	}
	n.retained = n.now()
	for _, e := range all {
		if e.N > 0 {
			worked = true
			n.log.Info("no longer needed and gone", "rule", e.Name, "number", e.N)
		}
	}
	if worked {
		n.Federation.ForgetSigners()
	}
	return worked, nil
}
