package participation

import (
	"bytes"
	"context"
	_ "embed" // the counting rule in words
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"inspraak/participation/ballotlog"
	"inspraak/participation/dataset"
)

//go:embed rule.md
var ruleText string

// DatasetFile is one file of a dataset.
type DatasetFile struct {
	Name string
	Size int64
}

// The files of a dataset that the program reads again itself.
const (
	manifestFile  = "manifest.txt"
	ballotsFile   = "ballots.csv"
	integrityFile = "integrity.json"
	questionFile  = "question.json"
	resultFile    = "result.json"
	logFile       = "log.txt" // not kept a second time: it is the log
)

// Dataset lists the files of a consultation's dataset in the order of its zip,
// or ErrNotFound as long as it is not whole.
func (s *Service) Dataset(ctx context.Context, c Consultation) ([]DatasetFile, error) {
	files, err := s.DatasetFiles(ctx, c.Number)
	if err != nil {
		return nil, fmt.Errorf("dataset of %s: %w", c.Slug, err)
	}
	if !slices.ContainsFunc(files, func(f DatasetFile) bool { return f.Name == manifestFile }) {
		return nil, fmt.Errorf("dataset of %s: %w", c.Slug, ErrNotFound)
	}
	manifest, err := s.smallFile(ctx, c, manifestFile)
	if err != nil {
		return nil, err
	}
	for _, e := range listed(string(manifest)) {
		if e.Name == logFile {
			files = append(files, e.DatasetFile)
		}
	}
	names := dataset.Names()
	slices.SortFunc(files, func(a, b DatasetFile) int { return slices.Index(names, a.Name) - slices.Index(names, b.Name) })
	return files, nil
}

// WriteDatasetFile writes one file of a dataset as it was published, or is
// ErrNotFound.
func (s *Service) WriteDatasetFile(ctx context.Context, c Consultation, name string, w io.Writer) error {
	if name == logFile {
		return s.writeFrozenLog(ctx, c, w)
	}
	for part := 0; ; part++ {
		content, err := s.DatasetPart(ctx, c.Number, name, part)
		if part > 0 && errors.Is(err, ErrNotFound) {
			return nil
		}
		if err == nil {
			_, err = w.Write(content)
		}
		if err != nil {
			return fmt.Errorf("dataset of %s: %s: %w", c.Slug, name, err)
		}
	}
}

// writeFrozenLog writes the log as far as the entry that closes it, one entry a
// line. No database reader waits for a slow w.
func (s *Service) writeFrozenLog(ctx context.Context, c Consultation, w io.Writer) error {
	if _, err := s.Dataset(ctx, c); err != nil {
		return err
	}
	r, err := s.Result(ctx, c.ID)
	if err != nil {
		return fmt.Errorf("dataset of %s: %s: %w", c.Slug, logFile, err)
	}
	for from := int64(0); from < r.Entries; {
		var lines bytes.Buffer
		err := s.LogEntries(ctx, c.Number, from, int(min(r.Entries-from, 4000)), func(n int64, entry string) error {
			from = n + 1
			lines.WriteString(entry)
			return lines.WriteByte('\n')
		})
		if err == nil && lines.Len() == 0 {
			err = fmt.Errorf("entry %d: %w", from, ErrNotFound)
		}
		if err == nil {
			_, err = w.Write(lines.Bytes())
		}
		if err != nil {
			return fmt.Errorf("dataset of %s: %s: %w", c.Slug, logFile, err)
		}
	}
	return nil
}

// WriteDatasetZip writes all files of a dataset as one zip.
func (s *Service) WriteDatasetZip(ctx context.Context, c Consultation, w io.Writer) error {
	files, err := s.Dataset(ctx, c)
	if err != nil {
		return err
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
	}
	return dataset.Zip(w, c.ClosedAt.UTC(), names, func(name string) (io.ReadCloser, error) {
		r, to := io.Pipe()
		go func() { to.CloseWithError(s.WriteDatasetFile(ctx, c, name, to)) }()
		return r, nil
	})
}

// FreezeDue publishes the dataset of every closed consultation that has none
// yet, in the name of the municipality, and returns how many it published. One
// that a crash cut short is begun anew. It needs the consultation's key.
func (s *Service) FreezeDue(ctx context.Context, municipality string) (frozen int, err error) {
	closed, err := s.Consultations(ctx, Filter{Phases: []Phase{Closed}})
	if err != nil {
		return 0, fmt.Errorf("freeze: %w", err)
	}
	for _, c := range closed {
		r, err := s.Result(ctx, c.ID)
		if err != nil {
			return frozen, fmt.Errorf("freeze %s: %w", c.Slug, err)
		}
		if !c.Kind.HasOptions() || !r.Final || r.Entries == 0 || s.UnderReview(c.ID) {
			continue
		}
		if _, err := s.Dataset(ctx, c); !errors.Is(err, ErrNotFound) {
			if err != nil {
				return frozen, err
			}
			continue
		}
		err = s.freeze(ctx, c, r, municipality)
		if errors.Is(err, ErrSealed) {
			continue
		} else if err != nil {
			return frozen, fmt.Errorf("freeze %s: %w", c.Slug, err)
		}
		frozen++
	}
	return frozen, nil
}

func (s *Service) freeze(ctx context.Context, c Consultation, r Result, municipality string) error {
	secret, err := s.keys.Secret(c.ID)
	if err != nil {
		return err
	}
	in := dataset.Input{
		Origin: s.Origin(c), Municipality: municipality, Title: c.Title, Language: c.Language, Page: s.site.Page(c.Slug),
		Kind: string(c.Kind), Options: c.Options, PerOption: c.PerOption(), BatchSize: c.Terms.BatchSize,
		Rule: ruleText, Closed: utc(c.ClosedAt), Turnout: r.Turnout, Counts: r.Counts,
		Withheld: r.Turnout < c.Terms.BatchSize, Refused: refusedCells(r),
		Entries: s.frozenEntries(ctx, c, r.Entries), EntryCount: r.Entries,
	}
	in.Key, _ = s.LogKey(c)
	open, err := s.LogEntry(ctx, c.Number, 0)
	if err != nil {
		return err
	}
	in.Question = []byte(open[len(ballotlog.OpenType)+1:])
	published, err := s.Checkpoints(ctx, c.Number)
	if err != nil {
		return err
	}
	for _, p := range published {
		if p.Size <= r.Entries {
			in.Checkpoints = append(in.Checkpoints, p.Note)
		}
	}
	ballots, err := s.published(ctx, c, secret)
	if err != nil {
		return err
	}
	figures, err := s.figures(ctx, c, ballots)
	if err != nil {
		return err
	}
	in.Rows, in.Servers = ballots.rows(), serverRanges(figures)
	if in.Integrity, err = json.Marshal(figures); err != nil {
		return err
	}
	if err := s.store.Update(ctx, func(tx Tx) error { return tx.DropDataset(c.Number) }); err != nil {
		return err
	}
	return dataset.Write(in,
		func(name string) (io.WriteCloser, error) {
			if name == logFile {
				return nowhere{}, nil
			}
			return &partWriter{ctx: ctx, s: s, c: c, name: name}, nil
		},
		func(text string) (string, error) { return s.keys.LogKey().SignNote(in.Origin, text) })
}

// frozenEntries are the entries up to and with the one that closes the log.
func (s *Service) frozenEntries(ctx context.Context, c Consultation, n int64) func(func(string, error) bool) {
	return func(yield func(string, error) bool) {
		err := s.LogEntries(ctx, c.Number, 0, int(n), func(_ int64, entry string) error {
			if !yield(entry, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield("", err)
		}
	}
}

var errStop = errors.New("no more is wanted")

func refusedCells(r Result) []dataset.Cell {
	var cells []dataset.Cell
	for _, reason := range slices.Sorted(maps.Keys(r.Refused)) {
		cells = append(cells, dataset.Cell{Name: string(reason), N: r.Refused[reason]})
	}
	return cells
}

// nowhere is where a file goes that is kept already.
type nowhere struct{}

// Write implements io.Writer.
func (nowhere) Write(p []byte) (int, error) { return len(p), nil }

// Close implements io.Closer.
func (nowhere) Close() error { return nil }

// partSize is how much of a file is kept in one row, and written at a time.
const partSize = 256 << 10

// partWriter keeps a file in parts.
type partWriter struct {
	ctx  context.Context
	s    *Service
	c    Consultation
	name string
	part int
	buf  []byte
}

// Write implements io.Writer.
func (w *partWriter) Write(p []byte) (int, error) {
	w.buf = append(w.buf, p...)
	for len(w.buf) >= partSize {
		if err := w.flush(partSize); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// Close keeps the rest, an empty part where the file has nothing.
func (w *partWriter) Close() error {
	if len(w.buf) == 0 && w.part > 0 {
		return nil
	}
	return w.flush(len(w.buf))
}

func (w *partWriter) flush(n int) error {
	content := w.buf[:n:n]
	if content == nil {
		content = []byte{}
	}
	err := w.s.store.Update(w.ctx, func(tx Tx) error {
		err := tx.SaveDatasetPart(w.c.Number, w.name, w.part, content)
		if err == nil && w.name == manifestFile { // the last file, and in one part
			err = w.s.record(tx, DatasetPublished, w.c, "", "")
		}
		return err
	})
	if err != nil {
		return err
	}
	w.part++
	w.buf = append([]byte(nil), w.buf[n:]...)
	return nil
}
