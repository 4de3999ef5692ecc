package dataset

import (
	_ "embed" // the card
	"io"
	"strings"
	"text/template"
)

// Licence is that of every dataset, and of all else that a node publishes of its
// own. Its text is in LICENSE.txt.
const Licence = "https://creativecommons.org/publicdomain/zero/1.0/"

//go:embed card.md
var cardText string

// writeCard writes the data card, README.md: English, with a summary in Dutch.
func writeCard(in Input, w io.Writer) error {
	card, err := template.New("card.md").Funcs(template.FuncMap{
		"plain": plain,
		"cell":  func(s string) string { return strings.ReplaceAll(s, "|", `\|`) },
		"inc":   func(i int) int { return i + 1 },
	}).Parse(cardText)
	if err != nil {
		return err
	}
	fingerprint, err := in.fingerprint()
	if err != nil {
		return err
	}
	type meaning struct{ Reason, Text string }
	var reasons []meaning
	for _, c := range in.Refused {
		text := reason(c.Name)
		if text == "" {
			text = "a reason that this card has no words for"
		}
		reasons = append(reasons, meaning{c.Name, text})
	}
	closed := in.Closed.UTC()
	return card.Execute(w, struct {
		Input
		Fingerprint, At, Year string
		Single                bool
		Tables                []table
		Reasons               []meaning
	}{in, fingerprint, closed.Format("2006-01-02 15:04:05") + " UTC", closed.Format("2006"),
		in.Kind == "single-choice", []table{ballots(in), servers(in), refused(in)}, reasons})
}

// plain makes a text one line that Markdown shows as it is.
func plain(s string) string {
	return strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "#", `\#`,
		"!", `\!`, "~", `\~`, "|", `\|`, "<", `&lt;`, ">", `&gt;`, "&", `&amp;`).Replace(strings.Join(strings.Fields(s), " "))
}
