package participation

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"iter"
	"net/url"
	"slices"
	"strings"

	"inspraak/participation/dataset"
)

// publishedBallots are the ballots of a closed consultation, opened for the last
// time: what is published of them, and what figures beside the count need.
type publishedBallots struct {
	list  []publishedUnit
	hosts map[string]int // ballots by server; "" for accounts that are gone
}

// publishedUnit is a line of the dataset, small, for there may be a million.
type publishedUnit struct {
	code    [19]byte
	nonce   [16]byte
	choices uint64
}

// published opens every ballot of a consultation.
func (s *Service) published(ctx context.Context, c Consultation, secret *Secret) (*publishedBallots, error) {
	p := &publishedBallots{hosts: map[string]int{}}
	err := s.Ballots(ctx, c.Number, func(voter Pseudonym, counted bool, sealed []byte) error {
		if !counted {
			return nil
		}
		b, err := secret.openBallot(voter, sealed)
		if err != nil {
			return err
		}
		p.hosts[hostOf(b.Actor)]++
		for _, u := range c.units(secret, b) {
			unit := publishedUnit{code: [19]byte([]byte(u.Code))}
			if _, err := hex.Decode(unit.nonce[:], []byte(u.Nonce)); err != nil {
				return err
			}
			for _, n := range u.Options {
				unit.choices |= 1 << (n - 1)
			}
			p.list = append(p.list, unit)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(p.list, func(a, b publishedUnit) int { return bytes.Compare(a.code[:], b.code[:]) })
	return p, nil
}

// hostOf is the server of an account, "" if the account is gone.
func hostOf(actor string) string {
	u, err := url.Parse(actor)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

func (p *publishedBallots) rows() iter.Seq2[dataset.Row, error] {
	return func(yield func(dataset.Row, error) bool) {
		for _, u := range p.list {
			row := dataset.Row{Code: string(u.code[:]), Nonce: hex.EncodeToString(u.nonce[:])}
			for i := range 64 {
				if u.choices&(1<<i) != 0 {
					row.Options = append(row.Options, i+1)
				}
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}

// servers are the servers with at least FewerThan ballots, largest first, their
// numbers rounded to 5, and the sum of the others.
func (p *publishedBallots) servers() []dataset.Cell {
	var cells []dataset.Cell
	other := 0
	for host, n := range p.hosts {
		if n < FewerThan || host == "" {
			other += n
			continue
		}
		cells = append(cells, dataset.Cell{Name: host, N: rounded(n)})
	}
	slices.SortFunc(cells, func(a, b dataset.Cell) int { return cmp.Or(b.N-a.N, strings.Compare(a.Name, b.Name)) })
	if other > 0 {
		cells = append(cells, dataset.Cell{Name: dataset.Other, N: rounded(other)})
	}
	return cells
}

func rounded(n int) int { return (n + 2) / 5 * 5 }

// integrity is to be replaced by the figures.
func (p *publishedBallots) integrity(c Consultation, r Result) any {
	return map[string]int{"version": 1}
}
