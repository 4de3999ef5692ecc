package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"inspraak/participation"
	"inspraak/store"
)

func TestKeys(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	if _, err := store.OpenKeys(dir, false); err == nil {
		t.Fatal("opened keys that are not there")
	}
	keys := must(store.OpenKeys(dir, true))(t)
	if _, err := keys.Secret("c1"); !errors.Is(err, participation.ErrSealed) {
		t.Errorf("no key yet: %v", err)
	}
	if _, err := keys.ActorKey("gemeente"); err == nil || errors.Is(err, participation.ErrNotFound) {
		t.Errorf("no actor key yet: %v; not found would be answered 404", err)
	}
	if err := errors.Join(keys.Create("c1"), keys.CreateActorKey("gemeente")); err != nil {
		t.Fatal(err)
	}
	secret := must(keys.Secret("c1"))(t)
	rsa := must(keys.ActorKey("gemeente"))(t)
	if rsa.N.BitLen() != 2048 {
		t.Errorf("an RSA key of %d bits", rsa.N.BitLen())
	}
	for what, err := range map[string]error{"consultation": keys.Create("c1"), "actor": keys.CreateActorKey("gemeente")} {
		if !errors.Is(err, participation.ErrExists) {
			t.Errorf("made the %s's key again: %v", what, err)
		}
	}
	for _, name := range []string{"", "../node", "a/b", strings.Repeat("x", 101)} {
		if err := keys.Create(name); !errors.Is(err, participation.ErrInvalid) {
			t.Errorf("key name %q: %v", name, err)
		}
	}

	// Another program finds the same keys, and nothing else lies about.
	again := must(store.OpenKeys(dir, true))(t)
	if again.Node().Voter("x") != keys.Node().Voter("x") || must(again.Secret("c1"))(t).Voter("x") != secret.Voter("x") ||
		!must(again.ActorKey("gemeente"))(t).Equal(rsa) {
		t.Error("keys changed")
	}
	if secret.Voter("x") == keys.Node().Voter("x") {
		t.Error("two keys are the same")
	}
	var files []string
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		want := os.FileMode(0o400)
		if info.IsDir() {
			want = 0o700
		} else {
			files = append(files, strings.TrimPrefix(path, dir+"/"))
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "files", files, []string{"actors/gemeente.pem", "consultations/c1.key", "log.key", "node.key"})
}

func TestKeysThatOthersMayRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	keys := must(store.OpenKeys(dir, true))(t)
	if err := errors.Join(keys.Create("c1"), keys.CreateActorKey("gemeente")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"consultations/c1.key", "actors/gemeente.pem", "node.key"} {
		if err := os.Chmod(filepath.Join(dir, name), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	_, secretErr := keys.Secret("c1")
	_, actorErr := keys.ActorKey("gemeente")
	_, nodeErr := store.OpenKeys(dir, false)
	for _, err := range []error{secretErr, actorErr, nodeErr} {
		if err == nil || !strings.Contains(err.Error(), "chmod 400") {
			t.Errorf("a key that others may read: %v", err)
		}
	}
	if err := errors.Join(os.Chmod(filepath.Join(dir, "node.key"), 0o600), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	if _, err := store.OpenKeys(dir, false); err == nil || !strings.Contains(err.Error(), "chmod 700") {
		t.Errorf("a directory that others may enter: %v", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := store.OpenKeys(dir, false); err != nil {
		t.Errorf("mode 0600 is narrow enough: %v", err)
	}
}

func TestDamagedKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	keys := must(store.OpenKeys(dir, true))(t)
	for name, content := range map[string]string{"short": "abcd", "text": "not hexadecimal"} {
		if err := os.WriteFile(filepath.Join(dir, "consultations", name+".key"), []byte(content), 0o400); err != nil {
			t.Fatal(err)
		}
		if _, err := keys.Secret(name); err == nil || errors.Is(err, participation.ErrSealed) {
			t.Errorf("key %s: %v", name, err)
		}
	}
}
