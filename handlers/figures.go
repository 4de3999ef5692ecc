package handlers

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"inspraak/participation"
	"inspraak/tally"
)

// labelView is the label beside a count; no Name: there is none that the site
// has words for.
type labelView struct {
	Name    tally.Label
	Reasons []tally.Reason
}

func (h *handler) labelView(f tally.Figures) (v labelView) {
	if !h.Site.Has("integrity.label." + string(f.Label) + ".name") {
		return v
	}
	v.Name = f.Label
	for _, r := range f.Reasons {
		if h.Site.Has("integrity.reasons." + string(r)) {
			v.Reasons = append(v.Reasons, r)
		}
	}
	return v
}

// inWords tells a range as people say it.
func (h *handler) inWords(lang string, r tally.Range) string {
	how, n, to := r.Read()
	return h.Site.Text(lang, "class."+how, "N", n, "To", to)
}

type figuresView struct {
	Page             page
	URL, Title, Lang string
	Label            labelView
	Figures          []*figureView
	JSON             string
}

// figureView is one figure: what it is, and what it says of this consultation.
type figureView struct {
	ID, Name, What string
	Table          *figureTable // nil: none
	Says           []string
}

// figureTable is how the ballots divide.
type figureTable struct {
	Figure, Of string // ID of the figure; what the rows are
	Rows       []figureRow
}

type figureRow struct {
	Name   string
	Host   bool // it is the name of a server
	Remark string
	Votes  string
}

// figures explains the label beside the count of a closed consultation, and each
// figure behind it.
func (h *handler) figures(c echo.Context) error {
	con, files, _, err := h.datasetOf(c)
	if err != nil || files == nil {
		return err
	}
	f, err := h.Service.Integrity(c.Request().Context(), con)
	if err != nil {
		return err
	}
	v := figuresView{Page: h.page(c, ""), Title: con.Title, Lang: con.Language, Label: h.labelView(f),
		JSON: "/consultations/" + con.Slug + "/dataset/integrity.json"}
	if v.Label.Name == "" {
		return fmt.Errorf("figures of %s: a label without words: %w", con.Slug, participation.ErrNotFound)
	}
	v.Page.Title = h.Site.Text(v.Page.Lang, "integrity.title") + ": " + con.Title
	v.Page.Description = h.Site.Text(v.Page.Lang, "integrity.no-proof")
	v.URL = v.Page.To("/consultations/" + con.Slug)
	w := figureWords{h, v.Page.Lang, slices.Contains(f.Reasons, tally.TooFewBallots)}
	v.Figures = w.all(f, con.Zone)
	return h.html(c, http.StatusOK, "figures", v.Page, v)
}

// figureWords puts figures in words of one language.
type figureWords struct {
	*handler
	lang string
	few  bool // too few ballots for any figure that looks at choices
}

func (w figureWords) all(f tally.Figures, zone string) []*figureView {
	return []*figureView{
		w.concentration(f.Concentration), w.leaveOneOut(f.LeaveOneOut), w.margin(f.Margin), w.age(f.Age), w.bursts(f.Bursts, zone),
		w.absent("I6", "lockstep"), w.acquaintance(f.Acquaintance), w.absent("I8", "confirmed"),
	}
}

func (w figureWords) text(key string, args ...any) string {
	return w.Site.Text(w.lang, "integrity."+key, args...)
}

// figure begins a figure; key is the group of its texts.
func (w figureWords) figure(id, key string) *figureView {
	return &figureView{ID: id, Name: w.text(key + ".name"), What: w.text(key + ".what")}
}

func (v *figureView) say(sentence string) { v.Says = append(v.Says, sentence) }

func (v *figureView) row(of string, r figureRow) {
	if v.Table == nil {
		v.Table = &figureTable{Figure: v.ID, Of: of}
	}
	v.Table.Rows = append(v.Table.Rows, r)
}

// outcome says what leaving out a group does, behind words that name the group.
func (w figureWords) outcome(o tally.Outcome, group string) string {
	if !w.Site.Has("integrity.outcome." + string(o)) {
		o = tally.Untold
	}
	words := w.text("outcome." + string(o))
	if group != "" {
		words = w.text(group) + " " + words
	}
	return words
}

// untold says why a figure has no table, if it has none.
func (w figureWords) untold(v *figureView) {
	switch {
	case v.Table != nil:
	case w.few:
		v.say(w.text("none"))
	default:
		v.say(w.text("untold"))
	}
}

// withoutGroup says what leaving out a group does, or that there are too few
// ballots to say so.
func (w figureWords) withoutGroup(v *figureView, o tally.Outcome, group string) {
	switch {
	case !w.few:
		v.say(w.outcome(o, group))
	case v.Table != nil:
		v.say(w.text("no-more"))
	}
}

func (w figureWords) absent(id, key string) *figureView {
	v := w.figure(id, key)
	v.say(w.text(key + ".state"))
	return v
}

func (w figureWords) concentration(c tally.Concentration) *figureView {
	v := w.figure("I1", "concentration")
	if c.Other != nil {
		of := w.text("concentration.server")
		for _, s := range c.Servers {
			r := figureRow{Name: s.Server, Host: true, Votes: w.inWords(w.lang, s.Ballots)}
			if s.Doubtful {
				r.Remark = w.text("concentration.doubtful")
			}
			v.row(of, r)
		}
		v.row(of, figureRow{Name: w.text("concentration.rest"), Votes: w.inWords(w.lang, *c.Other)})
	}
	w.untold(v)
	switch {
	case c.Effective == nil:
	case *c.Effective < 1.2: // it has more than nine tenths
		v.say(w.text("concentration.one-server"))
	default:
		v.say(w.text("concentration.effective", "Number", w.Site.Decimal(w.lang, *c.Effective)))
	}
	if c.Excessive && v.Table != nil {
		v.say(w.text("concentration.excessive"))
	}
	return v
}

func (w figureWords) leaveOneOut(l *tally.LeaveOneOut) *figureView {
	v := w.figure("I2", "leave-one-out")
	if l == nil {
		v.say(w.text("none"))
		return v
	}
	v.say(w.outcome(l.Winner, ""))
	if l.Server != "" {
		says := w.text("leave-one-out.server", "Server", l.Server)
		if m := l.SmallestMargin; m != nil {
			says += " " + w.lead(*m)
		}
		v.say(says)
	}
	v.say(w.outcome(l.WithoutNew, "leave-one-out.without-new"))
	return v
}

// lead says by how much the winner still leads; below nought another does.
func (w figureWords) lead(m tally.Range) string {
	switch {
	case m.AtLeast >= 0:
		return w.text("leave-one-out.lead", "From", m.AtLeast, "To", m.AtMost)
	case m.AtMost < 0:
		return w.text("leave-one-out.lead-lost", "From", -m.AtMost, "To", -m.AtLeast)
	}
	return w.text("leave-one-out.lead-open", "From", -m.AtLeast, "To", m.AtMost)
}

func (w figureWords) margin(m tally.Margin) *figureView {
	v := w.figure("I3", "margin")
	if m.Delete <= 0 {
		v.say(w.text("margin.tie"))
		return v
	}
	says := w.Site.Count(w.lang, "integrity.margin.delete", m.Delete)
	if m.ExceedsDoubtful != nil {
		key := map[bool]string{true: "margin.exceeds", false: "margin.within"}[*m.ExceedsDoubtful]
		says += " " + w.text(key)
	}
	v.say(says)
	v.say(w.Site.Count(w.lang, "integrity.margin.swap", m.Swap))
	if m.ExceedsDoubtful != nil {
		v.say(w.text("margin.doubtful"))
	}
	return v
}

// difference says whether two groups chose differently, if that is told.
func (w figureWords) difference(v *figureView, d *tally.Difference, key string) {
	if d != nil {
		v.say(w.text(key + map[bool]string{true: ".significant", false: ".not-significant"}[d.Significant]))
	}
}

func (w figureWords) age(a tally.Age) *figureView {
	v := w.figure("I4", "age")
	for _, c := range a.Classes {
		if key := "age.days-" + c.Days; w.Site.Has("integrity." + key) {
			v.row(w.text("age.class"), figureRow{Name: w.text(key), Votes: w.inWords(w.lang, c.Ballots)})
		}
	}
	w.untold(v)
	w.withoutGroup(v, a.Winner, "age.outcome")
	w.difference(v, a.Difference, "age")
	return v
}

func (w figureWords) bursts(b *tally.Bursts, zone string) *figureView {
	v := w.figure("I5", "bursts")
	switch {
	case w.few:
		v.say(w.text("none"))
		return v
	case b == nil:
		v.say(w.text("bursts.unavailable"))
		return v
	case len(b.Found) == 0:
		v.say(w.text("bursts.none"))
	}
	for _, f := range b.Found {
		at, err := time.Parse(time.RFC3339, f.Hour)
		if err != nil {
			continue
		}
		v.say(w.text("bursts.found", "Moment", w.Site.Moment(w.lang, w.local(at, zone)), "Ballots", w.inWords(w.lang, f.Ballots),
			"Minutes", strconv.Itoa(f.Minutes)))
	}
	w.difference(v, b.Difference, "bursts")
	return v
}

func (w figureWords) acquaintance(a tally.Acquaintance) *figureView {
	v := w.figure("I7", "acquaintance")
	if a.Acquainted != nil && a.Newcomers != nil {
		of := w.text("acquaintance.group")
		v.row(of, figureRow{Name: w.text("acquaintance.acquainted"), Votes: w.inWords(w.lang, *a.Acquainted)})
		v.row(of, figureRow{Name: w.text("acquaintance.newcomers"), Votes: w.inWords(w.lang, *a.Newcomers)})
	}
	w.untold(v)
	w.withoutGroup(v, a.Winner, "acquaintance.outcome")
	return v
}
