package participation

import (
	"fmt"
	"sort"
	"strings"
)

// resultText is the post that closes a consultation: the result in one
// sentence and a line per option, as Markdown, in Dutch if that is the
// consultation's language, else in English.
func resultText(c Consultation, r Result) string {
	open, closed := "The question “%s” is closed. Replies: %d.", "The poll “%s” is closed. Voters: %d."
	if strings.HasPrefix(c.Language, "nl") {
		open, closed = "De vraag “%s” is gesloten. Aantal reacties: %d.", "De peiling “%s” is gesloten. Aantal stemmers: %d."
	}
	var b strings.Builder
	if c.Kind == OpenQuestion {
		fmt.Fprintf(&b, open, escapeMarkdown(c.Title), r.Replies)
	} else {
		fmt.Fprintf(&b, closed, escapeMarkdown(c.Title), r.Turnout)
		order := make([]int, len(r.Counts))
		for i := range order {
			order[i] = i
		}
		sort.SliceStable(order, func(i, j int) bool { return r.Counts[order[i]] > r.Counts[order[j]] })
		b.WriteString("\n\n")
		for _, i := range order {
			fmt.Fprintf(&b, "- %s: %d%s\n", escapeMarkdown(c.Options[i]), r.Counts[i], share(r.Counts[i], r.Turnout))
		}
	}
	return b.String()
}

func share(n, of int) string {
	if of == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d%%)", (200*n+of)/(2*of))
}

var markdown = strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "`", "\\`", "#", `\#`, "!", `\!`, "~", `\~`)

func escapeMarkdown(s string) string { return markdown.Replace(s) }
