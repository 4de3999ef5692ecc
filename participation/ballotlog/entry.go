package ballotlog

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The types of entries. A later form of one gets a new number.
const (
	OpenType     = "open/v1"
	BallotType   = "ballot/v1"
	VoidType     = "void/v1"
	PauseType    = "pause/v1"
	ResumeType   = "resume/v1"
	RollbackType = "rollback/v1"
	CloseType    = "close/v1"
	DestroyType  = "destroy/v1"
)

// Open freezes the question: entry 0.
type Open struct {
	Consultation    string    `json:"consultation"`
	Object          string    `json:"object"`
	Question        string    `json:"question"`
	Text            string    `json:"text"`
	Language        string    `json:"language"`
	Kind            string    `json:"kind"`
	Options         []string  `json:"options"`
	Opens           time.Time `json:"opens"`
	Closes          time.Time `json:"closes"`
	Results         string    `json:"results"`
	Rule            string    `json:"rule"`
	AllowedServers  []string  `json:"allowedServers"`
	BatchSize       int       `json:"batchSize"`
	IntervalSeconds int64     `json:"intervalSeconds"`
	GraceSeconds    int64     `json:"graceSeconds"`
	AuditorKey      string    `json:"auditorKey"`
	PerOption       bool      `json:"perOption"`
	Level           string    `json:"level"`
	Promise         string    `json:"promise"`
	DecidedBy       string    `json:"decidedBy"`
	DecidedWhen     string    `json:"decidedWhen"`
	NotOpen         string    `json:"notOpen"`
	Notice          string    `json:"notice"`
}

// Why a ballot was voided.
const (
	Superseded = "superseded"
	Withdrawn  = "withdrawn"
)

// Void says that the ballot of an entry no longer counts.
type Void struct {
	Entry  int64  `json:"entry"`
	Reason string `json:"reason"`
}

// Pause and Resume enclose an outage.
type Pause struct {
	At time.Time `json:"at"`
}

// Resume says until when votes count after an outage.
type Resume struct {
	At           time.Time `json:"at"`
	AcceptsUntil time.Time `json:"acceptsUntil"`
}

// Rollback says that the node went on with an older database.
type Rollback struct {
	At         time.Time `json:"at"`
	DatabaseOf time.Time `json:"databaseOf"`
}

// Whether single ballots are published.
const (
	Published = "published"
	Withheld  = "withheld" // there are fewer than a batch
)

// Close ends the voting.
type Close struct {
	At      time.Time `json:"at"`
	Early   string    `json:"early"` // public reason, empty at the ordinary time
	Turnout int       `json:"turnout"`
	Counts  []int     `json:"counts"`
	Live    int       `json:"live"` // ballot entries that are not void
	Rows    string    `json:"rows"` // Published or Withheld
}

// The steps of a destruction. One that was announced is cancelled or done.
const (
	Announced = "announced"
	Cancelled = "cancelled"
	Done      = "done"
)

// Destroy tells of the destruction of the consultation's key, and of all that
// it opens.
type Destroy struct {
	Step string    `json:"step"`
	At   time.Time `json:"at"`
}

// Entry writes an entry whose rest is JSON. Times in v are UTC and whole
// seconds; the caller sees to that.
func Entry(kind string, v any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "", fmt.Errorf("%s: %w", kind, err)
	}
	return kind + " " + strings.TrimSuffix(b.String(), "\n"), nil
}

// Parse reads the rest of an entry of the given kind into v.
func Parse(entry, kind string, v any) error {
	rest, ok := strings.CutPrefix(entry, kind+" ")
	if !ok {
		return fmt.Errorf("not a %s entry", kind)
	}
	return json.Unmarshal([]byte(rest), v)
}

// Kind is the type of an entry.
func Kind(entry string) string {
	kind, _, _ := strings.Cut(entry, " ")
	return kind
}

// A Ballot as it is committed to. Options are numbers from 1, ascending.
type Ballot struct {
	Code    string
	Options []int
	Nonce   string
}

// OptionText is how the options of a ballot are written.
func (b Ballot) OptionText() string {
	var text []byte
	for i, n := range b.Options {
		if i > 0 {
			text = append(text, ' ')
		}
		text = strconv.AppendInt(text, int64(n), 10)
	}
	return string(text)
}

// Entry is the ballot's entry in the log of an origin. Without the nonce it
// tells nothing.
func (b Ballot) Entry(origin string) string {
	text := make([]byte, 0, 256)
	text = append(text, "inspraak ballot v1\n"...)
	text = append(append(text, origin...), '\n')
	text = append(append(text, b.Code...), '\n')
	text = append(append(text, b.OptionText()...), '\n')
	text = append(append(text, b.Nonce...), '\n')
	commitment := sha256.Sum256(text)
	return BallotType + " " + base64.StdEncoding.EncodeToString(commitment[:])
}
