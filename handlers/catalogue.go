package handlers

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"

	"inspraak/handlers/api"
	"inspraak/participation"
	"inspraak/participation/catalogue"
)

// offered are files of a catalogue as last written, compressed, for a large one
// takes megabytes. Frozen datasets never change, so they hold as long as the same
// ones are there.
type offered struct {
	mu    sync.Mutex // whoever writes them writes alone
	of    string     // the datasets that they list
	forms map[catalogue.Form]offer
}

type offer struct {
	tag    string
	packed []byte
}

// catalogueFile serves the catalogue of open data (DCAT-AP-NL 3.0) in one form.
func (h *handler) catalogueFile(form catalogue.Form) echo.HandlerFunc {
	return func(c echo.Context) error {
		shared(c)
		o, err := h.catalogue(c.Request().Context(), form)
		if err != nil {
			return err
		}
		header := c.Response().Header()
		header.Set("Cache-Control", "no-cache")
		vary(c, echo.HeaderAcceptEncoding)
		header.Add("Link", `<`+h.URLs.Base+`/catalogus>; rel="canonical"`)
		packed := unpacks(c)
		tag := o.tag
		if packed {
			tag += "-gzip"
		}
		if h.unchanged(c, tag) {
			return c.NoContent(http.StatusNotModified)
		}
		header.Set(echo.HeaderContentType, form.MediaType()+"; charset=utf-8")
		if packed {
			header.Set(echo.HeaderContentEncoding, "gzip")
			header.Set(echo.HeaderContentLength, strconv.Itoa(len(o.packed)))
			return h.stream(c, func(w *stream) error {
				_, err := w.Write(o.packed)
				return err
			})
		}
		return h.stream(c, func(w *stream) error {
			unpacked, err := gzip.NewReader(bytes.NewReader(o.packed))
			if err == nil {
				_, err = io.Copy(w, unpacked)
			}
			return err
		})
	}
}

// catalogueAny serves it in the form that the client likes best, and people the
// page about it.
func (h *handler) catalogueAny(c echo.Context) error {
	forms := []catalogue.Form{catalogue.Turtle, catalogue.JSONLD, catalogue.RDFXML}
	offers := []string{}
	for _, f := range forms {
		offers = append(offers, f.MediaType())
	}
	shared(c)
	c.Response().Header().Add(echo.HeaderVary, "Accept")
	liked := preferred(strings.Join(c.Request().Header.Values("Accept"), ","), append(offers, "text/html")...)
	for i, o := range offers {
		if o == liked {
			c.Response().Header().Set("Content-Location", "/catalogus."+string(forms[i]))
			return h.catalogueFile(forms[i])(c)
		}
	}
	if liked == "text/html" {
		return c.Redirect(http.StatusSeeOther, "/data")
	}
	return echo.NewHTTPError(http.StatusNotAcceptable, "the catalogue is there as text/turtle, application/ld+json and application/rdf+xml")
}

// preferred is the offer that a header field such as Accept likes best, the first
// of those that it likes as much, or "" if it likes none (RFC 9110 §12.4.2, §12.5).
// A range counts as its most precise word for the offer; no field likes all, and
// "identity" is liked unless refused.
func preferred(field string, offers ...string) (best string) {
	most := 0.0
	for _, offer := range offers {
		liked, precise := 0.0, -1
		if strings.TrimSpace(field) == "" || offer == "identity" {
			liked = 0.001
		}
		for _, part := range strings.Split(field, ",") {
			kind, params, err := mime.ParseMediaType(part)
			if err != nil {
				continue
			}
			class, _, _ := strings.Cut(offer, "/")
			at := map[string]int{"*": 0, "*/*": 0, class + "/*": 1, offer: 2}
			if p, ok := at[kind]; ok && p > precise {
				q, err := strconv.ParseFloat(params["q"], 64)
				if err != nil {
					q = 1
				}
				liked, precise = q, p
			}
		}
		if liked > most {
			most, best = liked, offer
		}
	}
	return best
}

// catalogue is a form of the catalogue as of now.
func (h *handler) catalogue(ctx context.Context, form catalogue.Form) (offer, error) {
	frozen, err := h.Service.Frozen(ctx)
	if err != nil {
		return offer{}, err
	}
	h.offered.mu.Lock()
	defer h.offered.mu.Unlock()
	if of := fmt.Sprint(frozen); h.offered.of != of || h.offered.forms == nil {
		h.offered.of, h.offered.forms = of, map[catalogue.Form]offer{}
	}
	if o, ok := h.offered.forms[form]; ok {
		return o, nil
	}
	listed, err := h.Service.OpenDatasets(ctx)
	if err != nil {
		return offer{}, err
	}
	content := h.describe(listed).Write(form)
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(content); err != nil {
		return offer{}, &ourFault{err}
	}
	if err := w.Close(); err != nil {
		return offer{}, &ourFault{err}
	}
	o := offer{digest(content), packed.Bytes()}
	h.offered.forms[form] = o
	return o, nil
}

// describe says what is open: the consultations, which the read API has as they
// are now, and the dataset of each one that has closed.
func (h *handler) describe(datasets []participation.OpenDataset) catalogue.Catalogue {
	base := h.URLs.Base
	publisher := h.OrganisationURI
	if publisher == "" {
		publisher = base + "/about#organisation"
	}
	words := func(key string, args ...any) (t catalogue.Text) {
		for _, l := range h.Site.Complete() {
			t = append(t, catalogue.Words{Language: l, Text: h.Site.Text(l, key, args...)})
		}
		return t
	}
	contact := catalogue.Contact{URI: base + "/about#contact", Name: h.Name}
	switch address := contactURL(h.Contact); {
	case strings.HasPrefix(address, "mailto:"):
		contact.Email = h.Contact
	case address != "":
		contact.Page = address
	default:
		contact.Page = base + "/about"
	}
	c := catalogue.Catalogue{
		URI: base + "/catalogus", Page: base + "/data", Licence: participation.Licence, Languages: h.Site.Complete(),
		Title: words("catalogue.title", "Name", h.Name), Description: words("catalogue.what", "Name", h.Name),
		Publisher: catalogue.Organisation{URI: publisher, Name: h.Name}, Contact: contact,
		Service: catalogue.Service{
			URI: base + "/api/v1", Page: base + "/api", Endpoint: base + "/api/v1", Description: base + "/api/v1/openapi.json",
			Title: words("catalogue.api", "Name", h.Name), Explanation: words("catalogue.api-what"), Keywords: words("catalogue.keyword"),
		},
		Datasets: []catalogue.Dataset{{
			URI: base + "/data#consultations", Page: base + "/data", Documentation: base + "/api", Grows: true,
			Title: words("catalogue.now", "Name", h.Name), Description: words("catalogue.now-what"), Keywords: words("catalogue.keyword"),
			Distributions: []catalogue.Distribution{{
				URI: base + "/data#api", Title: words("catalogue.now-file"), Access: base + "/api/v1/consultations", MediaType: "application/json", Service: true,
			}},
		}},
	}
	titles := map[string]catalogue.Text{}
	for _, name := range []string{"dataset.zip", "ballots.csv", "servers.csv", "refused.csv", "result.json", "integrity.json", "log.txt"} {
		titles[name] = words("data-file." + name)
	}
	for _, d := range datasets {
		c.Datasets = append(c.Datasets, h.describeOne(d, words, titles))
	}
	return c
}

// describeOne says what there is of a closed consultation: the zip, and the files
// in it that titles name.
func (h *handler) describeOne(d participation.OpenDataset, words func(string, ...any) catalogue.Text, titles map[string]catalogue.Text) catalogue.Dataset {
	con, page := d.Consultation, h.URLs.Page(d.Consultation.Slug)
	one := catalogue.Dataset{
		URI: page + "/dataset", Page: page, Documentation: page + "/dataset/README.md",
		Title: words("catalogue.one-dataset", "Title", con.Title), Description: words("catalogue.one-dataset-what", "Title", con.Title, "Name", h.Name),
		Keywords: words("catalogue.keyword"), Language: con.Language, From: con.OpenedAt, Until: con.ClosedAt, Issued: con.ClosedAt, Version: datasetVersion,
		Distributions: []catalogue.Distribution{{
			URI: page + "/dataset.zip#file", Title: titles["dataset.zip"], Access: page + "/dataset", Download: page + "/dataset.zip", MediaType: "application/zip",
		}},
	}
	for _, tag := range con.Hashtags {
		one.Keywords = append(one.Keywords, catalogue.Words{Language: con.Language, Text: tag})
	}
	for _, f := range d.Files {
		if titles[f.Name] == nil || f.Empty() {
			continue
		}
		address := page + "/dataset/" + f.Name
		kind, _, _ := strings.Cut(api.MediaType(f.Name), ";")
		part := catalogue.Distribution{URI: address + "#file", Title: titles[f.Name], Access: page + "/dataset", Download: address,
			MediaType: kind, Size: f.Size, SHA256: f.SHA256}
		if path.Ext(f.Name) == ".csv" {
			part.Schema = address + "-metadata.json"
		}
		one.Distributions = append(one.Distributions, part)
	}
	return one
}
