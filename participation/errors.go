package participation

import "errors"

// The kinds of failure a caller can act on. They are wrapped with what was
// being done and what is wrong.
var (
	// ErrNotFound: nothing of that name is here, or the public may not see it.
	ErrNotFound = errors.New("not found")
	// ErrExists: the name is taken.
	ErrExists = errors.New("exists already")
	// ErrPhase: the consultation's phase does not allow it.
	ErrPhase = errors.New("not possible in this phase")
	// ErrEarly: it will be possible later; the text says when.
	ErrEarly = errors.New("not possible yet")
	// ErrInvalid: the input breaks a rule; the text names each.
	ErrInvalid = errors.New("invalid")
	// ErrSealed: the consultation's key is missing, so nothing can be counted
	// and nothing may be changed until it is restored.
	ErrSealed = errors.New("the consultation's key is missing")
	// ErrReview: what is stored does not fit its log. Nothing is changed until
	// somebody has looked into it.
	ErrReview = errors.New("the consultation is under review")
	// ErrExpired: it was valid for a time that is over.
	ErrExpired = errors.New("no longer valid")
)
