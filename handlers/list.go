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

// How many past consultations a list shows, and the home page. Older ones are in
// the archive.
const (
	maxPast = 100
	recent  = 10
)

// card is a consultation in a list.
type card struct {
	URL, Title, Lang, State string
	At                      time.Time // opening if it is to open, else closing; zero if withdrawn
	Opens, Ended            bool
	Votable, Numbers        bool
	Turnout, Replies        int
	Asked                   string // the question in a sentence or two, while it can be answered
	Final                   bool   // Leaders are those of the final count
	Leaders                 []row
}

type group struct {
	Name  string // open, scheduled, closed: where a visitor looks, whatever the phase
	Cards []card
}

type channelLink struct{ URL, Title, Lang, Handle string }

type listView struct {
	Page     page
	Empty    bool
	Open     bool // something is
	Groups   []group
	Channels []channelLink
}

func (h *handler) list(c echo.Context) error {
	ctx := c.Request().Context()
	v := listView{Page: h.page(c, "")}
	v.Page.Title = h.Site.Text(v.Page.Lang, "frame.all")
	v.Page.Description = h.Site.Text(v.Page.Lang, "list.intro")
	var err error
	if v.Groups, err = h.home(ctx, v.Page); err != nil {
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
	v.Open = !v.Empty && v.Groups[0].Name == "open"
	return h.html(c, http.StatusOK, "list", v.Page, v)
}

// home lists what can be answered, the first to close first; what is to come, the
// first to open first; and what closed last.
func (h *handler) home(ctx context.Context, p page) ([]group, error) {
	current, err := h.Service.Consultations(ctx, participation.Filter{Phases: []participation.Phase{participation.Open, participation.Scheduled}})
	if err != nil {
		return nil, err
	}
	past, err := h.Service.Consultations(ctx, participation.Filter{
		Phases: []participation.Phase{participation.Closed, participation.Withdrawn}, Limit: maxPast})
	if err != nil {
		return nil, err
	}
	groups, _, err := h.grouped(ctx, p, append(current, past...), recent)
	for _, g := range groups {
		switch g.Name {
		case "closed":
			slices.SortStableFunc(g.Cards, func(a, b card) int { return b.At.Compare(a.At) })
		default:
			slices.SortStableFunc(g.Cards, func(a, b card) int { return a.At.Compare(b.At) })
		}
	}
	return groups, err
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

// groups lists consultations, all or those of a channel. keep selects further if
// it is not nil.
func (h *handler) groups(ctx context.Context, p page, channel string, keep func(participation.Consultation) bool) (groups []group, total int, err error) {
	found, err := h.Service.Consultations(ctx, participation.Filter{Channel: channel, Phases: []participation.Phase{
		participation.Open, participation.Scheduled, participation.Closed, participation.Withdrawn,
	}})
	if err != nil {
		return nil, 0, err
	}
	if keep != nil {
		found = slices.DeleteFunc(found, func(c participation.Consultation) bool { return !keep(c) })
	}
	return h.grouped(ctx, p, found, maxPast)
}

// grouped makes cards of consultations in three groups: those that can be voted
// on, those to come, and the rest, which begins at closing time and not only when
// the count is there, and of which only so many are shown.
func (h *handler) grouped(ctx context.Context, p page, found []participation.Consultation, past int) (groups []group, total int, err error) {
	cards := map[string][]card{}
	for _, c := range found {
		name := "closed"
		switch {
		case c.Phase == participation.Scheduled:
			name = "scheduled"
		case c.Phase == participation.Open && !h.ended(c):
			name = "open"
		}
		if total++; len(cards[name]) == past && name == "closed" {
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
	if c.Phase != participation.Withdrawn && !h.ended(c) {
		v.Asked = sentences(excerpt(c.HTML))
	}
	switch c.Phase {
	case participation.Scheduled:
		v.Opens, v.At = true, h.local(c.OpensAt, c.Zone)
	case participation.Closed:
		v.Ended, v.Numbers, v.At = true, r.Final, h.local(c.ClosedAt, c.Zone)
		if counts, voters, _ := c.Shown(r); r.Final {
			v.Final, v.Leaders = true, leaders(rows(c, counts, voters))
		}
	case participation.Withdrawn:
		v.At = time.Time{}
	case participation.Open:
		v.Ended, v.Numbers = h.ended(c), true
	}
	return v, nil
}

// sentences are the first two of a text.
func sentences(text string) string {
	end := 0
	for range 2 {
		next := strings.IndexAny(text[end:], ".?!")
		if next < 0 {
			return text
		}
		end += next + 1
		if end < len(text) && text[end] != ' ' { // inside a number, an address or an ellipsis
			return text
		}
	}
	return text[:end]
}
