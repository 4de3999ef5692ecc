package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"inspraak/participation"
	"inspraak/store"
)

// backupCommand writes what a node needs to live again: database, actor keys,
// media and configuration. It never holds the key of a consultation, nor the
// node's own: whoever opens a backup must not learn who voted what.
type backupCommand struct {
	Dest      string   `arg:"" help:"File to write (.age); never overwritten."`
	Recipient []string `sep:"none" placeholder:"AGE1…" help:"age public key that can open it, beside backup_recipients of the configuration."`
}

// Run backs up, also while the node runs.
func (b backupCommand) Run(a *app) error {
	return a.at(func(o *office) error {
		recipients := append(b.Recipient, o.BackupRecipients...)
		if len(recipients) == 0 {
			return errors.New("backup: nobody could open it; give --recipient or set backup_recipients (make a key with age-keygen)")
		}
		for _, r := range recipients {
			if err := checkRecipient(r); err != nil {
				return fmt.Errorf("backup: %w", err)
			}
		}
		work, err := os.MkdirTemp(o.Data, ".backup-*")
		if err != nil {
			return fmt.Errorf("backup: %w", err)
		}
		defer os.RemoveAll(work)
		copied := filepath.Join(work, "inspraak.db")
		if err := o.db.Backup(a.ctx, copied); err != nil {
			return err
		}
		entries := []backupEntry{{"inspraak.yaml", o.Path}, {"keys/log.key", filepath.Join(o.Keys, "log.key")}}
		for _, set := range []struct{ name, pattern string }{
			{"keys/actors/", filepath.Join(o.Keys, "actors", "*.pem")},
			{"media/", filepath.Join(o.Media, "*.*")},
		} {
			paths, err := filepath.Glob(set.pattern)
			if err != nil {
				return fmt.Errorf("backup: %w", err)
			}
			for _, path := range paths {
				if name := set.name + filepath.Base(path); backupName.MatchString(name) {
					entries = append(entries, backupEntry{name, path})
				}
			}
		}
		for _, e := range o.lookFiles() {
			if _, err := os.Stat(e.path); err != nil {
				return fmt.Errorf("backup: %w", err)
			}
			entries = append(entries, e)
		}
		entries = append(entries, backupEntry{"inspraak.db", copied})
		if err := writeBackup(b.Dest, recipients, entries); err != nil {
			return fmt.Errorf("backup: %w", err)
		}
		if err := os.WriteFile(backupNote(o.Config), []byte(a.now().UTC().Format(time.RFC3339)+"\n"), 0o600); err != nil {
			return fmt.Errorf("backup: %s is written, but not the note of when: %w", b.Dest, err)
		}
		a.say("Written: %s (%d files).", b.Dest, len(entries))
		a.say("The keys of the consultations are not in it. Keep one copy of %s apart from the backups:\n"+
			"without it, a restored consultation can be read but not counted.", filepath.Join(o.Keys, "consultations"))
		return nil
	})
}

// restoreCommand makes a node from a backup.
type restoreCommand struct {
	File     string `arg:"" help:"Backup to restore."`
	Identity string `required:"" placeholder:"FILE" help:"age identity file that opens it."`
}

// Run restores into a data folder that holds nothing but, perhaps, the keys
// folder with consultation keys brought back from their escrow copy. The
// configuration of the backup is used if there is none. If anything fails,
// nothing stays.
func (r restoreCommand) Run(a *app) error {
	work, err := os.MkdirTemp(filepath.Dir(a.configPath), ".restore-*")
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	defer os.RemoveAll(work)
	if err := readBackup(r.File, r.Identity, work); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	placed := &placement{}
	if _, err := os.Stat(a.configPath); errors.Is(err, fs.ErrNotExist) {
		if err := placed.put(filepath.Join(work, "inspraak.yaml"), a.configPath, 0o640); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
	}
	if err := r.place(a, work, placed); err != nil {
		return errors.Join(fmt.Errorf("restore: %w", err), placed.undo())
	}
	err = a.at(func(o *office) error {
		placed.files = append(placed.files, o.Database()+"-wal", o.Database()+"-shm")
		problems, err := o.db.Check(a.ctx)
		if err != nil {
			return err
		}
		if len(problems) > 0 {
			return fmt.Errorf("the database of the backup is damaged: %s", problems[0])
		}
		a.say("Restored %s and %s.", a.configPath, o.Data)
		beat, err := o.LastBeat(a.ctx)
		if err != nil {
			return err
		}
		if !beat.At.IsZero() {
			a.say("The backup is as of %s. Once the node serves, the time since then counts as an outage:\n"+
				"what was open accepts votes for longer, and its page says so.", o.localStamp(beat.At))
		}
		return r.reportSealed(a, o)
	})
	if err != nil {
		return errors.Join(fmt.Errorf("restore: %w", err), placed.undo())
	}
	return nil
}

func (r restoreCommand) place(a *app, work string, placed *placement) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	if err := vacant(cfg); err != nil {
		return err
	}
	if err := placed.folder(cfg.Data, cfg.Media, cfg.Keys); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(cfg.Keys, "node.key")); errors.Is(err, fs.ErrNotExist) {
		placed.files = append(placed.files, filepath.Join(cfg.Keys, "node.key"))
	}
	// Before the keys are made: a new key of the logs would sign what is not theirs.
	if err := placed.logKey(filepath.Join(work, "keys", "log.key"), filepath.Join(cfg.Keys, "log.key")); err != nil {
		return err
	}
	// The node's key only recognises late deletions and waiting requests; a new
	// one costs at most those of the last week.
	if _, err := store.OpenKeys(cfg.Keys, true); err != nil {
		return err
	}
	for _, set := range []struct {
		from, to string
		mode     fs.FileMode
	}{
		{filepath.Join(work, "keys", "actors"), filepath.Join(cfg.Keys, "actors"), 0o400},
		{filepath.Join(work, "media"), cfg.Media, 0o640},
	} {
		entries, err := os.ReadDir(set.from)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, e := range entries {
			if err := placed.put(filepath.Join(set.from, e.Name()), filepath.Join(set.to, e.Name()), set.mode); err != nil {
				return err
			}
		}
	}
	for _, e := range cfg.lookFiles() {
		backed := filepath.Join(work, filepath.FromSlash(e.name))
		if _, err := os.Stat(backed); err != nil {
			continue // the configuration was changed since, and is believed
		}
		if _, err := os.Stat(e.path); errors.Is(err, fs.ErrNotExist) {
			if err := placed.put(backed, e.path, 0o640); err != nil {
				return err
			}
		}
	}
	// Last: a node without database does not start.
	return placed.put(filepath.Join(work, "inspraak.db"), cfg.Database(), 0o600)
}

// vacant refuses a node that is there already, wholly or in part.
func vacant(cfg Config) error {
	for _, folder := range []string{cfg.Data, cfg.Media, filepath.Join(cfg.Keys, "actors")} {
		entries, err := os.ReadDir(folder)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, e := range entries {
			path := filepath.Join(folder, e.Name())
			if e.IsDir() && (path == cfg.Keys || path == cfg.Media) {
				continue
			}
			return fmt.Errorf("%s is there already, and nothing is overwritten: restore into an empty data folder", path)
		}
	}
	return nil
}

// reportSealed names what cannot be counted until its key is brought back.
func (r restoreCommand) reportSealed(a *app, o *office) error {
	all, err := o.Consultations(a.ctx, participation.Filter{Phases: []participation.Phase{
		participation.Scheduled, participation.Open, participation.Closed,
	}})
	if err != nil {
		return err
	}
	sealed := 0
	for _, c := range all {
		switch _, err := o.keys.Secret(c.ID); {
		case err == nil || !c.Kind.HasOptions() || c.Destroyed():
		case errors.Is(err, participation.ErrSealed):
			sealed++
			a.say("Read-only for lack of its key: %s (%s), %s.key", c.Slug, c.Phase, c.ID)
		default:
			return fmt.Errorf("the key of %s: %w", c.Slug, err)
		}
	}
	if sealed > 0 {
		a.say("Backups never hold these keys. Copy them from their escrow copy into %s (mode 0400) before serving.\n"+
			"What was destroyed after the backup was made stays so: its key is nowhere, and its ballots open for nobody.",
			filepath.Join(o.Keys, "consultations"))
	}
	return nil
}

// placement puts files where there are none, and can take them back.
type placement struct{ files, folders []string }

// folder makes folders that are missing.
func (p *placement) folder(paths ...string) error {
	for _, path := range paths {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			p.folders = append(p.folders, path)
		}
		if err := os.MkdirAll(path, 0o700); err != nil {
			return err
		}
	}
	return nil
}

func (p *placement) put(from, to string, mode fs.FileMode) error {
	data, err := os.Open(from)
	if err != nil {
		return err
	}
	defer data.Close()
	if err := copyNew(to, data, mode); err != nil {
		return err
	}
	p.files = append(p.files, to)
	return nil
}

// logKey puts the key of the logs in its place, unless the same one is there.
func (p *placement) logKey(from, to string) error {
	there, err := os.ReadFile(to)
	if errors.Is(err, fs.ErrNotExist) {
		return p.put(from, to, 0o400)
	}
	backed, failed := os.ReadFile(from)
	if err = errors.Join(err, failed); err == nil && !bytes.Equal(there, backed) {
		err = fmt.Errorf("%s is another key than the one in the backup, which signed its logs: move it away", to)
	}
	return err
}

func (p *placement) undo() error {
	var err error
	for _, path := range p.files {
		if e := os.Remove(path); !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	for _, path := range p.folders {
		err = errors.Join(err, os.RemoveAll(path))
	}
	return err
}
