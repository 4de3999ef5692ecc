package signature_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"inspraak/activitypub/signature"
)

// moment is when the requests of these tests arrive.
var moment = time.Date(2026, 9, 1, 8, 0, 5, 0, time.UTC)

var policy = signature.Policy{Host: "city.example", Scheme: "https"}

const vote = `{"@context":"https://www.w3.org/ns/activitystreams","id":"https://m1.example/users/bob#votes/7/activity","type":"Create","actor":"https://m1.example/users/bob","to":"https://city.example/a/consult","object":{"id":"https://m1.example/users/bob#votes/7","type":"Note","name":"Ja","attributedTo":"https://m1.example/users/bob","to":"https://city.example/a/consult","inReplyTo":"https://city.example/c/1"}}`

// A peer signs as the servers do, with the standard library only, so that the
// package under test never checks its own idea of a signature.
type peer struct {
	key  crypto.Signer
	keys crypto.PublicKey
}

var newPeer = sync.OnceValue(func() peer {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return peer{key, &key.PublicKey}
})

func (p peer) sign(hash crypto.Hash, base string) string {
	var sig []byte
	var err error
	switch hash {
	case crypto.SHA256:
		sum := sha256.Sum256([]byte(base))
		sig, err = p.key.Sign(rand.Reader, sum[:], hash)
	case crypto.SHA512:
		sum := sha512.Sum512([]byte(base))
		sig, err = p.key.Sign(rand.Reader, sum[:], hash)
	default:
		sig, err = p.key.Sign(rand.Reader, []byte(base), crypto.Hash(0))
	}
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(sig)
}

// draft describes a draft-cavage request; the zero value of the optional fields
// is Mastodon's POST of a vote.
type draft struct {
	method, target, host, body string
	date, digest, contentType  string
	covered                    []string
	algorithm, extra           string // extra: more parameters, each ending in a comma
	created, expires           int64
	hash                       crypto.Hash
}

func mastodonVote() draft {
	sum := sha256.Sum256([]byte(vote))
	return draft{
		method: "POST", target: "/inbox", host: "city.example", body: vote,
		date: moment.Format(http.TimeFormat), contentType: "application/activity+json",
		digest:    "SHA-256=" + base64.StdEncoding.EncodeToString(sum[:]),
		covered:   []string{"host", "date", "digest", "content-type", "(request-target)"},
		algorithm: `algorithm="rsa-sha256",`, hash: crypto.SHA256,
	}
}

func (d draft) request(p peer) *http.Request {
	var lines []string
	for _, name := range d.covered {
		value := map[string]string{
			"(request-target)": strings.ToLower(d.method) + " " + d.target, "host": d.host,
			"date": d.date, "digest": d.digest, "content-type": d.contentType,
			"(created)": fmt.Sprint(d.created), "(expires)": fmt.Sprint(d.expires),
			"content-length": fmt.Sprint(len(d.body)),
		}[name]
		lines = append(lines, name+": "+value)
	}
	r := httptest.NewRequest(d.method, d.target, strings.NewReader(d.body))
	r.Host = d.host
	r.Header = http.Header{"Content-Type": {d.contentType}, "User-Agent": {"Mastodon/4.5"}}
	if d.date != "" {
		r.Header.Set("Date", d.date)
	}
	if d.digest != "" {
		r.Header.Set("Digest", d.digest)
	}
	r.Header.Set("Signature", `keyId="https://m1.example/users/bob#main-key",`+d.algorithm+d.extra+
		`headers="`+strings.Join(d.covered, " ")+`",signature="`+p.sign(d.hash, strings.Join(lines, "\n"))+`"`)
	return r
}

// message describes an RFC 9421 request; messageVote is Fedify's.
type message struct {
	method, target, body, contentDigest, date string
	covered                                   []string
	params                                    string
	hash                                      crypto.Hash
}

func messageVote() message {
	sum := sha256.Sum256([]byte(vote))
	return message{
		method: "POST", target: "/inbox", body: vote, date: moment.Format(http.TimeFormat),
		contentDigest: "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":",
		covered:       []string{"@method", "@target-uri", "@authority", "host", "date", "content-digest"},
		params:        fmt.Sprintf(`;alg="rsa-v1_5-sha256";keyid="https://m1.example/users/bob#main-key";created=%d`, moment.Unix()),
		hash:          crypto.SHA256,
	}
}

func (m message) request(p peer) *http.Request {
	var base strings.Builder
	for _, name := range m.covered {
		path, query, _ := strings.Cut(m.target, "?")
		fmt.Fprintf(&base, "%q: %s\n", name, map[string]string{
			"@method": m.method, "@target-uri": "https://city.example" + m.target, "@path": path, "@query": "?" + query,
			"@authority": "city.example", "host": "city.example", "date": m.date, "content-digest": m.contentDigest,
		}[name])
	}
	input := `("` + strings.Join(m.covered, `" "`) + `")` + m.params
	base.WriteString(`"@signature-params": ` + input)
	r := httptest.NewRequest(m.method, m.target, strings.NewReader(m.body))
	r.Host = "city.example"
	r.Header = http.Header{
		"Date": {m.date}, "Content-Type": {"application/activity+json"}, "Content-Digest": {m.contentDigest},
		"Signature-Input": {"sig1=" + input}, "Signature": {"sig1=:" + p.sign(m.hash, base.String()) + ":"},
	}
	return r
}

func verify(r *http.Request, body string, key crypto.PublicKey) error {
	s, err := signature.Inspect(r, []byte(body), moment, policy)
	if err != nil {
		return err
	}
	return s.Verify(key)
}

func rule(err error) signature.Rule {
	var refusal *signature.Refusal
	if err == nil || !errors.As(err, &refusal) || !errors.Is(err, signature.ErrSignature) {
		return ""
	}
	return refusal.Rule
}

func TestAcceptsWhatServersSend(t *testing.T) {
	p := newPeer()
	edit := func(change func(*draft)) draft { d := mastodonVote(); change(&d); return d }
	for name, d := range map[string]draft{
		"Mastodon": mastodonVote(),
		"GoToSocial": edit(func(d *draft) {
			d.covered = []string{"(request-target)", "host", "date", "digest"}
			d.algorithm = `algorithm="hs2019",`
		}),
		"Misskey": edit(func(d *draft) { d.covered = []string{"(request-target)", "date", "host", "digest"} }),
		"Akkoma": edit(func(d *draft) {
			d.covered = []string{"(request-target)", "host", "date", "digest", "content-length"}
		}),
		"no algorithm":       edit(func(d *draft) { d.algorithm = "" }),
		"hs2019 as SHA-512":  edit(func(d *draft) { d.algorithm = `algorithm="hs2019",`; d.hash = crypto.SHA512 }),
		"blanks after comma": edit(func(d *draft) { d.algorithm = `algorithm="rsa-sha256",  ` }),
		"unknown parameter":  edit(func(d *draft) { d.extra = `opaque="x,y",` }),
		"created instead of date": edit(func(d *draft) {
			d.created, d.expires = moment.Unix(), moment.Unix()+300
			d.covered = []string{"(request-target)", "host", "(created)", "(expires)", "digest"}
			d.algorithm, d.extra = `algorithm="hs2019",`, fmt.Sprintf("created=%d, expires=%d,", d.created, d.expires)
		}),
		"edge of the window": edit(func(d *draft) { d.date = moment.Add(-65 * time.Minute).Format(http.TimeFormat) }),
		"escaped path":       edit(func(d *draft) { d.target = "/users/a%2Fb/inbox" }),
		"two digests in one": edit(func(d *draft) { d.digest += ",SHA-512=AAAA" }),
		"GET without query in the signature": edit(func(d *draft) {
			d.method, d.body, d.digest = "GET", "", ""
			d.covered = []string{"(request-target)", "host", "date"}
		}),
	} {
		r := d.request(p)
		if d.method == "GET" {
			r.RequestURI += "?page=1"
		}
		if err := verify(r, d.body, p.keys); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}

	for name, m := range map[string]message{
		"Fedify": messageVote(),
		"Mastodon": func() message {
			m := messageVote()
			m.covered = []string{"@method", "@target-uri", "content-digest"}
			m.params = strings.Replace(m.params, `;alg="rsa-v1_5-sha256"`, "", 1)
			return m
		}(),
		"path, query and authority": func() message {
			m := messageVote()
			m.target = "/inbox?x=1"
			m.covered = []string{"@method", "@authority", "@path", "@query", "content-digest"}
			return m
		}(),
	} {
		if err := verify(m.request(p), m.body, p.keys); err != nil {
			t.Errorf("RFC 9421 as by %s: %v", name, err)
		}
	}
}

func TestEd25519(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := peer{private, public}
	m := messageVote()
	m.hash, m.params = 0, strings.Replace(m.params, "rsa-v1_5-sha256", "ed25519", 1)
	if err := verify(m.request(p), m.body, public); err != nil {
		t.Errorf("RFC 9421: %v", err)
	}
	d := mastodonVote()
	d.hash, d.algorithm = 0, `algorithm="hs2019",`
	if err := verify(d.request(p), d.body, public); err != nil {
		t.Errorf("draft: %v", err)
	}
	if got := rule(verify(d.request(p), d.body, newPeer().keys)); got != signature.RuleCrypto {
		t.Errorf("an Ed25519 signature under an RSA key: %q", got)
	}
	if got := rule(verify(m.request(p), m.body, newPeer().keys)); got != signature.RuleAlgorithm {
		t.Errorf("alg=ed25519 under an RSA key: %q", got)
	}
	if got := rule(verify(mastodonVote().request(newPeer()), vote, public)); got != signature.RuleAlgorithm {
		t.Errorf("rsa-sha256 under an Ed25519 key: %q", got)
	}
}

func TestTamperedDraftIsRefused(t *testing.T) {
	p := newPeer()
	without := func(name string) func(*draft) {
		return func(d *draft) {
			var kept []string
			for _, other := range d.covered {
				if other != name {
					kept = append(kept, other)
				}
			}
			d.covered = kept
		}
	}
	at := func(d time.Duration) func(*draft) {
		return func(r *draft) { r.date = moment.Add(d).Format(http.TimeFormat) }
	}
	times := func(created, expires int64) func(*draft) {
		return func(d *draft) {
			d.created, d.expires, d.algorithm = created, expires, `algorithm="hs2019",`
			d.covered = []string{"(request-target)", "host", "digest", "(created)"}
			d.extra = fmt.Sprintf("created=%d,", created)
			if expires != 0 {
				d.covered = append(d.covered, "(expires)")
				d.extra += fmt.Sprintf("expires=%d,", expires)
			}
		}
	}
	short := base64.StdEncoding.EncodeToString(make([]byte, 31))
	for name, c := range map[string]struct {
		before func(*draft)                 // signed like this
		after  func(*http.Request) []string // changed on the way; returns the body, if another
		want   signature.Rule
	}{
		"N01 no signature":           {after: func(r *http.Request) []string { r.Header.Del("Signature"); return nil }, want: signature.RuleMissing},
		"N02 no digest at all":       {before: func(d *draft) { d.digest = ""; d.covered = []string{"(request-target)", "host", "date"} }, want: signature.RuleComponents},
		"N03 one byte of the body":   {after: func(*http.Request) []string { return []string{strings.Replace(vote, "Ja", "Je", 1)} }, want: signature.RuleDigest},
		"N03 body and digest":        {after: swapBody, want: signature.RuleCrypto},
		"N04 digest not covered":     {before: without("digest"), want: signature.RuleComponents},
		"N04 host not covered":       {before: without("host"), want: signature.RuleComponents},
		"N04 target not covered":     {before: without("(request-target)"), want: signature.RuleComponents},
		"N04 date not covered":       {before: without("date"), want: signature.RuleComponents},
		"N05 no headers parameter":   {after: editHeader(`headers="host date digest content-type (request-target)",`, ""), want: signature.RuleComponents},
		"N05 empty headers":          {after: editHeader(`headers="host date digest content-type (request-target)"`, `headers=""`), want: signature.RuleComponents},
		"N06 66 minutes old":         {before: at(-66 * time.Minute), want: signature.RuleTime},
		"N06 66 minutes ahead":       {before: at(66 * time.Minute), want: signature.RuleTime},
		"N06 no date":                {before: func(d *draft) { d.date = "yesterday" }, want: signature.RuleTime},
		"N06 renewed date":           {after: setHeader("Date", moment.Add(time.Second).Format(http.TimeFormat)), want: signature.RuleCrypto},
		"N07 created in 1970":        {before: times(0, 0), want: signature.RuleTime},
		"N07 expired":                {before: times(moment.Unix()-60, moment.Unix()-1), want: signature.RuleTime},
		"N07 renewed created":        {before: times(moment.Unix()-60, 0), after: editHeader(fmt.Sprint("created=", moment.Unix()-60), fmt.Sprint("created=", moment.Unix())), want: signature.RuleCrypto},
		"N07 created not given":      {before: times(moment.Unix(), 0), after: editHeader("created=", "x="), want: signature.RuleParameters},
		"N07 created with rsa":       {before: func(d *draft) { times(moment.Unix(), 0)(d); d.algorithm = `algorithm="rsa-sha256",` }, want: signature.RuleAlgorithm},
		"N07 created no number":      {before: func(d *draft) { d.extra = `created="x",` }, want: signature.RuleParameters},
		"N08 two Signature fields":   {after: addHeader("Signature", `keyId="x"`), want: signature.RuleMissing},
		"N08 two keyId":              {before: func(d *draft) { d.extra = `keyId="https://evil.example/k",` }, want: signature.RuleParameters},
		"N08 keyId in another case":  {before: func(d *draft) { d.extra = `keyid="https://evil.example/k",` }, want: signature.RuleParameters},
		"N08 unknown twice":          {before: func(d *draft) { d.extra = `a="1",a="2",` }, want: signature.RuleParameters},
		"N08 digest named twice":     {before: func(d *draft) { d.covered = append(d.covered, "digest") }, want: signature.RuleComponents},
		"N08 covered but absent":     {before: func(d *draft) { d.covered = append(d.covered, "x-forwarded-host") }, want: signature.RuleComponents},
		"N09 two Digest fields":      {after: addHeader("Digest", "SHA-256=AAAA"), want: signature.RuleDigest},
		"N09 MD5":                    {before: func(d *draft) { d.digest = "MD5=1B2M2Y8AsgTpgAmY7PhCfg==" }, want: signature.RuleDigest},
		"N09 31 bytes":               {before: func(d *draft) { d.digest = "SHA-256=" + short }, want: signature.RuleDigest},
		"N09 SHA-512 only":           {before: func(d *draft) { d.digest = "SHA-512=AAAA" }, want: signature.RuleDigest},
		"N09 SHA-256 twice":          {before: func(d *draft) { d.digest += "," + d.digest }, want: signature.RuleDigest},
		"N10 hmac":                   {before: func(d *draft) { d.algorithm = `algorithm="hmac-sha256",` }, after: hmacOverKey, want: signature.RuleAlgorithm},
		"N10 none":                   {before: func(d *draft) { d.algorithm = `algorithm="none",` }, want: signature.RuleAlgorithm},
		"N10 SHA-512 as rsa-sha256":  {before: func(d *draft) { d.hash = crypto.SHA512 }, want: signature.RuleCrypto},
		"N12 another inbox":          {after: func(r *http.Request) []string { r.RequestURI = "/a/other/inbox"; return nil }, want: signature.RuleCrypto},
		"N12 another method":         {after: func(r *http.Request) []string { r.Method = "PUT"; return nil }, want: signature.RuleCrypto},
		"N12 a query added":          {after: func(r *http.Request) []string { r.RequestURI = "/inbox?x"; return nil }, want: signature.RuleCrypto},
		"N12 signed for other host":  {before: func(d *draft) { d.host = "other.example" }, want: signature.RuleHost},
		"N12 another port":           {before: func(d *draft) { d.host = "city.example:8443" }, want: signature.RuleHost},
		"N12 host changed back":      {before: func(d *draft) { d.host = "other.example" }, after: func(r *http.Request) []string { r.Host = "city.example"; return nil }, want: signature.RuleCrypto},
		"absolute target":            {after: func(r *http.Request) []string { r.RequestURI = "https://city.example/inbox"; return nil }, want: signature.RuleTarget},
		"signature not base64":       {after: editHeader(`signature="`, `signature="*`), want: signature.RuleParameters},
		"escape in a parameter":      {before: func(d *draft) { d.extra = `a="\"",` }, want: signature.RuleParameters},
		"trailing comma":             {after: func(r *http.Request) []string { r.Header["Signature"][0] += ","; return nil }, want: signature.RuleParameters},
		"text after a quoted string": {after: func(r *http.Request) []string { r.Header["Signature"][0] += "x"; return nil }, want: signature.RuleParameters},
		"oversized":                  {before: func(d *draft) { d.extra = `a="` + strings.Repeat("x", 9000) + `",` }, want: signature.RuleParameters},
	} {
		d := mastodonVote()
		if c.before != nil {
			c.before(&d)
		}
		r, body := d.request(p), d.body
		if c.after != nil {
			if changed := c.after(r); changed != nil {
				body = changed[0]
			}
		}
		if got := rule(verify(r, body, p.keys)); got != c.want {
			t.Errorf("%s: refused by %q, want %q", name, got, c.want)
		}
	}
}

func swapBody(r *http.Request) []string {
	body := strings.Replace(vote, "Ja", "Nee", 1)
	sum := sha256.Sum256([]byte(body))
	r.Header.Set("Digest", "SHA-256="+base64.StdEncoding.EncodeToString(sum[:]))
	return []string{body}
}

func editHeader(from, to string) func(*http.Request) []string {
	return func(r *http.Request) []string {
		r.Header.Set("Signature", strings.Replace(r.Header.Get("Signature"), from, to, 1))
		return nil
	}
}

func setHeader(name, value string) func(*http.Request) []string {
	return func(r *http.Request) []string { r.Header.Set(name, value); return nil }
}

func addHeader(name, value string) func(*http.Request) []string {
	return func(r *http.Request) []string { r.Header.Add(name, value); return nil }
}

// hmacOverKey makes the classic confusion: a MAC whose secret is the public key.
func hmacOverKey(r *http.Request) []string {
	public, _ := signature.EncodePublicKey(newPeer().keys.(*rsa.PublicKey))
	mac := hmac.New(sha256.New, []byte(public))
	before, _, _ := strings.Cut(r.Header.Get("Signature"), `signature="`)
	r.Header.Set("Signature", before+`signature="`+base64.StdEncoding.EncodeToString(mac.Sum(nil))+`"`)
	return nil
}

func TestTamperedMessageIsRefused(t *testing.T) {
	p := newPeer()
	const input = "Signature-Input"
	edit := func(name, from, to string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, strings.Replace(r.Header.Get(name), from, to, 1)) }
	}
	param := func(from, to string) func(*message) {
		return func(m *message) { m.params = strings.Replace(m.params, from, to, 1) }
	}
	cover := func(names ...string) func(*message) { return func(m *message) { m.covered = names } }
	created := fmt.Sprint("created=", moment.Unix())
	for name, c := range map[string]struct {
		before func(*message)
		after  func(*http.Request)
		want   signature.Rule
	}{
		"N01 no signature":      {after: func(r *http.Request) { r.Header.Del("Signature") }, want: signature.RuleMissing},
		"N02 no content-digest": {before: cover("@method", "@target-uri"), want: signature.RuleComponents},
		"N03 another digest":    {after: edit("Content-Digest", "=:", "=:AAAA"), want: signature.RuleDigest},
		"N04 no method":         {before: cover("@target-uri", "content-digest"), want: signature.RuleComponents},
		"N04 no target":         {before: cover("@method", "@authority", "content-digest"), want: signature.RuleComponents},
		"N04 no host":           {before: cover("@method", "@path", "content-digest"), want: signature.RuleComponents},
		"N04 query not covered": {before: func(m *message) {
			m.target = "/inbox?x"
			m.covered = []string{"@method", "@authority", "@path", "content-digest"}
		}, want: signature.RuleComponents},
		"N06 66 minutes old":        {before: param(created, fmt.Sprint("created=", moment.Unix()-66*60)), want: signature.RuleTime},
		"N06 66 minutes ahead":      {before: param(created, fmt.Sprint("created=", moment.Unix()+66*60)), want: signature.RuleTime},
		"N07 no created":            {before: param(";"+created, ""), want: signature.RuleParameters},
		"N07 created a string":      {before: param(created, `created="1"`), want: signature.RuleParameters},
		"N07 expired":               {before: param(created, fmt.Sprint(created, ";expires=", moment.Unix()-1)), want: signature.RuleTime},
		"N07 renewed created":       {after: edit(input, created, fmt.Sprint("created=", moment.Unix()+1)), want: signature.RuleCrypto},
		"N08 two labels":            {after: func(r *http.Request) { r.Header.Add("Signature", "sig2=:AAAA:") }, want: signature.RuleMissing},
		"N08 another label":         {after: edit("Signature", "sig1", "sig2"), want: signature.RuleMissing},
		"N08 a label twice":         {after: func(r *http.Request) { r.Header.Add("Signature", "sig1=:AAAA:") }, want: signature.RuleParameters},
		"N08 two keyid":             {before: param(";alg", `;keyid="https://evil.example/k";alg`), want: signature.RuleParameters},
		"N08 a component twice":     {before: cover("@method", "@method", "@target-uri", "content-digest"), want: signature.RuleComponents},
		"N08 component parameters":  {after: edit(input, `"content-digest"`, `"content-digest";sf`), want: signature.RuleComponents},
		"N08 draft signature added": {after: func(r *http.Request) { r.Header.Add("Signature", `keyId="k",signature="AAAA"`) }, want: signature.RuleParameters},
		"N09 sha-512 only":          {before: func(m *message) { m.contentDigest = "sha-512=:AAAA:" }, want: signature.RuleDigest},
		"N09 31 bytes": {before: func(m *message) {
			m.contentDigest = "sha-256=:" + base64.StdEncoding.EncodeToString(make([]byte, 31)) + ":"
		}, want: signature.RuleDigest},
		"N10 hmac":           {before: param("rsa-v1_5-sha256", "hmac-sha256"), want: signature.RuleAlgorithm},
		"N10 rsa-pss":        {before: param("rsa-v1_5-sha256", "rsa-pss-sha512"), want: signature.RuleAlgorithm},
		"N10 SHA-512":        {before: func(m *message) { m.hash = crypto.SHA512 }, want: signature.RuleCrypto},
		"N12 another inbox":  {after: func(r *http.Request) { r.RequestURI = "/a/other/inbox" }, want: signature.RuleCrypto},
		"N12 another method": {after: func(r *http.Request) { r.Method = "PUT" }, want: signature.RuleCrypto},
		"N12 another host":   {after: func(r *http.Request) { r.Host = "other.example" }, want: signature.RuleHost},
		"@status":            {before: cover("@status", "@method", "@target-uri", "content-digest"), want: signature.RuleComponents},
		"absent field":       {after: edit(input, `"date"`, `"x-date"`), want: signature.RuleComponents},
	} {
		m := messageVote()
		if c.before != nil {
			c.before(&m)
		}
		r := m.request(p)
		if c.after != nil {
			c.after(r)
		}
		if got := rule(verify(r, m.body, p.keys)); got != c.want {
			t.Errorf("%s: refused by %q, want %q", name, got, c.want)
		}
	}
}

// A request that could not be verified at once is judged later, from what was
// stored, by the time at which it came; also where it has expired since.
func TestStoredRequest(t *testing.T) {
	p := newPeer()
	d := mastodonVote()
	d.created, d.expires = moment.Unix(), moment.Unix()+30
	d.covered = []string{"(request-target)", "host", "(created)", "(expires)", "digest", "content-length"}
	d.algorithm, d.extra = "", fmt.Sprintf("created=%d,expires=%d,", d.created, d.expires)
	for name, r := range map[string]*http.Request{
		"draft": mastodonVote().request(p), "created": d.request(p), "RFC 9421": messageVote().request(p),
	} {
		first, err := signature.Inspect(r, []byte(vote), moment, policy)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		kept := first.Header()
		if kept.Get("User-Agent") != "" || kept.Get("Host") != "" {
			t.Errorf("%s: kept more than what is covered: %v", name, kept)
		}
		stored := &http.Request{Method: r.Method, Host: r.Host, RequestURI: r.RequestURI, Header: kept}
		second, err := signature.Inspect(stored, []byte(vote), moment, policy)
		if err != nil {
			t.Fatalf("%s, stored: %v", name, err)
		}
		if second.KeyID != first.KeyID || !second.Time.Equal(moment) {
			t.Errorf("%s, stored: key %q at %v", name, second.KeyID, second.Time)
		}
		if err := second.Verify(p.keys); err != nil {
			t.Errorf("%s, stored: %v", name, err)
		}
	}
}

// A renewed key: the same request is verified with the cached key and then with
// the fetched one, from several goroutines.
func TestVerifyAgain(t *testing.T) {
	p := newPeer()
	other, err := signature.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	r := mastodonVote().request(p)
	s, err := signature.Inspect(r, []byte(vote), moment, policy)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Date", "gone") // Signed does not depend on it any more
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			if got := rule(s.Verify(&other.PublicKey)); got != signature.RuleCrypto {
				t.Errorf("the old key: %q", got)
			}
			if err := s.Verify(p.keys); err != nil {
				t.Errorf("the new key: %v", err)
			}
		})
	}
	wait.Wait()
	if got := rule(s.Verify([]byte("secret"))); got != signature.RuleKey {
		t.Errorf("a byte string as key: %q", got)
	}
}

func TestBodyWithTrailingBytes(t *testing.T) {
	r := mastodonVote().request(newPeer())
	if got := rule(verify(r, vote+"\n", newPeer().keys)); got != signature.RuleDigest {
		t.Errorf("a body with one more byte: %q", got)
	}
}
