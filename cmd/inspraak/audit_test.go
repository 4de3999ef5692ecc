package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"inspraak/participation"
	"inspraak/simulation"
)

// audited is a node with consultations that have an auditor, and citizens on
// servers of four kinds, one of which signs by RFC 9421.
type audited struct {
	*cluster
	node     *testNode
	identity *age.X25519Identity
	file     string // its identity file
	config   string // the node's configuration file

	m1, tootik, misskey, rfc *simulation.Server
}

func newAudited(t *testing.T) *audited {
	c := newCluster(t)
	a := &audited{cluster: c, node: c.node("node.example", "consult"), identity: must2(age.GenerateX25519Identity())(c)}
	dir := t.TempDir()
	a.file, a.config = filepath.Join(dir, "auditor.txt"), filepath.Join(dir, "inspraak.yaml")
	c.must(os.WriteFile(a.file, []byte(a.identity.String()+"\n"), 0o600))
	c.must(os.WriteFile(a.config, fmt.Appendf(nil, "url: %s\ndata: %s\nname: Consult\ncontact: griffie@node.example\n",
		a.node.urls.Base, a.node.config.Data), 0o600))
	keys := must2(simulation.NewKeys(1))(c)
	server := func(kind simulation.Kind, host string, scheme simulation.Scheme) *simulation.Server {
		return c.network.NewServer(simulation.Config{Kind: kind, Base: "https://" + host, Now: c.clock, Seed: 1, Keys: keys, Scheme: scheme})
	}
	a.m1, a.tootik = server(simulation.Mastodon, "m1.example", ""), server(simulation.Tootik, "tootik.example", "")
	a.misskey, a.rfc = server(simulation.Misskey, "misskey.example", ""), server(simulation.Mastodon, "rfc.example", simulation.RFC9421)
	return a
}

// publish opens a consultation for the auditor, with batches of k.
func (a *audited) publish(slug string, kind participation.Kind, k int, options ...string) participation.Consultation {
	a.t.Helper()
	draft := a.node.draft(slug, kind, participation.AtClose, options...)
	draft.Terms.AuditorKey, draft.Terms.BatchSize = a.identity.Recipient().String(), k
	a.must(a.node.DB.Update(a.t.Context(), func(tx participation.Tx) error { return tx.SaveConsultation(&draft) }))
	return must2(a.node.Service.Publish(a.t.Context(), draft.ID))(a.cluster)
}

func (a *audited) vote(who *simulation.Account, in participation.Consultation, names ...string) {
	a.t.Helper()
	must2(who.Vote(a.t.Context(), a.node.object(in), names...))(a.cluster)
}

// batch lets the log be written.
func (a *audited) batch() {
	a.t.Helper()
	a.wait(4 * time.Minute)
	a.settle()
}

func (a *audited) close() {
	a.t.Helper()
	a.wait(25 * time.Hour)
	a.settle()
}

// command runs the program as its users do.
func (a *audited) command(args ...string) (code int, out, errs string) {
	a.t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(a.t.Context(), append([]string{"-c", a.config}, args...), strings.NewReader(""), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

// audit runs it and wants so many ballots, and these reasons why some are not
// backed, sorted.
func (a *audited) audit(source string, published int, reasons ...string) auditReport {
	a.t.Helper()
	code, out, errs := a.command("audit", source, "--identity", a.file, "--json", "--servers")
	if want := exitDone; len(reasons) == 0 && code != want || len(reasons) > 0 && code == want {
		a.t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	var r auditReport
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		a.t.Fatalf("%v: %s%s", err, out, errs)
	}
	var got []string
	for _, b := range r.NotBacked {
		got = append(got, b.Reason)
	}
	slices.Sort(got)
	if r.Published != published || r.Backed != published-len(got) || !slices.Equal(got, reasons) {
		a.t.Errorf("%d published, %d backed, not for %q; want %d, and %q", r.Published, r.Backed, got, published, reasons)
	}
	return r
}

// Every way for a vote to come leaves evidence that holds: both forms of
// signature, marks days apart, the waiting room, a ballot that was voided and
// voted anew, an entry for each option.
func TestAudit(t *testing.T) {
	a := newAudited(t)
	q1 := a.publish("q1", participation.SingleChoice, 1, "Ja", "Nee", "Café")
	q2 := a.publish("q2", participation.MultipleChoice, 1, "A", "B", "C")
	q3 := a.publish("q3", participation.MultipleChoice, 1, "1", "2", "3", "4", "5", "6")
	empty := a.node.fingerprint()["evidence_waiting"]
	mia, zoe, tim, ana := a.misskey.Account("mia"), a.tootik.Account("zoe"), a.tootik.Account("tim"), a.m1.Account("ana")
	slow := a.server(simulation.Mastodon, "slow.example")
	for _, who := range []*simulation.Account{a.m1.Account("alice"), a.rfc.Account("bob")} {
		a.vote(who, q1, "Café")
		a.vote(who, q2, "A", "C")
		a.vote(who, q3, "1", "6")
	}
	a.vote(zoe, q1, "Nee")                     // and takes it back before its batch
	a.vote(a.m1.Account("left"), q2, "A", "B") // and is gone before its batch
	waiting := a.node.fingerprint()["evidence_waiting"]
	a.must(zoe.WithdrawVote(t.Context(), a.node.object(q1)))
	a.must(a.node.Service.ForgetActor(t.Context(), a.m1.Account("left").ID()))
	if waiting == a.node.fingerprint()["evidence_waiting"] {
		t.Error("the evidence of what was withdrawn is still there")
	}
	a.vote(tim, q1, "Nee") // after it, and votes anew
	a.vote(tim, q2, "B", "C")
	a.vote(mia, q2, "A")
	a.vote(ana, q3, "2")
	slow.SetFault(simulation.Fault{KeyStatus: http.StatusServiceUnavailable})
	a.vote(slow.Account("cy"), q1, "Ja")
	if n := must2(a.node.DB.CountWaiting(t.Context(), q1.ID))(a.cluster); n != 1 {
		t.Fatalf("%d requests wait, want 1", n)
	}
	a.batch()
	a.vote(mia, q2, "B") // days later
	a.must(tim.WithdrawVote(t.Context(), a.node.object(q1)))
	a.vote(tim, q1, "Ja")
	a.must(tim.WithdrawVote(t.Context(), a.node.object(q2), "B"))
	slow.SetFault(simulation.Fault{})
	a.wait(10 * time.Minute)
	a.settle()
	a.vote(a.m1.Account("late"), q1, "Ja") // waits for the closing batch
	a.nothingReadable()
	if page := a.node.get("/consultations/q1", "text/html").Body.String(); !strings.Contains(page, "Een auditor van buiten") {
		t.Error("the page does not tell voters of the auditor")
	}
	a.close()
	if waiting := a.node.fingerprint()["evidence_waiting"]; waiting != empty {
		t.Errorf("evidence still waits after closing: %s, at first %s", waiting, empty)
	}

	r := a.audit("q1", 5)
	if r.Accounts != 5 || fmt.Sprint(r.Servers) != "[{m1.example {2 2}} {rfc.example {1 1}} {slow.example {1 1}} {tootik.example {1 1}}]" {
		t.Errorf("%d accounts on %v", r.Accounts, r.Servers)
	}
	if r := a.audit("q2", 4); r.Accounts != 4 {
		t.Errorf("q2: %d accounts signed, want 4", r.Accounts)
	}
	if r := a.audit("q3", 5); r.Accounts != 3 {
		t.Errorf("per option: %d accounts signed, want 3", r.Accounts)
	}
	a.nothingReadable()

	// The same from a file, on a machine with no node.
	export := filepath.Join(t.TempDir(), "q2.zip")
	if code, _, errs := a.command("evidence", "export", "q2", export); code != exitDone {
		t.Fatal(errs)
	}
	config := a.config
	a.config = filepath.Join(t.TempDir(), "none.yaml")
	a.audit(export, 4)
	if _, out, _ := a.command("audit", export, "--identity", a.file); strings.Contains(out, " m1.example") || !strings.Contains(out, "would tell too much") {
		t.Errorf("small servers are named: %s", out)
	}
	a.config = config
	a.auditFails("q1", must2(age.GenerateX25519Identity())(a.cluster).String(), "not the identity of the auditor's key")
	a.auditFails("nothing", a.identity.String(), "not found")
	a.auditFails(a.config, a.identity.String(), "evidence export")

	// With --out the auditor has it in writing, once.
	list := filepath.Join(t.TempDir(), "who.json")
	if code, _, errs := a.command("audit", "q1", "--identity", a.file, "--out", list); code != exitDone || !strings.Contains(errs, "personal data") {
		t.Errorf("%d %s", code, errs)
	}
	ballots := decodeJSON[[]participation.AuditedBallot](t, must2(os.ReadFile(list))(a.cluster))
	if i := slices.IndexFunc(ballots, func(b participation.AuditedBallot) bool { return b.Actor == tim.ID() }); i < 0 || !slices.Equal(ballots[i].Options, []int{1}) {
		t.Errorf("tim's ballot: %+v", ballots)
	}
	if code, _, errs := a.command("audit", "q1", "--identity", a.file, "--out", list); code != exitFail || !strings.Contains(errs, "exist") {
		t.Errorf("overwritten: %d %s", code, errs)
	}

	// Once it is destroyed nothing is left to audit.
	a.must(a.node.DB.Update(t.Context(), func(tx participation.Tx) error { return tx.DropEvidence(q1.Number) }))
	a.audit("q1", 5, slices.Repeat([]string{"there is no evidence of it"}, 5)...)
}

func (a *audited) auditFails(source, identity, want string) {
	a.t.Helper()
	file := filepath.Join(a.t.TempDir(), "identity.txt")
	a.must(os.WriteFile(file, []byte(identity+"\n"), 0o600))
	if code, out, errs := a.command("audit", source, "--identity", file); code != exitFail || out != "" || !strings.Contains(errs, want) {
		a.t.Errorf("audit %s: %d %s%s", source, code, out, errs)
	}
}

// nothingReadable looks for votes and signatures in the files of the database and
// in a backup.
func (a *audited) nothingReadable() {
	a.t.Helper()
	copied := filepath.Join(a.t.TempDir(), "backup.db")
	a.must(a.node.DB.Backup(a.t.Context(), copied))
	for _, path := range []string{a.node.config.Database(), a.node.config.Database() + "-wal", copied} {
		content := must2(os.ReadFile(path))(a.cluster)
		body := base64.StdEncoding.EncodeToString([]byte(`{"@context":"https`)) // as JSON has it
		for _, clear := range []string{"#votes/", "(request-target)", `"attributedTo":"https://m1.example`, `"fetched"`, body, `-----BEGIN PUBLIC KEY-----\n`} {
			if bytes.Contains(content, []byte(clear)) {
				a.t.Errorf("%s holds %q", filepath.Base(path), clear)
			}
		}
	}
}

// Killed between vote and batch, nothing is lost; with fewer ballots than a batch,
// whose rows are withheld, the auditor sees as much.
func TestAuditAfterCrash(t *testing.T) {
	a := newAudited(t)
	q := a.publish("q", participation.SingleChoice, 10, "Ja", "Nee")
	for i := range 3 {
		a.vote(a.m1.Account(fmt.Sprint("a", i)), q, "Ja")
	}
	config := a.node.config
	config.Data = t.TempDir()
	for _, suffix := range []string{"", "-wal"} { // as a process that was killed leaves them
		a.must(os.WriteFile(config.Database()+suffix, must2(os.ReadFile(a.node.config.Database()+suffix))(a.cluster), 0o600))
	}
	node := must2(OpenNode(t.Context(), config, Surroundings{Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: a.clock, Transport: a.network}))(a.cluster)
	defer node.Close()
	a.node.Node, a.node.config = node, config
	a.close()
	a.must(os.Symlink(config.Keys, filepath.Join(config.Data, "keys")))
	a.must(os.WriteFile(a.config, fmt.Appendf(nil, "url: %s\ndata: %s\nname: Consult\ncontact: griffie@node.example\n", a.node.urls.Base, config.Data), 0o600))
	a.audit("q", 3)
}

// Without an auditor nothing is kept, and the command says so.
func TestNoAuditor(t *testing.T) {
	a := newAudited(t)
	q := a.node.publish("q", participation.SingleChoice, participation.AtClose, "Ja", "Nee")
	before := a.node.fingerprint()
	a.vote(a.m1.Account("alice"), q, "Ja")
	a.close()
	after := a.node.fingerprint()
	for _, table := range []string{"evidence", "evidence_waiting"} {
		if before[table] == "" || before[table] != after[table] {
			t.Errorf("table %s changed from %q to %q", table, before[table], after[table])
		}
	}
	a.auditFails("q", a.identity.String(), "without an auditor's key")
	draft := a.node.draft("bad", participation.SingleChoice, participation.AtClose, "Ja", "Nee")
	draft.Terms.AuditorKey = "age1nonsense"
	a.must(a.node.DB.Update(t.Context(), func(tx participation.Tx) error { return tx.SaveConsultation(&draft) }))
	if _, err := a.node.Service.Publish(t.Context(), draft.ID); err == nil || !strings.Contains(err.Error(), "age-keygen") {
		t.Errorf("published with an auditor's key that is none: %v", err)
	}
}
