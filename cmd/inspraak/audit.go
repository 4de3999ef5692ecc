package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"filippo.io/age"

	"inspraak/activitypub"
	"inspraak/participation"
)

// auditCommand checks that every ballot is backed by a signature that the node
// could not have made.
type auditCommand struct {
	Source   string `arg:"" name:"CONSULTATION|FILE" help:"A closed consultation of this node, or a file of \"inspraak evidence export\"."`
	Identity string `required:"" placeholder:"FILE" help:"age identity file of the auditor."`
	Servers  bool   `help:"Show the exact number of every server; for the auditor's eyes only."`
	Ask      int    `placeholder:"N" help:"Ask the servers of N accounts, drawn at random, whether the key is theirs. Needs the network, and tells them that somebody asks."`
	JSON     bool   `name:"json" help:"Print one JSON object."`
	Out      string `placeholder:"FILE" help:"Write who signed for each ballot to a file, as JSON; never overwritten."`
}

// Help says what it does not do.
func (auditCommand) Help() string {
	return `It needs no configuration when it reads a file, and no network but for --ask. Exit code 0 only if every ballot is backed. It takes log and dataset as they are: run "inspraak verify" on the dataset first.`
}

// Run prints numbers, and codes of ballots that are not backed. It writes who
// voted what only with --out.
func (c auditCommand) Run(a *app) error {
	identities, err := readIdentities(c.Identity)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	follow := func(t trail) error {
		r, err := t.audit(identities)
		if err != nil {
			return fmt.Errorf("audit: %w", err)
		}
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
	Question  string         `json:"question"`
	Object    string         `json:"object"`
	Page      string         `json:"page"`
	LogKey    string         `json:"logKey"`
	Entries   int            `json:"entries"`   // of the log
	Published int            `json:"published"` // ballots that count; entries of one option each where the log is per option
	Backed    int            `json:"backed"`
	NotBacked []unbacked     `json:"notBacked"`
	Accounts  int            `json:"accounts"` // that signed for them
	Servers   map[string]int `json:"servers"`  // accounts, see shownServers
	Asked     asked          `json:"asked"`
	Problems  []string       `json:"problems"` // of bundles, sums and keys

	ballots []participation.AuditedBallot
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
	log, err := t.file("log.txt")
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
	if err := t.rows(auditor); err != nil {
		return nil, err
	}
	key, err := t.file("key.txt")
	if err != nil {
		return nil, err
	}
	r := &auditReport{Question: open.Question, Object: open.Object, Page: t.page, LogKey: strings.TrimSpace(string(key)),
		Entries: len(entries), Problems: []string{}, NotBacked: []unbacked{}, Servers: map[string]int{}}
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

// rows tells the auditor the published codes.
func (t trail) rows(auditor *participation.Auditor) error {
	csv, err := t.file("ballots.csv")
	if err != nil {
		return err
	}
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
			return fmt.Errorf("ballots.csv, line %d: %w; run \"inspraak verify\"", i+2, err)
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
			r.Servers[b.Server]++
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

// other gathers the servers that are too small to be named.
const other = "other"

// shownServers are the numbers that may be told further: of servers with at least
// 10 accounts, rounded to 5.
func (r *auditReport) shownServers(exact bool) map[string]int {
	if exact {
		return r.Servers
	}
	shown, rest := map[string]int{}, 0
	for server, n := range r.Servers {
		if n < participation.FewerThan {
			rest += n
			continue
		}
		shown[server] = nearest5(n)
	}
	if rest > 0 {
		shown[other] = nearest5(rest)
	}
	return shown
}

func nearest5(n int) int { return (n + 2) / 5 * 5 }

const listed = 20 // ballots that are not backed, on the screen

// report prints, writes what was asked for, and fails unless all is backed.
func (c auditCommand) report(a *app, r *auditReport) error {
	if c.Out != "" {
		text, err := json.MarshalIndent(r.ballots, "", "  ")
		if err == nil {
			err = writeNew(c.Out, append(text, '\n'), 0o600)
		}
		if err != nil {
			return fmt.Errorf("audit: write %s: %w", c.Out, err)
		}
	}
	r.Servers = r.shownServers(c.Servers)
	if c.JSON {
		if err := a.json(r); err != nil {
			return err
		}
	} else {
		c.show(a, r)
	}
	fmt.Fprintln(a.errs, "What you hold is personal data: with your identity the evidence tells who voted what. Keep it offline, report numbers only, and destroy it after your report.")
	if len(r.NotBacked) > 0 {
		return fmt.Errorf("audit: %d of %d ballots are not backed by another server's signature", len(r.NotBacked), r.Published)
	}
	if len(r.Problems) > 0 {
		return errors.New("audit: every ballot is backed, and yet: " + strings.Join(r.Problems, "; "))
	}
	return nil
}

func (c auditCommand) show(a *app, r *auditReport) {
	a.say("Question:  %s", oneLine(r.Question))
	a.say("Object:    %s", oneLine(r.Object))
	a.say("Page:      %s", oneLine(r.Page))
	a.say("Log:       %d entries, key %s", r.Entries, oneLine(r.LogKey))
	a.say("%d ballots published, of these %d backed by a valid signature of another server, %d not.", r.Published, r.Backed, len(r.NotBacked))
	a.say("%d accounts signed.", r.Accounts)
	if c.Ask > 0 {
		a.say("Keys:      servers of %d accounts asked: %d the same, %d other, %d did not tell.", r.Asked.Accounts, r.Asked.Same,
			r.Asked.Accounts-r.Asked.Same-r.Asked.Silent, r.Asked.Silent)
	} else {
		a.say("Keys:      as the node kept them; with --ask N servers are asked whether they are theirs.")
	}
	for _, p := range r.Problems {
		a.say("Problem:   %s", oneLine(p))
	}
	for _, b := range r.NotBacked[:min(len(r.NotBacked), listed)] {
		a.say("Not backed: %s (entry %d): %s", cmp.Or(b.Code, "a ballot"), b.Entry, oneLine(b.Reason))
	}
	if more := len(r.NotBacked) - listed; more > 0 {
		a.say("and %d more; --json lists them all.", more)
	}
	what := "Accounts by server, from 10 on, rounded to 5:"
	if c.Servers {
		what = "Accounts by server, exactly; do not pass this on:"
	}
	a.say("%s", what)
	for _, server := range slices.SortedFunc(maps.Keys(r.Servers), func(x, y string) int {
		return cmp.Or(r.Servers[y]-r.Servers[x], strings.Compare(x, y))
	}) {
		a.say("%8d  %s", r.Servers[server], oneLine(server))
	}
}

// oneLine keeps a text that strangers wrote on its line.
func oneLine(s string) string {
	return cmp.Or(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s), "-")
}
