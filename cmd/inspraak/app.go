package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"inspraak/participation"
	"inspraak/store"
)

// app is what every command has at hand.
type app struct {
	ctx        context.Context
	configPath string
	in         *bufio.Reader
	out, errs  io.Writer
	now        func() time.Time
}

func (a *app) config() (Config, error) { return Load(a.configPath) }

// office is an opened node as its administrators work on it, also while
// another process serves it.
type office struct {
	Config
	*participation.Service
	db   *store.DB
	keys *store.Keys
}

// open opens the node's database and keys. It makes neither: a command with
// the wrong folder must not start an empty node.
func (a *app) open() (*office, error) {
	cfg, err := a.config()
	if err != nil {
		return nil, err
	}
	return a.openNode(cfg)
}

func (a *app) openNode(cfg Config) (*office, error) {
	if _, err := os.Stat(cfg.Database()); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open: there is no database %s; run \"inspraak init\" or \"inspraak restore\" first, or correct `data` in %s", cfg.Database(), cfg.Path)
	}
	keys, err := store.OpenKeys(cfg.Keys, false)
	if err != nil {
		return nil, err
	}
	db, err := store.Open(a.ctx, cfg.Database(), a.quietLog())
	if err != nil {
		return nil, err
	}
	return &office{Config: cfg, Service: participation.New(db, keys, cfg.URLs.Site(), a.now), db: db, keys: keys}, nil
}

// Close closes the database.
func (o *office) Close() error { return o.db.Close() }

// at runs a command's work on the opened node.
func (a *app) at(work func(*office) error) error {
	o, err := a.open()
	if err != nil {
		return err
	}
	return errors.Join(work(o), o.Close())
}

// quietLog shows warnings only: a command says itself what it did.
func (a *app) quietLog() *slog.Logger {
	return slog.New(slog.NewTextHandler(a.errs, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

func (a *app) say(format string, args ...any) { fmt.Fprintf(a.out, format+"\n", args...) }

// json prints a value for other programs.
func (a *app) json(v any) error {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// table prints rows in columns, the first row being the head, or a sentence if
// there are no others.
func (a *app) table(none string, rows [][]string) error {
	if len(rows) == 1 {
		a.say("%s", none)
		return nil
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

// confirm asks for a plain yes before what cannot be undone.
func (a *app) confirm(question string, yes bool) error {
	if yes {
		return nil
	}
	fmt.Fprintf(a.out, "%s [yes/no] ", question)
	answer, err := a.in.ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "yes", "y", "ja", "j":
		return nil
	}
	if err != nil {
		fmt.Fprintln(a.out)
		return errors.New("nobody answered, so nothing was done; say --yes to go on without being asked")
	}
	return errors.New("nothing was done")
}

// ask reads one line; an empty one means the suggestion.
func (a *app) ask(question, suggestion string) (string, error) {
	if suggestion != "" {
		question += " [" + suggestion + "]"
	}
	fmt.Fprintf(a.out, "%s: ", question)
	answer, err := a.in.ReadString('\n')
	if answer = strings.TrimSpace(answer); answer != "" {
		return answer, nil
	}
	if err != nil && suggestion == "" {
		fmt.Fprintln(a.out)
		return "", fmt.Errorf("nobody answered %q; give it as a flag", question)
	}
	return suggestion, nil
}

// readText reads a text file, or standard input for "-".
func (a *app) readText(path string) (string, error) {
	var data []byte
	var err error
	if path == "-" {
		data, err = io.ReadAll(io.LimitReader(a.in, 1<<20))
	} else {
		data, err = os.ReadFile(path)
	}
	if err != nil {
		return "", fmt.Errorf("read text: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}

// localStamp shows a time as people in the municipality read it.
func (c Config) localStamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.In(c.Zone).Format("2006-01-02 15:04")
}
