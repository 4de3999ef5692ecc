package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"inspraak/web"
)

// LogoConfig is what stands at the top of each page, in the place of our icon.
type LogoConfig struct {
	File string `yaml:"file"` // SVG or PNG; "" for the icon
	Alt  string `yaml:"alt"`  // the words in it; "" if the name is to be written beside it
}

// site makes the pages, in the municipality's own style if it has one.
func (c Config) site() (*web.Site, error) {
	var look []web.Option
	if c.Theme != "" {
		theme, err := c.theme()
		if err != nil {
			return nil, err
		}
		look = append(look, web.WithTheme(theme))
	}
	if c.Logo.File != "" {
		data, err := os.ReadFile(c.Logo.File)
		if err != nil {
			return nil, fmt.Errorf("read logo: %w", err)
		}
		look = append(look, web.WithLogo(web.Logo{Name: filepath.Base(c.Logo.File), Data: data, Alt: c.Logo.Alt}))
	}
	return web.Load(look...)
}

func (c Config) theme() (web.Theme, error) {
	css, err := os.ReadFile(c.Theme)
	if err != nil {
		return web.Theme{}, fmt.Errorf("read theme: %w", err)
	}
	return web.Theme{Name: filepath.Base(c.Theme), CSS: css}, nil
}

// lookFiles are the files that the pages need beside the program, with their names
// in a backup.
func (c Config) lookFiles() (files []backupEntry) {
	if c.Theme != "" {
		files = append(files, backupEntry{"look/theme.css", c.Theme})
	}
	if c.Logo.File != "" {
		files = append(files, backupEntry{"look/logo" + filepath.Ext(c.Logo.File), c.Logo.File})
	}
	return files
}

// checkLook says whether theme and logo are fit to be served, and which tokens
// of the theme do nothing.
func checkLook(cfg Config, f *findings) {
	if cfg.Theme == "" && cfg.Logo.File == "" {
		return
	}
	if _, err := cfg.site(); err != nil {
		f.bad("look", "%v", err)
		return
	}
	if cfg.Theme != "" {
		theme, err := cfg.theme()
		if err != nil {
			f.bad("look", "%v", err)
			return
		}
		unused, used := theme.Unused()
		rest := ""
		if n := len(unused); n > 0 {
			rest = fmt.Sprintf("; not used by any page: %d (%s)", n, strings.Join(unused[:min(n, 3)], ", ")+map[bool]string{true: ", …"}[n > 3])
		}
		f.ok("look", "%s keeps to the contrast of WCAG 2.2; tokens used: %d%s", theme.Name, used, rest)
	}
	if cfg.Logo.File != "" {
		f.ok("look", "%s is the logo, and stands for %q", filepath.Base(cfg.Logo.File), cmp.Or(cfg.Logo.Alt, cfg.Name))
	}
}
