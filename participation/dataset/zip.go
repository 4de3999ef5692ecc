package dataset

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"time"
)

// Zip streams files as a zip: in the order of names, deflated, at the top level,
// all with one time, that of closing, in UTC and to two seconds. The same files
// give the same bytes each time, as long as the program was built with the same
// Go: other releases may deflate otherwise, and the manifest speaks of the files,
// not of the zip. After an error the zip has no directory at its end, and no
// program opens it.
func Zip(w io.Writer, at time.Time, names []string, open func(name string) (io.ReadCloser, error)) error {
	out := zip.NewWriter(w)
	for _, name := range names {
		if err := pack(out, at, name, open); err != nil {
			return fmt.Errorf("zip: %s: %w", name, err)
		}
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("zip: %w", err)
	}
	return nil
}

func pack(out *zip.Writer, at time.Time, name string, open func(string) (io.ReadCloser, error)) error {
	header := &zip.FileHeader{Name: name, Method: zip.Deflate}
	//lint:ignore SA1019 the field Modified would add an extra field to each file
	header.SetModTime(at)
	header.Modified = time.Time{}
	from, err := open(name)
	if err != nil {
		return err
	}
	to, err := out.CreateHeader(header)
	if err == nil {
		_, err = io.Copy(to, from)
	}
	return errors.Join(err, from.Close())
}
