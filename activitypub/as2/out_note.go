package as2

import (
	"fmt"
	"time"

	"github.com/go-fed/activity/streams"
	"github.com/go-fed/activity/streams/vocab"
)

// A Note is a post of this node; with a Poll it is a Question. It is written
// the way every large server reads it: never a name (GoToSocial takes it for a
// content warning, others for a vote) and never a summary (a warning
// everywhere); content and a contentMap of one language with the same text;
// sensitive always false.
//
// Content is sent as it is: making HTML safe comes before.
type Note struct {
	ID, AttributedTo string
	URL              string // the page for people
	InReplyTo        string
	Context          string // FEP-7888: the collection of the conversation
	Content          string // HTML
	Language         string // BCP 47; empty leaves contentMap out

	Published time.Time
	Updated   time.Time // zero until a real edit; then the same for ever: GoToSocial and Mastodon compare it

	To, CC      []string
	Attachments []Image
	Hashtags    []Hashtag
	Mentions    []Mention

	Replies, Likes, Shares  string   // ids of the collections; empty leaves them out
	ReplyItems              []string // ids on the first page of Replies
	RepliesNext             string   // its next page, if any
	LikesTotal, SharesTotal int

	CanQuote bool // everyone may quote (FEP-044f); absent means nobody
	Poll     *Poll
}

// An Image is a picture with its text alternative, Width and Height in pixels
// (0 where unknown).
type Image struct {
	URL, MediaType, Alt string
	Width, Height       int
}

// A Hashtag is written with its #.
type Hashtag struct{ Name, Href string }

// A Mention names an actor, as in @ana@m.example, and gives its id.
type Mention struct{ Name, Href string }

// Marshal gives the post as it is served at its id.
func (n *Note) Marshal() ([]byte, error) { return marshalPart("note", n) }

func (n *Note) part() (map[string]any, string, error) {
	var b builder
	t, err := b.post(n)
	if err != nil {
		return nil, "", err
	}
	tree, err := b.serialize(t)
	if err != nil {
		return nil, "", err
	}
	// go-fed writes content or contentMap, not both; the map is its own.
	tree["content"] = n.Content
	tree["sensitive"] = false
	if n.CanQuote {
		tree["interactionPolicy"] = map[string]any{
			"canQuote": map[string]any{"automaticApproval": []any{Public}},
		}
	}
	if tags, err := b.tags(n); err != nil {
		return nil, "", err
	} else if len(tags) > 0 {
		tree["tag"] = tags
	}
	if err := n.collections(tree); err != nil {
		return nil, "", err
	}
	return tree, postContext, b.err
}

// post is what Note and Question have in common.
type post interface {
	vocab.Type
	addressed
	SetActivityStreamsAttributedTo(vocab.ActivityStreamsAttributedToProperty)
	SetActivityStreamsUrl(vocab.ActivityStreamsUrlProperty)
	SetActivityStreamsInReplyTo(vocab.ActivityStreamsInReplyToProperty)
	SetActivityStreamsContext(vocab.ActivityStreamsContextProperty)
	SetActivityStreamsContent(vocab.ActivityStreamsContentProperty)
	SetActivityStreamsPublished(vocab.ActivityStreamsPublishedProperty)
	SetActivityStreamsUpdated(vocab.ActivityStreamsUpdatedProperty)
	SetActivityStreamsAttachment(vocab.ActivityStreamsAttachmentProperty)
}

func (b *builder) post(n *Note) (post, error) {
	var t post = streams.NewActivityStreamsNote()
	if n.Poll != nil {
		q := streams.NewActivityStreamsQuestion()
		if err := b.poll(q, n.Poll); err != nil {
			return nil, err
		}
		t = q
	}
	b.id(t, n.ID)
	b.attributedTo(t, n.AttributedTo)
	b.url(t, n.URL)
	b.address(t, n.To, n.CC)
	b.published(t, n.Published)
	if n.InReplyTo != "" {
		p := streams.NewActivityStreamsInReplyToProperty()
		p.AppendIRI(b.iri("inReplyTo", n.InReplyTo))
		t.SetActivityStreamsInReplyTo(p)
	}
	if n.Context != "" {
		p := streams.NewActivityStreamsContextProperty()
		p.AppendIRI(b.iri("context", n.Context))
		t.SetActivityStreamsContext(p)
	}
	if n.Language != "" {
		p := streams.NewActivityStreamsContentProperty()
		p.AppendRDFLangString(map[string]string{n.Language: n.Content})
		t.SetActivityStreamsContent(p)
	}
	if !n.Updated.IsZero() {
		p := streams.NewActivityStreamsUpdatedProperty()
		p.Set(wire(n.Updated))
		t.SetActivityStreamsUpdated(p)
	}
	if len(n.Attachments) > 0 {
		p := streams.NewActivityStreamsAttachmentProperty()
		for _, i := range n.Attachments {
			p.AppendActivityStreamsDocument(b.document(i))
		}
		t.SetActivityStreamsAttachment(p)
	}
	return t, nil
}

// document writes a picture as Mastodon does: a Document whose name is the
// text alternative.
func (b *builder) document(i Image) vocab.ActivityStreamsDocument {
	d := streams.NewActivityStreamsDocument()
	b.url(d, i.URL)
	b.mediaType(d, i.MediaType)
	b.name(d, i.Alt)
	if i.Width > 0 && i.Height > 0 {
		d.GetUnknownProperties()["width"] = i.Width
		d.GetUnknownProperties()["height"] = i.Height
	}
	return d
}

// poll writes options, counts and times. Servers read a poll only if there is
// exactly one of oneOf and anyOf, every option is a Note with a name and a
// count, and an end is set.
func (b *builder) poll(q vocab.ActivityStreamsQuestion, p *Poll) error {
	if len(p.Options) == 0 {
		return fmt.Errorf("poll: no options")
	}
	if p.EndTime.IsZero() {
		return fmt.Errorf("poll: end time is missing")
	}
	end := streams.NewActivityStreamsEndTimeProperty()
	end.Set(wire(p.EndTime))
	q.SetActivityStreamsEndTime(end)
	if !p.Closed.IsZero() {
		c := streams.NewActivityStreamsClosedProperty()
		c.AppendXMLSchemaDateTime(wire(p.Closed))
		q.SetActivityStreamsClosed(c)
	}
	voters := streams.NewTootVotersCountProperty()
	voters.Set(p.VotersCount)
	q.SetTootVotersCount(voters)

	one, any := streams.NewActivityStreamsOneOfProperty(), streams.NewActivityStreamsAnyOfProperty()
	for _, o := range p.Options {
		if o.Name == "" || o.TotalItems < 0 {
			return fmt.Errorf("poll: option %q with %d votes: a name and a count from 0 are needed", o.Name, o.TotalItems)
		}
		if p.Multiple {
			any.AppendActivityStreamsNote(b.option(o))
		} else {
			one.AppendActivityStreamsNote(b.option(o))
		}
	}
	if p.Multiple {
		q.SetActivityStreamsAnyOf(any)
	} else {
		q.SetActivityStreamsOneOf(one)
	}
	return nil
}

func (b *builder) option(o PollOption) vocab.ActivityStreamsNote {
	total := streams.NewActivityStreamsTotalItemsProperty()
	total.Set(o.TotalItems)
	c := streams.NewActivityStreamsCollection()
	c.SetActivityStreamsTotalItems(total)
	replies := streams.NewActivityStreamsRepliesProperty()
	replies.SetActivityStreamsCollection(c)
	note := streams.NewActivityStreamsNote()
	b.name(note, o.Name)
	note.SetActivityStreamsReplies(replies)
	return note
}

// tags gives mentions, which go-fed knows, and hashtags, which it does not.
func (b *builder) tags(n *Note) ([]any, error) {
	var all []any
	for _, m := range n.Mentions {
		t := streams.NewActivityStreamsMention()
		href := streams.NewActivityStreamsHrefProperty()
		href.Set(b.iri("mention", m.Href))
		t.SetActivityStreamsHref(href)
		b.name(t, m.Name)
		tree, err := b.serialize(t)
		if err != nil {
			return nil, err
		}
		all = append(all, tree)
	}
	for _, h := range n.Hashtags {
		all = append(all, map[string]any{
			"type": "Hashtag",
			"name": h.Name,
			"href": b.iri("hashtag", h.Href).String(),
		})
	}
	return all, b.err
}

// collections adds replies with its first page, likes and shares.
func (n *Note) collections(tree map[string]any) error {
	if n.Replies != "" {
		items := n.ReplyItems
		if items == nil {
			items = []string{}
		}
		page := &Collection{
			ID:     n.Replies + "?page=1",
			Type:   "CollectionPage",
			PartOf: n.Replies,
			Next:   n.RepliesNext,
			Items:  items,
		}
		all, _, err := (&Collection{ID: n.Replies, Type: "Collection", FirstPage: page}).part()
		if err != nil {
			return fmt.Errorf("replies: %w", err)
		}
		delete(all, "totalItems") // replies are moderated; the page counts for itself
		tree["replies"] = all
	}
	for name, c := range map[string]*Collection{
		"likes":  {ID: n.Likes, Type: "Collection", TotalItems: n.LikesTotal},
		"shares": {ID: n.Shares, Type: "Collection", TotalItems: n.SharesTotal},
	} {
		if c.ID == "" {
			continue
		}
		m, _, err := c.part()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		tree[name] = m
	}
	return nil
}
