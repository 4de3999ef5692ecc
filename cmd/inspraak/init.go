package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"inspraak/activitypub"
	"inspraak/participation"
	"inspraak/store"
)

// initCommand makes a new node.
type initCommand struct {
	URL      string `help:"Address of the node, such as https://inspraak.example.nl; can never change."`
	Name     string `help:"Name of the municipality."`
	Contact  string `help:"E-mail address or page where citizens reach a human."`
	Channel  string `help:"Name of the first channel: 1 to 30 of a-z, 0-9 and _; can never change."`
	Title    string `help:"Title of the first channel; the municipality's name if left out."`
	Language string `default:"nl" enum:"nl,en" help:"Language of pages and first channel: ${enum}."`
	Data     string `default:"data" help:"Data folder, absolute or beside the configuration (${default})."`
	Listen   string `help:"Where the program listens: 127.0.0.1:8080, or with --loopback the port of the address."`
	Loopback bool   `help:"For a trial on one machine only: plain HTTP and peers on loopback."`
	Yes      bool   `help:"Do not ask; take the flags as they are."`
}

// Run makes everything or nothing, and never touches what is there.
func (i initCommand) Run(a *app) error {
	if _, err := os.Lstat(a.configPath); err == nil {
		return fmt.Errorf("init: %s is there already, and is not overwritten", a.configPath)
	}
	if err := i.complete(a); err != nil {
		return err
	}
	if i.Listen == "" {
		if u, err := url.Parse(i.URL); err == nil && i.Loopback && u.Port() != "" {
			i.Listen = "127.0.0.1:" + u.Port()
		}
	}
	text := i.configText()
	cfg, err := parseConfig(a.configPath, []byte(text))
	if err != nil {
		return fmt.Errorf("init: %w", err)
	}
	channel := participation.Channel{Name: i.Channel, Title: i.Title, Language: i.Language}
	if err := channel.Check(); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	existed, err := emptyFolder(cfg.Data)
	if err != nil {
		return fmt.Errorf("init: %w", err)
	}
	if err := i.make(a, cfg, channel); err != nil {
		return errors.Join(fmt.Errorf("init: %w", err), undo(cfg.Data, existed))
	}
	if err := writeNew(a.configPath, []byte(text), 0o640); err != nil {
		return errors.Join(fmt.Errorf("init: write configuration: %w", err), undo(cfg.Data, existed))
	}
	a.say("Made %s and %s.", a.configPath, cfg.Data)
	a.say("The first channel is %s.", cfg.URLs.Handle(i.Channel))
	a.say("Next:\n"+
		"  1. inspraak serve                         behind a reverse proxy that does TLS\n"+
		"  2. inspraak check                         tells whether others can reach it\n"+
		"  3. inspraak consultation new my-question  writes a consultation to fill in\n"+
		"The keys in %s are the node itself: nobody else may read them.", cfg.Keys)
	return nil
}

func (i *initCommand) complete(a *app) error {
	for _, q := range []struct {
		answer     *string
		question   string
		suggestion func() string
	}{
		{&i.URL, "Address of the node (can never change), such as https://inspraak.example.nl", nil},
		{&i.Name, "Name of the municipality", nil},
		{&i.Contact, "E-mail address or page where citizens reach a human", nil},
		{&i.Channel, "Name of the first channel (can never change)", func() string { return "gemeente" }},
		{&i.Title, "Title of the first channel", func() string { return i.Name }},
	} {
		suggestion := ""
		if q.suggestion != nil {
			suggestion = q.suggestion()
		}
		if *q.answer != "" {
			continue
		}
		if i.Yes {
			*q.answer = suggestion
			continue
		}
		var err error
		if *q.answer, err = a.ask(q.question, suggestion); err != nil {
			return fmt.Errorf("init: %w", err)
		}
	}
	return nil
}

// make fills the data folder.
func (i *initCommand) make(a *app, cfg Config, channel participation.Channel) error {
	if err := os.MkdirAll(cfg.Media, 0o700); err != nil {
		return err
	}
	keys, err := store.OpenKeys(cfg.Keys, true)
	if err != nil {
		return err
	}
	for _, name := range []string{activitypub.InstanceKey, channel.Name} {
		if err := keys.CreateActorKey(name); err != nil {
			return err
		}
	}
	db, err := store.Open(a.ctx, cfg.Database(), a.quietLog())
	if err != nil {
		return err
	}
	return errors.Join(participation.New(db, keys, cfg.URLs.Site(), a.now).SaveChannel(a.ctx, channel, false), db.Close())
}

func (i *initCommand) configText() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Configuration of this Inspraak node. config.example.yaml explains every key.\n\n"+
		"# Part of every handle and every vote's address; can never change.\nurl: %s\n", yamlQuote(i.URL))
	if i.Loopback {
		b.WriteString("# For a trial on this machine only; never in public.\nloopback: true\n")
	}
	if i.Listen != "" {
		fmt.Fprintf(&b, "listen: %s\n", yamlQuote(i.Listen))
	}
	fmt.Fprintf(&b, "data: %s\n\nname: %s\ncontact: %s\nlanguage: %s\ntimezone: Europe/Amsterdam\n\n",
		yamlQuote(i.Data), yamlQuote(i.Name), yamlQuote(i.Contact), yamlQuote(i.Language))
	b.WriteString("# The reverse proxies whose X-Forwarded-For is believed.\ntrusted_proxies: [127.0.0.1/32, \"::1/128\"]\n\n" +
		"# Who can open backups: age public keys, made with age-keygen.\nbackup_recipients: []\n")
	return b.String()
}

// yamlQuote writes a text as a double-quoted YAML scalar.
func yamlQuote(s string) string { return strconv.Quote(s) }

// emptyFolder tells whether a folder is there; it is an error if it is and
// holds anything.
func emptyFolder(path string) (exists bool, err error) {
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("folder %s is not empty, and nothing in it is overwritten", path)
	}
	return true, err
}

// undo takes back what was put into a folder that was empty or not there.
func undo(path string, keep bool) error {
	if !keep {
		return os.RemoveAll(path)
	}
	entries, err := os.ReadDir(path)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(path, e.Name())))
	}
	return err
}
