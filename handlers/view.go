package handlers

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"html"
	"net/http"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"inspraak/handlers/feed"
	"inspraak/participation"
	"inspraak/web"
)

// page is what every page has.
type page struct {
	Site        string
	Title       string
	Description string // a line or two for search engines and link previews
	Address     string // of the page, whole
	Picture     string // address of an image that goes with it, whole
	PictureAlt  string
	Lang        string
	Path        string // without query
	Languages   []languageLink
	Feed        string   // Atom feed to go with the page; see Feeds
	OEmbed      string   // how other sites show the page
	Object      string   // ActivityStreams object that the page shows
	Hidden      bool     // from search engines
	RelMe       []string // addresses that are the municipality's as well
	chosen      bool     // the visitor chose the language by hand
}

type languageLink struct {
	Lang, URL string
	Current   bool
}

// page begins a page in the visitor's language: the one chosen in the address,
// else the browser's.
func (h *handler) page(c echo.Context, title string) page {
	r := c.Request()
	query := r.URL.Query()
	asked := query.Get("lang")
	p := page{
		Site: h.Name, Title: title, Path: r.URL.Path, Address: h.URLs.Base + r.URL.EscapedPath(),
		Lang: h.Site.Match(asked, r.Header.Get("Accept-Language")), RelMe: h.RelMe, Feed: "/feed.atom",
	}
	p.chosen = asked == p.Lang
	for _, l := range h.Site.Languages() {
		query.Set("lang", l)
		p.Languages = append(p.Languages, languageLink{l, r.URL.EscapedPath() + "?" + query.Encode(), l == p.Lang})
	}
	return p
}

// To is a link inside the site. There is no cookie, so a language chosen by
// hand travels in the links.
func (p page) To(path string) string {
	if !p.chosen {
		return path
	}
	path, fragment, _ := strings.Cut(path, "#")
	mark := "?"
	if strings.Contains(path, "?") {
		mark = "&"
	}
	path += mark + "lang=" + p.Lang
	if fragment != "" {
		path += "#" + fragment
	}
	return path
}

type feedLink struct{ Type, URL string }

// Feeds are the feeds and the calendar that go with the page: what there is as
// Atom is there in the other forms too.
func (p page) Feeds() (links []feedLink) {
	of := strings.TrimSuffix(p.Feed, "feed.atom")
	for _, format := range feed.Formats() {
		links = append(links, feedLink{format.MediaType, of + "feed." + format.Ending})
	}
	return append(links, feedLink{"text/calendar", of + "calendar.ics"})
}

// noStore keeps an answer out of every cache.
const noStore = "no-store"

// html sends a page. Its ETag is a digest of what is sent, so a browser that
// has it is told so, and never keeps a reply that was hidden or edited since.
func (h *handler) html(c echo.Context, status int, name string, p page, view any) error {
	var b bytes.Buffer
	if err := h.Site.Render(&b, name, p.Lang, view); err != nil {
		return &ourFault{err}
	}
	header := c.Response().Header()
	header.Set(echo.HeaderVary, "Accept, Accept-Language")
	header.Set("Content-Language", p.Lang)
	if header.Get("Cache-Control") == "" {
		header.Set("Cache-Control", "no-cache")
	}
	if status == http.StatusOK && header.Get("Cache-Control") != noStore && h.unchanged(c, digest(b.Bytes())) {
		return c.NoContent(http.StatusNotModified)
	}
	return c.HTMLBlob(status, b.Bytes())
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:12])
}

// wholeDigest is SHA-256 in hexadecimal, for people to compare.
func wholeDigest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// unchanged sets the ETag and tells whether the client has it (RFC 9110
// §13.1.2; weak comparison). The tag is weak: the same content may go out packed
// (§8.8.3.3).
func (h *handler) unchanged(c echo.Context, tag string) bool {
	tag = `"` + tag + `"`
	c.Response().Header().Set("ETag", "W/"+tag)
	for _, known := range strings.Split(c.Request().Header.Get("If-None-Match"), ",") {
		if known = strings.TrimSpace(known); known == "*" || strings.TrimPrefix(known, "W/") == tag {
			return true
		}
	}
	return false
}

// local is a time in the zone in which the consultation is held, UTC if that
// zone is not known.
func (h *handler) local(at time.Time, zone string) time.Time {
	if l, ok := h.zones.Load(zone); ok {
		return at.In(l.(*time.Location))
	}
	l, err := time.LoadLocation(zone)
	if err != nil {
		return at.UTC()
	}
	h.zones.Store(zone, l)
	return at.In(l)
}

type imageView struct {
	URL, Alt      string
	Width, Height int
}

func image(i *participation.Image) *imageView {
	if i == nil {
		return nil
	}
	return &imageView{"/media/" + url.PathEscape(i.Path), i.Alt, i.Width, i.Height}
}

// picture makes an image the page's picture in link previews; nil leaves what
// it has.
func (h *handler) picture(p *page, i *participation.Image) {
	if i != nil {
		p.Picture, p.PictureAlt = h.URLs.Base+image(i).URL, i.Alt
	}
}

// maxExcerpt is how much of a text search engines and link previews show, in
// characters.
const maxExcerpt = 200

// excerpt is the beginning of safe HTML as plain text, in whole words; the items of
// a list stand in one sentence.
func excerpt(safe string) string {
	var plain string
	for i, part := range strings.Split(safe, "<") {
		if i > 0 {
			tag, rest, _ := strings.Cut(part, ">")
			name, _, _ := strings.Cut(strings.TrimPrefix(tag, "/"), " ")
			if part = rest; !slices.Contains([]string{"a", "em", "strong", "code", "del"}, name) {
				plain = strings.TrimRight(plain, " \n")
				switch last, _ := utf8.DecodeLastRuneInString(plain); {
				case tag == "/li" && (unicode.IsLetter(last) || unicode.IsDigit(last)):
					plain += ","
				case (tag == "/ul" || tag == "/ol") && last == ',':
					plain = strings.TrimSuffix(plain, ",") + "."
				}
				plain += " " // a paragraph, item or line ends here
			}
		}
		plain += part
	}
	text := ""
	for _, word := range strings.Fields(html.UnescapeString(plain)) {
		longer := strings.TrimSpace(text + " " + word)
		if utf8.RuneCountInString(longer) > maxExcerpt {
			return text + "…"
		}
		text = longer
	}
	return text
}

// inLanguage picks a text in the page's language, else in any the site speaks;
// lang is then the language that it has instead.
func (h *handler) inLanguage(p page, texts map[string]string) (text web.HTML, lang string) {
	if t := texts[p.Lang]; t != "" {
		return web.HTML(t), ""
	}
	for _, l := range h.Site.Languages() {
		if t := texts[l]; t != "" {
			return web.HTML(t), l
		}
	}
	return "", ""
}

// contactURL makes a link of an e-mail or web address, "" of anything else.
func contactURL(contact string) string {
	if a, err := mail.ParseAddress(contact); err == nil && a.Address == contact {
		return "mailto:" + contact
	}
	if strings.HasPrefix(contact, "https://") {
		return contact
	}
	return ""
}

// duration says a span in the largest unit that divides it.
func (h *handler) duration(lang string, d time.Duration) string {
	switch {
	case d <= 0:
		return ""
	case d%time.Hour == 0:
		return h.Site.Count(lang, "duration.hours", int(d/time.Hour))
	case d%time.Minute == 0:
		return h.Site.Count(lang, "duration.minutes", int(d/time.Minute))
	}
	return h.Site.Count(lang, "duration.seconds", int(d/time.Second))
}
