package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"inspraak/participation"
)

// The index of words holds what may be found and nothing else: it changes in the
// transaction that shows, hides, edits or deletes, that blocks, or that withdraws.
type searchStatements struct {
	countConsultations, consultations *sql.Stmt
	countReplies, replies             *sql.Stmt

	addConsultation, dropConsultation *sql.Stmt
	addReply, dropReply               *sql.Stmt
	dropThread, dropAuthor            *sql.Stmt
	phase, barred                     *sql.Stmt
	authors                           *sql.Stmt
}

// excerptOf is the part of a column around what was found, of 24 words at most.
// What was found stands between two controls, which no text of ours has: package
// markup takes them out.
func excerptOf(table string, column int) string {
	return fmt.Sprintf(`snippet(%s, %d, char(2), char(3), '…', 24)`, table, column)
}

func prepareSearch(p *preparer) searchStatements {
	return searchStatements{
		countConsultations: p.read(`SELECT count(*) FROM consultation_words WHERE consultation_words MATCH ?`),
		consultations: p.read(`SELECT c.id, ` + excerptOf("consultation_words", 1) + `
			FROM consultation_words JOIN consultation c ON c.number = consultation_words.rowid
			WHERE consultation_words MATCH ? ORDER BY c.opens_at DESC, c.number DESC LIMIT ? OFFSET ?`),
		countReplies: p.read(`SELECT count(*) FROM reply_words WHERE reply_words MATCH ?`),
		replies: p.read(`SELECT ` + replyColumns + `, ` + excerptOf("reply_words", 0) + `
			FROM reply_words JOIN reply r ON r.number = reply_words.rowid JOIN consultation c ON c.number = r.consultation
			WHERE reply_words MATCH ? ORDER BY reply_words.rowid DESC LIMIT ? OFFSET ?`),

		addConsultation:  p.write(`INSERT OR REPLACE INTO consultation_words (rowid, title, body) VALUES (?, ?, ?)`),
		dropConsultation: p.write(`DELETE FROM consultation_words WHERE rowid = ?`),
		addReply:         p.write(`INSERT OR REPLACE INTO reply_words (rowid, body) VALUES (?, ?)`),
		dropReply:        p.write(`DELETE FROM reply_words WHERE rowid = ?`),
		dropThread:       p.write(`DELETE FROM reply_words WHERE rowid IN (SELECT number FROM reply WHERE consultation = ?)`),
		dropAuthor:       p.write(`DELETE FROM reply_words WHERE rowid IN (SELECT number FROM reply WHERE author = ?)`),

		phase:   p.write(`SELECT phase FROM consultation WHERE number = ?`),
		barred:  p.write(`SELECT EXISTS (SELECT 1 FROM block WHERE subject IN (SELECT value FROM json_each(?)))`),
		authors: p.write(`SELECT DISTINCT author FROM reply`),
	}
}

// match writes terms as FTS5 reads them. Each is a string of letters, digits and
// blanks between quotes, so nothing in it is an operator; all must be there.
func match(terms []participation.Term) string {
	var b strings.Builder
	for _, t := range terms {
		b.WriteString(` "` + strings.ReplaceAll(t.Words, `"`, ``) + `"`)
		if t.Start {
			b.WriteString(`*`)
		}
	}
	return b.String()
}

// Find implements participation.Reader.
func (d *DB) Find(ctx context.Context, in participation.SearchIn, terms []participation.Term, limit, offset int) (hits []participation.Hit, total int, err error) {
	s, asked := &d.search, match(terms)
	count, find := s.countReplies, s.replies
	if in == participation.InConsultations {
		count, find = s.countConsultations, s.consultations
	}
	if total, err = column[int](one(ctx, count, asked)); err != nil || limit <= 0 || offset >= total {
		return nil, total, err
	}
	hits, err = list(ctx, find, func(row scanner) (h participation.Hit, err error) {
		var excerpt string
		if in == participation.InConsultations {
			err = row(&h.Consultation.ID, &excerpt)
		} else {
			h.Reply = new(participation.Reply)
			*h.Reply, err = scanReply(func(dest ...any) error { return row(append(dest, &excerpt)...) })
			h.Consultation.ID, h.At = h.Reply.Consultation, h.Reply.Received
		}
		h.Excerpt = pieces(excerpt)
		return h, err
	}, asked, limit, offset)
	known := map[string]participation.Consultation{}
	for i := range hits {
		h := &hits[i]
		c, ok := known[h.Consultation.ID]
		if !ok && err == nil {
			c, err = d.Consultation(ctx, h.Consultation.ID)
			known[c.ID] = c
		}
		if h.Consultation = c; h.Reply == nil {
			h.At = c.OpensAt
		}
	}
	return hits, total, err
}

// pieces takes an excerpt apart at its marks.
func pieces(excerpt string) (all []participation.Piece) {
	for i, part := range strings.Split(excerpt, "\x02") {
		marked, rest, found := strings.Cut(part, "\x03")
		if i == 0 || !found {
			marked, rest = "", part
		}
		for _, p := range []participation.Piece{{Text: marked, Mark: true}, {Text: rest}} {
			if p.Text != "" {
				all = append(all, p)
			}
		}
	}
	return all
}

// indexConsultation lets it be found, or no longer.
func (t *tx) indexConsultation(c *participation.Consultation) error {
	s := &t.db.search
	switch c.Phase {
	case participation.Scheduled, participation.Open, participation.Closed:
		return t.do(s.addConsultation, c.Number, c.Title, c.Words())
	case participation.Withdrawn:
		if err := t.do(s.dropThread, c.Number); err != nil {
			return err
		}
	}
	return t.do(s.dropConsultation, c.Number)
}

// indexReply lets it be found, or no longer.
func (t *tx) indexReply(number, consultation int64, r participation.Reply) error {
	s := &t.db.search
	phase, err := column[participation.Phase](t.query(s.phase, consultation))
	if err != nil {
		return err
	}
	barred := false
	if r.Standing == participation.Shown {
		if barred, err = t.barred(r.Author.ID); err != nil {
			return err
		}
	}
	if barred || r.Standing != participation.Shown || phase != participation.Open && phase != participation.Closed {
		return t.do(s.dropReply, number)
	}
	return t.do(s.addReply, number, r.Words())
}

// barred tells whether a block covers an actor.
func (t *tx) barred(actor string) (bool, error) {
	host, err := hostOf(actor)
	if err != nil {
		host = "" // then only a block of the actor itself covers it
	}
	subjects, err := text(participation.BlockSubjects(actor, host))
	if err != nil {
		return false, err
	}
	return column[bool](t.query(t.db.search.barred, subjects))
}

// indexCovered lets be found, or no longer, what the accounts wrote that a block
// covers which has come or gone. It looks at every account that ever replied.
func (t *tx) indexCovered(b participation.Block) error {
	s := &t.db.search
	authors, err := txList(t, s.authors, column[string])
	if err != nil {
		return err
	}
	for _, author := range authors {
		host, _ := hostOf(author)
		if !b.Covers(author, host) {
			continue
		}
		barred, err := t.barred(author)
		if err != nil {
			return err
		}
		if barred {
			if err := t.do(s.dropAuthor, author); err != nil {
				return err
			}
			continue
		}
		replies, err := t.RepliesBy(author)
		if err != nil {
			return err
		}
		for _, r := range replies {
			if err := t.SaveReply(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// CheckSearch looks whether exactly what may be found is in the index of words:
// what is shown, of published consultations, not of blocked accounts. It returns a
// line for each problem. Whether the index itself is sound Check tells.
func (d *DB) CheckSearch(ctx context.Context) ([]string, error) {
	problems, err := check(ctx, d.readers, []examination{
		{`SELECT count(*) || ' consultations can be found that may not be, or the other way round' FROM consultation c
			WHERE (phase IN ('scheduled', 'open', 'closed')) <> (number IN (SELECT id FROM consultation_words_docsize)) HAVING count(*) > 0`, ""},
		{`SELECT count(*) || ' rows of the index of words belong to nothing that may be found' FROM reply_words_docsize
			WHERE id NOT IN (SELECT r.number FROM reply r JOIN consultation c ON c.number = r.consultation
				WHERE r.standing = 'shown' AND c.phase IN ('open', 'closed')) HAVING count(*) > 0`, ""},
	})
	if err != nil {
		return problems, err
	}
	blocks, err := d.Blocks(ctx)
	if err != nil {
		return problems, fmt.Errorf("check: %w", err)
	}
	rows, err := d.readers.QueryContext(ctx, `SELECT r.author, count(*), sum(r.number IN (SELECT id FROM reply_words_docsize))
		FROM reply r JOIN consultation c ON c.number = r.consultation
		WHERE r.standing = 'shown' AND c.phase IN ('open', 'closed') GROUP BY r.author`)
	if err != nil {
		return problems, fmt.Errorf("check: %w", translate(err))
	}
	defer rows.Close()
	lost, leaked := 0, 0
	for rows.Next() {
		var author string
		var shown, indexed int
		if err := rows.Scan(&author, &shown, &indexed); err != nil {
			return problems, fmt.Errorf("check: %w", err)
		}
		host, _ := hostOf(author)
		covered := false
		for _, b := range blocks {
			covered = covered || b.Covers(author, host)
		}
		if covered {
			leaked += indexed
		} else {
			lost += shown - indexed
		}
	}
	if lost > 0 {
		problems = append(problems, fmt.Sprintf("%d shown replies cannot be found", lost))
	}
	if leaked > 0 {
		problems = append(problems, fmt.Sprintf("%d replies of blocked accounts can be found", leaked))
	}
	return problems, translate(rows.Err())
}
