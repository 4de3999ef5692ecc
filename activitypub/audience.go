package activitypub

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"inspraak/participation"
)

// followers lists the inboxes of a channel's followers and of more recipients.
func (f *Federation) followers(ctx context.Context, channel string, more ...Recipient) ([]string, error) {
	recipients, err := f.Store.FollowerInboxes(ctx, channel)
	if err != nil {
		return nil, fmt.Errorf("followers: %w", err)
	}
	return f.inboxes(ctx, append(recipients, more...))
}

// concerned lists the inboxes of everybody who must hear of new numbers or of
// the end of a consultation: followers, voters, and those who replied or
// boosted. Mastodon and GoToSocial show voters the numbers they were last sent.
func (f *Federation) concerned(ctx context.Context, c participation.Consultation) ([]string, error) {
	attention, err := f.Store.Attention(ctx, c.ID)
	if err != nil {
		return nil, fmt.Errorf("repliers and boosters: %w", err)
	}
	voters, err := f.Service.VoterInboxes(ctx, c)
	if err != nil {
		return nil, err
	}
	for _, inbox := range voters {
		attention = append(attention, Recipient{Inbox: inbox})
	}
	return f.followers(ctx, c.Channel, attention...)
}

// citizen is where the author of a reply receives, empty if that is not known.
func (f *Federation) citizen(ctx context.Context, actor string) (Recipient, error) {
	p, err := f.Store.Peer(ctx, actor)
	if errors.Is(err, participation.ErrNotFound) || p.Gone {
		return Recipient{}, nil
	}
	return Recipient{Actor: p.Actor, Inbox: p.Inbox, Shared: p.SharedInbox}, err
}

// inboxes gives one address for each server that shares an inbox, and one for
// each actor elsewhere, sorted and each once; none of a blocked account or
// server. An inbox that could never be delivered to is left out.
func (f *Federation) inboxes(ctx context.Context, recipients []Recipient) ([]string, error) {
	var all []string
	for _, r := range recipients {
		inbox := r.Shared
		if inbox == "" {
			inbox = r.Inbox
		}
		host, err := f.hostOf(inbox)
		if err != nil {
			continue
		}
		blocked, err := f.Service.Blocked(ctx, r.Actor, host)
		if err != nil {
			return nil, err
		}
		if blocked {
			continue
		}
		all = append(all, inbox)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}
