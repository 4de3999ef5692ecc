package activitypub

import (
	"context"
	"sync"
	"time"
)

const (
	pollDue      = time.Second          // how often the queue is looked at, woken or not
	settleLinger = 4 * time.Millisecond // results that come so close are one commit
	settleBatch  = 512
	settleGrace  = 5 * time.Second // for the last results when stopping
)

// RunDelivery delivers until ctx ends, and returns when nothing is under way
// any more. A receive from wake (which may be nil) says that something was
// queued. Hosts are served side by side, each over two connections, so that a
// slow one delays nobody else; those that failed before share a smaller part.
//
// A delivery is repeated if the node dies between the answer and its commit:
// receivers know it by its id.
func (f *Federation) RunDelivery(ctx context.Context, wake <-chan struct{}) error {
	s := &settler{f: f, results: make(chan result, settleBatch)}
	settled := make(chan struct{})
	go func() { s.run(ctx); close(settled) }()
	r := &dispatcher{d: f.deliverer, settler: s, done: make(chan string), busy: map[string]bool{}}
	r.run(ctx, wake)
	close(s.results)
	<-settled
	return nil
}

// dispatcher hands out hosts. Only its own goroutine touches its fields.
type dispatcher struct {
	d        *deliverer
	settler  *settler
	done     chan string
	busy     map[string]bool // hosts being served; true if suspect
	suspects int
	queue    []string
}

func (r *dispatcher) run(ctx context.Context, wake <-chan struct{}) {
	tick := time.NewTicker(pollDue)
	defer tick.Stop()
	for r.refill(ctx); ; {
		r.start(ctx)
		select {
		case <-ctx.Done():
			for len(r.busy) > 0 {
				r.finish(<-r.done)
			}
			return
		case host := <-r.done:
			r.finish(host)
			if len(r.queue) == 0 && len(r.busy) == 0 {
				r.refill(ctx)
			}
		case <-wake:
			r.refill(ctx)
		case <-tick.C:
			r.refill(ctx)
		}
	}
}

func (r *dispatcher) refill(ctx context.Context) {
	hosts, err := r.d.f.Store.DueHosts(ctx, r.d.f.Now(), dueHosts)
	if err != nil {
		if ctx.Err() == nil {
			r.d.f.Log.ErrorContext(ctx, "deliveries cannot be read", "error", err)
		}
		return
	}
	r.queue = hosts
}

// start begins with the hosts of the queue that are not being served.
func (r *dispatcher) start(ctx context.Context) {
	var left []string
	for i, host := range r.queue {
		if len(r.busy) >= hostsAtOnce || ctx.Err() != nil {
			left = append(left, r.queue[i:]...)
			break
		}
		suspect := r.d.circuit(host).failures > 0
		if _, busy := r.busy[host]; busy || suspect && r.suspects >= suspectsAtOnce {
			left = append(left, host) // its turn comes when one is done
			continue
		}
		r.busy[host] = suspect
		if suspect {
			r.suspects++
		}
		go func() {
			_, err := r.d.host(ctx, host, connectionsPerHost, &sharedLedger{settler: r.settler})
			if err != nil && ctx.Err() == nil {
				r.d.f.Log.ErrorContext(ctx, "deliveries to a host stopped", "host", host, "error", err)
			}
			r.done <- host
		}()
	}
	r.queue = left
}

func (r *dispatcher) finish(host string) {
	if r.busy[host] {
		r.suspects--
	}
	delete(r.busy, host)
}

// settler writes the results of all hosts in few transactions.
type settler struct {
	f       *Federation
	results chan result
}

type result struct {
	Settled
	written *sync.WaitGroup
}

// sharedLedger books one host's results with the settler.
type sharedLedger struct {
	settler *settler
	written sync.WaitGroup
}

func (l *sharedLedger) book(s Settled) {
	l.written.Add(1)
	l.settler.results <- result{s, &l.written}
}

func (l *sharedLedger) flush(context.Context) error {
	l.written.Wait()
	return nil
}

func (s *settler) run(ctx context.Context) {
	for first := range s.results {
		batch := []result{first}
		linger := time.NewTimer(settleLinger)
		for more := true; more && len(batch) < settleBatch; {
			select {
			case r, ok := <-s.results:
				if more = ok; ok {
					batch = append(batch, r)
				}
			case <-linger.C:
				more = false
			}
		}
		linger.Stop()
		s.write(ctx, batch)
		for _, r := range batch {
			r.written.Done()
		}
	}
}

// write repeats until the results are on disk: with a full disk nothing more is
// sent, instead of the same again and again. Once the node is stopping it
// repeats only for settleGrace; what is not written then is sent once more
// after the next start.
func (s *settler) write(ctx context.Context, batch []result) {
	settled := make([]Settled, len(batch))
	for i, r := range batch {
		settled[i] = r.Settled
	}
	var stopping time.Time
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := s.f.Store.SettleDeliveries(context.WithoutCancel(ctx), settled)
		if err == nil {
			return
		}
		s.f.Log.ErrorContext(ctx, "results of deliveries cannot be written; deliveries wait", "error", err)
		if ctx.Err() != nil && stopping.IsZero() {
			stopping = time.Now()
		}
		if !stopping.IsZero() && time.Since(stopping) > settleGrace {
			return
		}
		time.Sleep(wait)
	}
}
