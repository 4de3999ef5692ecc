package handlers

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"inspraak/participation"
	"inspraak/web"
)

// statementView is a page of the site's own words and those of whoever runs it.
type statementView struct {
	Page                    page
	Body, OtherWays         web.HTML
	BodyLang, OtherWaysLang string
	Contact, ContactURL     string
	DataWord, CodeWord      string
}

// statement begins such a page; its texts are those of key, its own words those of
// own.
func (h *handler) statement(c echo.Context, key string, own map[string]string) statementView {
	v := statementView{Page: h.page(c, ""), Contact: h.Contact, ContactURL: contactURL(h.Contact)}
	v.Page.Title = h.Site.Text(v.Page.Lang, key+".title")
	v.Page.Description = h.Site.Text(v.Page.Lang, key+".lead", "Site", h.Name)
	v.DataWord, v.CodeWord = h.DataWords[v.Page.Lang], h.CodeWords[v.Page.Lang]
	v.Body, v.BodyLang = h.inLanguage(v.Page, own)
	v.OtherWays, v.OtherWaysLang = h.inLanguage(v.Page, h.OtherWays)
	return v
}

// about tells who runs the site.
func (h *handler) about(c echo.Context) error {
	v := h.statement(c, "about", h.About)
	return h.html(c, http.StatusOK, "about", v.Page, v)
}

// how tells how a vote is taken, counted and checked, and by what rule replies
// follow each other.
func (h *handler) how(c echo.Context) error {
	v := h.statement(c, "how", nil)
	return h.html(c, http.StatusOK, "how-it-works", v.Page, v)
}

// privacy tells what is kept about whom: the facts of this program, then the words
// of whoever runs it.
func (h *handler) privacy(c echo.Context) error {
	v := h.statement(c, "privacy", h.Privacy)
	return h.html(c, http.StatusOK, "privacy", v.Page, v)
}

// Accessibility is what is known of how the site meets the law on accessibility
// (Besluit digitale toegankelijkheid overheid).
type Accessibility struct {
	Statement string    // address of the statement; empty: none is known
	Status    string    // A to E, as the statement says; empty: not known
	Audited   time.Time // day of the last audit; zero: none is known
	Contact   string    // for who meets an obstacle; empty: Contact of the site
}

type accessibilityView struct {
	statementView
	Known Accessibility
}

func (h *handler) accessibility(c echo.Context) error {
	v := accessibilityView{statementView: h.statement(c, "accessibility", nil), Known: h.Accessibility}
	if own := h.Accessibility.Contact; own != "" {
		v.statementView.Contact, v.ContactURL = own, contactURL(own)
	}
	return h.html(c, http.StatusOK, "accessibility", v.Page, v)
}

// toAccessibility is the address under which Dutch law and visitors look for it.
func (h *handler) toAccessibility(c echo.Context) error {
	return c.Redirect(http.StatusMovedPermanently, h.page(c, "").To("/accessibility"))
}

// maxReasons is how many reasons the figures name; the rest is one number.
const maxReasons = 30

type moderationView struct {
	Page                          page
	Months                        []monthView
	Reasons                       []reason
	OtherReasons                  int // replies hidden for reasons not among them
	Open                          int // reports that wait
	BlockedServers, BlockedActors int
	Contact, ContactURL           string
}

type monthView struct {
	At                                time.Time
	Hidden, Shown, Reported, Resolved int
}

// moderation tells how often replies were hidden and why, never whose.
func (h *handler) moderation(c echo.Context) error {
	ctx := c.Request().Context()
	v := moderationView{Page: h.page(c, ""), Contact: h.Contact, ContactURL: contactURL(h.Contact)}
	v.Page.Title = h.Site.Text(v.Page.Lang, "moderation.title")
	v.Page.Description = h.Site.Text(v.Page.Lang, "moderation.lead")
	done, err := h.Service.Moderation(ctx)
	if err != nil {
		return err
	}
	v.add(done)
	open, err := h.Service.Reports(ctx, false)
	if err != nil {
		return err
	}
	v.Open = len(open)
	blocks, err := h.Service.Blocks(ctx)
	if err != nil {
		return err
	}
	for _, b := range blocks {
		if b.OfServer() {
			v.BlockedServers++
		} else {
			v.BlockedActors++
		}
	}
	return h.html(c, http.StatusOK, "moderation", v.Page, v)
}

// add sums up what was done, by month and by reason.
func (v *moderationView) add(done []participation.Moderated) {
	reasons := map[string]int{}
	for _, m := range done {
		at, err := time.Parse("2006-01", m.Month)
		if err != nil {
			continue
		}
		if n := len(v.Months); n == 0 || !v.Months[n-1].At.Equal(at) {
			v.Months = append(v.Months, monthView{At: at})
		}
		month := &v.Months[len(v.Months)-1]
		switch m.Type {
		case participation.ReplyHidden:
			month.Hidden += m.N
			reasons[m.Reason] += m.N
		case participation.ReplyShown:
			month.Shown += m.N
		case participation.ReportReceived:
			month.Reported += m.N
		case participation.ReportResolved:
			month.Resolved += m.N
		}
	}
	v.Reasons = byNumber(reasons)
	for _, r := range v.Reasons[min(len(v.Reasons), maxReasons):] {
		v.OtherReasons += r.N
	}
	v.Reasons = v.Reasons[:min(len(v.Reasons), maxReasons)]
}
