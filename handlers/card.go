package handlers

import (
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"

	"inspraak/participation"
	"inspraak/web"
)

// maxCards is how many pictures of questions are remembered: some 20 KB each.
const maxCards = 64

// cards draws each card once, one at a time, so that drawing never takes more than
// one processor, and remembers the newest.
type cards struct {
	mu      sync.Mutex
	painter *web.Painter
	drawn   map[string][]byte
	order   []string
}

func (k *cards) draw(tag string, c web.Card) (picture []byte, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if picture, known := k.drawn[tag]; known {
		return picture, nil
	}
	if k.painter == nil {
		if k.painter, err = web.NewPainter(); err != nil {
			return nil, err
		}
		k.drawn = map[string][]byte{}
	}
	if picture, err = k.painter.Card(c); err != nil {
		return nil, err
	}
	if len(k.order) == maxCards {
		delete(k.drawn, k.order[0])
		k.order = k.order[1:]
	}
	k.drawn[tag], k.order = picture, append(k.order, tag)
	return picture, nil
}

// cardOf is what a question's card says, in the question's language or, where the
// site does not speak it, in Dutch.
func (h *handler) cardOf(c participation.Consultation, r participation.Result) (card web.Card, lang string) {
	lang = h.Site.Match("", c.Language)
	key, at := "card.closes", c.ClosesAt
	switch {
	case c.Phase == participation.Scheduled:
		key, at = "card.opens", c.OpensAt
	case c.Phase == participation.Closed:
		key, at = "card.closed", c.ClosedAt
	}
	return web.Card{
		Site: h.Name, Title: c.Title, State: h.Site.Text(lang, "state."+h.state(c, r)),
		When: h.Site.Text(lang, key) + " " + h.Site.Moment(lang, h.local(at, c.Zone)),
		Foot: strings.TrimPrefix(strings.TrimPrefix(h.URLs.Page(c.Slug), "https://"), "http://"),
	}, lang
}

// showCard gives a page about a consultation its card as picture, where it has none.
func (h *handler) showCard(p *page, c participation.Consultation, r participation.Result) {
	if p.Picture != "" || c.Phase == participation.Withdrawn {
		return
	}
	card, lang := h.cardOf(c, r)
	p.Picture = h.URLs.Page(c.Slug) + "/card.png"
	p.PictureAlt = h.Site.Text(lang, "picture.alt", "Site", card.Site, "Title", card.Title, "State", card.State, "When", card.When)
}

// cardPicture is the picture of a question for link previews: what is asked, by whom
// and until when. It counts nothing.
func (h *handler) cardPicture(c echo.Context) error {
	con, err := h.visible(c.Request().Context(), c.Param("slug"))
	if err != nil {
		return err
	}
	if con.Phase == participation.Withdrawn {
		return fmt.Errorf("card of %s, which is withdrawn: %w", con.Slug, participation.ErrNotFound)
	}
	r, err := h.snapshot(c.Request().Context(), con)
	if err != nil {
		return err
	}
	card, _ := h.cardOf(con, r)
	shared(c)
	c.Response().Header().Set("Cache-Control", "public, max-age=300")
	tag := digest([]byte(fmt.Sprintf("%q", card)))
	if h.unchanged(c, tag) {
		return c.NoContent(http.StatusNotModified)
	}
	picture, err := h.cards.draw(tag, card)
	if err != nil {
		return &ourFault{err}
	}
	return c.Blob(http.StatusOK, "image/png", picture)
}
