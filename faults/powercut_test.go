package faults_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"inspraak/participation"
	"inspraak/store"
)

var powerCuts = flag.Int("powercuts", 0, "number of power cuts of TestPowerCut; 0: 60, or 10,000 with -large")

// TestPowerCut records the system calls of a node that takes in votes, stops the
// recording at random places, and opens what a power cut there would have left
// on a disk that keeps only what it has been told to sync
// (https://sqlite.org/atomiccommit.html#_hardware_assumptions). Every vote whose
// answer had begun to leave must be there, as it was, in a sound database. The
// test is itself tested: without the syncs that synchronous=NORMAL leaves out,
// votes must be found missing.
func TestPowerCut(t *testing.T) {
	began := time.Now()
	cuts := *powerCuts
	if cuts == 0 {
		cuts = size(60, 10_000)
	}
	r := record(t, size(200, 3000))
	var total damage
	for _, mode := range []string{"pessimal", "reordered"} {
		d := r.cut(t, cuts/2, mode == "reordered", false)
		total.add(d)
		if d.lost+d.corrupt > 0 {
			t.Errorf("%s: %s", mode, strings.Join(d.examples, "; "))
		}
	}
	normal := r.cut(t, max(20, cuts/10), false, true)
	if normal.lost < normal.cuts/2 {
		t.Errorf("self-check: of %d power cuts without the syncs of each commit only %d lost votes: this test would not notice", normal.cuts, normal.lost)
	}
	figure(t, began, "R2", "power cut: %d cuts (half pessimal, half reordered) of %d writes, %d syncs and %d checkpoints, %d acknowledged, %d cuts lost votes, %d corrupt; self-check with NORMAL: %d of %d cuts lose votes, %d corrupt",
		total.cuts, r.writes, r.syncs, r.checkpoints, r.acknowledged, total.lost, total.corrupt, normal.lost, normal.cuts, normal.corrupt)
}

// A recording is one serving of a node, and how its database began and ended.
type recording struct {
	moments                                  []moment
	database                                 string
	before                                   []byte
	voters                                   map[string]participation.Pseudonym
	ballots                                  map[participation.Pseudonym][]byte // at the end
	writes, syncs, checkpoints, acknowledged int
}

// record serves so many votes under strace.
func record(t *testing.T, votes int) *recording {
	t.Helper()
	trace := filepath.Join(t.TempDir(), "trace")
	wrap := tracer(t, "-q", "-y", "-xx", "-s", "1000000", "-o", trace,
		"-e", "trace=open,openat,read,write,pwrite64,writev,pwritev,fsync,fdatasync,ftruncate,fallocate,rename,renameat,unlink,unlinkat")
	n, c, h := newNode(t), newCrowd(t), newHammer(8) // few senders: many commits
	n.start()
	h.pass(c.votes(n.publish("keys"), votes), nil) // so that the node knows the voters' keys
	p := n.publish("power-cut")
	n.stop()
	// What lies in the file alone is complete; the log is made anew, so that its
	// beginning is recorded too.
	for _, side := range []string{"-wal", "-shm"} {
		if err := os.Remove(databaseOf(n) + side); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	r := &recording{database: databaseOf(n), voters: map[string]participation.Pseudonym{}}
	var err error
	waiting := 0
	if r.before, err = os.ReadFile(databaseOf(n)); err != nil {
		t.Fatal(err)
	}
	n.wrap = wrap
	n.start()
	all := c.votes(p, votes)
	h.pass(all, nil)
	n.stop()
	if r.moments, err = readTrace(openTrace(t, trace), databaseOf(n)); err != nil {
		t.Fatal(err)
	}
	content, err := contentOf(databaseOf(n))
	if err != nil {
		t.Fatal(err)
	}
	secret := secretOf(t, p)
	r.ballots = content.ballots
	for _, v := range all {
		if v.fate != acknowledged {
			t.Fatalf("a vote of the recording was answered %d", v.status)
		}
		voter := secret.Voter(v.account.ID())
		if r.voters[v.account.ID()] = voter; r.ballots[voter] == nil {
			waiting++
		}
	}
	if waiting > content.waiting {
		t.Fatalf("%d acknowledged votes are neither counted nor waiting", waiting)
	}
	r.count()
	if r.acknowledged != votes {
		t.Fatalf("the trace shows the answers to %d votes of %d", r.acknowledged, votes)
	}
	return r
}

// count counts what the recording shows and marks the syncs that NORMAL does:
// those of the database, of the log before its frames are copied into the
// database, and of a log begun anew.
func (r *recording) count() {
	next, log := "", r.database+"-wal"
	for _, m := range slices.Backward(r.moments) {
		if m.end && m.name != "ack" || m.name == "open" {
			continue
		}
		switch m.name {
		case "ack":
			r.acknowledged++
			continue
		case "pwrite64":
			r.writes++
		case "fsync":
			r.syncs++
			m.normal = m.path != log || next == r.database
			if m.path == r.database {
				r.checkpoints++
			}
		}
		next = m.path
	}
	head := false
	for _, m := range r.moments {
		if m.path == log && !m.end {
			m.normal = m.normal || m.name == "fsync" && head
			head = m.name == "pwrite64" && m.offset == 0
		}
	}
}

// Damage is what power cuts have done.
type damage struct {
	cuts, lost, corrupt int
	examples            []string
}

func (d *damage) add(other damage) {
	d.cuts, d.lost, d.corrupt = d.cuts+other.cuts, d.lost+other.lost, d.corrupt+other.corrupt
	d.examples = append(d.examples, other.examples...)
}

// An image is what one power cut leaves.
type image struct {
	at    int // moments before it
	files map[string][]byte
	acked []string // the voters whose votes had been acknowledged
}

// cut cuts the power at so many random moments.
func (r *recording) cut(t *testing.T, cuts int, reordered, normal bool) (total damage) {
	t.Helper()
	random := rand.New(rand.NewPCG(uint64(cuts), 1))
	places := make([]int, cuts)
	for i := range places {
		places[i] = random.IntN(len(r.moments) + 1)
	}
	slices.Sort(places)
	images := make(chan image)
	var group sync.WaitGroup
	var mu sync.Mutex
	for range runtime.NumCPU() {
		dir := inMemory(t)
		group.Go(func() {
			for i := range images {
				lost, err := r.judge(dir, i)
				mu.Lock()
				total.cuts++
				if err != nil {
					total.corrupt++
				} else if lost > 0 {
					total.lost++
				}
				if (err != nil || lost > 0) && len(total.examples) < 5 {
					total.examples = append(total.examples, fmt.Sprintf("cut after %d of %d moments: %d of %d acknowledged votes lost, %v", i.at, len(r.moments), lost, len(i.acked), err))
				}
				mu.Unlock()
			}
		})
	}
	d := &disk{files: map[string]*stored{r.database: {content: slices.Clone(r.before), linked: true}}, normal: normal}
	for _, m := range r.moments {
		m.done, m.covers = false, nil
	}
	var acked []string
	for i := 0; len(places) > 0; i++ {
		for len(places) > 0 && places[0] == i {
			files := d.pessimal
			if reordered {
				files = func() map[string][]byte { return d.reordered(random) }
			}
			images <- image{i, files(), slices.Clone(acked)}
			places = places[1:]
		}
		if i < len(r.moments) {
			if m := r.moments[i]; m.name == "ack" {
				acked = append(acked, m.path)
			} else {
				d.see(m)
			}
		}
	}
	close(images)
	group.Wait()
	return total
}

// judge opens what is left as the program does, and tells how many acknowledged
// votes are missing or changed. An error means that the database is not sound.
func (r *recording) judge(dir string, i image) (lost int, err error) {
	for _, file := range []string{r.database, r.database + "-wal", r.database + "-shm"} {
		name := filepath.Join(dir, filepath.Base(file))
		if err := os.Remove(name); err != nil && !os.IsNotExist(err) {
			return 0, err
		}
		if content, ok := i.files[file]; ok {
			if err := os.WriteFile(name, content, 0o600); err != nil {
				return 0, err
			}
		}
	}
	left, err := contentOf(filepath.Join(dir, filepath.Base(r.database)))
	if err != nil {
		return 0, err
	}
	for _, actor := range i.acked {
		if voter := r.voters[actor]; !bytes.Equal(left.ballots[voter], r.ballots[voter]) {
			lost++
		}
	}
	return max(0, lost-left.waiting), nil
}

// Content is what a database holds of votes. No voter has the same pseudonym in
// two polls.
type content struct {
	ballots map[participation.Pseudonym][]byte // what counts, sealed
	waiting int                                // votes whose senders' keys could not be had yet
}

// contentOf opens a database as the program does, demands that it is sound, and
// reads its ballots.
func contentOf(path string) (c content, err error) {
	ctx := context.Background()
	db, err := store.Open(ctx, path, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		return c, err
	}
	defer db.Close()
	problems, err := db.Check(ctx)
	if err != nil || len(problems) > 0 {
		return c, fmt.Errorf("check: %q %w", problems, err)
	}
	polls, err := db.Consultations(ctx, participation.Filter{})
	if err != nil {
		return c, err
	}
	c.ballots = map[participation.Pseudonym][]byte{}
	for _, p := range polls {
		if err := db.Ballots(ctx, p.Number, func(voter participation.Pseudonym, counted bool, sealed []byte) error {
			if counted {
				c.ballots[voter] = sealed
			}
			return nil
		}); err != nil {
			return c, err
		}
	}
	c.waiting, err = db.CountWaiting(ctx, "")
	return c, err
}

// secretOf reads the key under which a poll's voters have their pseudonyms.
func secretOf(t *testing.T, p poll) *participation.Secret {
	t.Helper()
	keys, err := store.OpenKeys(filepath.Join(p.node.dir, "data", "keys"), false)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := keys.Secret(path.Base(p.id))
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// inMemory is a folder for files whose syncs need not cost anything.
func inMemory(t *testing.T) string {
	t.Helper()
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		if dir, err := os.MkdirTemp("/dev/shm", "inspraak-faults-"); err == nil {
			t.Cleanup(func() { os.RemoveAll(dir) })
			return dir
		}
	}
	return t.TempDir()
}

func databaseOf(n *node) string { return filepath.Join(n.dir, "data", "inspraak.db") }
