package api

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"inspraak/participation"
)

// replyJSON is a reply, or what may be told of one that is hidden or deleted.
type replyJSON struct {
	Number       int64       `json:"number"`
	Hidden       bool        `json:"hidden,omitempty"`
	Deleted      bool        `json:"deleted,omitempty"`
	Reason       string      `json:"reason,omitempty"`
	ID           string      `json:"id,omitempty"`
	URL          string      `json:"url,omitempty"`
	Page         string      `json:"page,omitempty"`
	Author       *authorJSON `json:"author,omitempty"`
	HTML         string      `json:"html,omitempty"`
	Language     string      `json:"language,omitempty"`
	Images       int         `json:"images,omitempty"`
	AnswersReply int64       `json:"answersReply,omitempty"`
	AnswersPost  string      `json:"answersPost,omitempty"`
	PublishedAt  *time.Time  `json:"publishedAt,omitempty"`
	EditedAt     *time.Time  `json:"editedAt,omitempty"`
	ReceivedAt   *time.Time  `json:"receivedAt,omitempty"`
}

type authorJSON struct {
	Name   string `json:"name,omitempty"`
	Handle string `json:"handle"`
	URL    string `json:"url,omitempty"`
}

// replyJSON tells a reply. Of what it answers it gives a number of ours and never
// the address, which may name the author of what is hidden.
func (a *API) replyJSON(con participation.Consultation, r participation.NumberedReply) replyJSON {
	if r.Standing != participation.Shown {
		return replyJSON{Number: r.Place, Hidden: true, Reason: r.Reason, ReceivedAt: moment(r.Received)}
	}
	j := replyJSON{
		Number: r.Place, ID: r.ID, URL: r.URL, Page: fmt.Sprintf("%s/replies/%d#%s", a.URLs.Page(con.Slug), r.Reply.Number, r.Anchor()), Author: &authorJSON{r.Author.Name, r.Author.Handle, r.Author.URL}, HTML: r.HTML, Language: r.Language,
		Images: r.Images, AnswersReply: r.Answers, PublishedAt: moment(r.Published), EditedAt: moment(r.Updated), ReceivedAt: moment(r.Received),
	}
	if post, ours := strings.CutPrefix(r.Parent, a.URLs.Object("")); ours && post != r.Consultation {
		j.AnswersPost = post
	}
	return j
}

func (a *API) replies(c echo.Context) error {
	q, ctx := read(c), c.Request().Context()
	after := q.number("after", 0, 1<<53, 0, "give the number of a reply")
	limit := q.limit()
	if err := q.done(); err != nil {
		return err
	}
	con, err := a.public(c)
	if err != nil {
		return err
	}
	found, err := a.Service.RepliesFrom(ctx, con.Number, after, limit+1)
	if err != nil {
		return err
	}
	v := struct {
		Replies []replyJSON `json:"replies"`
		Next    string      `json:"next,omitempty"`
	}{Replies: []replyJSON{}}
	for i, r := range found {
		if i == limit {
			v.Next = a.with(c, q, "after", strconv.FormatInt(found[i-1].Place, 10))
			break
		}
		v.Replies = append(v.Replies, a.replyJSON(con, r))
	}
	return a.answer(c, v, v.Next)
}

type postJSON struct {
	ID           string                 `json:"id"`
	Object       string                 `json:"object"`
	Page         string                 `json:"page"`
	Kind         participation.PostKind `json:"kind"`
	Language     string                 `json:"language"`
	HTML         string                 `json:"html"`
	AnswersReply int64                  `json:"answersReply,omitempty"`
	PublishedAt  time.Time              `json:"publishedAt"`
}

func (a *API) postJSON(ctx context.Context, con participation.Consultation, p participation.Post) (postJSON, error) {
	j := postJSON{
		ID: p.ID, Object: a.URLs.Object(p.ID), Page: a.URLs.PostPage(con.Slug, p.ID), Kind: p.Kind, Language: p.Language, HTML: p.HTML,
		PublishedAt: p.Published.UTC(),
	}
	if p.Kind == participation.Answer {
		r, err := a.Service.Reply(ctx, p.InReplyTo)
		if err != nil && !notFound(err) {
			return j, err
		}
		j.AnswersReply = r.Place
	}
	return j, nil
}

// posts lists what the municipality wrote; copies of the log for other servers'
// archives are no words to anybody.
func (a *API) posts(c echo.Context) error {
	q, ctx := read(c), c.Request().Context()
	after, limit := q.text("after"), q.limit()
	con, err := a.public(c)
	if err != nil {
		return err
	}
	found, err := a.Service.Posts(ctx, con.ID)
	if err != nil {
		return err
	}
	found = slices.DeleteFunc(found, func(p participation.Post) bool { return p.Kind == participation.CheckpointPost })
	if after != "" {
		i := slices.IndexFunc(found, func(p participation.Post) bool { return p.ID == after })
		if i < 0 {
			q.refuse("after", "there is no such post here; begin without it")
		}
		found = found[i+1:]
	}
	if err := q.done(); err != nil {
		return err
	}
	v := struct {
		Posts []postJSON `json:"posts"`
		Next  string     `json:"next,omitempty"`
	}{Posts: []postJSON{}}
	for i, p := range found {
		if i == limit {
			v.Next = a.with(c, q, "after", found[i-1].ID)
			break
		}
		j, err := a.postJSON(ctx, con, p)
		if err != nil {
			return err
		}
		v.Posts = append(v.Posts, j)
	}
	return a.answer(c, v, v.Next)
}
