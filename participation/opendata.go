package participation

import (
	"context"
	"fmt"
	"io"
	"slices"

	"inspraak/participation/dataset"
)

// Licence is that of what a municipality publishes of its own here: questions,
// results and datasets. Replies belong to those who wrote them.
const Licence = dataset.Licence

// OpenDataset is a dataset as a catalogue tells of it.
type OpenDataset struct {
	Consultation Consultation
	Files        []DatasetEntry // as its manifest lists them, without the manifest
}

// Empty tells whether a table of a dataset has nothing but its header line.
func (e DatasetEntry) Empty() bool { return dataset.HeaderOnly(e.Name, e.Size) }

// OpenDatasets lists the datasets of closed consultations that are whole, by the
// opening of the consultation, the newest first.
func (s *Service) OpenDatasets(ctx context.Context) ([]OpenDataset, error) {
	closed, err := s.Consultations(ctx, Filter{Phases: []Phase{Closed}, Frozen: true})
	if err != nil {
		return nil, fmt.Errorf("open datasets: %w", err)
	}
	var list []OpenDataset
	for _, c := range closed {
		manifest, err := s.smallFile(ctx, c, manifestFile)
		if err != nil {
			return nil, err
		}
		list = append(list, OpenDataset{c, listed(string(manifest))})
	}
	return list, nil
}

// Exports lists what other tools can read of a consultation's dataset, and why they
// cannot read the rest, by name. It is ErrNotFound as long as there is no dataset.
// They are made of the published files only.
func (s *Service) Exports(ctx context.Context, c Consultation, municipality string) ([]dataset.Export, map[string]dataset.Absence, error) {
	files, err := s.Dataset(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	p := dataset.Published{Municipality: municipality, Page: s.site.Page(c.Slug), Ballots: func() (io.ReadCloser, error) {
		r, w := io.Pipe()
		go func() { w.CloseWithError(s.WriteDatasetFile(ctx, c, ballotsFile, w)) }()
		return r, nil
	}}
	for name, content := range map[string]*[]byte{questionFile: &p.Question, resultFile: &p.Result} {
		if !slices.ContainsFunc(files, func(f DatasetFile) bool { return f.Name == name }) {
			continue // Exports says that these are no files of a dataset
		}
		if *content, err = s.smallFile(ctx, c, name); err != nil {
			return nil, nil, err
		}
	}
	list, not, err := p.Exports()
	if err != nil {
		return nil, nil, fmt.Errorf("exports of %s: %w", c.Slug, err)
	}
	return list, not, nil
}
