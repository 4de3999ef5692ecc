package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"inspraak/activitypub"
	"inspraak/activitypub/as2"
	"inspraak/activitypub/signature"
	"inspraak/store"
)

// fetchAlone is the CPU time of one fetch of an actor document: this program
// starts itself as fetchActors, in a process of its own.
func (p *program) fetchAlone(addresses []string) time.Duration {
	self, err := os.Executable()
	if err != nil {
		p.b.Fatal(err)
	}
	var out, errs bytes.Buffer
	fetch := &exec.Cmd{Path: self, Args: []string{"fetch-actors", p.file, filepath.Join(p.b.TempDir(), "fetched.db")},
		Stdin: strings.NewReader(strings.Join(addresses, "\n")), Stdout: &out, Stderr: &errs}
	if err := fetch.Run(); err != nil {
		p.b.Fatalf("fetch alone: %v\n%s", err, errs.Bytes())
	}
	total, err := strconv.ParseInt(strings.TrimSpace(out.String()), 10, 64)
	if err != nil {
		p.b.Fatal(err)
	}
	return time.Duration(total) / time.Duration(len(addresses))
}

// fetchActors fetches the actor documents whose addresses it reads, as the node
// does when a vote comes from a stranger: a GET that the instance actor signs,
// through the guarded client, read and kept in a database, by as many at a time
// as there are senders. It prints the nanoseconds of CPU that this took. Its
// arguments are the node's configuration and the database to make.
func fetchActors() {
	if err := fetchAll(context.Background(), os.Args[1], os.Args[2], os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func fetchAll(ctx context.Context, configuration, database string, list io.Reader) error {
	paceGC()
	config, err := Load(configuration)
	if err != nil {
		return err
	}
	keys, err := store.OpenKeys(config.Keys, false)
	if err != nil {
		return err
	}
	key, err := keys.ActorKey(activitypub.InstanceKey)
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, database, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer db.Close()
	client := activitypub.NewClient(activitypub.ClientConfig{UserAgent: "inspraak-bench", Loopback: true})
	defer client.Close()
	sign := func(r *http.Request) error {
		return signature.Sign(r, nil, activitypub.KeyID(config.URLs.InstanceActor()), key, signature.Cavage, time.Now())
	}
	fetch := func(address string) error {
		answer, err := client.Get(ctx, address, "application/activity+json", sign)
		if err != nil {
			return err
		}
		document, err := as2.Decode(answer.Body)
		if err != nil {
			return err
		}
		a, err := document.AsActor()
		if err != nil {
			return err
		}
		peer := activitypub.Peer{Actor: a.ID, Type: a.Type, Inbox: a.Inbox, SharedInbox: a.SharedInbox, Username: a.PreferredUsername,
			Name: a.Name, URL: a.URL, Published: a.Published, FetchedAt: time.Now()}
		for _, k := range a.Keys {
			if _, err := signature.ParseKey(k.PEM); err != nil {
				return err
			}
			peer.Keys = append(peer.Keys, activitypub.PeerKey{ID: k.ID, PEM: k.PEM})
		}
		return db.SavePeer(ctx, peer)
	}
	addresses := make(chan string)
	failed := make(chan error, senders)
	var group sync.WaitGroup
	before := cpuSpent(0)
	for range senders {
		group.Go(func() {
			for address := range addresses {
				if err := fetch(address); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	for lines := bufio.NewScanner(list); lines.Scan(); {
		select {
		case addresses <- lines.Text():
		case err := <-failed:
			return err
		}
	}
	close(addresses)
	group.Wait()
	fmt.Println((cpuSpent(0) - before).Nanoseconds())
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}
