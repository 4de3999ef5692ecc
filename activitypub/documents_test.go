package activitypub_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"inspraak/activitypub"
	"inspraak/participation"
)

var update = flag.Bool("update", false, "write the golden documents anew")

var pem = regexp.MustCompile(`-----BEGIN PUBLIC KEY-----[^-]*-----END PUBLIC KEY-----`)

var logKey = regexp.MustCompile(`"A[A-Za-z0-9+/]{43}"`)

// golden compares a document, indented and without the random key, with the
// one that is kept.
func golden(t *testing.T, name string, raw []byte) {
	t.Helper()
	var b bytes.Buffer
	must(t, json.Indent(&b, logKey.ReplaceAll(pem.ReplaceAll(raw, []byte("PEM")), []byte(`"KEY"`)), "", " "))
	b.WriteByte('\n')
	path := filepath.Join("testdata", "out", name+".json")
	if *update {
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, b.Bytes(), 0o644))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s changed (-kept +now):\n%s", name, diff)
	}
}

func (c *city) document(t *testing.T, address string) activitypub.Document {
	t.Helper()
	path, query, _ := strings.Cut(address, "?")
	values, err := url.ParseQuery(query)
	must(t, err)
	d, err := c.Document(t.Context(), path, values)
	must(t, err)
	return d
}

// opened keeps a consultation as if it had been opened in the morning, with a
// first snapshot.
func (c *city) opened(t *testing.T, one participation.Consultation, r participation.Result) participation.Consultation {
	t.Helper()
	if one.OpenedAt.IsZero() {
		one.OpenedAt = morning
	}
	if one.Phase == "" {
		one.Phase = participation.Open
	}
	r.Consultation, r.Version, r.At = one.ID, 1, morning
	c.keep(t, func(tx participation.Tx) error {
		if err := tx.SaveConsultation(&one); err != nil {
			return err
		}
		return tx.SaveResult(r)
	})
	return one
}

var ana = participation.Author{ID: "https://m.example/users/ana", Name: "Ana", Handle: "ana@m.example", URL: "https://m.example/@ana"}

func reply(consultation, id string, at time.Duration) participation.Reply {
	return participation.Reply{
		ID: id, Consultation: consultation, Parent: "https://city.example/o/" + consultation, Author: ana, HTML: "<p>And the parking?</p>",
		Visibility: participation.Public, Standing: participation.Shown, Published: morning.Add(at), Received: morning.Add(at),
	}
}

func TestGoldenDocuments(t *testing.T) {
	c := newCity(t)
	c.opened(t, harbour(), participation.Result{Turnout: 7, Likes: 3, Boosts: 2})

	multiple := harbour()
	multiple.ID, multiple.Slug, multiple.Kind, multiple.Image, multiple.Hashtags = "multiple000000aa", "multiple", participation.MultipleChoice, nil, nil
	multiple.Results = participation.Live
	c.opened(t, multiple, participation.Result{Turnout: 7, Counts: []int{5, 4}})

	question := harbour()
	question.ID, question.Slug, question.Kind, question.Options, question.Language = "openquestion00aa", "open", participation.OpenQuestion, nil, "nl"
	c.opened(t, question, participation.Result{Replies: 2})

	// The clock has closed it, but the count is not there yet: still sealed.
	sealed := harbour()
	sealed.ID, sealed.Slug, sealed.Phase, sealed.ClosedAt = "sealed00000000aa", "sealed", participation.Closed, harbour().ClosesAt
	c.opened(t, sealed, participation.Result{Turnout: 9})

	closed := harbour()
	closed.ID, closed.Slug, closed.Phase, closed.ClosedAt = "closed00000000aa", "closed", participation.Closed, harbour().ClosesAt.Add(-time.Hour)
	c.opened(t, closed, participation.Result{Turnout: 9, Counts: []int{6, 3}, Final: true, Replies: 1})

	gone := harbour()
	gone.ID, gone.Slug, gone.Phase = "withdrawn00000aa", "withdrawn", participation.Withdrawn
	c.opened(t, gone, participation.Result{Turnout: 9})

	c.keep(t, func(tx participation.Tx) error {
		posts := []participation.Post{
			{ID: "answer00000000aa", Kind: participation.Answer, InReplyTo: "https://m.example/1", Mention: ana},
			{ID: "notice00000000aa", Kind: participation.Notice},
		}
		for i, p := range posts {
			p.Consultation, p.Channel, p.Language = closed.ID, "participa", "en"
			p.HTML, p.Published = "<p>Behind the hall.</p>", morning.Add(time.Duration(i+2)*time.Hour)
			if err := tx.SavePost(p); err != nil {
				return err
			}
		}
		hidden := reply(closed.ID, "https://m.example/2", 90*time.Minute)
		hidden.Standing, hidden.Reason = participation.Hidden, "insult"
		for _, r := range []participation.Reply{reply(closed.ID, "https://m.example/1", time.Hour), hidden} {
			if err := tx.SaveReply(r); err != nil {
				return err
			}
		}
		return nil
	})
	must(t, c.db.SaveQuote(t.Context(), activitypub.Quote{
		ID: "quote00000000aa", Object: "https://city.example/o/" + closed.ID, Instrument: "https://m.example/9", Actor: ana.ID, Request: "https://m.example/9#q",
	}, activitypub.Outgoing{ID: "https://city.example/a/participa/accepts/q", Channel: "participa", Body: []byte("{}"), At: morning}))
	c.follow(t, ana.ID, ana.ID+"/inbox", "https://m.example/inbox")

	for name, path := range map[string]string{
		"single":         "/o/harbour0000000aa",
		"multiple":       "/o/multiple000000aa",
		"open":           "/o/openquestion00aa",
		"sealed":         "/o/sealed00000000aa",
		"closed":         "/o/closed00000000aa",
		"withdrawn":      "/o/withdrawn00000aa",
		"answer":         "/o/answer00000000aa",
		"notice":         "/o/notice00000000aa",
		"replies":        "/o/closed00000000aa/replies",
		"replies-page":   "/o/closed00000000aa/replies?page=1",
		"context":        "/o/closed00000000aa/context",
		"likes":          "/o/harbour0000000aa/likes",
		"shares":         "/o/harbour0000000aa/shares",
		"quote":          "/o/closed00000000aa/quotes/quote00000000aa",
		"actor":          "/a/participa",
		"instance-actor": "/actor",
		"followers":      "/a/participa/followers",
		"following":      "/a/participa/following",
		"featured":       "/a/participa/featured",
	} {
		d := c.document(t, path)
		golden(t, name, d.Body)
		if again := c.document(t, path); !bytes.Equal(again.Body, d.Body) {
			t.Errorf("%s: the same state gave other bytes", name)
		}
		if d.Gone != (name == "withdrawn") {
			t.Errorf("%s: gone is %v", name, d.Gone)
		}
	}
	for _, pair := range [][2]string{{"/@participa", "/a/participa"}, {"/consultations/closed", "/o/closed00000000aa"}} {
		if a, b := c.document(t, pair[0]), c.document(t, pair[1]); !bytes.Equal(a.Body, b.Body) || a.Page != b.Page {
			t.Errorf("%s differs from %s", pair[0], pair[1])
		}
	}
	if d := c.document(t, "/o/withdrawn00000aa/replies"); !d.Gone {
		t.Error("the replies of a withdrawn consultation are still served")
	}
	jrd, err := c.WebFinger(t.Context(), "acct:participa@city.example")
	must(t, err)
	golden(t, "webfinger", jrd)
	info, err := c.NodeInfo(t.Context(), "2.0")
	must(t, err)
	golden(t, "nodeinfo", info)
	golden(t, "nodeinfo-links", c.NodeInfoLinks())
	if want := `template="https://city.example/.well-known/webfinger?resource={uri}"`; !strings.Contains(string(c.HostMeta()), want) {
		t.Errorf("host-meta has no %s", want)
	}
}

func TestWhatIsNotThere(t *testing.T) {
	c := newCity(t)
	one := harbour()
	one.Phase, one.ID, one.Slug = participation.Draft, "draft000000000aa", "draft"
	never := harbour()
	never.Phase, never.ID, never.Slug = participation.Withdrawn, "never000000000aa", "never"
	soon := harbour()
	soon.Phase, soon.ID, soon.Slug = participation.Scheduled, "scheduled00000aa", "scheduled"
	c.keep(t, func(tx participation.Tx) error {
		return errors.Join(tx.SaveConsultation(&one), tx.SaveConsultation(&never), tx.SaveConsultation(&soon))
	})
	c.opened(t, harbour(), participation.Result{})
	for _, path := range []string{
		"/o/draft000000000aa", "/consultations/draft", "/o/draft000000000aa/replies", "/o/scheduled00000aa", "/consultations/scheduled",
		"/o/never000000000aa", "/o/nothing", "/o/", "/o/harbour-square", "/o/harbour0000000aa/votes", "/o/harbour0000000aa/updates/1",
		"/o/harbour0000000aa/create", "/o/harbour0000000aa/delete", "/o/harbour0000000aa/quotes/1", "/consultations/harbour0000000aa",
		"/o/harbour0000000aa/replies?page=0", "/o/harbour0000000aa/replies?page=x", "/a/nobody", "/a/participa/accepts/1", "/@participa/x", "/x", "",
	} {
		at, query, _ := strings.Cut(path, "?")
		values, _ := url.ParseQuery(query)
		if d, err := c.Document(t.Context(), at, values); !errors.Is(err, participation.ErrNotFound) {
			t.Errorf("%s: got %s, %v; want not found", path, d.Body, err)
		}
	}
}

func TestWebFingerForms(t *testing.T) {
	c := newCity(t)
	for resource, subject := range map[string]string{
		"acct:participa@city.example":      "acct:participa@city.example",
		"ACCT:Participa@City.Example":      "acct:participa@city.example",
		"participa@city.example":           "acct:participa@city.example",
		"@participa@city.example":          "acct:participa@city.example",
		"https://city.example/a/participa": "acct:participa@city.example",
		"https://CITY.example/@Participa":  "acct:participa@city.example",
		"acct:city.example@city.example":   "acct:city.example@city.example",
		"https://city.example/actor":       "acct:city.example@city.example",
	} {
		raw, err := c.WebFinger(t.Context(), resource)
		if err != nil || !strings.Contains(string(raw), `"subject":"`+subject+`"`) {
			t.Errorf("%s: %s, %v", resource, raw, err)
		}
	}
	for resource, want := range map[string]error{
		"": participation.ErrInvalid, " ": participation.ErrInvalid, "acct:participa": participation.ErrInvalid, "acct:@": participation.ErrInvalid,
		"acct:nobody@city.example": participation.ErrNotFound, "acct:participa@other.example": participation.ErrNotFound,
		"https://other.example/a/participa": participation.ErrNotFound, "https://city.example/o/1": participation.ErrNotFound,
	} {
		if raw, err := c.WebFinger(t.Context(), resource); !errors.Is(err, want) {
			t.Errorf("%q: %s, %v; want %v", resource, raw, err, want)
		}
	}
}

// Every reply and post is on exactly one page, however they are interleaved.
func TestRepliesArePagedWithoutLoss(t *testing.T) {
	c := newCity(t)
	one := c.opened(t, harbour(), participation.Result{})
	var want []string
	c.keep(t, func(tx participation.Tx) error {
		for i := range 57 {
			at := time.Duration(i) * time.Minute
			if i%10 == 9 {
				id := "post0000000000" + string(rune('a'+i/10)) + "a"
				want = append(want, "https://city.example/o/"+id)
				if err := tx.SavePost(participation.Post{ID: id, Consultation: one.ID, Channel: "participa", Kind: participation.Notice, HTML: "<p>x</p>", Published: morning.Add(at)}); err != nil {
					return err
				}
				continue
			}
			id := "https://m.example/" + string(rune('a'+i/26)) + string(rune('a'+i%26))
			want = append(want, id)
			if err := tx.SaveReply(reply(one.ID, id, at)); err != nil {
				return err
			}
		}
		return nil
	})
	var got []string
	for next := "/o/" + one.ID + "/replies?page=1"; next != ""; {
		var page struct {
			Items []string `json:"items"`
			Next  string   `json:"next"`
		}
		must(t, json.Unmarshal(c.document(t, next).Body, &page))
		got = append(got, page.Items...)
		next = strings.TrimPrefix(page.Next, "https://city.example")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
}

// Misskey reads no more than 64 KiB.
func TestLargestQuestionIsSmallEnough(t *testing.T) {
	c := newCity(t)
	one := harbour()
	one.ID, one.Slug = "", "large"
	one.Kind, one.Options = participation.MultipleChoice, nil
	for i := range participation.MaxOptions {
		one.Options = append(one.Options, string(rune('A'+i/26))+string(rune('A'+i%26))+strings.Repeat("é", 98))
	}
	one.Title = strings.Repeat("<", 200)
	one.Body = strings.Repeat("&", 5999)
	for range 20 {
		one.Hashtags = append(one.Hashtags, "Straatnaam")
	}
	one = c.open(t, one)
	c.keep(t, func(tx participation.Tx) error {
		for i := range 25 {
			if err := tx.SaveReply(reply(one.ID, "https://m.example/"+string(rune('a'+i))+strings.Repeat("x", 480), time.Duration(i))); err != nil {
				return err
			}
		}
		return tx.SaveReply(reply(one.ID, "https://m.example/"+strings.Repeat("y", 50_000), 0))
	})
	c.follow(t, ana.ID, ana.ID+"/inbox", "")
	c.project(t)
	for _, path := range []string{"/o/" + one.ID, "/o/" + one.ID + "/create"} {
		if n := len(c.document(t, path).Body); n > 60<<10 {
			t.Errorf("%s has %d bytes; more than 60 KiB", path, n)
		} else {
			t.Logf("%s: %d bytes", path, n)
		}
	}
}

func TestOutboxListsWhatStands(t *testing.T) {
	c := newCity(t)
	first, second := harbour(), harbour()
	second.Slug = "second"
	first, second = c.open(t, first), c.open(t, second)
	c.project(t)
	ids := func() []string {
		var page struct {
			OrderedItems []struct{ ID, Type string }
			TotalItems   int
		}
		must(t, json.Unmarshal(c.document(t, "/a/participa/outbox?page=1").Body, &page))
		var all []string
		for _, item := range page.OrderedItems {
			all = append(all, item.Type+" "+item.ID)
		}
		return all
	}
	create := func(id string) string { return "Create https://city.example/o/" + id + "/create" }
	opened := func(id string) string { return create(checkpointPost(t, c, id)) }
	if got, want := ids(), []string{opened(second.ID), create(second.ID), opened(first.ID), create(first.ID)}; !slices.Equal(got, want) {
		t.Errorf("outbox %v, want %v", got, want)
	}
	must(t, c.Service.Withdraw(t.Context(), second.ID, "wrong map"))
	c.project(t)
	if got, want := ids(), []string{opened(first.ID), create(first.ID)}; !slices.Equal(got, want) {
		t.Errorf("outbox after the withdrawal %v, want %v", got, want)
	}
	if d := c.document(t, "/o/"+second.ID+"/create"); !d.Gone {
		t.Error("the Create of a withdrawn consultation is still served")
	}
	if d := c.document(t, "/o/"+second.ID+"/delete"); d.Gone || !strings.Contains(string(d.Body), `"type":"Delete"`) {
		t.Errorf("the Delete is not served: %s", d.Body)
	}
}
