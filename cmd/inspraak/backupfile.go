package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"filippo.io/age"
)

// checkRecipient tells whether a text is one age public key.
func checkRecipient(key string) error {
	recipients, err := age.ParseRecipients(strings.NewReader(key))
	if err != nil || len(recipients) != 1 {
		return fmt.Errorf("%q is no age public key (age1…); make one with age-keygen", key)
	}
	return nil
}

// backupEntry is a file on its way into a backup.
type backupEntry struct {
	name string // in the archive
	path string // on disk
}

// writeBackup writes the files as a tar archive encrypted with age (X25519 or
// hybrid keys) to a file that must not exist yet: whole and on disk, or not at
// all. A file listed twice, or gone, is an error.
func writeBackup(path string, keys []string, entries []backupEntry) error {
	recipients, err := age.ParseRecipients(strings.NewReader(strings.Join(keys, "\n")))
	if err != nil {
		return fmt.Errorf("recipients: %w", err)
	}
	err = createNew(path, 0o600, func(w io.Writer) error { return encryptTo(w, recipients, entries) })
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already, and is not overwritten", path)
	}
	return err
}

func encryptTo(w io.Writer, recipients []age.Recipient, entries []backupEntry) error {
	sealed, err := age.Encrypt(w, recipients...)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(sealed)
	for _, e := range entries {
		if err := addFile(archive, e); err != nil {
			return fmt.Errorf("%s: %w", e.path, err)
		}
	}
	return errors.Join(archive.Close(), sealed.Close())
}

func addFile(archive *tar.Writer, e backupEntry) error {
	file, err := os.Open(e.path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	head := &tar.Header{Name: e.name, Mode: 0o400, Size: info.Size(), ModTime: info.ModTime(), Typeflag: tar.TypeReg}
	if err := archive.WriteHeader(head); err != nil {
		return err
	}
	_, err = io.Copy(archive, file)
	return err
}

// backupName is every name that a backup may hold. Consultation keys and the
// node's own key are not among them.
var backupName = regexp.MustCompile(`^(inspraak\.yaml|inspraak\.db|keys/log\.key|keys/actors/[A-Za-z0-9_-]+\.pem|media/[a-z0-9]+\.(png|jpg|webp)|look/(theme\.css|logo\.(svg|png)))$`)

// readBackup decrypts an archive into an empty folder. It refuses names that
// no backup holds.
func readBackup(path, identityFile, folder string) error {
	identities, err := readIdentities(identityFile)
	if err != nil {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	plain, err := age.Decrypt(file, identities...)
	if err != nil {
		return fmt.Errorf("decrypt %s: %w; is %s the identity it was made for?", path, err, identityFile)
	}
	for archive := tar.NewReader(plain); ; {
		head, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		if head.Typeflag != tar.TypeReg || !backupName.MatchString(head.Name) {
			return fmt.Errorf("read %s: it holds %q, which no backup does", path, head.Name)
		}
		if err := extract(archive, filepath.Join(folder, filepath.FromSlash(head.Name))); err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
	}
}

func readIdentities(path string) ([]age.Identity, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read identity: %w", err)
	}
	defer file.Close()
	identities, err := age.ParseIdentities(file)
	if err != nil {
		return nil, fmt.Errorf("read identity %s: %w", path, err)
	}
	return identities, nil
}

func extract(from io.Reader, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, from)
	return errors.Join(err, file.Sync(), file.Close())
}
