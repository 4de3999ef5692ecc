package handlers

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"inspraak/activitypub"
	"inspraak/participation"
	"inspraak/web"
)

// head is what every page about a consultation says of it.
type head struct {
	Page                                  page
	State, Title, Lang                    string
	URL, ResultURL, RepliesURL            string
	ChannelURL, ChannelTitle, ChannelLang string

	Withdrawn, Scheduled, Ended, Votable, Multiple bool

	Closes              time.Time
	Contact, ContactURL string
	base                string // URL without what a visitor chose
}

type consultationView struct {
	head
	Reason                            string
	Tags                              []tagLink
	Body                              web.HTML
	Image                             *imageView
	ManyOptions, ClosedEarly, Auditor bool

	Level                    string
	Promise, NotOpen, Notice string
	Opens, Closed            time.Time
	Grace                    string // in words, empty if none
	Incidents                []incidentView
	Extended, Accepting      bool      // votes count until another time than planned; they still do
	Until                    time.Time // that time
	Servers                  []string
	Timeline                 []step

	Announced, From time.Time // the destruction of the ballots, and when it can be; zero if it is not announced
	Destroying      bool      // it has begun
	Destroyed       time.Time // it is done; zero before

	numbers
	Report          string // page for the council
	Notices         []postView
	Address, Handle string
	OtherWays       web.HTML
	OtherWaysLang   string
	Thread          []*threadItem // the newest few
	Check           checkView
	Own             ownForm
	Share           string // page to spread it with
}

type tagLink struct{ Name, URL string }

// begin starts a page about the consultation in the address: finds it, its
// channel and its newest count.
func (h *handler) begin(c echo.Context, title string) (v head, con participation.Consultation, channel participation.Channel, r participation.Result, err error) {
	ctx := c.Request().Context()
	if con, err = h.visible(ctx, c.Param("slug")); err != nil {
		return v, con, channel, r, err
	}
	if channel, err = h.Service.Channel(ctx, con.Channel); err != nil {
		return v, con, channel, r, err
	}
	if r, err = h.snapshot(ctx, con); err != nil {
		return v, con, channel, r, err
	}
	v = head{
		Page: h.page(c, con.Title), State: h.state(con, r), Title: con.Title, Lang: con.Language, base: "/consultations/" + con.Slug,
		ChannelTitle: channel.Title, ChannelLang: channel.Language,
		Withdrawn: con.Phase == participation.Withdrawn, Scheduled: con.Phase == participation.Scheduled, Ended: h.ended(con),
		Votable: con.Kind.HasOptions(), Multiple: con.Kind == participation.MultipleChoice,
		Closes: h.local(con.ClosesAt, con.Zone), Contact: h.Contact, ContactURL: contactURL(h.Contact),
	}
	if title != "" {
		v.Page.Title = h.Site.Text(v.Page.Lang, title) + ": " + con.Title
	}
	v.URL, v.ResultURL, v.RepliesURL = v.Page.To(v.base), v.Page.To(v.base+"/result"), v.Page.To(v.base+"/replies")
	v.ChannelURL, v.Page.Feed = v.Page.To("/@"+con.Channel), "/consultations/"+con.Slug+"/feed.atom"
	return v, con, channel, r, nil
}

// withdrawn says that a consultation was taken back, and why. No page about it
// shows anything else.
func (h *handler) withdrawn(c echo.Context, about head, con participation.Consultation) error {
	v := consultationView{head: about, Reason: con.Reason}
	v.Page.Title, v.Page.Hidden = con.Title, true
	v.addDestruction(h, con)
	return h.html(c, http.StatusGone, "consultation", v.Page, v)
}

// consultation shows one question: what is asked, when what happens, what may be
// expected, how to take part, and what there is of result and replies.
func (h *handler) consultation(c echo.Context) error {
	ctx := c.Request().Context()
	about, con, channel, r, err := h.begin(c, "")
	if err != nil {
		return err
	}
	if about.Withdrawn {
		return h.withdrawn(c, about, con)
	}
	v := consultationView{
		head: about, Reason: con.Reason, Body: web.HTML(con.HTML), Image: image(con.Image),
		ManyOptions: len(con.Options) > participation.AdvisedOptions,
		Address:     h.URLs.Page(con.Slug), Handle: h.URLs.Handle(con.Channel),
	}
	v.Report = v.Page.To("/consultations/" + con.Slug + "/report")
	v.addDestruction(h, con)
	for _, t := range con.Hashtags {
		v.Tags = append(v.Tags, tagLink{t, v.Page.To(tagPath(h.URLs, t))})
	}
	if !v.Scheduled { // before that other servers cannot have the object
		v.Page.Object = h.URLs.Object(con.ID)
	}
	v.Page.Description = excerpt(con.HTML)
	h.picture(&v.Page, con.Image)
	h.showCard(&v.Page, con, r)
	v.OtherWays, v.OtherWaysLang = h.inLanguage(v.Page, h.OtherWays)
	h.addTerms(&v, con)
	v.Own, v.Page.OEmbed = h.ownForm(c, v.Page, takePartPath(con), h.purpose(con)), h.oEmbedAddress(con)
	v.Share = v.Page.To("/consultations/" + con.Slug + "/share")
	v.numbers = h.numbers(v.head, con, r)
	if v.Votable && !v.Scheduled {
		if v.Check, err = h.checkView(ctx, v.Page, con); err != nil {
			return err
		}
	}
	if err := h.addIncidents(ctx, &v, con); err != nil {
		return err
	}
	if err := h.addPosts(ctx, &v, con, channel); err != nil {
		return err
	}
	v.Timeline = h.timeline(&v, con, r)
	if v.Thread, err = h.newest(ctx, v.head, con, channel); err != nil {
		return err
	}
	return h.html(c, http.StatusOK, "consultation", v.Page, v)
}

// addPosts adds what the municipality wrote to all, oldest first.
func (h *handler) addPosts(ctx context.Context, v *consultationView, c participation.Consultation, channel participation.Channel) error {
	for _, kind := range []participation.PostKind{participation.Notice, participation.Erratum} {
		posts, err := h.Service.PostsOf(ctx, c.ID, kind)
		if err != nil {
			return err
		}
		for _, p := range posts {
			v.Notices = append(v.Notices, h.postView(v.Page, c, channel, p))
		}
	}
	sortByTime(v.Notices)
	return nil
}

func tagPath(u activitypub.URLs, tag string) string {
	address, err := url.Parse(u.Tag(tag))
	if err != nil {
		return "/"
	}
	return address.EscapedPath()
}

func (h *handler) addTerms(v *consultationView, c participation.Consultation) {
	v.Level, v.Promise = string(c.Terms.Level), c.Terms.Promise
	v.NotOpen, v.Notice = c.Terms.NotOpen, c.Terms.Notice
	v.Auditor = c.Terms.AuditorKey != ""
	v.Opens = h.local(c.OpensAt, c.Zone)
	v.Grace, v.Servers = h.duration(v.Page.Lang, c.Terms.Grace), c.Terms.AllowedServers
	if v.ClosedEarly = c.Phase == participation.Closed && c.ClosedAt.Before(c.ClosesAt); v.ClosedEarly {
		v.Closed = h.local(c.ClosedAt, c.Zone)
	}
}

func (v *consultationView) addDestruction(h *handler, c participation.Consultation) {
	switch {
	case !c.DestroyedAt.IsZero():
		v.Destroyed = h.local(c.DestroyedAt, c.Zone)
	case c.Destroyed():
		v.Destroying = true
	case !c.AnnouncedAt.IsZero():
		v.Announced, v.From = h.local(c.AnnouncedAt, c.Zone), h.local(c.DestroyableFrom(), c.Zone)
	}
}
