package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"testing"

	"inspraak/activitypub"
	"inspraak/simulation"
	"inspraak/store"
)

// A store that cannot keep what has been fetched while its disk is full.
type cramped struct {
	activitypub.Store
	full bool
}

func (c *cramped) SavePeer(ctx context.Context, p activitypub.Peer) error {
	if c.full {
		return fmt.Errorf("save peer: %w", store.ErrUnavailable)
	}
	return c.Store.SavePeer(ctx, p)
}

// A disk that was full is not held against the voters who came meanwhile, nor
// against the address that they came from: they count as soon as there is room.
func TestFullDiskIsNobodysFault(t *testing.T) {
	s := newSiege(t)
	n := s.node
	disk := &cramped{Store: n.DB, full: true}
	f := activitypub.New(activitypub.Config{
		URLs: n.urls, Name: n.config.Name, Store: disk, Service: n.Service, Keys: n.Keys, Secrets: n.Keys,
		Client: n.client, Log: slog.New(slog.DiscardHandler), Now: s.clock,
	})
	var early []*simulation.Account
	send := func(who *simulation.Account) error {
		r := s.post(who, s.vote(who, s.q1, "Ja"))
		body, err := io.ReadAll(r.Body)
		s.must(err)
		r.RemoteAddr = "192.0.2.90:1234"
		return f.Receive(t.Context(), r, body, "")
	}
	for i := range 12 { // more than an address may fail
		who := s.m1.Account(fmt.Sprintf("early%d", i))
		if err := send(who); !errors.Is(err, store.ErrUnavailable) {
			t.Fatalf("vote %d on a full disk: %v", i, err)
		}
		early = append(early, who)
	}
	disk.full = false
	for _, who := range early {
		if err := send(who); err != nil {
			t.Errorf("after there was room: %v", err)
		}
	}
	s.closeAll()
	s.final(len(early))
}
