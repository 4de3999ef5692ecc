package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// Field is a line of bag-info.txt (RFC 8493 §2.2.2).
type Field struct{ Name, Value string }

// bag writes what makes a folder a bag.
type bag struct {
	root *os.Root
	tags map[string]file
}

// tag writes a file that is no part of the site.
func (b *bag) tag(name string, content []byte) error {
	if b.tags == nil {
		b.tags = map[string]file{}
	}
	sum := sha256.Sum256(content)
	b.tags[name] = file{int64(len(content)), hex.EncodeToString(sum[:])}
	return put(b.root, name, content)
}

// close writes the lists. The declaration comes last: without it there is no bag.
func (b *bag) close(files map[string]file, info []Field, size int64, now time.Time) error {
	var lines strings.Builder
	for _, f := range append(info,
		Field{"Bagging-Date", now.UTC().Format(time.DateOnly)},
		Field{"Payload-Oxum", fmt.Sprintf("%d.%d", size, len(files))},
	) {
		if value := strings.Join(strings.Fields(f.Value), " "); value != "" {
			fmt.Fprintf(&lines, "%s: %s\n", f.Name, value)
		}
	}
	if err := b.tag("bag-info.txt", []byte(lines.String())); err != nil {
		return err
	}
	if err := b.tag("manifest-sha256.txt", manifest("data/", files)); err != nil {
		return err
	}
	const declaration = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
	sum := sha256.Sum256([]byte(declaration))
	b.tags["bagit.txt"] = file{int64(len(declaration)), hex.EncodeToString(sum[:])}
	if err := put(b.root, "tagmanifest-sha256.txt", manifest("", b.tags)); err != nil {
		return err
	}
	return put(b.root, "bagit.txt", []byte(declaration))
}

// percent writes what ends a line in a manifest as the RFC has it (§2.1.3).
var percent = strings.NewReplacer("%", "%25", "\n", "%0A", "\r", "%0D")

func manifest(folder string, files map[string]file) []byte {
	var lines strings.Builder
	for _, name := range slices.Sorted(keys(files)) {
		fmt.Fprintf(&lines, "%s  %s%s\n", files[name].sha256, folder, percent.Replace(name))
	}
	return []byte(lines.String())
}
