package handlers_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"html"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"inspraak/participation"
)

// reported is a consultation after which a report can say something of everything.
func reported(t *testing.T) (*site, participation.Consultation) {
	t.Helper()
	s := newSite(t)
	c := s.publish("park")
	s.vote(c, "Ja", 40)
	s.vote(c, "Nee", 2)
	tree := s.reply(c, "anna", "", `<p><a href="https://inspraak.example/@gemeente">@gemeente</a> Meer bomen, zegt @bert@elders.example.</p>`)
	s.reply(c, "bert", "", "<p># Geen kop</p><p>| a | b |<br>[klik](javascript:alert(1)) &lt;script&gt;alert(1)&lt;/script&gt;</p><ul><li>punt</li></ul>")
	s.reply(c, "carla", tree, `<p><a href="https://elders.example/@anna">@anna</a> Eens met <a href="https://elders.example/@anna">@anna</a>: zie <a href="https://plan.example/">het plan</a>.</p>`)
	rude := s.reply(c, "dirk", tree, "<p>Lelijke woorden</p>")
	s.reply(c, "els", rude, "<p>Rustig aan</p>")
	s.ok(s.service.HideReply(t.Context(), rude, "Scheldwoorden"))
	_, err := s.service.Answer(t.Context(), tree, "Wij planten **veertig** bomen.")
	s.ok(err)
	_, err = s.service.Announce(t.Context(), c.ID, participation.Notice, "Er is een bijeenkomst.")
	s.ok(err)
	s.close(c)
	s.freeze()
	closed, err := s.service.Consultation(t.Context(), c.ID)
	s.ok(err)
	return s, closed
}

func TestReport(t *testing.T) {
	s, c := reported(t)
	tree, err := s.service.Reply(t.Context(), "https://elders.example/notes/anna")
	s.ok(err)
	_, cited, err := s.service.Summarise(t.Context(), c.Slug, "Mensen willen [bomen](reply:"+participation.ShortID(tree.ID)+"), lees [het plan](https://plan.example/).")
	s.ok(err)
	if cited != 1 {
		t.Errorf("the summary rests on %d replies, want 1", cited)
	}
	d := s.page("/consultations/park/report", 200, "Accept-Language", "nl")
	all := text(d, "main")
	for _, words := range []string{
		"Het vaakst gekozen: Ja, door 40 van de 42 stemmers (95%).", "Wat wij vroegen", "Wij denken aan het park.", "De raad leest alles.", "De plek staat vast.",
		"Bel 14 0123.", "Er is een bijeenkomst.", "Wij planten veertig bomen.", "Meer bomen, zegt @…", "Eens met @…: zie het plan", "# Geen kop", "Scheldwoorden",
		"De gemeente heeft 1 reactie verborgen.", "3 reacties hebben geen antwoord", "Deze getallen zeggen niet hoe de inwoners erover denken", "inspraak verify https://inspraak.example/consultations/park/dataset.zip",
		"Vingerafdruk", "Zonder één server", "Mensen willen bomen, lees het plan.",
	} {
		if !strings.Contains(all, words) {
			t.Errorf("the report lacks %q", words)
		}
	}
	for _, name := range []string{"anna", "bert", "carla", "dirk", "els@", "Lelijke woorden"} {
		if strings.Contains(all, name) {
			t.Errorf("the report names %q", name)
		}
	}
	if to := d.Find(".official a").First().AttrOr("href", ""); to != "#"+tree.Anchor() || d.Find(to).Length() != 1 {
		t.Errorf("the summary leads to %q", to)
	}
	// Conversations in order of time, and in each who answers whom.
	var order []string
	d.Find("section[aria-labelledby=said] section").Each(func(_ int, thread *goquery.Selection) {
		thread.Find("article > .meta").Each(func(_ int, e *goquery.Selection) {
			order = append(order, regexp.MustCompile(`\d+ mrt.*\d\d:\d\d`).ReplaceAllString(strings.Join(strings.Fields(e.Text()), " "), "t"))
		})
		order = append(order, "/")
	})
	if got, want := strings.Join(order, "|"), "Reactie 1 t|Reactie 3 t Antwoord op Reactie 1|Reactie 4 t|/|Reactie 2 t|/"; got != want {
		t.Errorf("the conversations are %s\nwant %s", got, want)
	}
	// English has the same numbers.
	d = s.page("/consultations/park/report?lang=en", 200)
	if to := d.Find(".official a").First().AttrOr("href", ""); to != "#"+tree.Anchor() {
		t.Errorf("in English the summary leads to %q", to)
	}
	if english := text(d, "main"); !strings.Contains(english, "Chosen most: Ja, by 40 of 42 voters (95%).") {
		t.Errorf("in English: %.300s", english)
	}
}

// Before the final count a report tells no count, wherever it might.
func TestDraftReportTellsNoCounts(t *testing.T) {
	s := newSite(t)
	ja, nee := s.publish("ja"), s.publish("nee")
	s.vote(ja, "Ja", 40)
	s.vote(nee, "Nee", 40)
	for _, path := range []string{"/report", "/report.md", "/report?replies=all"} {
		a, b := html.UnescapeString(s.get("/consultations/ja"+path).Body.String()), html.UnescapeString(s.get("/consultations/nee"+path).Body.String())
		for _, c := range []participation.Consultation{ja, nee} {
			head, err := s.service.Log(t.Context(), c.Number)
			s.ok(err)
			key, _ := s.service.LogKey(c) // with a digest of its name, which has the ID
			for _, random := range []string{strings.TrimSpace(head.Checkpoint), key, c.ID} {
				a, b = strings.ReplaceAll(a, random, ""), strings.ReplaceAll(b, random, "")
			}
		}
		if a, b = strings.ReplaceAll(a, "/ja", ""), strings.ReplaceAll(b, "/nee", ""); a != b {
			t.Errorf("%s tells who leads:\n%s\n%s", path, a, b)
		}
		if !strings.Contains(a, "Dit is een concept") {
			t.Errorf("%s does not say that it is a draft", path)
		}
	}
	s.close(ja)
	if body := s.get("/consultations/ja/report").Body.String(); strings.Contains(body, "Dit is een concept") || !strings.Contains(body, "door 40 ") {
		t.Error("the report of a closed one is a draft")
	}
	s.ok(s.service.Withdraw(t.Context(), nee.ID, "Vergissing"))
	s.page("/consultations/nee/report", 410)
	s.page("/consultations/nergens/report", 404)
	s.draft("geheim")
	s.page("/consultations/geheim/report", 404)
}

// A summary that rests on what is not shown is refused, with every link that is
// wrong; of one whose reply goes later the words stay and the link does not.
func TestSummary(t *testing.T) {
	s, c := reported(t)
	rude, err := s.service.Reply(t.Context(), "https://elders.example/notes/dirk")
	s.ok(err)
	_, _, err = s.service.Summarise(t.Context(), c.ID, "Zie [a](reply:00000000), [b](https://elders.example/notes/dirk), [c](https://inspraak.example/consultations/park/replies#"+rude.Anchor()+"), [d](reply:), [e](https://plan.example/).")
	for _, words := range []string{"reply:00000000: there is no such reply", "notes/dirk: the reply is hidden", rude.Anchor() + ": the reply is hidden", "reply:: there is no"} {
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("a summary that rests on nothing: %v, want %q", err, words)
		}
	}
	if kept, err := s.service.Summaries(t.Context(), c.Number); err != nil || len(kept) != 0 {
		t.Errorf("kept although refused: %v, %v", kept, err)
	}
	for i, text := range []string{"Eerst [a](https://elders.example/notes/anna).", "Dan [b](https://elders.example/notes/bert), [x](javascript:alert(1)) <b onclick=x>"} {
		sum, _, err := s.service.Summarise(t.Context(), c.ID, text)
		s.ok(err)
		if sum.Version != i+1 {
			t.Errorf("version %d, want %d", sum.Version, i+1)
		}
	}
	kept, err := s.service.Summaries(t.Context(), c.Number)
	s.ok(err)
	if len(kept) != 2 || kept[0].Source != "" || len(kept[0].SHA256) != 64 || kept[1].Source == "" {
		t.Errorf("kept %+v", kept)
	}
	d := s.page("/consultations/park/report", 200)
	if html, _ := d.Find(".official").First().Html(); strings.Contains(html, "javascript") || strings.Contains(html, "onclick") || !strings.Contains(html, "#reply-") {
		t.Errorf("the summary is %s", html)
	}
	if !strings.Contains(text(d, "main"), "Eerdere versies") || !strings.Contains(text(d, "main"), kept[0].SHA256) {
		t.Error("the earlier version is not told of")
	}
	s.ok(s.service.HideReply(t.Context(), "https://elders.example/notes/bert", "Reclame"))
	d = s.page("/consultations/park/report", 200)
	if !strings.Contains(text(d, "main"), "1 reactie die hierin stond, is niet meer te zien") || d.Find(".official a").Length() != 0 {
		t.Error("a reply that is hidden now is still linked to")
	}
	for _, wrong := range []struct{ id, text string }{{s.publish("open").ID, "x"}, {c.ID, " \n"}, {c.ID, "<b></b>"}, {c.ID, strings.Repeat("x", 1<<17)}} {
		if _, _, err := s.service.Summarise(t.Context(), wrong.id, wrong.text); err == nil {
			t.Errorf("%.20q was accepted", wrong.text)
		}
	}
}

// Debian's pandoc makes a document of it, in which strangers' words are words.
func TestReportAsDocument(t *testing.T) {
	s, c := reported(t)
	_, _, err := s.service.Summarise(t.Context(), c.ID, "Mensen willen [bomen](https://elders.example/notes/anna).")
	s.ok(err)
	s.ok(s.service.HideReply(t.Context(), "https://elders.example/notes/els", "| *Reclame* | [x](javascript:alert(1)) # kop"))
	w := s.get("/consultations/park/report.md?lang=nl")
	if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/markdown") {
		t.Fatalf("%d %s", w.Code, w.Header())
	}
	if again := s.get("/consultations/park/report.md?lang=nl", "If-None-Match", w.Header().Get("ETag")); again.Code != 304 {
		t.Errorf("asked again: %d", again.Code)
	}
	source := w.Body.String()
	if !strings.Contains(source, `\*Reclame\* \| \[x\]`) || strings.Contains(source, "<p>") {
		t.Errorf("a reason is Markdown, or a text HTML:\n%s", source)
	}
	if regexp.MustCompile(`[^\\](# Geen kop|<script|\]\(javascript)`).MatchString(source) {
		t.Errorf("a citizen writes Markdown:\n%s", source)
	}
	pandoc, err := exec.LookPath("pandoc")
	if err != nil {
		t.Skip("pandoc is not here, so no ODT was made: apt-get install pandoc")
	}
	file := filepath.Join(t.TempDir(), "report.odt")
	run := exec.CommandContext(t.Context(), pandoc, "--from", "markdown", "--standalone", "--output", file)
	run.Stdin = strings.NewReader(source)
	if out, err := run.CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("pandoc: %v %s", err, out)
	}
	content := inZip(t, file, "content.xml")
	for _, want := range []string{"<text:h ", "<table:table ", ">Ja<", "# Geen kop", "[klik](javascript:alert(1)) &lt;script&gt;alert(1)&lt;/script&gt;", "| a | b |", "<text:list ", "text:bookmark", "| *Reclame* | [x](javascript:alert(1)) # kop"} {
		if !strings.Contains(strings.ReplaceAll(content, "<text:s />", ""), want) {
			t.Errorf("content.xml lacks %s", want)
		}
	}
	if n := strings.Count(content, "<table:table "); n < 4 {
		t.Errorf("%d tables", n)
	}
	if strings.Contains(content, `xlink:href="javascript`) {
		t.Error("a citizen's script is a link")
	}
	for heading := range strings.SplitSeq(content, "<text:h ") {
		if text, _, _ := strings.Cut(heading, "</text:h>"); strings.Contains(text, "Geen kop") {
			t.Error("a citizen writes a heading")
		}
	}
}

func inZip(t *testing.T, file, name string) string {
	t.Helper()
	r, err := zip.OpenReader(file)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	f, err := r.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// A page stays small however many replies there are; who asks gets all.
func TestReportOfManyReplies(t *testing.T) {
	s := newSite(t)
	c := s.publish("druk", func(c *participation.Consultation) { c.Kind, c.Options = participation.OpenQuestion, nil })
	many := 230
	if os.Getenv("INSPRAAK_MANY") != "" {
		many = 10_000
	}
	parent := ""
	for i := range many {
		id := s.reply(c, fmt.Sprintf("n%d", i), parent, "<p>"+strings.Repeat("Een bankje bij het water. ", 12)+"</p>")
		if parent = id; i%7 == 0 {
			parent = ""
		}
	}
	_, err := s.service.CountDue(t.Context())
	s.ok(err)
	last := fmt.Sprintf("Reactie %d", many)
	measure := func(path string) string {
		start := time.Now()
		body := s.get(path).Body.Bytes()
		t.Logf("%s: %d replies, %d KiB, %v", path, many, len(body)>>10, time.Since(start).Round(time.Millisecond))
		return string(bytes.TrimSpace(body))
	}
	if page := measure("/consultations/druk/report"); len(page) > 60<<10 || !strings.Contains(strings.ReplaceAll(page, ".", ""), fmt.Sprintf("Er zijn %d reacties", many)) || strings.Contains(page, "<article") {
		t.Errorf("the page has %d bytes, and its replies or no word about them", len(page))
	}
	if page := measure("/consultations/druk/report?replies=all"); !strings.Contains(strings.ReplaceAll(page, ".", ""), last) {
		t.Errorf("%s is missing from the whole page", last)
	}
	if file := measure("/consultations/druk/report.md"); !strings.Contains(file, "["+last+"]") {
		t.Errorf("%s is missing from the file", last)
	}
}
