package handlers_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

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

// BenchmarkReplies is what pages of a consultation with 10,000 replies cost; the
// bytes are those of one, compressed.
func BenchmarkReplies(b *testing.B) {
	s := newSite(b)
	c := s.publish("speeltuin")
	s.crowd(c, 10_000)
	for _, page := range []struct{ name, path string }{
		{"question", ""}, {"newest", "/replies"}, {"newest-60", "/replies?page=60"}, {"oldest-last", "/replies?order=oldest&page=999"},
		{"random", "/replies?order=random&seed=7"}, {"random-60", "/replies?order=random&seed=7&page=60"}, {"conversation", "/replies/1"},
	} {
		b.Run(page.name, func(b *testing.B) {
			var w *httptest.ResponseRecorder
			before := spent()
			for range b.N {
				w = httptest.NewRecorder()
				s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/consultations/speeltuin"+page.path, nil))
			}
			b.StopTimer()
			b.ReportMetric(float64(spent()-before)/float64(b.N)/1e6, "cpu-ms/op")
			if w.Code != http.StatusOK {
				b.Fatal(w.Code)
			}
			b.ReportMetric(float64(compressed(w.Body.Bytes())), "gzipped-bytes")
		})
	}
}

// BenchmarkRepliesDuringVotes is how long those pages take while 500 votes a second
// arrive.
func BenchmarkRepliesDuringVotes(b *testing.B) {
	s := newSite(b)
	c, poll := s.publish("speeltuin"), s.publish("brug")
	s.crowd(c, 10_000)
	ctx, stop := context.WithCancel(b.Context())
	var voters sync.WaitGroup
	defer voters.Wait()
	defer stop()
	voters.Go(func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				voters.Go(func() { s.cast(poll, fmt.Sprint("v", n), "Ja") })
			}
		}
	})
	for _, path := range []string{"", "/result", "/replies", "/replies?order=random&seed=7&page=60", "/replies/1"} {
		b.Run(path, func(b *testing.B) {
			var took []time.Duration
			for range b.N {
				start := time.Now()
				s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/consultations/speeltuin"+path, nil))
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-half")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")
		})
	}
}

// compressed is how many bytes are left of a page when it is sent.
func compressed(page []byte) int {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(page)
	if err = errors.Join(err, z.Close()); err != nil {
		panic(err)
	}
	return b.Len()
}

// spent is the processor time of this process.
func spent() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
