package main

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"inspraak/participation"
)

// consultationFile is a consultation as its author writes it: Markdown with
// YAML front matter between two lines of three hyphens.
type consultationFile struct {
	Title          string                   `yaml:"title"`
	Slug           string                   `yaml:"slug"`
	Language       string                   `yaml:"language"`
	Channel        string                   `yaml:"channel"`
	Kind           participation.Kind       `yaml:"kind"`
	Options        []string                 `yaml:"options"`
	Opens          string                   `yaml:"opens"`
	Closes         string                   `yaml:"closes"`
	Results        participation.Disclosure `yaml:"results"`
	Tags           []string                 `yaml:"tags"`
	Image          *imageFile               `yaml:"image"`
	Level          participation.Level      `yaml:"level"`
	Promise        string                   `yaml:"promise"`
	DecidedBy      string                   `yaml:"decided_by"`
	DecidedWhen    string                   `yaml:"decided_when"`
	NotOpen        string                   `yaml:"not_open"`
	Notice         string                   `yaml:"notice"`
	AllowedServers []string                 `yaml:"allowed_servers"`
	BatchSize      *int                     `yaml:"batch_size"`
	Interval       *time.Duration           `yaml:"interval"`
	Grace          *time.Duration           `yaml:"grace"`
	AuditorKey     string                   `yaml:"auditor_key"`

	body string
}

// imageFile is a picture beside the consultation file.
type imageFile struct {
	File string `yaml:"file"`
	Alt  string `yaml:"alt"`
}

// checkedFile is a file without problems: the consultation as it would be
// published, and its picture, which is in no folder of ours yet.
type checkedFile struct {
	participation.Consultation
	picture *picture
}

// readConsultation reads a consultation file and reports everything that keeps
// it from being published at once, each with its line. It writes nothing.
// channels are those that exist.
func readConsultation(path string, cfg Config, channels []string, now time.Time) (checkedFile, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return checkedFile{}, fmt.Errorf("read consultation: %w", err)
	}
	p := &problems{file: path}
	f, at := parseConsultation(src, p)
	if at == nil {
		return checkedFile{}, p.err()
	}
	bad := func(key, format string, args ...any) {
		if !p.has(key) {
			p.add(lineOf(at, key), key, format, args...)
		}
	}
	c := f.consultation(cfg, channels, now, bad)
	var pic *picture
	if f.Image != nil {
		pic, err = readPicture(filepath.Join(filepath.Dir(path), f.Image.File), f.Image.Alt)
		if err != nil {
			bad("image.file", "%v", err)
		}
		c.Image = &participation.Image{Alt: f.Image.Alt}
		if pic != nil {
			c.Image = &pic.Image
		}
	}
	if err := c.Prepare(); err != nil {
		bad("", "%v", err)
	}
	found := slices.Clone(p.list) // what has been found needs no second complaint, and terms are judged one by one
	for _, e := range leaves(c.Check(now)) {
		field, text, _ := strings.Cut(e.Error(), ": ")
		key := frontMatterKey(field)
		if field != "terms" && !slices.ContainsFunc(found, func(q problem) bool { return q.key == key }) {
			p.add(lineOf(at, key), key, "%s", text)
		}
	}
	return checkedFile{c, pic}, p.err()
}

// parseConsultation splits front matter from text and decodes it; lines are
// nil if that cannot be done.
func parseConsultation(src []byte, p *problems) (consultationFile, lines) {
	var f consultationFile
	src = append(bytes.ReplaceAll(bytes.TrimPrefix(src, []byte("\xef\xbb\xbf")), []byte("\r\n"), []byte("\n")), '\n')
	rest, ok := bytes.CutPrefix(src, []byte("---\n"))
	matter, body, closed := bytes.Cut(rest, []byte("\n---\n"))
	if !ok || !closed {
		p.add(1, "", "no front matter: the file must begin with a line ---, then keys, then a line ---, then the text (see \"inspraak consultation new\")")
		return f, nil
	}
	at := decodeYAML(matter, 2, &f, p)
	f.body = strings.TrimSpace(string(body))
	return f, at
}

// consultation turns what the author wrote into the domain's terms, with the
// node's defaults where nothing is said.
func (f consultationFile) consultation(cfg Config, channels []string, now time.Time, bad func(key, format string, args ...any)) participation.Consultation {
	c := participation.Consultation{
		Slug: f.Slug, Channel: f.Channel, Kind: f.Kind, Language: f.Language,
		Title: strings.TrimSpace(f.Title), Body: f.body, Options: f.Options, Hashtags: f.Tags,
		Results: f.Results, Zone: cfg.Timezone,
		Terms: participation.Terms{
			Level: f.Level, Promise: f.Promise, DecidedBy: f.DecidedBy, DecidedWhen: f.DecidedWhen,
			NotOpen: f.NotOpen, Notice: f.Notice, AuditorKey: f.AuditorKey,
			BatchSize: orElse(f.BatchSize, cfg.Defaults.BatchSize),
			Interval:  orElse(f.Interval, cfg.Defaults.Interval),
			Grace:     orElse(f.Grace, cfg.Defaults.Grace),
		},
	}
	Defaults{c.Terms.Grace, c.Terms.BatchSize, c.Terms.Interval}.check("", bad)
	if c.Language == "" {
		c.Language = cfg.Language
	}
	if c.Results == "" {
		c.Results = participation.AtClose
	}
	if c.Channel == "" && len(channels) == 1 {
		c.Channel = channels[0]
	}
	if !slices.Contains(channels, c.Channel) {
		bad("channel", "%q is not there; there are: %s", c.Channel, strings.Join(channels, ", "))
	}
	for i, tag := range c.Hashtags {
		c.Hashtags[i] = strings.TrimPrefix(tag, "#")
	}
	c.OpensAt = now.UTC().Truncate(time.Second)
	if f.Opens != "" && f.Opens != "now" {
		opens, err := localTime(f.Opens, cfg.Zone)
		switch {
		case err != nil:
			bad("opens", "%v", err)
		case opens.After(now):
			c.OpensAt = opens
		case now.Sub(opens) > 24*time.Hour:
			bad("opens", "%s is past; leave it out to open at once", f.Opens)
		}
	}
	if f.Closes == "" {
		bad("closes", "missing; give the last moment to vote, such as 2026-12-24 17:00")
	} else if closes, err := localTime(f.Closes, cfg.Zone); err != nil {
		bad("closes", "%v", err)
	} else {
		c.ClosesAt = closes
	}
	for _, host := range f.AllowedServers {
		ascii, err := normalHost(host)
		if err != nil {
			bad("allowed_servers", "%v", err)
		}
		c.Terms.AllowedServers = append(c.Terms.AllowedServers, ascii)
	}
	if f.AuditorKey != "" {
		if err := checkRecipient(f.AuditorKey); err != nil {
			bad("auditor_key", "%v", err)
		}
	}
	return c
}

// lineOf is the line of a key, else of the section it belongs in.
func lineOf(at lines, key string) int {
	section, _, _ := strings.Cut(key, ".")
	return cmp.Or(at[key], at[section])
}

func orElse[T any](given *T, fallback T) T {
	if given == nil {
		return fallback
	}
	return *given
}

// localTime reads a time as people write it, in a zone, or as RFC 3339 with an
// offset. A time that the clock skips or shows twice (the last Sundays of
// March and October) is refused.
func localTime(s string, zone *time.Location) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.UTC().Truncate(time.Second), nil
	}
	const layout = "2006-01-02 15:04"
	t, err := time.ParseInLocation(layout, s, zone)
	if err != nil {
		return t, fmt.Errorf("%q is no time; write 2026-12-24 17:00 or 2026-12-24T17:00:00+01:00", s)
	}
	if t.Format(layout) != s {
		return t, fmt.Errorf("%s does not exist in %s: the clock is put forward then", s, zone)
	}
	for _, shift := range []time.Duration{-time.Hour, time.Hour} {
		if t.Add(shift).Format(layout) == s {
			return t, fmt.Errorf("%s comes twice in %s: the clock is put back then; write it with its offset, such as %s", s, zone, t.Format(time.RFC3339))
		}
	}
	return t.UTC(), nil
}

// normalHost brings a host name into the form in which servers are compared:
// lower case, ASCII (punycode, RFC 5891), no dot at the end.
func normalHost(s string) (string, error) {
	host, port, hasPort := strings.Cut(strings.TrimSpace(s), ":")
	ascii, err := idna.Lookup.ToASCII(strings.TrimSuffix(host, "."))
	if err != nil || ascii == "" || strings.ContainsAny(ascii, "/@ ") || (!strings.Contains(ascii, ".") && ascii != "localhost") {
		return "", fmt.Errorf("%q is no host name; write mastodon.example", s)
	}
	if hasPort {
		ascii += ":" + port
	}
	return ascii, nil
}

// leaves takes an error that joins others apart.
func leaves(err error) []error {
	if err == nil || err == participation.ErrInvalid {
		return nil
	}
	many, joined := err.(interface{ Unwrap() []error })
	if !joined {
		return []error{err}
	}
	var all []error
	for _, e := range many.Unwrap() {
		all = append(all, leaves(e)...)
	}
	return all
}

// frontMatterKey is how an author writes what the domain calls otherwise.
func frontMatterKey(field string) string {
	switch field {
	case "decidedBy":
		return "decided_by"
	case "decidedWhen":
		return "decided_when"
	case "notOpen":
		return "not_open"
	}
	return field
}
