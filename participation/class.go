package participation

import "time"

// Class sorts counted ballots by what is known of the account. It is a remark
// beside the count and never changes it: every ballot weighs the same. What an
// account says of its age is its own server's word, so a class is a sign, no
// proof, and neither class tells whether an account is a person.
type Class byte

const (
	// Unclassified says nothing ill: a server that serves many voters at once,
	// or states no ages, has them as well.
	Unclassified Class = iota
	// Established is an account that its server says existed establishedAge
	// before the consultation opened, and that did not arrive in a crowd.
	Established
)

// establishedAge is how much older than the consultation an account must be.
const establishedAge = 7 * 24 * time.Hour

// class decides a ballot's class, once, when its first mark counts.
func (c Consultation) class(v Vote) Class {
	if v.Crowd || v.AccountSince.IsZero() || v.AccountSince.After(c.OpenedAt.Add(-establishedAge)) {
		return Unclassified
	}
	return Established
}

// FewerThan is the size below which the number of a class is not told: it
// could show what kind of account one voter has.
const FewerThan = 10

// Classes says how many ballots of a final count are in each class, as exactly
// as may be told.
type Classes struct {
	Established  Range `json:"established"`
	Unclassified Range `json:"unclassified"`
}

// same compares two, either of which may not be there.
func (c *Classes) same(o *Classes) bool {
	return c == o || c != nil && o != nil && *c == *o
}

// Range is a number that lies between two, both included; equal ones tell it.
type Range struct {
	AtLeast int `json:"atLeast"`
	AtMost  int `json:"atMost"`
}

// classes tells how many of a number of ballots are established, the others
// not. The total is public, so when one class has 1 to 9 ballots neither number
// is told: each could be had from the other. Of fewer than 20 ballots nothing
// is told, nil: that the other class has 10 or more would tell too much. Which
// of the small numbers it was makes no difference to what is told.
func classes(established, ballots int) *Classes {
	if ballots < 2*FewerThan {
		return nil
	}
	return &Classes{Established: veiled(established, ballots), Unclassified: veiled(ballots-established, ballots)}
}

func veiled(n, of int) Range {
	switch small := func(n int) bool { return 0 < n && n < FewerThan }; {
	case small(n):
		return Range{0, FewerThan - 1}
	case small(of - n):
		return Range{of - FewerThan + 1, of}
	}
	return Range{n, n}
}

// Read says how a range is to be read: exactly, fewer than or at least a number.
func (r Range) Read() (how string, n int) {
	switch {
	case r.AtLeast == r.AtMost:
		return "exactly", r.AtLeast
	case r.AtLeast == 0:
		return "fewer", r.AtMost + 1
	}
	return "least", r.AtLeast
}
