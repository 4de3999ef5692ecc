package handlers_test

import (
	"compress/gzip"
	"io"
	"strings"
	"testing"
)

// What is long and public goes out packed, and says the same; what is one
// person's, an image or short goes out as it is.
func TestAnswersArePacked(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin")
	s.vote(c, "Ja", 3)
	klaar := s.publish("klaar")
	s.vote(klaar, "Nee", 2)
	receipt := "/consultations/klaar/receipt/" + s.receipt("Nee0").Token
	s.close(klaar)
	s.freeze()
	for path, packed := range map[string]bool{
		"/": true, "/consultations/speeltuin": true, "/consultations/klaar/result.json": false, // short
		"/@gemeente/feed.atom": true, s.config.Site.AssetPath("style.css"): true,
		"/consultations/klaar/dataset/ballots.csv-metadata.json": true, "/consultations/klaar/dataset.zip": false,
		receipt: false, "/my-data/" + s.service.DataToken("https://elders.example/users/Ja0"): false,
		"/consultations/klaar/ballots": true, "/consultations/klaar/ballots?code=AAAA-AAAA-AAAA-AAAA": false,
	} {
		plain, w := s.get(path), s.get(path, "Accept-Encoding", "gzip, br")
		if plain.Code != 200 || plain.Header().Get("Content-Encoding") != "" || w.Code != 200 {
			t.Fatalf("%s: %d and %d, %q unasked", path, plain.Code, w.Code, plain.Header().Get("Content-Encoding"))
		}
		if got := w.Header().Get("Content-Encoding") == "gzip"; got != packed {
			t.Errorf("%s: packed %v, want %v", path, got, packed)
		}
		body := io.Reader(w.Body)
		if packed {
			for _, answer := range []string{strings.Join(plain.Header().Values("Vary"), ", "), strings.Join(w.Header().Values("Vary"), ", ")} {
				if strings.Count(answer, "Accept-Encoding") != 1 {
					t.Errorf("%s: Vary is %q", path, answer)
				}
			}
			var err error
			body, err = gzip.NewReader(w.Body)
			s.ok(err)
		}
		said, err := io.ReadAll(body)
		s.ok(err)
		if path != receipt && string(said) != plain.Body.String() {
			t.Errorf("%s: says something else when packed", path)
		}
		if tag := w.Header().Get("ETag"); tag != "" {
			if !strings.HasPrefix(tag, "W/") {
				t.Errorf("%s: the tag %s is that of one form only", path, tag)
			}
			again := s.get(path, "Accept-Encoding", "gzip", "If-None-Match", tag)
			if again.Code != 304 || again.Body.Len() > 0 || again.Header().Get("Content-Encoding") != "" || again.Header().Get("ETag") != tag {
				t.Errorf("%s: asked again: %d, %d bytes, %v", path, again.Code, again.Body.Len(), again.Header())
			}
		}
	}
	if w := s.get("/nergens", "Accept-Encoding", "gzip"); w.Code != 404 || w.Header().Get("Content-Encoding") != "" || !strings.Contains(w.Body.String(), "</html>") {
		t.Errorf("an error: %d %q", w.Code, w.Header().Get("Content-Encoding"))
	}
}
