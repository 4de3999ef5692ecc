package activitypub

import (
	"context"
	"crypto/rand"
	"fmt"
	"html"
	"strconv"
	"strings"

	"inspraak/activitypub/as2"
	"inspraak/participation"
)

// A letter is the answer to a direct message being written.
type letter struct {
	f        *Federation
	from     string // channel
	to       Peer
	about    as2.Object // the message
	language string
	body     strings.Builder
}

// says adds a paragraph of text.
func (l *letter) says(key string, args ...any) { l.adds(l.text(key, args...)) }

// adds adds a paragraph of HTML.
func (l *letter) adds(safe ...string) { fmt.Fprintf(&l.body, "<p>%s</p>", strings.Join(safe, " ")) }

// text is a text of the letter's language, escaped.
func (l *letter) text(key string, args ...any) string {
	return html.EscapeString(l.f.Direct.Say(l.language, "direct."+key, args...))
}

// contact is where a human is reached.
func (l *letter) contact() string {
	if strings.HasPrefix(l.f.Direct.Contact, "https://") {
		return link(l.f.Direct.Contact, "")
	}
	return html.EscapeString(l.f.Direct.Contact)
}

// seal makes the letter a direct Note in answer to the message, sealed under the
// key of a consultation, "" being the node's own. Mastodon and GoToSocial notify
// where there is a mention, as tag and in the text. It is in no outbox, and its
// address answers 404.
func (l *letter) seal(consultation string) (Outgoing, error) {
	f, actor := l.f, l.f.URLs.Actor(l.from)
	host, err := f.hostOf(l.to.Actor)
	if err != nil {
		return Outgoing{}, err
	}
	who := participation.Author{ID: l.to.Actor, Handle: handleOf(l.to.Username, host), URL: l.to.URL}
	n := &as2.Note{
		ID: f.URLs.Object(strings.ToLower(rand.Text()[:16])), AttributedTo: actor, InReplyTo: l.about.ID,
		Content: "<p>" + mentionCard(who) + " " + strings.TrimPrefix(l.body.String(), "<p>"), Language: l.language,
		Published: f.Now(), To: []string{l.to.Actor}, Mentions: []as2.Mention{{Name: "@" + handle(who), Href: who.ID}},
	}
	if _, err := f.hostOf(l.about.Context); err == nil {
		n.Context = l.about.Context // Akkoma files conversations by it
	}
	out := &Outgoing{ID: n.ID + "/create", Channel: l.from, Object: n.ID, At: n.Published}
	if out, err = out.filled("Create", actor, n.To, nil, n); err != nil {
		return Outgoing{}, err
	}
	return f.seal(*out, consultation, l.to.Inbox)
}

// maxReceipts is of how many consultations codes are told, the newest first.
const maxReceipts = 5

// codes writes one message for each consultation that the account has voted in,
// sealed as its ballots are, or one that says why there may be none.
func (f *Federation) codes(ctx context.Context, l letter) ([]Outgoing, error) {
	receipts, err := f.Service.Receipts(ctx, l.to.Actor)
	if err != nil {
		return nil, err
	}
	if len(receipts) == 0 {
		none := l
		none.says("none.what")
		none.says("none.why")
		none.adds(none.text("contact"), none.contact())
		out, err := none.seal("")
		return []Outgoing{out}, err
	}
	var all []Outgoing
	for _, r := range receipts[:min(len(receipts), maxReceipts)] {
		one := l
		one.says("code.counted", "Title", r.Consultation.Title)
		if len(r.Codes) > 1 {
			one.says("code.several")
		}
		for i, code := range r.Codes {
			place := one.text("code.waits")
			if r.Entries[i] >= 0 {
				place = one.text("code.entry", "N", strconv.FormatInt(r.Entries[i], 10))
			}
			one.adds(one.text("code.code"), "<strong>"+html.EscapeString(code)+"</strong><br>"+place)
		}
		one.adds(one.text("code.proof"), link(f.URLs.Receipt(r.Consultation.Slug, r.Token), ""))
		one.says("code.after")
		out, err := one.seal(r.Consultation.ID)
		if err != nil {
			return nil, err
		}
		all = append(all, out)
	}
	return all, nil
}

// myData writes the link to what is held.
func (f *Federation) myData(l letter) (Outgoing, error) {
	l.adds(l.text("my-data.what"), link(f.URLs.MyData(f.Service.DataToken(l.to.Actor)), ""))
	l.says("my-data.how-long")
	return l.seal("")
}

// help writes what a message may ask, and where a human is.
func (f *Federation) help(l letter) (Outgoing, error) {
	l.says("help.what")
	l.adds("<strong>"+html.EscapeString(f.Direct.Commands.Example(participation.AskCode, l.language))+"</strong>:", l.text("help.code"))
	l.adds("<strong>"+html.EscapeString(f.Direct.Commands.Example(participation.AskMyData, l.language))+"</strong>:", l.text("help.my-data"))
	l.says("help.reply")
	l.adds(l.text("contact"), l.contact())
	return l.seal("")
}
