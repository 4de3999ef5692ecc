package participation

import (
	"context"
	"errors"
)

// Receipt is what voters may learn of their own ballot before closing: that it
// is counted, by which code, and where it stands in the log. It never tells a
// choice.
type Receipt struct {
	Consultation Consultation
	Codes        []string // one; in a log per option, one for each chosen option
	Entries      []int64  // the entry of each code; -1 while it waits for its batch
	Token        string   // opens the page of this receipt, for as long as the key exists
}

// Receipts lists those of an actor's counted ballots, newest consultation
// first. Consultations whose key is not here are left out.
func (s *Service) Receipts(ctx context.Context, actor string) ([]Receipt, error) {
	return nil, errors.New("not built yet")
}
