package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"image"
	"image/png"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/ssh"

	"inspraak/activitypub"
	"inspraak/participation"
	"inspraak/store"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"inspraak": main, "fetch-actors": fetchActors})
}

// TestScripts runs the command line as its users do; each script is a story.
// Besides the program it has:
//
//	fingerprint FILE    writes the content of data/inspraak.db as one text
//	arrive SLUG         a vote for the first option, one that waits, a reply and a report come in
//	up URL              waits until the address answers 200
//	get URL FILE        writes what the address answers
//	freeze              publishes the datasets that are due
//	yesterday SLUG      moves the announcement of a destruction a day and an hour back
//
// PORT and WATCH_PORT are free ports, RECIPIENT the public key of identity.txt,
// SSH that of ssh.key, LOCKED that of locked.key, whose passphrase nobody knows;
// dataset.zip and checkpoints of its log are those of the verifier's tests.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               prepareScript,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"fingerprint": func(s *testscript.TestScript, _ bool, args []string) {
				s.Check(os.WriteFile(s.MkAbs(args[0]), []byte(fingerprintOf(s)), 0o600))
			},
			"arrive": func(s *testscript.TestScript, _ bool, args []string) { arrive(s, args[0]) },
			"append": func(s *testscript.TestScript, _ bool, args []string) {
				s.Check(os.WriteFile(s.MkAbs(args[0]), []byte(s.ReadFile(args[0])+args[1]+"\n"), 0o600))
			},
			"get": func(s *testscript.TestScript, _ bool, args []string) {
				answer, err := http.Get(args[0])
				s.Check(err)
				defer answer.Body.Close()
				content, err := io.ReadAll(answer.Body)
				s.Check(err)
				s.Check(os.WriteFile(s.MkAbs(args[1]), content, 0o600))
			},
			"freeze": func(s *testscript.TestScript, _ bool, _ []string) {
				db, keys := openScriptNode(s)
				defer db.Close()
				config, err := Load(s.MkAbs("inspraak.yaml"))
				s.Check(err)
				_, err = participation.New(db, keys, config.URLs.Site(), time.Now).FreezeDue(context.Background(), config.Name)
				s.Check(err)
			},
			"yesterday": func(s *testscript.TestScript, _ bool, args []string) {
				db, _ := openScriptNode(s)
				defer db.Close()
				s.Check(db.Update(context.Background(), func(tx participation.Tx) error {
					c, err := tx.Consultation(args[0])
					if err != nil {
						return err
					}
					c.AnnouncedAt = c.AnnouncedAt.Add(-25 * time.Hour)
					return tx.SaveConsultation(&c)
				}))
			},
			"up": func(s *testscript.TestScript, _ bool, args []string) { up(s, args[0]) },
		},
	})
}

func prepareScript(env *testscript.Env) error {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return err
	}
	for _, name := range []string{"PORT", "WATCH_PORT"} {
		free, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer free.Close()
		_, port, err := net.SplitHostPort(free.Addr().String())
		if err != nil {
			return err
		}
		env.Setenv(name, port)
	}
	env.Setenv("RECIPIENT", identity.Recipient().String())
	for _, name := range []string{"dataset.zip", "post.txt", "newer.txt"} {
		data, err := os.ReadFile(filepath.Join("../../verify/testdata", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(env.WorkDir, name), data, 0o600)
		}
		if err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(env.WorkDir, "identity.txt"), []byte(identity.String()+"\n"), 0o600); err != nil {
		return err
	}
	for name, passphrase := range map[string]string{"SSH": "", "LOCKED": "nobody knows"} {
		line, err := sshKey(filepath.Join(env.WorkDir, strings.ToLower(name)+".key"), passphrase)
		if err != nil {
			return err
		}
		env.Setenv(name, line)
	}
	picture, err := os.Create(filepath.Join(env.WorkDir, "square.png"))
	if err != nil {
		return err
	}
	defer picture.Close()
	return png.Encode(picture, image.NewGray(image.Rect(0, 0, 3, 2)))
}

// sshKey makes an SSH key and returns the line of its public half.
func sshKey(path, passphrase string) (line string, err error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", err
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte(passphrase))
	}
	if err != nil {
		return "", err
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))), os.WriteFile(path, pem.EncodeToMemory(block), 0o600)
}

func openScriptNode(s *testscript.TestScript) (*store.DB, *store.Keys) {
	db, err := store.Open(context.Background(), s.MkAbs("data/inspraak.db"), slog.New(slog.DiscardHandler))
	s.Check(err)
	keys, err := store.OpenKeys(s.MkAbs("data/keys"), false)
	s.Check(err)
	return db, keys
}

func fingerprintOf(s *testscript.TestScript) string {
	db, _ := openScriptNode(s)
	defer db.Close()
	prints, err := db.Fingerprint(context.Background())
	s.Check(err)
	var lines []string
	for table, print := range prints {
		lines = append(lines, table+" "+print+"\n")
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

func arrive(s *testscript.TestScript, slug string) {
	db, keys := openScriptNode(s)
	defer db.Close()
	ctx, service := context.Background(), participation.New(db, keys, activitypub.URLs{}.Site(), time.Now)
	c, err := service.Consultation(ctx, slug)
	s.Check(err)
	if c.Kind.HasOptions() {
		outcome, err := service.CastVote(ctx, participation.Vote{
			Consultation: c.ID, Actor: "https://social.example/users/anna", Host: "social.example",
			Inbox: "https://social.example/inbox", ReceivedAt: time.Now(),
			Marks: []participation.Mark{{Object: "https://social.example/votes/1", Name: c.Options[0]}},
		})
		s.Check(err)
		if outcome != participation.Counted {
			s.Fatalf("vote: %s", outcome)
		}
		_, err = db.AddWaiting(ctx, activitypub.Waiting{
			Consultation: c.ID, Host: "social.example", Sealed: []byte("not to be read"), ReceivedAt: time.Now(), Next: time.Now(),
		})
		s.Check(err)
	}
	s.Check(service.AddReply(ctx, participation.Reply{
		ID: "https://social.example/notes/1", Consultation: c.ID, Parent: "https://inspraak.example.nl/o/" + c.ID,
		Author: participation.Author{ID: "https://social.example/users/anna", Handle: "anna@social.example"},
		HTML:   "<p>Meer bomen!</p>", Visibility: participation.Public, Published: time.Now(),
	}, true))
	s.Check(service.Receive(ctx, participation.Report{
		ID: "https://social.example/flags/1", Server: "social.example", Text: "spam", Objects: []string{"https://social.example/notes/1"},
	}))
}

func up(s *testscript.TestScript, address string) {
	deadline := time.Now().Add(30 * time.Second)
	for {
		answer, err := http.Get(address)
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			s.Fatalf("%s: no answer: %v", address, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
