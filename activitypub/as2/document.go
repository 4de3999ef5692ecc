package as2

import (
	"errors"
	"fmt"
)

// Limits of [Decode]. They hold for dropped properties too.
const (
	MaxBytes    = 256 << 10 // bytes of a document
	MaxDepth    = 32        // objects and arrays open at one time
	MaxElements = 100       // elements of any one array
	MaxTokens   = 5000      // names, values and brackets of a document
)

var (
	// ErrMalformed says that a document is not what it has to be, whoever sent
	// it. Answering 400 is right; a retry would bring the same.
	ErrMalformed = errors.New("malformed document")

	// ErrUnsupported says that a document may be in order but is of a type with
	// no meaning here. Answering 202 and doing nothing is right.
	ErrUnsupported = errors.New("unsupported type")
)

// A Document is a decoded JSON document whose meaning is not yet settled. ID,
// Type and Actor are strings as sent, empty where absent: enough to compare
// hosts before anything is fetched or verified.
type Document struct {
	ID    string
	Type  string // the first type known here, else the first; empty for a bare key
	Actor string

	tree map[string]any
}

// IsPublic reports whether an address means everybody (ActivityPub §5.6), in
// any of its three spellings.
func IsPublic(iri string) bool {
	return iri == Public || iri == "as:Public" || iri == "Public"
}

// Public is the address of everybody, as written by this package.
const Public = "https://www.w3.org/ns/activitystreams#Public"

// kind is what a type means here.
type kind int

const (
	unknownKind kind = iota
	activityKind
	objectKind
	actorKind
	keyKind
)

// kindOf holds the closed list of types.
func kindOf(typ string) kind {
	switch typ {
	case "Create", "Update", "Delete", "Follow", "Undo", "Like", "Announce",
		"EmojiReact", "Flag", "Block", "Move", "Accept", "Reject", "QuoteRequest":
		return activityKind
	case "Note", "Article", "Page", "Question", "Image", "Video", "Audio",
		"Event", "Answer", "Tombstone", "Document":
		return objectKind
	case "Person", "Service", "Group", "Organization", "Application":
		return actorKind
	case "Key", "CryptographicKey", "PublicKey", "Multikey":
		return keyKind
	}
	return unknownKind
}

// fedType is the type under which go-fed gets to see a node.
func fedType(typ string) string {
	switch typ {
	case "EmojiReact":
		return "Like"
	case "QuoteRequest":
		return "Activity"
	case "Answer":
		return "Note"
	}
	switch kindOf(typ) {
	case keyKind:
		return "PublicKey"
	case unknownKind:
		return "Object"
	}
	return typ
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

func unsupported(want, typ string) error {
	return fmt.Errorf("%w: %q is not an %s understood here", ErrUnsupported, typ, want)
}
