package handlers

import (
	"slices"
	"time"

	"inspraak/participation"
)

// step is a moment in the course of a consultation: one of the site's words, and
// when it is.
type step struct {
	Name  string    // of the text
	At    time.Time // zero if only words tell when
	When  string    // those words, in the consultation's language
	Who   string    // likewise
	URL   string    // where to read more
	State string    // past, next, or now: what goes on since then
}

// timeline lists what happens when: opening, closing, result, what the
// municipality told in between, and the decision, which has no date but the
// municipality's words.
func (h *handler) timeline(v *consultationView, c participation.Consultation, r participation.Result) []step {
	opens := v.Opens
	if !c.OpenedAt.IsZero() {
		opens = h.local(c.OpenedAt, c.Zone)
	}
	closes := step{Name: "closes", At: v.Closes}
	switch {
	case v.ClosedEarly:
		closes = step{Name: "closed-early", At: v.Closed}
	case v.Ended:
		closes.Name = "closed"
	}
	steps := []step{{Name: "opens", At: opens}, closes}
	if !v.Scheduled {
		steps[0].Name = "opened"
	}
	if r.Final {
		steps = append(steps, step{Name: "result", At: h.local(r.At, c.Zone), URL: v.ResultURL})
	}
	for _, n := range v.Notices {
		steps = append(steps, step{Name: string(n.Kind), At: n.At, URL: "#post-" + n.ID})
	}
	if !v.Destroyed.IsZero() {
		steps = append(steps, step{Name: "destroyed", At: v.Destroyed})
	}
	slices.SortStableFunc(steps, func(a, b step) int { return a.At.Compare(b.At) })
	if !r.Final {
		steps = append(steps, step{Name: "result-to-come"})
	}
	steps = append(steps, step{Name: "decision", When: c.Terms.DecidedWhen, Who: c.Terms.DecidedBy})
	now, running := h.Now(), -1
	for i := range steps {
		s := &steps[i]
		if s.State = "next"; !s.At.IsZero() && !s.At.After(now) {
			s.State = "past"
			if s.Name == "opened" || s.Name == closes.Name {
				running = i
			}
		}
	}
	if running >= 0 && !r.Final {
		steps[running].State = "now"
	}
	return steps
}
