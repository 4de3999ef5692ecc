package handlers

import (
	"strings"

	"github.com/labstack/echo/v4"
)

// Classes of routes, for figures: whom an address serves.
const (
	ClassInbox    = "inbox"    // other servers that bring something
	ClassDocument = "document" // other servers that fetch something
	ClassFeed     = "feed"     // programs: feeds, figures, ballot logs
	ClassPage     = "page"     // people
	ClassFile     = "file"     // style sheets, images, datasets
	ClassNone     = "none"     // no address of ours
)

// Classes lists them all.
func Classes() []string {
	return []string{ClassInbox, ClassDocument, ClassFeed, ClassPage, ClassFile, ClassNone}
}

// routeClass tells whom a route serves. A page's address counts as a document for
// those who are given the document.
func routeClass(c echo.Context) string {
	switch path := c.Path(); {
	case path == "/inbox", path == "/a/:name/inbox":
		return ClassInbox
	case strings.HasSuffix(path, "/dataset.zip"), strings.HasSuffix(path, "/dataset/:name"),
		strings.HasSuffix(path, "/exports/:file"), strings.HasPrefix(path, "/catalogus"),
		strings.HasPrefix(path, "/media/"), strings.HasPrefix(path, "/static/"), path == "/favicon.ico", path == "/robots.txt",
		path == "/sitemap.xml", path == "/.well-known/security.txt", strings.HasSuffix(path, "/card.png"), strings.HasSuffix(path, "/qr.svg"):
		return ClassFile
	case path == "/actor", strings.HasPrefix(path, "/a/"), strings.HasPrefix(path, "/o/"),
		strings.HasPrefix(path, "/.well-known/"), strings.HasPrefix(path, "/nodeinfo/"):
		return ClassDocument
	case strings.HasSuffix(path, ".atom"), strings.HasSuffix(path, ".rss"), strings.HasSuffix(path, ".json"), strings.HasSuffix(path, ".ics"),
		path == "/oembed", strings.HasPrefix(path, "/api/"), strings.HasPrefix(path, "/log/"):
		return ClassFeed
	case path == "": // no such address
		return ClassNone
	case strings.HasPrefix(c.Response().Header().Get(echo.HeaderContentType), activityJSON):
		return ClassDocument
	}
	return ClassPage
}
