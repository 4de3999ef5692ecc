package simulation

import (
	"context"
	"errors"
	"html"
	"slices"
	"time"
)

// citizen is one member of the crowd and what he or she has done. Guarded by
// the Fediverse.
type citizen struct {
	account  *Account
	language string
	group    int // of three leanings
	busy     bool
	followed map[string]bool // channel
	voted    map[string]bool // consultation
	liked    map[string]bool // consultation
	replied  int
	asked    bool // for the code
	posts    []post
}

// post is a reply written by a citizen.
type post struct {
	id, text string
	edited   bool
}

// mostAsk is how many of the crowd ask for the code of their vote.
const mostAsk = 8

// consultation is what the crowd knows of a consultation.
type consultation struct {
	id, owner string
	topic     topic
	options   []string // none for an open question
	multiple  bool
	end       time.Time
	tastes    [][]float64
	unsaid    []int // indexes of replies nobody has given yet
}

// deed is one action, chosen and ready to be done.
type deed struct {
	who    *citizen
	action string
	object string
	text   string
	names  []string
}

// act chooses an action and does it.
func (f *Fediverse) act(ctx context.Context) {
	d, ok := f.choose()
	if !ok {
		return
	}
	a := d.who.account
	var id string
	var err error
	switch d.action {
	case "follow":
		_, err = a.Follow(ctx, d.object)
	case "vote":
		_, err = a.Vote(ctx, d.object, d.names...)
	case "reply", "answer":
		id, err = a.Reply(ctx, d.object, paragraph(d.text), Public)
	case "edit":
		_, err = a.Edit(ctx, d.object, paragraph(d.text+afterthought(d.who.language)))
	case "delete":
		_, err = a.Delete(ctx, d.object)
	case "like":
		_, err = a.Like(ctx, d.object)
	case "boost":
		_, err = a.Boost(ctx, d.object)
	case "message":
		_, err = a.Post(ctx, paragraph(privateMessage), Direct, d.object)
	case "ask":
		_, err = a.Message(ctx, d.object, d.text)
	case "flag":
		_, err = a.Flag(ctx, d.names, complaint)
	}
	f.mu.Lock()
	d.who.busy = false
	if err == nil && id != "" {
		d.who.posts = append(d.who.posts, post{id: id, text: d.text})
		f.replies = append(f.replies, id)
	}
	f.mu.Unlock()
	if ctx.Err() != nil || errors.Is(err, ErrPollEnded) || errors.Is(err, ErrUnsupported) {
		return // the end of the show, or a server's own refusal: the node had no part in it
	}
	f.over(a, d.action, d.object, err)
}

// paragraph makes HTML of a text.
func paragraph(s string) string { return "<p>" + html.EscapeString(s) + "</p>" }

// choose picks a citizen at rest and something sensible to do, and marks it as
// done. It gives up after some tries, when there is nothing left to do.
func (f *Fediverse) choose() (deed, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range 40 {
		who := f.citizens[f.random.IntN(len(f.citizens))]
		c := f.consultations[f.random.IntN(len(f.consultations))]
		if who.busy {
			continue
		}
		if d, ok := f.deedFor(who, c); ok {
			who.busy = true
			return d, true
		}
	}
	return deed{}, false
}

// deedFor picks what a citizen does about a consultation, if anything. The
// caller holds f.mu.
func (f *Fediverse) deedFor(who *citizen, c *consultation) (deed, bool) {
	d := deed{who: who}
	r := f.random.Float64()
	open := c.end.IsZero() || f.now().Before(c.end)
	switch {
	case !who.followed[c.owner] && r < 0.45:
		who.followed[c.owner] = true
		d.action, d.object = "follow", c.owner
	case len(c.options) > 0 && !who.voted[c.id] && open && r < 0.85:
		who.voted[c.id] = true
		d.action, d.object, d.names = "vote", c.id, f.preference(c, who.group)
	case len(c.unsaid) > 0 && who.language == c.topic.language && open && who.replied < 3 && r < 0.93:
		who.replied++
		d.action, d.object, d.text = "reply", c.id, c.topic.replies[c.unsaid[0]]
		c.unsaid = c.unsaid[1:]
	default:
		return f.gesture(d, c)
	}
	return d, true
}

// gesture picks one of the rarer actions. The caller holds f.mu.
func (f *Fediverse) gesture(d deed, c *consultation) (deed, bool) {
	who := d.who
	kind := who.account.server.kind
	r := f.random.Float64()
	switch {
	case r < 0.25 && len(f.replies) > 4 && who.language == c.topic.language && who.replied < 5:
		who.replied++
		d.action, d.object = "answer", f.replies[f.random.IntN(len(f.replies))]
		d.text = c.topic.answers[f.random.IntN(len(c.topic.answers))]
		if slices.ContainsFunc(who.posts, func(p post) bool { return p.id == d.object }) {
			return d, false // people do not answer themselves
		}
	case r < 0.55 && !who.liked[c.id] && kind != Tootik:
		who.liked[c.id] = true
		d.action, d.object = "like", c.id
	case r < 0.62 && !who.liked["boost "+c.id]:
		who.liked["boost "+c.id] = true
		d.action, d.object = "boost", c.id
	case r < 0.70 && len(who.posts) > 0 && kind != Misskey:
		p := &who.posts[0]
		if p.edited {
			return d, false
		}
		p.edited = true
		d.action, d.object, d.text = "edit", p.id, p.text
	case r < 0.72 && len(who.posts) > 1:
		d.action, d.object = "delete", who.posts[len(who.posts)-1].id
		who.posts = who.posts[:len(who.posts)-1]
		f.replies = slices.DeleteFunc(f.replies, func(id string) bool { return id == d.object })
	case r < 0.80 && !f.sent && who.followed[c.owner]:
		f.sent = true
		d.action, d.object = "message", c.owner
	case r < 0.86 && f.config.CodeWord != "" && f.asked < mostAsk && who.voted[c.id] && !who.asked:
		who.asked = true
		f.asked++
		d.action, d.object, d.text = "ask", c.owner, f.config.CodeWord
	case r < 0.90 && !f.flagged && len(f.replies) > 6 && kind == Mastodon:
		f.flagged = true
		reply := f.replies[f.random.IntN(len(f.replies))]
		d.action, d.object, d.names = "flag", reply, []string{c.owner, reply}
	default:
		return d, false
	}
	return d, true
}

// preference draws a vote by the leaning's taste: one option, or in a multiple
// choice each with its own chance, at least one. The caller holds f.mu.
func (f *Fediverse) preference(c *consultation, group int) []string {
	taste := c.tastes[group%len(c.tastes)]
	total := 0.0
	for _, w := range taste {
		total += w
	}
	if c.multiple {
		var names []string
		for i, name := range c.options {
			if f.random.Float64() < min(0.9, taste[i]/total*float64(len(taste))*0.45) {
				names = append(names, name)
			}
		}
		if len(names) > 0 {
			return names
		}
	}
	r := f.random.Float64() * total
	for i, w := range taste {
		if r -= w; r < 0 {
			return []string{c.options[i]}
		}
	}
	return []string{c.options[len(c.options)-1]}
}
