package faults_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// A shortage is a way to leave the node without room, and to give it room again
// while it serves.
type shortage struct {
	name    string
	prepare func(t *testing.T, n *node) // before it serves
	begin   func(t *testing.T, n *node)
	end     func(t *testing.T, n *node)
}

func (s shortage) String() string { return s.name }

// TestFullDisk takes the room away from a node that takes in votes. The votes
// are told to come again, pages are still shown, and when there is room again
// all are counted by the same process. (SQLITE_FULL is what a full file system
// gives; a file that may not grow gives SQLITE_IOERR_WRITE.)
func TestFullDisk(t *testing.T) {
	for _, s := range []shortage{smallFileSystem(), smallFiles()} {
		t.Run(s.name, func(t *testing.T) { fullDisk(t, s) })
	}
}

func fullDisk(t *testing.T, s shortage) {
	began := time.Now()
	n, c, h := newNode(t), newCrowd(t), newHammer(16)
	s.prepare(t, n)
	n.start()
	p := n.publish("full-disk")
	var sent []*vote
	refused, reads, rounds := 0, 0, size(2, 20)
	for range rounds {
		s.begin(t, n)
		before := refused
		for end := time.Now().Add(30 * time.Second); refused == before && time.Now().Before(end); {
			votes := c.votes(p, size(100, 400))
			sent = append(sent, votes...)
			refused += takeIn(t, h, votes, s)
		}
		if refused == before {
			t.Fatalf("%s: no vote met a full disk", s)
		}
		for _, page := range []string{"/", "/consultations/" + p.slug, "/consultations/" + p.slug + "/result.json", "/nodeinfo/2.0"} {
			reads++
			if status := statusOf(n, page); status != http.StatusOK {
				t.Errorf("%s: GET %s answered %d", s, page, status)
			}
		}
		s.end(t, n)
		h.insist(c, sent)
	}
	a := audit(c, h, map[poll][]*vote{p: sent})
	n.kill()
	lost := missing(t, p, sent, s)
	figure(t, began, "R4", "%s: full %d times, %d votes refused with 503, %d pages read meanwhile, all votes counted without restart: %d acknowledged, %d lost, %d double",
		s, rounds, refused, reads, a.acknowledged, a.lost+lost, a.double)
}

// statusOf asks for a page and returns the status.
func statusOf(n *node, page string) int {
	client := &http.Client{Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	r, err := client.Get(n.base + page)
	if err != nil {
		return 0
	}
	defer r.Body.Close()
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return 0
	}
	return r.StatusCode
}

// smallFileSystem keeps the data on a file system of its own and fills it. It
// needs the right to mount.
func smallFileSystem() shortage {
	ballast := func(n *node) string { return filepath.Join(n.dir, "data", "ballast") }
	return shortage{
		name: "full file system",
		prepare: func(t *testing.T, n *node) {
			data, moved := filepath.Join(n.dir, "data"), filepath.Join(n.dir, "moved")
			if err := os.Rename(data, moved); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(data, 0o700); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=64m,mode=0700", "inspraak-faults", data).CombinedOutput(); err != nil {
				t.Skipf("skipped: a file system may not be mounted here: %v %s", err, out)
			}
			t.Cleanup(func() {
				if n.serve != nil {
					n.kill()
				}
				if out, err := exec.Command("umount", "--lazy", data).CombinedOutput(); err != nil {
					t.Errorf("umount: %v %s", err, out)
				}
			})
			if out, err := exec.Command("cp", "-a", moved+"/.", data).CombinedOutput(); err != nil {
				t.Fatalf("cp: %v %s", err, out)
			}
		},
		begin: func(t *testing.T, n *node) { // all but 100 KB
			f, err := os.OpenFile(ballast(n), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			size, piece := int64(0), make([]byte, 1<<16)
			for err == nil {
				var written int
				written, err = f.Write(piece)
				size += int64(written)
			}
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatal(err)
			}
			if err := f.Truncate(max(0, size-100_000)); err != nil {
				t.Fatal(err)
			}
		},
		end: func(t *testing.T, n *node) {
			if err := os.Remove(ballast(n)); err != nil {
				t.Fatal(err)
			}
		},
	}
}

// smallFiles lets the node write only to the beginning of its files.
func smallFiles() shortage {
	limit := func(t *testing.T, n *node, bytes string) {
		t.Helper()
		if out, err := exec.Command("prlimit", "--pid", strconv.Itoa(n.serve.Process.Pid), "--fsize="+bytes+":unlimited").CombinedOutput(); err != nil {
			t.Fatalf("prlimit: %v %s", err, out)
		}
	}
	return shortage{
		name: "files that may not grow",
		prepare: func(t *testing.T, n *node) {
			if _, err := exec.LookPath("prlimit"); err != nil {
				t.Skip("skipped: prlimit is not installed")
			}
		},
		begin: func(t *testing.T, n *node) {
			limit(t, n, "100000") // less than there is: the log may be at any place in its file
		},
		end: func(t *testing.T, n *node) { limit(t, n, "unlimited") },
	}
}
