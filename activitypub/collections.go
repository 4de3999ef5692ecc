package activitypub

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"inspraak/activitypub/as2"
	"inspraak/participation"
)

const (
	pageSize   = 20   // members of one page
	maxContext = 1000 // members of a context; Mastodon fetches no more of a thread
	// maxEmbedded is the longest address listed inside a post: a page of them
	// keeps it far from the 64 KiB that Misskey reads.
	maxEmbedded = 500
)

// pageOf reads the page wanted: 0 for the collection itself.
func pageOf(query url.Values) (int, error) {
	if !query.Has("page") {
		return 0, nil
	}
	page, err := strconv.Atoi(query.Get("page"))
	if err != nil || page < 1 || page > 1_000_000 {
		return 0, errNoDocument
	}
	return page, nil
}

func pageAddress(collection string, page int) string {
	return collection + "?page=" + strconv.Itoa(page)
}

// channelCollection serves a channel's followers and following (their number
// only: who follows a municipality is nobody's business), its outbox, and its
// pins: the open consultations, by address, as Mastodon pins no embedded
// Question.
func (f *Federation) channelCollection(ctx context.Context, c participation.Channel, part string, query url.Values) (*as2.Collection, error) {
	all := &as2.Collection{ID: f.URLs.Actor(c.Name) + "/" + part, Type: "OrderedCollection"}
	switch part {
	case "followers":
		n, err := f.Store.Followers(ctx, c.Name)
		all.TotalItems = n
		return all, err
	case "following":
		return all, nil
	case "featured":
		open, err := f.Service.Consultations(ctx, participation.Filter{
			Channel: c.Name, Phases: []participation.Phase{participation.Open},
		})
		all.Items = []string{}
		for _, c := range open {
			all.Items = append(all.Items, f.URLs.Object(c.ID))
		}
		all.TotalItems = len(all.Items)
		return all, err
	case "outbox":
		return f.outbox(ctx, c, all, query)
	}
	return nil, errNoDocument
}

// outbox lists what a channel has published, newest first. What has been
// withdrawn since still counts, and is left out of its page.
func (f *Federation) outbox(ctx context.Context, c participation.Channel, all *as2.Collection, query url.Values) (*as2.Collection, error) {
	page, err := pageOf(query)
	if err != nil {
		return nil, err
	}
	if page == 0 {
		_, total, err := f.Store.Activities(ctx, c.Name, 1, 0)
		all.TotalItems, all.First = total, pageAddress(all.ID, 1)
		return all, err
	}
	bodies, total, err := f.Store.Activities(ctx, c.Name, pageSize, (page-1)*pageSize)
	if err != nil {
		return nil, err
	}
	one := &as2.Collection{
		ID: pageAddress(all.ID, page), Type: "OrderedCollectionPage", PartOf: all.ID, Documents: []json.RawMessage{},
	}
	for _, body := range bodies {
		standing, err := f.standing(ctx, body)
		if err != nil {
			return nil, err
		}
		if standing {
			one.Documents = append(one.Documents, body)
		}
	}
	if page > 1 {
		one.Prev = pageAddress(all.ID, page-1)
	}
	if page*pageSize < total {
		one.Next = pageAddress(all.ID, page+1)
	}
	return one, nil
}

// standing tells whether what an activity published has not been withdrawn.
func (f *Federation) standing(ctx context.Context, body []byte) (bool, error) {
	var activity struct {
		Object struct {
			ID string `json:"id"`
		} `json:"object"`
	}
	if err := json.Unmarshal(body, &activity); err != nil {
		return false, nil
	}
	id, found := strings.CutPrefix(activity.Object.ID, f.URLs.Object(""))
	if !found {
		return true, nil
	}
	c, err := f.Service.Consultation(ctx, id)
	if errors.Is(err, participation.ErrNotFound) {
		p, err := f.Service.Post(ctx, id)
		if errors.Is(err, participation.ErrNotFound) {
			return true, nil
		}
		if err == nil {
			c, err = f.threadOfPost(ctx, p)
		}
		return c.Phase != participation.Withdrawn, err
	}
	return c.Phase != participation.Withdrawn, err
}

// consultationCollection serves replies, likes, shares and context. Likes and
// shares give the number of the newest snapshot and no names.
func (f *Federation) consultationCollection(ctx context.Context, c participation.Consultation, part string, query url.Values) (*as2.Collection, error) {
	object := f.URLs.Object(c.ID)
	id := object + "/" + part
	switch part {
	case "likes", "shares":
		r, err := f.Service.Result(ctx, c.ID)
		total := r.Likes
		if part == "shares" {
			total = r.Boosts
		}
		return &as2.Collection{ID: id, Type: "Collection", TotalItems: total}, err
	case "context":
		// FEP-7888 and FEP-f228: the whole conversation, its root first.
		items, err := f.members(ctx, c, maxContext-1)
		items = append([]string{object}, items[:min(len(items), maxContext-1)]...)
		return &as2.Collection{
			ID: id, Type: "OrderedCollection", AttributedTo: f.URLs.Actor(c.Channel), TotalItems: len(items), Items: items,
		}, err
	case "replies":
		return f.replies(ctx, c, id, query)
	}
	return nil, errNoDocument
}

func (f *Federation) replies(ctx context.Context, c participation.Consultation, id string, query url.Values) (*as2.Collection, error) {
	page, err := pageOf(query)
	if err != nil {
		return nil, err
	}
	items, more, err := f.thread(ctx, c, max(page, 1))
	if err != nil {
		return nil, err
	}
	one := &as2.Collection{ID: pageAddress(id, max(page, 1)), Type: "CollectionPage", PartOf: id, Items: items}
	if more {
		one.Next = pageAddress(id, max(page, 1)+1)
	}
	if page > 1 {
		one.Prev = pageAddress(id, page-1)
	}
	if page > 0 {
		return one, nil
	}
	r, err := f.Service.Result(ctx, c.ID)
	return &as2.Collection{ID: id, Type: "Collection", TotalItems: r.Replies, FirstPage: one}, err
}

// thread lists one page of a consultation's replies, and tells whether there
// is another.
func (f *Federation) thread(ctx context.Context, c participation.Consultation, page int) (items []string, more bool, err error) {
	all, err := f.members(ctx, c, page*pageSize+1)
	if err != nil {
		return nil, false, err
	}
	from, to := min((page-1)*pageSize, len(all)), min(page*pageSize, len(all))
	return all[from:to], len(all) > to, nil
}

// members lists at least the first n answers to a consultation, if there are
// so many: replies that are shown, at any depth, and our own posts, by when
// they came. Leaving a hidden reply out is how moderation reaches other
// servers.
func (f *Federation) members(ctx context.Context, c participation.Consultation, n int) ([]string, error) {
	replies, err := f.Service.Replies(ctx, participation.ReplyFilter{Consultation: c.ID, Limit: n})
	if err != nil {
		return nil, err
	}
	posts, err := f.Service.Posts(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	type member struct {
		id string
		at time.Time
	}
	var all []member
	for _, r := range replies {
		if r.Standing == participation.Shown {
			all = append(all, member{r.ID, r.Received})
		}
	}
	for _, p := range posts {
		// Posts later than the last reply read belong to a later page.
		if len(replies) == n && p.Published.After(replies[n-1].Received) {
			continue
		}
		all = append(all, member{f.URLs.Object(p.ID), p.Published})
	}
	slices.SortStableFunc(all, func(a, b member) int {
		return cmp.Or(a.at.Compare(b.at), strings.Compare(a.id, b.id))
	})
	ids := make([]string, len(all))
	for i, m := range all {
		ids[i] = m.id
	}
	return ids, nil
}
