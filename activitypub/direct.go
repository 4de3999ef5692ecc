package activitypub

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"inspraak/activitypub/as2"
	"inspraak/participation"
)

// Direct is how direct messages to our channels are answered. They are commands,
// or get a help text; what they say is never kept.
type Direct struct {
	Commands participation.Commands
	Contact  string                                         // where citizens reach a human
	Say      func(language, key string, args ...any) string // the texts, by key, in nl and en; args are pairs
}

// DirectOutcome is what became of a direct message.
type DirectOutcome string

const (
	DirectCode      DirectOutcome = "code"      // answered with codes, or that there are none
	DirectMyData    DirectOutcome = "my-data"   // answered with a link
	DirectHelp      DirectOutcome = "help"      // answered with the help text
	DirectQuiet     DirectOutcome = "quiet"     // no command, and helped within a day
	DirectLimited   DirectOutcome = "limited"   // too many commands of one account
	DirectAutomated DirectOutcome = "automated" // from a bot, or repeated by its server
)

func directOutcomes() []DirectOutcome {
	return []DirectOutcome{DirectCode, DirectMyData, DirectHelp, DirectQuiet, DirectLimited, DirectAutomated}
}

// addressee tells which of our channels an object is a direct message to, ""
// if it is none. It is one if every address, of the object and of the activity
// around it, is a channel of ours or of somebody it mentions: a followers
// collection is nobody's. There is no other mark of it; Misskey's "specified"
// and Mastodon's private mention look alike.
func (f *Federation) addressee(ctx context.Context, a *as2.Activity, o as2.Object) (channel string, err error) {
	if o.Type != "Note" || o.Content == "" {
		return "", nil
	}
	for _, address := range slices.Concat(o.To, o.CC, a.To, a.CC) {
		if as2.IsPublic(address) {
			return "", nil
		}
		name, err := f.channel(ctx, address)
		switch {
		case err == nil && channel == "":
			channel = name
		case err != nil && !errors.Is(err, participation.ErrNotFound):
			return "", err
		case err != nil && address != a.Actor && !slices.Contains(o.Mentions, address):
			return "", nil
		}
	}
	return channel, nil
}

// direct answers a direct message. Bots are never answered, lest two of them
// answer each other for ever.
func (f *Federation) direct(ctx context.Context, from Peer, channel string, o as2.Object) error {
	if f.Direct == nil {
		return nil
	}
	outcome := DirectAutomated
	if from.Type != "Service" && from.Type != "Application" && f.talks.begin(o.ID, f.Now()) {
		var err error
		if outcome, err = f.converse(ctx, from, channel, o); err != nil {
			f.talks.forget(o.ID) // it will be sent again
			return err
		}
	}
	f.counters.direct[outcome].Add(1)
	f.Log.Debug("direct message", "channel", channel, "outcome", outcome)
	return nil
}

func (f *Federation) converse(ctx context.Context, from Peer, channel string, o as2.Object) (DirectOutcome, error) {
	command, said := f.Direct.Commands.Read(o.Content)
	if command != "" && !f.talks.allow(from.Actor, f.Now()) {
		return DirectLimited, nil
	}
	language, err := f.languageFor(ctx, said, o.Language, channel)
	if err != nil {
		return "", err
	}
	l := letter{f: f, from: channel, to: from, about: o, language: language}
	switch command {
	case participation.AskCode:
		out, err := f.codes(ctx, l)
		if err != nil {
			return "", err
		}
		return DirectCode, f.Store.Enqueue(ctx, 0, out)
	case participation.AskMyData:
		out, err := f.myData(l)
		if err != nil {
			return "", err
		}
		return DirectMyData, f.Store.Enqueue(ctx, 0, []Outgoing{out})
	}
	out, err := f.help(l)
	if err != nil {
		return "", err
	}
	sent, err := f.Store.Help(ctx, f.Secrets.Node().Voter("help "+from.Actor), out)
	if err != nil || !sent {
		return DirectQuiet, err
	}
	return DirectHelp, nil
}

// languageFor picks the language of an answer: that of the command, else of the
// message, else of the channel, else Dutch.
func (f *Federation) languageFor(ctx context.Context, said, written, channel string) (string, error) {
	c, err := f.Service.Channel(ctx, channel)
	if err != nil {
		return "", err
	}
	for _, tag := range []string{said, written, c.Language} {
		primary, _, _ := strings.Cut(strings.ToLower(tag), "-")
		if primary == "nl" || primary == "en" {
			return primary, nil
		}
	}
	return "nl", nil
}

const (
	commandsAnHour = 10             // of one account; further ones are passed over
	heardTime      = 24 * time.Hour // how long a message is known again
)

// talks remembers, in memory and bounded, which messages were heard, since
// servers repeat one whose answer was lost, and how many commands an account
// sent within the hour. It is not written down: that would tell who asked for
// a code. A restart forgets it.
type talks struct {
	mu    sync.Mutex
	heard map[string]time.Time // by id of the message
	asked map[string]askedHour // by actor
}

type askedHour struct {
	since time.Time
	n     int
}

func newTalks() *talks { return &talks{heard: map[string]time.Time{}, asked: map[string]askedHour{}} }

// begin is false for a message heard before.
func (t *talks) begin(message string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at, known := t.heard[message]; known && now.Sub(at) < heardTime {
		return false
	}
	sweep(t.heard, func(at time.Time) bool { return now.Sub(at) >= heardTime })
	t.heard[message] = now
	return true
}

func (t *talks) forget(message string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.heard, message)
}

// allow counts a command.
func (t *talks) allow(actor string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	hour := t.asked[actor]
	if now.Sub(hour.since) >= time.Hour {
		sweep(t.asked, func(h askedHour) bool { return now.Sub(h.since) >= time.Hour })
		hour = askedHour{since: now}
	}
	hour.n++
	t.asked[actor] = hour
	return hour.n <= commandsAnHour
}
