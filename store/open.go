package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver

	"inspraak/activitypub"
	"inspraak/participation"
)

// The settings of the connections. FULL: a COMMIT that returned survives a
// power cut (https://sqlite.org/pragma.html#pragma_synchronous). Defensive and
// no double-quoted strings: SQL that is wrong fails. secure_delete: what is
// deleted is overwritten. Pseudonyms fall on pages at random; a checkpoint every
// 4,000 pages (16 MB) instead of 1,000 writes most of them less often.
const (
	writerSettings = "?_busy_timeout=10000&_journal_mode=WAL&_synchronous=FULL&_foreign_keys=1" +
		"&_txlock=immediate&_dqs=0&_defensive=1&_pragma=cache_size(-16000)" +
		"&_pragma=journal_size_limit(67108864)&_pragma=secure_delete(ON)&_pragma=wal_autocheckpoint(4000)"
	readerSettings = "?mode=ro&_busy_timeout=10000&_dqs=0&_defensive=1"
)

// DB is the node's database. It is safe for concurrent use.
type DB struct {
	log     *slog.Logger
	pool    *sql.DB   // of one connection,
	writer  *sql.Conn // which is this one
	readers *sql.DB
	prepared
	writes []io.Closer // the writer's statements, which its connection does not close
	remembered
	path     string
	name     string // URI of path
	counters writerCounters

	mu     sync.RWMutex // guards closed and, with it, sending on jobs
	closed bool
	jobs   chan *job
	ended  chan struct{}
}

var (
	_ participation.Store = (*DB)(nil)
	_ activitypub.Store   = (*DB)(nil)
	_ participation.Tx    = (*tx)(nil)
)

// Open opens the database at path, creates it if there is none, and brings its
// tables up to date. It refuses a database that a newer version of the program
// has made, and one that it cannot write durably. The file is readable by its
// owner only.
func Open(ctx context.Context, path string, log *slog.Logger) (_ *DB, err error) {
	d := &DB{log: log, path: path, jobs: make(chan *job, maxGroup), ended: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open database %s: %w", path, translate(err)), d.disconnect())
		}
	}()
	if err := protect(path); err != nil {
		return nil, err
	}
	d.name = "file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
	if d.pool, err = sql.Open("sqlite", d.name+writerSettings); err != nil {
		return nil, err
	}
	d.pool.SetMaxOpenConns(1)
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, d.pool, path, files, log); err != nil {
		return nil, err
	}
	if d.writer, err = d.pool.Conn(ctx); err != nil {
		return nil, err
	}
	if err := durable(ctx, d.writer); err != nil {
		return nil, err
	}
	if d.readers, err = sql.Open("sqlite", d.name+readerSettings); err != nil {
		return nil, err
	}
	n := max(4, runtime.NumCPU())
	d.readers.SetMaxOpenConns(n)
	d.readers.SetMaxIdleConns(n)
	d.readers.SetConnMaxIdleTime(time.Minute) // each has a page cache of 2 MB

	p := preparer{ctx: ctx, writer: d.writer, readers: d.readers}
	d.prepared = prepareAll(&p)
	d.writes = p.writes
	if p.err != nil {
		return nil, p.err
	}
	d.counters.start, d.counters.probing = time.Now(), make(chan struct{}, 1)
	go d.run()
	return d, nil
}

// ReturnMemory lets go of the writer's page cache, up to 16 MB. Call it now and
// then: after a burst nobody needs it, and under load it is soon full again.
func (d *DB) ReturnMemory(ctx context.Context) error {
	if _, err := d.writer.ExecContext(ctx, "PRAGMA shrink_memory"); err != nil {
		return fmt.Errorf("return memory: %w", translate(err))
	}
	return nil
}

// protect sees to it that the file exists and that only its owner may read it.
// SQLite gives its side files the mode of the database.
func protect(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Chmod(0o600), f.Close())
}

// durable reads back what decides whether an acknowledged write survives.
func durable(ctx context.Context, c *sql.Conn) error {
	var mode string
	var synchronous int
	if err := c.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return err
	}
	if err := c.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&synchronous); err != nil {
		return err
	}
	if mode != "wal" || synchronous != 2 {
		return fmt.Errorf("journal_mode is %s and synchronous %d, not wal and 2 (FULL): "+
			"an accepted vote could be lost; move the file to a local disk", mode, synchronous)
	}
	return nil
}

// Close lets the writer finish the jobs it was given, refuses later ones and
// closes the file. Closing twice is harmless.
func (d *DB) Close() error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true
	close(d.jobs)
	d.mu.Unlock()
	<-d.ended
	return d.disconnect()
}

func (d *DB) disconnect() error {
	var errs []error
	if d.readers != nil {
		errs = append(errs, d.readers.Close())
	}
	if d.writer != nil {
		// The log is folded into the file, without waiting for other processes:
		// a file copied by itself then lacks nothing that was here.
		_, err := d.writer.ExecContext(context.Background(), "PRAGMA wal_checkpoint(PASSIVE)")
		errs = append(errs, err)
		for _, s := range d.writes { // with one left SQLite would not let go of the files
			errs = append(errs, s.Close())
		}
		errs = append(errs, d.writer.Close())
	}
	if d.pool != nil {
		errs = append(errs, d.pool.Close())
	}
	return errors.Join(errs...)
}

// prepared are all statements, by subject. Each is prepared when the database
// is opened, so that a mistake in SQL shows at once.
type prepared struct {
	txn           transactionStatements
	consultations consultationStatements
	ballots       ballotStatements
	logs          logStatements
	evidence      evidenceStatements
	results       resultStatements
	replies       replyStatements
	conversations conversationStatements
	summaries     summaryStatements
	moderation    moderationStatements
	events        eventStatements
	beats         beatStatements
	peers         peerStatements
	followers     followerStatements
	deliveries    deliveryStatements
	waiting       waitingStatements
	accounts      accountStatements
	destroy       destroyStatements
	stats         statsStatements
	search        searchStatements
	retention     retentionStatements
}

func prepareAll(p *preparer) prepared {
	return prepared{
		txn:           prepareTransaction(p),
		consultations: prepareConsultations(p),
		ballots:       prepareBallots(p),
		logs:          prepareLogs(p),
		evidence:      prepareEvidence(p),
		results:       prepareResults(p),
		replies:       prepareReplies(p),
		conversations: prepareConversations(p),
		summaries:     prepareSummaries(p),
		moderation:    prepareModeration(p),
		events:        prepareEvents(p),
		beats:         prepareBeats(p),
		peers:         preparePeers(p),
		followers:     prepareFollowers(p),
		deliveries:    prepareDeliveries(p),
		waiting:       prepareWaiting(p),
		accounts:      prepareAccounts(p),
		destroy:       prepareDestroy(p),
		stats:         prepareStats(p),
		search:        prepareSearch(p),
		retention:     prepareRetention(p),
	}
}

// preparer prepares statements and remembers the first that failed.
type preparer struct {
	ctx     context.Context
	writer  *sql.Conn
	readers *sql.DB
	err     error
	texts   []string
	writes  []io.Closer
}

// statement is a query used by the writer and the readers alike.
type statement struct{ write, read *sql.Stmt }

func (p *preparer) both(text string) statement { return statement{p.write(text), p.read(text)} }

func (p *preparer) write(text string) *sql.Stmt {
	stmt := p.prepare(p.writer.PrepareContext, text)
	if stmt != nil {
		p.writes = append(p.writes, stmt)
	}
	return stmt
}

func (p *preparer) read(text string) *sql.Stmt { return p.prepare(p.readers.PrepareContext, text) }

func (p *preparer) prepare(on func(context.Context, string) (*sql.Stmt, error), text string) *sql.Stmt {
	p.texts = append(p.texts, text)
	stmt, err := on(p.ctx, text)
	if err != nil {
		p.err = cmp.Or(p.err, fmt.Errorf("prepare %q: %w", text, err))
	}
	return stmt
}
