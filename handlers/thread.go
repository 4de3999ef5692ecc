package handlers

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"inspraak/participation"
	"inspraak/web"
)

const maxIndent = 4 // deeper replies are shown at this depth, with whom they answer

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
	Whole                                     string // where to read all of it; empty: Body is all
	Images                                    int
	Children                                  []*threadItem
	More                                      int    // replies of its conversation that are not here
	MoreURL                                   string // where they are

	order           time.Time
	address, parent string // what others name as what they answer; what it answers
	words, page     string // all of it, and where that can be read
}

func (h *handler) postView(p page, c participation.Consultation, channel participation.Channel, post participation.Post) postView {
	return postView{
		ID: post.ID, URL: p.To("/consultations/" + c.Slug + "/posts/" + post.ID), Lang: post.Language,
		From: channel.Title, Kind: post.Kind, At: h.local(post.Published, c.Zone), Body: web.HTML(post.HTML),
	}
}

func sortByTime(posts []postView) {
	slices.SortStableFunc(posts, func(a, b postView) int { return a.At.Compare(b.At) })
}

func (h *handler) replyItem(about head, r participation.Reply, c participation.Consultation) *threadItem {
	i := &threadItem{Anchor: r.Anchor(), order: r.Received, address: r.ID, parent: r.Parent}
	if r.Standing == participation.Hidden { // no name either: the reason should blame words, not a person
		i.Hidden, i.Reason = true, r.Reason
		return i
	}
	i.Name, i.Handle, i.URL, i.Lang = r.Author.Name, r.Author.Handle, r.URL, r.Language
	if i.Name == "" {
		i.Name = r.Author.Handle
	}
	i.words, i.Images, i.At = r.HTML, r.Images, h.local(r.Published, c.Zone)
	i.page = about.replyURL(r)
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

// replyURL is where the site shows all of a reply, among what was said around it.
func (v head) replyURL(r participation.Reply) string {
	return v.Page.To(fmt.Sprintf("%s/replies/%d#reply-%d", v.base, r.Number, r.Number))
}

func (h *handler) answerItem(about head, p participation.Post, c participation.Consultation, channel participation.Channel) *threadItem {
	view := h.postView(about.Page, c, channel, p)
	return &threadItem{
		Anchor: "post-" + p.ID, Official: true, Kind: p.Kind, Name: channel.Title, NameLang: channel.Language,
		URL: view.URL, Lang: p.Language, At: view.At, words: p.HTML, page: view.URL,
		order: p.Published, address: h.URLs.Object(p.ID), parent: p.InReplyTo,
	}
}

// maxWords bounds how much of what people wrote one page holds, in bytes of HTML.
const maxWords = 64 << 10

// fill puts the words of all items in: cut short as far as they do not fit on a
// page together, long ones first, but for those of the item named whole.
func fill(items []*threadItem, whole string) {
	most := 2000
	for _, shorter := range []int{2000, 1000, 500, 300, 200} {
		most = shorter
		sum := 0
		for _, i := range items {
			sum += min(len(i.words), most)
		}
		if sum <= maxWords {
			break
		}
	}
	for _, i := range items {
		words, cut := i.words, false
		if i.Anchor != whole {
			if words, cut = participation.Shortened(words, most); cut {
				i.Whole = i.page
			}
		}
		i.Body = web.HTML(softenMentions(words))
	}
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
