package activitypub

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"strings"

	"inspraak/activitypub/as2"
	"inspraak/participation"
)

// jrd is a JSON Resource Descriptor (RFC 7033 §4.4).
type jrd struct {
	Subject string    `json:"subject"`
	Aliases []string  `json:"aliases"`
	Links   []jrdLink `json:"links"`
}

type jrdLink struct {
	Rel      string `json:"rel"`
	Type     string `json:"type,omitempty"`
	Href     string `json:"href,omitempty"`
	Template string `json:"template,omitempty"` // RFC 6415 §4.4; never ours
}

// WebFinger describes one of our actors (RFC 7033). The resource may be
// acct:user@host, user@host, @user@host, or the address of the actor or its
// profile, in any case. The instance actor goes by acct:HOST@HOST. A missing
// or unreadable resource is participation.ErrInvalid; anything that is not
// ours is participation.ErrNotFound.
//
// No subscribe template is offered: nobody has an account here to act from.
func (f *Federation) WebFinger(ctx context.Context, resource string) ([]byte, error) {
	if strings.TrimSpace(resource) == "" {
		return nil, fmt.Errorf("webfinger: %w: give a resource, such as acct:name@%s", participation.ErrInvalid, f.URLs.Host)
	}
	name, err := f.account(strings.ToLower(strings.TrimSpace(resource)))
	if err != nil {
		return nil, fmt.Errorf("webfinger: %w", err)
	}
	if name == InstanceKey {
		return marshalJRD(jrd{
			Subject: "acct:" + f.URLs.Host + "@" + f.URLs.Host,
			Aliases: []string{f.URLs.InstanceActor()},
			Links:   []jrdLink{{Rel: "self", Type: mediaType, Href: f.URLs.InstanceActor()}},
		})
	}
	c, err := f.Service.Channel(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("webfinger: %w", err)
	}
	d := jrd{
		Subject: "acct:" + c.Name + "@" + f.URLs.Host,
		Aliases: []string{f.URLs.Actor(c.Name), f.URLs.Profile(c.Name)},
		Links: []jrdLink{
			{Rel: "self", Type: mediaType, Href: f.URLs.Actor(c.Name)},
			{Rel: "http://webfinger.net/rel/profile-page", Type: "text/html", Href: f.URLs.Profile(c.Name)},
		},
	}
	if c.Avatar != nil {
		d.Links = append(d.Links, jrdLink{
			Rel: "http://webfinger.net/rel/avatar", Type: c.Avatar.MediaType, Href: f.URLs.Media(c.Avatar.Path),
		})
	}
	return marshalJRD(d)
}

func marshalJRD(d jrd) ([]byte, error) {
	raw, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("webfinger: %w", err)
	}
	return raw, nil
}

// mediaType is how our documents are served, announced and delivered.
const mediaType = "application/activity+json"

// account tells which actor a resource in lower case names: a channel's name,
// or InstanceKey.
func (f *Federation) account(resource string) (string, error) {
	unknown := fmt.Errorf("%w: %.200q is no account here", participation.ErrNotFound, resource)
	if strings.HasPrefix(resource, "https://") || strings.HasPrefix(resource, "http://") {
		path, ok := f.URLs.local(resource)
		if !ok {
			return "", unknown
		}
		if path == "/actor" {
			return InstanceKey, nil
		}
		for _, room := range []string{"/a/", "/@"} {
			if name, found := strings.CutPrefix(path, room); found && name != "" && !strings.Contains(name, "/") {
				return name, nil
			}
		}
		return "", unknown
	}
	handle := strings.TrimPrefix(strings.TrimPrefix(resource, "acct:"), "@")
	user, host, found := strings.Cut(handle, "@")
	switch {
	case !found || user == "" || host == "":
		return "", fmt.Errorf("%w: %.200q is no account; write acct:name@%s", participation.ErrInvalid, resource, f.URLs.Host)
	case host != f.URLs.Host:
		return "", unknown
	case user == f.URLs.Host:
		return InstanceKey, nil
	}
	return user, nil
}

// HostMeta points to WebFinger (RFC 6415). Akkoma and Pleroma ask here first.
func (f *Federation) HostMeta() []byte {
	return []byte(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
		`<XRD xmlns="http://docs.oasis-open.org/ns/xri/xrd-1.0">` +
		`<Link rel="lrdd" type="application/jrd+json" template="` +
		html.EscapeString(f.URLs.Base) + `/.well-known/webfinger?resource={uri}"/></XRD>` + "\n")
}

// implements is what our actors say they understand (FEP-844e).
var implements = []as2.Specification{
	{Name: "RFC-9421: HTTP Message Signatures", Href: "https://datatracker.ietf.org/doc/html/rfc9421"},
}
