package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"golang.org/x/crypto/ssh"
)

// Every kind of key proves that it is enrolled, and no other key does.
func TestProve(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var lines []string
	enroll := func(public any) {
		t.Helper()
		key, err := ssh.NewPublicKey(public)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))+" somebody@somewhere")
	}
	block := func(b *pem.Block, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(b)
	}
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	lines = append(lines, identity.Recipient().String())
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	enroll(public)
	old, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	enroll(&old.PublicKey)
	lockedPublic, lockedPrivate, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	enroll(lockedPublic)
	all, err := enrolled(lines)
	if err != nil {
		t.Fatal(err)
	}
	files := []string{
		write("age", []byte("# created today\n"+identity.String()+"\n")),
		write("ed25519", block(ssh.MarshalPrivateKey(private, ""))),
		write("rsa", block(ssh.MarshalPrivateKey(old, ""))),
		write("locked", block(ssh.MarshalPrivateKeyWithPassphrase(lockedPrivate, "", []byte("open sesame")))),
	}
	asked := 0
	ask := func(words string) func(string) ([]byte, error) {
		return func(string) ([]byte, error) { asked++; return []byte(words), nil }
	}
	for i, file := range files {
		got, err := prove(all, file, ask("open sesame"))
		if err != nil || got != all[i].fingerprint {
			t.Errorf("%s: %q, %v; want %q", filepath.Base(file), got, err, all[i].fingerprint)
		}
		if got, err := prove(append(all[:i:i], all[i+1:]...), file, ask("open sesame")); err == nil || !strings.Contains(err.Error(), "not enrolled") {
			t.Errorf("%s, not enrolled: %q, %v", filepath.Base(file), got, err)
		}
	}
	if asked != 1 {
		t.Errorf("asked for a passphrase %d times, want 1: only that of the key that is enrolled", asked)
	}
	for name, c := range map[string]struct {
		file, says string
		ask        func(string) ([]byte, error)
	}{
		"a wrong passphrase": {files[3], "password incorrect", ask("please")},
		"nobody to ask":      {files[3], "no terminal", func(string) ([]byte, error) { return nil, errors.New("no terminal") }},
		"two keys":           {write("both", fmt.Appendf(nil, "%s\n%s\n", identity, stranger)), "more than one", nil},
		"an encrypted file":  {write("encrypted", []byte("age-encryption.org/v1\n-> scrypt x 18\n")), "age -d", nil},
		"another SSH key":    {write("ecdsa", []byte("-----BEGIN NOTHING-----\n-----END NOTHING-----\n")), "read identity", nil},
	} {
		recipients := all
		if name == "two keys" {
			more, err := enrolled(append(lines, stranger.Recipient().String()))
			if err != nil {
				t.Fatal(err)
			}
			recipients = more
		}
		if got, err := prove(recipients, c.file, c.ask); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.says)
		}
	}
	if keygen, err := exec.LookPath("ssh-keygen"); err == nil { // the fingerprint is the one that people see
		line := write("ed25519.pub", []byte(lines[1]+"\n"))
		if out, err := exec.Command(keygen, "-l", "-f", line).CombinedOutput(); err != nil || !strings.Contains(string(out), all[1].fingerprint) {
			t.Errorf("ssh-keygen -l: %s, %v; want %s", out, err, all[1].fingerprint)
		}
	}
}
