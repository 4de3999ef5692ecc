package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"filippo.io/age"

	"inspraak/participation"
	"inspraak/simulation"
)

const senders = 64

// A voters' server is simulated in this process.
type votersServer struct {
	*simulation.Server
	p       *program
	serving *http.Server
}

// voters starts a server whose accounts share a few keys.
func (p *program) voters(name string) *votersServer {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.b.Fatal(err)
	}
	s := simulation.NewServer(simulation.Config{Kind: simulation.Mastodon, KeyPool: 4,
		Base: "http://" + name + ".localhost:" + strconv.Itoa(l.Addr().(*net.TCPAddr).Port)})
	v := &votersServer{Server: s, p: p, serving: &http.Server{Handler: s}}
	go v.serving.Serve(l)
	return v
}

// sign makes the votes of so many voters in a consultation.
func (v *votersServer) sign(n int, c participation.Consultation) []simulation.SignedRequest {
	actor := v.p.urls.Actor("bench")
	ready, err := v.SignedVotes(v.p.b.Context(), n, v.p.urls.Object(c.ID), actor, actor+"/inbox", c.Options)
	if err != nil {
		v.p.b.Fatal(err)
	}
	return ready
}

// votes sends the votes of as many voters: first with keys that must be
// fetched, then with the same keys cached. Between them stands what the fetches
// alone cost: the same documents, by the same client, in a process of its own.
func (p *program) votes(y *yardstick) {
	const voters = 4000
	server := p.voters("mastodon")
	defer server.serving.Close()
	var ready [2][]simulation.SignedRequest
	var polls [2]participation.Consultation
	for i := range ready {
		polls[i] = p.publish()
		ready[i] = server.sign(voters, polls[i])
	}
	unknown, unit, p99 := p.vote(y, ready[0], polls[0])
	row("signed votes, each voter's key fetched first, 64 senders", voters, unknown, "verification", unit, p99)
	addresses := make([]string, voters)
	for i := range addresses {
		addresses[i] = server.Account("voter" + strconv.Itoa(i+1)).ID()
	}
	alone := p.fetchAlone(addresses)
	row("the fetches of these keys alone", voters, alone, "verification", unit, 0)
	line("  so many per cent of the cost of the vote", "%.0f %%", 100*float64(alone)/float64(unknown))
	cached, unit, p99 := p.vote(y, ready[1], polls[1])
	row("signed votes, key cached, 64 senders", voters, cached, "verification", unit, p99)
	p.evidence(y, server, voters, cached)
}

// evidence sends as many votes in a consultation that keeps the signed requests
// for an auditor, and writes the log.
func (p *program) evidence(y *yardstick, server *votersServer, voters int, without time.Duration) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		p.b.Fatal(err)
	}
	c := p.publishFor(identity.Recipient().String())
	each, unit, p99 := p.vote(y, server.sign(voters, c), c)
	row("the same with evidence for an auditor", voters, each, "verification", unit, p99)
	line("  against without", "%.2f ×", float64(each)/float64(without))
	began := time.Now()
	if _, err := p.node.Service.Close(p.b.Context(), c.ID, "the measurement is over", 0); err != nil {
		p.b.Fatal(err)
	}
	took, bytes := time.Since(began), 0
	err = p.node.DB.Evidence(p.b.Context(), c.Number, func(_ int64, sealed []byte) error {
		bytes += len(sealed)
		return nil
	})
	if err != nil {
		p.b.Fatal(err)
	}
	line("  bytes of evidence for each ballot, once it is in the log", "%d", bytes/voters)
	line("  writing the log with the evidence, and counting", "%.0f ballots/s", float64(voters)/took.Seconds())
}

// vote sends votes until all are counted, and returns the node's CPU time for
// each, and that of one verification meanwhile.
func (p *program) vote(y *yardstick, ready []simulation.SignedRequest, c participation.Consultation) (each, unit, p99 time.Duration) {
	before := p.tallied(c)
	unit = y.during(y.verify, func() {
		cpu := p.cpu()
		p99 = p.send(ready, senders)
		p.until("the waiting room is empty", func() bool {
			n, err := p.node.DB.CountWaiting(p.b.Context(), c.ID)
			return err == nil && n == 0
		})
		each = (p.cpu() - cpu) / time.Duration(len(ready))
	})
	if n := p.tallied(c) - before; n != len(ready) {
		p.b.Fatalf("%d ballots of %d votes", n, len(ready))
	}
	return each, unit, p99
}

func (p *program) tallied(c participation.Consultation) int {
	t, err := p.node.DB.Tallies(p.b.Context(), c)
	if err != nil {
		p.b.Fatal(err)
	}
	return t.Ballots
}

// slowKeys sends votes whose voters' server takes three seconds for an actor
// document, then answers 429 for a while, then recovers. What the node answers
// 429 or 503 the sender tries again, as Mastodon does.
func (p *program) slowKeys() {
	const voters = 1000
	server := p.voters("slow")
	defer server.serving.Close()
	c := p.publish()
	left := server.sign(voters, c)
	server.SetFault(simulation.Fault{KeyDelay: 3 * time.Second})
	began, refused := time.Now(), 0
	for round := 0; len(left) > 0; round++ {
		var again []simulation.SignedRequest
		var mu sync.Mutex
		p.post(left, senders, func(r simulation.SignedRequest, status int, _ time.Duration) {
			if status != http.StatusAccepted {
				mu.Lock()
				defer mu.Unlock()
				again = append(again, r)
			}
		})
		switch round {
		case 0:
			server.SetFault(simulation.Fault{KeyStatus: http.StatusTooManyRequests, RetryAfter: 5 * time.Second})
			refused = len(again)
		case 1:
			server.SetFault(simulation.Fault{})
		}
		if left = again; len(left) > 0 {
			time.Sleep(10 * time.Second)
		}
	}
	p.until("all votes are counted", func() bool { return p.tallied(c) == voters })
	line("votes while actor documents take 3 s, then 429", "%d of %d counted after %s; %d were told to come back at first", p.tallied(c), voters, time.Since(began).Round(time.Second), refused)
}

// send posts all, which must be taken, and returns the latency that one in a
// hundred exceeds.
func (p *program) send(ready []simulation.SignedRequest, senders int) (p99 time.Duration) {
	var mu sync.Mutex
	var took []time.Duration
	p.post(ready, senders, func(_ simulation.SignedRequest, status int, after time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		if took = append(took, after); status != http.StatusAccepted {
			p.b.Errorf("a vote was answered %d", status)
		}
	})
	slices.Sort(took)
	return took[len(took)*99/100]
}

// post sends requests in parallel over connections that are kept, and tells
// answered what became of each.
func (p *program) post(ready []simulation.SignedRequest, senders int, answered func(simulation.SignedRequest, int, time.Duration)) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders, MaxConnsPerHost: senders}}
	defer client.CloseIdleConnections()
	var next atomic.Int64
	var group sync.WaitGroup
	for range senders {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(ready); i = int(next.Add(1)) - 1 {
				began := time.Now()
				r, err := http.NewRequestWithContext(context.Background(), ready[i].Method, ready[i].URL, bytes.NewReader(ready[i].Body))
				if err != nil {
					p.b.Error(err)
					return
				}
				r.Header, r.Host = ready[i].Header, ready[i].Host
				answer, err := client.Do(r)
				if err != nil {
					p.b.Error(err)
					return
				}
				io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
				answered(ready[i], answer.StatusCode, time.Since(began))
			}
		})
	}
	group.Wait()
}
