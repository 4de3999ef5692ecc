package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"inspraak/activitypub"
	"inspraak/participation"
)

// checkCommand examines a node, running or not. It changes nothing but what
// opening the database changes.
type checkCommand struct {
	DB   bool `name:"db" help:"Only the database: damage, and whether ballots, counts and results agree."`
	JSON bool `help:"As JSON."`
}

// finding is one sentence about one subject. A problem makes the command fail,
// a warning does not.
type finding struct {
	Level   string `json:"level"` // ok, warning or problem
	Subject string `json:"subject"`
	Text    string `json:"text"`
}

type findings []finding

func (f *findings) ok(subject, format string, args ...any) { f.add("ok", subject, format, args) }
func (f *findings) warn(subject, format string, args ...any) {
	f.add("warning", subject, format, args)
}
func (f *findings) bad(subject, format string, args ...any) { f.add("problem", subject, format, args) }
func (f *findings) add(level, subject, format string, args []any) {
	*f = append(*f, finding{level, subject, fmt.Sprintf(format, args...)})
}

// Run examines one thing after the other and reports all.
func (c checkCommand) Run(a *app) error {
	found := findings{}
	if err := c.examine(a, &found); err != nil {
		return err
	}
	problems := 0
	for _, f := range found {
		if f.Level == "problem" {
			problems++
		}
		if !c.JSON {
			a.say("%-8s %s: %s", f.Level, f.Subject, f.Text)
		}
	}
	if c.JSON {
		if err := a.json(found); err != nil {
			return err
		}
	}
	if problems > 0 {
		return fmt.Errorf("check: problems found: %d", problems)
	}
	return nil
}

func (c checkCommand) examine(a *app, f *findings) error {
	cfg, err := a.config()
	if err != nil {
		f.bad("configuration", "%v", err)
		return nil
	}
	if !c.DB {
		checkConfig(cfg, f)
		checkAccessibility(cfg.Accessibility, a.now(), f)
		checkLook(cfg, f)
		checkDisk(cfg, f)
	}
	o, err := a.openNode(cfg)
	if err != nil {
		f.bad("database and keys", "%v", err)
		return nil
	}
	defer o.Close()
	if err := o.checkInvariants(a, f); err != nil || c.DB {
		return err
	}
	if err := o.checkClock(a, f); err != nil {
		return err
	}
	if err := o.checkKeys(a, f); err != nil {
		return err
	}
	if err := o.checkRunning(a, f); err != nil {
		return err
	}
	if err := o.checkOutside(a, f); err != nil {
		return err
	}
	o.checkStandards(a, f)
	return nil
}

func checkConfig(cfg Config, f *findings) {
	f.ok("configuration", "%s is valid, for %s", cfg.Path, cfg.URLs.Base)
	if cfg.Loopback {
		f.warn("loopback", "LOOPBACK IS ON: plain HTTP is accepted and only servers on this machine can take part; switch it off before anybody else uses this node")
	}
	if len(cfg.BackupRecipients) == 0 {
		f.warn("backup", "no backup_recipients; make a key with age-keygen, or `inspraak backup` needs --recipient")
	}
	if cfg.SecurityContact == "" {
		f.warn("security.txt", "no security_contact; who finds a weak spot is sent to %s", cfg.Contact)
	}
	if cfg.TLS == tlsAuto {
		f.ok("tls", "the node gets its own certificate for %s, once ports 80 and 443 reach it", cfg.URLs.Host)
	}
	if len(cfg.OtherWays.ByLanguage()) == 0 {
		f.warn("other ways", "other_ways is empty; tell those without a fediverse account how else to take part")
	}
}

func checkDisk(cfg Config, f *findings) {
	free, err := freeSpace(cfg.Data)
	const mebibyte = 1 << 20
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		f.warn("disk", "free space is not known on this system")
	case err != nil:
		f.bad("disk", "%v", err)
	case free < 100*mebibyte:
		f.bad("disk", "%d MiB free on %s: make room now, or votes will be refused", free/mebibyte, cfg.Data)
	case free < 1024*mebibyte:
		f.warn("disk", "%d MiB free on %s", free/mebibyte, cfg.Data)
	default:
		f.ok("disk", "%d MiB free", free/mebibyte)
	}
}

// checkClock holds the clock against the newest event: it must not have gone
// back. Other servers refuse signatures that are minutes off.
func (o *office) checkClock(a *app, f *findings) error {
	now, newest := a.now(), time.Time{}
	for after := int64(0); ; {
		events, err := o.Events(a.ctx, after, 1000)
		if err != nil {
			return err
		}
		if len(events) == 0 {
			break
		}
		last := events[len(events)-1]
		after, newest = last.Seq, last.At
	}
	switch {
	case now.Year() < 2026:
		f.bad("clock", "it says %s; set it, and let NTP keep it right", now.Format(time.RFC3339))
	case newest.After(now.Add(time.Minute)):
		f.bad("clock", "it says %s, but this node has recorded something at %s; let NTP keep it right", now.Format(time.RFC3339), newest.Format(time.RFC3339))
	default:
		f.ok("clock", "%s in %s", o.localStamp(now), o.Timezone)
	}
	return nil
}

// checkKeys reads every key that is needed. Opening refuses those that others
// could read.
func (o *office) checkKeys(a *app, f *findings) error {
	channels, err := o.Channels(a.ctx)
	if err != nil {
		return err
	}
	missing := 0
	need := func(subject string, err error, advice string) {
		if err != nil {
			missing++
			f.bad(subject, "%v; %s", err, advice)
		}
	}
	_, err = o.keys.ActorKey(activitypub.InstanceKey)
	need("keys", err, "restore it from a backup")
	for _, c := range channels {
		_, err := o.keys.ActorKey(c.Name)
		need("keys", err, "restore it from a backup: a new key would be refused by servers that know the old one")
	}
	live, err := o.Consultations(a.ctx, participation.Filter{Phases: []participation.Phase{participation.Scheduled, participation.Open}})
	if err != nil {
		return err
	}
	for _, c := range live {
		_, err := o.keys.Secret(c.ID)
		need("keys", err, "copy it back from its escrow copy: without it nothing can be counted")
	}
	if missing == 0 {
		f.ok("keys", "instance, %d channels, %d consultations under way", len(channels), len(live))
	}
	return nil
}

// checkOutside asks for the node's own WebFinger and actors as other servers
// do: by name, through whatever stands in front of it.
func (o *office) checkOutside(a *app, f *findings) error {
	channels, err := o.Channels(a.ctx)
	if err != nil {
		return err
	}
	client := activitypub.NewClient(activitypub.ClientConfig{
		UserAgent: fmt.Sprintf("inspraak/%s (+%s)", version(), o.URLs.Base), Loopback: o.Loopback,
	})
	defer client.Close()
	for _, c := range channels {
		actor := o.URLs.Actor(c.Name)
		finger := o.URLs.Base + "/.well-known/webfinger?resource=" + url.QueryEscape("acct:"+c.Name+"@"+o.URLs.Host)
		var jrd struct {
			Links []struct{ Rel, Href string }
		}
		var document struct {
			ID        string
			PublicKey struct{ ID string } `json:"publicKey"`
		}
		if err := fetchJSON(a.ctx, client, finger, "application/jrd+json", &jrd); err != nil {
			f.bad("webfinger", "%s: %v; is the node running, does the name lead here, and does the proxy pass /.well-known/webfinger on?", o.URLs.Handle(c.Name), err)
			continue
		}
		self := ""
		for _, l := range jrd.Links {
			if l.Rel == "self" {
				self = l.Href
			}
		}
		if self != actor {
			f.bad("webfinger", "%s names actor %q and not %s; is another program answering at this address?", o.URLs.Handle(c.Name), self, actor)
			continue
		}
		if err := fetchJSON(a.ctx, client, actor, "application/activity+json", &document); err != nil {
			f.bad("actor", "%s: %v; does the proxy pass the Accept header on and keep its cache away?", actor, err)
			continue
		}
		if document.ID != actor || document.PublicKey.ID == "" {
			f.bad("actor", "%s says id %q and key %q; is `url` in the configuration what it was at the beginning?", actor, document.ID, document.PublicKey.ID)
			continue
		}
		f.ok("outside", "%s is found", o.URLs.Handle(c.Name))
	}
	return nil
}

// fetchJSON gets a document of our own, unsigned.
func fetchJSON(ctx context.Context, client *activitypub.Client, address, accept string, into any) error {
	r, err := client.Get(ctx, address, accept, nil)
	if err != nil {
		return err
	}
	if r.Status != http.StatusOK {
		return fmt.Errorf("answered %d", r.Status)
	}
	if media := r.Header.Get("Content-Type"); !strings.Contains(media, "json") {
		return fmt.Errorf("answered %q, want JSON", media)
	}
	if err := json.Unmarshal(r.Body, into); err != nil {
		return fmt.Errorf("answered what is no JSON: %w", err)
	}
	return nil
}
