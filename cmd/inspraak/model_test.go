package main

import (
	"fmt"
	"maps"
	"math/bits"

	"inspraak/participation"
	"inspraak/simulation"
)

// An outcome is all that a stream of deeds leaves to be seen after closing.
type outcome struct {
	Polls     [2]pollOutcome
	Replies   map[string]string // text by name, such as "0/1": of account 0, the second
	Followers int
}

type pollOutcome struct {
	Turnout       int
	Counts        [options]int
	Likes, Boosts int
	Refused       map[participation.Outcome]int
}

// withoutRefused is an outcome without the numbers of what was not counted,
// which rise when the same refused vote comes twice.
func (o outcome) withoutRefused() outcome {
	for i := range o.Polls {
		o.Polls[i].Refused = nil
	}
	return o
}

// A model says what should be counted, in a few maps and without any time,
// signature or database.
type model struct {
	quit      map[int]bool
	buried    map[string]bool // "ACCOUNT OBJECT", deleted before or after it came
	marks     [2]map[int]map[string]uint
	withdrawn [2]map[int]map[string]bool
	replies   map[string]int // version by name
	parents   map[string]int // poll by name of a reply that is here
	likes     [2]map[int]bool
	boosts    [2]map[int]bool
	followers map[int]bool
	refused   [2]map[participation.Outcome]int
}

func newModel() *model {
	m := &model{quit: map[int]bool{}, buried: map[string]bool{}, replies: map[string]int{}, parents: map[string]int{}, followers: map[int]bool{}}
	for i := range 2 {
		m.marks[i], m.withdrawn[i] = map[int]map[string]uint{}, map[int]map[string]bool{}
		m.likes[i], m.boosts[i], m.refused[i] = map[int]bool{}, map[int]bool{}, map[participation.Outcome]int{}
		for a := range citizens {
			m.marks[i][a], m.withdrawn[i][a] = map[string]uint{}, map[string]bool{}
		}
	}
	return m
}

// modelled is the outcome of a stream.
func modelled(stream []step) outcome {
	m := newModel()
	for _, s := range stream {
		m.do(s.deed)
	}
	return m.outcome()
}

// do lets one deed happen and tells whether it was accepted for what it is:
// not refused, not too early, not about something that is not here.
func (m *model) do(d deed) bool {
	if m.quit[d.actor] {
		return false
	}
	reply := fmt.Sprintf("%d/%d", d.actor, d.object)
	switch d.kind {
	case "vote":
		return m.vote(d)
	case "unvote":
		m.unvote(d.actor, d.poll, d.objects()[0])
	case "reply":
		poll := d.poll
		if d.parent >= 0 {
			var here bool
			if poll, here = m.parents[fmt.Sprintf("%d/0", d.parent)]; !here {
				return false
			}
		}
		switch _, here := m.replies[reply]; {
		case m.buried[reply]:
			return false
		case d.to == simulation.FollowersOnly:
			m.refused[poll][participation.Private]++
			return false
		case d.to == simulation.Direct: // a message to the channel, no reply
			return false
		case !here:
			m.replies[reply], m.parents[reply] = 0, poll
		}
	case "edit":
		version, here := m.replies[reply]
		switch {
		case !here:
			return false
		case d.to == simulation.Direct, d.to == simulation.FollowersOnly:
			m.unreply(reply)
		case d.edit > version:
			m.replies[reply] = d.edit
		}
	case "unreply":
		m.unreply(reply)
	case "follow":
		m.followers[d.actor] = true
	case "unfollow":
		delete(m.followers, d.actor)
	case "like":
		m.likes[d.poll][d.actor] = true
	case "unlike":
		delete(m.likes[d.poll], d.actor)
	case "boost":
		m.boosts[d.poll][d.actor] = true
	case "unboost":
		delete(m.boosts[d.poll], d.actor)
	case "quit":
		m.leave(d.actor)
	}
	return true
}

// vote counts the options that a vote names: the first of a single choice, each
// of a multiple choice once; nothing of an object that was deleted.
func (m *model) vote(d deed) bool {
	counted := false
	objects := d.objects()
	for i, option := range d.marks() {
		object, bit := objects[i], uint(1)<<option
		marks, refused := m.marks[d.poll][d.actor], m.refused[d.poll]
		chosen := m.chosen(d.poll, d.actor)
		switch {
		case option == options:
			refused[participation.UnknownOption]++
		case m.withdrawn[d.poll][d.actor][object]: // known to be gone: no trace
		case marks[object]&bit != 0: // a retransmission
			counted = true
		case m.buried[fmt.Sprintf("%d %s", d.actor, object)]:
			refused[participation.Revoked]++
		case chosen&bit != 0, d.poll == 0 && chosen != 0:
			refused[participation.Repeated]++
		default:
			marks[object] |= bit
			counted = true
		}
	}
	return counted
}

// chosen are the options that an account's ballot counts for.
func (m *model) chosen(poll, actor int) (options uint) {
	for _, bits := range m.marks[poll][actor] {
		options |= bits
	}
	return options
}

func (m *model) unvote(actor, poll int, object string) {
	if m.marks[poll][actor][object] == 0 {
		if !m.withdrawn[poll][actor][object] {
			m.buried[fmt.Sprintf("%d %s", actor, object)] = true
		}
		return
	}
	delete(m.marks[poll][actor], object)
	m.withdrawn[poll][actor][object] = true
	if m.chosen(poll, actor) == 0 {
		m.refused[poll][participation.Withdrawals]++
	}
}

func (m *model) unreply(reply string) {
	delete(m.replies, reply)
	delete(m.parents, reply)
	m.buried[reply] = true
}

func (m *model) leave(actor int) {
	m.quit[actor] = true
	delete(m.followers, actor)
	for i := range 2 {
		delete(m.likes[i], actor)
		delete(m.boosts[i], actor)
		if m.chosen(i, actor) != 0 {
			m.refused[i][participation.Withdrawals]++
		}
		m.marks[i][actor] = nil
	}
	for i := range replies {
		m.unreply(fmt.Sprintf("%d/%d", actor, i))
	}
}

func (m *model) outcome() outcome {
	o := outcome{Replies: map[string]string{}, Followers: len(m.followers)}
	for name, version := range m.replies {
		o.Replies[name] = wording(version)
	}
	for i := range o.Polls {
		o.Polls[i] = pollOutcome{Likes: len(m.likes[i]), Boosts: len(m.boosts[i]), Refused: maps.Clone(m.refused[i])}
		for a := range citizens {
			chosen := m.chosen(i, a)
			o.Polls[i].Turnout += min(bits.OnesCount(chosen), 1)
			for option := range options {
				o.Polls[i].Counts[option] += int(chosen >> option & 1)
			}
		}
	}
	return o
}
