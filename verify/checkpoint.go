package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/mod/sumdb/tlog"
)

// tree is a growing Merkle tree (RFC 6962 §2.1), of which only the roots of the
// full subtrees at its right edge are kept.
type tree struct {
	size int64
	edge []tlog.Hash // from the largest subtree to the smallest
}

func (t *tree) add(entry []byte) {
	h := tlog.RecordHash(entry)
	for n := t.size; n&1 == 1; n >>= 1 {
		last := len(t.edge) - 1
		h = tlog.NodeHash(t.edge[last], h)
		t.edge = t.edge[:last]
	}
	t.edge = append(t.edge, h)
	t.size++
}

func (t *tree) root() tlog.Hash {
	if t.size == 0 {
		return sha256.Sum256(nil)
	}
	last := len(t.edge) - 1
	h := t.edge[last]
	for i := last - 1; i >= 0; i-- {
		h = tlog.NodeHash(t.edge[i], h)
	}
	return h
}

// checkpoint is a signed one (https://c2sp.org/tlog-checkpoint).
type checkpoint struct {
	where string
	size  int64
	root  tlog.Hash
}

// checkpoint reads one and checks its signature.
func (k *key) checkpoint(where string, message []byte) (checkpoint, error) {
	text, err := k.open(where, message)
	if err != nil {
		return checkpoint{}, err
	}
	lines := strings.Split(text, "\n")
	if len(lines) != 4 {
		return checkpoint{}, wrong(where, "is not three lines: origin, number, root")
	}
	if lines[0] != k.origin {
		return checkpoint{}, wrong(where, "is of the log %s", plain(lines[0]))
	}
	c := checkpoint{where: where}
	if c.size, err = decimal(lines[1]); err != nil {
		return checkpoint{}, wrong(where, "its size is no number")
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return checkpoint{}, wrong(where, "its root is not base64 of 32 bytes")
	}
	c.root = tlog.Hash(root)
	return c, nil
}

// fits compares with a tree of the checkpoint's size.
func (m checkpoint) fits(t *tree) error {
	if t.root() != m.root {
		return wrong(m.where, "its root is not that of the first %d entries of the log", m.size)
	}
	return nil
}

// ownCheckpoints reads checkpoints.json.
func (c *check) ownCheckpoints() error {
	const name = "checkpoints.json"
	data, err := c.zip.bytes(name, maxStored)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return wrong(name, "is no JSON array")
	}
	for d.More() {
		where := fmt.Sprintf("%s checkpoint %d", name, len(c.marks)+1)
		var text *string
		if err := d.Decode(&text); err != nil || text == nil {
			return wrong(where, "is no text")
		}
		m, err := c.key.checkpoint(where, []byte(*text))
		if err != nil {
			return err
		}
		if n := len(c.marks); n > 0 && m.size <= c.marks[n-1].size {
			return wrong(where, "is of %d entries, the one before it of %d; sizes must grow", m.size, c.marks[n-1].size)
		}
		c.marks = append(c.marks, m)
	}
	if _, err := d.Token(); err != nil || len(bytes.TrimSpace(data[d.InputOffset():])) > 0 {
		return wrong(name, "is no JSON array")
	}
	if len(c.marks) == 0 {
		return wrong(name, "holds no checkpoint")
	}
	return nil
}

var (
	breaks = regexp.MustCompile(`(?i)</?(p|br|div|li|ul|ol|pre|tr|td|blockquote)\b[^<>]*>`)
	tags   = regexp.MustCompile(`<[^<>]*>`)
)

// words are those of a text or a piece of HTML.
func words(text string) []string {
	text = html.UnescapeString(tags.ReplaceAllString(breaks.ReplaceAllString(text, " "), ""))
	return strings.FieldsFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || unicode.IsControl(r) // Cf: zero-width space and the like
	})
}

func at(words []string, i int) string {
	if i < 0 || i >= len(words) {
		return ""
	}
	return words[i]
}

// elsewhere reads the copies. A text may hold checkpoints of other logs too, as a
// channel's daily post does: they say nothing about this one.
func (c *check) elsewhere() error {
	for _, copied := range c.Copies {
		found, ours := 0, 0
		w := words(string(copied.Text))
		for i, word := range w {
			if word != "—" {
				continue
			}
			origin, size, root, name, signature := at(w, i-3), at(w, i-2), at(w, i-1), at(w, i+1), at(w, i+2)
			if !strings.Contains(origin, "/log/") && !strings.Contains(name, "/log/") {
				continue // a dash between other words
			}
			found++
			if origin != c.key.origin && name != c.key.origin {
				continue
			}
			ours++
			message := fmt.Sprintf("%s\n%s\n%s\n\n— %s %s\n", origin, size, root, name, signature)
			m, err := c.key.checkpoint(fmt.Sprintf("%s checkpoint %d", copied.Name, found), []byte(message))
			if err != nil {
				return err
			}
			c.copies = append(c.copies, m)
		}
		switch {
		case found == 0:
			return unread(copied.Name, "holds no checkpoint")
		case ours == 0:
			return wrong(copied.Name, "holds no checkpoint of this log, %s", plain(c.key.origin))
		case ours < found:
			c.note("Checkpoints of other logs in %s were passed over: %d.", copied.Name, found-ours)
		}
	}
	slices.SortStableFunc(c.copies, bySize)
	return nil
}
