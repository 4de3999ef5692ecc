package participation

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Beat is the node's last sign of life that is on disk.
type Beat struct {
	Database string    // random name of the database, made with it
	N        int64     // one more at each beat
	At       time.Time // zero: this database was never served
}

// IncidentKind says what befell the node.
type IncidentKind string

const (
	// Outage: between two signs of life the node could not keep votes, because
	// it was down or its disk full, or its clock stepped forward.
	Outage IncidentKind = "outage"
	// Rollback: the node goes on with a database older than, or other than, the
	// one it last ran with. What was received in between is lost.
	Rollback IncidentKind = "rollback"
)

// Incident is a stretch of time that votes may not have come through.
type Incident struct {
	Number       int64 // 1, 2, 3 … in order of recording
	Kind         IncidentKind
	Began, Ended time.Time
}

// OutageFrom is the gap between two beats from which it is an outage.
const OutageFrom = 30 * time.Second

// After an outage votes count for at least this long, because servers that
// found us silent wait longer the longer it lasted; but never until more than
// maxExtension after the planned end, unless the outage itself lasted longer.
const (
	minReopening = 15 * time.Minute
	maxExtension = 48 * time.Hour
)

// ErrUnsure says that the clock and the last sign of life are too far apart to
// tell what is late: the next beat decides.
var ErrUnsure = errors.New("the node stood still or its clock stepped, and the next beat decides what is late")

// acceptsUntil is how long votes count after an outage: whole seconds. It may
// lie before the deadline, which then stands.
func (c Consultation) acceptsUntil(i Incident) time.Time {
	length := i.Ended.Sub(i.Began)
	until := i.Ended.Add(max(minReopening, length+length/5))
	least, most := i.Ended.Add(minReopening), c.planned().Add(maxExtension)
	if until.After(most) {
		until = most
	}
	if until.Before(least) {
		until = least
	}
	return until.Add(time.Second - 1).Truncate(time.Second)
}

// Heartbeat keeps a sign of life: that a vote could have been kept now. If the
// last one is OutageFrom or longer ago, that is an outage, which is recorded
// first, and every consultation not yet closed accepts votes for long enough
// after it; if the last one lies ahead by as much, the clock was ahead, and what
// that has moved is taken back. It returns the new beat, and the outage if there was one (else its
// Number is 0). When it returns without error all of that is on disk.
func (s *Service) Heartbeat(ctx context.Context) (b Beat, outage Incident, err error) {
	running, err := s.underWay(ctx)
	if err != nil {
		return b, outage, fmt.Errorf("heartbeat: %w", err)
	}
	err = s.store.Update(ctx, func(tx Tx) error {
		if b, err = tx.Beat(); err != nil {
			return err
		}
		now := s.now().UTC()
		if b.At.Sub(now) >= OutageFrom {
			if err := s.takeBack(ctx, tx, now, running); err != nil {
				return err
			}
		}
		if !b.At.IsZero() && now.Sub(b.At) >= OutageFrom {
			if outage, err = s.recordOutage(tx, Incident{Kind: Outage, Began: b.At, Ended: now}, running); err != nil {
				return err
			}
		}
		b.N, b.At = b.N+1, now
		return tx.SaveBeat(b)
	})
	if err != nil {
		return Beat{}, Incident{}, fmt.Errorf("heartbeat: %w", err)
	}
	return b, outage, nil
}

func (s *Service) recordOutage(tx Tx, i Incident, running []Consultation) (Incident, error) {
	affected, err := s.extend(tx, i, running)
	if err != nil {
		return i, err
	}
	i.Number, err = tx.SaveIncident(i, affected)
	return i, err
}

// extend moves the deadline of what was open during an outage, or should have
// been, and lists what it moved. What has closed stays closed.
func (s *Service) extend(tx Tx, i Incident, running []Consultation) (affected []int64, err error) {
	for _, c := range running {
		if c, err = tx.Consultation(c.ID); err != nil {
			return nil, err
		}
		until := c.acceptsUntil(i)
		if c.Phase != Open && c.Phase != Scheduled || c.OpensAt.After(i.Ended) || !until.After(c.Deadline()) {
			continue
		}
		c.ExtendedUntil = until
		if err := tx.SaveConsultation(&c); err != nil {
			return nil, err
		}
		reason := fmt.Sprintf("no sign of life from %s to %s: votes count until %s",
			i.Began.Format(time.RFC3339), i.Ended.Format(time.RFC3339), until.Format(time.RFC3339))
		if err := s.record(tx, ConsultationExtended, c, "", reason); err != nil {
			return nil, err
		}
		if err := s.logIncident(tx, c, i); err != nil {
			return nil, err
		}
		affected = append(affected, c.Number)
	}
	return affected, nil
}

// takeBack undoes, when the clock turns out to have been ahead, what outages
// that end in the future have moved: else a clock that once stood ten years
// ahead would keep a consultation open for ten years.
func (s *Service) takeBack(ctx context.Context, tx Tx, now time.Time, running []Consultation) error {
	for _, c := range running {
		c, err := tx.Consultation(c.ID)
		if err != nil {
			return err
		}
		incidents, err := s.Incidents(ctx, c.Number)
		if err != nil {
			return err
		}
		until := time.Time{}
		for _, i := range incidents {
			if t := c.acceptsUntil(i); i.Kind == Outage && !i.Ended.After(now) && t.After(until) {
				until = t
			}
		}
		if !until.Before(c.ExtendedUntil) || c.Phase != Open && c.Phase != Scheduled {
			continue
		}
		c.ExtendedUntil = until
		if err := tx.SaveConsultation(&c); err != nil {
			return err
		}
		reason := fmt.Sprintf("the clock was ahead, and is set back to %s: votes count until %s",
			now.Format(time.RFC3339), c.Deadline().UTC().Format(time.RFC3339))
		if err := s.record(tx, ConsultationExtended, c, "", reason); err != nil {
			return err
		}
	}
	return nil
}

// AcceptRollback records that the node goes on with a database that is older
// than what it has run with, or another: everything that this database takes
// for open may lack votes, and its page says so. Beats are numbered on from
// above, so that the database left behind is noticed if it comes back.
func (s *Service) AcceptRollback(ctx context.Context, above int64) error {
	running, err := s.underWay(ctx)
	if err != nil {
		return fmt.Errorf("accept rollback: %w", err)
	}
	err = s.store.Update(ctx, func(tx Tx) error {
		b, err := tx.Beat()
		if err != nil {
			return err
		}
		i := Incident{Kind: Rollback, Began: b.At, Ended: s.now().UTC()}
		if b.At.IsZero() || i.Ended.Before(i.Began) {
			i.Began = i.Ended
		}
		var affected []int64
		for _, c := range running {
			if c.OpensAt.After(i.Ended) {
				continue
			}
			affected = append(affected, c.Number)
			if err := s.logIncident(tx, c, i); err != nil {
				return err
			}
		}
		if _, err := tx.SaveIncident(i, affected); err != nil {
			return err
		}
		reason := "the database is as of " + i.Began.Format(time.RFC3339)
		if err := s.record(tx, RollbackAccepted, Consultation{}, "", reason); err != nil {
			return err
		}
		b.N = max(b.N, above)
		return tx.SaveBeat(b)
	})
	if err != nil {
		return fmt.Errorf("accept rollback: %w", err)
	}
	return nil
}

func (s *Service) underWay(ctx context.Context) ([]Consultation, error) {
	return s.Consultations(ctx, Filter{Phases: []Phase{Open, Scheduled}})
}

// over tells whether a moment lies after the last at which votes count. While
// the last sign of life is long ago it does not know, and says ErrUnsure.
func (s *Service) over(tx Tx, c Consultation, at time.Time) (bool, error) {
	if c.Phase != Open {
		return true, nil
	}
	if !at.After(c.Deadline()) {
		return false, nil
	}
	return true, s.sure(tx)
}

// sure fails with ErrUnsure while an outage may have to be recorded.
func (s *Service) sure(tx Tx) error {
	b, err := tx.Beat()
	if err != nil || b.At.IsZero() || s.now().Sub(b.At) < OutageFrom {
		return err
	}
	return fmt.Errorf("%w (the last one was at %s)", ErrUnsure, b.At.Format(time.RFC3339))
}
