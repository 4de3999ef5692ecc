package handlers_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"inspraak/handlers"
	"inspraak/participation"
	"inspraak/store"
)

// checkProof verifies an offline proof (C2SP tlog-proof) with the library that
// others use, and returns the place and the entry that it is of.
func checkProof(t *testing.T, text string) (index int64, entry string) {
	t.Helper()
	head, checkpoint, ok := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	if !ok || len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		t.Fatalf("proof %q", text)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	if err != nil {
		t.Fatal(err)
	}
	index, err = strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	var proof tlog.RecordProof
	for _, line := range lines[3:] {
		h, err := tlog.ParseHash(line)
		if err != nil {
			t.Fatal(err)
		}
		proof = append(proof, h)
	}
	said := strings.Split(checkpoint, "\n")
	size, err := strconv.ParseInt(said[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	root, err := tlog.ParseHash(said[2])
	if err != nil {
		t.Fatal(err)
	}
	if err := tlog.CheckRecord(proof, size, root, index, tlog.RecordHash(raw)); err != nil {
		t.Errorf("the proof does not hold: %v", err)
	}
	return index, string(raw)
}

// A voter sees the code and where it stands, before and after closing, and never
// a choice.
func TestReceipt(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin", batch(3), func(c *participation.Consultation) { c.Options = []string{"Glijbaan", "Zandbak"} })
	s.vote(c, "Glijbaan", 2)
	r := s.receipt("Glijbaan0")
	path := "/consultations/speeltuin/receipt/" + r.Token
	w := s.get(path)
	if w.Header().Get("Cache-Control") != "no-store" || !strings.Contains(w.Header().Get("X-Robots-Tag"), "noindex") || w.Header().Get("ETag") != "" {
		t.Errorf("headers %v", w.Header())
	}
	secret := []string{"Glijbaan", "Zandbak"}
	for lang, waits := range map[string]string{"nl": "zodra er genoeg stemmen bij elkaar zijn", "en": "as soon as enough votes have come together"} {
		d := s.page(path, 200, "Accept-Language", lang)
		says(t, d, "body", []string{r.Codes[0], waits}, secret)
		if d.Find("meta[name=robots][content=noindex]").Length() != 1 || d.Find("meta[property]").Length() != 0 || d.Find(`a[href*="/proof"]`).Length() != 0 {
			t.Error("the page presents itself, or offers a proof too early")
		}
	}
	if w := s.get(path + "/proof"); w.Code != 404 {
		t.Errorf("a proof of what is not in the log: %d", w.Code)
	}
	s.vote(c, "Zandbak", 4)
	s.close(c)
	says(t, s.page(path, 200, "Accept-Language", "nl"), "main", []string{"De lijst met stembiljetten wordt gemaakt"}, secret)
	s.freeze()
	r = s.receipt("Glijbaan0")
	d := s.page(path, 200, "Accept-Language", "nl")
	says(t, d, "main", []string{r.Codes[0], fmt.Sprintf("op regel %d.", r.Entries[0])}, append(secret, "wordt gemaakt"))
	search, _ := d.Find(`a[href*="/ballots?code="]`).Attr("href")
	says(t, s.page(search, 200, "Accept-Language", "nl"), "section[aria-labelledby=answer]", []string{"Deze code koos:", "Glijbaan"}, []string{"Zandbak"})

	link, _ := d.Find(`a[href*="/proof"]`).Attr("href")
	w = s.get(link)
	if w.Code != 200 || w.Header().Get("Content-Type") != "text/plain; charset=UTF-8" || w.Header().Get("Cache-Control") != "no-store" ||
		w.Header().Get("Content-Disposition") != fmt.Sprintf(`attachment; filename="speeltuin-%d.tlog-proof"`, r.Entries[0]) {
		t.Errorf("proof: %d %v", w.Code, w.Header())
	}
	if w.Body.String() != s.get(path+"/proof").Body.String() {
		t.Error("the first proof is not the one without a number")
	}
	index, entry := checkProof(t, w.Body.String())
	if entries := s.logClient(c).entries(index + 1); index != r.Entries[0] || entries[index] != entry {
		t.Errorf("proof of entry %d, %q", index, entry)
	}
	for _, number := range []string{"0", "2", "-1", "01", "x", "99999999999999999999"} {
		if w := s.get(path + "/proof/" + number); w.Code != 404 {
			t.Errorf("proof %s: %d", number, w.Code)
		}
	}
}

// In a long list of options each chosen one has a code and a proof.
func TestReceiptPerOption(t *testing.T) {
	s := newSite(t)
	c := s.publish("veel", multiple, func(c *participation.Consultation) { c.Options = []string{"A", "B", "C", "D", "E", "F"} })
	for _, o := range []string{"B", "E", "F"} {
		s.cast(c, "anna", o)
	}
	s.vote(c, "A", 2)
	s.close(c)
	s.freeze()
	r := s.receipt("anna")
	d := s.page("/consultations/veel/receipt/"+r.Token, 200, "Accept-Language", "nl")
	says(t, d, "main", append(r.Codes, "Uw codes", "heeft elk antwoord dat u koos een eigen code"), nil)
	seen := map[int64]bool{}
	for i := range r.Codes {
		index, _ := checkProof(t, s.get(fmt.Sprintf("/consultations/veel/receipt/%s/proof/%d", r.Token, i+1)).Body.String())
		seen[index] = index == r.Entries[i]
	}
	if len(r.Codes) != 3 || len(seen) != 3 || !seen[r.Entries[0]] || !seen[r.Entries[1]] || !seen[r.Entries[2]] {
		t.Errorf("proofs of %v, want of %v", seen, r.Entries)
	}
}

// What is no receipt says what to do, and one that cannot be opened says why.
func TestReceiptsThatAreNotThere(t *testing.T) {
	s := newSite(t)
	c := s.publish("speeltuin")
	other := s.publish("ander")
	s.vote(c, "Ja", 3)
	token := s.receipt("Ja0").Token
	for name, path := range map[string]string{
		"cut short": "speeltuin/receipt/" + token[:len(token)-1], "of another question": other.Slug + "/receipt/" + token,
		"invented": "speeltuin/receipt/" + strings.Repeat("A", 59), "of nothing": "speeltuin/receipt/x", "long": "speeltuin/receipt/" + strings.Repeat("A", 10000),
		"altered": "speeltuin/receipt/B" + token[1:], "HTML": "speeltuin/receipt/%3Cscript%3E", "a proof": "speeltuin/receipt/x/proof",
	} {
		for lang, want := range map[string]string{"nl": "Wij vinden deze stem niet", "en": "We cannot find this vote"} {
			w := s.get("/consultations/"+path, "Accept-Language", lang)
			if w.Code != 404 || !strings.Contains(w.Body.String(), want) || w.Header().Get("Cache-Control") != "no-store" || strings.Contains(w.Body.String(), "<script") {
				t.Errorf("%s, %s: %d %q", name, lang, w.Code, w.Header().Get("Cache-Control"))
			}
		}
	}
	says(t, s.page("/consultations/speeltuin/receipt/x", 404, "Accept-Language", "nl"), "main", []string{"@gemeente@inspraak.example", "woord: code"}, nil)
	says(t, s.page("/consultations/speeltuin/receipt/x", 404, "Accept-Language", "en"), "main", []string{"word: my code"}, nil)

	for _, phase := range []struct {
		status int
		words  string
	}{{503, "De sleutel van deze vraag ontbreekt."}, {410, "Hebt u uw code bewaard?"}} {
		if phase.status == 410 {
			s.close(c)
			s.freeze()
		}
		keys := filepath.Join(s.dir, "keys")
		away := filepath.Join(s.dir, "weg.key")
		s.ok(os.Rename(filepath.Join(keys, "consultations", c.ID+".key"), away))
		without, err := store.OpenKeys(keys, false)
		s.ok(err)
		config := s.config
		config.Service = participation.New(s.db, without, config.URLs.Site(), s.now)
		bare := &site{t: t, Handler: handlers.New(config)}
		for _, path := range []string{token, token + "/proof"} {
			d := bare.page("/consultations/speeltuin/receipt/"+path, phase.status, "Accept-Language", "nl")
			says(t, d, "main", []string{"Wij kunnen deze stem niet opzoeken", phase.words}, nil)
		}
		s.ok(os.Rename(away, filepath.Join(keys, "consultations", c.ID+".key")))
	}
}
