package participation

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	crand "crypto/rand"

	"inspraak/participation/ballotlog"
)

// LogHead is how far a consultation's log has come.
type LogHead struct {
	Size       int64
	At         time.Time // when it last grew
	Checkpoint string    // signed; of Size entries
}

// Checkpoint is a signed head that was published.
type Checkpoint struct {
	Size int64
	At   time.Time
	Note string
}

// manyOptions is the number of options above which the log has an entry for each
// chosen one: a long list of choices could be recognised.
const manyOptions = 5

// PerOption tells whether the log and the dataset have an entry for every chosen
// option instead of one for every ballot.
func (c Consultation) PerOption() bool {
	return c.Kind == MultipleChoice && len(c.Options) > manyOptions
}

// Origin names the log of a consultation, wherever its checkpoints turn up.
func (s *Service) Origin(c Consultation) string { return s.site.Host + "/log/" + c.ID }

// LogKey is the key by which everybody can tell that a checkpoint of the
// consultation's log is the node's.
func (s *Service) LogKey(c Consultation) (verifier, fingerprint string) {
	return s.keys.LogKey().Verifier(s.Origin(c)), s.keys.LogKey().Fingerprint()
}

// NodeKey is the part of that key that is the same in all logs of the node.
func (s *Service) NodeKey() (key, fingerprint string) {
	return s.keys.LogKey().Public(), s.keys.LogKey().Fingerprint()
}

// units are what the log says of a ballot: one ballot, one for each option, or
// nothing if it chooses nothing.
func (c Consultation) units(secret *Secret, b Ballot) []ballotlog.Ballot {
	if b.Choices == 0 {
		return nil
	}
	marks := b.live()
	var each []ballotlog.Ballot
	if c.PerOption() {
		for _, m := range marks {
			each = append(each, ballotlog.Ballot{Code: secret.code(b.Voter, m.Option),
				Options: []int{m.Option + 1}, Nonce: hex.EncodeToString(m.Nonce[:])})
		}
		return each
	}
	whole := ballotlog.Ballot{Code: secret.code(b.Voter, -1)}
	nonces := sha256.New()
	for _, m := range marks {
		whole.Options = append(whole.Options, m.Option+1)
		nonces.Write(m.Nonce[:])
	}
	// What was taken back leaves a trace here, so that a ballot that chooses again
	// what it once chose is another entry.
	nonces.Write([]byte{byte(len(marks)), byte(len(b.Marks))})
	whole.Nonce = hex.EncodeToString(nonces.Sum(nil)[:16])
	return append(each, whole)
}

// entriesOf are the units of a ballot as they stand in the log.
func (s *Service) entriesOf(c Consultation, secret *Secret, b Ballot) []string {
	var entries []string
	for _, u := range c.units(secret, b) {
		entries = append(entries, u.Entry(s.Origin(c)))
	}
	return entries
}

// tiles are a log's tiles within a transaction.
type tiles struct {
	tx     Tx
	number int64
}

// Tile implements ballotlog.Tiles.
func (t tiles) Tile(level int, n int64) ([]byte, error) { return t.tx.LogTile(t.number, level, n) }

// SaveTile implements ballotlog.Tiles.
func (t tiles) SaveTile(level int, n int64, hashes []byte) error {
	return t.tx.SaveLogTile(t.number, level, n, hashes)
}

// appendLog adds entries to a consultation's log, signs its new head, and
// publishes the head if asked: it is then kept for good.
func (s *Service) appendLog(tx Tx, c Consultation, entries []string, publish bool) error {
	head, err := tx.Log(c.Number)
	if err != nil {
		return err
	}
	tree := ballotlog.Tree{Tiles: tiles{tx, c.Number}, Size: head.Size}
	if err := tx.AppendLog(c.Number, head.Size, entries); err != nil {
		return err
	}
	if err := tree.Append(entries); err != nil {
		return err
	}
	root, err := tree.Root()
	if err != nil {
		return err
	}
	head.Size, head.At = tree.Size, s.now()
	if head.Checkpoint, err = s.keys.LogKey().Checkpoint(s.Origin(c), tree.Size, root); err != nil {
		return err
	}
	if err := tx.SaveLog(c.Number, head); err != nil || !publish {
		return err
	}
	return s.publishCheckpoint(tx, c, head)
}

// publishCheckpoint keeps the head and posts it in the consultation's thread.
func (s *Service) publishCheckpoint(tx Tx, c Consultation, head LogHead) error {
	if err := tx.SaveCheckpoint(c.Number, Checkpoint{Size: head.Size, At: head.At, Note: head.Checkpoint}); err != nil {
		return err
	}
	return s.publish(tx, c, &Post{Kind: CheckpointPost, Source: checkpointText(c, head)})
}

// utc is a moment as the log has it.
func utc(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// openLog freezes the question in entry 0.
func (s *Service) openLog(tx Tx, c Consultation) error {
	if !c.Kind.HasOptions() {
		return nil
	}
	entry, err := s.openEntry(c)
	if err != nil {
		return err
	}
	return s.appendLog(tx, c, []string{entry}, true)
}

// openEntry is entry 0: what is asked, and under which terms.
func (s *Service) openEntry(c Consultation) (string, error) {
	servers := c.Terms.AllowedServers
	if servers == nil {
		servers = []string{}
	}
	return ballotlog.Entry(ballotlog.OpenType, ballotlog.Open{
		Consultation: c.ID, Object: s.site.Object(c.ID), Question: c.Title, Text: c.Body, Language: c.Language,
		Kind: string(c.Kind), Options: c.Options, Opens: utc(c.OpensAt), Closes: utc(c.ClosesAt), Results: string(c.Results),
		Rule: c.Terms.RuleVersion, AllowedServers: servers, BatchSize: c.Terms.BatchSize,
		IntervalSeconds: int64(c.Terms.Interval / time.Second), GraceSeconds: int64(c.Terms.Grace / time.Second),
		AuditorKey: c.Terms.AuditorKey, PerOption: c.PerOption(), Level: string(c.Terms.Level), Promise: c.Terms.Promise,
		DecidedBy: c.Terms.DecidedBy, DecidedWhen: c.Terms.DecidedWhen, NotOpen: c.Terms.NotOpen, Notice: c.Terms.Notice,
	})
}

// batchAtOnce bounds how many ballots are written to a log in one transaction,
// for votes wait while it lasts.
const batchAtOnce = 1000

// WriteLogs writes to the log of every open consultation the ballots that wait,
// where the interval is over and enough of them do: at least k at once, drawn
// and ordered at random, while at least k stay behind, so that neither this
// batch nor the last one tells which entry is whose. It returns how many ballots
// were written.
func (s *Service) WriteLogs(ctx context.Context) (written int, err error) {
	open, err := s.Consultations(ctx, Filter{Phases: []Phase{Open}})
	if err != nil {
		return 0, fmt.Errorf("write logs: %w", err)
	}
	for _, c := range open {
		if !c.Kind.HasOptions() || s.UnderReview(c.ID) {
			continue
		}
		head, err := s.Log(ctx, c.Number)
		if err != nil {
			return written, fmt.Errorf("write log of %s: %w", c.Slug, err)
		}
		if now := s.now(); head.Size == 0 || now.Sub(head.At) < c.Terms.Interval && !head.At.After(now) {
			continue
		}
		n, err := s.writeLog(ctx, c, false)
		written += n
		if err != nil && !errors.Is(err, ErrSealed) {
			return written, fmt.Errorf("write log of %s: %w", c.Slug, err)
		}
	}
	return written, nil
}

// writeLog writes a batch, or all that waits.
func (s *Service) writeLog(ctx context.Context, c Consultation, all bool) (written int, err error) {
	secret, err := s.keys.Secret(c.ID)
	if err != nil {
		return 0, err
	}
	var voters []Pseudonym
	err = s.Awaiting(ctx, c.Number, func(v Pseudonym, _ []byte) error {
		voters = append(voters, v)
		return nil
	})
	if err != nil {
		return 0, err
	}
	var seed [32]byte
	crand.Read(seed[:])
	draw := rand.New(rand.NewChaCha8(seed))
	draw.Shuffle(len(voters), func(i, j int) { voters[i], voters[j] = voters[j], voters[i] })
	k := max(c.Terms.BatchSize, 1)
	if !all && k > 1 { // a batch of one hides nobody, here or at closing
		if len(voters) < 2*k {
			return 0, nil
		}
		voters = voters[:len(voters)-k]
	}
	// In the order of pseudonyms, which tells nothing and is that of the rows: a
	// transaction then touches a few pages instead of one for each ballot.
	slices.SortFunc(voters, func(a, b Pseudonym) int { return bytes.Compare(a[:], b[:]) })
	for len(voters) > 0 {
		batch := voters[:min(len(voters), max(batchAtOnce, k))]
		if rest := len(voters) - len(batch); rest < k { // no small batch may be left over
			batch = voters
		}
		voters = voters[len(batch):]
		err := s.store.Update(ctx, func(tx Tx) error { return s.writeBatch(tx, c, secret, batch, draw) })
		if err != nil {
			return written, err
		}
		written += len(batch)
	}
	return written, nil
}

// writeBatch writes what has changed for some voters since the log last said
// something of them.
func (s *Service) writeBatch(tx Tx, c Consultation, secret *Secret, voters []Pseudonym, draw *rand.Rand) error {
	var lines []string
	var bundled []evidence
	changed, err := tx.TakeAwaited(c.Number, voters)
	if err != nil {
		return err
	}
	for _, change := range changed {
		now, err := secret.openBallot(change.Voter, change.Sealed)
		if err != nil {
			return err
		}
		before, err := openLogged(secret, change.Voter, change.Logged)
		if err != nil {
			return err
		}
		added, gone := s.entriesOf(c, secret, now), s.entriesOf(c, secret, before)
		reason := ballotlog.Superseded
		if len(added) == 0 {
			reason = ballotlog.Withdrawn
		}
		for _, e := range gone {
			if i := slices.Index(added, e); i >= 0 {
				added = slices.Delete(added, i, i+1)
				continue
			}
			n, err := tx.FindEntry(c.Number, e)
			if err != nil {
				return err
			}
			line, err := ballotlog.Entry(ballotlog.VoidType, ballotlog.Void{Entry: n, Reason: reason})
			if err != nil {
				return err
			}
			lines = append(lines, line)
		}
		lines = append(lines, added...)
		if c.Terms.AuditorKey != "" && now.Choices != 0 {
			e, err := s.takeEvidence(tx, c, secret, now)
			if err != nil {
				return err
			}
			bundled = append(bundled, e)
		}
	}
	if err := s.saveEvidence(tx, c, bundled); err != nil {
		return err
	}
	if len(lines) == 0 {
		return nil
	}
	draw.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	return s.appendLog(tx, c, lines, false)
}

// openLogged opens a ballot as the log has it; nil is none.
func openLogged(secret *Secret, voter Pseudonym, logged []byte) (Ballot, error) {
	if logged == nil {
		return Ballot{Voter: voter}, nil
	}
	return secret.openBallot(voter, logged)
}

// closeLog writes the result: from then on the log only tells of the key's end.
func (s *Service) closeLog(tx Tx, c Consultation, r Result) error {
	if !c.Kind.HasOptions() {
		return nil
	}
	units := r.Turnout
	if c.PerOption() {
		units = 0
		for _, n := range r.Counts {
			units += n
		}
	}
	rows := ballotlog.Published
	if r.Turnout < c.Terms.BatchSize {
		rows = ballotlog.Withheld
	}
	entry, err := ballotlog.Entry(ballotlog.CloseType, ballotlog.Close{
		At: utc(c.ClosedAt), Early: c.Reason, Turnout: r.Turnout, Counts: r.Counts, Live: units, Rows: rows})
	if err != nil {
		return err
	}
	return s.appendLog(tx, c, []string{entry}, true)
}

// logIncident tells the log of an outage or rollback, where there is one.
func (s *Service) logIncident(tx Tx, c Consultation, i Incident) error {
	head, err := tx.Log(c.Number)
	if err != nil || head.Size == 0 || c.Phase != Open {
		return err
	}
	var lines []string
	add := func(kind string, v any) {
		line, failed := ballotlog.Entry(kind, v)
		err = errors.Join(err, failed)
		lines = append(lines, line)
	}
	switch i.Kind {
	case Outage:
		add(ballotlog.PauseType, ballotlog.Pause{At: utc(i.Began)})
		add(ballotlog.ResumeType, ballotlog.Resume{At: utc(i.Ended), AcceptsUntil: utc(c.Deadline())})
	case Rollback:
		add(ballotlog.RollbackType, ballotlog.Rollback{At: utc(i.Ended), DatabaseOf: utc(i.Began)})
	}
	if err != nil {
		return err
	}
	return s.appendLog(tx, c, lines, false)
}

// checkpointEvery is how often the newest heads of open logs are posted.
const checkpointEvery = 24 * time.Hour

// PostCheckpoints posts, for each channel and at most once in checkpointEvery,
// the heads of the logs of its open consultations that have grown since their
// last published head, in one post that stands in no thread. It returns how many
// posts were made.
func (s *Service) PostCheckpoints(ctx context.Context) (posted int, err error) {
	open, err := s.Consultations(ctx, Filter{Phases: []Phase{Open}})
	if err != nil {
		return 0, fmt.Errorf("post checkpoints: %w", err)
	}
	due := map[string][]Consultation{}
	for _, c := range open {
		head, err := s.Log(ctx, c.Number)
		if err != nil {
			return 0, fmt.Errorf("post checkpoints: %w", err)
		}
		published, err := s.Checkpoints(ctx, c.Number)
		if err != nil {
			return 0, fmt.Errorf("post checkpoints: %w", err)
		}
		if n := len(published); n > 0 && published[n-1].Size < head.Size && s.now().Sub(published[n-1].At) >= checkpointEvery {
			due[c.Channel] = append(due[c.Channel], c)
		}
	}
	for channel, list := range due {
		if err := s.postCheckpoints(ctx, channel, list); err != nil {
			return posted, fmt.Errorf("post checkpoints of %s: %w", channel, err)
		}
		posted++
	}
	return posted, nil
}

func (s *Service) postCheckpoints(ctx context.Context, channel string, list []Consultation) error {
	return s.store.Update(ctx, func(tx Tx) error {
		ch, err := tx.Channel(channel)
		if err != nil {
			return err
		}
		text := dailyText(ch.Language)
		for _, c := range list {
			head, err := tx.Log(c.Number)
			if err != nil {
				return err
			}
			part := "\n\n" + preformatted(head.Checkpoint)
			if len(text)+len(part) > maxPost {
				break // the others are due again next time
			}
			text += part
			if err := tx.SaveCheckpoint(c.Number, Checkpoint{Size: head.Size, At: s.now(), Note: head.Checkpoint}); err != nil {
				return err
			}
		}
		return s.publish(tx, Consultation{Phase: Open, Channel: channel, Language: ch.Language}, &Post{Kind: CheckpointPost, Source: text})
	})
}
