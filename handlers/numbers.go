package handlers

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"inspraak/participation"
	"inspraak/web"
)

// numbers is what may be told of a count.
type numbers struct {
	Rows                   []row
	Counts                 bool   // rows have votes and shares
	Leaders                []row  // chosen most, as far as the final count tells
	WhyHidden              string // why not
	BatchSize              int
	Beforehand             bool // say that too few ballots give totals only
	Numbers                bool // the rest below is known
	Turnout, Pending       int
	Replies, Likes, Boosts int
	Refused                []refusal
	Classes                []class // nil: too few votes to tell
	CountedAt              time.Time
	Version                int
	Final                  bool
	JSON                   string
}

type row struct {
	Number int
	Name   string
	Votes  int
	Share  float64
	Width  string // of the bar, in percent
}

// counted is how often there was a reason.
type counted[K ~string] struct {
	Reason K
	N      int
}

type refusal = counted[participation.Outcome]

// byNumber lists reasons, most first.
func byNumber[K ~string](numbers map[K]int) (list []counted[K]) {
	for reason, n := range numbers {
		list = append(list, counted[K]{reason, n})
	}
	slices.SortFunc(list, func(a, b counted[K]) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Reason, b.Reason)) })
	return list
}

type class struct{ Name, Votes string }

// always are the reasons that a final count names even where nothing was refused
// for them: their absence is news too.
var always = []participation.Outcome{participation.Late, participation.Unverified, participation.Withdrawals}

func (h *handler) numbers(about head, c participation.Consultation, r participation.Result) (v numbers) {
	counts, voters, hidden := c.Shown(r)
	v.Counts, v.WhyHidden, v.BatchSize = counts != nil, hidden, c.Terms.BatchSize
	if about.Ended && about.Votable && !v.Counts {
		v.WhyHidden = "counting"
	}
	v.Beforehand = about.Votable && !about.Ended && c.Terms.BatchSize > 1
	v.Rows = rows(c, counts, voters)
	if r.Final && v.Counts {
		v.Leaders = leaders(v.Rows)
	}
	v.Numbers, v.JSON = r.Version > 0, about.base+"/result.json"
	v.Turnout, v.Replies, v.Likes, v.Boosts = r.Turnout, r.Replies, r.Likes, r.Boosts
	if v.Counts {
		v.Pending = r.Pending
	}
	v.CountedAt, v.Version, v.Final = h.local(r.At, c.Zone), r.Version, r.Final
	v.Refused = refused(h.Site, r)
	if r.Final && about.Votable {
		for _, reason := range always {
			if r.Refused[reason] == 0 {
				v.Refused = append(v.Refused, refusal{reason, 0})
			}
		}
	}
	if r.Classes != nil {
		lang := about.Page.Lang
		v.Classes = []class{{"established", h.inWords(lang, r.Classes.Established)}, {"unclassified", h.inWords(lang, r.Classes.Unclassified)}}
	}
	return v
}

// rows are the options, with their votes if counts has them.
func rows(c participation.Consultation, counts []int, voters int) (list []row) {
	for i, name := range c.Options {
		o := row{Number: i + 1, Name: name}
		if counts != nil {
			o.Votes, o.Share = counts[i], share(counts[i], voters)
			o.Width = strconv.FormatFloat(o.Share*100, 'f', 1, 64)
		}
		list = append(list, o)
	}
	return list
}

// leaders are the rows with most votes: several at a tie, none without votes.
func leaders(rows []row) (most []row) {
	for _, r := range rows {
		switch {
		case r.Votes == 0 || len(most) > 0 && r.Votes < most[0].Votes:
		case len(most) > 0 && r.Votes == most[0].Votes:
			most = append(most, r)
		default:
			most = []row{r}
		}
	}
	return most
}

// refused lists what was not counted by reason, largest number first. A reason
// that the site has no words for is "unknown", never dropped: the numbers add
// up.
func refused(site *web.Site, r participation.Result) []refusal {
	numbers := map[participation.Outcome]int{}
	for reason, n := range r.Refused {
		if !site.Has("outcome." + string(reason)) {
			reason = "unknown"
		}
		numbers[reason] += n
	}
	maps.DeleteFunc(numbers, func(reason participation.Outcome, n int) bool { return n <= 0 || reason == participation.Counted })
	return byNumber(numbers)
}

type resultView struct {
	head
	numbers
	Results []postView // how it was told to followers
	Check   checkView
}

// resultPage shows the count: the answer in a sentence, then what it rests on, what
// was not counted, what it does not prove, and how to check it. As long as counts
// are hidden it says until when, and only the turnout.
func (h *handler) resultPage(c echo.Context) error {
	ctx := c.Request().Context()
	about, con, channel, r, err := h.begin(c, "result.title")
	if err != nil {
		return err
	}
	if about.Withdrawn {
		return h.withdrawn(c, about, con)
	}
	v := resultView{head: about, numbers: h.numbers(about, con, r)}
	v.Page.Description = h.Site.Text(v.Page.Lang, "result.in-short", "Title", con.Title)
	if v.Votable && !v.Scheduled {
		if v.Check, err = h.checkView(ctx, v.Page, con); err != nil {
			return err
		}
	}
	posts, err := h.Service.PostsOf(ctx, con.ID, participation.Closing)
	if err != nil {
		return err
	}
	for _, p := range posts {
		v.Results = append(v.Results, h.postView(v.Page, con, channel, p))
	}
	return h.html(c, http.StatusOK, "result", v.Page, v)
}
