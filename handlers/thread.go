package handlers

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"time"

	"inspraak/participation"
	"inspraak/web"
)

const (
	maxIndent   = 4  // deeper replies are shown at this depth, with whom they answer
	threadsPage = 50 // conversations on one page
)

// postView is a message of the municipality.
type postView struct {
	ID, URL, Lang, From string
	Kind                participation.PostKind
	At                  time.Time
	Body                web.HTML
}

// threadItem is a reply, or an official answer among them.
type threadItem struct {
	Anchor, Name, NameLang, Handle, URL, Lang string
	Official, Hidden, Edited                  bool
	AfterClosing                              bool // it came when voting was over
	Kind                                      participation.PostKind
	Reason                                    string
	To                                        string // whom it answers, where the indent does not show it
	At, EditedAt                              time.Time
	Body                                      web.HTML
	Images                                    int
	Children                                  []*threadItem

	order   time.Time
	address string // what others name as what they answer
	parent  string
}

func (h *handler) postView(p page, c participation.Consultation, channel participation.Channel, post participation.Post) postView {
	return postView{
		ID: post.ID, URL: p.To("/consultations/" + c.Slug + "/posts/" + post.ID), Lang: post.Language,
		From: channel.Title, Kind: post.Kind, At: h.local(post.Published, c.Zone), Body: web.HTML(post.HTML),
	}
}

// addThread adds replies and posts: notices and corrections on top, results at
// the numbers, answers where the citizen asked.
func (h *handler) addThread(ctx context.Context, v *consultationView, c participation.Consultation, channel participation.Channel, number string) error {
	posts, err := h.Service.Posts(ctx, c.ID)
	if err != nil {
		return err
	}
	replies, err := h.Service.Replies(ctx, participation.ReplyFilter{Consultation: c.ID, All: true})
	if err != nil {
		return err
	}
	var items []*threadItem
	for _, r := range replies {
		items = append(items, h.replyItem(r, c))
		if r.Standing == participation.Hidden {
			v.Hidden++
		}
	}
	for _, post := range posts {
		view := h.postView(v.Page, c, channel, post)
		switch post.Kind {
		case participation.Notice, participation.Erratum:
			v.Notices = append(v.Notices, view)
		case participation.CheckpointPost: // for other servers' archives, no word to citizens
		case participation.Closing:
			v.Results = append(v.Results, view)
		default:
			items = append(items, &threadItem{
				Anchor: "post-" + post.ID, Official: true, Kind: post.Kind, Name: channel.Title, NameLang: channel.Language,
				URL: view.URL, Lang: post.Language, At: view.At, Body: view.Body,
				order: post.Published, address: h.URLs.Object(post.ID), parent: post.InReplyTo,
			})
		}
	}
	roots := threads(items)
	n, pages := 1, max(1, (len(roots)+threadsPage-1)/threadsPage)
	if asked, err := strconv.Atoi(number); err == nil {
		n = min(max(asked, 1), pages)
	}
	v.Thread = roots[min((n-1)*threadsPage, len(roots)):min(n*threadsPage, len(roots))]
	link := func(n int) string {
		return v.Page.To("/consultations/" + c.Slug + "?page=" + strconv.Itoa(n) + "#replies")
	}
	if n > 1 {
		v.Previous = link(n - 1)
	}
	if n < pages {
		v.Next = link(n + 1)
	}
	return nil
}

func (h *handler) replyItem(r participation.Reply, c participation.Consultation) *threadItem {
	i := &threadItem{
		Anchor: r.Anchor(), order: r.Received, address: r.ID, parent: r.Parent,
	}
	if r.Standing == participation.Hidden { // no name either: the reason should blame words, not a person
		i.Hidden, i.Reason = true, r.Reason
		return i
	}
	i.Name, i.Handle, i.URL, i.Lang = r.Author.Name, r.Author.Handle, r.URL, r.Language
	if i.Name == "" {
		i.Name = r.Author.Handle
	}
	i.Body, i.Images, i.At = web.HTML(softenMentions(r.HTML)), r.Images, h.local(r.Published, c.Zone)
	end := c.ClosesAt
	if !c.ClosedAt.IsZero() {
		end = c.ClosedAt
	}
	i.AfterClosing = r.Received.After(end)
	if !r.Updated.IsZero() {
		i.Edited, i.EditedAt = true, h.local(r.Updated, c.Zone)
	}
	return i
}

// leadingMentions are the names that apps put before the words of a reply: links
// that read "@name", or "@name@host" as plain text.
var leadingMentions = regexp.MustCompile(`^(<p>)?((?:(?:<a href="[^"<>]*" rel="[^"<>]*">@[^<>]*</a>|@[\w.-]+@[\w.:-]+)\s+)+)`)

// softenMentions marks them, so that the style sheet can let the words come
// first. Nothing is left out: a name may be part of the sentence.
func softenMentions(safe string) string {
	return leadingMentions.ReplaceAllString(safe, `$1<span class="mention">$2</span>`)
}

// threads makes trees of the items, oldest first. An item whose parent is not
// here begins one; so does the first of a circle, which no honest server makes.
func threads(items []*threadItem) (roots []*threadItem) {
	slices.SortStableFunc(items, func(a, b *threadItem) int { return a.order.Compare(b.order) })
	known := make(map[string]*threadItem, len(items))
	for _, i := range items {
		known[i.address] = i
	}
	children := map[*threadItem][]*threadItem{}
	var first []*threadItem
	for _, i := range items {
		if parent := known[i.parent]; parent != nil && parent != i {
			children[parent] = append(children[parent], i)
		} else {
			first = append(first, i)
		}
	}
	placed := make(map[*threadItem]bool, len(items))
	var place func(i *threadItem, list *[]*threadItem, depth int)
	place = func(i *threadItem, list *[]*threadItem, depth int) {
		if placed[i] {
			return
		}
		placed[i] = true
		*list = append(*list, i)
		into := &i.Children
		if depth == maxIndent {
			into = list
		}
		for _, child := range children[i] {
			if depth == maxIndent && !i.Hidden {
				child.To = i.Name
			}
			place(child, into, min(depth+1, maxIndent))
		}
	}
	for _, i := range append(first, items...) { // the rest are circles
		place(i, &roots, 0)
	}
	return roots
}
