package faults_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
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
)

// A node is one installation of the program, made by its own command line. It
// serves only between start and stop or kill.
type node struct {
	t      testing.TB
	dir    string   // with inspraak.yaml and data
	base   string   // "http://127.0.0.1:PORT"
	wrap   []string // a command that runs the program, such as prlimit; it must replace itself
	env    []string // added to the environment
	serve  *exec.Cmd
	waited chan error // of serve
}

// newNode makes a node with the channel "faults"; lines are added to its
// configuration.
func newNode(t testing.TB, lines ...string) *node {
	t.Helper()
	n := &node{t: t, dir: t.TempDir(), base: "http://127.0.0.1:" + strconv.Itoa(freePort(t))}
	n.must("init", "--yes", "--loopback", "--url", n.base, "--name", "Faults", "--contact", "a@example.org",
		"--channel", "faults", "--language", "en")
	f, err := os.OpenFile(n.config(), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) == 0 {
		lines = []string{"requests_per_second: 100000"} // all senders of a test have one address
	}
	if _, err := f.WriteString(strings.Join(lines, "\n") + "\n"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if n.serve != nil {
			n.kill()
		}
	})
	return n
}

func (n *node) config() string { return filepath.Join(n.dir, "inspraak.yaml") }
func (n *node) actor() string  { return n.base + "/a/faults" }
func (n *node) inbox() string  { return n.base + "/a/faults/inbox" }

// freePort finds a port below those that outgoing connections take: the node
// must find it free again after each kill.
func freePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 20000 + rand.IntN(12000)
		if l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port)); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

// cli runs one command of the program to its end and returns what it printed.
func (n *node) cli(args ...string) (string, error) {
	c := exec.Command(binary, append([]string{"--config", n.config()}, args...)...)
	c.Dir = n.dir
	out, err := c.CombinedOutput()
	return string(out), err
}

func (n *node) must(args ...string) string {
	n.t.Helper()
	out, err := n.cli(args...)
	if err != nil {
		n.t.Fatalf("inspraak %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// start serves, and returns how long it took until the first page was answered.
func (n *node) start() time.Duration {
	n.t.Helper()
	began := time.Now()
	n.launch()
	if !n.ready(20 * time.Second) {
		n.t.Fatalf("the node does not answer\n%s", n.log())
	}
	return time.Since(began)
}

// launch starts the process and does not wait for it.
func (n *node) launch() {
	n.t.Helper()
	args := append(n.wrap, binary, "--config", n.config(), "serve")
	n.serve = exec.Command(args[0], args[1:]...)
	n.serve.Env = append(os.Environ(), n.env...)
	log, err := os.OpenFile(filepath.Join(n.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		n.t.Fatal(err)
	}
	defer log.Close()
	n.serve.Stderr = log
	if err := n.serve.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.waited = make(chan error, 1)
	go func(c *exec.Cmd, waited chan error) { waited <- c.Wait() }(n.serve, n.waited)
}

// ready waits until the node answers, or its process has ended.
func (n *node) ready(patience time.Duration) bool {
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if r, err := client.Get(n.base + "/nodeinfo/2.0"); err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return true
			}
		}
		select {
		case err := <-n.waited:
			n.waited <- err
			return false
		default:
		}
	}
	return false
}

// log is the end of what the node has logged.
func (n *node) log() string {
	raw, err := os.ReadFile(filepath.Join(n.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(raw[max(0, len(raw)-4000):])
}

// kill ends the node with SIGKILL and waits until it is gone.
func (n *node) kill() {
	n.signal(syscall.SIGKILL)
	<-n.waited
	n.serve = nil
}

func (n *node) signal(s syscall.Signal) {
	if err := n.serve.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		n.t.Fatal(err)
	}
}

// ended waits for the process to end by itself and returns its error.
func (n *node) ended(patience time.Duration) error {
	n.t.Helper()
	select {
	case err := <-n.waited:
		n.serve = nil
		return err
	case <-time.After(patience):
		n.t.Fatalf("the node still runs after %s\n%s", patience, n.log())
		return nil
	}
}

// stop ends the node with SIGTERM, as a system does.
func (n *node) stop() {
	n.t.Helper()
	n.signal(syscall.SIGTERM)
	if err := n.ended(15 * time.Second); err != nil {
		n.t.Fatalf("the node did not end well: %v\n%s", err, n.log())
	}
}

// A poll is a published consultation of a node, with three options,
// whose counts are hidden until it closes.
type poll struct {
	node *node
	slug string
	id   string // of the Question
}

func options() []string { return []string{"Alder", "Birch", "Cedar"} }

// publish opens a consultation; the node must be serving.
func (n *node) publish(slug string) poll {
	n.t.Helper()
	file := filepath.Join(n.dir, slug+".md")
	text := fmt.Sprintf(`---
title: Which tree?
slug: %s
language: en
kind: single-choice
options: [%s]
closes: 2099-12-24 17:00
results: at-close
level: inform
promise: We answer.
decided_by: the council
decided_when: in March
not_open: Nothing.
notice: This is no formal objection.
batch_size: 1
interval: 1s
grace: 0s
---
Choose one.
`, slug, strings.Join(options(), ", "))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		n.t.Fatal(err)
	}
	n.must("consultation", "publish", file, "--yes")
	p := poll{node: n, slug: slug}
	p.id = p.result().ID
	return p
}

// A result is what the node says of a poll at result.json.
type result struct {
	ID         string         `json:"id"`
	Final      bool           `json:"final"`
	Turnout    int            `json:"turnout"`
	Pending    int            `json:"pending"`
	NotCounted map[string]int `json:"notCounted"`
	Options    []struct {
		Name  string `json:"name"`
		Votes int    `json:"votes"`
	} `json:"options"`
}

func (r result) votes(option string) int {
	for _, o := range r.Options {
		if o.Name == option {
			return o.Votes
		}
	}
	return 0
}

func (p poll) result() result {
	p.node.t.Helper()
	r, err := p.ask(context.Background())
	if err != nil {
		p.node.t.Fatalf("%v\n%s", err, p.node.log())
	}
	return r
}

func (p poll) ask(ctx context.Context) (r result, err error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.node.base+"/consultations/"+p.slug+"/result.json", nil)
	if err != nil {
		return r, err
	}
	request.Close = true
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return r, err
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		return r, fmt.Errorf("result.json: %s %s %w", answer.Status, raw, err)
	}
	return r, json.NewDecoder(bytes.NewReader(raw)).Decode(&r)
}

// close ends the voting by the command line and returns the final result.
func (p poll) close() result {
	p.node.t.Helper()
	p.node.must("consultation", "close", p.slug, "--reason", "The test is over", "--yes")
	r := p.result()
	if !r.Final {
		p.node.t.Errorf("%s is closed and its result not final", p.slug)
	}
	return r
}

// check demands that the node finds its own database sound.
func (n *node) check() {
	n.t.Helper()
	if out, err := n.cli("check", "--db", "--json"); err != nil {
		n.t.Errorf("check --db: %v\n%s", err, out)
	}
}
