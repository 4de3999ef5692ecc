package main

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"inspraak/participation"
)

// The forms of HTTP signatures, as Fedify names them.
const (
	fedifyCavage  = "draft-cavage-http-signatures-12"
	fedifyRFC9421 = "rfc9421"
)

// A fedify is an account on a Fedify server: an implementation of ActivityPub,
// of JSON-LD and of both forms of signatures that shares no code with ours. It
// runs as a process of its own (interop/fedify/actor.mjs says what it takes
// and tells) and is gone with the test.
type fedify struct {
	t     *testing.T
	actor string
	in    io.Writer
	lines <-chan fedifyEvent
	heard []fedifyEvent
	asked int
}

type fedifyEvent struct {
	Event, Ref                     string
	Actor, Handle, ID, Follow      string
	Known, Whole                   bool
	Signature, Reason, Do, Message string
	IDs                            []string
	Object                         json.RawMessage
	line                           string
}

type fedifyObject struct {
	ID, Type, URL, Content, InReplyTo, Handle, SharedInbox string
	Tags                                                   []string
	Options                                                []fedifyOption
	Multiple                                               bool
	Voters                                                 int
	EndTime, Closed                                        string
}

type fedifyOption struct {
	Name  string
	Votes int
}

// object is what the event is about; nothing where Fedify could not read it.
func (e fedifyEvent) object() (o fedifyObject) {
	_ = json.Unmarshal(e.Object, &o) // in answers it is an id
	return o
}

func startFedify(t *testing.T, env []string, args ...string) *fedify {
	t.Helper()
	program := filepath.Join(root, "interop/node_modules/.bin/node")
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("%v\nThe Node modules of interop/ are missing. Run: make tools", err)
	}
	var stderr strings.Builder
	c := exec.CommandContext(t.Context(), program, append([]string{filepath.Join(root, "interop/fedify/actor.mjs")}, args...)...)
	c.Env, c.Stderr, c.WaitDelay = append(os.Environ(), env...), &stderr, 5*time.Second
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan fedifyEvent, 1000)
	f := &fedify{t: t, in: in, lines: lines}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			e := fedifyEvent{line: s.Text()}
			if err := json.Unmarshal(s.Bytes(), &e); err != nil {
				e.Event, e.Message = "error", err.Error()
			}
			lines <- e
		}
	}()
	t.Cleanup(func() { // the test's context has ended, and the process with it
		<-read
		_ = c.Wait() // killed
		if t.Failed() {
			for _, e := range f.heard {
				t.Log("Fedify: ", e.line)
			}
			t.Log("Fedify, standard error: ", stderr.String())
		}
	})
	// It makes an RSA-4096 key, which takes as long as it takes.
	f.actor = f.awaitWithin(time.Minute, "its start", func(e fedifyEvent) bool { return e.Event == "ready" }).Actor
	return f
}

// await returns the first event that fits, heard before or to come within ten
// seconds.
func (f *fedify) await(what string, fits func(fedifyEvent) bool) fedifyEvent {
	f.t.Helper()
	return f.awaitWithin(10*time.Second, what, fits)
}

func (f *fedify) awaitWithin(patience time.Duration, what string, fits func(fedifyEvent) bool) fedifyEvent {
	f.t.Helper()
	if i := slices.IndexFunc(f.heard, fits); i >= 0 {
		return f.heard[i]
	}
	limit := time.After(patience)
	for {
		select {
		case e, running := <-f.lines:
			if !running {
				f.t.Fatalf("Fedify ended before %s", what)
			}
			f.heard = append(f.heard, e)
			if fits(e) {
				return e
			}
		case <-limit:
			f.t.Fatalf("Fedify did not report %s within %s", what, patience)
		}
	}
}

// do gives a command and returns its answer, which may not be an error.
func (f *fedify) do(command string, arguments map[string]any) fedifyEvent {
	f.t.Helper()
	f.asked++
	ref := fmt.Sprint(f.asked)
	line := map[string]any{"do": command, "ref": ref}
	for name, value := range arguments {
		line[name] = value
	}
	if err := json.NewEncoder(f.in).Encode(line); err != nil {
		f.t.Fatalf("%s: %v", command, err)
	}
	answer := f.await("its answer to "+command, func(e fedifyEvent) bool { return e.Ref == ref })
	if answer.Event == "error" {
		f.t.Fatalf("Fedify cannot %s: %s", command, answer.Message)
	}
	return answer
}

// about fits an event whose object has the id and passes the checks.
func about(event, id string, checks ...func(fedifyObject) bool) func(fedifyEvent) bool {
	return func(e fedifyEvent) bool {
		o := e.object()
		return e.Event == event && o.ID == id && !slices.ContainsFunc(checks, func(check func(fedifyObject) bool) bool { return !check(o) })
	}
}

// check fails the test if Fedify refused a signature, or could not read or
// deliver something, and returns the forms of signatures that it has taken from us.
func (f *fedify) check() (forms []string) {
	f.t.Helper()
	for _, e := range f.heard {
		switch e.Event {
		case "unverified", "error", "rejected":
			f.t.Errorf("Fedify reports %s", e.line)
		case "accepted", "created", "updated":
			forms = append(forms, e.Signature)
		}
	}
	slices.Sort(forms)
	return slices.Compact(forms)
}

// follow looks a channel up, follows it and waits for the Accept.
func (f *fedify) follow(n *liveNode, lookup map[string]any) (accepted fedifyEvent) {
	f.t.Helper()
	found := f.do("lookup", lookup).object()
	if found.ID != n.actor() || found.Type != "Organization" || found.SharedInbox != n.urls.SharedInbox() {
		f.t.Fatalf("Fedify finds %+v", found)
	}
	follow := f.do("follow", map[string]any{"actor": n.actor()})
	if follow.Signature != fedifyRFC9421 {
		f.t.Errorf("the Follow was taken as %s; Fedify tries RFC 9421 first, so that was refused", follow.Signature)
	}
	accepted = f.await("the Accept", func(e fedifyEvent) bool { return e.Event == "accepted" && e.Follow == follow.ID })
	if !accepted.Known || !accepted.Whole || accepted.Actor != n.actor() {
		f.t.Errorf("the Accept does not hold the Follow: %s", accepted.line)
	}
	return accepted
}

// The whole story over HTTP: found by address, followed, voted, discussed,
// answered and closed.
func TestFedifyOverHTTP(t *testing.T) {
	t.Parallel()
	address := freeAddress(t)
	n := openLiveNode(t, "http://"+address, address, Surroundings{})
	n.serve()
	f := startFedify(t, nil)

	if a := f.follow(n, map[string]any{"url": n.urls.Profile(n.channel)}); a.Signature != fedifyCavage {
		t.Errorf("the Accept is signed as %s; all servers read draft-cavage", a.Signature)
	}

	single := n.publish("plein", participation.SingleChoice, participation.AtClose, "Bomen", "Markthal", "Geen van beide")
	multiple := n.publish("straten", participation.MultipleChoice, participation.Live, "Noorderstraat", "Zuiderstraat", "Westerstraat")
	for _, c := range []participation.Consultation{single, multiple} {
		q := f.await("the Create of "+c.Slug, about("created", n.object(c))).object()
		var names []string
		for _, o := range q.Options {
			names = append(names, o.Name)
			if o.Votes != 0 {
				t.Errorf("%s arrives with %d votes for %q", c.Slug, o.Votes, o.Name)
			}
		}
		if q.Type != "Question" || !slices.Equal(names, c.Options) || q.Multiple != (c.Kind == participation.MultipleChoice) {
			t.Errorf("%s arrives as %+v", c.Slug, q)
		}
		if q.Voters != 0 || q.Closed != "" || !sameInstant(q.EndTime, c.ClosesAt) {
			t.Errorf("%s: %d voters, endTime %q, closed %q", c.Slug, q.Voters, q.EndTime, q.Closed)
		}
		if !strings.Contains(q.Content, c.Title) || !strings.Contains(q.Content, "<strong>mee</strong>") || !slices.Contains(q.Tags, "#plein") {
			t.Errorf("%s: content %q, tags %q", c.Slug, q.Content, q.Tags)
		}
	}

	for question, names := range map[string][]string{
		n.object(single): {"Markthal"}, n.object(multiple): {"Westerstraat", "Noorderstraat"}, // in parallel
	} {
		vote := f.do("vote", map[string]any{"question": question, "names": names})
		if vote.Signature != fedifyRFC9421 || len(vote.IDs) != len(names) {
			t.Errorf("votes were taken as %s", vote.line)
		}
	}
	n.until("the live count", func() bool {
		r := n.result(multiple)
		return r.Turnout == 1 && slices.Equal(r.Counts, []int{1, 0, 1})
	})
	f.await("the Update with the live count", about("updated", n.object(multiple), func(o fedifyObject) bool {
		return o.Voters == 1 && slices.Equal(o.Options, []fedifyOption{{"Noorderstraat", 1}, {"Zuiderstraat", 0}, {"Westerstraat", 1}})
	}))
	sealed := f.await("the Update with the turnout", about("updated", n.object(single), func(o fedifyObject) bool { return o.Voters == 1 })).object()
	for _, o := range sealed.Options {
		if o.Votes != 0 {
			t.Errorf("before closing %q has %d votes at Fedify", o.Name, o.Votes)
		}
	}

	f.discuss(n, single)

	for _, c := range []participation.Consultation{single, multiple} {
		if _, err := n.Service.Close(t.Context(), c.ID, "De raad heeft eerder een besluit nodig", 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []struct {
		c     participation.Consultation
		votes []int
	}{{single, []int{0, 1, 0}}, {multiple, []int{1, 0, 1}}} {
		q := f.await("the closing of "+want.c.Slug, about("updated", n.object(want.c), func(o fedifyObject) bool { return o.Closed != "" })).object()
		var votes []int
		for _, o := range q.Options {
			votes = append(votes, o.Votes)
		}
		if q.Voters != 1 || !slices.Equal(votes, want.votes) || !sameInstant(q.EndTime, want.c.ClosesAt) {
			t.Errorf("%s ends as %+v", want.c.Slug, q)
		}
		f.await("the result of "+want.c.Slug, func(e fedifyEvent) bool {
			o := e.object()
			return e.Event == "created" && o.InReplyTo == n.object(want.c) && strings.Contains(o.Content, want.c.Options[0])
		})
	}

	f.do("unfollow", map[string]any{"actor": n.actor()})
	n.until("the follower to be gone", func() bool {
		left, err := n.DB.FollowerInboxes(t.Context(), n.channel)
		return err == nil && len(left) == 0
	})
	if forms := f.check(); !slices.Equal(forms, []string{fedifyCavage}) {
		t.Errorf("Fedify received the forms %q", forms)
	}
}

// discuss replies to a consultation, sees the reply on its page, and is answered.
func (f *fedify) discuss(n *liveNode, c participation.Consultation) {
	f.t.Helper()
	reply := f.do("reply", map[string]any{"object": n.object(c), "text": "En <bankjes> & schaduw?"})
	if reply.Signature != fedifyRFC9421 {
		f.t.Errorf("the reply was taken as %s", reply.Signature)
	}
	n.until("the reply on the page", func() bool {
		return strings.Contains(n.page("/consultations/"+c.Slug+"/replies"), "En &lt;bankjes&gt; &amp; schaduw?")
	})
	if _, err := n.Service.Answer(f.t.Context(), reply.ID, "Ja, **allebei**."); err != nil {
		f.t.Fatal(err)
	}
	answer := f.await("the answer", func(e fedifyEvent) bool { return e.Event == "created" && e.object().InReplyTo == reply.ID }).object()
	if answer.Type != "Note" || !strings.Contains(answer.Content, "<strong>allebei</strong>") ||
		!slices.ContainsFunc(answer.Tags, func(tag string) bool { return strings.HasPrefix(tag, "@fedify@") }) {
		f.t.Errorf("the answer arrives as %+v", answer)
	}
}

// By handle, which Fedify looks up over TLS only. Both ends have certificates
// of an authority that exists for this test; the node's TLS ends at a proxy in
// front of it, as in a real installation.
func TestFedifyOverTLS(t *testing.T) {
	t.Parallel()
	ca := newTestCA(t)
	listen := freeAddress(t)
	proxy := httptest.NewUnstartedServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: listen})
		r.Out.Host = r.In.Host // it is signed
		r.SetXForwarded()
	}})
	_, port, err := net.SplitHostPort(proxy.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.X509KeyPair(ca.issue("inspraak.test"))
	if err != nil {
		t.Fatal(err)
	}
	proxy.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	proxy.StartTLS()
	t.Cleanup(proxy.Close)

	n := openLiveNode(t, "https://inspraak.test:"+port, listen, Surroundings{RootCAs: ca.pool})
	n.serve()
	cert, key := ca.issue("fedify.test")
	f := startFedify(t, []string{"NODE_EXTRA_CA_CERTS=" + ca.write("ca.pem", ca.pem)},
		"--host", "fedify.test", "--tls-cert", ca.write("fedify.pem", cert), "--tls-key", ca.write("fedify.key", key))
	if !strings.HasPrefix(f.actor, "https://fedify.test:") {
		t.Fatalf("Fedify serves %s", f.actor)
	}

	f.follow(n, map[string]any{"handle": n.urls.Handle(n.channel)})
	c := n.publish("plein", participation.SingleChoice, participation.Live, "Bomen", "Markthal")
	f.await("the Create", about("created", n.object(c)))
	f.do("vote", map[string]any{"question": n.object(c), "names": []string{"Bomen"}, "shared": true})
	f.await("the Update", about("updated", n.object(c), func(o fedifyObject) bool { return o.Voters == 1 }))
	f.check()
}

// A server that takes RFC 9421 only gets that, once it has shown the form.
func TestFedifyTakesOnlyRFC9421(t *testing.T) {
	t.Parallel()
	address := freeAddress(t)
	n := openLiveNode(t, "http://"+address, address, Surroundings{Transport: onlyRFC9421{}})
	n.serve()
	f := startFedify(t, nil)
	f.follow(n, map[string]any{"url": n.actor()})
	c := n.publish("plein", participation.SingleChoice, participation.AtClose, "Bomen", "Markthal")
	f.await("the Create", about("created", n.object(c)))
	if forms := f.check(); !slices.Equal(forms, []string{fedifyRFC9421}) {
		t.Errorf("Fedify received the forms %q", forms)
	}
}

// onlyRFC9421 is a network whose servers refuse deliveries in any other form.
type onlyRFC9421 struct{}

func (onlyRFC9421) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost && r.Header.Get("Signature-Input") == "" {
		return &http.Response{StatusCode: http.StatusUnauthorized, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
	}
	return http.DefaultTransport.RoundTrip(r)
}

func sameInstant(text string, at time.Time) bool {
	parsed, err := time.Parse(time.RFC3339, text)
	return err == nil && parsed.Equal(at)
}
