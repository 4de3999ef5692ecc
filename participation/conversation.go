package participation

// Order is how the conversations of a consultation follow each other. There is
// none by likes or votes: what is already loud must not be heard most.
type Order string

const (
	Newest Order = "newest" // by when they began
	Oldest Order = "oldest"
	// Random gives every conversation the same chance of every place. The same
	// seed gives the same order, so that pages fit together.
	Random Order = "random"
)

// ConversationFilter selects conversations of a consultation.
type ConversationFilter struct {
	Number        int64 // of the consultation
	Order         Order
	Seed          uint32 // of Random
	Limit, Offset int
	Most          int // replies of each
}

// Conversation is a reply and what was said under it: the replies that are still
// here, the first ones of Total, in order of arrival. A reply comes after the one
// that it answers, unless that came later; then it began a conversation of its own.
type Conversation struct {
	Number  int64 // of the reply with which it began
	Total   int
	Replies []Reply
}

// Moderated is how often something was done in a month.
type Moderated struct {
	Month  string    // YYYY-MM, in UTC
	Type   EventType // ReplyHidden, ReplyShown, ReportReceived or ReportResolved
	Reason string    // of ReplyHidden; empty otherwise
	N      int
}
