package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"inspraak/activitypub"
	"inspraak/handlers"
	"inspraak/participation"
)

// requestTimes measures answers by the class of their route and the class of
// their status. All series exist from the start, so that observing is cheap.
type requestTimes struct {
	vector *prometheus.HistogramVec
	series map[string][6]prometheus.Observer // by class; by the first digit of the status
}

func newRequestTimes() *requestTimes {
	r := &requestTimes{series: map[string][6]prometheus.Observer{}, vector: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "inspraak_http_request_duration_seconds",
		Help:    "Time to answer requests, by class of address and of status.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	}, []string{"class", "status"})}
	for _, class := range handlers.Classes() {
		var byStatus [6]prometheus.Observer
		for digit := 2; digit < len(byStatus); digit++ {
			byStatus[digit] = r.vector.WithLabelValues(class, strconv.Itoa(digit)+"xx")
		}
		r.series[class] = byStatus
	}
	return r
}

// observe implements handlers.Config.Observe.
func (r *requestTimes) observe(class string, status int, took time.Duration) {
	if digit := status / 100; digit >= 2 && digit <= 5 {
		if o := r.series[class][digit]; o != nil {
			o.Observe(took.Seconds())
		}
	}
}

// A figure is one metric, described once.
type figure struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func (f figure) send(ch chan<- prometheus.Metric, value float64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(f.desc, f.kind, value, labels...)
}

// nodeFigures turns what the rooms tell of themselves into metrics, at each
// scrape. It tells nothing of what was chosen, and nothing of who took part:
// numbers are the node's, not a consultation's, and of other servers only those
// are named of which many accounts are known.
type nodeFigures struct {
	node *Node
	all  []figure

	votes, answers, delayed, direct                        figure
	waiting, waitingFull, waitingTaken, waitingGivenUp     figure
	fetches, unserved                                      figure
	deliveries, queue, due, overdue, failing, paused       figure
	groups, writeFailures, writeTime, writeQueue, writeNow figure
	wal, disk                                              figure
	consultations, underReview                             figure
	clock, backup, beat, incidents                         figure
}

func newNodeFigures(n *Node) *nodeFigures {
	c := &nodeFigures{node: n}
	describe := func(kind prometheus.ValueType, name, help string, labels ...string) figure {
		f := figure{prometheus.NewDesc("inspraak_"+name, help, labels, nil), kind}
		c.all = append(c.all, f)
		return f
	}
	const count, now = prometheus.CounterValue, prometheus.GaugeValue
	c.votes = describe(count, "votes_total", "Votes judged, by what became of them, in all consultations together.", "outcome")
	c.answers = describe(count, "inbox_answers_total", "Activities judged, by the status they were answered with.", "status")
	c.delayed = describe(count, "servers_delayed_total", "Times that a new server had to wait among many new ones of its domain.")
	c.direct = describe(count, "direct_messages_total", "Direct messages to channels, by what became of them.", "outcome")
	c.waiting = describe(now, "waiting_requests", "Requests that wait for their signer's key.")
	c.waitingFull = describe(now, "waiting_full_ratio", "How full the waiting room is for servers known before and for others: at 1 they are told to come back.", "servers")
	c.waitingTaken = describe(count, "waiting_taken_total", "Requests taken into the waiting room.")
	c.waitingGivenUp = describe(count, "waiting_given_up_total", "Requests whose signature could not be checked in time.")
	c.fetches = describe(count, "fetches_total", "Documents of other servers asked for, by whether they could be had.", "outcome")
	c.unserved = describe(now, "fetch_failing_hosts", "Servers that are asked for nothing now, because too many fetches failed.")
	c.deliveries = describe(count, "deliveries_total", "Attempts to deliver: delivered, failed (to be repeated), dropped.", "outcome")
	c.queue = describe(now, "delivery_queue", "Deliveries still to be made.")
	c.due = describe(now, "delivery_due", "Deliveries that could be made now, of the 20 servers that wait longest; small servers together are other.", "host")
	c.overdue = describe(now, "delivery_overdue_seconds", "How long the first of these deliveries has been due.", "host")
	c.failing = describe(now, "delivery_failing_hosts", "Servers to which a delivery has failed three times or more.")
	c.paused = describe(now, "delivery_paused_hosts", "Servers left alone for now, because deliveries failed.")
	c.groups = describe(count, "writer_group_jobs", "Jobs that shared one transaction.")
	c.writeFailures = describe(count, "writer_failed_total", "Transactions that could not be committed: what they held was refused and will come again.")
	c.writeTime = describe(count, "writer_seconds_total", "Time spent in transactions.")
	c.writeQueue = describe(now, "writer_queue_jobs", "Jobs that wait for the writer.")
	c.writeNow = describe(now, "writer_busy_seconds", "How long the present transaction takes already.")
	c.wal = describe(now, "wal_bytes", "Size of the database's write-ahead log.")
	c.disk = describe(now, "disk_free_bytes", "Space left for the database.")
	c.consultations = describe(now, "consultations", "Consultations, by phase.", "phase")
	c.underReview = describe(now, "consultations_under_review", "Consultations that cannot be counted now.")
	c.clock = describe(now, "time_seconds", "The node's clock, as Unix time.")
	c.backup = describe(now, "last_backup_timestamp_seconds", "When a backup was last written, as Unix time; 0 if never.")
	c.beat = describe(now, "last_beat_timestamp_seconds", "The node's last sign of life that is on disk, as Unix time.")
	c.incidents = describe(count, "incidents_total", "Outages and accepted rollbacks ever recorded.", "kind")
	return c
}

// Describe implements prometheus.Collector.
func (c *nodeFigures) Describe(ch chan<- *prometheus.Desc) {
	for _, f := range c.all {
		ch <- f.desc
	}
}

// scrapeTime bounds what a scrape may ask of the database.
const scrapeTime = 5 * time.Second

// Collect implements prometheus.Collector. What cannot be had is reported as an
// error of its own metric; the rest is served.
func (c *nodeFigures) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	c.federation(ch, c.node.Federation.Stats())
	c.writer(ch)
	c.disk.try(ch, func() error {
		free, err := freeSpace(c.node.config.Data)
		if err == nil {
			c.disk.send(ch, float64(free))
		}
		return err
	})
	c.waiting.try(ch, func() error { return c.room(ctx, ch) })
	c.queue.try(ch, func() error { return c.deliveryQueue(ctx, ch) })
	c.consultations.try(ch, func() error { return c.phases(ctx, ch) })
	c.beat.try(ch, func() error { return c.life(ctx, ch) })
	c.clock.send(ch, float64(c.node.now().UnixMilli())/1000)
	c.backup.try(ch, func() error {
		at, err := lastBackup(c.node.config)
		seconds := 0.0
		if !at.IsZero() {
			seconds = float64(at.Unix())
		}
		c.backup.send(ch, seconds)
		return err
	})
}

// try sends what get sends, and an error in the place of what it could not.
func (f figure) try(ch chan<- prometheus.Metric, get func() error) {
	if err := get(); err != nil {
		ch <- prometheus.NewInvalidMetric(f.desc, err)
	}
}

func (c *nodeFigures) federation(ch chan<- prometheus.Metric, s activitypub.Stats) {
	for outcome, n := range s.Votes {
		c.votes.send(ch, float64(n), string(outcome))
	}
	for status, n := range s.Answers {
		c.answers.send(ch, float64(n), strconv.Itoa(status))
	}
	c.delayed.send(ch, float64(s.Delayed))
	for outcome, n := range s.Direct {
		c.direct.send(ch, float64(n), string(outcome))
	}
	c.waitingTaken.send(ch, float64(s.Waited))
	c.waitingGivenUp.send(ch, float64(s.GivenUp))
	c.fetches.send(ch, float64(s.Fetched), "had")
	c.fetches.send(ch, float64(s.Unfetched), "failed")
	c.unserved.send(ch, float64(s.Unserved))
	c.deliveries.send(ch, float64(s.Delivered), "delivered")
	c.deliveries.send(ch, float64(s.Failed), "failed")
	c.deliveries.send(ch, float64(s.Dropped), "dropped")
	c.paused.send(ch, float64(len(s.Broken)))
}

func (c *nodeFigures) writer(ch chan<- prometheus.Metric) {
	s := c.node.DB.Stats()
	groups, atMost := uint64(0), map[float64]uint64{}
	for i, n := range s.Groups {
		groups += uint64(n)
		atMost[math.Exp2(float64(i))] = groups
	}
	ch <- prometheus.MustNewConstHistogram(c.groups.desc, groups, float64(s.Jobs), atMost)
	c.writeFailures.send(ch, float64(s.Failed))
	c.writeTime.send(ch, s.Writing.Seconds())
	c.writeQueue.send(ch, float64(s.Queue))
	c.writeNow.send(ch, s.WriterBusy.Seconds())
	c.wal.send(ch, float64(s.WAL))
}

func (c *nodeFigures) room(ctx context.Context, ch chan<- prometheus.Metric) error {
	known, unknown, err := c.node.DB.Occupied(ctx)
	if err != nil {
		return err
	}
	c.waiting.send(ch, float64(known+unknown))
	forKnown, forOthers := waitingFullness(known, unknown)
	c.waitingFull.send(ch, forKnown, "known")
	c.waitingFull.send(ch, forOthers, "others")
	return nil
}

// waitingFullness tells how full the waiting room is: 1 is full.
func waitingFullness(known, unknown int) (forKnown, forOthers float64) {
	forKnown = float64(known+unknown) / activitypub.MaxWaiting
	return forKnown, max(forKnown, float64(unknown)/(activitypub.MaxWaiting-activitypub.ReservedWaiting))
}

// worstHosts bounds how many other servers are named in the metrics.
const worstHosts = 20

func (c *nodeFigures) deliveryQueue(ctx context.Context, ch chan<- prometheus.Metric) error {
	db, now := c.node.DB, c.node.now()
	queued, _, err := db.PendingDeliveries(ctx)
	if err != nil {
		return err
	}
	failing, err := db.FailingHosts(ctx)
	if err != nil {
		return err
	}
	backlogs, err := db.Backlogs(ctx, now, worstHosts)
	if err != nil {
		return err
	}
	c.queue.send(ch, float64(queued))
	c.failing.send(ch, float64(failing))
	others := false
	for _, b := range backlogs {
		others = others || b.Host == ""
		host := cmp.Or(b.Host, "other")
		c.due.send(ch, float64(b.Queued), host)
		c.overdue.send(ch, now.Sub(b.Since).Seconds(), host)
	}
	if !others {
		c.due.send(ch, 0, "other")
		c.overdue.send(ch, 0, "other")
	}
	return nil
}

func (c *nodeFigures) phases(ctx context.Context, ch chan<- prometheus.Metric) error {
	phases := []participation.Phase{participation.Scheduled, participation.Open, participation.Closed}
	all, err := c.node.Service.Consultations(ctx, participation.Filter{Phases: phases})
	if err != nil {
		return err
	}
	number, doubtful := map[participation.Phase]int{}, 0
	for _, one := range all {
		number[one.Phase]++
		if one.Kind.HasOptions() && c.node.underReview(one.ID) {
			doubtful++
		}
	}
	for _, phase := range phases {
		c.consultations.send(ch, float64(number[phase]), string(phase))
	}
	c.underReview.send(ch, float64(doubtful))
	return nil
}

func (c *nodeFigures) life(ctx context.Context, ch chan<- prometheus.Metric) error {
	beat, err := c.node.Service.LastBeat(ctx)
	if err != nil {
		return err
	}
	incidents, err := c.node.Service.Incidents(ctx, 0)
	if err != nil {
		return err
	}
	c.beat.send(ch, float64(beat.At.UnixMilli())/1000)
	number := map[participation.IncidentKind]int{participation.Outage: 0, participation.Rollback: 0}
	for _, i := range incidents {
		number[i.Kind]++
	}
	for kind, n := range number {
		c.incidents.send(ch, float64(n), string(kind))
	}
	return nil
}

// newRegistry gathers all that can be scraped of a node.
func newRegistry(n *Node) (*prometheus.Registry, error) {
	r := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		n.requests.vector, newNodeFigures(n),
	} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("metrics: %w", err)
		}
	}
	return r, nil
}

// backupNote is the file in which `backup` leaves the time of its last success.
func backupNote(c Config) string { return filepath.Join(c.Data, "last-backup") }

// lastBackup is when a backup was last written; zero if never.
func lastBackup(c Config) (time.Time, error) {
	text, err := os.ReadFile(backupNote(c))
	if os.IsNotExist(err) {
		return time.Time{}, nil
	} else if err != nil {
		return time.Time{}, fmt.Errorf("last backup: %w", err)
	}
	at, err := time.Parse(time.RFC3339, strings.TrimSpace(string(text)))
	if err != nil {
		return time.Time{}, fmt.Errorf("last backup: %w", err)
	}
	return at, nil
}
