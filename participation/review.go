package participation

import "sync"

// reviews are the consultations, by ID, whose ballots, log and results did not
// fit together when they were last held against each other. They are found again
// at every start. It is safe for concurrent use.
type reviews struct {
	mu    sync.Mutex
	wrong map[string]bool
}

// Review puts a consultation under review: from then on nothing of it changes
// that is counted, votes are told to come back, and its page says so.
func (s *Service) Review(consultation string) {
	s.reviews.mu.Lock()
	defer s.reviews.mu.Unlock()
	if s.reviews.wrong == nil {
		s.reviews.wrong = map[string]bool{}
	}
	s.reviews.wrong[consultation] = true
}

// UnderReview tells whether a consultation is.
func (s *Service) UnderReview(consultation string) bool {
	s.reviews.mu.Lock()
	defer s.reviews.mu.Unlock()
	return s.reviews.wrong[consultation]
}
