package main

import (
	"cmp"
	"errors"
	"net/url"
	"runtime/debug"
	"strings"
)

// sbomCommand prints what the program was built from.
type sbomCommand struct{}

// Run prints one document, always the same for the same program.
func (sbomCommand) Run(a *app) error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return errors.New("sbom: this program was built without its module list; build it with \"make build\"")
	}
	return a.json(newSBOM(info))
}

// sbom is a software bill of materials: CycloneDX 1.6,
// https://cyclonedx.org/docs/1.6/json/. It has neither serial number nor time,
// both optional, so that it can be compared. It lists modules, not which needs
// which, and not their licences.
type sbom struct {
	Schema       string        `json:"$schema"`
	Format       string        `json:"bomFormat"`
	SpecVersion  string        `json:"specVersion"`
	Version      int           `json:"version"`
	Metadata     sbomMetadata  `json:"metadata"`
	Components   []component   `json:"components"`
	Compositions []composition `json:"compositions"`
}

type sbomMetadata struct {
	Component component `json:"component"`
}

type component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version,omitempty"`
	PURL       string     `json:"purl,omitempty"`
	Properties []property `json:"properties,omitempty"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// composition says that the list is whole: the linker wrote it.
type composition struct {
	Aggregate  string   `json:"aggregate"`
	Assemblies []string `json:"assemblies"`
}

func newSBOM(info *debug.BuildInfo) sbom {
	program := component{Type: "application", Ref: "inspraak", Name: "inspraak", Version: version()}
	s := sbom{
		Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", SpecVersion: "1.6", Version: 1,
		Metadata:     sbomMetadata{Component: program},
		Components:   []component{library("std", strings.TrimPrefix(info.GoVersion, "go"), "")},
		Compositions: []composition{{Aggregate: "complete", Assemblies: []string{program.Ref}}},
	}
	for _, m := range info.Deps {
		m = cmp.Or(m.Replace, m)
		s.Components = append(s.Components, library(m.Path, m.Version, m.Sum))
	}
	return s
}

// library names a module by its package URL,
// https://github.com/package-url/purl-spec, and keeps the checksum of go.sum.
func library(path, version, sum string) component {
	parts := strings.Split(path, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	purl := "pkg:golang/" + strings.Join(parts, "/") + "@" + url.PathEscape(version)
	c := component{Type: "library", Ref: purl, Name: path, Version: version, PURL: purl}
	if sum != "" {
		c.Properties = []property{{"go:sum", sum}}
	}
	return c
}
