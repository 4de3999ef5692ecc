package web

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// difficult are words of offices and of projects for which level B1 has others. Each
// stands for its forms: the test looks for words that begin with it where it ends in
// "*".
func difficult() []string {
	return strings.Fields(`aangaande aanvang abusievelijk additione* adequa* aldaar alsmede alsook alvorens ambtshalve
		beleidskader* beleidsvoornemen* benevens betreffende bewerkstellig* bijgevolg bovengenoemd* conform
		dan-wel danwel derhalve desalniettemin desbetreffend* desgewenst dienaangaande dientengevolge dienovereenkomstig doch
		draagvlak* evalueren evenwel facilite* feedback gaarne geenszins gelieve geschied* heden hetgeen hiertoe hieromtrent
		implement* inachtneming indien ingevolge inherent initi* input inwerkingtreding inzake jegens jurisprudentie
		kenbaar krachtens middels mits monitor* mutatie* nadien nopens omtrent onderhavig* ongeacht opdat optimalis* overeenkomstig
		participant* participatietraject* participeren prioriteren realiseren reeds respectievelijk retourneren
		stakeholder* teneinde terzake tevens thans tool tools uwerzijds vigerend* vigeren verscheidene voornoemd* voorts vooralsnog
		wederom zodanig zorgdragen zulks`)
}

// longest is how many words a sentence may have: more than is read in one breath.
const longest = 25

var (
	filledIn  = regexp.MustCompile(`\{\{[^}]*\}\}`)
	sentences = regexp.MustCompile(`[.!?:;]+["’)]*(?:\s+|$)`)
)

// hardWords lists the difficult words of a text.
func hardWords(text string) (found []string) {
	for _, w := range regexp.MustCompile(`[\pL-]+`).FindAllString(strings.ToLower(text), -1) {
		if slices.ContainsFunc(difficult(), func(d string) bool {
			stem, forms := strings.CutSuffix(d, "*")
			return w == stem || forms && strings.HasPrefix(w, stem)
		}) {
			found = append(found, w)
		}
	}
	return found
}

// longSentences lists the sentences of a text that have too many words.
func longSentences(text string) (found []string) {
	for _, s := range sentences.Split(filledIn.ReplaceAllString(text, "dit"), -1) {
		if len(strings.Fields(s)) > longest {
			found = append(found, s)
		}
	}
	return found
}

// Dutch texts are for everybody (level B1 of the Common European Framework): no
// words of the office, no sentence that has to be read twice. A test cannot tell
// whether a text is plain, only that it is not.
func TestDutchIsPlain(t *testing.T) {
	s, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	messages := s.texts["nl"].messages
	for _, key := range slices.Sorted(maps.Keys(messages)) {
		for _, text := range []string{messages[key].One, messages[key].Other} {
			if words := hardWords(text); len(words) > 0 {
				t.Errorf("%s says %q: %s", key, words, text)
			}
			for _, sentence := range longSentences(text) {
				t.Errorf("%s: %d words in one sentence: %s", key, len(strings.Fields(sentence)), sentence)
			}
		}
	}
	if got := hardWords("Indien u thans wil meedoen in het beleidskader."); strings.Join(got, " ") != "indien thans beleidskader" {
		t.Errorf("found %q", got)
	}
	if got := longSentences(strings.Repeat("woord ", 26) + "? Kort."); len(got) != 1 {
		t.Errorf("found %q", got)
	}
}
