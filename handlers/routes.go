package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"inspraak/participation/catalogue"
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
	get("/search", h.search, h.limitPages)
	get("/how-it-works", h.how, h.limitPages)
	get("/privacy", h.privacy, h.limitPages)
	get("/accessibility", h.accessibility, h.limitPages)
	get("/toegankelijkheid", h.toAccessibility, h.limitPages)
	get("/moderation", h.moderation, h.limitPages)
	get("/archive", h.archive, h.limitPages)
	get("/archive/:year", h.archive, h.limitPages)
	get("/logs", h.logs, h.limitPages)
	get("/tags/:tag", h.tag, h.limitPages)
	get("/@:name", h.either(h.channel), h.limitPages)
	get("/consultations/:slug", h.either(h.consultation), h.limitPages)
	get("/consultations/:slug/result", h.resultPage, h.limitPages)
	get("/consultations/:slug/replies", h.replies, h.limitPages)
	get("/consultations/:slug/replies/:number", h.conversation, h.limitPages)
	get("/consultations/:slug/posts/:id", h.either(h.post), h.limitPages)
	get("/consultations/:slug/ballots", h.ballots, h.limitPages)
	get("/consultations/:slug/dataset", h.dataset, h.limitPages)
	get("/consultations/:slug/figures", h.figures, h.limitPages)

	// Take part from here, and elsewhere.
	get("/consultations/:slug/take-part", h.takePart, h.limitPages)
	e.POST("/consultations/:slug/take-part", h.takePart, h.limitPages)
	get("/@:name/follow", h.follow, h.limitPages)
	e.POST("/@:name/follow", h.follow, h.limitPages)
	get("/consultations/:slug/share", h.share, h.limitPages)
	get("/consultations/:slug/poster", h.poster, h.limitPages)
	get("/consultations/:slug/qr.svg", h.qr, h.limitPages)
	get("/c/:code", h.short, h.limitPages)
	get("/embed/consultations/:slug", h.embed, h.limitPages)
	get("/oembed", h.oembed, h.limitPages)

	// For the council.
	get("/consultations/:slug/report", h.report, h.limitPages)
	get("/consultations/:slug/report.md", h.reportFile, h.limitPages)

	// For one person, who was sent the address.
	get("/consultations/:slug/receipt/:token", h.receipt, h.limitPages)
	get("/consultations/:slug/receipt/:token/proof", h.proof, h.limitPages)
	get("/consultations/:slug/receipt/:token/proof/:number", h.proof, h.limitPages)
	get("/my-data/:token", h.myData, h.limitPages)
	e.POST("/my-data/:token", h.erase, h.limitPages)

	// For programs, and whoever checks a count.
	get("/log/:id/checkpoint", h.checkpoint, h.limitPages)
	get("/log/:id/key", h.logKey, h.limitPages)
	get("/log/:id/tile/entries/*", h.logEntries, h.limitPages)
	get("/log/:id/tile/*", h.tile, h.limitPages)
	get("/consultations/:slug/dataset.zip", h.datasetZip, h.limitPages)
	get("/consultations/:slug/dataset/:name", h.datasetFile, h.limitPages)
	get("/consultations/:slug/result.json", h.api.Result, h.limitPages)
	limited := func(path string, f echo.HandlerFunc) { get(path, f, h.limitPages) }
	h.feedRoutes(limited)
	h.api.Routes(limited)
	limited("/api", h.apiPage)

	// Open data.
	get("/data", h.openData, h.limitPages)
	get("/catalogus", h.catalogueAny, h.limitPages)
	for _, form := range []catalogue.Form{catalogue.Turtle, catalogue.JSONLD, catalogue.RDFXML} {
		get("/catalogus."+string(form), h.catalogueFile(form), h.limitPages)
	}
	get("/consultations/:slug/exports/:file", h.export, h.limitPages)

	// Files.
	get("/media/:file", h.media, h.limitPages)
	get("/static/:file", h.static)
	get("/favicon.ico", h.favicon)
	get("/robots.txt", h.robots)
	get("/consultations/:slug/card.png", h.cardPicture, h.limitPages)
	get("/sitemap.xml", h.sitemap, h.limitPages)
	get("/.well-known/security.txt", h.security)
}
