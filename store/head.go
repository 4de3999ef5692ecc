package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"inspraak/participation"
)

// Head is the newest beat known to have been on disk, as remembered apart from
// the database, in the file head beside the keys; zero if there is none.
// Backups do not hold it: an older database under a newer head was put back.
func (k *Keys) Head() (b participation.Beat, err error) {
	content, err := os.ReadFile(k.headFile())
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return b, fmt.Errorf("read head: %w", err)
	}
	if err := json.Unmarshal(content, &b); err != nil {
		return b, fmt.Errorf("read head: %s: %w; it tells which database this node last ran with: if that is the one in place, remove the file", k.headFile(), err)
	}
	return b, nil
}

// SaveHead replaces the head, whole and on disk or not at all.
func (k *Keys) SaveHead(b participation.Beat) error {
	content, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("save head: %w", err)
	}
	temporary, err := os.CreateTemp(k.dir, ".new-*")
	if err != nil {
		return fmt.Errorf("save head: %w", err)
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.Write(append(content, '\n'))
	if err = errors.Join(err, temporary.Sync(), temporary.Close()); err == nil {
		err = os.Rename(temporary.Name(), k.headFile())
	}
	if err == nil {
		err = syncDir(k.dir)
	}
	if err != nil {
		return fmt.Errorf("save head: %w", err)
	}
	return nil
}

func (k *Keys) headFile() string { return filepath.Join(k.dir, "head") }
