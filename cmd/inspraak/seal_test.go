package main

import (
	"bytes"
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"inspraak/participation"
	"inspraak/simulation"
)

// What is random in every world: keys, ids, codes, nonces, and with these the
// places that batches give to ballots.
var (
	randomWords  = regexp.MustCompile(`[A-Za-z0-9_+/=~.%-]{16,}`)
	randomKeys   = regexp.MustCompile(`-----BEGIN PUBLIC KEY-----[^-]*-----END PUBLIC KEY-----`)
	randomPlaces = regexp.MustCompile(`(regel|entry|plaats|place|nummer|number|index) \d+(\nRANDOM)*`)
	ourFigures   = regexp.MustCompile(`(?m)^inspraak_[a-z_]*(votes|ballots|log|refused|waiting|requests)[^\n]*$`)
	unlike       = regexp.MustCompile(`(time|took|request)=\S+`) // in every line of the log
	timings      = regexp.MustCompile(`seconds|bytes|_sum|_bucket|took`)
)

func plain(text string) string {
	text = html.UnescapeString(html.UnescapeString(randomKeys.ReplaceAllString(text, "KEY")))
	text = randomWords.ReplaceAllString(text, "RANDOM")
	return randomPlaces.ReplaceAllString(text, "$1 N")
}

// harvest lets nine people vote, seven of them for the one and two for the other
// option, some of whom ask for their code and what is held about them, and takes
// back all that comes out of the node before it closes: every route in every
// form, feeds, figures, the log of the program at its most talkative, what it
// sends to other servers, and what the municipality's own commands print.
func harvest(t *testing.T, results participation.Disclosure, one, other string) map[string]string {
	t.Helper()
	var logged bytes.Buffer
	c := newCluster(t)
	c.log = &logged
	city := c.node("city.example", "gemeente")
	poll := city.publishIn(1, "vraag", participation.SingleChoice, results, "Ja", "Nee")
	city.draft("geheim", participation.SingleChoice, results, "Ja", "Nee")
	server := c.server(simulation.Mastodon, "m1.example")
	var people []*simulation.Account
	for i := range 9 {
		people = append(people, server.Account(fmt.Sprint("v", i)))
	}
	must2(people[0].Follow(t.Context(), city.urls.Actor("gemeente")))(c)
	c.settle()
	for i, who := range people {
		choice := one
		if i%4 == 3 {
			choice = other
		}
		must2(who.Vote(t.Context(), city.object(poll), choice))(c)
	}
	for range 3 {
		c.wait(4 * time.Minute)
		c.settle()
	}
	for _, word := range []string{"code", "gegevens", "hallo"} {
		must2(people[1].Message(t.Context(), city.urls.Actor("gemeente"), word))(c)
		c.settle()
	}

	out := map[string]string{}
	receipt := must2(city.Service.Receipts(t.Context(), people[1].ID()))(c)[0]
	fill := strings.NewReplacer("/search", "/search?q=vraag", ":number", "1", "receipt/:token", "receipt/"+receipt.Token, ":token", city.Service.DataToken(people[1].ID()),
		"/log/:id", "/log/"+poll.ID, "/o/:id/*", "/o/"+poll.ID+"/replies", "/o/:id", "/o/"+poll.ID, "posts/:id", "posts/none", "dataset/:name", "dataset/ballots.csv",
		":code", poll.ShortName(), "/oembed", "/oembed?url=https://city.example/consultations/vraag",
		":name", "gemeente", ":slug", "vraag", ":tag", "plein", ":year", "2026", ":version", "2.1", "exports/:file", "exports/dds.jsonl", ":file", "none", "tile/entries/*", "tile/entries/000.p/2", "tile/*", "tile/0/000.p/2")
	routes := reflect.ValueOf(city.Handler).MethodByName("Routes").Call(nil)[0]
	for i := range routes.Len() {
		route := routes.Index(i).Elem()
		if route.FieldByName("Method").String() != http.MethodGet {
			continue
		}
		for _, accept := range []string{"text/html", "application/activity+json", "*/*"} {
			path := route.FieldByName("Path").String()
			answer := city.get(fill.Replace(path), accept)
			body := answer.Body.String()
			if strings.Contains(path, "/tile/") || strings.HasSuffix(path, "checkpoint") { // bytes without meaning to who has no nonces
				body = fmt.Sprint(answer.Body.Len())
			}
			out[path+" as "+accept] = fmt.Sprint(answer.Code, plain(body), plain(answer.Header().Get("Content-Length")))
		}
	}
	figures := httptest.NewRecorder()
	city.Watch.ServeHTTP(figures, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	out["metrics"] = strings.Join(slices.DeleteFunc(ourFigures.FindAllString(figures.Body.String(), -1), timings.MatchString), "\n")
	var said, sent, told []string // sorted: deliveries go out side by side
	for line := range strings.Lines(logged.String()) {
		said = append(said, plain(unlike.ReplaceAllString(line, "")))
	}
	for _, r := range server.Received() {
		sent = append(sent, r.Type+plain(string(r.Body)))
	}
	for _, m := range people[1].Messages() {
		told = append(told, plain(fmt.Sprint(m)))
	}
	for name, list := range map[string][]string{"log": said, "sent": sent, "messages": told} {
		slices.Sort(list)
		out[name] = strings.Join(list, "\n")
	}
	file := filepath.Join(city.config.Data, "inspraak.yaml")
	c.must(os.WriteFile(file, []byte("url: https://city.example\ndata: .\nname: Stad\ncontact: griffie@city.example\n"), 0o600))
	for _, command := range []string{"consultation list", "consultation list --json", "consultation show vraag", "consultation show vraag --json", "reply list vraag", "channel list", "check --db", "report vraag", "report vraag --format html --lang en"} {
		var printed bytes.Buffer
		run(t.Context(), append([]string{"--config", file}, strings.Fields(command)...), strings.NewReader(""), &printed, &printed)
		out[command] = plain(printed.String())
	}
	return out
}

// TestSeal holds two worlds against each other that differ in nothing but who
// chose which option: before closing, nothing that comes out of the node may tell
// them apart. Where counts are shown while voting, the same walk must tell them
// apart, or it could not find a leak either.
func TestSeal(t *testing.T) {
	differences := func(results participation.Disclosure) (differ []string) {
		here, there := harvest(t, results, "Ja", "Nee"), harvest(t, results, "Nee", "Ja")
		if a, b := slices.Sorted(maps.Keys(here)), slices.Sorted(maps.Keys(there)); !slices.Equal(a, b) || len(a) < 100 {
			t.Fatalf("%d and %d outlets", len(a), len(b))
		}
		for _, outlet := range slices.Sorted(maps.Keys(here)) {
			if here[outlet] != there[outlet] {
				differ = append(differ, outlet)
				if results == participation.AtClose {
					t.Errorf("%s tells two counts apart:\n%s", outlet, cmp.Diff(here[outlet], there[outlet]))
				}
			}
		}
		return differ
	}
	differences(participation.AtClose)
	told := differences(participation.Live)
	for _, outlet := range []string{"/consultations/:slug/result as text/html", "/consultations/:slug/result.json as */*", "/api/v1/consultations/:slug/result as */*", "/o/:id as application/activity+json", "consultation show vraag --json"} {
		if !slices.Contains(told, outlet) {
			t.Errorf("%s shows counts while voting, and the walk does not see it", outlet)
		}
	}
	t.Logf("counts shown while voting are seen at %q", told)
}
