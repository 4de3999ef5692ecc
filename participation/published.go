package participation

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"iter"
	"maps"
	"net/url"
	"slices"
	"strings"

	"inspraak/participation/ballotlog"
	"inspraak/participation/dataset"
	"inspraak/tally"
)

// publishedBallots are the ballots of a closed consultation, opened for the last
// time: what is published of them, and what the figures beside the count need.
type publishedBallots struct {
	list    []publishedUnit
	ballots []tally.Ballot
	servers []tally.Server
	byHost  map[string]int // index in servers
}

// publishedUnit is a line of the dataset, small, for there may be a million.
type publishedUnit struct {
	code    [19]byte
	nonce   [16]byte
	choices uint64
}

// published opens every ballot of a consultation.
func (s *Service) published(ctx context.Context, c Consultation, secret *Secret) (*publishedBallots, error) {
	p := &publishedBallots{byHost: map[string]int{}}
	acquainted, err := p.meet(ctx, s, c)
	if err != nil {
		return nil, err
	}
	err = s.Ballots(ctx, c.Number, func(voter Pseudonym, counted bool, sealed []byte) error {
		if !counted {
			return nil
		}
		b, err := secret.openBallot(voter, sealed)
		if err != nil {
			return err
		}
		p.addFigures(c, b, acquainted[b.Actor])
		return p.addUnits(c.units(secret, b))
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(p.list, func(a, b publishedUnit) int { return bytes.Compare(a.code[:], b.code[:]) })
	return p, nil
}

// enoughFollowers is how many followers it takes to tell what is usual.
const enoughFollowers = 100

// meet lists the accounts that had followed or replied before a consultation
// opened, and learns which servers are known and what their usual share is: that
// of the followers. Ballots of other consultations are not looked at: nothing may
// link them.
func (p *publishedBallots) meet(ctx context.Context, s *Service, c Consultation) (acquainted map[string]bool, err error) {
	acquainted = map[string]bool{}
	followers, known := map[string]int{}, map[string]bool{}
	all := 0
	err = s.Acquaintances(ctx, c.OpenedAt, func(actor string, follows bool) error {
		host := hostOf(actor)
		acquainted[actor], known[host] = true, true
		if follows {
			followers[host]++
			all++
		}
		return nil
	})
	for _, host := range slices.Sorted(maps.Keys(known)) {
		usual := -1.0
		if all >= enoughFollowers {
			usual = float64(followers[host]) / float64(all)
		}
		p.byHost[host] = len(p.servers)
		p.servers = append(p.servers, tally.Server{Name: host, Usual: usual})
	}
	return acquainted, err
}

// server is the index of a host. One that nobody had followed or replied from
// before is new.
func (p *publishedBallots) server(host string) int {
	i, ok := p.byHost[host]
	if !ok {
		i = len(p.servers)
		p.byHost[host] = i
		p.servers = append(p.servers, tally.Server{Name: host, Usual: -1, New: host != ""})
	}
	return i
}

func (p *publishedBallots) addFigures(c Consultation, b Ballot, acquainted bool) {
	at := b.ReceivedAt
	if at.IsZero() { // the account has gone since
		at = c.OpenedAt
	}
	age := -1
	if b.Since > 0 {
		age = max(0, day(at)-b.Since)
	}
	p.ballots = append(p.ballots, tally.Ballot{
		Server: p.server(hostOf(b.Actor)), At: at.Unix(), Choices: b.Choices, AgeDays: age, Acquainted: acquainted,
	})
}

func (p *publishedBallots) addUnits(units []ballotlog.Ballot) error {
	for _, u := range units {
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

// figures are those beside the count.
func (s *Service) figures(ctx context.Context, c Consultation, p *publishedBallots) (tally.Figures, error) {
	posts, err := s.Posts(ctx, c.ID)
	if err != nil {
		return tally.Figures{}, err
	}
	until := c.Deadline()
	if c.ClosedAt.Before(c.ClosesAt) { // an early close
		until = c.ClosedAt
	}
	seed := sha256.Sum256([]byte(c.ID))
	in := tally.Input{
		Options: len(c.Options), Multiple: c.Kind == MultipleChoice, From: c.OpenedAt.Unix(), Until: until.Unix(),
		Ballots: p.ballots, Servers: p.servers, OwnPosts: []int64{c.OpenedAt.Unix()}, Seed: binary.BigEndian.Uint64(seed[:]),
	}
	for _, b := range p.ballots { // clocks step
		in.From, in.Until = min(in.From, b.At), max(in.Until, b.At)
	}
	for _, post := range posts {
		if post.Kind != CheckpointPost && post.Kind != Closing {
			in.OwnPosts = append(in.OwnPosts, post.Published.Unix())
		}
	}
	return tally.Integrity(in)
}

// serverRanges are the ballots by server, as far as they may be told.
func serverRanges(f tally.Figures) []dataset.Range {
	var ranges []dataset.Range
	for _, s := range f.Concentration.Servers {
		ranges = append(ranges, dataset.Range{Name: s.Server, AtLeast: s.Ballots.AtLeast, AtMost: s.Ballots.AtMost})
	}
	if o := f.Concentration.Other; o != nil {
		ranges = append(ranges, dataset.Range{Name: dataset.Other, AtLeast: o.AtLeast, AtMost: o.AtMost})
	}
	return ranges
}
