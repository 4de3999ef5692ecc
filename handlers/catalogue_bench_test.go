package handlers_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"inspraak/handlers"
	"inspraak/participation"
)

// processor is the time that this process has had of the processors.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// What the catalogue and the page of a node with 500 datasets cost: the catalogue
// written anew, as after each new dataset; asked for again; and known already.
func BenchmarkCatalogue(b *testing.B) {
	s := newSite(b)
	for i := range 500 {
		c := s.publish(fmt.Sprint("vraag-", i), func(c *participation.Consultation) { c.Hashtags = []string{"Wijk", "Plein"} })
		s.vote(c, "Ja", 2)
		s.close(c)
	}
	s.freeze()
	tag := s.get("/catalogus.ttl", "Accept-Encoding", "gzip").Header().Get("ETag")
	for _, c := range []struct {
		name, path, tag string
		status          int
		anew            bool
	}{
		{"anew-ttl", "/catalogus.ttl", "", 200, true}, {"anew-jsonld", "/catalogus.jsonld", "", 200, true}, {"anew-rdf", "/catalogus.rdf", "", 200, true},
		{"again", "/catalogus.ttl", "", 200, false}, {"known", "/catalogus.ttl", tag, 304, false}, {"page", "/data", "", 200, false},
	} {
		b.Run(c.name, func(b *testing.B) {
			spent, n := processor(b), 0
			for b.Loop() {
				n++
				if c.anew {
					s.Handler = handlers.New(s.config)
				}
				w := s.get(c.path, "If-None-Match", c.tag, "Accept-Encoding", "gzip")
				if w.Code != c.status {
					b.Fatalf("%d", w.Code)
				}
				b.ReportMetric(float64(w.Body.Len()), "bytes")
			}
			b.ReportMetric(float64((processor(b)-spent).Microseconds())/1000/float64(n), "cpu-ms/op")
		})
	}
}
