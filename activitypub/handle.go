package activitypub

import (
	"net"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// maxHandle is the longest handle or profile address that is looked at, in bytes.
const maxHandle = 300

// An acct says where somebody has their account: server in its ASCII form, port
// included where one may be named, and the name there if one was given.
type acct struct{ user, host string }

// readHandle understands @name@server, name@server, acct:name@server, a server
// alone, and the address of a profile. What a copy brings along at either end,
// spaces and invisible marks, is dropped; inside they are not accepted.
func (f *Federation) readHandle(text string) (acct, bool) {
	text = strings.TrimFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) })
	if text == "" || len(text) > maxHandle || !utf8.ValidString(text) {
		return acct{}, false
	}
	text = strings.ReplaceAll(text, "＠", "@")
	if strings.Contains(text, "/") {
		return f.readProfile(text)
	}
	text = strings.TrimPrefix(strings.TrimPrefix(text, "acct:"), "@")
	user, server, named := strings.Cut(text, "@")
	if !named {
		user, server = "", text
	} else if !isUser(user) {
		return acct{}, false
	}
	host, ok := f.serverName(server)
	return acct{user, host}, ok
}

// readProfile takes server and name out of the address of a profile or of a post.
func (f *Federation) readProfile(address string) (acct, bool) {
	if !strings.Contains(address, "://") {
		address = "https://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.Opaque != "" {
		return acct{}, false
	}
	host, ok := f.serverName(u.Host)
	if !ok {
		return acct{}, false
	}
	path := strings.TrimPrefix(u.Path, "/")
	name, found := strings.CutPrefix(path, "@") // Mastodon, GoToSocial, Misskey
	if !found {
		name, _ = strings.CutPrefix(path, "users/") // Akkoma, and ids of Mastodon
		found = name != path
	}
	name, _, _ = strings.Cut(name, "/")
	if !found || !isUser(name) { // @name@elsewhere is somebody else, seen from the own server
		name = ""
	}
	return acct{name, host}, true
}

// isUser accepts the names that accounts have in the fediverse.
func isUser(name string) bool {
	for _, r := range name {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_.-+~", r) {
			return false
		}
	}
	return name != ""
}

// serverName brings a host to its ASCII form. It must be a full name; a port may
// be named on one machine only.
func (f *Federation) serverName(text string) (host string, ok bool) {
	name, port := text, ""
	if h, p, err := net.SplitHostPort(text); err == nil && f.Loopback {
		name, port = h, ":"+p
	}
	name, err := idna.New(idna.MapForLookup(), idna.BidiRule(), idna.VerifyDNSLength(true)).ToASCII(name)
	if err != nil || name == "" || !strings.Contains(name, ".") && !f.Loopback {
		return "", false
	}
	if _, err := f.Client.parse("https://" + name + port); err != nil {
		return "", false
	}
	return name + port, true
}
