package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"inspraak/participation"
)

// BenchmarkMillion measures what grows with the ballots: three consultations
// with a hundredth, a tenth and the whole of a million in one database, the same
// voters voting in each. BALLOTS in the environment sets another number.
func BenchmarkMillion(b *testing.B) {
	needProc(b)
	million := 1_000_000
	if text := os.Getenv("BALLOTS"); text != "" {
		var err error
		if million, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		p := newProgram(b)
		fmt.Println()
		heading()
		polls := p.grow(million/100, million/10, million)
		biggest := polls[len(polls)-1]
		line("serving after", "%s", p.start().Round(time.Millisecond))
		p.idle("resident memory, started and idle")
		p.growth(newYardstick(b), polls)
		line("resident memory, most under this load", "%d MB", p.memory("VmHWM")/1e6)
		p.idle("resident memory, idle again")
		began := time.Now()
		if _, err := p.node.Service.Close(b.Context(), biggest.ID, "the measurement is over", 0); err != nil {
			b.Fatal(err)
		}
		line(fmt.Sprintf("closing and counting %d ballots", biggest.ballots), "%s", time.Since(began).Round(time.Millisecond))
		p.pages("page of the question", "/consultations/"+biggest.Slug)
		p.pages("result page", "/consultations/"+biggest.Slug+"/result")
		p.pages("result as JSON", "/consultations/"+biggest.Slug+"/result.json")
		p.await("/consultations/" + biggest.Slug + "/dataset/manifest.txt")
		began = time.Now()
		if out, err := exec.CommandContext(b.Context(), p.binary, "--config", p.file, "check", "--db").CombinedOutput(); err != nil {
			b.Fatalf("check: %v\n%s", err, out)
		}
		line("check --db while the node runs", "%s", time.Since(began).Round(time.Millisecond))
		p.stop()
	}
}

// filled is a consultation with so many ballots.
type filled struct {
	participation.Consultation
	ballots int
}

// grow fills a consultation for each number, through the domain but not over
// the network, and prints what that took on disk.
func (p *program) grow(numbers ...int) (polls []filled) {
	before, began, total := p.size(), time.Now(), 0
	for _, n := range numbers {
		c := filled{p.publish(), n}
		p.fill(c)
		polls, total = append(polls, c), total+n
	}
	line(fmt.Sprintf("%d ballots made in", total), "%s", time.Since(began).Round(time.Second))
	line("bytes of disk for each", "%d", (p.size()-before)/int64(total))
	// As after some minutes of life the log has them, but for a last batch of each.
	for waiting := total; waiting > 10*len(polls); time.Sleep(5 * time.Second) {
		n, err := p.node.Service.WriteLogs(p.b.Context())
		if err != nil {
			p.b.Fatal(err)
		}
		waiting -= n
	}
	line("bytes of disk for each, with its log", "%d", (p.size()-before)/int64(total))
	return polls
}

func (p *program) fill(c filled) {
	const workers = 256
	received := time.Now()
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for i := w; i < c.ballots; i += workers {
				host := fmt.Sprintf("mastodon%d.example", i%500)
				actor := fmt.Sprintf("https://%s/users/citizen%d", host, i)
				outcome, err := p.node.Service.CastVote(context.Background(), participation.Vote{
					Consultation: c.ID, Actor: actor, Host: host, Inbox: "https://" + host + "/inbox", ReceivedAt: received,
					Marks: []participation.Mark{{Object: actor + "#votes/1", Name: c.Options[i%2]}},
				})
				if err != nil || outcome != participation.Counted {
					p.b.Errorf("fill: %s: %v", outcome, err)
					return
				}
			}
		})
	}
	group.Wait()
}

// size is the size of the database file in bytes, its log folded in.
func (p *program) size() int64 {
	if err := p.node.Close(); err != nil {
		p.b.Fatal(err)
	}
	p.open()
	info, err := os.Stat(p.node.config.Database())
	if err != nil {
		p.b.Fatal(err)
	}
	return info.Size()
}

// growth prints what a vote costs in each consultation.
func (p *program) growth(y *yardstick, polls []filled) {
	const voters = 6000
	server := p.voters("mastodon")
	defer server.serving.Close()
	warm := p.publish()
	p.vote(y, server.sign(voters, warm), warm)
	var first float64
	for _, c := range polls {
		each, unit, p99 := p.vote(y, server.sign(voters, c.Consultation), c.Consultation)
		row(fmt.Sprintf("signed votes, key cached, beside %d ballots", c.ballots), voters, each, "verification", unit, p99)
		ratio := float64(each) / float64(unit)
		if first == 0 {
			first = ratio
		}
		line("  against the smallest", "%.2f ×", ratio/first)
	}
}

// idle prints the resident memory when the node has had time to return what it
// does not need.
func (p *program) idle(what string) {
	time.Sleep(130 * time.Second)
	line(what, "%d MB", p.memory("VmRSS")/1e6)
}

// await waits until an address answers: what is published there takes its time.
func (p *program) await(path string) {
	for end := time.Now().Add(5 * time.Minute); ; time.Sleep(time.Second) {
		r, err := http.Head(p.urls.Base + path)
		if err != nil {
			p.b.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode == http.StatusOK {
			return
		}
		if time.Now().After(end) {
			p.b.Fatalf("%s: %s", path, r.Status)
		}
	}
}

// pages prints what a page costs the node, and how long it takes.
func (p *program) pages(what, path string) {
	const times = 300
	var took []time.Duration
	before := p.cpu()
	for range times {
		began := time.Now()
		r, err := http.Get(p.urls.Base + path)
		if err != nil {
			p.b.Fatal(err)
		}
		io.Copy(io.Discard, r.Body)
		r.Body.Close()
		if took = append(took, time.Since(began)); r.StatusCode != http.StatusOK {
			p.b.Fatalf("%s: %s", path, r.Status)
		}
	}
	slices.Sort(took)
	line(what, "%s of CPU, half of them in %s, all in %s", round((p.cpu()-before)/times), round(took[times/2]), round(took[times-1]))
}
