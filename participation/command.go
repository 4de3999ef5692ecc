package participation

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"inspraak/participation/markup"
)

// Command is what a direct message to a channel may ask.
type Command string

const (
	AskCode   Command = "code"    // the sender's receipts
	AskMyData Command = "my-data" // what is held about the sender
)

// Commands are the words for each command, of one to three words each. A
// message is a command if nothing else stands in it; case, punctuation and
// mentions do not matter.
type Commands struct {
	Code   []string
	MyData []string
}

// DefaultCommands are the words where the configuration gives none.
func DefaultCommands() Commands {
	return Commands{Code: []string{"code"}, MyData: []string{"gegevens", "my data", "mijn gegevens"}}
}

// Bounds of what is configured.
const (
	maxCommandWords = 3
	maxCommands     = 10
)

// Check says what is wrong with the words, by key of the configuration: code or
// my_data.
func (c Commands) Check(bad func(key, format string, args ...any)) {
	seen := map[string]string{}
	for _, list := range []struct {
		key   string
		words []string
	}{{"code", c.Code}, {"my_data", c.MyData}} {
		if len(list.words) == 0 || len(list.words) > maxCommands {
			bad(list.key, "%d words: give 1 to %d", len(list.words), maxCommands)
			continue
		}
		for _, word := range list.words {
			said := strings.Join(spoken(word), " ")
			other, taken := seen[said]
			switch n := len(spoken(word)); {
			case n == 0 || n > maxCommandWords:
				bad(list.key, "%q: one to %d words, of letters and digits", word, maxCommandWords)
			case taken && other != list.key:
				bad(list.key, "%q is a word of both commands; a message could not tell which is meant", word)
			}
			seen[said] = list.key
		}
	}
}

// Read tells which command a message is, none for anything else, and in which
// language it was said where the word tells that: "nl", "en" or "". html is
// foreign and may be anything.
func (c Commands) Read(html string) (command Command, language string) {
	if len(html) > maxMessage {
		return "", ""
	}
	said := strings.Join(spoken(markup.Plain(html)), " ")
	is := func(words []string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return said != "" && strings.Join(spoken(w), " ") == said })
	}
	switch {
	case is(c.Code):
		command = AskCode
	case is(c.MyData):
		command = AskMyData
	default:
		return "", ""
	}
	return command, map[string]string{"gegevens": "nl", "mijn gegevens": "nl", "my data": "en"}[said]
}

// maxMessage is the size in bytes past which a message cannot be a command,
// with all that apps put around a word.
const maxMessage = 16 << 10

// spoken gives the words of a text as they sound: letters, marks and digits
// only, case folded, without mentions (@name, @name@host).
func spoken(text string) (words []string) {
	folded := cases.Fold().String(norm.NFKC.String(text))
	for field := range strings.FieldsSeq(folded) {
		if strings.HasPrefix(field, "@") {
			continue
		}
		words = append(words, strings.FieldsFunc(field, func(r rune) bool {
			return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r)
		})...)
	}
	return words
}

// Example is the word to tell people for a command in a language: the first one
// that is of that language, else the first.
func (c Commands) Example(command Command, language string) string {
	words := c.Code
	if command == AskMyData {
		words = c.MyData
	}
	for _, w := range words {
		if _, l := c.Read(w); l == language {
			return w
		}
	}
	if len(words) == 0 {
		return ""
	}
	return words[0]
}
