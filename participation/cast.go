package participation

import (
	"context"
	"errors"
	"fmt"
)

// CastVote counts a vote, or says why not. When it returns without error the
// outcome is on disk. Retransmissions change nothing: a vote object that is
// known already is Repeated and leaves no trace. One that may be late or not,
// because the node has just stood still or its clock stepped, is ErrUnsure.
//
// A draft is ErrNotFound, like what never was.
//
// The outcome of several marks is Counted if one of them counted, else that of
// the last.
func (s *Service) CastVote(ctx context.Context, v Vote) (Outcome, error) {
	var outcome Outcome
	var number int64
	err := s.store.Update(ctx, func(tx Tx) error {
		c, err := tx.Consultation(v.Consultation)
		if err != nil {
			return err
		}
		if c.Phase == Draft {
			return ErrNotFound // nobody may learn that it is here
		}
		number = c.Number
		outcome, err = s.cast(tx, c, v)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("cast vote: %w", err)
	}
	if outcome == Counted {
		s.inboxes.add(number, v.Inbox)
	}
	return outcome, nil
}

func (s *Service) cast(tx Tx, c Consultation, v Vote) (Outcome, error) {
	if !c.Kind.HasOptions() || len(v.Marks) == 0 {
		return NotVotable, tx.Refuse(c.Number, NotVotable)
	}
	if c.Destroyed() {
		return Late, tx.Refuse(c.Number, Late)
	}
	if s.UnderReview(c.ID) {
		return "", ErrReview
	}
	secret, err := s.keys.Secret(c.ID)
	if err != nil {
		return "", err
	}
	ballot, had, err := load(tx, c, secret, secret.Voter(v.Actor))
	if err != nil {
		return "", err
	}
	if ballot.Choices == 0 {
		ballot.Actor, ballot.Inbox, ballot.ReceivedAt, ballot.Since = v.Actor, v.Inbox, v.ReceivedAt, day(v.AccountSince)
	}
	if len(ballot.Marks) == 0 {
		ballot.Class = c.class(v)
	}
	before, result := ballot.Choices, Outcome("")
	for _, m := range v.Marks {
		outcome, err := s.castMark(tx, c, secret, &ballot, v, m)
		if err != nil {
			return "", err
		}
		if result != Counted {
			result = outcome
		}
	}
	if ballot.Choices == before {
		return result, nil
	}
	return result, change(tx, c, secret, ballot, had)
}

// load opens a voter's ballot, or starts one; sealed is what it was opened from.
func load(tx Tx, c Consultation, secret *Secret, voter Pseudonym) (b Ballot, sealed []byte, err error) {
	sealed, err = tx.Ballot(c.Number, voter)
	if err != nil || sealed == nil {
		return Ballot{Voter: voter}, nil, err
	}
	b, err = secret.openBallot(voter, sealed)
	return b, sealed, err
}

func save(tx Tx, c Consultation, secret *Secret, b Ballot) error {
	return tx.SaveBallot(c.Number, b.Voter, b.Choices != 0, secret.sealBallot(b, c.sealedIn()))
}

// change saves a ballot that chooses otherwise than the one it was made of, and
// has the log hear of it. One that the log never heard of and that chooses
// nothing any more is none of its business.
func change(tx Tx, c Consultation, secret *Secret, b Ballot, had []byte) error {
	if err := save(tx, c, secret, b); err != nil {
		return err
	}
	if b.Choices == 0 {
		logged, waits, err := tx.Awaited(c.Number, b.Voter)
		if err != nil {
			return err
		}
		if waits && logged == nil {
			return tx.Written(c.Number, b.Voter)
		}
	}
	return tx.Await(c.Number, b.Voter, had)
}

func (s *Service) castMark(tx Tx, c Consultation, secret *Secret, b *Ballot, v Vote, m Mark) (Outcome, error) {
	option, ok := c.match(m.Name)
	if !ok {
		return UnknownOption, tx.Refuse(c.Number, UnknownOption)
	}
	object := secret.mark(m.Object)
	if i := b.find(object, option); i >= 0 {
		if b.Marks[i].Revoked {
			return Revoked, nil
		}
		return Repeated, nil
	}
	if b.withdrew(object) {
		return Revoked, nil
	}
	outcome := c.admits(v)
	if outcome == Late {
		if _, err := s.over(tx, c, v.ReceivedAt); err != nil {
			return "", err
		}
	}
	if outcome == Counted {
		buried, err := tx.Buried(s.grave(v.Actor, m.Object), s.grave(v.Actor, v.Actor))
		if err != nil {
			return "", err
		}
		if buried {
			outcome = Revoked
		} else {
			outcome = c.add(b, option, object)
		}
	}
	if outcome != Counted {
		return outcome, tx.Refuse(c.Number, outcome)
	}
	return Counted, nil
}

// grave is the key under which the Delete of an object by an actor is kept.
func (s *Service) grave(actor, object string) Pseudonym {
	return s.keys.Node().digest(actor + " " + object)
}

// Delete does what its author asked by deleting an object: a reply goes, a
// vote is withdrawn while its consultation is open. An object never seen is
// remembered for a week, should its Create come later. An object of somebody
// else is left alone.
func (s *Service) Delete(ctx context.Context, actor, object string) error {
	votable, err := s.Consultations(ctx, Filter{Phases: []Phase{Open, Closed}})
	if err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	withdrawn := false
	err = s.store.Update(ctx, func(tx Tx) error {
		r, err := tx.Reply(object)
		switch {
		case err == nil && r.Author.ID != actor:
			return nil
		case err == nil:
			return s.removeReply(tx, r)
		case !errors.Is(err, ErrNotFound):
			return err
		}
		withdrawn, err = s.withdrawVote(tx, votable, actor, object)
		if err != nil || withdrawn {
			return err
		}
		return tx.Tombstone(s.grave(actor, object), s.now())
	})
	if err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	if withdrawn {
		s.inboxes.drop()
	}
	return nil
}

// withdrawVote looks in the consultations given for a vote object of the actor.
func (s *Service) withdrawVote(tx Tx, votable []Consultation, actor, object string) (found bool, err error) {
	for _, c := range votable {
		secret, err := s.keys.Secret(c.ID)
		if errors.Is(err, ErrSealed) || !c.Kind.HasOptions() {
			continue
		} else if err != nil {
			return false, err
		}
		ballot, had, err := load(tx, c, secret, secret.Voter(actor))
		if err != nil {
			return false, err
		}
		mark := secret.mark(object)
		if ballot.find(mark, -1) < 0 {
			continue
		}
		// The phase as this transaction sees it: a close may have come between.
		if c, err = tx.Consultation(c.ID); err != nil {
			return false, err
		}
		over, err := s.over(tx, c, s.now())
		if err != nil || over || ballot.withdrew(mark) {
			return true, err // after closing the count stands
		}
		if s.UnderReview(c.ID) {
			return false, ErrReview
		}
		if ballot.withdraw(mark); ballot.Choices == 0 {
			if err := tx.Refuse(c.Number, Withdrawals); err != nil {
				return false, err
			}
		}
		return true, change(tx, c, secret, ballot, had)
	}
	return false, nil
}

// ForgetActor does what the deletion of an account asks: its replies and
// gestures go, its ballots go where voting is still open. Where voting has
// closed the count stands and the ballot loses its name.
func (s *Service) ForgetActor(ctx context.Context, actor string) error {
	published, err := s.Consultations(ctx, Filter{Phases: []Phase{Open, Closed, Withdrawn}})
	if err != nil {
		return fmt.Errorf("forget actor: %w", err)
	}
	withdrawn := false
	err = s.store.Update(ctx, func(tx Tx) error {
		for _, c := range published {
			had, err := s.forgetBallot(tx, c.ID, actor)
			if err != nil {
				return err
			}
			withdrawn = withdrawn || had
		}
		replies, err := tx.RepliesBy(actor)
		if err != nil {
			return err
		}
		for _, r := range replies {
			if err := s.removeReply(tx, r); err != nil {
				return err
			}
		}
		if err := tx.UnsetGestures(actor); err != nil {
			return err
		}
		return tx.Tombstone(s.grave(actor, actor), s.now())
	})
	if err != nil {
		return fmt.Errorf("forget actor: %w", err)
	}
	if withdrawn {
		s.inboxes.drop()
	}
	return nil
}

// forgetBallot tells whether there was one.
func (s *Service) forgetBallot(tx Tx, id, actor string) (had bool, err error) {
	c, err := tx.Consultation(id)
	if err != nil || !c.Kind.HasOptions() {
		return false, err
	}
	secret, err := s.keys.Secret(c.ID)
	if errors.Is(err, ErrSealed) {
		return false, nil // without the key nobody can find it, and nobody can read it
	} else if err != nil {
		return false, err
	}
	ballot, sealed, err := load(tx, c, secret, secret.Voter(actor))
	if err != nil || len(ballot.Marks) == 0 {
		return false, err
	}
	over, err := s.over(tx, c, s.now())
	if err != nil {
		return false, err
	}
	if over || ballot.Choices == 0 {
		ballot.forget()
		return true, save(tx, c, secret, ballot)
	}
	if s.UnderReview(c.ID) {
		return false, ErrReview
	}
	for i := range ballot.Marks {
		ballot.revoke(i)
	}
	if err := tx.Refuse(c.Number, Withdrawals); err != nil {
		return false, err
	}
	return true, change(tx, c, secret, ballot, sealed)
}
