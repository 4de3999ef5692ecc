package faults_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"inspraak/simulation"
)

// An enemy sends what no server should, from an address of its own. strike has
// one caller.
type enemy struct {
	t      *testing.T
	node   *node
	crowd  *crowd
	client *http.Client
	slow   sync.WaitGroup

	strikes, refused int
	mu               sync.Mutex
	heard            []simulation.SignedRequest
}

func newEnemy(t *testing.T, n *node, c *crowd) *enemy {
	return &enemy{t: t, node: n, crowd: c, client: &http.Client{
		Timeout: 20 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: 4,
			DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}).DialContext},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (e *enemy) String() string { return fmt.Sprintf("%d hostile (%d refused)", e.strikes, e.refused) }

// overhear remembers a few requests of others, to be replayed.
func (e *enemy) overhear(r simulation.SignedRequest) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.heard) < 100 {
		e.heard = append(e.heard, r)
	} else {
		e.heard[rand.IntN(100)] = r
	}
}

// strike does the next evil and holds the answer to what it may be.
func (e *enemy) strike() {
	account := e.crowd.server.Account(fmt.Sprintf("mallory%d", e.strikes%50))
	victim := e.crowd.server.Account("voter1")
	body := fmt.Appendf(nil, `{"@context":"https://www.w3.org/ns/activitystreams","id":"%s#likes/%d","type":"Like","actor":"%[1]s","object":"%[3]s/o/none"}`,
		account.ID(), e.strikes, e.node.base)
	garbage := make([]byte, 200)
	for i := range garbage {
		garbage[i] = byte(rand.IntN(256))
	}
	nobody := fmt.Sprintf("http://nobody%d.localhost:1/users/x", e.strikes)
	unknown := bytes.ReplaceAll(body, []byte(account.ID()), []byte(nobody))
	kinds := []struct {
		name string
		body []byte
		sign simulation.SignOptions
		want []int
	}{
		{"no signature", body, simulation.SignOptions{Unsigned: true}, []int{401}},
		{"another's key", body, simulation.SignOptions{KeyID: victim.KeyID()}, []int{401, 403}},
		{"HMAC under a public key", body, simulation.SignOptions{HMAC: true}, []int{401}},
		{"another body", body, simulation.SignOptions{TamperBody: append(slices.Clone(body), ' ')}, []int{401}},
		{"no digest", body, simulation.SignOptions{OmitDigest: true}, []int{401}},
		{"old", body, simulation.SignOptions{DateOffset: -2 * time.Hour}, []int{401}},
		{"garbage", garbage, simulation.SignOptions{}, []int{400}},
		{"deep", []byte(strings.Repeat(`{"object":`, 2000)), simulation.SignOptions{}, []int{400}},
		{"large", bytes.Repeat([]byte(" "), 300<<10), simulation.SignOptions{}, []int{413}},
		{"not an activity", body, simulation.SignOptions{ContentType: "text/html"}, []int{415}},
		{"unknown host", unknown, simulation.SignOptions{KeyID: nobody + "#main-key"}, []int{202, 401, 503}},
		{"of no effect", body, simulation.SignOptions{}, []int{202}},
		{"replay", nil, simulation.SignOptions{}, []int{202}},
		{"slow", nil, simulation.SignOptions{}, nil},
	}
	k := kinds[e.strikes%len(kinds)]
	e.strikes++
	switch k.name {
	case "slow":
		e.dawdle()
		return
	case "replay":
		e.mu.Lock()
		defer e.mu.Unlock()
		if len(e.heard) > 0 {
			e.send(k.name, e.heard[rand.IntN(len(e.heard))], k.want)
		}
		return
	}
	inbox := []string{e.node.inbox(), e.node.base + "/inbox"}[rand.IntN(2)]
	r, err := account.Request(context.Background(), http.MethodPost, inbox, k.body, k.sign)
	if err != nil {
		e.t.Error(err)
		return
	}
	sent := k.body
	if k.sign.TamperBody != nil {
		sent = k.sign.TamperBody
	}
	e.send(k.name, simulation.SignedRequest{Method: r.Method, URL: inbox, Host: r.Host, Header: r.Header, Body: sent}, k.want)
}

// send makes one request. 429 is always a good answer to an enemy.
func (e *enemy) send(name string, s simulation.SignedRequest, want []int) {
	r, err := http.NewRequest(s.Method, s.URL, bytes.NewReader(s.Body))
	if err != nil {
		e.t.Error(err)
		return
	}
	r.Header, r.Host = s.Header, s.Host
	answer, err := e.client.Do(r)
	if err != nil {
		if name != "large" { // refused before it was all sent, and the connection closed
			e.t.Errorf("%s: %v", name, err)
		}
		e.refused++
		return
	}
	drain(answer)
	if answer.StatusCode != http.StatusAccepted {
		e.refused++
	}
	if !slices.Contains(append(want, http.StatusTooManyRequests), answer.StatusCode) {
		e.t.Errorf("%s was answered %s, want %v", name, answer.Status, want)
	}
}

// dawdle opens a connection on which half a head comes, and waits aside until
// the node cuts it.
func (e *enemy) dawdle() {
	conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}).Dial("tcp", strings.TrimPrefix(e.node.base, "http://"))
	if err != nil {
		e.t.Error(err)
		return
	}
	e.slow.Go(func() {
		defer conn.Close()
		began := time.Now()
		fmt.Fprint(conn, "POST /inbox HTTP/1.1\r\nHost: ")
		conn.SetReadDeadline(began.Add(20 * time.Second))
		if _, err := io.Copy(io.Discard, conn); err != nil && time.Since(began) > 15*time.Second {
			e.t.Errorf("a slow client was not cut: %v", err)
		}
	})
}

// end waits until the last slow client has been cut.
func (e *enemy) end() {
	e.slow.Wait()
	e.client.CloseIdleConnections()
}

func drain(answer *http.Response) {
	io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
}
