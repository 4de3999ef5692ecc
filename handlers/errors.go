package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"inspraak/activitypub"
	"inspraak/handlers/api"
	"inspraak/participation"
)

// ourFault is a failure of the program itself: 500, where the rest of what
// goes wrong on our side is 503 and passes.
type ourFault struct{ err error }

func (f *ourFault) Error() string { return f.err.Error() }
func (f *ourFault) Unwrap() error { return f.err }

// addresses are left out of the log: an error may name the account of somebody
// who has just voted.
var addresses = regexp.MustCompile(`https?://[^\s"]+`)

// retryAfter is when to come back after trouble of ours.
const retryAfter = time.Minute

// answer is what an error says to the outside. Words are given only where
// they were written for the sender.
type answer struct {
	status int
	after  time.Duration
	words  string
}

func answerTo(err error) answer {
	var refusal *activitypub.Refusal
	var httpError *echo.HTTPError
	var fault *ourFault
	switch {
	case errors.As(err, &refusal):
		return answer{refusal.Status, refusal.RetryAfter, refusal.Reason}
	case errors.As(err, &httpError):
		words, _ := httpError.Message.(string)
		return answer{status: httpError.Code, words: words}
	case errors.As(err, &fault):
		return answer{status: http.StatusInternalServerError}
	case errors.Is(err, participation.ErrNotFound):
		return answer{status: http.StatusNotFound}
	case errors.Is(err, participation.ErrInvalid):
		return answer{status: http.StatusBadRequest}
	}
	// A missing key, a busy or full disk, a shutdown. Never 404: other servers
	// would forget what they hold.
	return answer{status: http.StatusServiceUnavailable, after: retryAfter}
}

// fail answers a request that went wrong, in the form that the client reads (see
// errorForm). What went wrong inside stays in the log, under the request's number.
func (h *handler) fail(err error, c echo.Context) {
	a, ctx := answerTo(err), c.Request().Context()
	if a.status >= 500 {
		level := slog.LevelError
		cause := err
		if inside := (*unstored)(nil); errors.As(err, &inside) {
			cause = inside.err
		}
		if errors.Is(cause, context.Canceled) || errors.As(err, new(*activitypub.Refusal)) {
			level = slog.LevelDebug // the client left, or was told to come back
		}
		h.Log.Log(ctx, level, "request failed", "route", c.Path(), "status", a.status, "request", requestID(c),
			"error", addresses.ReplaceAllString(err.Error(), "…"))
	}
	if c.Response().Committed {
		return
	}
	header := c.Response().Header()
	header.Del("Etag")
	header.Set("Cache-Control", noStore)
	if a.after > 0 {
		header.Set(echo.HeaderRetryAfter, strconv.Itoa(int(max(a.after.Round(time.Second), time.Second)/time.Second)))
	}
	switch form := h.errorForm(c); {
	case strings.HasPrefix(c.Request().URL.Path, "/api/"):
		err = api.Problem(c, err, a.status, a.words)
	case form == asPage:
		err = h.errorPage(c, a.status)
	case form == asText:
		err = h.errorText(c, a.status)
	default:
		if a.status >= 500 && !errors.As(err, new(*activitypub.Refusal)) {
			a.words = ""
		}
		err = problem(c, a)
	}
	if err != nil {
		h.Log.ErrorContext(ctx, "answer not written", "request", requestID(c), "error", err)
		if !c.Response().Committed {
			c.Response().WriteHeader(a.status)
		}
	}
}

type errorView struct {
	Page                page
	Status              int
	Contact, ContactURL string
	Request             string
}

func (h *handler) errorView(c echo.Context, status int) errorView {
	v := errorView{Page: h.page(c, ""), Status: status, Contact: h.Contact, ContactURL: contactURL(h.Contact)}
	if !h.Site.Has("error." + strconv.Itoa(status) + ".title") {
		v.Status = http.StatusBadRequest
		if status >= 500 {
			v.Status = http.StatusInternalServerError
		}
	}
	if status >= 500 {
		v.Request = requestID(c)
	}
	v.Page.Title = h.Site.Text(v.Page.Lang, "error."+strconv.Itoa(v.Status)+".title")
	v.Page.Hidden = true
	return v
}

func (h *handler) errorPage(c echo.Context, status int) error {
	v := h.errorView(c, status)
	return h.html(c, status, "error", v.Page, v)
}

// errorText says the same in a few lines, for who asks for neither a page nor JSON.
func (h *handler) errorText(c echo.Context, status int) error {
	v := h.errorView(c, status)
	say := func(key string) string { return h.Site.Text(v.Page.Lang, "error."+key) }
	group := strconv.Itoa(v.Status)
	lines := []string{v.Page.Title, say(group+".what") + " " + say(group+".do"), "", say("home") + ": " + h.URLs.Base + v.Page.To("/")}
	if v.Contact != "" {
		lines = append(lines, say("contact")+" "+v.Contact)
	}
	if v.Request != "" {
		lines = append(lines, say("request")+" "+v.Request)
	}
	header := c.Response().Header()
	header.Set(echo.HeaderVary, "Accept, Accept-Language")
	header.Set("Content-Language", v.Page.Lang)
	return c.String(status, strings.Join(lines, "\n")+"\n")
}

// problem says it to programs (RFC 9457).
func problem(c echo.Context, a answer) error {
	c.Response().Header().Set(echo.HeaderVary, "Accept")
	body, err := json.Marshal(struct {
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail,omitempty"`
	}{http.StatusText(a.status), a.status, a.words})
	if err != nil {
		return err
	}
	return c.Blob(a.status, problemJSON, body)
}

const problemJSON = "application/problem+json"

// form is how an error is told.
type form int

const (
	asPage form = iota
	asProblem
	asText
)

// errorForm finds the form that a client likes best by its Accept header: a page,
// JSON of any kind, or plain text. For a client that names none of these it is what
// the address is for; plain text if it takes none of them.
func (h *handler) errorForm(c echo.Context) form {
	otherwise := asPage
	switch method, class := c.Request().Method, routeClass(c); {
	case h.forServers(c.Path()), method != http.MethodGet && method != http.MethodHead && class != ClassPage:
		otherwise = asProblem
	case class == ClassFile, class == ClassFeed:
		otherwise = asText
	}
	var likes [3]float64
	named, anything := false, true
	for kind, q := range accepts(c) {
		anything = false
		switch {
		case kind == "text/html", kind == "application/xhtml+xml":
			likes[asPage], named = max(likes[asPage], q), true
		case kind == "application/json", strings.HasSuffix(kind, "+json"):
			likes[asProblem], named = max(likes[asProblem], q), true
		case kind == "text/plain":
			likes[asText], named = max(likes[asText], q), true
		}
	}
	if !named {
		if q, ok := accepts(c)["*/*"]; anything || ok && q > 0 {
			return otherwise
		}
		return asText
	}
	best := asProblem // as with documents, at a tie
	for _, f := range []form{asPage, asText} {
		if likes[f] > likes[best] {
			best = f
		}
	}
	return best
}
