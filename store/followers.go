package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"inspraak/activitypub"
)

type followerStatements struct {
	acquaintances *sql.Stmt

	save, remove, removeAll, removeByInbox *sql.Stmt
	undoFollow, undoGesture                *sql.Stmt
	count, inboxes, attention              *sql.Stmt
	forgetShared, forgetPeers, personal    *sql.Stmt
	saveQuote, quote                       *sql.Stmt
}

func prepareFollowers(p *preparer) followerStatements {
	return followerStatements{
		acquaintances: p.read(`SELECT DISTINCT actor, 1 FROM follower WHERE since < ?1
			UNION ALL SELECT DISTINCT author, 0 FROM reply WHERE received < ?1`),
		save: p.write(`INSERT INTO follower (channel, actor, follow, inbox, shared, former, host, since)
			VALUES (?, ?, ?, ?, ?, '', ?, ?) ON CONFLICT (channel, actor) DO UPDATE SET follow = excluded.follow,
			inbox = excluded.inbox, shared = excluded.shared, former = '', host = excluded.host, since = excluded.since`),
		remove:        p.write(`DELETE FROM follower WHERE channel = ? AND actor = ?`),
		removeAll:     p.write(`DELETE FROM follower WHERE actor = ?`),
		removeByInbox: p.write(`DELETE FROM follower WHERE inbox = ?`),
		undoFollow:    p.write(`DELETE FROM follower WHERE actor = ? AND follow = ?`),
		undoGesture:   p.write(`DELETE FROM gesture WHERE actor = ? AND id = ?`),
		count:         p.read(`SELECT count(*) FROM follower WHERE channel = ?`),
		inboxes:       p.read(`SELECT actor, inbox, shared FROM follower WHERE channel = ? ORDER BY actor`),
		attention: p.read(`WITH c (number) AS (SELECT number FROM consultation WHERE id = ?)
			SELECT p.actor, p.inbox, p.shared FROM reply r JOIN peer p ON p.actor = r.author
			WHERE r.consultation = (SELECT number FROM c) AND p.inbox <> '' AND p.gone = 0
			UNION
			SELECT g.actor, coalesce(nullif(p.inbox, ''), g.inbox), coalesce(p.shared, '')
			FROM gesture g LEFT JOIN peer p ON p.actor = g.actor
			WHERE g.consultation = (SELECT number FROM c) AND g.gesture = 'boost' AND coalesce(p.gone, 0) = 0
			AND coalesce(nullif(p.inbox, ''), g.inbox) <> ''`),

		forgetShared: p.write(`UPDATE follower SET former = shared, shared = '' WHERE shared <> '' AND shared = ?`),
		forgetPeers:  p.write(`UPDATE peer SET shared = '' WHERE shared <> '' AND shared = ?`),
		personal: p.write(`SELECT DISTINCT inbox FROM follower
			WHERE channel = ?1 AND former = ?2 AND inbox NOT IN ('', ?2) ORDER BY inbox`),

		saveQuote: p.write(`INSERT INTO quote (id, object, instrument, actor, request) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET object = excluded.object, instrument = excluded.instrument,
			actor = excluded.actor, request = excluded.request`),
		quote: p.read(`SELECT id, object, instrument, actor, request FROM quote WHERE id = ?`),
	}
}

func scanRecipient(row scanner) (r activitypub.Recipient, err error) {
	err = row(&r.Actor, &r.Inbox, &r.Shared)
	return r, err
}

// SaveFollower implements activitypub.Store.
func (d *DB) SaveFollower(ctx context.Context, f activitypub.Follower, accept activitypub.Outgoing) error {
	return named(d.write(ctx, func(t *tx) error {
		host, err := hostOf(f.Actor)
		if err != nil {
			return err
		}
		if err := t.do(t.db.followers.save, f.Channel, f.Actor, f.FollowID, f.Inbox, f.Shared, host, ms(f.Since)); err != nil {
			return err
		}
		return t.queue(accept)
	}), "save follower", f.Actor)
}

// RemoveFollower implements activitypub.Store.
func (d *DB) RemoveFollower(ctx context.Context, channel, actor string) error {
	return named(d.write(ctx, func(t *tx) error {
		if channel == "" {
			return t.do(t.db.followers.removeAll, actor)
		}
		return t.do(t.db.followers.remove, channel, actor)
	}), "remove follower", actor)
}

// RemoveFollowersByInbox implements activitypub.Store. Deliveries under way to
// that inbox stay.
func (d *DB) RemoveFollowersByInbox(ctx context.Context, inbox string) error {
	return named(d.write(ctx, func(t *tx) error {
		return t.do(t.db.followers.removeByInbox, inbox)
	}), "remove followers at", inbox)
}

// Undo implements activitypub.Store. Nothing of that id is no error.
func (d *DB) Undo(ctx context.Context, actor, id string) error {
	return named(d.write(ctx, func(t *tx) error {
		if err := t.do(t.db.followers.undoFollow, actor, id); err != nil {
			return err
		}
		return t.do(t.db.followers.undoGesture, actor, id)
	}), "undo", id)
}

// Followers implements activitypub.Store.
func (d *DB) Followers(ctx context.Context, channel string) (int, error) {
	return column[int](one(ctx, d.followers.count, channel))
}

// FollowerInboxes implements activitypub.Store.
func (d *DB) FollowerInboxes(ctx context.Context, channel string) ([]activitypub.Recipient, error) {
	return list(ctx, d.followers.inboxes, scanRecipient, channel)
}

// Attention implements activitypub.Store. Each actor comes once, with the
// inbox that its peer gives now; actors that are gone are left out.
func (d *DB) Attention(ctx context.Context, consultation string) ([]activitypub.Recipient, error) {
	return list(ctx, d.followers.attention, scanRecipient, consultation)
}

// SaveQuote implements activitypub.Store.
func (d *DB) SaveQuote(ctx context.Context, q activitypub.Quote, accept activitypub.Outgoing) error {
	return named(d.write(ctx, func(t *tx) error {
		if err := t.do(t.db.followers.saveQuote, q.ID, q.Object, q.Instrument, q.Actor, q.Request); err != nil {
			return err
		}
		return t.queue(accept)
	}), "save quote", q.ID)
}

// Quote implements activitypub.Store.
func (d *DB) Quote(ctx context.Context, id string) (q activitypub.Quote, err error) {
	err = one(ctx, d.followers.quote, id)(&q.ID, &q.Object, &q.Instrument, &q.Actor, &q.Request)
	return q, named(err, "quote", id)
}

// Acquaintances implements participation.Reader.
func (d *DB) Acquaintances(ctx context.Context, before time.Time, fn func(actor string, follows bool) error) error {
	return each(ctx, d.followers.acquaintances, func(row scanner) error {
		var actor string
		var follows bool
		if err := row(&actor, &follows); err != nil {
			return fmt.Errorf("read acquaintances: %w", err)
		}
		return fn(actor, follows)
	}, ms(before))
}
