package activitypub

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"inspraak/activitypub/as2"
	"inspraak/activitypub/signature"
)

// AskKey asks an account's server, unsigned, which key it gives under an id now,
// and returns its fingerprint as a Claim has it; "" if the account has no such
// key. An error means that the server did not tell: some serve accounts only to
// signed requests, and GoToSocial then still serves the key alone.
func AskKey(ctx context.Context, client *Client, actor, keyID string) (fingerprint string, err error) {
	fingerprint, err = askKey(ctx, client, actor, actor, keyID)
	if at := withoutFragment(keyID); err != nil && at != actor {
		return askKey(ctx, client, at, actor, keyID)
	}
	return fingerprint, err
}

func askKey(ctx context.Context, client *Client, at, actor, keyID string) (string, error) {
	answer, err := client.Get(ctx, at, acceptActivity, nil)
	if err != nil {
		return "", fmt.Errorf("ask for a key: %w", err)
	}
	if answer.Status != http.StatusOK || answer.FinalURL != at {
		return "", fmt.Errorf("ask for a key: answered %d", answer.Status)
	}
	doc, err := as2.Decode(answer.Body)
	if err != nil {
		return "", fmt.Errorf("ask for a key: %w", err)
	}
	a, err := doc.AsActor()
	if err != nil {
		return "", fmt.Errorf("ask for a key: %w", err)
	}
	if a.ID != actor {
		return "", errors.New("ask for a key: the document is of another account")
	}
	i := slices.IndexFunc(a.Keys, func(k as2.PublicKey) bool { return k.ID == keyID && k.Owner == actor })
	if i < 0 {
		return "", nil
	}
	parse, text := signature.ParseKey, a.Keys[i].PEM
	if a.Keys[i].Multibase != "" {
		parse, text = signature.ParseMultikey, a.Keys[i].Multibase
	}
	key, err := parse(text)
	if err != nil {
		return "", fmt.Errorf("ask for a key: %w", err)
	}
	encoded, err := signature.EncodePublicKey(key)
	return keyFingerprint(encoded), err
}
