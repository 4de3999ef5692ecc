package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"inspraak/participation"
)

// destroyCommand destroys what links voters and ballots. It takes two calls, with
// two enrolled keys, at least a day apart.
type destroyCommand struct {
	Consultation string `arg:"" help:"Slug or id."`
	Identity     string `required:"" placeholder:"FILE" help:"age identity or SSH private key of one who is enrolled (destroyers in the configuration)."`
	Cancel       bool   `help:"Take the announcement back."`
	Yes          bool   `help:"Do not ask."`
}

// Run takes the next step, also while the node serves: the first call announces,
// the second destroys.
func (d destroyCommand) Run(a *app) error {
	return a.at(func(o *office) error {
		c, err := o.Consultation(a.ctx, d.Consultation)
		if err != nil {
			return err
		}
		all, err := enrolled(o.Destroyers)
		if err != nil {
			return fmt.Errorf("destroy: %w", err)
		}
		if len(all) == 0 {
			return errors.New("destroy: nobody is enrolled; put the public keys of at least two people under `destroyers` in the configuration")
		}
		by, err := prove(all, d.Identity, passphrase)
		if err != nil {
			return fmt.Errorf("destroy: %w", err)
		}
		if d.Cancel {
			return d.cancel(a, o, c, by)
		}
		step, err := o.NextDestruction(a.ctx, c, by, o.ObjectionPeriod)
		if err != nil {
			return err
		}
		a.say("%s (%s)", c.Title, c.Phase)
		if step == participation.AnnounceDestruction {
			return d.announce(a, o, c, by)
		}
		return d.destroy(a, o, c, by, step)
	})
}

func (d destroyCommand) announce(a *app, o *office, c participation.Consultation, by string) error {
	a.say("Your key %s announces, in public, that what links voters and ballots will be destroyed.\n"+
		"At least %.0f hours later the owner of another enrolled key carries it out. Nothing is destroyed now.",
		by, participation.DestroyPause.Hours())
	if err := a.confirm("Announce?", d.Yes); err != nil {
		return err
	}
	c, err := o.AnnounceDestruction(a.ctx, c, by, o.ObjectionPeriod)
	if err != nil {
		return err
	}
	a.say("Announced. It can be carried out from %s, and taken back until it is, with --cancel.\n%s",
		o.localStamp(c.DestroyableFrom()), o.URLs.Page(c.Slug))
	return nil
}

func (d destroyCommand) cancel(a *app, o *office, c participation.Consultation, by string) error {
	if err := a.confirm("Take the announcement back?", d.Yes); err != nil {
		return err
	}
	if _, err := o.CancelDestruction(a.ctx, c, by); err != nil {
		return err
	}
	a.say("Taken back, in public. Nothing was destroyed. A new announcement begins from the start.")
	return nil
}

func (d destroyCommand) destroy(a *app, o *office, c participation.Consultation, by string, step participation.DestroyStep) error {
	question := "Destroy for good?"
	if step == participation.FinishDestruction {
		question = "It was begun and cut short. Finish it?"
	} else {
		a.say("Announced on %s by the key %s. Now yours, %s, destroys for good:\n"+
			"the ballots with all that they know of voters, and the key that opens them.", o.localStamp(c.AnnouncedAt), c.AnnouncedBy, by)
	}
	if err := a.confirm(question, d.Yes); err != nil {
		return err
	}
	c, err := o.Destroy(a.ctx, c, by, o.ObjectionPeriod)
	if err != nil {
		return err
	}
	a.say("Destroyed, and so it says in public: %s\n"+
		"What the program cannot reach, people must destroy now:\n"+
		"  the escrow copy of the key: %s.key, wherever copies of %s are kept\n"+
		"  the auditor's copy of the evidence, if there was one\n"+
		"  copies of the database: Litestream's, and %s.before-*\n"+
		"Backups hold no key, so the ballots in older ones open for nobody once its escrow copy is gone; delete them all the same.\n"+
		"Restart the node, whose memory may still hold what it read, and write a new backup.",
		o.URLs.Page(c.Slug), c.ID, filepath.Join(o.Keys, "consultations"), o.Database())
	return nil
}
