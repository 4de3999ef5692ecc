package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"inspraak/activitypub"
	"inspraak/participation"
)

// The keys come along as JSON, whose names are those of activitypub.PeerKey.
const peerColumns = `p.actor, p.type, p.inbox, p.shared, p.username, p.name, p.url, p.moved_to, p.aliases, p.published,
	p.crowd, p.fetched_at, p.gone, (SELECT json_group_array(json_object('id', k.id, 'pem', k.pem, 'multibase', k.multibase))
		FROM peer_key k WHERE k.actor = p.actor)`

type peerStatements struct {
	get, byKey                *sql.Stmt
	save, dropKeys, saveKey   *sql.Stmt
	hostForm, saveForm, known *sql.Stmt
}

func preparePeers(p *preparer) peerStatements {
	return peerStatements{
		get: p.read(`SELECT ` + peerColumns + ` FROM peer p WHERE p.actor = ?`),
		// If two actors list one key id, it is that of the actor whose id it begins with.
		byKey: p.read(`SELECT ` + peerColumns + ` FROM peer_key w JOIN peer p ON p.actor = w.actor WHERE w.id = ?1
			ORDER BY substr(?1, 1, length(p.actor)) = p.actor DESC, p.fetched_at DESC LIMIT 1`),
		save: p.write(`INSERT INTO peer (actor, host, type, inbox, shared, username, name, url, moved_to, aliases,
			published, crowd, fetched_at, gone) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (actor) DO UPDATE SET host = excluded.host, type = excluded.type, inbox = excluded.inbox,
			shared = excluded.shared, username = excluded.username, name = excluded.name, url = excluded.url,
			moved_to = excluded.moved_to, aliases = excluded.aliases, published = excluded.published,
			fetched_at = excluded.fetched_at, gone = excluded.gone`),
		dropKeys: p.write(`DELETE FROM peer_key WHERE actor = ?`),
		saveKey:  p.write(`INSERT INTO peer_key (id, actor, pem, multibase) VALUES (?, ?, ?, ?)`),
		hostForm: p.read(`SELECT rfc9421 FROM host_form WHERE host = ?`),
		saveForm: p.write(`INSERT INTO host_form (host, rfc9421) VALUES (?, ?)
			ON CONFLICT (host) DO UPDATE SET rfc9421 = excluded.rfc9421`),
		known: p.read(`SELECT EXISTS (SELECT 1 FROM follower WHERE host = ?1)
			OR EXISTS (SELECT 1 FROM peer WHERE host = ?1 AND gone = 0)`),
	}
}

func scanPeer(row scanner) (p activitypub.Peer, err error) {
	err = row(&p.Actor, &p.Type, &p.Inbox, &p.SharedInbox, &p.Username, &p.Name, &p.URL, &p.MovedTo,
		document{&p.AlsoKnownAs}, when{&p.Published}, &p.Crowd, when{&p.FetchedAt}, &p.Gone, document{&p.Keys})
	if len(p.Keys) == 0 {
		p.Keys = nil
	}
	return p, err
}

// Peer implements activitypub.Store.
func (d *DB) Peer(ctx context.Context, actor string) (activitypub.Peer, error) {
	p, err := scanPeer(one(ctx, d.peers.get, actor))
	return p, named(err, "peer", actor)
}

// PeerByKey implements activitypub.Store. That the key's id and its actor
// belong together is for the caller to check.
func (d *DB) PeerByKey(ctx context.Context, keyID string) (activitypub.Peer, error) {
	p, err := scanPeer(one(ctx, d.peers.byKey, keyID))
	return p, named(err, "peer with key", keyID)
}

// SavePeer implements activitypub.Store. How an actor was first seen stays.
func (d *DB) SavePeer(ctx context.Context, p activitypub.Peer) error {
	return named(d.write(ctx, func(t *tx) error { return t.savePeer(p) }), "save peer", p.Actor)
}

func (t *tx) savePeer(p activitypub.Peer) error {
	host, err := hostOf(p.Actor)
	if err != nil {
		return err
	}
	aliases, err := text(p.AlsoKnownAs)
	if err != nil {
		return err
	}
	s := &t.db.peers
	if err := t.do(s.save, p.Actor, host, p.Type, p.Inbox, p.SharedInbox, p.Username, p.Name, p.URL, p.MovedTo,
		aliases, ms(p.Published), p.Crowd, ms(p.FetchedAt), p.Gone); err != nil {
		return err
	}
	if err := t.do(s.dropKeys, p.Actor); err != nil {
		return err
	}
	for _, k := range p.Keys {
		if err := t.do(s.saveKey, k.ID, p.Actor, k.PEM, k.Multibase); err != nil {
			return fmt.Errorf("key %q: %w", k.ID, err)
		}
	}
	return nil
}

// HostForm implements activitypub.Store. Of a host never heard of it says no.
func (d *DB) HostForm(ctx context.Context, host string) (bool, error) {
	rfc9421, err := column[bool](one(ctx, d.peers.hostForm, strings.ToLower(host)))
	if errors.Is(err, participation.ErrNotFound) {
		return false, nil
	}
	return rfc9421, err
}

// SaveHostForm implements activitypub.Store.
func (d *DB) SaveHostForm(ctx context.Context, host string, rfc9421 bool) error {
	return named(d.write(ctx, func(t *tx) error {
		return t.do(t.db.peers.saveForm, strings.ToLower(host), rfc9421)
	}), "save form of host", host)
}

// KnownHost implements activitypub.Store.
func (d *DB) KnownHost(ctx context.Context, host string) (bool, error) {
	return column[bool](one(ctx, d.peers.known, strings.ToLower(host)))
}

// hostOf is the host[:port] of an address, in lower case.
func hostOf(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	if u.Host == "" {
		return "", fmt.Errorf("address %q names no host", address)
	}
	return strings.ToLower(u.Host), nil
}
