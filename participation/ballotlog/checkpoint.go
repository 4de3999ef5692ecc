package ballotlog

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Key is the node's signing key for all its logs.
type Key struct{ private ed25519.PrivateKey }

// NewKey makes a Key of a seed of 32 bytes (RFC 8032 §5.1.5).
func NewKey(seed []byte) (*Key, error) {
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("log key: %d bytes, want %d", len(seed), ed25519.SeedSize)
	}
	return &Key{ed25519.NewKeyFromSeed(seed)}, nil
}

// Public is base64 of the byte 0x01 and the public key: the part of a verifier
// key that is the same in all logs of a node.
func (k *Key) Public() string { return base64.StdEncoding.EncodeToString(k.public()) }

const ed25519Algorithm = 1 // C2SP signed-note

func (k *Key) public() []byte {
	return append([]byte{ed25519Algorithm}, k.private.Public().(ed25519.PublicKey)...)
}

// Fingerprint is SHA-256 over the public key, in hexadecimal.
func (k *Key) Fingerprint() string {
	sum := sha256.Sum256(k.private.Public().(ed25519.PublicKey))
	return hex.EncodeToString(sum[:])
}

func (k *Key) hash(name string) uint32 {
	sum := sha256.Sum256(append([]byte(name+"\n"), k.public()...))
	return binary.BigEndian.Uint32(sum[:])
}

// Verifier is the verifier key for the log of an origin (C2SP signed-note).
func (k *Key) Verifier(origin string) string {
	return fmt.Sprintf("%s+%08x+%s", origin, k.hash(origin), k.Public())
}

// SignNote signs a text as the log of an origin. The text ends with a newline.
func (k *Key) SignNote(origin, text string) (string, error) {
	signed, err := note.Sign(&note.Note{Text: text}, signer{k, origin})
	if err != nil {
		return "", fmt.Errorf("sign as %s: %w", origin, err)
	}
	return string(signed), nil
}

// signer implements note.Signer.
type signer struct {
	key  *Key
	name string
}

func (s signer) Name() string    { return s.name }
func (s signer) KeyHash() uint32 { return s.key.hash(s.name) }
func (s signer) Sign(msg []byte) ([]byte, error) {
	return ed25519.Sign(s.key.private, msg), nil
}

// Checkpoint is the signed head of a tree (C2SP tlog-checkpoint).
func (k *Key) Checkpoint(origin string, size int64, root tlog.Hash) (string, error) {
	return k.SignNote(origin, fmt.Sprintf("%s\n%d\n%s\n", origin, size, root))
}

// Head is what a checkpoint says.
type Head struct {
	Size int64
	Root tlog.Hash
}

// OpenNote returns the text of a note that this key signed for an origin.
func (k *Key) OpenNote(origin, signed string) (text string, err error) {
	verifier, err := note.NewVerifier(k.Verifier(origin))
	if err != nil {
		return "", fmt.Errorf("note of %s: %w", origin, err)
	}
	opened, err := note.Open([]byte(signed), note.VerifierList(verifier))
	if err != nil {
		return "", fmt.Errorf("note of %s: %w", origin, err)
	}
	return opened.Text, nil
}

// OpenCheckpoint reads a checkpoint that this key signed for an origin.
func (k *Key) OpenCheckpoint(origin, checkpoint string) (h Head, err error) {
	text, err := k.OpenNote(origin, checkpoint)
	if err != nil {
		return h, err
	}
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[0] != origin {
		return h, fmt.Errorf("checkpoint of %s: it is none of this log", origin)
	}
	if _, err := fmt.Sscanf(lines[1], "%d", &h.Size); err != nil {
		return h, fmt.Errorf("checkpoint of %s: %w", origin, err)
	}
	if h.Root, err = tlog.ParseHash(lines[2]); err != nil {
		return h, fmt.Errorf("checkpoint of %s: %w", origin, err)
	}
	return h, nil
}

// proofText is C2SP tlog-proof.
func proofText(n int64, hashes tlog.RecordProof, entry, checkpoint string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "c2sp.org/tlog-proof@v1\nextra %s\nindex %d\n", base64.StdEncoding.EncodeToString([]byte(entry)), n)
	for _, h := range hashes {
		fmt.Fprintln(&b, h)
	}
	fmt.Fprintf(&b, "\n%s", checkpoint)
	return b.Bytes()
}
