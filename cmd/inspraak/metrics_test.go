package main

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"inspraak/participation"
	"inspraak/simulation"
	"inspraak/store"
)

// ask asks the listener of those who watch.
func (n *testNode) ask(path string) *httptest.ResponseRecorder {
	n.cluster.t.Helper()
	w := httptest.NewRecorder()
	n.Watch.ServeHTTP(w, httptest.NewRequestWithContext(n.cluster.t.Context(), http.MethodGet, path, nil))
	return w
}

// scrape returns the text of /metrics and the value of each series in it.
func (n *testNode) scrape() (text string, series map[string]float64) {
	t := n.cluster.t
	t.Helper()
	w := n.ask("/metrics")
	if w.Code != http.StatusOK {
		t.Fatalf("/metrics answered %d: %s", w.Code, w.Body)
	}
	text, series = w.Body.String(), map[string]float64{}
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		name, value, ok := strings.Cut(strings.ReplaceAll(lines.Text(), ", ", ","), " ")
		if !ok || name == "#" {
			continue
		}
		number, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		series[name] = number
	}
	return text, series
}

// watched is a siege in which something of everything has happened.
func watched(t *testing.T) *siege {
	s := newSiege(t)
	first := s.vote(s.bob, s.q1, "Ja")
	s.deliver(s.bob, first)
	s.deliver(s.bob, first)
	s.deliver(s.alice, s.vote(s.alice, s.q1, "Café"))
	s.deliver(s.eve, s.vote(s.eve, s.q1, "Misschien"))
	s.deliver(s.eve, s.vote(s.eve, s.q3, "Nee"))
	for _, body := range s.alice.VoteActivities(s.object(s.q2), s.node.actor(), "A", "B") {
		s.deliver(s.alice, body)
	}
	unsigned := must2(s.eve.Request(t.Context(), http.MethodPost, s.node.urls.SharedInbox(), first, simulation.SignOptions{}))(s.cluster)
	unsigned.Header.Del("Signature")
	if status := s.send(unsigned); status != http.StatusUnauthorized {
		t.Fatalf("an unsigned activity was answered %d", status)
	}
	slow := s.server(simulation.Mastodon, "slow.example")
	who := slow.Account("sam")
	serve(slow, who.ID(), simulation.Override{Status: http.StatusServiceUnavailable})
	s.deliver(who, s.vote(who, s.q1, "Nee"))
	for _, path := range []string{"/", "/consultations/q1", "/consultations/q1/result.json", "/nowhere"} {
		s.node.get(path, "text/html")
	}
	s.node.get("/consultations/q1", "application/activity+json")
	return s
}

// After votes whose number is known, the figures say so.
func TestMetrics(t *testing.T) {
	s := watched(t)
	_, series := s.node.scrape()
	for name, want := range map[string]float64{
		`inspraak_votes_total{outcome="counted"}`:                                            4,
		`inspraak_votes_total{outcome="repeated"}`:                                           1,
		`inspraak_votes_total{outcome="unknown-option"}`:                                     1,
		`inspraak_votes_total{outcome="late"}`:                                               1,
		`inspraak_inbox_answers_total{status="202"}`:                                         11, // three of them follows
		`inspraak_inbox_answers_total{status="401"}`:                                         1,
		`inspraak_servers_delayed_total`:                                                     0,
		`inspraak_waiting_requests`:                                                          1,
		`inspraak_waiting_taken_total`:                                                       1,
		`inspraak_waiting_full_ratio{servers="known"}`:                                       1. / 20000,
		`inspraak_waiting_full_ratio{servers="others"}`:                                      1. / 10000,
		`inspraak_fetches_total{outcome="failed"}`:                                           1,
		`inspraak_consultations{phase="open"}`:                                               2,
		`inspraak_consultations{phase="closed"}`:                                             1,
		`inspraak_consultations_under_review`:                                                0,
		`inspraak_delivery_failing_hosts`:                                                    0,
		`inspraak_delivery_overdue_seconds{host="other"}`:                                    0,
		`inspraak_writer_failed_total`:                                                       0,
		`inspraak_last_backup_timestamp_seconds`:                                             0,
		`inspraak_time_seconds`:                                                              float64(s.clock().Unix()),
		`inspraak_http_request_duration_seconds_count{class="inbox",status="2xx"}`:           11,
		`inspraak_http_request_duration_seconds_count{class="inbox",status="4xx"}`:           1,
		`inspraak_http_request_duration_seconds_count{class="page",status="2xx"}`:            2,
		`inspraak_http_request_duration_seconds_count{class="feed",status="4xx"}`:            0,
		`inspraak_http_request_duration_seconds_count{class="none",status="4xx"}`:            1,
		`inspraak_http_request_duration_seconds_count{class="file",status="2xx"}`:            0,
		`inspraak_http_request_duration_seconds_bucket{class="page",status="2xx",le="+Inf"}`: 2,
	} {
		if got, ok := series[name]; !ok || got != want {
			t.Errorf("%s is %v (there: %v), want %v", name, got, ok, want)
		}
	}
	for _, name := range []string{"inspraak_writer_group_jobs_sum", "inspraak_writer_seconds_total", "inspraak_wal_bytes",
		"inspraak_disk_free_bytes", "process_open_fds", "process_max_fds", "go_goroutines", "inspraak_last_beat_timestamp_seconds",
		`inspraak_http_request_duration_seconds_count{class="document",status="2xx"}`} {
		if series[name] <= 0 {
			t.Errorf("%s is %v", name, series[name])
		}
	}
	if groups, jobs := series["inspraak_writer_group_jobs_count"], series["inspraak_writer_group_jobs_sum"]; groups < 1 || jobs < groups ||
		series[`inspraak_writer_group_jobs_bucket{le="128"}`] != groups {
		t.Errorf("%v jobs in %v groups", jobs, groups)
	}
}

// Nothing that is scraped tells who took part, what was chosen, or where.
func TestMetricsTellNoVotes(t *testing.T) {
	s := watched(t)
	s.publish()
	text, _ := s.node.scrape()
	for _, secret := range []string{"bob", "alice", "eve", "sam", "m1.example", "evil.example", "slow.example",
		"Café", "Misschien", s.q1.ID, s.q2.ID, "q1", "192.0.2"} {
		if regexp.MustCompile(`\b` + regexp.QuoteMeta(secret) + `\b`).MatchString(text) {
			t.Errorf("the metrics tell %q", secret)
		}
	}
	known := map[string]string{ // label names, and the values they may have
		"outcome": `^(counted|repeated|late|early|unknown-option|not-allowed|revoked|not-votable|had|failed|delivered|dropped|code|my-data|help|quiet|limited|automated)$`,
		"status":  `^([2345]xx|202|40[0134]|429|503)$`,
		"servers": `^(known|others)$`,
		"host":    `^other$`, // servers of which ten accounts are known; there is none here
		"kind":    `^(outage|rollback)$`,
		"phase":   `^(scheduled|open|closed)$`,
		"class":   `^(inbox|document|feed|page|file|none)$`,
		"le":      `^([0-9.]+|\+Inf)$`, "quantile": `^[0-9.]+$`, "version": `^go`,
	}
	for _, label := range regexp.MustCompile(`[{,](\w+)="([^"]*)"`).FindAllStringSubmatch(text, -1) {
		pattern, ok := known[label[1]]
		if !ok || !regexp.MustCompile(pattern).MatchString(label[2]) {
			t.Errorf("label %s=%q is not among those that tell nothing", label[1], label[2])
		}
	}
}

// publish leaves deliveries due.
func (s *siege) publish() {
	s.t.Helper()
	s.node.publish("q4", participation.SingleChoice, participation.AtClose, "Ja", "Nee")
	for {
		worked, err := s.node.Node.publish(s.t.Context())
		s.must(err)
		if !worked {
			return
		}
	}
}

// A node whose database cannot be written is not ready, says why, and is not
// restarted for it; nor is one that stops.
func TestReadiness(t *testing.T) {
	c := newCluster(t)
	n := c.node("node.example", "consult")
	expect := func(path string, status int, words string) {
		t.Helper()
		w := n.ask(path)
		if w.Code != status || !strings.Contains(w.Body.String(), words) || strings.Count(w.Body.String(), "\n") != 1 {
			t.Errorf("%s: %d %s, want %d with %q on one line", path, w.Code, w.Body, status, words)
		}
	}
	expect("/readyz", http.StatusOK, `"ok":true`)
	other, err := store.Open(t.Context(), n.config.Database(), n.log)
	c.must(err)
	defer other.Close()
	held, release, ended := make(chan bool), make(chan bool), make(chan error)
	go func() {
		ended <- other.Update(context.Background(), func(participation.Tx) error { close(held); <-release; return nil })
	}()
	<-held
	expect("/readyz", http.StatusServiceUnavailable, "the database cannot be written")
	expect("/healthz", http.StatusOK, `"ok":true`)
	close(release)
	c.must(<-ended)
	for range 200 { // the trial that hung ends by itself
		if n.ask("/readyz").Code == http.StatusOK {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	expect("/readyz", http.StatusOK, `"ok":true`)
	_, err = n.heartbeat(t.Context())
	c.must(err)
	c.jump(31 * time.Second)
	expect("/readyz", http.StatusServiceUnavailable, "the last sign of life is 31s old")
	_, err = n.heartbeat(t.Context())
	c.must(err)
	expect("/readyz", http.StatusOK, `"ok":true`)
	if _, series := n.scrape(); series[`inspraak_incidents_total{kind="outage"}`] != 1 {
		t.Error("an outage is not counted")
	}
	n.stopping.Store(true)
	expect("/readyz", http.StatusServiceUnavailable, "the node is stopping")
	expect("/healthz", http.StatusOK, `"ok":true`)
	c.must(n.DB.Close())
	n.stopping.Store(false)
	expect("/readyz", http.StatusServiceUnavailable, "it is closed")
}

// Every metric that an alarm watches must be one that a node exports.
func TestAlarms(t *testing.T) {
	src, err := os.ReadFile(filepath.Join(root, "docs", "deploy", "alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.UnmarshalWithOptions(src, &file, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	text, _ := watched(t).node.scrape()
	var exported []string
	for _, line := range regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)`).FindAllStringSubmatch(text, -1) {
		exported = append(exported, line[1])
		if line[2] == "histogram" {
			exported = append(exported, line[1]+"_bucket", line[1]+"_sum", line[1]+"_count")
		}
	}
	var alarms []string
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			alarms = append(alarms, rule.Alert)
			if rule.Expr == "" || rule.Annotations["summary"] == "" || rule.Annotations["action"] == "" ||
				!slices.Contains([]string{"page", "ticket"}, rule.Labels["severity"]) {
				t.Errorf("%s: an alarm has an expression, a severity (page or ticket), a summary and an action", rule.Alert)
			}
			watches := regexp.MustCompile(`\b(inspraak|process|go)_\w+`).FindAllString(rule.Expr, -1)
			if len(watches) == 0 && !strings.HasPrefix(rule.Expr, "up{") {
				t.Errorf("%s watches nothing of the node: %s", rule.Alert, rule.Expr)
			}
			for _, name := range watches {
				if !slices.Contains(exported, name) {
					t.Errorf("%s watches %s, which no node exports", rule.Alert, name)
				}
			}
			if opened, closed := strings.Count(rule.Expr, "("), strings.Count(rule.Expr, ")"); opened != closed {
				t.Errorf("%s: parentheses in %s", rule.Alert, rule.Expr)
			}
		}
	}
	slices.Sort(alarms)
	if len(alarms) < 12 || len(slices.Compact(alarms)) != len(alarms) {
		t.Errorf("alarms: %q", alarms)
	}
}
