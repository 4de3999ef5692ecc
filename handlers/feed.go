package handlers

import (
	"context"
	"fmt"
	"html"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/feeds"
	"github.com/labstack/echo/v4"

	"inspraak/participation"
)

const maxEntries = 50

// feed is a channel's Atom feed (RFC 4287), in the channel's language:
// questions that opened, results, and what the municipality wrote. It tells no
// number that the page hides.
func (h *handler) feed(c echo.Context) error {
	shared(c)
	ctx := c.Request().Context()
	ch, err := h.Service.Channel(ctx, c.Param("name"))
	if err != nil {
		return err
	}
	consultations, err := h.Service.Consultations(ctx, participation.Filter{
		Channel: ch.Name, Phases: []participation.Phase{participation.Open, participation.Closed}, Limit: maxEntries,
	})
	if err != nil {
		return err
	}
	lang := h.Site.Match("", ch.Language)
	var items []*feeds.Item
	for _, con := range consultations {
		more, err := h.entries(ctx, lang, con)
		if err != nil {
			return err
		}
		items = append(items, more...)
	}
	slices.SortStableFunc(items, func(a, b *feeds.Item) int { return b.Updated.Compare(a.Updated) })
	f := &feeds.Feed{
		Title: ch.Title + " – " + h.Name, Link: &feeds.Link{Href: h.URLs.Profile(ch.Name), Rel: "alternate"},
		Updated: ch.Created.UTC(), Items: items[:min(len(items), maxEntries)],
	}
	if len(items) > 0 {
		f.Updated = items[0].Updated
	}
	atom := (&feeds.Atom{Feed: f}).AtomFeed()
	atom.Id = h.URLs.Profile(ch.Name) + "/feed.atom"
	atom.Author = &feeds.AtomAuthor{AtomPerson: feeds.AtomPerson{Name: ch.Title, Uri: h.URLs.Profile(ch.Name)}}
	body, err := feeds.ToXML(atom)
	if err != nil {
		return &ourFault{fmt.Errorf("write feed: %w", err)}
	}
	c.Response().Header().Set("Cache-Control", "no-cache")
	if h.unchanged(c, digest([]byte(body))) {
		return c.NoContent(http.StatusNotModified)
	}
	return c.Blob(http.StatusOK, "application/atom+xml; charset=utf-8", []byte(body))
}

func (h *handler) entries(ctx context.Context, lang string, c participation.Consultation) ([]*feeds.Item, error) {
	link := &feeds.Link{Href: h.URLs.Page(c.Slug)}
	closes := h.Site.Text(lang, "feed.closes", "When", h.Site.Moment(lang, h.local(c.ClosesAt, c.Zone)))
	items := []*feeds.Item{{
		Id: h.URLs.Object(c.ID) + "#opened", Link: link, Updated: c.OpenedAt.UTC(),
		Title:   h.Site.Text(lang, "feed.opened", "Title", c.Title),
		Content: c.HTML + paragraph(closes),
	}}
	r, err := h.snapshot(ctx, c)
	if err != nil {
		return nil, err
	}
	if c.Phase == participation.Closed && r.Final {
		items = append(items, &feeds.Item{
			Id: h.URLs.Object(c.ID) + "#closed", Link: link, Updated: r.At.UTC().Truncate(time.Second),
			Title: h.Site.Text(lang, "feed.closed", "Title", c.Title), Content: h.sentence(lang, c, r),
		})
	}
	posts, err := h.Service.Posts(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	for _, p := range posts {
		if p.Kind == participation.Closing || p.Kind == participation.CheckpointPost {
			continue // the entry above says the one; the other is for other servers' archives
		}
		items = append(items, &feeds.Item{
			Id: h.URLs.Object(p.ID), Link: &feeds.Link{Href: h.URLs.PostPage(c.Slug, p.ID)}, Updated: p.Published.UTC(),
			Title:   h.Site.Text(lang, "feed.post", "Kind", h.Site.Text(lang, "post."+string(p.Kind)), "Title", c.Title),
			Content: p.HTML,
		})
	}
	return items, nil
}

// sentence says a final result in words.
func (h *handler) sentence(lang string, c participation.Consultation, r participation.Result) string {
	var b strings.Builder
	if c.Kind.HasOptions() {
		b.WriteString(paragraph(h.Site.Count(lang, "feed.turnout", r.Turnout)))
		counts, voters, hidden := c.Shown(r)
		if hidden == "" {
			b.WriteString("<ul>")
			for i, n := range counts {
				percent := fmt.Sprintf("%.0f%%", math.Round(share(n, voters)*100))
				b.WriteString("<li>" + html.EscapeString(h.Site.Text(lang, "feed.row", "Name", c.Options[i], "Votes", n, "Share", percent)) + "</li>")
			}
			b.WriteString("</ul>")
		}
	}
	return b.String() + paragraph(h.Site.Count(lang, "feed.replies", r.Replies))
}

func paragraph(text string) string { return "<p>" + html.EscapeString(text) + "</p>" }
