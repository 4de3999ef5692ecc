package participation

import (
	"context"
	"time"

	"inspraak/participation/ballotlog"
)

// Store is what the domain needs kept. The room store implements it.
type Store interface {
	Reader
	// Update runs fn in one transaction. When it returns nil all of it is on
	// disk; when it returns an error nothing of it is. fn must not wait for
	// anything but the transaction, and may run together with others in one
	// commit, never interleaved with them.
	Update(ctx context.Context, fn func(Tx) error) error
	// Scrub leaves nothing in the files of the database of what was deleted from
	// it. It waits a while for who reads or writes, and then fails, changing
	// nothing; call it again.
	Scrub(ctx context.Context) error
	// FoldLog empties the write-ahead log, which still holds what was deleted since
	// it was last emptied. It does not wait for who reads: then it changes nothing
	// and returns an error.
	FoldLog(ctx context.Context) error
}

// Reader reads what is committed. Every method returns ErrNotFound (wrapped)
// for a single thing that is not there, and an empty list where nothing is.
type Reader interface {
	// Snapshot lets what fn reads with its context see one moment. Use it where
	// several reads must fit together, and not for long: the write-ahead log
	// grows meanwhile. While one method walks through rows, the same method may
	// not be called again.
	Snapshot(ctx context.Context, fn func(context.Context) error) error

	Channels(ctx context.Context) ([]Channel, error) // by creation
	Channel(ctx context.Context, name string) (Channel, error)
	Consultations(ctx context.Context, f Filter) ([]Consultation, error)
	// Consultation finds one by its ID or its slug.
	Consultation(ctx context.Context, idOrSlug string) (Consultation, error)
	Result(ctx context.Context, consultation string) (Result, error) // newest snapshot
	Replies(ctx context.Context, f ReplyFilter) ([]Reply, error)
	Reply(ctx context.Context, id string) (Reply, error)
	// LastConversation is the number of the one that began last, 0 if there is none.
	LastConversation(ctx context.Context, number int64) (int64, error)
	// Conversations reads those that are still here of a consultation, hidden
	// replies included: up to most replies of each, in the order asked for.
	Conversations(ctx context.Context, number int64, conversations []int64, most int) ([]Conversation, error)
	// Conversation is that in which a reply stands, by their numbers: up to limit
	// of its replies from offset on, or, with a negative offset, from the last
	// multiple of limit at which the reply is among them. ErrNotFound if the
	// consultation has no such reply.
	Conversation(ctx context.Context, number, reply int64, limit, offset int) (c Conversation, first int, err error)
	// HiddenReplies counts those of a consultation by reason.
	HiddenReplies(ctx context.Context, number int64) (map[string]int, error)
	// Answers lists the municipality's answers to replies, oldest first.
	Answers(ctx context.Context, replies []string) ([]Post, error)
	// Moderation counts what moderators did, by month, newest first, and reason.
	Moderation(ctx context.Context) ([]Moderated, error)
	Posts(ctx context.Context, consultation string) ([]Post, error) // oldest first
	PostsOf(ctx context.Context, consultation string, kind PostKind) ([]Post, error)
	Post(ctx context.Context, id string) (Post, error)
	// Find lists what has all of the terms, newest first, and counts all hits; a
	// limit of 0 only counts.
	Find(ctx context.Context, in SearchIn, terms []Term, limit, offset int) (hits []Hit, total int, err error)
	// GesturesOf lists what an actor liked and boosted, by consultation; PostsTo
	// what the municipality answered it, oldest first.
	GesturesOf(ctx context.Context, actor string) ([]GivenGesture, error)
	PostsTo(ctx context.Context, actor string) ([]Post, error)
	Summaries(ctx context.Context, number int64) ([]Summary, error) // of a consultation, by version
	Reports(ctx context.Context, all bool) ([]Report, error)        // open ones, or all; oldest first
	Blocks(ctx context.Context) ([]Block, error)
	// RepliesFrom returns up to limit replies of a consultation with Number > after,
	// in order, hidden ones too; RepliesNumbered those with some numbers, in any
	// order; NewestReplies the last ones that are shown, newest first. All take the
	// consultation's number.
	RepliesFrom(ctx context.Context, consultation, after int64, limit int) ([]NumberedReply, error)
	RepliesNumbered(ctx context.Context, consultation int64, numbers []int64) ([]NumberedReply, error)
	NewestReplies(ctx context.Context, consultation int64, limit int) ([]Reply, error)
	// Events returns up to limit events with Seq > after, in order; PublicEvents
	// those with Place > after.
	Events(ctx context.Context, after int64, limit int) ([]Event, error)
	PublicEvents(ctx context.Context, after int64, limit int) ([]Event, error)
	// Revisions tells how often a consultation's dates and standing were told to the
	// public (published, extended, closed, withdrawn), and when last.
	Revisions(ctx context.Context, consultation string) (n int, last time.Time, err error)
	// Ballots calls fn for every sealed ballot of a consultation, in the order
	// of their pseudonyms, until fn fails. counted is what SaveBallot was told;
	// the bytes are fn's only while it runs.
	Ballots(ctx context.Context, number int64, fn func(voter Pseudonym, counted bool, sealed []byte) error) error
	// LoggedBallots calls fn for every ballot of a consultation as the log has it, in
	// the order of their pseudonyms, until fn fails: where a ballot waits for the log,
	// sealed is what the log still says, nil if nothing. The bytes are fn's only while
	// it runs.
	LoggedBallots(ctx context.Context, number int64, fn func(voter Pseudonym, waits bool, sealed []byte) error) error
	// Ballot returns the sealed ballot of a voter.
	Ballot(ctx context.Context, number int64, voter Pseudonym) (sealed []byte, err error)
	Tallies(ctx context.Context, c Consultation) (Tallies, error)

	// Log is how far a consultation's log has come; zero before it is opened.
	Log(ctx context.Context, number int64) (LogHead, error)
	// LogEntries calls fn for up to limit entries from one on, in order, until fn
	// fails; a limit of 0 means all.
	LogEntries(ctx context.Context, number, from int64, limit int, fn func(n int64, entry string) error) error
	LogEntry(ctx context.Context, number, n int64) (string, error)
	// LogTile returns what a tile holds; nothing if it is not there.
	LogTile(ctx context.Context, number int64, level int, n int64) ([]byte, error)
	// FindEntry is the newest entry with a text, or ErrNotFound.
	FindEntry(ctx context.Context, number int64, entry string) (n int64, err error)
	Checkpoints(ctx context.Context, number int64) ([]Checkpoint, error) // published ones, ascending
	// Awaiting calls fn for every voter of whose ballot the log does not yet say
	// what it is, with the sealed ballot as the log has it, nil if it has none.
	Awaiting(ctx context.Context, number int64, fn func(voter Pseudonym, logged []byte) error) error

	// Evidence calls fn for each bundle of evidence of a consultation, encrypted
	// for its auditor, in order, until fn fails; the bytes are fn's only while it
	// runs.
	Evidence(ctx context.Context, number int64, fn func(n int64, sealed []byte) error) error

	// DatasetFiles lists what is kept of a consultation's dataset, by name; it is
	// whole once the manifest is among them.
	DatasetFiles(ctx context.Context, number int64) ([]DatasetFile, error)
	// DatasetPart returns a part of a file, numbered from 0. Nothing is held open
	// between two parts, however slow the one is who reads them.
	DatasetPart(ctx context.Context, number int64, name string, part int) ([]byte, error)
	// Frozen lists the closed consultations whose dataset is whole, by number.
	Frozen(ctx context.Context) ([]int64, error)

	// Expired counts what a rule of retention lets go that is from before a moment,
	// and tells from when the oldest is; zero where the rule knows no time.
	Expired(ctx context.Context, rule string, before time.Time) (n int, oldest time.Time, err error)

	// Acquaintances calls fn for every account that had followed a channel or
	// replied before a moment, once for each of the two.
	Acquaintances(ctx context.Context, before time.Time, fn func(actor string, follows bool) error) error

	LastBeat(ctx context.Context) (Beat, error)
	// Incidents lists those that affected a consultation, by its number, or all
	// for 0; oldest first.
	Incidents(ctx context.Context, number int64) ([]Incident, error)
}

// BallotChange is a ballot of which the log does not yet say what it is.
type BallotChange struct {
	Voter          Pseudonym
	Logged, Sealed []byte // as the log has it, nil if it has none; as it is
}

// Tallies are the numbers of a consultation that can be had without its key.
type Tallies struct {
	Ballots, Replies, Likes, Boosts int
	Refused                         map[Outcome]int
}

// Filter selects consultations; zero fields select all. Newest opening first.
type Filter struct {
	Channel string
	Phases  []Phase
	// DueBefore selects those whose next change by the clock lies at or before
	// it: Scheduled by OpensAt, Open by Deadline.
	DueBefore time.Time
	Frozen    bool // only those whose dataset is whole
	Year      int  // of ClosesAt, in UTC
	// After selects those that come behind this one in the same order.
	After *Consultation
	Limit int
}

// ReplyFilter selects replies, oldest first by Received.
type ReplyFilter struct {
	Consultation string
	Author       string // actor id
	All          bool   // hidden ones too
	Newest       bool   // newest first; of a consultation only
	Limit        int    // 0: all
	Offset       int
}

// Tx reads and writes inside one transaction. Saves insert or replace by key.
type Tx interface {
	Consultation(idOrSlug string) (Consultation, error)
	SaveConsultation(*Consultation) error // sets Number of a new one; ErrExists if slug or ID is taken by another
	DeleteDraft(id string) error
	Channel(name string) (Channel, error)
	SaveChannel(Channel) error

	// Ballot returns the sealed ballot of a voter; nil if there is none.
	Ballot(number int64, voter Pseudonym) (sealed []byte, err error)
	// SaveBallot keeps it; cast says whether it chooses anything, and counts as
	// turnout. One that is withdrawn stays, for the marks it remembers.
	SaveBallot(number int64, voter Pseudonym, cast bool, sealed []byte) error
	// Await notes that the log does not yet say what a ballot is; logged is the
	// sealed ballot as the log has it, nil if it has none. A note that is there
	// already stays as it is. Written takes the note away.
	Await(number int64, voter Pseudonym, logged []byte) error
	Awaited(number int64, voter Pseudonym) (logged []byte, waits bool, err error)
	Written(number int64, voter Pseudonym) error
	// TakeAwaited returns what changed for those of the voters of whom there is a
	// note, and takes the notes away.
	TakeAwaited(number int64, voters []Pseudonym) ([]BallotChange, error)

	// KeepRequest keeps the sealed request of a mark until its ballot is written
	// to the log; Request returns it or ErrNotFound. DropRequests drops those of
	// one vote object, or with nil all of a voter.
	KeepRequest(number int64, voter Pseudonym, object [8]byte, option int, sealed []byte) error
	Request(number int64, voter Pseudonym, object [8]byte, option int) (sealed []byte, err error)
	DropRequests(number int64, voter Pseudonym, object *[8]byte) error
	// SaveEvidence keeps a bundle of evidence under the next number from 1 on.
	// DropEvidence drops all evidence of a consultation, in bundles or not.
	SaveEvidence(number int64, sealed []byte) error
	DropEvidence(number int64) error

	Log(number int64) (LogHead, error)
	SaveLog(number int64, h LogHead) error
	AppendLog(number, first int64, entries []string) error
	FindEntry(number int64, entry string) (n int64, err error)
	LogTile(number int64, level int, n int64) ([]byte, error)
	SaveLogTile(number int64, level int, n int64, hashes []byte) error
	SaveCheckpoint(number int64, p Checkpoint) error

	// SaveDatasetPart keeps a part of a file of a dataset, numbered from 0.
	SaveDatasetPart(number int64, name string, part int, content []byte) error
	DropDataset(number int64) error

	// DestroyBallots deletes what links voters and ballots of a consultation, and
	// when votes came: sealed or not, ballots or on their way. object is its
	// address, by which deliveries to its voters are known. Deleting it twice is
	// harmless.
	DestroyBallots(number int64, object string, now time.Time) error

	// Refuse adds one to the number of votes not counted for a reason.
	Refuse(number int64, reason Outcome) error
	Tallies(c Consultation) (Tallies, error)

	Reply(id string) (Reply, error)
	SaveReply(Reply) error
	DeleteReply(id string) error
	RepliesBy(actor string) ([]Reply, error)

	// SetGesture and UnsetGesture are idempotent; id is the activity's address.
	SetGesture(number int64, g Gesture, actor, inbox, id string) error
	UnsetGesture(number int64, g Gesture, actor string) error
	UnsetGestures(actor string) error

	SaveResult(Result) error
	Result(consultation string) (Result, error)
	SavePost(Post) error
	// SaveSummary keeps a summary as the next version, which it returns, and
	// drops the texts of earlier ones.
	SaveSummary(number int64, s Summary) (version int, err error)
	SaveReport(Report) error // a known ID is left as it is, unless it resolves
	Report(id string) (Report, error)
	SaveBlock(Block) error
	DeleteBlock(subject string) error

	// Tombstone remembers, for a week and bounded in number, that an object's
	// Delete came; Buried asks for either of two. The keys are opaque digests.
	Tombstone(key Pseudonym, at time.Time) error
	Buried(a, b Pseudonym) (bool, error)

	Beat() (Beat, error)
	SaveBeat(Beat) error // its Database never changes
	// SaveIncident keeps an incident, with the numbers of the consultations that
	// it affected, and returns its own number.
	SaveIncident(i Incident, affected []int64) (number int64, err error)

	// DropExpired lets go, by a rule of retention, of up to limit of what is from
	// before a moment, and tells of how many. ErasableReplies lists the replies of
	// which it is for the caller to do so.
	DropExpired(rule string, before time.Time, limit int) (n int, err error)
	ErasableReplies(before time.Time, limit int) ([]Reply, error)

	// Record appends to the event log. It sets Seq, and Place where the type is
	// public.
	Record(*Event) error
}

// Keyring keeps consultation keys outside the database.
type Keyring interface {
	// Secret returns a consultation's key, or ErrSealed if it is not here.
	Secret(consultation string) (*Secret, error)
	// Create makes and keeps a key for a new consultation; ErrExists if there
	// is one, which is never replaced.
	Create(consultation string) error
	// Destroy removes a consultation's key for good, here and in every process
	// that has read it. One that is not there is destroyed.
	Destroy(consultation string) error
	// LogKey signs the logs of all consultations.
	LogKey() *ballotlog.Key
	// Node is the node's own key: it recognises deleted objects and guards
	// requests that wait for verification and concern no consultation.
	Node() *Secret
	// SealFor encrypts for the holder of an age key; the recipient is its public
	// half, age1….
	SealFor(recipient string, plain []byte) ([]byte, error)
}
