package participation

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"inspraak/participation/ballotlog"
)

// Request is a signed request as it came in: all that somebody else needs to see
// that a voter's server sent a vote. A consultation with an auditor's key keeps
// one for every mark that counts, first sealed under the consultation's key, and
// from its batch on encrypted for the auditor. docs/ballot-log.md has its form.
type Request struct {
	Target   string              `json:"target"` // path and query as sent
	Host     string              `json:"host"`   // it was sent to
	Header   map[string][]string `json:"header"` // what the signature covers, and the signature
	Body     []byte              `json:"body"`
	Form     string              `json:"form"`    // of the signature: cavage or rfc9421
	KeyID    string              `json:"keyId"`   // as the signature names it
	Key      string              `json:"key"`     // that verified it, PEM
	Fetched  time.Time           `json:"fetched"` // day on which the key was fetched
	Signer   string              `json:"signer"`  // account whose own document listed the key
	Received time.Time           `json:"received"`
	// TooLarge is the size in bytes of a request that was not kept for it;
	// everything else is empty then.
	TooLarge int `json:"tooLarge,omitempty"`
}

const (
	maxRequest  = 16 << 10 // bytes of a request as it is kept; real ones have 2 to 4 KB
	requestStep = 4 << 10  // its size is a multiple of this: it must not tell the length of an option's name
	bundleStep  = 4 << 10  // nor that of a bundle their sum
)

// text is the request in JSON, filled up with blanks.
func (r Request) text() ([]byte, error) {
	text, err := json.Marshal(r)
	if err == nil && len(text) > maxRequest {
		text, err = json.Marshal(Request{TooLarge: len(r.Body)})
	}
	if over := len(text) % requestStep; over > 0 {
		text = append(text, bytes.Repeat([]byte(" "), requestStep-over)...)
	}
	return text, err
}

// requestContext binds a sealed request to its place.
func requestContext(voter Pseudonym, m ballotMark) []byte {
	return append(append(voter[:], m.Object[:]...), byte(m.Option))
}

// keepRequest keeps what a vote was signed with, for those of its marks that
// counted, if the consultation has an auditor.
func keepRequest(tx Tx, c Consultation, secret *Secret, v Vote, voter Pseudonym, counted []ballotMark) error {
	if c.Terms.AuditorKey == "" || v.Request == nil {
		return nil
	}
	text, err := v.Request().text()
	if err != nil {
		return err
	}
	for _, m := range counted {
		if err := tx.KeepRequest(c.Number, voter, m.Object, m.Option, secret.Seal(text, requestContext(voter, m))); err != nil {
			return err
		}
	}
	return nil
}

// evidence is what one bundle says of one voter: the ballot as it stands in the
// log, and the requests that came since the last bundle.
type evidence struct {
	Voter    string                     `json:"voter"` // the same in all bundles, and tells nothing else
	Ballots  []evidencedBallot          `json:"ballots"`
	Requests map[string]json.RawMessage `json:"requests"` // by mark
}

type evidencedBallot struct {
	Code    string   `json:"code"`
	Options []int    `json:"options"`
	Nonce   string   `json:"nonce"`
	Marks   []string `json:"marks"` // that it is made of
}

// name is how evidence names a mark: its vote object, by a digest that only the
// consultation's key could undo, and the option.
func (m ballotMark) name() string {
	return hex.EncodeToString(m.Object[:]) + "/" + strconv.Itoa(m.Option+1)
}

// takeEvidence takes the requests of a voter out of waiting, for the bundle of
// the batch in which the ballot is written.
func (s *Service) takeEvidence(tx Tx, c Consultation, secret *Secret, b Ballot) (evidence, error) {
	e := evidence{Voter: secret.code(b.Voter, -1), Requests: map[string]json.RawMessage{}}
	marks := b.live()
	for i, u := range c.units(secret, b) {
		of := marks
		if c.PerOption() {
			of = marks[i : i+1]
		}
		ballot := evidencedBallot{Code: u.Code, Options: u.Options, Nonce: u.Nonce}
		for _, m := range of {
			ballot.Marks = append(ballot.Marks, m.name())
		}
		e.Ballots = append(e.Ballots, ballot)
	}
	for _, m := range marks {
		sealed, err := tx.Request(c.Number, b.Voter, m.Object, m.Option)
		if errors.Is(err, ErrNotFound) {
			continue // in an earlier bundle, or lost, and then the auditor says so
		} else if err != nil {
			return e, err
		}
		if e.Requests[m.name()], err = secret.Open(sealed, requestContext(b.Voter, m)); err != nil {
			return e, err
		}
	}
	return e, tx.DropRequests(c.Number, b.Voter, nil)
}

// saveEvidence encrypts the evidence of a batch for the auditor. From then on
// nobody here can read it.
func (s *Service) saveEvidence(tx Tx, c Consultation, all []evidence) error {
	if len(all) == 0 {
		return nil
	}
	plain, err := bundle(all)
	if err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	sealed, err := s.keys.SealFor(c.Terms.AuditorKey, plain)
	if err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	return tx.SaveEvidence(c.Number, sealed)
}

// bundle writes evidence as lines of JSON, gzipped and filled up with zeros.
func bundle(all []evidence) ([]byte, error) {
	var b bytes.Buffer
	packed, err := gzip.NewWriterLevel(&b, gzip.BestSpeed) // votes wait while it works
	if err != nil {
		return nil, err
	}
	lines := json.NewEncoder(packed)
	for _, e := range all {
		if err := lines.Encode(e); err != nil {
			return nil, err
		}
	}
	if err := packed.Close(); err != nil {
		return nil, err
	}
	if over := b.Len() % bundleStep; over > 0 {
		b.Write(make([]byte, bundleStep-over))
	}
	return b.Bytes(), nil
}

// unbundle calls fn for all evidence of a bundle.
func unbundle(plain []byte, fn func(evidence) error) error {
	r := bytes.NewReader(plain) // an io.ByteReader: gzip takes no byte too many
	packed, err := gzip.NewReader(r)
	if err != nil {
		return err
	}
	packed.Multistream(false) // zeros follow
	for lines := json.NewDecoder(packed); ; {
		var e evidence
		if err := lines.Decode(&e); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := fn(e); err != nil {
			return err
		}
	}
}

// live are the marks of a ballot that were not taken back, by option.
func (b Ballot) live() []ballotMark {
	marks := slices.DeleteFunc(slices.Clone(b.Marks), func(m ballotMark) bool { return m.Revoked })
	slices.SortFunc(marks, func(a, b ballotMark) int { return a.Option - b.Option })
	return marks
}

// ballot is a ballot of the evidence as the log commits to it.
func (b evidencedBallot) ballot() ballotlog.Ballot {
	return ballotlog.Ballot{Code: b.Code, Options: b.Options, Nonce: b.Nonce}
}
