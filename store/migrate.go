package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the tables of the database at path up to the newest of the
// migrations in files, each in a transaction of its own: a process that ends in
// the middle leaves the tables as they were before one of them, never between.
// Before it changes tables that are in use it copies the whole database to a
// file beside it, PATH.before-N, N being the first new version, which stays:
// going back to the older program means putting that file in the place of the
// database. It refuses tables that are newer than files.
func migrate(ctx context.Context, db *sql.DB, path string, files fs.FS, log *slog.Logger) error {
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	current, known, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if current > known {
		return fmt.Errorf("its tables are of version %d and this program knows only up to %d: "+
			"use the newer program that wrote it, or restore a backup from before the upgrade", current, known)
	}
	if current > 0 && current < known {
		before := fmt.Sprintf("%s.before-%d", path, current+1)
		log.Info("new tables: a copy of the database is made first", "from", current, "to", known, "copy", before)
		if err := copyBefore(ctx, db, before); err != nil {
			return fmt.Errorf("migrate: copy the database: %w (is there room for a second one?)", err)
		}
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// copyBefore writes a whole copy or none: one that a crash left unfinished has
// another name, and is written anew.
func copyBefore(ctx context.Context, db *sql.DB, path string) error {
	part := path + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := vacuumInto(ctx, db, part); err != nil {
		return err
	}
	if err := os.Rename(part, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}
