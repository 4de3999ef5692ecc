package as2

import (
	"fmt"
	"time"
)

// An Object is a post, a tombstone, or what an activity embeds: another
// activity (as in Undo) or an actor. Strings are as sent; Content and Summary
// are untrusted HTML.
type Object struct {
	ID, Type      string
	AttributedTo  string
	Actor         string // of an embedded activity
	ObjectID      string // of an embedded activity: the id of its object
	InReplyTo     string
	Name, Content string
	Language      string // of Content, by contentMap; empty where unsaid
	Summary       string
	URL, Context  string
	Sensitive     bool

	Published, Updated time.Time // zero where absent
	EndTime, Closed    time.Time // of a Question

	To, CC      []string
	Attachments []Attachment
	Mentions    []string // hrefs of the mentioned actors
	Poll        *Poll    // of a Question with options
}

// An Attachment is a file that a foreign post shows. It is not fetched.
type Attachment struct {
	Type, URL, MediaType string
	Name                 string // text in place of the image
	Width, Height        int    // pixels, 0 where unsaid
}

// A Poll is the votable part of a Question.
type Poll struct {
	Multiple        bool // anyOf; else oneOf
	Options         []PollOption
	VotersCount     int
	EndTime, Closed time.Time // zero where absent
}

// A PollOption is one answer and how often it was given.
type PollOption struct {
	Name       string
	TotalItems int
}

// Object reads the document as a post or a Tombstone. Any other type is
// [ErrUnsupported]; a missing id is [ErrMalformed].
func (d *Document) Object() (*Object, error) {
	if kindOf(d.Type) != objectKind {
		return nil, fmt.Errorf("read object: %w", unsupported("object", d.Type))
	}
	o, err := readObject(d.tree)
	if err != nil {
		return nil, fmt.Errorf("read object: %w", err)
	}
	if o.ID == "" {
		return nil, fmt.Errorf("read object: %w", malformed("%s: id is missing", d.Type))
	}
	return o, nil
}

func readObject(tree map[string]any) (*Object, error) {
	r := reader{tree: tree}
	o := &Object{
		ID:           r.text("id"),
		Type:         r.text("type"),
		AttributedTo: r.text("attributedTo"),
		Actor:        r.text("actor"),
		InReplyTo:    r.id("inReplyTo"),
		Name:         r.text("name"),
		Summary:      r.text("summary"),
		URL:          r.url("url"),
		Sensitive:    r.flag("sensitive"),
		To:           r.ids("to"),
		CC:           r.ids("cc"),
	}
	if o.Type == "" {
		return nil, malformed("type is missing")
	}
	o.Content, o.Language = r.content()
	if list := r.list("context"); len(list) > 0 {
		o.Context, _ = identifier(list[0])
	}
	var inner []string
	if kindOf(o.Type) == activityKind {
		if inner = r.ids("object"); len(inner) > 0 {
			o.ObjectID = inner[0]
		}
	}
	o.Attachments = r.attachments()
	o.Mentions = r.mentions()
	if o.Type == "Question" {
		o.Poll = r.poll()
	}
	if r.err != nil {
		return nil, fmt.Errorf("%s: %w", o.Type, r.err)
	}
	t, err := typed(tree, inner)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Type, err)
	}
	o.Published, o.Updated = published(t), updated(t)
	if o.Type == "Question" {
		o.EndTime, o.Closed = endTime(t), closed(t)
	}
	if o.Poll != nil {
		o.Poll.EndTime, o.Poll.Closed = o.EndTime, o.Closed
	}
	return o, nil
}

func (r *reader) attachments() []Attachment {
	var all []Attachment
	for _, m := range r.nodes("attachment") {
		a := reader{tree: m}
		url := a.url("url")
		if url == "" {
			url = a.text("href") // a Link
		}
		if url == "" {
			continue
		}
		all = append(all, Attachment{
			Type:      a.text("type"),
			URL:       url,
			MediaType: a.text("mediaType"),
			Name:      a.text("name"),
			Width:     a.size("width"),
			Height:    a.size("height"),
		})
	}
	return all
}

func (r *reader) mentions() []string {
	var all []string
	for _, m := range r.nodes("tag") {
		tag := reader{tree: m}
		if tag.text("type") != "Mention" {
			continue
		}
		if href := tag.text("href"); href != "" {
			all = append(all, href)
		}
	}
	return all
}

// poll reads the options of a Question; nil if it has none. An option is known
// by its name, or by its content where a server puts the text there; one
// without either is left out. Counts must be whole numbers.
func (r *reader) poll() *Poll {
	p := &Poll{VotersCount: r.count("votersCount")}
	options := r.nodes("oneOf")
	if len(options) == 0 {
		options, p.Multiple = r.nodes("anyOf"), true
	}
	for _, m := range options {
		o := reader{tree: m}
		option := PollOption{Name: o.text("name")}
		if option.Name == "" {
			option.Name, _ = o.content()
		}
		if replies, ok := o.one("replies").(map[string]any); ok {
			c := reader{tree: replies}
			option.TotalItems = c.count("totalItems")
			o.err = firstError(o.err, c.err)
		}
		r.err = firstError(r.err, o.err)
		if option.Name != "" {
			p.Options = append(p.Options, option)
		}
	}
	if len(p.Options) == 0 {
		return nil
	}
	return p
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
