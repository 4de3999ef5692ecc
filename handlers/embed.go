package handlers

import (
	"encoding/xml"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"inspraak/participation"
)

// How large the frame is on another site, in CSS pixels, unless that site has less
// room.
const (
	embedWidth  = 600
	embedHeight = 320
	embedCached = 3600 // seconds for which others may keep an answer
)

type embedView struct {
	Page    page
	Card    card
	Purpose string
	Take    string
}

// embed is a consultation as other sites may frame it: the one page that may be.
// Its links open outside the frame.
func (h *handler) embed(c echo.Context) error {
	con, err := h.visible(c.Request().Context(), c.Param("slug"))
	if err != nil {
		return err
	}
	v := embedView{Page: h.page(c, con.Title), Purpose: h.purpose(con)}
	v.Page.Hidden = true
	if v.Card, err = h.card(c.Request().Context(), v.Page, con); err != nil {
		return err
	}
	v.Take = v.Page.To(takePartPath(con))
	header := c.Response().Header()
	header.Set("Content-Security-Policy", strings.Replace(contentPolicy, "frame-ancestors 'none'", "frame-ancestors *", 1))
	header.Set("Cross-Origin-Resource-Policy", "cross-origin")
	status := http.StatusOK
	if con.Phase == participation.Withdrawn {
		status = http.StatusGone
	}
	return h.html(c, status, "embed", v.Page, v)
}

// embedCode is the HTML that another site pastes. The frame may open links in a
// window of their own, and nothing else.
func (h *handler) embedCode(c participation.Consultation, lang string, width, height int) string {
	return fmt.Sprintf(`<iframe src="%s" title="%s" width="%d" height="%d" loading="lazy" referrerpolicy="no-referrer" `+
		`sandbox="allow-popups allow-popups-to-escape-sandbox" style="border:0;max-width:100%%"></iframe>`,
		html.EscapeString(h.URLs.Base+"/embed/consultations/"+c.Slug+"?lang="+lang), html.EscapeString(c.Title), width, height)
}

// oEmbed is an answer of type rich (https://oembed.com, version 1.0, §2.3.4.4).
type oEmbed struct {
	XMLName      xml.Name `json:"-" xml:"oembed"`
	Version      string   `json:"version" xml:"version"`
	Type         string   `json:"type" xml:"type"`
	Title        string   `json:"title" xml:"title"`
	AuthorName   string   `json:"author_name" xml:"author_name"`
	AuthorURL    string   `json:"author_url" xml:"author_url"`
	ProviderName string   `json:"provider_name" xml:"provider_name"`
	ProviderURL  string   `json:"provider_url" xml:"provider_url"`
	CacheAge     int      `json:"cache_age" xml:"cache_age"`
	HTML         string   `json:"html" xml:"html"`
	Width        int      `json:"width" xml:"width"`
	Height       int      `json:"height" xml:"height"`
}

// oembed tells other sites how to show one of our addresses. There is an answer
// for every address of a consultation that is not withdrawn, in JSON and XML;
// anything else is 404, another format 501 (§2.3.4). Nothing here is private, so
// none is 401.
func (h *handler) oembed(c echo.Context) error {
	shared(c)
	format := c.QueryParam("format")
	if format != "" && format != "json" && format != "xml" {
		return c.JSON(http.StatusNotImplemented, map[string]string{"error": "format is json or xml"})
	}
	if c.QueryParam("url") == "" {
		return echo.NewHTTPError(http.StatusBadRequest, "give url, the address of a consultation")
	}
	width, fits := atMost(embedWidth, c.QueryParam("maxwidth"))
	height, high := atMost(embedHeight, c.QueryParam("maxheight"))
	if !fits || !high {
		return echo.NewHTTPError(http.StatusBadRequest, "maxwidth and maxheight are whole numbers of pixels, from 1 on")
	}
	con, lang, err := h.atAddress(c, c.QueryParam("url"))
	if err != nil {
		return err
	}
	channel, err := h.Service.Channel(c.Request().Context(), con.Channel)
	if err != nil {
		return err
	}
	answer := oEmbed{Version: "1.0", Type: "rich", Title: con.Title, AuthorName: channel.Title, AuthorURL: h.URLs.Profile(channel.Name),
		ProviderName: h.Name, ProviderURL: h.URLs.Base + "/", CacheAge: embedCached, Width: width, Height: height,
		HTML: h.embedCode(con, lang, width, height)}
	c.Response().Header().Set("Cache-Control", "no-cache")
	if format == "xml" {
		body, err := xml.Marshal(answer)
		if err != nil {
			return &ourFault{err}
		}
		return c.Blob(http.StatusOK, "text/xml; charset=utf-8", append([]byte(xml.Header), body...))
	}
	return c.JSON(http.StatusOK, answer)
}

// atMost is a size that the other site bounds, if it does.
func atMost(size int, bound string) (int, bool) {
	if bound == "" {
		return size, true
	}
	n, err := strconv.Atoi(bound)
	return min(size, n), err == nil && n > 0
}

// atAddress finds the consultation at one of our addresses, and the language that
// the address asks for, else the consultation's own if the site speaks it.
func (h *handler) atAddress(c echo.Context, address string) (con participation.Consultation, lang string, err error) {
	none := fmt.Errorf("oembed: %w: not the address of a consultation here", participation.ErrNotFound)
	u, err := url.Parse(address)
	if err != nil || !strings.EqualFold(u.Host, h.URLs.Host) || u.User != nil {
		return con, "", none
	}
	ctx, path := c.Request().Context(), strings.TrimSuffix(u.Path, "/")
	found := false
	for _, room := range []string{"/embed/consultations/", "/consultations/", "/o/"} {
		name, here := strings.CutPrefix(path, room)
		if !here || name == "" {
			continue
		}
		if con, err = h.Service.Consultation(ctx, name); err != nil {
			return con, "", err
		}
		found = true
		break
	}
	if code, here := strings.CutPrefix(path, "/c/"); here {
		if con, found, err = h.byShortName(c, code); err != nil {
			return con, "", err
		}
	}
	if !found || !con.Phase.Visible() || con.Phase == participation.Withdrawn {
		return con, "", none
	}
	return con, h.Site.Match(u.Query().Get("lang"), con.Language), nil
}

// oEmbedAddress is where other sites learn how to show a page.
func (h *handler) oEmbedAddress(c participation.Consultation) string {
	return h.URLs.Base + "/oembed?format=json&url=" + url.QueryEscape(h.URLs.Page(c.Slug))
}
