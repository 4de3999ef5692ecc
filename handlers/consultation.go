package handlers

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"inspraak/activitypub"
	"inspraak/participation"
	"inspraak/web"
)

type consultationView struct {
	Page                                  page
	State, Title, Lang, Reason            string
	ChannelURL, ChannelTitle, ChannelLang string
	Tags                                  []tagLink
	Body                                  web.HTML
	Image                                 *imageView

	Withdrawn, Scheduled, Ended, Votable, Multiple, ManyOptions, ClosedEarly, Auditor bool

	Level                                            string
	Promise, DecidedBy, DecidedWhen, NotOpen, Notice string
	Opens, Closes, Closed                            time.Time
	Grace                                            string // in words, empty if none
	Incidents                                        []incidentView
	Extended, Accepting                              bool      // votes count until another time than planned; they still do
	Until                                            time.Time // that time
	Servers                                          []string

	Announced, From time.Time // the destruction of the ballots, and when it can be; zero if it is not announced
	Destroying      bool      // it has begun
	Destroyed       time.Time // it is done; zero before

	Rows                   []row
	Counts                 bool   // rows have votes and shares
	Leaders                []row  // chosen most, as far as the final count tells
	WhyHidden              string // why not
	BatchSize              int
	Beforehand             bool // say that too few ballots give totals only
	Numbers                bool // the rest below is known
	Turnout, Pending       int
	Replies, Likes, Boosts int
	Refused                []refusal
	Classes                []class // nil: too few votes to tell
	CountedAt              time.Time
	Version                int
	Final                  bool
	JSON, Report           string
	Notices, Results       []postView
	Address, Handle        string
	OtherWays              web.HTML
	OtherWaysLang          string
	Thread                 []*threadItem
	Hidden                 int
	Previous, Next         string
	Check                  checkView
}

type row struct {
	Number int
	Name   string
	Votes  int
	Share  float64
	Width  string // of the bar, in percent
}

type refusal struct {
	Reason participation.Outcome
	N      int
}

type class struct{ Name, Votes string }

type tagLink struct{ Name, URL string }

// consultation shows one question: what is asked, what may be expected, the
// numbers as far as they are not hidden, how to take part, and the replies.
func (h *handler) consultation(c echo.Context) error {
	ctx := c.Request().Context()
	con, err := h.visible(ctx, c.Param("slug"))
	if err != nil {
		return err
	}
	channel, err := h.Service.Channel(ctx, con.Channel)
	if err != nil {
		return err
	}
	r, err := h.snapshot(ctx, con)
	if err != nil {
		return err
	}
	v := consultationView{
		Page: h.page(c, con.Title), State: h.state(con, r), Title: con.Title, Lang: con.Language, Reason: con.Reason,
		ChannelTitle: channel.Title, ChannelLang: channel.Language,
		Body: web.HTML(con.HTML), Image: image(con.Image),
		Withdrawn: con.Phase == participation.Withdrawn, Scheduled: con.Phase == participation.Scheduled, Votable: con.Kind.HasOptions(),
		Multiple: con.Kind == participation.MultipleChoice, ManyOptions: len(con.Options) > participation.AdvisedOptions,
		Address: h.URLs.Page(con.Slug), Handle: h.URLs.Handle(con.Channel),
		JSON: "/consultations/" + con.Slug + "/result.json",
	}
	v.Report = v.Page.To("/consultations/" + con.Slug + "/report")
	v.addDestruction(h, con)
	v.Page.Feed = "/@" + con.Channel + "/feed.atom"
	v.ChannelURL = v.Page.To("/@" + con.Channel)
	for _, t := range con.Hashtags {
		v.Tags = append(v.Tags, tagLink{t, v.Page.To(tagPath(h.URLs, t))})
	}
	if v.Withdrawn {
		v.Page.Hidden = true
		return h.html(c, http.StatusGone, "consultation", v.Page, v)
	}
	if !v.Scheduled { // before that other servers cannot have the object
		v.Page.Object = h.URLs.Object(con.ID)
	}
	v.Page.Description = excerpt(con.HTML)
	h.picture(&v.Page, con.Image)
	v.OtherWays, v.OtherWaysLang = h.inLanguage(v.Page, h.OtherWays)
	h.addTerms(&v, con)
	v.addNumbers(h, con, r)
	if v.Votable && !v.Scheduled {
		if v.Check, err = h.checkView(ctx, v.Page, con); err != nil {
			return err
		}
	}
	if err := h.addIncidents(ctx, &v, con); err != nil {
		return err
	}
	if err := h.addThread(ctx, &v, con, channel, c.QueryParam("page")); err != nil {
		return err
	}
	return h.html(c, http.StatusOK, "consultation", v.Page, v)
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
	v.DecidedBy, v.DecidedWhen = c.Terms.DecidedBy, c.Terms.DecidedWhen
	v.NotOpen, v.Notice = c.Terms.NotOpen, c.Terms.Notice
	v.Auditor = c.Terms.AuditorKey != ""
	v.Opens, v.Closes = h.local(c.OpensAt, c.Zone), h.local(c.ClosesAt, c.Zone)
	v.Grace, v.Servers = h.duration(v.Page.Lang, c.Terms.Grace), c.Terms.AllowedServers
	v.Ended = h.ended(c)
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

func (v *consultationView) addNumbers(h *handler, c participation.Consultation, r participation.Result) {
	counts, voters, hidden := c.Shown(r)
	v.Counts, v.WhyHidden, v.BatchSize = counts != nil, hidden, c.Terms.BatchSize
	if v.Ended && v.Votable && !v.Counts {
		v.WhyHidden = "counting"
	}
	v.Beforehand = v.Votable && !v.Ended && c.Terms.BatchSize > 1
	for i, name := range c.Options {
		o := row{Number: i + 1, Name: name}
		if v.Counts {
			o.Votes, o.Share = counts[i], share(counts[i], voters)
			o.Width = strconv.FormatFloat(o.Share*100, 'f', 1, 64)
		}
		v.Rows = append(v.Rows, o)
	}
	if r.Final && v.Counts {
		v.Leaders = leaders(v.Rows)
	}
	v.Numbers = r.Version > 0
	v.Turnout, v.Pending, v.Replies, v.Likes, v.Boosts = r.Turnout, 0, r.Replies, r.Likes, r.Boosts
	if v.Counts {
		v.Pending = r.Pending
	}
	v.CountedAt, v.Version, v.Final = h.local(r.At, c.Zone), r.Version, r.Final
	v.Refused = refused(h.Site, r)
	if r.Classes != nil {
		v.Classes = []class{{"established", h.inWords(v.Page.Lang, r.Classes.Established)}, {"unclassified", h.inWords(v.Page.Lang, r.Classes.Unclassified)}}
	}
}

// leaders are the rows with most votes: several at a tie, none without votes.
func leaders(rows []row) (most []row) {
	for _, r := range rows {
		switch {
		case r.Votes == 0 || len(most) > 0 && r.Votes < most[0].Votes:
		case len(most) > 0 && r.Votes == most[0].Votes:
			most = append(most, r)
		default:
			most = []row{r}
		}
	}
	return most
}

// refused lists what was not counted by reason, largest number first. A reason
// that the site has no words for is "unknown", never dropped: the numbers add
// up.
func refused(site *web.Site, r participation.Result) (list []refusal) {
	numbers := map[participation.Outcome]int{}
	for reason, n := range r.Refused {
		if !site.Has("outcome." + string(reason)) {
			reason = "unknown"
		}
		numbers[reason] += n
	}
	for reason, n := range numbers {
		if n > 0 && reason != participation.Counted {
			list = append(list, refusal{reason, n})
		}
	}
	slices.SortFunc(list, func(a, b refusal) int {
		if a.N != b.N {
			return b.N - a.N
		}
		if a.Reason < b.Reason {
			return -1
		}
		return 1
	})
	return list
}
