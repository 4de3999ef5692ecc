package signature

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// Accepted RSA keys, in bits: below it is breakable, above it is a way to make
// others compute.
const (
	minBits = 2048
	maxBits = 8192
	ownBits = 2048 // of our own keys: what every server accepts
)

const maxPEM = 16 << 10

// ParseKey reads the publicKeyPem of an actor: one PEM block with an RSA or
// Ed25519 public key (SubjectPublicKeyInfo), or an RSA one in the older PKCS #1.
// RSA keys must have 2048 to 8192 bits and an exponent of at least 3. Private
// keys and certificates are refused.
func ParseKey(text string) (crypto.PublicKey, error) {
	if len(text) > maxPEM {
		return nil, fmt.Errorf("parse key: longer than %d bytes", maxPEM)
	}
	block, rest := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("parse key: no PEM block")
	}
	if strings.TrimSpace(string(rest)) != "" {
		return nil, errors.New("parse key: more than one PEM block")
	}
	var key crypto.PublicKey
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	default:
		err = fmt.Errorf("a %q is no public key", block.Type)
	}
	if err == nil {
		err = checkKey(key)
	}
	if err != nil {
		return nil, fmt.Errorf("parse key: %w", err)
	}
	return key, nil
}

// checkKey refuses keys that prove nothing.
func checkKey(key crypto.PublicKey) error {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if key == nil || key.N == nil {
			return errors.New("the RSA key is empty")
		}
		if bits := key.N.BitLen(); bits < minBits || bits > maxBits {
			return fmt.Errorf("RSA with %d bits; %d to %d are accepted", bits, minBits, maxBits)
		}
		if key.E < 3 || key.E%2 == 0 {
			return fmt.Errorf("RSA with exponent %d", key.E)
		}
		return nil
	case ed25519.PublicKey:
		if len(key) != ed25519.PublicKeySize {
			return fmt.Errorf("Ed25519 key with %d bytes", len(key))
		}
		return nil
	}
	return fmt.Errorf("keys of type %T are not accepted; use RSA or Ed25519", key)
}

// ParseMultikey reads the publicKeyMultibase of a Multikey (FEP-521a): base58btc,
// prefix "z", holding an Ed25519 public key ("z6Mk…"). Other kinds are refused.
func ParseMultikey(text string) (crypto.PublicKey, error) {
	encoded, ok := strings.CutPrefix(text, "z")
	if !ok || len(encoded) > 64 {
		return nil, errors.New("parse multikey: not a base58btc Ed25519 key")
	}
	raw, err := decodeBase58(encoded)
	if err != nil {
		return nil, fmt.Errorf("parse multikey: %w", err)
	}
	// 0xed 0x01 is the multicodec varint of ed25519-pub.
	if len(raw) != 2+ed25519.PublicKeySize || raw[0] != 0xed || raw[1] != 0x01 {
		return nil, errors.New("parse multikey: not an Ed25519 public key")
	}
	return ed25519.PublicKey(raw[2:]), nil
}

func decodeBase58(text string) ([]byte, error) {
	const alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	number, base := new(big.Int), big.NewInt(58)
	for i := range len(text) {
		digit := strings.IndexByte(alphabet, text[i])
		if digit < 0 {
			return nil, fmt.Errorf("%q is not base58", text[i])
		}
		number.Mul(number, base).Add(number, big.NewInt(int64(digit)))
	}
	zeros := len(text) - len(strings.TrimLeft(text, "1"))
	return append(make([]byte, zeros), number.Bytes()...), nil
}

// GenerateKey makes a key for one of our actors: RSA, 2048 bits.
func GenerateKey() (*rsa.PrivateKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, ownBits)
	if err != nil {
		return nil, fmt.Errorf("generate key: %w", err)
	}
	return key, nil
}

// EncodePrivateKey writes key as PEM, PKCS #8. Keep it secret, and keep it: some
// servers never accept another one.
func EncodePrivateKey(key *rsa.PrivateKey) (string, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", fmt.Errorf("encode private key: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), nil
}

// DecodePrivateKey reads what EncodePrivateKey wrote.
func DecodePrivateKey(text string) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, errors.New("decode private key: no PEM block \"PRIVATE KEY\" (PKCS #8)")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("decode private key: %w", err)
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("decode private key: %T is not an RSA key", parsed)
	}
	if err := checkKey(&key.PublicKey); err != nil {
		return nil, fmt.Errorf("decode private key: %w", err)
	}
	return key, nil
}

// EncodePublicKey writes key, RSA or Ed25519, as PEM, SubjectPublicKeyInfo: the
// publicKeyPem of an actor.
func EncodePublicKey(key crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", fmt.Errorf("encode public key: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), nil
}
