package api

import (
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"inspraak/participation"
)

type consultationJSON struct {
	Slug         string                   `json:"slug"`
	ID           string                   `json:"id"`
	Page         string                   `json:"page"`
	Channel      string                   `json:"channel"`
	Kind         participation.Kind       `json:"kind"`
	Phase        participation.Phase      `json:"phase"`
	Language     string                   `json:"language"`
	Title        string                   `json:"title"`
	HTML         string                   `json:"html,omitempty"`
	Options      []string                 `json:"options,omitempty"`
	Hashtags     []string                 `json:"hashtags,omitempty"`
	Image        *imageJSON               `json:"image,omitempty"`
	CountsShown  participation.Disclosure `json:"countsShown,omitempty"`
	OpensAt      time.Time                `json:"opensAt"`
	ClosesAt     time.Time                `json:"closesAt"`
	OpenedAt     *time.Time               `json:"openedAt,omitempty"`
	ClosedAt     *time.Time               `json:"closedAt,omitempty"`
	AcceptsUntil *time.Time               `json:"acceptsUntil,omitempty"`
	TimeZone     string                   `json:"timeZone"`
	Reason       string                   `json:"reason,omitempty"`
	Terms        *termsJSON               `json:"terms,omitempty"`
	Links        linksJSON                `json:"links"`
}

type imageJSON struct {
	URL       string `json:"url"`
	Alt       string `json:"alt"`
	MediaType string `json:"mediaType"`
	Width     int    `json:"width,omitempty"`
	Height    int    `json:"height,omitempty"`
}

type termsJSON struct {
	Level           participation.Level `json:"level"`
	Promise         string              `json:"promise"`
	DecidedBy       string              `json:"decidedBy"`
	DecidedWhen     string              `json:"decidedWhen"`
	NotOpen         string              `json:"notOpen"`
	Notice          string              `json:"notice"`
	AllowedServers  []string            `json:"allowedServers,omitempty"`
	BatchSize       int                 `json:"batchSize"`
	IntervalSeconds float64             `json:"intervalSeconds"`
	GraceSeconds    float64             `json:"graceSeconds"`
	AuditorKey      string              `json:"auditorKey,omitempty"`
	RuleVersion     string              `json:"ruleVersion"`
}

type linksJSON struct {
	Self          string `json:"self"`
	Result        string `json:"result,omitempty"`
	Replies       string `json:"replies,omitempty"`
	Posts         string `json:"posts,omitempty"`
	Dataset       string `json:"dataset,omitempty"`
	Consultations string `json:"consultations,omitempty"`
	Feed          string `json:"feed,omitempty"`
	Calendar      string `json:"calendar,omitempty"`
}

// consultationJSON is a consultation as the API tells it; one that was withdrawn
// without its text. frozen are the numbers of those with a dataset.
func (a *API) consultationJSON(con participation.Consultation, frozen []int64) consultationJSON {
	self := a.address("/consultations/" + con.Slug)
	j := consultationJSON{
		Slug: con.Slug, ID: a.URLs.Object(con.ID), Page: a.URLs.Page(con.Slug), Channel: con.Channel, Kind: con.Kind, Phase: con.Phase,
		Language: con.Language, Title: con.Title, OpensAt: con.OpensAt.UTC(), ClosesAt: con.ClosesAt.UTC(),
		OpenedAt: moment(con.OpenedAt), ClosedAt: moment(con.ClosedAt), TimeZone: con.Zone, Reason: con.Reason, Links: linksJSON{Self: self},
	}
	if con.Phase == participation.Withdrawn {
		return j
	}
	t := con.Terms
	j.HTML, j.Options, j.Hashtags, j.CountsShown = con.HTML, con.Options, con.Hashtags, con.Results
	j.Terms = &termsJSON{t.Level, t.Promise, t.DecidedBy, t.DecidedWhen, t.NotOpen, t.Notice, t.AllowedServers, t.BatchSize,
		t.Interval.Seconds(), t.Grace.Seconds(), t.AuditorKey, t.RuleVersion}
	if i := con.Image; i != nil {
		j.Image = &imageJSON{a.URLs.Media(i.Path), i.Alt, i.MediaType, i.Width, i.Height}
	}
	if !con.ExtendedUntil.IsZero() {
		j.AcceptsUntil = moment(con.Deadline())
	}
	j.Links.Result, j.Links.Replies, j.Links.Posts = self+"/result", self+"/replies", self+"/posts"
	j.Links.Feed, j.Links.Calendar = j.Page+"/feed.atom", j.Page+"/calendar.ics"
	if slices.Contains(frozen, con.Number) {
		j.Links.Dataset = self + "/dataset"
	}
	return j
}

func (a *API) consultations(c echo.Context) error {
	q, ctx := read(c), c.Request().Context()
	f := participation.Filter{Channel: q.text("channel"), Phases: []participation.Phase{
		participation.Scheduled, participation.Open, participation.Closed, participation.Withdrawn}}
	if phase := q.oneOf("phase", "scheduled", "open", "closed", "withdrawn"); phase != "" {
		f.Phases = []participation.Phase{participation.Phase(phase)}
	}
	f.Year = int(q.number("year", 2000, 2999, 0, "give a year from 2000 to 2999"))
	limit := q.limit()
	f.Limit = limit + 1
	if slug := q.text("after"); slug != "" {
		switch last, err := a.visible(ctx, slug); {
		case err == nil:
			f.After = &last
		case refusal(err):
			q.refuse("after", "there is no such consultation; begin without it")
		default:
			return err
		}
	}
	if err := q.done(); err != nil {
		return err
	}
	found, err := a.Service.Consultations(ctx, f)
	if err != nil {
		return err
	}
	frozen, err := a.Service.Frozen(ctx)
	if err != nil {
		return err
	}
	v := struct {
		Consultations []consultationJSON `json:"consultations"`
		Next          string             `json:"next,omitempty"`
	}{Consultations: []consultationJSON{}}
	for i, con := range found {
		if i == limit {
			v.Next = a.with(c, q, "after", found[i-1].Slug)
			break
		}
		v.Consultations = append(v.Consultations, a.consultationJSON(con, frozen))
	}
	return a.answer(c, v, v.Next)
}

func (a *API) consultation(c echo.Context) error {
	if err := read(c).done(); err != nil {
		return err
	}
	con, err := a.public(c)
	if err != nil {
		return err
	}
	frozen, err := a.Service.Frozen(c.Request().Context())
	if err != nil {
		return err
	}
	return a.answer(c, a.consultationJSON(con, frozen), "")
}

type channelJSON struct {
	Name      string                `json:"name"`
	Handle    string                `json:"handle"`
	Title     string                `json:"title"`
	Language  string                `json:"language"`
	HTML      string                `json:"html"`
	Page      string                `json:"page"`
	Actor     string                `json:"actor"`
	Fields    []participation.Field `json:"fields,omitempty"`
	CreatedAt time.Time             `json:"createdAt"`
	Links     linksJSON             `json:"links"`
}

func (a *API) channelJSON(ch participation.Channel) channelJSON {
	page := a.URLs.Profile(ch.Name)
	return channelJSON{
		Name: ch.Name, Handle: a.URLs.Handle(ch.Name), Title: ch.Title, Language: ch.Language, HTML: ch.HTML, Page: page,
		Actor: a.URLs.Actor(ch.Name), Fields: ch.Fields, CreatedAt: ch.Created.UTC(),
		Links: linksJSON{Self: a.address("/channels/" + ch.Name), Consultations: a.address("/consultations?channel=" + ch.Name),
			Feed: page + "/feed.atom", Calendar: page + "/calendar.ics"},
	}
}

func (a *API) channels(c echo.Context) error {
	if err := read(c).done(); err != nil {
		return err
	}
	found, err := a.Service.Channels(c.Request().Context())
	if err != nil {
		return err
	}
	v := struct {
		Channels []channelJSON `json:"channels"`
	}{[]channelJSON{}}
	for _, ch := range found {
		v.Channels = append(v.Channels, a.channelJSON(ch))
	}
	return a.answer(c, v, "")
}

func (a *API) channel(c echo.Context) error {
	if err := read(c).done(); err != nil {
		return err
	}
	ch, err := a.Service.Channel(c.Request().Context(), c.Param("name"))
	if notFound(err) {
		return echo.NewHTTPError(http.StatusNotFound, "there is no such channel")
	}
	if err != nil {
		return err
	}
	return a.answer(c, a.channelJSON(ch), "")
}

type datasetJSON struct {
	Consultation string     `json:"consultation"`
	Page         string     `json:"page"`
	Zip          string     `json:"zip"`
	License      string     `json:"license"`
	Files        []fileJSON `json:"files"`
}

type fileJSON struct {
	Name      string `json:"name"`
	URL       string `json:"url"`
	MediaType string `json:"mediaType"`
	Size      int64  `json:"size"`
	SHA256    string `json:"sha256,omitempty"`
}

func (a *API) dataset(c echo.Context) error {
	if err := read(c).done(); err != nil {
		return err
	}
	con, err := a.public(c)
	if err != nil {
		return err
	}
	files, _, err := a.Service.Manifest(c.Request().Context(), con)
	if notFound(err) {
		return echo.NewHTTPError(http.StatusNotFound, "there is no dataset yet: it is published after closing, if there was a vote")
	}
	if err != nil {
		return err
	}
	page := a.URLs.Page(con.Slug) + "/dataset"
	v := datasetJSON{con.Slug, page, page + ".zip", participation.DatasetLicense, nil}
	for _, f := range files {
		v.Files = append(v.Files, fileJSON{f.Name, page + "/" + f.Name, MediaType(f.Name), f.Size, f.SHA256})
	}
	return a.answer(c, v, "")
}

// MediaType is that of a file of a dataset or of an export. What only a person
// reads is plain text, so that a browser shows it.
func MediaType(name string) string {
	switch path.Ext(name) {
	case ".md":
		return "text/markdown; charset=utf-8"
	case ".csv":
		return "text/csv; charset=utf-8; header=present"
	case ".json":
		if strings.HasSuffix(name, ".csv-metadata.json") {
			return "application/csvm+json"
		}
		return "application/json"
	case ".jsonl":
		return "application/jsonl; charset=utf-8"
	}
	return "text/plain; charset=utf-8"
}
