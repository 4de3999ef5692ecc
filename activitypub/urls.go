package activitypub

import (
	"fmt"
	"net/url"
	"strings"

	"inspraak/participation"
)

// URLs names everything the node publishes. An address once published never
// changes: other servers keep it for good.
type URLs struct {
	Base string // scheme://host[:port], no trailing slash
	Host string // host[:port], as in handles and the Host header
}

// NewURLs parses the node's base address, such as https://inspraak.example.
func NewURLs(base string) (URLs, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") ||
		strings.TrimSuffix(base, "/") != u.Scheme+"://"+u.Host || u.Host != strings.ToLower(u.Host) {
		return URLs{}, fmt.Errorf("base address %q: give scheme and host only, such as https://inspraak.example", base)
	}
	return URLs{Base: u.Scheme + "://" + u.Host, Host: u.Host}, nil
}

func (u URLs) InstanceActor() string             { return u.Base + "/actor" }
func (u URLs) SharedInbox() string               { return u.Base + "/inbox" }
func (u URLs) Actor(channel string) string       { return u.Base + "/a/" + channel }
func (u URLs) Followers(channel string) string   { return u.Actor(channel) + "/followers" }
func (u URLs) Profile(channel string) string     { return u.Base + "/@" + channel }
func (u URLs) Object(id string) string           { return u.Base + "/o/" + id }
func (u URLs) Page(slug string) string           { return u.Base + "/consultations/" + slug }
func (u URLs) PostPage(slug, post string) string { return u.Page(slug) + "/posts/" + post }
func (u URLs) Receipt(slug, token string) string { return u.Page(slug) + "/receipt/" + token }
func (u URLs) Short(name string) string          { return u.Base + "/c/" + name }
func (u URLs) MyData(token string) string        { return u.Base + "/my-data/" + token }
func (u URLs) Tag(name string) string            { return u.Base + "/tags/" + strings.ToLower(name) }
func (u URLs) Logs() string                      { return u.Base + "/logs" }
func (u URLs) Media(path string) string          { return u.Base + "/media/" + path }
func (u URLs) Handle(channel string) string      { return "@" + channel + "@" + u.Host }

// Site is what the domain knows of these addresses.
func (u URLs) Site() participation.Site {
	return participation.Site{Host: u.Host, Object: u.Object, Page: u.Page}
}

// KeyID is the id of an actor's public key.
func KeyID(actor string) string { return actor + "#main-key" }

// ours tells whether an address lies on this node, comparing parsed hosts.
func (u URLs) ours(address string) bool {
	a, err := url.Parse(address)
	return err == nil && strings.EqualFold(a.Host, u.Host)
}

// local strips scheme and host from one of our addresses: its path, without a
// trailing slash. Scheme and the case of the host are not compared: users'
// software rewrites both.
func (u URLs) local(address string) (path string, ok bool) {
	a, err := url.Parse(address)
	if err != nil || !strings.EqualFold(a.Host, u.Host) || a.RawQuery != "" || a.User != nil {
		return "", false
	}
	return strings.TrimSuffix(a.Path, "/"), true
}
