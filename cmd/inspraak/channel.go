package main

import (
	"errors"
	"fmt"
	"strings"

	"inspraak/participation"
)

type channelCommands struct {
	Add  channelAdd  `cmd:"" help:"Add a channel."`
	Edit channelEdit `cmd:"" help:"Change what a channel shows; what is not named stays."`
	List channelList `cmd:"" help:"List the channels."`
}

// channelFlags are what a channel shows. nil leaves it as it is.
type channelFlags struct {
	Title     *string  `help:"Display name."`
	Summary   *string  `help:"What it is about, in Markdown."`
	Language  *string  `help:"Language tag (nl, en); the node's own if never given."`
	Avatar    string   `placeholder:"FILE" help:"Square picture: PNG, JPEG or WebP, at most 2 MB."`
	AvatarAlt string   `help:"What the avatar shows."`
	Header    string   `placeholder:"FILE" help:"Wide picture."`
	HeaderAlt string   `help:"What the header shows."`
	Field     []string `sep:"none" placeholder:"NAME=VALUE" help:"Line of the profile, at most four; an https address that links back is shown as verified. Replaces all lines."`
}

// apply puts the flags on a channel. The pictures returned are in no folder yet.
func (f channelFlags) apply(c *participation.Channel) ([]*picture, error) {
	for _, text := range []struct{ from, to *string }{{f.Title, &c.Title}, {f.Summary, &c.Summary}, {f.Language, &c.Language}} {
		if text.from != nil {
			*text.to = strings.TrimSpace(*text.from)
		}
	}
	if len(f.Field) > 0 {
		c.Fields = nil
	}
	for _, field := range f.Field {
		name, value, ok := strings.Cut(field, "=")
		if name, value = strings.TrimSpace(name), strings.TrimSpace(value); !ok || name == "" || value == "" {
			return nil, fmt.Errorf("field %q: write NAME=VALUE, such as Website=https://www.example.nl", field)
		}
		c.Fields = append(c.Fields, participation.Field{Name: name, Value: value})
	}
	var pictures []*picture
	for _, p := range []struct {
		flag, file, alt string
		to              **participation.Image
	}{{"avatar", f.Avatar, f.AvatarAlt, &c.Avatar}, {"header", f.Header, f.HeaderAlt, &c.Header}} {
		switch {
		case p.file == "" && p.alt == "":
			continue
		case p.alt == "":
			return nil, fmt.Errorf("--%s needs --%[1]s-alt: say what the picture shows, for those who cannot see it", p.flag)
		case p.file == "" && *p.to == nil:
			return nil, fmt.Errorf("--%s-alt needs --%[1]s", p.flag)
		case p.file == "":
			changed := **p.to
			changed.Alt = p.alt
			*p.to = &changed
			continue
		}
		pic, err := readPicture(p.file, p.alt)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.flag, err)
		}
		*p.to = &pic.Image
		pictures = append(pictures, pic)
	}
	return pictures, c.Check()
}

// saveChannel keeps pictures and channel, or neither.
func (o *office) saveChannel(a *app, c participation.Channel, pictures []*picture, edit bool) error {
	var undo []func()
	err := error(nil)
	for _, p := range pictures {
		var forget func()
		if forget, err = p.keep(o.Media); err != nil {
			break
		}
		undo = append(undo, forget)
	}
	if err == nil {
		err = o.SaveChannel(a.ctx, c, edit)
	}
	if err != nil {
		for _, forget := range undo {
			forget()
		}
	}
	return err
}

type channelAdd struct {
	Name string `arg:"" help:"1 to 30 of a-z, 0-9 and _; the first part of its handle, never to be changed."`
	channelFlags
}

// Run makes the channel's key first: a channel without a key could never
// speak. A key left by an attempt that failed is used.
func (c channelAdd) Run(a *app) error {
	return a.at(func(o *office) error {
		channel := participation.Channel{Name: c.Name, Language: o.Language}
		pictures, err := c.apply(&channel)
		if err != nil {
			return fmt.Errorf("channel add: %w", err)
		}
		if _, err := o.Channel(a.ctx, c.Name); err == nil {
			return fmt.Errorf("channel add: %s is there already; change it with \"inspraak channel edit\"", c.Name)
		} else if !errors.Is(err, participation.ErrNotFound) {
			return err
		}
		if err := o.keys.CreateActorKey(c.Name); err != nil && !errors.Is(err, participation.ErrExists) {
			return fmt.Errorf("channel add: %w", err)
		}
		if err := o.saveChannel(a, channel, pictures, false); err != nil {
			return err
		}
		a.say("Added %s\n  %s", o.URLs.Handle(c.Name), o.URLs.Profile(c.Name))
		return nil
	})
}

type channelEdit struct {
	Name string `arg:"" help:"Name of the channel."`
	channelFlags
}

// Run changes a channel; its followers' servers hear of it.
func (c channelEdit) Run(a *app) error {
	return a.at(func(o *office) error {
		channel, err := o.Channel(a.ctx, c.Name)
		if err != nil {
			return fmt.Errorf("channel edit: %w", err)
		}
		pictures, err := c.apply(&channel)
		if err != nil {
			return fmt.Errorf("channel edit: %w", err)
		}
		if err := o.saveChannel(a, channel, pictures, true); err != nil {
			return err
		}
		a.say("Changed %s", o.URLs.Handle(c.Name))
		return nil
	})
}

type channelList struct {
	JSON bool `help:"As JSON."`
}

// Run lists the channels by creation.
func (l channelList) Run(a *app) error {
	return a.at(func(o *office) error {
		channels, err := o.Channels(a.ctx)
		if err != nil {
			return err
		}
		type view struct {
			Name      string `json:"name"`
			Handle    string `json:"handle"`
			Title     string `json:"title"`
			Summary   string `json:"summary"`
			Language  string `json:"language"`
			Page      string `json:"page"`
			Actor     string `json:"actor"`
			Followers int    `json:"followers"`

			Fields []participation.Field `json:"fields,omitempty"`
			Avatar *participation.Image  `json:"avatar,omitempty"`
			Header *participation.Image  `json:"header,omitempty"`
		}
		views := []view{}
		rows := [][]string{{"HANDLE", "FOLLOWERS", "TITLE"}}
		for _, c := range channels {
			followers, err := o.db.Followers(a.ctx, c.Name)
			if err != nil {
				return err
			}
			views = append(views, view{
				Name: c.Name, Handle: o.URLs.Handle(c.Name), Title: c.Title, Summary: c.Summary, Language: c.Language,
				Page: o.URLs.Profile(c.Name), Actor: o.URLs.Actor(c.Name), Followers: followers,
				Fields: c.Fields, Avatar: c.Avatar, Header: c.Header,
			})
			rows = append(rows, []string{o.URLs.Handle(c.Name), fmt.Sprint(followers), c.Title})
		}
		if l.JSON {
			return a.json(views)
		}
		return a.table("No channels yet. Make one with \"inspraak channel add NAME\".", rows)
	})
}
