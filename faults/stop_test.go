package faults_test

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestStop tells the node to stop, as a system does, while votes stream in.
// It ends well and soon, and answers what it has taken up: no vote is stored
// whose sender was not told.
func TestStop(t *testing.T) {
	together(t)
	began, rounds := time.Now(), times(2, 50)
	n, c, h := newNode(t), newCrowd(t), newHammer(size(16, 64))
	n.start()
	p := n.publish("stop")
	votes := map[poll][]*vote{}
	var slowest time.Duration
	for range rounds {
		fresh := c.votes(p, size(150, 300))
		votes[p] = append(votes[p], fresh...)
		until := h.acked.Load() + 20 + rand.Int64N(int64(size(80, 200)))
		done := make(chan struct{})
		go func() {
			defer close(done)
			h.pass(fresh, nil)
		}()
		for end := time.Now().Add(time.Minute); h.acked.Load() < until; {
			if time.Sleep(time.Millisecond); time.Now().After(end) {
				t.Fatalf("too few votes are accepted\n%s", n.log())
			}
		}
		told := time.Now()
		n.stop()
		slowest = max(slowest, time.Since(told))
		<-done
		n.start()
	}
	a := audit(c, h, votes)
	if slowest > 10*time.Second {
		t.Errorf("it took %s to stop, want 10 s", slowest)
	}
	if a.stored != 0 {
		t.Errorf("%d votes were stored and their senders not told", a.stored)
	}
	figure(t, began, "R11", "SIGTERM: %d stops under load, all with exit code 0, %d acknowledged, %d lost, %d double; %d cut off, %d of them stored; ended after at most %s",
		rounds, a.acknowledged, a.lost, a.double, a.unknown, a.stored, slowest.Round(time.Millisecond))
}

// TestStopSlowClient: a client that drips its request cannot keep the node from
// stopping in ten seconds, and a second signal ends it at once.
func TestStopSlowClient(t *testing.T) {
	together(t)
	began := time.Now()
	n := newNode(t)
	n.start()
	dripping(t, n)
	told := time.Now()
	n.stop()
	alone := time.Since(told)
	if alone > 10*time.Second {
		t.Errorf("it took %s to stop, want 10 s", alone)
	}

	n.start()
	dripping(t, n)
	n.signal(syscall.SIGTERM)
	time.Sleep(300 * time.Millisecond)
	told = time.Now()
	n.signal(syscall.SIGTERM)
	err := n.ended(15 * time.Second)
	twice := time.Since(told)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM || twice > time.Second {
		t.Errorf("after a second SIGTERM it ended with %v after %s, want by the signal and at once", err, twice)
	}
	figure(t, began, "R11", "SIGTERM with a client that drips: ended after %s; a second SIGTERM: after %s",
		alone.Round(10*time.Millisecond), twice.Round(time.Millisecond))
}

// dripping opens a request of which the node has read the head, and whose body
// does not come.
func dripping(t *testing.T, n *node) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(n.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "POST /inbox HTTP/1.1\r\nHost: %s\r\nContent-Type: application/activity+json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n",
		strings.TrimPrefix(n.base, "http://"))
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, "100") {
		t.Fatalf("the node answered %q to a request that is not complete: %v", line, err)
	}
	return conn
}
