package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// freePort is a port of the loopback interface that nobody has now.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// made is the configuration of a node that `init` makes for a public name.
func made(t *testing.T, more string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "inspraak.yaml")
	var said bytes.Buffer
	if run(t.Context(), []string{"--config", file, "init", "--yes", "--url", "https://inspraak.example", "--name", "Voorbeeld",
		"--contact", "griffie@voorbeeld.example", "--channel", "gemeente"}, strings.NewReader(""), &said, &said) != exitDone {
		t.Fatal(said.String())
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(text, more...), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// served runs a node until the test calls stop.
func served(t *testing.T, file string, s Surroundings) (stop func()) {
	t.Helper()
	c, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	s.Now = time.Now
	n, err := OpenNode(t.Context(), c, s)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
}

// One switch: the node orders its own certificate when somebody comes, answers
// either challenge, keeps the certificate for the next start, and orders none for
// a name that is not its own.
func TestOwnCertificate(t *testing.T) {
	for _, kind := range []string{"tls-alpn-01", "http-01"} {
		t.Run(kind, func(t *testing.T) {
			secure, plain := freePort(t), freePort(t)
			file := made(t, "tls: auto\nlisten: localhost:"+secure+"\n")
			ca := newAuthority(t, kind, "localhost:"+secure, "localhost:"+plain)
			var logged bytes.Buffer
			surroundings := Surroundings{Log: slog.New(slog.NewTextHandler(&logged, nil)), ACME: ca.server.URL + "/", PlainPort: plain}
			stop := served(t, file, surroundings)

			client := func(name string) *http.Client {
				return &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
					ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: ca.trusted(), ServerName: name},
					DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
						return (&net.Dialer{}).DialContext(ctx, "tcp", "localhost:"+secure)
					}}}
			}
			get := func() {
				t.Helper()
				visitor := client("inspraak.example")
				defer visitor.CloseIdleConnections()
				answer := until(t, func() (*http.Response, error) { return visitor.Get("https://inspraak.example/about") })
				defer answer.Body.Close()
				if answer.StatusCode != http.StatusOK || answer.ProtoMajor != 2 || answer.Header.Get("Strict-Transport-Security") == "" {
					t.Errorf("%s over %s, HSTS %q", answer.Status, answer.Proto, answer.Header.Get("Strict-Transport-Security"))
				}
			}
			get()
			if answer, err := client("elders.example").Get("https://elders.example/"); err == nil {
				answer.Body.Close()
				t.Error("somebody else's name is served")
			}
			if len(ca.orders) != 1 || ca.orders[0] != "inspraak.example" || len(ca.contacts) != 1 || ca.contacts[0] != "mailto:griffie@voorbeeld.example" {
				t.Errorf("ordered %q, as %q", ca.orders, ca.contacts)
			}
			folder := filepath.Join(filepath.Dir(file), "data", "acme")
			if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("%s: %v, %v", folder, info.Mode(), err)
			}

			follow := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			for method, want := range map[string]int{http.MethodGet: http.StatusPermanentRedirect, http.MethodPost: http.StatusBadRequest} {
				r, err := http.NewRequestWithContext(t.Context(), method, "http://localhost:"+plain+"//elders.example/a?b=c", nil)
				if err != nil {
					t.Fatal(err)
				}
				r.Host = "elders.example"
				answer, err := follow.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				answer.Body.Close()
				to := answer.Header.Get("Location")
				if answer.StatusCode != want || method == http.MethodGet && to != "https://inspraak.example//elders.example/a?b=c" {
					t.Errorf("%s without TLS: %s to %q", method, answer.Status, to)
				}
			}
			stop()

			stop = served(t, file, surroundings)
			get()
			stop()
			if len(ca.orders) != 1 {
				t.Errorf("%d orders after a second start", len(ca.orders))
			}
			if strings.Contains(logged.String(), "127.0.0.1") || strings.Contains(logged.String(), "[::1]") {
				t.Errorf("the log names a visitor:\n%s", logged.String())
			}
		})
	}
}

// until asks until it is answered: the node may not listen yet.
func until(t *testing.T, ask func() (*http.Response, error)) *http.Response {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		answer, err := ask()
		if err == nil {
			return answer
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// Without the switch nothing is ordered, and a name that only this machine knows
// gets no certificate.
func TestSwitchOfTLS(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "",
		"tls: auto\n":                        ":443",
		"tls: auto\nlisten: '[::]:8443'\n":   "[::]:8443",
		"tls: auto\nlisten: 127.0.0.1:443\n": "listen: ",
		"tls: auto\nloopback: true\n":        "tls: auto",
		"tls: true\n":                        "tls: ",
	} {
		url := "https://inspraak.example.nl"
		if strings.Contains(text, "loopback") {
			url = "https://inspraak.test"
		}
		c, err := parseConfig("inspraak.yaml", []byte("url: "+url+"\nname: V\ncontact: a@example.nl\n"+text))
		if strings.HasSuffix(want, ": ") || strings.HasPrefix(want, "tls") {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v, want %q", text, err, want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if m := c.certificates(""); (m != nil) != (want != "") || want != "" && c.Listen != want {
			t.Errorf("%q: %v, listens on %q", text, m, c.Listen)
		}
	}
}

// The node is reached over IPv6, on one address and on all.
func TestIPv6(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("this machine has no IPv6: %v", err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	for _, listen := range []string{"[::1]:" + port, "[::]:" + port} {
		stop := served(t, made(t, "listen: '"+listen+"'\n"), Surroundings{Log: slog.New(slog.DiscardHandler)})
		answer := until(t, func() (*http.Response, error) { return http.Get("http://[::1]:" + port + "/.well-known/security.txt") })
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(text), "Contact: mailto:griffie@voorbeeld.example\n") {
			t.Errorf("%s: %s %q %v", listen, answer.Status, text, err)
		}
		stop()
	}
}
