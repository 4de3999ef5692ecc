package store

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"

	"inspraak/participation"
)

type conversationStatements struct {
	newest, oldest, random, count *sql.Stmt
	beginnings                    *sql.Stmt
	of, replies                   *sql.Stmt
	hidden, answers, moderation   *sql.Stmt
}

// shuffle is the prime by which conversations are put in a random order: by the
// value of a random polynomial of the third degree at their number, modulo shuffle
// (Carter and Wegman, 1981). A straight line would let the first and the last
// number win more often. The products keep within 63 bits.
const shuffle = 1<<31 - 1

func prepareConversations(p *preparer) conversationStatements {
	const each = `SELECT thread, count(*) FROM reply INDEXED BY reply_thread WHERE consultation = ? GROUP BY thread `
	return conversationStatements{
		newest: p.read(each + `ORDER BY thread DESC LIMIT ? OFFSET ?`),
		oldest: p.read(each + `ORDER BY thread LIMIT ? OFFSET ?`),
		random: p.read(each + `ORDER BY
			(((thread * ? + ?) % 2147483647 * thread + ?) % 2147483647 * thread + ?) % 2147483647, thread LIMIT ? OFFSET ?`),
		count: p.read(`SELECT count(DISTINCT thread) FROM reply INDEXED BY reply_thread WHERE consultation = ?`),

		beginnings: p.read(`SELECT ` + replyColumns + ` FROM json_each(?2) t CROSS JOIN reply r ON r.number IN
				(SELECT number FROM reply WHERE consultation = ?1 AND thread = t.value ORDER BY number LIMIT ?3)
			JOIN consultation c ON c.number = r.consultation ORDER BY r.number`),
		of: p.read(`SELECT r.thread, (SELECT count(*) FROM reply WHERE consultation = r.consultation AND thread = r.thread),
				(SELECT count(*) FROM reply WHERE consultation = r.consultation AND thread = r.thread AND number < r.number)
			FROM reply r WHERE r.number = ?2 AND r.consultation = ?1`),
		replies: p.read(`SELECT ` + replyColumns + ` FROM reply r INDEXED BY reply_thread JOIN consultation c ON c.number = r.consultation
			WHERE r.consultation = ? AND r.thread = ? ORDER BY r.number LIMIT ? OFFSET ?`),

		hidden: p.read(`SELECT reason, count(*) FROM reply WHERE consultation = ? AND standing = 'hidden' GROUP BY reason`),
		answers: p.read(`SELECT ` + postColumns + ` FROM json_each(?) t CROSS JOIN post p ON p.in_reply_to = t.value AND p.kind = 'answer'
			LEFT JOIN consultation c ON c.number = p.consultation ORDER BY p.published, p.id`),
		moderation: p.read(`SELECT strftime('%Y-%m', at / 1000, 'unixepoch') AS month, type, iif(type = 'reply-hidden', reason, '') AS why, count(*)
			FROM event INDEXED BY event_moderation
			WHERE type IN ('reply-hidden', 'reply-shown', 'report-received', 'report-resolved')
			GROUP BY month, type, why ORDER BY month DESC, type, count(*) DESC, why`),
	}
}

// Conversations implements participation.Reader.
func (d *DB) Conversations(ctx context.Context, f participation.ConversationFilter) ([]participation.Conversation, error) {
	s, args := d.conversations.oldest, []any{f.Number, limit(f.Limit), f.Offset}
	switch f.Order {
	case participation.Newest:
		s = d.conversations.newest
	case participation.Random:
		draw := rand.New(rand.NewPCG(uint64(f.Seed), 0))
		s, args = d.conversations.random, []any{f.Number, draw.Int64N(shuffle), draw.Int64N(shuffle), draw.Int64N(shuffle), draw.Int64N(shuffle), limit(f.Limit), f.Offset}
	}
	found, err := list(ctx, s, func(row scanner) (c participation.Conversation, err error) {
		err = row(&c.Number, &c.Total)
		return c, err
	}, args...)
	if err != nil {
		return nil, fmt.Errorf("conversations: %w", err)
	}
	place := make(map[int64]int, len(found))
	numbers := make([]int64, len(found))
	for i, c := range found {
		place[c.Number], numbers[i] = i, c.Number
	}
	asked, err := text(numbers)
	if err != nil {
		return nil, err
	}
	replies, err := list(ctx, d.conversations.beginnings, scanReply, f.Number, asked, limit(f.Most))
	for _, r := range replies {
		c := &found[place[r.Thread]]
		c.Replies = append(c.Replies, r)
	}
	return found, err
}

// CountConversations implements participation.Reader.
func (d *DB) CountConversations(ctx context.Context, number int64) (int, error) {
	return column[int](one(ctx, d.conversations.count, number))
}

// Conversation implements participation.Reader.
func (d *DB) Conversation(ctx context.Context, number, reply int64, most, offset int) (c participation.Conversation, first int, err error) {
	before := 0
	if err := one(ctx, d.conversations.of, number, reply)(&c.Number, &c.Total, &before); err != nil {
		return c, 0, named(err, "conversation of reply", fmt.Sprint(reply))
	}
	if first = offset; offset < 0 {
		first = before - before%most
	}
	c.Replies, err = list(ctx, d.conversations.replies, scanReply, number, c.Number, most, first)
	return c, first, err
}

// HiddenReplies implements participation.Reader.
func (d *DB) HiddenReplies(ctx context.Context, number int64) (map[string]int, error) {
	reasons := map[string]int{}
	err := each(ctx, d.conversations.hidden, func(row scanner) error {
		var reason string
		var n int
		err := row(&reason, &n)
		reasons[reason] = n
		return err
	}, number)
	return reasons, err
}

// Answers implements participation.Reader.
func (d *DB) Answers(ctx context.Context, replies []string) ([]participation.Post, error) {
	asked, err := text(replies)
	if err != nil || len(replies) == 0 {
		return nil, err
	}
	return list(ctx, d.conversations.answers, scanPost, asked)
}

// Moderation implements participation.Reader.
func (d *DB) Moderation(ctx context.Context) ([]participation.Moderated, error) {
	return list(ctx, d.conversations.moderation, func(row scanner) (m participation.Moderated, err error) {
		err = row(&m.Month, &m.Type, &m.Reason, &m.N)
		return m, err
	})
}
