package main

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"time"

	"inspraak/participation"
)

type replyCommands struct {
	List   replyList   `cmd:"" help:"List the replies to a consultation."`
	Hide   replyHide   `cmd:"" help:"Take a reply off all pages, for a public reason."`
	Show   replyShow   `cmd:"" help:"Show a hidden reply again."`
	Answer replyAnswer `cmd:"" help:"Answer a reply in its author's thread."`
}

// findReply finds a reply by its address or its short id.
func (o *office) findReply(a *app, id string) (participation.Reply, error) {
	if strings.Contains(id, "://") {
		return o.Reply(a.ctx, id)
	}
	consultations, err := o.Consultations(a.ctx, participation.Filter{})
	if err != nil {
		return participation.Reply{}, err
	}
	var found []participation.Reply
	for _, c := range consultations {
		replies, err := o.Replies(a.ctx, participation.ReplyFilter{Consultation: c.ID, All: true})
		if err != nil {
			return participation.Reply{}, err
		}
		for _, r := range replies {
			if participation.ShortID(r.ID) == strings.ToLower(id) {
				found = append(found, r)
			}
		}
	}
	if len(found) != 1 {
		return participation.Reply{}, fmt.Errorf("reply %s: %d of that name; \"inspraak reply list SLUG --all\" shows ids, and the whole address works too", id, len(found))
	}
	return found[0], nil
}

type replyList struct {
	Slug string `arg:"" help:"Slug or id of the consultation."`
	All  bool   `help:"Hidden ones too."`
	JSON bool   `help:"As JSON."`
}

// Run lists, oldest first.
func (l replyList) Run(a *app) error {
	return a.at(func(o *office) error {
		c, err := o.Consultation(a.ctx, l.Slug)
		if err != nil {
			return err
		}
		replies, err := o.Replies(a.ctx, participation.ReplyFilter{Consultation: c.ID, All: l.All})
		if err != nil {
			return err
		}
		type view struct {
			ID       string    `json:"id"`
			Address  string    `json:"address"`
			Parent   string    `json:"parent"`
			Author   string    `json:"author"`
			AuthorID string    `json:"authorId"`
			HTML     string    `json:"html"`
			Language string    `json:"language,omitempty"`
			Received time.Time `json:"received"`
			Edited   bool      `json:"edited"`
			Standing string    `json:"standing"`
			Reason   string    `json:"reason,omitempty"`
		}
		views := []view{}
		rows := [][]string{{"ID", "RECEIVED", "AUTHOR", "STANDING", "TEXT"}}
		for _, r := range replies {
			views = append(views, view{
				ID: participation.ShortID(r.ID), Address: r.ID, Parent: r.Parent, Author: r.Author.Handle, AuthorID: r.Author.ID, HTML: r.HTML,
				Language: r.Language, Received: r.Received, Edited: !r.Updated.IsZero(), Standing: string(r.Standing), Reason: r.Reason,
			})
			rows = append(rows, []string{participation.ShortID(r.ID), o.localStamp(r.Received), r.Author.Handle, string(r.Standing), excerpt(r.HTML, 70)})
		}
		if l.JSON {
			return a.json(views)
		}
		return a.table("No replies.", rows)
	})
}

var tag = regexp.MustCompile(`<[^>]*>`)

// excerpt is the beginning of a safe HTML text, in one line without markup,
// fit for a terminal.
func excerpt(safe string, length int) string {
	text := html.UnescapeString(tag.ReplaceAllString(safe, " "))
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return ' '
		}
		return r
	}, text)
	words := []rune(strings.Join(strings.Fields(text), " "))
	if len(words) > length {
		return string(words[:length-1]) + "…"
	}
	return string(words)
}

type replyHide struct {
	ID     string `arg:"" help:"Id or address of the reply."`
	Reason string `required:"" help:"Why, as the public will read it."`
}

// Run hides.
func (h replyHide) Run(a *app) error {
	return a.at(func(o *office) error {
		r, err := o.findReply(a, h.ID)
		if err != nil {
			return err
		}
		if err := o.HideReply(a.ctx, r.ID, h.Reason); err != nil {
			return err
		}
		a.say("Hidden: %s by %s. Show it again with: inspraak reply show %s", r.ID, r.Author.Handle, participation.ShortID(r.ID))
		return nil
	})
}

type replyShow struct {
	ID string `arg:"" help:"Id or address of the reply."`
}

// Run shows again.
func (s replyShow) Run(a *app) error {
	return a.at(func(o *office) error {
		r, err := o.findReply(a, s.ID)
		if err != nil {
			return err
		}
		if err := o.ShowReply(a.ctx, r.ID); err != nil {
			return err
		}
		a.say("Shown: %s by %s.", r.ID, r.Author.Handle)
		return nil
	})
}

type replyAnswer struct {
	ID   string `arg:"" help:"Id or address of the reply."`
	File string `arg:"" help:"Markdown file, or - for standard input."`
}

// Run publishes the answer.
func (r replyAnswer) Run(a *app) error {
	return a.at(func(o *office) error {
		reply, err := o.findReply(a, r.ID)
		if err != nil {
			return err
		}
		text, err := a.readText(r.File)
		if err != nil {
			return err
		}
		post, err := o.Answer(a.ctx, reply.ID, text)
		if err != nil {
			return err
		}
		a.say("Answered %s: %s", reply.Author.Handle, o.URLs.Object(post.ID))
		return nil
	})
}

type noteCommands struct {
	Publish notePublish `cmd:"" help:"Publish a notice, or an erratum, in a consultation's thread."`
}

type notePublish struct {
	Slug    string `arg:"" help:"Slug or id of the consultation."`
	File    string `arg:"" help:"Markdown file, or - for standard input."`
	Erratum bool   `help:"A correction of the frozen text, which itself stays."`
}

// Run publishes to all who follow the channel.
func (n notePublish) Run(a *app) error {
	return a.at(func(o *office) error {
		c, err := o.Consultation(a.ctx, n.Slug)
		if err != nil {
			return err
		}
		text, err := a.readText(n.File)
		if err != nil {
			return err
		}
		kind := participation.Notice
		if n.Erratum {
			kind = participation.Erratum
		}
		post, err := o.Announce(a.ctx, c.ID, kind, text)
		if err != nil {
			return err
		}
		a.say("Published: %s", o.URLs.PostPage(c.Slug, post.ID))
		return nil
	})
}
