package participation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"inspraak/participation/markup"
)

// Receive keeps a report from another server's moderators. The same report
// twice is kept once.
func (s *Service) Receive(ctx context.Context, r Report) error {
	err := s.store.Update(ctx, func(tx Tx) error {
		if _, err := tx.Report(r.ID); !errors.Is(err, ErrNotFound) {
			return err
		}
		r.Text, r.Received = cut(markup.Plain(r.Text), 2000), s.now()
		if err := tx.SaveReport(r); err != nil {
			return err
		}
		return tx.Record(&Event{At: s.now(), Type: ReportReceived, Subject: r.ID})
	})
	if err != nil {
		return fmt.Errorf("receive report: %w", err)
	}
	return nil
}

func cut(s string, size int) string {
	for len(s) > size || !utf8.ValidString(s) {
		_, last := utf8.DecodeLastRuneInString(s)
		s = s[:min(len(s)-last, size)]
	}
	return s
}

// Resolve closes a report with what was done about it.
func (s *Service) Resolve(ctx context.Context, id, resolution string) error {
	err := s.store.Update(ctx, func(tx Tx) error {
		r, err := tx.Report(id)
		if err != nil {
			return err
		}
		if !r.ResolvedAt.IsZero() {
			return fmt.Errorf("%w: it was resolved on %s", ErrExists, r.ResolvedAt.Format("2006-01-02"))
		}
		r.ResolvedAt, r.Resolution = s.now(), resolution
		if err := tx.SaveReport(r); err != nil {
			return err
		}
		return tx.Record(&Event{At: s.now(), Type: ReportResolved, Subject: id, Reason: resolution})
	})
	if err != nil {
		return fmt.Errorf("resolve report %s: %w", id, err)
	}
	return nil
}

// Block refuses everything from an account (an actor id) or a server (a host
// in punycode) from now on. What was counted before stays counted.
func (s *Service) Block(ctx context.Context, subject, reason string) error {
	if reason == "" {
		return fmt.Errorf("block %s: %w: give a reason", subject, ErrInvalid)
	}
	err := s.store.Update(ctx, func(tx Tx) error {
		if err := tx.SaveBlock(Block{Subject: subject, Reason: reason, Created: s.now()}); err != nil {
			return err
		}
		return tx.Record(&Event{At: s.now(), Type: ActorBlocked, Subject: subject, Reason: reason})
	})
	if err != nil {
		return fmt.Errorf("block %s: %w", subject, err)
	}
	s.blocked.changed()
	return nil
}

// Unblock takes a block back.
func (s *Service) Unblock(ctx context.Context, subject string) error {
	err := s.store.Update(ctx, func(tx Tx) error {
		if err := tx.DeleteBlock(subject); err != nil {
			return err
		}
		return tx.Record(&Event{At: s.now(), Type: ActorUnblocked, Subject: subject})
	})
	if err != nil {
		return fmt.Errorf("unblock %s: %w", subject, err)
	}
	s.blocked.changed()
	return nil
}

// blockAge is how old the remembered block list may be, in case another process
// has changed it.
const blockAge = time.Second

// blockList is remembered, since every activity received is held against it.
type blockList struct {
	mu     sync.Mutex
	blocks []Block
	read   time.Time // zero: not yet, or changed since
}

// Blocked tells whether a block covers an account. A block made by this
// Service holds at once, one made by another process within a second.
func (s *Service) Blocked(ctx context.Context, actor, host string) (bool, error) {
	s.blocked.mu.Lock()
	defer s.blocked.mu.Unlock()
	if age := s.now().Sub(s.blocked.read); s.blocked.read.IsZero() || age < 0 || age > blockAge {
		blocks, err := s.Blocks(ctx)
		if err != nil {
			return false, fmt.Errorf("blocked: %w", err)
		}
		s.blocked.blocks, s.blocked.read = blocks, s.now()
	}
	subjects := BlockSubjects(actor, host)
	return slices.ContainsFunc(s.blocked.blocks, func(b Block) bool { return slices.Contains(subjects, b.Subject) }), nil
}

func (l *blockList) changed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.read = time.Time{}
}

// OfServer tells whether a block concerns a whole server.
func (b Block) OfServer() bool { return !strings.Contains(b.Subject, "://") }

// Covers tells whether a block concerns an actor id on a host (in punycode,
// with its port if it has one). A blocked host covers its subdomains.
func (b Block) Covers(actor, host string) bool {
	return slices.Contains(BlockSubjects(actor, host), b.Subject)
}

// BlockSubjects lists every subject whose block covers an actor id on a host: the
// actor, the host with its port and without, and all domains above it.
func BlockSubjects(actor, host string) []string {
	subjects := []string{actor}
	name, _, port := strings.Cut(host, ":")
	for {
		if subjects = append(subjects, host); port {
			subjects = append(subjects, name)
		}
		above := false
		if _, host, above = strings.Cut(host, "."); !above {
			return subjects
		}
		_, name, _ = strings.Cut(name, ".")
	}
}

// SaveChannel adds a channel, or edits one that exists if edit is set.
func (s *Service) SaveChannel(ctx context.Context, c Channel, edit bool) error {
	if err := c.Check(); err != nil {
		return err
	}
	html, err := markup.Markdown(c.Summary)
	if err != nil {
		return fmt.Errorf("channel %s: %w", c.Name, err)
	}
	c.HTML = html
	err = s.store.Update(ctx, func(tx Tx) error {
		event := ChannelCreated
		old, err := tx.Channel(c.Name)
		switch {
		case err == nil && !edit:
			return ErrExists
		case err == nil:
			event, c.Created = ChannelEdited, old.Created
		case !errors.Is(err, ErrNotFound) || edit:
			return err
		default:
			c.Created = s.now()
		}
		if err := tx.SaveChannel(c); err != nil {
			return err
		}
		return tx.Record(&Event{At: s.now(), Type: event, Channel: c.Name})
	})
	if err != nil {
		return fmt.Errorf("channel %s: %w", c.Name, err)
	}
	return nil
}
