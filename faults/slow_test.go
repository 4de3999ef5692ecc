package faults_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestSlowloris holds thousands of connections on which a request never
// becomes complete, while people vote. Votes must not wait for them, and they
// must be cut.
func TestSlowloris(t *testing.T) {
	together(t)
	began, heads, bodies := time.Now(), size(300, 5000), size(30, 500)
	n, c, h := newNode(t), newCrowd(t), newHammer(8)
	n.start()
	p := n.publish("slow")
	h.insist(c, c.votes(p, 50)) // before the attack: their keys are known to the next poll
	q := n.publish("slower")
	votes := c.votes(q, 50)

	var mu sync.Mutex
	var longest time.Duration
	var uncut int
	var group sync.WaitGroup
	attack := func(first string) {
		conn := n.dial(t)
		opened := time.Now()
		group.Go(func() {
			defer conn.Close()
			cut := make(chan struct{})
			go drip(conn, first, cut)
			conn.SetReadDeadline(opened.Add(30 * time.Second))
			_, err := io.Copy(io.Discard, conn)
			close(cut)
			mu.Lock()
			defer mu.Unlock()
			longest = max(longest, time.Since(opened))
			if err != nil && strings.Contains(err.Error(), "timeout") {
				uncut++
			}
		})
	}
	for i := range heads {
		if attack("GET / HTTP/1.1\r\nX-Slow: "); i%10 == 0 && i/10 < bodies {
			attack("POST /inbox HTTP/1.1\r\nHost: " + n.host() + "\r\nContent-Type: application/activity+json\r\nContent-Length: 100000\r\n\r\n")
		}
	}
	attack("\x16\x03\x01 garbage\r\n\r\n" + strings.Repeat("GET", 1000)) // no HTTP at all
	attack(strings.Repeat("GET / HTTP/1.1\r\nHost: "+n.host()+"\r\n\r\n", 50) + "garbage \x00\r\n\r\n")
	open := n.open()

	var took []time.Duration
	for i := range 50 {
		sent := time.Now()
		if _, err := h.send(votes[i]); err != nil || votes[i].fate != acknowledged {
			t.Errorf("a vote during the attack was answered %d: %v", votes[i].status, err)
		}
		took = append(took, time.Since(sent))
	}
	group.Wait()
	p99 := percentile(took, 99)
	if *large && p99 > 500*time.Millisecond {
		t.Errorf("votes took %s during the attack, want 500 ms", p99)
	}
	if uncut > 0 || longest > 15*time.Second {
		t.Errorf("%d attackers were not cut, the others after at most %s; want 15 s", uncut, longest)
	}
	if final := q.close(); final.Turnout != 50 {
		t.Errorf("%d ballots of 50 votes", final.Turnout)
	}
	n.check()
	figure(t, began, "R6", "slow clients: %d half-open heads, %d dripping bodies, %d descriptors in use; p99 of 50 votes %s; all cut after at most %s",
		heads, bodies, open, p99.Round(time.Millisecond), longest.Round(100*time.Millisecond))
}

// drip sends the first bytes at once and then one a second, until it is cut.
func drip(conn net.Conn, first string, cut <-chan struct{}) {
	fmt.Fprint(conn, first)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-cut:
			return
		case <-tick.C:
			if _, err := conn.Write([]byte("x")); err != nil {
				return
			}
		}
	}
}

func (n *node) host() string { return strings.TrimPrefix(n.base, "http://") }

func (n *node) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", n.host(), 10*time.Second)
	if err != nil {
		t.Fatalf("dial: %v\n%s", err, n.log())
	}
	return conn
}
