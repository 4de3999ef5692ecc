package handlers

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"inspraak/participation"
)

// maxPast is how many past consultations a list shows; older ones keep their
// pages.
const maxPast = 100

// card is a consultation in a list.
type card struct {
	URL, Title, Lang, State string
	At                      time.Time // opening if it is to open, else closing; zero if withdrawn
	Opens, Ended            bool
	Votable, Numbers        bool
	Turnout, Replies        int
}

type group struct {
	Name  string // open, scheduled, closed: where a visitor looks, whatever the phase
	Cards []card
}

type channelLink struct{ URL, Title, Lang, Handle string }

type listView struct {
	Page     page
	Empty    bool
	Groups   []group
	Channels []channelLink
}

func (h *handler) list(c echo.Context) error {
	ctx := c.Request().Context()
	v := listView{Page: h.page(c, "")}
	v.Page.Title = h.Site.Text(v.Page.Lang, "frame.all")
	v.Page.Description = h.Site.Text(v.Page.Lang, "list.intro")
	var err error
	if v.Groups, _, err = h.groups(ctx, v.Page, "", nil); err != nil {
		return err
	}
	channels, err := h.Service.Channels(ctx)
	if err != nil {
		return err
	}
	for _, ch := range channels {
		v.Channels = append(v.Channels, channelLink{v.Page.To("/@" + ch.Name), ch.Title, ch.Language, h.URLs.Handle(ch.Name)})
	}
	v.Empty = len(v.Groups) == 0
	return h.html(c, http.StatusOK, "list", v.Page, v)
}

type tagView struct {
	Page   page
	Tag    string
	Total  int
	Groups []group
}

func (h *handler) tag(c echo.Context) error {
	tag := c.Param("tag")
	v := tagView{Page: h.page(c, "#"+tag), Tag: tag}
	var err error
	v.Groups, v.Total, err = h.groups(c.Request().Context(), v.Page, "", func(c participation.Consultation) bool {
		return slices.ContainsFunc(c.Hashtags, func(t string) bool { return strings.EqualFold(t, tag) })
	})
	if err != nil {
		return err
	}
	if v.Total == 0 {
		return fmt.Errorf("tag %q: %w", tag, participation.ErrNotFound)
	}
	v.Page.Description = h.Site.Count(v.Page.Lang, "tag.count", v.Total)
	return h.html(c, http.StatusOK, "tag", v.Page, v)
}

// groups lists consultations, all or those of a channel: those that can be
// voted on, those to come, and the rest, which begins at closing time and not
// only when the count is there. keep selects further if it is not nil.
func (h *handler) groups(ctx context.Context, p page, channel string, keep func(participation.Consultation) bool) (groups []group, total int, err error) {
	found, err := h.Service.Consultations(ctx, participation.Filter{Channel: channel, Phases: []participation.Phase{
		participation.Open, participation.Scheduled, participation.Closed, participation.Withdrawn,
	}})
	if err != nil {
		return nil, 0, err
	}
	cards := map[string][]card{}
	for _, c := range found {
		if keep != nil && !keep(c) {
			continue
		}
		name := "closed"
		switch {
		case c.Phase == participation.Scheduled:
			name = "scheduled"
		case c.Phase == participation.Open && !h.ended(c):
			name = "open"
		}
		if total++; len(cards[name]) == maxPast && name == "closed" {
			continue
		}
		card, err := h.card(ctx, p, c)
		if err != nil {
			return nil, 0, err
		}
		cards[name] = append(cards[name], card)
	}
	for _, name := range []string{"open", "scheduled", "closed"} {
		if len(cards[name]) > 0 {
			groups = append(groups, group{name, cards[name]})
		}
	}
	return groups, total, nil
}

func (h *handler) card(ctx context.Context, p page, c participation.Consultation) (card, error) {
	r, err := h.snapshot(ctx, c)
	if err != nil {
		return card{}, err
	}
	v := card{
		URL: p.To("/consultations/" + c.Slug), Title: c.Title, Lang: c.Language, State: h.state(c, r),
		At: h.local(c.ClosesAt, c.Zone), Votable: c.Kind.HasOptions(), Turnout: r.Turnout, Replies: r.Replies,
	}
	switch c.Phase {
	case participation.Scheduled:
		v.Opens, v.At = true, h.local(c.OpensAt, c.Zone)
	case participation.Closed:
		v.Ended, v.Numbers, v.At = true, r.Final, h.local(c.ClosedAt, c.Zone)
	case participation.Withdrawn:
		v.At = time.Time{}
	case participation.Open:
		v.Ended, v.Numbers = h.ended(c), true
	}
	return v, nil
}
