package simulation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Send delivers an activity to one inbox, signed by the account. It tries
// again after the waits of Config.Retry when the kind would: network errors
// always count as worth it. The error holds a *StatusError when the last
// answer was no success. Activities about one object never overtake each other.
func (a *Account) Send(ctx context.Context, inbox string, body []byte) error {
	s := a.server
	if doc, err := decode(body); err == nil {
		subject := text(doc, "id")
		switch text(doc, "type") {
		case "Create", "Update", "Delete", "Undo":
			if id := ref(doc["object"]); id != "" {
				subject = id
			}
		}
		defer s.order.lock(inbox + " " + subject)()
	}
	for attempt := 0; ; attempt++ {
		err := a.post(ctx, inbox, body)
		if err == nil || attempt >= len(s.retry) || ctx.Err() != nil {
			return err
		}
		pause := s.retry[attempt]
		var answer *StatusError
		if errors.As(err, &answer) {
			if !s.kind.retries(answer.Status) {
				return err
			}
			if seconds, convErr := strconv.Atoi(answer.RetryAfter); convErr == nil && s.kind.isGTS() {
				pause = max(pause, time.Duration(seconds)*time.Second)
			}
		}
		if !wait(ctx.Done(), pause) {
			return err
		}
	}
}

// post makes one attempt.
func (a *Account) post(ctx context.Context, inbox string, body []byte) error {
	req, err := a.Request(ctx, http.MethodPost, inbox, body, SignOptions{Scheme: a.server.config.Scheme})
	if err != nil {
		return err
	}
	return a.server.Do(req)
}

// Do sends a request made by Account.Request and reports any answer but 2xx as
// a *StatusError.
func (s *Server) Do(req *http.Request) error {
	resp, err := s.client.Do(req)
	if err != nil {
		return fmt.Errorf("deliver to %s: %w", req.URL, err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxBody)) // so that the connection is kept
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return &StatusError{Method: req.Method, URL: req.URL.String(), Status: resp.StatusCode,
			Body: string(answer), RetryAfter: resp.Header.Get("Retry-After")}
	}
	return nil
}

// sendAll delivers one activity to several inboxes, one after the other, and
// joins what went wrong. Inboxes of this server are left out.
func (a *Account) sendAll(ctx context.Context, inboxes []string, activity object) error {
	body := encode(activity)
	var errs []error
	for _, inbox := range inboxes {
		if hostOf(inbox) != a.server.host {
			errs = append(errs, a.Send(ctx, inbox, body))
		}
	}
	return errors.Join(errs...)
}

// inboxOf picks the receiver's shared inbox when wanted and offered, else the
// personal one.
func inboxOf(who remoteActor, shared bool) string {
	if shared && who.sharedInbox != "" {
		return who.sharedInbox
	}
	return who.inbox
}

// followerInboxes lists the inboxes of the account's remote followers, each
// once, shared ones where offered.
func (a *Account) followerInboxes() []string {
	s := a.server
	s.mu.Lock()
	defer s.mu.Unlock()
	var inboxes []string
	for id := range s.followers[a.id] {
		if who, known := s.actors[id]; known {
			inboxes = appendOnce(inboxes, inboxOf(who, true))
		}
	}
	return inboxes
}

// appendOnce appends what is not there yet and not empty.
func appendOnce(values []string, more ...string) []string {
next:
	for _, m := range more {
		for _, v := range values {
			if v == m {
				continue next
			}
		}
		if m != "" {
			values = append(values, m)
		}
	}
	return values
}
