// Package handlers puts the node on the web: pages for people, documents and
// inboxes for other servers, feeds and figures for programs. It knows HTTP and
// Echo; it decides nothing. What is true it asks participation, what the
// fediverse may do it leaves to the doors of activitypub, how a page looks it
// leaves to web. It sets no cookie and stores nothing about a visitor.
package handlers

import (
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"inspraak/activitypub"
	"inspraak/handlers/api"
	"inspraak/handlers/feed"
	"inspraak/participation"
	"inspraak/web"
)

// Config is what the pages and doors need. Everything but the fields said to
// be optional must be set.
type Config struct {
	Service *participation.Service
	Doors   activitypub.Doors
	URLs    activitypub.URLs
	Site    *web.Site
	Log     *slog.Logger
	Now     func() time.Time

	Name      string            // of the municipality, as in the head of each page
	About     map[string]string // who runs this, safe HTML by language; optional
	OtherWays map[string]string // how to take part without an account, safe HTML by language; optional
	Privacy   map[string]string // what else is done with data, safe HTML by language; optional
	Contact   string            // e-mail address, web address or plain words; optional
	// SecurityContact is whom to tell of a weak spot, an e-mail or https address; ""
	// means Contact. SecurityPolicy is the page about such reports; optional.
	SecurityContact, SecurityPolicy string
	RelMe                           []string          // addresses that are the municipality's as well; optional
	DataWords                       map[string]string // what to send in a direct message to see one's own data, by language; optional
	CodeWords                       map[string]string // what to send there for one's code, by language

	// OrganisationURI names the municipality in a register; optional.
	OrganisationURI string
	Accessibility   Accessibility // optional

	// TrustedProxies may name the visitor's address in X-Forwarded-For. From
	// anybody else that header is ignored.
	TrustedProxies []netip.Prefix
	// MediaDir holds the images under /media/; empty: there are none.
	MediaDir string
	// RequestsPerSecond is what one source address may ask on average, for
	// inboxes and pages each; ten seconds' worth may come at once. 0 means 200.
	RequestsPerSecond float64
	// InboxSlots is how many inbox requests are worked on at a time; more are
	// told to come back. 0 means 256.
	InboxSlots int
	// UnderReview tells of a consultation, by ID, that its key is missing or
	// its count in doubt; optional.
	UnderReview func(consultation string) bool
	// BeingChecked tells of a consultation, by ID, that its ballots are being
	// counted once more; optional.
	BeingChecked func(consultation string) bool
	// Observe is told of every answer: the class of its route (see Classes),
	// its status and how long it took; optional. It must not block.
	Observe func(class string, status int, took time.Duration)
}

type handler struct {
	Config
	inboxLimit, pageLimit *middleware.RateLimiterMemoryStore
	slots                 chan struct{}
	zones                 sync.Map // IANA name to *time.Location
	origins               http.CrossOriginProtection
	offered               offered
	places                placeList
	cards                 cards
	api                   *api.API
	feeds                 feed.Source
}

// New makes the handler of the whole site.
func New(c Config) http.Handler {
	if c.RequestsPerSecond == 0 {
		c.RequestsPerSecond = 200
	}
	if c.InboxSlots == 0 {
		c.InboxSlots = 256
	}
	h := &handler{
		Config: c, slots: make(chan struct{}, c.InboxSlots),
		inboxLimit: newLimit(c.RequestsPerSecond), pageLimit: newLimit(c.RequestsPerSecond),
	}
	email, ok := strings.CutPrefix(contactURL(c.Contact), "mailto:")
	if !ok {
		email = ""
	}
	h.api = api.New(api.Config{Service: c.Service, URLs: c.URLs, Name: c.Name, Email: email, Doubt: h.doubt})
	h.feeds = feed.Source{Service: c.Service, URLs: c.URLs, Site: c.Site, Name: c.Name, Local: h.local}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.IPExtractor = extractor(c.TrustedProxies)
	e.HTTPErrorHandler = h.fail
	e.Use(h.identify, h.logRequest, compress(), h.secure, h.recover)
	h.routes(e)
	return e
}

// writeTimeout is how long an answer may take, or what is left of it where it is
// written in many steps.
const writeTimeout = 30 * time.Second

// Server is an HTTP server for the site whose timeouts cut slow clients: a
// request must be in within 10 s, its headers within 5 s.
func Server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
	}
}
