package verify_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"inspraak/verify"
)

// site serves files under their paths; a path that is not there is 404.
type site map[string]string

func (s site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, ok := s[r.URL.Path]
	switch {
	case ok && strings.HasPrefix(text, "redirect "):
		http.Redirect(w, r, strings.TrimPrefix(text, "redirect "), http.StatusFound)
	case ok:
		fmt.Fprint(w, text)
	default:
		http.NotFound(w, r)
	}
}

// online puts a node with its dataset on the web, its log grown by some entries.
func online(t *testing.T, s shape, more ...string) (*httptest.Server, site, *node) {
	t.Helper()
	files := site{}
	server := httptest.NewTLSServer(files)
	t.Cleanup(server.Close)
	n := newNode(t, strings.TrimPrefix(server.URL, "https://")).hold(s)
	files["/consultations/plein/dataset.zip"] = string(n.zip())
	n.log = append(n.log, more...)
	files.serveLog(n)
	return server, files, n
}

// serveLog writes the files of tlog-tiles, the last bundle only as far as it goes.
func (s site) serveLog(n *node) {
	s["/log/K3J5/checkpoint"] = n.checkpoints(int64(len(n.log)))[0]
	for i := 0; i < len(n.log); i += 256 {
		part := n.log[i:min(i+256, len(n.log))]
		path := fmt.Sprintf("/log/K3J5/tile/entries/%03d", i/256)
		if len(part) < 256 {
			path += fmt.Sprintf(".p/%d", len(part))
		}
		s[path] = bundleOf(part)
	}
}

func bundleOf(entries []string) string {
	var data []byte
	for _, e := range entries {
		data = append(binary.BigEndian.AppendUint16(data, uint16(len(e))), e...)
	}
	return string(data)
}

const (
	announced = `destroy/v1 {"step":"announced","at":` + at + `}`
	done      = `destroy/v1 {"step":"done","at":` + at + `}`
)

func TestOnline(t *testing.T) {
	small := shape{kind: "single-choice", options: 3, voters: 40, batch: 10}
	long := shape{kind: "single-choice", options: 3, voters: 253, batch: 10} // 255 entries, so that the log grows into the next bundle
	for name, c := range map[string]struct {
		shape  shape
		more   []string
		meddle func(site, *node)
		where  string
		unread bool
	}{
		"as in the dataset": {shape: small},
		"grown":             {shape: small, more: []string{announced, done}},
		"into a new bundle": {shape: long, more: []string{announced, done}},
		"full meanwhile": {shape: long, more: []string{announced, done}, meddle: func(s site, n *node) {
			s["/log/K3J5/tile/entries/001"] = bundleOf(slices.Repeat([]string{done}, 256))
			delete(s, "/log/K3J5/tile/entries/001.p/1")
		}},
		"a ballot after closing": {shape: small, more: []string{"ballot/v1 " + strings.Repeat("A", 43) + "="}, where: "live log entry 42"},
		"a bad step":             {shape: small, more: []string{announced, strings.Replace(done, "done", "maybe", 1)}, where: "live log entry 43"},
		"far too much":           {shape: small, more: slices.Repeat([]string{done}, 300), where: "the live checkpoint"},
		"shorter":                {shape: small, meddle: func(s site, n *node) { n.log = n.log[:20]; s.serveLog(n) }, where: "the live checkpoint"},
		"another log":            {shape: small, meddle: func(s site, n *node) { n.log[3] = n.log[4]; s.serveLog(n) }, where: "the live checkpoint"},
		"another log, grown":     {shape: small, more: []string{done}, meddle: func(s site, n *node) { n.log[3] = n.log[4]; s.serveLog(n) }, where: "the live checkpoint"},
		"another key": {shape: small, meddle: func(s site, n *node) {
			n.signer = newNode(n.t, strings.Split(n.origin, "/")[0]).signer
			s.serveLog(n)
		}, where: "the live checkpoint"},
		"bundle cut off": {shape: small, more: []string{done}, meddle: func(s site, n *node) {
			p := "/log/K3J5/tile/entries/000.p/43"
			s[p] = s[p][:len(s[p])-1]
		}, where: "live log entry 42"},
		"no live log": {shape: small, meddle: func(s site, n *node) { delete(s, "/log/K3J5/checkpoint") }, where: "BASE/log/K3J5/checkpoint", unread: true},
		"no bundle":   {shape: small, more: []string{done}, meddle: func(s site, n *node) { delete(s, "/log/K3J5/tile/entries/000.p/43") }, where: "BASE/log/K3J5/tile/entries/000.p/43", unread: true},
		"no dataset":  {shape: small, meddle: func(s site, n *node) { delete(s, "/consultations/plein/dataset.zip") }, where: "BASE/consultations/plein/dataset.zip", unread: true},
		"to http": {shape: small, meddle: func(s site, n *node) {
			open := httptest.NewServer(site{"/x.zip": s["/consultations/plein/dataset.zip"]})
			n.t.(*testing.T).Cleanup(open.Close)
			s["/consultations/plein/dataset.zip"] = "redirect " + open.URL + "/x.zip"
		}, where: "BASE/consultations/plein/dataset.zip", unread: true},
		"another type": {shape: small, more: []string{strings.Replace(done, "destroy", "resume", 1)}, where: "live log entry 42"},
		"round about": {shape: small, meddle: func(s site, n *node) {
			s["/consultations/plein/dataset.zip"] = "redirect /consultations/plein/dataset.zip"
		}, where: "BASE/consultations/plein/dataset.zip", unread: true},
		"huge answer":  {shape: small, meddle: func(s site, n *node) { s["/log/K3J5/checkpoint"] = strings.Repeat("x", 1<<17) }, where: "BASE/log/K3J5/checkpoint", unread: true},
		"another page": {shape: small, meddle: func(s site, n *node) { s["/consultations/plein/dataset.zip"] = "<!doctype html>" }, where: "the zip", unread: true},
	} {
		t.Run(name, func(t *testing.T) {
			server, files, n := online(t, c.shape, c.more...)
			if c.meddle != nil {
				c.meddle(files, n)
			}
			for _, path := range []string{"/consultations/plein", "/consultations/plein/?x=y#z", "/consultations/plein/dataset.zip"} {
				r, err := verify.Dataset(t.Context(), server.URL+path, verify.Options{Client: server.Client()})
				var p *verify.Problem
				if r.Where != strings.Replace(c.where, "BASE", server.URL, 1) || errors.As(err, &p) && p.Unread != c.unread || r.Verified != (c.where == "") {
					t.Errorf("%s: %v; want it at %q", path, err, c.where)
				}
			}
		})
	}
}

// TestNewerCopies has checkpoints of what the live log became after the dataset.
func TestNewerCopies(t *testing.T) {
	server, _, n := online(t, shapes()["single"], announced, done)
	size := int64(len(n.log))
	forked := *n
	forked.log = append(slices.Clone(n.log[:size-2]), done, announced)
	for name, c := range map[string]struct{ text, where string }{
		"one, two":       {strings.Join(n.checkpoints(size-1, size, 4), ""), ""},
		"another":        {forked.checkpoints(size - 1)[0], "copy checkpoint 1"},
		"newer than all": {func() string { n := *n; n.log = append(n.log, done); return n.checkpoints(size + 1)[0] }(), "copy checkpoint 1"},
	} {
		r, err := verify.Dataset(t.Context(), server.URL+"/consultations/plein", verify.Options{
			Client: server.Client(), Copies: []verify.Copy{{Name: "copy", Text: []byte(c.text)}}})
		var p *verify.Problem
		if r.Where != c.where || r.Verified != (c.where == "") || errors.As(err, &p) && p.Unread {
			t.Errorf("%s: %v; want it at %q", name, err, c.where)
		}
	}
}

// TestMirror fetches a dataset from another host than the log's.
func TestMirror(t *testing.T) {
	server, files, _ := online(t, shapes()["single"])
	files["/copy.zip"] = string(newNode(t, "x.example").hold(shapes()["single"]).zip())
	r, err := verify.Dataset(t.Context(), server.URL+"/copy.zip", verify.Options{Client: server.Client()})
	if err != nil || !strings.Contains(strings.Join(r.Notes, "\n"), "the live log was not looked at") {
		t.Errorf("%v: %q", err, r.Notes)
	}
}

func TestActor(t *testing.T) {
	server, files, n := online(t, shapes()["single"])
	key := strings.SplitN(n.vkey, "+", 3)[2]
	other := strings.SplitN(newNode(t, "x.example").vkey, "+", 3)[2]
	field := func(kind, value string) string {
		return fmt.Sprintf(`{"type":"%s","name":"Log key","value":%s}`, kind, compact(value))
	}
	for name, c := range map[string]struct {
		actor, where string
		unread       bool
	}{
		"key":            {`{"attachment":[3,{"type":"Image"},` + field("PropertyValue", "Plein 1") + `,` + field("PropertyValue", key) + `]}`, "", false},
		"one, in HTML":   {`{"attachment":` + field("PropertyValue", "<p>"+strings.Replace(key, "=", "&#61;", 1)+"</p>") + `}`, "", false},
		"another key":    {`{"attachment":[` + field("PropertyValue", other) + `]}`, "key.txt", false},
		"no field":       {`{"attachment":[` + field("Note", key) + `]}`, "BASE/actor", true},
		"no attachments": {`{}`, "BASE/actor", true},
		"no JSON":        {`<html>`, "BASE/actor", true},
	} {
		t.Run(name, func(t *testing.T) {
			files["/actor"] = c.actor
			anchor, err := verify.ParseAnchor(server.URL + "/actor")
			if err != nil {
				t.Fatal(err)
			}
			r, err := verify.Dataset(t.Context(), server.URL+"/consultations/plein", verify.Options{Client: server.Client(), Anchor: anchor})
			var p *verify.Problem
			if r.Where != strings.Replace(c.where, "BASE", server.URL, 1) || r.Verified != (c.where == "") || errors.As(err, &p) && p.Unread != c.unread {
				t.Fatalf("%v; want it at %q", err, c.where)
			}
			if err == nil && (!r.Anchored || !strings.Contains(strings.Join(r.Notes, "\n"), "by the node itself")) {
				t.Errorf("anchored %v, %q", r.Anchored, r.Notes)
			}
		})
	}
}
