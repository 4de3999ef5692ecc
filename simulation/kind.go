// Package simulation is a small fediverse of our own making: servers that
// speak ActivityPub the way Mastodon, GoToSocial, Misskey, Akkoma and tootik
// do, with accounts that follow, vote, reply, edit, delete and report over
// real signed HTTP. The demo, the whole-node tests, the negative tests and the
// benchmarks use it as the other end of the wire.
//
// It is written on the standard library alone and shares no line with the
// node it talks to: its JSON and its HTTP signatures are its own, so that a
// mistake on one end cannot hide behind the same mistake on the other.
//
// It is not a server for people: nothing is stored on disk, texts are not
// sanitised, media are not fetched, and Linked Data signatures and integrity
// proofs are neither made nor checked.
package simulation

import "time"

// Kind names the server software that a Server behaves like.
type Kind string

// The kinds. GoToSocialOld is GoToSocial before 0.18, which sends all marks of
// one multiple-choice vote as one Create holding an array.
const (
	Mastodon      Kind = "mastodon"
	GoToSocial    Kind = "gotosocial"
	GoToSocialOld Kind = "gotosocial-0.17"
	Misskey       Kind = "misskey"
	Akkoma        Kind = "akkoma"
	Tootik        Kind = "tootik"
)

// Kinds lists every kind, in a fixed order.
func Kinds() []Kind {
	return []Kind{Mastodon, GoToSocial, GoToSocialOld, Misskey, Akkoma, Tootik}
}

// isGTS reports whether k is one of the two GoToSocial kinds.
func (k Kind) isGTS() bool { return k == GoToSocial || k == GoToSocialOld }

// public is the address of everyone (ActivityPub §5.6).
const public = "https://www.w3.org/ns/activitystreams#Public"

// activityStreams is the JSON-LD context every document must name.
const activityStreams = "https://www.w3.org/ns/activitystreams"

// The two media types of ActivityPub documents (ActivityPub §3.2).
const (
	activityJSON = "application/activity+json"
	ldJSON       = `application/ld+json; profile="https://www.w3.org/ns/activitystreams"`
)

// traits are the habits of a kind that are plain data; habits that need code
// are methods on Kind or switch statements beside the code they steer.
type traits struct {
	software, version string
	postType          string        // Content-Type of deliveries
	algorithm         string        // algorithm parameter of draft-cavage signatures
	getHeaders        []string      // signed on GET, in this order
	postHeaders       []string      // signed on POST, in this order
	signsQuery        bool          // whether (request-target) carries the query
	sharedInbox       string        // path of the shared inbox, "" if the kind has none
	votesToShared     bool          // votes go to the receiver's shared inbox when offered
	followsToShared   bool          // so do Follow, Like, Block and the like
	notesToShared     bool          // so do replies
	signedFetch       bool          // unsigned GETs are refused
	bodyLimit         int64         // largest accepted delivery, bytes
	dateBack, dateOn  time.Duration // accepted age and future of Date; 0 = not checked
	rfc9421           bool          // verifies RFC 9421 signatures
	refetchKey        bool          // fetches a key again when verification fails
	accepted          int           // status for an accepted delivery
	refused           int           // status for a bad signature
	stamp             string        // layout of published
}

// traits returns the habits of k. An unknown kind behaves like Mastodon.
func (k Kind) traits() traits {
	t := traits{
		software: "mastodon", version: "4.6.5", postType: activityJSON, algorithm: "rsa-sha256",
		getHeaders:  []string{"host", "date", "(request-target)"},
		postHeaders: []string{"host", "date", "digest", "content-type", "(request-target)"},
		signsQuery:  true, sharedInbox: "/inbox", notesToShared: true, bodyLimit: 1 << 20,
		dateBack: 65 * time.Minute, dateOn: time.Hour, rfc9421: true, refetchKey: true,
		accepted: 202, refused: 401, stamp: "2006-01-02T15:04:05Z",
	}
	switch k {
	case GoToSocial, GoToSocialOld:
		t.software, t.version = "gotosocial", "0.20.0"
		if k == GoToSocialOld {
			t.version = "0.17.3"
		}
		t.postType, t.algorithm = ldJSON, "hs2019"
		t.getHeaders = []string{"(request-target)", "host", "date"}
		t.postHeaders = []string{"(request-target)", "host", "date", "digest"}
		t.sharedInbox, t.votesToShared, t.followsToShared = "", true, true
		t.signedFetch, t.dateBack, t.dateOn, t.rfc9421, t.refetchKey = true, 0, 0, false, false
	case Misskey:
		t.software, t.version = "misskey", "2025.10.2"
		t.getHeaders = []string{"(request-target)", "date", "host", "accept"}
		t.postHeaders = []string{"(request-target)", "date", "host", "digest"}
		t.signsQuery, t.notesToShared, t.bodyLimit = false, false, 64<<10
		t.dateBack, t.dateOn, t.rfc9421, t.refetchKey = 5*time.Minute, 5*time.Minute, false, false
		t.stamp = "2006-01-02T15:04:05.000Z"
	case Akkoma:
		t.software, t.version = "akkoma", "3.16.0"
		t.getHeaders = []string{"(request-target)", "host", "date"}
		t.postHeaders = []string{"(request-target)", "host", "date", "digest", "content-length"}
		t.signsQuery, t.votesToShared = false, true
		t.dateBack, t.dateOn, t.rfc9421, t.refetchKey = 0, 0, false, false
		t.accepted, t.refused, t.stamp = 200, 400, "2006-01-02T15:04:05.000000Z"
	case Tootik:
		t.software, t.version = "tootik", "0.24.1"
		t.postType = ldJSON
		t.getHeaders = []string{"(request-target)", "host", "date"}
		t.postHeaders = []string{"(request-target)", "host", "date", "content-type", "digest"}
		t.signsQuery, t.sharedInbox, t.notesToShared = false, "/inbox/nobody", false
		t.dateBack, t.dateOn = 5*time.Minute, 5*time.Minute
		t.stamp = "2006-01-02T15:04:05.000000000Z"
	}
	return t
}

// Schedule returns the waits between delivery attempts of the real server:
// Mastodon 16 retries over some three days, GoToSocial 5 within about four
// minutes, Misskey 12 over about 32 hours, Akkoma 6 within a day. Scale it
// down for Config.Retry.
func (k Kind) Schedule() []time.Duration {
	var waits []time.Duration
	switch k {
	case GoToSocial, GoToSocialOld:
		for s := 8; s <= 128; s *= 2 {
			waits = append(waits, time.Duration(s)*time.Second)
		}
	case Misskey:
		for n := 1; n <= 12; n++ {
			waits = append(waits, min(time.Duration(1<<n-1)*time.Minute, 8*time.Hour))
		}
	case Akkoma:
		for n := 1; n <= 6; n++ {
			waits = append(waits, time.Duration(n*n*n)*6*time.Minute+15*time.Second)
		}
	default:
		for n := 0; n < 16; n++ {
			waits = append(waits, time.Duration(n*n*n*n+15)*time.Second)
		}
	}
	return waits
}

// retries reports whether k tries again after the given answer. Mastodon
// drops a delivery for good on 501 and on every 4xx but 401, 408 and 429;
// GoToSocial and Misskey on every 4xx but 429; Akkoma only on 410.
func (k Kind) retries(status int) bool {
	switch {
	case status >= 200 && status < 300:
		return false
	case k == Akkoma:
		return status != 410
	case status == 501 && k == Mastodon:
		return false
	case status == 429 || status >= 500:
		return true
	case status == 401 || status == 408:
		return k == Mastodon
	}
	return false
}
