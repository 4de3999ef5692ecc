package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"

	"inspraak/participation"
)

type evidenceStatements struct {
	keep, request, dropObject, dropVoter *sql.Stmt
	save, dropWaiting, drop              *sql.Stmt
	all                                  *sql.Stmt
}

func prepareEvidence(p *preparer) evidenceStatements {
	const mark = ` WHERE consultation = ? AND voter = ?`
	return evidenceStatements{
		keep:        p.write(`INSERT INTO evidence_waiting (consultation, voter, object, option, sealed) VALUES (?, ?, ?, ?, ?)`),
		request:     p.write(`SELECT sealed FROM evidence_waiting` + mark + ` AND object = ? AND option = ?`),
		dropObject:  p.write(`DELETE FROM evidence_waiting` + mark + ` AND object = ?`),
		dropVoter:   p.write(`DELETE FROM evidence_waiting` + mark),
		dropWaiting: p.write(`DELETE FROM evidence_waiting WHERE consultation = ?`),

		save: p.write(`INSERT INTO evidence (consultation, n, sealed)
			SELECT ?1, coalesce(max(n), 0) + 1, ?2 FROM evidence WHERE consultation = ?1`),
		drop: p.write(`DELETE FROM evidence WHERE consultation = ?`),
		all:  p.read(`SELECT n, sealed FROM evidence WHERE consultation = ? ORDER BY n`),
	}
}

// KeepRequest implements participation.Tx.
func (t *tx) KeepRequest(number int64, voter participation.Pseudonym, object [8]byte, option int, sealed []byte) error {
	return t.do(t.db.evidence.keep, number, voter[:], object[:], option, sealed)
}

// Request implements participation.Tx.
func (t *tx) Request(number int64, voter participation.Pseudonym, object [8]byte, option int) ([]byte, error) {
	return column[[]byte](t.query(t.db.evidence.request, number, voter[:], object[:], option))
}

// DropRequests implements participation.Tx.
func (t *tx) DropRequests(number int64, voter participation.Pseudonym, object *[8]byte) error {
	if object == nil {
		return t.do(t.db.evidence.dropVoter, number, voter[:])
	}
	return t.do(t.db.evidence.dropObject, number, voter[:], object[:])
}

// SaveEvidence implements participation.Tx.
func (t *tx) SaveEvidence(number int64, sealed []byte) error {
	return t.do(t.db.evidence.save, number, sealed)
}

// DropEvidence implements participation.Tx.
func (t *tx) DropEvidence(number int64) error {
	return errors.Join(t.do(t.db.evidence.dropWaiting, number), t.do(t.db.evidence.drop, number))
}

// Evidence implements participation.Reader.
func (d *DB) Evidence(ctx context.Context, number int64, fn func(int64, []byte) error) error {
	var n int64
	var sealed sql.RawBytes
	return each(ctx, d.evidence.all, func(row scanner) error {
		if err := row(&n, &sealed); err != nil {
			return fmt.Errorf("read evidence: %w", err)
		}
		return fn(n, sealed)
	}, number)
}

// SealFor implements participation.Keyring with age (https://age-encryption.org/v1).
// Only the holder of the other half can open it; the node cannot.
func (k *Keys) SealFor(recipient string, plain []byte) ([]byte, error) {
	recipients, err := age.ParseRecipients(strings.NewReader(recipient))
	if err != nil || len(recipients) != 1 {
		return nil, fmt.Errorf("%q is no age public key (age1…); make one with age-keygen", recipient)
	}
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, recipients...)
	if err != nil {
		return nil, fmt.Errorf("encrypt for %s: %w", recipient, err)
	}
	if _, err := io.Copy(w, bytes.NewReader(plain)); err != nil {
		return nil, fmt.Errorf("encrypt for %s: %w", recipient, err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("encrypt for %s: %w", recipient, err)
	}
	return sealed.Bytes(), nil
}
