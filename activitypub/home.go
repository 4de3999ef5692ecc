package activitypub

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Home is how somebody reaches a post or an account of ours on the server where
// they have their own account.
type Home struct {
	Host string // of that server
	URL  string // of its page for this; "" if it has none, and the address must be pasted into a search field
	Base string // where that server's own pages begin
}

// NoHome says why no way home was found. It never holds what was typed: of that
// only the server, where one could be read.
type NoHome struct {
	Why  string // one of the constants below
	Host string
}

func (e *NoHome) Error() string { return "no way to the own server: " + e.Why }

// Why there is no way home.
const (
	NoHandle  = "no-handle" // nothing that names an account or a server
	OurHandle = "ours"      // it names this node
	NoServer  = "no-server" // no server of that name can be found
	NoAnswer  = "no-answer" // it does not answer now
	NoFedi    = "no-fedi"   // it answers, and knows nothing of the fediverse
	BadAnswer = "nonsense"  // what it answers cannot be used, or leads elsewhere
	TooMany   = "too-many"  // lookups from one source, or to one server
)

const (
	homeWithin  = 3 * time.Second // all of a search
	maxTemplate = 1000            // bytes
)

// Relations of a WebFinger link whose template shows a post or an account on the
// own server: FEP-3b86, and the one of OStatus that Mastodon, Misskey, Akkoma and
// most others offer.
const (
	intentObject = "https://w3id.org/fep/3b86/Object"
	intentFollow = "https://w3id.org/fep/3b86/Follow"
	subscribe    = "http://ostatus.org/schema/1.0/subscribe"
)

// Home finds the page of somebody's own server for a post of ours, or for
// following an account if follow is set: by the templates in WebFinger of that
// account, else by what NodeInfo says of the software. It asks at most four times,
// for three seconds in all, and keeps to budgets per source and per server; what
// it remembers are templates of servers, in memory, for an hour, without names.
// Nothing of it is logged.
//
// The page lies on the server that was named, below it, or where it sent us for
// WebFinger itself; anything else a template says is refused. The error is a
// *NoHome; with it comes the server, if one could be read.
func (f *Federation) Home(ctx context.Context, typed, object string, follow bool, source string) (Home, error) {
	who, ok := f.readHandle(typed)
	switch {
	case !ok:
		return Home{}, &NoHome{Why: NoHandle}
	case strings.EqualFold(who.host, f.URLs.Host):
		return Home{}, &NoHome{Why: OurHandle}
	}
	found, err := f.homes.of(ctx, f, who, follow, source)
	if err != nil {
		return Home{Host: who.host, Base: f.scheme() + who.host + "/"}, err
	}
	return found.home(object), nil
}

// scheme is that of other servers' addresses.
func (f *Federation) scheme() string {
	if f.Loopback {
		return "http://"
	}
	return "https://"
}

// A way is what is known of a server: the template of its page, "" if it has none.
type way struct {
	host, base, template string
}

var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

// home fills a template: what is not known becomes empty (FEP-3b86).
func (w way) home(object string) Home {
	at := placeholder.ReplaceAllStringFunc(w.template, func(name string) string {
		if name == "{uri}" || name == "{object}" {
			return url.QueryEscape(object)
		}
		return ""
	})
	return Home{Host: w.host, URL: at, Base: w.base}
}

// A finger is what a server says of an account, and where it says so.
type finger struct {
	jrd
	at string // host that answered
}

// search looks a server up. The error is a *NoHome.
func (f *Federation) search(ctx context.Context, who acct, follow bool) (way, error) {
	ctx, cancel := context.WithTimeout(ctx, homeWithin)
	defer cancel()
	hosts := []string{who.host}
	if who.user != "" {
		about, err := f.finger(ctx, who)
		if err != nil {
			return way{}, err
		}
		template, err := f.template(about, follow, who.host)
		if other, elsewhere := f.alias(who, about); elsewhere && template == "" {
			who = other
			if about, err = f.finger(ctx, who); err == nil {
				template, err = f.template(about, follow, who.host)
			}
		}
		if err != nil || template != "" {
			return way{who.host, f.scheme() + hostAt(template) + "/", template}, err
		}
		hosts = []string{who.host, about.at}
	}
	software, at, err := f.software(ctx, who.host, hosts)
	if err != nil {
		return way{}, err
	}
	w := way{who.host, f.scheme() + at + "/", ""}
	if path := interactionPath(software); path != "" {
		w.template = f.scheme() + at + path
	}
	return w, nil
}

// finger asks WebFinger (RFC 7033). A server that does not know the account is no
// error: it may know what to do all the same.
func (f *Federation) finger(ctx context.Context, who acct) (finger, error) {
	address := f.scheme() + who.host + "/.well-known/webfinger?resource=" + url.QueryEscape("acct:"+who.user+"@"+who.host)
	answer, err := f.ask(ctx, who.host, address, "application/jrd+json, application/json")
	if err != nil {
		return finger{}, err
	}
	about := finger{at: hostAt(answer.FinalURL)}
	if answer.Status == http.StatusOK && json.Unmarshal(answer.Body, &about.jrd) != nil {
		return finger{}, &NoHome{BadAnswer, who.host}
	}
	return about, nil
}

// alias tells whether a name at somebody's own domain stands for an account on
// another server, whose templates are then for that server to say.
func (f *Federation) alias(who acct, about finger) (acct, bool) {
	other, ok := f.readHandle(about.Subject)
	if !ok || other.user == "" || within(other.host, who.host) || within(other.host, about.at) || strings.EqualFold(other.host, f.URLs.Host) {
		return acct{}, false
	}
	return other, true
}

// template picks the link and checks where it leads. With none of them it is "",
// with one that cannot be used an error too.
func (f *Federation) template(about finger, follow bool, host string) (string, error) {
	rels := []string{intentObject, subscribe}
	if follow {
		rels = []string{intentFollow, subscribe, intentObject}
	}
	for _, rel := range rels {
		for _, l := range about.Links {
			if l.Rel != rel || l.Template == "" {
				continue
			}
			known := strings.Contains(l.Template, "{uri}") || strings.Contains(l.Template, "{object}")
			u, err := f.Client.parse(way{template: l.Template}.home("https://example/").URL)
			if !known || err != nil || len(l.Template) > maxTemplate || !within(u.Host, host) && !within(u.Host, about.at) {
				return "", &NoHome{BadAnswer, host}
			}
			return l.Template, nil
		}
	}
	return "", nil
}

// software asks NodeInfo what a server runs, and tells which host answered.
func (f *Federation) software(ctx context.Context, host string, hosts []string) (name, at string, err error) {
	answer, err := f.ask(ctx, host, f.scheme()+host+"/.well-known/nodeinfo", "application/json")
	if err != nil {
		return "", "", err
	}
	var links jrd
	if answer.Status >= 500 || answer.Status == http.StatusTooManyRequests {
		return "", "", &NoHome{NoAnswer, host}
	}
	if answer.Status != http.StatusOK || json.Unmarshal(answer.Body, &links) != nil {
		return "", "", &NoHome{NoFedi, host}
	}
	hosts = append(slices.Clone(hosts), hostAt(answer.FinalURL))
	for _, l := range links.Links {
		u, err := f.Client.parse(l.Href)
		if err != nil || !strings.HasPrefix(l.Rel, "http://nodeinfo.diaspora.software/ns/schema/") {
			continue
		}
		if !slices.ContainsFunc(hosts, func(h string) bool { return within(u.Host, h) }) {
			return "", "", &NoHome{BadAnswer, host}
		}
		if answer, err = f.ask(ctx, host, u.String(), "application/json"); err != nil {
			return "", "", err
		}
		var info nodeInfo
		if json.Unmarshal(answer.Body, &info) != nil { // only the name matters; without one it is a server all the same
			return "", u.Host, nil
		}
		return strings.ToLower(info.Software.Name), u.Host, nil
	}
	return "", "", &NoHome{NoFedi, host}
}

// interactionPath is where software shows a post of elsewhere to its users, for
// servers that say what they run and give no template. GoToSocial has no such
// page; Misskey's opens what its lookup page would.
func interactionPath(software string) string {
	switch software {
	case "mastodon", "hometown", "friendica":
		return "/authorize_interaction?uri={uri}"
	case "misskey", "sharkey", "iceshrimp", "cherrypick", "firefish", "foundkey":
		return "/authorize-follow?acct={uri}"
	case "akkoma", "pleroma":
		return "/ostatus_subscribe?acct={uri}"
	}
	return ""
}

// ask fetches one document. What goes wrong is told without the address.
func (f *Federation) ask(ctx context.Context, host, address, accept string) (*Response, error) {
	answer, err := f.Client.Ask(ctx, address, accept)
	if err == nil {
		return answer, nil
	}
	why := NoAnswer
	var failed *FetchError
	var dns *net.DNSError
	switch {
	case errors.As(err, &failed) && !failed.Temporary():
		why = BadAnswer
		if hostAt(failed.URL) == host && (errors.Is(err, ErrBlockedAddress) || errors.Is(err, ErrURL)) {
			why = NoServer
		}
	case errors.As(err, &dns) && dns.IsNotFound:
		why = NoServer
	}
	return nil, &NoHome{why, host}
}

// within tells whether a host is another one or lies below it.
func within(host, other string) bool {
	return other != "" && (strings.EqualFold(host, other) || strings.HasSuffix(strings.ToLower(host), "."+strings.ToLower(other)))
}

func hostAt(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}
