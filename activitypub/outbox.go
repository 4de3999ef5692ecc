package activitypub

import (
	"context"
	"errors"
	"fmt"

	"inspraak/activitypub/as2"
	"inspraak/participation"
)

// projectAtOnce bounds the events of one projection.
const projectAtOnce = 100

// Project turns the next events into activities, and queues those with their
// deliveries and the new cursor in one transaction. It returns how many events
// it took, 0 when it has caught up. The id of an activity follows from its
// event alone, so a projection that a crash cut short is repeated without
// anything going out twice. Activities show the state at the time of
// projection, not of the event.
//
// New counts that another count, the close or the withdrawal follows in the
// same call are left to that one; counts that show what was last sent are not
// sent again. What was last sent is not remembered across a restart, which may
// cost one Update. Project is for one caller at a time.
func (f *Federation) Project(ctx context.Context) (n int, err error) {
	cursor, err := f.Store.Cursor(ctx)
	if err != nil {
		return 0, fmt.Errorf("project: %w", err)
	}
	events, err := f.Service.Events(ctx, cursor, projectAtOnce)
	if err != nil || len(events) == 0 {
		return 0, wrap("project", err)
	}
	var out []Outgoing
	told := map[string]string{}
	for i, e := range events {
		if superseded(e, events[i+1:]) {
			continue
		}
		activities, err := f.activitiesOf(ctx, e, told)
		switch {
		case errors.Is(err, errUnwritable):
			// It would never succeed, and must not hold up all that follows.
			f.Log.ErrorContext(ctx, "event not published", "event", e.Seq, "type", e.Type, "error", err)
		case err != nil:
			return 0, fmt.Errorf("project event %d: %w", e.Seq, err)
		}
		out = append(out, activities...)
	}
	if err := f.Store.Enqueue(ctx, events[len(events)-1].Seq, out); err != nil {
		return 0, fmt.Errorf("project: %w", err)
	}
	f.deliverer.tell(told)
	return len(events), nil
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// superseded tells whether a later event of the same call says all that a
// count does.
func superseded(e participation.Event, later []participation.Event) bool {
	if e.Type != participation.ConsultationCounted {
		return false
	}
	for _, l := range later {
		if l.Consultation != e.Consultation {
			continue
		}
		switch l.Type {
		case participation.ConsultationCounted, participation.ConsultationClosed, participation.ConsultationWithdrawn:
			return true
		}
	}
	return false
}

// errUnwritable says that a document cannot be written, ever.
var errUnwritable = errors.New("cannot be written")

// activitiesOf is what the fediverse hears of an event. told receives the
// numbers it shows. A withdrawal takes the posts of the thread along.
func (f *Federation) activitiesOf(ctx context.Context, e participation.Event, told map[string]string) ([]Outgoing, error) {
	if e.Type == participation.ConsultationWithdrawn {
		return f.withdrawals(ctx, e)
	}
	activity, err := f.activityOf(ctx, e, told)
	if err != nil || activity == nil {
		return nil, err
	}
	return []Outgoing{*activity}, nil
}

// activityOf is one activity for one event; nil if there is nothing to tell.
func (f *Federation) activityOf(ctx context.Context, e participation.Event, told map[string]string) (*Outgoing, error) {
	switch e.Type {
	case participation.ConsultationOpened, participation.ConsultationCounted, participation.ConsultationClosed:
		c, err := f.Service.Consultation(ctx, e.Consultation)
		if err != nil {
			return nil, err
		}
		if c.Phase == participation.Withdrawn {
			return nil, nil // its Delete follows
		}
		return f.announcement(ctx, e, c, told)
	case participation.PostPublished:
		return f.publication(ctx, e)
	case participation.ChannelEdited:
		return f.profile(ctx, e)
	}
	return nil, nil
}

// announcement is a Create of a consultation, or an Update of its numbers.
func (f *Federation) announcement(ctx context.Context, e participation.Event, c participation.Consultation, told map[string]string) (*Outgoing, error) {
	opened := e.Type == participation.ConsultationOpened
	if !opened && !c.Kind.HasOptions() {
		return nil, nil // it shows no numbers; its end is told by a post
	}
	r, err := f.Service.Result(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	numbers := fmt.Sprint(r.Turnout, r.Counts, r.Final)
	last, ok := told[c.ID]
	if !ok {
		last = f.deliverer.told(c.ID)
	}
	if e.Type == participation.ConsultationCounted && last == numbers {
		return nil, nil
	}
	n, err := f.consultationNote(ctx, c)
	if err != nil {
		return nil, err
	}
	if !opened || r.Turnout == 0 { // a Create reaches followers only: voters must hear of themselves
		told[c.ID] = numbers
	}
	if opened {
		out := Outgoing{ID: n.ID + "/create", Channel: c.Channel, Object: n.ID, Public: true, At: e.At}
		if out.Inboxes, err = f.followers(ctx, c.Channel); err != nil {
			return nil, err
		}
		return out.filled("Create", f.URLs.Actor(c.Channel), n.To, n.CC, n)
	}
	out := Outgoing{ID: n.ID + "/updates/" + sequence(e), Channel: c.Channel, Object: n.ID, Count: true, At: e.At}
	if out.Inboxes, err = f.concerned(ctx, c); err != nil {
		return nil, err
	}
	return out.filled("Update", f.URLs.Actor(c.Channel), n.To, n.CC, n)
}

// sequence tells activities about one object apart, for good: the log's number
// alone would come again after an older backup was restored.
func sequence(e participation.Event) string { return fmt.Sprintf("%d-%d", e.Seq, e.At.Unix()) }

// withdrawals are the Deletes of a consultation and of the posts in its thread.
func (f *Federation) withdrawals(ctx context.Context, e participation.Event) ([]Outgoing, error) {
	c, err := f.Service.Consultation(ctx, e.Consultation)
	if err != nil || c.OpenedAt.IsZero() {
		return nil, err // nobody has heard of it
	}
	inboxes, err := f.concerned(ctx, c)
	if err != nil {
		return nil, err
	}
	posts, err := f.Service.Posts(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	root := f.URLs.Object(c.ID)
	stones := []*as2.Tombstone{tombstone(root, c)}
	for _, p := range posts {
		stones = append(stones, &as2.Tombstone{ID: f.URLs.Object(p.ID), FormerType: "Note"})
	}
	var all []Outgoing
	for _, stone := range stones {
		stone.Deleted = e.At
		out := Outgoing{ID: stone.ID + "/delete", Channel: c.Channel, Object: root, At: e.At, Inboxes: inboxes}
		activity, err := out.filled("Delete", f.URLs.Actor(c.Channel), []string{as2.Public}, []string{f.URLs.Followers(c.Channel)}, stone)
		if err != nil {
			return nil, err
		}
		all = append(all, *activity)
	}
	return all, nil
}

// publication is the Create of a post. It keeps its place behind whatever else
// is under way about its consultation: a reply that arrives before its parent
// is lost on some servers.
func (f *Federation) publication(ctx context.Context, e participation.Event) (*Outgoing, error) {
	p, err := f.Service.Post(ctx, e.Subject)
	if err != nil {
		return nil, err
	}
	c, err := f.threadOfPost(ctx, p)
	if err != nil {
		return nil, err
	}
	var more []Recipient
	if p.Mention.ID != "" {
		r, err := f.citizen(ctx, p.Mention.ID)
		if err != nil {
			return nil, fmt.Errorf("inbox of the answered: %w", err)
		}
		more = append(more, r)
	}
	n := f.postNote(c, p)
	out := Outgoing{ID: n.ID + "/create", Channel: p.Channel, Object: f.URLs.Object(c.ID), Public: true, At: e.At}
	if p.Consultation == "" {
		out.Object = n.ID
	}
	if out.Inboxes, err = f.followers(ctx, p.Channel, more...); err != nil {
		return nil, err
	}
	return out.filled("Create", f.URLs.Actor(p.Channel), n.To, n.CC, n)
}

// profile is the Update of a channel's actor.
func (f *Federation) profile(ctx context.Context, e participation.Event) (*Outgoing, error) {
	c, err := f.Service.Channel(ctx, e.Channel)
	if err != nil {
		return nil, err
	}
	actor, err := f.channelActor(c)
	if err != nil { // its key is missing: no reason to hold up the other channels
		return nil, fmt.Errorf("%w: %w", errUnwritable, err)
	}
	out := Outgoing{ID: actor.ID + "/updates/" + sequence(e), Channel: c.Name, Object: actor.ID, At: e.At}
	if out.Inboxes, err = f.followers(ctx, c.Name); err != nil {
		return nil, err
	}
	return out.filled("Update", actor.ID, []string{as2.Public}, []string{actor.Followers}, actor)
}

// filled writes the body.
func (o Outgoing) filled(kind, actor string, to, cc []string, object as2.Part) (*Outgoing, error) {
	a := as2.OutActivity{ID: o.ID, Type: kind, Actor: actor, To: to, CC: cc, Published: o.At, Object: object}
	body, err := a.Marshal()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", o.ID, errUnwritable, err)
	}
	o.Body = body
	return &o, nil
}
