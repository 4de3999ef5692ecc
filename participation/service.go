package participation

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Service holds the use cases. Each opens one transaction, loads, asks the
// rule, saves and records the event. It is safe for concurrent use.
type Service struct {
	Reader
	store Store
	keys  Keyring
	site  Site
	now   func() time.Time

	blocked blockList
	inboxes inboxes
	reviews reviews
}

// Site is where the node is found: what the log of a consultation says of it
// stays true for good.
type Site struct {
	Host   string                   // with its port, if it has one
	Object func(id string) string   // address of a consultation's object
	Page   func(slug string) string // address of its page
}

// New makes a Service over a store and a keyring; now is the clock that closes
// consultations.
func New(store Store, keys Keyring, site Site, now func() time.Time) *Service {
	return &Service{Reader: store, store: store, keys: keys, site: site, now: now}
}

// newID makes 80 random bits in 16 lower-case letters and digits.
func newID() string { return strings.ToLower(rand.Text()[:16]) }

// change loads a consultation, applies a rule and saves it, recording what the
// rule returns, all in one transaction.
func (s *Service) change(ctx context.Context, id string, rule func(*Consultation) (EventType, error)) (Consultation, error) {
	var c Consultation
	err := s.store.Update(ctx, func(tx Tx) (err error) {
		if c, err = tx.Consultation(id); err != nil {
			return err
		}
		event, err := rule(&c)
		if err != nil {
			return err
		}
		if err := tx.SaveConsultation(&c); err != nil {
			return err
		}
		return s.record(tx, event, c, "", c.Reason)
	})
	return c, err
}

// Draft keeps a new consultation that nobody outside can see. It sets ID and
// Number; everything else is as given, and may still have problems.
func (s *Service) Draft(ctx context.Context, c *Consultation) error {
	c.ID, c.Phase = newID(), Draft
	err := s.store.Update(ctx, func(tx Tx) error {
		if _, err := tx.Channel(c.Channel); err != nil {
			return err
		}
		return tx.SaveConsultation(c)
	})
	if err != nil {
		return fmt.Errorf("draft %q: %w", c.Slug, err)
	}
	return nil
}

// Discard removes a draft.
func (s *Service) Discard(ctx context.Context, id string) error {
	err := s.store.Update(ctx, func(tx Tx) error {
		c, err := tx.Consultation(id)
		if err != nil {
			return err
		}
		if c.Phase != Draft {
			return fmt.Errorf("%w: it is %s; withdraw it instead", ErrPhase, c.Phase)
		}
		return tx.DeleteDraft(c.ID)
	})
	if err != nil {
		return fmt.Errorf("discard %s: %w", id, err)
	}
	return nil
}

// Publish freezes a draft and gives it to the clock, which opens it at
// OpensAt, at once if that has come. It refuses a draft with problems and
// makes the consultation's key first: without a key nothing is published.
func (s *Service) Publish(ctx context.Context, id string) (Consultation, error) {
	c, err := s.Consultation(ctx, id)
	if err != nil {
		return c, fmt.Errorf("publish %s: %w", id, err)
	}
	if c.Phase != Draft {
		return c, fmt.Errorf("publish %s: %w: it is %s", id, ErrPhase, c.Phase)
	}
	if err := c.Check(s.now()); err != nil {
		return c, fmt.Errorf("publish %s: %w", id, err)
	}
	if key := c.Terms.AuditorKey; key != "" { // else no batch could be written
		if _, err := s.keys.SealFor(key, nil); err != nil {
			return c, fmt.Errorf("publish %s: %w: auditor key: %w", id, ErrInvalid, err)
		}
	}
	if err := s.keys.Create(c.ID); err != nil && !errors.Is(err, ErrExists) {
		return c, fmt.Errorf("publish %s: %w", id, err)
	}
	c, err = s.change(ctx, c.ID, func(c *Consultation) (EventType, error) {
		return ConsultationScheduled, c.schedule()
	})
	if err != nil {
		return c, fmt.Errorf("publish %s: %w", id, err)
	}
	if !c.OpensAt.After(s.now()) {
		return s.open(ctx, c.ID)
	}
	return c, nil
}

func (s *Service) open(ctx context.Context, id string) (Consultation, error) {
	var c Consultation
	err := s.store.Update(ctx, func(tx Tx) (err error) {
		if c, err = tx.Consultation(id); err != nil {
			return err
		}
		if err := c.open(s.now()); err != nil {
			return err
		}
		if err := tx.SaveConsultation(&c); err != nil {
			return err
		}
		if err := tx.SaveResult(Result{Consultation: c.ID, Version: 1, At: s.now()}); err != nil {
			return err
		}
		if err := s.record(tx, ConsultationOpened, c, "", c.Reason); err != nil {
			return err
		}
		return s.openLog(tx, c) // after the event: its checkpoint stands under the question
	})
	if errors.Is(err, ErrPhase) && c.Phase == Open {
		return c, nil // another process was first
	}
	if err != nil {
		return c, fmt.Errorf("open %s: %w", id, err)
	}
	return c, nil
}

// OpenDue opens every scheduled consultation whose time has come.
func (s *Service) OpenDue(ctx context.Context) (opened int, err error) {
	due, err := s.Consultations(ctx, Filter{Phases: []Phase{Scheduled}, DueBefore: s.now()})
	for _, c := range due {
		if _, err := s.open(ctx, c.ID); err != nil {
			return opened, err
		}
		opened++
	}
	return opened, err
}

// settling is how long after the deadline the closing waits: a vote received at
// the last moment may still be on its way through verification.
const settling = 5 * time.Second

// ToClose lists the open consultations whose deadline has passed, and those
// closed whose final count is still owed. The caller tries their waiting votes
// once more, then calls Close.
func (s *Service) ToClose(ctx context.Context) ([]Consultation, error) {
	due, err := s.Consultations(ctx, Filter{Phases: []Phase{Open}, DueBefore: s.now().Add(-settling)})
	if err != nil {
		return nil, fmt.Errorf("due to close: %w", err)
	}
	closed, err := s.Consultations(ctx, Filter{Phases: []Phase{Closed}})
	if err != nil {
		return nil, fmt.Errorf("due to close: %w", err)
	}
	for _, c := range closed {
		r, err := s.Result(ctx, c.ID)
		if err != nil {
			return nil, fmt.Errorf("due to close: %w", err)
		}
		if !r.Final {
			due = append(due, c)
		}
	}
	return due, nil
}

// Close ends the voting, counts, and publishes the final result. unverified is
// the number of votes received in time that could never be verified. A reason
// makes it an early close, which cannot be undone. Calling it again finishes
// what a crash left undone. Without a reason it is ErrUnsure while an outage
// may have to move the deadline.
func (s *Service) Close(ctx context.Context, id, reason string, unverified int) (Result, error) {
	c, err := s.Consultation(ctx, id)
	if err != nil {
		return Result{}, fmt.Errorf("close %s: %w", id, err)
	}
	if c.Kind.HasOptions() { // without its key it could not be counted
		if _, err := s.keys.Secret(c.ID); err != nil {
			return Result{}, fmt.Errorf("close %s: %w", id, err)
		}
	}
	if s.UnderReview(c.ID) {
		return Result{}, fmt.Errorf("close %s: %w", id, ErrReview)
	}
	if c.Phase != Closed || reason != "" {
		err = s.store.Update(ctx, func(tx Tx) error {
			if c, err = tx.Consultation(id); err != nil {
				return err
			}
			if reason == "" && s.now().Before(c.Deadline()) {
				return fmt.Errorf("%w: it is open until %s", ErrPhase, c.Deadline().Format(time.RFC3339))
			}
			if reason == "" && c.Phase == Open {
				if err := s.sure(tx); err != nil {
					return err
				}
			}
			if err := c.close(s.now(), reason); err != nil {
				return err
			}
			for range unverified {
				if err := tx.Refuse(c.Number, Unverified); err != nil {
					return err
				}
			}
			return tx.SaveConsultation(&c)
		})
		if err != nil {
			return Result{}, fmt.Errorf("close %s: %w", id, err)
		}
	}
	if c.Kind.HasOptions() {
		if _, err := s.writeLog(ctx, c, true); err != nil {
			return Result{}, fmt.Errorf("close %s: %w", id, err)
		}
	}
	r, err := s.count(ctx, c.ID)
	if err != nil {
		return r, fmt.Errorf("close %s: %w", id, err)
	}
	return r, nil
}

// Withdraw takes a published consultation back, for a public reason. Its
// address answers "gone" from then on; nothing is counted any more.
func (s *Service) Withdraw(ctx context.Context, id, reason string) error {
	_, err := s.change(ctx, id, func(c *Consultation) (EventType, error) {
		if strings.TrimSpace(reason) == "" {
			return "", fmt.Errorf("%w: a withdrawal needs a public reason", ErrInvalid)
		}
		return ConsultationWithdrawn, c.withdraw(reason)
	})
	if err != nil {
		return fmt.Errorf("withdraw %s: %w", id, err)
	}
	return nil
}
