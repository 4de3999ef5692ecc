package main

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"inspraak/simulation"
)

func TestNegativeDocuments(t *testing.T) {
	s := newSiege(t)
	none := simulation.SignOptions{}
	vote := s.vote(s.bob, s.q1, "Ja")
	with := func(name, value string) []byte {
		return append([]byte(`{`+fmt.Sprintf("%q:%s,", name, value)), vote[1:]...)
	}
	for name, body := range map[string][]byte{
		"N29 depth 33":          with("x", strings.Repeat(`{"a":`, 33)+"1"+strings.Repeat("}", 33)),
		"N29 depth 10,000":      with("x", strings.Repeat("[", 10000)+strings.Repeat("]", 10000)),
		"N30 @context 5":        altered(vote, func(a, _ map[string]any) { a["type"] = 7 }),
		"N30 no types":          altered(vote, func(a, _ map[string]any) { a["type"] = []any{} }),
		"N30 null":              []byte("null"),
		"N30 array":             []byte("[]"),
		"N30 string":            []byte(`"x"`),
		"N30 trailing":          append(bytes.Clone(vote), "garbage"...),
		"N30 huge number":       with("x", "1e999"),
		"N31 101 objects":       with("tag", "["+strings.TrimSuffix(strings.Repeat("{},", 101), ",")+"]"),
		"N31 10,000 addressees": with("cc", "["+strings.TrimSuffix(strings.Repeat(`"a",`, 10000), ",")+"]"),
		"N31 10,000 mentions":   with("tag", "["+strings.TrimSuffix(strings.Repeat(`{"type":"M"},`, 10000), ",")+"]"),
		"a name twice":          with("actor", fmt.Sprintf("%q", s.bob.ID())),
		"a name twice, by case": with("Actor", fmt.Sprintf("%q", s.eve.ID())),
		"N33 @graph":            with("@graph", "[]"),
		"N33 @included":         with("@included", "[]"),
		"N33 @reverse":          with("@reverse", "{}"),
		"invalid UTF-8":         with("x", "\"\xff\""),
	} {
		s.repels(name, []int{400}, s.bob, body, none)
	}
	s.repels("N31 too large", []int{413, 400}, s.bob, with("x", `"`+strings.Repeat("x", 270<<10)+`"`), none)
	for name, kind := range map[string]string{"text": "text/plain; x=application/activity+json", "no profile": "application/ld+json", "none": ""} {
		r := must2(s.bob.Request(t.Context(), http.MethodPost, s.node.urls.SharedInbox(), vote, none))(s.cluster)
		r.Header.Del("Content-Type")
		if kind != "" {
			r.Header.Set("Content-Type", kind)
		}
		s.repelsRequest("N32 "+name, []int{415}, r)
	}
	r := must2(s.bob.Request(t.Context(), http.MethodPost, s.node.urls.SharedInbox(), vote, none))(s.cluster)
	r.Header.Set("Content-Encoding", "gzip")
	s.repelsRequest("N32 gzip", []int{415}, r)
	// What a library panics on, and what nobody needs: ignored, and the vote counts.
	for _, name := range []string{"duration", "published"} {
		for i, value := range []string{`""`, `"-"`, `"P1D"`} {
			who := s.m1.Account(fmt.Sprintf("n30%s%d", name, i))
			body := append([]byte(`{`+fmt.Sprintf("%q:%s,", name, value)), s.vote(who, s.q1, "Ja")[1:]...)
			r := must2(who.Request(t.Context(), http.MethodPost, s.node.urls.SharedInbox(), body, none))(s.cluster)
			if status := s.send(r); status != 202 && status != 400 {
				t.Errorf("N30 %s %s: %d", name, value, status)
			}
		}
	}
	// N33: a remote context is never fetched: the network would not find it, and the vote counts.
	r = must2(s.alice.Request(t.Context(), http.MethodPost, s.node.urls.SharedInbox(),
		altered(s.vote(s.alice, s.q1, "Ja"), func(a, _ map[string]any) { a["@context"] = "http://169.254.169.254/" }), none))(s.cluster)
	if status := s.send(r); status != 202 && status != 400 {
		t.Errorf("N33 remote context: %d", status)
	}
}
