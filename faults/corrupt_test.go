package faults_test

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"inspraak/store"
)

var flips = flag.Int("flips", 0, "number of damaged bytes of TestDamagedByte; 0: 30, or 1,000 with -large")

// TestDamagedByte changes one byte of a database at a time, as a disk may
// without a word (https://sqlite.org/cksumvfs.html). `check --db` must find
// every such change of a ballot or of a result, whether voting goes on or has
// ended.
func TestDamagedByte(t *testing.T) {
	began := time.Now()
	n, c, h := newNode(t), newCrowd(t), newHammer(16)
	n.start()
	ended, open := n.publish("ended"), n.publish("open")
	for _, p := range []poll{ended, open} {
		h.insist(c, c.votes(p, 150))
	}
	if r := ended.close(); r.Turnout != 150 {
		t.Fatalf("turnout %d", r.Turnout)
	}
	n.stop()
	n.check()
	sound, err := os.ReadFile(databaseOf(n)) // complete without its log
	if err != nil {
		t.Fatal(err)
	}
	dir := inMemory(t)
	before, err := contents(dir, sound)
	if err != nil {
		t.Fatal(err)
	}
	harmless, caught, missed, elsewhere, elsewhereCaught := 0, 0, 0, 0, 0
	random := rand.New(rand.NewPCG(17, 1))
	times := *flips
	if times == 0 {
		times = size(30, 1000)
	}
	for range times {
		damaged := slices.Clone(sound)
		at, bit := random.IntN(len(damaged)), random.IntN(255)
		damaged[at] ^= byte(1 + bit)
		after, err := contents(dir, damaged)
		if err == nil && maps.Equal(before, after) {
			harmless++
			continue
		}
		if err := replace(databaseOf(n), damaged); err != nil {
			t.Fatal(err)
		}
		_, complaint := n.cli("check", "--db", "--json")
		counts := err != nil || before["ballot"] != after["ballot"] || before["result"] != after["result"]
		switch {
		case counts && complaint != nil:
			caught++
		case counts:
			missed++
			t.Errorf("byte %d, changed from %#x to %#x, is not noticed; opening said %v", at, sound[at], damaged[at], err)
		default:
			elsewhere++
			if complaint != nil {
				elsewhereCaught++
			}
		}
	}
	figure(t, began, "R17", "damaged bytes: %d, %d without effect, %d changed a ballot or a result or made the database unreadable, %d of them undetected; %d changed something else, %d of them detected",
		times, harmless, caught+missed, missed, elsewhere, elsewhereCaught)
}

// contents opens a copy of a database and tells the content of its tables.
func contents(dir string, database []byte) (map[string]string, error) {
	path := filepath.Join(dir, "inspraak.db")
	if err := replace(path, database); err != nil {
		return nil, err
	}
	ctx := context.Background()
	db, err := store.Open(ctx, path, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	prints, err := db.Fingerprint(ctx)
	return prints, errors.Join(err, db.Close())
}

// replace writes a database without a log.
func replace(path string, database []byte) error {
	for _, side := range []string{"-wal", "-shm"} {
		if err := os.Remove(path + side); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return os.WriteFile(path, database, 0o600)
}
