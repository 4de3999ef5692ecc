package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"golang.org/x/crypto/ssh"
	"golang.org/x/term"
)

// destroyer is an enrolled public key: one of those of which two different ones
// destroy together.
type destroyer struct {
	recipient   age.Recipient
	fingerprint string // of an SSH key as `ssh-keygen -l` shows it; of an age key SHA-256 of its text, written alike
}

// enrolled reads the public keys of the configuration: none, or at least two
// that differ.
func enrolled(keys []string) ([]destroyer, error) {
	var all []destroyer
	seen := map[string]bool{}
	for _, key := range keys {
		d, err := readDestroyer(strings.TrimSpace(key))
		if err != nil {
			return nil, err
		}
		if seen[d.fingerprint] {
			return nil, fmt.Errorf("the key %s stands there twice; two people need two keys", d.fingerprint)
		}
		seen[d.fingerprint] = true
		all = append(all, d)
	}
	if len(all) == 1 {
		return nil, errors.New("there is only one key; it takes two of two people, so give at least two")
	}
	return all, nil
}

func readDestroyer(key string) (d destroyer, err error) {
	if strings.HasPrefix(key, "ssh-") {
		public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(key))
		if err == nil {
			d.fingerprint = ssh.FingerprintSHA256(public)
			d.recipient, err = agessh.ParseRecipient(key)
		}
		if err != nil {
			return d, fmt.Errorf("%.40q is no ssh-ed25519 or ssh-rsa public key: give the line of the .pub file: %w", key, err)
		}
		return d, nil
	}
	if err := checkRecipient(key); err != nil {
		return d, fmt.Errorf("%w; or give the line of an SSH public key (ssh-ed25519, ssh-rsa)", err)
	}
	recipients, err := age.ParseRecipients(strings.NewReader(key))
	if err != nil {
		return d, err
	}
	sum := sha256.Sum256([]byte(key))
	d.recipient, d.fingerprint = recipients[0], "SHA256:"+base64.RawStdEncoding.EncodeToString(sum[:])
	return d, nil
}

// prove finds the enrolled key that an identity file belongs to: the one for
// which it can decrypt a random challenge. It returns its fingerprint. ask gives
// the passphrase of a file, if it has one.
func prove(all []destroyer, identityFile string, ask func(file string) ([]byte, error)) (fingerprint string, err error) {
	identities, err := readDestroyerIdentity(identityFile, ask)
	if err != nil {
		return "", err
	}
	for _, d := range all {
		switch answered, err := answers(d, identities); {
		case err != nil:
			return "", fmt.Errorf("identity %s: %w", identityFile, err)
		case answered && fingerprint != "":
			return "", fmt.Errorf("identity %s holds more than one of the enrolled keys; each belongs to one person, in a file of its own", identityFile)
		case answered:
			fingerprint = d.fingerprint
		}
	}
	if fingerprint == "" {
		return "", fmt.Errorf("the key in %s is not enrolled: its public key is not among `destroyers` in the configuration", identityFile)
	}
	return fingerprint, nil
}

func answers(d destroyer, identities []age.Identity) (bool, error) {
	challenge := make([]byte, 32)
	rand.Read(challenge) // never fails (crypto/rand, Go 1.24)
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, d.recipient)
	if err != nil {
		return false, err
	}
	if _, err := w.Write(challenge); err != nil {
		return false, err
	}
	if err := w.Close(); err != nil {
		return false, err
	}
	plain, err := age.Decrypt(&sealed, identities...)
	var none *age.NoIdentityMatchError
	if errors.As(err, &none) {
		for _, e := range none.Errors { // a wrong passphrase is no other key
			if !errors.Is(e, age.ErrIncorrectIdentity) {
				return false, e
			}
		}
		return false, nil
	} else if err != nil {
		return false, err
	}
	answer, err := io.ReadAll(plain)
	return err == nil && bytes.Equal(answer, challenge), err
}

// readDestroyerIdentity reads an age identity file or an SSH private key. The
// passphrase of the latter is asked for when the key is that of a challenge.
func readDestroyerIdentity(path string, ask func(string) ([]byte, error)) ([]age.Identity, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read identity: %w", err)
	}
	switch {
	case bytes.HasPrefix(content, []byte("age-encryption.org/")) || bytes.HasPrefix(content, []byte("-----BEGIN AGE ENCRYPTED FILE-----")):
		return nil, fmt.Errorf("identity %s is encrypted itself: decrypt it first, with age -d", path)
	case !bytes.HasPrefix(content, []byte("-----BEGIN")):
		return readIdentities(path)
	}
	identity, err := agessh.ParseIdentity(content)
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) {
		if locked.PublicKey == nil {
			return nil, fmt.Errorf("identity %s has a passphrase and an old form: convert it with ssh-keygen -p -f %[1]s", path)
		}
		identity, err = agessh.NewEncryptedSSHIdentity(locked.PublicKey, content, func() ([]byte, error) { return ask(path) })
	}
	if err != nil {
		return nil, fmt.Errorf("read identity %s: %w", path, err)
	}
	return []age.Identity{identity}, nil
}

// passphrase asks at the terminal, if there is one.
func passphrase(path string) ([]byte, error) {
	terminal := int(os.Stdin.Fd())
	if !term.IsTerminal(terminal) {
		return nil, errors.New("it has a passphrase, and there is no terminal to ask for it")
	}
	fmt.Fprintf(os.Stderr, "Passphrase of %s: ", path)
	defer fmt.Fprintln(os.Stderr)
	return term.ReadPassword(terminal)
}
