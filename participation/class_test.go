package participation

import (
	"strings"
	"testing"
	"time"

	"inspraak/tally"
)

// What is told of the classes is true for every split of up to 250 ballots, and
// the small numbers, nought included, look the same. What else it hides is
// proved in the room tally.
func TestClassesTellNoSmallNumber(t *testing.T) {
	inside := func(n int, r tally.Range) bool { return r.AtLeast <= n && n <= r.AtMost }
	for ballots := range 250 {
		for established := range ballots + 1 {
			other := ballots - established
			c := classes(established, ballots)
			if c == nil {
				if established >= 10 && other >= 10 {
					t.Fatalf("%d of %d established: nothing is told", established, ballots)
				}
				continue
			}
			if !inside(established, c.Established) || !inside(other, c.Unclassified) {
				t.Fatalf("%d of %d established: told %v, which is not so", established, ballots, c)
			}
			switch {
			case established < 10 && !c.same(classes(1, ballots)), other < 10 && !c.same(classes(ballots-1, ballots)):
				t.Fatalf("%d of %d established: told %v, unlike other small numbers", established, ballots, c)
			}
		}
	}
	if c := classes(3, 100); c.Established != (tally.Range{AtMost: 9}) || c.Unclassified != (tally.Range{AtLeast: 91, AtMost: 100}) {
		t.Errorf("3 of 100: %v", c)
	}
}

func TestClassOfAVote(t *testing.T) {
	opened := time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)
	c := Consultation{OpenedAt: opened}
	for name, row := range map[string]struct {
		v    Vote
		want Class
	}{
		"seven days":         {Vote{AccountSince: opened.AddDate(0, 0, -7)}, Established},
		"a second less":      {Vote{AccountSince: opened.AddDate(0, 0, -7).Add(time.Second)}, Unclassified},
		"made after opening": {Vote{AccountSince: opened.AddDate(0, 0, 1)}, Unclassified},
		"no age stated":      {Vote{}, Unclassified},
		"old, in a crowd":    {Vote{AccountSince: opened.AddDate(-5, 0, 0), Crowd: true}, Unclassified},
	} {
		if got := c.class(row.v); got != row.want {
			t.Errorf("%s: class %d, want %d", name, got, row.want)
		}
	}
}

// The class is sealed with the ballot and changes nothing of its size.
func TestClassIsSealed(t *testing.T) {
	secret, err := NewSecret(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	var sizes []int
	for _, class := range []Class{Unclassified, Established} {
		b := Ballot{Choices: 2, Class: class, Marks: []ballotMark{{Option: 1}}, Actor: "https://m.example/u/ann", Inbox: "https://m.example/inbox"}
		sealed := secret.sealBallot(b, 128)
		sizes = append(sizes, len(sealed))
		opened, err := secret.openBallot(b.Voter, sealed)
		if err != nil || opened.Class != class || opened.Choices != 2 || opened.Actor != b.Actor || opened.Inbox != b.Inbox {
			t.Errorf("sealed %+v, opened %+v: %v", b, opened, err)
		}
	}
	if sizes[0] != sizes[1] || sizes[0] != 128+28 { // 12 bytes of nonce, 16 of tag
		t.Errorf("sealed sizes %v", sizes)
	}
}

func TestResultTextTellsClasses(t *testing.T) {
	for language, want := range map[string]string{
		"nl": "gevestigde accounts: minder dan 10; andere: 16 tot 25.",
		"en": "established accounts: fewer than 10; others: 16 to 25.",
	} {
		c := Consultation{Kind: SingleChoice, Language: language, Title: "?", Options: []string{"Ja", "Nee"}}
		r := Result{Turnout: 25, Counts: []int{20, 5}, Classes: classes(4, 25), Final: true}
		if got := resultText(c, r); !strings.Contains(got, want) {
			t.Errorf("%s: %s", language, got)
		}
		r.Classes = nil
		if got := resultText(c, r); strings.Contains(got, "accounts") {
			t.Errorf("%s: classes where none may be told: %s", language, got)
		}
	}
	if got := resultText(Consultation{Kind: SingleChoice, Options: []string{"A"}}, Result{Turnout: 40, Counts: []int{40}, Classes: classes(30, 40)}); !strings.Contains(got, "about 30; others: about 10") {
		t.Error(got)
	}
}
