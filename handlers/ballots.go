package handlers

import (
	"errors"
	"net/http"
	"unicode"

	"github.com/labstack/echo/v4"

	"inspraak/participation"
)

type ballotsView struct {
	Page             page
	URL, Title, Lang string
	Action           string
	FormLang         string // to stay in a language chosen by hand
	Asked            string // as typed, cut short
	Answer           string // found, unknown, malformed; empty: nothing was asked
	Code, Line       string
	Options          []string
	Check            checkView
	CSV              string
}

// maxAsked is how much of what was typed is shown again, in characters.
const maxAsked = 40

// shown is what may be shown again of what was typed, at most so many characters:
// nothing that is unseen or turns the text around.
func shown(typed string, most int) string {
	var seen []rune
	for _, r := range typed {
		if unicode.IsPrint(r) && len(seen) < most {
			seen = append(seen, r)
		}
	}
	return string(seen)
}

// ballots looks up a code in the published list.
func (h *handler) ballots(c echo.Context) error {
	con, files, _, err := h.datasetOf(c)
	if err != nil || files == nil {
		return err
	}
	ctx := c.Request().Context()
	v := ballotsView{Page: h.page(c, ""), Title: con.Title, Lang: con.Language, Action: "/consultations/" + con.Slug + "/ballots",
		CSV: "/consultations/" + con.Slug + "/dataset/ballots.csv"}
	if v.Page.chosen {
		v.FormLang = v.Page.Lang
	}
	v.Page.Title = h.Site.Text(v.Page.Lang, "ballots.title") + ": " + con.Title
	v.Page.Description = h.Site.Text(v.Page.Lang, "ballots.lead")
	v.URL = v.Page.To("/consultations/" + con.Slug)
	if v.Check, err = h.checkView(ctx, v.Page, con); err != nil {
		return err
	}
	asked := c.QueryParam("code")
	if asked == "" || v.Check.Withheld {
		return h.html(c, http.StatusOK, "ballots", v.Page, v)
	}
	c.Response().Header().Set("Cache-Control", noStore) // who has the code has the choice
	v.Page.Hidden = true
	v.Asked = shown(asked, maxAsked)
	code, ok := participation.ParseCode(asked)
	if !ok {
		v.Answer = "malformed"
		return h.html(c, http.StatusOK, "ballots", v.Page, v)
	}
	v.Code, v.Asked = code, code
	switch b, err := h.Service.FindBallot(ctx, con, code); {
	case errors.Is(err, participation.ErrNotFound):
		v.Answer = "unknown"
	case err != nil:
		return err
	default:
		v.Answer, v.Line = "found", b.Line
		for _, o := range b.Options {
			v.Options = append(v.Options, con.Options[o])
		}
	}
	return h.html(c, http.StatusOK, "ballots", v.Page, v)
}
