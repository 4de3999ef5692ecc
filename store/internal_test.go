package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"inspraak/activitypub"
	"inspraak/participation"
)

func openTemp(t *testing.T) *DB {
	t.Helper()
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "node.db"), slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// Settings that a driver overlooks fail silently, so each is read back.
func TestSettings(t *testing.T) {
	db := openTemp(t)
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "10000",
		"cache_size": "-16000", "journal_size_limit": "67108864", "secure_delete": "1", "wal_autocheckpoint": "4000",
	} {
		var got string
		if err := db.writer.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q, want %q (%v)", pragma, got, want, err)
		}
	}
	var quoted string
	if err := db.writer.QueryRowContext(t.Context(), `SELECT "nothing"`).Scan(&quoted); err == nil {
		t.Error("a double-quoted text was taken for a string")
	}
	if _, err := db.writer.ExecContext(t.Context(), "PRAGMA writable_schema = ON"); err != nil {
		t.Fatal(err)
	}
	var writable int
	if err := db.writer.QueryRowContext(t.Context(), "PRAGMA writable_schema").Scan(&writable); err != nil || writable != 0 {
		t.Errorf("the schema is writable: %d, %v", writable, err)
	}
	if _, err := db.readers.ExecContext(t.Context(), "DELETE FROM event"); !errors.Is(translate(err), ErrUnavailable) {
		t.Errorf("a reader wrote: %v", err)
	}
}

func TestDurableRefusesLess(t *testing.T) {
	for setting, want := range map[string]bool{
		"FULL": true, "FULL&_journal_mode=WAL": true, "NORMAL&_journal_mode=WAL": false, "OFF": false,
		"FULL&_journal_mode=DELETE": false,
	} {
		settings := strings.Replace(writerSettings, "_synchronous=FULL", "_synchronous="+setting, 1)
		if strings.Count(setting, "_journal_mode") == 1 {
			settings = strings.Replace(settings, "_journal_mode=WAL&", "", 1)
		}
		pool, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "node.db")+settings)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := pool.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := durable(t.Context(), conn); (err == nil) != want {
			t.Errorf("%s: %v", setting, err)
		}
		conn.Close()
		pool.Close()
	}
}

// A database that a newer program made is refused with what to do, and stays as it
// is, to the byte; no other file comes of it.
func TestNewerDatabaseIsRefused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "node.db")
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	db, err := Open(t.Context(), path, log)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.writer.ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if db, err = Open(t.Context(), path, log); err == nil {
		db.Close()
		t.Fatal("opened it")
	}
	want := "open database " + path + ": its tables are of version 99 and this program knows only up to 1: " +
		"use the newer program that wrote it, or restore a backup from before the upgrade"
	if err.Error() != want {
		t.Errorf("it says\n%v, want\n%s", err, want)
	}
	after, err := os.ReadFile(path)
	if err != nil || !slices.Equal(before, after) {
		t.Errorf("the database was changed, %v", err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}

// No statement may walk through a whole table that grows with use, not even
// along an index, save those that are meant to.
func TestPlans(t *testing.T) {
	db := openTemp(t)
	p := preparer{ctx: t.Context(), writer: db.writer, readers: db.readers}
	prepareAll(&p)
	if p.err != nil || len(p.texts) < 90 {
		t.Fatalf("%d statements, %v", len(p.texts), p.err)
	}
	// In a plan a table goes by its name or by its alias.
	scan := regexp.MustCompile(`^SCAN (ballot|delivery|d|peer|p|reply|r|follower|event|activity|a|gesture|g|waiting|tombstone|peer_key|k|w|result)\b`)
	meant := map[string]string{ // by what only their text has
		"SCAN delivery USING COVERING INDEX delivery_activity": "(SELECT count(*) FROM delivery)",
		"SCAN delivery USING INDEX delivery_failing":           "count(DISTINCT host)",
		"SCAN r USING INDEX reply_received":                    "INDEXED BY reply_received",      // page by page
		"SCAN follower USING INDEX follower_actor":             "FROM follower WHERE since < ?1", // once, at closing
		"SCAN reply USING COVERING INDEX reply_author":         "FROM reply",                     // likewise, and at a block
		"SCAN tombstone USING COVERING INDEX tombstone_at":     "ORDER BY at LIMIT",              // the oldest few
		"SCAN waiting":  "received_at < ?1 AND",                // of 20,000 at most, once a day
		"SCAN activity": "FROM activity WHERE key =",           // then too
		"SCAN delivery": "DELETE FROM delivery WHERE object =", // when ballots are destroyed
	}
	for _, text := range p.texts {
		if strings.HasPrefix(text, "PRAGMA") {
			continue
		}
		arguments := make([]any, strings.Count(text, "?"))
		if numbered := regexp.MustCompile(`\?(\d+)`).FindAllStringSubmatch(text, -1); numbered != nil {
			highest := slices.MaxFunc(numbered, func(a, b []string) int { return strings.Compare(a[1], b[1]) })[1]
			arguments = arguments[:highest[0]-'0']
		}
		rows, err := db.writer.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+text, arguments...)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		for rows.Next() {
			var id, parent, unused int
			var step string
			if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
				t.Fatal(err)
			}
			if scan.MatchString(step) && (meant[step] == "" || !strings.Contains(text, meant[step])) {
				t.Errorf("%s\n\t%s", text, step)
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// Everything that is stored as bytes, and so may be a voter's, is known to those
// who destroy.
func TestDestroyKnowsAll(t *testing.T) {
	known := map[string]string{
		"ballot.voter": "goes", "ballot.sealed": "goes", "log_waiting.voter": "goes", "log_waiting.logged": "goes",
		"waiting.digest": "goes", "waiting.sealed": "goes",
		"log_tile.hashes": "public", "dataset.content": "public",
		"activity.body":                 "of Updates of numbers and of sealed answers to voters it goes; the others are public, or sealed under the node's key",
		"helped.key":                    "goes after a day, and tells nothing of votes",
		"tombstone.key":                 "goes when it is a week old",
		"consultation_words_data.block": "public words", "consultation_words_docsize.sz": "lengths of public words",
		"reply_words_data.block": "public words", "reply_words_docsize.sz": "lengths of public words",
		"evidence_waiting.voter": "goes", "evidence_waiting.object": "goes", "evidence_waiting.sealed": "goes", "evidence.sealed": "goes",
	}
	rows, err := openTemp(t).writer.QueryContext(t.Context(), `SELECT m.name || '.' || c.name
		FROM sqlite_schema m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND c.type = 'BLOB'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var column string
		if err := rows.Scan(&column); err != nil {
			t.Fatal(err)
		}
		if known[column] == "" {
			t.Errorf("%s: say in store/destroy.go, and here, what becomes of it when the ballots are destroyed", column)
		}
		delete(known, column)
	}
	for column := range known {
		t.Errorf("there is no %s", column)
	}
}

// fill writes until the database says it is full.
func fill(db *DB) error {
	for {
		if err := db.Update(context.Background(), func(tx participation.Tx) error {
			err := tx.Record(&participation.Event{Type: participation.ChannelEdited, Reason: strings.Repeat("x", 4000)})
			return err
		}); err != nil {
			return err
		}
	}
}

func TestFullDisk(t *testing.T) {
	db := openTemp(t)
	if _, err := db.writer.ExecContext(t.Context(), "PRAGMA max_page_count = 120"); err != nil {
		t.Fatal(err)
	}
	if err := fill(db); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("a full database: %v", err)
	}
	before, err := db.Events(t.Context(), 0, 0)
	if err != nil || len(before) == 0 {
		t.Fatalf("reading a full database: %d events, %v", len(before), err)
	}
	// A job that overlooks the failure must not be taken for done, nor may what
	// it does afterwards reach the disk.
	err = db.Update(t.Context(), func(tx participation.Tx) error {
		for range 100 {
			tx.Record(&participation.Event{Type: participation.ChannelEdited, Reason: strings.Repeat("x", 4000)})
		}
		tx.Record(&participation.Event{Type: participation.ActorBlocked})
		return nil
	})
	if !errors.Is(err, ErrUnavailable) {
		t.Errorf("an overlooked failure: %v", err)
	}
	if _, err := db.writer.ExecContext(t.Context(), "PRAGMA max_page_count = 100000"); err != nil {
		t.Fatal(err)
	}
	if err := db.Update(t.Context(), func(tx participation.Tx) error {
		err := tx.Record(&participation.Event{Type: participation.ActorUnblocked})
		return err
	}); err != nil {
		t.Fatalf("after space was made: %v", err)
	}
	after, err := db.Events(t.Context(), before[len(before)-1].Seq, 0)
	if err != nil || len(after) != 1 || after[0].Type != participation.ActorUnblocked {
		t.Errorf("after space was made: %v, %v", after, err)
	}
	if problems, err := db.Check(t.Context()); err != nil || problems != nil {
		t.Errorf("check: %v, %v", problems, err)
	}
}

func TestFilesArePrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a#b%20?.db")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	db, err := Open(t.Context(), path, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
}

// crowd inserts n rows at once, as the triggers that count them see it.
func crowd(t *testing.T, db *DB, n int, insert string) {
	t.Helper()
	if _, err := db.writer.ExecContext(t.Context(), `WITH RECURSIVE i (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i LIMIT ?) `+insert, n); err != nil {
		t.Fatal(err)
	}
}

func TestTombstonesAreBounded(t *testing.T) {
	db := openTemp(t)
	at := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	bury := func(key byte, at time.Time) {
		t.Helper()
		if err := db.Update(t.Context(), func(tx participation.Tx) error { return tx.Tombstone(participation.Pseudonym{key}, at) }); err != nil {
			t.Fatal(err)
		}
	}
	buried := func(key byte) (is bool) {
		db.Update(t.Context(), func(tx participation.Tx) (err error) {
			is, err = tx.Buried(participation.Pseudonym{}, participation.Pseudonym{key})
			return err
		})
		return is
	}
	bury(1, at)
	bury(2, at.Add(time.Second))
	crowd(t, db, maxTombstone-2, fmt.Sprintf(`INSERT INTO tombstone SELECT randomblob(16), %d FROM i`, ms(at)+2000))
	if !buried(1) {
		t.Error("the oldest was dropped before the room was full")
	}
	bury(3, at.Add(time.Minute))
	if buried(1) || !buried(2) || !buried(3) {
		t.Errorf("kept %v, %v, %v: want the newest", buried(1), buried(2), buried(3))
	}
}

// Hosts not known before fill their part of the waiting room only; known ones
// the rest too.
func TestWaitingRoomIsBounded(t *testing.T) {
	db := openTemp(t)
	add := func(digest byte, known bool) bool {
		t.Helper()
		ok, err := db.AddWaiting(t.Context(), activitypub.Waiting{Digest: [16]byte{digest}, Known: known, Sealed: []byte{1}})
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	fill := func(n, known int) {
		t.Helper()
		crowd(t, db, n, fmt.Sprintf(`INSERT INTO waiting (digest, consultation, host, known, sealed, received_at, attempts, next)
			SELECT randomblob(16), 'c1', 'h', %d, x'00', 0, 0, 0 FROM i`, known))
	}
	const unknown = activitypub.MaxWaiting - activitypub.ReservedWaiting
	fill(unknown-1, 0)
	if !add(1, false) {
		t.Error("an unknown host was refused while its part had room")
	}
	if add(2, false) {
		t.Error("an unknown host used the reserved part")
	}
	if !add(1, false) {
		t.Error("a retry of what waits was refused")
	}
	fill(activitypub.ReservedWaiting-1, 1)
	if !add(3, true) || add(4, true) {
		t.Error("a known host did not get exactly the last place")
	}
	n, err := db.CountWaiting(t.Context(), "")
	if err != nil || n != activitypub.MaxWaiting {
		t.Errorf("%d wait, %v", n, err)
	}
	waiting, err := db.DueWaiting(t.Context(), "c1", time.Now(), 1)
	if err != nil || len(waiting) != 1 || db.RemoveWaiting(t.Context(), waiting[0].ID) != nil {
		t.Fatal(waiting, err)
	}
	if !add(4, true) || add(5, true) {
		t.Error("the place that came free was not given once")
	}
}
