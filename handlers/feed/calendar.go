package feed

import (
	"context"
	"time"

	ics "github.com/arran4/golang-ical"

	"inspraak/participation"
)

// maxDates is how many consultations a calendar holds, newest opening first.
const maxDates = 200

// NodeCalendar is when voting opens and closes (RFC 5545), of all channels.
func (s Source) NodeCalendar(ctx context.Context) ([]byte, error) {
	return s.calendarOf(ctx, s.Name, "")
}

// ChannelCalendar is the same of one channel.
func (s Source) ChannelCalendar(ctx context.Context, ch participation.Channel) ([]byte, error) {
	return s.calendarOf(ctx, ch.Title+" – "+s.Name, ch.Name)
}

func (s Source) calendarOf(ctx context.Context, title, channel string) ([]byte, error) {
	found, err := s.Service.Consultations(ctx, participation.Filter{Channel: channel, Limit: maxDates, Phases: []participation.Phase{
		participation.Scheduled, participation.Open, participation.Closed, participation.Withdrawn,
	}})
	if err != nil {
		return nil, err
	}
	return s.Calendar(ctx, title, found...)
}

// Calendar is when voting on some consultations opens and closes, each in its
// channel's language. What was withdrawn is cancelled, so that whoever keeps a copy
// hears of it.
func (s Source) Calendar(ctx context.Context, title string, consultations ...participation.Consultation) ([]byte, error) {
	channels, err := s.Service.Channels(ctx)
	if err != nil {
		return nil, err
	}
	language := map[string]string{}
	for _, ch := range channels {
		language[ch.Name] = s.Site.Match("", ch.Language)
	}
	calendar := ics.NewCalendarFor("Inspraak")
	calendar.SetMethod(ics.MethodPublish)
	calendar.SetName(title)
	calendar.SetXWRCalName(title)
	calendar.SetRefreshInterval("PT6H", ics.WithValue("DURATION"))
	for _, c := range consultations {
		if err := s.dates(ctx, calendar, language[c.Channel], c); err != nil {
			return nil, err
		}
	}
	return []byte(calendar.Serialize(ics.WithNewLineWindows)), nil
}

// dates adds two moments, under UIDs that stay. Each time that the public was told
// something of them (see participation.Reader.Revisions) is a revision.
func (s Source) dates(ctx context.Context, calendar *ics.Calendar, lang string, c participation.Consultation) error {
	revisions, revised, err := s.Service.Revisions(ctx, c.ID)
	if err != nil {
		return err
	}
	closes := c.ClosesAt
	switch {
	case !c.ClosedAt.IsZero():
		closes = c.ClosedAt
	case !c.ExtendedUntil.IsZero():
		closes = c.Deadline()
	}
	for _, date := range []struct {
		key string
		at  time.Time
	}{{"opens", c.OpensAt}, {"closes", closes}} {
		e := calendar.AddEvent(c.ID + "-" + date.key + "@" + s.URLs.Host)
		e.SetDtStampTime(revised)
		e.SetModifiedAt(revised)
		e.SetSequence(max(0, revisions-1))
		e.SetStartAt(date.at)
		e.SetURL(s.URLs.Page(c.Slug))
		e.SetSummary(s.Site.Text(lang, "calendar."+date.key, "Title", c.Title), &ics.KeyValues{Key: "LANGUAGE", Value: []string{lang}})
		e.SetTimeTransparency(ics.TransparencyTransparent)
		e.SetStatus(ics.ObjectStatusConfirmed)
		if c.Phase == participation.Withdrawn {
			e.SetStatus(ics.ObjectStatusCancelled)
		}
	}
	return nil
}
