package handlers

import (
	"context"
	"errors"
	"fmt"

	"inspraak/participation"
)

// The states in which a page shows a consultation: its phase, and the moments
// between two phases that a visitor should understand.
const (
	stateScheduled = "scheduled"
	stateOpen      = "open"
	stateClosing   = "closing"  // past its end, votes on their way still count
	stateCounting  = "counting" // no vote counts any more, the final count is not there yet
	stateClosed    = "closed"
	stateWithdrawn = "withdrawn"
	stateReview    = "review"
	stateChecking  = "checking" // closed, and counted once more after a start
)

func (h *handler) state(c participation.Consultation, r participation.Result) string {
	now := h.Now()
	switch {
	case c.Phase == participation.Withdrawn:
		return stateWithdrawn
	case h.doubt(c) == "under-review":
		return stateReview
	case c.Phase == participation.Scheduled:
		return stateScheduled
	case c.Phase == participation.Closed && r.Final && h.doubt(c) == "being-checked":
		return stateChecking
	case c.Phase == participation.Closed && r.Final:
		return stateClosed
	case c.Phase == participation.Closed || now.After(c.Deadline()):
		return stateCounting
	case now.After(c.ClosesAt):
		return stateClosing
	}
	return stateOpen
}

// ended tells whether voting is over: it is closed, or its closing time has
// passed and only votes on their way still count.
func (h *handler) ended(c participation.Consultation) bool {
	return c.Phase == participation.Closed || c.Phase == participation.Open && h.Now().After(c.ClosesAt)
}

// visible finds a consultation that the public may see, by slug. A draft does
// not exist for them.
func (h *handler) visible(ctx context.Context, slug string) (participation.Consultation, error) {
	c, err := h.Service.Consultation(ctx, slug)
	if err != nil {
		return c, err
	}
	if !c.Phase.Visible() || c.Slug != slug {
		return participation.Consultation{}, fmt.Errorf("consultation %q: %w", slug, participation.ErrNotFound)
	}
	return c, nil
}

// snapshot is the newest count; all zero if the consultation never opened.
func (h *handler) snapshot(ctx context.Context, c participation.Consultation) (participation.Result, error) {
	r, err := h.Service.Result(ctx, c.ID)
	if errors.Is(err, participation.ErrNotFound) {
		return participation.Result{Consultation: c.ID}, nil
	}
	return r, err
}

func share(votes, voters int) float64 {
	if voters == 0 {
		return 0
	}
	return float64(votes) / float64(voters)
}
