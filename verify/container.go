package verify

import (
	"archive/zip"
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// How much of a stranger's archive is read.
const (
	maxDirectory = 1 << 20 // bytes of the zip's directory; an honest one has some 3,000
	maxSmall     = 1 << 20 // bytes of a file or a line that is held in memory
	maxStored    = 64 << 20
	maxTotal     = 2 << 30 // bytes of all files together
)

// rationed lets a reader have only so many bytes. The directory of a zip is read
// into memory as a whole, so it must be short; what follows is read in a stream.
type rationed struct {
	io.ReaderAt
	left int64
}

var errDirectory = errors.New("its list of files is too long")

func (r *rationed) ReadAt(p []byte, off int64) (int, error) {
	if r.left -= int64(len(p)); r.left < 0 {
		return 0, errDirectory
	}
	return r.ReaderAt.ReadAt(p, off)
}

// container is a zip whose file names are sound.
type container struct {
	order []string
	files map[string]*zip.File
}

func openContainer(r io.ReaderAt, size int64) (*container, error) {
	ration := &rationed{r, maxDirectory}
	archive, err := zip.NewReader(ration, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, unread("the zip", "cannot be read, is it cut off? (%v)", err)
	}
	ration.left = 1 << 62
	c := &container{files: map[string]*zip.File{}}
	for _, f := range archive.File {
		switch where := "file " + plain(f.Name); {
		case !flat(f.Name) || !f.Mode().IsRegular():
			return nil, wrong(where, "a dataset holds plain files, without folders or paths")
		case c.files[f.Name] != nil:
			return nil, wrong(where, "is in the zip twice")
		}
		c.files[f.Name] = f
		c.order = append(c.order, f.Name)
	}
	return c, nil
}

// flat says whether a name is that of a file beside the others.
func flat(name string) bool {
	return name != "" && name != "." && name != ".." && utf8.ValidString(name) && len(name) < 256 &&
		!strings.ContainsAny(name, `/\:`) && !strings.ContainsFunc(name, unicode.IsControl)
}

// open reads a file; its errors name it.
func (c *container) open(name string) (io.ReadCloser, error) {
	f := c.files[name]
	if f == nil {
		return nil, wrong(name, "is missing")
	}
	r, err := f.Open()
	if err != nil {
		return nil, wrong(name, "cannot be unpacked: %v", err)
	}
	return r, nil
}

// bytes reads a file of at most limit bytes.
func (c *container) bytes(name string, limit int64) ([]byte, error) {
	r, err := c.open(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		return nil, wrong(name, "cannot be unpacked: %v", err)
	case int64(len(data)) > limit:
		return nil, wrong(name, "is larger than %d bytes", limit)
	}
	return data, nil
}

// line is one of a file, without its newline, and good until the next.
type line struct {
	number int // from 1
	text   []byte
}

// lines reads a text file line by line. The last line too must end. It stops
// after an error.
func (c *container) lines(name string) iter.Seq2[line, error] {
	return func(yield func(line, error) bool) {
		r, err := c.open(name)
		if err != nil {
			yield(line{}, err)
			return
		}
		defer r.Close()
		buffer := bufio.NewReaderSize(r, maxSmall)
		for n := 1; ; n++ {
			text, err := buffer.ReadSlice('\n')
			where := fmt.Sprintf("%s line %d", name, n)
			switch {
			case err == io.EOF && len(text) == 0:
				return
			case err == io.EOF:
				err = wrong(where, "does not end with a newline")
			case err == bufio.ErrBufferFull:
				err = wrong(where, "is longer than %d bytes", maxSmall)
			case err != nil:
				err = wrong(where, "cannot be unpacked: %v", err)
			case !utf8.Valid(text):
				err = wrong(where, "is not UTF-8")
			}
			if err != nil {
				yield(line{}, err)
				return
			}
			if !yield(line{n, text[:len(text)-1]}, nil) {
				return
			}
		}
	}
}

// stated is what the manifest says of a file.
type stated struct {
	name string
	hash [sha256.Size]byte
	size int64
}

// manifest reads the signed list of files.
func (c *container) manifest(k *key) ([]stated, error) {
	const name = "manifest.txt"
	data, err := c.bytes(name, maxSmall)
	if err != nil {
		return nil, err
	}
	text, err := k.open(name, data)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if lines[0] != k.origin {
		return nil, wrong(name+" line 1", "is not the origin %s", plain(k.origin))
	}
	if len(lines) < 2 || lines[1] != "inspraak dataset v1" {
		return nil, wrong(name+" line 2", "is not \"inspraak dataset v1\"")
	}
	var list []stated
	var total int64
	for i, l := range lines[2:] {
		where := fmt.Sprintf("%s line %d", name, i+3)
		parts := strings.SplitN(l, " ", 3)
		if len(parts) < 3 {
			return nil, wrong(where, "is not \"SHA256 SIZE NAME\"")
		}
		s := stated{name: parts[2]}
		hash, err := hex.DecodeString(parts[0])
		if err != nil || len(hash) != sha256.Size || strings.ToLower(parts[0]) != parts[0] {
			return nil, wrong(where, "does not begin with a SHA-256 in lower-case hexadecimal")
		}
		copy(s.hash[:], hash)
		if s.size, err = decimal(parts[1]); err != nil {
			return nil, wrong(where, "its size is no number")
		}
		if !flat(s.name) || s.name == name {
			return nil, wrong(where, "names a file that cannot be in it")
		}
		if len(list) > 0 && list[len(list)-1].name >= s.name {
			return nil, wrong(where, "is not sorted by name, or names a file twice")
		}
		if s.size > maxTotal || total+s.size > maxTotal {
			return nil, unread(where, "the files would be larger than %d bytes, more than this verifier reads", maxTotal)
		}
		total += s.size
		list = append(list, s)
	}
	return list, nil
}

// agree holds the files against the manifest.
func (c *container) agree(list []stated) error {
	listed := map[string]bool{"manifest.txt": true}
	for _, s := range list {
		f := c.files[s.name]
		if f == nil {
			return wrong(s.name, "is in the manifest and not in the zip")
		}
		if f.UncompressedSize64 != uint64(s.size) {
			return wrong(s.name, "has %d bytes, and %d in the manifest", f.UncompressedSize64, s.size)
		}
		listed[s.name] = true
	}
	for _, name := range c.order {
		if !listed[name] {
			return wrong(name, "is in the zip and not in the manifest")
		}
	}
	for _, s := range list {
		r, err := c.open(s.name)
		if err != nil {
			return err
		}
		hash := sha256.New()
		n, err := io.Copy(hash, io.LimitReader(r, s.size+1))
		r.Close()
		switch {
		case err != nil:
			return wrong(s.name, "cannot be unpacked: %v", err)
		case n != s.size || [sha256.Size]byte(hash.Sum(nil)) != s.hash:
			return wrong(s.name, "is not the file that was signed: another SHA-256 than in the manifest")
		}
	}
	return nil
}

// decimal reads a number that is written the one usual way, without sign.
func decimal(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != s {
		return 0, errors.New("no number")
	}
	return n, nil
}

// plain shows a stranger's text on one line, and cut if long: nothing in it moves
// a cursor or turns the direction of reading.
func plain(s string) string {
	const most = 500
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
