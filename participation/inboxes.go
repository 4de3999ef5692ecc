package participation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// maxInboxes is how many inboxes are remembered for one consultation. Where
// there are more, the ballots are read every time.
const maxInboxes = 20_000

// VoterInboxes lists, each once and sorted, where the voters of a consultation
// receive, for telling their servers a new count. Without the key there are
// none. The ballots are read for it once; after that the list is kept up to date
// by the votes of this Service, until one of them is withdrawn.
func (s *Service) VoterInboxes(ctx context.Context, c Consultation) ([]string, error) {
	secret, err := s.keys.Secret(c.ID)
	if errors.Is(err, ErrSealed) || !c.Kind.HasOptions() {
		s.inboxes.forget(c.Number)
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("voters' inboxes: %w", err)
	}
	known, list := s.inboxes.of(c.Number)
	if list == nil {
		return known, nil
	}
	inboxes := map[string]bool{}
	err = s.Ballots(ctx, c.Number, func(voter Pseudonym, _ bool, sealed []byte) error {
		b, err := secret.openBallot(voter, sealed)
		if err == nil && strings.TrimSpace(b.Inbox) != "" {
			inboxes[b.Inbox] = true
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("voters' inboxes: %w", err)
	}
	s.inboxes.merge(c.Number, list, inboxes)
	return slices.Sorted(maps.Keys(inboxes)), nil
}

// inboxes remembers where voters receive, by the number of the consultation.
type inboxes struct {
	mu    sync.Mutex
	lists map[int64]*inboxList
}

type inboxList struct {
	all   map[string]bool
	whole bool // the ballots were read; before that it holds what came meanwhile
}

// of returns the inboxes of a consultation if all are remembered. Otherwise it
// begins a list, so that votes that come while the ballots are read are not
// missed; merge completes it.
func (i *inboxes) of(number int64) (known []string, begun *inboxList) {
	i.mu.Lock()
	defer i.mu.Unlock()
	l := i.lists[number]
	if l != nil && l.whole {
		return slices.Sorted(maps.Keys(l.all)), nil
	}
	if i.lists == nil {
		i.lists = map[int64]*inboxList{}
	}
	if l == nil {
		l = &inboxList{all: map[string]bool{}}
		i.lists[number] = l
	}
	return nil, l
}

// add remembers where one more voter receives, if that list is kept.
func (i *inboxes) add(number int64, inbox string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if l := i.lists[number]; l != nil && strings.TrimSpace(inbox) != "" {
		if l.all[inbox] = true; len(l.all) > maxInboxes {
			delete(i.lists, number)
		}
	}
}

// merge adds what was read; unless the list was dropped since, it is whole now.
func (i *inboxes) merge(number int64, l *inboxList, read map[string]bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.lists[number] != l {
		return
	}
	if maps.Copy(l.all, read); len(l.all) > maxInboxes {
		delete(i.lists, number)
		return
	}
	l.whole = true
}

// forget forgets the list of one consultation.
func (i *inboxes) forget(number int64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.lists, number)
}

// drop forgets all lists, since an inbox may have to go. Call it after the
// commit: what is read before that still holds the inbox.
func (i *inboxes) drop() {
	i.mu.Lock()
	defer i.mu.Unlock()
	clear(i.lists)
}
