package handlers

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"time"

	"github.com/labstack/echo/v4"

	"inspraak/activitypub"
)

// maxBody is the size of the largest activity that is read, in bytes. Real
// ones seldom exceed 20 KiB.
const maxBody = 256 << 10

// bodyTimeout is how long a body may take to arrive.
const bodyTimeout = 10 * time.Second

// inbox takes one POST of another server (ActivityPub §7.1). What is cheap to
// refuse is refused before the body is read; 202 is said only when the door
// has it on disk.
func (h *handler) inbox(c echo.Context) error {
	r := c.Request()
	types := r.Header.Values(echo.HeaderContentType)
	switch {
	case r.URL.RawQuery != "" || r.URL.ForceQuery: // an inbox has none, and the signature of one could be replayed to another
		return echo.NewHTTPError(http.StatusNotFound, "no inbox has a query")
	case r.ContentLength > maxBody:
		return echo.NewHTTPError(http.StatusRequestEntityTooLarge, "at most 256 KiB")
	case len(r.Header.Values(echo.HeaderContentEncoding)) > 0:
		return echo.NewHTTPError(http.StatusUnsupportedMediaType, "send the body without Content-Encoding")
	case len(types) != 1 || !isActivity(types[0]):
		return echo.NewHTTPError(http.StatusUnsupportedMediaType, "send "+activityJSON)
	}
	if err := admit(c, h.inboxLimit); err != nil {
		return err
	}
	body, err := readBody(c)
	if err != nil {
		return err
	}
	// Only now: a body that drips in must not hold a place.
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	default:
		return &activitypub.Refusal{Status: http.StatusServiceUnavailable, RetryAfter: retryAfter, Reason: "busy"}
	}
	r.RemoteAddr = source(c.RealIP()) // not a proxy's, by the extractor that trusts only ours
	if err := h.Doors.Receive(r.Context(), r, body, c.Param("name")); err != nil {
		if errors.As(err, new(*activitypub.Refusal)) {
			return err
		}
		return &unstored{err}
	}
	return c.NoContent(http.StatusAccepted)
}

// unstored is any failure of ours behind an inbox. It is 503 whatever it
// wraps, so that the sender tries again.
type unstored struct{ err error }

func (u *unstored) Error() string { return "receive: " + u.err.Error() }

func readBody(c echo.Context) ([]byte, error) {
	// Recorders in tests know no deadlines; Server sets one anyway.
	_ = http.NewResponseController(c.Response()).SetReadDeadline(time.Now().Add(bodyTimeout))
	var buffer bytes.Buffer
	if n := c.Request().ContentLength; n > 0 { // at first no more than a common activity has: the rest is only announced
		buffer.Grow(int(min(n, 2048)) + bytes.MinRead)
	}
	_, err := buffer.ReadFrom(http.MaxBytesReader(c.Response(), c.Request().Body, maxBody))
	if errors.As(err, new(*http.MaxBytesError)) {
		return nil, echo.NewHTTPError(http.StatusRequestEntityTooLarge, "at most 256 KiB")
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, echo.NewHTTPError(http.StatusRequestTimeout, "the body did not arrive in time")
	}
	if err != nil {
		return nil, echo.NewHTTPError(http.StatusBadRequest, "the body did not arrive whole")
	}
	return buffer.Bytes(), nil
}
