package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"

	"inspraak/participation"
)

// reportCommand writes a participation report; reports of other servers'
// moderators are complaints here.
type reportCommand struct {
	Consultation string `arg:"" help:"Slug or id of the consultation."`
	Format       string `default:"markdown" enum:"html,markdown" help:"${enum}; pandoc makes ODT of Markdown (${default})."`
	Summary      string `placeholder:"FILE" help:"First keep this text, in Markdown, as the municipality's summary; - for standard input."`
	Lang         string `default:"nl" enum:"nl,en" help:"${enum} (${default})."`
	Out          string `placeholder:"FILE" help:"A new file; standard output if left out."`
}

// Run writes the report as the site has it, with all replies.
func (r reportCommand) Run(a *app) (err error) {
	if r.Out != "" {
		if _, err := os.Lstat(r.Out); err == nil {
			return fmt.Errorf("report: %s is there already, and is not overwritten", r.Out)
		}
	}
	if r.Summary != "" {
		if err := r.keep(a); err != nil {
			return err
		}
	}
	n, cfg, err := a.still()
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	c, err := n.Service.Consultation(a.ctx, r.Consultation)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if !c.Phase.Visible() {
		return fmt.Errorf("report: %s is a draft; there is nothing to report yet", c.Slug)
	}
	address := &url.URL{Path: "/consultations/" + c.Slug + "/report.md", RawQuery: "lang=" + r.Lang}
	if r.Format == "html" {
		address = &url.URL{Path: "/consultations/" + c.Slug + "/report", RawQuery: "replies=all&lang=" + r.Lang}
	}
	content, err := n.read(a, cfg, address)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if r.Out == "" {
		_, err := a.out.Write(content)
		return err
	}
	if err := writeNew(r.Out, content, 0o644); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	fmt.Fprintf(a.errs, "Written: %s (%.1f MB).\n", r.Out, float64(len(content))/1e6)
	return nil
}

func (r reportCommand) keep(a *app) error {
	text, err := a.readText(r.Summary)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return a.at(func(o *office) error {
		s, cited, err := o.Summarise(a.ctx, r.Consultation, text)
		if errors.Is(err, participation.ErrUnknownReply) {
			return fmt.Errorf("%w\n\"inspraak reply list %s\" shows ids; nothing was kept", err, r.Consultation)
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(a.errs, "Kept as version %d of the summary; it rests on %d replies.\n", s.Version, cited)
		if cited == 0 {
			fmt.Fprintln(a.errs, "It links to no reply. Write [words](reply:ID), so that who reads it can see what it rests on.")
		}
		return nil
	})
}

// read asks the node for one of its pages.
func (n *Node) read(a *app, cfg Config, address *url.URL) ([]byte, error) {
	w := &answer{header: http.Header{}}
	n.Handler.ServeHTTP(w, (&http.Request{
		Method: http.MethodGet, URL: address, Host: cfg.URLs.Host, RequestURI: address.RequestURI(), RemoteAddr: "127.0.0.1:1",
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody, Header: http.Header{"Accept": {"text/html"}},
	}).WithContext(a.ctx))
	if w.status != http.StatusOK {
		return nil, fmt.Errorf("%s answers %d %s", address, w.status, http.StatusText(w.status))
	}
	return io.ReadAll(&w.body)
}

// answer is what the node says to a command.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *answer) Header() http.Header { return w.header }

func (w *answer) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *answer) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}
