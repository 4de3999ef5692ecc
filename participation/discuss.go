package participation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"inspraak/participation/markup"
)

// AddReply keeps a citizen's reply in a consultation's thread. HTML is the
// foreign text as received; it is made safe here. A reply that is not public
// leaves only a number. A reply known already, or one whose Delete came first,
// changes nothing.
func (s *Service) AddReply(ctx context.Context, r Reply, public bool) error {
	about, err := s.answered(ctx, r.Parent)
	if err != nil {
		return fmt.Errorf("add reply: %w", err)
	}
	err = s.store.Update(ctx, func(tx Tx) error {
		c, err := tx.Consultation(r.Consultation)
		if err != nil {
			return err
		}
		if c.Phase != Open && c.Phase != Closed {
			return nil
		}
		buried, err := tx.Buried(s.grave(r.Author.ID, r.ID), s.grave(r.Author.ID, r.Author.ID))
		if err != nil || buried {
			return err
		}
		if !public {
			return tx.Refuse(c.Number, Private)
		}
		for _, known := range []string{r.ID, s.erasedID(r)} {
			if _, err := tx.Reply(known); !errors.Is(err, ErrNotFound) {
				return err
			}
		}
		if r.Thread, err = conversation(tx, c, about); err != nil {
			return err
		}
		r.Consultation, r.Standing, r.Received = c.ID, Shown, s.now()
		r.HTML, r.Author.Name = markup.Reply(r.HTML), markup.Name(r.Author.Name)
		if r.Published.IsZero() || r.Published.After(r.Received) {
			r.Published = r.Received
		}
		added := Event{At: r.Received, Type: ReplyAdded, Channel: c.Channel, Consultation: c.ID}
		if err := tx.Record(&added); err != nil {
			return err
		}
		r.Place = added.Place
		return tx.SaveReply(r)
	})
	if err != nil {
		return fmt.Errorf("add reply: %w", err)
	}
	return nil
}

// answered is the reply under which what answers an address stands: itself, or, if
// it is an answer of the municipality, what that answers.
func (s *Service) answered(ctx context.Context, address string) (reply string, err error) {
	id, ours := strings.CutPrefix(address, s.site.Object(""))
	if !ours {
		return address, nil
	}
	p, err := s.Post(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return address, nil
	}
	return p.InReplyTo, err
}

// conversation is that of the reply which another answers; 0 if it is not here, or
// stands under another consultation.
func conversation(tx Tx, c Consultation, reply string) (int64, error) {
	r, err := tx.Reply(reply)
	if errors.Is(err, ErrNotFound) || err == nil && r.Consultation != c.ID {
		return 0, nil
	}
	return r.Thread, err
}

// EditReply replaces the words of a reply that is here, if the edit is its
// author's and newer. A reply edited to be no longer public is removed. Else
// nothing changes.
func (s *Service) EditReply(ctx context.Context, edit Reply, public bool) error {
	err := s.store.Update(ctx, func(tx Tx) error {
		r, err := tx.Reply(edit.ID)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil || r.Author.ID != edit.Author.ID {
			return err
		}
		if !public {
			return s.removeReply(tx, r)
		}
		if !edit.Updated.After(r.Updated) || edit.Updated.Before(r.Published) {
			return nil
		}
		r.HTML, r.Language, r.Images = markup.Reply(edit.HTML), edit.Language, edit.Images
		r.Updated = edit.Updated
		if err := tx.SaveReply(r); err != nil {
			return err
		}
		c, err := tx.Consultation(r.Consultation)
		if err != nil {
			return err
		}
		return s.record(tx, ReplyEdited, c, r.number(), "")
	})
	if err != nil {
		return fmt.Errorf("edit reply: %w", err)
	}
	return nil
}

// removeReply deletes the row; the log keeps that a reply went, not whose: its
// number names nothing any more.
func (s *Service) removeReply(tx Tx, r Reply) error {
	c, err := tx.Consultation(r.Consultation)
	if err != nil {
		return err
	}
	if err := tx.DeleteReply(r.ID); err != nil {
		return err
	}
	if err := tx.Tombstone(s.grave(r.Author.ID, r.ID), s.now()); err != nil {
		return err
	}
	return s.record(tx, ReplyDeleted, c, r.number(), "")
}

func (s *Service) record(tx Tx, t EventType, c Consultation, subject, reason string) error {
	return tx.Record(&Event{At: s.now(), Type: t, Channel: c.Channel, Consultation: c.ID, Subject: subject, Reason: reason})
}

// HideReply takes a reply out of every page, feed and collection, for a reason
// that is counted in public. ShowReply undoes it.
func (s *Service) HideReply(ctx context.Context, id, reason string) error {
	if reason == "" {
		return fmt.Errorf("hide reply: %w: give a reason", ErrInvalid)
	}
	return s.stand(ctx, id, Hidden, reason, ReplyHidden)
}

// ShowReply shows a hidden reply again.
func (s *Service) ShowReply(ctx context.Context, id string) error {
	return s.stand(ctx, id, Shown, "", ReplyShown)
}

func (s *Service) stand(ctx context.Context, id string, standing Standing, reason string, event EventType) error {
	err := s.store.Update(ctx, func(tx Tx) error {
		r, err := tx.Reply(id)
		if err != nil || r.Standing == standing {
			return err
		}
		if r.Erased() {
			return fmt.Errorf("%w: its words were erased, as the rules of retention say", ErrPhase)
		}
		r.Standing, r.Reason, r.HiddenAt = standing, reason, time.Time{}
		if standing == Hidden {
			r.HiddenAt = s.now()
		}
		if err := tx.SaveReply(r); err != nil {
			return err
		}
		c, err := tx.Consultation(r.Consultation)
		if err != nil {
			return err
		}
		return s.record(tx, event, c, r.number(), reason)
	})
	if err != nil {
		return fmt.Errorf("%s %s: %w", event, id, err)
	}
	return nil
}

// Answer publishes the municipality's answer to a reply, in that reply's
// thread, addressed to its author.
func (s *Service) Answer(ctx context.Context, replyID, markdown string) (Post, error) {
	r, err := s.Reply(ctx, replyID)
	if err != nil {
		return Post{}, fmt.Errorf("answer %s: %w", replyID, err)
	}
	p, err := s.post(ctx, r.Consultation, Post{Kind: Answer, InReplyTo: r.ID, Mention: r.Author, Source: markdown})
	if err != nil {
		return p, fmt.Errorf("answer %s: %w", replyID, err)
	}
	return p, nil
}

// Announce publishes a message to all in a consultation's thread: a notice or
// an erratum.
func (s *Service) Announce(ctx context.Context, consultation string, kind PostKind, markdown string) (Post, error) {
	p, err := s.post(ctx, consultation, Post{Kind: kind, Source: markdown})
	if err != nil {
		return p, fmt.Errorf("announce in %s: %w", consultation, err)
	}
	return p, nil
}

// maxPost keeps a post well under the 64 KiB that Misskey reads, with its text
// twice in the document.
const maxPost = 10_000

func (s *Service) post(ctx context.Context, consultation string, p Post) (Post, error) {
	err := s.store.Update(ctx, func(tx Tx) error {
		c, err := tx.Consultation(consultation)
		if err != nil {
			return err
		}
		return s.publish(tx, c, &p)
	})
	return p, err
}

func (s *Service) publish(tx Tx, c Consultation, p *Post) error {
	if c.Phase != Open && c.Phase != Closed {
		return fmt.Errorf("%w: it is %s, and has no thread on the fediverse", ErrPhase, c.Phase)
	}
	if p.Source == "" || len(p.Source) > maxPost {
		return fmt.Errorf("%w: the text must have 1 to %d bytes; it has %d", ErrInvalid, maxPost, len(p.Source))
	}
	html, err := markup.Markdown(p.Source)
	if err != nil {
		return err
	}
	p.ID, p.Consultation, p.Channel = newID(), c.ID, c.Channel
	p.HTML, p.Language, p.Published = html, c.Language, s.now()
	if err := tx.SavePost(*p); err != nil {
		return err
	}
	return s.record(tx, PostPublished, c, p.ID, "")
}

// Gesture keeps or takes back a like or boost of a consultation by an actor.
func (s *Service) Gesture(ctx context.Context, consultation string, g Gesture, actor, inbox, activity string, on bool) error {
	err := s.store.Update(ctx, func(tx Tx) error {
		c, err := tx.Consultation(consultation)
		if err != nil {
			return err
		}
		if !on {
			return tx.UnsetGesture(c.Number, g, actor)
		}
		if c.Phase != Open && c.Phase != Closed {
			return nil
		}
		return tx.SetGesture(c.Number, g, actor, inbox, activity)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", g, err)
	}
	return nil
}
