package handlers

import (
	"cmp"
	"compress/gzip"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

// Below this many bytes an answer fits in one packet, packed or not.
const worthPacking = 1 << 10

// compress packs answers with gzip for clients that unpack it (RFC 9110 §8.4.1.3).
// Their entity tags are weak, for they name both forms, and so is every Vary
// completed here, whatever the handler set.
func compress() echo.MiddlewareFunc {
	skip := func(c echo.Context) bool { return unpacked(c) || !unpacks(c) }
	pack := middleware.GzipWithConfig(middleware.GzipConfig{Skipper: skip, MinLength: worthPacking, Level: gzip.BestSpeed + 2})
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return pack(func(c echo.Context) error {
			if !unpacked(c) {
				c.Response().Before(func() { vary(c, echo.HeaderAcceptEncoding) })
			}
			return next(c)
		})
	}
}

// unpacked tells which answers go out as they are: to what was posted, one
// person's alone (their length must not depend on what a stranger adds to the
// address: https://breachattack.com), images, hashes, and what is packed already
// or asked for in parts.
func unpacked(c echo.Context) bool {
	r, route := c.Request(), c.Path()
	return r.Method != http.MethodGet && r.Method != http.MethodHead || r.Header.Get("Range") != "" ||
		strings.Contains(route, ":token") || r.URL.Query().Has("code") ||
		strings.HasPrefix(route, "/media/") || strings.HasPrefix(route, "/static/") ||
		strings.HasSuffix(route, ".zip") || strings.HasSuffix(route, ".png") || strings.HasSuffix(route, ".ico") ||
		route == "/log/:id/tile/*" || strings.HasPrefix(route, "/catalogus")
}

// vary adds a name to the Vary header, once.
func vary(c echo.Context, name string) {
	header := c.Response().Header()
	if !slices.ContainsFunc(header.Values(echo.HeaderVary), func(v string) bool { return strings.Contains(v, name) }) {
		header.Add(echo.HeaderVary, name)
	}
}

// unpacks tells whether a client takes gzip, and likes it.
func unpacks(c echo.Context) bool {
	return preferred(cmp.Or(c.Request().Header.Get(echo.HeaderAcceptEncoding), "identity"), "gzip", "identity") == "gzip"
}
