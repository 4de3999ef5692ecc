package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"inspraak/participation"
	"inspraak/store"
)

var (
	quiet = slog.New(slog.NewTextHandler(io.Discard, nil))
	noon  = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
)

// template is an empty database, made once; copying it takes far less than
// migrating anew.
var template = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "inspraak-store-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "template.db")
	db, err := store.Open(context.Background(), path, quiet)
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// empty opens a new database in a temporary directory.
func empty(t testing.TB) (*store.DB, string) {
	t.Helper()
	content, err := template()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "node.db")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return open(t, path), path
}

func open(t testing.TB, path string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), path, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func update(t testing.TB, db *store.DB, fn func(participation.Tx) error) {
	t.Helper()
	if err := db.Update(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

// poll saves a channel and an open consultation.
func poll(t testing.TB, db *store.DB, id string) participation.Consultation {
	t.Helper()
	c := participation.Consultation{
		ID: id, Slug: "slug-" + id, Channel: "gemeente", Kind: participation.SingleChoice, Language: "nl",
		Title: "Bomen of banken?", Body: "**Kies**", HTML: "<p>Kies</p>", Options: []string{"Bomen", "Banken"},
		Hashtags: []string{"park"}, Image: &participation.Image{Path: "park.jpg", Alt: "een park"},
		Terms: participation.Terms{Level: participation.Advise, Promise: "we kijken", BatchSize: 5,
			AllowedServers: []string{"a.example"}, Interval: time.Minute, Grace: 3 * time.Minute, RuleVersion: "1"},
		Results: participation.AtClose, Phase: participation.Open, Zone: "Europe/Amsterdam",
		OpensAt: noon, ClosesAt: noon.Add(time.Hour), OpenedAt: noon,
	}
	update(t, db, func(tx participation.Tx) error {
		if err := tx.SaveChannel(participation.Channel{Name: "gemeente", Title: "Gemeente", Created: noon}); err != nil {
			return err
		}
		return tx.SaveConsultation(&c)
	})
	return c
}

func pseudonym(parts ...any) participation.Pseudonym {
	sum := sha256.Sum256([]byte(fmt.Sprintln(parts...)))
	return participation.Pseudonym(sum[:16])
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// sealed stands for an encrypted ballot, of the size that real ones have.
func sealed(n int) []byte { return bytes.Repeat([]byte{byte(n)}, 120) }

// cast is what counting a vote asks of the store.
func cast(ctx context.Context, db *store.DB, id string, voter participation.Pseudonym, ballot []byte) (counted bool, err error) {
	err = db.Update(ctx, func(tx participation.Tx) error {
		c, err := tx.Consultation(id)
		if err != nil {
			return err
		}
		before, err := tx.Ballot(c.Number, voter)
		if err != nil || before != nil {
			return err
		}
		if buried, err := tx.Buried(voter, voter); err != nil || buried {
			return err
		}
		counted = true
		return tx.SaveBallot(c.Number, voter, true, ballot)
	})
	return counted && err == nil, err
}
