package participation

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
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
	names, marks, codes []byte // HMAC keys
	seal                cipher.AEAD
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
	return &Secret{names: derive("voter"), marks: derive("mark"), codes: derive("code"), seal: aead}, nil
}

// Voter is the pseudonym of an actor, by its canonical id.
func (s *Secret) Voter(actor string) Pseudonym { return pseudonym(s.names, actor) }

// code names a ballot in the log and in the dataset, or one option of it (-1:
// the whole ballot). Only who has the key can tell whose it is.
func (s *Secret) code(voter Pseudonym, option int) string {
	h := hmac.New(sha256.New, s.codes)
	h.Write(append(voter[:], byte(option)))
	text := base32.StdEncoding.EncodeToString(h.Sum(nil)[:10])
	return text[:4] + "-" + text[4:8] + "-" + text[8:12] + "-" + text[12:]
}

// digest recognises a text without keeping it.
func (s *Secret) digest(text string) Pseudonym { return pseudonym(s.marks, text) }

// mark recognises a vote object among those of one voter.
func (s *Secret) mark(object string) (short [8]byte) {
	whole := s.digest(object)
	copy(short[:], whole[:])
	return short
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

// markSize is how many bytes of a sealed ballot a mark takes.
const markSize = 1 + 8 + 16

// sealedIn is the size, or what the size is a multiple of, to which a ballot is
// filled up before it is sealed: enough for a mark of every option that it may
// choose, so that the size does not tell how many it does.
func (c Consultation) sealedIn() int {
	const step, other = 128, 100 // what else there is: times, account, inbox
	marks := 1
	if c.Kind == MultipleChoice {
		marks = len(c.Options)
	}
	return (other + marks*markSize + step - 1) / step * step
}

// sealBallot and openBallot turn a ballot into the bytes that are stored, and
// back, sealed to its pseudonym: choices, time, class, marks, actor, inbox, age
// of the account, zeros.
func (s *Secret) sealBallot(b Ballot, size int) []byte {
	buf := make([]byte, 0, 2*size)
	buf = binary.BigEndian.AppendUint64(buf, b.Choices)
	buf = binary.BigEndian.AppendUint64(buf, uint64(b.ReceivedAt.Unix()))
	buf = append(buf, byte(b.Class), byte(len(b.Marks)))
	for _, m := range b.Marks {
		option := byte(m.Option)
		if m.Revoked {
			option |= 0x80
		}
		buf = append(append(append(buf, option), m.Object[:]...), m.Nonce[:]...)
	}
	for _, text := range []string{b.Actor, b.Inbox} {
		buf = append(binary.AppendUvarint(buf, uint64(len(text))), text...)
	}
	buf = binary.AppendUvarint(buf, uint64(b.Since))
	if over := len(buf) % size; over > 0 {
		buf = append(buf, make([]byte, size-over)...)
	}
	return s.Seal(buf, b.Voter[:])
}

func (s *Secret) openBallot(voter Pseudonym, sealed []byte) (Ballot, error) {
	buf, err := s.Open(sealed, voter[:])
	if err != nil {
		return Ballot{}, fmt.Errorf("open ballot: %w", err)
	}
	r := reader{buf: buf}
	b := Ballot{Voter: voter, Choices: binary.BigEndian.Uint64(r.take(8)),
		ReceivedAt: time.Unix(int64(binary.BigEndian.Uint64(r.take(8))), 0).UTC(), Class: Class(r.take(1)[0])}
	for range r.take(1)[0] {
		m := ballotMark{}
		option := r.take(1)[0]
		m.Option, m.Revoked = int(option&0x7f), option&0x80 != 0
		copy(m.Object[:], r.take(len(m.Object)))
		copy(m.Nonce[:], r.take(len(m.Nonce)))
		b.Marks = append(b.Marks, m)
	}
	b.Actor, b.Inbox = r.text(), r.text()
	since, _ := binary.Uvarint(r.buf)
	b.Since = int(since)
	if r.short {
		return Ballot{}, errors.New("open ballot: cut short")
	}
	return b, nil
}

// reader takes bytes in order; past the end it gives zeros and remembers.
type reader struct {
	buf   []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if n > len(r.buf) {
		r.short = true
		return make([]byte, min(n, 16))
	}
	taken := r.buf[:n]
	r.buf = r.buf[n:]
	return taken
}

func (r *reader) text() string {
	length, n := binary.Uvarint(r.buf)
	if n <= 0 || length > uint64(len(r.buf)-n) {
		r.short = true
		return ""
	}
	r.buf = r.buf[n:]
	return string(r.take(int(length)))
}

// NewKey makes 32 random bytes for a new consultation.
func NewKey() []byte {
	k := make([]byte, 32)
	rand.Read(k) // never fails (crypto/rand, Go 1.24)
	return k
}
