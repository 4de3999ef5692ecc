package handlers

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"golang.org/x/time/rate"
)

// identify gives each request a random number, by which a visitor's complaint
// is found in the log. A number sent along is not believed.
func (h *handler) identify(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Header().Set(echo.HeaderXRequestID, strings.ToLower(rand.Text()[:12]))
		return next(c)
	}
}

func requestID(c echo.Context) string { return c.Response().Header().Get(echo.HeaderXRequestID) }

// logRequest writes one line per request: the route, never an address of a
// visitor or a name from the path or body.
func (h *handler) logRequest(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := time.Now()
		err := next(c)
		if err != nil {
			c.Error(err)
		}
		took := time.Since(start)
		if h.Observe != nil {
			h.Observe(routeClass(c), c.Response().Status, took)
		}
		h.Log.LogAttrs(c.Request().Context(), slog.LevelDebug, "request",
			slog.String("method", c.Request().Method), slog.String("route", c.Path()),
			slog.Int("status", c.Response().Status), slog.Duration("took", took),
			slog.String("request", requestID(c)))
		return nil
	}
}

const contentPolicy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// secure sets the headers that every answer carries.
func (h *handler) secure(next echo.HandlerFunc) echo.HandlerFunc {
	https := strings.HasPrefix(h.URLs.Base, "https://")
	return func(c echo.Context) error {
		header := c.Response().Header()
		header.Set("Content-Security-Policy", contentPolicy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		if https {
			header.Set("Strict-Transport-Security", "max-age=31536000") // one year
		}
		return next(c)
	}
}

// shared lets other origins read the answer: it holds nothing that is not
// public.
func shared(c echo.Context) {
	c.Response().Header().Set("Access-Control-Allow-Origin", "*")
	c.Response().Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
}

// recover turns a panic into an error, so that it never cuts the connection:
// other servers would send the same request again and again.
func (h *handler) recover(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			if r := recover(); r != nil {
				if failed, ok := r.(error); ok && errors.Is(failed, http.ErrAbortHandler) {
					panic(r)
				}
				err = &ourFault{fmt.Errorf("panic: %v\n%s", r, debug.Stack())}
			}
		}()
		return next(c)
	}
}

func newLimit(perSecond float64) *middleware.RateLimiterMemoryStore {
	return middleware.NewRateLimiterMemoryStoreWithConfig(middleware.RateLimiterMemoryStoreConfig{
		Rate: rate.Limit(perSecond), Burst: max(1, int(10*perSecond)), ExpiresIn: 3 * time.Minute,
	})
}

// limitPages refuses a source address that asks too much.
func (h *handler) limitPages(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := admit(c, h.pageLimit); err != nil {
			return err
		}
		return next(c)
	}
}

func admit(c echo.Context, limit *middleware.RateLimiterMemoryStore) error {
	if ok, err := limit.Allow(source(c.RealIP())); err != nil || !ok {
		c.Response().Header().Set(echo.HeaderRetryAfter, "10")
		return echo.NewHTTPError(http.StatusTooManyRequests, "too many requests from your address")
	}
	return nil
}

// source is whom a limit concerns: an IPv4 address, or the /64 network of an
// IPv6 address, which is what one customer is given.
func source(ip string) string {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return "unknown"
	}
	if a = a.Unmap().WithZone(""); a.Is4() {
		return a.String()
	}
	network, _ := a.Prefix(64) // 64 bits fit every IPv6 address
	return network.String()
}

// extractor finds a request's source address: that of the connection, or,
// when it comes through trusted proxies, the last address in X-Forwarded-For
// that is not one of them. Echo would trust private networks by itself.
func extractor(trusted []netip.Prefix) echo.IPExtractor {
	if len(trusted) == 0 {
		return echo.ExtractIPDirect()
	}
	options := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, p := range trusted {
		p = p.Masked()
		options = append(options, echo.TrustIPRange(&net.IPNet{
			IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen()),
		}))
	}
	return echo.ExtractIPFromXFFHeader(options...)
}
