package handlers

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"inspraak/participation"
)

const (
	threadsPage = 50 // conversations on one page,
	threadMost  = 5  // with so many replies of each
	threadPage  = 50 // replies on one page of a single conversation
	newestFew   = 5  // replies on the page of the question
)

type repliesView struct {
	head
	Order   []orderLink
	Replies int // shown ones
	Hidden  int
	Reasons []reason
	Thread  []*threadItem
	pager
}

type orderLink struct {
	Name, URL string
	Current   bool
}

type reason = counted[string]

// pager leads through pages. Pages is 0 where there is only one.
type pager struct {
	Number, Pages  int
	Previous, Next string
}

// page reads which of so many pages is asked for: the nearest there is. link is
// the address of one.
func pages(asked string, most int, link func(n int) string) (p pager) {
	p.Number, p.Pages = 1, max(1, most)
	if n, err := strconv.Atoi(asked); err == nil {
		p.Number = min(max(n, 1), p.Pages)
	}
	if p.Number > 1 {
		p.Previous = link(p.Number - 1)
	}
	if p.Number < p.Pages {
		p.Next = link(p.Number + 1)
	}
	return p
}

// replies shows the conversations under a question, newest or oldest first or at
// random. A random order has a seed in its address; without one the visitor is
// sent on to a new one.
func (h *handler) replies(c echo.Context) error {
	ctx := c.Request().Context()
	about, con, channel, r, err := h.begin(c, "replies.title")
	if err != nil {
		return err
	}
	if about.Withdrawn {
		return h.withdrawn(c, about, con)
	}
	order, seed, query := participation.Order(c.QueryParam("order")), uint64(0), ""
	switch order {
	case participation.Oldest:
		query = "order=oldest&"
	case participation.Random:
		if seed, err = strconv.ParseUint(c.QueryParam("seed"), 10, 32); err != nil {
			c.Response().Header().Set("Cache-Control", noStore)
			return c.Redirect(http.StatusFound, about.Page.To(fmt.Sprintf("%s/replies?order=random&seed=%d", about.base, rand.Uint32())))
		}
		query = fmt.Sprintf("order=random&seed=%d&", seed)
	default:
		order = participation.Newest
	}
	v := repliesView{head: about, Replies: r.Replies}
	v.Page.Description = h.Site.Text(v.Page.Lang, "replies.in-short", "Title", con.Title)
	v.Page.Hidden = order != participation.Newest // the same in another order is no other page to a search engine
	for _, o := range []participation.Order{participation.Newest, participation.Oldest, participation.Random} {
		path := about.base + "/replies?order=" + string(o)
		if o == participation.Newest {
			path = about.base + "/replies"
		}
		v.Order = append(v.Order, orderLink{string(o), v.Page.To(path), o == order})
	}
	last, err := h.Service.LastConversation(ctx, con.Number)
	if err != nil {
		return err
	}
	v.pager = pages(c.QueryParam("page"), (int(last)+threadsPage-1)/threadsPage, func(n int) string {
		return v.Page.To(about.base + "/replies?" + query + "page=" + strconv.Itoa(n))
	})
	found, err := h.Service.Conversations(ctx, con.Number, order.Page(last, uint32(seed), threadsPage, (v.Number-1)*threadsPage), threadMost)
	if err != nil {
		return err
	}
	if v.Thread, err = h.conversations(ctx, about, con, channel, found); err != nil {
		return err
	}
	hidden, err := h.Service.HiddenReplies(ctx, con.Number)
	if err != nil {
		return err
	}
	v.Reasons = byNumber(hidden)
	for _, r := range v.Reasons {
		v.Hidden += r.N
	}
	return h.html(c, http.StatusOK, "replies", v.Page, v)
}

// conversations makes trees of the beginnings of conversations, in their order.
func (h *handler) conversations(ctx context.Context, about head, c participation.Consultation, channel participation.Channel,
	found []participation.Conversation) (all []*threadItem, err error) {
	var replies []participation.Reply
	place := map[string]int{} // of the conversation of a reply
	for i, conversation := range found {
		for _, r := range conversation.Replies {
			replies, place[r.ID] = append(replies, r), i
		}
	}
	items, err := h.items(ctx, about, c, channel, replies)
	if err != nil {
		return nil, err
	}
	fill(items, "")
	each := make([][]*threadItem, len(found))
	for _, i := range items {
		of := i.address
		if i.Official {
			of = i.parent
		}
		each[place[of]] = append(each[place[of]], i)
	}
	for i, conversation := range found {
		roots := threads(each[i]) // none if its last reply has just gone
		if more := conversation.Total - len(conversation.Replies); more > 0 && len(roots) > 0 {
			last := roots[len(roots)-1]
			last.More, last.MoreURL = more, about.Page.To(fmt.Sprintf("%s/replies/%d", about.base, conversation.Replies[0].Number))
		}
		all = append(all, roots...)
	}
	return all, nil
}

// items are replies, and what the municipality answered to them.
func (h *handler) items(ctx context.Context, about head, c participation.Consultation, channel participation.Channel, replies []participation.Reply) (items []*threadItem, err error) {
	ids := make([]string, len(replies))
	for i, r := range replies {
		items, ids[i] = append(items, h.replyItem(about, r, c)), r.ID
	}
	answers, err := h.Service.Answers(ctx, ids)
	for _, p := range answers {
		items = append(items, h.answerItem(about, p, c, channel))
	}
	return items, err
}

// newest are the last few replies, each with the municipality's answer.
func (h *handler) newest(ctx context.Context, about head, c participation.Consultation, channel participation.Channel) ([]*threadItem, error) {
	replies, err := h.Service.Replies(ctx, participation.ReplyFilter{Consultation: c.ID, Newest: true, Limit: newestFew})
	if err != nil {
		return nil, err
	}
	var all []*threadItem
	for _, r := range replies {
		items, err := h.items(ctx, about, c, channel, []participation.Reply{r})
		if err != nil {
			return nil, err
		}
		fill(items, "")
		all = append(all, threads(items)...)
	}
	return all, nil
}

// conversation shows one conversation, page by page, from the page on which the
// reply in the address stands, and that reply whole.
func (h *handler) conversation(c echo.Context) error {
	ctx := c.Request().Context()
	about, con, channel, _, err := h.begin(c, "replies.conversation")
	if err != nil {
		return err
	}
	if about.Withdrawn {
		return h.withdrawn(c, about, con)
	}
	number, err := strconv.ParseInt(c.Param("number"), 10, 64)
	if err != nil {
		return fmt.Errorf("reply %q: %w", c.Param("number"), participation.ErrNotFound)
	}
	offset := -1
	if n, err := strconv.Atoi(c.QueryParam("page")); err == nil && n > 0 && n < 1<<20 {
		offset = (n - 1) * threadPage
	}
	found, first, err := h.Service.Conversation(ctx, con.Number, number, threadPage, offset)
	if err != nil {
		return err
	}
	v := repliesView{head: about}
	v.Page.Description = h.Site.Text(v.Page.Lang, "replies.in-short", "Title", con.Title)
	v.Page.Hidden = true // the page of all replies is what to find
	v.pager = pages(strconv.Itoa(first/threadPage+1), (found.Total+threadPage-1)/threadPage, func(n int) string {
		return v.Page.To(fmt.Sprintf("%s/replies/%d?page=%d", about.base, number, n))
	})
	items, err := h.items(ctx, about, con, channel, found.Replies)
	if err != nil {
		return err
	}
	fill(items, fmt.Sprintf("reply-%d", number))
	v.Thread = threads(items)
	return h.html(c, http.StatusOK, "conversation", v.Page, v)
}
