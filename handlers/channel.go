package handlers

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"inspraak/web"
)

type channelView struct {
	Page            page
	Title, Lang     string
	Body            web.HTML
	Avatar, Header  *imageView
	Fields          []field
	Handle, Address string
	Groups          []group
	Own             ownForm
}

type field struct{ Name, Value, URL string }

// channel shows an account that can be followed, and what it has asked.
func (h *handler) channel(c echo.Context) error {
	ctx := c.Request().Context()
	ch, err := h.Service.Channel(ctx, c.Param("name"))
	if err != nil {
		return err
	}
	v := channelView{
		Page: h.page(c, ch.Title), Title: ch.Title, Lang: ch.Language, Body: web.HTML(ch.HTML),
		Avatar: image(ch.Avatar), Header: image(ch.Header),
		Handle: h.URLs.Handle(ch.Name), Address: h.URLs.Profile(ch.Name),
	}
	for _, f := range ch.Fields {
		link := ""
		if strings.HasPrefix(f.Value, "https://") {
			link = f.Value
		}
		v.Fields = append(v.Fields, field{f.Name, f.Value, link})
	}
	v.Page.Feed, v.Page.Object = "/@"+ch.Name+"/feed.atom", h.URLs.Actor(ch.Name)
	v.Own = h.ownForm(c, v.Page, "/@"+ch.Name+"/follow", toFollow)
	v.Page.Description = excerpt(ch.HTML)
	h.picture(&v.Page, ch.Avatar)
	h.picture(&v.Page, ch.Header)
	if v.Groups, _, err = h.groups(ctx, v.Page, ch.Name, nil); err != nil {
		return err
	}
	return h.html(c, http.StatusOK, "channel", v.Page, v)
}
