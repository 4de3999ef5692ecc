package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"inspraak/activitypub"
	"inspraak/participation"
)

// Config is the node's configuration file, inspraak.yaml. Every key is
// explained in config.example.yaml. It holds no secrets: keys are files.
type Config struct {
	URL              string              `yaml:"url"`
	Loopback         bool                `yaml:"loopback"`
	Listen           string              `yaml:"listen"`
	TLS              string              `yaml:"tls"`
	Data             string              `yaml:"data"`
	Keys             string              `yaml:"keys"`
	Media            string              `yaml:"media"`
	Name             string              `yaml:"name"`
	Theme            string              `yaml:"theme"`
	Logo             LogoConfig          `yaml:"logo"`
	Language         string              `yaml:"language"`
	Timezone         string              `yaml:"timezone"`
	Contact          string              `yaml:"contact"`
	OrganisationURI  string              `yaml:"organisation_uri"`
	SecurityContact  string              `yaml:"security_contact"`
	SecurityPolicy   string              `yaml:"security_policy"`
	RelMe            []string            `yaml:"rel_me"`
	About            Texts               `yaml:"about"`
	OtherWays        Texts               `yaml:"other_ways"`
	Privacy          Texts               `yaml:"privacy"`
	Accessibility    AccessibilityConfig `yaml:"accessibility"`
	Commands         CommandsConfig      `yaml:"commands"`
	TrustedProxies   []netip.Prefix      `yaml:"trusted_proxies"`
	RequestsPerSec   float64             `yaml:"requests_per_second"`
	Defaults         Defaults            `yaml:"defaults"`
	Log              LogConfig           `yaml:"log"`
	Metrics          MetricsConfig       `yaml:"metrics"`
	BackupRecipients []string            `yaml:"backup_recipients"`
	Destroyers       []string            `yaml:"destroyers"`
	ObjectionPeriod  time.Duration       `yaml:"objection_period"`
	Retention        RetentionConfig     `yaml:"retention"`

	Path string           `yaml:"-"` // of the file it came from
	URLs activitypub.URLs `yaml:"-"` // from URL
	Zone *time.Location   `yaml:"-"` // from Timezone
}

// Texts is one text in the languages of the pages, as Markdown.
type Texts struct {
	NL string `yaml:"nl"`
	EN string `yaml:"en"`
}

// ByLanguage maps language tags to the texts that are not empty.
func (t Texts) ByLanguage() map[string]string {
	texts := map[string]string{}
	for tag, text := range map[string]string{"nl": t.NL, "en": t.EN} {
		if strings.TrimSpace(text) != "" {
			texts[tag] = text
		}
	}
	return texts
}

// CommandsConfig are the words that citizens send in a direct message.
type CommandsConfig struct {
	Code   []string `yaml:"code"`
	MyData []string `yaml:"my_data"`
}

// Defaults are the terms of a consultation whose file does not give its own.
type Defaults struct {
	Grace     time.Duration `yaml:"grace"`
	BatchSize int           `yaml:"batch_size"`
	Interval  time.Duration `yaml:"interval"`
}

// check holds the terms to what the domain accepts.
func (d Defaults) check(section string, bad func(key, format string, args ...any)) {
	if d.Grace < 0 || d.Grace > time.Hour {
		bad(section+"grace", "%s: between 0s and 1h", d.Grace)
	}
	if d.BatchSize < 1 {
		bad(section+"batch_size", "%d: at least 1", d.BatchSize)
	}
	if d.Interval < time.Second {
		bad(section+"interval", "%s: at least 1s", d.Interval)
	}
}

// LogConfig says what is logged to standard error, and how.
type LogConfig struct {
	Level  slog.Level `yaml:"level"`
	Format string     `yaml:"format"`
}

// MetricsConfig says where those who watch over the node ask for its figures
// and its health. Nothing there is secret, and nothing is for the public.
type MetricsConfig struct {
	Listen string `yaml:"listen"` // address and port; "" for none
}

// check refuses what is no listener of its own.
func (m MetricsConfig) check(public string, bad func(key, format string, args ...any)) {
	if m.Listen == "" {
		return
	}
	if _, port, err := net.SplitHostPort(m.Listen); err != nil || port == "" {
		bad("metrics.listen", "%q: give address and port, such as 127.0.0.1:9464", m.Listen)
	} else if m.Listen == public {
		bad("metrics.listen", "%q: is where the public is served; take another port", m.Listen)
	}
}

// maxObjectionPeriod keeps a slip of the pen from keeping ballots for ever.
const maxObjectionPeriod = 2 * 365 * 24 * time.Hour

// Database is the path of the database file.
func (c Config) Database() string { return filepath.Join(c.Data, "inspraak.db") }

// Load reads a configuration file and reports everything that is wrong with
// it at once, each problem with its line. Relative folders are taken from the
// file's own folder. It creates nothing and asks nothing of the network.
func Load(path string) (Config, error) {
	src, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Config{}, fmt.Errorf("read configuration: %s is not there; make one with \"inspraak init\", or name it with --config", path)
	} else if err != nil {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	return parseConfig(path, src)
}

func parseConfig(path string, src []byte) (Config, error) {
	c := Config{
		Path: path, TLS: tlsProxy, Data: "data", Language: "nl", Timezone: "Europe/Amsterdam", RequestsPerSec: 200,
		Defaults:        Defaults{Grace: 3 * time.Minute, BatchSize: 10, Interval: 3 * time.Minute},
		Log:             LogConfig{Level: slog.LevelInfo, Format: "text"},
		Commands:        CommandsConfig(participation.DefaultCommands()),
		ObjectionPeriod: 42 * 24 * time.Hour,
		Retention:       RetentionConfig(participation.DefaultRetention()),
	}
	p := &problems{file: path}
	at := decodeYAML(src, 1, &c, p)
	if at == nil {
		return c, p.err()
	}
	if c.Listen == "" {
		c.Listen = "127.0.0.1:8080"
		if c.TLS == tlsAuto {
			c.Listen = ":443"
		}
	}
	c.check(func(key, format string, args ...any) {
		if !p.has(key) {
			section, _, _ := strings.Cut(key, ".")
			p.add(cmp.Or(at[key], at[section]), key, format, args...)
		}
	})
	folder := filepath.Dir(path)
	c.Data = under(folder, c.Data, "data")
	c.Keys = under(folder, c.Keys, filepath.Join(c.Data, "keys"))
	c.Media = under(folder, c.Media, filepath.Join(c.Data, "media"))
	c.Theme, c.Logo.File = under(folder, c.Theme, ""), under(folder, c.Logo.File, "")
	return c, p.err()
}

func under(folder, path, fallback string) string {
	switch {
	case path == "":
		return fallback
	case filepath.IsAbs(path):
		return path
	}
	return filepath.Join(folder, path)
}

// check reports what is wrong with the values, and fills in what follows from
// them.
func (c *Config) check(bad func(key, format string, args ...any)) {
	c.checkURL(bad)
	if _, port, err := net.SplitHostPort(c.Listen); err != nil || port == "" {
		bad("listen", "%q: give address and port, such as 127.0.0.1:8080", c.Listen)
	}
	if strings.TrimSpace(c.Name) == "" {
		bad("name", "missing; the municipality's name, as citizens know it")
	}
	if c.Logo.Alt != "" && c.Logo.File == "" {
		bad("logo.file", "missing; alt says what stands in a logo")
	}
	if c.Language != "nl" && c.Language != "en" {
		bad("language", "%q: the pages exist in nl and en", c.Language)
	}
	zone, err := time.LoadLocation(c.Timezone)
	if err != nil || c.Timezone == "" || c.Timezone == "Local" {
		bad("timezone", "%q is no time zone; use a name such as Europe/Amsterdam", c.Timezone)
		zone = time.UTC
	}
	c.Zone = zone
	if !contactable(c.Contact) {
		bad("contact", "%q: give an e-mail address or the address of a contact page, where citizens reach a human", c.Contact)
	}
	if u, err := url.Parse(c.OrganisationURI); c.OrganisationURI != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		bad("organisation_uri", "%q: give the municipality's address in the TOOI register, such as https://identifier.overheid.nl/tooi/id/gemeente/gm0344", c.OrganisationURI)
	}
	c.checkStandards(bad)
	c.Accessibility.check(bad)
	participation.Commands(c.Commands).Check(func(key, format string, args ...any) { bad("commands."+key, format, args...) })
	c.Defaults.check("defaults.", bad)
	if c.Log.Format != "text" && c.Log.Format != "json" {
		bad("log.format", "%q: use text or json", c.Log.Format)
	}
	c.Metrics.check(c.Listen, bad)
	for _, r := range c.BackupRecipients {
		if err := checkRecipient(r); err != nil {
			bad("backup_recipients", "%v", err)
		}
	}
	if _, err := enrolled(c.Destroyers); err != nil {
		bad("destroyers", "%v", err)
	}
	if c.ObjectionPeriod < 0 || c.ObjectionPeriod > maxObjectionPeriod {
		bad("objection_period", "%s: between 0s and %s", c.ObjectionPeriod, maxObjectionPeriod)
	}
	participation.Retention(c.Retention).Check(func(key, format string, args ...any) { bad("retention."+key, format, args...) })
}

// checkStandards checks what the node tells those who look for its standards.
func (c *Config) checkStandards(bad func(key, format string, args ...any)) {
	switch {
	case c.TLS != tlsProxy && c.TLS != tlsAuto:
		bad("tls", "%q: use proxy or auto", c.TLS)
	case c.TLS == tlsAuto && c.Loopback:
		bad("tls", "auto: nobody gives a certificate to a name that only this machine knows; leave it out while loopback is on")
	case c.TLS == tlsAuto && strings.HasPrefix(c.Listen, "127."):
		bad("listen", "%q: is reached from this machine only; with tls: auto leave it out", c.Listen)
	}
	if c.SecurityContact != "" && (!contactable(c.SecurityContact) || strings.HasPrefix(c.SecurityContact, "http:")) {
		bad("security_contact", "%q: give an e-mail address, or an address that begins with https", c.SecurityContact)
	}
	if c.SecurityPolicy != "" && !secureAddress(c.SecurityPolicy) {
		bad("security_policy", "%q: give an address that begins with https", c.SecurityPolicy)
	}
	for _, address := range c.RelMe {
		if !secureAddress(address) {
			bad("rel_me", "%q: give addresses that begin with https", address)
		}
	}
}

func secureAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil
}

// checkURL holds the node's address to what other servers can reach: https on
// a public name and the usual port. Plain HTTP and ports need the loopback
// switch, and that is only for names that no other machine can mean.
func (c *Config) checkURL(bad func(key, format string, args ...any)) {
	urls, err := activitypub.NewURLs(c.URL)
	if err != nil {
		bad("url", "%q: give scheme and host in lower case and nothing more, such as https://inspraak.example.nl", c.URL)
		return
	}
	c.URLs = urls
	u, err := url.Parse(urls.Base)
	if err != nil {
		bad("url", "%q: %v", c.URL, err)
		return
	}
	host := u.Hostname()
	_, notIP := netip.ParseAddr(host)
	switch {
	case c.Loopback && !loopbackName(host):
		bad("loopback", "only for trials on one machine: the host of url must be 127.x.x.x, [::1], localhost, *.localhost or *.test, and is %q", host)
	case c.Loopback:
	case u.Scheme != "https" || u.Port() != "":
		bad("url", "%q: must be https without a port, for other servers refuse the rest (on one machine, for a trial, set loopback: true)", c.URL)
	case notIP == nil || !strings.Contains(host, ".") || loopbackName(host):
		bad("url", "%q: must be a public host name (on one machine, for a trial, set loopback: true)", c.URL)
	default:
		if ascii, err := idna.Lookup.ToASCII(host); err != nil {
			bad("url", "%q is no host name: %v", host, err)
		} else if ascii != host {
			bad("url", "write the host in ASCII: https://%s", ascii)
		}
	}
}

// loopbackName tells whether a host can only mean the machine itself:
// 127.0.0.0/8, ::1, and the names that RFC 6761 §6.2 and §6.3 set apart.
func loopbackName(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.IsLoopback()
	}
	host = strings.TrimSuffix(host, ".")
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || strings.HasSuffix(host, ".test")
}

func contactable(s string) bool {
	if u, err := url.Parse(s); err == nil && (u.Scheme == "https" || u.Scheme == "http") {
		return u.Host != ""
	}
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s && slices.Contains([]rune(s), '@')
}

// logger writes to standard error what the configuration asks for.
func (c LogConfig) logger(w *os.File) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.Level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
