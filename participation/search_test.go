package participation_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"inspraak/participation"
)

func TestSearchTerms(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "[]",
		"fiets":                         "[{fiets true}]",
		"de fiets":                      "[{de false} {fiets true}]",
		`"de fiets" pad`:                "[{de fiets false} {pad true}]",
		`pad "de fiets`:                 "[{pad true} {de false} {fiets true}]",
		"„de fiets” «pad»":              "[{de fiets false} {pad false}]",
		"e-mail 7,5 A4":                 "[{e mail true} {7 5 false} {A4 false}]",
		"l'été":                         "[{l été true}]",
		"x AND y*":                      "[{x false} {AND true} {y false}]",
		"café\u0301 \u0301":             "[{café\u0301 true}]",
		"fiets\u00adpad \u202efiets\t!": "[{fietspad true} {fiets true}]",
	} {
		if terms, cut := participation.SearchTerms(text); fmt.Sprint(terms) != want || cut {
			t.Errorf("%q: %v, %v, want %s", text, terms, cut, want)
		}
	}
	for text, want := range map[string]int{strings.Repeat("a ", 12): 12, strings.Repeat("a ", 13): 12, strings.Repeat("é", 201): 1} {
		if terms, cut := participation.SearchTerms(text); len(terms) != want || cut != (len(text) != 24) {
			t.Errorf("%.20q: %d terms, cut: %v", text, len(terms), cut)
		}
	}
}

// Consultations come before replies, each newest first, and pages go on from one
// to the other.
func TestSearchOrder(t *testing.T) {
	tw := newTown(t)
	var want []string
	for i := range 3 {
		d := tw.draft(participation.SingleChoice, "Bomen", "Markthal")
		d.Slug = fmt.Sprint("plein-", i)
		c := tw.publish(d)
		tw.now = tw.now.Add(1e9)
		want = slices.Insert(want, 0, c.Slug)
		must(t, tw.AddReply(t.Context(), participation.Reply{ID: fmt.Sprint("https://m.example/", i), Consultation: c.ID, HTML: "op het plein",
			Author: participation.Author{ID: ana}, Visibility: participation.Public}, true))
	}
	for i := range 3 {
		want = append(want, fmt.Sprintf("https://m.example/%d in plein-%[1]d", 2-i))
	}
	for size := 1; size <= 7; size++ {
		var got []string
		for offset := 0; offset < 7; offset += size {
			hits, total, err := tw.Search(t.Context(), participation.SearchQuery{Text: "plein", Limit: size, Offset: offset})
			if err != nil || total != 6 || len(hits) != min(size, max(0, 6-offset)) {
				t.Fatalf("from %d, %d: %d hits of %d, %v", offset, size, len(hits), total, err)
			}
			for _, h := range hits {
				name := h.Consultation.Slug
				if h.Reply != nil {
					name = h.Reply.ID + " in " + name
				}
				got = append(got, name)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("in pages of %d: %v, want %v", size, got, want)
		}
	}
	for _, bad := range []participation.SearchQuery{{}, {Text: "!?"}, {Text: "plein", In: "ballots"}} {
		if _, _, err := tw.Search(t.Context(), bad); !errors.Is(err, participation.ErrInvalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}
