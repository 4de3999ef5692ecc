package simulation

import (
	"context"
	"html"
	"regexp"
	"slices"
	"strings"
)

var (
	mention = regexp.MustCompile(`<span class="h-card"><a [^>]*>@<span>[^<]*</span></a></span>\s*`)
	anchor  = regexp.MustCompile(`<a [^>]*href="([^"]+)"`)
)

// Message sends a private message to an actor, in the shape of the kind: a post
// addressed to nobody else, with a mention in front. It returns the id of the post.
func (a *Account) Message(ctx context.Context, to, text string) (string, error) {
	return a.Post(ctx, paragraph(text), Direct, to)
}

// Answer replies in private to a message that was received.
func (a *Account) Answer(ctx context.Context, message, text string) (string, error) {
	return a.Reply(ctx, message, paragraph(text), Direct)
}

// A Message is a private message as its receiver reads it.
type Message struct {
	ID, From, InReplyTo string
	Language            string
	HTML, Text          string   // Text is without tags and without the mention in front
	Links               []string // in the order of the text, without that of the mention
}

// Messages lists what the crowd has received in private, of every server.
func (f *Fediverse) Messages() []Message {
	f.mu.Lock()
	citizens := slices.Clone(f.citizens)
	f.mu.Unlock()
	var all []Message
	for _, who := range citizens {
		all = append(all, who.account.Messages()...)
	}
	return all
}

// Messages lists the private messages that the account has received, oldest
// first, those of one second in the order of their ids: posts of others that mention it, are addressed to it and to neither
// everybody nor a followers collection. A client shows no others as private.
func (a *Account) Messages() []Message {
	var all []Message
	for _, n := range a.server.Notes() {
		everybody := append(slices.Clone(n.To), n.Cc...)
		if n.Own || !slices.Contains(everybody, a.id) || !slices.Contains(n.Mentions, a.id) ||
			slices.ContainsFunc(everybody, func(who string) bool { return !slices.Contains(n.Mentions, who) }) {
			continue
		}
		m := Message{ID: n.ID, From: n.Author, InReplyTo: n.InReplyTo, Language: n.Language, HTML: n.Content}
		rest := mention.ReplaceAllString(n.Content, "")
		m.Text = plainText(strings.ReplaceAll(rest, "<br>", "\n"))
		for _, found := range anchor.FindAllStringSubmatch(rest, -1) {
			m.Links = append(m.Links, html.UnescapeString(found[1]))
		}
		all = append(all, m)
	}
	return all
}
