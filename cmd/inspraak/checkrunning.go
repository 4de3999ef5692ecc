package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"inspraak/participation"
)

// From when on `check` warns.
const (
	walTooLong   = 64 << 20 // bytes
	overdueFor   = time.Hour
	backupTooOld = 26 * time.Hour // one night and some hours
)

// checkRunning tells what a node that runs, or has run, leaves to be done.
func (o *office) checkRunning(a *app, f *findings) error {
	if size := o.db.Stats().WAL; size > walTooLong {
		f.warn("write-ahead log", "%d MiB: something has been reading the database for long; end it (a copy, an sqlite3 shell)", size>>20)
	}
	switch beat, err := o.LastBeat(a.ctx); {
	case err != nil:
		return err
	case beat.At.IsZero(): // never served
	case a.now().Sub(beat.At) > participation.OutageFrom:
		f.warn("sign of life", "the last one is of %s; is the node running?", o.localStamp(beat.At))
	default:
		f.ok("sign of life", "%s", o.localStamp(beat.At))
	}
	if err := o.checkDeliveries(a, f); err != nil {
		return err
	}
	known, unknown, err := o.db.Occupied(a.ctx)
	if err != nil {
		return err
	}
	if _, full := waitingFullness(known, unknown); full > 0.5 {
		f.warn("waiting room", "%.0f %% full, with %d requests whose signer's server does not answer; when it is full, senders are told to come back", 100*full, known+unknown)
	}
	switch at, err := lastBackup(o.Config); {
	case err != nil:
		f.warn("backup", "%v", err)
	case at.IsZero():
		f.warn("backup", "none was made yet; let `inspraak backup` run every night")
	case a.now().Sub(at) > backupTooOld:
		f.warn("backup", "the last one is of %s; see why `inspraak backup` no longer runs every night", o.localStamp(at))
	default:
		f.ok("backup", "the last one is of %s", o.localStamp(at))
	}
	if o.Metrics.Listen != "" {
		checkReady(a.ctx, o.Metrics.Listen, f)
	}
	return nil
}

func (o *office) checkDeliveries(a *app, f *findings) error {
	backlogs, err := o.db.Backlogs(a.ctx, a.now(), 1)
	if err != nil {
		return err
	}
	if len(backlogs) > 0 && a.now().Sub(backlogs[0].Since) > overdueFor {
		f.warn("deliveries", "some have been due since %s and were not made; is the node running?", o.localStamp(backlogs[0].Since))
	}
	failing, err := o.db.FailingHosts(a.ctx)
	if err != nil {
		return err
	}
	if failing > 0 {
		f.warn("deliveries", "servers that have not taken what was delivered three times or more: %d; they are tried for three days; if it is most of them, see whether this machine reaches the internet", failing)
	}
	return nil
}

// checkReady asks the node that runs how it fares, on the listener of its
// metrics.
func checkReady(ctx context.Context, address string, f *findings) {
	h, err := askReady(ctx, address)
	if err != nil {
		f.warn("running node", "metrics.listen %s: %v; is the node running, with this configuration?", address, err)
		return
	}
	for _, problem := range h.Problems {
		f.bad("running node", "%s", problem)
	}
	for _, warning := range h.Warnings {
		f.warn("running node", "%s", warning)
	}
	if len(h.Problems)+len(h.Warnings) == 0 {
		f.ok("running node", "it is ready")
	}
}

// askReady gets /readyz over a connection of its own: the guarded client reaches
// nothing on this machine.
func askReady(ctx context.Context, address string) (health, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*probePatience)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return health{}, err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return health{}, err
	}
	if _, err := fmt.Fprintf(conn, "GET /readyz HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", address); err != nil {
		return health{}, err
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return health{}, err
	}
	defer answer.Body.Close()
	var h health
	if !strings.HasPrefix(answer.Header.Get("Content-Type"), "application/json") {
		return health{}, fmt.Errorf("another program answers there: %s", answer.Status)
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, 1<<16)).Decode(&h); err != nil {
		return health{}, fmt.Errorf("its answer cannot be read: %w", err)
	}
	return h, nil
}
