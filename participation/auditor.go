package participation

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"inspraak/participation/ballotlog"
)

// Claim is what a signed request says, to whoever has verified it.
type Claim struct {
	Actor  string // who signed
	Server string // its host
	KeyID  string
	Key    string   // fingerprint: SHA-256 of its PEM, in hexadecimal
	Names  []string // of the options that it names for the question, in order
}

// An Auditor holds the log of a closed consultation against the signed requests
// that were kept of its votes. Only the auditor can: for everybody else these are
// encrypted. It trusts the log as it is given; whether that is the one that was
// published is for a verifier to say.
type Auditor struct {
	Open  ballotlog.Open
	Close ballotlog.Close

	origin  string
	options Consultation // only for its rule of matching names
	live    ballotlog.Set
	entries map[ballotlog.Mark]int64
	codes   map[ballotlog.Mark]string
	voters  map[string]*auditedVoter
	owner   map[ballotlog.Mark]string // voter whose evidence has it
	examine func(Request) (Claim, error)
}

// auditedVoter is what all bundles say of one voter.
type auditedVoter struct {
	claims  map[string]examined // by mark
	ballots map[ballotlog.Mark]evidencedBallot
}

type examined struct {
	Claim
	options []int // from 1, in the order in which they are named
	err     error
}

// NewAuditor reads the entries of a consultation's log, up to and with the one
// that closes it. It refuses a log that breaks the log's rules.
func NewAuditor(entries []string) (*Auditor, error) {
	a := &Auditor{live: ballotlog.Set{}, entries: map[ballotlog.Mark]int64{}, codes: map[ballotlog.Mark]string{},
		voters: map[string]*auditedVoter{}, owner: map[ballotlog.Mark]string{}}
	tally := ballotlog.NewTally(a.live)
	at := func(n int64) (string, error) { return entries[n], nil } // Tally asks for earlier ones only
	for i, e := range entries {
		if err := tally.Add(e, at); err != nil {
			return nil, fmt.Errorf("audit: log: %w", err)
		}
		if ballotlog.Kind(e) == ballotlog.BallotType {
			m, err := ballotlog.MarkOf(e)
			if err != nil {
				return nil, fmt.Errorf("audit: log: %w", err)
			}
			a.entries[m] = int64(i)
		}
	}
	if !tally.Closed {
		return nil, errors.New("audit: log: it has not been closed")
	}
	if err := ballotlog.Parse(entries[0], ballotlog.OpenType, &a.Open); err != nil {
		return nil, fmt.Errorf("audit: log: %w", err)
	}
	object, err := url.Parse(a.Open.Object)
	if err != nil {
		return nil, fmt.Errorf("audit: log: %w", err)
	}
	a.Close, a.origin = tally.Close, object.Host+"/log/"+a.Open.Consultation
	a.options = Consultation{Options: a.Open.Options}
	return a, nil
}

// Examine sets what judges a request: activitypub.Examiner.
func (a *Auditor) Examine(fn func(Request) (Claim, error)) { a.examine = fn }

// Published takes a row of the dataset, so that the report can name a ballot by
// its code. One that is no ballot of the log is an error.
func (a *Auditor) Published(code string, options []int, nonce string) error {
	m, err := ballotlog.MarkOf(ballotlog.Ballot{Code: code, Options: options, Nonce: nonce}.Entry(a.origin))
	if err == nil && a.live[m] == 0 {
		err = errors.New("the log has no such ballot")
	}
	if err != nil {
		return fmt.Errorf("ballot %s: %w", code, err)
	}
	a.codes[m] = code
	return nil
}

// Bundle takes a decrypted bundle of evidence, in the order of their numbers.
func (a *Auditor) Bundle(plain []byte) error {
	if err := unbundle(plain, a.add); err != nil {
		return fmt.Errorf("bundle of evidence: %w", err)
	}
	return nil
}

func (a *Auditor) add(e evidence) error {
	v := a.voters[e.Voter]
	if v == nil {
		v = &auditedVoter{claims: map[string]examined{}, ballots: map[ballotlog.Mark]evidencedBallot{}}
		a.voters[e.Voter] = v
	}
	for mark, text := range e.Requests {
		if old, known := v.claims[mark]; !known || old.err != nil {
			v.claims[mark] = a.judge(text)
		}
	}
	for _, b := range e.Ballots {
		m, err := ballotlog.MarkOf(b.ballot().Entry(a.origin))
		if err != nil {
			return err
		}
		if a.live[m] > 0 { // else it was voided, or was never a ballot
			v.ballots[m] = b
			a.owner[m] = e.Voter
		}
	}
	return nil
}

// judge says which options a request chooses. Of a single choice the first counts.
func (a *Auditor) judge(text []byte) (e examined) {
	var r Request
	if e.err = json.Unmarshal(text, &r); e.err != nil {
		return e
	}
	if e.Claim, e.err = a.examine(r); e.err != nil {
		return e
	}
	for _, name := range e.Names {
		if i, ok := a.options.match(name); ok && !slices.Contains(e.options, i+1) {
			e.options = append(e.options, i+1)
		}
	}
	if a.Open.Kind == string(SingleChoice) && len(e.options) > 1 {
		e.options = e.options[:1]
	}
	return e
}

// AuditedBallot is a ballot that counts, and what the evidence says of it.
type AuditedBallot struct {
	Entry   int64  `json:"entry"`             // of the log
	Code    string `json:"code,omitempty"`    // empty where neither dataset nor evidence has it
	Problem string `json:"problem,omitempty"` // why it is not backed
	Options []int  `json:"options,omitempty"`
	Actor   string `json:"actor,omitempty"` // whose server signed
	Server  string `json:"server,omitempty"`
	KeyID   string `json:"keyId,omitempty"`
	Key     string `json:"keyFingerprint,omitempty"`
}

// Verdict says of each ballot that counts whether it is backed: whether another
// server's valid signatures, of one account that backs no other voter's ballot,
// choose exactly its options. In order of the log.
func (a *Auditor) Verdict() []AuditedBallot {
	found := map[ballotlog.Mark]AuditedBallot{}
	signed := map[string]string{} // voter by account
	voters := make([]string, 0, len(a.voters))
	for name := range a.voters {
		voters = append(voters, name)
	}
	slices.Sort(voters)
	for _, name := range voters {
		v := a.voters[name]
		var mine []ballotlog.Mark
		for m := range v.ballots {
			if a.owner[m] == name {
				mine = append(mine, m)
			}
		}
		if len(mine) == 0 {
			continue
		}
		claim, problem := v.judge(mine)
		if other, twice := signed[claim.Actor]; problem == "" && twice {
			problem = "its signer backs another ballot already: " + a.voters[other].codes()
		} else if problem == "" {
			signed[claim.Actor] = name
		}
		for _, m := range mine {
			b := AuditedBallot{Entry: a.entries[m], Code: v.ballots[m].Code, Options: v.ballots[m].Options, Problem: problem}
			if problem == "" {
				b.Actor, b.Server, b.KeyID, b.Key = claim.Actor, claim.Server, claim.KeyID, claim.Key
			}
			found[m] = b
		}
	}
	list := make([]AuditedBallot, 0, len(a.live))
	for m, n := range a.live {
		b, ok := found[m]
		if !ok {
			b = AuditedBallot{Entry: a.entries[m], Code: a.codes[m], Problem: "there is no evidence of it"}
		}
		for range n {
			list = append(list, b)
			b.Problem = "it stands in the log twice"
		}
	}
	slices.SortFunc(list, func(a, b AuditedBallot) int { return cmp.Compare(a.Entry, b.Entry) })
	return list
}

// judge holds a voter's ballots against the requests behind them, all together.
func (v *auditedVoter) judge(mine []ballotlog.Mark) (claim Claim, problem string) {
	var chosen, signed []int
	for _, m := range mine {
		b := v.ballots[m]
		chosen = append(chosen, b.Options...)
		for _, mark := range b.Marks {
			e, kept := v.claims[mark]
			switch {
			case !kept:
				return claim, "no signed request was kept of it"
			case e.err != nil:
				return claim, e.err.Error()
			case claim.Actor != "" && claim.Actor != e.Actor:
				return claim, "its requests are signed by two accounts"
			}
			claim = e.Claim
			signed = append(signed, e.options...)
		}
	}
	slices.Sort(chosen)
	slices.Sort(signed)
	if signed = slices.Compact(signed); !slices.Equal(chosen, signed) || claim.Actor == "" {
		return claim, fmt.Sprintf("it chooses %s, and what was signed chooses %s", numbers(chosen), numbers(signed))
	}
	return claim, ""
}

func (v *auditedVoter) codes() string {
	var codes []string
	for _, b := range v.ballots {
		codes = append(codes, b.Code)
	}
	slices.Sort(codes)
	return strings.Join(codes, " ")
}

func numbers(options []int) string {
	return cmp.Or(ballotlog.Ballot{Options: options}.OptionText(), "nothing")
}
