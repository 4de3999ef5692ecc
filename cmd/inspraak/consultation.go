package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"inspraak/participation"
	"inspraak/tally"
)

type consultationCommands struct {
	New      consultationNew      `cmd:"" help:"Write a consultation file to fill in."`
	Publish  consultationPublish  `cmd:"" help:"Check a consultation file and publish it."`
	List     consultationList     `cmd:"" help:"List all consultations."`
	Show     consultationShow     `cmd:"" help:"Show one consultation; its counts only when everybody may see them."`
	Close    consultationClose    `cmd:"" help:"End voting early. Cannot be undone."`
	Withdraw consultationWithdraw `cmd:"" help:"Take a published consultation back. Cannot be undone."`
}

// consultationPublish publishes what a file says, or nothing.
type consultationPublish struct {
	File   string `arg:"" help:"Consultation file."`
	Yes    bool   `help:"Do not ask."`
	DryRun bool   `help:"Check and show only; publish nothing."`
}

// Run checks, shows what is about to be frozen, asks, and publishes.
func (p consultationPublish) Run(a *app) error {
	return a.at(func(o *office) error {
		channels, err := o.channelNames(a)
		if err != nil {
			return err
		}
		c, err := readConsultation(p.File, o.Config, channels, a.now())
		if err != nil {
			return err
		}
		if _, err := o.Consultation(a.ctx, c.Slug); err == nil {
			return fmt.Errorf("publish: slug %q is taken; a slug is never used again, choose another", c.Slug)
		} else if !errors.Is(err, participation.ErrNotFound) {
			return err
		}
		a.summary(o, c)
		if p.DryRun {
			a.say("Nothing was published (--dry-run).")
			return nil
		}
		if err := a.confirm("Publish?", p.Yes); err != nil {
			return err
		}
		published, err := o.publish(a, c)
		if err != nil {
			return err
		}
		a.say("Published: %s\nPaste this address in the search box of any fediverse account to find it:\n  %s",
			o.URLs.Page(published.Slug), o.URLs.Object(published.ID))
		if published.Phase == participation.Scheduled {
			a.say("It opens by itself on %s, if the node is running.", o.localStamp(published.OpensAt))
		}
		return nil
	})
}

// publish keeps image and draft and publishes; if any of it fails, none of it
// stays.
func (o *office) publish(a *app, c checkedFile) (participation.Consultation, error) {
	forget, err := c.picture.keep(o.Media)
	if err != nil {
		return c.Consultation, err
	}
	draft := c.Consultation
	if err := o.Draft(a.ctx, &draft); err != nil {
		forget()
		return draft, err
	}
	published, err := o.Publish(a.ctx, draft.ID)
	if err == nil || published.Phase == participation.Scheduled { // then the clock opens it
		return published, nil
	}
	if undo := o.Discard(a.ctx, draft.ID); undo == nil {
		forget()
	}
	return published, err
}

func (a *app) summary(o *office, c checkedFile) {
	opens := "at once"
	if c.OpensAt.After(a.now()) {
		opens = "on " + o.localStamp(c.OpensAt)
	}
	a.say("%s", c.Title)
	a.say("  kind     %s, %s, by %s", c.Kind, c.Language, o.URLs.Handle(c.Channel))
	a.say("  opens    %s", opens)
	a.say("  closes   %s (%s); votes received until %s later count", o.localStamp(c.ClosesAt), c.Zone, c.Terms.Grace)
	a.say("  results  %s", c.Results)
	for _, option := range c.Options {
		a.say("  option   %s", option)
	}
	if len(c.Terms.AllowedServers) > 0 {
		a.say("  voting   only accounts on %s", strings.Join(c.Terms.AllowedServers, ", "))
	}
	a.say("  page     %s", o.URLs.Page(c.Slug))
	for _, advice := range c.Advice() {
		a.say("Note: %s.", advice)
	}
	a.say("Publishing freezes title, text, options, dates and terms for good; a mistake can only be corrected with an erratum.")
}

func (o *office) channelNames(a *app) ([]string, error) {
	channels, err := o.Channels(a.ctx)
	if err != nil {
		return nil, err
	}
	if len(channels) == 0 {
		return nil, errors.New("there is no channel yet; make one with \"inspraak channel add\"")
	}
	names := make([]string, len(channels))
	for i, c := range channels {
		names[i] = c.Name
	}
	return names, nil
}

// consultationView is a consultation in JSON.
type consultationView struct {
	Slug     string     `json:"slug"`
	ID       string     `json:"id"`
	Title    string     `json:"title"`
	Kind     string     `json:"kind"`
	Phase    string     `json:"phase"`
	Channel  string     `json:"channel"`
	Language string     `json:"language"`
	OpensAt  time.Time  `json:"opensAt"`
	ClosesAt time.Time  `json:"closesAt"`
	ClosedAt *time.Time `json:"closedAt,omitempty"`
	Results  string     `json:"results"`
	Reason   string     `json:"reason,omitempty"`
	// When the destruction of its ballots was announced, and done.
	Announced *time.Time `json:"destructionAnnouncedAt,omitempty"`
	Destroyed *time.Time `json:"destroyedAt,omitempty"`

	Page    string `json:"page"`
	Object  string `json:"object"`
	Turnout int    `json:"turnout"`
	Replies int    `json:"replies"`

	Terms   *participation.Terms   `json:"terms,omitempty"`
	Options []optionView           `json:"options,omitempty"`
	Refused map[string]int         `json:"notCounted,omitempty"`
	Classes *participation.Classes `json:"classes,omitempty"`
	Final   bool                   `json:"final"`
}

// optionView is an option and, once everybody may see it, its count.
type optionView struct {
	Name  string `json:"name"`
	Count *int   `json:"count,omitempty"`
}

// view shows the newest published snapshot, as the public pages do, and never
// counts anything itself: before closing, staff see no more than citizens.
func (o *office) view(a *app, c participation.Consultation, whole bool) (consultationView, error) {
	r, err := o.Result(a.ctx, c.ID)
	if err != nil && !errors.Is(err, participation.ErrNotFound) {
		return consultationView{}, err
	}
	v := consultationView{
		Slug: c.Slug, ID: c.ID, Title: c.Title, Kind: string(c.Kind), Phase: string(c.Phase), Channel: c.Channel,
		Language: c.Language, OpensAt: c.OpensAt, ClosesAt: c.ClosesAt, Results: string(c.Results), Reason: c.Reason,
		Page: o.URLs.Page(c.Slug), Object: o.URLs.Object(c.ID), Turnout: r.Turnout, Replies: r.Replies, Final: r.Final,
	}
	if !c.ClosedAt.IsZero() {
		v.ClosedAt = &c.ClosedAt
	}
	if !c.AnnouncedAt.IsZero() {
		v.Announced = &c.AnnouncedAt
	}
	if !c.DestroyedAt.IsZero() {
		v.Destroyed = &c.DestroyedAt
	}
	if !whole {
		return v, nil
	}
	v.Terms = &c.Terms
	for i, name := range c.Options {
		option := optionView{Name: name}
		if c.CountsVisible() && i < len(r.Counts) {
			option.Count = &r.Counts[i]
		}
		v.Options = append(v.Options, option)
	}
	v.Refused = map[string]int{}
	for reason, n := range r.Refused {
		v.Refused[string(reason)] = n
	}
	v.Classes = r.Classes
	return v, nil
}

type consultationList struct {
	JSON bool `help:"As JSON."`
}

// Run lists, newest opening first.
func (l consultationList) Run(a *app) error {
	return a.at(func(o *office) error {
		all, err := o.Consultations(a.ctx, participation.Filter{})
		if err != nil {
			return err
		}
		views := []consultationView{}
		rows := [][]string{{"SLUG", "PHASE", "CLOSES", "BALLOTS", "REPLIES", "TITLE"}}
		for _, c := range all {
			v, err := o.view(a, c, false)
			if err != nil {
				return err
			}
			views = append(views, v)
			phase := v.Phase
			if c.Destroyed() {
				phase = "destroyed"
			}
			rows = append(rows, []string{v.Slug, phase, o.localStamp(v.ClosesAt), fmt.Sprint(v.Turnout), fmt.Sprint(v.Replies), v.Title})
		}
		if l.JSON {
			return a.json(views)
		}
		return a.table("No consultations yet. Write one with \"inspraak consultation new SLUG\".", rows)
	})
}

type consultationShow struct {
	Slug string `arg:"" help:"Slug or id."`
	JSON bool   `help:"As JSON."`
}

// Run shows one.
func (s consultationShow) Run(a *app) error {
	return a.at(func(o *office) error {
		c, err := o.Consultation(a.ctx, s.Slug)
		if err != nil {
			return err
		}
		v, err := o.view(a, c, true)
		if err != nil {
			return err
		}
		if s.JSON {
			return a.json(v)
		}
		a.say("%s\n  slug     %s\n  phase    %s\n  opens    %s\n  closes   %s (%s)\n  page     %s\n  object   %s",
			c.Title, c.Slug, c.Phase, o.localStamp(c.OpensAt), o.localStamp(c.ClosesAt), c.Zone, v.Page, v.Object)
		if c.Reason != "" {
			a.say("  reason   %s", c.Reason)
		}
		switch {
		case !c.DestroyedAt.IsZero():
			a.say("  ballots and their key were destroyed on %s", o.localStamp(c.DestroyedAt))
		case c.Destroyed():
			a.say("  ballots and their key are being destroyed, and that was cut short: call \"inspraak destroy\" again")
		case !c.AnnouncedAt.IsZero():
			a.say("  destruction announced on %s, by the key %s; possible from %s",
				o.localStamp(c.AnnouncedAt), c.AnnouncedBy, o.localStamp(c.DestroyableFrom()))
		}
		a.say("  ballots  %d\n  replies  %d", v.Turnout, v.Replies)
		hidden := false
		for _, option := range v.Options {
			count := "     -"
			if option.Count != nil {
				count = fmt.Sprintf("%6d", *option.Count)
			}
			hidden = hidden || option.Count == nil
			a.say("  %s  %s", count, option.Name)
		}
		if hidden {
			a.say("Counts are not public now, and so are shown to nobody.")
		}
		for _, reason := range slices.Sorted(maps.Keys(v.Refused)) {
			a.say("  %6d  not counted: %s", v.Refused[reason], reason)
		}
		if v.Classes != nil {
			formats := map[string]string{"about": "about %[1]d", "fewer": "fewer than %[1]d", "between": "%[1]d to %[2]d"}
			for i, r := range []tally.Range{v.Classes.Established, v.Classes.Unclassified} {
				how, n, to := r.Read()
				a.say("  "+formats[how]+" of %[3]s accounts", n, to, []string{"established", "other"}[i])
			}
		}
		return nil
	})
}

type consultationClose struct {
	Slug   string `arg:"" help:"Slug or id."`
	Reason string `required:"" help:"Why, as the public will read it."`
	Yes    bool   `help:"Do not ask."`
}

// Run closes before the announced time. Votes still waiting for their sender's
// key are tried once more; what cannot be verified then is not counted, and
// reported by number.
func (c consultationClose) Run(a *app) error {
	return a.at(func(o *office) error {
		found, err := o.Consultation(a.ctx, c.Slug)
		if err != nil {
			return err
		}
		if strings.TrimSpace(c.Reason) == "" {
			return errors.New("close: give a reason that the public will read")
		}
		if found.Phase != participation.Open {
			return fmt.Errorf("close: %s is %s; only an open consultation can be closed", found.Slug, found.Phase)
		}
		if _, err := o.keys.Secret(found.ID); err != nil { // before a waiting vote is tried in vain
			return fmt.Errorf("close: %w", err)
		}
		waiting, err := o.db.CountWaiting(a.ctx, found.ID)
		if err != nil {
			return err
		}
		a.say("%s was announced to close on %s.", found.Title, o.localStamp(found.ClosesAt))
		if waiting > 0 {
			a.say("%d votes wait for their sender's key. They are tried once more; those that still cannot be verified are not counted.", waiting)
		}
		if err := a.confirm("Closing now cannot be undone. Close?", c.Yes); err != nil {
			return err
		}
		r, err := a.closeNow(o.Config, found, c.Reason)
		if err != nil {
			return err
		}
		a.say("Closed with %d ballots. The result goes out within a minute, if the node is running: %s", r.Turnout, o.URLs.Page(found.Slug))
		return nil
	})
}

// closeNow closes a consultation as the node itself does.
func (a *app) closeNow(cfg Config, c participation.Consultation, reason string) (r participation.Result, err error) {
	n, err := OpenNode(a.ctx, cfg, Surroundings{Log: a.quietLog(), Now: a.now})
	if err != nil {
		return r, err
	}
	if r, err = n.closeSound(a.ctx, c, reason); err != nil {
		err = fmt.Errorf("close: %w", err)
	}
	return r, errors.Join(err, n.Close())
}

// closeSound closes what fits together, which a process that does not serve the
// node has to see for itself.
func (n *Node) closeSound(ctx context.Context, c participation.Consultation, reason string) (r participation.Result, err error) {
	if c.Kind.HasOptions() {
		found, err := n.Service.Audit(ctx, c)
		if err != nil {
			return r, err
		}
		if !found.Fits(c) {
			return r, fmt.Errorf("%w: ballots and log do not fit together; run \"inspraak check --db\", which says where", participation.ErrReview)
		}
	}
	return n.close(ctx, c, reason)
}

type consultationWithdraw struct {
	Slug   string `arg:"" help:"Slug or id."`
	Reason string `required:"" help:"Why, as the public will read it."`
	Yes    bool   `help:"Do not ask."`
}

// Run withdraws.
func (w consultationWithdraw) Run(a *app) error {
	return a.at(func(o *office) error {
		c, err := o.Consultation(a.ctx, w.Slug)
		if err != nil {
			return err
		}
		a.say("%s (%s)", c.Title, c.Phase)
		if err := a.confirm("Withdrawing deletes it on all servers, is public, and cannot be undone. Withdraw?", w.Yes); err != nil {
			return err
		}
		if err := o.Withdraw(a.ctx, c.ID, w.Reason); err != nil {
			return err
		}
		a.say("Withdrawn: %s", o.URLs.Page(c.Slug))
		return nil
	})
}
