package main

import (
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"inspraak/participation"
)

// A sitePage is a page and words that must stand on it, in Dutch and English.
type sitePage struct {
	name, path string
	status     int64
	nl, en     []string
}

// A screen is a width in CSS pixels and what the visitor's system prefers.
type screen struct {
	width  int64
	scheme string
}

// Every page, in every state, in Chromium: there without JavaScript, without
// violations of axe (WCAG 2.2 AA and good practice) on a wide and a narrow
// screen and in the dark, within 320 CSS pixels (1.4.10), and reached by
// keyboard in the order of reading (2.4.3), with nothing that moves while it
// loads, and light. With -screenshots it takes pictures of them instead.
func TestPagesInBrowser(t *testing.T) {
	n, pages := newExhibition(t)
	tab := openBrowser(t)
	shots := newAlbum(t)
	for _, p := range pages {
		for _, lang := range []string{"nl", "en"} {
			t.Run(p.name+"-"+lang, func(t *testing.T) {
				words := map[string][]string{"nl": p.nl, "en": p.en}[lang]
				b := browser{t: t, ctx: tab.ctx, script: tab.script}
				if shots != nil {
					b.pose(shots, p, lang, address(n, p.path, lang))
					return
				}
				b.show(screen{320, "light"})
				b.scripts(true)
				b.open(address(n, p.path, lang), p.status)
				b.budget(n.urls.Base)
				b.show(screen{1280, "light"})
				b.scripts(false)
				b.open(address(n, p.path, lang), p.status)
				b.reads(append(words, "Gemeente Zeewijk"))
				b.tabsThrough()
				b.scripts(true)
				b.budget(n.urls.Base)
				for _, s := range []screen{{1280, "light"}, {320, "light"}, {320, "dark"}} {
					b.show(s)
					b.fits()
					if s.scheme == "light" {
						b.axe(`{rules: {"target-size": {enabled: true}}}`) // WCAG 2.2, 2.5.8; off unless asked for
					} else if lang == "nl" {
						b.axe(`{runOnly: ["color-contrast"]}`) // nothing else changes
					}
				}
			})
		}
	}
	t.Run("started language", func(t *testing.T) { // the marks of what is left in Dutch do no harm
		b := browser{t: t, ctx: tab.ctx, script: tab.script}
		for _, path := range []string{"/", "/consultations/closed"} {
			for _, s := range []screen{{1280, "light"}, {320, "light"}} {
				b.show(s)
				b.open(address(n, path, "fy"), 200)
				b.reads([]string{"noch net klear", "Frysk"})
				b.fits()
				b.axe("{}")
			}
		}
	})
}

// address is that of a page in a language.
func address(n *liveNode, path, lang string) string {
	mark := "?"
	if strings.Contains(path, "?") {
		mark = "&"
	}
	return n.urls.Base + path + mark + "lang=" + lang
}

// newExhibition serves a node whose consultations stand in every state that a
// page knows, and lists its pages.
func newExhibition(t *testing.T) (*liveNode, []sitePage) {
	t.Helper()
	// The clock stands still between these steps, however slow the machine is.
	now := time.Now().UTC().Truncate(time.Second)
	var ahead atomic.Int64
	clock := func() time.Time { return now.Add(time.Duration(ahead.Load())) }
	server := httptest.NewUnstartedServer(nil)
	address := server.Listener.Addr().String()
	n := openLiveNode(t, "http://"+address, address, Surroundings{Now: clock})
	server.Config.Handler = n.Handler
	server.Start()
	t.Cleanup(server.Close)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	must(drawSquare(filepath.Join(n.config.Media, "plein.png")))
	put := func(slug string, kind participation.Kind, results participation.Disclosure, opens, closes time.Duration, options ...string) participation.Consultation {
		t.Helper()
		return n.put(participation.Consultation{
			Slug: slug, Kind: kind, Results: results, Options: options, Hashtags: []string{"wijk", "Zeewijk"},
			OpensAt: now.Add(opens), ClosesAt: now.Add(closes), Title: "Wat komt er op het " + slug + "?",
			Body: "Er is plaats voor **één** grote ingreep:\n\n- groot\n- klein\n\n> Wat u niet zegt, horen wij niet.\n\n" +
				"[Lees het plan](https://zeewijk.example/een/heel/lang/adres/dat/nergens/afbreekt/omdat-er-geen-spatie-in-staat) of kom langs.",
			Image: &participation.Image{Path: "plein.png", MediaType: "image/png", Width: 960, Height: 400, Alt: "Plattegrond van het plein"},
		})
	}
	long := "Verkeersveiligheidsmaatregelen rond basisscholen"
	put("scheduled", participation.SingleChoice, participation.AtClose, 24*time.Hour, 48*time.Hour, "Bomen", "Markthal")
	hidden := put("hidden", participation.SingleChoice, participation.AtClose, 0, time.Hour, "Bomen", "Markthal", long)
	live := put("live", participation.MultipleChoice, participation.Live, 0, time.Hour, "Bomen", "Markthal", long, "Speelplek", "Iets heel anders")
	closed := put("closed", participation.SingleChoice, participation.AtClose, 0, time.Hour, "Bomen", "Markthal", long)
	busiest := put("figures", participation.SingleChoice, participation.AtClose, 0, time.Hour, "Bomen", "Markthal")
	withdrawn := put("withdrawn", participation.SingleChoice, participation.AtClose, 0, time.Hour, "Bomen", "Markthal")
	open := put("question", participation.OpenQuestion, participation.AtClose, 0, time.Hour)
	busy := put("busy", participation.OpenQuestion, participation.AtClose, 0, time.Hour)
	closing := put("closing", participation.SingleChoice, participation.AtClose, 0, 10*time.Minute, "Bomen", "Markthal")
	counting := put("counting", participation.SingleChoice, participation.AtClose, 0, 2*time.Minute, "Bomen", "Markthal")

	vote := func(c participation.Consultation, voter int) {
		t.Helper()
		host := "social.example"
		if voter >= 100 && voter%2 == 0 {
			host = "de-vereniging-met-een-lange-naam.sociaal.zeewijk.example"
		}
		actor := fmt.Sprintf("https://%s/users/voter%d", host, voter)
		_, err := n.Service.CastVote(t.Context(), participation.Vote{Consultation: c.ID, Actor: actor, Host: host,
			Inbox: actor + "/inbox", Marks: []participation.Mark{{Object: fmt.Sprintf("%s#%s", actor, c.ID), Name: c.Options[voter%7%len(c.Options)]}},
			ReceivedAt: clock()})
		must(err)
	}
	for i, c := range []participation.Consultation{hidden, live, closed, closing, counting} {
		for voter := range 10 + i {
			vote(c, voter)
		}
	}
	for voter := range 80 {
		vote(busiest, 100+voter)
	}
	n.converse(open, 7)
	for i := range 51 {
		n.says(busy, n.object(busy), fmt.Sprintf("https://social.example/busy/%d", i), "<p>Een bankje</p>")
	}
	for _, kind := range []participation.PostKind{participation.Notice, participation.Erratum} {
		_, err := n.Service.Announce(t.Context(), hidden.ID, kind, "Het plan ligt **ook** in de bibliotheek.")
		must(err)
	}
	_, err := n.Service.Close(t.Context(), closed.ID, "De raad besluit eerder dan gedacht.", 2)
	must(err)
	_, err = n.Service.Close(t.Context(), busiest.ID, "De raad besluit eerder dan gedacht.", 2)
	must(err)
	must(n.Service.Withdraw(t.Context(), withdrawn.ID, "Het plein is verkocht."))
	ahead.Store(int64(2 * time.Second)) // past the interval between two counts
	for range 10 {
		_, err := n.Step(t.Context())
		must(err)
	}
	ahead.Store(int64(10*time.Minute + 20*time.Second)) // within a minute's grace of one; no job runs that would count the other
	posts, err := n.Service.Posts(t.Context(), closed.ID)
	must(err)
	post := func(kind participation.PostKind) string {
		i := slices.IndexFunc(posts, func(p participation.Post) bool { return p.Kind == kind })
		return "/consultations/closed/posts/" + posts[i].ID
	}
	vote(hidden, 99) // waits for the log
	receipt := func(voter int, slug string) (code, path string) {
		all, err := n.Service.Receipts(t.Context(), fmt.Sprintf("https://social.example/users/voter%d", voter))
		must(err)
		i := slices.IndexFunc(all, func(r participation.Receipt) bool { return r.Consultation.Slug == slug })
		return all[i].Codes[0], "/consultations/" + slug + "/receipt/" + all[i].Token
	}
	code, logged := receipt(3, "closed")
	_, waiting := receipt(99, "hidden")

	page := func(name, path string, status int64, nl, en string) sitePage {
		return sitePage{name, path, status, []string{nl}, []string{en}}
	}
	at := func(name string, status int64, nl, en string, both ...string) sitePage {
		return sitePage{name, "/consultations/" + name, status, append([]string{nl}, both...), append([]string{en}, both...)}
	}
	return n, []sitePage{
		{"list", "/", 200, []string{"Nu open", "withdrawn?", "closed?", "scheduled?"}, []string{"Open now", "withdrawn?", "closed?", "scheduled?"}},
		at("scheduled", 200, "Nog niet open", "Not open yet", "Bomen"),
		at("hidden", 200, "geheim tot de sluiting", "secret until closing", "Bomen", "in de bibliotheek"),
		at("live", 200, "11 mensen hebben gestemd", "11 people voted", "Speelplek"),
		at("closed", 200, "Het vaakst gekozen", "Chosen most", "De raad besluit eerder", "42%"),
		at("withdrawn", 410, "Deze vraag is ingetrokken", "This question was withdrawn", "Het plein is verkocht."),
		at("question", 200, "De nieuwste reacties", "The newest replies", "Helemaal eens", "@ana@"),
		at("closing", 200, "laatste stemmen komen binnen", "last votes coming in"),
		at("counting", 200, "Gesloten, we tellen", "Closed, we are counting"),
		page("result", "/consultations/closed/result", 200, "Wat niet meetelde", "What did not count"),
		page("result-hidden", "/consultations/hidden/result", 200, "De stand is geheim tot", "The count is secret until"),
		page("result-live", "/consultations/live/result", 200, "27%", "27%"),
		page("result-question", "/consultations/question/result", 200, "Hoeveel mensen doen mee?", "How many people take part?"),
		page("replies", "/consultations/question/replies?order=oldest", 200, "Verborgen door de gemeente", "Hidden by the municipality"),
		page("replies-none", "/consultations/scheduled/replies", 200, "Als de vraag open is", "Once the question is open"),
		page("replies-2", "/consultations/busy/replies?page=2", 200, "Pagina 2 van 2", "Page 2 of 2"),
		page("replies-random", "/consultations/busy/replies?order=random&seed=1", 200, "Een bankje", "Een bankje"),
		page("conversation", "/consultations/question/replies/2", 200, "Dat nemen we mee", "Dat nemen we mee"),
		page("how-it-works", "/how-it-works", 200, "De weg van uw stem", "The way of your vote"),
		page("privacy", "/privacy", 200, "Wie ziet uw gegevens?", "Who sees your data?"),
		page("accessibility", "/accessibility", 200, "Er is nog geen verklaring bekend", "No statement is known"),
		page("moderation", "/moderation", 200, "Scheldwoorden", "Scheldwoorden"),
		page("archive", "/archive", 200, "Alle vragen die gesloten zijn", "All questions that have closed"),
		page("post", post(participation.Closing), 200, "Bomen", "Bomen"),
		page("checkpoint", post(participation.CheckpointPost), 200, "Controlepunt van het stemlogboek", "Checkpoint of the ballot log"),
		page("logs", "/logs", 200, "Onze telsleutel", "Our log key"),
		page("dataset", "/consultations/closed/dataset", 200, "De bestanden", "The files"),
		page("data", "/data", 200, "Vragen die nog open zijn", "Questions that are still open"),
		page("no-export", "/consultations/closed/exports/polis-votes.csv", 404, "Dit bestand is er niet", "There is no such file"),
		page("figures", "/consultations/figures/figures", 200, "Alle andere servers samen", "All other servers together"),
		page("figures-few", "/consultations/closed/figures", 200, "Er zijn minder dan 30 stemmen.", "There are fewer than 30 votes."),
		page("report", "/consultations/question/report", 200, "Verslag van de participatie", "Participation report"),
		page("report-closed", "/consultations/figures/report", 200, "Alle andere servers samen", "All other servers together"),
		page("report-many", "/consultations/busy/report?replies=all", 200, "Een bankje", "Een bankje"),
		page("soon", "/consultations/hidden/dataset", 404, "komen na de sluiting", "come after closing"),
		page("ballots", "/consultations/closed/ballots", 200, "Vul uw code in", "Enter your code"),
		page("ballots-found", "/consultations/closed/ballots?code="+code, 200, "Deze code koos:", "This code chose:"),
		page("ballots-unknown", "/consultations/closed/ballots?code=AAAA-AAAA-AAAA-AAAA", 200, "staat niet in de lijst", "is not in the list"),
		page("receipt", logged, 200, code, code),
		page("receipt-waits", waiting, 200, "zodra er genoeg stemmen", "as soon as enough votes"),
		page("receipt-none", "/consultations/hidden/receipt/x", 404, "Wij vinden deze stem niet", "We cannot find this vote"),
		page("channel", "/@"+n.channel, 200, n.urls.Handle(n.channel), n.urls.Handle(n.channel)),
		page("tag", "/tags/wijk", 200, "#wijk", "#wijk"),
		page("about", "/about", 200, "verzonnen", "made-up"),
		page("search", "/search", 200, "Zo werkt het zoeken", "How searching works"),
		page("search-none", "/search?q=eens+plein", 200, "Niets gevonden", "Nothing found"),
		page("search-found", "/search?q=helemaal", 200, "7 keer gevonden", "Found 7 times"),
		page("search-wordless", "/search?q=!", 200, "Wij zagen geen woord", "We saw no word"),
		page("api", "/api", 200, "Feeds en agenda", "Feeds and calendars"),
		page("my-data", "/my-data/"+n.Service.DataToken("https://social.example/users/ana"), 200, "Lelijke woorden", "Have it all erased"),
		page("my-data-of-a-voter", "/my-data/"+n.Service.DataToken("https://social.example/users/voter1"), 200, "na de sluiting te zien", "Markthal"),
		page("my-data-link", "/my-data/nergens", 404, "Deze link werkt niet", "This link does not work"),
		page("take-part", "/consultations/hidden/take-part", 200, "Stem met uw eigen account", "Vote with your own account"),
		page("take-part-later", "/consultations/scheduled/take-part", 200, "De vraag is nog niet open", "The question is not open yet"),
		page("follow", "/@"+n.channel+"/follow", 200, "Volg ons met uw eigen account", "Follow us with your own account"),
		page("share", "/consultations/hidden/share", 200, "Op een andere website", "On another website"),
		page("poster", "/consultations/hidden/poster", 200, "Zo doet u mee", "How to take part"),
		page("short-none", "/c/nergens", 404, "Deze korte link kennen wij niet", "We do not know this short link"),
		page("missing", "/nergens", 404, "Deze pagina is er niet", "This page does not exist"),
	}
}

// converse fills a thread: a chain of replies, one hidden, one answered, one
// with all that a stranger may send.
func (n *liveNode) converse(c participation.Consultation, depth int) {
	n.t.Helper()
	parent := n.object(c)
	for i := range depth {
		id := fmt.Sprintf("https://social.example/notes/%d", i)
		n.says(c, parent, id, "<p>Helemaal eens</p>")
		parent = id
	}
	n.says(c, n.object(c), "https://social.example/notes/shouts", "<p>"+strings.Repeat("Nietafbrekendwoord", 12)+
		` <a href="https://zeewijk.example/`+strings.Repeat("pad/", 30)+`">link</a></p><blockquote><p>citaat</p></blockquote><pre><code>`+
		strings.Repeat("code ", 30)+`</code></pre><ul><li>lijst</li></ul>`)
	n.says(c, n.object(c), "https://social.example/notes/rude", "<p>Lelijke woorden</p>")
	if err := n.Service.HideReply(n.t.Context(), "https://social.example/notes/rude", "Scheldwoorden"); err != nil {
		n.t.Fatal(err)
	}
	if _, err := n.Service.Answer(n.t.Context(), "https://social.example/notes/1", "Dat nemen we mee."); err != nil {
		n.t.Fatal(err)
	}
}

func (n *liveNode) says(c participation.Consultation, parent, id, html string) {
	n.t.Helper()
	err := n.Service.AddReply(n.t.Context(), participation.Reply{
		ID: id, Consultation: c.ID, Parent: parent, HTML: html, Language: "nl", URL: id, Visibility: participation.Public,
		Author:    participation.Author{ID: "https://social.example/users/ana", Name: "Ana 🌷", Handle: "ana@social.example"},
		Published: time.Now(), Received: time.Now(), Images: 1,
	}, true)
	if err != nil {
		n.t.Fatal(err)
	}
}
