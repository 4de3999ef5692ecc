package ballotlog

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"math/bits"
)

// Marks is a collection of ballot entries in which one may stand more than once.
type Marks interface {
	Add(Mark)
	// Take removes one, and tells whether it was there.
	Take(Mark) bool
	Empty() bool
}

// Set is Marks that knows what it holds. It needs some 40 bytes of memory for each.
type Set map[Mark]int

// Add implements Marks.
func (s Set) Add(m Mark) { s[m]++ }

// Take implements Marks.
func (s Set) Take(m Mark) bool {
	switch s[m] {
	case 0:
		return false
	case 1:
		delete(s, m)
	default:
		s[m]--
	}
	return true
}

// Empty implements Marks.
func (s Set) Empty() bool { return len(s) == 0 }

// Sum is Marks that knows only whether what was taken is what was added: it keeps
// their sum, each encrypted under a key of its own that nobody knows, modulo 2^128
// (an additive multiset hash: Clarke and others, "Incremental Multiset Hash
// Functions", 2003). It needs no memory for them, and it is wrong once in 2^64
// times at worst. Take believes that a mark is there.
type Sum struct {
	block  cipher.Block
	hi, lo uint64
}

// NewSum is an empty one with a new key.
func NewSum() *Sum {
	var key [16]byte
	rand.Read(key[:]) // never fails
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // 16 bytes are a key
	}
	return &Sum{block: block}
}

func (s *Sum) term(m Mark) (hi, lo uint64) {
	var out Mark
	s.block.Encrypt(out[:], m[:])
	return binary.BigEndian.Uint64(out[:]), binary.BigEndian.Uint64(out[8:])
}

// Add implements Marks.
func (s *Sum) Add(m Mark) {
	hi, lo := s.term(m)
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, lo, 0)
	s.hi, _ = bits.Add64(s.hi, hi, carry)
}

// Take implements Marks.
func (s *Sum) Take(m Mark) bool {
	hi, lo := s.term(m)
	var borrow uint64
	s.lo, borrow = bits.Sub64(s.lo, lo, 0)
	s.hi, _ = bits.Sub64(s.hi, hi, borrow)
	return true
}

// Empty implements Marks.
func (s *Sum) Empty() bool { return s.hi|s.lo == 0 }
