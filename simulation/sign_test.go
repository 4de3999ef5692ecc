package simulation

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"strings"
	"testing"
	"time"
)

// pair makes two servers that reach each other.
func pair(t *testing.T, sender, receiver Kind) (*Account, *Account) {
	t.Helper()
	n := NewNetwork()
	a := n.NewServer(Config{Kind: sender, Base: "https://one.example", Now: noon, Keys: keys()[:1]})
	b := n.NewServer(Config{Kind: receiver, Base: "https://two.example", Now: noon, Keys: keys()[1:]})
	return a.Account("ana"), b.Account("bo")
}

func TestEveryKindVerifiesEveryKind(t *testing.T) {
	for _, sender := range Kinds() {
		for _, receiver := range Kinds() {
			ana, bo := pair(t, sender, receiver)
			if _, err := ana.Follow(t.Context(), bo.ID()); err != nil {
				t.Errorf("%s to %s: %v", sender, receiver, err)
				continue
			}
			if !ana.Server().Following("ana", bo.ID()) {
				t.Errorf("%s to %s: no Accept understood", sender, receiver)
			}
			for _, p := range append(ana.Server().Problems(), bo.Server().Problems()...) {
				t.Errorf("%s to %s: %s", sender, receiver, p)
			}
		}
	}
}

func TestRFC9421IsVerified(t *testing.T) {
	ana, bo := pair(t, Mastodon, Mastodon)
	body := ana.ReplyActivity("https://two.example/x", bo.ID(), "Hello", Public)
	for name, c := range map[string]struct {
		o  SignOptions
		ok bool
	}{
		"right":           {SignOptions{Scheme: RFC9421}, true},
		"fedify's":        {SignOptions{Scheme: RFC9421, Algorithm: "rsa-v1_5-sha256", Headers: []string{"@method", "@target-uri", "@authority", "host", "date", "content-digest"}}, true},
		"body changed":    {SignOptions{Scheme: RFC9421, TamperBody: []byte(`{"type":"Create"}`)}, false},
		"no digest":       {SignOptions{Scheme: RFC9421, Headers: []string{"@method", "@target-uri"}}, false},
		"old":             {SignOptions{Scheme: RFC9421, DateOffset: -66 * time.Minute}, false},
		"expired":         {SignOptions{Scheme: RFC9421, Expires: noon().Add(-time.Second)}, false},
		"other target":    {SignOptions{Scheme: RFC9421, SignedTarget: "https://two.example/other"}, false},
		"two keyids":      {SignOptions{Scheme: RFC9421, RepeatParam: "keyid"}, false},
		"somebody's key":  {SignOptions{Scheme: RFC9421, KeyOf: bo}, false},
		"Ed25519 bytes":   {SignOptions{Scheme: RFC9421, Ed25519: true}, false},
		"two signatures":  {SignOptions{Scheme: RFC9421, RepeatHeader: true}, false},
		"digest of other": {SignOptions{Scheme: RFC9421, Digest: []string{"sha-256=:AAAA:"}}, false},
	} {
		req, err := ana.Request(t.Context(), http.MethodPost, bo.Inbox(), body, c.o)
		if err != nil {
			t.Fatal(err)
		}
		if err := ana.Server().Do(req); (err == nil) != c.ok {
			t.Errorf("%s: accepted is %v, want %v (%v)", name, err == nil, c.ok, err)
		}
	}
}

func TestTamperingIsRefused(t *testing.T) {
	all := Kinds()
	strict := []Kind{Mastodon, Misskey, Tootik} // those that look at the clock
	cases := map[string]struct {
		o    SignOptions
		kept []Kind // kinds that refuse
	}{
		"unsigned":          {SignOptions{Unsigned: true}, all},
		"no digest signed":  {SignOptions{Headers: []string{"(request-target)", "host", "date"}}, all},
		"digest left out":   {SignOptions{Headers: []string{"(request-target)", "host", "date"}, OmitDigest: true}, all},
		"body changed":      {SignOptions{TamperBody: []byte(`{"type":"Create","x":1}`)}, all},
		"no headers":        {SignOptions{OmitHeadersParam: true}, all},
		"old":               {SignOptions{DateOffset: -66 * time.Minute}, strict},
		"from the future":   {SignOptions{DateOffset: 66 * time.Minute}, strict},
		"six minutes old":   {SignOptions{DateOffset: -6 * time.Minute}, []Kind{Misskey, Tootik}},
		"expired":           {SignOptions{Expires: noon().Add(-time.Minute)}, all},
		"two signatures":    {SignOptions{RepeatHeader: true}, all},
		"two keyIds":        {SignOptions{RepeatParam: "keyId"}, all},
		"digest twice":      {SignOptions{Headers: []string{"(request-target)", "host", "date", "digest", "digest"}}, all},
		"two digests":       {SignOptions{Digest: []string{"SHA-256=AA==", "SHA-256=AA=="}}, all},
		"MD5":               {SignOptions{Digest: []string{"MD5=AA=="}}, all},
		"unknown algorithm": {SignOptions{Algorithm: "hmac-sha256"}, all},
		"no algorithm":      {SignOptions{Algorithm: "-"}, []Kind{Misskey}},
		"blanks":            {SignOptions{SpaceAfter: true}, []Kind{Misskey}},
		"HMAC":              {SignOptions{HMAC: true}, all},
		"Ed25519":           {SignOptions{Ed25519: true}, all},
		"other target":      {SignOptions{SignedTarget: "post /other/inbox"}, all},
		"other media type":  {SignOptions{ContentType: "application/json"}, []Kind{GoToSocial, GoToSocialOld}},
	}
	for _, receiver := range all {
		ana, bo := pair(t, Mastodon, receiver)
		body := ana.ReplyActivity("https://two.example/x", bo.ID(), "Hello", Public)
		for name, c := range cases {
			refused := false
			for _, k := range c.kept {
				refused = refused || k == receiver
			}
			req, err := ana.Request(t.Context(), http.MethodPost, bo.Inbox(), body, c.o)
			if err != nil {
				t.Fatal(err)
			}
			if err := ana.Server().Do(req); (err != nil) != refused {
				t.Errorf("%s at %s: refused is %v, want %v (%v)", name, receiver, err != nil, refused, err)
			}
		}
	}
}

func TestNewKeyIsFetchedOnceOrNever(t *testing.T) {
	for receiver, want := range map[Kind]bool{Mastodon: true, GoToSocial: false, Misskey: false} {
		ana, bo := pair(t, Mastodon, receiver)
		if _, err := ana.Follow(t.Context(), bo.ID()); err != nil {
			t.Fatal(err)
		}
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		ana.SetKey(key)
		_, err = ana.Post(t.Context(), "Hello", Public, bo.ID())
		if (err == nil) != want {
			t.Errorf("%s: accepted after a key change is %v, want %v", receiver, err == nil, want)
		}
	}
}

func TestAccountsHaveKeysOfTheirOwn(t *testing.T) {
	s := NewNetwork().NewServer(Config{Kind: Mastodon, Base: "https://m.example", Now: noon})
	one, err := s.Account("ana").publicKeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	if two, err := s.Account("bo").publicKeyPEM(); err != nil || one == two {
		t.Errorf("two accounts, one key (%v)", err)
	}
}

func TestGoToSocialDemandsSignedFetches(t *testing.T) {
	n := NewNetwork()
	g := n.NewServer(Config{Kind: GoToSocial, Base: "https://g.example", Now: noon, Keys: keys()}).Account("bo")
	for address, want := range map[string]int{
		g.ID(): http.StatusUnauthorized, g.KeyID(): http.StatusOK, g.Server().instance.ID(): http.StatusOK,
		"https://g.example/.well-known/webfinger?resource=acct:bo@g.example": http.StatusOK,
	} {
		resp, err := n.Client().Get(address)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("unsigned GET %s: %d, want %d", address, resp.StatusCode, want)
		}
	}
	ana := n.NewServer(Config{Kind: Mastodon, Base: "https://m.example", Now: noon, Keys: keys()}).Account("ana")
	if id, err := ana.SearchHandle(t.Context(), "@bo@g.example"); err != nil || id != g.ID() {
		t.Errorf("signed look-up: %q, %v", id, err)
	}
}

func TestSignedVotesShareKeys(t *testing.T) {
	n := NewNetwork()
	s := n.NewServer(Config{Kind: Mastodon, Base: "https://m.example", Now: noon, KeyPool: 2})
	city := n.NewServer(Config{Kind: Mastodon, Base: "https://city.example", Now: noon, Keys: keys()}).Account("participa")
	votes, err := s.SignedVotes(t.Context(), 20, "https://city.example/o/1", city.ID(), city.Inbox(), []string{"Yes", "No"})
	if err != nil || len(votes) != 20 {
		t.Fatalf("%d votes, %v", len(votes), err)
	}
	for _, v := range votes {
		req, err := http.NewRequestWithContext(context.Background(), v.Method, v.URL, strings.NewReader(string(v.Body)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = v.Header
		if err := s.Do(req); err != nil {
			t.Fatal(err)
		}
	}
	if got := city.Server().Received(); len(got) != 20 || got[0].Type != "Create" {
		t.Errorf("%d received", len(got))
	}
}
