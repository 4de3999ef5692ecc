package participation

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

	"inspraak/participation/ballotlog"
	"inspraak/participation/dataset"
)

// auditLog holds a log against its signed heads, the ballots, the result and the
// dataset, and says the first thing that does not fit, or nothing.
func (s *Service) auditLog(ctx context.Context, c Consultation, a *Audit) (problem string, err error) {
	if !c.Kind.HasOptions() {
		return "", nil
	}
	l := &logAudit{s: s, ctx: ctx, c: c, tally: ballotlog.NewTally(ballotlog.NewSum())}
	err = l.run(a)
	var found *misfit
	if errors.As(err, &found) { // who names the place must know every entry
		l.live = ballotlog.Set{}
		l.tally = ballotlog.NewTally(l.live)
		err = cmp.Or(l.run(a), err)
	}
	a.Entries = l.tally.Entries
	if errors.As(err, &found) {
		return found.Error(), nil
	}
	return "", err
}

// misfit is something that does not fit, as opposed to trouble in reading it.
type misfit struct{ what string }

func (m *misfit) Error() string { return m.what }

func misfitting(format string, args ...any) error { return &misfit{fmt.Sprintf(format, args...)} }

type logAudit struct {
	s     *Service
	ctx   context.Context
	c     Consultation
	tally *ballotlog.Tally
	live  ballotlog.Set // of the tally; nil as long as nothing was found
}

func (l *logAudit) run(a *Audit) error {
	if err := l.entries(); err != nil {
		return err
	}
	if err := l.question(); err != nil {
		return err
	}
	if err := l.ballots(); err != nil {
		return err
	}
	if err := l.result(a.Result); err != nil {
		return err
	}
	return l.dataset()
}

// entries reads the whole log: its rules, its tree and its signed heads.
func (l *logAudit) entries() error {
	head, err := l.s.Log(l.ctx, l.c.Number)
	if err != nil {
		return err
	}
	published, err := l.s.Checkpoints(l.ctx, l.c.Number)
	if err != nil {
		return err
	}
	if head.Size == 0 {
		return misfitting("the log is missing")
	}
	if len(published) == 0 || published[0].Size != 1 {
		return misfitting("the checkpoint of the opening is missing")
	}
	rebuild := &ballotlog.Rebuild{Tiles: readTiles{l.ctx, l.s, l.c.Number}}
	var trouble error
	at := func(n int64) (entry string, err error) {
		entry, trouble = l.s.LogEntry(l.ctx, l.c.Number, n)
		return entry, trouble
	}
	err = l.s.LogEntries(l.ctx, l.c.Number, 0, 0, func(n int64, entry string) error {
		if n != l.tally.Entries {
			return misfitting("entry %d of the log is missing", l.tally.Entries)
		}
		if err := l.tally.Add(entry, at); err != nil {
			return cmp.Or(trouble, misfitting("%v", err))
		}
		if err := rebuild.Add(entry); err != nil {
			return misfitting("entry %d of the log or one shortly before: %v", n, err)
		}
		for len(published) > 0 && published[0].Size == n+1 {
			if err := l.head(published[0].Size, published[0].Note, rebuild); err != nil {
				return err
			}
			published = published[1:]
		}
		return nil
	})
	if err != nil {
		return err
	}
	if l.tally.Entries != head.Size {
		return misfitting("the log has %d entries, its head says %d", l.tally.Entries, head.Size)
	}
	if len(published) > 0 {
		return misfitting("a checkpoint of %d entries was published, and the log has %d", published[0].Size, head.Size)
	}
	if err := rebuild.Finish(); err != nil {
		return misfitting("%v", err)
	}
	return l.head(head.Size, head.Checkpoint, rebuild)
}

// head compares a signed head with the tree as far as it is rebuilt.
func (l *logAudit) head(size int64, note string, r *ballotlog.Rebuild) error {
	h, err := l.s.keys.LogKey().OpenCheckpoint(l.s.Origin(l.c), note)
	switch {
	case err != nil:
		return misfitting("checkpoint of %d entries: %v", size, err)
	case h.Size != size:
		return misfitting("checkpoint of %d entries: it says %d", size, h.Size)
	case h.Root != r.Root():
		return misfitting("checkpoint of %d entries: its root is not that of the entries", size)
	}
	return nil
}

// question compares what is asked with entry 0.
func (l *logAudit) question() error {
	entry, err := l.s.LogEntry(l.ctx, l.c.Number, 0)
	if err != nil {
		return err
	}
	want, err := l.s.openEntry(l.c)
	if err != nil {
		return err
	}
	if entry != want {
		return misfitting("the question is not the one of entry 0")
	}
	return nil
}

// ballots takes from the live entries those of every ballot, as the log has it;
// none may be missing and none left over.
func (l *logAudit) ballots() error {
	if l.c.Destroyed() {
		return l.rows()
	}
	secret, err := l.s.keys.Secret(l.c.ID)
	if err != nil {
		return err
	}
	number, waiting := 0, 0
	err = l.s.LoggedBallots(l.ctx, l.c.Number, func(voter Pseudonym, waits bool, sealed []byte) error {
		number++
		if waits {
			waiting++
		}
		if sealed == nil {
			return nil
		}
		b, err := secret.openBallot(voter, sealed)
		if err != nil {
			return misfitting("ballot %d in order of storage does not open", number)
		}
		for _, entry := range l.s.entriesOf(l.c, secret, b) {
			m, err := ballotlog.MarkOf(entry)
			if err != nil {
				return err
			}
			if !l.tally.Live.Take(m) {
				return misfitting("ballot %d in order of storage is not what the log says: no entry is of it", number)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = l.s.Awaiting(l.ctx, l.c.Number, func(Pseudonym, []byte) error {
		waiting--
		return nil
	})
	if err != nil {
		return err
	}
	if waiting != 0 {
		return misfitting("%d ballots that wait for the log are missing", -waiting)
	}
	return l.leftOver()
}

// rows is ballots for a consultation whose ballots are destroyed: it takes the
// entries of the published rows, where there are some.
func (l *logAudit) rows() error {
	err := l.s.publishedRows(l.ctx, l.c, func(r dataset.Row) error {
		entry := ballotlog.Ballot{Code: r.Code, Options: r.Options, Nonce: r.Nonce}.Entry(l.s.Origin(l.c))
		m, err := ballotlog.MarkOf(entry)
		if err != nil {
			return err
		}
		if !l.tally.Live.Take(m) {
			return misfitting("the row %s of ballots.csv is not what the log says: no entry is of it", r.Code)
		}
		return nil
	})
	published := err == nil && l.tally.Close.Rows == ballotlog.Published
	switch {
	case errors.Is(err, ErrNotFound) && l.c.Phase == Withdrawn:
		return nil
	case errors.Is(err, dataset.ErrForm):
		return misfitting("%v", err)
	case err != nil:
		return err
	case published:
		return l.leftOver()
	}
	return nil
}

// leftOver names the first entry that no ballot is of, if there is one.
func (l *logAudit) leftOver() error {
	if l.tally.Live.Empty() {
		return nil
	}
	err := l.s.LogEntries(l.ctx, l.c.Number, 0, 0, func(n int64, entry string) error {
		if m, err := ballotlog.MarkOf(entry); err == nil && l.live[m] > 0 {
			return misfitting("entry %d of the log: its ballot is missing, or another one stands in its place", n)
		}
		return nil
	})
	if err == nil {
		err = misfitting("ballots and log do not fit")
	}
	return err
}

// result compares the entry that closes the log with the final result.
func (l *logAudit) result(r Result) error {
	switch {
	case r.Final != l.tally.Closed:
		return misfitting("the result is final: %v, and the log closed: %v", r.Final, l.tally.Closed)
	case !r.Final:
		return nil
	case l.tally.Close.Turnout != r.Turnout || !slices.Equal(l.tally.Close.Counts, r.Counts):
		return misfitting("the entry that closes the log says %d ballots %v, the result %d %v",
			l.tally.Close.Turnout, l.tally.Close.Counts, r.Turnout, r.Counts)
	}
	return nil
}

// dataset compares the published files with their signed manifest.
func (l *logAudit) dataset() error {
	files, err := l.s.Dataset(l.ctx, l.c)
	if errors.Is(err, ErrNotFound) {
		return nil // not yet published
	} else if err != nil {
		return err
	}
	var manifest bytes.Buffer
	if err := l.s.WriteDatasetFile(l.ctx, l.c, manifestFile, &manifest); err != nil {
		return err
	}
	text, err := l.s.keys.LogKey().OpenNote(l.s.Origin(l.c), manifest.String())
	if err != nil {
		return misfitting("manifest.txt of the dataset: %v", err)
	}
	entries := listed(text)
	for _, e := range entries {
		hash := sha256.New()
		counter := &counter{to: hash}
		if err := l.s.WriteDatasetFile(l.ctx, l.c, e.Name, counter); err != nil {
			return err
		}
		if counter.n != e.Size || hex.EncodeToString(hash.Sum(nil)) != e.SHA256 {
			return misfitting("%s of the dataset is not the file that was published", e.Name)
		}
	}
	if len(entries) != len(files)-1 {
		return misfitting("the dataset has %d files beside its manifest, which lists %d", len(files)-1, len(entries))
	}
	return nil
}

type counter struct {
	to io.Writer
	n  int64
}

// Write implements io.Writer.
func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return c.to.Write(p)
}
