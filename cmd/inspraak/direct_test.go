package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"inspraak/participation"
	"inspraak/simulation"
)

// codesOf are an account's codes.
func (n *testNode) codesOf(who *simulation.Account) (codes []string) {
	n.cluster.t.Helper()
	for _, r := range must2(n.Service.Receipts(n.cluster.t.Context(), who.ID()))(n.cluster) {
		codes = append(codes, r.Codes...)
	}
	return codes
}

// opened are the codes of the receipt that an address leads to.
func (n *testNode) opened(address string, among ...participation.Consultation) []string {
	n.cluster.t.Helper()
	for _, c := range among {
		if token, ok := strings.CutPrefix(address, n.urls.Page(c.Slug)+"/receipt/"); ok {
			return must2(n.Service.Receipt(n.cluster.t.Context(), c, token))(n.cluster).Codes
		}
	}
	n.cluster.t.Fatalf("%s is no page of a receipt", address)
	return nil
}

// asks sends a message to the channel and returns what came back.
func (n *testNode) asks(who *simulation.Account, text string) []simulation.Message {
	c := n.cluster
	c.t.Helper()
	before := who.Messages()
	id := must2(who.Message(c.t.Context(), n.actor(), text))(c)
	c.settle()
	var answers []simulation.Message
	for _, m := range who.Messages() {
		if slices.ContainsFunc(before, func(old simulation.Message) bool { return old.ID == m.ID }) {
			continue
		}
		if m.From != n.actor() || m.InReplyTo != id {
			c.t.Errorf("%s received %+v in answer to %s", who.Handle(), m, id)
		}
		answers = append(answers, m)
	}
	return answers
}

// metric is how many direct messages came to an end so.
func (n *testNode) metric(outcome string) float64 {
	n.cluster.t.Helper()
	_, series := n.scrape()
	return series[`inspraak_direct_messages_total{outcome="`+outcome+`"}`]
}

// A citizen on every kind of server votes, asks for the code by private message,
// and gets it, without the choice.
func TestCodeByDirectMessage(t *testing.T) {
	c := newCluster(t)
	n := c.node("node.example", "consult")
	single := n.publish("plein", participation.SingleChoice, participation.AtClose, "Bomen", "Markthal")
	var names []string
	for i := range 7 {
		names = append(names, fmt.Sprintf("Straat%d", i))
	}
	multiple := n.publish("straten", participation.MultipleChoice, participation.AtClose, names...)
	for i, kind := range simulation.Kinds() {
		who := c.server(kind, fmt.Sprintf("m%d.example", i)).Account("ana")
		if got := n.asks(who, "code"); len(got) != 1 || len(got[0].Links) != 0 || strings.Contains(got[0].Text, "plein") {
			t.Errorf("%s, before it voted: %+v", kind, got)
		}
		must2(who.Vote(t.Context(), n.object(single), "Markthal"))(c)
		must2(who.Vote(t.Context(), n.object(multiple), names[:2]...))(c)
		answers := n.asks(who, "Code!")
		codes := n.codesOf(who)
		if len(answers) != 2 || len(codes) < 2 {
			t.Fatalf("%s: %d answers, codes %q", kind, len(answers), codes)
		}
		all := answers[0].Text + answers[1].Text
		var proven []string
		for _, a := range answers {
			if len(a.Links) != 1 {
				t.Fatalf("%s: links %q", kind, a.Links)
			}
			proven = append(proven, n.opened(a.Links[0], single, multiple)...)
		}
		if slices.Sort(proven); !slices.Equal(proven, slices.Sorted(slices.Values(codes))) {
			t.Errorf("%s: the links lead to %q, want %q", kind, proven, codes)
		}
		for _, code := range codes {
			if strings.Count(all, code) != 1 {
				t.Errorf("%s: code %s stands %d times in %q", kind, code, strings.Count(all, code), all)
			}
		}
		for _, name := range append(names, "Bomen", "Markthal") {
			if strings.Contains(all, name) {
				t.Errorf("%s: the answer tells %q", kind, name)
			}
		}
		id := strings.TrimPrefix(answers[0].ID, n.urls.Base)
		for path, status := range map[string]int{id: 404, id + "/create": 404} {
			if w := n.get(path, "application/activity+json"); w.Code != status {
				t.Errorf("%s answers %d", path, w.Code)
			}
		}
		if outbox := n.get("/a/consult/outbox?page=1", "application/activity+json").Body.String(); strings.Contains(outbox, id) {
			t.Error("the answer is in the outbox")
		}
		if problems := who.Server().Problems(); len(problems) > 0 {
			t.Errorf("%s would object: %s", kind, strings.Join(problems, "; "))
		}
	}
	if n.metric("code") != 12 || n.metric("help") != 0 {
		t.Errorf("%v codes asked for", n.metric("code"))
	}
}

// The answer is in the language of the command, of the message, of the channel.
func TestLanguageOfAnswers(t *testing.T) {
	c := newCluster(t)
	n := c.node("node.example", "consult") // its channel is Dutch
	for i, q := range []struct {
		kind           simulation.Kind
		language, text string
		want           string
	}{
		{simulation.Mastodon, "en", "gegevens", "nl"}, {simulation.Mastodon, "nl", "my data", "en"}, {simulation.Mastodon, "en-GB", "code", "en"},
		{simulation.GoToSocial, "nl", "code", "nl"}, {simulation.Mastodon, "fr", "code", "nl"}, {simulation.Misskey, "en", "code", "nl"},
		{simulation.Mastodon, "en", "hello?", "en"}, {simulation.Akkoma, "en", "my-data", "en"},
	} {
		who := c.server(q.kind, fmt.Sprintf("m%d.example", i)).Account("ana")
		who.SetLanguage(q.language)
		got := n.asks(who, q.text)
		if len(got) != 1 || got[0].Language != q.want {
			t.Errorf("%+v: %+v", q, got)
		}
	}
}

// What is no command gets one help text a day, also over a restart; bots get
// none, and commands are limited.
func TestHelpOnceADay(t *testing.T) {
	s := newSiege(t)
	help := s.node.asks(s.bob, "Mag ik een vraag stellen?")
	if len(help) != 1 {
		t.Fatalf("%d answers", len(help))
	}
	for _, word := range []string{"code", "my data", "griffie@node.example"} {
		if !strings.Contains(help[0].Text, word) {
			t.Errorf("the help text does not say %q: %s", word, help[0].Text)
		}
	}
	must2(s.bob.Answer(t.Context(), help[0].ID, "Dank u"))(s.cluster)
	if got := s.node.asks(s.bob, "Nog een vraag"); len(got) != 0 {
		t.Errorf("helped twice: %+v", got)
	}
	if n := s.node.metric("quiet"); n != 2 {
		t.Errorf("%v messages left in peace, want 2", n)
	}
	if got := s.node.asks(s.alice, "?"); len(got) != 1 {
		t.Errorf("somebody else gets %d answers", len(got))
	}
	s.must(s.node.Close())
	s.node.Node, _ = s.reopened(0)
	s.nodes[0] = s.node
	s.network.Join("node.example", s.node.Handler)
	s.wait(23 * time.Hour)
	if got := s.node.asks(s.bob, "Hallo"); len(got) != 0 {
		t.Errorf("helped again after a restart: %+v", got)
	}
	s.wait(90 * time.Minute)
	if got := s.node.asks(s.bob, "Hallo"); len(got) != 1 {
		t.Errorf("a day later: %d answers", len(got))
	}

	for range 9 {
		if got := s.node.asks(s.bob, "gegevens"); len(got) != 1 {
			t.Fatalf("a command got %d answers", len(got))
		}
	}
	if got := s.node.asks(s.bob, "code"); len(got) != 1 {
		t.Errorf("the tenth command got %d answers", len(got))
	}
	if got := s.node.asks(s.bob, "code"); len(got) != 0 || s.node.metric("limited") != 1 {
		t.Errorf("the eleventh command got %d answers; %v are counted", len(got), s.node.metric("limited"))
	}
	s.wait(time.Hour)
	if got := s.node.asks(s.bob, "code"); len(got) != 1 {
		t.Errorf("an hour later: %d answers", len(got))
	}
}

func TestBotsGetNoAnswer(t *testing.T) {
	s := newSiege(t)
	for _, kind := range []string{"Service", "Application"} {
		bot := s.evil.Account(strings.ToLower(kind))
		doc := decodeJSON[map[string]any](t, must2(bot.Document())(s.cluster))
		doc["type"] = kind
		serve(s.evil, bot.ID(), simulation.Override{ContentType: "application/activity+json", Body: must2(json.Marshal(doc))(s.cluster)})
		for _, text := range []string{"code", "piep"} {
			if got := s.node.asks(bot, text); len(got) != 0 {
				t.Errorf("a %s that says %q gets %+v", kind, text, got)
			}
		}
	}
	if got := s.node.metric("automated"); got != 4 {
		t.Errorf("%v automated messages, want 4", got)
	}
}

// Nothing but a private message to the channel, signed by its author, is
// answered, and none of it is kept.
func TestNegativeDirectMessages(t *testing.T) {
	s := newSiege(t)
	none := simulation.SignOptions{}
	ok := []int{http.StatusAccepted}
	s.deliver(s.bob, s.vote(s.bob, s.q1, "Ja"))
	s.settle()
	message := func(who *simulation.Account, html string) []byte {
		return altered(who.ReplyActivity("", s.node.actor(), html, simulation.Direct), func(_, o map[string]any) { delete(o, "inReplyTo") })
	}
	code := message(s.bob, "<p>code</p>")
	s.repels("N15 a stranger passes bob's message on", ok, s.eve, code, none)
	s.repels("N16 attributed to bob", []int{403}, s.eve, altered(message(s.eve, "<p>code</p>"), func(_, o map[string]any) { o["attributedTo"] = s.bob.ID() }), none)
	s.repels("blocked", []int{403}, s.blocked, message(s.blocked, "<p>code</p>"), none)
	unsigned := must2(http.NewRequestWithContext(t.Context(), http.MethodPost, s.node.urls.SharedInbox(), strings.NewReader(string(code))))(s.cluster)
	unsigned.Header.Set("Content-Type", "application/activity+json")
	s.repelsRequest("unsigned", []int{401}, unsigned)
	for name, change := range map[string]func(a, o map[string]any){
		"to nobody of ours":      func(a, o map[string]any) { o["to"], a["to"] = []any{s.alice.ID()}, []any{s.alice.ID()} },
		"to followers as well":   func(_, o map[string]any) { o["cc"] = []any{s.bob.ID() + "/followers"} },
		"to all, as one says it": func(_, o map[string]any) { o["cc"] = []any{"as:Public"} },
		"to all, outside":        func(a, _ map[string]any) { a["cc"] = []any{"https://www.w3.org/ns/activitystreams#Public"} },
		"to all, mentioned": func(_, o map[string]any) {
			all := "https://www.w3.org/ns/activitystreams#Public"
			o["cc"], o["tag"] = []any{all}, append(o["tag"].([]any), map[string]any{"type": "Mention", "href": all, "name": "@all"})
		},
		"to another channel": func(a, o map[string]any) { o["to"], a["to"] = []any{s.node.urls.Actor("x")}, nil },
		"no words":           func(_, o map[string]any) { delete(o, "content"); delete(o, "contentMap") },
		"an Article":         func(_, o map[string]any) { o["type"] = "Article" },
	} {
		s.repels(name, ok, s.bob, altered(code, change), none)
	}
	// A public reply is one, whatever it says.
	public := altered(s.bob.ReplyActivity(s.object(s.q1), s.node.actor(), `<p>code<span style="display:none">gegevens</span></p>`, simulation.Public), func(a, o map[string]any) {})
	s.deliver(s.bob, public)
	for _, to := range []simulation.Audience{simulation.Unlisted, simulation.FollowersOnly} {
		s.deliver(s.bob, s.bob.ReplyActivity(s.object(s.q1), s.node.actor(), "<p>code</p>", to))
	}
	s.settle()
	if got := s.bob.Messages(); len(got) != 0 {
		t.Errorf("answered: %+v", got)
	}
	s.wait(4 * time.Minute)
	s.settle()
	if r := s.node.result(s.q1); r.Refused[participation.Private] != 1 || r.Replies != 2 {
		t.Errorf("private replies %v, replies %d; want 1 and 2", r.Refused, r.Replies)
	}
	// What can be no command gets the help text at most, and leaves no trace.
	for i, html := range []string{strings.Repeat("code ", 2048), "<p>\u202eedoc\u202c קוד</p>", "<p>" + strings.Repeat("x", 50<<10) + "</p>", "<script>code</script>"} {
		who := s.m1.Account(fmt.Sprint("w", i))
		s.deliver(who, message(who, html))
		s.settle()
		if got := who.Messages(); len(got) != 1 || !strings.Contains(got[0].Text, "griffie@node.example") {
			t.Errorf("%.20q: %+v", html, got)
		}
	}
	// Sent again by a server that missed the answer: one answer.
	for range 3 {
		s.deliver(s.bob, code)
	}
	s.settle()
	if got := s.bob.Messages(); len(got) != 1 {
		t.Errorf("%d answers to one message that came three times", len(got))
	}
	if r := s.node.result(s.q1); r.Refused[participation.Private] != 1 {
		t.Errorf("private replies %v: a message to the channel is none", r.Refused)
	}
}

// While an answer is on its way and after, nothing on disk tells the code, the
// words, or whose inbox they go to.
func TestAnswersAreSealed(t *testing.T) {
	s := newSiege(t)
	dan := s.server(simulation.GoToSocial, "gts.example").Account("dan") // it has no shared inbox
	must2(dan.Vote(t.Context(), s.object(s.q1), "Ja"))(s.cluster)
	s.settle()
	codes := s.node.codesOf(dan)
	secrets := append(codes, "/receipt/", "keep the code", "/my-data/", "A computer reads", "griffie@", "geheim woord")
	server := dan.Server()
	server.SetFault(simulation.Fault{InboxStatus: http.StatusServiceUnavailable})
	for _, text := range []string{"code", "gegevens", "geheim woord"} {
		must2(dan.Message(t.Context(), s.node.actor(), text))(s.cluster)
	}
	s.settle()
	if n, _, err := s.node.DB.PendingDeliveries(t.Context()); err != nil || n != 3 {
		t.Fatalf("%d deliveries pending (%v), want 3", n, err)
	}
	check := func(when string) {
		t.Helper()
		backup := filepath.Join(t.TempDir(), "backup.db")
		s.must(s.node.DB.Backup(t.Context(), backup))
		path := s.node.config.Database()
		for _, file := range []string{path, path + "-wal", backup} {
			content := string(must2(os.ReadFile(file))(s.cluster))
			for _, secret := range secrets {
				if strings.Contains(content, secret) {
					t.Errorf("%s %s tells %q", when, filepath.Base(file), secret)
				}
			}
		}
		for _, d := range must2(s.node.DB.DueDeliveries(t.Context(), "gts.example", s.clock().Add(72*time.Hour), 10))(s.cluster) {
			if strings.Contains(d.Inbox+d.Object+d.Activity, "dan") {
				t.Errorf("%s a delivery names its receiver: %+v", when, d)
			}
		}
	}
	check("on its way,")
	server.SetFault(simulation.Fault{})
	s.wait(2 * time.Minute)
	s.settle()
	if got := dan.Messages(); len(got) != 3 || !strings.Contains(got[0].Text+got[1].Text+got[2].Text, codes[0]) {
		t.Fatalf("received %+v", got)
	}
	check("delivered,")
	for _, m := range dan.Messages() {
		if body, err := s.node.DB.Activity(t.Context(), m.ID+"/create"); err == nil {
			t.Errorf("still here after its delivery: %q", body)
		}
	}
	if problems := must2(s.node.DB.CheckDeliveries(t.Context()))(s.cluster); problems != nil {
		t.Error(problems)
	}
}

// An answer whose consultation's key is gone can never be sent, and is dropped.
func TestSealedAnswerWithoutItsKey(t *testing.T) {
	s := newSiege(t)
	s.deliver(s.bob, s.vote(s.bob, s.q1, "Ja"))
	s.settle()
	s.m1.SetFault(simulation.Fault{InboxStatus: http.StatusServiceUnavailable})
	must2(s.bob.Message(t.Context(), s.node.actor(), "code"))(s.cluster)
	s.settle()
	s.must(s.node.Close())
	s.must(os.Remove(filepath.Join(s.node.config.Keys, "consultations", s.q1.ID+".key")))
	n, _ := s.reopened(0)
	s.m1.SetFault(simulation.Fault{})
	s.jump(2 * time.Minute)
	must2(n.Federation.Deliver(t.Context()))(s.cluster)
	if pending, _, err := n.DB.PendingDeliveries(t.Context()); err != nil || pending != 0 {
		t.Errorf("%d deliveries pending (%v)", pending, err)
	}
	if got := s.bob.Messages(); len(got) != 0 {
		t.Errorf("received %+v", got)
	}
}
