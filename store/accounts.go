package store

import (
	"context"
	"database/sql"
	"time"

	"inspraak/activitypub"
)

// Who was helped is remembered this long, and at most this many of them.
const (
	helpedAge = 24 * time.Hour
	maxHelped = 100_000
)

type accountStatements struct {
	expire, room, help   *sql.Stmt
	follows, quotes      *sql.Stmt
	dropQuotes, dropPeer *sql.Stmt
}

func prepareAccounts(p *preparer) accountStatements {
	return accountStatements{
		expire: p.write(`DELETE FROM helped WHERE at <= ?`),
		room:   p.write(`SELECT n FROM occupancy WHERE room = 'helped'`),
		help:   p.write(`INSERT INTO helped (key, at) VALUES (?, ?) ON CONFLICT (key) DO NOTHING`),

		follows: p.read(`SELECT channel, actor, follow, inbox, shared, since FROM follower WHERE actor = ? ORDER BY channel`),
		quotes:  p.read(`SELECT count(*) FROM quote WHERE actor = ?`),

		dropQuotes: p.write(`DELETE FROM quote WHERE actor = ?`),
		dropPeer:   p.write(`DELETE FROM peer WHERE actor = ?`), // its keys go with it
	}
}

// Help implements activitypub.Store. A day is the 24 hours before out.At.
func (d *DB) Help(ctx context.Context, account [16]byte, out activitypub.Outgoing) (sent bool, err error) {
	err = d.write(ctx, func(t *tx) error {
		sent = false
		s := &t.db.accounts
		if err := t.do(s.expire, ms(out.At.Add(-helpedAge))); err != nil {
			return err
		}
		n, err := column[int](t.query(s.room))
		if err != nil || n >= maxHelped {
			return err
		}
		result, err := t.exec(s.help, account[:], ms(out.At))
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return err
		}
		sent = true
		return t.queue(out)
	})
	return sent && err == nil, named(err, "help with", out.ID)
}

// FollowsOf implements activitypub.Store.
func (d *DB) FollowsOf(ctx context.Context, actor string) ([]activitypub.Follower, error) {
	return list(ctx, d.accounts.follows, func(row scanner) (f activitypub.Follower, err error) {
		err = row(&f.Channel, &f.Actor, &f.FollowID, &f.Inbox, &f.Shared, when{&f.Since})
		return f, err
	}, actor)
}

// QuotesOf implements activitypub.Store.
func (d *DB) QuotesOf(ctx context.Context, actor string) (int, error) {
	return column[int](one(ctx, d.accounts.quotes, actor))
}

// ForgetAccount implements activitypub.Store. An account that is not here is no
// error.
func (d *DB) ForgetAccount(ctx context.Context, actor string) error {
	return named(d.write(ctx, func(t *tx) error {
		for _, s := range []*sql.Stmt{t.db.followers.removeAll, t.db.accounts.dropQuotes, t.db.accounts.dropPeer} {
			if err := t.do(s, actor); err != nil {
				return err
			}
		}
		return nil
	}), "forget account", actor)
}
