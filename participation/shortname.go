package participation

import "strings"

// shortAlphabet has no vowels, so that no short name is a word, and no two signs
// that look alike: neither 0 and O nor 1, I and L.
const shortAlphabet = "23456789bcdfghjkmnpqrstvwxyz"

// How numbers become short names: all names of five signs, and a step through them
// that has no factor in common with their number, so that each number has a name of
// its own and neighbours do not look alike. Posters carry these names: never change
// them.
const (
	shortLength = 5
	shortNames  = 28 * 28 * 28 * 28 * 28 // 17,210,368
	shortStep   = 10_636_593
	shortStart  = 4_517_351
)

// ShortName is what stands for a consultation in a short link: five signs that can
// be read aloud and typed from a poster. It never changes, and no other
// consultation of the same node has it. It is no secret.
func (c Consultation) ShortName() string {
	n := (c.Number%shortNames*shortStep + shortStart) % shortNames
	var name [shortLength]byte
	for i := range name {
		name[shortLength-1-i] = shortAlphabet[n%int64(len(shortAlphabet))]
		n /= int64(len(shortAlphabet))
	}
	return string(name[:])
}

// CanonicalShortName is a short name as it was printed, from what somebody typed:
// in any case, with spaces or hyphens. What cannot be one is returned as it is.
func CanonicalShortName(typed string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' {
			return -1
		}
		return r
	}, strings.ToLower(typed))
}
