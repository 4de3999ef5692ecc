package handlers

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"inspraak/participation"
)

// securityValidFor is how far ahead security.txt dates itself at least. RFC 9116
// §2.5.5 advises less than a year, and a cache may keep it for a day.
const securityValidFor = 5 // months

// security tells whom to tell of a weak spot (RFC 9116). It never expires: the date
// is that of the beginning of a month, some months ahead, reckoned when asked. Without
// an address that the RFC allows there is no file.
func (h *handler) security(c echo.Context) error {
	contact := contactURL(h.SecurityContact)
	if contact == "" {
		contact = contactURL(h.Contact)
	}
	if contact == "" {
		return fmt.Errorf("no contact for security.txt: %w", participation.ErrNotFound)
	}
	now := h.Now().UTC()
	expires := time.Date(now.Year(), now.Month()+securityValidFor+1, 1, 0, 0, 0, 0, time.UTC)
	lines := []string{
		"Contact: " + contact, "Expires: " + expires.Format(time.RFC3339),
		"Preferred-Languages: " + strings.Join(h.Site.Complete(), ", "),
		"Canonical: " + h.URLs.Base + "/.well-known/security.txt",
	}
	if h.SecurityPolicy != "" {
		lines = append(lines, "Policy: "+h.SecurityPolicy)
	}
	shared(c)
	c.Response().Header().Set("Cache-Control", "public, max-age=86400")
	return c.String(http.StatusOK, strings.Join(lines, "\n")+"\n")
}

// robots tells programs that search what not to walk through (RFC 9309): pages that
// never end, pages that ask another server something, and what is one person's. All
// else is public, for them too.
func (h *handler) robots(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", "public, max-age=86400")
	return c.String(http.StatusOK, `User-agent: *
Disallow: /search
Disallow: /my-data/
Disallow: /consultations/*/receipt/
Disallow: /consultations/*/take-part
Disallow: /consultations/*/ballots?
Disallow: /@*/follow

Sitemap: `+h.URLs.Base+"/sitemap.xml\n")
}

// partOfMap is how many addresses one file of the sitemap holds. Sitemaps.org allows
// 50,000 and 50 MB; each here comes with its languages.
const partOfMap = 10_000

// A place is a public page and when what it tells last changed; zero if that is not
// known.
type place struct {
	path    string
	changed time.Time
}

// sitemap lists the public pages, each with its translations
// (https://www.sitemaps.org/protocol.html). With more than partOfMap it is an index
// of its parts.
func (h *handler) sitemap(c echo.Context) error {
	places, err := h.places.get(h.Now(), func() ([]place, error) { return h.allPlaces(c.Request().Context(), c.Echo()) })
	if err != nil {
		return err
	}
	body, err := sitemapPart(places, c.QueryParam("part"), h.URLs.Base, h.Site.Complete(), partOfMap)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-cache")
	if h.unchanged(c, digest(body)) {
		return c.NoContent(http.StatusNotModified)
	}
	return c.Blob(http.StatusOK, "application/xml; charset=utf-8", body)
}

// fixedPages are the pages that every node has; ofConsultations those beneath each
// consultation that is closed.
var (
	fixedPages      = []string{"/", "/archive", "/how-it-works", "/about", "/privacy", "/accessibility", "/moderation", "/logs", "/data", "/api"}
	ofConsultations = []string{"/replies", "/result", "/report", "/figures", "/dataset"}
)

// A placeList is remembered for a minute: to make it the whole site is walked
// through, and anybody may ask.
type placeList struct {
	mu    sync.Mutex
	made  time.Time
	found []place
}

func (l *placeList) get(now time.Time, find func() ([]place, error)) (_ []place, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if age := now.Sub(l.made); l.found == nil || age < 0 || age > time.Minute {
		if l.found, err = find(); err != nil {
			return nil, err
		}
		l.made = now
	}
	return l.found, nil
}

// allPlaces lists what may be found: not what was withdrawn, nor what has no page yet.
func (h *handler) allPlaces(ctx context.Context, e *echo.Echo) (all []place, err error) {
	known := map[string]bool{}
	for _, r := range e.Routes() {
		known[r.Path] = true
	}
	for _, path := range fixedPages {
		if known[path] {
			all = append(all, place{path: path})
		}
	}
	channels, err := h.Service.Channels(ctx)
	if err != nil {
		return nil, err
	}
	for _, ch := range channels {
		all = append(all, place{path: "/@" + ch.Name})
	}
	consultations, err := h.Service.Consultations(ctx, participation.Filter{Phases: []participation.Phase{
		participation.Scheduled, participation.Open, participation.Closed,
	}})
	if err != nil {
		return nil, err
	}
	var tags []string
	for _, con := range consultations {
		base := place{"/consultations/" + con.Slug, latest(con.OpenedAt, con.ClosedAt, con.AnnouncedAt, con.DestroyedAt)}
		all = append(all, base)
		for _, t := range con.Hashtags {
			if path := tagPath(h.URLs, t); !slices.Contains(tags, path) {
				tags = append(tags, path)
			}
		}
		if con.Phase != participation.Closed {
			continue
		}
		data := true
		if _, err := h.Service.Dataset(ctx, con); errors.Is(err, participation.ErrNotFound) {
			data = false
		} else if err != nil {
			return nil, err
		}
		for _, under := range ofConsultations {
			needsData := under == "/figures" || under == "/dataset"
			if known["/consultations/:slug"+under] && (data || !needsData) {
				all = append(all, place{base.path + under, base.changed})
			}
		}
	}
	for _, path := range tags {
		all = append(all, place{path: path})
	}
	return all, nil
}

func latest(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }

type (
	sitemapAlternate struct {
		Rel  string `xml:"rel,attr"`
		Lang string `xml:"hreflang,attr"`
		URL  string `xml:"href,attr"`
	}
	sitemapURL struct {
		URL        string             `xml:"loc"`
		Changed    string             `xml:"lastmod,omitempty"`
		Alternates []sitemapAlternate `xml:"xhtml:link"`
	}
	sitemapFile struct {
		XMLName xml.Name     `xml:"urlset"`
		Space   string       `xml:"xmlns,attr"`
		XHTML   string       `xml:"xmlns:xhtml,attr"`
		URLs    []sitemapURL `xml:"url"`
	}
	sitemapIndex struct {
		XMLName xml.Name     `xml:"sitemapindex"`
		Space   string       `xml:"xmlns,attr"`
		Maps    []sitemapURL `xml:"sitemap"`
	}
)

const sitemapSpace = "http://www.sitemaps.org/schemas/sitemap/0.9"

// sitemapPart writes one file of a sitemap whose files hold size places: the only
// one, the index ("" for a part), or one of the parts that the index names.
func sitemapPart(places []place, part, base string, languages []string, size int) ([]byte, error) {
	parts := (len(places) + size - 1) / size
	if part == "" && parts > 1 {
		index := sitemapIndex{Space: sitemapSpace}
		for n := range parts {
			index.Maps = append(index.Maps, sitemapURL{URL: base + "/sitemap.xml?part=" + strconv.Itoa(n+1)})
		}
		return writeXML(index)
	}
	if part != "" {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 || n > parts {
			return nil, fmt.Errorf("part %q of the sitemap: %w", part, participation.ErrNotFound)
		}
		places = places[(n-1)*size : min(n*size, len(places))]
	}
	file := sitemapFile{Space: sitemapSpace, XHTML: "http://www.w3.org/1999/xhtml"}
	for _, p := range places {
		u := sitemapURL{URL: base + p.path}
		if !p.changed.IsZero() {
			u.Changed = p.changed.UTC().Format(time.RFC3339)
		}
		for _, l := range languages {
			u.Alternates = append(u.Alternates, sitemapAlternate{"alternate", l, u.URL + "?lang=" + l})
		}
		u.Alternates = append(u.Alternates, sitemapAlternate{"alternate", "x-default", u.URL})
		file.URLs = append(file.URLs, u)
	}
	return writeXML(file)
}

func writeXML(v any) ([]byte, error) {
	body, err := xml.MarshalIndent(v, "", " ")
	if err != nil {
		return nil, &ourFault{fmt.Errorf("write XML: %w", err)}
	}
	return append([]byte(xml.Header), append(body, '\n')...), nil
}
