package store_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"inspraak/participation"
)

func TestBackup(t *testing.T) {
	db, path := empty(t)
	c := poll(t, db, "c1")
	for i := range 100 {
		if _, err := cast(t.Context(), db, c.ID, pseudonym(i), sealed(i)); err != nil {
			t.Fatal(err)
		}
	}
	prints := must(db.Fingerprint(t.Context()))(t)
	copied := filepath.Join(filepath.Dir(path), "backup.db")
	if err := db.Backup(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(copied); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup: %v, %v", info, err)
	}
	if err := db.Backup(t.Context(), copied); err == nil {
		t.Error("a backup was overwritten")
	}
	if _, err := os.Stat(copied); err != nil {
		t.Errorf("the refusal removed the backup: %v", err)
	}
	if err := db.Backup(t.Context(), filepath.Join(t.TempDir(), "nowhere", "b.db")); err == nil {
		t.Error("wrote into a directory that is not there")
	}
	restored := open(t, copied)
	same(t, "fingerprint of the backup", must(restored.Fingerprint(t.Context()))(t), prints)
	if problems := must(restored.Check(t.Context()))(t); problems != nil {
		t.Errorf("check: %v", problems)
	}
}

// A backup while votes come in is a moment between two of them.
func TestBackupUnderLoad(t *testing.T) {
	db, path := empty(t)
	c := poll(t, db, "c1")
	var wg sync.WaitGroup
	for sender := range 16 {
		wg.Go(func() {
			for i := range 100 {
				if _, err := cast(context.Background(), db, c.ID, pseudonym(sender, i), sealed(i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	copied := filepath.Join(filepath.Dir(path), "backup.db")
	if err := db.Backup(t.Context(), copied); err != nil {
		t.Error(err)
	}
	wg.Wait()
	restored := open(t, copied)
	if problems := must(restored.Check(t.Context()))(t); problems != nil {
		t.Errorf("check: %v", problems)
	}
}

func TestFingerprintSeesEveryChange(t *testing.T) {
	db, _ := empty(t)
	c := poll(t, db, "c1")
	before := must(db.Fingerprint(t.Context()))(t)
	if len(before) < 20 {
		t.Errorf("only %d tables", len(before))
	}
	same(t, "fingerprint of the same", must(db.Fingerprint(t.Context()))(t), before)
	for _, value := range []int{1, 2} {
		update(t, db, func(tx participation.Tx) error { return tx.SaveBallot(c.Number, pseudonym(1), true, sealed(value)) })
		after := must(db.Fingerprint(t.Context()))(t)
		for table := range after {
			if changed := after[table] != before[table]; changed != (table == "ballot") {
				t.Errorf("table %s changed: %v", table, changed)
			}
		}
		before = after
	}
}
