package handlers

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"inspraak/participation"
)

// Tiles are those of C2SP tlog-tiles: 256 hashes of SHA-256.
const (
	tileWidth = 256
	hashSize  = 32
)

// logOf finds a log by the ID of its consultation. It stays when the consultation
// is withdrawn, for others hold its checkpoints; of what never opened there is
// none.
func (h *handler) logOf(c echo.Context) (participation.Consultation, participation.LogHead, error) {
	ctx, id := c.Request().Context(), c.Param("id")
	shared(c)
	con, err := h.Service.Consultation(ctx, id)
	if err != nil {
		return con, participation.LogHead{}, err
	}
	head, err := h.Service.Log(ctx, con.Number)
	if err == nil && (con.ID != id || head.Size == 0) {
		err = noLog(id)
	}
	return con, head, err
}

func noLog(id string) error { return fmt.Errorf("log %q: %w", id, participation.ErrNotFound) }

// checkpoint serves the newest signed head of a log (C2SP tlog-tiles,
// Checkpoints).
func (h *handler) checkpoint(c echo.Context) error {
	_, head, err := h.logOf(c)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-cache")
	return c.String(http.StatusOK, head.Checkpoint)
}

// logKey serves the verifier key of a log (C2SP signed-note).
func (h *handler) logKey(c echo.Context) error {
	con, _, err := h.logOf(c)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-cache")
	key, _ := h.Service.LogKey(con)
	return c.String(http.StatusOK, key+"\n")
}

// tile serves hashes of a log's tree (C2SP tlog-tiles, Merkle Tree). What lies
// beyond the tree is not there, nor is a tile said to be wider than it is.
func (h *handler) tile(c echo.Context) error {
	con, _, err := h.logOf(c)
	if err != nil {
		return err
	}
	level, rest, _ := strings.Cut(c.Param("*"), "/")
	at, ok := parseTile(rest)
	l, err := strconv.Atoi(level)
	if !ok || err != nil || l < 0 || l > 63 || strconv.Itoa(l) != level {
		return noLog(con.ID)
	}
	hashes, err := h.Service.LogTile(c.Request().Context(), con.Number, l, at.n)
	if err != nil {
		return err
	}
	if len(hashes) < at.width*hashSize {
		return noLog(con.ID)
	}
	return immutable(c, hashes[:at.width*hashSize])
}

// logEntries serves what the hashes of a tile of level 0 are of (C2SP tlog-tiles,
// Log entries): each with its length in two bytes before it.
func (h *handler) logEntries(c echo.Context) error {
	con, head, err := h.logOf(c)
	if err != nil {
		return err
	}
	at, ok := parseTile(c.Param("*"))
	if !ok || at.n > head.Size/tileWidth || at.n*tileWidth+int64(at.width) > head.Size {
		return noLog(con.ID)
	}
	var bundle []byte
	err = h.Service.LogEntries(c.Request().Context(), con.Number, at.n*tileWidth, at.width, func(_ int64, entry string) error {
		if len(entry) > 1<<16-1 {
			return fmt.Errorf("an entry of %d bytes does not fit a bundle", len(entry))
		}
		bundle = append(binary.BigEndian.AppendUint16(bundle, uint16(len(entry))), entry...)
		return nil
	})
	if err != nil {
		return err
	}
	return immutable(c, bundle)
}

// immutable sends what never changes.
func immutable(c echo.Context, body []byte) error {
	c.Response().Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	return c.Blob(http.StatusOK, echo.MIMEOctetStream, body)
}

// tileAt is the place of a tile in its level.
type tileAt struct {
	n     int64
	width int
}

var tileName = regexp.MustCompile(`^((?:x[0-9]{3}/){0,5})([0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?$`)

// parseTile reads <N>[.p/<W>]: N in groups of three digits, all but the last one
// with an x before it, and no group of zeros in front; W from 1 to 255, for a
// tile that is not full.
func parseTile(name string) (at tileAt, ok bool) {
	m := tileName.FindStringSubmatch(name)
	if m == nil || strings.HasPrefix(m[1], "x000/") {
		return at, false
	}
	digits := strings.NewReplacer("x", "", "/", "").Replace(m[1]) + m[2]
	at.n, at.width = 0, tileWidth
	if m[3] != "" {
		at.width, _ = strconv.Atoi(m[3]) // at most three digits
		if at.width >= tileWidth {
			return at, false
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	at.n = n
	return at, err == nil
}

type logsView struct {
	Page             page
	Key, Fingerprint string
	Channels         []channelLink
	Logs             []logView
}

type logView struct {
	ID, URL, Title, Lang, State string
	Origin, Address             string
	Size                        int
	At                          time.Time
	Checkpoint                  string
	Published                   []checkpointView
}

type checkpointView struct {
	Size int
	At   time.Time
	Note string
}

// logs shows the logs of the node, newest first, and the key by which they are
// known.
func (h *handler) logs(c echo.Context) error {
	ctx := c.Request().Context()
	v := logsView{Page: h.page(c, "")}
	v.Page.Title = h.Site.Text(v.Page.Lang, "logs.title")
	v.Page.Description = h.Site.Text(v.Page.Lang, "logs.lead")
	v.Key, v.Fingerprint = h.Service.NodeKey()
	channels, err := h.Service.Channels(ctx)
	if err != nil {
		return err
	}
	for _, ch := range channels {
		v.Channels = append(v.Channels, channelLink{v.Page.To("/@" + ch.Name), ch.Title, ch.Language, h.URLs.Handle(ch.Name)})
	}
	found, err := h.Service.Consultations(ctx, participation.Filter{Phases: []participation.Phase{
		participation.Open, participation.Closed, participation.Withdrawn,
	}})
	if err != nil {
		return err
	}
	for _, con := range found {
		if len(v.Logs) == maxPast {
			break
		}
		view, err := h.logView(ctx, v.Page, con)
		if err != nil {
			return err
		}
		if view.Size > 0 {
			v.Logs = append(v.Logs, view)
		}
	}
	return h.html(c, http.StatusOK, "logs", v.Page, v)
}

func (h *handler) logView(ctx context.Context, p page, c participation.Consultation) (logView, error) {
	head, err := h.Service.Log(ctx, c.Number)
	if err != nil || head.Size == 0 {
		return logView{}, err
	}
	r, err := h.snapshot(ctx, c)
	if err != nil {
		return logView{}, err
	}
	published, err := h.Service.Checkpoints(ctx, c.Number)
	if err != nil {
		return logView{}, err
	}
	v := logView{
		ID: c.ID, URL: p.To("/consultations/" + c.Slug), Title: c.Title, Lang: c.Language, State: h.state(c, r),
		Origin: h.Service.Origin(c), Address: "/log/" + c.ID, Size: int(head.Size), At: h.local(head.At, c.Zone), Checkpoint: head.Checkpoint,
	}
	for _, p := range published {
		v.Published = append(v.Published, checkpointView{int(p.Size), h.local(p.At, c.Zone), p.Note})
	}
	return v, nil
}
