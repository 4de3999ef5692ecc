package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"inspraak/participation"
	"inspraak/simulation"
	"inspraak/web"
)

// What a page may take: of the server's time, one in a hundred excepted, and of the
// visitor's line, with the style sheet and without images.
const (
	pageTime  = 20 * time.Millisecond
	pageBytes = 60 << 10

	pagesFor = 60 // seconds of votes
)

// BenchmarkPages asks for every address of the node, found by a walk through its
// router, while 500 votes a second arrive; one consultation is open, one closed,
// each with 100,000 ballots and 10,000 replies. BALLOTS in the environment sets
// another number of ballots, and a tenth of it of replies. CPU is the server's, with
// nothing else to do. Times are those of a visitor on the same machine, from the
// request to the last byte, so that they are never less than the server's; what the
// machine itself adds is seen at /robots.txt, for which the node does nothing.
func BenchmarkPages(b *testing.B) {
	needProc(b)
	ballots := 100_000
	if text := os.Getenv("BALLOTS"); text != "" {
		var err error
		if ballots, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		p := newProgram(b)
		open, closed := filled{p.publish(), ballots}, filled{p.publish(), ballots}
		for _, c := range []filled{open, closed} {
			p.fill(c)
			p.discuss(c.Consultation, ballots/10)
		}
		if _, err := p.node.Service.Close(b.Context(), closed.ID, "the measurement begins", 0); err != nil {
			b.Fatal(err)
		}
		if _, err := p.node.Service.FreezeDue(b.Context(), "Bench"); err != nil {
			b.Fatal(err)
		}
		if _, err := p.node.Service.WriteLogs(b.Context()); err != nil {
			b.Fatal(err)
		}
		p.start()
		pages := p.addresses(open.Consultation, closed.Consultation)
		p.look(pages)
		votes := p.signAhead(500*pagesFor, open.Consultation)
		var group sync.WaitGroup
		group.Go(func() { p.pace(votes, 500) })
		p.ask(pages)
		group.Wait()
		p.stop()
		report(pages)
	}
}

// discuss adds replies to a consultation, every third one an answer to another.
func (p *program) discuss(c participation.Consultation, n int) {
	words := strings.Repeat("Ik vind dat het plein groener mag, en dat er plaats blijft voor de markt. ", 3)
	var group sync.WaitGroup
	const workers = 64
	id := func(i int) string { return fmt.Sprintf("https://mastodon%d.example/notes/%s-%d", i%500, c.Slug, i) }
	for w := range workers {
		group.Go(func() {
			for i := w; i < n; i += workers {
				actor, parent := fmt.Sprintf("https://mastodon%d.example/users/citizen%d", i%500, i), p.urls.Object(c.ID)
				if i%3 == 2 {
					parent = id(i - 1)
				}
				err := p.node.Service.AddReply(context.Background(), participation.Reply{
					ID: id(i), Consultation: c.ID, Parent: parent, HTML: "<p>" + words + strconv.Itoa(i) + "</p>", Language: "nl", URL: id(i),
					Published: time.Now(), Visibility: participation.Public,
					Author: participation.Author{ID: actor, Name: fmt.Sprint("Inwoner ", i), Handle: fmt.Sprintf("citizen%d@mastodon%d.example", i, i%500)},
				}, true)
				if err != nil {
					p.b.Errorf("reply: %v", err)
					return
				}
			}
		})
	}
	group.Wait()
}

// A visited address is a route with its parameters filled in, and what came of it.
type visited struct {
	path       string
	status     int
	kind       string // media type
	bytes      int    // as sent, packed
	cpu        time.Duration
	took       []time.Duration
	again      int  // status of a second request
	kept       bool // whether it may be kept at all
	unmeasured string
}

// addresses lists every address that can be asked for, those of consultations once
// for the open one and once for the closed one.
func (p *program) addresses(open, closed participation.Consultation) (all []*visited) {
	voter := "https://mastodon7.example/users/citizen7"
	receipts, err := p.node.Service.Receipts(p.b.Context(), voter)
	if err != nil {
		p.b.Fatal(err)
	}
	site, err := web.Load()
	if err != nil {
		p.b.Fatal(err)
	}
	seen := map[string]bool{}
	routes := reflect.ValueOf(p.node.Handler).MethodByName("Routes").Call(nil)[0]
	for i := range routes.Len() {
		route := routes.Index(i).Elem().FieldByName("Path").String()
		if routes.Index(i).Elem().FieldByName("Method").String() != http.MethodGet || seen[route] {
			continue
		}
		seen[route] = true
		for _, c := range []participation.Consultation{open, closed} {
			token := "none"
			for _, r := range receipts {
				if r.Consultation.ID == c.ID {
					token = r.Token
				}
			}
			path := strings.NewReplacer("receipt/:token", "receipt/"+token, ":token", p.node.Service.DataToken(voter), "/log/:id", "/log/"+c.ID,
				"/o/:id/*", "/o/"+c.ID+"/replies", "/o/:id", "/o/"+c.ID, "posts/:id", "posts/none", "dataset/:name", "dataset/integrity.json",
				":name", "bench", ":slug", c.Slug, ":tag", "plein", ":version", "2.1", "/static/:file", site.AssetPath("style.css"), ":number", "1",
				"tile/entries/*", "tile/entries/000", "tile/*", "tile/0/000", ":year", strconv.Itoa(c.ClosesAt.Year())).Replace(route)
			a := &visited{path: path}
			switch {
			case strings.ContainsAny(path, ":*"):
				a.unmeasured = "nobody said what stands for its parameter"
			case strings.HasSuffix(path, ".zip"):
				a.unmeasured = "a file, not a page"
			}
			if !slices.ContainsFunc(all, func(other *visited) bool { return other.path == path }) {
				all = append(all, a)
			}
		}
	}
	return all
}

// A visitor asks as a browser does, and keeps nothing.
type visitor struct {
	p      *program
	client *http.Client
}

func newVisitor(p *program) visitor {
	return visitor{p, &http.Client{Transport: &http.Transport{DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// get asks for a page, or whether it is still what the visitor has.
func (v visitor) get(path, tag string) (answer *http.Response, bytes int, took time.Duration) {
	r, err := http.NewRequestWithContext(v.p.b.Context(), http.MethodGet, v.p.urls.Base+path, nil)
	if err != nil {
		v.p.b.Fatal(err)
	}
	r.Header.Set("Accept", "text/html,*/*;q=0.5")
	r.Header.Set("Accept-Encoding", "gzip")
	if tag != "" {
		r.Header.Set("If-None-Match", tag)
	}
	began := time.Now()
	if answer, err = v.client.Do(r); err != nil {
		v.p.b.Fatal(err)
	}
	n, err := io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
	if err != nil {
		v.p.b.Errorf("%s: %v", path, err)
	}
	return answer, int(n), time.Since(began)
}

// look asks for each address alone: what it answers, what it costs, and whether it
// is sent again to who has it.
func (p *program) look(pages []*visited) {
	v := newVisitor(p)
	defer v.client.CloseIdleConnections()
	for _, a := range pages {
		if a.unmeasured != "" {
			continue
		}
		answer, n, _ := v.get(a.path, "")
		a.status, a.bytes = answer.StatusCode, n
		a.kind, _, _ = strings.Cut(answer.Header.Get("Content-Type"), ";")
		if a.status != http.StatusOK {
			a.unmeasured = "answers " + answer.Status
			continue
		}
		a.kept = answer.Header.Get("Cache-Control") != "no-store"
		if tag := answer.Header.Get("ETag"); tag != "" {
			for range 3 { // what changes meanwhile has a new tag
				if answer, _, _ = v.get(a.path, tag); answer.StatusCode == http.StatusNotModified {
					break
				}
				tag = answer.Header.Get("ETag")
			}
			a.again = answer.StatusCode
		}
		const times = 50
		before := p.cpu()
		for range times {
			v.get(a.path, "")
		}
		a.cpu = (p.cpu() - before) / times
	}
}

// ask asks for each address in turn, over and over, while votes arrive.
func (p *program) ask(pages []*visited) {
	const pause = 5 * time.Millisecond
	v := newVisitor(p)
	defer v.client.CloseIdleConnections()
	for end := time.Now().Add(pagesFor * time.Second); ; {
		for _, a := range pages {
			if a.unmeasured != "" {
				continue
			}
			_, n, took := v.get(a.path, "")
			a.took, a.bytes = append(a.took, took), max(a.bytes, n)
			if time.Now().After(end) {
				return
			}
			time.Sleep(pause)
		}
	}
}

// signAhead makes so many votes of people whose keys the node knows: in the first
// consultation until all have voted there, then in others.
func (p *program) signAhead(n int, first participation.Consultation) (ready []simulation.SignedRequest) {
	const voters = 5000
	server := p.voters("pace")
	p.b.Cleanup(func() { server.serving.Close() })
	p.send(server.sign(voters, p.publish()), senders)
	for c := first; len(ready) < n; c = p.publish() {
		ready = append(ready, server.sign(min(voters, n-len(ready)), c)...)
	}
	return ready
}

// pace sends votes, so many a second, without waiting for answers.
func (p *program) pace(ready []simulation.SignedRequest, rate int) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}}
	defer client.CloseIdleConnections()
	var group sync.WaitGroup
	const beats = 50 // a second
	tick := time.NewTicker(time.Second / beats)
	defer tick.Stop()
	var mu sync.Mutex
	var took []time.Duration
	later := 0
	began := time.Now()
	for at := 0; at < len(ready); at += rate / beats {
		<-tick.C
		for _, vote := range ready[at:min(at+rate/beats, len(ready))] {
			group.Go(func() {
				r, err := http.NewRequestWithContext(context.Background(), vote.Method, vote.URL, bytes.NewReader(vote.Body))
				if err != nil {
					p.b.Error(err)
					return
				}
				r.Header, r.Host = vote.Header, vote.Host
				sent := time.Now()
				answer, err := client.Do(r)
				if err != nil {
					p.b.Error(err)
					return
				}
				io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
				mu.Lock()
				defer mu.Unlock()
				took = append(took, time.Since(sent))
				switch answer.StatusCode {
				case http.StatusAccepted:
				case http.StatusServiceUnavailable:
					later++
				default:
					p.b.Errorf("a vote was answered %s", answer.Status)
				}
			})
		}
	}
	group.Wait()
	slices.Sort(took)
	fmt.Println()
	line("votes a second meanwhile · p99 of their answers", "%.0f · %s; %d were told to come back", float64(len(took))/time.Since(began).Seconds(),
		took[len(took)*99/100].Round(time.Millisecond), later)
}

// report prints the table: pages first, slowest first, then what is for programs.
func report(all []*visited) {
	html := func(a *visited) bool { return a.kind == "text/html" }
	slices.SortStableFunc(all, func(a, b *visited) int {
		switch {
		case html(a) != html(b) && html(a):
			return -1
		case html(a) != html(b):
			return 1
		}
		return int(b.quantile(99) - a.quantile(99))
	})
	fmt.Printf("%-64s %9s %9s %9s %9s %6s\n", "", "CPU", "p50", "p99", "bytes", "again")
	style := 0 // comes with every page
	for _, a := range all {
		if a.kind == "text/css" {
			style = a.bytes
		}
	}
	unmeasured := map[string][]string{}
	for _, a := range all {
		if a.unmeasured != "" {
			unmeasured[a.unmeasured] = append(unmeasured[a.unmeasured], short(a.path))
			continue
		}
		var misses []string
		if a.quantile(99) > pageTime {
			misses = append(misses, "slow")
		}
		if a.bytes+style > pageBytes {
			misses = append(misses, "large")
		}
		if a.kept && a.again != http.StatusNotModified {
			misses = append(misses, "sent again")
		}
		if !html(a) {
			misses = []string{"(" + a.kind + ")"}
		}
		fmt.Printf("%-64s %9s %9s %9s %9d %6d  %s\n", short(a.path), a.cpu, a.quantile(50).Round(100*time.Microsecond), a.quantile(99).Round(100*time.Microsecond), a.bytes, a.again, strings.Join(misses, ", "))
	}
	for _, why := range slices.Sorted(maps.Keys(unmeasured)) {
		fmt.Printf("not measured, %s: %s\n", why, strings.Join(unmeasured[why], " "))
	}
}

// quantile is the time that so many in a hundred took at most.
func (a *visited) quantile(percent int) time.Duration {
	if len(a.took) == 0 {
		return 0
	}
	slices.Sort(a.took)
	return a.took[min(len(a.took)*percent/100, len(a.took)-1)]
}

// short cuts what is random in an address.
func short(path string) string {
	if len(path) > 62 {
		return path[:61] + "…"
	}
	return path
}
