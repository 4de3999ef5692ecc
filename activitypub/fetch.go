package activitypub

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"syscall"

	"inspraak/activitypub/as2"
	"inspraak/activitypub/signature"
)

// get fetches one ActivityStreams document, signed by the instance actor, and
// sorts failures into those worth waiting for (errUnreachable), those that are
// not (errNoKey, errGone), and trouble of ours, which is none of these.
func (f *Federation) get(ctx context.Context, address string) (*as2.Document, error) {
	if _, err := f.hostOf(address); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoKey, err)
	}
	if f.URLs.ours(address) {
		return nil, fmt.Errorf("%w: %s is this node's own", errNoKey, address)
	}
	answer, err := f.Client.Get(ctx, address, acceptActivity, f.signer(InstanceKey, nil, signature.Cavage))
	if err != nil {
		if ourTrouble(err) {
			return nil, fmt.Errorf("fetch %s: %w", address, err)
		}
		if worthWaiting(err) {
			return nil, fmt.Errorf("fetch %s: %w: %w", address, errUnreachable, err)
		}
		return nil, fmt.Errorf("fetch %s: %w: %w", address, errNoKey, err)
	}
	switch status := answer.Status; {
	case status == http.StatusGone:
		return nil, fmt.Errorf("fetch %s: %w", address, errGone)
	case status == http.StatusNotFound:
		return nil, fmt.Errorf("fetch %s: %w", address, errAbsent)
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status >= 500,
		status == http.StatusUnauthorized, status == http.StatusForbidden: // it could not fetch our own key to check ours
		return nil, fmt.Errorf("fetch %s: %w: it answered %d", address, errUnreachable, status)
	case status != http.StatusOK:
		return nil, fmt.Errorf("fetch %s: %w: it answered %d", address, errNoKey, status)
	case !IsActivityStreams(answer.Header.Get("Content-Type")):
		return nil, fmt.Errorf("fetch %s: %w: it is not an ActivityStreams document", address, errNoKey)
	case answer.FinalURL != address && !f.sameHost(answer.FinalURL, address):
		return nil, fmt.Errorf("fetch %s: %w: it was redirected to another host", address, errNoKey)
	}
	doc, err := as2.Decode(answer.Body)
	if err != nil {
		return nil, fmt.Errorf("fetch %s: %w: %w", address, errNoKey, err)
	}
	return doc, nil
}

const acceptActivity = `application/activity+json, application/ld+json; profile="https://www.w3.org/ns/activitystreams"`

// ourTrouble tells whether a request failed on this machine: a key that cannot
// be read, no file descriptor or port left. It says nothing about the peer.
func ourTrouble(err error) bool {
	for _, ours := range []error{errSign, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL} {
		if errors.Is(err, ours) {
			return true
		}
	}
	return false
}

func worthWaiting(err error) bool {
	var fetch *FetchError
	if errors.As(err, &fetch) {
		return fetch.Temporary()
	}
	return true // a deadline of ours, or cancelled
}
