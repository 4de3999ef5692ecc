package participation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"inspraak/participation/dataset"
	"inspraak/tally"
)

// DatasetLicense is the address of the licence of every dataset.
const DatasetLicense = dataset.License

// DatasetEntry is a file of a dataset as its manifest has it.
type DatasetEntry struct {
	DatasetFile
	SHA256 string // in hexadecimal; empty for the manifest itself
}

// maxManifest bounds what is read of files that are small.
const maxManifest = 64 << 10

// Manifest lists the files of a consultation's dataset in the order of its zip,
// with the manifest's own text, or is ErrNotFound as long as it is not whole.
func (s *Service) Manifest(ctx context.Context, c Consultation) (entries []DatasetEntry, manifest []byte, err error) {
	files, err := s.Dataset(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	if manifest, err = s.smallFile(ctx, c, manifestFile); err != nil {
		return nil, nil, err
	}
	sums := map[string]string{}
	for _, e := range listed(string(manifest)) {
		sums[e.Name] = e.SHA256
	}
	for _, f := range files {
		entries = append(entries, DatasetEntry{f, sums[f.Name]})
	}
	return entries, manifest, nil
}

// listed are the files that the text of a manifest lists; its other lines are
// passed over.
func listed(manifest string) (entries []DatasetEntry) {
	for line := range strings.Lines(manifest) {
		words := strings.Fields(line)
		if len(words) != 3 || len(words[0]) != 64 {
			continue
		}
		if size, err := strconv.ParseInt(words[1], 10, 64); err == nil {
			entries = append(entries, DatasetEntry{DatasetFile{words[2], size}, words[0]})
		}
	}
	return entries
}

func (s *Service) smallFile(ctx context.Context, c Consultation, name string) ([]byte, error) {
	content, err := s.DatasetPart(ctx, c.Number, name, 0)
	if err == nil && len(content) > maxManifest {
		err = fmt.Errorf("%d bytes are too many", len(content))
	}
	if err != nil {
		return nil, fmt.Errorf("dataset of %s: %s: %w", c.Slug, name, err)
	}
	return content, nil
}

// Integrity are the figures beside a closed consultation's count, as its dataset
// has them, or ErrNotFound. The label is empty where they cannot be read, for a
// later program may have written them.
func (s *Service) Integrity(ctx context.Context, c Consultation) (tally.Figures, error) {
	content, err := s.smallFile(ctx, c, integrityFile)
	if err != nil {
		return tally.Figures{}, err
	}
	var f tally.Figures
	if json.Unmarshal(content, &f) != nil || f.Version != 1 {
		return tally.Figures{}, nil
	}
	return f, nil
}

// ParseCode reads a code as people type it: in any case, with or without hyphens
// and spaces. ok is false for what can be no code.
func ParseCode(text string) (code string, ok bool) {
	const most = 100 // bytes; a code has 19
	if len(text) > most {
		return "", false
	}
	var b strings.Builder
	for _, r := range strings.ToUpper(text) {
		switch {
		case r >= 'A' && r <= 'Z', r >= '2' && r <= '7':
			if b.Len()%5 == 4 {
				b.WriteByte('-')
			}
			b.WriteRune(r)
		case strings.ContainsRune("-\u2010\u2011\u2012\u2013\u2014\u00a0\u200b\u2060 \t\r\n.", r):
		default:
			return "", false
		}
	}
	return b.String(), b.Len() == codeLength
}

const codeLength = len("AAAA-AAAA-AAAA-AAAA")

// PublishedBallot is a line of a dataset's ballots.
type PublishedBallot struct {
	Line    string
	Options []int // from 0
}

// FindBallot finds the published line of a code, in the form that ParseCode
// gives, or is ErrNotFound. The file is sorted by code, so it reads few parts of
// it, one at a time.
func (s *Service) FindBallot(ctx context.Context, c Consultation, code string) (b PublishedBallot, err error) {
	files, err := s.DatasetFiles(ctx, c.Number)
	if err != nil {
		return b, fmt.Errorf("find a ballot of %s: %w", c.Slug, err)
	}
	parts := 0
	for _, f := range files {
		if f.Name == ballotsFile {
			parts = int((f.Size + partSize - 1) / partSize)
		}
	}
	// The first whole line of each part tells whether the code stands before it.
	var failed error
	after := sort.Search(parts, func(part int) bool {
		content, err := s.DatasetPart(ctx, c.Number, ballotsFile, part)
		failed = errors.Join(failed, err)
		_, rest, _ := bytes.Cut(content, []byte("\n"))
		return len(rest) < codeLength || string(rest[:codeLength]) > code // the last may have none
	})
	if failed != nil {
		return b, fmt.Errorf("find a ballot of %s: %w", c.Slug, failed)
	}
	var text []byte // the part where it stands, and the next, into which its line may run
	for part := max(after-1, 0); part < min(after+1, parts); part++ {
		content, err := s.DatasetPart(ctx, c.Number, ballotsFile, part)
		if err != nil {
			return b, fmt.Errorf("find a ballot of %s: %w", c.Slug, err)
		}
		text = append(text, content...)
	}
	_, text, found := bytes.Cut(text, []byte("\n"+code+","))
	rest, _, whole := bytes.Cut(text, []byte("\n"))
	if !found || !whole {
		return b, fmt.Errorf("find a ballot of %s: %w", c.Slug, ErrNotFound)
	}
	b.Line = code + "," + string(rest)
	options, _, _ := strings.Cut(string(rest), ",")
	for _, number := range strings.Fields(options) {
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || n > len(c.Options) {
			return b, fmt.Errorf("find a ballot of %s: option %q of the line of a code does not exist", c.Slug, number)
		}
		b.Options = append(b.Options, n-1)
	}
	return b, nil
}
