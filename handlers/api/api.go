// Package api is the read API of the node, /api/v1, as its document says:
// openapi.json, which was written first. It gives what everybody may see on the
// pages, for programs, and the stream of all that happens in public. It follows
// the NL API Design Rules 2 (Logius): a version in the path and one in each
// answer, camelCase, UTC, problems after RFC 9457. It knows HTTP and Echo, stores
// nothing, and asks participation what may be told.
package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed" // the document
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"inspraak/activitypub"
	"inspraak/participation"
)

// Version is that of the interface, in each answer.
const Version = "1.0.0"

// Root is where the API begins.
const Root = "/api/v1"

//go:embed openapi.json
var document []byte

// Config is what the API needs.
type Config struct {
	Service *participation.Service
	URLs    activitypub.URLs
	Name    string // of the municipality
	Email   string // of the municipality; empty: its document gives none
	// Doubt says why the count of a consultation should not be relied on now:
	// "under-review", "being-checked" or nothing.
	Doubt func(participation.Consultation) string
}

// API answers under Root.
type API struct {
	Config
	document []byte
}

// New makes the API. Its document names this node, whom to ask and where, in the
// place of the example of the file.
func New(c Config) *API {
	email := []byte{}
	if c.Email != "" {
		email = fmt.Appendf(nil, `, "email": "%s"`, inside(c.Email))
	}
	own := document // its examples stay examples
	for _, path := range []string{"/about", "/api/v1"} {
		own = bytes.ReplaceAll(own, []byte(`"url": "https://inspraak.example`+path+`"`), slices.Concat([]byte(`"url": "`), inside(c.URLs.Base), []byte(path+`"`)))
	}
	own = bytes.ReplaceAll(own, []byte(`, "email": "inspraak@voorbeeld.example"`), email)
	return &API{c, bytes.ReplaceAll(own, []byte("Gemeente Voorbeeld"), inside(c.Name))}
}

// inside is a text as it stands between the quotes of a JSON string.
func inside(text string) []byte {
	b, _ := json.Marshal(text) // a string always can be
	return b[1 : len(b)-1]
}

// Routes calls get for every address of the API.
func (a *API) Routes(get func(path string, f echo.HandlerFunc)) {
	for path, f := range map[string]echo.HandlerFunc{
		"/consultations":               a.consultations,
		"/consultations/:slug":         a.consultation,
		"/consultations/:slug/result":  a.result,
		"/consultations/:slug/replies": a.replies,
		"/consultations/:slug/posts":   a.posts,
		"/consultations/:slug/dataset": a.dataset,
		"/channels":                    a.channels,
		"/channels/:name":              a.channel,
		"/events":                      a.events,
		"/openapi.json":                a.description,
	} {
		get(Root+path, f)
	}
}

// Headers sets what every answer under /api/ carries, refusals too.
func Headers(h http.Header) {
	h.Set("API-Version", Version)
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "API-Version, ETag, Link, Retry-After")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
}

func (a *API) description(c echo.Context) error {
	if err := read(c).done(); err != nil {
		return err
	}
	return send(c, echo.MIMEApplicationJSON, a.document)
}

// answer sends a value as JSON. next is the address of the next page, if any.
func (a *API) answer(c echo.Context, v any, next string) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("api: %w", err)
	}
	link(c, next)
	return send(c, echo.MIMEApplicationJSON, b.Bytes())
}

func link(c echo.Context, next string) {
	if next != "" {
		c.Response().Header().Set("Link", "<"+next+`>; rel="next"`)
	}
}

// send answers with a body, or 304 if the client has it (RFC 9110 §13.1.2; weak
// comparison).
func send(c echo.Context, mediaType string, body []byte) error {
	h := c.Response().Header()
	Headers(h)
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:12]) + `"`
	h.Set("ETag", "W/"+tag) // it may go out packed
	h.Set("Cache-Control", "no-cache")
	for known := range strings.SplitSeq(c.Request().Header.Get("If-None-Match"), ",") {
		if known = strings.TrimSpace(known); known == "*" || strings.TrimPrefix(known, "W/") == tag {
			return c.NoContent(http.StatusNotModified)
		}
	}
	return c.Blob(http.StatusOK, mediaType, body)
}

// moment is a time in UTC, nil for none.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// visible finds the consultation of a request that the public may see, withdrawn
// or not.
func (a *API) visible(ctx context.Context, slug string) (participation.Consultation, error) {
	con, err := a.Service.Consultation(ctx, slug)
	if notFound(err) || err == nil && (!con.Phase.Visible() || con.Slug != slug) {
		return participation.Consultation{}, echo.NewHTTPError(http.StatusNotFound, fmt.Sprintf("there is no consultation %q", slug))
	}
	return con, err
}

// public finds the consultation of a request. One that was withdrawn is gone.
func (a *API) public(c echo.Context) (participation.Consultation, error) {
	con, err := a.visible(c.Request().Context(), c.Param("slug"))
	if err == nil && con.Phase == participation.Withdrawn {
		err = echo.NewHTTPError(http.StatusGone, "this consultation was withdrawn: "+con.Reason)
	}
	return con, err
}

// address is one of the API.
func (a *API) address(path string) string { return a.URLs.Base + Root + path }
