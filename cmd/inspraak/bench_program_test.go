package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"inspraak/activitypub"
	"inspraak/participation"
	"inspraak/store"
)

// A program is a served node, and this process's own hold on its database,
// through which it adds followers and publishes, as the commands do.
type program struct {
	b       *testing.B
	node    *Node
	urls    activitypub.URLs
	binary  string
	file    string // its configuration
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
	p := &program{b: b, urls: config.URLs, binary: binary, file: file}
	p.open()
	err = p.node.Service.SaveChannel(b.Context(), participation.Channel{Name: "bench", Title: "Bench", Language: "en"}, false)
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// open takes hold of the database.
func (p *program) open() {
	config, err := Load(p.file)
	if err != nil {
		p.b.Fatal(err)
	}
	p.node, err = OpenNode(p.b.Context(), config, Surroundings{Log: slog.New(slog.DiscardHandler), Now: time.Now})
	if err != nil {
		p.b.Fatal(err)
	}
}

// start serves the node, and returns how long it took to the first answer.
func (p *program) start() time.Duration {
	p.command = exec.Command(p.binary, "--config", p.file, "serve")
	p.command.Stderr = new(bytes.Buffer)
	began := time.Now()
	if err := p.command.Start(); err != nil {
		p.b.Fatal(err)
	}
	for end := began.Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if r, err := http.Get(p.urls.Base + "/nodeinfo/2.0"); err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return time.Since(began)
			}
		}
		if time.Now().After(end) {
			p.b.Fatalf("the node does not answer\n%s", p.command.Stderr)
		}
	}
}

// end ends the served node; stop lets go of its database as well.
func (p *program) end() {
	p.b.Helper()
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		p.b.Fatal(err)
	}
	if err := p.command.Wait(); err != nil {
		p.b.Fatalf("the node did not end well: %v\n%s", err, p.command.Stderr)
	}
}

func (p *program) stop() {
	p.end()
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

// memory is a figure of the served node's memory, such as VmRSS, in bytes
// (proc(5)).
func (p *program) memory(field string) int64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		p.b.Fatal(err)
	}
	for text := range strings.Lines(string(raw)) {
		if value, ok := strings.CutPrefix(text, field+":"); ok {
			n, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			if err != nil {
				p.b.Fatal(err)
			}
			return n << 10
		}
	}
	p.b.Fatalf("no %s in /proc", field)
	return 0
}

func (p *program) publish() participation.Consultation { return p.publishFor("") }

// publishFor opens a consultation with an auditor's key.
func (p *program) publishFor(auditor string) participation.Consultation {
	p.number++
	now := time.Now().UTC().Truncate(time.Second)
	c := participation.Consultation{
		Slug: fmt.Sprintf("bench-%d", p.number), Channel: "bench", Kind: participation.SingleChoice, Language: "en", Title: "Which?",
		Body: "Choose one.", Options: []string{"A", "B"}, Results: participation.AtClose, Zone: "UTC", OpensAt: now, ClosesAt: now.Add(time.Hour), Hashtags: []string{"plein"},
		Terms: participation.Terms{Level: participation.Advise, Promise: "p", DecidedBy: "d", DecidedWhen: "w", NotOpen: "n",
			Notice: "n", AuditorKey: auditor, BatchSize: 10, Interval: 3 * time.Minute, Grace: 3 * time.Minute},
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
