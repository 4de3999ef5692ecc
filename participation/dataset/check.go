package dataset

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// check refuses what no verifier would accept and what would tell too much,
// before a file is created. Rows and entries are checked as they pass.
func (in Input) check() error {
	if _, err := in.fingerprint(); err != nil {
		return err
	}
	switch page, err := url.Parse(in.Page); {
	case err != nil:
		return fmt.Errorf("address of the page: %w", err)
	case page.Scheme != "http" && page.Scheme != "https" || page.Host == "" || strings.ContainsAny(in.Page, " <>\t\r\n"):
		return fmt.Errorf("%q is not the http address of a page", in.Page)
	case in.Kind != "single-choice" && in.Kind != "multiple-choice":
		return fmt.Errorf("kind %q has no ballots; only single-choice and multiple-choice have", in.Kind)
	case in.Language == "":
		return errors.New("the language of the question is missing")
	case len(in.Options) == 0 || len(in.Counts) != len(in.Options):
		return fmt.Errorf("%d counts for %d options", len(in.Counts), len(in.Options))
	case in.Turnout < 0 || slices.Min(in.Counts) < 0:
		return errors.New("a count is negative")
	case in.Turnout < in.BatchSize && !in.Withheld:
		return fmt.Errorf("%d ballots are fewer than a batch of %d: their rows must be withheld", in.Turnout, in.BatchSize)
	case in.Closed.IsZero():
		return errors.New("the closing time is missing")
	case !json.Valid(in.Question) || bytes.ContainsAny(in.Question, "\r\n"):
		return errors.New("the question is not JSON in one line")
	case !json.Valid(in.Integrity):
		return errors.New("the integrity figures are not JSON")
	case len(in.Checkpoints) == 0:
		return errors.New("there is no checkpoint")
	case in.Entries == nil || in.Rows == nil && !in.Withheld:
		return errors.New("the log or the ballots are missing")
	}
	return wide("servers.csv", in.Servers)
}

// wide refuses numbers that could show what one voter did (docs/integrity.md):
// a name with fewer than 10 ballots, and a range that is narrower than rounding
// leaves it.
func wide(name string, ranges []Range) error {
	seen := map[string]bool{}
	for _, r := range ranges {
		switch {
		case r.Name == "" || seen[r.Name]:
			return fmt.Errorf("%s: the name %q is empty or stands there twice", name, r.Name)
		case r.AtLeast < 10 && r.Name != Other:
			return fmt.Errorf("%s: %q may be %d; below 10 it would tell too much", name, r.Name, r.AtLeast)
		case r.AtLeast < 0 || r.AtMost-r.AtLeast < 2:
			return fmt.Errorf("%s: %q is told as %d to %d, too closely", name, r.Name, r.AtLeast, r.AtMost)
		}
		seen[r.Name] = true
	}
	return nil
}

// fingerprint is that of the key: SHA-256 of the 32 bytes of the public key, in
// hexadecimal. It refuses a key that is not one of the log.
func (in Input) fingerprint() (string, error) {
	rest, ok := strings.CutPrefix(in.Key, in.Origin+"+")
	if !ok || in.Origin == "" || strings.ContainsAny(in.Key, " \t\r\n") {
		return "", fmt.Errorf("key %q is not one of the log %q", in.Key, in.Origin)
	}
	hash, encoded, _ := strings.Cut(rest, "+")
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(key) != 33 || key[0] != 1 { // 1: Ed25519
		return "", fmt.Errorf("key %q does not end with an Ed25519 key", in.Key)
	}
	if sum := sha256.Sum256(append([]byte(in.Origin+"\n"), key...)); hash != hex.EncodeToString(sum[:4]) {
		return "", fmt.Errorf("key %q carries the wrong hash", in.Key)
	}
	sum := sha256.Sum256(key[1:])
	return hex.EncodeToString(sum[:]), nil
}

// tally checks rows one by one and adds them up.
type tally struct {
	in     Input
	last   string
	rows   int
	counts []int
}

func (t *tally) add(r Row) error {
	switch {
	case !wellFormed(r.Code, "XXXX-XXXX-XXXX-XXXX"):
		return fmt.Errorf("%q is not a code", r.Code)
	case r.Code <= t.last:
		return fmt.Errorf("code %s comes after %s: rows must ascend and no code stand twice", r.Code, t.last)
	case !wellFormed(r.Nonce, "hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh"):
		return fmt.Errorf("the nonce of %s is not 32 hexadecimal digits", r.Code)
	case len(r.Options) == 0, len(r.Options) > 1 && (t.in.PerOption || t.in.Kind == "single-choice"):
		return fmt.Errorf("the ballot %s has %d options", r.Code, len(r.Options))
	}
	before := 0
	for _, o := range r.Options {
		if o <= before || o > len(t.counts) {
			return fmt.Errorf("the options of %s do not exist or do not ascend", r.Code)
		}
		t.counts[o-1]++
		before = o
	}
	t.last = r.Code
	t.rows++
	return nil
}

// done compares the sums with the result.
func (t *tally) done() error {
	if !slices.Equal(t.counts, t.in.Counts) {
		return fmt.Errorf("rows add up to %v, and the result says %v", t.counts, t.in.Counts)
	}
	if t.rows != t.in.Turnout && !t.in.PerOption {
		return fmt.Errorf("%d rows, and the result says %d ballots", t.rows, t.in.Turnout)
	}
	return nil
}

// wellFormed compares a text with a form, in which X is a letter or digit of a
// code, h a hexadecimal digit, and all else itself.
func wellFormed(s, form string) bool {
	if len(s) != len(form) {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; form[i] {
		case 'X':
			if !('A' <= c && c <= 'Z' || '2' <= c && c <= '7') {
				return false
			}
		case 'h':
			if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f') {
				return false
			}
		default:
			if c != form[i] {
				return false
			}
		}
	}
	return true
}
