package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"inspraak/participation"
)

type receiptView struct {
	Page                page
	URL, Title, Lang    string
	Codes               []receiptCode
	Several             bool
	Logged, Waits       bool // some code stands in the log; some does not yet
	Ended               bool
	Listed, Withheld    bool // the list of ballots is there; there will be none
	Logs                string
	Contact, ContactURL string
}

type receiptCode struct {
	Code   string
	Logged bool
	Entry  int
	Proof  string // address
	Search string // address of its line in the list; empty: there is none yet
}

// receiptOf opens the receipt of an address. Where there is none it has answered
// with a page that says why, and ok is false.
func (h *handler) receiptOf(c echo.Context) (r participation.Receipt, ok bool, err error) {
	header := c.Response().Header()
	header.Set("Cache-Control", noStore)
	header.Set("X-Robots-Tag", "noindex, nofollow, noarchive")
	con, err := h.public(c)
	if err != nil {
		return r, false, err
	}
	r, err = h.Service.Receipt(c.Request().Context(), con, c.Param("token"))
	switch {
	case err == nil:
		return r, true, nil
	case errors.Is(err, participation.ErrNotFound), errors.Is(err, participation.ErrSealed):
		return r, false, h.noReceipt(c, con, errors.Is(err, participation.ErrSealed))
	}
	return r, false, err
}

type noReceiptView struct {
	Page                page
	Sealed              bool // no key
	Ended               bool
	URL, Title, Lang    string
	Ballots             string // where a code can be looked up; empty: nowhere
	Handle, Word        string
	Contact, ContactURL string
}

func (h *handler) noReceipt(c echo.Context, con participation.Consultation, sealed bool) error {
	v := noReceiptView{Page: h.page(c, ""), Sealed: sealed, Ended: con.Phase == participation.Closed, Title: con.Title, Lang: con.Language,
		Handle: h.URLs.Handle(con.Channel), Contact: h.Contact, ContactURL: contactURL(h.Contact)}
	v.URL, v.Page.Hidden, v.Word = v.Page.To("/consultations/"+con.Slug), true, h.CodeWords[v.Page.Lang]
	check, err := h.checkView(c.Request().Context(), v.Page, con)
	if err != nil {
		return err
	}
	v.Ballots = check.Ballots
	status, title := http.StatusNotFound, "receipt.none-title"
	if sealed {
		status, title = http.StatusGone, "receipt.sealed-title"
		if !v.Ended { // a key that an open consultation lacks will be put back
			status = http.StatusServiceUnavailable
			c.Response().Header().Set(echo.HeaderRetryAfter, strconv.Itoa(int(retryAfter.Seconds())))
		}
	}
	v.Page.Title = h.Site.Text(v.Page.Lang, title)
	return h.html(c, status, "receipt-none", v.Page, v)
}

// receipt tells a voter that the ballot counts and where it stands, never what it
// says.
func (h *handler) receipt(c echo.Context) error {
	r, ok, err := h.receiptOf(c)
	if err != nil || !ok {
		return err
	}
	con := r.Consultation
	v := receiptView{Page: h.page(c, ""), Title: con.Title, Lang: con.Language, Several: len(r.Codes) > 1,
		Contact: h.Contact, ContactURL: contactURL(h.Contact)}
	v.Page.Title, v.Page.Hidden = h.Site.Text(v.Page.Lang, "receipt.page-title"), true
	v.URL, v.Logs = v.Page.To("/consultations/"+con.Slug), v.Page.To("/logs#"+con.ID)
	check, err := h.checkView(c.Request().Context(), v.Page, con)
	if err != nil {
		return err
	}
	v.Ended, v.Listed, v.Withheld = con.Phase == participation.Closed, check.Ballots != "", check.Withheld
	for i, code := range r.Codes {
		view := receiptCode{Code: code, Logged: r.Entries[i] >= 0, Entry: int(r.Entries[i])}
		if view.Logged {
			v.Logged = true
			view.Proof = fmt.Sprintf("/consultations/%s/receipt/%s/proof/%d", con.Slug, r.Token, i+1)
		} else {
			v.Waits = true
		}
		if check.Ballots != "" {
			view.Search = v.Page.To("/consultations/" + con.Slug + "/ballots?code=" + code)
		}
		v.Codes = append(v.Codes, view)
	}
	return h.html(c, http.StatusOK, "receipt", v.Page, v)
}

// proof is the offline proof that a voter can keep (C2SP tlog-proof): of the first
// code, or of the one with a number where each chosen option has one.
func (h *handler) proof(c echo.Context) error {
	r, ok, err := h.receiptOf(c)
	if err != nil || !ok {
		return err
	}
	number := 1
	if asked := c.Param("number"); asked != "" {
		if number, err = strconv.Atoi(asked); err != nil || strconv.Itoa(number) != asked {
			number = 0
		}
	}
	if number < 1 || number > len(r.Entries) {
		return fmt.Errorf("proof %d of a receipt: %w", number, participation.ErrNotFound)
	}
	n := r.Entries[number-1]
	text, err := h.Service.Proof(c.Request().Context(), r.Consultation, n)
	if err != nil {
		return err
	}
	c.Response().Header().Set(echo.HeaderContentDisposition,
		fmt.Sprintf(`attachment; filename="%s-%d.tlog-proof"`, r.Consultation.Slug, n))
	return c.Blob(http.StatusOK, echo.MIMETextPlainCharsetUTF8, text)
}
