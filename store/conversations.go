package store

import (
	"context"
	"database/sql"
	"fmt"

	"inspraak/participation"
)

type conversationStatements struct {
	last, totals, beginnings    *sql.Stmt
	of, replies                 *sql.Stmt
	hidden, answers, moderation *sql.Stmt
}

func prepareConversations(p *preparer) conversationStatements {
	return conversationStatements{
		last: p.read(`SELECT coalesce(max(thread), 0) FROM reply WHERE consultation = ?`),
		totals: p.read(`SELECT t.value, (SELECT count(*) FROM reply WHERE consultation = ?1 AND thread = t.value) AS n
			FROM json_each(?2) t WHERE n > 0 ORDER BY t.key`),
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

// LastConversation implements participation.Reader.
func (d *DB) LastConversation(ctx context.Context, number int64) (int64, error) {
	return column[int64](one(ctx, d.conversations.last, number))
}

// Conversations implements participation.Reader.
func (d *DB) Conversations(ctx context.Context, number int64, conversations []int64, most int) ([]participation.Conversation, error) {
	asked, err := text(conversations)
	if err != nil || len(conversations) == 0 {
		return nil, err
	}
	place := make(map[int64]int, len(conversations))
	found, err := list(ctx, d.conversations.totals, func(row scanner) (c participation.Conversation, err error) {
		err = row(&c.Number, &c.Total)
		place[c.Number] = len(place)
		return c, err
	}, number, asked)
	if err != nil {
		return nil, fmt.Errorf("conversations: %w", err)
	}
	replies, err := list(ctx, d.conversations.beginnings, scanReply, number, asked, limit(most))
	for _, r := range replies {
		if i, ok := place[r.Thread]; ok { // else it came since
			found[i].Replies = append(found[i].Replies, r)
		}
	}
	return found, err
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
