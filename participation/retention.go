package participation

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

const days = 24 * time.Hour

// Retention is how long is kept what the municipality may decide about. 0 means
// for good, where the rule allows it.
type Retention struct {
	Peers, HiddenReplies, Reports, ModerationLog time.Duration
}

// DefaultRetention is what a node does that says nothing of it.
func DefaultRetention() Retention {
	return Retention{Peers: 400 * days, HiddenReplies: 90 * days, Reports: 365 * days, ModerationLog: 730 * days}
}

// RetentionRule says what goes after how long, and why. Nothing of a ballot, a
// log of ballots, a dataset or evidence is under any rule: these are destroyed
// (Destroy), by people.
type RetentionRule struct {
	Name        string
	Key         string // in the configuration; "" if the period is fixed
	What, Why   string
	Period      time.Duration // 0: for good, or with Undated at once
	Undated     bool
	Least, Most time.Duration // what Period may be
	Forever     bool          // it may be 0
}

// Rules is the whole table, in the order in which the rules are applied: none
// makes more fall under a later one.
func (r Retention) Rules() []RetentionRule {
	return []RetentionRule{
		{Name: "servers", Undated: true,
			What: "which form of signature a server understands, if no account of it is known any more",
			Why:  "it may be the name of one person's server, and is learnt anew with the next request"},
		{Name: "peers", Key: "peers", Period: r.Peers, Least: 90 * days, Most: 730 * days,
			What: "accounts of other servers and their public keys, since they were last fetched, that follow nothing here and of which there is no reply, gesture, quote or answer",
			Why:  "storage limitation (GDPR art. 5(1)(e)); they are fetched anew when needed. Not sooner: an account that is new here, among many new ones of its server, counts as part of a crowd, so this should be longer than the time between two consultations"},
		{Name: "hidden-replies", Key: "hidden_replies", Period: r.HiddenReplies, Least: 30 * days, Most: 365 * days,
			What: "words, author and addresses of a reply, since it was hidden; the day on which it came and the reason stay",
			Why:  "what the public may not see is kept for complaints and mistakes only (GDPR art. 5(1)(e)). Not sooner: who objects must be able to be answered"},
		{Name: "reports", Key: "reports", Period: r.Reports, Least: 30 * days, Most: 730 * days,
			What: "what a report from another server says, since it was settled; its dates stay",
			Why:  "it accuses people, and is of no use once it is settled and nobody asks about it any more (GDPR art. 5(1)(e))"},
		{Name: "moderation-log", Key: "moderation_log", Period: r.ModerationLog, Least: 365 * days, Most: 1826 * days, Forever: true,
			What: "the names of accounts, servers, replies and reports in the log of moderation; dates, kinds and public reasons stay",
			Why:  "who moderates must be able to account for it for a while. For good only if the municipality's selection list says so (Archiefwet)"},
		{Name: "tombstones", Period: 7 * days,
			What: "marks of what was deleted, so that it does not come back",
			Why:  "other servers send things again for some days, not longer"},
		{Name: "helped", Period: days,
			What: "marks of who was sent the help text today",
			Why:  "one a day is enough"},
		{Name: "waiting", Period: 7 * days,
			What: "requests that could not be verified and concern no consultation whose votes can still count",
			Why:  "they are tried for three days; what is left then is of no use. Votes whose key is missing wait on"},
	}
}

// Check reports what a period may not be.
func (r Retention) Check(bad func(key, format string, args ...any)) {
	for _, rule := range r.Rules() {
		p := rule.Period
		if rule.Key == "" || p == 0 && rule.Forever || p >= rule.Least && p <= rule.Most {
			continue
		}
		never := "; it cannot be kept for good"
		if rule.Forever {
			never = ", or 0s for good"
		}
		bad(rule.Key, "%s: between %s (%d days) and %s (%d days)%s: %s", p, rule.Least, rule.Least/days, rule.Most, rule.Most/days, never, rule.Why)
	}
}

// Expiry is what a rule lets go.
type Expiry struct {
	RetentionRule
	N      int
	Oldest time.Time // zero if there is none, or the rule knows no time
}

// Expiring tells what Retain would let go now. It changes nothing.
func (s *Service) Expiring(ctx context.Context, r Retention) (all []Expiry, err error) {
	err = s.Snapshot(ctx, func(ctx context.Context) error {
		for _, rule := range r.Rules() {
			e := Expiry{RetentionRule: rule}
			if rule.Period > 0 || rule.Undated {
				if e.N, e.Oldest, err = s.Expired(ctx, rule.Name, s.now().Add(-rule.Period)); err != nil {
					return fmt.Errorf("%s: %w", rule.Name, err)
				}
			}
			all = append(all, e)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("retention: %w", err)
	}
	return all, nil
}

// retentionBatch is how much goes in one transaction: votes are counted between
// two of them.
const retentionBatch = 200

// Retain lets go of what no rule keeps, and tells of how much. It overwrites what
// it deletes; where somebody reads just then, old values may be in the
// write-ahead log until it is next emptied. Cut short, the next call goes on.
func (s *Service) Retain(ctx context.Context, r Retention) ([]Expiry, error) {
	all, err := s.Expiring(ctx, r)
	if err != nil {
		return nil, err
	}
	var told []string
	for i := range all {
		e := &all[i]
		before, expected := s.now().Add(-e.Period), e.N
		for e.N = 0; expected > 0; {
			n, err := s.drop(ctx, e.Name, before)
			if err != nil {
				return all, fmt.Errorf("retention: %s: %w", e.Name, err)
			}
			if e.N += n; n < retentionBatch {
				break
			}
		}
		if e.N > 0 {
			told = append(told, fmt.Sprintf("%s %d", e.Name, e.N))
		}
	}
	if told == nil {
		return all, nil
	}
	err = s.store.Update(ctx, func(tx Tx) error {
		return tx.Record(&Event{At: s.now(), Type: RetentionDone, Reason: strings.Join(told, ", ")})
	})
	if err != nil {
		return all, fmt.Errorf("retention: %w", err)
	}
	_ = s.store.FoldLog(ctx) // else the next one does
	return all, nil
}

func (s *Service) drop(ctx context.Context, rule string, before time.Time) (n int, err error) {
	err = s.store.Update(ctx, func(tx Tx) error {
		if rule != "hidden-replies" {
			n, err = tx.DropExpired(rule, before, retentionBatch)
			return err
		}
		replies, err := tx.ErasableReplies(before, retentionBatch)
		for _, r := range replies {
			if err := s.erase(tx, r); err != nil {
				return err
			}
		}
		n = len(replies)
		return err
	})
	return n, err
}

// erase leaves of a hidden reply that it was there, on which day and why it was
// hidden, and a mark by which it is known if it comes again.
func (s *Service) erase(tx Tx, r Reply) error {
	if err := tx.DeleteReply(r.ID); err != nil {
		return err
	}
	received := r.Received.UTC().Truncate(days)
	return tx.SaveReply(Reply{ID: s.erasedID(r), Place: r.Place, Thread: r.Thread, Consultation: r.Consultation, Visibility: r.Visibility, Standing: Hidden,
		Reason: r.Reason, HiddenAt: r.HiddenAt.UTC().Truncate(days), Published: received, Received: received})
}

// erasedID is what a reply is called once it was erased: nobody can tell its
// address from it without the node's key.
func (s *Service) erasedID(r Reply) string {
	grave := s.grave(r.Author.ID, r.ID)
	return erased + hex.EncodeToString(grave[:])
}

const erased = "erased:"

// Erased tells whether only the day and the reason of a hidden reply are left.
func (r Reply) Erased() bool { return strings.HasPrefix(r.ID, erased) }

// Holds tells whether anything of an actor is here: a reply, a gesture, or a
// ballot that still knows whose it is. What federation keeps of its account is
// not asked, and a ballot whose key is not here cannot be found.
func (s *Service) Holds(ctx context.Context, actor string) (bool, error) {
	replies, err := s.Replies(ctx, ReplyFilter{Author: actor, All: true, Limit: 1})
	if err != nil || len(replies) > 0 {
		return len(replies) > 0, err
	}
	gestures, err := s.GesturesOf(ctx, actor)
	if err != nil || len(gestures) > 0 {
		return len(gestures) > 0, err
	}
	published, err := s.Consultations(ctx, Filter{Phases: []Phase{Open, Closed, Withdrawn}})
	if err != nil {
		return false, err
	}
	for _, c := range published {
		if !c.Kind.HasOptions() || c.Destroyed() {
			continue
		}
		secret, err := s.keys.Secret(c.ID)
		if errors.Is(err, ErrSealed) {
			continue
		} else if err != nil {
			return false, err
		}
		voter := secret.Voter(actor)
		sealed, err := s.Ballot(ctx, c.Number, voter)
		if errors.Is(err, ErrNotFound) {
			continue
		} else if err != nil {
			return false, err
		}
		if ballot, err := secret.openBallot(voter, sealed); err != nil || ballot.Actor != "" {
			return true, err
		}
	}
	return false, nil
}
