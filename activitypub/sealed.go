package activitypub

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"inspraak/participation"
)

// A parcel is what is sealed of an activity that nobody but its receiver may
// read: the inbox names that receiver.
type parcel struct {
	Inbox string `json:"inbox"`
	Body  []byte `json:"body"`
}

// parcelSize hides from the size of a sealed parcel what is in it.
const parcelSize = 4 << 10

// secretOf is the key of a consultation, "" being the node's own; ErrSealed if
// it is not here.
func (f *Federation) secretOf(consultation string) (*participation.Secret, error) {
	if consultation == "" {
		return f.Secrets.Node(), nil
	}
	return f.Secrets.Secret(consultation)
}

// seal makes an activity for one inbox unreadable where it is stored, until it
// is sent. What is left to see is the host, when it was queued and under whose
// key. It is gone once delivered, refused or given up.
func (f *Federation) seal(o Outgoing, consultation, inbox string) (Outgoing, error) {
	secret, err := f.secretOf(consultation)
	if err != nil {
		return Outgoing{}, fmt.Errorf("seal %s: %w", o.ID, err)
	}
	u, err := url.Parse(inbox)
	if err != nil {
		return Outgoing{}, fmt.Errorf("seal %s: inbox: %w", o.ID, err)
	}
	plain, err := json.Marshal(parcel{Inbox: inbox, Body: o.Body})
	if err != nil {
		return Outgoing{}, fmt.Errorf("seal %s: %w", o.ID, err)
	}
	if over := len(plain) % parcelSize; over > 0 {
		plain = append(plain, bytes.Repeat([]byte{' '}, parcelSize-over)...)
	}
	o.Sealed, o.Key, o.Body = true, consultation, secret.Seal(plain, []byte(o.ID))
	o.Inboxes = []string{u.Scheme + "://" + u.Host}
	return o, nil
}

// unseal undoes seal. errSpoilt and ErrSealed are for good: a key that is gone
// does not come back, and who wants an answer asks again.
func (f *Federation) unseal(d *Delivery) error {
	secret, err := f.secretOf(d.Key)
	if err != nil {
		return fmt.Errorf("unseal %s: %w", d.Activity, err)
	}
	plain, err := secret.Open(d.Body, []byte(d.Activity))
	if err != nil {
		return fmt.Errorf("unseal %s: %w: %w", d.Activity, errSpoilt, err)
	}
	var p parcel
	if err := json.Unmarshal(plain, &p); err != nil {
		return fmt.Errorf("unseal %s: %w: %w", d.Activity, errSpoilt, err)
	}
	d.Inbox, d.Body = p.Inbox, p.Body
	return nil
}

var errSpoilt = errors.New("what was sealed can no longer be read")
