package handlers

import (
	"fmt"
	"html"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	qrcode "github.com/skip2/go-qrcode"

	"inspraak/participation"
	"inspraak/web"
)

// shareView is what the municipality spreads: a poster, and words and code to
// paste elsewhere.
type shareView struct {
	Page                page
	Title, Lang, URL    string
	Excerpt             string
	Opens, Closes       time.Time
	Scheduled, Ended    bool
	Purpose             string
	Short, ShortAddress string // the short link, without and with its scheme
	QR                  string
	Poster, Share       string
	OtherWays           web.HTML
	OtherWaysLang       string
	Texts               []shareText
	Embed               string // code for another site
}

type shareText struct{ Lang, Words string }

// share shows what to spread a consultation with, poster the sheet to print.
func (h *handler) share(c echo.Context) error  { return h.spread(c, "share") }
func (h *handler) poster(c echo.Context) error { return h.spread(c, "poster") }

func (h *handler) spread(c echo.Context, name string) error {
	con, err := h.visible(c.Request().Context(), c.Param("slug"))
	if err != nil {
		return err
	}
	if con.Phase == participation.Withdrawn {
		return echo.NewHTTPError(http.StatusGone, "withdrawn")
	}
	p := h.page(c, "")
	p.Title = h.Site.Text(p.Lang, name+".title") + ": " + con.Title
	p.Description = h.Site.Text(p.Lang, name+".what")
	at := "/consultations/" + con.Slug
	v := shareView{
		Page: p, Title: con.Title, Lang: con.Language, URL: p.To(at), Excerpt: excerpt(con.HTML),
		Opens: h.local(con.OpensAt, con.Zone), Closes: h.local(con.ClosesAt, con.Zone),
		Scheduled: con.Phase == participation.Scheduled, Ended: h.ended(con), Purpose: h.purpose(con),
		ShortAddress: h.shortLink(con), QR: at + "/qr.svg", Poster: p.To(at + "/poster"), Share: p.To(at + "/share"),
	}
	_, v.Short, _ = strings.Cut(v.ShortAddress, "://")
	v.OtherWays, v.OtherWaysLang = h.inLanguage(p, h.OtherWays)
	for _, lang := range h.Site.Languages() {
		key, when := "share.text-"+v.Purpose, v.Closes
		if v.Scheduled {
			when = v.Opens
		}
		v.Texts = append(v.Texts, shareText{lang, h.Site.Text(lang, key, "Site", h.Name, "Title", con.Title, "Address", v.ShortAddress,
			"When", h.Site.Moment(lang, when), "Handle", h.URLs.Handle(con.Channel))})
	}
	v.Embed = h.embedCode(con, p.Lang, embedWidth, embedHeight)
	return h.html(c, http.StatusOK, name, p, v)
}

func (h *handler) shortLink(c participation.Consultation) string {
	return h.URLs.Short(c.ShortName())
}

type shortView struct {
	Page   page
	Groups []group
}

// short leads from a poster to the page. Who mistypes is shown what is open.
func (h *handler) short(c echo.Context) error {
	ctx := c.Request().Context()
	con, found, err := h.byShortName(c, c.Param("code"))
	if err != nil {
		return err
	}
	p := h.page(c, "")
	if found {
		return c.Redirect(http.StatusFound, p.To("/consultations/"+con.Slug))
	}
	v := shortView{Page: p}
	v.Page.Title, v.Page.Hidden = h.Site.Text(p.Lang, "short.title"), true
	groups, _, err := h.groups(ctx, p, "", func(c participation.Consultation) bool { return !h.ended(c) && c.Phase == participation.Open })
	v.Groups = groups
	if err != nil {
		return err
	}
	return h.html(c, http.StatusNotFound, "short-none", v.Page, v)
}

// byShortName finds a consultation that the public may see.
func (h *handler) byShortName(c echo.Context, typed string) (participation.Consultation, bool, error) {
	name := participation.CanonicalShortName(typed)
	all, err := h.Service.Consultations(c.Request().Context(), participation.Filter{Phases: []participation.Phase{
		participation.Scheduled, participation.Open, participation.Closed, participation.Withdrawn}})
	if err != nil {
		return participation.Consultation{}, false, err
	}
	for _, con := range all {
		if con.ShortName() == name {
			return con, true, nil
		}
	}
	return participation.Consultation{}, false, nil
}

// qr draws the short link of a consultation as a QR code (ISO/IEC 18004, error
// correction M): one path, with its quiet zone of four modules.
func (h *handler) qr(c echo.Context) error {
	con, err := h.visible(c.Request().Context(), c.Param("slug"))
	if err != nil {
		return err
	}
	if con.Phase == participation.Withdrawn {
		return echo.NewHTTPError(http.StatusGone, "withdrawn")
	}
	code, err := qrcode.New(h.shortLink(con), qrcode.Medium)
	if err != nil {
		return &ourFault{fmt.Errorf("draw QR code: %w", err)}
	}
	rows := code.Bitmap()
	var path strings.Builder
	for y, row := range rows {
		for x := 0; x < len(row); x++ {
			from := x
			for x < len(row) && row[x] {
				x++
			}
			if x > from {
				fmt.Fprintf(&path, "M%d %dh%dv1H%d", from, y, x-from, from)
			}
		}
	}
	svg := fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[1]d" width="%[2]d" height="%[2]d" role="img" aria-labelledby="t" shape-rendering="crispEdges">`+
		`<title id="t" lang="%[3]s">QR: %[4]s (%[5]s)</title><path fill="#fff" d="M0 0h%[1]dv%[1]dH0"/><path d="%[6]s"/></svg>`+"\n",
		len(rows), 8*len(rows), html.EscapeString(con.Language), html.EscapeString(con.Title), html.EscapeString(h.shortLink(con)), path.String())
	shared(c)
	c.Response().Header().Set("Cache-Control", "no-cache")
	if h.unchanged(c, digest([]byte(svg))) {
		return c.NoContent(http.StatusNotModified)
	}
	return c.Blob(http.StatusOK, "image/svg+xml", []byte(svg))
}
