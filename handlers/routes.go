package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

// routes is the map of the site: every address that the node answers.
func (h *handler) routes(e *echo.Echo) {
	get := func(path string, f echo.HandlerFunc, m ...echo.MiddlewareFunc) {
		e.Match([]string{http.MethodGet, http.MethodHead}, path, f, m...)
	}

	// From other servers (ActivityPub §7.1).
	e.POST("/inbox", h.inbox)
	e.POST("/a/:name/inbox", h.inbox)

	// For other servers. Browsers are sent to the page.
	for _, path := range []string{
		"/actor", "/a/:name", "/a/:name/followers", "/a/:name/following", "/a/:name/outbox", "/a/:name/featured",
		"/o/:id", "/o/:id/*",
	} {
		get(path, h.document, h.limitPages)
	}
	get("/.well-known/webfinger", h.webFinger, h.limitPages)
	get("/.well-known/host-meta", h.hostMeta, h.limitPages)
	get("/.well-known/nodeinfo", h.nodeInfoLinks, h.limitPages)
	get("/nodeinfo/:version", h.nodeInfo, h.limitPages)

	// For people; a server that asks for ActivityStreams gets the document.
	get("/", h.list, h.limitPages)
	get("/about", h.about, h.limitPages)
	get("/logs", h.logs, h.limitPages)
	get("/tags/:tag", h.tag, h.limitPages)
	get("/@:name", h.either(h.channel), h.limitPages)
	get("/consultations/:slug", h.either(h.consultation), h.limitPages)
	get("/consultations/:slug/posts/:id", h.either(h.post), h.limitPages)
	get("/consultations/:slug/ballots", h.ballots, h.limitPages)
	get("/consultations/:slug/dataset", h.dataset, h.limitPages)
	get("/consultations/:slug/figures", h.figures, h.limitPages)

	// For one person, who was sent the address.
	get("/consultations/:slug/receipt/:token", h.receipt, h.limitPages)
	get("/consultations/:slug/receipt/:token/proof", h.proof, h.limitPages)
	get("/consultations/:slug/receipt/:token/proof/:number", h.proof, h.limitPages)
	get("/my-data/:token", h.myData, h.limitPages)
	e.POST("/my-data/:token", h.erase, h.limitPages)

	// For programs, and whoever checks a count.
	get("/log/:id/checkpoint", h.checkpoint, h.limitPages)
	get("/log/:id/key", h.logKey, h.limitPages)
	get("/log/:id/tile/entries/*", h.logEntries, h.limitPages, middleware.Gzip())
	get("/log/:id/tile/*", h.tile, h.limitPages)
	get("/consultations/:slug/dataset.zip", h.datasetZip, h.limitPages)
	get("/consultations/:slug/dataset/:name", h.datasetFile, h.limitPages)
	get("/consultations/:slug/result.json", h.result, h.limitPages)
	get("/@:name/feed.atom", h.feed, h.limitPages)

	// Files.
	get("/media/:file", h.media, h.limitPages)
	get("/static/:file", h.static, middleware.Gzip())
	get("/favicon.ico", h.favicon)
	get("/robots.txt", h.robots)
}
