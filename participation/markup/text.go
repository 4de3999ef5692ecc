package markup

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/text/unicode/norm"
)

const maxName = 60 // characters of a display name

// clean removes what is not text, or turns other text round: invalid UTF-8, NUL
// and other controls, marks of writing direction, invisible characters. The
// joiners that Persian and emoji need stay. Tabs become blanks.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t':
			return ' '
		case r == utf8.RuneError, unicode.IsControl(r):
			return -1
		case r == '\u200c', r == '\u200d':
			return r
		case unicode.Is(unicode.Cf, r), r == '\u2028', r == '\u2029':
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}

// Plain returns the text of HTML, for summaries, feeds and tables: no tags, no
// entities, no runs of blanks; each paragraph, list item or line on a line of its
// own, none of them empty. What cannot be parsed, or has more than 256 KiB, is "".
// The result is text: whoever puts it into HTML must escape it.
func Plain(text string) (plain string) {
	defer func() {
		if recover() != nil { // a parser of strangers' input must not end the program
			plain = ""
		}
	}()
	nodes, err := parse(text)
	if err != nil {
		return ""
	}
	var b strings.Builder
	for _, n := range nodes {
		writePlain(&b, n)
	}
	var lines []string
	for line := range strings.SplitSeq(b.String(), "\n") {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

func writePlain(b *strings.Builder, n *html.Node) {
	if n.Type == html.TextNode {
		text := clean(n.Data)
		if n.Parent == nil || n.Parent.Data != "pre" {
			text = strings.ReplaceAll(text, "\n", " ")
		}
		b.WriteString(text)
		return
	}
	kind := kindOf(n)
	if kind == dropped {
		return
	}
	separator := ""
	switch kind {
	case block, heading, list, item, lineBreak:
		separator = "\n"
	case cell:
		separator = " "
	}
	b.WriteString(separator)
	for child := range n.ChildNodes() {
		writePlain(b, child)
	}
	b.WriteString(separator)
}

// Name makes a display name fit to stand beside a real one: one line of at most
// 60 characters, without marks of direction, invisible characters, custom emoji
// (":verified:") and the check marks and shields that pass for an official badge.
// It may be empty; show the account's address then, and beside it in any case.
func Name(display string) string {
	name := norm.NFC.String(clean(display))
	marks := 0
	name = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			if marks++; marks > 2 { // more is decoration that runs over other lines
				return -1
			}
		} else {
			marks = 0
		}
		switch {
		case unicode.IsSpace(r):
			return ' '
		case isBadge(r), isInvisible(r):
			return -1
		}
		return r
	}, name)
	for {
		shorter := withoutShortcode(name)
		if shorter == name {
			break
		}
		name = shorter
	}
	name = strings.Join(strings.Fields(name), " ")
	if utf8.RuneCountInString(name) > maxName {
		runes := []rune(name)
		name = strings.TrimRight(string(runes[:maxName-1]), " ") + "…"
	}
	return name
}

// isBadge lists the signs that look like a mark of verification or office.
func isBadge(r rune) bool {
	return strings.ContainsRune("✓✔✅☑√⍻🗸🗹🮱𐄂🛡⚜🏅🎖🆗ⓥⓋ🅥🔰", r)
}

// isInvisible lists what shows nothing and is no control.
func isInvisible(r rune) bool {
	switch {
	case r == '\u200c', r == '\u200d', r == '\u034f', r == '\u115f', r == '\u1160',
		r == '\u17b4', r == '\u17b5', r == '\u2800', r == '\u3164', r == '\uffa0':
		return true
	}
	return unicode.Is(unicode.Variation_Selector, r) || unicode.Is(unicode.Co, r)
}

// withoutShortcode takes the first :shortcode: out: letters, digits and
// underscores, not all digits, between colons that touch no other word (so that
// a time of day stays).
func withoutShortcode(s string) string {
	for start := 0; ; {
		colon := strings.IndexByte(s[start:], ':')
		if colon < 0 {
			return s
		}
		start += colon + 1
		end := strings.IndexFunc(s[start:], func(r rune) bool { return !isWord(r) })
		if end < 1 || s[start+end] != ':' {
			continue
		}
		code, before, after := s[start:start+end], s[:start-1], s[start+end+1:]
		last, _ := utf8.DecodeLastRuneInString(before)
		first, _ := utf8.DecodeRuneInString(after)
		if strings.Trim(code, "0123456789") != "" && !isWord(last) && !isWord(first) {
			return before + after
		}
	}
}

func isWord(r rune) bool {
	return r == '_' || r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r))
}
