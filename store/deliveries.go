package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"inspraak/activitypub"
	"inspraak/participation"
)

type deliveryStatements struct {
	add, send, replace       *sql.Stmt
	body, bodies, total      *sql.Stmt
	hosts, due, pending      *sql.Stmt
	get, remove, free, retry *sql.Stmt
	toInbox, removeInbox     *sql.Stmt
	pass                     *sql.Stmt
}

func prepareDeliveries(p *preparer) deliveryStatements {
	return deliveryStatements{
		add: p.write(`INSERT INTO activity (id, channel, public, count, passing, key, body, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO NOTHING`),
		// Held (next is NULL) if the inbox still awaits something about the object.
		send: p.write(`INSERT INTO delivery (activity, object, inbox, host, attempts, queued, next)
			VALUES (?1, ?2, ?3, ?4, 0, ?5,
				iif(EXISTS (SELECT 1 FROM delivery WHERE inbox = ?3 AND object = ?2), NULL, ?5))
			ON CONFLICT (inbox, object, activity) DO NOTHING`),
		// Older numbers that wait behind something else need not be told any more.
		replace: p.write(`DELETE FROM delivery WHERE inbox = ?1 AND object = ?2 AND next IS NULL AND activity IN
			(SELECT d.activity FROM delivery d JOIN activity a ON a.seq = d.activity
			WHERE d.inbox = ?1 AND d.object = ?2 AND a.count = 1)`),
		body: p.read(`SELECT body FROM activity WHERE id = ?`),
		bodies: p.read(`SELECT body FROM activity WHERE channel = ? AND public = 1
			ORDER BY seq DESC LIMIT ? OFFSET ?`),
		total: p.read(`SELECT count(*) FROM activity WHERE channel = ? AND public = 1`),
		hosts: p.read(`SELECT host FROM delivery INDEXED BY delivery_due WHERE next <= ? GROUP BY host ORDER BY min(next) LIMIT ?`),
		due: p.read(`SELECT d.id, a.id, a.channel, d.object, d.inbox, d.host, d.attempts, d.queued, a.key, a.body
			FROM delivery d JOIN activity a ON a.seq = d.activity
			WHERE d.host = ? AND d.next <= ? ORDER BY d.id LIMIT ?`),
		pending: p.read(`SELECT (SELECT count(*) FROM delivery),
			coalesce((SELECT min(next) FROM delivery WHERE next IS NOT NULL), 0)`),

		get:    p.write(`SELECT d.inbox, d.object, d.activity, a.passing FROM delivery d JOIN activity a ON a.seq = d.activity WHERE d.id = ?`),
		remove: p.write(`DELETE FROM delivery WHERE id = ?`),
		free: p.write(`UPDATE delivery SET next = queued WHERE next IS NULL AND id =
			(SELECT id FROM delivery WHERE inbox = ? AND object = ? ORDER BY activity LIMIT 1)`),
		retry: p.write(`UPDATE delivery SET attempts = ?, next = ? WHERE id = ? AND next IS NOT NULL`),
		toInbox: p.write(`SELECT d.activity, a.channel, d.object, d.queued
			FROM delivery d JOIN activity a ON a.seq = d.activity WHERE d.inbox = ? ORDER BY d.activity`),
		removeInbox: p.write(`DELETE FROM delivery WHERE inbox = ?`),
		pass: p.write(`DELETE FROM activity WHERE seq = ?1 AND passing = 1
			AND NOT EXISTS (SELECT 1 FROM delivery WHERE activity = ?1)`),
	}
}

// Enqueue implements activitypub.Store. The cursor never moves back.
func (d *DB) Enqueue(ctx context.Context, cursor int64, out []activitypub.Outgoing) error {
	return d.write(ctx, func(t *tx) error {
		for _, o := range out {
			if err := t.queue(o); err != nil {
				return named(err, "queue", o.ID)
			}
		}
		return t.do(t.db.events.move, cursor)
	})
}

// queue stores an activity with its deliveries, unless its id is there already.
// An inbox that is no address is left out: it could never be delivered to, and
// must not keep the others from hearing.
func (t *tx) queue(o activitypub.Outgoing) error {
	key := sql.NullString{String: o.Key, Valid: o.Sealed}
	result, err := t.exec(t.db.deliveries.add, o.ID, o.Channel, o.Public, o.Count, o.Passing || o.Sealed, key, o.Body, ms(o.At))
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return err
	}
	seq, err := result.LastInsertId()
	if err != nil {
		return err
	}
	for _, inbox := range o.Inboxes {
		if o.Count {
			if err := t.do(t.db.deliveries.replace, inbox, o.Object); err != nil {
				return err
			}
		}
		if err := t.send(seq, o.Object, inbox, ms(o.At)); err != nil {
			return err
		}
	}
	if o.Passing || o.Sealed {
		return t.do(t.db.deliveries.pass, seq) // none of the inboxes was an address
	}
	return nil
}

func (t *tx) send(activity int64, object, inbox string, queued int64) error {
	host, err := hostOf(inbox)
	if err != nil {
		t.db.log.Warn("an inbox that is no address is left out", "object", object)
		return nil
	}
	return t.do(t.db.deliveries.send, activity, object, inbox, host, queued)
}

// Activity implements activitypub.Store.
func (d *DB) Activity(ctx context.Context, id string) ([]byte, error) {
	body, err := column[[]byte](one(ctx, d.deliveries.body, id))
	return body, named(err, "activity", id)
}

// Activities implements activitypub.Store. A limit of 0 means all.
func (d *DB) Activities(ctx context.Context, channel string, n, offset int) ([][]byte, int, error) {
	bodies, err := list(ctx, d.deliveries.bodies, column[[]byte], channel, limit(n), offset)
	if err != nil {
		return nil, 0, err
	}
	total, err := column[int](one(ctx, d.deliveries.total, channel))
	return bodies, total, err
}

// DueHosts implements activitypub.Store. Deliveries held behind an earlier one
// are not due.
func (d *DB) DueHosts(ctx context.Context, now time.Time, n int) ([]string, error) {
	return list(ctx, d.deliveries.hosts, column[string], ms(now), limit(n))
}

// DueDeliveries implements activitypub.Store. It marks nothing: until one is
// settled the next call returns it again.
func (d *DB) DueDeliveries(ctx context.Context, host string, now time.Time, n int) ([]activitypub.Delivery, error) {
	return list(ctx, d.deliveries.due, func(row scanner) (v activitypub.Delivery, err error) {
		var key sql.NullString
		err = row(&v.ID, &v.Activity, &v.Channel, &v.Object, &v.Inbox, &v.Host, &v.Attempts, when{&v.Queued}, &key, &v.Body)
		v.Sealed, v.Key = key.Valid, key.String
		return v, err
	}, host, ms(now), limit(n))
}

// PendingDeliveries implements activitypub.Store. next is zero if n is 0.
func (d *DB) PendingDeliveries(ctx context.Context) (n int, next time.Time, err error) {
	err = one(ctx, d.deliveries.pending)(&n, when{&next})
	return n, next, err
}

// SettleDeliveries implements activitypub.Store. One that is no longer there
// is passed over. After a Fallback everything under way to that shared inbox
// goes to the personal ones. A passing activity goes with its last delivery.
func (d *DB) SettleDeliveries(ctx context.Context, done []activitypub.Settled) error {
	return d.write(ctx, func(t *tx) error {
		for _, s := range done {
			if err := t.settle(s); err != nil {
				return fmt.Errorf("settle delivery %d: %w", s.ID, err)
			}
		}
		return nil
	})
}

func (t *tx) settle(s activitypub.Settled) error {
	stmts := &t.db.deliveries
	if !s.Done && !s.Fallback {
		return t.do(stmts.retry, s.Attempts, ms(s.Next), s.ID)
	}
	var inbox, object string
	var activity int64
	var passing bool
	err := t.query(stmts.get, s.ID)(&inbox, &object, &activity, &passing)
	switch {
	case errors.Is(err, participation.ErrNotFound):
		return nil
	case err != nil:
		return err
	case s.Fallback:
		return t.scatter(inbox)
	}
	if err := t.do(stmts.remove, s.ID); err != nil {
		return err
	}
	if passing {
		if err := t.do(stmts.pass, activity); err != nil {
			return err
		}
	}
	return t.do(stmts.free, inbox, object)
}

// scatter gives up a shared inbox: what was on its way there goes to the
// personal inbox of each follower that used it, in the same order.
func (t *tx) scatter(shared string) error {
	type parcel struct {
		activity        int64
		channel, object string
		queued          int64
	}
	parcels, err := txList(t, t.db.deliveries.toInbox, func(row scanner) (p parcel, err error) {
		err = row(&p.activity, &p.channel, &p.object, &p.queued)
		return p, err
	}, shared)
	if err != nil {
		return err
	}
	for _, s := range []*sql.Stmt{t.db.followers.forgetShared, t.db.followers.forgetPeers, t.db.deliveries.removeInbox} {
		if err := t.do(s, shared); err != nil {
			return err
		}
	}
	for _, p := range parcels {
		inboxes, err := txList(t, t.db.followers.personal, column[string], p.channel, shared)
		if err != nil {
			return err
		}
		for _, inbox := range inboxes {
			if err := t.send(p.activity, p.object, inbox, p.queued); err != nil {
				return err
			}
		}
		if err := t.do(t.db.deliveries.pass, p.activity); err != nil {
			return err
		}
	}
	return nil
}
