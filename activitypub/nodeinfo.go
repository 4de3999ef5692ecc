package activitypub

import (
	"context"
	"encoding/json"
	"fmt"

	"inspraak/participation"
)

// NodeInfoLinks says where NodeInfo stands, and which actor signs what the
// node fetches (FEP-2677).
func (f *Federation) NodeInfoLinks() []byte {
	type link struct {
		Rel  string `json:"rel"`
		Href string `json:"href"`
	}
	raw, _ := json.Marshal(map[string][]link{"links": { // strings only: cannot fail
		{"http://nodeinfo.diaspora.software/ns/schema/2.1", f.URLs.Base + "/nodeinfo/2.1"},
		{"http://nodeinfo.diaspora.software/ns/schema/2.0", f.URLs.Base + "/nodeinfo/2.0"},
		{"https://www.w3.org/ns/activitystreams#Application", f.URLs.InstanceActor()},
	}})
	return raw
}

type nodeInfo struct {
	Version           string            `json:"version"`
	Software          software          `json:"software"`
	Protocols         []string          `json:"protocols"`
	Services          services          `json:"services"`
	OpenRegistrations bool              `json:"openRegistrations"`
	Usage             usage             `json:"usage"`
	Metadata          map[string]string `json:"metadata"`
}

type software struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

type services struct {
	Inbound  []string `json:"inbound"`
	Outbound []string `json:"outbound"`
}

type usage struct {
	Users      users `json:"users"`
	LocalPosts int   `json:"localPosts"`
}

type users struct {
	Total          int `json:"total"`
	ActiveMonth    int `json:"activeMonth"`
	ActiveHalfyear int `json:"activeHalfyear"`
}

// NodeInfo describes the node, in version "2.0" or "2.1"; another is
// participation.ErrNotFound. Its users are the channels, its posts what the
// channels' outboxes list. It counts no citizens.
func (f *Federation) NodeInfo(ctx context.Context, version string) ([]byte, error) {
	if version != "2.0" && version != "2.1" {
		return nil, fmt.Errorf("nodeinfo %.10q: %w: there is 2.0 and 2.1", version, participation.ErrNotFound)
	}
	channels, err := f.Service.Channels(ctx)
	if err != nil {
		return nil, fmt.Errorf("nodeinfo: %w", err)
	}
	posts := 0
	for _, c := range channels {
		_, total, err := f.Store.Activities(ctx, c.Name, 1, 0)
		if err != nil {
			return nil, fmt.Errorf("nodeinfo: %w", err)
		}
		posts += total
	}
	raw, err := json.Marshal(nodeInfo{
		Version:   version,
		Software:  software{Name: "inspraak", Version: f.Version},
		Protocols: []string{"activitypub"},
		Services:  services{Inbound: []string{}, Outbound: []string{"atom1.0"}},
		Usage: usage{
			Users:      users{Total: len(channels), ActiveMonth: len(channels), ActiveHalfyear: len(channels)},
			LocalPosts: posts,
		},
		Metadata: map[string]string{"nodeName": f.Name},
	})
	if err != nil {
		return nil, fmt.Errorf("nodeinfo: %w", err)
	}
	return raw, nil
}
