package handlers

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"inspraak/handlers/feed"
	"inspraak/participation"
)

// feedRoutes are the feeds and calendars of the node, of each channel and of each
// consultation.
func (h *handler) feedRoutes(get func(path string, f echo.HandlerFunc)) {
	for _, format := range feed.Formats() {
		get("/feed."+format.Ending, h.feed(format, h.nodeFeed))
		get("/@:name/feed."+format.Ending, h.feed(format, h.channelFeed))
		get("/consultations/:slug/feed."+format.Ending, h.feed(format, h.consultationFeed))
	}
	get("/calendar.ics", h.calendar(h.nodeCalendar))
	get("/@:name/calendar.ics", h.calendar(h.channelCalendar))
	get("/consultations/:slug/calendar.ics", h.calendar(h.consultationCalendar))
}

func (h *handler) feed(format feed.Format, find func(context.Context, echo.Context) (feed.Feed, error)) echo.HandlerFunc {
	return func(c echo.Context) error {
		f, err := find(c.Request().Context(), c)
		if err != nil {
			return err
		}
		body, err := format.Write(f)
		if err != nil {
			return &ourFault{err}
		}
		c.Response().Header().Set("Content-Language", f.Lang)
		return h.program(c, format.MediaType+"; charset=utf-8", body)
	}
}

func (h *handler) calendar(find func(context.Context, echo.Context) ([]byte, error)) echo.HandlerFunc {
	return func(c echo.Context) error {
		body, err := find(c.Request().Context(), c)
		if err != nil {
			return err
		}
		return h.program(c, "text/calendar; charset=utf-8", body)
	}
}

// program sends what is made for programs of any origin.
func (h *handler) program(c echo.Context, mediaType string, body []byte) error {
	shared(c)
	c.Response().Header().Set("Cache-Control", "no-cache")
	if h.unchanged(c, digest(body)) {
		return c.NoContent(http.StatusNotModified)
	}
	return c.Blob(http.StatusOK, mediaType, body)
}

func (h *handler) nodeFeed(ctx context.Context, _ echo.Context) (feed.Feed, error) {
	return h.feeds.Node(ctx)
}

func (h *handler) channelFeed(ctx context.Context, c echo.Context) (feed.Feed, error) {
	ch, err := h.Service.Channel(ctx, c.Param("name"))
	if err != nil {
		return feed.Feed{}, err
	}
	return h.feeds.Channel(ctx, ch)
}

func (h *handler) consultationFeed(ctx context.Context, c echo.Context) (feed.Feed, error) {
	con, err := h.public(c)
	if err != nil {
		return feed.Feed{}, err
	}
	return h.feeds.Consultation(ctx, con)
}

func (h *handler) nodeCalendar(ctx context.Context, _ echo.Context) ([]byte, error) {
	return h.feeds.NodeCalendar(ctx)
}

func (h *handler) channelCalendar(ctx context.Context, c echo.Context) ([]byte, error) {
	ch, err := h.Service.Channel(ctx, c.Param("name"))
	if err != nil {
		return nil, err
	}
	return h.feeds.ChannelCalendar(ctx, ch)
}

// consultationCalendar is there for a withdrawn one too: it says so.
func (h *handler) consultationCalendar(ctx context.Context, c echo.Context) ([]byte, error) {
	con, err := h.visible(ctx, c.Param("slug"))
	if err != nil {
		return nil, err
	}
	return h.feeds.Calendar(ctx, con.Title, con)
}

type apiView struct {
	Page     page
	Channels []apiChannel
	Words    string // address of an example
}

type apiChannel struct{ Title, Lang, Feed, Calendar string }

// apiPage tells people which addresses are for programs.
func (h *handler) apiPage(c echo.Context) error {
	v := apiView{Page: h.page(c, "")}
	v.Page.Title = h.Site.Text(v.Page.Lang, "api.title")
	v.Page.Description = h.Site.Text(v.Page.Lang, "api.lead")
	channels, err := h.Service.Channels(c.Request().Context())
	if err != nil {
		return err
	}
	for _, ch := range channels {
		v.Channels = append(v.Channels, apiChannel{ch.Title, ch.Language, "/@" + ch.Name + "/feed", "/@" + ch.Name + "/calendar.ics"})
	}
	newest, err := h.Service.Consultations(c.Request().Context(), participation.Filter{
		Phases: []participation.Phase{participation.Open, participation.Closed}, Limit: 1,
	})
	for _, con := range newest {
		v.Words = con.Slug
	}
	if err != nil {
		return err
	}
	return h.html(c, http.StatusOK, "api", v.Page, v)
}
