package participation

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"inspraak/participation/markup"
)

// What a search may ask, so that none costs more than a page does.
const (
	MaxSearch = 200 // characters
	maxTerms  = 12
)

// startLength is from how many letters on a word finds longer ones that begin
// with it. Fewer would find nearly everything.
const startLength = 3

// SearchIn is where to search; "" means everywhere.
type SearchIn string

const (
	InConsultations SearchIn = "consultations"
	InReplies       SearchIn = "replies"
)

// SearchQuery is what is asked. Limit is at most 100, and 0 means 20; Offset is at
// most 1,000: who needs more asks for less.
type SearchQuery struct {
	Text          string
	In            SearchIn
	Limit, Offset int
}

// A Term is words that follow one another: letters, digits and one blank between
// two words, no more. Start says that the last word may go on.
type Term struct {
	Words string
	Start bool
}

// A Hit is a consultation, or a reply in one, that has all that was asked for.
type Hit struct {
	Consultation Consultation
	Reply        *Reply    // nil: the consultation itself
	At           time.Time // of its opening, or of the receipt of the reply
	Excerpt      []Piece   // of its plain text
}

// A Piece is a part of an excerpt. Text is plain: escape it.
type Piece struct {
	Text string
	Mark bool // this was asked for
}

// SearchTerms reads what somebody typed. Words stand by themselves, or between
// double quotes to be found in that order; signs between letters join them
// ("e-mail" is found as "e mail"). Nothing in it is an operator. It cuts what is
// longer than MaxSearch, or has too many words, and says so. No terms means
// there is no word in it.
func SearchTerms(text string) (terms []Term, cut bool) {
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, " ")
	}
	if utf8.RuneCountInString(text) > MaxSearch {
		text, cut = string([]rune(text)[:MaxSearch]), true
	}
	add := func(part string, whole bool) {
		words := strings.FieldsFunc(part, func(r rune) bool {
			return !unicode.In(r, unicode.L, unicode.N, unicode.M) // as FTS5's unicode61 does
		})
		if len(words) == 0 || !strings.ContainsFunc(part, func(r rune) bool { return unicode.In(r, unicode.L, unicode.N) }) {
			return
		}
		last := words[len(words)-1]
		terms = append(terms, Term{strings.Join(words, " "), !whole && utf8.RuneCountInString(last) >= startLength})
	}
	text = strings.Map(quotes, text)
	for quoted := false; ; quoted = !quoted {
		part, rest, more := strings.Cut(text, `"`)
		if quoted && more {
			add(part, true)
		} else {
			for _, word := range strings.Fields(part) {
				add(word, false)
			}
		}
		if text = rest; !more {
			break
		}
	}
	if len(terms) > maxTerms {
		terms, cut = terms[:maxTerms], true
	}
	return terms, cut
}

// quotes reads all double quotes as one, and leaves out what is not seen.
func quotes(r rune) rune {
	switch {
	case strings.ContainsRune("“”„‟«»＂", r):
		return '"'
	case unicode.Is(unicode.Cf, r):
		return -1
	}
	return r
}

// Search finds what has all the terms of a query: consultations first, the last
// opened first, then replies, the last received first. Nothing else decides the
// order. It finds what the public may see, from the moment that it may be seen
// until the moment that it may not: no draft, nothing withdrawn, no hidden reply,
// none of a blocked account. Names of people are not searched. total counts all
// hits. A query without a word is ErrInvalid. Nothing is stored.
func (s *Service) Search(ctx context.Context, q SearchQuery) (hits []Hit, total int, err error) {
	terms, _ := SearchTerms(q.Text)
	if len(terms) == 0 {
		return nil, 0, fmt.Errorf("search: %w: there is no word to search for", ErrInvalid)
	}
	if q.In != "" && q.In != InConsultations && q.In != InReplies {
		return nil, 0, fmt.Errorf("search: %w: in %q; it is %s or %s", ErrInvalid, q.In, InConsultations, InReplies)
	}
	if q.Limit <= 0 {
		q.Limit = 20
	}
	q.Limit, q.Offset = min(q.Limit, 100), min(max(q.Offset, 0), 1000)
	err = s.Snapshot(ctx, func(ctx context.Context) error {
		for _, room := range []SearchIn{InConsultations, InReplies} {
			if q.In != "" && q.In != room {
				continue
			}
			found, n, err := s.Find(ctx, room, terms, q.Limit-len(hits), max(0, q.Offset-total))
			if err != nil {
				return err
			}
			hits, total = append(hits, found...), total+n
		}
		return nil
	})
	if err != nil {
		return nil, 0, fmt.Errorf("search: %w", err)
	}
	return hits, total, nil
}

// Words is the plain text of a reply.
func (r Reply) Words() string { return markup.Plain(r.HTML) }

// Words is the plain text of a consultation but for its title: what is asked, the
// options and the hashtags.
func (c Consultation) Words() string {
	lines := []string{markup.Plain(c.HTML)}
	lines = append(lines, c.Options...)
	for _, t := range c.Hashtags {
		lines = append(lines, "#"+t)
	}
	return strings.Join(lines, "\n")
}
