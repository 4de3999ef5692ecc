package store_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"inspraak/participation"
)

// says keeps a shown reply with these words.
func says(t testing.TB, tx participation.Tx, consultation, id, author, words string) {
	t.Helper()
	if err := tx.SaveReply(participation.Reply{ID: "https://r.example/" + id, Consultation: consultation, HTML: "<p>" + words,
		Author: participation.Author{ID: author, Name: "Quinten"}, Visibility: participation.Public, Standing: participation.Shown,
		Received: noon}); err != nil {
		t.Fatal(err)
	}
}

func words(hits []participation.Hit) (all []string) {
	for _, h := range hits {
		var b strings.Builder
		for _, p := range h.Excerpt {
			if p.Mark {
				b.WriteString("[" + p.Text + "]")
			} else {
				b.WriteString(p.Text)
			}
		}
		all = append(all, b.String())
	}
	return all
}

func TestFind(t *testing.T) {
	db, _ := empty(t)
	poll(t, db, "c1")
	second := poll(t, db, "c2")
	second.Title, second.HTML, second.Options, second.OpensAt = "Een café?", "<p>Op de hoek &amp; verder</p>", []string{"Ja", "Nee"}, noon.Add(time.Hour)
	update(t, db, func(tx participation.Tx) error {
		says(t, tx, "c1", "1", "https://r.example/u/ann", "Meer fietspaden &lt;b&gt; graag")
		says(t, tx, "c1", "2", "https://r.example/u/bob", "Een FIETS op het terras van het cafe")
		says(t, tx, "c2", "3", "https://r.example/u/eve", "per e-mail, niet per fiets")
		return tx.SaveConsultation(&second)
	})
	for _, c := range []struct {
		in    participation.SearchIn
		asked string
		want  []string
	}{
		{participation.InReplies, "fiets", []string{"per e-mail, niet per [fiets]", "Een [FIETS] op het terras van het cafe", "Meer [fietspaden] <b> graag"}},
		{participation.InReplies, `"fiets"`, []string{"per e-mail, niet per [fiets]", "Een [FIETS] op het terras van het cafe"}},
		{participation.InReplies, "FÍETS terrás", []string{"Een [FIETS] op het [terras] van het cafe"}},
		{participation.InReplies, `"terras op"`, nil},
		{participation.InReplies, `"op het terras"`, []string{"Een FIETS [op het terras] van het cafe"}},
		{participation.InReplies, "e-mail", []string{"per [e-mail], niet per fiets"}},
		{participation.InReplies, "fi", nil}, // too short to begin a longer word
		{participation.InReplies, "NOT fiets", nil},
		{participation.InReplies, "Quinten", nil}, // names of people are not searched
		{participation.InReplies, "graag fiets", []string{"Meer [fietspaden] <b> [graag]"}},
		{participation.InConsultations, "cafe", []string{"Op de hoek & verder\nJa\nNee\n#park"}},
		{participation.InConsultations, "park", []string{"Op de hoek & verder\nJa\nNee\n#[park]", "Kies\nBomen\nBanken\n#[park]"}},
		{participation.InConsultations, "banken", []string{"Kies\nBomen\n[Banken]\n#park"}},
	} {
		terms, _ := participation.SearchTerms(c.asked)
		hits, total, err := db.Find(t.Context(), c.in, terms, 10, 0)
		if err != nil || total != len(c.want) {
			t.Errorf("%q: %d hits, %v", c.asked, total, err)
		}
		same(t, c.asked, words(hits), c.want)
	}
	terms, _ := participation.SearchTerms("fiets")
	hits, total, err := db.Find(t.Context(), participation.InReplies, terms, 1, 1)
	if err != nil || total != 3 || len(hits) != 1 || hits[0].Reply.ID != "https://r.example/2" || hits[0].Consultation.Slug != "slug-c1" || !hits[0].At.Equal(noon) {
		t.Errorf("second page: %+v, %d, %v", hits, total, err)
	}
	if hits, total, err := db.Find(t.Context(), participation.InReplies, terms, 0, 0); hits != nil || total != 3 || err != nil {
		t.Errorf("counting: %v, %d, %v", hits, total, err)
	}
}

// What the public may not see is not found, from the very transaction on.
func TestFindOnlyWhatIsShown(t *testing.T) {
	db, _ := empty(t)
	const ann, bob = "https://r.example/u/ann", "https://sub.b.example:8443/u/bob"
	c := poll(t, db, "c1")
	reply := func(tx participation.Tx, author string) participation.Reply {
		return must(tx.RepliesBy(author))(t)[0]
	}
	stand := func(s participation.Standing) func(tx participation.Tx) error {
		return func(tx participation.Tx) error {
			r := reply(tx, ann)
			r.Standing = s
			return tx.SaveReply(r)
		}
	}
	block := func(subject string) func(tx participation.Tx) error {
		return func(tx participation.Tx) error {
			return tx.SaveBlock(participation.Block{Subject: subject, Reason: "x"})
		}
	}
	unblock := func(subject string) func(tx participation.Tx) error {
		return func(tx participation.Tx) error { return tx.DeleteBlock(subject) }
	}
	phase := func(p participation.Phase) func(tx participation.Tx) error {
		return func(tx participation.Tx) error { c.Phase = p; return tx.SaveConsultation(&c) }
	}
	update(t, db, func(tx participation.Tx) error {
		says(t, tx, "c1", "1", ann, "zilverspar")
		says(t, tx, "c1", "2", bob, "zilverspar")
		return nil
	})
	found := func() (replies, consultations int) {
		t.Helper()
		for asked, n := range map[string]*int{"zilverspar": &replies, "bomen": &consultations} {
			terms, _ := participation.SearchTerms(asked)
			for _, in := range []participation.SearchIn{participation.InConsultations, participation.InReplies} {
				hits, total, err := db.Find(t.Context(), in, terms, 10, 0)
				if err != nil || len(hits) != total {
					t.Fatal(err, hits, total)
				}
				*n += total
			}
		}
		return replies, consultations
	}
	for i, step := range []struct {
		name                   string
		do                     func(tx participation.Tx) error
		replies, consultations int
	}{
		{"nothing", func(participation.Tx) error { return nil }, 2, 1},
		{"hidden", stand(participation.Hidden), 1, 1},
		{"blocked while hidden", block(ann), 1, 1},
		{"shown while blocked", stand(participation.Shown), 1, 1},
		{"unblocked", unblock(ann), 2, 1},
		{"its server blocked", block("b.example"), 1, 1},
		{"and its host too", block("sub.b.example"), 1, 1},
		{"only the host", unblock("b.example"), 1, 1},
		{"unblocked again", unblock("sub.b.example"), 2, 1},
		{"edited", func(tx participation.Tx) error {
			r := reply(tx, ann)
			r.HTML = "<p>den"
			return tx.SaveReply(r)
		}, 1, 1},
		{"edited back", func(tx participation.Tx) error {
			r := reply(tx, ann)
			r.HTML = "<p>zilver<em>spar</em>"
			return tx.SaveReply(r)
		}, 2, 1},
		{"undone", func(tx participation.Tx) error {
			return errors.Join(tx.DeleteReply("https://r.example/1"), errors.New("no"))
		}, 2, 1},
		{"draft", phase(participation.Draft), 2, 0},
		{"closed", phase(participation.Closed), 2, 1},
		{"deleted", func(tx participation.Tx) error { return tx.DeleteReply("https://r.example/1") }, 1, 1},
		{"withdrawn", phase(participation.Withdrawn), 0, 0},
		{"saved when withdrawn", func(tx participation.Tx) error { return tx.SaveReply(reply(tx, bob)) }, 0, 0},
	} {
		if err := db.Update(t.Context(), step.do); err != nil && step.name != "undone" {
			t.Fatal(step.name, err)
		}
		if replies, consultations := found(); replies != step.replies || consultations != step.consultations {
			t.Errorf("%d %s: %d replies and %d consultations found, want %d and %d", i, step.name, replies, consultations, step.replies, step.consultations)
		}
		if c.Phase == participation.Draft { // its replies are of no published consultation: no way leads here
			continue
		}
		if problems := must(db.CheckSearch(t.Context()))(t); problems != nil {
			t.Errorf("%s: check: %v", step.name, problems)
		}
		if problems := must(db.Check(t.Context()))(t); problems != nil {
			t.Errorf("%s: check: %v", step.name, problems)
		}
	}
}

// Of words that are deleted, hidden or edited away nothing stays in the files:
// neither in the text nor in the index, where it would be spread over terms.
func TestForgottenWordsAreGone(t *testing.T) {
	db, path := empty(t)
	poll(t, db, "c1")
	const words = "žižkov xylofoonquark qwxzvbn"
	gone := []string{"xylofoonquark", "qwxzvbn", "zizkov"}
	update(t, db, func(tx participation.Tx) error {
		for i := range 400 {
			says(t, tx, "c1", fmt.Sprint(i), "https://r.example/u/x", fmt.Sprintf("gewone woorden met nummer q%d en x%d en z%d", i, i, i))
		}
		return nil
	})
	update(t, db, func(tx participation.Tx) error {
		for _, id := range []string{"deleted", "edited", "blocked"} {
			says(t, tx, "c1", id, "https://"+id+".example/u", words)
		}
		return nil
	})
	scan := func() (hits []string) {
		t.Helper()
		copied := filepath.Join(t.TempDir(), "copy.db")
		for _, side := range []string{"", "-wal"} {
			raw := must(os.ReadFile(path + side))(t)
			for _, g := range gone {
				if bytes.Contains(bytes.ToLower(raw), []byte(g)) {
					hits = append(hits, g+" in inspraak.db"+side)
				}
			}
		}
		if err := db.Backup(t.Context(), copied); err != nil {
			t.Fatal(err)
		}
		raw := must(sql.Open("sqlite", copied))(t)
		defer raw.Close()
		must(raw.Exec(`CREATE VIRTUAL TABLE v USING fts5vocab('reply_words', 'row')`))(t)
		for _, g := range gone {
			var n int
			if err := raw.QueryRow(`SELECT (SELECT count(*) FROM v WHERE term = ?1) + (SELECT count(*) FROM reply_words_idx
				WHERE instr(term, ?1) > 0) + (SELECT count(*) FROM reply_words_data WHERE instr(block, CAST(substr(?1, 3) AS BLOB)) > 0)`, g).Scan(&n); err != nil {
				t.Fatal(err)
			}
			if n > 0 {
				hits = append(hits, g+" in the index")
			}
		}
		return hits
	}
	if hits := scan(); len(hits) < 6 {
		t.Fatalf("the test would see nothing: %v", hits)
	}
	update(t, db, func(tx participation.Tx) error {
		r := must(tx.Reply("https://r.example/edited"))(t)
		r.HTML = "<p>iets anders"
		return errors.Join(tx.DeleteReply("https://r.example/deleted"), tx.SaveReply(r))
	})
	update(t, db, func(tx participation.Tx) error {
		r := must(tx.Reply("https://r.example/blocked"))(t)
		r.HTML, r.Standing = "", participation.Hidden
		return tx.SaveReply(r)
	})
	if err := db.Scrub(t.Context()); err != nil {
		t.Fatal(err)
	}
	if hits := scan(); len(hits) > 0 {
		t.Errorf("left behind: %v", hits)
	}
}

// What somebody changes in the index behind the program's back, `check` finds.
func TestCheckSearchFindsTampering(t *testing.T) {
	for name, spoil := range map[string]string{
		"a lost reply":                `DELETE FROM reply_words WHERE rowid = 1`,
		"a lost consultation":         `DELETE FROM consultation_words`,
		"a reply that is not there":   `INSERT INTO reply_words (rowid, body) VALUES (99, 'x')`,
		"one that is hidden":          `UPDATE reply SET standing = 'hidden'`,
		"one of a blocked account":    `INSERT INTO block VALUES ('r.example', 'x', 0)`,
		"one of what was withdrawn":   `UPDATE consultation SET phase = 'withdrawn'`,
		"an index without its terms":  `DELETE FROM reply_words_data WHERE id > 10`,
		"a text that the index lacks": `UPDATE reply_words_content SET c0 = 'anders'`,
	} {
		t.Run(name, func(t *testing.T) {
			db, path := empty(t)
			poll(t, db, "c1")
			update(t, db, func(tx participation.Tx) error { says(t, tx, "c1", "1", "https://r.example/u", "bomen"); return nil })
			raw := must(sql.Open("sqlite", path))(t)
			must(raw.Exec(spoil))(t)
			if err := raw.Close(); err != nil {
				t.Fatal(err)
			}
			found, err := db.CheckSearch(t.Context())
			damaged, err2 := db.Check(t.Context())
			if err != nil || err2 != nil || len(found)+len(damaged) == 0 {
				t.Errorf("not found: %v, %v", err, err2)
			}
		})
	}
}

// A restored backup finds what its node found.
func TestFindInBackup(t *testing.T) {
	db, path := empty(t)
	poll(t, db, "c1")
	update(t, db, func(tx participation.Tx) error { says(t, tx, "c1", "1", "https://r.example/u", "fietspad"); return nil })
	copied := filepath.Join(filepath.Dir(path), "backup.db")
	if err := db.Backup(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	restored := open(t, copied)
	terms, _ := participation.SearchTerms("fiets")
	for _, in := range []participation.SearchIn{participation.InReplies} {
		if _, total, err := restored.Find(t.Context(), in, terms, 1, 0); total != 1 || err != nil {
			t.Errorf("found %d, %v", total, err)
		}
	}
	same(t, "fingerprint", must(restored.Fingerprint(t.Context()))(t), must(db.Fingerprint(t.Context()))(t))
}

// FuzzSearch: nothing that is typed is an error of the search engine.
func FuzzSearch(f *testing.F) {
	db, _ := empty(f)
	poll(f, db, "c1")
	update(f, db, func(tx participation.Tx) error {
		says(f, tx, "c1", "1", "https://r.example/u", "een fiets op het plein")
		return nil
	})
	for _, seed := range []string{"fiets", `"een fiets"`, "NEAR(a b)", "\x00", "body:x", `a" OR "b`, "ⅷ ² 𞤀 ꙮ", "\u0345", "\U0001e030"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, asked string) {
		terms, _ := participation.SearchTerms(asked)
		if len(terms) == 0 {
			return
		}
		for _, in := range []participation.SearchIn{participation.InConsultations, participation.InReplies} {
			if _, _, err := db.Find(t.Context(), in, terms, 10, 0); err != nil {
				t.Errorf("%q: %v", asked, err)
			}
		}
	})
}
