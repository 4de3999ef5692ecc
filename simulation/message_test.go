package simulation

import (
	"testing"
	"time"
)

// Each kind writes to, and reads, a private message of each other one; what
// others may read as well is none.
func TestMessages(t *testing.T) {
	n := NewNetwork()
	now := time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)
	var people []*Account
	for _, kind := range Kinds() {
		s := n.NewServer(Config{Kind: kind, Base: "https://" + string(kind) + ".example", Seed: 1, KeyPool: 1, Now: func() time.Time { return now }})
		people = append(people, s.Account("ana"))
	}
	for _, from := range people {
		for _, to := range people {
			if from == to {
				continue
			}
			had := len(to.Messages())
			for _, audience := range []Audience{Public, Unlisted, FollowersOnly} {
				if _, err := from.Post(t.Context(), "<p>psst</p>", audience, to.ID()); err != nil {
					t.Fatal(err)
				}
			}
			if all := to.Messages(); len(all) != had {
				t.Errorf("%s reads as private: %+v", to.Handle(), all)
			}
			id, err := from.Message(t.Context(), to.ID(), "psst & zwijg")
			if err != nil {
				t.Fatal(err)
			}
			all := to.Messages()
			i := len(all) - 1
			for i >= 0 && all[i].ID != id {
				i--
			}
			if i < 0 || len(all) != had+1 {
				t.Fatalf("%s did not receive it from %s", to.Handle(), from.Handle())
			}
			if text := all[i].Text; from.server.kind != Tootik && text != "psst & zwijg" || all[i].From != from.ID() {
				t.Errorf("%s reads %+v", to.Handle(), all[i])
			}
			if _, err := to.Answer(t.Context(), id, "ja"); err != nil {
				t.Fatal(err)
			}
			back := from.Messages()
			found := false
			for _, m := range back {
				found = found || m.InReplyTo == id && m.From == to.ID()
			}
			if !found {
				t.Errorf("%s has no answer of %s: %+v", from.Handle(), to.Handle(), back)
			}
		}
	}
}
