package handlers

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/labstack/echo/v4"

	"inspraak/participation"
)

type archiveView struct {
	Page  page
	Year  int // 0: there is nothing yet
	Years []yearLink
	Cards []card
}

type yearLink struct {
	Year, N int
	URL     string
	Current bool
}

// archive lists the closed consultations of a year, or of the last one that has
// any.
func (h *handler) archive(c echo.Context) error {
	ctx := c.Request().Context()
	found, err := h.Service.Consultations(ctx, participation.Filter{Phases: []participation.Phase{participation.Closed}})
	if err != nil {
		return err
	}
	byYear := map[int][]participation.Consultation{}
	last := 0
	for _, con := range found {
		year := h.local(con.ClosedAt, con.Zone).Year()
		byYear[year], last = append(byYear[year], con), max(last, year)
	}
	v := archiveView{Page: h.page(c, ""), Year: last}
	if asked := c.Param("year"); asked != "" {
		v.Year, err = strconv.Atoi(asked)
		if err != nil || len(byYear[v.Year]) == 0 || strconv.Itoa(v.Year) != asked {
			return fmt.Errorf("archive of %q: %w", asked, participation.ErrNotFound)
		}
	}
	v.Page.Title = h.Site.Text(v.Page.Lang, "archive.title")
	if v.Year != 0 {
		v.Page.Title += " " + strconv.Itoa(v.Year)
	}
	v.Page.Description = h.Site.Text(v.Page.Lang, "archive.lead")
	for year := last; len(v.Years) < len(byYear); year-- {
		if n := len(byYear[year]); n > 0 {
			v.Years = append(v.Years, yearLink{year, n, v.Page.To("/archive/" + strconv.Itoa(year)), year == v.Year})
		}
	}
	for _, con := range byYear[v.Year] {
		card, err := h.card(ctx, v.Page, con)
		if err != nil {
			return err
		}
		v.Cards = append(v.Cards, card)
	}
	slices.SortStableFunc(v.Cards, func(a, b card) int { return b.At.Compare(a.At) })
	return h.html(c, http.StatusOK, "archive", v.Page, v)
}
