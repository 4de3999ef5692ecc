package handlers

import (
	"mime"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"
)

const (
	activityJSON  = "application/activity+json"
	linkedData    = "application/ld+json"
	activityScope = "https://www.w3.org/ns/activitystreams" // the profile of linkedData that means the same
)

// wantsActivity tells whether a client asks for ActivityStreams rather than a
// page. It does when it accepts either media type of ActivityPub §3.2, with or
// without the profile, at least as gladly as HTML. A client that names neither
// gets what the address is for.
func wantsActivity(c echo.Context, otherwise bool) bool {
	var activity, page float64
	for kind, q := range accepts(c) {
		switch kind {
		case activityJSON, linkedData:
			activity = max(activity, q)
		case "text/html", "application/xhtml+xml":
			page = max(page, q)
		}
	}
	if activity == 0 && page == 0 {
		return otherwise
	}
	return activity > 0 && activity >= page
}

// accepts are the media types of a client's Accept header with their weights (RFC
// 9110 §12.5.1), without their other parameters.
func accepts(c echo.Context) map[string]float64 {
	kinds := map[string]float64{}
	for _, part := range strings.Split(strings.Join(c.Request().Header.Values("Accept"), ","), ",") {
		kind, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		q, err := strconv.ParseFloat(params["q"], 64)
		if err != nil {
			q = 1
		}
		kinds[kind] = max(kinds[kind], q)
	}
	return kinds
}

// either serves the ActivityStreams document of a page's address to those who
// ask for it, and the page to all others.
func (h *handler) either(page echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if wantsActivity(c, false) {
			return h.document(c)
		}
		return page(c)
	}
}

// isActivity tells whether a media type is ActivityPub's (§7): nothing else
// may carry an activity, whatever its parameters claim.
func isActivity(contentType string) bool {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	if kind == activityJSON {
		return true
	}
	if kind != linkedData {
		return false
	}
	for _, profile := range strings.Fields(params["profile"]) {
		if profile == activityScope {
			return true
		}
	}
	return false
}
