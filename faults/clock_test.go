package faults_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"inspraak/simulation"
)

// TestSkew sends votes from servers whose clock is wrong: fifty minutes are
// borne, seventy are not, in either direction and either form of signature.
func TestSkew(t *testing.T) {
	together(t)
	began := time.Now()
	n, c, h := newNode(t), newCrowd(t), newHammer(1)
	n.start()
	p := n.publish("skew")
	accepted, refused := 0, 0
	for _, scheme := range []simulation.Scheme{simulation.Cavage, simulation.RFC9421} {
		for _, skew := range []time.Duration{-70, -50, 50, 70} {
			v := c.votes(p, 1)[0]
			r, err := v.account.Request(context.Background(), http.MethodPost, v.inbox, v.body,
				simulation.SignOptions{Scheme: scheme, DateOffset: skew * time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			v.request = &simulation.SignedRequest{Method: r.Method, URL: v.inbox, Host: r.Host, Header: r.Header, Body: v.body}
			want := http.StatusAccepted
			if skew.Abs() > 60 {
				want = http.StatusUnauthorized
			}
			if _, err := h.send(v); err != nil || v.status != want {
				t.Errorf("%q, %d minutes off: answered %d, want %d: %v", scheme, skew, v.status, want, err)
			}
			if v.fate == acknowledged {
				accepted++
			} else {
				refused++
			}
		}
	}
	if final := p.close(); final.Turnout != accepted {
		t.Errorf("%d ballots of %d accepted votes", final.Turnout, accepted)
	}
	n.check()
	figure(t, began, "R5", "clocks of senders: 2 forms of signature, ±50 min: %d accepted and counted, ±70 min: %d refused", accepted, refused)
}
