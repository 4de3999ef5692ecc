package activitypub_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// drip is the body of an answer that sends a byte a second, without end.
type drip struct {
	ctx   context.Context
	ended *atomic.Int64
}

func (d drip) Read(p []byte) (int, error) {
	select {
	case <-d.ctx.Done():
		d.ended.Add(1)
		return 0, d.ctx.Err()
	case <-time.After(time.Second):
		return copy(p, "x"), nil
	}
}

func (d drip) Close() error { return nil }

// Servers that drip, lie, redirect, ask for a day or are gone: the healthy ones
// have everything before the first that drips is given up, a redirect of what we
// signed is not followed, and each ends as it should.
func TestMisbehavingServersDelayNobody(t *testing.T) {
	const healthy, each = 50, 10
	kinds := []string{"drip", "lie", "redirect", "later", "gone"}
	var inboxes []string
	for i := range each {
		for _, kind := range kinds {
			inboxes = append(inboxes, fmt.Sprintf("https://%s%d.example/inbox", kind, i))
		}
	}
	for i := range healthy {
		inboxes = append(inboxes, fmt.Sprintf("https://h%d.example/inbox", i))
	}
	c := newCity(t)
	var ended, followed atomic.Int64
	c.net.answer = func(r *http.Request, _ parcel) *http.Response {
		answer := status(http.StatusOK)
		switch host := r.URL.Host; {
		case r.URL.Path != "/inbox":
			followed.Add(1)
		case strings.HasPrefix(host, "drip"):
			answer.Body = drip{r.Context(), &ended}
		case strings.HasPrefix(host, "lie"):
			answer.Body = io.NopCloser(strings.NewReader(strings.Repeat("\x00{[", 100_000)))
		case strings.HasPrefix(host, "redirect"):
			return status(http.StatusTemporaryRedirect, "Location", "https://h1.example/elsewhere")
		case strings.HasPrefix(host, "later"):
			return status(http.StatusTooManyRequests, "Retry-After", "86400")
		case strings.HasPrefix(host, "gone"):
			return status(http.StatusGone)
		}
		return answer
	}
	c.send(t, "1", "o", inboxes...)
	took := c.run(t, func() bool {
		s := c.Stats()
		if s.Delivered < healthy+each || s.Failed < 2*each || s.Dropped < each {
			return false
		}
		if ended.Load() > 0 {
			t.Error("the healthy servers waited for those that drip")
		}
		return true
	})
	t.Logf("%d healthy servers beside %d that misbehave: %s", healthy, each*len(kinds), took)
	if n := followed.Load(); n > 0 {
		t.Errorf("%d signed requests went where a redirect pointed", n)
	}
	// Until a day is over those that asked for it are left alone.
	for i := range each {
		due, err := c.db.DueDeliveries(t.Context(), fmt.Sprintf("later%d.example", i), c.clock().Add(23*time.Hour), 10)
		if err != nil || len(due) > 0 {
			t.Errorf("%d deliveries due within the day, %v", len(due), err)
		}
	}
}
