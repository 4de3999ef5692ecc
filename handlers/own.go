package handlers

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"inspraak/activitypub"
	"inspraak/participation"
)

// What a visitor wants to do with the own account.
const (
	toVote   = "vote"
	toReply  = "reply"
	toRead   = "read" // voting is over
	toFollow = "follow"
)

// maxHandle is how much of a handle is shown again, in characters.
const maxHandle = 120

// ownForm is where a visitor says which account is theirs. The template
// "own-account" shows it; it stands on several pages.
type ownForm struct {
	Action, Purpose      string
	Typed, Trouble, Host string // what was typed before, why it led nowhere, at which server
}

// ownForm begins the form, which leads to other servers. Browsers hold
// form-action against the redirect that answers it as well (CSP3 §4.2), so a page
// with this form may lead anywhere over HTTPS, and others may not. The form says
// which page it comes from, to us only: under no-referrer, a browser without
// Sec-Fetch-Site could not be told from a page of another site.
func (h *handler) ownForm(c echo.Context, p page, path, purpose string) ownForm {
	others := "form-action 'self' https:"
	if strings.HasPrefix(h.URLs.Base, "http:") { // a trial on one machine
		others += " http:"
	}
	header := c.Response().Header()
	header.Set("Content-Security-Policy", strings.Replace(contentPolicy, "form-action 'self'", others, 1))
	header.Set("Referrer-Policy", "same-origin")
	return ownForm{Action: p.To(path), Purpose: purpose}
}

// purpose is what can be done with a consultation from the own account. Before it
// opens other servers cannot have it, and its channel can be followed.
func (h *handler) purpose(c participation.Consultation) string {
	switch {
	case c.Phase == participation.Scheduled:
		return toFollow
	case h.ended(c):
		return toRead
	case c.Kind.HasOptions():
		return toVote
	}
	return toReply
}

func takePartPath(c participation.Consultation) string {
	return "/consultations/" + c.Slug + "/take-part"
}

type ownView struct {
	Page             page
	Title, Lang, URL string // of the consultation or channel, and its own page
	Form             ownForm
	Opens            time.Time // zero if it has opened
	Servers          []string  // from which votes count; none: from all
	Address          string    // what to paste into a search field
	Paste            *activitypub.Home
	Consultation     bool
}

// takePart leads a visitor to a consultation on the own server.
func (h *handler) takePart(c echo.Context) error {
	con, err := h.visible(c.Request().Context(), c.Param("slug"))
	if err != nil {
		return err
	}
	if con.Phase == participation.Withdrawn {
		return echo.NewHTTPError(http.StatusGone, "withdrawn")
	}
	v := ownView{Page: h.page(c, ""), Title: con.Title, Lang: con.Language, Address: h.URLs.Page(con.Slug), Consultation: true}
	v.Form = h.ownForm(c, v.Page, takePartPath(con), h.purpose(con))
	v.URL = v.Page.To("/consultations/" + con.Slug)
	object := h.URLs.Object(con.ID)
	if v.Form.Purpose == toVote {
		v.Servers = con.Terms.AllowedServers
	}
	if v.Form.Purpose == toFollow {
		v.Opens, object, v.Address = h.local(con.OpensAt, con.Zone), h.URLs.Actor(con.Channel), h.URLs.Handle(con.Channel)
	}
	return h.own(c, v, object)
}

// follow leads a visitor to a channel on the own server.
func (h *handler) follow(c echo.Context) error {
	ch, err := h.Service.Channel(c.Request().Context(), c.Param("name"))
	if err != nil {
		return err
	}
	v := ownView{Page: h.page(c, ""), Title: ch.Title, Lang: ch.Language, Address: h.URLs.Handle(ch.Name)}
	v.Form = h.ownForm(c, v.Page, "/@"+ch.Name+"/follow", toFollow)
	v.URL = v.Page.To("/@" + ch.Name)
	return h.own(c, v, h.URLs.Actor(ch.Name))
}

// own shows the form, and answers it: with the page of the own server, or with
// what to do where there is none. Nothing of it is stored or logged.
func (h *handler) own(c echo.Context, v ownView, object string) error {
	v.Page.Title = h.Site.Text(v.Page.Lang, "own-title."+v.Form.Purpose) + ": " + v.Title
	v.Page.Description = h.Site.Text(v.Page.Lang, "own-what."+v.Form.Purpose)
	if c.Request().Method != http.MethodPost {
		return h.html(c, http.StatusOK, "take-part", v.Page, v)
	}
	c.Response().Header().Set("Cache-Control", noStore)
	if err := h.origins.Check(c.Request()); err != nil {
		return echo.NewHTTPError(http.StatusForbidden, "the form was sent by a page of another site")
	}
	c.Request().Body = http.MaxBytesReader(c.Response(), c.Request().Body, 64<<10)
	if err := c.Request().ParseForm(); err != nil {
		return echo.NewHTTPError(http.StatusBadRequest, "not a form that we can read")
	}
	typed := c.Request().PostForm.Get("handle")
	home, err := h.Doors.Home(c.Request().Context(), typed, object, v.Form.Purpose == toFollow, source(c.RealIP()))
	var none *activitypub.NoHome
	switch {
	case errors.As(err, &none):
		v.Form.Trouble, v.Form.Host, v.Form.Typed = none.Why, none.Host, printable(typed, maxHandle)
		status := http.StatusUnprocessableEntity
		if none.Why == activitypub.TooMany {
			status = http.StatusTooManyRequests
			c.Response().Header().Set(echo.HeaderRetryAfter, "60")
		}
		return h.html(c, status, "take-part", v.Page, v)
	case err != nil:
		return err
	case home.URL == "":
		v.Paste = &home
		return h.html(c, http.StatusOK, "take-part", v.Page, v)
	}
	return c.Redirect(http.StatusSeeOther, home.URL)
}
