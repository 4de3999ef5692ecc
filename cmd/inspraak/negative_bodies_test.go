package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"inspraak/handlers"
	"inspraak/simulation"
)

// Time passes haste times as fast for what a server waits for.
const haste = 10

type hastyListener struct{ net.Listener }

func (l hastyListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return hastyConn{c}, err
}

type hastyConn struct{ net.Conn }

func (c hastyConn) SetReadDeadline(t time.Time) error {
	if !t.IsZero() {
		t = time.Now().Add(time.Until(t) / haste)
	}
	return c.Conn.SetReadDeadline(t)
}

// N28: a body too large, without end, or of another length than announced is
// cut off in time, and leaves nothing.
func TestNegativeBodies(t *testing.T) {
	s := newSiege(t)
	sized := func(n int) []byte {
		vote := s.vote(s.bob, s.q1, "Ja")
		head := `{"x":"`
		return append([]byte(head+strings.Repeat("x", n-len(head)-len(`",`)-len(vote)+1)+`",`), vote[1:]...)
	}
	s.repels("N28 one byte too many", []int{413}, s.bob, sized(262_145), simulation.SignOptions{})

	listener := must2(net.Listen("tcp", "127.0.0.1:0"))(s.cluster)
	hasty := must2(net.Listen("tcp", "127.0.0.1:0"))(s.cluster)
	server := handlers.Server(s.node.Handler)
	go func() { _ = server.Serve(listener) }()
	go func() { _ = server.Serve(hastyListener{hasty}) }()
	t.Cleanup(func() { _ = server.Close() })
	head := func(path, length string) string {
		return "POST " + path + " HTTP/1.1\r\nHost: node.example\r\nContent-Type: application/activity+json\r\n" + length + "\r\n\r\n"
	}
	half := string(s.vote(s.bob, s.q1, "Ja"))[:100]
	for name, row := range map[string]struct {
		length, body string
		endless      bool
		want         int
		at           time.Duration // when the server must have closed; 0: at once
	}{
		"too long by its own word": {length: "Content-Length: 262145", want: 413},
		"endless":                  {length: "Transfer-Encoding: chunked", endless: true, want: 413},
		"negative length":          {length: "Content-Length: -1", want: 400},
		"two lengths":              {length: "Content-Length: 5\r\nContent-Length: 6", want: 400},
		"shorter than announced":   {length: "Content-Length: 1000", body: half, want: 408, at: 10 * time.Second / haste},
		"longer than announced":    {length: "Content-Length: 50", body: half + "\r\n\r\n", want: 400},
		"chunks that are none":     {length: "Transfer-Encoding: chunked", body: "zz\r\n" + half, want: 400},
		"chunks without end":       {length: "Transfer-Encoding: chunked", body: "64\r\n" + half + "\r\n", want: 408, at: 10 * time.Second / haste},
	} {
		for _, inbox := range s.inboxes() {
			s.row("N28 "+name, func() {
				before := s.node.fingerprint()
				address := listener.Addr().String()
				if row.at > 0 {
					address = hasty.Addr().String()
				}
				conn := must2(net.Dial("tcp", address))(s.cluster)
				defer conn.Close()
				start := time.Now()
				s.must(conn.SetDeadline(start.Add(7 * time.Second)))
				must2(io.WriteString(conn, head(strings.TrimPrefix(inbox, s.node.urls.Base), row.length)+row.body))(s.cluster)
				written := make(chan int64, 1)
				go func() {
					var n int64
					for chunk := fmt.Sprintf("%x\r\n%s\r\n", 8192, strings.Repeat(" ", 8192)); row.endless && n < 64<<20; n += 8192 {
						if _, err := io.WriteString(conn, chunk); err != nil {
							break
						}
					}
					written <- n
				}()
				in := bufio.NewReader(conn)
				answer, err := http.ReadResponse(in, nil)
				if err == nil {
					_, _ = io.Copy(io.Discard, answer.Body)
				}
				closed := row.at > 0 && errors.Is(err, io.ErrUnexpectedEOF) // who is too slow need not be answered
				if !closed && (err != nil || answer.StatusCode != row.want) {
					s.t.Fatalf("answered %v, %v; want %d", answer, err, row.want)
				}
				_, err = io.Copy(io.Discard, in) // until it is closed
				if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
					s.t.Error("the connection stays open")
				}
				if took := time.Since(start); took > row.at+5*time.Second {
					s.t.Errorf("closed after %v, want about %v", took, row.at)
				}
				if n := <-written; n >= 32<<20 {
					s.t.Errorf("%d bytes were taken in", n)
				}
				s.unchanged(before)
			})
		}
	}
	// Of what is sent without end nothing is kept.
	s.row("N28 memory", func() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for range 20 {
			r := s.post(s.bob, s.vote(s.bob, s.q1, "Ja"))
			r.Body, r.ContentLength = io.NopCloser(io.LimitReader(spaces{}, 64<<20)), -1
			if status := s.send(r); status != http.StatusRequestEntityTooLarge {
				s.t.Errorf("answered %d, want 413", status)
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 1<<20 {
			s.t.Errorf("%d bytes more in memory", grown)
		}
	})
	s.deliver(s.bob, sized(262_144))
}

// spaces is a body of blanks without end.
type spaces struct{}

func (spaces) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	return len(b), nil
}
