package faults_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"
)

// A schedule is how a server repeats a delivery that failed.
type schedule struct {
	software string
	// wait is the pause before attempt number n, counted from 1 for the first
	// repeat; false when the server gives up.
	wait func(n int) (time.Duration, bool)
}

// schedules are those of Mastodon (sidekiq: n⁴+15 s and up to half as much
// more, 16 times), Misskey (doubling from a minute, with a ceiling of eight
// hours and up to a fifth more or less, 12 attempts) and GoToSocial (8, 16, 32,
// 64 and 128 s, then dropped).
func schedules() []schedule {
	return []schedule{
		{"Mastodon", func(n int) (time.Duration, bool) {
			pause := time.Duration((math.Pow(float64(n), 4) + 15) * (1 + rand.Float64()/2) * float64(time.Second))
			return pause, n <= 16
		}},
		{"Misskey", func(n int) (time.Duration, bool) {
			pause := min(time.Minute*time.Duration(1<<n-1), 8*time.Hour)
			return time.Duration(float64(pause) * (0.8 + 0.4*rand.Float64())), n < 12
		}},
		{"GoToSocial", func(n int) (time.Duration, bool) {
			return 4 * time.Second << n, n <= 5
		}},
	}
}

// faster is how much quicker than on the wall the senders' clocks go: a second
// of their schedules is ten milliseconds.
const faster = 100

// TestBurst sends ten times as much as the node is made for. It answers what it
// can and tells the rest to come back; when servers do so on their schedules,
// no vote of theirs is missing.
func TestBurst(t *testing.T) {
	together(t)
	began, rated, seconds := time.Now(), size(20, 300), size(2, 20)
	n, c := newNode(t, fmt.Sprintf("requests_per_second: %d", rated)), newCrowd(t)
	n.start()
	voters := 15 * rated
	newHammer(4).pass(c.votes(n.publish("calm"), voters), nil) // caches are full before it is measured
	p := n.publish("burst")
	votes := c.votes(p, voters)
	before := n.resident()

	// Each vote is sent again and again until the burst is over or it is in, as
	// by as many servers that do not know of each other.
	var mu sync.Mutex
	statuses, most := map[int]int{}, before
	h := newHammer(128)
	end := time.Now().Add(time.Duration(seconds) * time.Second)
	sent := 0
	burst := make([]*vote, 0, rated*10*seconds)
	for len(burst) < cap(burst) {
		burst = append(burst, votes[len(burst)%len(votes)])
	}
	busy := map[*vote]*sync.Mutex{}
	for _, v := range votes {
		busy[v] = new(sync.Mutex)
	}
	each(burst, h.senders, func(v *vote) bool {
		if time.Now().After(end) {
			return false
		}
		busy[v].Lock()
		defer busy[v].Unlock()
		header, err := h.send(v)
		status := v.status
		mu.Lock()
		defer mu.Unlock()
		sent++
		statuses[status]++
		switch status {
		case http.StatusAccepted:
		case http.StatusTooManyRequests, http.StatusServiceUnavailable:
			if header.Get("Retry-After") == "" {
				t.Errorf("%d without Retry-After", status)
			}
		default:
			t.Errorf("answered %d: %v", status, err)
		}
		if sent%200 == 0 {
			most = max(most, n.resident())
		}
		return true
	})
	h.client.CloseIdleConnections()
	rate := float64(sent) / float64(seconds)
	inTime := 0
	for _, v := range votes {
		if v.fate == acknowledged {
			inTime++
		}
	}
	retried, dropped := h.repeat(c, votes)
	a := audit(c, newHammer(8), map[poll][]*vote{p: delivered(votes)})
	for software, number := range dropped {
		if software != "GoToSocial" && number > 0 {
			t.Errorf("%d votes of %s servers are lost", number, software)
		}
	}
	if *large && most > before*3/2 {
		t.Errorf("%d KiB resident in the burst, want at most half more than %d before", most, before)
	}
	if statuses[http.StatusTooManyRequests]+statuses[http.StatusServiceUnavailable] == 0 {
		t.Log("nothing was refused: this machine was too slow for a burst")
	}
	figure(t, began, "R8", "burst: %.0f votes/s offered for %d s to a node limited to %d/s, answers 202: %d, 429: %d, 503: %d, others 0; resident %d to at most %d MiB; of %d votes %d in at first, the rest by the schedules (100 times faster) after at most %d repeats; given up: Mastodon %d, Misskey %d, GoToSocial %d; %d acknowledged, %d lost, %d double",
		rate, seconds, rated, statuses[202], statuses[429], statuses[503], before>>10, most>>10, len(votes), inTime, retried,
		dropped["Mastodon"], dropped["Misskey"], dropped["GoToSocial"], a.acknowledged, a.lost, a.double)
}

func delivered(votes []*vote) []*vote {
	var in []*vote
	for _, v := range votes {
		if v.fate == acknowledged {
			in = append(in, v)
		}
	}
	return in
}

// repeat sends what is not in again, a third of the voters by each software's
// schedule, and returns the most repeats that were needed and how many votes
// each software gave up.
func (h *hammer) repeat(c *crowd, votes []*vote) (most int, dropped map[string]int) {
	var mu sync.Mutex
	var group sync.WaitGroup
	dropped = map[string]int{}
	for i, v := range votes {
		if v.fate == acknowledged {
			continue
		}
		s := schedules()[i%3]
		group.Go(func() {
			for n := 1; ; n++ {
				wait, more := s.wait(n)
				if !more {
					mu.Lock()
					dropped[s.software]++
					mu.Unlock()
					return
				}
				time.Sleep(wait / faster)
				if err := v.sign(); err != nil {
					c.t.Error(err)
					return
				}
				h.send(v)
				mu.Lock()
				most = max(most, n)
				mu.Unlock()
				if v.fate == acknowledged {
					return
				}
				if v.status != 0 && v.status != http.StatusTooManyRequests && v.status < 500 {
					c.t.Errorf("%s was answered %d, and drops the vote for good", s.software, v.status)
					return
				}
			}
		})
	}
	group.Wait()
	h.client.CloseIdleConnections()
	return most, dropped
}
