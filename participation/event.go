package participation

import "time"

// EventType names what happened. What the public and the fediverse must hear
// of is an event; it is written in the transaction that made it true, so that
// publishing is a projection of this log and survives any crash.
type EventType string

const (
	ChannelCreated        EventType = "channel-created"
	ChannelEdited         EventType = "channel-edited"
	ConsultationScheduled EventType = "consultation-scheduled"
	ConsultationOpened    EventType = "consultation-opened"
	ConsultationCounted   EventType = "consultation-counted"
	ConsultationClosed    EventType = "consultation-closed"
	ConsultationWithdrawn EventType = "consultation-withdrawn"
	ConsultationExtended  EventType = "consultation-extended" // after an outage; not told to other servers
	RollbackAccepted      EventType = "rollback-accepted"     // nor this
	DestructionAnnounced  EventType = "destruction-announced" // these four by which key; the log's posts tell of them
	DestructionCancelled  EventType = "destruction-cancelled"
	DestructionBegun      EventType = "destruction-begun"
	ConsultationDestroyed EventType = "consultation-destroyed"
	ReplyAdded            EventType = "reply-added"
	ReplyEdited           EventType = "reply-edited"
	ReplyDeleted          EventType = "reply-deleted"
	ReplyHidden           EventType = "reply-hidden"
	ReplyShown            EventType = "reply-shown"
	PostPublished         EventType = "post-published"
	SummaryPublished      EventType = "summary-published" // on our own pages only; the subject is the SHA-256 of its text
	ActorBlocked          EventType = "blocked"
	ActorUnblocked        EventType = "unblocked"
	ReportReceived        EventType = "report-received"
	ReportResolved        EventType = "report-resolved"
	RetentionDone         EventType = "retention-done" // its reason tells how many of what, and no more
	DatasetPublished      EventType = "dataset-published"
)

// Public tells whether everybody may hear of an event of this type. The others are
// inner matters: the node's own, a count on its way, what moderators were told.
func (t EventType) Public() bool {
	switch t {
	case ConsultationScheduled, ConsultationOpened, ConsultationExtended, ConsultationClosed, ConsultationWithdrawn,
		ReplyAdded, ReplyEdited, ReplyHidden, ReplyShown, ReplyDeleted, PostPublished, DatasetPublished:
		return true
	}
	return false
}

// Event is one line of the log. It names no voter and no choice, ever.
type Event struct {
	Seq          int64 // 1, 2, 3 … in order of commit
	Place        int64 // 1, 2, 3 … among those of a public type, so that no gap tells of the others; 0 if it is not public
	At           time.Time
	Type         EventType
	Channel      string // "" if none
	Consultation string // ID, "" if none
	Subject      string // number of a reply, post ID, report address, block subject, fingerprint of a key or ""
	Reason       string
}
