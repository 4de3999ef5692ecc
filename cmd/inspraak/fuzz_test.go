package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// FuzzConsultationFile: whatever an author writes is a consultation or a list
// of problems, each with its text.
func FuzzConsultationFile(f *testing.F) {
	f.Add([]byte("---\ntitle: Plein\nslug: plein\nkind: single\noptions: [Ja, Nee]\ncloses: 2026-12-24 17:00\n---\nTekst.\n"))
	f.Add([]byte("---\ntitle: &a [*a]\nimage: {file: x, alt: y}\ninterval: 1e9s\nbatch_size: !!int 3\n---\n"))
	f.Add([]byte("---\n? [a]\n: b\n<<: {title: x}\n---\n"))
	f.Add([]byte("---\n---\n---\n"))
	now := time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)
	cfg, err := parseConfig("config.yaml", []byte("url: https://inspraak.example.nl\nname: Voorbeeld\ncontact: a@example.nl\n"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		p := &problems{file: "x.md"}
		start := time.Now()
		file, at := parseConsultation(src, p)
		if took := time.Since(start); took > 5*time.Second { // of an author, not of a stranger
			t.Errorf("took %v", took)
		}
		if at == nil {
			if p.err() == nil {
				t.Error("neither a consultation nor a problem")
			}
			return
		}
		c := file.consultation(cfg, []string{"consult"}, now, func(key, format string, args ...any) { p.add(0, key, format, args...) })
		if err := c.Prepare(); err != nil {
			p.add(0, "", "%v", err)
		}
		for _, e := range leaves(c.Check(now)) {
			if strings.TrimSpace(e.Error()) == "" {
				t.Error("a problem without a text")
			}
		}
		_ = p.err()
	})
}

// FuzzConfig: whatever an administrator writes is a configuration or a list of
// problems; what passes has an address and a zone.
func FuzzConfig(f *testing.F) {
	example, err := os.ReadFile(filepath.Join(root, "config.example.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(example)
	f.Add([]byte("url: https://inspraak.example.nl\nname: x\ncontact: a@example.nl\ntrusted_proxies: [10.0.0.0/8]\n"))
	f.Add([]byte("url: http://127.0.0.1:8080\nloopback: true\nlog: {level: debug}\n---\nx"))
	f.Fuzz(func(t *testing.T, src []byte) {
		c, err := parseConfig("config.yaml", src)
		if err == nil && (c.URLs.Base == "" || c.Zone == nil || c.Name == "") {
			t.Errorf("passes without what is needed: %+v", c)
		}
	})
}
