package web

import (
	"bytes"
	"image/png"
	"os"
	"strings"
	"testing"

	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/sfnt"
)

// Whatever a question is made of, there is a card of it that is not large.
func TestCard(t *testing.T) {
	p, err := NewPainter()
	if err != nil {
		t.Fatal(err)
	}
	drawn := map[string]string{}
	for name, title := range map[string]string{
		"none":       "",
		"short":      "Komt er een speeltuin?",
		"frisian":    "Hoe soe de nije brêge by Ûleryp hjitte moatte, en wêrom? Sjoch: ôfslach, krúspunt, drôvich",
		"long":       strings.Repeat("Wat vindt u van het verkeer in de wijk? ", 20),
		"word":       strings.Repeat("verkeersveiligheidsmaatregelen", 300),
		"10000":      strings.Repeat("a ", 5000),
		"emoji":      "Een bankje 🪑🌳 of een boom 👩🏽‍🌾?",
		"only emoji": "🪑🌳",
		"arabic":     "هل نبني ملعبا جديدا؟",
		"override":   "Ja \u202ekeerom\u202c en \u0000\ufeffklaar\r\n\t",
		"chinese":    "我们要不要建一个游乐场?",
		"decomposed": "Een idee\u0308 over een cafe\u0301",
		"broken":     "Kapot \xff\xfe einde",
		"zalgo":      "P" + strings.Repeat("\u0335\u0321", 3000) + "lein",
	} {
		for _, c := range []Card{{"Gemeente Voorbeeld", title, "Open", "Sluit op zondag 1 maart 2026 om 23:30 uur (Nederlandse tijd)", "inspraak.example/consultations/x"},
			{title, title, title, title, title}} {
			picture, err := p.Card(c)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			config, err := png.DecodeConfig(bytes.NewReader(picture))
			if err != nil || config.Width != cardWidth || config.Height != cardHeight || len(picture) > 60<<10 {
				t.Errorf("%s: %v, %d × %d, %d bytes", name, err, config.Width, config.Height, len(picture))
			}
			if folder := os.Getenv("INSPRAAK_SCREENSHOTS"); folder != "" && c.Site != title {
				if err := os.WriteFile(folder+"/card-"+strings.ReplaceAll(name, " ", "-")+".png", picture, 0o600); err != nil {
					t.Error(err)
				}
			}
			if c.Site != title {
				drawn[name] = string(picture)
			}
		}
	}
	for name, same := range map[string]string{"arabic": "none", "chinese": "none", "only emoji": "none"} {
		if drawn[name] != drawn[same] {
			t.Errorf("the card of %s is not that of %s", name, same)
		}
	}
	if drawn["short"] == drawn["none"] || drawn["emoji"] == drawn["none"] || drawn["frisian"] == drawn["none"] {
		t.Error("a question that can be written is not on its card")
	}
	for text, want := range map[string]string{
		"Een bankje 🪑🌳 of  een boom 👩🏽‍🌾?": "Een bankje of een boom ?",
		"Een idee\u0308":               "Een ideë",
		"Ja \u202ekeerom\u202c \u0000": "Ja keerom",
		"Plein 現":                      "",
	} {
		if got := p.drawable(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

// The letters of the languages that the site speaks.
func TestFontHasOurLetters(t *testing.T) {
	p, err := NewPainter()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range "aàáâäbcdeèéêëfghiìíîïjĳklmnoòóôöpqrstuùúûüvwxyýÿzAÂEÊOÔUÛÚĲ0123456789?!.,;:‘’“”–…€%&/@#()" {
		if !p.has(r) {
			t.Errorf("the fonts lack %q", r)
		}
	}
	if _, err := sfnt.Parse(gobold.TTF); err != nil {
		t.Error(err)
	}
}

func BenchmarkCard(b *testing.B) {
	p, err := NewPainter()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := p.Card(Card{"Gemeente Voorbeeld", "Welke ingreep maakt het plein een plek waar u graag komt, ook in de winter?", "Open", "Sluit op 1 maart", "x"}); err != nil {
			b.Fatal(err)
		}
	}
}
