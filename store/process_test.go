package store_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"inspraak/store"
)

// TestMain lets the test binary be a process of its own: with the arguments
// PATH COUNT LIMIT it casts COUNT votes into the database at PATH, prints the
// number of each that was acknowledged, and may be given a limit in bytes on
// the size of the files it writes.
func TestMain(m *testing.M) {
	flag.Parse()
	if flag.NArg() == 0 {
		os.Exit(m.Run())
	}
	if err := voters(flag.Arg(0), flag.Arg(1), flag.Arg(2)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func voters(path, count, limit string) error {
	db, err := store.Open(context.Background(), path, quiet)
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(count, 10, 64)
	if err != nil {
		return err
	}
	bytes, err := strconv.ParseUint(limit, 10, 64)
	if err != nil {
		return err
	}
	if bytes > 0 {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: bytes}); err != nil {
			return err
		}
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, 32)
	for range cap(errs) {
		wg.Go(func() {
			for i := next.Add(1); i <= n; i = next.Add(1) {
				if _, err := cast(context.Background(), db, "c1", pseudonym(os.Getpid(), i), sealed(1)); err != nil {
					errs <- err
					return
				}
				fmt.Printf("%d\n", i)
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		return err
	}
	return db.Close()
}

func child(t *testing.T, path string, votes, limit int) *exec.Cmd {
	t.Helper()
	return exec.Command(os.Args[0], path, fmt.Sprint(votes), fmt.Sprint(limit))
}

func ballots(t *testing.T, path string) int {
	t.Helper()
	db, err := store.Open(t.Context(), path, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if problems := must(db.Check(t.Context()))(t); problems != nil {
		t.Errorf("check: %v", problems)
	}
	return must(db.Tallies(t.Context(), must(db.Consultation(t.Context(), "c1"))(t)))(t).Ballots
}

// A process killed at full speed has lost nothing that it acknowledged.
func TestKill(t *testing.T) {
	db, path := empty(t)
	poll(t, db, "c1")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	acknowledged := 0
	for round := range 5 {
		cmd := child(t, path, 1_000_000, 0)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines, before := bufio.NewScanner(out), acknowledged
		for lines.Scan() { // after the kill: what it had still printed
			if acknowledged++; acknowledged == before+200*(round+1) {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		cmd.Wait()
		got := ballots(t, path)
		if got < acknowledged {
			t.Fatalf("round %d: %d ballots, %d acknowledged", round, got, acknowledged)
		}
		if got > acknowledged+32*(round+1) {
			t.Errorf("round %d: %d ballots, but only %d acknowledged and 32 senders", round, got, acknowledged)
		}
	}
}

// The command line may write while the node runs: nobody is told "busy".
func TestTwoProcessesWrite(t *testing.T) {
	db, path := empty(t)
	c := poll(t, db, "c1")
	const votes = 1500
	cmd := child(t, path, votes, 0)
	var wg sync.WaitGroup
	wg.Go(func() {
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("child: %v\n%s", err, out)
		}
	})
	for sender := range 16 {
		wg.Go(func() {
			for i := range votes / 15 {
				if _, err := cast(context.Background(), db, c.ID, pseudonym("here", sender, i), sealed(2)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := must(db.Tallies(t.Context(), c))(t).Ballots; n != votes+16*(votes/15) {
		t.Errorf("%d ballots, want %d", n, votes+16*(votes/15))
	}
}

// A file that may not grow fails with SQLITE_IOERR_WRITE, not SQLITE_FULL.
func TestFileTooLarge(t *testing.T) {
	db, path := empty(t)
	poll(t, db, "c1")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := child(t, path, 1_000_000, 1<<20)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err == nil || !strings.Contains(complaint.String(), store.ErrUnavailable.Error()) {
		t.Fatalf("the child ended with %v: %s", err, complaint.String())
	}
	acknowledged := strings.Count(string(out), "\n")
	if got := ballots(t, path); got < acknowledged || acknowledged == 0 {
		t.Errorf("%d ballots, %d acknowledged", got, acknowledged)
	}
}
