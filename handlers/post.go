package handlers

import (
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"inspraak/participation"
)

type postPage struct {
	Page                                                 page
	ConsultationURL, ConsultationTitle, ConsultationLang string
	ChannelLang                                          string
	Post                                                 postView
}

// post shows one message of the municipality.
func (h *handler) post(c echo.Context) error {
	ctx := c.Request().Context()
	con, err := h.visible(ctx, c.Param("slug"))
	if err != nil {
		return err
	}
	p, err := h.Service.Post(ctx, c.Param("id"))
	if err != nil {
		return err
	}
	if p.Consultation != con.ID {
		return fmt.Errorf("post %q in %s: %w", p.ID, con.Slug, participation.ErrNotFound)
	}
	if con.Phase == participation.Withdrawn {
		return echo.NewHTTPError(http.StatusGone, "withdrawn")
	}
	channel, err := h.Service.Channel(ctx, con.Channel)
	if err != nil {
		return err
	}
	v := postPage{
		Page: h.page(c, con.Title), ConsultationTitle: con.Title, ConsultationLang: con.Language, ChannelLang: channel.Language,
	}
	v.ConsultationURL = v.Page.To("/consultations/" + con.Slug)
	v.Post = h.postView(v.Page, con, channel, p)
	v.Page.Title = h.Site.Text(v.Page.Lang, "post."+string(p.Kind)) + ": " + con.Title
	v.Page.Description = excerpt(p.HTML)
	v.Page.Object, v.Page.Feed = h.URLs.Object(p.ID), "/consultations/"+con.Slug+"/feed.atom"
	return h.html(c, http.StatusOK, "post", v.Page, v)
}
