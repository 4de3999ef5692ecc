package activitypub

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

// A dialer connects to allowed addresses only. The check is made on the address
// of the socket, after the name was resolved and immediately before connecting,
// so a name cannot resolve to one address for the check and to another after it.
type dialer struct {
	loopback bool
	resolver func(context.Context, string) ([]netip.Addr, error)
	net      net.Dialer
}

func newDialer(cfg ClientConfig, port uint16, allowed []netip.Prefix) *dialer {
	// Without options beyond the port: IPv4 less the special-purpose registry of
	// IANA; of IPv6 2000::/3 less its special-purpose parts.
	options := []ssrf.Option{ssrf.WithPorts(port), ssrf.WithAllowedV4Prefixes(allowed...)}
	if cfg.Loopback {
		options = []ssrf.Option{
			ssrf.WithAnyPort(),
			ssrf.WithAllowedV4Prefixes(netip.MustParsePrefix("127.0.0.0/8")),
			ssrf.WithAllowedV6Prefixes(netip.MustParsePrefix("::1/128")),
			ssrf.WithDeniedV4Prefixes(netip.MustParsePrefix("0.0.0.0/0")),
			ssrf.WithDeniedV6Prefixes(netip.MustParsePrefix("::/0")),
		}
	}
	guard := ssrf.New(options...)
	return &dialer{
		loopback: cfg.Loopback,
		resolver: cfg.Resolver,
		net: net.Dialer{Control: func(network, address string, conn syscall.RawConn) error {
			if err := guard.Safe(network, address, conn); err != nil {
				return fmt.Errorf("%w: %w", ErrBlockedAddress, err)
			}
			return nil
		}},
	}
}

// dial tries the addresses of a name in turn, each for its share of the time.
func (d *dialer) dial(ctx context.Context, _, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	addrs, err := d.lookup(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("resolve %s: %w", host, err)
	}
	if len(addrs) > maxAddresses {
		addrs = addrs[:maxAddresses]
	}
	failure := error(&net.DNSError{Err: "no addresses", Name: host, IsNotFound: true})
	for i, addr := range addrs {
		end, _ := ctx.Deadline()
		share := time.Until(end) / time.Duration(len(addrs)-i)
		conn, err := d.connect(ctx, net.JoinHostPort(addr.Unmap().String(), port), share)
		if err == nil {
			return conn, nil
		}
		// That one of several addresses is forbidden says less than that another
		// did not answer.
		if i == 0 || !errors.Is(err, ErrBlockedAddress) {
			failure = err
		}
	}
	return nil, failure
}

func (d *dialer) connect(ctx context.Context, address string, limit time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return d.net.DialContext(ctx, "tcp", address)
}

func (d *dialer) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}, nil
	}
	if d.resolver != nil {
		return d.resolver(ctx, host)
	}
	here := []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	if d.loopback && (host == "localhost" || strings.HasSuffix(host, ".localhost")) {
		return here, nil
	}
	if d.loopback && strings.HasSuffix(host, ".test") {
		quick, cancel := context.WithTimeout(ctx, dialTimeout/10)
		defer cancel()
		if addrs, err := net.DefaultResolver.LookupNetIP(quick, "ip", host); err == nil {
			return addrs, nil
		}
		return here, nil
	}
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}
