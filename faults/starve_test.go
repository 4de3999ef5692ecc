package faults_test

import (
	"net/http"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestStarve gives the node few file descriptors, little memory and one
// processor, and more connections than it has descriptors. It may refuse; what
// it acknowledges it counts, and it recovers by itself when the crowd has gone.
func TestStarve(t *testing.T) {
	together(t)
	if _, err := exec.LookPath("prlimit"); err != nil {
		t.Skip("prlimit (util-linux) is not installed: the number of descriptors cannot be limited")
	}
	began := time.Now()
	n, c := newNode(t), newCrowd(t)
	n.wrap = []string{"prlimit", "--nofile=64"}
	n.env = []string{"GOMEMLIMIT=100MiB", "GOMAXPROCS=1"}
	n.start()
	p := n.publish("starve")
	votes := c.votes(p, size(400, 10000))

	stop := make(chan struct{})
	var group sync.WaitGroup
	var readers, busy atomic.Int64
	for range size(60, 200) { // whose connections alone take more than there is
		group.Go(func() {
			client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for {
				select {
				case <-stop:
					return
				default:
				}
				answer, err := client.Get(n.base + "/consultations/starve")
				if err != nil {
					busy.Add(1)
					continue
				}
				drain(answer)
				if readers.Add(1); answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusServiceUnavailable && answer.StatusCode != http.StatusTooManyRequests {
					t.Errorf("a page was answered %s", answer.Status)
				}
				time.Sleep(50 * time.Millisecond)
			}
		})
	}
	h := newHammer(64)
	h.client.Timeout = 10 * time.Second
	var next sync.Mutex
	statuses := map[int]int{}
	each(votes, h.senders, func(v *vote) bool {
		h.send(v)
		next.Lock()
		defer next.Unlock()
		statuses[v.status]++
		if s := v.status; s != 0 && s != 202 && s != 429 && s != 503 {
			t.Errorf("a vote was answered %d", s)
		}
		return true
	})
	h.client.CloseIdleConnections()
	close(stop)
	group.Wait()
	recovering := time.Now()
	var refused []*vote
	for _, v := range votes {
		if v.fate != acknowledged {
			refused = append(refused, v)
		}
	}
	accepted := len(votes) - len(refused)
	newHammer(8).insist(c, refused)
	recovered := time.Since(recovering)
	a := audit(c, newHammer(8), map[poll][]*vote{p: votes})
	figure(t, began, "R15", "64 descriptors, 100 MiB, 1 processor: %d votes, %d answered 202, %d 429, %d 503, %d not; %d pages read beside, %d not; all accepted %s after; %d acknowledged, %d lost, %d double",
		len(votes), accepted, statuses[429], statuses[503], statuses[0], readers.Load(), busy.Load(), recovered.Round(time.Millisecond), a.acknowledged, a.lost, a.double)
}
