package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"inspraak/participation"
	"inspraak/simulation"
)

// siege is a node with an open single choice, an open multiple choice and a
// closed one, citizens on one server, an attacker on another and a blocked
// server. Every attack goes to both inboxes, and the whole database is compared
// before and after.
type siege struct {
	*cluster
	node          *testNode
	q1, q2, q3    participation.Consultation
	bob, alice    *simulation.Account
	eve, blocked  *simulation.Account
	m1, evil, bad *simulation.Server
}

func newSiege(t *testing.T) *siege {
	c := newCluster(t)
	s := &siege{cluster: c, node: c.node("node.example", "consult")}
	s.q3 = s.node.publish("q3", participation.SingleChoice, participation.AtClose, "Ja", "Nee")
	s.wait(25 * time.Hour)
	s.settle()
	s.q1 = s.node.publish("q1", participation.SingleChoice, participation.AtClose, "Ja", "Nee", "Café")
	s.q2 = s.node.publish("q2", participation.MultipleChoice, participation.AtClose, "A", "B", "C")
	s.m1, s.evil, s.bad = s.server(simulation.Mastodon, "m1.example"), s.server(simulation.Mastodon, "evil.example"), s.server(simulation.Mastodon, "blocked.example")
	s.bob, s.alice, s.eve, s.blocked = s.m1.Account("bob"), s.m1.Account("alice"), s.evil.Account("eve"), s.bad.Account("mallory")
	for _, who := range []*simulation.Account{s.bob, s.alice, s.eve} { // their keys are known
		must2(who.Follow(t.Context(), s.node.actor()))(c)
	}
	s.settle()
	c.must(s.node.Service.Block(t.Context(), "blocked.example", "spam"))
	return s
}

func (s *siege) object(c participation.Consultation) string { return s.node.object(c) }

// vote is the body of a vote by who.
func (s *siege) vote(who *simulation.Account, in participation.Consultation, name string) []byte {
	return who.VoteActivities(s.object(in), s.node.actor(), name)[0]
}

// altered changes a JSON body.
func altered(body []byte, change func(activity, object map[string]any)) []byte {
	var activity map[string]any
	if err := json.Unmarshal(body, &activity); err != nil {
		panic(err)
	}
	object, _ := activity["object"].(map[string]any)
	change(activity, object)
	out, err := json.Marshal(activity)
	if err != nil {
		panic(err)
	}
	return out
}

// send delivers a request to the node and returns the status answered.
func (s *siege) send(r *http.Request) int {
	s.t.Helper()
	in := r.Clone(s.t.Context())
	in.RequestURI, in.RemoteAddr = r.URL.RequestURI(), "192.0.2.9:1234"
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	w := httptest.NewRecorder()
	s.node.Handler.ServeHTTP(w, in)
	return w.Code
}

// repels asserts that a request is answered with one of want on both inboxes
// and leaves the database as it was, but for the exempt tables.
func (s *siege) repels(row string, want []int, by *simulation.Account, body []byte, o simulation.SignOptions, exempt ...string) {
	s.t.Helper()
	for _, inbox := range []string{s.node.urls.SharedInbox(), s.node.actor() + "/inbox"} {
		r, err := by.Request(s.t.Context(), http.MethodPost, inbox, body, o)
		s.must(err)
		s.repelsRequest(row, want, r, exempt...)
	}
}

func (s *siege) repelsRequest(row string, want []int, r *http.Request, exempt ...string) {
	s.t.Helper()
	before := s.node.fingerprint()
	status := s.send(r)
	if !slices.Contains(want, status) {
		s.t.Errorf("%s: answered %d, want %v", row, status, want)
	}
	after := s.node.fingerprint()
	for table := range after {
		if before[table] != after[table] && !slices.Contains(exempt, table) {
			s.t.Errorf("%s: table %s changed from %s to %s", row, table, before[table], after[table])
		}
	}
	if !slices.Equal(slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after))) {
		s.t.Errorf("%s: tables came or went", row)
	}
}

func TestNegativeSignatures(t *testing.T) {
	s := newSiege(t)
	vote := s.vote(s.bob, s.q1, "Ja")
	type options = simulation.SignOptions
	for _, row := range []struct {
		name string
		o    options
	}{
		{"N01 no signature", options{Unsigned: true}},
		{"N02 no digest", options{OmitDigest: true, Headers: []string{"(request-target)", "host", "date"}}},
		{"N03 body changed", options{TamperBody: bytes.Replace(vote, []byte(`"Ja"`), []byte(`"Ne"`), 1)}},
		{"N04 digest not signed", options{Headers: []string{"(request-target)", "host", "date"}}},
		{"N05 headers left out", options{OmitHeadersParam: true}},
		{"N06 too old", options{DateOffset: -66 * time.Minute}},
		{"N06 too new", options{DateOffset: 66 * time.Minute}},
		{"N07 created long ago", options{OmitDate: true, Algorithm: "hs2019", Created: time.Unix(0, 0),
			Headers: []string{"(request-target)", "host", "(created)", "digest"}}},
		{"N07 expired", options{Expires: s.clock().Add(-time.Minute)}},
		{"N08 two signatures", options{RepeatHeader: true}},
		{"N08 two key ids", options{RepeatParam: "keyId"}},
		{"N08 digest named twice", options{Headers: []string{"(request-target)", "host", "date", "digest", "digest"}}},
		{"N09 md5", options{Digest: []string{"MD5=1B2M2Y8AsgTpgAmY7PhCfg=="}}},
		{"N09 short sum", options{Digest: []string{"SHA-256=" + strings.Repeat("A", 41) + "=="}}},
		{"N09 sha-512 only", options{Digest: []string{"SHA-512=" + strings.Repeat("A", 86) + "=="}}},
		{"N10 hmac", options{HMAC: true, Algorithm: "hmac-sha256"}},
		{"N10 none", options{Algorithm: "none"}},
		{"N10 ed25519 for an RSA key", options{Ed25519: true}},
		{"N12 signed for another inbox", options{SignedTarget: "post /a/other/inbox"}},
		{"N12 signed for another method", options{SignedTarget: "put /inbox"}},
		{"N12 another host", options{SignedHost: "other.example"}},
	} {
		s.repels(row.name, []int{401}, s.bob, vote, row.o)
	}
	// N09 two Digest headers.
	r := must2(s.bob.Request(t.Context(), http.MethodPost, s.node.urls.SharedInbox(), vote, options{}))(s.cluster)
	r.Header.Add("Digest", r.Header.Get("Digest"))
	s.repelsRequest("N09 two digests", []int{401}, r)
	// N12 another method.
	r = must2(s.bob.Request(t.Context(), http.MethodPut, s.node.urls.SharedInbox(), vote, options{}))(s.cluster)
	s.repelsRequest("N12 PUT", []int{405}, r)
	r = must2(s.bob.Request(t.Context(), http.MethodPost, s.node.urls.SharedInbox()+"?a=1", vote, options{}))(s.cluster)
	s.repelsRequest("N12 query", []int{404}, r)
	r = must2(s.bob.Request(t.Context(), http.MethodPost, s.node.urls.Base+"/a/nobody/inbox", vote, options{}))(s.cluster)
	s.repelsRequest("an inbox that is not there", []int{404}, r)
}

func TestNegativeKeys(t *testing.T) {
	s := newSiege(t)
	encode := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	small := must2(rsa.GenerateKey(rand.Reader, 1024))(s.cluster)
	sound := must2(rsa.GenerateKey(rand.Reader, 2048))(s.cluster)
	spki := func(k *rsa.PublicKey) string {
		return encode("PUBLIC KEY", must2(x509.MarshalPKIXPublicKey(k))(s.cluster))
	}
	for name, text := range map[string]string{
		"N11 RSA-1024":    spki(&small.PublicKey),
		"N11 private key": encode("PRIVATE KEY", must2(x509.MarshalPKCS8PrivateKey(sound))(s.cluster)),
		"N11 exponent 1":  spki(&rsa.PublicKey{N: sound.N, E: 1}),
		"N11 no key":      "-",
	} {
		who := s.evil.Account("n11" + fmt.Sprint(len(name)))
		who.SetPublicKeyPEM(text)
		s.repels(name, []int{401}, who, s.vote(who, s.q1, "Ja"), simulation.SignOptions{})
	}

	document := func(who *simulation.Account) map[string]any {
		return decodeJSON[map[string]any](t, must2(who.Document())(s.cluster))
	}
	for name, change := range map[string]func(doc map[string]any){
		"N14 owner is somebody else": func(doc map[string]any) { doc["publicKey"].(map[string]any)["owner"] = s.bob.ID() },
		"N40 id on a third host":     func(doc map[string]any) { doc["id"] = "https://third.example/users/x" },
		"N40 id of a colleague":      func(doc map[string]any) { doc["id"] = s.bob.ID() },
		"N40 inbox on another host":  func(doc map[string]any) { doc["inbox"] = "https://third.example/inbox" },
		"N40 another key id":         func(doc map[string]any) { doc["publicKey"].(map[string]any)["id"] = s.eve.KeyID() },
	} {
		who := s.evil.Account("n" + strings.Map(letters, name))
		doc := document(who)
		change(doc)
		body, err := json.Marshal(doc)
		s.must(err)
		s.evil.SetDocument(strings.TrimPrefix(who.ID(), s.evil.Base()), simulation.Override{ContentType: "application/activity+json", Body: body})
		s.repels(name, []int{401, 403}, who, s.vote(who, s.q1, "Ja"), simulation.SignOptions{})
	}
	s.wait(time.Minute) // ten failed fetches a minute and address, then 429
	for _, kind := range []string{"text/html", "application/json", "image/png", "application/ld+json", `application/ld+json; profile="https://example.org/other"`} {
		who := s.evil.Account("n41" + strings.Map(letters, kind))
		s.evil.SetDocument(strings.TrimPrefix(who.ID(), s.evil.Base()), simulation.Override{ContentType: kind, Body: must2(who.Document())(s.cluster)})
		s.repels("N41 served as "+kind, []int{401}, who, s.vote(who, s.q1, "Ja"), simulation.SignOptions{})
	}
	s.repels("N14 a colleague's key id", []int{401}, s.alice, s.vote(s.alice, s.q1, "Ja"), simulation.SignOptions{KeyID: s.bob.KeyID()}, "peer") // bob's own document is fetched again
}

func letters(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
		return r
	}
	return -1
}

func TestNegativeOrigins(t *testing.T) {
	s := newSiege(t)
	none := simulation.SignOptions{}
	bobs := s.vote(s.bob, s.q1, "Ja")
	s.repels("N15 a colleague votes as bob", []int{403}, s.alice, bobs, none)
	s.repels("N15 a stranger votes as bob", []int{403}, s.eve, bobs, none)
	for name, actor := range map[string]any{
		"object": map[string]any{"type": "Person", "id": s.bob.ID()}, "array": []any{s.bob.ID(), s.alice.ID()},
		"number": 7, "missing": nil,
	} {
		body := altered(bobs, func(a, _ map[string]any) {
			if a["actor"] = actor; actor == nil {
				delete(a, "actor")
			}
		})
		s.repels("N16 actor is "+name, []int{400}, s.bob, body, none)
	}
	q1 := s.node.get("/o/"+s.q1.ID, "application/activity+json").Body.String()
	forged := func(id string, counts any) []byte {
		return must2(json.Marshal(map[string]any{"@context": "https://www.w3.org/ns/activitystreams", "id": id, "type": "Update",
			"actor": s.eve.ID(), "object": map[string]any{"id": s.object(s.q1), "type": "Question", "attributedTo": s.node.actor(),
				"oneOf": []any{map[string]any{"type": "Note", "name": "Ja", "replies": map[string]any{"type": "Collection", "totalItems": counts}}}}}))(s.cluster)
	}
	s.repels("N17 Update of our Question", []int{403}, s.eve, forged(s.eve.ID()+"/up", 9999), none)
	s.repels("N17 negative counts", []int{403, 400}, s.eve, forged(s.eve.ID()+"/up", -1), none)
	s.repels("N17 Create of our Question", []int{403}, s.eve, altered(s.vote(s.eve, s.q1, "Ja"), func(_, o map[string]any) { o["id"] = s.object(s.q1) }), none)
	if now := s.node.get("/o/"+s.q1.ID, "application/activity+json").Body.String(); now != q1 {
		t.Error("N17: the Question changed")
	}
	note := must2(s.bob.Reply(t.Context(), s.object(s.q1), "<p>Mijn mening</p>", simulation.Public))(s.cluster)
	deletion := func(id, actor, object string) []byte {
		return must2(json.Marshal(map[string]any{"@context": "https://www.w3.org/ns/activitystreams", "id": id, "type": "Delete", "actor": actor, "object": object}))(s.cluster)
	}
	s.repels("N18 a colleague deletes bob's reply", []int{202, 403}, s.alice, deletion(s.alice.ID()+"#d", s.alice.ID(), note), none)
	s.repels("N18 an id that claims our host", []int{403}, s.eve, deletion(s.node.urls.Base+"/x", s.eve.ID(), s.object(s.q1)), none)
	s.repels("N18 our Question deleted", []int{403}, s.eve, deletion(s.eve.ID()+"#d", s.eve.ID(), s.object(s.q1)), none)
	s.repels("N18 bob's account deleted by eve", []int{403}, s.eve, deletion(s.eve.ID()+"#d", s.eve.ID(), s.bob.ID()), none)
	for name, change := range map[string]func(a, o map[string]any){
		"attributed to two":        func(_, o map[string]any) { o["attributedTo"] = []any{s.eve.ID(), s.bob.ID()} },
		"attributed to bob":        func(_, o map[string]any) { o["attributedTo"] = s.bob.ID() },
		"object on a third host":   func(_, o map[string]any) { o["id"] = "https://third.example/1" },
		"activity on another host": func(a, _ map[string]any) { a["id"] = "https://m1.example/1" },
		"no activity id":           func(a, _ map[string]any) { delete(a, "id") },
		"no object id":             func(_, o map[string]any) { delete(o, "id") },
	} {
		s.repels("N19 "+name, []int{403, 400}, s.eve, altered(s.vote(s.eve, s.q1, "Ja"), change), none)
	}
	s.repels("blocked server", []int{403}, s.blocked, s.vote(s.blocked, s.q1, "Ja"), none)
	if got := s.bad.Received(); len(got) != 0 {
		t.Errorf("the blocked server heard from us: %v", got)
	}
	s.repels("our own actor", []int{403}, s.eve, altered(s.vote(s.eve, s.q1, "Ja"), func(a, o map[string]any) {
		a["id"], a["actor"], o["id"], o["attributedTo"] = s.node.actor()+"#1", s.node.actor(), s.node.actor()+"#2", s.node.actor()
	}), none)
}

func TestNegativeVotes(t *testing.T) {
	s := newSiege(t)
	none := simulation.SignOptions{}
	ok := []int{202}
	uncounted := []string{"refused"}

	// N13, N23: the first vote stays, whatever follows.
	first := must2(s.bob.Request(t.Context(), http.MethodPost, s.node.urls.SharedInbox(), s.vote(s.bob, s.q1, "Ja"), none))(s.cluster)
	body := must2(first.GetBody())(s.cluster)
	raw := new(bytes.Buffer)
	must2(raw.ReadFrom(body))(s.cluster)
	replay := func() *http.Request {
		r := first.Clone(t.Context())
		r.Body = http.NoBody
		again := httptest.NewRequestWithContext(t.Context(), http.MethodPost, first.URL.String(), bytes.NewReader(raw.Bytes()))
		again.Header = r.Header
		return again
	}
	if status := s.send(replay()); status != 202 {
		t.Fatalf("a plain vote: %d", status)
	}
	for range 100 {
		s.repelsRequest("N13 replayed", ok, replay())
	}
	for _, name := range []string{"Nee", "Ja"} {
		s.repels("N23 a second vote, "+name, ok, s.bob, s.vote(s.bob, s.q1, name), none, uncounted...)
	}
	// N24: names that no option has.
	for _, name := range []string{"ja", "Ja\u200b", strings.Repeat("J", 10<<10), "A"} {
		s.repels("N24 named "+name[:1], ok, s.alice, s.vote(s.alice, s.q1, name), none, uncounted...)
	}
	s.repels("N24 no name", ok, s.alice, altered(s.vote(s.alice, s.q1, "Ja"), func(_, o map[string]any) { delete(o, "name") }), none, uncounted...)
	s.repels("N24 empty name", ok, s.alice, altered(s.vote(s.alice, s.q1, "Ja"), func(_, o map[string]any) { o["name"] = "" }), none, uncounted...)
	// N25
	s.repels("N25 closed", ok, s.alice, s.vote(s.alice, s.q3, "Ja"), none, uncounted...)
	s.repels("N25 a poll of somebody else", ok, s.alice, altered(s.vote(s.alice, s.q1, "Ja"), func(_, o map[string]any) { o["inReplyTo"] = "https://m1.example/poll" }), none)
	s.repels("N25 a poll that is not there", ok, s.alice, altered(s.vote(s.alice, s.q1, "Ja"), func(_, o map[string]any) { o["inReplyTo"] = s.node.urls.Object("nothing") }), none)
	// N26
	array := func(n int, name string) []byte {
		return altered(s.vote(s.alice, s.q2, name), func(a, o map[string]any) {
			many := make([]any, n)
			for i := range many {
				twin := maps.Clone(o)
				twin["id"] = fmt.Sprintf("%s#votes/%d", s.alice.ID(), i)
				many[i] = twin
			}
			a["object"] = many
		})
	}
	s.repels("N26 no objects", []int{202, 400}, s.alice, array(0, "A"), none)
	s.repels("N26 101 objects", []int{400}, s.alice, array(101, "A"), none)
	s.deliver(s.alice, array(2, "A"))
	s.deliver(s.alice, s.vote(s.alice, s.q2, "B"))

	// N24 with blanks and NFD, which servers produce, counts.
	s.deliver(s.alice, s.vote(s.alice, s.q1, " Cafe\u0301 "))

	s.wait(25 * time.Hour)
	s.settle()
	if r := s.node.result(s.q1); r.Turnout != 2 || !slices.Equal(r.Counts, []int{1, 0, 1}) {
		t.Errorf("q1: turnout %d, counts %v; want 2, [1 0 1]", r.Turnout, r.Counts)
	}
	if r := s.node.result(s.q2); r.Turnout != 1 || !slices.Equal(r.Counts, []int{1, 1, 0}) {
		t.Errorf("q2: turnout %d, counts %v; want 1, [1 1 0]", r.Turnout, r.Counts)
	}
	s.repelsRequest("N13 replayed later", []int{401}, replay())
}

// deliver sends what must be accepted.
func (s *siege) deliver(by *simulation.Account, body []byte) {
	s.t.Helper()
	r := must2(by.Request(s.t.Context(), http.MethodPost, s.node.urls.SharedInbox(), body, simulation.SignOptions{}))(s.cluster)
	if status := s.send(r); status != http.StatusAccepted {
		s.t.Fatalf("answered %d to what is fine: %s", status, body)
	}
}

func TestNegativeDocuments(t *testing.T) {
	s := newSiege(t)
	none := simulation.SignOptions{}
	vote := s.vote(s.bob, s.q1, "Ja")
	with := func(name, value string) []byte {
		return append([]byte(`{`+fmt.Sprintf("%q:%s,", name, value)), vote[1:]...)
	}
	for name, body := range map[string][]byte{
		"N29 depth 33":          with("x", strings.Repeat(`{"a":`, 33)+"1"+strings.Repeat("}", 33)),
		"N29 depth 10,000":      with("x", strings.Repeat("[", 10000)+strings.Repeat("]", 10000)),
		"N30 @context 5":        altered(vote, func(a, _ map[string]any) { a["type"] = 7 }),
		"N30 no types":          altered(vote, func(a, _ map[string]any) { a["type"] = []any{} }),
		"N30 null":              []byte("null"),
		"N30 array":             []byte("[]"),
		"N30 string":            []byte(`"x"`),
		"N30 trailing":          append(bytes.Clone(vote), "garbage"...),
		"N30 huge number":       with("x", "1e999"),
		"N31 101 objects":       with("tag", "["+strings.TrimSuffix(strings.Repeat("{},", 101), ",")+"]"),
		"N31 10,000 addressees": with("cc", "["+strings.TrimSuffix(strings.Repeat(`"a",`, 10000), ",")+"]"),
		"N31 10,000 mentions":   with("tag", "["+strings.TrimSuffix(strings.Repeat(`{"type":"M"},`, 10000), ",")+"]"),
		"a name twice":          with("actor", fmt.Sprintf("%q", s.bob.ID())),
		"a name twice, by case": with("Actor", fmt.Sprintf("%q", s.eve.ID())),
		"N33 @graph":            with("@graph", "[]"),
		"N33 @included":         with("@included", "[]"),
		"N33 @reverse":          with("@reverse", "{}"),
		"invalid UTF-8":         with("x", "\"\xff\""),
	} {
		s.repels(name, []int{400}, s.bob, body, none)
	}
	s.repels("N31 too large", []int{413, 400}, s.bob, with("x", `"`+strings.Repeat("x", 270<<10)+`"`), none)
	for name, kind := range map[string]string{"text": "text/plain; x=application/activity+json", "no profile": "application/ld+json", "none": ""} {
		r := must2(s.bob.Request(t.Context(), http.MethodPost, s.node.urls.SharedInbox(), vote, none))(s.cluster)
		r.Header.Del("Content-Type")
		if kind != "" {
			r.Header.Set("Content-Type", kind)
		}
		s.repelsRequest("N32 "+name, []int{415}, r)
	}
	r := must2(s.bob.Request(t.Context(), http.MethodPost, s.node.urls.SharedInbox(), vote, none))(s.cluster)
	r.Header.Set("Content-Encoding", "gzip")
	s.repelsRequest("N32 gzip", []int{415}, r)
	// What a library panics on, and what nobody needs: ignored, and the vote counts.
	for _, name := range []string{"duration", "published"} {
		for i, value := range []string{`""`, `"-"`, `"P1D"`} {
			who := s.m1.Account(fmt.Sprintf("n30%s%d", name, i))
			body := append([]byte(`{`+fmt.Sprintf("%q:%s,", name, value)), s.vote(who, s.q1, "Ja")[1:]...)
			r := must2(who.Request(t.Context(), http.MethodPost, s.node.urls.SharedInbox(), body, none))(s.cluster)
			if status := s.send(r); status != 202 && status != 400 {
				t.Errorf("N30 %s %s: %d", name, value, status)
			}
		}
	}
	// N33: a remote context is never fetched: the network would not find it, and the vote counts.
	r = must2(s.alice.Request(t.Context(), http.MethodPost, s.node.urls.SharedInbox(),
		altered(s.vote(s.alice, s.q1, "Ja"), func(a, _ map[string]any) { a["@context"] = "http://169.254.169.254/" }), none))(s.cluster)
	if status := s.send(r); status != 202 && status != 400 {
		t.Errorf("N33 remote context: %d", status)
	}
}
