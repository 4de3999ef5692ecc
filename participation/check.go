package participation

import (
	"errors"
	"fmt"
	"html"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"

	"inspraak/participation/markup"
)

// Limits of what every server shows, keeps and sends back unchanged.
const (
	MinOptions     = 2
	MaxOptions     = 50
	AdvisedOptions = 4   // Pixelfed and stock Mastodon's own composer stop here
	MaxOption      = 200 // bytes; Misskey's column holds 256 characters
	AdvisedOption  = 50  // characters; the limit of Mastodon's own polls
	maxTitle       = 200
	maxBody        = 6000 // bytes of Markdown; the whole document must stay under 60 KiB
)

var (
	slugForm    = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	hashtagForm = regexp.MustCompile(`^[\pL\pN_]*\pL[\pL\pN_]*$`)
	shortcode   = regexp.MustCompile(`:[a-zA-Z0-9_]{2,}:`)
)

// Prepare makes the body safe and fills in the counting rule, as Draft needs.
func (c *Consultation) Prepare() error {
	safe, err := markup.Markdown(c.Body)
	if err != nil {
		return fmt.Errorf("%w: body: %w", ErrInvalid, err)
	}
	c.HTML, c.Terms.RuleVersion = safe, RuleVersion
	return nil
}

// Check says all that keeps a consultation from being published, or nil. It
// joins one error per problem, each naming the field and what to do.
func (c Consultation) Check(now time.Time) error {
	var problems []error
	bad := func(field, format string, args ...any) {
		problems = append(problems, fmt.Errorf("%s: "+format, append([]any{field}, args...)...))
	}
	need := func(field, value, what string) {
		if strings.TrimSpace(value) == "" {
			bad(field, "missing; %s", what)
		}
	}
	if !slugForm.MatchString(c.Slug) || len(c.Slug) > 80 {
		bad("slug", "%q: use a-z, 0-9 and single hyphens, at most 80", c.Slug)
	}
	if _, err := language.Parse(c.Language); err != nil {
		bad("language", "%q is no language tag; use nl, en, fy …", c.Language)
	}
	need("title", c.Title, "ask the question in one sentence")
	if len(c.Title) > maxTitle {
		bad("title", "%d bytes, at most %d", len(c.Title), maxTitle)
	}
	need("body", c.Body, "say in a few sentences what is asked and why")
	if len(c.Body) > maxBody {
		bad("body", "%d bytes, at most %d: put the rest on a page and link to it", len(c.Body), maxBody)
	}
	need("decidedBy", c.Terms.DecidedBy, "say who decides")
	need("decidedWhen", c.Terms.DecidedWhen, "say when the decision is expected")
	need("promise", c.Terms.Promise, "say what happens with the contributions")
	need("notOpen", c.Terms.NotOpen, "say what is not up for discussion, or that everything is")
	need("notice", c.Terms.Notice, "say that this is no formal objection (zienswijze) and where to file one")
	switch c.Terms.Level {
	case Inform, Consult, Advise, Coproduce, Codecide:
	default:
		bad("level", "%q: use inform, consult, advise, coproduce or codecide", c.Terms.Level)
	}
	if c.Results != AtClose && c.Results != Live {
		bad("results", "%q: use at-close or live", c.Results)
	}
	if !c.ClosesAt.After(now.Add(time.Minute)) {
		bad("closes", "must lie in the future; it is %s", c.ClosesAt.Format(time.RFC3339))
	}
	if !c.ClosesAt.After(c.OpensAt) {
		bad("closes", "must lie after opening")
	}
	if c.Terms.BatchSize < 1 || c.Terms.Interval < time.Second || c.Terms.Grace < 0 || c.Terms.Grace > time.Hour {
		bad("terms", "batchSize must be at least 1, interval at least 1s, grace between 0s and 1h")
	}
	if c.Image != nil {
		need("image.alt", c.Image.Alt, "describe the image for those who cannot see it")
	}
	for _, tag := range c.Hashtags {
		if !hashtagForm.MatchString(tag) {
			bad("tags", "%q: letters, digits and _ only, with at least one letter", tag)
		}
	}
	c.checkOptions(bad)
	if len(problems) > 0 {
		return fmt.Errorf("%w:\n%w", ErrInvalid, errors.Join(problems...))
	}
	return nil
}

func (c Consultation) checkOptions(bad func(field, format string, args ...any)) {
	switch {
	case c.Kind == OpenQuestion && len(c.Options) > 0:
		bad("options", "an open question has none; use single-choice or multiple-choice")
		return
	case c.Kind == OpenQuestion:
		return
	case c.Kind != SingleChoice && c.Kind != MultipleChoice:
		bad("kind", "%q: use single-choice, multiple-choice or open-question", c.Kind)
	case len(c.Options) < MinOptions || len(c.Options) > MaxOptions:
		bad("options", "%d given; give %d to %d", len(c.Options), MinOptions, MaxOptions)
	}
	seen := map[string]string{}
	fold := cases.Fold()
	for _, o := range c.Options {
		if why := mangled(o); why != "" {
			bad("options", "%q: %s", o, why)
		}
		folded := fold.String(foldName(o))
		if twin, dup := seen[folded]; dup {
			bad("options", "%q and %q are the same to GoToSocial, which ignores capitals", twin, o)
		}
		seen[folded] = o
	}
}

// mangled says which server would change an option's name, so that its votes
// would come back under another, or "" if all send it back as it is.
func mangled(o string) string {
	switch {
	case strings.TrimSpace(o) == "":
		return "empty: Mastodon drops empty options and shifts the counts"
	case len(o) > MaxOption:
		return fmt.Sprintf("%d bytes, at most %d: Misskey would refuse the whole post", len(o), MaxOption)
	case strings.ContainsAny(o, "<>&") || html.UnescapeString(o) != o:
		return "has <, > or &: GoToSocial strips or unescapes them"
	case strings.Join(strings.Fields(o), " ") != o:
		return "has blanks at an end, or two together: GoToSocial trims them"
	case !norm.NFC.IsNormalString(o):
		return "is not in Unicode form NFC; type it anew"
	case shortcode.MatchString(o):
		return "has a :shortcode:: servers show it as an emoji or strip it"
	case !utf8.ValidString(o):
		return "is not UTF-8"
	}
	for _, r := range o {
		switch {
		case unicode.IsControl(r):
			return "has a control character"
		case unicode.Is(unicode.Cf, r), unicode.Is(unicode.Variation_Selector, r):
			return "has an invisible character (zero-width, direction or variation selector), which some servers drop"
		}
	}
	return ""
}

// Advice says what is allowed but will not reach everybody.
func (c Consultation) Advice() []string {
	var advice []string
	if len(c.Options) > AdvisedOptions {
		advice = append(advice, fmt.Sprintf("%d options: Pixelfed drops polls with more than %d; its users cannot see this one", len(c.Options), AdvisedOptions))
	}
	for _, o := range c.Options {
		if n := utf8.RuneCountInString(o); n > AdvisedOption {
			advice = append(advice, fmt.Sprintf("option %q has %d characters: some apps show only %d", o, n, AdvisedOption))
		}
	}
	if c.Kind == OpenQuestion {
		advice = append(advice, "an open question is published as an ordinary post; people answer with a reply")
	}
	return advice
}
