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
	case path == "/actor", strings.HasPrefix(path, "/a/"), strings.HasPrefix(path, "/o/"),
		strings.HasPrefix(path, "/.well-known/"), strings.HasPrefix(path, "/nodeinfo/"):
		return ClassDocument
	case strings.HasSuffix(path, ".atom"), strings.HasSuffix(path, ".json"), strings.HasPrefix(path, "/log/"):
		return ClassFeed
	case strings.HasSuffix(path, "/dataset.zip"), strings.HasSuffix(path, "/dataset/:name"),
		strings.HasPrefix(path, "/media/"), strings.HasPrefix(path, "/static/"), strings.HasSuffix(path, "/qr.svg"), path == "/favicon.ico", path == "/robots.txt":
		return ClassFile
	case strings.HasPrefix(path, "/embed/"), path == "/c/:code":
		return ClassPage
	case path == "/oembed":
		return ClassFeed
	case strings.HasPrefix(path, "/@"), strings.HasPrefix(path, "/consultations/"):
		if strings.HasPrefix(c.Response().Header().Get(echo.HeaderContentType), activityJSON) {
			return ClassDocument
		}
		return ClassPage
	case path == "/", path == "/about", path == "/logs", path == "/tags/:tag", path == "/my-data/:token":
		return ClassPage
	}
	return ClassNone
}
