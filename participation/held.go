package participation

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Held is what is held about one actor here, apart from what federation keeps of
// its account. Requests that wait for verification are sealed and in it neither.
type Held struct {
	Ballots  []HeldBallot // newest consultation first; only those that choose something
	Replies  []Reply      // hidden ones too, oldest first
	Answers  []Post       // of the municipality, which name the actor
	Gestures []GivenGesture
	Reports  []Report // that name the actor or one of its replies; who sent one is not known, only from which server
}

// HeldBallot tells voters what of their own ballot is held.
type HeldBallot struct {
	Consultation Consultation
	Since        time.Time // of its first mark
	Class        Class
	Codes        []string // as in Receipt
	Choices      []string // the options chosen, in their order; none before the consultation has closed
}

// Held gathers it. A ballot whose consultation's key is not here, or which has
// lost its name, cannot be found.
func (s *Service) Held(ctx context.Context, actor string) (h Held, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("held: %w", err)
		}
	}()
	if h.Ballots, err = s.heldBallots(ctx, actor); err != nil {
		return h, err
	}
	if h.Replies, err = s.Replies(ctx, ReplyFilter{Author: actor, All: true}); err != nil {
		return h, err
	}
	if h.Answers, err = s.PostsTo(ctx, actor); err != nil {
		return h, err
	}
	if h.Gestures, err = s.GesturesOf(ctx, actor); err != nil {
		return h, err
	}
	h.Reports, err = s.Reports(ctx, true)
	h.Reports = slices.DeleteFunc(h.Reports, func(r Report) bool {
		return !slices.ContainsFunc(r.Objects, func(o string) bool {
			return o == actor || slices.ContainsFunc(h.Replies, func(r Reply) bool { return r.ID == o })
		})
	})
	return h, err
}

func (s *Service) heldBallots(ctx context.Context, actor string) ([]HeldBallot, error) {
	published, err := s.Consultations(ctx, Filter{Phases: []Phase{Open, Closed, Withdrawn}})
	if err != nil {
		return nil, err
	}
	receipts, err := s.Receipts(ctx, actor)
	if err != nil {
		return nil, err
	}
	var all []HeldBallot
	err = s.store.Update(ctx, func(tx Tx) error { // it only reads
		all = nil
		for _, c := range published {
			b, err := s.heldBallot(tx, c, actor)
			if err != nil {
				return err
			}
			if b == nil {
				continue
			}
			if i := slices.IndexFunc(receipts, func(r Receipt) bool { return r.Consultation.ID == c.ID }); i >= 0 {
				b.Codes = receipts[i].Codes
			}
			all = append(all, *b)
		}
		return nil
	})
	return all, err
}

// heldBallot is nil if there is none.
func (s *Service) heldBallot(tx Tx, c Consultation, actor string) (*HeldBallot, error) {
	if !c.Kind.HasOptions() {
		return nil, nil
	}
	secret, err := s.keys.Secret(c.ID)
	if errors.Is(err, ErrSealed) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	voter := secret.Voter(actor)
	sealed, err := tx.Ballot(c.Number, voter)
	if err != nil || sealed == nil {
		return nil, err
	}
	ballot, err := secret.openBallot(voter, sealed)
	if err != nil || ballot.Choices == 0 || ballot.Actor == "" {
		return nil, err
	}
	b := &HeldBallot{Consultation: c, Since: ballot.ReceivedAt, Class: ballot.Class}
	if c.Phase != Closed {
		return b, nil
	}
	for i, name := range c.Options {
		if ballot.Choices>>i&1 != 0 {
			b.Choices = append(b.Choices, name)
		}
	}
	return b, nil
}

// dataTime is how long the link to what is held is valid.
const dataTime = time.Hour

// dataContext binds a token to its purpose, so that nothing else the node seals
// can be taken for one.
const dataContext = "my data"

// DataToken lets its bearer see, and have erased, what is held about an actor,
// for an hour. Nothing is stored: it is the actor and the end of that hour,
// sealed under the node's key.
func (s *Service) DataToken(actor string) string {
	plain := binary.BigEndian.AppendUint64(nil, uint64(s.now().Add(dataTime).Unix()))
	sealed := s.keys.Node().Seal(append(plain, actor...), []byte(dataContext))
	return base64.RawURLEncoding.EncodeToString(sealed)
}

// DataActor tells whose data a token opens: ErrNotFound if it is none of ours,
// ErrExpired if its hour is over.
func (s *Service) DataActor(token string) (actor string, err error) {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || strings.ContainsAny(token, "\r\n") { // which the decoder passes over
		return "", fmt.Errorf("my data: %w: no such link", ErrNotFound)
	}
	plain, err := s.keys.Node().Open(sealed, []byte(dataContext))
	if err != nil || len(plain) < 8 {
		return "", fmt.Errorf("my data: %w: no such link", ErrNotFound)
	}
	if until := time.Unix(int64(binary.BigEndian.Uint64(plain)), 0); s.now().After(until) {
		return "", fmt.Errorf("my data: the link is %w", ErrExpired)
	}
	return string(plain[8:]), nil
}
