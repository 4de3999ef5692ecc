package markup_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"inspraak/participation/markup"
)

func TestMarkdown(t *testing.T) {
	for src, want := range map[string]string{
		"":                          "",
		"# Het plein\n\nEen *plan*": "<p><strong>Het plein</strong></p>\n<p>Een <em>plan</em></p>",
		"a  \nb\nc":                 "<p>a<br>\nb\nc</p>",
		"- een\n- **twee**":         "<ul>\n<li>een</li>\n<li><strong>twee</strong></li>\n</ul>",
		"1. een\n2. twee":           "<ol>\n<li>een</li>\n<li>twee</li>\n</ol>",
		"> citaat":                  "<blockquote>\n<p>citaat</p>\n</blockquote>",
		"`a < b`":                   "<p><code>a &lt; b</code></p>",
		"```go\na < b\n\nc\n```":    "<p><code>a &lt; b<br><br>c</code></p>",
		"    x\n    y":              "<p><code>x<br>y</code></p>",
		"[kaart](https://city.example/kaart \"titel\")":                 `<p><a href="https://city.example/kaart">kaart</a></p>`,
		"zie https://city.example/kaart.":                               `<p>zie <a href="https://city.example/kaart">https://city.example/kaart</a>.</p>`,
		"[x](javascript:alert(1)) [y](/relatief) [z](data:text/html,x)": "<p>x y z</p>",
		"![een boom](https://city.example/boom.jpg)":                    "<p>een boom</p>",
		"voor <script>alert(1)</script> na":                             "<p>voor alert(1) na</p>",
		"<div onclick=x>\nblok\n</div>\n\nna":                           "<p>na</p>",
		"a\n\n---\n\nb":                                                 "<p>a</p>\n<p>b</p>",
		"a\u202eb\x00c\u200bd":                                          "<p>abcd</p>",
		"| a |\n|---|":                                                  "<p>| a |\n|---|</p>",
	} {
		got, err := markup.Markdown(src)
		if err != nil || got != want {
			t.Errorf("%q\n got %s\nwant %s (%v)", src, got, want, err)
		}
	}
	for name, src := range map[string]string{"too long": strings.Repeat("a", 64<<10+1), "not UTF-8": "caf\xe9"} {
		if _, err := markup.Markdown(src); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

const rel = ` rel="nofollow noopener noreferrer ugc"`

// What real servers send, and N45 to N48.
func TestReply(t *testing.T) {
	link := func(href, text string) string { return `<a href="` + href + `"` + rel + `>` + text + `</a>` }
	long := "https://city.example/" + strings.Repeat("x", 1990) + "@evil.example/"
	for src, want := range map[string]string{
		// A Mastodon reply: mention, link with hidden parts, hashtag.
		`<p><span class="h-card"><a href="https://city.example/@consult" class="u-url mention">@<span>consult</span></a></span> Goed plan!</p>`:                                                     `<p>` + link("https://city.example/@consult", "@consult") + ` Goed plan!</p>`,
		`<a href="https://m1.example/very/long/index.html"><span class="invisible">https://</span><span class="ellipsis">m1.example/very</span><span class="invisible">/long/index.html</span></a>`: link("https://m1.example/very/long/index.html", "https://m1.example/very/long/index.html"),
		"een<br/>twee": "een<br>twee",
		// Text that was marked up otherwise.
		"<h2>Kop</h2><div>een <b>twee</b> <i>drie</i></div>": "<p><strong>Kop</strong></p><p>een <strong>twee</strong> <em>drie</em></p>",
		"<ul><li>een<li>twee</ul><ol><li>x</ol>":             "<ul><li>een</li><li>twee</li></ul><ol><li>x</li></ol>",
		"<blockquote>q</blockquote><li>los":                  "<blockquote>q</blockquote><p>los</p>",
		"<pre>a\nb</pre>":                                    "<p>a<br>b</p>",
		"<table><tr><td>a<td>b<tr><td>c</table>":             "<p>a b </p><p>c </p>",
		"a &lt;b&gt; &amp;amp; c":                            "a &lt;b&gt; &amp;amp; c",
		// N45
		"<script>alert(1)</script>ja":                                                       "ja",
		`<img src=x onerror=alert(1)>ja`:                                                    "ja",
		"<svg/onload=alert(1)>ja":                                                           "",
		"<style>p{display:none}</style>ja":                                                  "ja",
		`<a href="javascript:alert(1)">ja</a>`:                                              "ja",
		`<a href=" jAva&#10;script:alert(1)">ja</a>`:                                        "ja",
		`<a href="data:text/html,x">ja</a><a href="vbscript:x">n</a>`:                       "jan",
		`<a href="//evil.example">ja</a><a href="/x">n</a>`:                                 "jan",
		`<p onclick="x()" style="position:fixed" id=a class=b>ja</p>`:                       "<p>ja</p>",
		"<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style>":           "",
		"<p><em>een<p>twee":                                                                 "<p><em>een</em></p><p><em>twee</em></p>",
		"</p></blockquote></div>x":                                                          "<p></p>x",
		"j\x00a<\x00script>x":                                                               "ja",
		"<!-- x --><?php ?>ja<![CDATA[x]]>":                                                 "ja",
		"<textarea><script>x</script></textarea><iframe>x</iframe><noscript>x</noscript>ja": "ja",
		"<form><input value=x><button>ok</button></form>ja":                                 "ja",
		"<p><img src=x></p>":                                                                "",
		// N46
		`<a href="https://evil.example/">https://city.example</a>`:                               link("https://evil.example/", "https://city.example [evil.example]"),
		`<a href="https://evil.example/">city.example</a>`:                                       link("https://evil.example/", "city.example [evil.example]"),
		`<a href="https://evil.example/">city。example</a>`:                                       link("https://evil.example/", "city。example [evil.example]"),
		`<a href="https://evil.example/">city` + "\u200d" + `.example</a>`:                       link("https://evil.example/", "city\u200d.example [evil.example]"),
		`<a href="https://evil.example/">evil.example@city.example</a>`:                          link("https://evil.example/", "evil.example@city.example [evil.example]"),
		`<a href="https://evil.example/">evil.example.city.example/x</a>`:                        link("https://evil.example/", "evil.example.city.example/x [evil.example]"),
		`<a href="https://evil.example/">city.example [city.example]</a>`:                        link("https://evil.example/", "city.example [city.example] [evil.example]"),
		`<a href="https://EVIL.example/">lees <em>dit</em></a>`:                                  link("https://evil.example/", "lees <em>dit</em>"),
		`<a href="https://www.m1.example/a">m1.example/a</a>`:                                    link("https://www.m1.example/a", "m1.example/a"),
		`<a href="https://gemeеnte.example/">gemeеnte.example</a>`:                               link("https://xn--gemente-bhg.example/", "gemeеnte.example [xn--gemente-bhg.example]"),
		`<a href="https://evil.example:8443/">evil.example</a>`:                                  link("https://evil.example:8443/", "evil.example"),
		`<a href="https://city.example@evil.example/">https://city.example</a>`:                  "https://city.example",
		`<a href="` + long + `">` + long + `</a>`:                                                long,
		`<a href="https://evil.example/"><img src=x></a>`:                                        link("https://evil.example/", "evil.example"),
		`<a href="https://a.example/"><table><td><a href="https://b.example/">x</a></table></a>`: link("https://a.example/", "<p>x </p>"),
		`<a href="https://a.example/">3.14 van 1.2.3.4</a>`:                                      link("https://a.example/", "3.14 van 1.2.3.4 [a.example]"),
		// N47, in text
		"a\u202egnp.exe\u2066\u200b\ufeffb": "agnp.exeb",
		"a&#x202e;b&ZeroWidthSpace;c":       "abc",
		// N48
		strings.Repeat("<b>", 10_000) + "x":   "",
		strings.Repeat("<div>", 10_000) + "x": "",
		strings.Repeat("<a href=x>", 9_999):   "",
		strings.Repeat("</p>", 100):           "",
		strings.Repeat("a", 256<<10+1):        "",
	} {
		got := markup.Reply(src)
		if got != want {
			t.Errorf("%.200q\n got %s\nwant %s", src, got, want)
		}
		if again := markup.Reply(got); again != got {
			t.Errorf("not stable: %s\n then %s", got, again)
		}
	}
}

func TestReplyIsCutSafely(t *testing.T) {
	for name, src := range map[string]string{
		"text":       strings.Repeat("é", 30_000),
		"entities":   strings.Repeat("&amp;", 30_000),
		"paragraphs": strings.Repeat("<p>een <em>twee</em></p>", 3_000),
		"nested":     strings.Repeat("<blockquote>", 400) + strings.Repeat("x", 30_000),
		"links":      strings.Repeat(`<a href="https://m1.example/a">city.example</a> `, 1_000),
		"one link":   `<a href="https://m1.example/a">city.example` + strings.Repeat("x", 30_000) + `</a>ja`,
	} {
		got := markup.Reply(src)
		if len(got) > 20_000 || !utf8.ValidString(got) {
			t.Errorf("%s: %d bytes", name, len(got))
		}
		if name != "one link" && len(got) < 19_000 {
			t.Errorf("%s: only %d bytes left", name, len(got))
		}
		if again := markup.Reply(got); again != got {
			t.Errorf("%s: not stable", name)
		}
		for _, tag := range []string{"p", "em", "a", "blockquote"} {
			if open, closed := len(regexp.MustCompile("<"+tag+"[ >]").FindAllString(got, -1)), strings.Count(got, "</"+tag+">"); open != closed {
				t.Errorf("%s: %d %s opened, %d closed", name, open, tag, closed)
			}
		}
	}
	if got := markup.Reply(strings.Repeat("x", 30_000)); !strings.HasSuffix(got, "x…") || len(got) != 20_000 {
		t.Errorf("cut to %d bytes, ending in %q", len(got), got[len(got)-5:])
	}
}

func TestPlain(t *testing.T) {
	for src, want := range map[string]string{
		"<p>een  <em>twee</em></p><p>drie<br>vier</p>":   "een twee\ndrie\nvier",
		"<ul><li>a</li><li>b &amp; c</li></ul>":          "a\nb & c",
		"<p>een\ntwee</p>":                               "een twee",
		"&lt;script&gt;":                                 "<script>",
		"<script>x</script><style>y</style>z":            "z",
		"een \u202e&nbsp; twee":                          "een twee",
		"<table><tr><td>a<td>b<tr><td>c</table>":         "a b\nc",
		"<pre>a\nb</pre>":                                "a\nb",
		"":                                               "",
		strings.Repeat("<div>", 10_000) + "x":            "",
		"<p>Zie <a href='https://x.example'>dit</a></p>": "Zie dit",
	} {
		if got := markup.Plain(src); got != want {
			t.Errorf("%.60q: %q, want %q", src, got, want)
		}
	}
}

// N47
func TestName(t *testing.T) {
	for src, want := range map[string]string{
		"Ana de Wit":                    "Ana de Wit",
		"  Ana \n\t de   Wit ":          "Ana de Wit",
		"\u202eetneemeG":                "etneemeG",
		"Ge\u200bme\u200dente\ufeff":    "Gemeente",
		"✔️ Gemeente Voorbeeld ☑✅🛡️":    "Gemeente Voorbeeld",
		":verified: Ana :blobcat_2: :)": "Ana :)",
		":a_:b:":                        ":a_:b:",
		"Ana :verified::verified:":      "Ana",
		"open om 12:30:45":              "open om 12:30:45",
		"a:b:c":                         "a:b:c",
		"José":                          "José",
		"Jose\u0301":                    "José",
		"Z" + strings.Repeat("\u0335", 50) + "algo": "Z\u0335\u0335algo",
		"\u3164\u2800 \u200b":                       "",
		":verified:":                                "",
		strings.Repeat("é", 10_000):                 strings.Repeat("é", 59) + "…",
		strings.Repeat("x", 60):                     strings.Repeat("x", 60),
		"<b>Ana</b>":                                "<b>Ana</b>",
		"caf\xe9":                                   "caf",
		"👩\u200d🔬 Ana":                              "👩🔬 Ana",
	} {
		got := markup.Name(src)
		if got != want {
			t.Errorf("%.60q: %q, want %q", src, got, want)
		}
		if again := markup.Name(got); again != got {
			t.Errorf("not stable: %q then %q", got, again)
		}
	}
}

// FuzzReply: whatever a stranger sends, the result holds only what is allowed,
// is balanced, bounded, and stable.
func FuzzReply(f *testing.F) {
	for _, seed := range []string{
		`<p>een <a href="https://m1.example/x?y=1&z">city.example</a><br></p>`,
		"<ul><table><li><p><object><ul><li><b><i><b>x", "<a href='http://x'><a href=\"http://y\"><div><a><h1>z",
		"<svg><p><math><style><!--</style><img onerror=x>", "<p><ul></p><li>a</ul></li><pre>\n\nx\n</pre>&#x202e;&#0;",
		"<select><option><template><p>", "<a href='http://xn--/:80?#%'>http://é。x</a>", "<noscript><p title=\"</noscript><img src=x>\">",
	} {
		f.Add(seed)
	}
	allowed := regexp.MustCompile(`^(?:[^<>]|</?(?:p|em|strong|ul|ol|li|blockquote)>|<br>|</a>|<a href="https?://[^"<> ]+" rel="nofollow noopener noreferrer ugc">)*$`)
	f.Fuzz(func(t *testing.T, src string) {
		got := markup.Reply(src)
		if !allowed.MatchString(got) {
			t.Fatalf("%q\nlet through %q", src, got)
		}
		if lower := strings.ToLower(got); strings.Contains(lower, "<script") || strings.Contains(lower, `href="javascript:`) {
			t.Fatalf("%q\nlet through %q", src, got)
		}
		if len(got) > 20_000 || !utf8.ValidString(got) {
			t.Fatalf("%q\n%d bytes", src, len(got))
		}
		for _, tag := range []string{"p", "em", "strong", "ul", "ol", "li", "blockquote"} {
			if strings.Count(got, "<"+tag+">") != strings.Count(got, "</"+tag+">") {
				t.Fatalf("%q\nunbalanced %q", src, got)
			}
		}
		if again := markup.Reply(got); again != got {
			t.Fatalf("%q\n gave %q\n then %q", src, got, again)
		}
		if name := markup.Name(src); markup.Name(name) != name || utf8.RuneCountInString(name) > 60 {
			t.Fatalf("name %q gave %q then %q", src, name, markup.Name(name))
		}
		_ = markup.Plain(src)
	})
}

// FuzzMarkdown: whatever an official writes, the result holds only what is
// allowed.
func FuzzMarkdown(f *testing.F) {
	for _, seed := range []string{
		"# Plein\n\nKies **mee** over [het plein](https://example.nl/plein).\n\n- een\n- twee\n\n> citaat\n\n    code\n",
		"[x](javascript:alert(1)) <script>x</script> ![a](b) <http://é.example> https://a.example/&lt;x",
		"```\n<p onclick=x>\n```\n\n***\n\n1. a\n   1. b\n", "[a]: https://x \"y\"\n[a]\n\n\x00\u202e", "<a href='x'>**b**</a>",
	} {
		f.Add(seed)
	}
	allowed := regexp.MustCompile(`^(?:[^<>]|</?(?:p|em|strong|ul|ol|li|blockquote|code)>|<br ?/?>|</a>|<a href="(?:https?|mailto):[^"<> ]*"(?: rel="[a-z ]*")?>)*$`)
	f.Fuzz(func(t *testing.T, src string) {
		got, err := markup.Markdown(src)
		if err == nil && !allowed.MatchString(got) {
			t.Fatalf("%q\nlet through %q", src, got)
		}
		_ = markup.Plain(got)
	})
}

func BenchmarkReply(b *testing.B) {
	const src = `<p><span class="h-card"><a href="https://city.example/@consult" class="u-url mention">@<span>consult</span></a></span> Ik vind het een goed plan, maar let op de bomen. Zie <a href="https://m1.example/bomen">m1.example/bomen</a>.</p>`
	b.ReportAllocs()
	for b.Loop() {
		_ = markup.Reply(src)
	}
}
