package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
	"unicode"

	"github.com/labstack/echo/v4"

	"inspraak/participation"
)

const (
	searchPage = 20 // hits on one page
	maxPages   = 50 // who has not found it by then asks for less
)

type searchView struct {
	Page           page
	Action         string
	FormLang       string // to stay in a language chosen by hand
	Asked          string // as typed, cut short
	In             participation.SearchIn
	Longest        int
	Answer         string // found, none, wordless; empty: nothing was asked
	Cut            bool   // only the beginning was searched
	Total          int
	First, Last    int // of all hits, those on this page
	Hits           []hitView
	Previous, Next string
	More           bool // there are more pages than are shown
}

// hitView is a consultation or a reply that was found.
type hitView struct {
	URL, Title, Lang string // of the consultation
	State            string
	At               time.Time
	Reply            bool
	Name, Handle     string // of who wrote the reply
	Original         string // its address at the author's server
	WordsLang        string
	Excerpt          []participation.Piece
}

// search looks up words. It keeps and logs nothing of what is asked for.
func (h *handler) search(c echo.Context) error {
	asked := c.QueryParam("q")
	v := searchView{Page: h.page(c, ""), Action: "/search", Longest: participation.MaxSearch}
	v.Page.Title = h.Site.Text(v.Page.Lang, "search.title")
	v.Page.Hidden = true // a list of results is no page of its own
	if v.Page.chosen {
		v.FormLang = v.Page.Lang
	}
	if in := participation.SearchIn(c.QueryParam("in")); in == participation.InConsultations || in == participation.InReplies {
		v.In = in
	}
	if asked == "" {
		return h.html(c, http.StatusOK, "search", v.Page, v)
	}
	v.Asked = printable(asked, participation.MaxSearch)
	_, v.Cut = participation.SearchTerms(asked)
	n, _ := strconv.Atoi(c.QueryParam("page"))
	n = min(max(n, 1), maxPages)
	hits, total, err := h.Service.Search(c.Request().Context(), participation.SearchQuery{
		Text: asked, In: v.In, Limit: searchPage, Offset: (n - 1) * searchPage,
	})
	switch {
	case errors.Is(err, participation.ErrInvalid):
		v.Answer = "wordless"
		return h.html(c, http.StatusOK, "search", v.Page, v)
	case err != nil:
		return err
	case total == 0:
		v.Answer = "none"
		return h.html(c, http.StatusOK, "search", v.Page, v)
	}
	v.Answer, v.Total, v.First, v.Last = "found", total, (n-1)*searchPage+1, (n-1)*searchPage+len(hits)
	for _, hit := range hits {
		view, err := h.hitView(c, v.Page, hit)
		if err != nil {
			return err
		}
		v.Hits = append(v.Hits, view)
	}
	link := func(n int) string {
		query := url.Values{"q": {v.Asked}, "page": {strconv.Itoa(n)}}
		if v.In != "" {
			query.Set("in", string(v.In))
		}
		return v.Page.To("/search?" + query.Encode())
	}
	if n > 1 {
		v.Previous = link(min(n-1, (total+searchPage-1)/searchPage))
	}
	if more := n*searchPage < total; more && n < maxPages {
		v.Next = link(n + 1)
	} else {
		v.More = more
	}
	return h.html(c, http.StatusOK, "search", v.Page, v)
}

func (h *handler) hitView(c echo.Context, p page, hit participation.Hit) (hitView, error) {
	con := hit.Consultation
	v := hitView{URL: p.To("/consultations/" + con.Slug), Title: con.Title, Lang: con.Language, At: h.local(hit.At, con.Zone), Excerpt: hit.Excerpt}
	if hit.Reply == nil {
		r, err := h.snapshot(c.Request().Context(), con)
		v.State, v.WordsLang = h.state(con, r), con.Language
		return v, err
	}
	r := hit.Reply
	v.URL = p.To(fmt.Sprintf("/consultations/%s/replies/%d#%s", con.Slug, r.Number, r.Anchor()))
	v.Reply, v.Name, v.Handle, v.Original, v.WordsLang = true, r.Author.Name, r.Author.Handle, r.URL, r.Language
	v.At = h.local(r.Published, con.Zone)
	if v.Name == "" {
		v.Name = r.Author.Handle
	}
	return v, nil
}

// printable is what may be shown again of what was typed: nothing that is unseen
// or turns the text around, and so many characters at most.
func printable(typed string, most int) string {
	var seen []rune
	for _, r := range typed {
		if unicode.IsSpace(r) {
			r = ' '
		}
		if unicode.IsPrint(r) && len(seen) < most {
			seen = append(seen, r)
		}
	}
	return string(seen)
}
