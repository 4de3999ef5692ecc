package handlers_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"inspraak/participation"
)

// Words that are the same in Dutch and English: names, and what both languages say.
func sameInBoth() []string {
	return []string{"Gemeente Voorbeeld", "Privacy", "Open", "Dataset", "JSON", "CSV", "Atom", "RSS", "UTC", "Contact", "Code", "SHA-256", "Open data", "Home"}
}

// spokenWords are the texts of a page in the language of the page: not what carries
// a language of its own, nor what was written by others.
func spokenWords(n *html.Node, page string) (words []string) {
	if n.Type == html.ElementNode {
		if slices.Contains([]string{"code", "pre", "bdi", "time", "svg", "head", "blockquote", "input"}, n.Data) {
			return nil
		}
		for _, a := range n.Attr {
			if a.Key == "lang" && a.Val != page {
				return nil
			}
			if a.Key == "aria-label" || a.Key == "alt" || a.Key == "title" || a.Key == "placeholder" {
				words = append(words, a.Val)
			}
		}
	}
	if n.Type == html.TextNode {
		words = append(words, strings.Join(strings.Fields(n.Data), " "))
	}
	for child := range n.ChildNodes() {
		words = append(words, spokenWords(child, page)...)
	}
	return words
}

// What Go code writes on a page comes from the texts of a language too: no sentence
// of a page is the same in Dutch and in English, unless it is marked as being in one
// of them.
func TestNothingIsLeftUntranslated(t *testing.T) {
	s := newSite(t)
	speeltuin := s.publish("speeltuin", func(c *participation.Consultation) { c.Language = "fr" })
	s.vote(speeltuin, "Ja", 3)
	s.reply(speeltuin, "anna", "", "<p>Graag.</p>")
	klaar := s.publish("klaar", func(c *participation.Consultation) { c.Language = "fr" })
	s.vote(klaar, "Nee", 3)
	receipt := s.receipt("Nee0").Token
	s.close(klaar)
	s.freeze()
	letters, name := regexp.MustCompile(`\pL{3}`), regexp.MustCompile(`^\S+[.@]\S+$`) // of a file or an account
	for _, path := range []string{"/", "/about", "/logs", "/@gemeente", "/tags/speeltuin", "/nergens", "/consultations/speeltuin", "/consultations/klaar",
		"/consultations/klaar/dataset", "/consultations/klaar/figures", "/consultations/klaar/ballots", "/consultations/klaar/ballots?code=x",
		"/consultations/speeltuin/dataset", "/consultations/klaar/receipt/" + receipt, "/consultations/klaar/receipt/x", "/my-data/x",
		"/my-data/" + s.service.DataToken("https://elders.example/users/Ja0")} {
		said := map[string][]string{}
		for _, lang := range []string{"nl", "en"} {
			root, err := html.Parse(s.get(path, "Accept-Language", lang).Body)
			s.ok(err)
			said[lang] = spokenWords(root, lang)
		}
		if len(said["nl"]) < 10 {
			t.Errorf("%s says %q", path, said["nl"])
		}
		for _, words := range said["nl"] {
			if letters.MatchString(words) && !name.MatchString(words) && slices.Contains(said["en"], words) && !slices.Contains(sameInBoth(), words) {
				t.Errorf("%s says %q in Dutch and in English", path, words)
			}
		}
	}
}
