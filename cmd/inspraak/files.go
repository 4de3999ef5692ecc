package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// writeNew writes a file that must not exist yet: whole and on disk, or not at
// all.
func writeNew(path string, data []byte, mode fs.FileMode) error {
	return copyNew(path, bytes.NewReader(data), mode)
}

// copyNew does the same from a stream.
func copyNew(path string, from io.Reader, mode fs.FileMode) error {
	return createNew(path, mode, func(w io.Writer) error {
		_, err := io.Copy(w, from)
		return err
	})
}

func createNew(path string, mode fs.FileMode, write func(io.Writer) error) error {
	temp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	if err := errors.Join(write(temp), temp.Chmod(mode), temp.Sync(), temp.Close()); err != nil {
		return err
	}
	return os.Link(temp.Name(), path) // unlike Rename, Link refuses to overwrite
}
