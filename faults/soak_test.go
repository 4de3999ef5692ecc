package faults_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// A sample is what the node holds at one moment.
type sample struct {
	hours                                  float64
	resident, goroutines, descriptors, wal int
}

// TestSoak lets the node live with twenty requests a second for the time that
// -soak says: a third votes, a third pages and documents, a third hostile. It
// prints what the node holds as it goes, and the least-squares slopes per hour
// without the first quarter, in which caches fill.
func TestSoak(t *testing.T) {
	together(t)
	n := newNode(t, "requests_per_second: 200")
	metrics := n.measured()
	n.start()
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), *soak)
	defer cancel()
	load := &soakLoad{t: t, node: n, crowd: newCrowd(t), hammer: newHammer(1), began: began}
	load.enemy = newEnemy(t, n, load.crowd)
	var group sync.WaitGroup
	for _, work := range []func(){load.vote, load.read, load.enemy.strike} {
		group.Go(func() {
			tick := time.NewTicker(150 * time.Millisecond)
			defer tick.Stop()
			for ctx.Err() == nil {
				work()
				select {
				case <-ctx.Done():
				case <-tick.C:
				}
			}
		})
	}
	samples := n.watch(ctx, began, metrics)
	group.Wait()
	load.closePoll()
	load.enemy.end()
	n.check()
	load.report(samples, metrics != "")
}

// watch samples every ten seconds, or ten times in a short run, until ctx ends.
func (n *node) watch(ctx context.Context, began time.Time, metrics string) []sample {
	every := min(10*time.Second, *soak/10)
	tick := time.NewTicker(every)
	defer tick.Stop()
	var samples []sample
	for {
		select {
		case <-ctx.Done():
			return samples
		case now := <-tick.C:
			s := sample{now.Sub(began).Hours(), n.resident(), n.goroutines(metrics), n.open(), n.walSize()}
			samples = append(samples, s)
			if *soak > time.Minute && len(samples)%6 == 0 {
				fmt.Fprintf(os.Stdout, "%6.1f min %7.1f MiB %5d goroutines %5d descriptors %7d KiB WAL\n",
					s.hours*60, float64(s.resident)/1024, s.goroutines, s.descriptors, s.wal)
			}
		}
	}
}

// soakLoad is the friendly part of the load. Each of vote and read has one
// caller.
type soakLoad struct {
	t      *testing.T
	node   *node
	crowd  *crowd
	hammer *hammer
	enemy  *enemy
	began  time.Time

	poll                poll
	votes               []*vote // of poll
	polls, acked, asked int
	lost, double        int
	mu                  sync.Mutex
	quarters            [4][]time.Duration
}

// soakVoters is how many people vote in each poll; they come back in the next,
// so that caches can fill.
const soakVoters = 1000

// vote sends the next vote, and opens the next poll when all have voted.
func (l *soakLoad) vote() {
	if l.polls == 0 || len(l.votes) == soakVoters {
		l.closePoll()
		l.poll = l.node.publish(fmt.Sprintf("soak-%d", l.polls))
		l.polls++
	}
	v := l.crowd.votes(l.poll, 1)[0]
	l.votes = append(l.votes, v)
	began := time.Now()
	if _, err := l.hammer.send(v); err != nil || v.fate != acknowledged {
		l.t.Errorf("a vote was answered %d: %v", v.status, err)
		return
	}
	l.took(began)
	l.acked++
	l.enemy.overhear(*v.request)
}

// closePoll closes the poll under way and holds it against what was accepted.
func (l *soakLoad) closePoll() {
	if l.polls == 0 {
		return
	}
	want := 0
	for _, v := range l.votes {
		if v.fate == acknowledged {
			want++
		}
	}
	final := l.poll.close()
	l.lost += max(0, want-final.Turnout)
	l.double += max(0, final.Turnout-want)
	if final.Turnout != want {
		l.t.Errorf("%s: %d ballots of %d accepted votes, not counted %v", l.poll.slug, final.Turnout, want, final.NotCounted)
	}
	l.votes = nil
}

// read asks for a page, a feed or a document, in turn.
func (l *soakLoad) read() {
	paths := []string{"/", "/consultations/soak-0", "/consultations/soak-0/result.json", "/@faults/feed.atom", "/@faults", "/about",
		"/a/faults", "/a/faults/outbox", "/.well-known/webfinger?resource=acct:faults@" + strings.TrimPrefix(l.node.base, "http://")}
	path := paths[l.asked%len(paths)]
	l.asked++
	r, err := http.NewRequest(http.MethodGet, l.node.base+path, nil)
	if err != nil {
		l.t.Error(err)
		return
	}
	if strings.HasPrefix(path, "/a/") {
		r.Header.Set("Accept", "application/activity+json")
	}
	began := time.Now()
	answer, err := l.hammer.client.Do(r)
	if err != nil {
		l.t.Errorf("%s: %v", path, err)
		return
	}
	drain(answer)
	if l.took(began); answer.StatusCode != http.StatusOK && l.asked > len(paths) { // before, there may be no poll yet
		l.t.Errorf("%s was answered %s", path, answer.Status)
	}
}

func (l *soakLoad) took(began time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	quarter := min(3, int(4*began.Sub(l.began) / *soak))
	l.quarters[quarter] = append(l.quarters[quarter], time.Since(began))
}

func (l *soakLoad) report(samples []sample, metrics bool) {
	var hours, resident, goroutines, descriptors []float64
	wal, most := 0, 0
	for _, s := range samples {
		wal, most = max(wal, s.wal), max(most, s.resident)
		if s.hours < soak.Hours()/4 {
			continue
		}
		hours = append(hours, s.hours)
		resident = append(resident, float64(s.resident)/1024)
		goroutines = append(goroutines, float64(s.goroutines))
		descriptors = append(descriptors, float64(s.descriptors))
	}
	routines := "not measured"
	if metrics {
		routines = fmt.Sprintf("%+.1f", slope(hours, goroutines))
	}
	if wal > 64<<10 {
		l.t.Errorf("the WAL grew to %d KiB, want 64 MiB", wal)
	}
	if most > 150<<10 {
		l.t.Errorf("%d KiB resident, want 150 MiB", most)
	}
	var p99 []string
	for _, q := range l.quarters {
		p99 = append(p99, percentile(q, 99).Round(time.Millisecond).String())
	}
	figure(l.t, l.began, "R14", "soak: %d votes, %d reads, %s; %d polls, %d lost, %d double; per hour: resident %+.2f MiB (at most %.1f), goroutines %s, descriptors %+.1f; p99 by quarter %s; WAL at most %d KiB",
		l.acked, l.asked, l.enemy, l.polls, l.lost, l.double, slope(hours, resident), float64(most)/1024, routines, slope(hours, descriptors),
		strings.Join(p99, " "), wal)
}
