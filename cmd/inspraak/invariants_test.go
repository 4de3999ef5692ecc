package main

import (
	"encoding/binary"
	"slices"
	"testing"

	"inspraak/participation"
)

// Whatever is changed behind the program's back in ballots or results, `check`
// names the invariant that it breaks.
func TestCheckFindsTampering(t *testing.T) {
	s := newSiege(t)
	s.deliver(s.bob, s.vote(s.bob, s.q1, "Ja"))
	s.deliver(s.bob, s.vote(s.bob, s.q2, "A"))
	o := &office{Config: s.node.config, Service: s.node.Service, db: s.node.DB, keys: s.node.Keys}
	broken := func() (subjects []string) {
		t.Helper()
		var found findings
		s.must(o.checkInvariants(&app{ctx: t.Context(), now: s.clock}, &found))
		for _, f := range found {
			if f.Level != "ok" && !slices.Contains(subjects, f.Subject) {
				subjects = append(subjects, f.Subject)
			}
		}
		slices.Sort(subjects)
		return subjects
	}
	type row struct {
		name   string
		change func(tx participation.Tx, c participation.Consultation, voter participation.Pseudonym, sealed []byte) error
		want   []string
	}
	choosing := func(choices uint64, marks ...byte) func(participation.Tx, participation.Consultation, participation.Pseudonym, []byte) error {
		return func(tx participation.Tx, c participation.Consultation, voter participation.Pseudonym, _ []byte) error {
			plain := binary.BigEndian.AppendUint64(nil, choices)
			plain = append(append(plain, make([]byte, 8+1)...), byte(len(marks))) // time and class
			for _, m := range marks {
				plain = append(append(plain, m), make([]byte, 8+16)...) // vote object and nonce
			}
			secret := must2(s.node.Keys.Secret(c.ID))(s.cluster)
			return tx.SaveBallot(c.Number, voter, choices != 0, secret.Seal(append(plain, 0, 0), voter[:]))
		}
	}
	publish := func(turnout int, counts ...int) func(participation.Tx, participation.Consultation, participation.Pseudonym, []byte) error {
		return func(tx participation.Tx, c participation.Consultation, _ participation.Pseudonym, _ []byte) error {
			r, err := tx.Result(c.ID)
			if err != nil {
				return err
			}
			r.Turnout, r.Counts = turnout, counts
			return tx.SaveResult(r)
		}
	}
	try := func(c participation.Consultation, rows ...row) {
		t.Helper()
		var voter participation.Pseudonym
		var sealed []byte
		s.must(s.node.DB.Ballots(t.Context(), c.Number, func(v participation.Pseudonym, _ bool, b []byte) error {
			voter, sealed = v, slices.Clone(b)
			return nil
		}))
		result := s.node.result(c)
		for _, row := range rows {
			s.must(s.node.DB.Update(t.Context(), func(tx participation.Tx) error { return row.change(tx, c, voter, sealed) }))
			if got := broken(); !slices.Equal(got, row.want) {
				t.Errorf("%s %s: breaks %q, want %q", c.Slug, row.name, got, row.want)
			}
			s.must(s.node.DB.Update(t.Context(), func(tx participation.Tx) error {
				if err := tx.SaveResult(result); err != nil {
					return err
				}
				return tx.SaveBallot(c.Number, voter, true, sealed)
			}))
			if got := broken(); len(got) != 0 {
				t.Fatalf("%s %s, mended: still breaks %q", c.Slug, row.name, got)
			}
		}
	}
	uncounted := row{"not counted", func(tx participation.Tx, c participation.Consultation, voter participation.Pseudonym, sealed []byte) error {
		return tx.SaveBallot(c.Number, voter, false, sealed)
	}, []string{invariantCounts}}
	both := []string{invariantCounts, invariantLog}
	spoilt := row{"a flipped bit", func(tx participation.Tx, c participation.Consultation, voter participation.Pseudonym, sealed []byte) error {
		flipped := slices.Clone(sealed)
		flipped[len(flipped)/2] ^= 1
		return tx.SaveBallot(c.Number, voter, true, flipped)
	}, both}
	try(s.q1, uncounted,
		row{"two options of one", choosing(3, 0, 1), []string{invariantOneBallot, invariantSums}},
		row{"an option that is not there", choosing(1<<9, 9), []string{invariantOneBallot, invariantSums}},
		row{"a choice without its mark", choosing(1), []string{invariantCounts}})
	try(s.q2, row{"an option twice", choosing(1, 0, 0), []string{invariantOneBallot}})
	s.closeAll()
	try(s.q1, spoilt, uncounted,
		row{"another choice", choosing(2, 1), both},
		row{"another result", publish(1, 0, 1, 0), both},
		row{"more votes than voters", publish(1, 1, 1, 0), append(both, invariantSums)})
	try(s.q2, row{"more votes for an option than voters", publish(1, 2, 0, 0), append(both, invariantSums)},
		row{"voters without votes", publish(2, 1, 0, 0), append(both, invariantSums)})
}
