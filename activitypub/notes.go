package activitypub

import (
	"context"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strings"
	"time"

	"inspraak/activitypub/as2"
	"inspraak/participation"
)

// consultationNote is a consultation as others see it: a Question, or a Note
// for an open question, since Mastodon drops a Question without options. It
// shows the numbers of the newest snapshot and nothing newer, so that the wire
// never tells more than the page.
func (f *Federation) consultationNote(ctx context.Context, c participation.Consultation) (*as2.Note, error) {
	r, err := f.Service.Result(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	items, more, err := f.thread(ctx, c, 1)
	if err != nil {
		return nil, err
	}
	object := f.URLs.Object(c.ID)
	n := &as2.Note{
		ID: object, AttributedTo: f.URLs.Actor(c.Channel), URL: f.URLs.Page(c.Slug),
		Context: object + "/context", Content: f.consultationText(c),
		Published: c.OpenedAt,
		To:        []string{as2.Public}, CC: []string{f.URLs.Followers(c.Channel)},
		Replies: object + "/replies", ReplyItems: slices.DeleteFunc(items, func(id string) bool { return len(id) > maxEmbedded }),
		Likes: object + "/likes", LikesTotal: r.Likes,
		Shares: object + "/shares", SharesTotal: r.Boosts,
		CanQuote: true, Poll: poll(c, r),
	}
	n.Language = languageOf(n.Content, c.Language)
	if more {
		n.RepliesNext = object + "/replies?page=2"
	}
	for _, tag := range c.Hashtags {
		n.Hashtags = append(n.Hashtags, as2.Hashtag{Name: "#" + tag, Href: f.URLs.Tag(tag)})
	}
	if c.Image != nil {
		n.Attachments = []as2.Image{f.image(c.Image)}
	}
	return n, nil
}

// maxTwice is the longest text that is sent twice, as content and in
// contentMap. A longer one, which only markup full of escapes can become, goes
// without its language rather than past the 64 KiB that Misskey reads.
const maxTwice = 16 << 10

func languageOf(content, language string) string {
	if len(content) > maxTwice {
		return ""
	}
	return language
}

func (f *Federation) image(i *participation.Image) as2.Image {
	return as2.Image{URL: f.URLs.Media(i.Path), MediaType: i.MediaType, Alt: i.Alt, Width: i.Width, Height: i.Height}
}

// poll is the votable part, nil for an open question. Counts that are hidden
// are zeros, never missing: Misskey refuses a poll without them. `closed`
// comes with the final numbers and not before; endTime never changes, for
// GoToSocial would start the poll anew.
func poll(c participation.Consultation, r participation.Result) *as2.Poll {
	if !c.Kind.HasOptions() {
		return nil
	}
	p := &as2.Poll{
		Multiple: c.Kind == participation.MultipleChoice, VotersCount: r.Turnout, EndTime: c.ClosesAt,
		Options: make([]as2.PollOption, len(c.Options)),
	}
	for i, name := range c.Options {
		p.Options[i].Name = name
		if i < len(r.Counts) {
			p.Options[i].TotalItems = r.Counts[i]
		}
	}
	if r.Final {
		p.Closed = c.ClosedAt
	}
	return p
}

// consultationText is the HTML of a consultation's post: title, body, until
// when replies are asked (a poll shows that itself), the page, the hashtags.
func (f *Federation) consultationText(c participation.Consultation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<p><strong>%s</strong></p>%s", html.EscapeString(c.Title), strings.TrimSpace(c.HTML))
	if !c.Kind.HasOptions() {
		fmt.Fprintf(&b, "<p>%s</p>", html.EscapeString(repliesUntil(c)))
	}
	fmt.Fprintf(&b, "<p>%s</p>", link(f.URLs.Page(c.Slug), ""))
	for i, tag := range c.Hashtags {
		between := " "
		if i == 0 {
			between = "<p>"
		}
		fmt.Fprintf(&b, `%s<a href="%s" class="mention hashtag" rel="tag">#<span>%s</span></a>`,
			between, html.EscapeString(f.URLs.Tag(tag)), html.EscapeString(tag))
	}
	if len(c.Hashtags) > 0 {
		b.WriteString("</p>")
	}
	return b.String()
}

// link is an anchor whose text is its address without the scheme.
func link(address, rel string) string {
	if rel != "" {
		rel = ` rel="` + rel + `"`
	}
	_, text, _ := strings.Cut(address, "://")
	return fmt.Sprintf(`<a href="%s"%s>%s</a>`, html.EscapeString(address), rel, html.EscapeString(text))
}

var dutchMonths = [...]string{"januari", "februari", "maart", "april", "mei", "juni", "juli",
	"augustus", "september", "oktober", "november", "december"}

// repliesUntil names the closing time in the language of the consultation, in
// Dutch or English; in any other language it is only the date and time.
func repliesUntil(c participation.Consultation) string {
	at := c.ClosesAt.UTC()
	if zone, err := time.LoadLocation(c.Zone); err == nil {
		at = at.In(zone)
	}
	primary, _, _ := strings.Cut(strings.ToLower(c.Language), "-")
	switch primary {
	case "nl":
		return fmt.Sprintf("Reageren kan tot %d %s %d, %s uur.", at.Day(), dutchMonths[at.Month()-1], at.Year(), at.Format("15.04"))
	case "en":
		return fmt.Sprintf("You can reply until %s.", at.Format("2 January 2006, 15:04"))
	}
	return "→ " + at.Format("2006-01-02 15:04 MST")
}

// postNote is a post of ours as others see it. An answer stands under the
// citizen's reply and mentions its author, both as tag and in the text:
// Mastodon and GoToSocial notify only then. Everything else stands under the
// consultation.
//
// A checkpoint is unlisted: it is for the archives of other servers.
func (f *Federation) postNote(c participation.Consultation, p participation.Post) *as2.Note {
	n := &as2.Note{
		ID: f.URLs.Object(p.ID), AttributedTo: f.URLs.Actor(p.Channel), URL: f.postPage(c, p),
		InReplyTo: f.URLs.Object(c.ID), Context: f.URLs.Object(c.ID) + "/context",
		Content: strings.TrimSpace(p.HTML), Published: p.Published,
		To: []string{as2.Public}, CC: []string{f.URLs.Followers(p.Channel)}, CanQuote: true,
	}
	if p.Kind == participation.CheckpointPost {
		n.To, n.CC = n.CC, n.To
	}
	if p.Consultation == "" {
		n.InReplyTo, n.Context = "", n.ID
	}
	if p.Kind == participation.Answer && p.InReplyTo != "" {
		n.InReplyTo = p.InReplyTo
	}
	if p.Mention.ID != "" {
		n.CC = append(n.CC, p.Mention.ID)
		n.Mentions = []as2.Mention{{Name: "@" + handle(p.Mention), Href: p.Mention.ID}}
		card := mentionCard(p.Mention)
		if rest, ok := strings.CutPrefix(n.Content, "<p>"); ok {
			n.Content = "<p>" + card + " " + rest
		} else {
			n.Content = "<p>" + card + "</p>" + n.Content
		}
	}
	n.Language = languageOf(n.Content, p.Language)
	return n
}

// threadOfPost is the consultation in whose thread a post stands; a zero one if
// it stands in none.
func (f *Federation) threadOfPost(ctx context.Context, p participation.Post) (participation.Consultation, error) {
	if p.Consultation == "" {
		return participation.Consultation{}, nil
	}
	return f.Service.Consultation(ctx, p.Consultation)
}

// postPage is where people read a post.
func (f *Federation) postPage(c participation.Consultation, p participation.Post) string {
	if p.Consultation == "" {
		return f.URLs.Logs()
	}
	return f.URLs.PostPage(c.Slug, p.ID)
}

// handle is user@host, or the author's host if the handle is not known.
func handle(a participation.Author) string {
	if a.Handle != "" {
		return a.Handle
	}
	if u, err := url.Parse(a.ID); err == nil {
		return u.Host
	}
	return a.ID
}

func mentionCard(a participation.Author) string {
	page := a.ID
	if strings.HasPrefix(a.URL, "https://") || strings.HasPrefix(a.URL, "http://") {
		page = a.URL
	}
	user, _, _ := strings.Cut(handle(a), "@")
	return fmt.Sprintf(`<span class="h-card"><a href="%s" class="u-url mention">@<span>%s</span></a></span>`,
		html.EscapeString(page), html.EscapeString(user))
}
