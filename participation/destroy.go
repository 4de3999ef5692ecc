package participation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"inspraak/participation/ballotlog"
)

// DestroyPause is the least time between the announcement of a destruction and
// the destruction.
const DestroyPause = 24 * time.Hour

// DestroyStep is what comes next in the destruction of a consultation's ballots.
type DestroyStep string

const (
	AnnounceDestruction DestroyStep = "announce" // nothing is destroyed yet, and it can be cancelled
	BeginDestruction    DestroyStep = "begin"    // cannot be undone
	FinishDestruction   DestroyStep = "finish"   // it has begun, and was cut short
)

// Destroyed tells whether the ballots are gone, or going: from then on they are
// not counted, and nobody waits for their key.
func (c Consultation) Destroyed() bool { return !c.DestroyingAt.IsZero() }

// ObjectionsUntil is the end of the objection period: so long after the closing,
// or after the planned closing where it was withdrawn before.
func (c Consultation) ObjectionsUntil(period time.Duration) time.Time {
	if c.ClosedAt.IsZero() {
		return c.ClosesAt.Add(period)
	}
	return c.ClosedAt.Add(period)
}

// DestroyableFrom is when a destruction that is announced can be carried out.
func (c Consultation) DestroyableFrom() time.Time { return c.AnnouncedAt.Add(DestroyPause) }

// ended tells whether there are ballots that will change no more.
func (c Consultation) ended() error {
	switch {
	case !c.Kind.HasOptions():
		return fmt.Errorf("%w: it is an open question, and has no ballots to destroy", ErrPhase)
	case c.Phase != Closed && c.Phase != Withdrawn:
		return fmt.Errorf("%w: it is %s; only what is closed or withdrawn can be destroyed", ErrPhase, c.Phase)
	case c.OpenedAt.IsZero():
		return fmt.Errorf("%w: it was withdrawn before it opened, so nobody voted and there is nothing to destroy", ErrPhase)
	case !c.DestroyedAt.IsZero():
		return fmt.Errorf("%w: its ballots and their key were destroyed on %s", ErrPhase, c.stamp(c.DestroyedAt))
	}
	return nil
}

// nextDestruction is the rule: which step the key by may take now.
func (c Consultation) nextDestruction(now time.Time, by string, objection time.Duration) (DestroyStep, error) {
	if err := c.ended(); err != nil {
		return "", err
	}
	if c.Destroyed() {
		return FinishDestruction, nil // two have decided
	}
	if until := c.ObjectionsUntil(objection); now.Before(until) {
		return "", fmt.Errorf("%w: the objection period lasts until %s", ErrEarly, c.stamp(until))
	}
	switch {
	case c.AnnouncedAt.IsZero():
		return AnnounceDestruction, nil
	case by == c.AnnouncedBy:
		return "", fmt.Errorf("%w: the key %s announced it, on %s; another enrolled key must carry it out, from %s",
			ErrInvalid, by, c.stamp(c.AnnouncedAt), c.stamp(c.DestroyableFrom()))
	case now.Before(c.DestroyableFrom()):
		return "", fmt.Errorf("%w: the key %s announced it on %s, and it can be carried out from %s",
			ErrEarly, c.AnnouncedBy, c.stamp(c.AnnouncedAt), c.stamp(c.DestroyableFrom()))
	}
	return BeginDestruction, nil
}

// stamp is a moment as people read it who look after the consultation.
func (c Consultation) stamp(t time.Time) string {
	zone, err := time.LoadLocation(c.Zone)
	if err != nil {
		zone = time.UTC
	}
	return t.In(zone).Format("2006-01-02 15:04 MST")
}

// NextDestruction tells which step the owner of a key, by its fingerprint, can
// take now, and changes nothing. objection is how long after closing nothing may
// be destroyed. What is closed must have its dataset, and its ballots must add up
// to the result: they are the only proof if they do not.
func (s *Service) NextDestruction(ctx context.Context, c Consultation, by string, objection time.Duration) (DestroyStep, error) {
	step, err := c.nextDestruction(s.now(), by, objection)
	if err == nil && step != FinishDestruction {
		err = s.settled(ctx, c)
	}
	if err != nil {
		return "", fmt.Errorf("destroy %s: %w", c.Slug, err)
	}
	return step, nil
}

// settled tells whether everything was published that the ballots are needed for.
func (s *Service) settled(ctx context.Context, c Consultation) error {
	if s.UnderReview(c.ID) {
		return ErrReview
	}
	if c.Phase == Closed {
		if _, err := s.Dataset(ctx, c); errors.Is(err, ErrNotFound) {
			return fmt.Errorf("%w: its dataset is not published yet; the node does that after closing, while it serves", ErrPhase)
		} else if err != nil {
			return err
		}
	}
	r, same, err := s.Recount(ctx, c)
	switch {
	case errors.Is(err, ErrSealed): // what is left of it can go
		return nil
	case err != nil:
		return err
	case !same:
		return fmt.Errorf("%w: the ballots do not add up to the result (version %d); keep them and have it looked into", ErrReview, r.Version)
	}
	return nil
}

// AnnounceDestruction announces, in the log and in the thread, that the ballots
// and their key will be destroyed.
func (s *Service) AnnounceDestruction(ctx context.Context, c Consultation, by string, objection time.Duration) (Consultation, error) {
	if _, err := s.NextDestruction(ctx, c, by, objection); err != nil {
		return c, err
	}
	return s.destruction(ctx, c, by, objection, AnnounceDestruction, func(_ Tx, c *Consultation) (string, EventType, error) {
		c.AnnouncedAt, c.AnnouncedBy = s.now().UTC(), by
		return ballotlog.Announced, DestructionAnnounced, nil
	})
}

// CancelDestruction takes the announcement back, also in public. It is ErrPhase
// where there is none, and where the destruction has begun.
func (s *Service) CancelDestruction(ctx context.Context, c Consultation, by string) (Consultation, error) {
	err := s.store.Update(ctx, func(tx Tx) (err error) {
		if c, err = tx.Consultation(c.ID); err != nil {
			return err
		}
		switch {
		case c.Destroyed():
			return fmt.Errorf("%w: it began on %s, and cannot be stopped", ErrPhase, c.stamp(c.DestroyingAt))
		case c.AnnouncedAt.IsZero():
			return fmt.Errorf("%w: no destruction is announced", ErrPhase)
		}
		c.AnnouncedAt, c.AnnouncedBy = time.Time{}, ""
		return s.saveDestruction(tx, &c, by, ballotlog.Cancelled, DestructionCancelled)
	})
	if err != nil {
		return c, fmt.Errorf("cancel the destruction of %s: %w", c.Slug, err)
	}
	return c, nil
}

// Destroy destroys what links voters and ballots of a consultation, for good: its
// rows, then the key's file, then what the files of the database still hold of
// them, and says so in the log when all that is done, not before. Where it is cut
// short, a call with any enrolled key finishes it. Copies elsewhere it cannot
// reach.
func (s *Service) Destroy(ctx context.Context, c Consultation, by string, objection time.Duration) (Consultation, error) {
	if _, err := s.NextDestruction(ctx, c, by, objection); err != nil {
		return c, err
	}
	if !c.Destroyed() {
		var err error
		c, err = s.destruction(ctx, c, by, objection, BeginDestruction, func(tx Tx, c *Consultation) (string, EventType, error) {
			c.DestroyingAt = utc(s.now())
			return "", DestructionBegun, tx.DestroyBallots(c.Number, s.site.Object(c.ID), s.now())
		})
		if err != nil {
			return c, err
		}
	}
	s.inboxes.forget(c.Number)
	err := s.keys.Destroy(c.ID)
	if err == nil {
		err = s.store.Scrub(ctx)
	}
	if err == nil {
		err = s.store.Update(ctx, func(tx Tx) (err error) {
			if c, err = tx.Consultation(c.ID); err != nil || !c.DestroyedAt.IsZero() {
				return err
			}
			// Once more, for what came between.
			if err := tx.DestroyBallots(c.Number, s.site.Object(c.ID), s.now()); err != nil {
				return err
			}
			c.DestroyedAt = utc(s.now())
			return s.saveDestruction(tx, &c, by, ballotlog.Done, ConsultationDestroyed)
		})
	}
	if err != nil {
		return c, fmt.Errorf("destroy %s: it has begun and is not finished, call again: %w", c.Slug, err)
	}
	return c, nil
}

// destruction takes one step, if the rule allows that one now.
func (s *Service) destruction(ctx context.Context, c Consultation, by string, objection time.Duration, step DestroyStep,
	take func(Tx, *Consultation) (string, EventType, error)) (Consultation, error) {
	err := s.store.Update(ctx, func(tx Tx) (err error) {
		if c, err = tx.Consultation(c.ID); err != nil {
			return err
		}
		next, err := c.nextDestruction(s.now(), by, objection)
		if err == nil && next != step {
			err = fmt.Errorf("%w: the next step is to %s", ErrPhase, next)
		}
		if err != nil {
			return err
		}
		logged, event, err := take(tx, &c)
		if err != nil {
			return err
		}
		return s.saveDestruction(tx, &c, by, logged, event)
	})
	if err != nil {
		return c, fmt.Errorf("destroy %s: %w", c.Slug, err)
	}
	return c, nil
}

// saveDestruction keeps a step, and tells the log of it, unless logged is "".
// Its checkpoint is published: in the thread too, if there is still one.
func (s *Service) saveDestruction(tx Tx, c *Consultation, by, logged string, event EventType) error {
	if err := tx.SaveConsultation(c); err != nil {
		return err
	}
	if err := s.record(tx, event, *c, by, ""); err != nil || logged == "" {
		return err
	}
	entry, err := ballotlog.Entry(ballotlog.DestroyType, ballotlog.Destroy{Step: logged, At: utc(s.now())})
	if err != nil {
		return err
	}
	if err := s.appendLog(tx, *c, []string{entry}, false); err != nil {
		return err
	}
	head, err := tx.Log(c.Number)
	if err != nil {
		return err
	}
	if err := tx.SaveCheckpoint(c.Number, Checkpoint{Size: head.Size, At: head.At, Note: head.Checkpoint}); err != nil || c.Phase == Withdrawn {
		return err
	}
	return s.publish(tx, *c, &Post{Kind: CheckpointPost, Source: destructionText(*c, logged) + "\n\n" + checkpointText(*c, head)})
}

// destructionText is what the thread hears of a step, as Markdown.
func destructionText(c Consultation, step string) string {
	texts := map[string]string{
		ballotlog.Announced: "We are going to destroy the key that links voters and ballots of “%s”, and the ballots kept under it, not before %s. The published result stays. Do you object? Tell us before that time.",
		ballotlog.Cancelled: "The key that links voters and ballots of “%s” will not be destroyed for now.",
		ballotlog.Done:      "The key that linked voters and ballots of “%s”, and the ballots kept under it, are destroyed. The published result stays.",
	}
	if strings.HasPrefix(c.Language, "nl") {
		texts = map[string]string{
			ballotlog.Announced: "Wij gaan de sleutel die stemmers en stemmen van “%s” verbindt vernietigen, met de stemmen die daaronder zijn bewaard. Dat gebeurt niet voor %s. De gepubliceerde uitslag blijft. Hebt u bezwaar? Laat het ons voor die tijd weten.",
			ballotlog.Cancelled: "De sleutel die stemmers en stemmen van “%s” verbindt, wordt voorlopig niet vernietigd.",
			ballotlog.Done:      "De sleutel die stemmers en stemmen van “%s” verbond, is vernietigd, met de stemmen die daaronder waren bewaard. De gepubliceerde uitslag blijft.",
		}
	}
	if step == ballotlog.Announced {
		return fmt.Sprintf(texts[step], escapeMarkdown(c.Title), c.stamp(c.DestroyableFrom()))
	}
	return fmt.Sprintf(texts[step], escapeMarkdown(c.Title))
}
