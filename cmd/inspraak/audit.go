package main

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path"
	"slices"
	"strconv"
	"strings"

	"filippo.io/age"

	"inspraak/activitypub"
	"inspraak/participation"
	"inspraak/tally"
	"inspraak/verify"
)

// auditCommand checks that every ballot is backed by a signature that the node
// could not have made.
type auditCommand struct {
	Source   string `arg:"" name:"CONSULTATION|FILE" help:"A closed consultation of this node, or a file of \"inspraak evidence export\"."`
	Identity string `required:"" placeholder:"FILE" help:"age identity file of the auditor."`
	Key      string `placeholder:"KEY" help:"What you know of the node's log key from elsewhere, as with \"inspraak verify\"."`
	Servers  bool   `help:"Show the exact number of every server; for the auditor's eyes only."`
	Ask      int    `placeholder:"N" help:"Ask the servers of N accounts, drawn at random, whether the key is theirs. Needs the network, and tells them that somebody asks."`
	JSON     bool   `name:"json" help:"Print one JSON object."`
	Out      string `placeholder:"FILE" help:"Write who signed for each ballot to a file, as JSON; never overwritten."`
}

// Help says what it needs.
func (auditCommand) Help() string {
	return `It verifies the dataset first. It needs no configuration when it reads a file, and no network but for --ask and a --key that is an address. Exit code 0 only if every ballot is backed.`
}

// Run prints numbers, and codes of ballots that are not backed. It writes who
// voted what only with --out.
func (c auditCommand) Run(a *app) error {
	identities, err := readIdentities(c.Identity)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	var anchor *verify.Anchor
	if c.Key != "" {
		if anchor, err = verify.ParseAnchor(c.Key); err != nil {
			return exit{exitUsage, fmt.Errorf("audit: --key: %w", err)}
		}
	}
	follow := func(t trail) error {
		verified, err := t.verify(a.ctx, anchor)
		if err != nil {
			return fmt.Errorf("audit: %w", err)
		}
		r, err := t.audit(identities)
		if err != nil {
			return fmt.Errorf("audit: %w", err)
		}
		r.Fingerprint, r.Anchored = verified.Fingerprint, verified.Anchored
		c.ask(a, r)
		return c.report(a, r)
	}
	if !isFile(c.Source) {
		return a.at(func(o *office) error {
			t, err := o.trail(a.ctx, c.Source)
			if err != nil {
				return fmt.Errorf("audit: %w", err)
			}
			return follow(t)
		})
	}
	t, closing, err := readTrail(c.Source)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return errors.Join(follow(t), closing())
}

// auditReport is what came of it.
type auditReport struct {
	Question    string     `json:"question"`
	Object      string     `json:"object"`
	Page        string     `json:"page"`
	Fingerprint string     `json:"fingerprint"` // of the log's key
	Anchored    bool       `json:"anchored"`    // that key was given, not taken from the dataset
	Entries     int        `json:"entries"`     // of the log
	Published   int        `json:"published"`   // ballots that count; entries of one option each where the log is per option
	Backed      int        `json:"backed"`
	NotBacked   []unbacked `json:"notBacked"`
	Accounts    int        `json:"accounts"` // that signed for them
	Servers     []ofServer `json:"servers"`  // accounts; null where it would tell too much
	Asked       asked      `json:"asked"`
	Problems    []string   `json:"problems"` // of bundles, sums and keys

	ballots  []participation.AuditedBallot
	byServer map[string]int
}

// ofServer is the number of accounts of a server, or of the others.
type ofServer struct {
	Server string `json:"server"`
	tally.Range
}

// asked is what servers said when they were asked for the keys of accounts.
type asked struct {
	Accounts int `json:"accounts"`
	Same     int `json:"same"`
	Silent   int `json:"silent"` // did not tell, or not to strangers
}

type unbacked struct {
	Code   string `json:"code,omitempty"`
	Entry  int64  `json:"entry"`
	Reason string `json:"reason"`
}

// audit follows a trail to its end.
func (t trail) audit(identities []age.Identity) (*auditReport, error) {
	files, err := zip.NewReader(bytes.NewReader(t.dataset), int64(len(t.dataset)))
	if err != nil {
		return nil, err
	}
	log, err := readZipped(files, "log.txt")
	if err != nil {
		return nil, err
	}
	entries := strings.Split(strings.TrimSuffix(string(log), "\n"), "\n")
	auditor, err := participation.NewAuditor(entries)
	if err != nil {
		return nil, err
	}
	open := auditor.Open
	if open.AuditorKey == "" {
		return nil, errors.New("the consultation was opened without an auditor's key, so no evidence was kept")
	}
	if err := rightIdentity(identities, open.AuditorKey); err != nil {
		return nil, err
	}
	urls, err := activitypub.NewURLs(strings.TrimSuffix(open.Object, "/o/"+open.Consultation))
	if err != nil {
		return nil, err
	}
	auditor.Examine(activitypub.Examiner(urls, open.Consultation, path.Base(t.page)))
	ballots, err := readZipped(files, "ballots.csv")
	if err != nil {
		return nil, err
	}
	if err := readRows(ballots, auditor); err != nil {
		return nil, err
	}
	r := &auditReport{Question: open.Question, Object: open.Object, Page: t.page,
		Entries: len(entries), Problems: []string{}, NotBacked: []unbacked{}, byServer: map[string]int{}}
	if err := t.open(identities, auditor, r); err != nil {
		return nil, err
	}
	r.add(auditor)
	return r, nil
}

// rightIdentity refuses identities that cannot be the auditor's, where that can
// be told beforehand.
func rightIdentity(identities []age.Identity, auditor string) error {
	for _, identity := range identities {
		recipient := auditor
		switch identity := identity.(type) {
		case *age.X25519Identity:
			recipient = identity.Recipient().String()
		case *age.HybridIdentity:
			recipient = identity.Recipient().String()
		}
		if recipient == auditor {
			return nil
		}
	}
	return fmt.Errorf("this is not the identity of the auditor's key with which the consultation was opened, %s", auditor)
}

// readRows tells the auditor the published codes.
func readRows(csv []byte, auditor *participation.Auditor) error {
	for i, line := range strings.Split(strings.TrimSuffix(string(csv), "\n"), "\n")[1:] {
		cells := strings.Split(line, ",") // codes, numbers and hexadecimal digits are never quoted
		if len(cells) != 3 {
			return fmt.Errorf("ballots.csv, line %d: %d cells, want 3", i+2, len(cells))
		}
		var options []int
		for _, number := range strings.Fields(cells[1]) {
			n, err := strconv.Atoi(number)
			if err != nil {
				return fmt.Errorf("ballots.csv, line %d: %q is no number", i+2, number)
			}
			options = append(options, n)
		}
		if err := auditor.Published(cells[0], options, cells[2]); err != nil {
			return fmt.Errorf("ballots.csv, line %d: %w", i+2, err)
		}
	}
	return nil
}

// open decrypts every bundle. One that cannot be opened is named, and its ballots
// will lack evidence.
func (t trail) open(identities []age.Identity, auditor *participation.Auditor, r *auditReport) error {
	bundles, opened, last := 0, 0, int64(0)
	bad := func(format string, args ...any) { r.Problems = append(r.Problems, fmt.Sprintf(format, args...)) }
	err := t.bundles(func(n int64, sealed []byte) error {
		for last++; last < n; last++ {
			bad("bundle %d of the evidence is missing", last)
		}
		bundles++
		plain, err := age.Decrypt(bytes.NewReader(sealed), identities...)
		if err == nil {
			var content []byte
			if content, err = io.ReadAll(plain); err == nil {
				err = auditor.Bundle(content)
			}
		}
		if err != nil {
			bad("bundle %d of the evidence cannot be opened, it was altered or was made for another key: %v", n, err)
			return nil
		}
		opened++
		return nil
	})
	if err == nil && bundles > 0 && opened == 0 {
		err = errors.New(r.Problems[len(r.Problems)-1] + "; and so is every other one")
	}
	return err
}

// add turns the verdict into numbers, and holds them against the result.
func (r *auditReport) add(auditor *participation.Auditor) {
	r.ballots = auditor.Verdict()
	counts, accounts := make([]int, len(auditor.Open.Options)), map[string]bool{}
	for _, b := range r.ballots {
		r.Published++
		if b.Problem != "" {
			r.NotBacked = append(r.NotBacked, unbacked{b.Code, b.Entry, b.Problem})
			continue
		}
		r.Backed++
		for _, o := range b.Options {
			counts[o-1]++
		}
		if !accounts[b.Actor] {
			accounts[b.Actor] = true
			r.byServer[b.Server]++
		}
	}
	r.Accounts = len(accounts)
	if len(r.NotBacked) > 0 {
		return
	}
	if end := auditor.Close; !slices.Equal(counts, end.Counts) || r.Accounts != end.Turnout {
		r.Problems = append(r.Problems, fmt.Sprintf("%d accounts signed for %v, and the result says %d for %v",
			r.Accounts, counts, end.Turnout, end.Counts))
	}
}

// ask asks as many servers as was wished.
func (c auditCommand) ask(a *app, r *auditReport) {
	if c.Ask <= 0 {
		return
	}
	client := activitypub.NewClient(activitypub.ClientConfig{
		UserAgent: "inspraak/" + version() + " (+" + r.Object + ")", Loopback: strings.HasPrefix(r.Object, "http://")})
	defer client.Close()
	r.ask(c.Ask, func(actor, keyID string) (string, error) { return activitypub.AskKey(a.ctx, client, actor, keyID) })
}

// ask draws n accounts and compares their keys with what their servers say now. A
// node could make up the key of somebody else's account, and this is how it shows.
func (r *auditReport) ask(n int, key func(actor, keyID string) (string, error)) {
	seen := map[string]bool{}
	for _, i := range rand.Perm(len(r.ballots)) {
		b := r.ballots[i]
		if b.Problem != "" || seen[b.Actor] || r.Asked.Accounts == n {
			continue
		}
		seen[b.Actor] = true
		r.Asked.Accounts++
		switch now, err := key(b.Actor, b.KeyID); {
		case err != nil:
			r.Asked.Silent++
		case now == b.Key:
			r.Asked.Same++
		default:
			r.Problems = append(r.Problems, fmt.Sprintf("the server of ballot %s has another key for its account now; ask it whether it was changed", b.Code))
		}
	}
}
