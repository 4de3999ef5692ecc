package feed

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"time"

	"github.com/gorilla/feeds"
)

// Format is how a feed is written, and how its address ends.
type Format struct {
	Ending    string
	MediaType string
	write     func(f Feed, self string) ([]byte, error)
}

// Formats are Atom (RFC 4287), RSS 2.0 and JSON Feed 1.1, all with the same
// entries under the same ids.
func Formats() []Format {
	return []Format{
		{"atom", "application/atom+xml", Feed.atom},
		{"rss", "application/rss+xml", Feed.rss},
		{"json", "application/feed+json", Feed.json},
	}
}

// Write writes a feed.
func (f Format) Write(feed Feed) ([]byte, error) {
	body, err := f.write(feed, feed.Home+"/feed."+f.Ending)
	if err != nil {
		return nil, fmt.Errorf("write feed: %w", err)
	}
	return body, nil
}

// common is what the library makes all formats of.
func (f Feed) common() *feeds.Feed {
	return &feeds.Feed{Title: f.Title, Description: f.Title, Link: &feeds.Link{Href: f.Home, Rel: "alternate"}, Updated: f.Updated.UTC(), Items: f.items}
}

type atomFeed struct {
	*feeds.AtomFeed
	Lang string `xml:"http://www.w3.org/XML/1998/namespace lang,attr"`
	Self *feeds.AtomLink
}

func (f Feed) atom(self string) ([]byte, error) {
	atom := (&feeds.Atom{Feed: f.common()}).AtomFeed()
	atom.Id, atom.Subtitle = f.Home+"/feed.atom", ""
	atom.Author = &feeds.AtomAuthor{AtomPerson: feeds.AtomPerson{Name: f.Author, Uri: f.Home}}
	return document(atomFeed{atom, f.Lang, &feeds.AtomLink{Href: self, Rel: "self", Type: "application/atom+xml"}})
}

type rssDocument struct {
	XMLName xml.Name `xml:"rss"`
	Version string   `xml:"version,attr"`
	Content string   `xml:"xmlns:content,attr"`
	Atom    string   `xml:"xmlns:atom,attr"`
	Channel rssFeed
}

type rssFeed struct {
	*feeds.RssFeed
	Self selfLink `xml:"atom:link"`
}

type selfLink struct {
	Href string `xml:"href,attr"`
	Rel  string `xml:"rel,attr"`
	Type string `xml:"type,attr"`
}

func (f Feed) rss(self string) ([]byte, error) {
	rss := (&feeds.Rss{Feed: f.common()}).RssFeed()
	rss.Language, rss.PubDate, rss.LastBuildDate = f.Lang, "", f.Updated.UTC().Format(time.RFC1123Z)
	for i, item := range rss.Items {
		item.PubDate = f.items[i].Updated.Format(time.RFC1123Z)
		item.Author = ""                // RSS wants an e-mail address there
		item.Guid.IsPermaLink = "false" // an id, not a page
	}
	return document(rssDocument{
		Version: "2.0", Content: "http://purl.org/rss/1.0/modules/content/", Atom: "http://www.w3.org/2005/Atom",
		Channel: rssFeed{rss, selfLink{self, "self", "application/rss+xml"}},
	})
}

func document(v any) ([]byte, error) {
	body, err := xml.MarshalIndent(v, "", "  ")
	return append([]byte(xml.Header), body...), err
}

type jsonFeed struct {
	*feeds.JSONFeed
	Items []*feeds.JSONItem `json:"items"` // required, even if there are none
}

func (f Feed) json(self string) ([]byte, error) {
	j := (&feeds.JSON{Feed: f.common()}).JSONFeed()
	j.Language, j.FeedUrl, j.Description = f.Lang, self, ""
	j.Authors = []*feeds.JSONAuthor{{Name: f.Author, Url: f.Home}}
	for _, item := range j.Items {
		item.Author = nil // of version 1.0
		item.PublishedDate, item.ModifiedDate = seconds(item.PublishedDate), seconds(item.ModifiedDate)
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	err := encoder.Encode(jsonFeed{j, append([]*feeds.JSONItem{}, j.Items...)})
	return b.Bytes(), err
}

func seconds(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	whole := t.Truncate(time.Second)
	return &whole
}
