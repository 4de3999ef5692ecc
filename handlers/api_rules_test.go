package handlers_test

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// designRule is a technical rule of the NL API Design Rules as Logius' linter has
// it (API-Design-Rules: media/linter.yaml). check lists what breaks it; spoil
// breaks it.
type designRule struct {
	name  string
	check func(doc object) []string
	spoil func(doc object)
}

type object = map[string]any

// at follows keys into a document; what is not there is empty.
func at(doc any, keys ...string) object {
	for _, k := range keys {
		o, _ := doc.(object)
		doc = o[k]
	}
	o, _ := doc.(object)
	return o
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

// operations calls see for each operation, with its parameters, those of its path
// included, and the responses that references stand for.
func operations(doc object, see func(path, method string, parameters []object, responses map[string]object)) {
	resolve := func(v any) object {
		o, _ := v.(object)
		if ref, ok := o["$ref"].(string); ok {
			return at(doc, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
		}
		return o
	}
	for path, item := range at(doc, "paths") {
		for method, operation := range at(item) {
			if method == "parameters" {
				continue
			}
			var parameters []object
			for _, p := range slices.Concat(list(at(item)["parameters"]), list(at(operation)["parameters"])) {
				parameters = append(parameters, resolve(p))
			}
			responses := map[string]object{}
			for status, r := range at(operation, "responses") {
				responses[status] = resolve(r)
			}
			see(path, method, parameters, responses)
		}
	}
}

// properties calls see for each property of each schema in a document.
func properties(v any, see func(name string, schema object)) {
	switch v := v.(type) {
	case object:
		for name, schema := range at(v, "properties") {
			see(name, at(schema))
		}
		for _, inner := range v {
			properties(inner, see)
		}
	case []any:
		for _, inner := range v {
			properties(inner, see)
		}
	}
}

func matches(pattern string, names ...string) (wrong []string) {
	for _, name := range names {
		if !regexp.MustCompile(pattern).MatchString(name) {
			wrong = append(wrong, name)
		}
	}
	return wrong
}

func designRules() []designRule {
	get := func(doc object, path string) object { return at(doc, "paths", path, "get") }
	return []designRule{
		{"doc-openapi: version 3", func(d object) []string { v, _ := d["openapi"].(string); return matches(`^3(\.\d+){1,2}$`, v) },
			func(d object) { d["openapi"] = "2.0" }},
		{"semver", func(d object) []string {
			v, _ := at(d, "info")["version"].(string)
			return matches(`^(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}$`, v)
		},
			func(d object) { at(d, "info")["version"] = "1.0" }},
		{"doc-openapi-contact", func(d object) (wrong []string) {
			for _, field := range []string{"name", "url", "email"} {
				if at(d, "info", "contact")[field] == nil {
					wrong = append(wrong, field)
				}
			}
			return wrong
		}, func(d object) { delete(at(d, "info", "contact"), "email") }},
		{"uri-version, https", func(d object) (wrong []string) {
			for _, s := range list(d["servers"]) {
				url, _ := at(s)["url"].(string)
				wrong = append(wrong, matches(`^https://.*/v\d+$`, url)...)
			}
			if len(list(d["servers"])) == 0 {
				wrong = append(wrong, "no servers")
			}
			return wrong
		}, func(d object) { d["servers"] = []any{object{"url": "https://inspraak.example/api"}} }},
		{"path-segments-kebab-case, no-trailing-slash", func(d object) []string {
			return matches(`^(/([a-z0-9-]+|\{[a-z]+\}))+$|^/openapi\.json$`, slices.Collect(maps.Keys(at(d, "paths")))...)
		}, func(d object) { at(d, "paths")["/alleVragen/"] = object{} }},
		{"publish-openapi at /openapi.json", func(d object) (wrong []string) {
			if get(d, "/openapi.json") == nil {
				wrong = append(wrong, "it is not there")
			}
			return wrong
		}, func(d object) { delete(at(d, "paths"), "/openapi.json") }},
		{"http-methods", func(d object) (wrong []string) {
			operations(d, func(_, method string, _ []object, _ map[string]object) {
				wrong = append(wrong, matches(`^get$`, method)...)
			})
			return wrong
		}, func(d object) { at(d, "paths", "/events")["query"] = object{} }},
		{"query-keys-camel-case", func(d object) (wrong []string) {
			operations(d, func(_, _ string, parameters []object, _ map[string]object) {
				for _, p := range parameters {
					wrong = append(wrong, matches(`^[a-z][a-z\d]*([A-Z][a-z\d]*)*$`, p["name"].(string))...)
				}
			})
			return wrong
		}, func(d object) { at(d, "components", "parameters", "limit")["name"] = "max_items" }},
		{"version-header", func(d object) (wrong []string) {
			operations(d, func(path, _ string, _ []object, responses map[string]object) {
				for status, r := range responses {
					if at(r, "headers", "API-Version") == nil {
						wrong = append(wrong, path+" "+status)
					}
				}
			})
			return wrong
		}, func(d object) { delete(at(d, "components", "responses", "NotModified", "headers"), "API-Version") }},
		{"problem-details", func(d object) (wrong []string) {
			operations(d, func(path, _ string, _ []object, responses map[string]object) {
				for status, r := range responses {
					if status >= "4" && (at(r, "content", "application/problem+json") == nil || len(at(r, "content")) != 1) {
						wrong = append(wrong, path+" "+status)
					}
				}
			})
			return wrong
		}, func(d object) {
			at(d, "components", "responses", "Gone")["content"] = object{"application/json": object{}}
		}},
		{"problem-schema-members", func(d object) (wrong []string) {
			for _, field := range []string{"status", "title", "detail"} {
				problem := at(d, "components", "schemas", "Problem")
				if !slices.Contains(list(problem["required"]), any(field)) || at(problem, "properties", field) == nil {
					wrong = append(wrong, field)
				}
			}
			return wrong
		}, func(d object) { delete(at(d, "components", "schemas", "Problem", "properties"), "detail") }},
		{"invalid-input", func(d object) (wrong []string) {
			operations(d, func(path, _ string, parameters []object, responses map[string]object) {
				if len(parameters) > 0 && responses["400"] == nil {
					wrong = append(wrong, path)
				}
			})
			return wrong
		}, func(d object) { delete(at(get(d, "/events"), "responses"), "400") }},
		{"schema names UpperCamelCase", func(d object) []string {
			return matches(`^([A-Z][a-z\d]*)+$`, slices.Collect(maps.Keys(at(d, "components", "schemas")))...)
		}, func(d object) { at(d, "components", "schemas")["vote_count"] = object{} }},
		{"property-casing", func(d object) (wrong []string) {
			properties(d, func(name string, _ object) {
				wrong = append(wrong, matches(`^[a-z][a-z\d]*([A-Z][a-z\d]*)*$`, name)...)
			})
			return wrong
		}, func(d object) { at(d, "components", "schemas", "Post", "properties")["Published_At"] = object{} }},
		{"date-time/timezone: a moment is a date-time", func(d object) (wrong []string) {
			properties(d, func(name string, schema object) {
				moment := strings.HasSuffix(name, "At") || slices.Contains([]string{"at", "began", "ended", "acceptsUntil"}, name)
				if moment != (schema["format"] == "date-time") {
					wrong = append(wrong, name)
				}
			})
			return wrong
		}, func(d object) {
			at(d, "components", "schemas", "Event", "properties", "at")["format"] = "date-time-local"
		}},
		{"operations are described, under names of their own", func(d object) (wrong []string) {
			seen := map[any]bool{}
			for path := range at(d, "paths") {
				o := get(d, path)
				if seen[o["operationId"]] || o["operationId"] == nil || o["summary"] == nil || list(o["tags"]) == nil {
					wrong = append(wrong, path)
				}
				seen[o["operationId"]] = true
			}
			return wrong
		}, func(d object) { get(d, "/events")["operationId"] = "listPosts" }},
	}
}

// TestAPIDesignRules holds the document that the node serves to the rules, and
// each rule to a document that breaks it.
func TestAPIDesignRules(t *testing.T) {
	s := newSite(t)
	document := func() (doc object) {
		s.ok(json.Unmarshal(s.get(apiRoot+"/openapi.json").Body.Bytes(), &doc))
		return doc
	}
	for _, rule := range designRules() {
		if wrong := rule.check(document()); len(wrong) > 0 {
			t.Errorf("%s: %q", rule.name, wrong)
		}
		spoiled := document()
		if rule.spoil(spoiled); len(rule.check(spoiled)) == 0 {
			t.Errorf("%s finds nothing in a document that breaks it", rule.name)
		}
	}
}

// What is asked for below /api and is not there, or wrongly, is told as a problem
// with all that is wrong, not as a page.
func TestAPIProblems(t *testing.T) {
	s := world(t)
	for _, c := range []struct {
		method, path string
		status       int
		says         []string
	}{
		{"GET", "/api/", 404, []string{"/api/v1/openapi.json"}},
		{"GET", "/api/v1", 404, []string{"/api/v1/openapi.json"}},
		{"GET", "/api/v1/consultations/", 404, nil},
		{"GET", "/api/v2/consultations", 404, nil},
		{"GET", "/api/v1/consultations/niets", 404, []string{`there is no consultation \"niets\"`}},
		{"GET", "/api/v1/consultations/" + strings.Repeat("x", 9000), 404, nil},
		{"GET", "/api/v1/consultations/%22%3E%3Cscript%3E", 404, []string{`\u003cscript`}},
		{"GET", "/api/v1/consultations/weg", 410, []string{"het plan gaat niet door"}},
		{"DELETE", "/api/v1/events", 405, []string{"only GET and HEAD"}},
		{"PUT", "/api/v1/consultations/speeltuin", 405, nil},
		{"GET", "/api/v1/consultations?phase=dicht&year=26&limit=1000&fase=x&after=niets", 400, []string{`"phase"`, `"year"`, `"limit"`, `"fase"`, `"after"`, "there are after, channel, limit, phase, year", "5 parameters"}},
		{"GET", "/api/v1/consultations?limit=1&limit=2&year=", 400, []string{"give it once", "it is empty"}},
		{"GET", "/api/v1/consultations?%zz", 400, []string{"cannot be read"}},
		{"GET", "/api/v1/consultations/speeltuin/replies?after=-1", 400, []string{`"after"`}},
		{"GET", "/api/v1/consultations/speeltuin/posts?after=x", 400, []string{`"after"`}},
		{"GET", "/api/v1/channels?x", 400, []string{"no parameters"}},
	} {
		w := s.do(c.method, c.path, nil, "Accept", "text/html")
		if w.Code != c.status || w.Header().Get("Content-Type") != "application/problem+json" || w.Header().Get("API-Version") != "1.0.0" ||
			w.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s %.80s: %d %v", c.method, c.path, w.Code, w.Header())
		}
		for _, words := range c.says {
			if !strings.Contains(w.Body.String(), words) {
				t.Errorf("%s %.80s does not say %q: %s", c.method, c.path, words, w.Body)
			}
		}
	}
	if w := s.get("/api", "Accept", "text/html"); w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
		t.Errorf("/api: %d %s", w.Code, w.Header().Get("Content-Type"))
	}
}
