package handlers

import (
	"context"
	"time"

	"inspraak/participation"
)

// incidentView is a stretch of time in which votes may not have come through.
type incidentView struct {
	Rollback     bool
	Began, Ended time.Time
}

func (h *handler) addIncidents(ctx context.Context, v *consultationView, c participation.Consultation) error {
	incidents, err := h.Service.Incidents(ctx, c.Number)
	if err != nil {
		return err
	}
	var resumed time.Time // from which an older database was used: it was no outage
	for _, i := range incidents {
		if i.Kind == participation.Outage && i.Began.Equal(resumed) {
			continue
		}
		if i.Kind == participation.Rollback {
			resumed = i.Began
		}
		v.Incidents = append(v.Incidents, incidentView{
			Rollback: i.Kind == participation.Rollback, Began: h.local(i.Began, c.Zone), Ended: h.local(i.Ended, c.Zone),
		})
	}
	if !c.ExtendedUntil.IsZero() {
		v.Extended, v.Until = true, h.local(c.Deadline(), c.Zone)
		v.Accepting = c.Phase == participation.Open && !h.Now().After(c.Deadline())
	}
	return nil
}

// doubt says why a count should not be relied on now: "under-review",
// "being-checked" or nothing.
func (h *handler) doubt(c participation.Consultation) string {
	switch {
	case h.UnderReview != nil && h.UnderReview(c.ID):
		return "under-review"
	case h.BeingChecked != nil && h.BeingChecked(c.ID):
		return "being-checked"
	}
	return ""
}
