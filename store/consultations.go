package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"inspraak/participation"
)

const consultationColumns = `number, id, slug, channel, kind, language, title, body, html, options, hashtags, image, terms,
	results, phase, zone, opens_at, closes_at, opened_at, closed_at, reason, extended,
	announced_at, announced_by, destroying_at, destroyed_at`

const channelColumns = `name, title, summary, html, language, avatar, header, fields, created`

type consultationStatements struct {
	get            statement
	list           *sql.Stmt
	insert, update *sql.Stmt
	phase, delete  *sql.Stmt
	number         *sql.Stmt

	channel     statement
	channels    *sql.Stmt
	saveChannel *sql.Stmt
}

func prepareConsultations(p *preparer) consultationStatements {
	return consultationStatements{
		get: p.both(`SELECT ` + consultationColumns + ` FROM consultation
			WHERE id = ?1 OR slug = ?1 ORDER BY id = ?1 DESC LIMIT 1`),
		list: p.read(`SELECT ` + consultationColumns + ` FROM consultation
			WHERE (?1 = '' OR channel = ?1)
			AND (?2 = 'null' OR phase IN (SELECT value FROM json_each(?2)))
			AND (?3 = 0 OR (phase = 'scheduled' AND opens_at <= ?3) OR (phase = 'open' AND deadline <= ?3))
			AND (?8 = 0 OR EXISTS (SELECT 1 FROM dataset WHERE consultation = number AND name = 'manifest.txt'))
			AND (?5 = 0 OR strftime('%Y', closes_at / 1000, 'unixepoch') = printf('%04d', ?5))
			AND (?6 = 0 OR (opens_at, number) < (?7, ?6))
			ORDER BY opens_at DESC, number DESC LIMIT ?4`),
		insert: p.write(`INSERT INTO consultation (id, slug, channel, kind, language, title, body, html, options, hashtags,
			image, terms, results, phase, zone, opens_at, closes_at, opened_at, closed_at, reason, extended,
			announced_at, announced_by, destroying_at, destroyed_at, deadline)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`),
		update: p.write(`UPDATE consultation SET (id, slug, channel, kind, language, title, body, html, options, hashtags,
			image, terms, results, phase, zone, opens_at, closes_at, opened_at, closed_at, reason, extended,
			announced_at, announced_by, destroying_at, destroyed_at, deadline)
			= (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) WHERE number = ?`),
		phase:  p.write(`SELECT phase FROM consultation WHERE id = ?`),
		delete: p.write(`DELETE FROM consultation WHERE id = ?`),
		number: p.write(`SELECT number FROM consultation WHERE id = ?`),

		channel:  p.both(`SELECT ` + channelColumns + ` FROM channel WHERE name = ?`),
		channels: p.read(`SELECT ` + channelColumns + ` FROM channel ORDER BY created, name`),
		saveChannel: p.write(`INSERT INTO channel (` + channelColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (name) DO UPDATE SET title = excluded.title, summary = excluded.summary, html = excluded.html,
			language = excluded.language, avatar = excluded.avatar, header = excluded.header,
			fields = excluded.fields, created = excluded.created`),
	}
}

func scanConsultation(row scanner) (c participation.Consultation, err error) {
	err = row(&c.Number, &c.ID, &c.Slug, &c.Channel, &c.Kind, &c.Language, &c.Title, &c.Body, &c.HTML,
		document{&c.Options}, document{&c.Hashtags}, document{&c.Image}, document{&c.Terms},
		&c.Results, &c.Phase, &c.Zone, when{&c.OpensAt}, when{&c.ClosesAt}, when{&c.OpenedAt}, when{&c.ClosedAt},
		&c.Reason, when{&c.ExtendedUntil},
		when{&c.AnnouncedAt}, &c.AnnouncedBy, when{&c.DestroyingAt}, when{&c.DestroyedAt})
	return c, err
}

func scanChannel(row scanner) (c participation.Channel, err error) {
	err = row(&c.Name, &c.Title, &c.Summary, &c.HTML, &c.Language,
		document{&c.Avatar}, document{&c.Header}, document{&c.Fields}, when{&c.Created})
	return c, err
}

// Channels implements participation.Reader.
func (d *DB) Channels(ctx context.Context) ([]participation.Channel, error) {
	return list(ctx, d.consultations.channels, scanChannel)
}

// Channel implements participation.Reader.
func (d *DB) Channel(ctx context.Context, name string) (participation.Channel, error) {
	c, err := scanChannel(one(ctx, d.consultations.channel.read, name))
	return c, named(err, "channel", name)
}

// Consultations implements participation.Reader.
func (d *DB) Consultations(ctx context.Context, f participation.Filter) ([]participation.Consultation, error) {
	phases, err := text(f.Phases)
	if err != nil {
		return nil, err
	}
	if len(f.Phases) == 0 {
		phases = "null"
	}
	var last participation.Consultation
	if f.After != nil {
		last = *f.After
	}
	return list(ctx, d.consultations.list, scanConsultation, f.Channel, phases, ms(f.DueBefore), limit(f.Limit),
		f.Year, last.Number, ms(last.OpensAt), f.Frozen)
}

// Consultation implements participation.Reader.
func (d *DB) Consultation(ctx context.Context, idOrSlug string) (participation.Consultation, error) {
	c, err := scanConsultation(one(ctx, d.consultations.get.read, idOrSlug))
	return c, named(err, "consultation", idOrSlug)
}

// Channel implements participation.Tx.
func (t *tx) Channel(name string) (participation.Channel, error) {
	c, err := scanChannel(t.query(t.db.consultations.channel.write, name))
	return c, named(err, "channel", name)
}

// SaveChannel implements participation.Tx.
func (t *tx) SaveChannel(c participation.Channel) error {
	var columns [3]string
	for i, v := range []any{c.Avatar, c.Header, c.Fields} {
		var err error
		if columns[i], err = text(v); err != nil {
			return named(err, "save channel", c.Name)
		}
	}
	return named(t.do(t.db.consultations.saveChannel, c.Name, c.Title, c.Summary, c.HTML, c.Language,
		columns[0], columns[1], columns[2], ms(c.Created)), "save channel", c.Name)
}

// Consultation implements participation.Tx.
func (t *tx) Consultation(idOrSlug string) (participation.Consultation, error) {
	if c, ok := t.db.remembers(idOrSlug); ok && t.failed == nil {
		return c, nil
	}
	c, err := scanConsultation(t.query(t.db.consultations.get.write, idOrSlug))
	if err != nil {
		return c, named(err, "consultation", idOrSlug)
	}
	t.db.remember(idOrSlug, c)
	return c, nil
}

// SaveConsultation implements participation.Tx. A Number that it set means
// nothing if the transaction fails.
func (t *tx) SaveConsultation(c *participation.Consultation) error {
	t.db.distrust()
	var columns [4]string
	for i, v := range []any{c.Options, c.Hashtags, c.Image, c.Terms} {
		var err error
		if columns[i], err = text(v); err != nil {
			return named(err, "save consultation", c.ID)
		}
	}
	row := []any{c.ID, c.Slug, c.Channel, c.Kind, c.Language, c.Title, c.Body, c.HTML,
		columns[0], columns[1], columns[2], columns[3],
		c.Results, c.Phase, c.Zone, ms(c.OpensAt), ms(c.ClosesAt), ms(c.OpenedAt), ms(c.ClosedAt),
		c.Reason, ms(c.ExtendedUntil),
		ms(c.AnnouncedAt), c.AnnouncedBy, ms(c.DestroyingAt), ms(c.DestroyedAt), ms(c.Deadline())}
	result, err := t.saveConsultation(c.Number, row)
	switch {
	case taken(err):
		return fmt.Errorf("save consultation: id %q or slug %q: %w", c.ID, c.Slug, participation.ErrExists)
	case err != nil:
		return named(err, "save consultation", c.ID)
	case c.Number == 0:
		if c.Number, err = result.LastInsertId(); err == nil {
			err = t.indexConsultation(c)
		}
		return named(err, "save consultation", c.ID)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return named(errors.Join(err, participation.ErrNotFound), "save consultation", c.ID)
	}
	return named(t.indexConsultation(c), "save consultation", c.ID)
}

func (t *tx) saveConsultation(number int64, row []any) (sql.Result, error) {
	if number == 0 {
		return t.exec(t.db.consultations.insert, row...)
	}
	return t.exec(t.db.consultations.update, append(row, number)...)
}

// DeleteDraft implements participation.Tx. Anything but a draft is
// participation.ErrPhase.
func (t *tx) DeleteDraft(id string) error {
	t.db.distrust()
	phase, err := column[participation.Phase](t.query(t.db.consultations.phase, id))
	if err == nil && phase != participation.Draft {
		err = fmt.Errorf("it is %s: %w", phase, participation.ErrPhase)
	}
	if err == nil {
		err = t.do(t.db.consultations.delete, id)
	}
	return named(err, "delete draft", id)
}

// number is the key under which the tables know a consultation.
func (t *tx) number(id string) (int64, error) {
	n, err := column[int64](t.query(t.db.consultations.number, id))
	return n, named(err, "consultation", id)
}

// remembered saves reading the same consultation anew for every vote of it. It
// belongs to the writer's goroutine, holds committed rows only, and is dropped
// as soon as anybody may have changed one: another connection (SQLite's
// data_version tells), or this group of jobs.
type remembered struct {
	known   map[string]participation.Consultation
	version int64
	dirty   bool // this group changed a consultation
}

// recall begins a group: it drops what another connection may have changed.
func (d *DB) recall() {
	version, err := column[int64](one(context.Background(), d.txn.version))
	if err != nil || version != d.version || d.known == nil || len(d.known) > 1000 {
		d.known = map[string]participation.Consultation{}
	}
	d.version, d.dirty = version, err != nil
}

// forget ends a group: it drops everything if the group changed something.
func (d *DB) forget() {
	if d.dirty {
		d.known = nil
	}
}

func (d *DB) distrust() { d.dirty = true }

func (d *DB) remember(name string, c participation.Consultation) {
	if !d.dirty {
		d.known[name] = detached(c)
	}
}

func (d *DB) remembers(name string) (c participation.Consultation, ok bool) {
	if d.dirty {
		return c, false
	}
	c, ok = d.known[name]
	return detached(c), ok
}

// detached copies what a consultation shares with its copies.
func detached(c participation.Consultation) participation.Consultation {
	c.Options, c.Hashtags = slices.Clone(c.Options), slices.Clone(c.Hashtags)
	c.Terms.AllowedServers = slices.Clone(c.Terms.AllowedServers)
	if c.Image != nil {
		image := *c.Image
		c.Image = &image
	}
	return c
}
