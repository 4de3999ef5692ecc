package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"net/mail"
	"net/url"
	"os"
	"slices"
	"strings"

	"inspraak/archive"
	"inspraak/participation"
	"inspraak/web"
)

// archiveCommand copies pages and documents for good; a backup is something else.
type archiveCommand struct {
	Consultation string `arg:"" optional:"" help:"Slug or id of the consultation."`
	All          bool   `help:"The whole site, instead of one consultation."`
	Out          string `required:"" placeholder:"DIR" help:"Folder, empty or not there yet."`
	Open         string `placeholder:"REASON" help:"Also what has not closed yet. The reason stands in the bag."`
	Appraisal    string `help:"Appraisal (waardering) by the selection list, for the metadata; open if left out."`
	Category     string `help:"Category of the selection list, for the metadata; open if left out."`
}

// Run copies what the node shows everybody, beside a node that serves or by itself.
func (c archiveCommand) Run(a *app) error {
	if c.All == (c.Consultation != "") {
		return errors.New("archive: name a consultation, or say --all")
	}
	n, cfg, err := a.still()
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	return errors.Join(c.write(a, n, cfg), n.Close())
}

// still opens the node as it is, for pages to be asked of it in this process. It
// runs no job and limits nobody; what has closed is counted once more first, as
// after a start.
func (a *app) still() (*Node, Config, error) {
	cfg, err := a.config()
	if err != nil {
		return nil, cfg, err
	}
	if _, err := os.Stat(cfg.Database()); errors.Is(err, fs.ErrNotExist) {
		return nil, cfg, fmt.Errorf("there is no database %s; correct `data` in %s", cfg.Database(), cfg.Path)
	}
	cfg.RequestsPerSec = math.MaxInt32
	log := slog.New(slog.NewTextHandler(a.errs, &slog.HandlerOptions{Level: slog.LevelWarn}))
	n, err := OpenNode(a.ctx, cfg, Surroundings{Log: log, Now: a.now})
	if err != nil {
		return nil, cfg, err
	}
	if _, err := n.recount(a.ctx); err != nil {
		return nil, cfg, errors.Join(err, n.Close())
	}
	return n, cfg, nil
}

func (c archiveCommand) write(a *app, n *Node, cfg Config) error {
	chosen, err := c.chosen(a.ctx, n)
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	o := archive.Options{Handler: n.Handler, Base: cfg.URLs.Base, Now: a.now(),
		Try: []string{"/robots.txt", "/sitemap.xml", "/.well-known/security.txt"}, Judge: judgeAll}
	if !c.All {
		o.Try = nil
		if o.Judge, err = judgeOne(a.ctx, n, chosen[0]); err != nil {
			return fmt.Errorf("archive: %w", err)
		}
	}
	if err := c.start(a.ctx, n, &o, chosen); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	if err := copyWords(&o, cfg); err != nil {
		return err
	}
	if err := c.describe(&o, cfg, chosen); err != nil {
		return err
	}
	r, err := archive.Write(a.ctx, c.Out, o)
	if err != nil {
		return err
	}
	a.say("Copied %d files (%.1f MB) into %s/data.", r.Files, float64(r.Bytes)/1e6, c.Out)
	a.say("Serve that folder under %s; %[2]s/server has settings for Caddy and nginx.", cfg.URLs.Host, c.Out)
	a.say("Left out: %d addresses; %s/left-out.txt says which and why.", r.LeftOut, c.Out)
	return nil
}

// chosen lists what is to be archived, and refuses what should not be yet.
func (c archiveCommand) chosen(ctx context.Context, n *Node) (chosen []participation.Consultation, err error) {
	if c.All {
		all, err := n.Service.Consultations(ctx, participation.Filter{})
		if err != nil {
			return nil, err
		}
		chosen = slices.DeleteFunc(all, func(c participation.Consultation) bool { return !c.Phase.Visible() })
	} else {
		one, err := n.Service.Consultation(ctx, c.Consultation)
		if err != nil {
			return nil, err
		}
		if !one.Phase.Visible() {
			return nil, fmt.Errorf("%s is a draft: nobody outside can see it, so there is nothing to archive", one.Slug)
		}
		chosen = []participation.Consultation{one}
	}
	var wrong []string
	for _, one := range chosen {
		switch _, _, err := n.Service.Manifest(ctx, one); {
		case (one.Phase == participation.Open || one.Phase == participation.Scheduled) && strings.TrimSpace(c.Open) == "":
			wrong = append(wrong, one.Slug+" is "+string(one.Phase)+`; wait until it has closed, or say --open "REASON"`)
		case one.Phase == participation.Closed && one.Kind.HasOptions() && errors.Is(err, participation.ErrNotFound) && !n.underReview(one.ID):
			wrong = append(wrong, one.Slug+" has no dataset yet; the node publishes it soon after closing, when it runs")
		case err != nil && !errors.Is(err, participation.ErrNotFound):
			return nil, err
		case n.underReview(one.ID):
			n.log.Warn("under review: its pages say so, in the archive as well", "consultation", one.Slug)
		}
	}
	if len(wrong) > 0 {
		return nil, errors.New(strings.Join(wrong, "\n  "))
	}
	return chosen, nil
}

// start names what the copy begins with: pages, and what nothing links to.
func (c archiveCommand) start(ctx context.Context, n *Node, o *archive.Options, chosen []participation.Consultation) error {
	if c.All {
		o.Start = append(o.Start, "/", "/about", "/logs", "/actor")
		channels, err := n.Service.Channels(ctx)
		if err != nil {
			return err
		}
		for _, ch := range channels {
			o.Start = append(o.Start, "/@"+ch.Name, "/a/"+ch.Name)
		}
	}
	for _, one := range chosen {
		o.Start = append(o.Start, "/consultations/"+one.Slug)
		if o.Try = append(o.Try, "/o/"+one.ID); one.Phase != participation.Withdrawn {
			o.Start = append(o.Start, "/consultations/"+one.Slug+"/report")
		}
		head, err := n.Service.Log(ctx, one.Number)
		if err != nil {
			return err
		}
		if head.Size > 0 {
			o.Start = append(o.Start, "/log/"+one.ID+"/checkpoint", "/log/"+one.ID+"/key")
			o.Start = append(o.Start, tiles("/log/"+one.ID+"/tile/", head.Size)...)
		}
	}
	return nil
}

// tiles are the addresses of all tiles of a log of a size (C2SP tlog-tiles).
func tiles(under string, size int64) (list []string) {
	const width = 256
	name := func(n int64) string {
		name := fmt.Sprintf("%03d", n%1000)
		for n /= 1000; n > 0; n /= 1000 {
			name = fmt.Sprintf("x%03d/", n%1000) + name
		}
		return name
	}
	for level, n := 0, size; n > 0; level, n = level+1, n/width {
		kinds := []string{fmt.Sprint(level)}
		if level == 0 {
			kinds = append(kinds, "entries")
		}
		for _, kind := range kinds {
			for i := range n / width {
				list = append(list, under+kind+"/"+name(i))
			}
			if rest := n % width; rest > 0 {
				list = append(list, fmt.Sprintf("%s%s/%s.p/%d", under, kind, name(n/width), rest))
			}
		}
	}
	return list
}

// judgeAll leaves out what is for one visitor, what only takes or begins, and what has no
// end: a random order, a search.
func judgeAll(path string, query url.Values) archive.Verdict {
	switch {
	case path == "/api/v1", strings.HasPrefix(path, "/my-data/"), strings.Contains(path, "/receipt/"), strings.HasSuffix(path, "/inbox"),
		query.Get("order") == "random", query.Has("q"), query.Has("code"), query.Has("handle"), query.Has("resource"):
		return archive.Never
	}
	return archive.Copied
}

// judgeOne leaves out as well what is of other consultations, and what lists them.
func judgeOne(ctx context.Context, n *Node, c participation.Consultation) (func(string, url.Values) archive.Verdict, error) {
	posts, err := n.Service.Posts(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	within := []string{"/consultations/" + c.Slug, "/o/" + c.ID, "/log/" + c.ID, "/embed/consultations/" + c.Slug, "/a/" + c.Channel}
	for _, p := range posts {
		within = append(within, "/o/"+p.ID)
	}
	within = append(within, "/about", "/how-it-works", "/privacy", "/accessibility", "/toegankelijkheid", "/actor", "/static", "/media", "/c")
	return func(path string, query url.Values) archive.Verdict {
		if !slices.ContainsFunc(within, func(p string) bool { return path == p || strings.HasPrefix(path, p+"/") }) || path == "/a/"+c.Channel+"/outbox" {
			return archive.Elsewhere
		}
		return judgeAll(path, query)
	}, nil
}

// copyWords puts what the pages of a copy say into it.
func copyWords(o *archive.Options, cfg Config) error {
	site, err := web.Load()
	if err != nil {
		return err
	}
	o.Languages, o.Words = site.Languages(), map[string]archive.Words{}
	for _, l := range o.Languages {
		o.Words[l] = archive.Words{
			Copy: site.Text(l, "static-copy.notice", "Moment", site.Moment(l, o.Now.In(cfg.Zone))),
			Form: site.Text(l, "static-copy.form"),
		}
	}
	return nil
}

// describe writes what an archivist needs to know: bag-info.txt, and MDTO.
func (c archiveCommand) describe(o *archive.Options, cfg Config, chosen []participation.Consultation) error {
	site := archive.Record{Address: cfg.URLs.Base, Title: "Inspraak: " + cfg.Name, Level: "Archief", Maker: cfg.Name,
		Language: cfg.Language, Appraisal: c.Appraisal, Category: c.Category, Description: []string{"Statische kopie van een site met openbare raadplegingen."}}
	o.Info = []archive.Field{
		{Name: "Source-Organization", Value: cfg.Name}, {Name: "External-Identifier", Value: cfg.URLs.Base},
		{Name: "Bag-Software-Agent", Value: "inspraak " + version()},
	}
	if _, err := mail.ParseAddress(cfg.Contact); err == nil {
		o.Info = append(o.Info, archive.Field{Name: "Contact-Email", Value: cfg.Contact})
	}
	description := "All public pages, documents and data of " + cfg.URLs.Base
	if !c.All {
		description = chosen[0].Title
		o.Info[1].Value = cfg.URLs.Page(chosen[0].Slug)
	}
	o.Info = append(o.Info, archive.Field{Name: "External-Description", Value: description})
	if c.Open != "" {
		o.Info = append(o.Info, archive.Field{Name: "Archived-Before-Closing", Value: c.Open})
		site.Description = append(site.Description, "Gearchiveerd voor de sluiting, omdat: "+c.Open)
	}
	o.Tags = map[string][]byte{}
	for _, one := range chosen {
		r := archive.Record{Address: cfg.URLs.Page(one.Slug), Title: one.Title, Level: "Dossier", Maker: cfg.Name, Language: one.Language,
			From: one.OpensAt.In(cfg.Zone), Appraisal: c.Appraisal, Category: c.Category, Description: []string{"Raadpleging: vraag, voorwaarden, uitslag, reacties en antwoorden."}}
		if c.All {
			r.Part = &site
		} else if c.Open != "" {
			r.Description = append(r.Description, site.Description[1])
		}
		r.Events = append(r.Events, archive.Event{What: "Publicatie", At: one.OpensAt, Who: cfg.Name})
		if !one.ClosedAt.IsZero() {
			r.Until = one.ClosedAt.In(cfg.Zone)
			r.Events = append(r.Events, archive.Event{What: "Sluiting", At: one.ClosedAt, Who: cfg.Name})
		}
		if !one.DestroyedAt.IsZero() {
			r.Events = append(r.Events, archive.Event{What: "Vernietiging van wat stemmers en stemmen verbindt", At: one.DestroyedAt, Who: cfg.Name})
		}
		if one.Phase == participation.Withdrawn {
			r.Description = append(r.Description, "Ingetrokken, omdat: "+one.Reason)
		}
		r.Events = append(r.Events, archive.Event{What: "Export", At: o.Now, Who: cfg.Name})
		if err := addRecord(o, "metadata/"+one.Slug+".mdto.xml", r); err != nil {
			return err
		}
		site.Parts = append(site.Parts, archive.Record{Address: r.Address, Title: r.Title})
	}
	if !c.All {
		return nil
	}
	site.Events = []archive.Event{{What: "Export", At: o.Now, Who: cfg.Name}}
	return addRecord(o, "metadata/site.mdto.xml", site)
}

func addRecord(o *archive.Options, name string, r archive.Record) (err error) {
	o.Tags[name], err = archive.MDTO(r)
	return err
}
