package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestCheckStandards(t *testing.T) {
	for _, c := range []struct {
		status     int
		hsts, want string // levels of security.txt and HSTS
	}{
		{200, "max-age=31536000", "ok ok"},
		{200, "max-age=63072000; includeSubDomains", "ok ok"},
		{404, "max-age=300", "warning warning"},
		{200, "", "ok warning"},
		{200, "max-age=99999999999999999999999", "ok ok"},
	} {
		var found findings
		checkHeaders(c.status, http.Header{"Strict-Transport-Security": {c.hsts}}, &found)
		if got := found[0].Level + " " + found[1].Level; got != c.want {
			t.Errorf("%d %q: %s, want %s", c.status, c.hsts, got, c.want)
		}
	}
	to := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if to != "" {
			http.Redirect(w, r, to, http.StatusMovedPermanently)
		}
	}))
	defer server.Close()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for location, fine := range map[string]bool{"https://127.0.0.1/": true, "": false, "http://127.0.0.1/a": false, "https://elders.example/": false} {
		to = location
		if err := sentOn(ctx, "127.0.0.1", port); (err == nil) != fine {
			t.Errorf("to %q: %v", location, err)
		}
	}
	server.Close()
	if err := sentOn(ctx, "127.0.0.1", port); err == nil || !strings.Contains(err.Error(), "not reached") {
		t.Errorf("where nobody listens: %v", err)
	}
}
