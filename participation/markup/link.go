package markup

import (
	"net"
	"net/url"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

const maxURL = 2000 // bytes

// safeURL reads the href of a stranger and returns it in one spelling, with its
// host (and port) in ASCII. Other schemes than http and https, user names, and
// what does not parse are refused.
func safeURL(href string) (address, host string, ok bool) {
	u, err := url.Parse(strings.TrimSpace(clean(href)))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Opaque != "" {
		return "", "", false
	}
	name := u.Hostname()
	if !strings.Contains(name, ":") {
		profile := idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false))
		if name, err = profile.ToASCII(name); err != nil || name == "" {
			return "", "", false
		}
	}
	for i := range len(name) {
		if c := name[i]; !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("-._:", c) >= 0) {
			return "", "", false
		}
	}
	switch port := u.Port(); {
	case port != "":
		u.Host = net.JoinHostPort(name, port)
	case strings.Contains(name, ":"):
		u.Host = "[" + name + "]"
	default:
		u.Host = name
	}
	address = u.String()
	if again, err := url.Parse(address); err != nil || again.String() != address || len(address) > maxURL || strings.ContainsAny(address, " \n") {
		return "", "", false
	}
	return address, u.Host, true
}

// misleads reports whether the text of a link names a host, and another than the
// link leads to. It would rather say so once too often: the answer is only that
// the real host is shown too.
func misleads(shown, host string) bool {
	shown = strings.Map(func(r rune) rune {
		switch r {
		case '\u200c', '\u200d': // joiners, which show nothing
			return -1
		case '。': // a full stop to IDNA
			return '.'
		}
		return r
	}, strings.ToLower(norm.NFKC.String(shown)))
	shown = strings.TrimSpace(shown)
	host = strings.TrimPrefix(host, "www.")

	// The usual case: the text is the address, or its beginning.
	_, rest, found := strings.Cut(shown, "://")
	if !found {
		rest = shown
	}
	if rest, ok := strings.CutPrefix(strings.TrimPrefix(rest, "www."), host); ok {
		if rest == "" || strings.ContainsRune("/?#…", []rune(rest)[0]) {
			return false
		}
	}
	words := strings.FieldsFunc(shown, func(r rune) bool {
		return r != '.' && r != '-' && r != '_' && !unicode.In(r, unicode.L, unicode.N, unicode.M)
	})
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	for _, word := range words {
		if word = strings.Trim(word, "."); namesHost(word) && strings.TrimPrefix(word, "www.") != name {
			return true
		}
	}
	return false
}

// namesHost reports whether a word looks like a host: labels with dots between
// them, the last with a letter; or four numbers.
func namesHost(word string) bool {
	dots := strings.Count(word, ".")
	if dots == 0 {
		return false
	}
	last := word[strings.LastIndexByte(word, '.')+1:]
	return strings.IndexFunc(last, unicode.IsLetter) >= 0 || dots == 3
}
