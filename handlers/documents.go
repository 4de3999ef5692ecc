package handlers

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// forServers tells whether a route's address is meant for programs, so that a
// client without preference gets a document, not a page.
func (h *handler) forServers(route string) bool {
	prefixes := []string{"/actor", "/a/", "/o/", "/inbox", "/.well-known/", "/nodeinfo/", "/log/", "/oembed"}
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(route, p) }) ||
		strings.HasSuffix(route, ".json")
}

// document serves the ActivityStreams document of an address. A withdrawn one
// is a Tombstone with 410 (ActivityPub §6.4). Browsers are sent to the page.
func (h *handler) document(c echo.Context) error {
	c.Response().Header().Set(echo.HeaderVary, "Accept")
	r := c.Request()
	d, err := h.Doors.Document(r.Context(), r.URL.Path, r.URL.Query())
	if err != nil {
		return err
	}
	if d.Page != "" && !wantsActivity(c, true) {
		return c.Redirect(http.StatusSeeOther, d.Page)
	}
	shared(c)
	c.Response().Header().Set("Cache-Control", "no-cache")
	status := http.StatusOK
	if d.Gone {
		status = http.StatusGone
	}
	return c.Blob(status, activityJSON+"; charset=utf-8", d.Body)
}

// webFinger tells which actor an account name means (RFC 7033).
func (h *handler) webFinger(c echo.Context) error {
	shared(c)
	body, err := h.Doors.WebFinger(c.Request().Context(), c.QueryParam("resource"))
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, "application/jrd+json; charset=utf-8", body)
}

// hostMeta tells where WebFinger is (RFC 6415); Misskey and older software ask.
func (h *handler) hostMeta(c echo.Context) error {
	shared(c)
	return c.Blob(http.StatusOK, "application/xrd+xml; charset=utf-8", h.Doors.HostMeta())
}

func (h *handler) nodeInfoLinks(c echo.Context) error {
	shared(c)
	return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, h.Doors.NodeInfoLinks())
}

// nodeInfo describes the software (FEP-f1d5).
func (h *handler) nodeInfo(c echo.Context) error {
	shared(c)
	version := c.Param("version")
	body, err := h.Doors.NodeInfo(c.Request().Context(), version)
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK,
		`application/json; profile="http://nodeinfo.diaspora.software/ns/schema/`+version+`#"; charset=utf-8`, body)
}
