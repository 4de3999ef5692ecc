package ballotlog

import (
	"encoding/base64"
	"fmt"
)

// Mark recognises a ballot entry: the first half of its commitment.
type Mark [16]byte

// MarkOf is the mark of a ballot entry.
func MarkOf(entry string) (m Mark, err error) {
	if Kind(entry) != BallotType || len(entry) != len(BallotType)+1+44 {
		return m, fmt.Errorf("%q is no ballot entry", entry)
	}
	var commitment [33]byte
	n, err := base64.StdEncoding.Decode(commitment[:], []byte(entry[len(BallotType)+1:]))
	if err != nil || n != 32 {
		return m, fmt.Errorf("%q is no ballot entry", entry)
	}
	copy(m[:], commitment[:])
	return m, nil
}

// Tally is what the entries of a log amount to.
type Tally struct {
	Entries int64
	Live    Marks // ballot entries that are not void
	Closed  bool
	Close   Close
	Destroy string // the newest step of the destruction, if there was one

	void map[int64]bool
}

// NewTally is that of an empty log; live is empty and will hold its live ballot
// entries.
func NewTally(live Marks) *Tally { return &Tally{Live: live, void: map[int64]bool{}} }

// Add takes the next entry and holds it to the rules of the log: opened once and
// first, closed at most once, nothing but destruction after that, each void of
// an earlier ballot that was not void. Destruction ends a log that was never
// closed, that of a withdrawn consultation. at reads an earlier entry. Errors
// name the entry.
func (t *Tally) Add(entry string, at func(n int64) (string, error)) error {
	if err := t.add(entry, at); err != nil {
		return fmt.Errorf("entry %d: %w", t.Entries, err)
	}
	t.Entries++
	return nil
}

func (t *Tally) add(entry string, at func(n int64) (string, error)) error {
	kind := Kind(entry)
	switch {
	case (t.Entries == 0) != (kind == OpenType):
		return fmt.Errorf("%s stands where it may not", kind)
	case (t.Closed || t.Destroy != "") && kind != DestroyType:
		return fmt.Errorf("%s stands on the wrong side of closing", kind)
	}
	switch kind {
	case BallotType:
		m, err := MarkOf(entry)
		if err != nil {
			return err
		}
		t.Live.Add(m)
	case VoidType:
		var v Void
		if err := Parse(entry, VoidType, &v); err != nil {
			return err
		}
		return t.voids(v.Entry, at)
	case CloseType:
		t.Closed = true
		return Parse(entry, CloseType, &t.Close)
	case DestroyType:
		var d Destroy
		if err := Parse(entry, DestroyType, &d); err != nil {
			return err
		}
		return t.destroys(d.Step)
	case OpenType, PauseType, ResumeType, RollbackType:
	default:
		return fmt.Errorf("unknown type %q", kind)
	}
	return nil
}

func (t *Tally) voids(n int64, at func(n int64) (string, error)) error {
	if n < 0 || n >= t.Entries || t.void[n] {
		return fmt.Errorf("voids entry %d, which does not count", n)
	}
	entry, err := at(n)
	if err != nil {
		return err
	}
	m, err := MarkOf(entry)
	if err != nil {
		return err
	}
	t.void[n] = true
	if !t.Live.Take(m) {
		return fmt.Errorf("voids entry %d, which does not count", n)
	}
	return nil
}

// destroys takes a step of the destruction: what is announced can be cancelled
// or done, what is cancelled announced again; after done there is nothing more.
func (t *Tally) destroys(step string) error {
	pending := t.Destroy == Announced
	switch {
	case step == Announced && !pending && t.Destroy != Done:
	case (step == Cancelled || step == Done) && pending:
	default:
		return fmt.Errorf("destruction %q stands where it may not", step)
	}
	t.Destroy = step
	return nil
}
