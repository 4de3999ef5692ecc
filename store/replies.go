package store

import (
	"context"
	"database/sql"

	"inspraak/participation"
)

const (
	replyColumns = `r.number, r.id, coalesce(r.place, 0), c.id, r.thread, r.parent, r.author, r.author_name, r.author_handle, r.author_url, r.html, r.language,
		r.url, r.visibility, r.standing, r.reason, r.hidden_at, r.published, r.updated, r.received, r.images`
	replyAnswers = `, coalesce((SELECT a.place FROM reply a WHERE a.id = r.parent), 0)`
	replySource  = ` FROM reply r JOIN consultation c ON c.number = r.consultation `

	postColumns = `p.id, coalesce(c.id, ''), p.channel, p.kind, p.in_reply_to, p.mention, p.mention_name, p.mention_handle,
		p.mention_url, p.source, p.html, p.language, p.published`
	postSource = ` FROM post p LEFT JOIN consultation c ON c.number = p.consultation `
)

type replyStatements struct {
	get                                  statement
	inConsultation, byAuthor, everywhere *sql.Stmt
	from, numbered, newest, newestAll    *sql.Stmt
	ofActor, save, delete                *sql.Stmt
	setGesture, unsetGesture, unsetAll   *sql.Stmt
	gesturesOf, postsTo                  *sql.Stmt
	post, posts, postsOf, savePost       *sql.Stmt
}

func prepareReplies(p *preparer) replyStatements {
	return replyStatements{
		get: p.both(`SELECT ` + replyColumns + replySource + `WHERE r.id = ?`),
		inConsultation: p.read(`SELECT ` + replyColumns + replySource + `
			WHERE r.consultation = (SELECT number FROM consultation WHERE id = ?1) AND (?2 OR r.standing = 'shown')
			ORDER BY r.received, r.id LIMIT ?3 OFFSET ?4`),
		newestAll: p.read(`SELECT ` + replyColumns + replySource + `
			WHERE r.consultation = (SELECT number FROM consultation WHERE id = ?1) AND (?2 OR r.standing = 'shown')
			ORDER BY r.received DESC, r.id DESC LIMIT ?3 OFFSET ?4`),
		byAuthor: p.read(`SELECT ` + replyColumns + replySource + `
			WHERE r.author = ?1 AND (?2 = '' OR c.id = ?2) AND (?3 OR r.standing = 'shown')
			ORDER BY r.received, r.id LIMIT ?4 OFFSET ?5`),
		everywhere: p.read(`SELECT ` + replyColumns + ` FROM reply r INDEXED BY reply_received
			JOIN consultation c ON c.number = r.consultation WHERE ?1 OR r.standing = 'shown'
			ORDER BY r.received, r.id LIMIT ?2 OFFSET ?3`),
		from: p.read(`SELECT ` + replyColumns + replyAnswers + replySource + `
			WHERE r.consultation = ? AND r.place > ? ORDER BY r.place LIMIT ?`),
		numbered: p.read(`SELECT ` + replyColumns + replyAnswers + replySource + `
			WHERE r.consultation = ? AND r.place IN (SELECT value FROM json_each(?))`),
		newest: p.read(`SELECT ` + replyColumns + replySource + `
			WHERE r.consultation = ? AND r.standing = 'shown' AND r.place IS NOT NULL ORDER BY r.place DESC LIMIT ?`),
		ofActor: p.write(`SELECT ` + replyColumns + replySource + `WHERE r.author = ? ORDER BY r.received, r.id`),
		save: p.write(`INSERT INTO reply (id, place, consultation, thread, parent, author, author_name, author_handle, author_url, html,
			language, url, visibility, standing, reason, hidden_at, published, updated, received, images)
			VALUES (?, nullif(?, 0), ?, coalesce(nullif(?, 0), (SELECT coalesce(max(thread), 0) + 1 FROM reply WHERE consultation = ?)),
			?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET place = excluded.place, parent = excluded.parent,
			author = excluded.author, author_name = excluded.author_name, author_handle = excluded.author_handle,
			author_url = excluded.author_url, html = excluded.html, language = excluded.language, url = excluded.url,
			visibility = excluded.visibility, standing = excluded.standing, reason = excluded.reason, hidden_at = excluded.hidden_at,
			published = excluded.published, updated = excluded.updated, received = excluded.received,
			images = excluded.images RETURNING number`),
		delete: p.write(`DELETE FROM reply WHERE id = ?`),

		setGesture: p.write(`INSERT INTO gesture (consultation, gesture, actor, inbox, id) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (consultation, gesture, actor) DO UPDATE SET inbox = excluded.inbox, id = excluded.id`),
		unsetGesture: p.write(`DELETE FROM gesture WHERE consultation = ? AND gesture = ? AND actor = ?`),
		unsetAll:     p.write(`DELETE FROM gesture WHERE actor = ?`),

		gesturesOf: p.read(`SELECT c.id, g.gesture FROM gesture g JOIN consultation c ON c.number = g.consultation
			WHERE g.actor = ? ORDER BY c.number, g.gesture`),
		postsTo: p.read(`SELECT ` + postColumns + postSource + `WHERE p.mention = ? AND p.mention <> '' ORDER BY p.published, p.id`),

		post: p.read(`SELECT ` + postColumns + postSource + `WHERE p.id = ?`),
		posts: p.read(`SELECT ` + postColumns + postSource + `
			WHERE p.consultation = (SELECT number FROM consultation WHERE id = ?) ORDER BY p.published, p.id`),
		postsOf: p.read(`SELECT ` + postColumns + postSource + `
			WHERE p.consultation = (SELECT number FROM consultation WHERE id = ?) AND p.kind = ? ORDER BY p.published, p.id`),
		savePost: p.write(`INSERT INTO post (id, consultation, channel, kind, in_reply_to, mention, mention_name,
			mention_handle, mention_url, source, html, language, published) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET consultation = excluded.consultation, channel = excluded.channel,
			kind = excluded.kind, in_reply_to = excluded.in_reply_to, mention = excluded.mention,
			mention_name = excluded.mention_name, mention_handle = excluded.mention_handle,
			mention_url = excluded.mention_url, source = excluded.source, html = excluded.html,
			language = excluded.language, published = excluded.published`),
	}
}

func scanReply(row scanner) (r participation.Reply, err error) {
	err = row(&r.Number, &r.ID, &r.Place, &r.Consultation, &r.Thread, &r.Parent, &r.Author.ID, &r.Author.Name, &r.Author.Handle, &r.Author.URL,
		&r.HTML, &r.Language, &r.URL, &r.Visibility, &r.Standing, &r.Reason, when{&r.HiddenAt},
		when{&r.Published}, when{&r.Updated}, when{&r.Received}, &r.Images)
	return r, err
}

func scanNumberedReply(row scanner) (r participation.NumberedReply, err error) {
	r.Reply, err = scanReply(func(dest ...any) error { return row(append(dest, &r.Answers)...) })
	return r, err
}

func scanPost(row scanner) (p participation.Post, err error) {
	err = row(&p.ID, &p.Consultation, &p.Channel, &p.Kind, &p.InReplyTo, &p.Mention.ID, &p.Mention.Name,
		&p.Mention.Handle, &p.Mention.URL, &p.Source, &p.HTML, &p.Language, when{&p.Published})
	return p, err
}

// Replies implements participation.Reader.
func (d *DB) Replies(ctx context.Context, f participation.ReplyFilter) ([]participation.Reply, error) {
	s := &d.replies
	switch {
	case f.Author != "":
		return list(ctx, s.byAuthor, scanReply, f.Author, f.Consultation, f.All, limit(f.Limit), f.Offset)
	case f.Consultation != "" && f.Newest:
		return list(ctx, s.newestAll, scanReply, f.Consultation, f.All, limit(f.Limit), f.Offset)
	case f.Consultation != "":
		return list(ctx, s.inConsultation, scanReply, f.Consultation, f.All, limit(f.Limit), f.Offset)
	}
	return list(ctx, s.everywhere, scanReply, f.All, limit(f.Limit), f.Offset)
}

// RepliesFrom implements participation.Reader.
func (d *DB) RepliesFrom(ctx context.Context, consultation, after int64, n int) ([]participation.NumberedReply, error) {
	return list(ctx, d.replies.from, scanNumberedReply, consultation, after, limit(n))
}

// RepliesNumbered implements participation.Reader.
func (d *DB) RepliesNumbered(ctx context.Context, consultation int64, numbers []int64) ([]participation.NumberedReply, error) {
	wanted, err := text(numbers)
	if err != nil {
		return nil, err
	}
	return list(ctx, d.replies.numbered, scanNumberedReply, consultation, wanted)
}

// NewestReplies implements participation.Reader.
func (d *DB) NewestReplies(ctx context.Context, consultation int64, n int) ([]participation.Reply, error) {
	return list(ctx, d.replies.newest, scanReply, consultation, limit(n))
}

// Reply implements participation.Reader.
func (d *DB) Reply(ctx context.Context, id string) (participation.Reply, error) {
	r, err := scanReply(one(ctx, d.replies.get.read, id))
	return r, named(err, "reply", id)
}

// Posts implements participation.Reader.
func (d *DB) Posts(ctx context.Context, consultation string) ([]participation.Post, error) {
	return list(ctx, d.replies.posts, scanPost, consultation)
}

// GesturesOf implements participation.Reader, in the order of consultations.
func (d *DB) GesturesOf(ctx context.Context, actor string) ([]participation.GivenGesture, error) {
	return list(ctx, d.replies.gesturesOf, func(row scanner) (g participation.GivenGesture, err error) {
		err = row(&g.Consultation, &g.Gesture)
		return g, err
	}, actor)
}

// PostsTo implements participation.Reader.
func (d *DB) PostsTo(ctx context.Context, actor string) ([]participation.Post, error) {
	return list(ctx, d.replies.postsTo, scanPost, actor)
}

// PostsOf implements participation.Reader.
func (d *DB) PostsOf(ctx context.Context, consultation string, kind participation.PostKind) ([]participation.Post, error) {
	return list(ctx, d.replies.postsOf, scanPost, consultation, kind)
}

// Post implements participation.Reader.
func (d *DB) Post(ctx context.Context, id string) (participation.Post, error) {
	p, err := scanPost(one(ctx, d.replies.post, id))
	return p, named(err, "post", id)
}

// Reply implements participation.Tx.
func (t *tx) Reply(id string) (participation.Reply, error) {
	r, err := scanReply(t.query(t.db.replies.get.write, id))
	return r, named(err, "reply", id)
}

// SaveReply implements participation.Tx. Number, consultation and conversation of
// one that is there stay as they are.
func (t *tx) SaveReply(r participation.Reply) error {
	number, err := t.number(r.Consultation)
	if err != nil {
		return named(err, "save reply", r.ID)
	}
	row, err := column[int64](t.query(t.db.replies.save, r.ID, r.Place, number, r.Thread, number, r.Parent, r.Author.ID, r.Author.Name, r.Author.Handle,
		r.Author.URL, r.HTML, r.Language, r.URL, r.Visibility, r.Standing, r.Reason, ms(r.HiddenAt),
		ms(r.Published), ms(r.Updated), ms(r.Received), r.Images))
	if err == nil {
		err = t.indexReply(row, number, r)
	}
	return named(err, "save reply", r.ID)
}

// DeleteReply implements participation.Tx. One that is not there is no error.
func (t *tx) DeleteReply(id string) error { return t.do(t.db.replies.delete, id) }

// RepliesBy implements participation.Tx: hidden ones too, oldest first.
func (t *tx) RepliesBy(actor string) ([]participation.Reply, error) {
	return txList(t, t.db.replies.ofActor, scanReply, actor)
}

// SetGesture implements participation.Tx. Of two activities the later stays.
func (t *tx) SetGesture(number int64, g participation.Gesture, actor, inbox, id string) error {
	return t.do(t.db.replies.setGesture, number, g, actor, inbox, id)
}

// UnsetGesture implements participation.Tx.
func (t *tx) UnsetGesture(number int64, g participation.Gesture, actor string) error {
	return t.do(t.db.replies.unsetGesture, number, g, actor)
}

// UnsetGestures implements participation.Tx.
func (t *tx) UnsetGestures(actor string) error { return t.do(t.db.replies.unsetAll, actor) }

// SavePost implements participation.Tx.
func (t *tx) SavePost(p participation.Post) error {
	var number any // NULL for a post in no thread
	if p.Consultation != "" {
		n, err := t.number(p.Consultation)
		if err != nil {
			return named(err, "save post", p.ID)
		}
		number = n
	}
	return named(t.do(t.db.replies.savePost, p.ID, number, p.Channel, p.Kind, p.InReplyTo, p.Mention.ID,
		p.Mention.Name, p.Mention.Handle, p.Mention.URL, p.Source, p.HTML, p.Language, ms(p.Published)),
		"save post", p.ID)
}
