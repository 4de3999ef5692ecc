package web

import (
	"bytes"
	"encoding/json"
	"html/template"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"golang.org/x/net/html"
)

// hostile are words that mean something in Markdown, or in pandoc's.
func hostile() []string {
	list := []string{
		"# Kop", "#. een", "1. een", "(1) een", "a) een", "iv. een", "B. Jansen", "2026. Een jaar", "- punt", "+ punt", "* punt", "- - -", "***", "___",
		"> citaat", ">citaat", "=====", "-----", "--- ---", "| a | b |", "|---|---|", "+---+---+", ": uitleg", "~ uitleg", ":::", "::: {.x}", "Table: x",
		"```", "~~~ x", "`code`", "    ingesprongen", "\tingesprongen", "[x](javascript:alert(1))", "![x](https://kwaad.example/x.png)", "[x]: https://kwaad.example",
		"[^1]: noot", "tekst[^1]", "^[noot]", "<script>alert(1)</script>", "<https://kwaad.example>", "</div>", "<!-- weg -->", "&lt;b&gt; &copy; &#35;",
		"*sterk* __sterk__ ~~weg~~ H~2~O x^2^", "$x$ $$y$$", `\begin{document}`, `\(x\)`, "[@bron]", "@bron zegt", "-@bron", "(@) een", "{=html}", "`x`{=openxml}",
		"[x]{#id .class}", "a -- b --- c ... d", `"zo" 'zo'`, `'s avonds`, `C:\pad\`, `\`, `\\`, "a\\", "%titel", "---\ntitle: x\n---", "regel\nregel", ":smile:",
		"<b>x</b>", "http://x.example/*a*_b_", "==x==", "x|y", "«ja» “nee” – …", "٣. een", "\u00a0\u00a0\u00a0\u00a0code", "***a** b*", "_a_b_c_", "Nr. 5) en a. b",
		"1)", "1.", "-", "+", "#", "##### ", "[ ] taak", "- [x] taak", "Bijv.: dit", "(c) (r) +-", "\\@x", "&amp;", "«`»", "!", "![", "]", "[", "](", "a]b[c", "<", "a<b>c", "$5 en $6",
	}
	signs := []rune("#*_`[](){}<>|~^$@&\"'\\!-+.:=%/ 1a\n\u00a0é")
	r := rand.New(rand.NewPCG(1, 2))
	for range 400 {
		var b strings.Builder
		for range 1 + r.IntN(14) {
			b.WriteRune(signs[r.IntN(len(signs))])
		}
		list = append(list, b.String())
	}
	return list
}

// words is a text with its blanks made one.
func words(s string) string { return strings.Join(strings.Fields(s), " ") }

// document is what a report might look like around words: as text of a line, and as
// a citizen's paragraph, list and quotation.
func documentOf(text string) (source string, parts int) {
	safe := template.HTMLEscapeString(text)
	body := HTML("<p>" + strings.ReplaceAll(safe, "\n", "<br>") + "</p>")
	return string("## " + escaped("x "+text) + "\n\n" + escaped(text) + "\n\n" + escaped(body) + "\n\n" + quoted(body) + "\n\n" +
		escaped(HTML("<ul><li>"+safe+"</li></ul>")) + "\n"), 5
}

// What a citizen writes is text for CommonMark with all that goldmark adds to it.
func TestWordsStayWords(t *testing.T) {
	md := goldmark.New(goldmark.WithExtensions(extension.Table, extension.Strikethrough, extension.Footnote, extension.DefinitionList, extension.TaskList))
	for _, text := range hostile() {
		source, _ := documentOf(text)
		var out bytes.Buffer
		if err := md.Convert([]byte(source), &out); err != nil {
			t.Fatal(err)
		}
		want := words(text)
		if want == "" {
			continue
		}
		doc, err := html.Parse(&out)
		if err != nil {
			t.Fatal(err)
		}
		var seen strings.Builder
		elements := map[string]int{}
		for n := range doc.Descendants() {
			switch {
			case n.Type == html.TextNode:
				seen.WriteString(n.Data)
			case n.Type == html.ElementNode && n.Data == "br":
				seen.WriteString(" ")
			case n.Type == html.ElementNode:
				elements[n.Data]++
			default:
			}
		}
		for _, part := range []string{"x " + want, want, want, want, want} {
			if rest, found := strings.CutPrefix(words(seen.String()), words(part)); found {
				seen.Reset()
				seen.WriteString(rest)
			} else {
				t.Fatalf("%q as\n%s\nreads %q", text, source, words(seen.String()))
			}
		}
		for name := range elements {
			if !strings.Contains(" html head body h2 p blockquote ul li ", " "+name+" ") {
				t.Errorf("%q as\n%s\nhas an element %s", text, source, name)
			}
		}
	}
}

// And for pandoc, whose Markdown knows more.
func TestWordsStayWordsForPandoc(t *testing.T) {
	pandoc, err := exec.LookPath("pandoc")
	if err != nil {
		t.Skip("pandoc is not here: apt-get install pandoc")
	}
	var all strings.Builder
	texts := hostile()
	for _, text := range texts {
		source, _ := documentOf(text)
		all.WriteString("# EINDE\n\n" + source + "\n")
	}
	run := exec.CommandContext(t.Context(), pandoc, "--from", "markdown", "--to", "json")
	run.Stdin = strings.NewReader(all.String())
	out, err := run.Output()
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ Blocks []pandocNode }
	if err := json.Unmarshal(out, &doc); err != nil {
		t.Fatal(err)
	}
	var seen strings.Builder
	kinds := map[string]int{}
	for _, b := range doc.Blocks {
		b.read(&seen, kinds)
	}
	got := strings.Split(seen.String(), "EINDE")[1:]
	if len(got) != len(texts) {
		t.Fatalf("%d texts came out of %d", len(got), len(texts))
	}
	for i, text := range texts {
		one := words(text)
		if strings.HasPrefix(text, "[ ] ") { // at the head of a list's item it draws a box, escaped or not
			continue
		}
		if want := words("x " + one + " " + strings.Repeat(one+" ", 4)); words(got[i]) != want {
			source, _ := documentOf(text)
			t.Errorf("%q as\n%s\nreads %q, want %q", text, source, words(got[i]), want)
		}
	}
	for kind := range kinds {
		if !strings.Contains(" Header Para Plain BulletList BlockQuote Str Space SoftBreak LineBreak Quoted DoubleQuote ", " "+kind+" ") {
			t.Errorf("pandoc saw %d of %s", kinds[kind], kind)
		}
	}
}

// pandocNode is an element of pandoc's tree.
type pandocNode struct {
	T string
	C json.RawMessage
}

func (n pandocNode) read(to *strings.Builder, kinds map[string]int) {
	kinds[n.T]++
	switch n.T {
	case "Str":
		var s string
		_ = json.Unmarshal(n.C, &s)
		to.WriteString(s)
		return
	case "Quoted": // typographic quotation marks, which it writes again
		var inside strings.Builder
		readAll(n.C, &inside, kinds)
		to.WriteString("“" + strings.TrimSpace(inside.String()) + "”")
		return
	case "Space", "SoftBreak", "LineBreak":
		to.WriteString(" ")
		return
	}
	readAll(n.C, to, kinds)
	to.WriteString(" ")
}

func readAll(raw json.RawMessage, to *strings.Builder, kinds map[string]int) {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return
	}
	for _, item := range list {
		var n pandocNode
		if json.Unmarshal(item, &n) == nil && n.T != "" {
			n.read(to, kinds)
			continue
		}
		readAll(item, to, kinds)
	}
}

func TestSafeHTMLKeepsItsForm(t *testing.T) {
	for in, want := range map[string]string{
		`<p>Een <strong>groot</strong> plan.<br>Met <em>ruimte</em>.</p><p>Twee</p>`: "Een **groot** plan.  \nMet *ruimte*.\n\nTwee",
		`<ul><li>een</li><li><p>twee</p><p>drie</p></li></ul>`:                       "-   een\n-   twee\n\n    drie",
		`<ol><li>een<ul><li>a</li></ul></li></ol>`:                                   "1.  een\n\n    -   a",
		`<blockquote><p>zei hij</p></blockquote>`:                                    "> zei hij",
		`<p><a href="https://x.example/a?b=1&amp;c=(2)">het plan</a></p>`:            "[het plan](<https://x.example/a?b=1&amp;c=(2)>)",
		`<p><a href="javascript:alert(1)">het plan</a></p>`:                          "het plan",
		`<p>a<strong> b</strong>c <strong>(d)</strong></p>`:                          "a bc (d)",
		`los<p>in</p>los`:  "los\n\nin\n\nlos",
		`<p><br>x<br></p>`: "x",
		`<p>Zie <a href="https://x.example/&lt;script&gt; \` + "`" + `">hier</a></p>`: "Zie [hier](<https://x.example/%3Cscript%3E%20%5C%60>)",
		`<p>een<em><br>twee</em></p>`: "een  \ntwee",
	} {
		if got := string(escaped(HTML(in))); got != want {
			t.Errorf("%s\nbecomes %q\nwant    %q", in, got, want)
		}
	}
}
