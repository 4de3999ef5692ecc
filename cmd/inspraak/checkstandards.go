package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"inspraak/activitypub"
)

// standardPatience is how long each look from outside may take.
const standardPatience = 5 * time.Second

// checkStandards looks at what https://internet.nl would look at first: IPv6, the way
// from http to https, HSTS and security.txt. None of it keeps votes out, so none of
// it is more than a warning. DNSSEC, RPKI and mail are not the node's.
func (o *office) checkStandards(a *app, f *findings) {
	if o.Loopback {
		return // nobody else looks
	}
	host := o.URLs.Host
	ctx, cancel := context.WithTimeout(a.ctx, standardPatience)
	defer cancel()
	switch found, err := net.DefaultResolver.LookupNetIP(ctx, "ip6", host); {
	case len(found) > 0:
		f.ok("ipv6", "%s has %s", host, found[0])
	case errors.As(err, new(*net.DNSError)) && !isNotFound(err):
		f.warn("ipv6", "could not be looked up: %v", err)
	default:
		f.warn("ipv6", "%s has no AAAA record; some visitors and servers have IPv6 only", host)
	}
	if err := sentOn(ctx, host, "80"); err != nil {
		f.warn("http", "%v; browsers that are given the name alone begin there", err)
	} else {
		f.ok("http", "port 80 sends browsers on to https")
	}
	client := activitypub.NewClient(activitypub.ClientConfig{UserAgent: fmt.Sprintf("inspraak/%s (+%s)", version(), o.URLs.Base)})
	defer client.Close()
	address := o.URLs.Base + "/.well-known/security.txt"
	r, err := client.Get(a.ctx, address, "text/plain", nil)
	if err != nil {
		f.warn("https", "%s: %v", address, err)
		return
	}
	checkHeaders(r.Status, r.Header, f)
}

func isNotFound(err error) bool {
	var failed *net.DNSError
	return errors.As(err, &failed) && failed.IsNotFound
}

var maxAge = regexp.MustCompile(`max-age="?([0-9]+)`)

// checkHeaders judges the answer of security.txt. RFC 6797 names no least time for
// HSTS; internet.nl asks for a year.
func checkHeaders(status int, header http.Header, f *findings) {
	if status == http.StatusOK {
		f.ok("security.txt", "is there")
	} else {
		f.warn("security.txt", "answered %d; give security_contact, an e-mail or https address, and let the proxy pass /.well-known/ on", status)
	}
	age := 0
	if m := maxAge.FindStringSubmatch(header.Get("Strict-Transport-Security")); m != nil {
		age, _ = strconv.Atoi(m[1]) // one too large counts as the largest
	}
	if age < 365*24*60*60 {
		f.warn("hsts", "%q; the node says a year: does the proxy change it?", header.Get("Strict-Transport-Security"))
	} else {
		f.ok("hsts", "a year or more")
	}
}

// sentOn tells what keeps a browser that asks without TLS from being sent to https on
// the same host. It asks over a connection of its own: the guarded client never goes
// without TLS.
func sentOn(ctx context.Context, host, port string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return fmt.Errorf("port 80 is not reached from here: %w", err)
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host); err != nil {
		return err
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return fmt.Errorf("port 80 does not answer: %w", err)
	}
	answer.Body.Close()
	if to := answer.Header.Get("Location"); answer.StatusCode/100 != 3 || !strings.HasPrefix(to, "https://"+host+"/") {
		return fmt.Errorf("port 80 answers %d and leads to %q, want https://%s/", answer.StatusCode, to, host)
	}
	return nil
}
