package handlers_test

import (
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"inspraak/activitypub"
	"inspraak/handlers"
)

// serve puts a world on a loopback address of its own.
func serveWorld(t *testing.T) (s *site, base string) {
	server := httptest.NewUnstartedServer(nil)
	base = "http://" + server.Listener.Addr().String()
	urls, err := activitypub.NewURLs(base)
	if err != nil {
		t.Fatal(err)
	}
	s = world(t, func(c *handlers.Config) { c.URLs = urls })
	server.Config.Handler = s
	server.Start()
	t.Cleanup(server.Close)
	return s, base
}

// The example in the documentation counts what is shown, page by page.
func TestPythonExample(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 on this machine: docs/examples/follow.py was not run")
	}
	s, base := serveWorld(t)
	praat, err := s.service.Consultation(t.Context(), "praat")
	s.ok(err)
	s.advance(24 * time.Hour)
	for i := range 230 {
		s.reply(praat, strings.Repeat("a", i+1), "", "<p>Nog een.</p>")
	}
	out, err := exec.CommandContext(t.Context(), python, "../docs/examples/follow.py", base).CombinedOutput()
	// Of the world's replies one is deleted, one hidden and one withdrawn.
	if want := "2026-03-02 4\n2026-03-03 230\n"; err != nil || string(out) != want {
		t.Errorf("it says %q, %v; want %q", out, err, want)
	}
}

// The other one redraws a result.
func TestRExample(t *testing.T) {
	r, err := exec.LookPath("Rscript")
	if err != nil {
		t.Skip("no Rscript on this machine: docs/examples/result.R was not run")
	}
	if out, err := exec.CommandContext(t.Context(), r, "-e", "library(jsonlite)").CombinedOutput(); err != nil {
		t.Skipf("R has no jsonlite here, so docs/examples/result.R was not run: %s", out)
	}
	_, base := serveWorld(t)
	for slug, want := range map[string]string{"klaar": "21", "speeltuin": "no votes to show: close"} {
		run := exec.CommandContext(t.Context(), r, "docs/examples/result.R", base, slug)
		run.Dir = ".."
		if out, err := run.CombinedOutput(); err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %s %v", slug, out, err)
		}
	}
}
