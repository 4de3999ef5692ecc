package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"inspraak/activitypub"
	"inspraak/participation"
	"inspraak/simulation"
	"inspraak/store"
)

// BenchmarkNode measures the built program as a process of its own, over
// loopback sockets with keep-alive, and prints one table. CPU is user and
// system time of that process alone; each figure stands beside the cost of one
// RSA-2048 operation measured in the same run, on the same busy machine.
func BenchmarkNode(b *testing.B) {
	if runtime.GOOS != "linux" {
		b.Skip("CPU time of another process is read from /proc, which this system has not")
	}
	for b.Loop() {
		p := newProgram(b)
		verify, sign := rsaCosts(b)
		fmt.Printf("\nOne RSA-2048 verification %s, one signature %s.\n\n", round(verify), round(sign))
		fmt.Printf("%-58s %8s %12s %22s %9s\n", "", "number", "CPU each", "ratio", "p99")
		p.votes(verify)
		p.fanOut("fan-out to 200 shared inboxes", 200, 1, 5, sign)
		p.fanOut("fan-out to 1,000 personal inboxes on 200 hosts", 200, 5, 1, sign)
		p.stop()
	}
}

func round(d time.Duration) time.Duration { return d.Round(time.Microsecond) }

// rsaCosts is the CPU time of one verification and of one signature.
func rsaCosts(b *testing.B) (verify, sign time.Duration) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	sum := sha256.Sum256([]byte("inspraak"))
	var signature []byte
	sign = cpuOf(b, 300, func() {
		if signature, err = rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:]); err != nil {
			b.Fatal(err)
		}
	})
	verify = cpuOf(b, 10000, func() {
		if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], signature); err != nil {
			b.Fatal(err)
		}
	})
	return verify, sign
}

// cpuOf is the CPU time that this process spends on one call.
func cpuOf(b *testing.B, n int, do func()) time.Duration {
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := used()
	for range n {
		do()
	}
	return (used() - before) / time.Duration(n)
}

// A program is a served node, and this process's own hold on its database,
// through which it adds followers and publishes, as the commands do.
type program struct {
	b       *testing.B
	node    *Node
	urls    activitypub.URLs
	command *exec.Cmd
	number  int
}

func newProgram(b *testing.B) *program {
	dir := b.TempDir()
	binary := filepath.Join(dir, "inspraak")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		b.Fatalf("build: %v\n%s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	file := filepath.Join(dir, "inspraak.yaml")
	text := fmt.Sprintf("url: http://%s\nlisten: %s\nloopback: true\nrequests_per_second: 100000\nname: Bench\ncontact: bench@example.org\n", address, address)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	config, err := Load(file)
	if err != nil {
		b.Fatal(err)
	}
	keys, err := store.OpenKeys(config.Keys, true)
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{activitypub.InstanceKey, "bench"} {
		if err := keys.CreateActorKey(name); err != nil {
			b.Fatal(err)
		}
	}
	p := &program{b: b, urls: config.URLs}
	p.node, err = OpenNode(b.Context(), config, Surroundings{Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	err = p.node.Service.SaveChannel(b.Context(), participation.Channel{Name: "bench", Title: "Bench", Language: "en"}, false)
	if err != nil {
		b.Fatal(err)
	}
	p.command = exec.Command(binary, "--config", file, "serve")
	p.command.Stderr = new(bytes.Buffer)
	if err := p.command.Start(); err != nil {
		b.Fatal(err)
	}
	p.until("the node answers", func() bool {
		r, err := http.Get(config.URLs.Base + "/nodeinfo/2.0")
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
	return p
}

func (p *program) stop() {
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		p.b.Fatal(err)
	}
	if err := p.command.Wait(); err != nil {
		p.b.Fatalf("the node did not end well: %v\n%s", err, p.command.Stderr)
	}
	if err := p.node.Close(); err != nil {
		p.b.Fatal(err)
	}
}

func (p *program) until(what string, done func() bool) {
	p.b.Helper()
	for end := time.Now().Add(3 * time.Minute); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			p.b.Fatalf("gave up waiting until %s\n%s", what, p.command.Stderr)
		}
	}
}

// cpu is the user and system time of the served node so far.
func (p *program) cpu() time.Duration {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.command.Process.Pid))
	if err != nil {
		p.b.Fatal(err)
	}
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:])) // from the third field on, proc(5)
	var ticks int
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(field)
		if err != nil {
			p.b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

func (p *program) row(what string, n int, each time.Duration, unit string, of, p99 time.Duration) {
	latency := ""
	if p99 > 0 {
		latency = p99.Round(time.Millisecond).String()
	}
	fmt.Printf("%-58s %8d %12s %22s %9s\n", what, n, round(each), fmt.Sprintf("%.1f × %s", float64(each)/float64(of), unit), latency)
}

func (p *program) publish() participation.Consultation {
	p.number++
	now := time.Now().UTC().Truncate(time.Second)
	c := participation.Consultation{
		Slug: fmt.Sprintf("bench-%d", p.number), Channel: "bench", Kind: participation.SingleChoice, Language: "en", Title: "Which?",
		Body: "Choose one.", Options: []string{"A", "B"}, Results: participation.AtClose, Zone: "UTC", OpensAt: now, ClosesAt: now.Add(time.Hour),
		Terms: participation.Terms{Level: participation.Advise, Promise: "p", DecidedBy: "d", DecidedWhen: "w", NotOpen: "n",
			Notice: "n", BatchSize: 10, Interval: 3 * time.Minute, Grace: 3 * time.Minute},
	}
	if err := c.Prepare(); err != nil {
		p.b.Fatal(err)
	}
	if err := p.node.Service.Draft(p.b.Context(), &c); err != nil {
		p.b.Fatal(err)
	}
	c, err := p.node.Service.Publish(p.b.Context(), c.ID)
	if err != nil {
		p.b.Fatal(err)
	}
	return c
}

// votes sends the votes of as many voters from 64 senders: first with keys that
// must be fetched, then with the same keys cached.
func (p *program) votes(verify time.Duration) {
	const voters, senders = 4000, 64
	var server *simulation.Server
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.b.Fatal(err)
	}
	server = simulation.NewServer(simulation.Config{Kind: simulation.Mastodon, KeyPool: 4,
		Base: "http://mastodon.localhost:" + strconv.Itoa(l.Addr().(*net.TCPAddr).Port)})
	serving := &http.Server{Handler: server}
	go serving.Serve(l)
	defer serving.Close()
	actor := p.urls.Actor("bench")
	var ready [2][]simulation.SignedRequest
	var polls [2]participation.Consultation
	for i := range ready {
		polls[i] = p.publish()
		ready[i], err = server.SignedVotes(p.b.Context(), voters, p.urls.Object(polls[i].ID), actor, actor+"/inbox", []string{"A", "B"})
		if err != nil {
			p.b.Fatal(err)
		}
	}
	for i, what := range []string{"signed votes, each voter's key fetched first, 64 senders", "signed votes, key cached, 64 senders"} {
		before := p.cpu()
		p99 := p.send(ready[i], senders)
		p.until("the waiting room is empty", func() bool {
			n, err := p.node.DB.CountWaiting(p.b.Context(), polls[i].ID)
			return err == nil && n == 0
		})
		each := (p.cpu() - before) / voters
		p.row(what, voters, each, "RSA verification", verify, p99)
		t, err := p.node.DB.Tallies(p.b.Context(), polls[i])
		if err != nil || t.Ballots != voters {
			p.b.Fatalf("%d ballots of %d votes: %v", t.Ballots, voters, err)
		}
	}
}

func (p *program) send(ready []simulation.SignedRequest, senders int) (p99 time.Duration) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders, MaxConnsPerHost: senders}}
	defer client.CloseIdleConnections()
	took := make([]time.Duration, len(ready))
	var next atomic.Int64
	var group sync.WaitGroup
	for range senders {
		group.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(ready) {
					return
				}
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
				if took[i] = time.Since(began); answer.StatusCode != http.StatusAccepted {
					p.b.Errorf("a vote was answered %s", answer.Status)
					return
				}
			}
		})
	}
	group.Wait()
	slices.Sort(took)
	return took[len(took)*99/100]
}

// fanOut publishes to hosts with some personal inboxes each, or one shared
// inbox if it is one, and waits until all have received.
func (p *program) fanOut(what string, hosts, inboxes, times int, sign time.Duration) {
	var received atomic.Int64
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.b.Fatal(err)
	}
	sink := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		received.Add(1)
		w.WriteHeader(http.StatusAccepted)
	})}
	go sink.Serve(l)
	defer sink.Close()
	port := l.Addr().(*net.TCPAddr).Port
	for h := range hosts {
		base := fmt.Sprintf("http://h%d.localhost:%d", h, port)
		for i := range inboxes {
			f := activitypub.Follower{Channel: "bench", Actor: fmt.Sprintf("%s/users/%d", base, i), Since: time.Now(),
				FollowID: fmt.Sprintf("%s/follows/%d", base, i), Inbox: fmt.Sprintf("%s/users/%d/inbox", base, i)}
			if inboxes == 1 {
				f.Shared = base + "/inbox"
			}
			quiet := activitypub.Outgoing{ID: fmt.Sprintf("%s/accepts/%d-%d", p.urls.Base, h, i), Channel: "bench", Object: f.Actor, Body: []byte("{}"), At: time.Now()}
			if err := p.node.DB.SaveFollower(p.b.Context(), f, quiet); err != nil {
				p.b.Fatal(err)
			}
		}
	}
	n := hosts * inboxes * times
	before := p.cpu()
	for range times {
		p.publish()
	}
	p.until("all have received", func() bool { return received.Load() >= int64(n) })
	each := (p.cpu() - before) / time.Duration(n)
	p.row(what, n, each, "RSA signature", sign, 0)
	for h := range hosts {
		for i := range inboxes {
			if err := p.node.DB.RemoveFollower(p.b.Context(), "", fmt.Sprintf("http://h%d.localhost:%d/users/%d", h, port, i)); err != nil {
				p.b.Fatal(err)
			}
		}
	}
}
