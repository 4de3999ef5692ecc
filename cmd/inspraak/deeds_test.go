package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"pgregory.net/rapid"

	"inspraak/simulation"
)

// A deed is one thing that an account does to the consultations of a world,
// told by small numbers, so that the same deed is always the same signed bytes.
type deed struct {
	kind   string
	actor  int
	poll   int  // 0: one choice, 1: several
	object int  // which of the account's vote objects or replies
	names  uint // of a vote: bit i set for option i, bit 3 for a name that no option has
	part   bool // of a vote: one of several that could have been sent together
	to     simulation.Audience
	edit   int // of an edit: later ones have higher numbers
	parent int // of a reply: the account whose reply it answers, or -1
}

func (d deed) String() string {
	switch d.kind {
	case "vote":
		return fmt.Sprintf("%d votes %04b in %d by object %d", d.actor, d.names, d.poll, d.object)
	case "reply":
		return fmt.Sprintf("%d replies %d in %d to %d, audience %d", d.actor, d.object, d.poll, d.parent, d.to)
	case "edit":
		return fmt.Sprintf("%d edits reply %d, version %d, audience %d", d.actor, d.object, d.edit, d.to)
	case "unvote", "unreply":
		return fmt.Sprintf("%d: %s of object %d in %d", d.actor, d.kind, d.object, d.poll)
	}
	return fmt.Sprintf("%d: %s %d in %d", d.actor, d.kind, d.object, d.poll)
}

// A step is a deed on its way to one of the two inboxes.
type step struct {
	deed
	personal bool
}

// The sizes of a world are small, so that deeds collide.
const (
	voteObjects = 3
	replies     = 2
	options     = 3 // and bit 3 for none of them
	citizens    = 8
)

// anyDeed draws a deed. Votes come most, for they are what counts.
func anyDeed() *rapid.Generator[deed] {
	kinds := []string{"vote", "vote", "vote", "vote", "vote", "unvote", "unvote", "reply", "reply", "edit", "unreply",
		"follow", "unfollow", "like", "unlike", "boost", "unboost", "quit"}
	return rapid.Custom(func(t *rapid.T) deed {
		d := deed{kind: rapid.SampledFrom(kinds).Draw(t, "kind"), actor: rapid.IntRange(0, citizens-1).Draw(t, "actor"),
			poll: rapid.IntRange(0, 1).Draw(t, "poll"), parent: -1}
		switch d.kind {
		case "vote":
			d.object = rapid.IntRange(0, voteObjects-1).Draw(t, "object")
			d.names = rapid.SampledFrom([]uint{1, 2, 4, 1, 2, 4, 3, 6, 7, 8, 9}).Draw(t, "names")
		case "unvote":
			d.object = rapid.IntRange(0, voteObjects-1).Draw(t, "object")
			d.names = rapid.SampledFrom([]uint{0, 0, 1, 2, 4}).Draw(t, "part")
			d.part = d.names != 0
		case "reply", "edit", "unreply":
			d.object = rapid.IntRange(0, replies-1).Draw(t, "reply")
			d.poll = d.object
			if d.kind != "unreply" {
				d.to = rapid.SampledFrom([]simulation.Audience{simulation.Public, simulation.Public, simulation.Unlisted, simulation.FollowersOnly, simulation.Direct}).Draw(t, "audience")
			}
			if d.kind == "edit" {
				d.edit = rapid.IntRange(1, 3).Draw(t, "edit")
			}
			if d.kind == "reply" && d.object == 1 && rapid.Bool().Draw(t, "nested") {
				d.parent = rapid.IntRange(0, citizens-1).Draw(t, "parent")
			}
		}
		return d
	})
}

// trick is what a hostile sender tries; none may have any effect.
type trick struct {
	name       string
	traced     bool // accepted and perhaps kept in mind, without any effect on a result
	neighbours bool // by account 1, about account 0
	make       func(w *world, d deed) *http.Request
}

func tricks() []trick {
	body := func(w *world, d deed) []byte { return w.body(deed{kind: "vote", actor: d.actor, names: 1}, false) }
	signed := func(who func(*world, deed) *simulation.Account, o simulation.SignOptions) func(*world, deed) *http.Request {
		return func(w *world, d deed) *http.Request { return w.sign(who(w, d), body(w, d), false, o) }
	}
	citizen := func(w *world, d deed) *simulation.Account { return w.citizens[d.actor] }
	neighbour := func(w *world, d deed) *simulation.Account { return w.citizens[(d.actor+1)%citizens] }
	eve := func(w *world, _ deed) *simulation.Account { return w.eve }
	byEve := func(change func(w *world, d deed, activity, object map[string]any)) func(*world, deed) *http.Request {
		return func(w *world, d deed) *http.Request {
			own := w.eve.VoteActivities(w.object(d.poll), w.channel, "Ja")[0]
			return w.sign(w.eve, altered(own, func(a, o map[string]any) { change(w, d, a, o) }), false, simulation.SignOptions{})
		}
	}
	return []trick{
		{"unsigned", false, false, signed(citizen, simulation.SignOptions{Unsigned: true})},
		{"another body", false, false, signed(citizen, simulation.SignOptions{TamperBody: []byte(`{"type":"Create"}`)})},
		{"too old", false, false, signed(citizen, simulation.SignOptions{DateOffset: -3 * time.Hour})},
		{"no digest", false, false, signed(citizen, simulation.SignOptions{OmitDigest: true, Headers: []string{"(request-target)", "host", "date"}})},
		{"an hmac", false, false, signed(citizen, simulation.SignOptions{HMAC: true})},
		{"a neighbour votes for him", false, false, signed(neighbour, simulation.SignOptions{})},
		{"eve votes for him", false, false, signed(eve, simulation.SignOptions{})},
		{"a blocked server", false, false, func(w *world, d deed) *http.Request {
			return w.sign(w.blocked, w.blocked.VoteActivities(w.object(d.poll), w.channel, "Ja")[0], false, simulation.SignOptions{})
		}},
		{"not attributed to her", false, false, byEve(func(w *world, d deed, _, o map[string]any) { o["attributedTo"] = w.citizens[d.actor].ID() })},
		{"on another host", false, false, byEve(func(w *world, d deed, _, o map[string]any) { o["id"] = w.voteID(d) })},
		{"deletes his vote", false, false, byEve(func(w *world, d deed, a, _ map[string]any) { a["type"], a["object"] = "Delete", w.voteID(d) })},
		{"deletes his account", false, false, byEve(func(w *world, d deed, a, _ map[string]any) {
			a["type"], a["object"] = "Delete", w.citizens[d.actor].ID()
		})},
		{"updates the question", false, false, byEve(func(w *world, d deed, a, o map[string]any) {
			a["type"], o["id"], o["type"] = "Update", w.object(d.poll), "Question"
		})},
		{"no object", false, false, byEve(func(_ *world, _ deed, a, _ map[string]any) { delete(a, "object") })},
		{"deep", false, false, byEve(func(_ *world, _ deed, a, _ map[string]any) {
			var deep any = 1
			for range 40 {
				deep = []any{deep}
			}
			a["x"] = deep
		})},
		{"an unknown type", true, false, byEve(func(_ *world, _ deed, a, _ map[string]any) { a["type"] = "Dance" })},
		{"no such consultation", true, false, byEve(func(w *world, _ deed, _, o map[string]any) { o["inReplyTo"] = w.urls.Object("nothing") })},
		{"takes his like back", true, false, byEve(func(w *world, d deed, a, _ map[string]any) {
			a["type"], a["object"] = "Undo", map[string]any{"id": w.eve.ID() + "/likes/1", "type": "Like", "actor": w.eve.ID(), "object": w.object(d.poll)}
		})},
		{"a colleague deletes his vote", true, true, func(w *world, d deed) *http.Request {
			d.actor = 0 // citizens 0 and 1 are on one server
			return w.sign(w.citizens[1], w.deletion(w.citizens[1], w.voteID(d)), false, simulation.SignOptions{})
		}},
	}
}

// body is the activity of a deed, in the shape of its actor's server. In a
// renamed world the options have other names and another order.
func (w *world) body(d deed, renamed bool) []byte {
	who := w.citizens[d.actor]
	poll := d.poll
	if renamed {
		poll += 2
	}
	question := w.object(poll)
	undo := func(typ, id, object string) []byte {
		return w.activity(who, "Undo", id+"/undo", map[string]any{"id": id, "type": typ, "actor": who.ID(), "object": object})
	}
	like, boost := fmt.Sprint(who.ID(), "#likes/", d.poll), fmt.Sprint(who.ID(), "#boosts/", d.poll)
	switch d.kind {
	case "vote":
		return w.vote(who, d, question, w.names(poll))
	case "unvote":
		return w.deletion(who, w.voteID(d))
	case "unreply":
		return w.deletion(who, w.replyID(d.actor, d.object))
	case "quit":
		return w.activity(who, "Delete", who.ID()+"#delete", who.ID())
	case "reply", "edit":
		return w.reply(who, d, question)
	case "follow":
		return w.activity(who, "Follow", who.ID()+"#follow", w.channel)
	case "unfollow":
		return undo("Follow", who.ID()+"#follow", w.channel)
	case "like":
		return w.activity(who, "Like", like, question)
	case "unlike":
		return undo("Like", like, question)
	case "boost":
		return w.activity(who, "Announce", boost, question)
	case "unboost":
		return undo("Announce", boost, question)
	}
	panic("no deed: " + d.kind)
}

func (w *world) activity(who *simulation.Account, typ, id string, object any) []byte {
	return encoded(map[string]any{"@context": "https://www.w3.org/ns/activitystreams", "id": id, "type": typ,
		"actor": who.ID(), "to": []string{w.channel}, "object": object})
}

func (w *world) deletion(who *simulation.Account, id string) []byte {
	if who.Server().Kind() == simulation.GoToSocial || who.Server().Kind() == simulation.Akkoma { // by reference
		return w.activity(who, "Delete", id+"#delete", id)
	}
	return w.activity(who, "Delete", id+"#delete", map[string]any{"id": id, "type": "Tombstone"})
}

// objects are the names of the vote objects of a vote or of its deletion, in
// the order of the options. Those sent together differ by the option.
func (d deed) objects() (names []string) {
	name := fmt.Sprintf("%d-%d", d.poll, d.object)
	marks := d.marks()
	if len(marks) < 2 && !d.part {
		return []string{name}
	}
	for _, option := range marks {
		names = append(names, fmt.Sprintf("%s-%d", name, option))
	}
	return names
}

// voteID is the address of the first vote object of a deed.
func (w *world) voteID(d deed) string { return w.voteAt(d.actor, d.objects()[0]) }

func (w *world) voteAt(actor int, object string) string {
	return w.citizens[actor].ID() + "#votes/" + object
}

func (w *world) replyID(actor, object int) string {
	return fmt.Sprintf("%s/statuses/%d", w.citizens[actor].ID(), object)
}

// marks are the options that a vote names, in order.
func (d deed) marks() (options []int) {
	for i := range 4 {
		if d.names&(1<<i) != 0 {
			options = append(options, i)
		}
	}
	return options
}

// vote is a Create of one vote object, or of several that carry one option
// each: as GoToSocial once did, the ids differ by the option.
func (w *world) vote(who *simulation.Account, d deed, question string, names []string) []byte {
	one := func(option int, id string) map[string]any {
		var object map[string]any
		altered(who.VoteActivities(question, w.channel, names[option])[0], func(a, o map[string]any) {
			if object = o; o == nil {
				object = a["object"].([]any)[0].(map[string]any)
			}
		})
		object["id"] = w.voteAt(d.actor, id)
		return object
	}
	var objects []any
	ids := d.objects()
	for i, option := range d.marks() {
		objects = append(objects, one(option, ids[i]))
	}
	return altered(who.VoteActivities(question, w.channel, names[0])[0], func(a, _ map[string]any) {
		a["id"] = fmt.Sprint(w.voteID(d), "/activity/", d.names)
		if a["object"] = any(objects); len(objects) == 1 {
			a["object"] = objects[0]
		}
	})
}

// reply is the Create of a reply, or the Update of one.
func (w *world) reply(who *simulation.Account, d deed, question string) []byte {
	parent := question
	if d.parent >= 0 {
		parent = w.replyID(d.parent, 0)
	}
	return altered(who.ReplyActivity(parent, w.channel, "<p>"+wording(d.edit)+"</p>", d.to), func(a, o map[string]any) {
		o["id"] = w.replyID(d.actor, d.object)
		delete(o, "url")
		a["id"] = fmt.Sprint(o["id"], "#activity/", d.edit)
		if d.kind == "edit" {
			a["type"] = "Update"
			o["updated"] = w.start.Add(time.Duration(d.edit) * time.Second).Format(time.RFC3339)
		}
	})
}

// wording is the text of a version of a reply.
func wording(edit int) string { return "versie " + strings.Repeat("i", edit+1) }
