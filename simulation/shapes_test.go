package simulation

import (
	"crypto/rsa"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// The city of the tests: a channel and a poll that exist only as ids.
const (
	channel  = "https://city.example/a/participa"
	question = "https://city.example/o/01J9ZK"
)

// keys are the keys of all servers in the tests, made once: two, so that
// neighbours differ.
var keys = sync.OnceValue(func() []*rsa.PrivateKey {
	made, err := NewKeys(2)
	if err != nil {
		panic(err)
	}
	return made
})

// noon is the clock of the tests.
func noon() time.Time { return time.Date(2026, 9, 2, 10, 0, 0, 0, time.UTC) }

// matches compares JSON with a golden document in which * within a string
// stands for anything but nothing.
func matches(t *testing.T, path string, golden, got any) {
	t.Helper()
	switch want := golden.(type) {
	case map[string]any:
		have, ok := got.(map[string]any)
		if !ok {
			t.Errorf("%s: want an object, got %v", path, got)
			return
		}
		for k, v := range want {
			if _, there := have[k]; !there {
				t.Errorf("%s.%s: missing", path, k)
				continue
			}
			matches(t, path+"."+k, v, have[k])
		}
		for k := range have {
			if _, there := want[k]; !there {
				t.Errorf("%s.%s: not in the golden document: %v", path, k, have[k])
			}
		}
	case []any:
		have, ok := got.([]any)
		if !ok || len(have) != len(want) {
			t.Errorf("%s: want %d elements, got %v", path, len(want), got)
			return
		}
		for i := range want {
			matches(t, path+"[]", want[i], have[i])
		}
	case string:
		pattern := "(?s)^" + strings.ReplaceAll(regexp.QuoteMeta(want), `\*`, ".+") + "$"
		if have, ok := got.(string); !ok || !regexp.MustCompile(pattern).MatchString(have) {
			t.Errorf("%s:\n want %q\n got  %v", path, want, got)
		}
	default:
		if golden != got {
			t.Errorf("%s: want %v, got %v", path, golden, got)
		}
	}
}

// golden reads a hand-written document of testdata.
func golden(t *testing.T, name string) any {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

// parsed reads what was produced.
func parsed(t *testing.T, raw []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	return v
}

// lone makes a server that nobody can reach.
func lone(kind Kind) *Server {
	hosts := map[Kind]string{Mastodon: "m", GoToSocial: "g", GoToSocialOld: "old", Misskey: "k", Akkoma: "a", Tootik: "t"}
	s := NewNetwork().NewServer(Config{Kind: kind, Base: "https://" + hosts[kind] + ".example", Now: noon, Keys: keys()})
	s.actors[channel] = remoteActor{id: channel, username: "participa", url: "https://city.example/@participa", inbox: channel + "/inbox"}
	s.notes[question] = &Note{ID: question, Type: "Question", Author: channel, Context: question + "/context"}
	s.polls[question] = &poll{names: []string{"Trees", "Market hall"}, tallies: []int{0, 0}, multiple: true, voted: map[string][]string{}}
	return s
}

func TestVotesLookLikeEachKind(t *testing.T) {
	for _, kind := range Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			raw := lone(kind).Account("ana").VoteActivities(question, channel, "Trees", "Market hall")
			var all []any
			for _, activity := range raw {
				all = append(all, parsed(t, activity))
			}
			matches(t, "votes", golden(t, "votes-"+string(kind)+".json"), any(all))
		})
	}
}

func TestRepliesLookLikeEachKind(t *testing.T) {
	for _, kind := range []Kind{Mastodon, GoToSocial, Misskey, Akkoma, Tootik} {
		t.Run(string(kind), func(t *testing.T) {
			s := lone(kind)
			s.mu.Lock()
			_, activity := s.accountLocked("ana").compose(draft{html: "And the parking?", parent: question,
				context: question + "/context", mentions: []remoteActor{s.actors[channel]}})
			s.mu.Unlock()
			matches(t, "reply", golden(t, "reply-"+string(kind)+".json"), parsed(t, encode(activity)))
		})
	}
}

func TestActorsLookLikeEachKind(t *testing.T) {
	for _, kind := range []Kind{Mastodon, GoToSocial, Misskey, Akkoma, Tootik} {
		t.Run(string(kind), func(t *testing.T) {
			doc, err := lone(kind).Account("ana").Document()
			if err != nil {
				t.Fatal(err)
			}
			matches(t, "actor", golden(t, "actor-"+string(kind)+".json"), parsed(t, doc))
		})
	}
}

func TestAudiencesSayWhoMayRead(t *testing.T) {
	for _, kind := range Kinds() {
		for to, want := range map[Audience]bool{Public: true, Unlisted: true, FollowersOnly: false, Direct: false} {
			raw := lone(kind).Account("ana").ReplyActivity(question, channel, "Hello", to)
			doc, err := decode(raw)
			if err != nil {
				t.Fatal(err)
			}
			n := readNote(child(doc, "object"))
			if n.Public() != want {
				t.Errorf("%s audience %d: public is %v, want %v (to %v cc %v)", kind, to, n.Public(), want, n.To, n.Cc)
			}
			if !strings.Contains(strings.Join(append(n.To, n.Cc...), " "), channel) {
				t.Errorf("%s audience %d: the channel is not addressed", kind, to)
			}
		}
	}
}

func TestPeopleAreDistinct(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range people(600) {
		if seen[p.handle] || !username.MatchString(p.handle) {
			t.Errorf("handle %q is repeated or odd", p.handle)
		}
		seen[p.handle] = true
	}
}

func TestTopicsFitTheConsultation(t *testing.T) {
	for about, want := range map[string]string{
		"https://city.example/consultations/havenplein Hoe richten we het Havenplein in?":   "square",
		"https://city.example/c/streets Which streets should become bicycle streets first?": "cycling",
		"https://city.example/c/open Wat mist u in uw wijk?":                                "neighbourhood",
		"https://city.example/c/budget What should we spend on?":                            "general",
	} {
		if got := topicFor(topics(), "en", about); got.name != want {
			t.Errorf("%s: topic %s, want %s", about, got.name, want)
		}
	}
	replies := 0
	for _, topic := range topics() {
		replies += len(topic.replies)
	}
	if replies < 60 {
		t.Errorf("%d replies, want at least 60", replies)
	}
}
