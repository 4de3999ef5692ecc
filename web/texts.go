package web

import (
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"strings"
	"time"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// texts are all texts of one language, and how it writes numbers and dates.
type texts struct {
	lang      string
	localizer *i18n.Localizer
	messages  map[string]*i18n.Message
	plain     map[string]string // texts without anything to fill in
	printer   *message.Printer
	fallback  *texts // has what this language lacks; nil: it lacks nothing
}

// loadTexts reads the texts of one language: locales/LANGUAGE/*.json, one file for
// a subject. The same key in two files is an error.
func loadTexts(lang string) (*texts, error) {
	tag, err := language.Parse(lang)
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(files, "locales/"+lang+"/*.json")
	if err != nil {
		return nil, err
	}
	bundle := i18n.NewBundle(tag)
	bundle.RegisterUnmarshalFunc("json", json.Unmarshal)
	t := &texts{
		lang: lang, localizer: i18n.NewLocalizer(bundle, lang), printer: message.NewPrinter(tag),
		messages: map[string]*i18n.Message{}, plain: map[string]string{},
	}
	for _, name := range names {
		data, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		file, err := bundle.ParseMessageFileBytes(data, lang+".json") // its name tells the language
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for _, m := range file.Messages {
			if t.has(m.ID) {
				return nil, fmt.Errorf("%s: another file has %q too", name, m.ID)
			}
			t.messages[m.ID] = m
			if m.One == "" && !strings.Contains(m.Other, "{{") {
				t.plain[m.ID] = m.Other
			}
		}
	}
	return t, nil
}

func (t *texts) has(key string) bool {
	return t.messages[key] != nil || t.fallback != nil && t.fallback.has(key)
}

func (t *texts) hasGroup(group string) bool {
	if t.fallback != nil && t.fallback.hasGroup(group) {
		return true
	}
	for key := range t.messages {
		if strings.HasPrefix(key, group+".") {
			return true
		}
	}
	return false
}

// missing reports what o has and t lacks, a plural form included.
func (t *texts) missing(o *texts) (problems []error) {
	for key, m := range o.messages {
		if mine := t.messages[key]; mine == nil || (mine.One == "") != (m.One == "") || mine.Other == "" {
			problems = append(problems, fmt.Errorf("locales/%s: %q is missing, or lacks a plural form that %s has", t.lang, key, o.lang))
		}
	}
	return problems
}

// lacks tells whether a text is taken from another language.
func (t *texts) lacks(key string) bool { return t.fallback != nil && t.messages[key] == nil }

// marked says of a text from another language which one it is (WCAG 2.2, 3.1.2);
// where there are no elements, as in an attribute, html/template leaves the mark out.
func (t *texts) marked(key, text string) any {
	if !t.lacks(key) {
		return text
	}
	return template.HTML(`<span lang="` + t.fallback.lang + `">` + template.HTMLEscapeString(text) + `</span>`)
}

func (t *texts) text(key string, args ...any) string {
	if t.lacks(key) {
		return t.fallback.text(key, args...)
	}
	if s, ok := t.plain[key]; ok {
		return s
	}
	return t.localize(&i18n.LocalizeConfig{MessageID: key, TemplateData: pairs(args)})
}

func (t *texts) count(key string, n int, args ...any) string {
	if t.lacks(key) {
		return t.fallback.count(key, n, args...)
	}
	data := pairs(args)
	data["N"] = t.number(n)
	return t.localize(&i18n.LocalizeConfig{MessageID: key, PluralCount: n, TemplateData: data})
}

func (t *texts) localize(c *i18n.LocalizeConfig) string {
	s, err := t.localizer.Localize(c)
	if err != nil {
		return c.MessageID
	}
	return s
}

func pairs(args []any) map[string]any {
	data := make(map[string]any, len(args)/2+1)
	for i := 0; i+1 < len(args); i += 2 {
		data[fmt.Sprint(args[i])] = args[i+1]
	}
	return data
}

func (t *texts) number(n int) string { return t.printer.Sprintf("%d", n) }

// percent rounds a share (0 to 1) to whole percents.
func (t *texts) percent(share float64) string { return t.printer.Sprintf("%.0f", share*100) + "%" }

// moment writes a time as people say it, in the zone that it carries, and
// names that zone: a closing time without one is a riddle to half the readers.
func (t *texts) moment(at time.Time) string {
	return t.text("time.format",
		"Weekday", t.text(fmt.Sprintf("time.weekday.%d", at.Weekday())), "Day", at.Day(),
		"Month", t.text(fmt.Sprintf("time.month.%d", at.Month())), "Year", at.Year(),
		"Clock", at.Format("15:04"), "Zone", t.zone(at))
}

// zone names the zone that a time carries.
func (t *texts) zone(at time.Time) string {
	zone := at.Location().String()
	if key := "zone." + zone; t.has(key) {
		zone = t.text(key)
	}
	return zone
}

// shortMoment is for rows of times, such as a thread, beside which the zone is
// told once.
func (t *texts) shortMoment(at time.Time) string {
	return t.text("time.short", "Day", at.Day(), "Month", t.text(fmt.Sprintf("time.short-month.%d", at.Month())),
		"Year", at.Year(), "Clock", at.Format("15:04"))
}

// dayElement is the day of a time, for people and for machines.
func (t *texts) dayElement(at time.Time) template.HTML {
	words := t.text("time.day", "Day", at.Day(), "Month", t.text(fmt.Sprintf("time.month.%d", at.Month())), "Year", at.Year())
	return template.HTML(`<time datetime="` + at.Format(time.DateOnly) + `">` + template.HTMLEscapeString(words) + `</time>`)
}

// month is the month of a time.
func (t *texts) month(at time.Time) string {
	return t.text(fmt.Sprintf("time.month.%d", at.Month())) + " " + fmt.Sprint(at.Year())
}

// timeElement is moment for people and RFC 3339 for machines.
func (t *texts) timeElement(at time.Time) template.HTML { return element(at, t.moment(at)) }

func (t *texts) shortTimeElement(at time.Time) template.HTML { return element(at, t.shortMoment(at)) }

func element(at time.Time, words string) template.HTML {
	return template.HTML(`<time datetime="` + at.UTC().Format(time.RFC3339) + `">` + template.HTMLEscapeString(words) + `</time>`)
}

// languageName is a language's name in itself, for a link to it, or its tag.
func (t *texts) languageName(tag string) string {
	if key := "language." + tag; t.has(key) {
		return t.text(key)
	}
	return tag
}

// Moment is a time in words, in the zone that it carries.
func (s *Site) Moment(lang string, at time.Time) string {
	t, ok := s.texts[lang]
	if !ok {
		return at.Format(time.RFC3339)
	}
	return t.moment(at)
}

// Decimal is a number with one decimal, as a language writes it.
func (s *Site) Decimal(lang string, x float64) string {
	t, ok := s.texts[lang]
	if !ok {
		return fmt.Sprintf("%.1f", x)
	}
	return t.printer.Sprintf("%.1f", x)
}
