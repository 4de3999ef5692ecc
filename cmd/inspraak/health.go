package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"inspraak/participation"
)

// What a node that is well can do.
const (
	writerPatience = 30 * time.Second // a transaction that takes longer hangs
	probePatience  = 2 * time.Second  // for a trial write
	leastDisk      = 100 << 20        // bytes free, below which the node is not ready
	fewFiles       = 4096             // open files; every connection is one
)

// health is what /healthz and /readyz answer, as one line of JSON: 200 if
// nothing is wrong, else 503.
type health struct {
	OK       bool     `json:"ok"`
	Problems []string `json:"problems"`
	Warnings []string `json:"warnings,omitempty"` // need care, but the node can go on
}

func (h *health) wrong(format string, args ...any) {
	h.Problems = append(h.Problems, fmt.Sprintf(format, args...))
}

// alive tells whether the process works at all: a node that is not is worth a
// restart.
func (n *Node) alive() health {
	h := health{Problems: []string{}}
	if busy := n.DB.Stats().WriterBusy; busy > writerPatience {
		h.wrong("the writer hangs: it has been at one transaction for %s; look at the disk, then restart the node", busy.Round(time.Second))
	}
	h.OK = len(h.Problems) == 0
	return h
}

// ready tells whether the node can take votes now. It writes to the database,
// durably, to know.
func (n *Node) ready(ctx context.Context) health {
	h := n.alive()
	if n.stopping.Load() {
		h.wrong("the node is stopping")
	}
	ctx, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	if err := n.DB.Probe(ctx); err != nil {
		h.wrong("the database cannot be written: %v; see whether the disk is full or failing, or another program holds the file", err)
	}
	if beat, err := n.Service.LastBeat(ctx); err != nil {
		h.wrong("the database cannot be read: %v", err)
	} else if age := n.now().Sub(beat.At); !beat.At.IsZero() && age > participation.OutageFrom {
		h.wrong("the last sign of life is %s old; see the log for \"heartbeat\"", age.Round(time.Second))
	}
	if free, err := freeSpace(n.config.Data); err == nil && free < leastDisk {
		h.wrong("%d MiB free on %s: make room now, or votes will be refused", free>>20, n.config.Data)
	}
	if most, err := descriptors(); err == nil && most < fewFiles {
		h.Warnings = append(h.Warnings, fmt.Sprintf("at most %d files and connections may be open at a time; allow 65536 (LimitNOFILE in the systemd unit)", most))
	}
	h.OK = len(h.Problems) == 0
	return h
}

// serve answers 200 or 503.
func (h health) serve(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if !h.OK {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(h) // if it cannot be sent, who asked has gone
}

// watch is the handler for those who watch over the node: never on the
// listener that the public reaches.
func (n *Node) watch(r *prometheus.Registry) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(r, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4, Timeout: 2 * scrapeTime,
	}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { n.alive().serve(w) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) { n.ready(r.Context()).serve(w) })
	return mux
}

// startWatch serves watch where the configuration says, if it does, until stop.
func (n *Node) startWatch(ctx context.Context) (stop func() error, err error) {
	address := n.config.Metrics.Listen
	if address == "" {
		return func() error { return nil }, nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for metrics on %s: %w (is another program using it?)", address, err)
	}
	server := &http.Server{Handler: n.Watch, ReadTimeout: 5 * time.Second, WriteTimeout: 3 * scrapeTime,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			n.log.Error("metrics can no longer be asked for", "error", err)
		}
	}()
	return server.Close, nil
}
