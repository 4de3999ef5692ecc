package handlers_test

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"

	"inspraak/handlers"
	"inspraak/participation"
)

const apiRoot = "/api/v1"

// apiDocument reads the document as the node serves it. Fields that it does not
// name are errors here, though clients pass over them.
func apiDocument(t *testing.T, s *site) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(s.get(apiRoot + "/openapi.json").Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context(), openapi3.IsOpenAPI31OrLater(), openapi3.EnableSchemaPatternValidation(), openapi3.EnableExamplesValidation()); err != nil {
		t.Fatal(err)
	}
	closed := false
	for name, schema := range doc.Components.Schemas {
		for i, example := range schema.Value.Examples {
			if err := visit(schema.Value, example); err != nil {
				t.Errorf("example %d of %s: %v", i, name, err)
			}
		}
		forEachObject(schema.Value, func(o *openapi3.Schema) {
			if o.AdditionalProperties.Has == nil && o.AdditionalProperties.Schema == nil {
				o.AdditionalProperties.Has = &closed
			}
		})
	}
	return doc
}

func forEachObject(s *openapi3.Schema, see func(*openapi3.Schema)) {
	if s.Type.Is("object") && len(s.Properties) > 0 {
		see(s)
	}
	for _, p := range s.Properties {
		if p.Ref == "" {
			forEachObject(p.Value, see)
		}
	}
	if s.Items != nil && s.Items.Ref == "" {
		forEachObject(s.Items.Value, see)
	}
}

func visit(s *openapi3.Schema, v any) error {
	return s.VisitJSON(v, openapi3.EnableJSONSchema2020(), openapi3.MultiErrors())
}

// conversation holds what the node answers against the document, and remembers
// what it has seen of it.
type conversation struct {
	t    *testing.T
	doc  *openapi3.T
	seen map[string]bool
}

var pathParameter = regexp.MustCompile(`\{[a-z]+\}`)

// operation finds what the document says of an address.
func (c *conversation) operation(path string) (name string, o *openapi3.Operation) {
	path, _, _ = strings.Cut(strings.TrimPrefix(path, apiRoot), "?")
	for _, name := range c.doc.Paths.InMatchingOrder() {
		if regexp.MustCompile("^" + pathParameter.ReplaceAllString(name, "[^/]+") + "$").MatchString(path) {
			return name, c.doc.Paths.Value(name).Get
		}
	}
	c.t.Fatalf("%s is not documented", path)
	return "", nil
}

// hold checks an answer against the document.
func (c *conversation) hold(path string, status int, w *httptest.ResponseRecorder) {
	c.t.Helper()
	name, o := c.operation(path)
	if w.Code != status {
		c.t.Errorf("%s: %d, want %d: %.300s", path, w.Code, status, w.Body)
		return
	}
	response := o.Responses.Status(status)
	if response == nil {
		c.t.Errorf("%s: %d is not documented", name, status)
		return
	}
	for header, want := range response.Value.Headers {
		if want.Value.Required && w.Header().Get(header) == "" {
			c.t.Errorf("%s: %d without %s", path, status, header)
		}
	}
	if w.Header().Get("Api-Version") != c.doc.Info.Version || w.Header().Get("Access-Control-Allow-Origin") != "*" {
		c.t.Errorf("%s: %d with headers %v", path, status, w.Header())
	}
	if status == http.StatusNotModified {
		c.seen[fmt.Sprintln(name, status, "")] = true
		return
	}
	kind, _, err := mime.ParseMediaType(w.Header().Get("Content-Type"))
	media := response.Value.Content[kind]
	if err != nil || media == nil {
		c.t.Errorf("%s: %d as %q is not documented", path, status, w.Header().Get("Content-Type"))
		return
	}
	c.seen[fmt.Sprintln(name, status, kind)] = true
	bodies := []string{w.Body.String()}
	if kind == "application/x-ndjson" {
		bodies = slices.Collect(strings.Lines(bodies[0]))
	}
	for _, body := range bodies {
		var v any
		if err := json.Unmarshal([]byte(body), &v); err != nil {
			c.t.Errorf("%s: %v", path, err)
		} else if err := visit(media.Schema.Value, v); err != nil {
			c.t.Errorf("%s: %d: %v\n%s", path, status, err, body)
		}
	}
}

// world has a consultation in each phase, with all that can be said of them.
func world(t *testing.T, change ...func(*handlers.Config)) *site {
	s := newSite(t, change...)
	picture := func(c *participation.Consultation) {
		c.Image = &participation.Image{Path: "plein.jpg", Alt: "een plein", MediaType: "image/jpeg", Width: 8, Height: 6}
		c.Terms.AllowedServers = []string{"elders.example"}
	}
	c := s.publish("speeltuin", picture)
	s.vote(c, "Ja", 3)
	anna := s.reply(c, "anna", "", "<p>Graag.</p>")
	s.reply(c, "bas", anna, "<p>Nee.</p>")
	gone := s.reply(c, "cor", "", "<p>Dit haal ik weg.</p>")
	hidden := s.reply(c, "dirk", "", "<p>Scheldwoord.</p>")
	s.reply(c, "els", hidden, "<p>Dat zegt u niet.</p>")
	s.ok(s.service.HideReply(t.Context(), hidden, "scheldwoorden"))
	s.ok(s.service.HideReply(t.Context(), anna, "per ongeluk"))
	s.ok(s.service.ShowReply(t.Context(), anna))
	s.advance(1e9)
	s.ok(s.service.EditReply(t.Context(), participation.Reply{ID: anna, Author: participation.Author{ID: "https://elders.example/users/anna"}, HTML: "<p>Heel graag.</p>", Updated: s.now()}, true))
	s.ok(s.service.Delete(t.Context(), "https://elders.example/users/cor", gone))
	_, err := s.service.Announce(t.Context(), c.ID, participation.Notice, "Er is een bijeenkomst.")
	s.ok(err)
	post, err := s.service.Answer(t.Context(), anna, "Dank u.")
	s.ok(err)
	s.reply(c, "fem", s.config.URLs.Object(post.ID), "<p>Graag gedaan.</p>")
	s.publish("straks", func(c *participation.Consultation) {
		c.OpensAt, c.ClosesAt = s.now().Add(240*60*6e10), s.now().Add(250*60*6e10)
	})
	s.publish("praat", func(c *participation.Consultation) { c.Kind, c.Options = participation.OpenQuestion, nil })
	weg := s.publish("weg")
	s.reply(weg, "gea", "", "<p>Weg ermee.</p>")
	_, err = s.service.Announce(t.Context(), weg.ID, participation.Notice, "We stoppen.")
	s.ok(err)
	s.ok(s.service.Withdraw(t.Context(), weg.ID, "het plan gaat niet door"))
	s.draft("concept")
	klaar := s.publish("klaar", multiple)
	s.vote(klaar, "Ja", 21)
	s.vote(klaar, "Nee", 4)
	_, err = s.service.Close(t.Context(), klaar.ID, "de raad is eruit", 2)
	s.ok(err)
	s.freeze()
	return s
}

// Every answer that the document promises is had from the real handlers, in the
// form it promises; every address under /api/v1 is in it, and no other.
func TestAPIAnswersAsDocumented(t *testing.T) {
	s := world(t)
	c := &conversation{t, apiDocument(t, s), map[string]bool{}}
	addresses := []string{"/consultations", "/consultations/speeltuin", "/consultations/speeltuin/result", "/consultations/speeltuin/replies",
		"/consultations/speeltuin/posts", "/consultations/klaar/dataset", "/channels", "/channels/gemeente", "/events", "/openapi.json"}
	for _, path := range addresses {
		path = apiRoot + path
		w := s.get(path)
		c.hold(path, 200, w)
		c.hold(path, 304, s.get(path, "If-None-Match", `"x", `+w.Header().Get("ETag")))
		c.hold(path, 400, s.get(path+"?fase=open&limit=0"))
		c.hold(path, 405, s.do(http.MethodPost, path, strings.NewReader("{}")))
		if w := s.do(http.MethodHead, path, nil); w.Code != 200 || w.Header().Get("ETag") == "" {
			t.Errorf("HEAD %s: %d %v", path, w.Code, w.Header())
		}
	}
	for _, x := range []struct {
		path   string
		status int
		accept string
	}{
		{"/consultations?limit=1", 200, ""}, {"/consultations?phase=closed&channel=gemeente&year=2026&after=straks", 200, ""},
		{"/consultations/klaar", 200, ""}, {"/consultations/straks", 200, ""}, {"/consultations/praat", 200, ""},
		{"/consultations/klaar/result", 200, ""}, {"/consultations/straks/result", 200, ""}, {"/consultations/praat/result", 200, ""},
		{"/consultations/klaar/posts", 200, ""}, {"/consultations/straks/replies", 200, ""}, {"/consultations/speeltuin/posts?limit=1", 200, ""},
		{"/events", 200, "application/x-ndjson"}, {"/events?after=1-1", 410, ""}, {"/events?after=zzzz-1", 410, ""}, {"/events?after=nee", 400, ""},
		{"/channels/niemand", 404, ""},
		{"/consultations/concept", 404, ""}, {"/consultations/niets", 404, ""}, {"/consultations/niets/result", 404, ""},
		{"/consultations/niets/replies", 404, ""}, {"/consultations/concept/posts", 404, ""}, {"/consultations/speeltuin/dataset", 404, ""},
		{"/consultations/weg", 410, ""}, {"/consultations/weg/result", 410, ""}, {"/consultations/weg/replies", 410, ""},
		{"/consultations/weg/posts", 410, ""}, {"/consultations/weg/dataset", 410, ""},
	} {
		c.hold(apiRoot+x.path, x.status, s.get(apiRoot+x.path, "Accept", x.accept))
	}
	strict := newSite(t, func(c *handlers.Config) { c.RequestsPerSecond = 0.01 })
	for i, path := range addresses {
		from := fmt.Sprint("192.0.2.", i)
		strict.get(apiRoot+path, "From-Address", from)
		c.hold(apiRoot+path, 429, strict.get(apiRoot+path, "From-Address", from))
	}
	s.ok(s.db.Close())
	for _, path := range addresses[:len(addresses)-1] {
		w := s.get(apiRoot + path)
		c.hold(apiRoot+path, 503, w)
		if strings.Contains(w.Body.String(), "sql") {
			t.Errorf("%s tells of the inside: %s", path, w.Body)
		}
	}

	served := map[string]bool{}
	for _, r := range s.Handler.(*echo.Echo).Routes() {
		if path, ok := strings.CutPrefix(r.Path, apiRoot); ok {
			served[regexp.MustCompile(`:([a-z]+)`).ReplaceAllString(path, "{$1}")] = true
		}
	}
	for name, item := range c.doc.Paths.Map() {
		if !served[name] {
			t.Errorf("%s is documented and not there", name)
		}
		delete(served, name)
		for status, response := range item.Get.Responses.Map() {
			kinds := []string{""}
			if len(response.Value.Content) > 0 {
				kinds = nil
			}
			for kind := range response.Value.Content {
				kinds = append(kinds, kind)
			}
			for _, kind := range kinds {
				if !c.seen[fmt.Sprintln(name, status, kind)] {
					t.Errorf("%s: %s %s is documented and was never had", name, status, kind)
				}
			}
		}
	}
	for path := range served {
		t.Errorf("%s is served and not documented", path)
	}
}
