// Package feed writes what the node tells to readers of feeds and to calendars:
// what opened, what came of it, what the municipality and citizens wrote, and when
// voting opens and closes. It tells no number that the page hides. It knows nothing
// of HTTP.
package feed

import (
	"context"
	"errors"
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/feeds"

	"inspraak/activitypub"
	"inspraak/participation"
	"inspraak/web"
)

// maxEntries is how much a feed holds, newest first.
const maxEntries = 50

// Source is where feeds and calendars come from.
type Source struct {
	Service *participation.Service
	URLs    activitypub.URLs
	Site    *web.Site
	Name    string // of the municipality
	// Local is a time in the zone in which a consultation is held.
	Local func(at time.Time, zone string) time.Time
}

// A Feed is written in one of Formats.
type Feed struct {
	Title, Lang string
	Home        string // address of the page that it is of
	Author      string
	Updated     time.Time
	items       []*feeds.Item
}

// Node is the feed of all channels. Each entry is in its channel's language.
func (s Source) Node(ctx context.Context) (Feed, error) {
	channels, err := s.Service.Channels(ctx)
	if err != nil {
		return Feed{}, err
	}
	f := Feed{Title: s.Name, Lang: s.Site.Match("", ""), Home: s.URLs.Base, Author: s.Name, Updated: time.Unix(0, 0)}
	if len(channels) > 0 {
		f.Updated = channels[0].Created
	}
	return f, s.gather(ctx, &f, channels, "")
}

// Channel is the feed of one channel, in its language.
func (s Source) Channel(ctx context.Context, ch participation.Channel) (Feed, error) {
	f := Feed{Title: ch.Title + " – " + s.Name, Lang: s.Site.Match("", ch.Language), Home: s.URLs.Profile(ch.Name), Author: ch.Title, Updated: ch.Created}
	return f, s.gather(ctx, &f, []participation.Channel{ch}, ch.Name)
}

// gather fills a feed with questions that opened, results, and what the
// municipality wrote.
func (s Source) gather(ctx context.Context, f *Feed, channels []participation.Channel, only string) error {
	consultations, err := s.Service.Consultations(ctx, participation.Filter{
		Channel: only, Phases: []participation.Phase{participation.Open, participation.Closed}, Limit: maxEntries,
	})
	if err != nil {
		return err
	}
	for _, c := range consultations {
		i := slices.IndexFunc(channels, func(ch participation.Channel) bool { return ch.Name == c.Channel })
		if i < 0 {
			continue // made since
		}
		if err := s.add(ctx, f, channels[i], c); err != nil {
			return err
		}
	}
	f.sort()
	return nil
}

// Consultation is the feed of one consultation, with the newest replies that are
// shown.
func (s Source) Consultation(ctx context.Context, c participation.Consultation) (Feed, error) {
	ch, err := s.Service.Channel(ctx, c.Channel)
	if err != nil {
		return Feed{}, err
	}
	f := Feed{Title: c.Title + " – " + s.Name, Lang: s.Site.Match("", ch.Language), Home: s.URLs.Page(c.Slug), Author: ch.Title}
	if _, f.Updated, err = s.Service.Revisions(ctx, c.ID); err != nil {
		return f, err
	}
	if c.Phase == participation.Open || c.Phase == participation.Closed {
		if err := s.add(ctx, &f, ch, c); err != nil {
			return f, err
		}
	}
	replies, err := s.Service.NewestReplies(ctx, c.Number, maxEntries)
	if err != nil {
		return f, err
	}
	for _, r := range replies {
		name, link, at := r.Author.Name, r.URL, r.Received
		if name == "" {
			name = r.Author.Handle
		}
		if link == "" {
			link = f.Home
		}
		if r.Updated.After(at) {
			at = r.Updated
		}
		f.items = append(f.items, &feeds.Item{
			Id: r.ID, Link: &feeds.Link{Href: link}, Created: r.Received.UTC(), Updated: at.UTC(), Author: &feeds.Author{Name: name},
			Title: s.Site.Text(f.Lang, "feed.reply", "Name", name, "Title", c.Title), Content: r.HTML,
		})
	}
	f.sort()
	return f, nil
}

// sort puts the newest first, and leaves the oldest out.
func (f *Feed) sort() {
	slices.SortStableFunc(f.items, func(a, b *feeds.Item) int { return b.Updated.Compare(a.Updated) })
	f.items = f.items[:min(len(f.items), maxEntries)]
	if len(f.items) > 0 {
		f.Updated = f.items[0].Updated
	}
}

// add adds what there is to tell of a consultation.
func (s Source) add(ctx context.Context, f *Feed, ch participation.Channel, c participation.Consultation) error {
	lang, link := s.Site.Match("", ch.Language), &feeds.Link{Href: s.URLs.Page(c.Slug)}
	closes := s.Site.Text(lang, "feed.closes", "When", s.Site.Moment(lang, s.Local(c.ClosesAt, c.Zone)))
	f.items = append(f.items, &feeds.Item{
		Id: s.URLs.Object(c.ID) + "#opened", Link: link, Created: c.OpenedAt.UTC(), Updated: c.OpenedAt.UTC(),
		Title:   s.Site.Text(lang, "feed.opened", "Title", c.Title),
		Content: c.HTML + paragraph(closes),
	})
	r, err := s.Service.Result(ctx, c.ID)
	if err != nil && !errors.Is(err, participation.ErrNotFound) {
		return err
	}
	if at := r.At.UTC().Truncate(time.Second); c.Phase == participation.Closed && r.Final {
		f.items = append(f.items, &feeds.Item{
			Id: s.URLs.Object(c.ID) + "#closed", Link: link, Created: at, Updated: at,
			Title: s.Site.Text(lang, "feed.closed", "Title", c.Title), Content: s.sentence(lang, c, r),
		})
	}
	posts, err := s.Service.Posts(ctx, c.ID)
	if err != nil {
		return err
	}
	for _, p := range posts {
		if p.Kind == participation.Closing || p.Kind == participation.CheckpointPost {
			continue // the entry above says the one; the other is for other servers' archives
		}
		f.items = append(f.items, &feeds.Item{
			Id: s.URLs.Object(p.ID), Link: &feeds.Link{Href: s.URLs.PostPage(c.Slug, p.ID)}, Created: p.Published.UTC(), Updated: p.Published.UTC(),
			Title:   s.Site.Text(lang, "feed.post", "Kind", s.Site.Text(lang, "post."+string(p.Kind)), "Title", c.Title),
			Content: p.HTML,
		})
	}
	return nil
}

// sentence says a final result in words.
func (s Source) sentence(lang string, c participation.Consultation, r participation.Result) string {
	var b strings.Builder
	if c.Kind.HasOptions() {
		b.WriteString(paragraph(s.Site.Count(lang, "feed.turnout", r.Turnout)))
		counts, voters, hidden := c.Shown(r)
		if hidden == "" {
			b.WriteString("<ul>")
			for i, n := range counts {
				percent := fmt.Sprintf("%.0f%%", math.Round(float64(n)/float64(max(voters, 1))*100))
				b.WriteString("<li>" + html.EscapeString(s.Site.Text(lang, "feed.row", "Name", c.Options[i], "Votes", n, "Share", percent)) + "</li>")
			}
			b.WriteString("</ul>")
		}
	}
	return b.String() + paragraph(s.Site.Count(lang, "feed.replies", r.Replies))
}

func paragraph(text string) string { return "<p>" + html.EscapeString(text) + "</p>" }
