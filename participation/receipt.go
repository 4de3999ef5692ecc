package participation

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"inspraak/participation/ballotlog"
)

// Receipt is what voters may learn of their own ballot before closing: that it
// is counted, by which code, and where it stands in the log. It never tells a
// choice.
type Receipt struct {
	Consultation Consultation
	Codes        []string // one; in a log per option, one for each chosen option
	Entries      []int64  // the entry of each code; -1 while it waits for its batch
	Token        string   // opens the page of this receipt, for as long as the key exists
}

// Receipts lists those of an actor's counted ballots, newest consultation
// first. Consultations whose key is not here are left out.
func (s *Service) Receipts(ctx context.Context, actor string) ([]Receipt, error) {
	votable, err := s.Consultations(ctx, Filter{Phases: []Phase{Open, Closed}})
	if err != nil {
		return nil, fmt.Errorf("receipts: %w", err)
	}
	var all []Receipt
	for _, c := range votable {
		if !c.Kind.HasOptions() {
			continue
		}
		secret, err := s.keys.Secret(c.ID)
		if errors.Is(err, ErrSealed) {
			continue
		} else if err != nil {
			return nil, fmt.Errorf("receipts: %w", err)
		}
		r, err := s.receipt(ctx, c, secret, secret.Voter(actor))
		if errors.Is(err, ErrNotFound) {
			continue
		} else if err != nil {
			return nil, fmt.Errorf("receipts: %w", err)
		}
		all = append(all, r)
	}
	return all, nil
}

// receiptContext keeps a token from passing for something else that is sealed.
const receiptContext = "receipt"

// Receipt opens the token of a receipt. A token that is none, and one of a ballot
// that was taken back since, is ErrNotFound; without the key it is ErrSealed.
func (s *Service) Receipt(ctx context.Context, c Consultation, token string) (Receipt, error) {
	secret, err := s.keys.Secret(c.ID)
	if err != nil {
		return Receipt{}, fmt.Errorf("receipt: %w", err)
	}
	sealed, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return Receipt{}, fmt.Errorf("receipt: %w", ErrNotFound)
	}
	voter, err := secret.Open(sealed, []byte(receiptContext))
	if err != nil || len(voter) != len(Pseudonym{}) {
		return Receipt{}, fmt.Errorf("receipt: %w", ErrNotFound)
	}
	r, err := s.receipt(ctx, c, secret, Pseudonym(voter))
	if err != nil {
		return r, fmt.Errorf("receipt: %w", err)
	}
	r.Token = token
	return r, nil
}

func (s *Service) receipt(ctx context.Context, c Consultation, secret *Secret, voter Pseudonym) (Receipt, error) {
	r := Receipt{Consultation: c, Token: base64.RawURLEncoding.EncodeToString(secret.Seal(voter[:], []byte(receiptContext)))}
	sealed, err := s.Ballot(ctx, c.Number, voter)
	if err != nil {
		return r, err
	}
	b, err := secret.openBallot(voter, sealed)
	if err != nil {
		return r, err
	}
	for _, u := range c.units(secret, b) {
		n, err := s.FindEntry(ctx, c.Number, u.Entry(s.Origin(c)))
		if errors.Is(err, ErrNotFound) {
			n = -1
		} else if err != nil {
			return r, err
		}
		r.Codes, r.Entries = append(r.Codes, u.Code), append(r.Entries, n)
	}
	if len(r.Codes) == 0 {
		return r, ErrNotFound
	}
	return r, nil
}

// Proof is an offline proof that an entry stands in a consultation's log (C2SP
// tlog-proof), as of the log's newest head.
func (s *Service) Proof(ctx context.Context, c Consultation, n int64) ([]byte, error) {
	head, err := s.Log(ctx, c.Number)
	if err != nil {
		return nil, fmt.Errorf("proof: %w", err)
	}
	if n < 0 || n >= head.Size {
		return nil, fmt.Errorf("proof of entry %d of %d: %w", n, head.Size, ErrNotFound)
	}
	entry, err := s.LogEntry(ctx, c.Number, n)
	if err != nil {
		return nil, fmt.Errorf("proof: %w", err)
	}
	tree := ballotlog.Tree{Tiles: readTiles{ctx, s, c.Number}, Size: head.Size}
	return tree.Proof(n, entry, head.Checkpoint)
}

// readTiles are a log's tiles outside a transaction. A tile only ever grows, so
// what a head needs is there while a later one is being written.
type readTiles struct {
	ctx    context.Context
	s      *Service
	number int64
}

// Tile implements ballotlog.Tiles.
func (t readTiles) Tile(level int, n int64) ([]byte, error) {
	return t.s.LogTile(t.ctx, t.number, level, n)
}

// SaveTile implements ballotlog.Tiles; it is never called.
func (t readTiles) SaveTile(int, int64, []byte) error {
	return errors.New("a log is written in a transaction")
}
