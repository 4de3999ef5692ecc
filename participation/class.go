package participation

import (
	"time"

	"inspraak/tally"
)

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

// Classes says how many ballots of a final count are in each class, as exactly
// as may be told (tally.Disclose).
type Classes struct {
	Established  tally.Range `json:"established"`
	Unclassified tally.Range `json:"unclassified"`
}

// same compares two, either of which may not be there.
func (c *Classes) same(o *Classes) bool {
	return c == o || c != nil && o != nil && *c == *o
}

// classes tells how many of a number of ballots are established, the others
// not; nil where there are too few for that.
func classes(established, ballots int) *Classes {
	told := tally.Disclose([]int{established, ballots - established}, 0)
	if told == nil {
		return nil
	}
	return &Classes{Established: told[0], Unclassified: told[1]}
}
