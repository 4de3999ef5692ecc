package handlers

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path"
	"regexp"
	"strings"

	"github.com/labstack/echo/v4"

	"inspraak/participation"
)

// imageTypes are the only files served from the media directory. SVG is not
// among them: it can hold scripts.
var imageTypes = map[string]string{
	".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp", ".gif": "image/gif", ".avif": "image/avif",
}

var mediaName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// media serves an image of a consultation or channel. Whatever it holds, a
// browser may only show it.
func (h *handler) media(c echo.Context) error {
	name := c.Param("file")
	kind := imageTypes[strings.ToLower(path.Ext(name))]
	if h.MediaDir == "" || kind == "" || !mediaName.MatchString(name) {
		return fmt.Errorf("media %q: %w", name, participation.ErrNotFound)
	}
	f, err := os.OpenInRoot(h.MediaDir, name)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("media %q: %w", name, participation.ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("media: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("media: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("media %q: %w", name, participation.ErrNotFound)
	}
	shared(c)
	header := c.Response().Header()
	header.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	header.Set("Cache-Control", "public, max-age=86400")
	header.Set(echo.HeaderContentType, kind)
	http.ServeContent(c.Response(), c.Request(), "", info.ModTime(), f)
	return nil
}

// static serves the site's own files; their names change with their content.
func (h *handler) static(c echo.Context) error {
	a, ok := h.Site.Asset(c.Param("file"))
	if !ok {
		return fmt.Errorf("static file %q: %w", c.Param("file"), participation.ErrNotFound)
	}
	shared(c) // a sandboxed frame has no origin, and needs the style sheet all the same
	header := c.Response().Header()
	header.Set("Cache-Control", "public, max-age=31536000, immutable")
	header.Set(echo.HeaderVary, echo.HeaderAcceptEncoding)
	if a.Packed != nil && unpacks(c) {
		header.Set(echo.HeaderContentEncoding, "gzip")
		return c.Blob(http.StatusOK, a.MediaType, a.Packed)
	}
	return c.Blob(http.StatusOK, a.MediaType, a.Data)
}

// favicon is for who asks for an icon without reading the page.
func (h *handler) favicon(c echo.Context) error {
	a, _ := h.Site.Asset(strings.TrimPrefix(h.Site.AssetPath("favicon.ico"), "/static/"))
	c.Response().Header().Set("Cache-Control", "public, max-age=86400")
	return c.Blob(http.StatusOK, a.MediaType, a.Data)
}
