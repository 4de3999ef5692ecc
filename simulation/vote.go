package simulation

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strconv"
)

// Errors of Vote: the server itself refuses, nothing is sent.
var (
	ErrPollEnded    = errors.New("the poll has ended")
	ErrAlreadyVoted = errors.New("this account has voted already")
)

// Vote votes in a poll as a user of the kind does and returns the id of the
// first vote object. An unknown Question is fetched first. The account's own
// server refuses what it would refuse: an ended poll (ErrPollEnded), a second
// vote (ErrAlreadyVoted; Misskey lets users add choices to a multiple-choice
// vote), an unknown name. To send what no server would, see VoteActivities.
func (a *Account) Vote(ctx context.Context, question string, names ...string) (string, error) {
	s := a.server
	n, err := a.need(ctx, question)
	if err != nil {
		return "", fmt.Errorf("vote: %w", err)
	}
	owner, err := s.actor(ctx, a, n.Author)
	if err != nil {
		return "", fmt.Errorf("vote: %w", err)
	}
	if err := a.countLocally(question, names); err != nil {
		return "", fmt.Errorf("vote in %s: %w", question, err)
	}
	activities := a.voteActivities(question, n.Author, names)
	inbox := inboxOf(owner, s.traits.votesToShared)
	first := ""
	var errs []error
	for _, activity := range activities {
		for _, o := range list(activity["object"]) {
			vote, _ := o.(object)
			if first == "" {
				first = text(vote, "id")
			}
			s.mu.Lock()
			a.votes[question] = append(a.votes[question], mark{text(vote, "name"), text(vote, "id"), inbox, n.Author})
			s.mu.Unlock()
		}
		errs = append(errs, a.Send(ctx, inbox, encode(activity)))
	}
	return first, errors.Join(errs...)
}

// countLocally applies the server's own rules and raises its own tally.
func (a *Account) countLocally(question string, names []string) error {
	s := a.server
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.polls[question]
	if p == nil {
		return errors.New("the server sees no poll there")
	}
	if len(names) == 0 || (len(names) > 1 && !p.multiple) {
		return fmt.Errorf("%d choices do not fit the poll", len(names))
	}
	if s.over(p) {
		return ErrPollEnded
	}
	before := p.voted[a.id]
	if len(before) > 0 && (s.kind != Misskey || !p.multiple) {
		return ErrAlreadyVoted
	}
	for _, name := range names {
		if !slices.Contains(p.names, name) {
			return fmt.Errorf("no option %q", name)
		}
		if slices.Contains(before, name) {
			return ErrAlreadyVoted
		}
	}
	for _, name := range names {
		p.tallies[slices.Index(p.names, name)]++
	}
	if len(before) == 0 && s.kind != Misskey && s.kind != Akkoma {
		p.voters++
	}
	p.voted[a.id] = append(before, names...)
	return nil
}

// WithdrawVote deletes the account's vote objects for the named options, or
// all of them. Only tootik lets users do that; Akkoma does it when an account
// is deleted; other kinds return ErrUnsupported. Afterwards the account may
// vote again.
func (a *Account) WithdrawVote(ctx context.Context, question string, names ...string) error {
	s := a.server
	if s.kind != Tootik && s.kind != Akkoma {
		return fmt.Errorf("withdraw vote: %w", ErrUnsupported)
	}
	s.mu.Lock()
	var gone, kept []mark
	for _, m := range a.votes[question] {
		if len(names) == 0 || slices.Contains(names, m.name) {
			gone = append(gone, m)
		} else {
			kept = append(kept, m)
		}
	}
	a.votes[question] = kept
	if p := s.polls[question]; p != nil {
		p.voted[a.id] = nil
		for _, m := range kept {
			p.voted[a.id] = append(p.voted[a.id], m.name)
		}
	}
	s.mu.Unlock()
	var errs []error
	for _, m := range gone {
		activity := a.deleteActivity(m.object, []any{m.owner}, []any{})
		errs = append(errs, a.Send(ctx, m.inbox, encode(activity)))
	}
	return errors.Join(errs...)
}

// VoteActivities returns the activities with which the kind votes: one per
// name, or with GoToSocialOld one for all. Nothing is checked and nothing sent,
// ids are new.
func (a *Account) VoteActivities(question, owner string, names ...string) [][]byte {
	var raw [][]byte
	for _, activity := range a.voteActivities(question, owner, names) {
		raw = append(raw, encode(activity))
	}
	return raw
}

func (a *Account) voteActivities(question, owner string, names []string) []object {
	s := a.server
	s.mu.Lock()
	defer s.mu.Unlock()
	var activities []object
	var together []any // the array of GoToSocialOld
	pollID := s.newID()
	for i, name := range names {
		index := i
		if p := s.polls[question]; p != nil && slices.Contains(p.names, name) {
			index = slices.Index(p.names, name)
		}
		vote := object{"type": "Note", "name": name, "attributedTo": a.id, "inReplyTo": question, "to": owner}
		activity := object{"@context": activityStreams, "type": "Create", "actor": a.id, "to": owner, "object": vote}
		switch s.kind {
		case GoToSocial, GoToSocialOld:
			vote["id"] = a.id + "#" + pollID + "/votes/" + strconv.Itoa(index)
			activity["id"] = a.id + "/activity#vote" + strconv.Itoa(i) + "/" + question
			activity["published"] = s.stamp()
		case Misskey:
			vote["id"] = a.id + "#votes/" + s.newID()
			vote["to"], activity["to"] = []any{owner}, []any{owner}
			activity["@context"] = misskeyContext()
			activity["id"] = text(vote, "id") + "/activity"
			activity["published"] = s.stamp()
		case Akkoma:
			s.akkomaVote(activity, vote, question, owner)
		case Tootik:
			vote["@context"], activity["@context"] = tootikContext(), tootikContext()
			vote["id"], activity["id"] = s.base+"/post/"+s.newID(), s.base+"/create/"+s.newID()
			vote["published"] = s.stamp()
			vote["to"], activity["to"], activity["cc"] = []any{owner}, []any{owner}, []any{}
		default:
			vote["id"] = a.id + "#votes/" + s.newID()
			activity["id"] = text(vote, "id") + "/activity"
		}
		together = append(together, vote)
		activities = append(activities, activity)
	}
	if s.kind == GoToSocialOld && len(activities) > 0 {
		one := activities[0]
		one["id"], one["object"] = a.id+"/activity#vote/"+question, together
		return []object{one}
	}
	return activities
}

// akkomaVote fills in what Akkoma adds: cc in place of to, a mention, a
// context, and an id that could be fetched. The caller holds s.mu.
func (s *Server) akkomaVote(activity, vote object, question, owner string) {
	context := question
	if n := s.notes[question]; n != nil && n.Context != "" {
		context = n.Context
	}
	name := path.Base(owner)
	if who, known := s.actors[owner]; known {
		name = who.username
	}
	vote["id"], activity["id"] = s.base+"/objects/"+s.newID(), s.base+"/activities/"+s.newID()
	vote["actor"] = vote["attributedTo"]
	vote["context"], vote["conversation"], activity["context"] = context, context, context
	vote["published"] = s.stamp()
	activity["published"] = vote["published"]
	vote["attachment"] = []any{}
	vote["tag"] = []any{object{"type": "Mention", "href": owner, "name": "@" + name + "@" + hostOf(owner)}}
	for _, o := range []object{vote, activity} {
		o["to"], o["cc"] = []any{}, []any{owner}
	}
	activity["@context"] = s.context(activityStreams)
}

// SignedRequest is a delivery ready to be sent: it can be replayed over any
// connection while its Date is accepted.
type SignedRequest struct {
	Method, URL, Host string
	Header            http.Header
	Body              []byte
}

// SignedVotes makes n votes by n accounts named voter1, voter2, …, the names
// taken in turn, signed and ready to send to the inbox. It is meant for
// benchmarks: with Config.KeyPool the accounts share a few keys, so that n keys
// need not be made; each account still serves an actor document with a keyId of
// its own, so the receiver fetches as many keys as ever. A signature costs
// about 1 ms of CPU. It stops early when ctx ends.
func (s *Server) SignedVotes(ctx context.Context, n int, question, owner, inbox string, names []string) ([]SignedRequest, error) {
	if len(names) == 0 {
		return nil, errors.New("sign votes: no option names")
	}
	out := make([]SignedRequest, 0, n)
	for i := range n {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		a := s.Account("voter" + strconv.Itoa(i+1))
		for _, body := range a.VoteActivities(question, owner, names[i%len(names)]) {
			req, err := a.Request(ctx, http.MethodPost, inbox, body, SignOptions{Scheme: s.config.Scheme})
			if err != nil {
				return out, fmt.Errorf("sign votes: %w", err)
			}
			out = append(out, SignedRequest{req.Method, inbox, req.Host, req.Header, body})
		}
	}
	return out, nil
}
