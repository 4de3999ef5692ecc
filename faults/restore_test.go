package faults_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"
)

// TestRestore writes backups while votes stream in, loses the machine, and
// makes the node anew elsewhere from the newest backup and the escrow copy of
// the consultation's key. Every vote acknowledged before that backup began is
// there; what came later its servers would have to send again, and then the
// count is that of a night without a fault. With the flag -litestream the same
// is done with a copy that Litestream keeps up to date.
func TestRestore(t *testing.T) {
	t.Run("backup", func(t *testing.T) {
		together(t)
		restore(t, newVault(t))
	})
	if *litestream != "" {
		t.Run("litestream", func(t *testing.T) {
			v := newVault(t)
			v.stream = true
			restore(t, v)
		})
	}
}

func restore(t *testing.T, v vault) {
	began := time.Now()
	n, c, h := newNode(t), newCrowd(t), newHammer(size(8, 64))
	n.start()
	p := n.publish("restore")
	votes := c.votes(p, size(400, 20000))
	v.follow(n)
	v.copyTree(n.data("keys", "consultations"), v.path("escrow")) // apart from the backups, as the manual says
	v.save(n, 0)                                                  // actor keys and configuration, before anybody votes

	done := make(chan struct{})
	go func() {
		defer close(done)
		h.pass(votes, nil)
	}()
	before, newest, slowest := int64(0), 0, time.Duration(0)
	for newest == 0 || h.acked.Load() < int64(len(votes)/2) {
		newest++
		before = h.acked.Load()
		began := time.Now()
		v.save(n, newest)
		slowest = max(slowest, time.Since(began))
	}
	if v.stream { // an idle moment: what Litestream promises is at most a second behind
		<-done
		before = h.acked.Load()
		time.Sleep(3 * time.Second)
	}
	n.kill()
	v.stop()
	<-done
	acked := h.acked.Load()

	restoring := time.Now()
	n.dir = t.TempDir() // another machine: nothing of the old one is there
	v.bring(n, newest)
	took := time.Since(restoring) + n.start()
	there := p.turnout(int(before), 10*time.Second)
	if there < int(before) || there > len(votes) {
		t.Errorf("%d ballots restored, want between %d and %d", there, before, len(votes))
	}
	h.insist(c, votes)
	if got := p.turnout(len(votes), 100*time.Second); got != len(votes) {
		t.Errorf("after the senders tried again: %d ballots of %d voters", got, len(votes))
	}
	h.insist(c, votes)
	if final := p.close(); final.Turnout != len(votes) {
		t.Errorf("closed with %d ballots of %d voters", final.Turnout, len(votes))
	}
	n.check()
	figure(t, began, "R9", "%s: %d written under load, each within %s; %d votes acknowledged before the newest, %d when the machine was lost, %d restored in %s; after the senders' retries %d of %d, 0 double",
		v, newest, slowest.Round(time.Millisecond), before, acked, there, took.Round(time.Millisecond), len(votes), len(votes))
}

// data is a path in the node's data folder.
func (n *node) data(parts ...string) string {
	return filepath.Join(append([]string{n.dir, "data"}, parts...)...)
}

// A vault is where backups and the escrow copies of keys are kept.
type vault struct {
	t         *testing.T
	dir       string
	recipient string
	stream    bool // Litestream follows the database as well
	sidecar   **exec.Cmd
}

func newVault(t *testing.T) vault {
	v := vault{t: t, dir: t.TempDir(), sidecar: new(*exec.Cmd)}
	identity, err := age.GenerateX25519Identity()
	v.must(err)
	v.recipient = identity.Recipient().String()
	v.must(os.WriteFile(v.path("identity"), []byte(identity.String()+"\n"), 0o600))
	return v
}

func (v vault) String() string {
	if v.stream {
		return "Litestream"
	}
	return "backup"
}

func (v vault) path(name string) string { return filepath.Join(v.dir, name) }

func (v vault) must(err error) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
}

// follow starts Litestream beside the node, if it is to be used.
func (v vault) follow(n *node) {
	v.t.Helper()
	if !v.stream {
		return
	}
	*v.sidecar = exec.Command(*litestream, "replicate", n.data("inspraak.db"), "file://"+v.path("replica"))
	v.must((*v.sidecar).Start())
	v.t.Cleanup(v.stop)
	time.Sleep(3 * time.Second) // its first snapshot
}

// stop ends Litestream as the loss of a machine does.
func (v vault) stop() {
	if c := *v.sidecar; c != nil {
		*v.sidecar = nil
		c.Process.Signal(syscall.SIGKILL)
		c.Wait()
	}
}

// save writes backup number i.
func (v vault) save(n *node, i int) {
	v.t.Helper()
	n.must("backup", v.path(fmt.Sprintf("%d.age", i)), "--recipient", v.recipient)
}

// bring makes the node in n.dir from backup number i and the escrow copy, and
// from Litestream's copy if there is one.
func (v vault) bring(n *node, i int) {
	v.t.Helper()
	v.must(os.MkdirAll(n.data("keys"), 0o700))
	v.copyTree(v.path("escrow"), n.data("keys", "consultations"))
	if out := n.must("restore", v.path(fmt.Sprintf("%d.age", i)), "--identity", v.path("identity")); strings.Contains(out, "Read-only") {
		v.t.Errorf("the escrow copy was not found:\n%s", out)
	}
	if !v.stream {
		return
	}
	for _, name := range []string{"inspraak.db", "inspraak.db-wal", "inspraak.db-shm"} {
		v.must(os.RemoveAll(n.data(name)))
	}
	out, err := exec.Command(*litestream, "restore", "-o", n.data("inspraak.db"), "file://"+v.path("replica")).CombinedOutput()
	if err != nil {
		v.t.Fatalf("litestream restore: %v\n%s", err, out)
	}
}

func (v vault) copyTree(from, to string) {
	v.t.Helper()
	v.must(os.CopyFS(to, os.DirFS(from)))
	v.must(filepath.Walk(to, func(path string, info os.FileInfo, err error) error {
		switch {
		case err != nil:
			return err
		case info.IsDir():
			return os.Chmod(path, 0o700)
		}
		return os.Chmod(path, 0o400)
	}))
}
