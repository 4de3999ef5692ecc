package faults_test

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// resident is the node's memory in KiB that is not swapped out, and open the
// number of its file descriptors; both by proc(5).
func (n *node) resident() int {
	n.t.Helper()
	raw, err := os.ReadFile(filepath.Join(n.proc(), "status"))
	if err != nil {
		n.t.Fatalf("%v\n%s", err, n.log())
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				n.t.Fatal(err)
			}
			return kib
		}
	}
	n.t.Fatalf("no VmRSS in %s", raw)
	return 0
}

func (n *node) open() int {
	n.t.Helper()
	files, err := os.ReadDir(filepath.Join(n.proc(), "fd"))
	if err != nil {
		n.t.Fatal(err)
	}
	return len(files)
}

func (n *node) proc() string { return filepath.Join("/proc", strconv.Itoa(n.serve.Process.Pid)) }

// walSize is the size of the write-ahead log in KiB.
func (n *node) walSize() int {
	info, err := os.Stat(filepath.Join(n.dir, "data", "inspraak.db-wal"))
	if err != nil {
		return 0 // folded into the database
	}
	return int(info.Size() / 1024)
}

// percentile is the smallest duration that so many of a hundred do not exceed.
func percentile(took []time.Duration, percent int) time.Duration {
	if len(took) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(took))
	return sorted[min(len(sorted)-1, len(sorted)*percent/100)]
}

// slope is the least-squares slope of ys over xs.
func slope(xs, ys []float64) float64 {
	var mx, my, sxy, sxx float64
	for i := range xs {
		mx += xs[i] / float64(len(xs))
		my += ys[i] / float64(len(xs))
	}
	for i := range xs {
		sxy += (xs[i] - mx) * (ys[i] - my)
		sxx += (xs[i] - mx) * (xs[i] - mx)
	}
	if sxx == 0 {
		return 0
	}
	return sxy / sxx
}

// measured makes the node, which does not serve yet, show its figures, and
// returns where; "" if it has none to show.
func (n *node) measured() string {
	n.t.Helper()
	plain, err := os.ReadFile(n.config())
	if err != nil {
		n.t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", freePort(n.t))
	if err := os.WriteFile(n.config(), fmt.Appendf(plain, "metrics:\n  listen: %s\n", address), 0o600); err != nil {
		n.t.Fatal(err)
	}
	if out, err := n.cli("check", "--db"); err != nil {
		n.t.Logf("goroutines are not measured: the node has no metrics: %s", out)
		if err := os.WriteFile(n.config(), plain, 0o600); err != nil {
			n.t.Fatal(err)
		}
		return ""
	}
	return "http://" + address + "/metrics"
}

// goroutines is their number, as the node's figures say.
func (n *node) goroutines(metrics string) int {
	n.t.Helper()
	if metrics == "" {
		return 0
	}
	answer, err := http.Get(metrics)
	if err != nil {
		n.t.Errorf("metrics: %v", err)
		return 0
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), "go_goroutines "); ok {
			count, err := strconv.Atoi(rest)
			if err != nil {
				n.t.Error(err)
			}
			return count
		}
	}
	n.t.Errorf("no go_goroutines at %s: %v", metrics, lines.Err())
	return 0
}
