package handlers_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"inspraak/participation"
)

// crowd fills a consultation with n replies, four of ten of them answers to one
// before. What they say compresses as little as what people write.
func (s *site) crowd(c participation.Consultation, n int) {
	s.t.Helper()
	words := strings.Fields("de gemeente wil hier een speeltuin maar wij vragen ons af of het verkeer dan veilig blijft voor kinderen die alleen " +
		"naar school fietsen en of er genoeg bomen overblijven in de straat waar het nu al zo warm wordt")
	pick := uint32(1)
	next := func(of int) int {
		pick = pick*1664525 + 1013904223
		return int(pick>>8) % of
	}
	var ids []string
	for first := 0; first < n; first += 1000 {
		s.ok(s.db.Update(s.t.Context(), func(tx participation.Tx) error {
			for i := first; i < min(first+1000, n); i++ {
				var b strings.Builder
				for range 20 + next(60) {
					b.WriteString(words[next(len(words))] + " ")
				}
				id := fmt.Sprintf("https://server%d.example/users/burger%d/statuses/1%017d", next(50), i, next(1<<30))
				r := participation.Reply{
					ID: id, Consultation: c.ID, Parent: s.config.URLs.Object(c.ID), HTML: "<p>" + b.String() + fmt.Sprintf("%x", next(1<<30)) + "</p>",
					Language: "nl", URL: id, Visibility: participation.Public, Standing: participation.Shown, Published: s.now(), Received: s.now(),
					Author: participation.Author{ID: id + "/author", Name: fmt.Sprint("Burger ", i), Handle: fmt.Sprintf("burger%d@server.example", i)},
				}
				if i > 0 && next(10) < 4 {
					r.Parent = ids[max(0, i-1-next(200))]
					parent, err := tx.Reply(r.Parent)
					s.ok(err)
					r.Thread = parent.Thread
				}
				if next(100) == 0 {
					r.Standing, r.Reason = participation.Hidden, "reclame"
				}
				if err := tx.SaveReply(r); err != nil {
					return err
				}
				ids = append(ids, id)
			}
			return nil
		}))
	}
}

// BenchmarkConversation is the page of a consultation with 10,000 replies.
func BenchmarkConversation(b *testing.B) {
	s := newSite(b)
	c := s.publish("speeltuin")
	s.crowd(c, 10_000)
	for _, path := range []string{"", "/replies", "/replies?page=60", "/replies?order=oldest&page=119", "/replies?order=random&seed=7", "/replies?order=random&seed=7&page=60", "/replies/5000"} {
		b.Run(path, func(b *testing.B) {
			size := 0
			for range b.N {
				w := httptest.NewRecorder()
				s.ServeHTTP(w, httptest.NewRequest("GET", "/consultations/speeltuin"+path, nil))
				size = w.Body.Len()
			}
			b.ReportMetric(float64(size), "bytes")
		})
	}
}
