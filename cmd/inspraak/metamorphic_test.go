package main

import (
	"flag"
	"math/bits"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// TestMetamorphic sends random streams of signed activities to a node, as they
// are and changed in a way that must not matter, and compares what is published
// after closing with what the model says of the stream as it was. Each relation
// gets few streams, unless -rapid.checks asks for more. STREAM_LENGTH bounds the
// length of a stream, 60 if it is not set.
func TestMetamorphic(t *testing.T) {
	fewChecks(t, 4)
	w := newWorld(t)
	for _, relation := range []struct {
		name  string
		check func(*check)
	}{
		{"as it is", (*check).asItIs},
		{"sent again", (*check).sentAgain},
		{"in another order", (*check).anotherOrder},
		{"conflicting votes", (*check).conflicting},
		{"amid hostile requests", (*check).hostile},
		{"together or apart", (*check).apart},
		{"deleted before or after", (*check).deleted},
		{"killed", (*check).killed},
		{"killed while answering", (*check).killedWhileAnswering},
		{"options renamed", (*check).renamed},
		{"to the other inbox", (*check).otherInbox},
		{"restored from a backup", (*check).restored},
	} {
		t.Run(relation.name, func(t *testing.T) {
			w.t = t
			rapid.Check(t, func(rt *rapid.T) { relation.check(&check{rt, w}) })
		})
	}
}

// fewChecks sets how many cases rapid tries, if the command line does not say.
func fewChecks(t *testing.T, n int) {
	const name = "rapid.checks"
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	if given {
		return
	}
	before := flag.Lookup(name).Value.String()
	if err := flag.Set(name, strconv.Itoa(n)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flag.Set(name, before) })
}

// A check is one stream and what becomes of it.
type check struct {
	*rapid.T
	w *world
}

// stream draws a stream to either inbox.
func (c *check) stream() []step {
	most := 60
	if n, err := strconv.Atoi(os.Getenv("STREAM_LENGTH")); err == nil {
		most = n
	}
	most = max(most>>rapid.IntRange(0, 3).Draw(c.T, "shorter"), 2)
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
		return step{anyDeed().Draw(t, "deed"), rapid.Bool().Draw(t, "personal")}
	}), most/2, most).Draw(c.T, "stream")
}

func (c *check) begin() *life { return c.w.begin(c.T) }

// plainly is the outcome of a stream without any trouble.
func (c *check) plainly(stream []step) outcome {
	r := c.begin()
	r.send(stream...)
	return r.end()
}

func (c *check) same(with string, want, got outcome) {
	if !reflect.DeepEqual(want, got) {
		c.Fatalf("not the same as %s:\n%+v\n%+v", with, want, got)
	}
}

// at draws a place in a stream.
func (c *check) at(stream []step, name string) int {
	return rapid.IntRange(0, len(stream)).Draw(c.T, name)
}

// asItIs: the node counts what the model counts.
func (c *check) asItIs() {
	stream := c.stream()
	c.same("the model", modelled(stream), c.plainly(stream))
}

// sentAgain: what took effect once has no more effect when it comes again, at
// any later time. Left out are likes, boosts and follows, which may be taken
// back and given again.
func (c *check) sentAgain() {
	stream := c.stream()
	want := modelled(stream)
	m := newModel()
	var again []step
	var twice []step
	for _, s := range stream {
		twice = append(twice, s)
		switch s.kind {
		case "follow", "unfollow", "like", "unlike", "boost", "unboost":
			m.do(s.deed)
		default:
			if m.do(s.deed) && rapid.Bool().Draw(c.T, "again") {
				again = append(again, s)
			}
		}
		for len(again) > 0 && rapid.Bool().Draw(c.T, "now") {
			i := rapid.IntRange(0, len(again)-1).Draw(c.T, "which")
			twice = append(twice, again[i])
			again = slices.Delete(again, i, i+1)
		}
	}
	got := c.plainly(append(twice, again...))
	c.same("without repetitions", want.withoutRefused(), got.withoutRefused())
}

// anotherOrder: only the order of one account's deeds matters, and that a reply
// comes before what answers it.
func (c *check) anotherOrder() {
	stream := c.stream()
	want := modelled(stream)
	group := [citizens]int{0, 1, 2, 3, 4, 5, 6, 7}
	for _, s := range stream {
		if s.kind == "reply" && s.parent >= 0 { // the two stay in step
			from, to := group[s.actor], group[s.parent]
			for a := range group {
				if group[a] == from {
					group[a] = to
				}
			}
		}
	}
	queues := map[int][]step{}
	for _, s := range stream {
		queues[group[s.actor]] = append(queues[group[s.actor]], s)
	}
	var shuffled []step
	for range stream {
		var waiting []int
		for g := range citizens {
			if len(queues[g]) > 0 {
				waiting = append(waiting, g)
			}
		}
		g := rapid.SampledFrom(waiting).Draw(c.T, "next")
		shuffled = append(shuffled, queues[g][0])
		queues[g] = queues[g][1:]
	}
	c.same("in the first order", want, c.plainly(shuffled))
}

// conflicting: of an account's conflicting votes the first that is committed
// counts. In another order another may, but one vote per account it is, and
// one that was sent.
func (c *check) conflicting() {
	var votes []step
	for _, s := range c.stream() {
		if s.kind == "vote" && s.poll == 0 {
			votes = append(votes, s)
		}
	}
	want := modelled(votes)
	got := c.plainly(rapid.Permutation(votes).Draw(c.T, "order"))
	if got.Polls[0].Turnout != want.Polls[0].Turnout {
		c.Fatalf("%d voters, in another order %d", want.Polls[0].Turnout, got.Polls[0].Turnout)
	}
	sum := 0
	for option, n := range got.Polls[0].Counts {
		senders := map[int]bool{}
		for _, s := range votes {
			if s.names&(1<<option) != 0 {
				senders[s.actor] = true
			}
		}
		if sum += n; n > len(senders) {
			c.Fatalf("option %d has %d votes of %d who named it", option, n, len(senders))
		}
	}
	if sum != got.Polls[0].Turnout {
		c.Fatalf("%d votes by %d voters", sum, got.Polls[0].Turnout)
	}
}

// hostile: refused requests change nothing, in no table; and those that are
// accepted and mean nothing change no result.
func (c *check) hostile() {
	stream := c.stream()
	want := modelled(stream)
	r := c.begin()
	all := tricks()
	for _, s := range stream {
		r.send(s)
		if r.left(s.actor) || !rapid.Bool().Draw(c.T, "hostile") {
			continue
		}
		trick := all[rapid.IntRange(0, len(all)-1).Draw(c.T, "trick")]
		if trick.neighbours && (r.left(0) || r.left(1)) {
			continue
		}
		request := trick.make(c.w, deed{kind: "vote", actor: s.actor, poll: s.poll, object: 0, names: 1})
		before := c.fingerprint(r)
		body, status := c.w.answer(r.node.Handler, request)
		if (status == http.StatusAccepted) != trick.traced {
			c.Fatalf("%s: answered %d: %s", trick.name, status, body)
		}
		for table, after := range c.fingerprint(r) {
			if !trick.traced && before[table] != after {
				c.Fatalf("%s: refused, and table %s changed from %s to %s", trick.name, table, before[table], after)
			}
		}
	}
	c.same("without hostile requests", want, r.end())
}

// fingerprint is of what the node keeps, but for what it learns of other
// servers: the documents that it fetches for their keys, and how they sign.
func (c *check) fingerprint(r *life) map[string]string {
	f, err := r.node.DB.Fingerprint(c.w.t.Context())
	if err != nil {
		c.Fatal(err)
	}
	for _, learnt := range []string{"peer", "peer_key", "host_form"} {
		delete(f, learnt)
	}
	return f
}

// apart: several choices in one Create are as many Creates of one choice.
func (c *check) apart() {
	stream := c.stream()
	want := modelled(stream)
	var apart []step
	for _, s := range stream {
		if s.kind != "vote" || bits.OnesCount(s.names) < 2 {
			apart = append(apart, s)
			continue
		}
		for _, option := range s.marks() {
			one := s
			one.names, one.part = 1<<option, true
			apart = append(apart, one)
		}
	}
	c.same("together", want, c.plainly(apart))
}

// deleted: a Delete that comes before, after or instead of what it deletes ends
// in the same.
func (c *check) deleted() {
	stream := c.stream()
	var deeds []int // that can be deleted
	for i, s := range stream {
		if s.kind == "reply" || s.kind == "vote" && len(s.marks()) == 1 {
			deeds = append(deeds, i)
		}
	}
	if len(deeds) == 0 {
		c.Skip("nothing to delete")
	}
	i := rapid.SampledFrom(deeds).Draw(c.T, "deleted")
	deletion := stream[i]
	deletion.kind = map[string]string{"reply": "unreply", "vote": "unvote"}[stream[i].kind]
	deletion.to, deletion.edit, deletion.parent = 0, 0, -1
	if !deletion.part {
		deletion.names = 0
	}
	if rapid.IntRange(0, 3).Draw(c.T, "account") == 0 {
		deletion.kind, deletion.names, deletion.part = "quit", 0, false
	}
	around := func(middle ...step) []step { return slices.Concat(stream[:i], middle, stream[i+1:]) }
	want := modelled(around(stream[i], deletion)).withoutRefused()
	c.same("the model", want, c.plainly(around(stream[i], deletion)).withoutRefused())
	c.same("deleted before", want, c.plainly(around(deletion, stream[i])).withoutRefused())
	c.same("deleted instead", want, c.plainly(around(deletion)).withoutRefused())
}

// killed: a node that is killed between two activities, and starts on the files
// it left, lacks nothing.
func (c *check) killed() {
	stream := c.stream()
	want := modelled(stream)
	r := c.begin()
	for range rapid.IntRange(1, 3).Draw(c.T, "kills") {
		i := c.at(stream, "killed at")
		r.send(stream[:i]...)
		r.crash()
		stream = stream[i:]
	}
	r.send(stream...)
	c.same("without being killed", want, r.end())
}

// killedWhileAnswering: what was under way comes again, and counts once.
func (c *check) killedWhileAnswering() {
	stream := c.stream()
	want := modelled(stream)
	r := c.begin()
	i := rapid.IntRange(0, len(stream)-1).Draw(c.T, "killed at")
	r.send(stream[:i]...)
	r.crash(stream[i])
	r.send(stream[i+1:]...)
	c.same("without being killed", want.withoutRefused(), r.end().withoutRefused())
}

// renamed: other names of the options, in another order, are no other votes.
func (c *check) renamed() {
	stream := c.stream()
	want := modelled(stream)
	r := c.begin()
	r.renamed = true
	r.send(stream...)
	got := r.end()
	for i := range got.Polls {
		var counts [options]int
		for option, place := range turned() {
			counts[option] = got.Polls[i].Counts[place]
		}
		got.Polls[i].Counts = counts
	}
	c.same("under the first names", want, got)
}

// otherInbox: an account's own inbox and the shared one are the same door.
func (c *check) otherInbox() {
	stream := c.stream()
	want := modelled(stream)
	other := slices.Clone(stream)
	for i := range other {
		other[i].personal = !other[i].personal
	}
	c.same("at the first inboxes", want, c.plainly(other))
}

// restored: a node whose files are lost goes on with a backup, and the servers
// send again what they have sent since.
func (c *check) restored() {
	stream := c.stream()
	want := modelled(stream)
	saved := c.at(stream, "saved at")
	lost := saved + c.at(stream[saved:], "lost after")
	r := c.begin()
	r.send(stream[:saved]...)
	backup := filepath.Join(r.node.config.Data, "backup.db")
	if err := r.node.DB.Backup(c.w.t.Context(), backup); err != nil {
		c.Fatal(err)
	}
	r.send(stream[saved:lost]...)
	r.restore(backup)
	r.send(stream[saved:]...)
	c.same("without loss", want.withoutRefused(), r.end().withoutRefused())
}
