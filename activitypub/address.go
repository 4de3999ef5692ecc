package activitypub

import (
	"fmt"
	"net/url"
	"strings"
)

// hostOf returns the host[:port] of an address in the one spelling that is
// accepted here: http(s), lower-case ASCII (punycode for others), no trailing
// dot, no port that is the scheme's own, no userinfo. Other spellings of the
// same host are refused, not corrected, so that a block or a ballot can never
// be evaded by spelling. Plain http passes only with the loopback switch.
func (f *Federation) hostOf(address string) (string, error) {
	if host, ok := plainHost(address); ok {
		return host, nil
	}
	return f.parsedHost(address)
}

func (f *Federation) parsedHost(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", fmt.Errorf("address %.200q: not an address", address)
	}
	host := u.Host
	plain := strings.HasPrefix(address, "http://")
	switch {
	case !strings.HasPrefix(address, "https://") && !(plain && f.Loopback):
		return "", fmt.Errorf("address %.200q: must begin with https://", address)
	case host == "" || u.User != nil:
		return "", fmt.Errorf("address %.200q: must have a host and no user", address)
	case strings.HasSuffix(u.Hostname(), ".") || host != strings.ToLower(host):
		return "", fmt.Errorf("address %.200q: write the host in lower case, without a final dot", address)
	case strings.HasSuffix(host, ":443") && !plain, strings.HasSuffix(host, ":80") && plain, strings.HasSuffix(host, ":"):
		return "", fmt.Errorf("address %.200q: leave out the default port", address)
	case !strings.HasPrefix(address[strings.Index(address, "//")+2:], host):
		return "", fmt.Errorf("address %.200q: write the host as it is", address)
	}
	for i := range len(host) {
		if host[i] >= 0x80 || host[i] == '%' {
			return "", fmt.Errorf("address %.200q: write the host in punycode", address)
		}
	}
	return host, nil
}

// plainHost is hostOf without a parser, for the common form: https, a host name
// without port, and printable ASCII without percent signs. Of others it says
// nothing.
func plainHost(address string) (host string, ok bool) {
	rest, ok := strings.CutPrefix(address, "https://")
	if !ok {
		return "", false
	}
	end := 0
	for end < len(rest) && (rest[end] >= 'a' && rest[end] <= 'z' || rest[end] >= '0' && rest[end] <= '9' || rest[end] == '.' || rest[end] == '-') {
		end++
	}
	if end == 0 || rest[end-1] == '.' {
		return "", false
	}
	for i := end; i < len(rest); i++ {
		if c := rest[i]; c <= ' ' || c > '~' || c == '%' || i == end && c != '/' {
			return "", false
		}
	}
	return rest[:end], true
}

// sameHost tells whether two addresses lie on one host, port included.
func (f *Federation) sameHost(a, b string) bool {
	ha, errA := f.hostOf(a)
	hb, errB := f.hostOf(b)
	return errA == nil && errB == nil && ha == hb
}

// withoutFragment is what can be fetched of an address.
func withoutFragment(address string) string {
	fetchable, _, _ := strings.Cut(address, "#")
	return fetchable
}

// consultationAt tells which consultation one of our addresses names, by ID or
// slug, whichever its path holds. Users' software sends both.
func (u URLs) consultationAt(address string) (idOrSlug string, ok bool) {
	path, ok := u.local(address)
	if !ok {
		return "", false
	}
	for _, room := range []string{"/o/", "/consultations/"} {
		if name, found := strings.CutPrefix(path, room); found && name != "" && !strings.Contains(name, "/") {
			return name, true
		}
	}
	return "", false
}

// channelAt tells which of our channels an actor address names.
func (u URLs) channelAt(address string) (name string, ok bool) {
	path, ok := u.local(address)
	if !ok {
		return "", false
	}
	name, found := strings.CutPrefix(path, "/a/")
	return name, found && name != "" && !strings.Contains(name, "/")
}
