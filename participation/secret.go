package participation

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Pseudonym stands for one actor in one consultation: the first 16 bytes of
// HMAC-SHA256 under the consultation's key. Without the key nobody can tell
// whose it is; once the key is destroyed, nobody ever can.
type Pseudonym [16]byte

// Secret is a consultation's key, K: 32 random bytes kept outside the database
// and outside every backup. It names voters, recognises their vote objects and
// seals what links a person to a ballot. It is safe for concurrent use.
type Secret struct {
	names, marks []byte // HMAC keys
	seal         cipher.AEAD
}

// NewSecret derives the working keys from K (HKDF, RFC 5869).
func NewSecret(k []byte) (*Secret, error) {
	if len(k) != 32 {
		return nil, fmt.Errorf("consultation key: %d bytes, want 32", len(k))
	}
	derive := func(purpose string) []byte {
		out, _ := hkdf.Expand(sha256.New, k, "inspraak/v1/"+purpose, 32) // fails only past 255 blocks
		return out
	}
	block, err := aes.NewCipher(derive("seal"))
	if err != nil {
		return nil, fmt.Errorf("consultation key: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("consultation key: %w", err)
	}
	return &Secret{names: derive("voter"), marks: derive("mark"), seal: aead}, nil
}

// Voter is the pseudonym of an actor, by its canonical id.
func (s *Secret) Voter(actor string) Pseudonym { return pseudonym(s.names, actor) }

// mark recognises the vote object that chose an option. The option is part of
// it, so that the store's row does not tell what was chosen.
func (s *Secret) mark(object string, option int) Pseudonym {
	return pseudonym(s.marks, fmt.Sprintf("%d %s", option, object))
}

func pseudonym(key []byte, text string) (p Pseudonym) {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	copy(p[:], h.Sum(nil))
	return p
}

// Seal encrypts (AES-256-GCM, random nonce) and binds to a context, so that a
// sealed text moved to another row no longer opens.
func (s *Secret) Seal(plain, context []byte) []byte { return s.seal.Seal(nil, nil, plain, context) }

// Open undoes Seal.
func (s *Secret) Open(sealed, context []byte) ([]byte, error) {
	plain, err := s.seal.Open(nil, nil, sealed, context)
	if err != nil {
		return nil, errors.New("unseal: wrong key or altered data")
	}
	return plain, nil
}

// sealBallot and openBallot turn a ballot into the bytes that are stored:
// choices, time, actor and inbox, sealed to the pseudonym.
func (s *Secret) sealBallot(b Ballot) []byte {
	buf := make([]byte, 0, 128)
	buf = binary.BigEndian.AppendUint64(buf, b.Choices) // of fixed size: the length must not tell the choice
	buf = binary.BigEndian.AppendUint64(buf, uint64(b.ReceivedAt.Unix()))
	buf = binary.AppendUvarint(buf, uint64(len(b.Actor)))
	buf = append(buf, b.Actor...)
	buf = append(buf, b.Inbox...)
	return s.Seal(buf, b.Voter[:])
}

func (s *Secret) openBallot(voter Pseudonym, sealed []byte) (Ballot, error) {
	buf, err := s.Open(sealed, voter[:])
	if err != nil {
		return Ballot{}, fmt.Errorf("open ballot: %w", err)
	}
	b := Ballot{Voter: voter}
	if len(buf) < 17 {
		return Ballot{}, errors.New("open ballot: cut short")
	}
	choices, received := binary.BigEndian.Uint64(buf), int64(binary.BigEndian.Uint64(buf[8:]))
	buf = buf[16:]
	length, n := binary.Uvarint(buf)
	if n <= 0 || uint64(len(buf)-n) < length {
		return Ballot{}, errors.New("open ballot: cut short")
	}
	buf = buf[n:]
	b.Choices, b.ReceivedAt = choices, time.Unix(received, 0).UTC()
	b.Actor, b.Inbox = string(buf[:length]), string(buf[length:])
	return b, nil
}

// NewKey makes 32 random bytes for a new consultation.
func NewKey() []byte {
	k := make([]byte, 32)
	rand.Read(k) // never fails (crypto/rand, Go 1.24)
	return k
}
