package participation

import (
	"slices"

	"inspraak/participation/markup"
)

// Order is how the conversations of a consultation follow each other. There is
// none by likes or votes: what is already loud must not be heard most.
type Order string

const (
	Newest Order = "newest" // by when they began
	Oldest Order = "oldest"
	// Random gives every conversation the same chance of every place. The same
	// seed gives the same order, in which later conversations find a place between
	// the others, so that pages fit together.
	Random Order = "random"
)

// Page lists the conversations from offset on, limit of them at most, of a
// consultation whose last one has the number last. Numbers of conversations that
// are gone are among them.
func (o Order) Page(last int64, seed uint32, limit, offset int) []int64 {
	all := make([]int64, last)
	for i := range all {
		all[i] = int64(i) + 1
	}
	switch o {
	case Newest:
		slices.Reverse(all)
	case Random:
		lots := make([]lot, last)
		for i := range lots {
			lots[i] = lot{mix(uint64(seed)<<32 + uint64(all[i])), all[i]}
		}
		slices.SortFunc(lots, func(a, b lot) int {
			if a.drawn < b.drawn {
				return -1
			}
			return 1 // no two are equal: mix is a bijection
		})
		for i := range all {
			all[i] = lots[i].number
		}
	}
	from := min(max(offset, 0), len(all))
	return all[from:min(from+limit, len(all))]
}

type lot struct {
	drawn  uint64
	number int64
}

// mix is the finalizer of SplitMix64 (Steele, Lea and Flood, 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Conversation is a reply and what was said under it: the replies that are still
// here, the first ones of Total, in order of arrival. A reply comes after the one
// that it answers, unless that came later; then it began a conversation of its own.
type Conversation struct {
	Number  int64 // within its consultation, from 1 on, by when it began
	Total   int
	Replies []Reply
}

// Shortened is safe HTML in at most so many bytes: a longer one ends in
// "…", and cut is set.
func Shortened(safe string, most int) (shorter string, cut bool) { return markup.Shorten(safe, most) }

// Moderated is how often something was done in a month.
type Moderated struct {
	Month  string    // YYYY-MM, in UTC
	Type   EventType // ReplyHidden, ReplyShown, ReportReceived or ReportResolved
	Reason string    // of ReplyHidden; empty otherwise
	N      int
}
