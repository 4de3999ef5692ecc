package as2_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-fed/activity/streams"
	"github.com/go-json-experiment/json/jsontext"

	"inspraak/activitypub/as2"
)

const (
	us       = "https://city.example/a/participa"
	question = "https://city.example/o/01J9ZK"
	ana      = "https://m.example/users/ana"
	reply    = "https://m.example/users/ana/statuses/113"
	pem      = "-----BEGIN PUBLIC KEY-----\nMIIBIjAN\n-----END PUBLIC KEY-----\n"
)

type marshaler interface{ Marshal() ([]byte, error) }

// at reads a time in Amsterdam with a fraction: on the wire it is UTC and whole.
func at(t *testing.T, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return v.Add(999 * time.Millisecond).In(time.FixedZone("CEST", 2*60*60))
}

func harbour(t *testing.T) *as2.Note {
	return &as2.Note{
		ID: question, AttributedTo: us, URL: "https://city.example/consultations/harbour-square",
		Context:  question + "/context",
		Content:  `<p><strong>Harbour square</strong></p><p>Which design do you prefer? <a href="https://city.example/consultations/harbour-square">Plans</a></p>`,
		Language: "en", Published: at(t, "2026-09-01T08:00:00Z"),
		To: []string{as2.Public}, CC: []string{us + "/followers"},
		Attachments: []as2.Image{{URL: "https://city.example/media/plan.jpg", MediaType: "image/jpeg",
			Alt: "Map of the square: trees north, stalls south", Width: 1280, Height: 720}},
		Hashtags: []as2.Hashtag{{Name: "#harbour", Href: "https://city.example/tags/harbour"}},
		Replies:  question + "/replies", Likes: question + "/likes", Shares: question + "/shares",
		CanQuote: true,
		Poll: &as2.Poll{EndTime: at(t, "2026-09-15T20:00:00Z"),
			Options: []as2.PollOption{{Name: "Trees"}, {Name: "Market hall"}}},
	}
}

func closedHarbour(t *testing.T) *as2.Note {
	n := harbour(t)
	n.Updated = at(t, "2026-09-02T09:00:00Z")
	n.Poll.Closed = n.Poll.EndTime
	n.Poll.VotersCount = 212
	n.Poll.Options = []as2.PollOption{{Name: "Trees", TotalItems: 150}, {Name: "Market hall", TotalItems: 62}}
	n.ReplyItems, n.RepliesNext = []string{reply}, question+"/replies?page=2"
	n.LikesTotal, n.SharesTotal = 3, 1
	return n
}

func city(t *testing.T) *as2.OutActor {
	return &as2.OutActor{
		ID: us, Type: "Organization", PreferredUsername: "participa", Name: "Participation – City of Example",
		Summary: "<p>Consultations of the city. Votes are counted here.</p>", URL: "https://city.example/@participa",
		Inbox: us + "/inbox", Outbox: us + "/outbox", Followers: us + "/followers", Following: us + "/following",
		Featured: us + "/featured", SharedInbox: "https://city.example/inbox", Published: at(t, "2026-08-01T00:00:00Z"),
		Icon:      &as2.Image{URL: "https://city.example/media/arms.png", MediaType: "image/png", Alt: "Coat of arms"},
		Image:     &as2.Image{URL: "https://city.example/media/head.jpg", MediaType: "image/jpeg"},
		Fields:    []as2.Field{{Name: "Website", Value: `<a href="https://city.example" rel="me">city.example</a>`}},
		WebFinger: "participa@city.example", PublicKeyID: us + "#main-key", PublicKeyPEM: pem,
		Discoverable: true, Indexable: true, Implements: rfc9421(),
	}
}

func rfc9421() []as2.Specification {
	return []as2.Specification{{Name: "RFC-9421: HTTP Message Signatures", Href: "https://datatracker.ietf.org/doc/html/rfc9421"}}
}

func documents(t *testing.T) map[string]marshaler {
	public, followers, toAna := []string{as2.Public}, []string{us + "/followers"}, []string{ana}
	created := &as2.OutActivity{ID: question + "/create", Type: "Create", Actor: us, Published: at(t, "2026-09-01T08:00:00Z"),
		To: public, CC: followers, Object: harbour(t)}
	createdRaw, err := created.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	stone := &as2.Tombstone{ID: question, FormerType: "Question", Deleted: at(t, "2026-09-20T09:00:00Z")}
	follow := &as2.OutActivity{ID: "https://m.example/6c11", Type: "Follow", Actor: ana, Object: as2.Ref(us)}
	oddFollow := &as2.OutActivity{ID: "HTTPS://m.example/é/%62#a b", Type: "Follow", Actor: ana, Object: as2.Ref(us)}
	parking := `<p><span class="h-card"><a href="https://m.example/@ana" class="u-url mention">@<span>ana</span></a></span> Parking stays.</p>`
	return map[string]marshaler{
		"create_question": created,
		"question":        harbour(t),
		"update_question_closed": &as2.OutActivity{ID: question + "/updates/17", Type: "Update", Actor: us,
			To: public, CC: followers, Object: closedHarbour(t)},
		"question_multiple": &as2.Note{ID: "https://city.example/o/02", AttributedTo: us, To: public, Content: "<p>Pick</p>",
			Poll: &as2.Poll{Multiple: true, VotersCount: 2, EndTime: at(t, "2026-09-15T20:00:00Z"),
				Options: []as2.PollOption{{Name: "Only one", TotalItems: 2}}}},
		"note_reply": &as2.Note{ID: "https://city.example/o/03", AttributedTo: us, InReplyTo: reply,
			Content: parking, Language: "en", Published: at(t, "2026-09-03T09:00:00Z"),
			To: public, CC: []string{us + "/followers", ana},
			Mentions: []as2.Mention{{Name: "@ana@m.example", Href: ana}}},
		"delete_question": &as2.OutActivity{ID: question + "#delete", Type: "Delete", Actor: us, To: public, Object: stone},
		"tombstone":       stone,
		"accept_follow":   &as2.OutActivity{ID: us + "/accepts/88", Type: "Accept", Actor: us, To: toAna, Object: oddFollow},
		"reject_follow":   &as2.OutActivity{ID: us + "/rejects/1", Type: "Reject", Actor: us, To: toAna, Object: follow},
		"accept_quote_request": &as2.OutActivity{ID: us + "/accepts/90", Type: "Accept", Actor: us, To: toAna,
			Result: question + "/quotes/5",
			Object: &as2.OutActivity{ID: ana + "/quote_requests/5", Type: "QuoteRequest", Actor: ana,
				Object: as2.Ref(question), Instrument: ana + "/statuses/115"}},
		"quote_authorization": &as2.QuoteAuthorization{ID: question + "/quotes/5", AttributedTo: us,
			InteractingObject: ana + "/statuses/115", InteractionTarget: question},
		"announce": &as2.OutActivity{ID: us + "/announces/4", Type: "Announce", Actor: us, Published: at(t, "2026-09-03T09:00:00Z"),
			To: public, CC: []string{us + "/followers", ana}, Object: as2.Ref(reply)},
		"undo_announce": &as2.OutActivity{ID: us + "/announces/4/undo", Type: "Undo", Actor: us, To: public,
			Object: &as2.OutActivity{ID: us + "/announces/4", Type: "Announce", Actor: us, Object: as2.Ref(reply)}},
		"follow":       &as2.OutActivity{ID: us + "/follows/1", Type: "Follow", Actor: us, To: toAna, Object: as2.Ref(ana)},
		"actor":        city(t),
		"update_actor": &as2.OutActivity{ID: us + "/updates/1", Type: "Update", Actor: us, To: public, Object: city(t)},
		"instance_actor": &as2.OutActor{ID: "https://city.example/actor", Type: "Application", PreferredUsername: "city.example",
			URL: "https://city.example/", Inbox: "https://city.example/actor/inbox", Outbox: "https://city.example/actor/outbox",
			SharedInbox: "https://city.example/inbox", PublicKeyID: "https://city.example/actor#main-key", PublicKeyPEM: pem,
			Implements: rfc9421()},
		"featured":  &as2.Collection{ID: us + "/featured", Type: "OrderedCollection", TotalItems: 1, Items: []string{question}},
		"followers": &as2.Collection{ID: us + "/followers", Type: "OrderedCollection", TotalItems: 431},
		"following": &as2.Collection{ID: us + "/following", Type: "OrderedCollection", Items: []string{}},
		"outbox": &as2.Collection{ID: us + "/outbox", Type: "OrderedCollection", TotalItems: 12,
			First: us + "/outbox?page=1", Last: us + "/outbox?page=2"},
		"outbox_page": &as2.Collection{ID: us + "/outbox?page=2", Type: "OrderedCollectionPage", PartOf: us + "/outbox",
			Prev: us + "/outbox?page=1", Next: us + "/outbox?page=3", Documents: []json.RawMessage{createdRaw}},
		"context": &as2.Collection{ID: question + "/context", Type: "OrderedCollection", AttributedTo: us, TotalItems: 2,
			Items: []string{question, reply}},
		"replies": &as2.Collection{ID: question + "/replies", Type: "Collection", TotalItems: 1,
			FirstPage: &as2.Collection{ID: question + "/replies?page=1", Type: "CollectionPage",
				PartOf: question + "/replies", Items: []string{reply}}},
		"replies_page": &as2.Collection{ID: question + "/replies?page=1", Type: "CollectionPage",
			PartOf: question + "/replies", Items: []string{reply}},
		"likes": &as2.Collection{ID: question + "/likes", Type: "Collection"},
	}
}

// What the node says, against documents written by hand; and the same bytes
// every time.
func TestMarshal(t *testing.T) {
	all := documents(t)
	files, err := filepath.Glob("testdata/inspraak/*.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(all) {
		t.Errorf("%d golden documents for %d structs", len(files), len(all))
	}
	for name, doc := range all {
		t.Run(name, func(t *testing.T) {
			raw, err := doc.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			for range 50 {
				again, err := documents(t)[name].Marshal()
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(raw, again) {
					t.Fatalf("two different documents:\n%s\n%s", raw, again)
				}
			}
			golden, err := os.ReadFile("testdata/inspraak/" + name + ".json")
			if err != nil {
				t.Fatal(err)
			}
			got, want := jsontext.Value(bytes.Clone(raw)), jsontext.Value(golden)
			if err := got.Canonicalize(); err != nil {
				t.Fatal(err)
			}
			if err := want.Canonicalize(); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// What the node says, it understands; and so does go-fed, whole.
func TestMarshalReadBack(t *testing.T) {
	for name, doc := range documents(t) {
		raw, err := doc.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		d, err := as2.Decode(raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var whole map[string]any
		if err := json.Unmarshal(raw, &whole); err != nil {
			t.Fatal(err)
		}
		if typed, err := streams.ToType(t.Context(), whole); name != "quote_authorization" && err != nil {
			t.Errorf("%s: go-fed: %v", name, err)
		} else if err == nil && typed.GetTypeName() != d.Type {
			t.Errorf("%s: go-fed reads a %s", name, typed.GetTypeName())
		}
		switch doc := doc.(type) {
		case *as2.OutActivity:
			a, err := d.Activity()
			if err != nil {
				t.Errorf("%s: %v", name, err)
			} else if a.ID != doc.ID || a.Type != doc.Type || a.Actor != doc.Actor {
				t.Errorf("%s: read back as %+v", name, a)
			}
			if inner, ok := doc.Object.(*as2.OutActivity); ok && a.ObjectIDs[0] != inner.ID {
				t.Errorf("%s: object %q read back as %q", name, inner.ID, a.ObjectIDs[0])
			}
		case *as2.Note:
			o, err := d.Object()
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if o.Content != doc.Content || o.Language != doc.Language || o.Context != doc.Context {
				t.Errorf("%s: read back as %+v", name, o)
			}
			if doc.Poll != nil && (o.Poll == nil || len(o.Poll.Options) != len(doc.Poll.Options) || o.Poll.Multiple != doc.Poll.Multiple) {
				t.Errorf("%s: poll read back as %+v", name, o.Poll)
			}
		case *as2.OutActor:
			a, err := d.AsActor()
			if err != nil {
				t.Errorf("%s: %v", name, err)
			} else if len(a.Keys) != 1 || a.Keys[0].PEM != doc.PublicKeyPEM || a.Keys[0].Owner != doc.ID || a.SharedInbox != doc.SharedInbox {
				t.Errorf("%s: read back as %+v", name, a)
			}
		}
	}
}

func TestMarshalRefuses(t *testing.T) {
	end := at(t, "2026-09-15T20:00:00Z")
	for name, c := range map[string]struct {
		doc  marshaler
		says string
	}{
		"no id":          {&as2.Note{Content: "x"}, `id: ""`},
		"relative url":   {&as2.Note{ID: question, URL: "/x"}, "url"},
		"javascript":     {&as2.Note{ID: question, URL: "javascript:alert(1)"}, "url"},
		"no options":     {&as2.Note{ID: question, Poll: &as2.Poll{EndTime: end}}, "options"},
		"no end":         {&as2.Note{ID: question, Poll: &as2.Poll{Options: []as2.PollOption{{Name: "a"}}}}, "end time"},
		"nameless":       {&as2.Note{ID: question, Poll: &as2.Poll{EndTime: end, Options: []as2.PollOption{{}}}}, "name"},
		"negative":       {&as2.Note{ID: question, Poll: &as2.Poll{EndTime: end, Options: []as2.PollOption{{Name: "a", TotalItems: -1}}}}, "count"},
		"bad UTF-8":      {&as2.Note{ID: question, Content: "\xff"}, "UTF-8"},
		"actor type":     {&as2.OutActor{ID: us, Type: "Group"}, "Organization"},
		"activity type":  {&as2.OutActivity{ID: us, Type: "Offer", Actor: us, Object: as2.Ref(us)}, "Offer"},
		"no actor":       {&as2.OutActivity{ID: us, Type: "Like", Object: as2.Ref(us)}, "actor"},
		"no object":      {&as2.OutActivity{ID: us, Type: "Like", Actor: us}, "object"},
		"empty ref":      {&as2.OutActivity{ID: us, Type: "Like", Actor: us, Object: as2.Ref("")}, "object"},
		"collection":     {&as2.Collection{ID: us, Type: "List"}, "List"},
		"document":       {&as2.Collection{ID: us, Type: "OrderedCollection", Documents: []json.RawMessage{[]byte("{")}}, "document 0"},
		"hashtag":        {&as2.Note{ID: question, Hashtags: []as2.Hashtag{{Name: "#x"}}}, "hashtag"},
		"implementation": {&as2.OutActor{ID: us, Type: "Application", Implements: []as2.Specification{{Name: "x"}}}, "implements"},
	} {
		raw, err := c.doc.Marshal()
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %s, %v; the error should speak of %q", name, raw, err, c.says)
		}
	}
}
