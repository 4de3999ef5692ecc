package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"inspraak/activitypub/signature"
	"inspraak/participation"
	"inspraak/simulation"
)

// N34: threads and collections are never walked, however long they are.
func TestNegativeCrawling(t *testing.T) {
	s := newSiege(t)
	none := simulation.SignOptions{}
	endless := s.server(simulation.Mastodon, "endless.example")
	// Every address of the chain answers what the next one says; every page has a next.
	chain := s.watch("endless.example", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/users/") && r.URL.RawQuery == "" && !strings.HasSuffix(r.URL.Path, "/outbox") {
			endless.ServeHTTP(w, r)
			return
		}
		var n int
		_, _ = fmt.Sscanf(r.URL.Path, "/n/%d", &n)
		w.Header().Set("Content-Type", "application/activity+json")
		_, _ = fmt.Fprintf(w, `{"id":"https://endless.example%s","type":"Note","attributedTo":"https://endless.example/users/x",
			"content":"x","inReplyTo":"https://endless.example/n/%d","next":"https://endless.example%s?page=%d"}`, r.RequestURI, n+1, r.URL.Path, n+1)
	}))
	who := endless.Account("x")
	must2(who.Follow(t.Context(), s.node.actor()))(s.cluster)
	s.settle()
	chain.take()
	reply := s.node.actor()
	answering := func(parent string, change func(o map[string]any)) []byte {
		return altered(who.ReplyActivity(parent, reply, "<p>x</p>", simulation.Public), func(_, o map[string]any) { change(o) })
	}
	s.repels("N34 an answer to a long chain", []int{202}, who, answering("https://endless.example/n/1", func(map[string]any) {}), none)
	s.repels("N34 in our context by its own word", []int{202}, who, answering("https://endless.example/n/1", func(o map[string]any) {
		o["context"] = "https://endless.example/n/1"
	}), none)
	collection := map[string]any{"type": "Collection", "id": "https://endless.example/n/1", "first": map[string]any{
		"type": "CollectionPage", "next": "https://endless.example/n/1?page=2", "items": []string{"https://endless.example/n/2"}}}
	s.deliver(who, answering(s.object(s.q1), func(o map[string]any) { o["replies"] = collection }))
	s.deliver(who, answering(s.object(s.q1), func(o map[string]any) {
		o["replies"], o["likes"] = "https://endless.example/n/1", "https://endless.example/n/1"
	}))
	s.repels("N34 an Announce of a collection", []int{202}, who, s.activity(who.ID()+"#a", "Announce", who.ID(), collection), none)
	s.settle()
	if paths := chain.take(); len(paths) > 0 {
		t.Errorf("N34: fetched %q", paths)
	}
	// Brought by another's server, one is fetched, and none of those it names.
	s.repels("N34 forwarded", []int{202}, s.eve, s.activity("https://endless.example/n/1#c", "Create", who.ID(), map[string]any{
		"id": "https://endless.example/n/1", "type": "Note", "attributedTo": who.ID(), "inReplyTo": s.object(s.q1), "content": "x"}), none)
	if paths := chain.take(); fmt.Sprint(paths) != "[/n/1 /n/1]" { // once for each inbox
		t.Errorf("N34: a forwarded answer made us fetch %q, want /n/1 twice", paths)
	}
}

// N35: nobody makes us fetch in circles, or a server that fails again and again.
func TestNegativeKeyFetches(t *testing.T) {
	s := newSiege(t)
	document := func(who *simulation.Account, change func(doc map[string]any)) simulation.Override {
		doc := decodeJSON[map[string]any](t, must2(who.Document())(s.cluster))
		change(doc)
		return simulation.Override{ContentType: "application/activity+json", Body: must2(json.Marshal(doc))(s.cluster)}
	}
	at1, at2 := s.watch("m1.example", s.m1), s.watch("evil.example", s.evil)
	one, two := s.m1.Account("one"), s.evil.Account("two")
	serve(s.m1, one.ID(), document(one, func(doc map[string]any) {
		doc["id"], doc["publicKey"].(map[string]any)["owner"] = two.ID(), two.ID()
	}))
	serve(s.evil, two.ID(), document(two, func(doc map[string]any) {
		doc["id"], doc["publicKey"].(map[string]any)["owner"] = one.ID(), one.ID()
	}))
	for _, who := range []*simulation.Account{one, two} {
		s.repels("N35 two that name each other", []int{401}, who, s.vote(who, s.q1, "Ja"), simulation.SignOptions{})
	}
	if n := len(at1.take()) + len(at2.take()); n > 2 {
		t.Errorf("N35: %d fetches, want at most 2", n)
	}

	// What failed for good is asked again after 5 minutes, then 10, then 20.
	s.wait(time.Hour)
	none := s.m1.Account("none")
	serve(s.m1, none.ID(), simulation.Override{Status: http.StatusNotFound})
	var asked []int
	for minute := range 60 {
		if status := s.sendFrom("192.0.2.35", s.post(none, s.vote(none, s.q1, "Ja"))); status != http.StatusUnauthorized {
			t.Fatalf("N35: a key that is not there: answered %d", status)
		}
		if len(at1.take()) > 0 {
			asked = append(asked, minute)
		}
		s.wait(time.Minute)
	}
	if want := []int{0, 5, 15, 35}; !slices.Equal(asked, want) {
		t.Errorf("N35: asked in the minutes %v, want %v", asked, want)
	}

	// Hundreds of keys of a server that fails, each from an address of its own:
	// ten fetches a minute, and each request waits.
	failing := s.watch("evil.example", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }))
	s.wait(time.Hour)
	before := s.node.fingerprint()
	const keys = 300
	template := s.post(s.eve, s.vote(s.eve, s.q1, "Ja"))
	for i := range keys {
		r := template.Clone(t.Context())
		r.Body = must2(template.GetBody())(s.cluster)
		r.Header.Set("Signature", strings.ReplaceAll(r.Header.Get("Signature"), s.eve.KeyID(), fmt.Sprintf("https://evil.example/users/n%d#main-key", i)))
		if status := s.sendFrom(fmt.Sprintf("198.51.100.%d", i%250), r); status != http.StatusAccepted && status != http.StatusTooManyRequests {
			t.Fatalf("N35: key %d of a server that fails: answered %d", i, status)
		}
	}
	if n := len(failing.take()); n == 0 || n > 10 {
		t.Errorf("N35: %d fetches in one minute, want 1 to 10", n)
	}
	s.unchanged(before, "waiting", "occupancy")
	if n := s.waiting(s.q1); n == 0 || n > keys {
		t.Errorf("N35: %d wait of %d", n, keys)
	}
}

// N35: who names keys that an account does not have keeps its owner out of
// nothing, and the addresses of one IPv6 network share one budget.
func TestNegativeKeyNames(t *testing.T) {
	s := newSiege(t)
	who := s.m1.Account("who")
	for _, id := range []string{who.ID(), who.ID() + "#other"} {
		s.repels("N35 a key of somebody else, "+strings.TrimPrefix(id, who.ID()), []int{401}, s.eve, s.vote(s.eve, s.q1, "Ja"), simulation.SignOptions{KeyID: id})
	}
	s.deliver(who, s.vote(who, s.q1, "Ja"))

	s.wait(time.Hour)
	at := s.watch("evil.example", http.NotFoundHandler())
	for i := range 30 {
		id := fmt.Sprintf("https://evil.example/users/n%d#main-key", i)
		r := must2(s.eve.Request(t.Context(), http.MethodPost, s.node.urls.SharedInbox(), s.vote(s.eve, s.q1, "Ja"), simulation.SignOptions{KeyID: id}))(s.cluster)
		s.sendFrom(fmt.Sprintf("[2001:db8::%x]", i+1), r)
	}
	if n := len(at.take()); n == 0 || n > 10 {
		t.Errorf("N35: %d fetches for one IPv6 network in one minute, want 1 to 10", n)
	}

	s.closeAll()
	s.final(1)

	// A server that is asked for nothing any more does not open the waiting room
	// to whoever names it.
	s.wait(time.Hour)
	s.watch("evil.example", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }))
	var statuses [2]map[int]int
	for i, ip := range []string{"192.0.2.35", "192.0.2.36"} {
		statuses[i] = map[int]int{}
		for j := range 30 {
			id := fmt.Sprintf("https://evil.example/users/n%d-%d#main-key", i, j)
			statuses[i][s.sendFrom(ip, must2(s.eve.Request(t.Context(), http.MethodPost, s.node.urls.SharedInbox(), s.vote(s.eve, s.q1, "Ja"), simulation.SignOptions{KeyID: id}))(s.cluster))]++
		}
	}
	if want := (map[int]int{http.StatusAccepted: 10, http.StatusTooManyRequests: 20}); !maps.Equal(statuses[0], want) || !maps.Equal(statuses[1], want) {
		t.Errorf("N35: answered %v, want %v from each address", statuses, want)
	}
}

// N36 to N39 from the outside: a key that a guarded fetch cannot have makes no
// vote, and what is asked for stays on the signer's own host.
func TestNegativeFetches(t *testing.T) {
	s := newSiege(t)
	at := s.watch("evil.example", s.evil)
	elsewhere := map[string]*visits{"third.example": s.watch("third.example", s.evil)}
	for _, host := range []string{"127.0.0.1", "[::1]", "10.0.0.1", "169.254.169.254", "evil.example:22", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[3fff::1]", "localhost:5432"} {
		elsewhere[host] = s.watch(host, s.evil)
		s.wait(61 * time.Second)
		s.repels("N36 a key at "+host, []int{401}, s.eve, s.vote(s.bob, s.q1, "Ja"), simulation.SignOptions{KeyID: "https://" + host + "/users/eve#main-key"})
		who := s.evil.Account("to" + strings.Map(letters, host))
		serve(s.evil, who.ID(), simulation.Override{Status: http.StatusFound, Header: http.Header{"Location": {"https://" + host + "/users/eve"}}})
		s.repels("N37 sent on to "+host, []int{401}, who, s.vote(who, s.q1, "Ja"), simulation.SignOptions{})
	}
	own := must2(s.eve.Document())(s.cluster)
	big := append(own[:len(own)-1:len(own)-1], []byte(`,"x":"`+strings.Repeat("x", 256<<10)+`"}`)...)
	type answer = simulation.Override
	to := func(location string) answer {
		return answer{Status: http.StatusFound, Header: http.Header{"Location": {location}}}
	}
	rows := map[string]answer{
		"N37 sent on to the same on another host": to("https://third.example/users/eve"),
		"N37 sent on by 307":                      {Status: http.StatusTemporaryRedirect, Header: http.Header{"Location": {"https://third.example/users/eve"}}},
		"N37 sent on without a scheme":            to("//third.example/users/eve"),
		"N37 sent on to a file":                   to("file:///etc/passwd"),
		"N37 sent on with a name":                 to("https://u:p@evil.example/users/eve"),
		"N38 sent on to itself":                   to("?again"),
		"N39 too large":                           {ContentType: "application/activity+json", Body: big},
		"N39 cut off":                             {ContentType: "application/activity+json", Body: own[:len(own)/2]},
		"N39 compressed in another way":           {ContentType: "application/activity+json", Body: own, Header: http.Header{"Content-Encoding": {"br"}}},
	}
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		s.wait(61 * time.Second)
		who := s.evil.Account("f" + strings.Map(letters, name))
		serve(s.evil, who.ID(), rows[name])
		at.take()
		s.repels(name, []int{401}, who, s.vote(who, s.q1, "Ja"), simulation.SignOptions{})
		if n := len(at.take()); n > 4 {
			t.Errorf("%s: %d fetches, want at most 4", name, n)
		}
	}
	s.wait(61 * time.Second)
	moved := s.evil.Account("moved")
	serve(s.evil, "https://evil.example/copies/moved", answer{ContentType: "application/activity+json", Body: must2(moved.Document())(s.cluster)})
	serve(s.evil, moved.ID(), to("https://third.example/copies/moved"))
	s.repels("N37 sent on to its own document on another host", []int{401}, moved, s.vote(moved, s.q1, "Ja"), simulation.SignOptions{})
	for host, v := range elsewhere {
		if paths := v.take(); len(paths) > 0 && host != "third.example" {
			t.Errorf("N36: fetched from %s: %q", host, paths)
		}
	}
}

// N57: a key changes where its owner's document says so, and nowhere else.
func TestNegativeKeyRotation(t *testing.T) {
	s := newSiege(t)
	at := s.watch("m1.example", s.m1)
	old := s.m1.Account("old")
	must2(old.Follow(t.Context(), s.node.actor()))(s.cluster)
	s.settle()
	at.take()
	// Signed with a new key, and the document knows nothing of it.
	document := simulation.Override{ContentType: "application/activity+json", Body: must2(old.Document())(s.cluster)}
	serve(s.m1, old.ID(), document)
	fresh := must2(signature.GenerateKey())(s.cluster)
	old.SetKey(fresh)
	announced := s.activity(old.ID()+"#u", "Update", old.ID(), json.RawMessage(must2(old.Document())(s.cluster)))
	rotated := func(row string, body []byte, fetches int) {
		t.Helper()
		s.repels(row, []int{401}, old, body, simulation.SignOptions{}, "peer") // the same document, read again
		if n := len(at.take()); n != fetches {
			t.Errorf("%s: %d fetches, want %d", row, n, fetches)
		}
	}
	rotated("N57 an Update with a key that the document does not have", announced, 1)
	rotated("N57 a vote with that key", s.vote(old, s.q1, "Ja"), 0) // once in five minutes
	s.wait(6 * time.Minute)
	rotated("N57 a vote with that key, later", s.vote(old, s.q1, "Ja"), 1)
	// Now the document has it, and only it.
	s.wait(24 * time.Hour)
	serve(s.m1, old.ID(), simulation.Override{ContentType: "application/activity+json", Body: must2(old.Document())(s.cluster)})
	s.q1 = s.node.publish("q4", participation.SingleChoice, participation.AtClose, "Ja", "Nee")
	s.deliver(old, announced)
	previous := must2(signature.GenerateKey())(s.cluster)
	old.SetKey(previous)
	at.take()
	rotated("N57 the key before", s.vote(old, s.q1, "Nee"), 0)
	s.wait(23 * time.Hour)
	rotated("N57 the key before, a day later", s.vote(old, s.q1, "Nee"), 1)
	old.SetKey(fresh)
	s.deliver(old, s.vote(old, s.q1, "Ja"))
	s.closeAll()
	s.final(1)
}
