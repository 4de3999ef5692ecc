package store

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"inspraak/activitypub/signature"
	"inspraak/participation"
	"inspraak/participation/ballotlog"
)

var _ participation.Keyring = (*Keys)(nil)

// Keys are the node's secret keys, each in a file of its own:
//
//	node.key                 the node's own
//	log.key                  signs the logs of all consultations: an Ed25519 seed in hexadecimal
//	consultations/ID.key     one per consultation: 32 bytes in hexadecimal
//	actors/NAME.pem          one per channel: RSA private key, PKCS #8
//
// A key is written once and never replaced. Keys that were read are kept in
// memory; that of a consultation is forgotten as soon as its file is gone, for
// another process may have destroyed it. It is safe for concurrent use.
type Keys struct {
	dir  string
	node *participation.Secret
	log  *ballotlog.Key

	mu      sync.Mutex
	secrets map[string]*participation.Secret
	actors  map[string]*rsa.PrivateKey
}

// OpenKeys opens the directory of the keys. With create it makes what is
// missing: the directory, readable by its owner only, and the node's key. It
// refuses a directory that others may enter.
func OpenKeys(dir string, create bool) (*Keys, error) {
	k := &Keys{dir: dir, secrets: map[string]*participation.Secret{}, actors: map[string]*rsa.PrivateKey{}}
	if create {
		if err := k.prepare(); err != nil {
			return nil, fmt.Errorf("open keys: %w", err)
		}
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("open keys: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("open keys: others may enter %s (mode %04o): run chmod 700 on it", dir, info.Mode().Perm())
	}
	if k.node, err = readSecret(k.nodeFile()); err != nil {
		return nil, fmt.Errorf("open keys: the node's key: %w", err)
	}
	seed, err := readHex(k.logFile())
	if err == nil {
		k.log, err = ballotlog.NewKey(seed)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open keys: %s is missing, which signs the ballot logs and is never made anew: restore it from a backup", k.logFile())
	} else if err != nil {
		return nil, fmt.Errorf("open keys: the key of the logs: %w", err)
	}
	return k, nil
}

func (k *Keys) prepare() error {
	for _, dir := range []string{k.dir, filepath.Join(k.dir, "consultations"), filepath.Join(k.dir, "actors")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	for _, file := range []string{k.nodeFile(), k.logFile()} {
		if err := writeSecret(file); err != nil && !errors.Is(err, participation.ErrExists) {
			return err
		}
	}
	return nil
}

// LogKey implements participation.Keyring.
func (k *Keys) LogKey() *ballotlog.Key { return k.log }

// Node implements participation.Keyring.
func (k *Keys) Node() *participation.Secret { return k.node }

// Secret implements participation.Keyring.
func (k *Keys) Secret(consultation string) (*participation.Secret, error) {
	path, err := k.file("consultations", consultation, ".key")
	if err != nil {
		return nil, err
	}
	// Each time: it costs a microsecond or two, of the 190 of a vote.
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.secrets, consultation)
		return nil, fmt.Errorf("%s: %w", path, participation.ErrSealed)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if s, ok := k.secrets[consultation]; ok {
		return s, nil
	}
	s, err := readSecret(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", path, participation.ErrSealed)
	}
	if err != nil {
		return nil, fmt.Errorf("key of consultation %q: %w", consultation, err)
	}
	k.secrets[consultation] = s
	return s, nil
}

// Create implements participation.Keyring.
func (k *Keys) Create(consultation string) error {
	path, err := k.file("consultations", consultation, ".key")
	if err != nil {
		return err
	}
	return named(writeSecret(path), "create key of consultation", consultation)
}

// Destroy implements participation.Keyring. The file loses its name first, so that
// nobody takes what is being overwritten for a key, and is overwritten before its
// space is given back. A disk that writes elsewhere than it read may still hold
// the old bytes.
func (k *Keys) Destroy(consultation string) error {
	path, err := k.file("consultations", consultation, ".key")
	if err != nil {
		return err
	}
	k.mu.Lock()
	delete(k.secrets, consultation)
	k.mu.Unlock()
	going := path + ".destroyed"
	if err = os.Rename(path, going); err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) { // the latter: an earlier call may have come this far
		err = shred(going)
	}
	if err != nil {
		return fmt.Errorf("destroy key of consultation %q: %w; remove %s by hand, and call again", consultation, err, path)
	}
	return nil
}

// shred overwrites a file with random bytes and removes it. One that is not there
// is shredded.
func shred(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	noise := make([]byte, info.Size())
	rand.Read(noise) // never fails (crypto/rand, Go 1.24)
	_, err = f.Write(noise)
	if err = errors.Join(err, f.Sync(), f.Close(), os.Remove(path)); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// ActorKey is the private key by which a channel signs. One that is not there
// is an error that names the file.
func (k *Keys) ActorKey(name string) (*rsa.PrivateKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if key, ok := k.actors[name]; ok {
		return key, nil
	}
	path, err := k.file("actors", name, ".pem")
	if err != nil {
		return nil, err
	}
	key, err := readActorKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		// Not ErrNotFound: that would be answered 404, and other servers would
		// forget an actor whose key is only missing for now.
		return nil, fmt.Errorf("key of actor %q: %s is missing; restore it from a backup", name, path)
	}
	if err != nil {
		return nil, fmt.Errorf("key of actor %q: %w", name, err)
	}
	k.actors[name] = key
	return key, nil
}

// CreateActorKey makes a channel's RSA key of 2048 bits, which other servers
// remember for good. If there is one it is participation.ErrExists.
func (k *Keys) CreateActorKey(name string) error {
	path, err := k.file("actors", name, ".pem")
	if err != nil {
		return err
	}
	key, err := signature.GenerateKey()
	if err != nil {
		return named(err, "create key of actor", name)
	}
	content, err := signature.EncodePrivateKey(key)
	if err != nil {
		return named(err, "create key of actor", name)
	}
	return named(writeNew(path, []byte(content)), "create key of actor", name)
}

func (k *Keys) nodeFile() string { return filepath.Join(k.dir, "node.key") }
func (k *Keys) logFile() string  { return filepath.Join(k.dir, "log.key") }

// keyName keeps a name within its directory.
var keyName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)

func (k *Keys) file(kind, name, extension string) (string, error) {
	if !keyName.MatchString(name) {
		return "", fmt.Errorf("key name %q: use 1 to 100 of A-Z, a-z, 0-9, _ and -: %w", name, participation.ErrInvalid)
	}
	return filepath.Join(k.dir, kind, name+extension), nil
}

func readHex(path string) ([]byte, error) {
	content, err := readPrivate(path)
	if err != nil {
		return nil, err
	}
	raw, err := hex.DecodeString(strings.TrimSpace(string(content)))
	if err != nil {
		return nil, fmt.Errorf("%s: not a key in hexadecimal; restore it from its copy", path)
	}
	return raw, nil
}

func readSecret(path string) (*participation.Secret, error) {
	raw, err := readHex(path)
	if err != nil {
		return nil, err
	}
	s, err := participation.NewSecret(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func writeSecret(path string) error {
	return writeNew(path, []byte(hex.EncodeToString(participation.NewKey())+"\n"))
}

func readActorKey(path string) (*rsa.PrivateKey, error) {
	content, err := readPrivate(path)
	if err != nil {
		return nil, err
	}
	key, err := signature.DecodePrivateKey(string(content))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

// readPrivate reads a file that nobody but its owner may read.
func readPrivate(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o177 != 0 {
		return nil, fmt.Errorf("%s: its mode is %04o, wider than 0600: run chmod 400 on it", path, info.Mode().Perm())
	}
	return os.ReadFile(path)
}

// writeNew writes a file whole or not at all, and never over another, for
// which it returns participation.ErrExists.
func writeNew(path string, content []byte) error {
	dir := filepath.Dir(path)
	temporary, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.Write(content)
	err = errors.Join(err, temporary.Chmod(0o400), temporary.Sync(), temporary.Close())
	if err != nil {
		return err
	}
	err = os.Link(temporary.Name(), path) // unlike a rename, fails if path is taken
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s: %w", path, participation.ErrExists)
	}
	if err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes the entries of a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
