package handlers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"inspraak/participation"
	"inspraak/tally"
	"inspraak/web"
)

const (
	maxInline = 200 // replies that the page shows without being asked; the file has all
	maxListed = 200 // unanswered replies that are named
)

// reportView is a participation report: how people were involved and what came of
// it (Omgevingsbesluit, article 10.2). Page and Markdown show the same view.
type reportView struct {
	Page                                     page
	Site, Title, Lang, Address, Conversation string
	Made                                     time.Time // its day
	State                                    string
	Draft                                    bool   // the final count is not there; no counts are told
	Markdown, URL                            string // addresses of the file, and of the consultation's page
	process
	reach
	outcome
	Summary *summaryView
	spoken
	evidence
}

// process is what was asked, under which conditions, and how it went.
type process struct {
	Body                                             web.HTML
	Votable, Multiple, Scheduled, Ended, ClosedEarly bool
	Options                                          []row
	Level                                            string
	Promise, DecidedBy, DecidedWhen, NotOpen, Notice string
	Opens, Closes, Closed                            time.Time
	Reason, Grace                                    string
	Incidents                                        []incidentView
	Extended                                         bool
	Until                                            time.Time
	Servers                                          []string
	Auditor                                          bool
	Channel, Handle                                  string
	OtherWays                                        web.HTML
	OtherWaysLang                                    string
	Messages                                         []postView // to all
}

// reach is how many took part, as far as it may be told.
type reach struct {
	Numbers                                    bool
	Turnout, Replies, Likes, Boosts, Followers int
	Refused                                    []refusal
	Classes                                    []class
}

// outcome is the result, once it is final.
type outcome struct {
	Rows, Leaders []row
	CountedAt     time.Time
}

type summaryView struct {
	Text    web.HTML
	At      time.Time
	SHA256  string
	Gone    int // replies it rested on
	Earlier []summaryView
}

// evidence is what the result can be checked with.
type evidence struct {
	Label                        labelView
	Figures                      []*figureView
	Files                        []dataFileView
	Zip, Manifest                string // address; SHA-256 of the list of files
	Checkpoint, Key, Fingerprint string
}

// report shows a participation report as a page, for reading and printing.
func (h *handler) report(c echo.Context) error {
	v, err := h.reportView(c, c.QueryParam("replies") == "all")
	if err != nil {
		return err
	}
	return h.html(c, http.StatusOK, "report", v.Page, v)
}

// reportFile is the same as Markdown, with all replies.
func (h *handler) reportFile(c echo.Context) error {
	v, err := h.reportView(c, true)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := h.Site.RenderMarkdown(&b, "report", v.Page.Lang, v); err != nil {
		return &ourFault{err}
	}
	header := c.Response().Header()
	header.Set(echo.HeaderVary, "Accept-Language")
	header.Set("Content-Language", v.Page.Lang)
	header.Set("Cache-Control", "no-cache")
	if h.unchanged(c, digest(b.Bytes())) {
		return c.NoContent(http.StatusNotModified)
	}
	return c.Blob(http.StatusOK, "text/markdown; charset=utf-8; variant=pandoc", b.Bytes())
}

func (h *handler) reportView(c echo.Context, whole bool) (v reportView, err error) {
	con, err := h.public(c)
	if err != nil {
		return v, err
	}
	ctx := c.Request().Context()
	// All of one moment: numbers, replies and files must fit together.
	err = h.Service.Snapshot(ctx, func(ctx context.Context) error {
		if con, err = h.visible(ctx, con.Slug); err != nil {
			return err
		}
		v = reportView{Page: h.page(c, ""), Site: h.Name, Title: con.Title, Lang: con.Language, Address: h.URLs.Page(con.Slug)}
		return h.fillReport(ctx, &v, con, whole)
	})
	return v, err
}

func (h *handler) fillReport(ctx context.Context, v *reportView, con participation.Consultation, whole bool) error {
	r, err := h.snapshot(ctx, con)
	if err != nil {
		return err
	}
	base := "/consultations/" + con.Slug
	v.Page.Title = h.Site.Text(v.Page.Lang, "report.title") + ": " + con.Title
	v.Page.Description = h.Site.Text(v.Page.Lang, "report.lead")
	v.Made, v.State = h.local(h.Now(), con.Zone), h.state(con, r)
	v.Markdown, v.URL = v.Page.To(base+"/report.md"), v.Page.To(base)
	v.Conversation = h.URLs.Base + v.Page.To(base+"/replies")
	v.Draft = con.Phase != participation.Closed || !r.Final
	posts, err := h.Service.Posts(ctx, con.ID)
	if err != nil {
		return err
	}
	if err := h.addProcess(ctx, v, con, posts); err != nil {
		return err
	}
	h.addReach(ctx, v, con, r)
	if !v.Draft {
		h.addOutcome(v, con, r)
	}
	summaries, err := h.Service.Summaries(ctx, con.Number)
	if err != nil {
		return err
	}
	some, err := h.Service.Replies(ctx, participation.ReplyFilter{Consultation: con.ID, Limit: maxInline + 1}) // the newest count may be older
	if err != nil {
		return err
	}
	v.Inline, v.All, v.Shown = whole || len(some) <= maxInline, v.Page.To(base+"/report?replies=all"), max(r.Replies, len(some))
	var replies []participation.Reply
	if v.Inline || len(summaries) > 0 { // the links of a summary are held against them
		if replies, err = h.Service.Replies(ctx, participation.ReplyFilter{Consultation: con.ID, All: true}); err != nil {
			return err
		}
	}
	if v.Inline {
		h.addSpoken(v, con, replies, posts)
	}
	if len(summaries) > 0 {
		if err := h.addSummary(v, con, summaries, replies); err != nil {
			return err
		}
	}
	return h.addEvidence(ctx, v, con)
}

func (h *handler) addProcess(ctx context.Context, v *reportView, c participation.Consultation, posts []participation.Post) error {
	channel, err := h.Service.Channel(ctx, c.Channel)
	if err != nil {
		return err
	}
	v.process = process{
		Body: web.HTML(c.HTML), Votable: c.Kind.HasOptions(), Multiple: c.Kind == participation.MultipleChoice,
		Scheduled: c.Phase == participation.Scheduled, Ended: h.ended(c), Level: string(c.Terms.Level), Promise: c.Terms.Promise,
		DecidedBy: c.Terms.DecidedBy, DecidedWhen: c.Terms.DecidedWhen, NotOpen: c.Terms.NotOpen, Notice: c.Terms.Notice,
		Opens: h.local(c.OpensAt, c.Zone), Closes: h.local(c.ClosesAt, c.Zone), Reason: c.Reason,
		Grace: h.duration(v.Page.Lang, c.Terms.Grace), Servers: c.Terms.AllowedServers, Auditor: c.Terms.AuditorKey != "",
		Channel: channel.Title, Handle: h.URLs.Handle(c.Channel),
	}
	if !c.OpenedAt.IsZero() {
		v.Opens = h.local(c.OpenedAt, c.Zone)
	}
	if v.ClosedEarly = c.Phase == participation.Closed && c.ClosedAt.Before(c.ClosesAt); v.ClosedEarly {
		v.Closed = h.local(c.ClosedAt, c.Zone)
	}
	for i, name := range c.Options {
		v.Options = append(v.Options, row{Number: i + 1, Name: name})
	}
	v.OtherWays, v.OtherWaysLang = h.inLanguage(v.Page, h.OtherWays)
	for _, p := range posts {
		if p.Kind == participation.Notice || p.Kind == participation.Erratum {
			v.Messages = append(v.Messages, h.postView(v.Page, c, channel, p))
		}
	}
	var incidents consultationView
	if err := h.addIncidents(ctx, &incidents, c); err != nil {
		return err
	}
	v.Incidents, v.Extended, v.Until = incidents.Incidents, incidents.Extended, incidents.Until
	return nil
}

func (h *handler) addReach(ctx context.Context, v *reportView, c participation.Consultation, r participation.Result) {
	v.reach = reach{Numbers: r.Version > 0, Turnout: r.Turnout, Replies: r.Replies, Likes: r.Likes, Boosts: r.Boosts,
		Followers: h.followers(ctx, c.Channel), Refused: refused(h.Site, r)}
	if r.Classes != nil {
		v.Classes = []class{{"established", h.inWords(v.Page.Lang, r.Classes.Established)}, {"unclassified", h.inWords(v.Page.Lang, r.Classes.Unclassified)}}
	}
}

// followers is how many accounts follow a channel, as its collection tells
// everybody; 0 if it cannot be had.
func (h *handler) followers(ctx context.Context, channel string) int {
	d, err := h.Doors.Document(ctx, "/a/"+url.PathEscape(channel)+"/followers", nil)
	var collection struct{ TotalItems int }
	if err != nil || json.Unmarshal(d.Body, &collection) != nil {
		return 0
	}
	return collection.TotalItems
}

func (h *handler) addOutcome(v *reportView, c participation.Consultation, r participation.Result) {
	v.CountedAt = h.local(r.At, c.Zone)
	counts, voters, hidden := c.Shown(r)
	if counts == nil || hidden != "" {
		return
	}
	for i, name := range c.Options {
		v.Rows = append(v.Rows, row{Number: i + 1, Name: name, Votes: counts[i], Share: share(counts[i], voters)})
	}
	v.Leaders = leaders(v.Rows)
}

func (h *handler) addSummary(v *reportView, c participation.Consultation, summaries []participation.Summary, replies []participation.Reply) error {
	views := make([]summaryView, 0, len(summaries))
	for _, s := range summaries {
		views = append(views, summaryView{At: h.local(s.At, c.Zone), SHA256: s.SHA256})
	}
	newest := &views[len(views)-1]
	page := h.URLs.Base + v.All
	text, gone, err := h.Service.SummaryHTML(c, summaries[len(summaries)-1], replies, page)
	if err != nil {
		return &ourFault{err}
	}
	if v.Inline { // they stand in this very document
		text = strings.ReplaceAll(text, `href="`+html.EscapeString(page)+`#reply-`, `href="#reply-`)
	}
	newest.Text, newest.Gone, newest.Earlier = web.HTML(text), gone, views[:len(views)-1]
	slices.Reverse(newest.Earlier)
	v.Summary = newest
	return nil
}

func (h *handler) addEvidence(ctx context.Context, v *reportView, c participation.Consultation) error {
	if !c.Kind.HasOptions() || c.Phase == participation.Scheduled {
		return nil
	}
	check, err := h.checkView(ctx, v.Page, c)
	if err != nil {
		return err
	}
	v.Checkpoint, v.Fingerprint, v.Label = check.Checkpoint, check.Fingerprint, check.Label
	v.Key, _ = h.Service.LogKey(c)
	if v.Draft || check.Zip == "" {
		return nil
	}
	files, manifest, err := h.Service.Manifest(ctx, c)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(manifest)
	v.Zip, v.Manifest = check.Whole, hex.EncodeToString(sum[:])
	for _, f := range files {
		v.Files = append(v.Files, dataFileView{Name: f.Name, SHA256: f.SHA256, Size: int(f.Size)})
	}
	f, err := h.Service.Integrity(ctx, c)
	if err != nil || v.Label.Name == "" {
		return err
	}
	w := figureWords{h, v.Page.Lang, slices.Contains(f.Reasons, tally.TooFewBallots)}
	v.Figures = w.all(f, c.Zone)
	return nil
}
