package faults_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"inspraak/simulation"
)

// A fate is what the sender of a vote knows of it.
type fate int

const (
	unsent       fate = iota // or refused in a way that cannot have been counted
	unknown                  // sent, and the connection broke or the answer was a 5xx: counted or not
	acknowledged             // answered 2xx: must be counted
)

// A vote is one voter's only vote. Its fields are for one sender at a time.
type vote struct {
	account *simulation.Account
	inbox   string
	option  string
	body    []byte
	request *simulation.SignedRequest
	fate    fate
	status  int // last answer, 0 if there was none
}

// sign makes the request anew, as each of a sender's attempts does.
func (v *vote) sign() error {
	r, err := v.account.Request(context.Background(), http.MethodPost, v.inbox, v.body, simulation.SignOptions{})
	if err != nil {
		return err
	}
	v.request = &simulation.SignedRequest{Method: r.Method, URL: v.inbox, Host: r.Host, Header: r.Header, Body: v.body}
	return nil
}

// settle books one attempt.
func (v *vote) settle(status int, err error) {
	v.status = status
	var op *net.OpError
	switch {
	case status >= 200 && status < 300:
		v.fate = acknowledged
	case v.fate == acknowledged:
	case err == nil && status < 500:
	case errors.As(err, &op) && op.Op == "dial": // nobody was there
	default:
		v.fate = unknown
	}
}

// A crowd is a server of simulated voters. They share a few keys, and each has
// an actor document, which the node must fetch before the first vote counts.
type crowd struct {
	t      testing.TB
	server *simulation.Server
	voters map[string]int // that have voted, by poll
}

func newCrowd(t testing.TB) *crowd {
	t.Helper()
	c := &crowd{t: t, voters: map[string]int{}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.server = simulation.NewServer(simulation.Config{Kind: simulation.Mastodon, KeyPool: 4,
		Base: fmt.Sprintf("http://voters.localhost:%d", l.Addr().(*net.TCPAddr).Port)})
	serving := &http.Server{Handler: c.server}
	go serving.Serve(l)
	t.Cleanup(func() { serving.Close() })
	return c
}

// votes makes the signed votes of n voters who have not voted in the poll, the
// options taken in turn. Voters of one poll are the first voters of the next.
func (c *crowd) votes(p poll, n int) []*vote {
	c.t.Helper()
	made := make([]*vote, n)
	for i := range made {
		c.voters[p.id]++
		voter := c.voters[p.id]
		made[i] = c.vote(p, fmt.Sprintf("voter%d", voter), options()[voter%len(options())])
	}
	c.sign(made)
	return made
}

// vote makes a vote and does not sign it.
func (c *crowd) vote(p poll, voter, option string) *vote {
	a := c.server.Account(voter)
	return &vote{account: a, inbox: p.node.inbox(), option: option, body: a.VoteActivities(p.id, p.node.actor(), option)[0]}
}

func (c *crowd) sign(votes []*vote) {
	c.t.Helper()
	each(votes, runtime.NumCPU(), func(v *vote) bool {
		if err := v.sign(); err != nil {
			c.t.Error(err)
			return false
		}
		return true
	})
}

// each hands the votes to so many workers, each of which stops when do says
// so, and returns how many were handed out.
func each(votes []*vote, workers int, do func(*vote) bool) int {
	var next atomic.Int64
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(votes) && do(votes[i]); i = int(next.Add(1)) - 1 {
			}
		})
	}
	group.Wait()
	return min(int(next.Load()), len(votes))
}

// A hammer sends signed votes from many senders over connections that stay
// open, as servers do.
type hammer struct {
	senders int
	client  *http.Client
	acked   atomic.Int64
}

func newHammer(senders int) *hammer {
	return &hammer{senders: senders, client: &http.Client{
		Timeout:       30 * time.Second,
		Transport:     &http.Transport{MaxIdleConnsPerHost: senders, MaxIdleConns: senders, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// send makes one attempt and books it. The header is that of the answer.
func (h *hammer) send(v *vote) (http.Header, error) {
	r, err := http.NewRequest(v.request.Method, v.request.URL, bytes.NewReader(v.request.Body))
	if err != nil {
		return nil, err
	}
	r.Header, r.Host = v.request.Header, v.request.Host
	answer, err := h.client.Do(r)
	if err != nil {
		v.settle(0, err)
		return nil, err
	}
	io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
	if v.settle(answer.StatusCode, nil); v.fate == acknowledged {
		h.acked.Add(1)
	}
	return answer.Header, nil
}

// pass sends each vote once, and stops a sender at its first broken connection
// or when stop is closed. It returns how many votes were taken up.
func (h *hammer) pass(votes []*vote, stop <-chan struct{}) int {
	defer h.client.CloseIdleConnections()
	return each(votes, h.senders, func(v *vote) bool {
		select {
		case <-stop:
			return false
		default:
		}
		_, err := h.send(v)
		return err == nil
	})
}

// insist signs and sends until all votes are acknowledged, for a minute at most.
func (h *hammer) insist(c *crowd, votes []*vote) {
	c.t.Helper()
	for _, v := range votes {
		v.status = 0
	}
	for end := time.Now().Add(time.Minute); len(votes) > 0; {
		each(votes, h.senders, func(v *vote) bool {
			if err := v.sign(); err != nil {
				c.t.Error(err)
				return false
			}
			h.send(v)
			return true
		})
		left := votes[:0:0]
		for _, v := range votes {
			if v.status < 200 || v.status > 299 {
				left = append(left, v)
			}
		}
		if votes = left; len(votes) > 0 && time.Now().After(end) {
			c.t.Fatalf("%d votes are still not accepted, the first with status %d", len(votes), votes[0].status)
		}
	}
	h.client.CloseIdleConnections()
}
