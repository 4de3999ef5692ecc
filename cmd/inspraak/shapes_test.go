package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// Servers write the same vote in many ways, and some write what makes no sense
// beside it. What says unmistakably who votes for what counts.
func TestVotesInManyShapes(t *testing.T) {
	s := newSiege(t)
	shapes := []struct {
		name   string
		change func(activity, object map[string]any)
	}{
		{"published without a zone", func(_, o map[string]any) { o["published"] = "2026-09-01T10:00:00" }},
		{"published with a zone without a colon", func(a, _ map[string]any) { a["published"] = "2026-09-01T10:00:00.123456+0200" }},
		{"published empty", func(_, o map[string]any) { o["published"] = "" }},
		{"no end time but a word", func(_, o map[string]any) { o["endTime"] = "x" }},
		{"updated null, content empty", func(_, o map[string]any) { o["updated"], o["content"] = nil, "" }},
		{"content null, in no language", func(_, o map[string]any) { o["content"], o["contentMap"] = nil, map[string]any{} }},
		{"two types", func(_, o map[string]any) { o["type"] = []string{"Note", "Answer"} }},
		{"in reply to an embedded object", func(_, o map[string]any) { o["inReplyTo"] = map[string]any{"id": o["inReplyTo"]} }},
		{"in reply to our address over http", func(_, o map[string]any) {
			o["inReplyTo"] = strings.Replace(o["inReplyTo"].(string), "https:", "http:", 1)
		}},
		{"no url, empty lists", func(_, o map[string]any) { o["url"], o["tag"], o["attachment"] = nil, []any{}, []any{} }},
		{"url that is none", func(_, o map[string]any) { o["url"] = "acct:foo bar%zz" }},
		{"sensitive as a word", func(_, o map[string]any) { o["summary"], o["sensitive"] = "", "false" }},
		{"name per language beside name", func(_, o map[string]any) { o["nameMap"] = map[string]any{"nl": "Ja"} }},
		{"name in a list", func(_, o map[string]any) { o["name"] = []any{"Ja"} }},
		{"addressed to nobody", func(a, o map[string]any) { a["to"], o["to"] = nil, nil }},
		{"attributed to nobody", func(_, o map[string]any) { delete(o, "attributedTo") }},
		{"fewer replies than none", func(_, o map[string]any) {
			o["replies"] = map[string]any{"type": "Collection", "totalItems": -1}
		}},
	}
	for i, shape := range shapes {
		who := s.m1.Account(fmt.Sprintf("shape%d", i))
		if status := s.send(s.post(who, altered(s.vote(who, s.q1, "Ja"), shape.change))); status != http.StatusAccepted {
			t.Errorf("%s: answered %d", shape.name, status)
		}
		s.wait(s.q1.Terms.Interval)
		s.settle()
		if r := s.node.result(s.q1); r.Turnout != i+1 {
			t.Fatalf("%s: turnout %d, want %d", shape.name, r.Turnout, i+1)
		}
	}
	s.closeAll()
	if r := s.final(len(shapes)); len(r.Counts) != 3 || r.Counts[0] != len(shapes) {
		t.Errorf("counts %v", r.Counts)
	}
}
