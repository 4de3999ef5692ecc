package api

import (
	"time"

	"github.com/labstack/echo/v4"

	"inspraak/participation"
)

type incidentJSON struct {
	Kind  participation.IncidentKind `json:"kind"`
	Began time.Time                  `json:"began"`
	Ended time.Time                  `json:"ended"`
}

// resultJSON is a snapshot for programs. Votes are absent while they are
// hidden; then hidden says why.
type resultJSON struct {
	ID       string              `json:"id"`
	Page     string              `json:"page"`
	Title    string              `json:"title"`
	Language string              `json:"language"`
	Kind     participation.Kind  `json:"kind"`
	Phase    participation.Phase `json:"phase"`
	OpensAt  time.Time           `json:"opensAt"`
	ClosesAt time.Time           `json:"closesAt"`
	ClosedAt *time.Time          `json:"closedAt,omitempty"`
	// AcceptsUntil is when votes stop counting where an outage moved that.
	AcceptsUntil *time.Time     `json:"acceptsUntil,omitempty"`
	Incidents    []incidentJSON `json:"incidents,omitempty"`
	// Doubt is under-review or being-checked; absent if the numbers stand.
	Doubt string `json:"doubt,omitempty"`
	// DestructionAnnounced and Destroyed are when the destruction of the ballots
	// was announced, and done.
	DestructionAnnounced *time.Time `json:"destructionAnnouncedAt,omitempty"`
	Destroyed            *time.Time `json:"destroyedAt,omitempty"`

	RuleVersion string                        `json:"ruleVersion"`
	BatchSize   int                           `json:"batchSize"`
	Version     int                           `json:"version"`
	CountedAt   *time.Time                    `json:"countedAt,omitempty"`
	Final       bool                          `json:"final"`
	Turnout     int                           `json:"turnout"`
	Pending     int                           `json:"pending,omitempty"`
	Replies     int                           `json:"replies"`
	Likes       int                           `json:"likes"`
	Boosts      int                           `json:"boosts"`
	NotCounted  map[participation.Outcome]int `json:"notCounted,omitempty"`
	Classes     *participation.Classes        `json:"classes,omitempty"`
	Hidden      string                        `json:"hidden,omitempty"`
	Options     []optionJSON                  `json:"options,omitempty"`
}

type optionJSON struct {
	Name  string `json:"name"`
	Votes *int   `json:"votes,omitempty"`
}

func (a *API) result(c echo.Context) error {
	if err := read(c).done(); err != nil {
		return err
	}
	return a.Result(c)
}

// Result serves the newest snapshot, the same that page and feed show. It looks at
// no parameters, for its address is older than their rules.
func (a *API) Result(c echo.Context) error {
	con, err := a.public(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	r, err := a.Service.Result(ctx, con.ID)
	if err != nil && !notFound(err) { // it never opened
		return err
	}
	incidents, err := a.Service.Incidents(ctx, con.Number)
	if err != nil {
		return err
	}
	j := resultJSON{
		ID: a.URLs.Object(con.ID), Page: a.URLs.Page(con.Slug), Title: con.Title, Language: con.Language,
		Kind: con.Kind, Phase: con.Phase, OpensAt: con.OpensAt.UTC(), ClosesAt: con.ClosesAt.UTC(),
		RuleVersion: con.Terms.RuleVersion, BatchSize: con.Terms.BatchSize, Version: r.Version, Final: r.Final,
		Turnout: r.Turnout, Replies: r.Replies, Likes: r.Likes, Boosts: r.Boosts, NotCounted: r.Refused, Classes: r.Classes, Doubt: a.Doubt(con),
	}
	if !con.ExtendedUntil.IsZero() {
		j.AcceptsUntil = moment(con.Deadline())
	}
	for _, i := range incidents {
		j.Incidents = append(j.Incidents, incidentJSON{i.Kind, i.Began.UTC(), i.Ended.UTC()})
	}
	j.ClosedAt, j.DestructionAnnounced, j.Destroyed = moment(con.ClosedAt), moment(con.AnnouncedAt), moment(con.DestroyedAt)
	if r.Version > 0 {
		j.CountedAt = moment(r.At)
	}
	counts, _, hidden := con.Shown(r)
	j.Hidden = hidden
	for i, name := range con.Options {
		o := optionJSON{Name: name}
		if counts != nil {
			o.Votes, j.Pending = &counts[i], r.Pending
		}
		j.Options = append(j.Options, o)
	}
	return a.answer(c, j, "")
}
