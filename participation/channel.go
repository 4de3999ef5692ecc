package participation

import (
	"fmt"
	"regexp"
	"time"
)

// Channel is an account of the municipality that can be followed alone: the
// municipality itself, a theme, a neighbourhood.
type Channel struct {
	Name     string // the user part of its handle, permanent
	Title    string
	Summary  string // Markdown source
	HTML     string // Summary made safe
	Language string // BCP 47
	Avatar   *Image
	Header   *Image
	Fields   []Field // shown in its profile, first one usually the website with rel=me
	Created  time.Time
}

// Field is a line of a profile. A Value that is an https address becomes a
// link with rel="me", which Mastodon verifies when that page links back.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Lower case, no hyphen: the part of Mastodon's and Misskey's rules for user
// names that every server agrees on.
var channelName = regexp.MustCompile(`^[a-z0-9_]{1,30}$`)

// Check says what keeps the channel from being published.
func (c Channel) Check() error {
	switch {
	case !channelName.MatchString(c.Name):
		return fmt.Errorf("%w: channel name %q: use 1 to 30 of a-z, 0-9 and _", ErrInvalid, c.Name)
	case c.Title == "" || len(c.Title) > 120:
		return fmt.Errorf("%w: channel title: give one of at most 120 bytes", ErrInvalid)
	case len(c.Summary) > 2000:
		return fmt.Errorf("%w: channel summary: at most 2,000 bytes (Misskey cuts at 2,048)", ErrInvalid)
	case len(c.Fields) > 4:
		return fmt.Errorf("%w: channel fields: at most 4", ErrInvalid)
	}
	for _, image := range []*Image{c.Avatar, c.Header} {
		if image != nil && image.Alt == "" {
			return fmt.Errorf("%w: image %s: give an alt text", ErrInvalid, image.Path)
		}
	}
	return nil
}
