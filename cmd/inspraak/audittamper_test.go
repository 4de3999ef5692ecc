package main

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"inspraak/activitypub"
	"inspraak/activitypub/signature"
	"inspraak/participation"
	"inspraak/simulation"
)

// What somebody inside could do to the evidence, or to the ballots behind its
// back, is found.
func TestAuditFindsWhatIsNotBacked(t *testing.T) {
	a := newAudited(t)
	q := a.publish("q", participation.SingleChoice, 1, "Ja", "Nee")
	never := a.publish("never", participation.SingleChoice, 1, "Ja", "Nee")
	a.vote(a.m1.Account("early"), q, "Ja")
	a.batch()
	alice, bob, carol, dora := a.m1.Account("alice"), a.rfc.Account("bob"), a.m1.Account("carol"), a.m1.Account("dora")
	a.vote(alice, q, "Ja")
	a.vote(bob, q, "Nee")
	a.vote(carol, q, "Ja")
	body := append(dora.VoteActivities(a.node.object(q), a.node.actor(), "Ja")[0], strings.Repeat(" ", 20<<10)...)
	a.must(dora.Send(t.Context(), a.node.urls.SharedInbox(), body))
	// Who has the key of the consultation can make a ballot, but no signature.
	invented := participation.Vote{Consultation: q.ID, Actor: "https://m1.example/users/nobody", Host: "m1.example", ReceivedAt: a.clock(),
		Marks: []participation.Mark{{Object: "https://m1.example/users/nobody#votes/1", Name: "Nee"}}}
	if outcome := must2(a.node.Service.CastVote(t.Context(), invented))(a.cluster); outcome != participation.Counted {
		t.Fatal(outcome)
	}
	a.close()
	if code, _, errs := a.command("audit", "never", "--identity", a.file); code != exitDone {
		t.Errorf("nobody voted in %s: %s", never.Slug, errs)
	}
	none, missing := "there is no evidence of it", "no signed request was kept of it"
	large := fmt.Sprintf("the request was too large to keep (%d bytes)", len(body))
	for _, b := range a.audit("q", 6, missing, large).NotBacked {
		if b.Code == "" {
			t.Errorf("without a code: %+v", b)
		}
	}

	bundles := a.bundles(q)
	if len(bundles) != 2 {
		t.Fatalf("%d bundles, want 2", len(bundles))
	}
	flipped := bytes.Clone(bundles[0])
	flipped[len(flipped)/2] ^= 1
	a.replace(q, [][]byte{flipped, bundles[1]})
	if r := a.audit("q", 6, missing, large, none); len(r.Problems) != 1 || !strings.HasPrefix(r.Problems[0], "bundle 1 of the evidence cannot be opened") {
		t.Errorf("problems: %q", r.Problems)
	}
	a.replace(q, bundles[:1])
	a.audit("q", 6, none, none, none, none, none)

	try := func(change func(e evidenceOf), reasons ...string) auditReport {
		t.Helper()
		a.replace(q, [][]byte{bundles[0], a.edited(bundles[1], change)})
		slices.Sort(reasons)
		return a.audit("q", 6, reasons...)
	}
	try(func(evidenceOf) {}, missing, large)
	// alice's request beside bob's ballot, and his beside hers.
	try(func(e evidenceOf) {
		hers, his := e[alice.ID()].request(), e[bob.ID()].request()
		e[alice.ID()].set(his)
		e[bob.ID()].set(hers)
	}, missing, large, "it chooses 1, and what was signed chooses 2", "it chooses 2, and what was signed chooses 1")
	// One signature for two ballots: as if carol's were invented.
	var codes []string
	a.edited(bundles[1], func(e evidenceOf) { codes = []string{e[alice.ID()].code(), e[carol.ID()].code()} })
	r := try(func(e evidenceOf) { e[carol.ID()].set(e[alice.ID()].request()) },
		missing, large, "its signer backs another ballot already: "+slices.Min(codes))
	if r.Accounts != 3 {
		t.Errorf("%d accounts signed, want 3", r.Accounts)
	}
	// A ballot that the log does not have, beside a request that is true.
	try(func(e evidenceOf) { e[alice.ID()]["ballots"].([]any)[0].(map[string]any)["options"] = []int{2} }, missing, large, none)
	for reason, spoil := range map[string]func(request map[string]any){
		"http signature refused: digest: the digest is not that of the body": func(r map[string]any) {
			r["body"] = bytes.ReplaceAll(bodyOf(r), []byte(q.ID), []byte(never.ID))
		},
		"http signature refused: host: sent to \"other.example\", not to this server": func(r map[string]any) { r["host"] = "other.example" },
		"http signature refused: time: signed 2h0m0s ago": func(r map[string]any) {
			r["received"] = must2(time.Parse(time.RFC3339, r["received"].(string)))(a.cluster).Add(2 * time.Hour)
		},
		"signer, key or form are not those of the request": func(r map[string]any) { r["signer"] = carol.ID() },
		"http signature refused: crypto: the key \"" + alice.KeyID() + "\" did not make this signature": func(r map[string]any) {
			key := must2(simulation.NewKeys(1))(a.cluster)[0]
			r["key"] = must2(signature.EncodePublicKey(&key.PublicKey))(a.cluster)
		},
	} {
		try(func(e evidenceOf) { spoil(e[alice.ID()].request()) }, missing, large, reason)
	}
	// Signed by a key of another host, and by one that was made up for her.
	eve := a.server(simulation.Mastodon, "evil.example").Account("eve")
	vote := alice.VoteActivities(a.node.object(q), a.node.actor(), "Ja")[0]
	try(func(e evidenceOf) {
		r := e[alice.ID()].request()
		a.sign(alice, vote, r, simulation.SignOptions{KeyOf: eve, KeyID: eve.KeyID()})
		r["keyId"], r["key"] = eve.KeyID(), a.keyOf(eve)
	}, missing, large, "the key or the activity is of another host than its actor")
	client := activitypub.NewClient(activitypub.ClientConfig{UserAgent: "audit", Transport: a.network})
	defer client.Close()
	for made, want := range map[bool]int{false: 4, true: 3} {
		a.replace(q, [][]byte{bundles[0], a.edited(bundles[1], func(e evidenceOf) {
			if r := e[alice.ID()].request(); made {
				a.sign(alice, vote, r, simulation.SignOptions{KeyOf: eve})
				r["key"] = a.keyOf(eve)
			}
		})})
		trail := must2((&office{Config: a.node.config, Service: a.node.Service, db: a.node.DB, keys: a.node.Keys}).trail(t.Context(), "q"))(a.cluster)
		r := must2(trail.audit([]age.Identity{a.identity}))(a.cluster)
		r.ask(100, func(actor, keyID string) (string, error) {
			return activitypub.AskKey(t.Context(), client, actor, keyID)
		})
		if r.Backed != 4 || r.Asked != (asked{4, want, 0}) || len(r.Problems) != 4-want {
			t.Errorf("a key that was made up (%v): %d backed, asked %+v, %q", made, r.Backed, r.Asked, r.Problems)
		}
	}
	// Signed by alice, and no vote, or one in another question.
	for reason, body := range map[string][]byte{
		"what was signed is no vote in this question": alice.VoteActivities(a.node.object(never), a.node.actor(), "Ja")[0],
		"what was signed is a Like, and no vote":      fmt.Appendf(nil, `{"id":"%s#l","type":"Like","actor":"%[1]s","object":"%s"}`, alice.ID(), a.node.object(q)),
	} {
		try(func(e evidenceOf) { a.sign(alice, body, e[alice.ID()].request(), simulation.SignOptions{}) }, missing, large, reason)
	}
}

// An export whose dataset was changed, or is signed with another key than the
// auditor knows, is not audited.
func TestAuditVerifiesTheDataset(t *testing.T) {
	a := newAudited(t)
	q := a.publish("q", participation.SingleChoice, 1, "Ja", "Nee")
	a.vote(a.m1.Account("alice"), q, "Ja")
	a.close()
	export := filepath.Join(t.TempDir(), "q.zip")
	if code, _, errs := a.command("evidence", "export", "q", export); code != exitDone {
		t.Fatal(errs)
	}
	key, fingerprint := a.node.Service.LogKey(q)
	for _, key := range []string{key, fingerprint} {
		if code, out, errs := a.command("audit", export, "--identity", a.file, "--key", key); code != exitDone || !strings.Contains(out, "as you gave it") {
			t.Errorf("%d %s%s", code, out, errs)
		}
	}
	if code, _, errs := a.command("audit", export, "--identity", a.file, "--key", strings.Repeat("00", 32)); code != exitFail || !strings.Contains(errs, "another key") {
		t.Errorf("%d %s", code, errs)
	}
	if code, _, _ := a.command("audit", export, "--identity", a.file, "--key", "nonsense"); code != exitUsage {
		t.Errorf("a key that is none: %d", code)
	}
	changed := filepath.Join(t.TempDir(), "changed.zip")
	a.must(os.WriteFile(changed, a.altered(export, exportedDataset), 0o600))
	a.auditFails(changed, a.identity.String(), "audit: the dataset does not verify")
	a.must(os.WriteFile(changed, must2(os.ReadFile(export))(a.cluster)[:500], 0o600))
	a.auditFails(changed, a.identity.String(), "is it whole")
	if code, _, _ := a.command("evidence", "export", "q", export); code != exitFail {
		t.Error("an export was overwritten")
	}
}

// altered is an export in which one byte of a file was changed.
func (a *audited) altered(export, name string) []byte {
	a.t.Helper()
	from := must2(zip.OpenReader(export))(a.cluster)
	defer from.Close()
	var b bytes.Buffer
	to := zip.NewWriter(&b)
	for _, f := range from.File {
		content := must2(readZipped(&from.Reader, f.Name))(a.cluster)
		if f.Name == name {
			content[len(content)/2] ^= 1
		}
		must2(must2(to.Create(f.Name))(a.cluster).Write(content))(a.cluster)
	}
	a.must(to.Close())
	return b.Bytes()
}

// What is told of servers is what the dataset may tell.
func TestAuditTellsNoSmallServer(t *testing.T) {
	r := auditReport{byServer: map[string]int{"big.example": 43, "mid.example": 21, "small.example": 4, "tiny.example": 1}}
	if got := fmt.Sprint(r.servers(false)); got != "[{big.example {38 51}} {mid.example {18 22}} {other {0 9}}]" {
		t.Error(got)
	}
	r.NotBacked = []unbacked{{}}
	if r.servers(false) != nil || len(r.servers(true)) != 4 {
		t.Errorf("%v, exactly %v", r.servers(false), r.servers(true))
	}
}

// sign puts a body in place of that of a request, signed by who.
func (a *audited) sign(who *simulation.Account, body []byte, request map[string]any, o simulation.SignOptions) {
	a.t.Helper()
	r := must2(who.Request(a.t.Context(), http.MethodPost, a.node.urls.SharedInbox(), body, o))(a.cluster)
	request["target"], request["host"], request["body"], request["received"] = "/inbox", r.URL.Host, body, a.clock()
	request["header"] = r.Header
}

// keyOf is an account's public key as its server gives it.
func (a *audited) keyOf(who *simulation.Account) string {
	a.t.Helper()
	document := decodeJSON[struct {
		PublicKey struct{ PublicKeyPem string }
	}](a.t, must2(who.Document())(a.cluster))
	return document.PublicKey.PublicKeyPem
}

// evidenceOf are the lines of a bundle by their signer; unsigned ones by nothing.
type evidenceOf map[string]evidenceLine

type evidenceLine map[string]any

func (l evidenceLine) request() map[string]any {
	for _, r := range l["requests"].(map[string]any) {
		return r.(map[string]any)
	}
	return nil
}

func (l evidenceLine) set(request map[string]any) {
	all := l["requests"].(map[string]any)
	for mark := range all {
		all[mark] = request
	}
}

func (l evidenceLine) code() string {
	return l["ballots"].([]any)[0].(map[string]any)["code"].(string)
}

func bodyOf(request map[string]any) []byte {
	body, err := base64.StdEncoding.DecodeString(request["body"].(string))
	if err != nil {
		panic(err)
	}
	return body
}

func (a *audited) bundles(c participation.Consultation) (all [][]byte) {
	a.t.Helper()
	a.must(a.node.DB.Evidence(a.t.Context(), c.Number, func(_ int64, sealed []byte) error {
		all = append(all, bytes.Clone(sealed))
		return nil
	}))
	return all
}

func (a *audited) replace(c participation.Consultation, bundles [][]byte) {
	a.t.Helper()
	a.must(a.node.DB.Update(a.t.Context(), func(tx participation.Tx) error {
		err := tx.DropEvidence(c.Number)
		for _, b := range bundles {
			if err == nil {
				err = tx.SaveEvidence(c.Number, b)
			}
		}
		return err
	}))
}

// edited is a bundle whose lines were changed; the key to encrypt with is public.
func (a *audited) edited(sealed []byte, change func(evidenceOf)) []byte {
	a.t.Helper()
	plain := must2(age.Decrypt(bytes.NewReader(sealed), a.identity))(a.cluster)
	packed := must2(gzip.NewReader(bufio.NewReader(plain)))(a.cluster)
	packed.Multistream(false)
	var lines []evidenceLine
	by := evidenceOf{}
	for d := json.NewDecoder(packed); d.More(); {
		var line evidenceLine
		a.must(d.Decode(&line))
		lines = append(lines, line)
		signer, _ := line.request()["signer"].(string)
		by[signer] = line
	}
	change(by)
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	for _, l := range lines {
		a.must(json.NewEncoder(w).Encode(l))
	}
	a.must(w.Close())
	return must2(a.node.Keys.SealFor(a.identity.Recipient().String(), b.Bytes()))(a.cluster)
}
