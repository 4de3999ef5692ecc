package simulation

import (
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Poll is the copy of a remote Question as one server keeps and shows it.
type Poll struct {
	Options  []Option
	Voters   int // votersCount; 0 where the kind ignores it
	Multiple bool
	EndTime  time.Time // as this server knows it, zero if it knows none
	Closed   bool      // an Update said so
	Expired  bool      // EndTime has passed by this server's clock
}

// Option is one choice and its tally.
type Option struct {
	Name  string
	Votes int
}

// poll is the stored copy.
type poll struct {
	names    []string
	tallies  []int
	voters   int
	multiple bool
	endTime  time.Time
	closed   bool
	endText  string              // endTime as sent
	voted    map[string][]string // own account id → names
	notified bool
}

// Poll returns the server's copy of a Question, after the Creates, Updates and
// Deletes it received and the fetches it made. Local votes raise the tally
// until the next Update overwrites it, as on real servers.
func (s *Server) Poll(question string) (Poll, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.polls[question]
	if p == nil {
		return Poll{}, false
	}
	out := Poll{Voters: p.voters, Multiple: p.multiple, EndTime: p.endTime, Closed: p.closed,
		Expired: !p.endTime.IsZero() && !s.now().Before(p.endTime)}
	for i, name := range p.names {
		out.Options = append(out.Options, Option{Name: name, Votes: p.tallies[i]})
	}
	return out, true
}

// Voted returns the options the named account chose in a poll, as the server
// remembers them; a reset of the poll empties them.
func (s *Server) Voted(account, question string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, p := s.accounts[account], s.polls[question]
	if a == nil || p == nil {
		return nil
	}
	return slices.Clone(p.voted[a.id])
}

// tags matches what GoToSocial strips from option names.
var tags = regexp.MustCompile(`<[^>]*>`)

// parsePoll reads a Question by the kind's rules. A nil poll with an error is
// a poll that this kind does not see; problems are lesser harm.
func parsePoll(kind Kind, doc object) (p *poll, problems []string, err error) {
	id := text(doc, "id")
	add := func(format string, args ...any) {
		problems = append(problems, fmt.Sprintf("question %s: ", id)+fmt.Sprintf(format, args...))
	}
	_, hasOne := doc["oneOf"]
	_, hasAny := doc["anyOf"]
	if hasOne && hasAny {
		add("has both oneOf and anyOf")
	}
	p = &poll{voted: map[string][]string{}, endText: text(doc, "endTime")}
	key := "oneOf"
	switch kind {
	case Mastodon:
		if _, ok := doc["anyOf"].([]any); ok {
			key, p.multiple = "anyOf", true
		}
		if _, ok := doc[key].([]any); !ok {
			return nil, problems, fmt.Errorf("question %s: %s is no array, so Mastodon sees no poll", id, key)
		}
	default:
		if !hasOne {
			key, p.multiple = "anyOf", true
		}
	}
	options := list(doc[key])
	if kind == Mastodon && len(options) > 500 {
		options = options[:500]
	}
	for i, raw := range options {
		option, _ := raw.(object)
		name := text(option, "name")
		replies := child(option, "replies")
		total, counted := integer(replies, "totalItems")
		switch kind {
		case Mastodon:
			if name == "" {
				name = text(option, "content")
			}
			if strings.TrimSpace(name) == "" {
				add("option %d has no name: Mastodon drops it and shifts the tallies", i)
				continue
			}
		case GoToSocial, GoToSocialOld:
			if text(option, "type") != "Note" {
				return nil, problems, fmt.Errorf("question %s: option %d is no Note, so GoToSocial sees no poll", id, i)
			}
			if key == "oneOf" {
				plain := strings.TrimSpace(tags.ReplaceAllString(html.UnescapeString(name), ""))
				if plain != name {
					add("option %q becomes %q on GoToSocial", name, plain)
				}
				name = plain
			}
			if !counted {
				add("option %q has no totalItems: GoToSocial hides all counts", name)
			}
		case Misskey:
			if len([]rune(name)) > 256 {
				return nil, problems, fmt.Errorf("question %s: option %d is longer than 256 characters, so Misskey loses the post", id, i)
			}
		case Akkoma:
			if text(option, "type") != "Note" || text(replies, "type") != "Collection" {
				return nil, problems, fmt.Errorf("question %s: option %d is no Note with a Collection of replies, so Akkoma refuses the post", id, i)
			}
		}
		if name == "" {
			return nil, problems, fmt.Errorf("question %s: option %d has no name", id, i)
		}
		if slices.Contains(p.names, name) {
			add("option %q occurs twice", name)
		}
		if total < 0 {
			add("option %q has a negative total", name)
			total = 0
		}
		p.names, p.tallies = append(p.names, name), append(p.tallies, total)
	}
	if len(p.names) == 0 {
		return nil, problems, fmt.Errorf("question %s: no options, so %s sees no poll", id, kind)
	}
	voters, counted := integer(doc, "votersCount")
	if !counted && kind != Akkoma && kind != Misskey {
		add("no votersCount: %s shows wrong percentages", kind)
	}
	if kind != Akkoma && kind != Misskey {
		p.voters = voters
	}
	p.ends(kind, doc)
	if p.endTime.IsZero() {
		add("no readable endTime: Mastodon's web page cannot vote")
	}
	return p, problems, nil
}

// ends reads endTime and closed.
func (p *poll) ends(kind Kind, doc object) {
	end, closed := instant(text(doc, "endTime")), instant(text(doc, "closed"))
	p.endTime = end
	p.closed = doc["closed"] != nil && doc["closed"] != false
	switch {
	case kind == Mastodon && !closed.IsZero(): // closed wins over endTime
		p.endTime = closed
	case end.IsZero():
		p.endTime = closed
	}
}

// updatePoll applies an Update or a fresh copy to a stored poll by the kind's
// rules (the caller holds s.mu) and says what happened. newer says that the
// text of the object was edited since, same that its edit time is unchanged.
func (s *Server) updatePoll(id string, old *poll, doc object, newer, same bool) string {
	fresh, problems, err := parsePoll(s.kind, doc)
	for _, p := range problems {
		s.problem("%s", p)
	}
	if err != nil {
		s.problem("update: %v", err)
		return "update refused: " + err.Error()
	}
	alike := slices.Equal(old.names, fresh.names) && old.multiple == fresh.multiple
	switch s.kind {
	case Mastodon:
		switch {
		case newer && !alike:
			s.reset(id, fresh, "options changed")
			return "poll reset"
		case newer || (same && alike):
			old.tallies, old.voters, old.endTime, old.closed = fresh.tallies, fresh.voters, fresh.endTime, fresh.closed
			return "tallies taken"
		}
		s.problem("update of %s: options changed without a newer `updated`, so Mastodon ignores it", id)
		return "update ignored"
	case GoToSocial, GoToSocialOld:
		if !alike || old.endText != fresh.endText {
			s.reset(id, fresh, "options or endTime changed")
			return "poll recreated"
		}
		wasClosed := old.closed
		old.tallies, old.voters, old.closed = fresh.tallies, fresh.voters, fresh.closed
		if old.closed && !wasClosed {
			s.pollEnded(id, old)
			return "poll closed"
		}
		return "tallies taken"
	case Misskey:
		tallies := make([]int, len(old.names))
		for i, name := range old.names {
			j := slices.Index(fresh.names, name)
			if j < 0 || !hasTotal(doc, name) {
				s.problem("update of %s: option %q or its totalItems is missing, so Misskey throws", id, name)
				return "update refused"
			}
			tallies[i] = fresh.tallies[j]
		}
		old.tallies = tallies // endTime and closed are never read again
		return "tallies taken"
	case Akkoma:
		if !alike {
			s.problem("update of %s: options changed, so Akkoma ignores it", id)
			return "update ignored"
		}
		old.tallies = fresh.tallies
		return "tallies taken"
	}
	fresh.voted, fresh.notified = old.voted, old.notified
	s.polls[id] = fresh
	return "tallies taken"
}

// reset replaces a poll; the votes of local users are lost. The caller holds s.mu.
func (s *Server) reset(id string, fresh *poll, why string) {
	s.problem("update of %s: %s, so %s forgets its users' votes", id, why, s.kind)
	s.polls[id] = fresh
}

// hasTotal reports whether the named option carries a whole totalItems.
func hasTotal(doc object, name string) bool {
	for _, raw := range append(list(doc["oneOf"]), list(doc["anyOf"])...) {
		option, _ := raw.(object)
		if text(option, "name") == name {
			n, ok := integer(child(option, "replies"), "totalItems")
			return ok && n >= 0
		}
	}
	return false
}

// pollEnded notifies the local voters once. The caller holds s.mu.
func (s *Server) pollEnded(id string, p *poll) {
	if p.notified {
		return
	}
	p.notified = true
	for voter := range p.voted {
		if a := s.byID[voter]; a != nil {
			s.notify(a, "poll", "", id)
		}
	}
}

// endPolls plays the clocks of kinds that end polls by themselves. The caller
// holds s.mu.
func (s *Server) endPolls() {
	if s.kind.isGTS() {
		return
	}
	delay := time.Duration(0)
	if s.kind == Mastodon {
		delay = 5 * time.Minute
	}
	for id, p := range s.polls {
		if !p.endTime.IsZero() && !s.now().Before(p.endTime.Add(delay)) {
			s.pollEnded(id, p)
		}
	}
}

// over reports whether the kind lets no user vote any more: Mastodon, Misskey,
// Akkoma and tootik by endTime and their own clock, GoToSocial only after
// `closed` arrived. The caller holds s.mu.
func (s *Server) over(p *poll) bool {
	if s.kind.isGTS() {
		return p.closed
	}
	return !p.endTime.IsZero() && !s.now().Before(p.endTime)
}
