// Package verify checks the published dataset of a consultation: that its files
// are those that were signed, that they fit the log of ballots, and that the
// ballots add up to the result. It knows nothing but docs/ballot-log.md, whose
// section "What a verifier checks" it carries out, and shares no code with what
// writes logs and datasets.
//
// It cannot tell whether the node accepted the right votes, nor, without a key
// or a checkpoint from elsewhere, whether somebody made up the whole dataset.
package verify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// Options is what is known besides the dataset.
type Options struct {
	Anchor *Anchor      // nil: the key in the dataset is taken as it is
	Copies []Copy       // checkpoints from elsewhere
	Client *http.Client // nil: one of our own
}

// Copy is a text that holds one or more checkpoints from elsewhere.
type Copy struct {
	Name string // how to call it in a report, usually the file
	Text []byte
}

// Report says what came of it. Fields that a failed check did not reach are empty.
type Report struct {
	Verified    bool   `json:"verified"`
	Anchored    bool   `json:"anchored"`    // the key was given, not taken from the dataset
	Fingerprint string `json:"fingerprint"` // of the key that was trusted
	Origin      string `json:"origin"`
	Problem     string `json:"problem,omitempty"` // the first one
	Where       string `json:"where,omitempty"`
	*Result
	Notes []string `json:"notes"`

	Key   string `json:"-"` // base64, as in the channel's profile
	Extra Extra  `json:"-"`
}

// Result is what the dataset says. It is there only if it was verified.
type Result struct {
	Question string   `json:"question"`
	Options  []string `json:"options"`
	Closed   string   `json:"closed"` // when voting ended, RFC 3339
	Early    string   `json:"early"`  // why it ended early, or ""
	Turnout  int      `json:"turnout"`
	Counts   []int    `json:"counts"`
	Entries  int      `json:"entries"` // of log.txt
	Rows     string   `json:"rows"`    // "published" or "withheld"
}

// Extra counts what was checked.
type Extra struct{ Files, Checkpoints, Copies, Rows int }

// Problem is what stands between a dataset and the word verified.
type Problem struct {
	Where  string // file and line, log entry, or file
	What   string
	Unread bool // nothing wrong was found, but something could not be read or fetched
}

// Error is place and problem in one sentence.
func (p *Problem) Error() string {
	if p.Where == "" {
		return p.What
	}
	return p.Where + ": " + p.What
}

func wrong(where, format string, args ...any) error {
	return &Problem{Where: where, What: fmt.Sprintf(format, args...)}
}

func unread(where, format string, args ...any) error {
	return &Problem{Where: where, What: fmt.Sprintf(format, args...), Unread: true}
}

// check is one verification under way.
type check struct {
	Options
	report *Report
	web    web
	base   string // scheme and host of the address, "" for a file
	zip    *container
	key    *key
	marks  []checkpoint // of the dataset, ascending
	copies []checkpoint // from elsewhere, ascending
	tree   tree
	log    ballotLog
	tally  tally
	live   bool // the copies were compared with the live log too
}

// Dataset verifies the zip at source, a local file or an http(s) address: that of
// a consultation's page or of the zip. With an address it looks at the live log
// too. The report is never nil; the error is nil if the dataset is verified, and a
// *Problem otherwise.
func Dataset(ctx context.Context, source string, o Options) (*Report, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c := &check{Options: o, report: &Report{Notes: []string{}}, web: newWeb(o.Client)}
	err := c.run(ctx, source)
	if err == nil {
		c.report.Verified = true
		return c.report, nil
	}
	var p *Problem
	if !errors.As(err, &p) {
		p = &Problem{What: err.Error(), Unread: true}
	}
	c.report.Problem, c.report.Where = p.What, p.Where
	return c.report, p
}

func (c *check) run(ctx context.Context, source string) error {
	if c.Anchor != nil {
		if err := c.Anchor.resolve(ctx, c.web); err != nil {
			return err
		}
		c.report.Anchored, c.report.Fingerprint = true, strings.Join(c.Anchor.prints, " ")
	}
	file, done, err := c.bring(ctx, source)
	if err != nil {
		return err
	}
	defer done()
	info, err := file.Stat()
	if err != nil {
		return unread(source, "%v", err)
	}
	if err := c.archive(file, info.Size()); err != nil {
		return err
	}
	return c.outside(ctx)
}

// bring opens the zip and says how to be done with it: one from the web goes.
func (c *check) bring(ctx context.Context, source string) (*os.File, func(), error) {
	if !strings.HasPrefix(source, "http://") && !strings.HasPrefix(source, "https://") {
		file, err := os.Open(source)
		if err != nil {
			return nil, nil, unread("", "%v", err)
		}
		return file, func() { file.Close() }, nil
	}
	u, err := url.Parse(source)
	if err != nil || u.Host == "" {
		return nil, nil, unread(source, "is no address")
	}
	c.base = u.Scheme + "://" + u.Host
	u.Fragment = ""
	if !strings.HasSuffix(u.Path, ".zip") {
		u.RawQuery = ""
		u = u.JoinPath("dataset.zip")
	}
	file, err := os.CreateTemp("", "inspraak-*.zip")
	if err != nil {
		return nil, nil, unread("", "%v", err)
	}
	done := func() { file.Close(); os.Remove(file.Name()) }
	if err := c.web.download(ctx, u.String(), file); err != nil {
		done()
		return nil, nil, err
	}
	return file, done, nil
}

// outside looks at what is not in the zip, where that is possible, and says what
// the reader has to know.
func (c *check) outside(ctx context.Context) error {
	host, _, _ := strings.Cut(c.key.origin, "/")
	switch {
	case c.base == "":
	case !sameHost(c.base, host):
		c.note("The dataset came from %s, but its log is kept by %s; the live log was not looked at.", c.base, plain(host))
	default:
		if err := c.compareLive(ctx); err != nil {
			return err
		}
	}
	for _, m := range c.copies {
		if !c.live && m.size > c.tree.size {
			return unread(m.where, "is of %d entries and so newer than the dataset with %d; it can be checked only with the live log: give the address of the consultation's page instead of the zip", m.size, c.tree.size)
		}
	}
	c.report.Result = c.result()
	c.explain()
	return nil
}

func (c *check) note(format string, args ...any) {
	c.report.Notes = append(c.report.Notes, fmt.Sprintf(format, args...))
}

func (c *check) explain() {
	q, end := c.log.question, c.log.closing
	if q.perOption {
		c.note("Every chosen option is a ballot entry of its own here. The counts were recounted; the turnout cannot be, it is the node's word.")
	}
	if end.rows == withheld {
		c.note("There are so few ballots that their rows are withheld. The counts are the node's word; only the number of ballots was compared with the log.")
	}
	for _, at := range c.log.rollbacks {
		c.note("The node went on with an older database; votes received since %s may be missing.", at)
	}
	switch {
	case c.Anchor == nil:
		c.note("No key from elsewhere was given, so this shows only that the dataset fits itself: who makes up a dataset makes up its key too. Look at the profile of the consultation's channel on another server, and give the text of its field \"Log key\" or \"Telsleutel\" with --key.")
	case c.Anchor.actor != nil && sameHost(c.Anchor.actor.String(), strings.Split(c.key.origin, "/")[0]):
		c.note("The key was given by the node itself. Compare it with the channel's profile as another server shows it.")
	}
}

func (c *check) result() *Result {
	q, end := c.log.question, c.log.closing
	return &Result{
		Question: q.title, Options: q.options, Closed: end.at, Early: end.early,
		Turnout: end.turnout, Counts: end.counts, Entries: c.log.size, Rows: end.rows,
	}
}
