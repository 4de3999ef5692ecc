package handlers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"inspraak/handlers/api"
	"inspraak/participation"
)

// public finds a consultation whose data may be had. A withdrawn one is gone.
func (h *handler) public(c echo.Context) (participation.Consultation, error) {
	con, err := h.visible(c.Request().Context(), c.Param("slug"))
	if err == nil && con.Phase == participation.Withdrawn {
		err = echo.NewHTTPError(http.StatusGone, "this consultation was withdrawn")
	}
	return con, err
}

// datasetOf finds a consultation's dataset. As long as there is none it has
// answered with a page that says so, and files is empty.
func (h *handler) datasetOf(c echo.Context) (con participation.Consultation, files []participation.DatasetEntry, manifest []byte, err error) {
	if con, err = h.public(c); err != nil {
		return con, nil, nil, err
	}
	files, manifest, err = h.Service.Manifest(c.Request().Context(), con)
	if errors.Is(err, participation.ErrNotFound) {
		return con, nil, nil, h.soon(c, con)
	}
	return con, files, manifest, err
}

type soonView struct {
	Page              page
	URL, Title, Lang  string
	Votable, Prepared bool
	Closes            time.Time
}

// soon says that the data of a consultation are not there, and when they will be.
func (h *handler) soon(c echo.Context, con participation.Consultation) error {
	c.Response().Header().Set("Cache-Control", noStore)
	v := soonView{Page: h.page(c, ""), Title: con.Title, Lang: con.Language, Votable: con.Kind.HasOptions(),
		Prepared: h.ended(con), Closes: h.local(con.ClosesAt, con.Zone)}
	v.Page.Title, v.Page.Hidden = h.Site.Text(v.Page.Lang, "soon.title"), true
	v.URL = v.Page.To("/consultations/" + con.Slug)
	return h.html(c, http.StatusNotFound, "soon", v.Page, v)
}

// datasetZip streams all files as one.
func (h *handler) datasetZip(c echo.Context) error {
	con, files, manifest, err := h.datasetOf(c)
	if err != nil || files == nil {
		return err
	}
	shared(c)
	header := c.Response().Header()
	header.Set(echo.HeaderContentType, "application/zip")
	header.Set(echo.HeaderContentDisposition, `attachment; filename="`+con.Slug+`-dataset.zip"`)
	header.Set("Cache-Control", "no-cache")
	if h.unchanged(c, digest(manifest)+"-zip") {
		return c.NoContent(http.StatusNotModified)
	}
	return h.stream(c, func(w *stream) error { return h.Service.WriteDatasetZip(c.Request().Context(), con, w) })
}

// datasetFile streams one of them.
func (h *handler) datasetFile(c echo.Context) error {
	con, files, manifest, err := h.datasetOf(c)
	if err != nil || files == nil {
		return err
	}
	name := c.Param("name")
	i := slices.IndexFunc(files, func(f participation.DatasetEntry) bool { return f.Name == name })
	if i < 0 {
		return fmt.Errorf("dataset of %s: file %q: %w", con.Slug, name, participation.ErrNotFound)
	}
	shared(c)
	header, tag := c.Response().Header(), files[i].SHA256
	if tag == "" { // the manifest does not name itself
		tag = digest(manifest)
	}
	header.Set("Cache-Control", "no-cache")
	if h.unchanged(c, tag) {
		return c.NoContent(http.StatusNotModified)
	}
	header.Set(echo.HeaderContentType, api.MediaType(name))
	describedBy(header, name)
	header.Set(echo.HeaderContentLength, strconv.FormatInt(files[i].Size, 10))
	return h.stream(c, func(w *stream) error { return h.Service.WriteDatasetFile(c.Request().Context(), con, name, w) })
}

// A stream is an answer that takes as long as the client reads on: each write
// gives it time for the next.
type stream struct {
	to         *echo.Response
	controller *http.ResponseController
}

// Write implements io.Writer.
func (s *stream) Write(p []byte) (int, error) {
	// Recorders in tests know no deadlines.
	_ = s.controller.SetWriteDeadline(time.Now().Add(writeTimeout))
	return s.to.Write(p)
}

// stream sends what write writes. If that fails on the way the connection is cut,
// so that nobody takes half of it for the whole.
func (h *handler) stream(c echo.Context, write func(*stream) error) error {
	if c.Request().Method == http.MethodHead {
		return c.NoContent(http.StatusOK)
	}
	err := write(&stream{c.Response(), http.NewResponseController(c.Response())})
	if err == nil || !c.Response().Committed {
		return err
	}
	if ctx := c.Request().Context(); ctx.Err() == nil {
		h.Log.WarnContext(ctx, "answer cut off", "route", c.Path(), "request", requestID(c), "error", err)
	}
	panic(http.ErrAbortHandler)
}

type datasetView struct {
	Page             page
	URL, Title, Lang string
	Files            []dataFileView
	Check            checkView
	Cite, OpenData   string
	Exports          []exportView
	Absent           []string // why there are no more
}

type dataFileView struct {
	URL, Name, What, SHA256 string
	Size                    int
}

// dataset lists the files of a dataset, and how to check them.
func (h *handler) dataset(c echo.Context) error {
	con, files, manifest, err := h.datasetOf(c)
	if err != nil || files == nil {
		return err
	}
	v := datasetView{Page: h.page(c, ""), Title: con.Title, Lang: con.Language}
	v.Page.Title = h.Site.Text(v.Page.Lang, "dataset.title") + ": " + con.Title
	v.Page.Description = h.Site.Text(v.Page.Lang, "dataset.lead")
	v.URL = v.Page.To("/consultations/" + con.Slug)
	for _, f := range files {
		view := dataFileView{URL: "/consultations/" + con.Slug + "/dataset/" + f.Name, Name: f.Name, SHA256: f.SHA256, Size: int(f.Size)}
		if key := "data-file." + f.Name; h.Site.Has(key) {
			view.What = h.Site.Text(v.Page.Lang, key)
		}
		v.Files = append(v.Files, view)
	}
	if v.Check, err = h.checkView(c.Request().Context(), v.Page, con); err != nil {
		return err
	}
	v.Check.Files = "#files"
	v.Cite, v.OpenData = h.cite(v.Page.Lang, con, manifest), v.Page.To("/data")
	if v.Exports, v.Absent, err = h.exportViews(c.Request().Context(), v.Page, con); err != nil {
		return err
	}
	return h.html(c, http.StatusOK, "dataset", v.Page, v)
}

// checkView is what somebody needs to check a count.
type checkView struct {
	Zip, Files, Ballots string // addresses; no Zip: the dataset is being prepared
	Whole               string // address of the zip as typed elsewhere
	Withheld            bool   // single ballots are not published
	PerOption, Live     bool
	Review              bool // it does not add up, so there is no dataset yet
	Fingerprint         string
	Checkpoint          string // the newest
	Log, About          string
	Word, Handle        string
	Label               labelView
	Figures             string // address of the page
	Contact, ContactURL string
}

// checkView gathers it for a consultation that has or had a vote.
func (h *handler) checkView(ctx context.Context, p page, c participation.Consultation) (v checkView, err error) {
	base := "/consultations/" + c.Slug
	v = checkView{PerOption: c.PerOption(), Live: c.Results == participation.Live, Review: h.doubt(c) == "under-review", Word: h.CodeWords[p.Lang], Handle: h.URLs.Handle(c.Channel),
		Log: p.To("/logs#" + c.ID), About: p.To("/how-it-works#trust"), Contact: h.Contact, ContactURL: contactURL(h.Contact)}
	_, v.Fingerprint = h.Service.LogKey(c)
	head, err := h.Service.Log(ctx, c.Number)
	if err != nil {
		return v, err
	}
	v.Checkpoint = head.Checkpoint
	r, err := h.snapshot(ctx, c)
	if err != nil {
		return v, err
	}
	v.Withheld = c.Phase == participation.Closed && r.Turnout < c.Terms.BatchSize
	if _, err := h.Service.Dataset(ctx, c); errors.Is(err, participation.ErrNotFound) {
		return v, nil
	} else if err != nil {
		return v, err
	}
	v.Zip, v.Files, v.Whole = base+"/dataset.zip", p.To(base+"/dataset"), h.URLs.Page(c.Slug)+"/dataset.zip"
	if !v.Withheld {
		v.Ballots = p.To(base + "/ballots")
	}
	v.Figures = p.To(base + "/figures")
	figures, err := h.Service.Integrity(ctx, c)
	v.Label = h.labelView(figures)
	return v, err
}
