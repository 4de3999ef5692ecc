package participation

import (
	"fmt"
	"sort"
	"strings"

	"inspraak/tally"
)

// resultText is the post that closes a consultation: the result in one
// sentence and a line per option, as Markdown, in Dutch if that is the
// consultation's language, else in English.
func resultText(c Consultation, r Result) string {
	dutch := strings.HasPrefix(c.Language, "nl")
	open, closed := "The question “%s” is closed. Replies: %d.", "The poll “%s” is closed. Voters: %d."
	if dutch {
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
		b.WriteString(classText(r.Classes, dutch))
	}
	return b.String()
}

// classText says in three sentences which votes came from established accounts,
// and what that proves; nothing if it may not be told.
func classText(c *Classes, dutch bool) string {
	if c == nil {
		return ""
	}
	text := "\nVotes from established accounts: %s; others: %s. All count the same. We cannot prove that an account is a person.\n"
	formats := map[string]string{"about": "about %d", "fewer": "fewer than %d", "between": "%d to %d"}
	if dutch {
		text = "\nStemmen van gevestigde accounts: %s; andere: %s. Alle tellen even zwaar. Dat een account een mens is, kunnen wij niet bewijzen.\n"
		formats = map[string]string{"about": "ongeveer %d", "fewer": "minder dan %d", "between": "%d tot %d"}
	}
	words := func(r tally.Range) string {
		how, n, to := r.Read()
		if how == "between" {
			return fmt.Sprintf(formats[how], n, to)
		}
		return fmt.Sprintf(formats[how], n)
	}
	return fmt.Sprintf(text, words(c.Established), words(c.Unclassified))
}

func share(n, of int) string {
	if of == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d%%)", (200*n+of)/(2*of))
}

var markdown = strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "`", "\\`", "#", `\#`, "!", `\!`, "~", `\~`)

func escapeMarkdown(s string) string { return markdown.Replace(s) }

// checkpointText is the post that carries a signed head of a consultation's log.
func checkpointText(c Consultation, h LogHead) string {
	what := "Signed checkpoint of the ballot log, for later comparison:"
	if strings.HasPrefix(c.Language, "nl") {
		what = "Getekende stand van het stemlogboek, om later te vergelijken:"
	}
	return what + "\n\n" + preformatted(h.Checkpoint)
}

// dailyText begins the post with the newest heads of a channel's logs.
func dailyText(language string) string {
	if strings.HasPrefix(language, "nl") {
		return "De getekende standen van onze stemlogboeken, om later te vergelijken:"
	}
	return "Signed checkpoints of our ballot logs, for later comparison:"
}

// preformatted keeps a text as it is, in Markdown.
func preformatted(text string) string { return "```\n" + text + "```\n" }
