package verify

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
)

// Bounds of what is fetched.
const (
	patience = 5 * time.Minute // for everything together
	maxZip   = 1 << 30         // bytes
	maxGrown = 256             // entries of the live log after close/v1; two are usual
	bundle   = 256             // entries in one file of tlog-tiles
)

// web fetches.
type web struct{ client *http.Client }

// newWeb lends itself a client, or makes one.
func newWeb(client *http.Client) web {
	if client == nil {
		client = &http.Client{Timeout: patience}
	}
	guarded := *client
	guarded.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		switch {
		case len(via) >= 5:
			return errors.New("more than five redirections")
		case via[len(via)-1].URL.Scheme == "https" && r.URL.Scheme != "https":
			return errors.New("redirected from https to http")
		}
		return nil
	}
	return web{&guarded}
}

// errAbsent is a 404 or 410.
var errAbsent = errors.New("is not there")

// fetch begins to read what a 200 brings.
func (w web) fetch(ctx context.Context, address, accept string) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, unread(address, "is no address")
	}
	r.Header.Set("User-Agent", "inspraak-verify")
	r.Header.Set("Accept", accept)
	answer, err := w.client.Do(r)
	var failed *url.Error
	switch {
	case errors.As(err, &failed):
		return nil, unread(address, "cannot be fetched: %v", failed.Err)
	case err != nil:
		return nil, unread(address, "cannot be fetched: %v", err)
	case answer.StatusCode != http.StatusOK:
		answer.Body.Close()
		what := unread(address, "cannot be fetched: the server answers %d", answer.StatusCode)
		if answer.StatusCode == http.StatusNotFound || answer.StatusCode == http.StatusGone {
			what = errors.Join(what, errAbsent)
		}
		return nil, what
	}
	return answer.Body, nil
}

// get fetches a small file.
func (w web) get(ctx context.Context, address, accept string, limit int64) ([]byte, error) {
	body, err := w.fetch(ctx, address, accept)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	switch {
	case err != nil:
		return nil, unread(address, "cannot be fetched: %v", err)
	case int64(len(data)) > limit:
		return nil, unread(address, "is larger than %d bytes", limit)
	}
	return data, nil
}

// download fetches the zip into a file.
func (w web) download(ctx context.Context, address string, file *os.File) error {
	body, err := w.fetch(ctx, address, "application/zip")
	if err != nil {
		return err
	}
	defer body.Close()
	n, err := io.Copy(file, io.LimitReader(body, maxZip+1))
	if err == nil && n > maxZip {
		err = fmt.Errorf("it is larger than %d bytes", maxZip)
	}
	if err != nil {
		return unread(address, "cannot be fetched: %v", err)
	}
	return nil
}

// live compares with the log as the node shows it now: the same log, perhaps with
// destroy/v1 entries after the last of the dataset. Copies that are newer than the
// dataset are checked on the way.
func (c *check) compareLive(ctx context.Context) error {
	_, id, _ := splitOrigin(c.key.origin)
	base := c.base + "/log/" + id + "/"
	data, err := c.web.get(ctx, base+"checkpoint", "text/plain", 1<<16)
	if err != nil {
		return err
	}
	now, err := c.key.checkpoint("the live checkpoint", data)
	if err != nil {
		return err
	}
	if now.size < c.tree.size {
		return wrong(now.where, "is of %d entries, and the dataset has %d", now.size, c.tree.size)
	}
	if now.size > c.tree.size+maxGrown {
		return wrong(now.where, "is of %d entries, %d more than the dataset; after closing there are only a few", now.size, now.size-c.tree.size)
	}
	t := tree{c.tree.size, slices.Clone(c.tree.edge)}
	marks := slices.DeleteFunc(slices.Clone(c.copies), func(m checkpoint) bool { return m.size <= t.size })
	for t.size < now.size {
		entries, err := c.entries(ctx, base, t.size/bundle, now.size)
		if err != nil {
			return err
		}
		for _, text := range entries[t.size%bundle:] {
			if err := grown(t.size, text); err != nil {
				return err
			}
			t.add(text)
			for ; len(marks) > 0 && marks[0].size == t.size; marks = marks[1:] {
				if err := marks[0].fits(&t); err != nil {
					return err
				}
			}
		}
	}
	if err := now.fits(&t); err != nil {
		return err
	}
	if len(marks) > 0 {
		return wrong(marks[0].where, "is of %d entries, and the live log has %d", marks[0].size, now.size)
	}
	c.live = true
	return nil
}

// entries fetches the n-th bundle of a log of so many entries
// (https://c2sp.org/tlog-tiles): each entry after its length in two bytes. A
// partial one may be gone once the full one is there.
func (c *check) entries(ctx context.Context, base string, n, size int64) ([][]byte, error) {
	address := base + "tile/entries/" + tilePath(n)
	want := min(size-n*bundle, bundle)
	full := address
	if want < bundle {
		address += fmt.Sprintf(".p/%d", want)
	}
	const most = bundle * (1<<16 + 2)
	data, err := c.web.get(ctx, address, "application/octet-stream", most)
	if errors.Is(err, errAbsent) && want < bundle {
		if whole, again := c.web.get(ctx, full, "application/octet-stream", most); again == nil {
			data, err = whole, nil
		}
	}
	if err != nil {
		return nil, err
	}
	var entries [][]byte
	for int64(len(entries)) < want {
		if len(data) < 2 || len(data)-2 < int(binary.BigEndian.Uint16(data)) {
			return nil, wrong("live log entry "+fmt.Sprint(n*bundle+int64(len(entries))), "is cut off in its bundle")
		}
		end := 2 + int(binary.BigEndian.Uint16(data))
		entries, data = append(entries, data[2:end]), data[end:]
	}
	return entries, nil
}

// tilePath writes a number in groups of three digits: 1234067 is x001/x234/067.
func tilePath(n int64) string {
	path := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		path = fmt.Sprintf("x%03d/%s", n%1000, path)
	}
	return path
}

// sameHost compares an address with a HOST of an origin.
func sameHost(address, host string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ours := u.Host
	if port := u.Port(); u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		ours = u.Hostname()
		if net.ParseIP(ours) != nil && strings.Contains(ours, ":") {
			ours = "[" + ours + "]"
		}
	}
	return strings.EqualFold(ours, host)
}
