package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"inspraak/participation"
)

// lines is the media type of one JSON value a line.
const lines = "application/x-ndjson"

// eventJSON is an event of the stream. Of what it concerns it says what holds now.
type eventJSON struct {
	Cursor       string     `json:"cursor"`
	Number       int64      `json:"number"`
	Type         string     `json:"type"`
	At           time.Time  `json:"at"`
	Channel      string     `json:"channel,omitempty"`
	Consultation string     `json:"consultation,omitempty"`
	Reason       string     `json:"reason,omitempty"`
	Address      string     `json:"address,omitempty"`
	Reply        *replyJSON `json:"reply,omitempty"`
	Post         *postJSON  `json:"post,omitempty"`
}

// cursor names an event by its place and time: after an older copy of the node was
// put back another event may have the place, and the cursor is known to be wrong.
func cursor(e participation.Event) string {
	return strconv.FormatInt(e.Place, 36) + "-" + strconv.FormatInt(e.At.UnixMilli(), 36)
}

var cursorForm = regexp.MustCompile(`^([0-9a-z]{1,11})-[0-9a-z]{1,11}$`)

// behind reads a cursor: the place of its event.
func (a *API) behind(ctx context.Context, q *query) (int64, error) {
	text := q.text("after")
	if text == "" {
		return 0, nil
	}
	m := cursorForm.FindStringSubmatch(text)
	if m == nil {
		q.refuse("after", "give the cursor of an event, as it is")
		return 0, nil
	}
	place, err := strconv.ParseInt(m[1], 36, 64)
	if err != nil {
		q.refuse("after", "give the cursor of an event, as it is")
		return 0, nil
	}
	found, err := a.Service.PublicEvents(ctx, place-1, 1)
	if err != nil {
		return 0, err
	}
	if len(found) == 0 || cursor(found[0]) != text {
		return 0, echo.NewHTTPError(http.StatusGone, "this cursor is not of this stream any more; begin again without it")
	}
	return place, nil
}

// events is the stream of what happens in public, in order of commit. No vote is
// an event, nor is a count before closing; places have no gaps, so nobody learns
// what else the node did meanwhile.
func (a *API) events(c echo.Context) error {
	q, ctx := read(c), c.Request().Context()
	limit := q.limit()
	after, err := a.behind(ctx, q)
	if err != nil {
		return err
	}
	if err := q.done(); err != nil {
		return err
	}
	found, err := a.Service.PublicEvents(ctx, after, limit+1)
	if err != nil {
		return err
	}
	v := struct {
		Events []eventJSON `json:"events"`
		Next   string      `json:"next"`
		More   bool        `json:"more"`
	}{Events: []eventJSON{}, More: len(found) > limit}
	found = found[:min(limit, len(found))]
	w := &witness{a, map[string]participation.Consultation{}, map[int64]participation.NumberedReply{}}
	if err := w.remember(ctx, found); err != nil {
		return err
	}
	for _, e := range found {
		j, err := w.tell(ctx, e)
		if err != nil {
			return fmt.Errorf("event %d: %w", e.Place, err)
		}
		v.Events = append(v.Events, j)
	}
	v.Next = a.URLs.Base + c.Request().URL.RequestURI()
	if n := len(v.Events); n > 0 {
		v.Next = a.with(c, q, "after", v.Events[n-1].Cursor)
	}
	c.Response().Header().Set(echo.HeaderVary, echo.HeaderAccept)
	if !strings.Contains(c.Request().Header.Get(echo.HeaderAccept), lines) {
		return a.answer(c, v, v.Next)
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	for _, e := range v.Events {
		if err := encoder.Encode(e); err != nil {
			return fmt.Errorf("event %d: %w", e.Number, err)
		}
	}
	link(c, v.Next)
	return send(c, lines, b.Bytes())
}

// witness tells events, with the consultations and replies that they are of.
type witness struct {
	*API
	consultations map[string]participation.Consultation // by ID
	replies       map[int64]participation.NumberedReply // by number
}

// remember reads what some events are of.
func (w *witness) remember(ctx context.Context, events []participation.Event) error {
	numbers := map[string][]int64{}
	for _, e := range events {
		if n := replyOf(e); n > 0 {
			numbers[e.Consultation] = append(numbers[e.Consultation], n)
		}
		if _, known := w.consultations[e.Consultation]; known || e.Consultation == "" {
			continue
		}
		con, err := w.Service.Consultation(ctx, e.Consultation)
		if err != nil {
			return err
		}
		w.consultations[e.Consultation] = con
	}
	for id, n := range numbers {
		found, err := w.Service.RepliesNumbered(ctx, w.consultations[id].Number, n)
		if err != nil {
			return err
		}
		for _, r := range found {
			w.replies[r.Place] = r
		}
	}
	return nil
}

// replyOf is the number of the reply that an event is of, 0 if it is of none. An
// event that adds one is its number.
func replyOf(e participation.Event) int64 {
	switch e.Type {
	case participation.ReplyAdded:
		return e.Place
	case participation.ReplyEdited, participation.ReplyHidden, participation.ReplyShown, participation.ReplyDeleted:
		n, _ := strconv.ParseInt(e.Subject, 10, 64) // nothing else is recorded
		return n
	}
	return 0
}

// tell says what happened. Of a consultation that was withdrawn since the words
// are gone.
func (w *witness) tell(ctx context.Context, e participation.Event) (eventJSON, error) {
	con := w.consultations[e.Consultation]
	j := eventJSON{Cursor: cursor(e), Number: e.Place, Type: string(e.Type), At: e.At.UTC(), Channel: e.Channel, Consultation: con.Slug, Reason: e.Reason}
	if con.Slug != "" {
		j.Address = w.address("/consultations/" + con.Slug)
	}
	switch e.Type {
	case participation.ConsultationScheduled:
		j.Type = "consultation-published"
	case participation.DatasetPublished:
		j.Address += "/dataset"
	case participation.PostPublished:
		return j, w.tellPost(ctx, &j, con, e.Subject)
	}
	if n := replyOf(e); n > 0 {
		w.tellReply(&j, con, n)
	}
	return j, nil
}

func (w *witness) tellPost(ctx context.Context, j *eventJSON, con participation.Consultation, id string) error {
	p, err := w.Service.Post(ctx, id)
	if err != nil {
		return err
	}
	switch p.Kind {
	case participation.CheckpointPost:
		if j.Type, j.Address = "checkpoint-published", w.URLs.Logs(); con.ID != "" {
			j.Address = w.URLs.Base + "/log/" + con.ID + "/checkpoint"
		}
		return nil
	case participation.Closing:
		j.Type, j.Address = "result-published", j.Address+"/result"
	default:
		j.Address += "/posts"
	}
	if con.Phase == participation.Withdrawn {
		return nil
	}
	post, err := w.postJSON(ctx, con, p)
	j.Post = &post
	return err
}

// tellReply gives the words that stand under the number now: they are never in the
// event.
func (w *witness) tellReply(j *eventJSON, con participation.Consultation, number int64) {
	r, here := w.replies[number]
	j.Reply = &replyJSON{Number: number}
	j.Address += "/replies?after=" + strconv.FormatInt(number-1, 10) + "&limit=1"
	switch {
	case !here:
		j.Reply.Deleted, j.Address = true, ""
	case con.Phase == participation.Withdrawn:
		j.Reply.Hidden = true
	default:
		*j.Reply = w.replyJSON(con, r)
	}
}
