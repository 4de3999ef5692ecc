package store

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"
)

// kills is how often TestMigrationKilled kills; `make faults` asks for more.
var kills = flag.Int("migration-kills", 6, "kills in the middle of a migration")

// later are the migrations of this program and two that a later one might have:
// one writes every ballot anew, the other adds a column.
func later(t *testing.T) fs.FS {
	files := fstest.MapFS{
		"0002_rewrite.sql": {Data: []byte(`-- +goose Up
			CREATE TABLE ballot_new (consultation INTEGER NOT NULL, voter BLOB NOT NULL, counted INTEGER NOT NULL,
				sealed BLOB NOT NULL, weight INTEGER NOT NULL, PRIMARY KEY (consultation, voter)) STRICT, WITHOUT ROWID;
			INSERT INTO ballot_new SELECT consultation, voter, counted, sealed, 1 FROM ballot;
			DROP TABLE ballot;
			ALTER TABLE ballot_new RENAME TO ballot;`)},
		"0003_column.sql": {Data: []byte(`-- +goose Up
			ALTER TABLE ballot ADD COLUMN class INTEGER NOT NULL DEFAULT 0;
			UPDATE ballot SET class = length(sealed) % 2;`)},
	}
	first, err := migrations.ReadFile("migrations/0001_initial.sql")
	if err != nil {
		t.Fatal(err)
	}
	files["0001_initial.sql"] = &fstest.MapFile{Data: first}
	return files
}

func migrateTo(ctx context.Context, path string, files fs.FS) error {
	db, err := sql.Open("sqlite", "file:"+path+writerSettings)
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	return migrate(ctx, db, path, files, slog.New(slog.NewTextHandler(io.Discard, nil)))
}

// inUse makes a database with so many ballots, and closes it.
func inUse(t *testing.T, path string, ballots int) {
	db, err := Open(t.Context(), path, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		`PRAGMA foreign_keys = OFF`, // a ballot needs no consultation here
		fmt.Sprintf(`WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < %d)
			INSERT INTO ballot (consultation, voter, counted, sealed)
			SELECT 1, unhex(printf('%%032x', value)), 1, randomblob(160) FROM n`, ballots),
	} {
		if _, err := db.writer.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// state is what a database file says of itself: the version of its tables,
// their columns, and a digest of its ballots.
func state(t *testing.T, path string) (version int, columns, ballots string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+writerSettings)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var sound string
	for text, into := range map[string]any{
		`PRAGMA integrity_check`:                                     &sound,
		`SELECT max(version_id) FROM goose_db_version`:               &version,
		`SELECT group_concat(name) FROM pragma_table_info('ballot')`: &columns,
		`SELECT count(*) || ' ' || hex(sha) FROM (SELECT group_concat(hex(voter) || hex(sealed)) AS sha FROM ballot)`: &ballots,
	} {
		if err := db.QueryRowContext(t.Context(), text).Scan(into); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	if sound != "ok" {
		t.Fatalf("after the kill the database is damaged: %s", sound)
	}
	return version, columns, ballots
}

// A process killed in the middle of a migration leaves the old tables or the
// new ones, with every ballot, and the next start finishes the work.
func TestMigrationKilled(t *testing.T) {
	const asChild = "INSPRAAK_TEST_MIGRATE"
	if path := os.Getenv(asChild); path != "" {
		if err := migrateTo(t.Context(), path, later(t)); err != nil {
			t.Fatal(err)
		}
		return
	}
	dir := t.TempDir()
	start := filepath.Join(dir, "start.db")
	inUse(t, start, 5_000)
	original, err := os.ReadFile(start)
	if err != nil {
		t.Fatal(err)
	}
	_, _, ballots := state(t, start)
	want := map[int]string{1: "consultation,voter,counted,sealed", 2: "consultation,voter,counted,sealed,weight",
		3: "consultation,voter,counted,sealed,weight,class"}

	reached := map[int]int{}
	run := func(round int, killed time.Duration) (took time.Duration) {
		path := filepath.Join(dir, fmt.Sprintf("node-%d.db", round))
		if err := os.WriteFile(path, original, 0o600); err != nil {
			t.Fatal(err)
		}
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestMigrationKilled$")
		child.Env = append(os.Environ(), asChild+"="+path)
		began := time.Now()
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		if killed > 0 {
			time.Sleep(killed)
			child.Process.Kill()
		}
		if err := child.Wait(); err != nil && killed == 0 {
			t.Fatal(err)
		}
		took = time.Since(began)
		version, columns, got := state(t, path)
		if columns != want[version] || got != ballots {
			t.Errorf("killed after %s: version %d with columns %s, %d bytes of ballots instead of %d", killed, version, columns, len(got), len(ballots))
		}
		reached[version]++
		if version > 1 {
			if v, _, got := state(t, path+".before-2"); v != 1 || got != ballots {
				t.Errorf("killed after %s: the copy made before is of version %d, or lacks ballots", killed, v)
			}
		}
		if err := migrateTo(t.Context(), path, later(t)); err != nil {
			t.Fatal(err)
		}
		if version, _, got := state(t, path); version != 3 || got != ballots {
			t.Errorf("killed after %s, then finished: version %d", killed, version)
		}
		return took
	}
	whole := run(0, 0)
	for i := range *kills {
		run(i+1, time.Duration(1+rand.Int64N(int64(whole))))
	}
	t.Logf("R10 migrations: %d kills within %s: %v left at each version, 0 between", *kills, whole.Round(time.Millisecond), reached)
}

// A copy that a crash left unfinished does not stand in the way, and a program
// that is up to date makes none.
func TestMigrationCopies(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node.db")
	inUse(t, path, 10)
	if err := os.WriteFile(path+".before-2.part", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := migrateTo(t.Context(), path, later(t)); err != nil {
			t.Fatal(err)
		}
	}
	found, err := filepath.Glob(path + ".*")
	if err != nil || len(found) != 1 || found[0] != path+".before-2" {
		t.Errorf("beside the database stand %v, want only the copy before version 2 (%v)", found, err)
	}
	if version, _, _ := state(t, path+".before-2"); version != 1 {
		t.Errorf("the copy is of version %d", version)
	}
	if _, err := Open(t.Context(), path, slog.New(slog.NewTextHandler(io.Discard, nil))); err == nil {
		t.Error("tables of a newer program were opened")
	}
	if version, _, _ := state(t, path); version != 3 {
		t.Errorf("the refusal left version %d", version)
	}
}
