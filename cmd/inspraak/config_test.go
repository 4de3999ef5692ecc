package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// The example must load as it is and know every key, else it misleads.
func TestExampleConfig(t *testing.T) {
	path := filepath.Join(root, "config.example.yaml")
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if c.URLs.Host != "inspraak.example.nl" || c.Zone.String() != "Europe/Amsterdam" || len(c.TrustedProxies) != 2 ||
		c.Defaults != (Defaults{Grace: 3 * time.Minute, BatchSize: 10, Interval: 3 * time.Minute}) ||
		c.Database() != filepath.Join(root, "data", "inspraak.db") || c.Keys != filepath.Join(root, "data", "keys") ||
		len(c.About.ByLanguage()) != 2 {
		t.Errorf("loaded as %+v", c)
	}
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var inFile Config
	p := &problems{}
	at := decodeYAML(src, 1, &inFile, p)
	lines := strings.Split(string(src), "\n")
	for _, key := range keysOf("", reflect.TypeFor[Config]()) {
		switch line := at[key]; {
		case line == 0:
			t.Errorf("config.example.yaml does not have %s", key)
		case !strings.Contains(key, ".") && !strings.HasPrefix(lines[line-2], "#"):
			t.Errorf("config.example.yaml does not explain %s", key)
		}
	}
}

func keysOf(prefix string, t reflect.Type) (keys []string) {
	for _, f := range yamlFields(t) {
		keys = append(keys, prefix+f.name)
		if inner := t.Field(f.index).Type; inner.Kind() == reflect.Struct {
			keys = append(keys, keysOf(prefix+f.name+".", inner)...)
		}
	}
	return keys
}

// What the example shows for a key that is left out must be the default.
func TestConfigDefaults(t *testing.T) {
	example, err := Load(filepath.Join(root, "config.example.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	least, err := parseConfig(filepath.Join(root, "config.example.yaml"),
		[]byte("url: https://inspraak.example.nl\nname: Gemeente Voorbeeld\ncontact: participatie@voorbeeld.example.nl\n"))
	if err != nil {
		t.Fatal(err)
	}
	example.About, example.OtherWays, example.TrustedProxies, example.BackupRecipients, example.Metrics = Texts{}, Texts{}, nil, nil, MetricsConfig{}
	example.Destroyers, example.OrganisationURI, example.Privacy, example.Accessibility = nil, "", Texts{}, AccessibilityConfig{}
	example.SecurityContact, example.SecurityPolicy, example.RelMe = "", "", nil
	if !reflect.DeepEqual(example, least) {
		t.Errorf("defaults are\n%+v, the example shows\n%+v", least, example)
	}
}

func TestLoopbackSwitch(t *testing.T) {
	for _, c := range []struct {
		url      string
		loopback bool
		problem  string // "" if accepted
	}{
		{"https://inspraak.example.nl", false, ""},
		{"https://xn--mnster-3ya.example", false, ""},
		{"http://127.0.0.1:8080", true, ""},
		{"http://127.9.9.9", true, ""},
		{"http://[::1]:8080", true, ""},
		{"http://localhost:8080", true, ""},
		{"http://inspraak.localhost:8080", true, ""},
		{"http://inspraak.test:8090", true, ""},
		{"https://inspraak.test", true, ""},
		{"https://inspraak.example.nl", true, "loopback: "},
		{"http://10.0.0.1", true, "loopback: "},
		{"http://test", true, "loopback: "},
		{"http://localhost.example.nl", true, "loopback: "},
		{"http://nottest", true, "loopback: "},
		{"http://inspraak.example.nl", false, "must be https"},
		{"https://inspraak.example.nl:8443", false, "without a port"},
		{"https://127.0.0.1", false, "public host name"},
		{"https://192.0.2.1", false, "public host name"},
		{"https://localhost", false, "public host name"},
		{"https://inspraak.test", false, "public host name"},
		{"https://münster.example", false, "xn--mnster-3ya.example"},
		{"https://Inspraak.example", false, "lower case"},
		{"https://inspraak.example/consultations", false, "nothing more"},
		{"ftp://inspraak.example", false, "scheme"},
		{"", false, "url: "},
	} {
		src := "url: " + yamlQuote(c.url) + "\nname: V\ncontact: a@example.nl\n"
		if c.loopback {
			src += "loopback: true\n"
		}
		_, err := parseConfig("inspraak.yaml", []byte(src))
		switch {
		case c.problem == "" && err != nil:
			t.Errorf("%s, loopback %v: %v", c.url, c.loopback, err)
		case c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem) || !strings.HasPrefix(err.Error(), "1 problem in")):
			t.Errorf("%s, loopback %v: %v, want one problem with %q", c.url, c.loopback, err, c.problem)
		}
	}
}

// Every wrong value is reported, each on its own line of the file.
func TestConfigProblems(t *testing.T) {
	for line, problem := range map[string]string{
		"listen: 8080":                        "listen: ",
		"language: fr":                        "language: ",
		"timezone: Local":                     "timezone: ",
		"contact: somebody":                   "contact: ",
		"security_contact: http://a.example":  "security_contact: ",
		"security_policy: ftp://a.example":    "security_policy: ",
		"rel_me: [https://a.example, a]":      "rel_me: ",
		"tls: maybe":                          "tls: ",
		"trusted_proxies: [10.0.0.0]":         "trusted_proxies: ",
		"trusted_proxies: 10.0.0.0/8":         "trusted_proxies: ",
		"metrics: {listen: 9464}":             "metrics.listen: ",
		"metrics: {listen: 127.0.0.1:8080}":   "metrics.listen: ",
		"log: {level: loud}":                  "log.level: ",
		"log: {format: xml}":                  "log.format: ",
		"commands: {code: []}":                "commands.code: ",
		"commands: {code: [a b c d]}":         "commands.code: ",
		"commands: {code: [gegevens]}":        "commands.my_data: ",
		"commands: {my_data: ['!']}":          "commands.my_data: ",
		"log: debug":                          "log: keys with values",
		"defaults: {grace: 2h}":               "defaults.grace: ",
		"defaults: {interval: 1ms}":           "defaults.interval: ",
		"defaults: {batch_size: many}":        "defaults.batch_size: ",
		"backup_recipients: [age1x]":          "backup_recipients: ",
		"backup_recipients: [ssh-ed25519 AA]": "backup_recipients: ",
		"accessibility: {statement: x}":       "accessibility.statement: ",
		"accessibility: {status: F}":          "accessibility.status: ",
		"accessibility: {audited: 1-2-2026}":  "accessibility.audited: ",
		"accessibility: {contact: bel ons}":   "accessibility.contact: ",
		"about: {de: Hallo}":                  "about.de: unknown key",
		"name: Twice":                         "name: given twice, first on line 2",
		"loopback: maybe":                     "loopback: ",
		"retention: {peers: 0s}":              "retention.peers: ",
		"retention: {hidden_replies: 24h}":    "retention.hidden_replies: ",
		"retention: {reports: 99999h}":        "retention.reports: ",
		"retention: {moderation_log: 720h}":   "retention.moderation_log: ",
		"retention: {ballots: 720h}":          "retention.ballots: unknown key",
	} {
		src := "url: https://inspraak.example.nl\nname: V\n"
		if !strings.HasPrefix(line, "contact") {
			src += "contact: a@example.nl\n"
		} else {
			src += "\n"
		}
		_, err := parseConfig("inspraak.yaml", []byte(src+line+"\n"))
		if err == nil || !strings.Contains(err.Error(), "line 4: "+problem) || !strings.HasPrefix(err.Error(), "1 problem in") {
			t.Errorf("%s: %v, want one problem on line 4 with %q", line, err, problem)
		}
	}
}
