package activitypub

import (
	"errors"
	"net/http"
	"strconv"
	"time"
)

// When a delivery is tried again.
const (
	giveUpAfter    = 72 * time.Hour   // after it was queued
	firstBackOff   = time.Minute      // doubling from here
	longestBackOff = 6 * time.Hour    // so that the third day still has tries in it
	maxRetryAfter  = 24 * time.Hour   // of what a server may ask for
	ourRetry       = 10 * time.Minute // after trouble of our own, such as a missing key
	breakAfter     = 3                // failures in a row that stop all deliveries to a host
)

// verdict is what an answer means for a delivery.
type verdict int

const (
	delivered  verdict = iota // 2xx
	refused                   // this activity is not wanted here; another may be
	vacant                    // nobody receives at this address: 404, 405, 410
	postponed                 // the server answers, but not yet as it should
	unanswered                // the server is down, overloaded or unreachable
	ours                      // trouble on our side
)

// judgeAnswer sorts an answer the way Mastodon does: any 4xx is final but 401
// (our key could not be fetched), 408 and 429.
func judgeAnswer(answer *Response, err error) verdict {
	if err != nil {
		var failed *FetchError
		switch {
		case ourTrouble(err):
			return ours
		case errors.As(err, &failed) && !failed.Temporary():
			return refused
		}
		return unanswered
	}
	switch s := answer.Status; {
	case s >= 200 && s < 300:
		return delivered
	case s == http.StatusNotFound, s == http.StatusMethodNotAllowed, s == http.StatusGone:
		return vacant
	case s == http.StatusRequestTimeout, s == http.StatusTooManyRequests, s >= 500:
		return unanswered
	case s == http.StatusUnauthorized, s < 400:
		return postponed
	}
	return refused
}

// retryAfter is how long a server asks to be left alone (RFC 9110 §10.2.3), at
// most maxRetryAfter; 0 if it does not say.
func retryAfter(answer *Response, now time.Time) time.Duration {
	if answer == nil {
		return 0
	}
	value := answer.Header.Get("Retry-After")
	wait := time.Duration(0)
	if seconds, err := strconv.Atoi(value); err == nil {
		wait = time.Duration(min(seconds, int(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}

// backOff is how long to wait after so many attempts: doubling, and up to a
// quarter more or less by random, a number in [0, 1), so that what failed
// together is not tried together.
func backOff(attempts int, random float64) time.Duration {
	wait := longestBackOff
	if attempts < 10 {
		wait = min(firstBackOff<<(attempts-1), longestBackOff)
	}
	return time.Duration(float64(wait) * (0.75 + random/2))
}

// wholeSecond rounds up. A time must read from the store as it was written: a
// delivery due a moment before its host's circuit closes would be put off to
// that same moment, for ever.
func wholeSecond(t time.Time) time.Time { return t.Add(time.Second - 1).Truncate(time.Second) }

// circuit breaks a host off after failures in a row: until a time nothing is
// tried there, then one delivery probes.
type circuit struct {
	failures int
	until    time.Time
}

func (c circuit) broken() bool { return c.failures >= breakAfter }

// circuit tells how a host stands.
func (d *deliverer) circuit(host string) circuit {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.circuits[host]
}

// mend forgets a host's failures.
func (d *deliverer) mend(host string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.circuits, host)
}

// fail books a failure of a host, to be left alone until then if it is broken,
// at once if it asked for that.
func (d *deliverer) fail(host string, until time.Time, asked bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	sweep(d.circuits, func(c circuit) bool { return until.Sub(c.until) > giveUpAfter })
	c := d.circuits[host]
	if c.failures++; asked {
		c.failures = max(c.failures, breakAfter)
	}
	if until.After(c.until) {
		c.until = until
	}
	d.circuits[host] = c
}
