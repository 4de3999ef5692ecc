package main

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

// BenchmarkNode measures the built program as a process of its own, over
// loopback sockets with keep-alive, and prints one table. CPU is user and
// system time of that process alone; each figure stands beside the cost of one
// RSA-2048 operation on the same processors at the same time (see yardstick).
func BenchmarkNode(b *testing.B) {
	needProc(b)
	for b.Loop() {
		y := newYardstick(b)
		fmt.Printf("\nAlone, one RSA-2048 verification takes %s, one signature %s.\n\n", round(y.alone(y.verify)), round(y.alone(y.sign)))
		heading()
		p := newProgram(b)
		p.start()
		p.votes(y)
		p.slowKeys()
		p.fanOut(y, "fan-out to 200 shared inboxes", 200, 1, 5)
		p.fanOut(y, "fan-out to 1,000 personal inboxes on 200 hosts", 200, 5, 1)
		p.badHosts()
		p.stop()
	}
}

func needProc(b *testing.B) {
	if runtime.GOOS != "linux" {
		b.Skip("CPU time of another process is read from /proc, which this system has not")
	}
}

func heading() {
	fmt.Printf("%-58s %8s %10s %42s %8s\n", "", "number", "CPU each", "ratio", "p99")
}

// row prints one line. unit is what the ratio counts in: its cost beside the
// load.
func row(what string, n int, each time.Duration, unit string, of, p99 time.Duration) {
	latency := ""
	if p99 > 0 {
		latency = p99.Round(time.Millisecond).String()
	}
	fmt.Printf("%-58s %8d %10s %42s %8s\n", what, n, round(each),
		fmt.Sprintf("%.1f × %s of %s", float64(each)/float64(of), unit, round(of)), latency)
}

// line prints a figure that is no ratio.
func line(what, format string, args ...any) {
	fmt.Printf("%-58s %s\n", what, fmt.Sprintf(format, args...))
}

func round(d time.Duration) time.Duration { return d.Round(time.Microsecond) }
