package handlers

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"inspraak/participation"
	"inspraak/web"
)

type dataView struct {
	Page     page
	Actor    string
	Action   string // where the form goes
	Missing  bool   // the confirmation
	Known    bool   // the account itself
	Name     string
	Handle   string
	URL      string
	MovedTo  string
	Aliases  []string
	Keys     []string // ids
	Crowd    bool
	Created  time.Time
	Fetched  time.Time
	Follows  []dataFollow
	Ballots  []dataBallot
	Replies  []dataItem
	Answers  []dataItem
	Gestures []dataItem
	Quotes   int
	Reports  int
}

type dataFollow struct {
	Title, URL, Lang string
	Since            time.Time
}

// dataLink leads to a consultation.
type dataLink struct{ Title, URL, Lang string }

type dataBallot struct {
	dataLink
	Since   time.Time
	Class   string
	Codes   []string
	Choices []string // none before closing

	Withdrawn bool // then there never are any
}

type dataItem struct {
	dataLink
	Kind   string
	Body   web.HTML
	Words  string // language of the body
	At     time.Time
	Hidden string // the reason
}

type linkView struct {
	Page                page
	Expired             bool
	DataWord            string
	Contact, ContactURL string
}

// myData shows what is held about the person to whom the address was sent.
func (h *handler) myData(c echo.Context) error {
	actor, err := h.bearer(c)
	if err != nil || actor == "" {
		return err
	}
	v, err := h.dataView(c, actor)
	if err != nil {
		return err
	}
	return h.html(c, http.StatusOK, "my-data", v.Page, v)
}

// erase does what the form on that page asks. The address is the secret; that a
// page of another site sends the form is refused all the same.
func (h *handler) erase(c echo.Context) error {
	if err := h.origins.Check(c.Request()); err != nil {
		return echo.NewHTTPError(http.StatusForbidden, "the form was sent by a page of another site")
	}
	actor, err := h.bearer(c)
	if err != nil || actor == "" {
		return err
	}
	c.Request().Body = http.MaxBytesReader(c.Response(), c.Request().Body, 4<<10)
	if err := c.Request().ParseForm(); err != nil {
		return echo.NewHTTPError(http.StatusBadRequest, "not a form that we can read")
	}
	if c.Request().PostForm.Get("confirm") != "yes" {
		v, err := h.dataView(c, actor)
		if err != nil {
			return err
		}
		v.Missing = true
		return h.html(c, http.StatusUnprocessableEntity, "my-data", v.Page, v)
	}
	if err := h.Doors.Erase(c.Request().Context(), actor); err != nil {
		return err
	}
	v := linkView{Page: h.privatePage(c, "my-data.done-title")}
	return h.html(c, http.StatusOK, "my-data-done", v.Page, v)
}

// privatePage begins a page for one person, which nobody keeps or finds.
func (h *handler) privatePage(c echo.Context, title string) page {
	header := c.Response().Header()
	header.Set("Cache-Control", noStore)
	header.Set("X-Robots-Tag", "noindex, nofollow, noarchive")
	p := h.page(c, "")
	p.Title, p.Hidden = h.Site.Text(p.Lang, title), true
	return p
}

// bearer tells whose address it is. Where it is nobody's, or no longer valid, it
// has answered with a page that says how to get another, and returns "".
func (h *handler) bearer(c echo.Context) (actor string, err error) {
	actor, err = h.Service.DataActor(c.Param("token"))
	status, title := http.StatusNotFound, "my-data.missing-title"
	switch {
	case err == nil:
		return actor, nil
	case errors.Is(err, participation.ErrExpired):
		status, title = http.StatusGone, "my-data.gone-title"
	case !errors.Is(err, participation.ErrNotFound):
		return "", err
	}
	v := linkView{Page: h.privatePage(c, title), Expired: status == http.StatusGone, Contact: h.Contact, ContactURL: contactURL(h.Contact)}
	v.DataWord = h.DataWords[v.Page.Lang]
	return "", h.html(c, status, "my-data-link", v.Page, v)
}

func (h *handler) dataView(c echo.Context, actor string) (v dataView, err error) {
	ctx := c.Request().Context()
	account, err := h.Doors.Account(ctx, actor)
	if err != nil {
		return v, err
	}
	held, err := h.Service.Held(ctx, actor)
	if err != nil {
		return v, err
	}
	p := account.Peer
	v = dataView{
		Page: h.privatePage(c, "my-data.title"), Actor: actor, Known: p.Actor != "", Name: p.Name, Handle: account.Handle,
		URL: p.URL, MovedTo: p.MovedTo, Aliases: p.AlsoKnownAs, Crowd: p.Crowd, Created: p.Published, Fetched: p.FetchedAt,
		Quotes: account.Quotes, Reports: len(held.Reports),
	}
	v.Action = v.Page.To(c.Request().URL.EscapedPath())
	for _, k := range p.Keys {
		v.Keys = append(v.Keys, k.ID)
	}
	for _, f := range account.Follows {
		channel, err := h.Service.Channel(ctx, f.Channel)
		if err != nil {
			return v, err
		}
		v.Follows = append(v.Follows, dataFollow{channel.Title, v.Page.To("/@" + channel.Name), channel.Language, f.Since})
	}
	return v, h.addHeld(ctx, &v, held)
}

// addHeld adds what the account did.
func (h *handler) addHeld(ctx context.Context, v *dataView, held participation.Held) error {
	for _, b := range held.Ballots {
		class := "unclassified"
		if b.Class == participation.Established {
			class = "established"
		}
		v.Ballots = append(v.Ballots, dataBallot{dataLinkTo(v.Page, b.Consultation), h.local(b.Since, b.Consultation.Zone), class, b.Codes, b.Choices,
			b.Consultation.Phase == participation.Withdrawn})
	}
	links := map[string]dataLink{}
	var failed error
	about := func(id string) dataLink {
		if _, known := links[id]; !known {
			con, err := h.Service.Consultation(ctx, id)
			if err != nil {
				failed = err
			}
			links[id] = dataLinkTo(v.Page, con)
		}
		return links[id]
	}
	for _, r := range held.Replies {
		v.Replies = append(v.Replies, dataItem{dataLink: about(r.Consultation), Body: web.HTML(r.HTML), Words: r.Language, At: r.Published, Hidden: r.Reason})
	}
	for _, p := range held.Answers {
		v.Answers = append(v.Answers, dataItem{dataLink: about(p.Consultation), Body: web.HTML(p.HTML), Words: p.Language, At: p.Published})
	}
	for _, g := range held.Gestures {
		v.Gestures = append(v.Gestures, dataItem{dataLink: about(g.Consultation), Kind: string(g.Gesture)})
	}
	return failed
}

func dataLinkTo(p page, c participation.Consultation) dataLink {
	return dataLink{c.Title, p.To("/consultations/" + c.Slug), c.Language}
}
