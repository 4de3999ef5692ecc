package handlers

import (
	"regexp"
	"time"

	"inspraak/participation"
	"inspraak/web"
)

// spoken is what citizens wrote and the municipality answered. A reply has a
// number and no name: a report goes into files that nobody can take back, and the
// words are what it is about. The conversation on the site has the names.
type spoken struct {
	Inline     bool // all below is here; else All is where it is
	All        string
	Shown      int
	Threads    []reportThread
	Unanswered []replyLink
	NoAnswer   int      // number of unanswered ones
	Unlisted   int      // those of them beyond Unanswered
	Orphans    int      // answers to replies that are no longer shown
	Hidden     []reason // by reason, most first
	HiddenSum  int
}

type reportThread struct {
	Number  int
	Replies []reportReply
}

type replyLink struct {
	Number int
	Anchor string
}

type reportReply struct {
	replyLink
	At                   time.Time
	To                   *replyLink // the reply it answers, if that is shown
	Lang                 string
	Body                 web.HTML
	Edited, AfterClosing bool
	Images               int
	Answers              []reportAnswer
}

type reportAnswer struct {
	Lang string
	At   time.Time
	Body web.HTML
}

// addSpoken groups replies by the conversation that each belongs to. Replies come
// in order of time, and so do conversations, and the replies in each.
func (h *handler) addSpoken(v *reportView, c participation.Consultation, replies []participation.Reply, posts []participation.Post) {
	parents, answers := map[string]string{}, map[string][]reportAnswer{}
	for _, r := range replies {
		parents[r.ID] = r.Parent
	}
	for _, p := range posts {
		parents[h.URLs.Object(p.ID)] = p.InReplyTo
		if p.Kind == participation.Answer {
			answers[p.InReplyTo] = append(answers[p.InReplyTo], reportAnswer{p.Language, h.local(p.Published, c.Zone), web.HTML(p.HTML)})
		}
	}
	end := c.ClosesAt
	if !c.ClosedAt.IsZero() {
		end = c.ClosedAt
	}
	conversation := roots{parents, map[string]string{}}
	v.Shown = 0 // the newest count may be a moment older
	hidden, links, thread := map[string]int{}, map[string]replyLink{}, map[string]int{}
	for _, r := range replies {
		if r.Standing != participation.Shown {
			hidden[r.Reason]++
			v.HiddenSum++
			continue
		}
		v.Shown++
		link := replyLink{v.Shown, r.Anchor()}
		links[r.ID] = link
		item := reportReply{replyLink: link, At: h.local(r.Published, c.Zone), Lang: r.Language, Body: web.HTML(withoutNames(r.HTML)),
			Edited: !r.Updated.IsZero(), AfterClosing: r.Received.After(end), Images: r.Images, Answers: answers[r.ID]}
		delete(answers, r.ID)
		if to, shown := links[r.Parent]; shown {
			item.To = &to
		}
		if len(item.Answers) == 0 {
			v.NoAnswer++
			if len(v.Unanswered) < maxListed {
				v.Unanswered = append(v.Unanswered, link)
			} else {
				v.Unlisted++
			}
		}
		root := conversation.of(r.ID)
		n, known := thread[root]
		if !known {
			n = len(v.Threads)
			thread[root] = n
			v.Threads = append(v.Threads, reportThread{Number: n + 1})
		}
		v.Threads[n].Replies = append(v.Threads[n].Replies, item)
	}
	for _, left := range answers {
		v.Orphans += len(left)
	}
	v.Hidden = byNumber(hidden)
}

// roots finds the first of the conversation that something stands in, and
// remembers what it has found.
type roots struct {
	parents map[string]string
	known   map[string]string
}

// of is the root of an address. A circle, which no honest server makes, has the one
// where it was entered.
func (r roots) of(address string) string {
	var path []string
	root := address
	for {
		if known, ok := r.known[root]; ok {
			root = known
			break
		}
		r.known[root] = root // until more is known; ends a walk in a circle
		path = append(path, root)
		parent, ours := r.parents[root]
		if _, here := r.parents[parent]; !ours || !here {
			break
		}
		root = parent
	}
	for _, at := range path {
		r.known[at] = root
	}
	return root
}

var (
	mentionLink = regexp.MustCompile(`<a [^<>]*>@[^<>]*</a>`)
	mentionText = regexp.MustCompile(`(^|[\s>(])@[\w.-]+@[\w.:-]*\w`)
)

// withoutNames takes the names of accounts out of the words of a reply: those that
// apps put before them go, others become "@…".
func withoutNames(safe string) string {
	safe = leadingMentions.ReplaceAllString(safe, "$1")
	safe = mentionLink.ReplaceAllString(safe, "@…")
	return mentionText.ReplaceAllString(safe, "$1@…")
}
