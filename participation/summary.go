package participation

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"inspraak/participation/markup"
)

// Summary is what the municipality made of what people said, for the council, in
// Markdown. It links to the replies it rests on: [text](reply:ID), where ID is
// what "reply list" shows, or the address of a reply, or of a reply on our own
// pages (…#reply-…).
type Summary struct {
	Version int // 1, 2, 3 … per consultation
	At      time.Time
	SHA256  string // of Source, in hexadecimal
	Source  string // empty of an earlier version
}

// ErrUnknownReply: a summary rests on a reply that is not there, or not shown.
var ErrUnknownReply = errors.New("rests on a reply that is not shown")

// Summarise keeps the summary of a closed consultation, in place of an earlier
// one, of which time and digest remain. It refuses a text that rests on a reply
// which is hidden or not there, and names each; then nothing changes. cited is
// the number of replies it rests on.
func (s *Service) Summarise(ctx context.Context, consultation, markdown string) (sum Summary, cited int, err error) {
	c, err := s.Consultation(ctx, consultation)
	if err != nil {
		return sum, 0, fmt.Errorf("summary: %w", err)
	}
	markdown = strings.TrimSpace(markdown)
	fail := func(err error) (Summary, int, error) { return sum, 0, fmt.Errorf("summary of %s: %w", c.Slug, err) }
	switch {
	case c.Phase != Closed:
		return fail(fmt.Errorf("%w: it is %s; a summary can be kept once it is closed", ErrPhase, c.Phase))
	case markdown == "":
		return fail(fmt.Errorf("%w: the text is empty", ErrInvalid))
	}
	replies, err := s.Replies(ctx, ReplyFilter{Consultation: c.ID, All: true})
	if err != nil {
		return fail(err)
	}
	html, rests, problems, err := citing(markdown, replies, s.site.Page(c.Slug), "")
	if err != nil {
		return fail(fmt.Errorf("%w: %w", ErrInvalid, err))
	}
	if markup.Plain(html) == "" {
		return fail(fmt.Errorf("%w: nothing of the text would be shown", ErrInvalid))
	}
	if len(problems) > 0 {
		return fail(fmt.Errorf("%w:\n  %s", ErrUnknownReply, strings.Join(problems, "\n  ")))
	}
	digest := sha256.Sum256([]byte(markdown))
	sum = Summary{At: s.now(), SHA256: hex.EncodeToString(digest[:]), Source: markdown}
	err = s.store.Update(ctx, func(tx Tx) (err error) {
		if sum.Version, err = tx.SaveSummary(c.Number, sum); err != nil {
			return err
		}
		return s.record(tx, SummaryPublished, c, sum.SHA256, "")
	})
	if err != nil {
		return fail(err)
	}
	return sum, len(rests), nil
}

// SummaryHTML is a consultation's summary made safe. Links to replies lead to
// their anchors on page, an address of ours; replies are all that there are. Of a
// link to a reply that has gone since only the text remains; gone is the number of
// these.
func (s *Service) SummaryHTML(c Consultation, sum Summary, replies []Reply, page string) (html string, gone int, err error) {
	html, _, problems, err := citing(sum.Source, replies, s.site.Page(c.Slug), page)
	return html, len(problems), err
}

// citing renders a summary of the consultation at base. Its links to replies lead
// to their anchors on page; problems says which replies are not shown, or not there.
func citing(markdown string, replies []Reply, base, page string) (html string, rests map[string]bool, problems []string, err error) {
	byAddress, byAnchor := map[string]Reply{}, map[string]Reply{}
	for _, r := range replies {
		byAddress[r.ID], byAnchor[r.Anchor()] = r, r
		if r.URL != "" {
			byAddress[r.URL] = r
		}
	}
	rests = map[string]bool{}
	html, err = markup.Linked(markdown, func(to string) string {
		r, known := byAddress[to]
		_, fragment, _ := strings.Cut(to, "#")
		id, short := strings.CutPrefix(to, "reply:")
		switch {
		case known:
		case short:
			r, known = named(replies, strings.ToLower(id))
		case strings.HasPrefix(fragment, "reply-") && (strings.HasPrefix(to, base) || strings.HasPrefix(to, "#")):
			r, known = byAnchor[fragment]
		default:
			return to // to elsewhere
		}
		switch {
		case !known:
			problems = append(problems, to+": there is no such reply")
			return ""
		case r.Standing != Shown:
			problems = append(problems, to+": the reply is hidden")
			return ""
		}
		rests[r.ID] = true
		return page + "#" + r.Anchor()
	})
	return html, rests, problems, err
}

// named finds the one reply of a short id.
func named(replies []Reply, id string) (found Reply, one bool) {
	for _, r := range replies {
		if ShortID(r.ID) == id {
			if one {
				return Reply{}, false
			}
			found, one = r, true
		}
	}
	return found, one
}
