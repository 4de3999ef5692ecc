package participation

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestCommandsAreRead(t *testing.T) {
	words := DefaultCommands()
	words.Code = append(words.Code, "Mijn Stembewijs")
	for html, want := range map[string]string{
		`<p><span class="h-card" translate="no"><a href="https://node.example/@consult" class="u-url mention">@<span>consult</span></a></span> code</p>`: "code ",
		`<p><a href="https://node.example/@consult" class="u-url mention">@consult@node.example</a><span> Code!</span></p>`:                              "code ",
		"@consult@node.example CODE": "code ",
		"code":                       "code ", "“code”.": "code ", "ｃｏｄｅ": "code ", "#code": "code ", "code 🙏": "code ", "co\u200bde": "code ",
		"\u202ecode\u202c": "code ", "<p>code</p><p></p>": "code ", "mijn stembewijs": "code ", "<p>mijn<br>stembewijs</p>": "code ",
		"gegevens": "my-data nl", "Mijn gegevens?": "my-data nl", "my-data": "my-data en", "MY DATA": "my-data en",
		"": " ", "@consult": " ", "code code": " ", "wat is de code": " ", "codes": " ", "my": " ", "שלום code": " ", "edoc": " ",
		"cоde":                  " ", // a Cyrillic letter
		"<script>code</script>": " ",
		"code" + strings.Repeat("<br>", maxMessage):        " ",
		strings.Repeat("code ", 2000):                      " ",
		strings.Repeat("<div>", 600) + "code":              " ",
		"\xff\xfe":                                         " ",
		"<img alt='code'>":                                 " ",
		"<p>Mag ik <b>mijn gegevens</b> laten wissen?</p>": " ",
	} {
		command, language := words.Read(html)
		if got := string(command) + " " + language; got != want {
			t.Errorf("%.80q is %q, want %q", html, got, want)
		}
	}
	if e := words.Example(AskMyData, "en") + " " + words.Example(AskMyData, "nl") + " " + words.Example(AskCode, "nl"); e != "my data gegevens code" {
		t.Errorf("examples %q", e)
	}
}

func TestCommandsAreChecked(t *testing.T) {
	many := make([]string, 11)
	for i := range many {
		many[i] = fmt.Sprint("word", i)
	}
	for _, c := range []struct {
		code, data []string
		want       []string
	}{
		{[]string{"code"}, []string{"gegevens"}, nil},
		{[]string{"een twee drie"}, many[:10], nil},
		{nil, []string{"a"}, []string{"code"}},
		{many, nil, []string{"code", "my_data"}},
		{[]string{"een twee drie vier"}, []string{"!?"}, []string{"code", "my_data"}},
		{[]string{"@consult"}, []string{"a"}, []string{"code"}},
		{[]string{"My Data"}, []string{"my-data"}, []string{"my_data"}},
		{[]string{"code", "CODE"}, []string{"a"}, nil},
	} {
		var got []string
		Commands{c.code, c.data}.Check(func(key, format string, args ...any) { got = append(got, key) })
		if !slices.Equal(got, c.want) {
			t.Errorf("%q and %q: problems with %q, want %q", c.code, c.data, got, c.want)
		}
	}
}
