package main

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"inspraak/handlers"
)

// AccessibilityConfig is what the page /accessibility tells of the statement that
// a municipality must publish (Besluit digitale toegankelijkheid overheid, art. 2a).
type AccessibilityConfig struct {
	Statement string `yaml:"statement"`
	Status    string `yaml:"status"`
	Audited   string `yaml:"audited"`
	Contact   string `yaml:"contact"`
}

// An audit may be three years old at most; the warning leaves time to order one.
const (
	auditWarning = 33 // months
	auditLimit   = 36
)

func (c AccessibilityConfig) check(bad func(key, format string, args ...any)) {
	if u, err := url.Parse(c.Statement); c.Statement != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
		bad("accessibility.statement", "%q: give the https address of the statement, as toegankelijkheidsverklaring.nl shows it", c.Statement)
	}
	if c.Status != "" && !slices.Contains([]string{"A", "B", "C", "D", "E"}, c.Status) {
		bad("accessibility.status", "%q: A, B, C, D or E, as the statement says", c.Status)
	}
	if _, err := time.Parse(time.DateOnly, c.Audited); c.Audited != "" && err != nil {
		bad("accessibility.audited", "%q: give the day of the last audit, such as 2026-01-31", c.Audited)
	}
	if c.Contact != "" && !contactable(c.Contact) {
		bad("accessibility.contact", "%q: give an e-mail address or the address of a contact page", c.Contact)
	}
}

// page is what the page shows of it.
func (c AccessibilityConfig) page() handlers.Accessibility {
	audited, err := time.Parse(time.DateOnly, c.Audited)
	if err != nil { // none, for check has looked
		audited = time.Time{}
	}
	return handlers.Accessibility{Statement: c.Statement, Status: c.Status, Audited: audited, Contact: c.Contact}
}

// checkAccessibility warns of what the law will ask for.
func checkAccessibility(c AccessibilityConfig, now time.Time, f *findings) {
	var missing []string
	for _, key := range [][2]string{{"statement", c.Statement}, {"status", c.Status}, {"audited", c.Audited}} {
		if key[1] == "" {
			missing = append(missing, key[0])
		}
	}
	if len(missing) > 0 {
		f.warn("accessibility", "accessibility lacks %s: a municipality must have a statement when the site goes live; make it at toegankelijkheidsverklaring.nl and name it here",
			strings.Join(missing, ", "))
	}
	switch audited := c.page().Audited; {
	case audited.IsZero():
	case audited.After(now):
		f.warn("accessibility", "the last audit is said to be on %s, which is to come", c.Audited)
	case now.After(audited.AddDate(0, auditLimit, 0)):
		f.warn("accessibility", "the last audit, of %s, is more than %d months old: the statement is no longer valid; have the site audited", c.Audited, auditLimit)
	case now.After(audited.AddDate(0, auditWarning, 0)):
		f.warn("accessibility", "the last audit, of %s, is more than %d months old: after %d months the statement is no longer valid; order an audit now", c.Audited, auditWarning, auditLimit)
	case len(missing) == 0:
		f.ok("accessibility", "status %s, last audit on %s", c.Status, c.Audited)
	}
}
