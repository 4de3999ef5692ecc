package handlers

import (
	"context"
	"fmt"
	"net/http"
	"path"
	"strconv"

	"github.com/labstack/echo/v4"

	"inspraak/handlers/api"
	"inspraak/participation"
)

// datasetVersion is that of every dataset: none is ever published anew. What turns
// out to be wrong is said beside it.
const datasetVersion = "1"

// maxDatasets is how many datasets the page lists; the catalogue has all.
const maxDatasets = 100

type openDataView struct {
	Page                page
	Catalogues          []addressView
	Licence             string
	Cite                string
	Datasets            []openDatasetView
	All                 int    // datasets
	Archive             string // address of the rest; empty if there is none
	API, OpenAPI        string
	Feed                string
	About, Logs         string
	Contact, ContactURL string
}

type addressView struct{ Name, URL string }

type openDatasetView struct {
	URL, Title, Lang string
	Year             int
}

// openData tells what data there are on this node, and under which conditions.
func (h *handler) openData(c echo.Context) error {
	ctx := c.Request().Context()
	v := openDataView{Page: h.page(c, ""), Licence: participation.Licence, API: "/api", OpenAPI: "/api/v1/openapi.json", Feed: "/feed.atom",
		Contact: h.Contact, ContactURL: contactURL(h.Contact)}
	v.Page.Title, v.Page.Description = h.Site.Text(v.Page.Lang, "data.title"), h.Site.Text(v.Page.Lang, "data.lead")
	v.API, v.About, v.Logs = v.Page.To(v.API), v.Page.To("/about#trust"), v.Page.To("/logs")
	for _, f := range []addressView{{"Turtle", "/catalogus.ttl"}, {"JSON-LD", "/catalogus.jsonld"}, {"RDF/XML", "/catalogus.rdf"}} {
		v.Catalogues = append(v.Catalogues, addressView{f.Name, h.URLs.Base + f.URL})
	}
	frozen, err := h.Service.Frozen(ctx)
	if err != nil {
		return err
	}
	found, err := h.Service.Consultations(ctx, participation.Filter{Phases: []participation.Phase{participation.Closed}, Frozen: true, Limit: maxDatasets})
	if err != nil {
		return err
	}
	for _, con := range found {
		v.Datasets = append(v.Datasets, openDatasetView{v.Page.To("/consultations/" + con.Slug + "/dataset"), con.Title, con.Language, h.local(con.ClosedAt, con.Zone).Year()})
	}
	if v.All = len(frozen); v.All > len(found) {
		v.Archive = v.Page.To("/archive")
	}
	return h.html(c, http.StatusOK, "data", v.Page, v)
}

// cite is how to name a dataset so that others find the same one: it has the sum of
// the manifest, which has those of all files.
func (h *handler) cite(lang string, con participation.Consultation, manifest []byte) string {
	return h.Site.Text(lang, "cite.text", "Name", h.Name, "Year", strconv.Itoa(h.local(con.ClosedAt, con.Zone).Year()), "Title", con.Title,
		"Version", datasetVersion, "Sum", wholeDigest(manifest), "URL", h.URLs.Page(con.Slug)+"/dataset")
}

type exportView struct{ URL, Name, What string }

// exportViews lists the exports of a dataset, and says in one word each why there
// are no others.
func (h *handler) exportViews(ctx context.Context, p page, con participation.Consultation) (views []exportView, absent []string, err error) {
	list, not, err := h.Service.Exports(ctx, con, h.Name)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range list {
		if key := "export-file." + e.Name; h.Site.Has(key) { // metadata goes without saying
			views = append(views, exportView{exportAddress(con, e.Name), e.Name, h.Site.Text(p.Lang, key)})
		}
	}
	reasons := map[string]bool{}
	for _, why := range not {
		reasons[string(why)] = true
	}
	for _, why := range []string{"withheld", "per-option", "single"} {
		if reasons[why] {
			absent = append(absent, why)
		}
	}
	return views, absent, nil
}

func exportAddress(con participation.Consultation, name string) string {
	return "/consultations/" + con.Slug + "/exports/" + name
}

type noExportView struct {
	Page             page
	URL, Title, Lang string
	Name, Why        string
	Dataset          string
}

// export serves a dataset in the form of another tool.
func (h *handler) export(c echo.Context) error {
	con, files, manifest, err := h.datasetOf(c)
	if err != nil || files == nil {
		return err
	}
	list, not, err := h.Service.Exports(c.Request().Context(), con, h.Name)
	if err != nil {
		return err
	}
	name := c.Param("file")
	if why, known := not[name]; known {
		v := noExportView{Page: h.page(c, ""), Title: con.Title, Lang: con.Language, Name: name, Why: string(why)}
		v.Page.Title, v.Page.Hidden = h.Site.Text(v.Page.Lang, "no-export.title"), true
		v.URL, v.Dataset = v.Page.To("/consultations/"+con.Slug), v.Page.To("/consultations/"+con.Slug+"/dataset")
		return h.html(c, http.StatusNotFound, "no-export", v.Page, v)
	}
	for _, e := range list {
		if e.Name != name {
			continue
		}
		shared(c)
		header := c.Response().Header()
		header.Set("Cache-Control", "no-cache")
		if h.unchanged(c, digest(manifest)+"-"+name) {
			return c.NoContent(http.StatusNotModified)
		}
		header.Set(echo.HeaderContentType, api.MediaType(name))
		describedBy(header, name)
		return h.stream(c, func(w *stream) error { return e.Write(w) })
	}
	return fmt.Errorf("export %q of %s: %w", name, con.Slug, participation.ErrNotFound)
}

// describedBy names the metadata of a CSV file, which lie beside it (CSV on the
// Web, section 5.2).
func describedBy(header http.Header, name string) {
	if path.Ext(name) == ".csv" {
		header.Add("Link", `<`+name+`-metadata.json>; rel="describedby"; type="application/csvm+json"`)
	}
}
