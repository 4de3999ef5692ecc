package web

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/tdewolff/parse/v2"
	"github.com/tdewolff/parse/v2/css"
)

// tokens are custom properties of the root element, name to value, as in design
// tokens of NL Design System. What dark does not have is as in light.
type tokens struct {
	light, dark map[string]string
	lines       map[string]int // on which each stands last
}

func (t tokens) clone() tokens { return tokens{maps.Clone(t.light), maps.Clone(t.dark), t.lines} }

// maxToken is the longest value, in bytes; those of real themes have fewer than 100.
const maxToken = 500

var (
	tokenName  = regexp.MustCompile(`^--[A-Za-z0-9_-]+$`)
	themeClass = regexp.MustCompile(`^\.[A-Za-z][A-Za-z0-9_-]*$`)
	darkMedia  = regexp.MustCompile(`^(screen and )?\(prefers-color-scheme:dark\)$`)
)

// readTokens takes the tokens out of a style sheet, with their values as they
// are. What is no token goes to `refuse`, with its line; nil refuses nothing, and
// takes only what stands under :root.
func readTokens(src []byte, refuse func(line int, format string, args ...any)) tokens {
	strict := refuse != nil
	if !strict {
		refuse = func(int, string, ...any) {}
	}
	t := tokens{map[string]string{}, map[string]string{}, map[string]int{}}
	// take is where the declarations of this rule go; nil is nowhere.
	var take map[string]string
	dark, skipped := false, 0 // skipped counts the at-rules within which nothing is read
	p := css.NewParser(parse.NewInputBytes(bytes.Clone(src)), false)
	line := func() int { return 1 + bytes.Count(src[:min(p.Offset(), len(src))], []byte("\n")) }
	for {
		grammar, _, data := p.Next()
		switch grammar {
		case css.ErrorGrammar:
			if errors.Is(p.Err(), io.EOF) {
				return t
			}
			refuse(line(), "this is no CSS: %.200v", strings.SplitN(fmt.Sprint(p.Err()), "\n", 2)[0])
			if !p.HasParseError() {
				return t
			}
		case css.AtRuleGrammar:
			if string(data) != "@charset" {
				refuse(line(), "%.40q: a theme is tokens only, and loads nothing", data)
			}
		case css.BeginAtRuleGrammar:
			if media := strings.TrimSpace(joined(p.Values())); skipped > 0 || dark || string(data) != "@media" || !darkMedia.MatchString(media) {
				refuse(line(), "%s %.60s: the only rule of this kind is @media (prefers-color-scheme: dark)", data, media)
				skipped++
			} else {
				dark = true
			}
		case css.EndAtRuleGrammar:
			if skipped > 0 {
				skipped--
			} else {
				dark = false
			}
		case css.QualifiedRuleGrammar, css.BeginRulesetGrammar:
			selector := strings.TrimSpace(joined(p.Values()))
			switch class := themeClass.MatchString(selector); {
			case skipped > 0:
				take = nil
			case strict && class && strings.Contains(selector, "dark"):
				refuse(line(), "%.60s: colours for the dark stand in @media (prefers-color-scheme: dark) { :root { … } }", selector)
				take = nil
			case selector == ":root" || strict && (class || selector == "html"):
				take = map[bool]map[string]string{false: t.light, true: t.dark}[dark]
			default:
				refuse(line(), "%.60s: tokens stand under :root, or under the one class of a theme", selector)
				take = nil
			}
		case css.EndRulesetGrammar:
			take = nil
		case css.DeclarationGrammar:
			refuse(line(), "%.60s: only tokens, whose names begin with --; how a page is laid out is not the theme's", data)
		case css.CustomPropertyGrammar:
			if take != nil && skipped == 0 {
				name := string(data)
				take[name], t.lines[name] = strings.TrimSpace(joined(p.Values())), line()
			}
		}
	}
}

func joined(values []css.Token) string {
	var b strings.Builder
	for _, v := range values {
		b.Write(v.Data)
	}
	return b.String()
}

// checkToken says what is wrong with a token, "" if nothing is: it must be plain
// values, end where it ends, and bring nothing in from elsewhere.
func checkToken(name, value string) string {
	if !tokenName.MatchString(name) {
		return "a name is -- with letters, digits and hyphens"
	}
	if value == "" || len(value) > maxToken {
		return fmt.Sprintf("a value has 1 to %d characters, this one %d", maxToken, len(value))
	}
	if strings.Contains(value, `\`) {
		return `has \, which no value needs`
	}
	depth := 0
	for _, token := range lexed(value) {
		switch token.TokenType {
		case css.URLToken, css.BadURLToken:
			return "url() is refused: pages ask nothing of other addresses"
		case css.FunctionToken:
			depth++
			switch strings.ToLower(string(token.Data)) {
			case "url(", "src(", "image(", "image-set(", "-webkit-image-set(", "attr(", "element(":
				return string(token.Data) + ") is refused: pages ask nothing of other addresses"
			}
		case css.LeftParenthesisToken:
			depth++
		case css.RightParenthesisToken:
			if depth--; depth < 0 {
				return "has a ) too many"
			}
		case css.AtKeywordToken, css.LeftBraceToken, css.RightBraceToken, css.SemicolonToken, css.BadStringToken, css.CDOToken, css.CDCToken:
			return fmt.Sprintf("has %q, which no value has", token.Data)
		case css.DelimToken:
			if bytes.ContainsAny(token.Data, "!<") {
				return fmt.Sprintf("has %q, which no value has", token.Data)
			}
		}
	}
	if depth > 0 {
		return "lacks a )"
	}
	return ""
}

// lexed is a value in its tokens, without comments.
func lexed(value string) (found []css.Token) {
	l := css.NewLexer(parse.NewInputString(value))
	for {
		kind, data := l.Next()
		if kind == css.ErrorToken {
			return found
		}
		if kind != css.CommentToken {
			found = append(found, css.Token{TokenType: kind, Data: bytes.Clone(data)})
		}
	}
}

// references lists the tokens that a value refers to.
func references(value string) (names []string) {
	for _, token := range lexed(value) {
		if token.TokenType == css.CustomPropertyNameToken {
			names = append(names, string(token.Data))
		}
	}
	return names
}

// maxChain is how far tokens may refer to tokens; real themes need about five.
const maxChain = 20

// value is a token with all that it refers to filled in (CSS Variables §3).
func (t tokens) value(name string, dark bool) (string, error) {
	return t.follow(name, dark, maxChain)
}

func (t tokens) follow(name string, dark bool, left int) (string, error) {
	if left == 0 {
		return "", fmt.Errorf("%s refers to itself, or through more than %d others", name, maxChain)
	}
	value, known := t.light[name]
	if v, ok := t.dark[name]; dark && ok {
		value, known = v, true
	}
	if !known {
		return "", fmt.Errorf("%s is defined nowhere", name)
	}
	return t.fill(lexed(value), dark, left)
}

// fill replaces each var() by what it stands for.
func (t tokens) fill(value []css.Token, dark bool, left int) (string, error) {
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		if value[i].TokenType != css.FunctionToken || !strings.EqualFold(string(value[i].Data), "var(") {
			b.Write(value[i].Data)
			continue
		}
		end := closing(value, i)
		inside := slices.DeleteFunc(slices.Clone(value[i+1:end]), func(t css.Token) bool { return t.TokenType == css.WhitespaceToken })
		if len(inside) == 0 || inside[0].TokenType != css.CustomPropertyNameToken {
			return "", fmt.Errorf("%s is no var() that names a token", joined(value[i:min(end+1, len(value))]))
		}
		filled, err := t.follow(string(inside[0].Data), dark, left-1)
		if comma := slices.IndexFunc(value[i:end], func(t css.Token) bool { return t.TokenType == css.CommaToken }); err != nil && comma > 0 {
			filled, err = t.fill(value[i+comma+1:end], dark, left-1)
		}
		if err != nil {
			return "", err
		}
		b.WriteString(filled)
		i = end
	}
	return strings.TrimSpace(b.String()), nil
}

// closing is the place of the parenthesis that ends the function at `from`.
func closing(value []css.Token, from int) int {
	depth := 0
	for i := from; i < len(value); i++ {
		switch value[i].TokenType {
		case css.FunctionToken, css.LeftParenthesisToken:
			depth++
		case css.RightParenthesisToken:
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return len(value)
}
