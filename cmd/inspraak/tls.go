package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
	"golang.org/x/net/netutil"

	"inspraak/handlers"
)

// Who does TLS (configuration key tls).
const (
	tlsProxy = "proxy" // whatever stands in front of the node
	tlsAuto  = "auto"  // the node, with certificates over ACME (RFC 8555)
)

// certificates gets and renews the certificate of the node's own name, when it is
// first asked for, and of no other name. It keeps it in data/acme, where only the
// program's user can read. Nil if a proxy does TLS. directory is the address of
// another certificate authority than Let's Encrypt; "" for that one.
//
// Its requests do not go through the guarded client: their address is chosen here,
// by no stranger.
func (c Config) certificates(directory string) *autocert.Manager {
	if c.TLS != tlsAuto {
		return nil
	}
	if directory == "" {
		directory = autocert.DefaultACMEDirectory
	}
	m := &autocert.Manager{
		Prompt: autocert.AcceptTOS, Cache: autocert.DirCache(filepath.Join(c.Data, "acme")),
		HostPolicy: autocert.HostWhitelist(c.URLs.Host),
		Client:     &acme.Client{DirectoryURL: directory, UserAgent: "inspraak/" + version()},
	}
	if strings.Contains(c.Contact, "@") && !strings.Contains(c.Contact, "/") {
		m.Email = c.Contact
	}
	return m
}

// tlsConfig speaks TLS 1.2 and 1.3, HTTP/2 and 1.1, and answers the authority's
// challenge tls-alpn-01 (RFC 8737). That there is no certificate for the node's own
// name is logged, at most once a minute, without who asked.
func (n *Node) tlsConfig() *tls.Config {
	config := n.certificates.TLSConfig()
	config.MinVersion = tls.VersionTLS12
	var logged atomic.Int64
	config.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		certificate, err := n.certificates.GetCertificate(hello)
		if err != nil && hello.ServerName == n.config.URLs.Host {
			if now, last := n.now().Unix(), logged.Load(); now-last >= 60 && logged.CompareAndSwap(last, now) {
				n.log.Error("there is no certificate for this node; nobody can reach it", "name", n.config.URLs.Host, "error", err)
			}
		}
		return certificate, err
	}
	return config
}

// plainHandler answers on port 80: the authority's challenge http-01 (RFC 8555
// §8.3), and browsers, who are sent to the same address with TLS. What is posted
// there came by a mistake that a redirect would hide.
func (n *Node) plainHandler() http.Handler {
	base := n.config.URLs.Base
	return n.certificates.HTTPHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			http.Error(w, "send this to "+base, http.StatusBadRequest)
			return
		}
		http.Redirect(w, r, base+r.URL.RequestURI(), http.StatusPermanentRedirect)
	}))
}

// A listening is a server and where it listens.
type listening struct {
	server *http.Server
	net.Listener
}

type listenings []listening

// listen opens what the public reaches: one listener behind a proxy, two where the
// node does TLS.
func (n *Node) listen(ctx context.Context) (listenings, error) {
	open := listenings{{server: handlers.Server(n.Handler)}}
	addresses := []string{n.config.Listen}
	if n.certificates != nil {
		host, _, err := net.SplitHostPort(n.config.Listen)
		if err != nil {
			return nil, fmt.Errorf("listen on %s: %w", n.config.Listen, err)
		}
		open[0].server.TLSConfig = n.tlsConfig()
		open[0].server.ErrorLog = log.New(io.Discard, "", 0) // it would name whoever does not finish a handshake
		open = append(open, listening{server: handlers.Server(n.plainHandler())})
		addresses = append(addresses, net.JoinHostPort(host, n.plainPort))
	}
	for i, address := range addresses {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		if err != nil {
			err = fmt.Errorf("listen on %s: %w (is another program using it, or may this user not take the port?)", address, err)
			return nil, errors.Join(err, open[:i].Close())
		}
		if files, err := descriptors(); err == nil {
			// The rest is for the database and for what goes out. Who comes when all
			// are taken waits for the system to accept.
			l = netutil.LimitListener(l, int(min(files, 1<<20))/2/len(addresses))
		}
		open[i].Listener = l
	}
	return open, nil
}

// Close closes listeners that do not serve yet.
func (all listenings) Close() (err error) {
	for _, l := range all {
		err = errors.Join(err, l.Listener.Close())
	}
	return err
}

// serve serves until the server is shut down.
func (l listening) serve() (err error) {
	if l.server.TLSConfig != nil {
		err = l.server.ServeTLS(l, "", "")
	} else {
		err = l.server.Serve(l)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
