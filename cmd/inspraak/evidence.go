package main

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"inspraak/participation"
	"inspraak/verify"
)

// evidenceCommands are for the evidence of votes, encrypted for an auditor.
type evidenceCommands struct {
	Export evidenceExportCommand `cmd:"" help:"Write the encrypted evidence and the published dataset to one file."`
}

type evidenceExportCommand struct {
	Consultation string `arg:"" help:"Slug or ID of a closed consultation."`
	Out          string `arg:"" help:"File to write (.zip); never overwritten."`
}

// Names in an export, beside one evidence/N.age for each bundle.
const (
	exportedDataset = "dataset.zip"
	exportedPage    = "page.txt"
	exportedBundle  = "evidence/%d.age"
)

// Run writes what an auditor needs who has no access to the node's machine. It
// decrypts nothing, and could not.
func (e evidenceExportCommand) Run(a *app) error {
	return a.at(func(o *office) error {
		trail, err := o.trail(a.ctx, e.Consultation)
		if err != nil {
			return fmt.Errorf("export evidence: %w", err)
		}
		bundles := 0
		err = createNew(e.Out, 0o600, func(w io.Writer) error {
			archive := zip.NewWriter(w)
			write := func(name string, content []byte) error {
				file, err := archive.Create(name)
				if err != nil {
					return err
				}
				_, err = file.Write(content)
				return err
			}
			if err := write(exportedDataset, trail.dataset); err != nil {
				return err
			}
			if err := write(exportedPage, []byte(trail.page+"\n")); err != nil {
				return err
			}
			err := trail.bundles(func(n int64, sealed []byte) error {
				bundles++
				return write(fmt.Sprintf(exportedBundle, n), sealed)
			})
			return errors.Join(err, archive.Close())
		})
		if err != nil {
			return fmt.Errorf("export evidence: %w", err)
		}
		a.say("Written: %s (%d bundles of evidence, and the dataset).", e.Out, bundles)
		a.say("Only the auditor's identity opens it, and then it tells who voted what.")
		return nil
	})
}

// A trail is what an audit follows: the public dataset and the evidence, still
// encrypted, from the node's database or from an export.
type trail struct {
	dataset []byte // the zip
	page    string // the node's word for where the question is
	bundles func(fn func(n int64, sealed []byte) error) error
}

// trail is that of a consultation of this node.
func (o *office) trail(ctx context.Context, name string) (trail, error) {
	c, err := o.Consultation(ctx, name)
	if err != nil {
		return trail{}, err
	}
	if c.Terms.AuditorKey == "" {
		return trail{}, fmt.Errorf("%s was opened without an auditor's key, so no evidence was kept; a key cannot be added later", c.Slug)
	}
	var dataset bytes.Buffer
	if err := o.WriteDatasetZip(ctx, c, &dataset); errors.Is(err, participation.ErrNotFound) {
		return trail{}, fmt.Errorf("%s has no dataset yet; that is published when voting has ended, by the node that serves", c.Slug)
	} else if err != nil {
		return trail{}, err
	}
	return trail{
		dataset: dataset.Bytes(), page: o.URLs.Page(c.Slug),
		bundles: func(fn func(int64, []byte) error) error { return o.Evidence(ctx, c.Number, fn) },
	}, nil
}

// readTrail opens an export.
func readTrail(path string) (_ trail, closing func() error, err error) {
	outer, err := zip.OpenReader(path)
	damaged := func(err error) (trail, func() error, error) {
		err = fmt.Errorf("read %s: %w; is it whole, and from \"inspraak evidence export\"?", path, err)
		if outer != nil {
			err = errors.Join(err, outer.Close())
		}
		return trail{}, nil, err
	}
	if err != nil {
		return damaged(err)
	}
	dataset, err := readZipped(&outer.Reader, exportedDataset)
	if err != nil {
		return damaged(err)
	}
	page, err := readZipped(&outer.Reader, exportedPage)
	if err != nil {
		return damaged(err)
	}
	return trail{
		dataset: dataset, page: strings.TrimSpace(string(page)),
		bundles: func(fn func(int64, []byte) error) error {
			for _, f := range outer.File {
				var n int64
				if _, err := fmt.Sscanf(f.Name, exportedBundle, &n); err != nil {
					continue
				}
				sealed, err := readZipped(&outer.Reader, f.Name)
				if err != nil {
					sealed = nil // it cannot be opened, and the audit says so
				}
				if err := fn(n, sealed); err != nil {
					return err
				}
			}
			return nil
		},
	}, outer.Close, nil
}

// verify checks the dataset, and with it the log that the audit stands on.
func (t trail) verify(ctx context.Context, anchor *verify.Anchor) (*verify.Report, error) {
	file, err := os.CreateTemp("", "inspraak-*.zip") // it is public
	if err != nil {
		return nil, err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(t.dataset)
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	report, err := verify.Dataset(ctx, file.Name(), verify.Options{Anchor: anchor})
	if err != nil {
		return nil, fmt.Errorf("the dataset does not verify: %w", err)
	}
	return report, nil
}

// maxExported bounds a file of an export, in bytes.
const maxExported = 1 << 30

func readZipped(archive *zip.Reader, name string) ([]byte, error) {
	file, err := archive.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxExported+1))
	if err == nil && len(content) > maxExported {
		err = fmt.Errorf("%s is larger than %d bytes", name, maxExported)
	}
	return content, err
}

// isFile tells an export from a slug, which has no dot.
func isFile(name string) bool {
	if strings.ContainsAny(name, "./\\") {
		return true
	}
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}
