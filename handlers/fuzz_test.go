package handlers

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
)

// FuzzNegotiate: no header makes a page out of what only accepts activities,
// and no media type passes for ActivityPub's that does not begin like it.
func FuzzNegotiate(f *testing.F) {
	for _, seed := range []string{
		activityJSON, linkedData + `; profile="` + activityScope + `"`, "text/html,application/xhtml+xml,*/*;q=0.8",
		activityJSON + ";q=0.5, text/html;q=0.9", "text/html;q=NaN," + activityJSON + ";q=-Inf", ",,;;==", `text/html; x="`, "",
	} {
		f.Add(seed)
	}
	server := echo.New()
	f.Fuzz(func(t *testing.T, value string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Accept"] = []string{value}
		c := server.NewContext(r, httptest.NewRecorder())
		lower := strings.ToLower(value)
		named := strings.Contains(lower, activityJSON) || strings.Contains(lower, linkedData)
		if wantsActivity(c, false) && !named {
			t.Errorf("%q asks for an activity", value)
		}
		if !wantsActivity(c, true) && !strings.Contains(lower, "html") && !named {
			t.Errorf("%q asks for a page", value)
		}
		if isActivity(value) && !named {
			t.Errorf("%q passes for an activity's media type", value)
		}
	})
}

// FuzzSource: a limit concerns an address or a network; who comes through no
// trusted proxy cannot choose another than his own.
func FuzzSource(f *testing.F) {
	for _, seed := range []string{"192.0.2.7", "2001:db8::1, 10.0.0.1", "::ffff:192.0.2.7", "fe80::1%eth0", "1.2.3.4:80", "unknown", ",", "[::1]"} {
		f.Add(seed)
	}
	direct, proxied := extractor(nil), extractor([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
	f.Fuzz(func(t *testing.T, forwarded string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = "192.0.2.9:1234"
		r.Header["X-Forwarded-For"] = []string{forwarded}
		if got := source(direct(r)); got != "192.0.2.9" {
			t.Errorf("%q chose the address %q", forwarded, got)
		}
		if got := source(proxied(r)); got != "192.0.2.9" {
			t.Errorf("%q, not through a proxy, chose the address %q", forwarded, got)
		}
		r.RemoteAddr = "10.0.0.1:1234"
		got := source(proxied(r))
		_, notAddress := netip.ParseAddr(got)
		_, notNetwork := netip.ParsePrefix(got)
		if got != "unknown" && notAddress != nil && notNetwork != nil {
			t.Errorf("%q concerns %q", forwarded, got)
		}
	})
}
