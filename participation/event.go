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
)

// Event is one line of the log. It names no voter and no choice, ever.
type Event struct {
	Seq          int64 // 1, 2, 3 … in order of commit
	At           time.Time
	Type         EventType
	Channel      string // "" if none
	Consultation string // ID, "" if none
	Subject      string // reply address, post ID, report address, block subject, fingerprint of a key or ""
	Reason       string
}
