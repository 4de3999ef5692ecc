package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"inspraak/activitypub"
	"inspraak/participation"
	"inspraak/store"
)

// A drill is a node whose consultation is over, as its database, its backups and
// copies of its files are, and all that the test knows of its voters.
type drill struct {
	t       *testing.T
	dir     string
	config  Config
	now     time.Time
	db      *store.DB
	keys    *store.Keys
	service *participation.Service
	c       participation.Consultation

	voters []string // in the order of voting
	times  []time.Time
	key    []byte // of the consultation, in hexadecimal
	ssh    string // fingerprint that announces
	age    string // public key that opens backups
}

const (
	drillVoters = 400
	drillBatch  = 10
)

func (d *drill) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// inspraak runs a command line.
func (d *drill) inspraak(config string, args ...string) string {
	d.t.Helper()
	var out, errs bytes.Buffer
	if code := run(d.t.Context(), append([]string{"-c", config}, args...), strings.NewReader(""), &out, &errs); code != exitDone {
		d.t.Fatalf("inspraak %s: exit code %d\n%s%s", strings.Join(args, " "), code, &out, &errs)
	}
	return out.String()
}

func (d *drill) path(parts ...string) string {
	return filepath.Join(append([]string{d.dir}, parts...)...)
}

// newDrill holds a consultation that opened two months ago. Each vote has a time
// of its own, to the millisecond, and nothing else happens at that time.
func newDrill(t *testing.T) *drill {
	d := &drill{t: t, dir: t.TempDir(), now: time.Now().Add(-60 * 24 * time.Hour).Truncate(time.Millisecond)}
	identity, err := age.GenerateX25519Identity()
	d.must(err)
	d.must(os.WriteFile(d.path("age.key"), []byte(identity.String()+"\n"), 0o600))
	public, err := sshKey(d.path("ssh.key"), "")
	d.must(err)
	d.inspraak(d.path("inspraak.yaml"), "init", "--yes", "--loopback", "--url", "http://localhost:8080", "--name", "Voorbeeld",
		"--contact", "a@example.nl", "--channel", "gemeente")
	f, err := os.OpenFile(d.path("inspraak.yaml"), os.O_APPEND|os.O_WRONLY, 0)
	d.must(err)
	_, err = fmt.Fprintf(f, "destroyers: [%q, %q]\n", identity.Recipient(), public)
	d.must(errors.Join(err, f.Close()))
	d.config, err = Load(d.path("inspraak.yaml"))
	d.must(err)
	enrolled, err := enrolled(d.config.Destroyers)
	d.must(err)
	d.ssh, d.age = enrolled[1].fingerprint, d.config.Destroyers[0]
	d.keys, err = store.OpenKeys(d.config.Keys, false)
	d.must(err)
	d.db, err = store.Open(t.Context(), d.config.Database(), slog.New(slog.DiscardHandler))
	d.must(err)
	t.Cleanup(func() { d.db.Close() })
	d.service = participation.New(d.db, d.keys, d.config.URLs.Site(), func() time.Time { return d.now })

	draft := participation.Consultation{
		Slug: "plein", Channel: "gemeente", Kind: participation.SingleChoice, Language: "nl", Title: "Wat komt er op het plein?",
		Body: "Kies.", Options: []string{"Bomen", "Markthal", "Café"}, Results: participation.AtClose, Zone: "Europe/Amsterdam",
		OpensAt: d.now, ClosesAt: d.now.Add(48 * time.Hour).Truncate(time.Second),
		Terms: participation.Terms{Level: participation.Advise, Promise: "p", DecidedBy: "de raad", DecidedWhen: "december", NotOpen: "niets",
			Notice: "geen zienswijze", BatchSize: drillBatch, Interval: time.Minute, Grace: 3 * time.Minute},
	}
	d.must(draft.Prepare())
	d.must(d.service.Draft(t.Context(), &draft))
	d.c, err = d.service.Publish(t.Context(), draft.ID)
	d.must(err)
	d.key, err = os.ReadFile(filepath.Join(d.config.Keys, "consultations", d.c.ID+".key"))
	d.must(err)
	d.key = bytes.TrimSpace(d.key)
	return d
}

// vote lets voters from one to another vote, some of whom take it back.
func (d *drill) vote(from, to int) {
	d.t.Helper()
	ctx := d.t.Context()
	for i := from; i < to; i++ {
		d.now = d.now.Add(time.Duration(60_000+rand.IntN(300_000)) * time.Millisecond)
		actor := fmt.Sprintf("https://m%d.example/users/voter-%d-%x", i%7, i, rand.Uint64())
		object := actor + "#votes/1"
		outcome, err := d.service.CastVote(ctx, participation.Vote{Consultation: d.c.ID, Actor: actor, Host: fmt.Sprintf("m%d.example", i%7),
			Inbox: actor + "/inbox", ReceivedAt: d.now, AccountSince: d.now.Add(-1000 * time.Hour),
			Marks: []participation.Mark{{Object: object, Name: d.c.Options[rand.IntN(3)]}}})
		d.must(err)
		if outcome != participation.Counted {
			d.t.Fatalf("vote %d: %s", i, outcome)
		}
		d.voters, d.times = append(d.voters, actor), append(d.times, d.now)
		d.now = d.now.Add(7001 * time.Millisecond)
		switch {
		case i%25 == 24:
			_, err = d.service.CountDue(ctx)
		case i%40 == 39:
			err = d.service.Delete(ctx, actor, object)
		}
		d.must(err)
	}
}

// close ends it, counts, and publishes the dataset.
func (d *drill) close() {
	d.t.Helper()
	ctx := d.t.Context()
	d.now = d.c.Deadline().Add(time.Second)
	_, err := d.service.Close(ctx, d.c.ID, "", 0)
	d.must(err)
	_, err = d.service.FreezeDue(ctx, d.config.Name)
	d.must(err)
	d.must(d.service.ForgetActor(ctx, d.voters[3]))
	d.c, err = d.service.Consultation(ctx, d.c.ID)
	d.must(err)
}

// copyFiles copies the database's files as they lie there, as Litestream would
// have them.
func (d *drill) copyFiles(name string) string {
	d.t.Helper()
	d.must(os.MkdirAll(d.path(name), 0o700))
	for _, side := range []string{"", "-wal"} {
		content, err := os.ReadFile(d.config.Database() + side)
		d.must(err)
		d.must(os.WriteFile(d.path(name, "inspraak.db"+side), content, 0o600))
	}
	return d.path(name, "inspraak.db")
}

// leave puts things in the database that are on their way when the ballots are
// destroyed: a request that waits, and a delivery to a voter.
func (d *drill) leave() {
	d.t.Helper()
	ctx := d.t.Context()
	secret, err := d.keys.Secret(d.c.ID)
	d.must(err)
	_, err = d.db.AddWaiting(ctx, activitypub.Waiting{Consultation: d.c.ID, Host: "m1.example", ReceivedAt: d.now, Next: d.now,
		Sealed: secret.Seal([]byte(d.voters[1]), []byte(d.c.ID))})
	d.must(err)
	cursor, err := d.db.Cursor(ctx)
	d.must(err)
	d.must(d.db.Enqueue(ctx, cursor, []activitypub.Outgoing{{ID: "https://localhost/o/" + d.c.ID + "/x", Channel: "gemeente",
		Object: d.config.URLs.Object(d.c.ID), Body: []byte("{}"), At: d.now, Inboxes: []string{d.voters[2] + "/inbox"}}}))
}

// destroy announces with one key and lets the command line carry it out with
// the other.
func (d *drill) destroy() {
	d.t.Helper()
	d.now = time.Now().Add(-25 * time.Hour)
	_, err := d.service.AnnounceDestruction(d.t.Context(), d.c, d.ssh, d.config.ObjectionPeriod)
	d.must(err)
	d.inspraak(d.config.Path, "destroy", d.c.Slug, "--identity", d.path("age.key"), "--yes")
	d.now = time.Now()
}

// read returns the bytes of a database and its write-ahead log.
func (d *drill) read(database string) []byte {
	d.t.Helper()
	content, err := os.ReadFile(database)
	d.must(err)
	wal, err := os.ReadFile(database + "-wal")
	if !errors.Is(err, os.ErrNotExist) {
		d.must(err)
	}
	return append(content, wal...)
}

// ballots are the sealed rows of a database, by pseudonym, in their order.
func (d *drill) ballots(database string) (order []participation.Pseudonym, sealed [][]byte) {
	d.t.Helper()
	db, err := store.Open(d.t.Context(), database, slog.New(slog.DiscardHandler))
	d.must(err)
	d.must(db.Ballots(d.t.Context(), d.c.Number, func(v participation.Pseudonym, _ bool, b []byte) error {
		order, sealed = append(order, v), append(sealed, bytes.Clone(b))
		return nil
	}))
	d.must(db.Close())
	return order, sealed
}

// published are the codes of ballots.csv in their order.
func (d *drill) published() (codes []string) {
	d.t.Helper()
	var file bytes.Buffer
	d.must(d.service.WriteDatasetFile(context.WithoutCancel(d.t.Context()), d.c, "ballots.csv", &file))
	for line := range strings.Lines(file.String()) {
		code, _, _ := strings.Cut(line, ",")
		codes = append(codes, code)
	}
	return codes[1:]
}

// rank is the correlation of a permutation of 0…n-1 with its order (Spearman).
// By chance it is beyond 5/√n once in two million times.
func rank(order []int) float64 {
	n, sum := float64(len(order)), 0.0
	for i, at := range order {
		sum += float64((i - at) * (i - at))
	}
	return 1 - 6*sum/(n*(n*n-1))
}

// ranked turns distinct numbers into their ranks.
func ranked[T int | string](values []T) []int {
	sorted := slices.Sorted(slices.Values(values))
	ranks := make([]int, len(values))
	for i, v := range values {
		ranks[i], _ = slices.BinarySearch(sorted, v)
	}
	return ranks
}
