package simulation

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// uuid makes an identifier in UUID form. The caller holds s.mu.
func (s *Server) uuid() string {
	s.serial++
	sum := sha256.Sum256(fmt.Appendf(nil, "uuid %d %d", s.config.Seed, s.serial))
	x := hex.EncodeToString(sum[:])
	return x[:8] + "-" + x[8:12] + "-4" + x[13:16] + "-a" + x[17:20] + "-" + x[20:32]
}

// mastodonContext is the context of Mastodon's posts.
func mastodonContext() any {
	return []any{activityStreams, object{
		"ostatus": "http://ostatus.org#", "atomUri": "ostatus:atomUri", "conversation": "ostatus:conversation",
		"sensitive": "as:sensitive", "toot": "http://joinmastodon.org/ns#", "votersCount": "toot:votersCount",
		"gts":               "https://gotosocial.org/ns#",
		"interactionPolicy": object{"@id": "gts:interactionPolicy", "@type": "@id"},
		"canQuote":          object{"@id": "gts:canQuote", "@type": "@id"},
		"automaticApproval": object{"@id": "gts:automaticApproval", "@type": "@id"}}}
}

// misskeyContext is the context of everything Misskey sends.
func misskeyContext() any {
	return []any{activityStreams, "https://w3id.org/security/v1", object{
		"sensitive": "as:sensitive", "Hashtag": "as:Hashtag", "misskey": "https://misskey-hub.net/ns#",
		"_misskey_content": "misskey:_misskey_content", "_misskey_reaction": "misskey:_misskey_reaction",
		"_misskey_votes": "misskey:_misskey_votes", "isCat": "misskey:isCat"}}
}

// tootikContext is the context of everything tootik sends.
func tootikContext() any {
	return []any{activityStreams, "https://w3id.org/security/data-integrity/v1", "https://w3id.org/security/v1"}
}

// plainContext is the context of activities without a post in them.
func (s *Server) plainContext() any {
	switch s.kind {
	case Misskey:
		return misskeyContext()
	case Tootik:
		return tootikContext()
	}
	return s.context(activityStreams)
}

// activityID makes the id of an activity: what names its sort, such as
// "likes", in the spelling of the kind. The caller holds s.mu.
func (a *Account) activityID(sort string) string {
	s := a.server
	switch s.kind {
	case GoToSocial, GoToSocialOld:
		if sort == "undo" || sort == "delete" || sort == "move" {
			return s.base + "/" + s.newID()
		}
		switch sort {
		case "likes":
			sort = "liked"
		case "follows":
			sort = "follow"
		}
		return a.id + "/" + sort + "/" + s.newID()
	case Misskey:
		return s.base + "/" + sort + "/" + s.newID()
	case Akkoma:
		return s.base + "/activities/" + s.newID()
	case Tootik:
		return s.base + "/" + strings.TrimSuffix(sort, "s") + "/" + s.newID()
	}
	if sort == "follows" || sort == "blocks" || sort == "reports" {
		return s.base + "/" + s.uuid()
	}
	return a.id + "#" + sort + "/" + s.newID()
}

// activity makes an activity of the account about object o. The caller holds s.mu.
func (a *Account) activity(kind, sort string, o any) object {
	return object{"@context": a.server.plainContext(), "id": a.activityID(sort), "type": kind, "actor": a.id, "object": o}
}
