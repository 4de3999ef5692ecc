package faults_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// tracer is the start of every strace command line. With -D the program keeps
// the process id that it would have without strace; system calls that are not
// asked for run at full speed.
func tracer(t testing.TB, args ...string) []string {
	t.Helper()
	path, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("skipped: strace is not installed")
	}
	if out, err := exec.Command(path, "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		t.Skipf("skipped: strace may not trace here: %v %s", err, out)
	}
	return append([]string{path, "-D", "-f", "--seccomp-bpf"}, args...)
}

// A call is one system call on a file of the database, or the answer that
// acknowledges a vote.
type call struct {
	name   string // pwrite64, ftruncate, fsync, open or ack
	path   string // the file; of an ack the voter's actor
	data   []byte // what pwrite64 writes
	offset int64  // where, or the size that ftruncate gives
	done   bool   // it has returned
	failed bool
	covers []*call // of fsync: what had been written when it began
	normal bool    // of fsync: a database set to synchronous=NORMAL would do it too
}

// A moment is the beginning or the end of a call.
type moment struct {
	*call
	end bool
}

// voterOf finds the sender in the bytes of a request.
var voterOf = regexp.MustCompile(`"actor":"([^"]+)"`)

// readTrace reads what strace -f -y -xx wrote about a node, in order: the calls
// on the database and its log, syncs of their folder, and each 202 or 200 at
// the moment when the node began to send it, which is before anybody can have
// received it.
func readTrace(r io.Reader, database string) ([]moment, error) {
	lines := bufio.NewReaderSize(r, 1<<20)
	unfinished := map[string]string{} // by thread
	begun := map[string]*call{}       // by thread
	requests := map[string][]byte{}   // by socket: what was read since the last answer
	var moments []moment
	for {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return moments, nil
		}
		if err != nil {
			return nil, err
		}
		thread, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		text = strings.TrimLeft(text, " ")
		if strings.HasPrefix(text, "+++") || strings.HasPrefix(text, "---") {
			continue
		}
		resumed := strings.HasPrefix(text, "<... ")
		if resumed {
			_, rest, _ := strings.Cut(text, " resumed>")
			text = unfinished[thread] + rest
			delete(unfinished, thread)
		}
		head, wait := strings.CutSuffix(text, " <unfinished ...>")
		if wait {
			unfinished[thread], text = head, head
		}
		s, err := parseCall(text)
		if err != nil {
			return nil, fmt.Errorf("%w: %.300s", err, line)
		}
		if strings.HasPrefix(s.file, "socket:") {
			switch {
			case s.name == "read" && !wait:
				requests[s.file] = append(requests[s.file], s.data...)
			case s.name == "write" && !resumed:
				ok := bytes.HasPrefix(s.data, []byte("HTTP/1.1 202 ")) || bytes.HasPrefix(s.data, []byte("HTTP/1.1 200 "))
				if m := voterOf.FindSubmatch(requests[s.file]); ok && m != nil {
					moments = append(moments, moment{&call{name: "ack", path: string(m[1])}, true})
				}
				delete(requests, s.file)
			}
			continue
		}
		if s.file != database && s.file != database+"-wal" && (s.name != "fsync" || s.file != filepath.Dir(database)) {
			continue
		}
		switch s.name {
		case "open", "openat": // a file's name is known only when it has been opened
			if !wait {
				moments = append(moments, moment{&call{name: "open", path: s.file}, true})
			}
			continue
		case "pwrite64", "ftruncate", "fsync":
		default:
			return nil, fmt.Errorf("the simulated disk knows no %s: %.300s", s.name, line)
		}
		c := begun[thread]
		if !resumed {
			c = &call{name: s.name, path: s.file, data: s.data, offset: s.number}
			moments = append(moments, moment{c, false})
		}
		if wait {
			begun[thread] = c
			continue
		}
		c.failed = s.result < 0 || s.name == "pwrite64" && s.result != int64(len(s.data))
		moments = append(moments, moment{c, true})
	}
}

// A syscallLine is one line of strace.
type syscallLine struct {
	name, file string
	data       []byte
	number     int64 // the last argument, if it is a number
	result     int64
}

// parseCall reads "name(3<file>, "data", size, offset) = result"; the closing
// part is missing while the call is under way. The file of open is that of its
// result.
func parseCall(text string) (s syscallLine, err error) {
	name, rest, ok := strings.Cut(text, "(")
	if !ok {
		return s, errors.New("not a system call")
	}
	s.name = name
	arguments := rest
	if i := strings.LastIndex(rest, " = "); i >= 0 {
		result := rest[i+len(" = "):]
		if arguments, ok = strings.CutSuffix(strings.TrimRight(rest[:i], " "), ")"); !ok {
			return s, errors.New("no closing parenthesis")
		}
		if strings.HasPrefix(name, "open") {
			if s.file, err = label(result); err != nil {
				return s, err
			}
		}
		result, _, _ = strings.Cut(result, " ")
		result, _, _ = strings.Cut(result, "<")
		if result == "?" { // the process ended inside it
			result = "-1"
		}
		if s.result, err = strconv.ParseInt(result, 10, 64); err != nil {
			return s, fmt.Errorf("result: %w", err)
		}
	}
	if strings.HasPrefix(name, "open") {
		return s, nil
	}
	if s.file, err = label(arguments); err != nil {
		return s, err
	}
	if _, quoted, ok := strings.Cut(arguments, `"`); ok { // the first: renameat has two
		escaped, after, _ := strings.Cut(quoted, `"`)
		if s.data, err = unescape(escaped); err != nil {
			return s, err
		}
		if strings.HasPrefix(after, "...") {
			return s, errors.New("the trace has been cut short: give strace a larger -s")
		}
	}
	if i := strings.LastIndex(arguments, ", "); i >= 0 {
		s.number, _ = strconv.ParseInt(arguments[i+2:], 10, 64)
	}
	return s, nil
}

// label decodes the name in "3<\x2f…>".
func label(text string) (string, error) {
	_, rest, ok := strings.Cut(text, "<")
	if !ok {
		return "", nil
	}
	hex, _, _ := strings.Cut(rest, ">")
	raw, err := unescape(hex)
	return string(raw), err
}

// unescape decodes what -xx prints, \x and two digits for every byte.
func unescape(text string) ([]byte, error) {
	out := make([]byte, 0, len(text)/4)
	for i := 0; i < len(text); i += 4 {
		if i+4 > len(text) || text[i] != '\\' || text[i+1] != 'x' {
			return nil, errors.New("not escaped byte by byte")
		}
		high, low := strings.IndexByte(digits, text[i+2]), strings.IndexByte(digits, text[i+3])
		if high < 0 || low < 0 {
			return nil, errors.New("not hexadecimal")
		}
		out = append(out, byte(high<<4|low))
	}
	return out, nil
}

const digits = "0123456789abcdef"

// openTrace waits until strace has written all, and opens what it wrote.
func openTrace(t testing.TB, path string) *os.File {
	t.Helper()
	size := int64(-1)
	for range 300 {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() == size && endsWell(path, size) {
			break
		}
		size = info.Size()
		time.Sleep(50 * time.Millisecond)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// endsWell tells whether a trace ends with the end of a thread.
func endsWell(path string, size int64) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	tail := make([]byte, 40)
	n, _ := f.ReadAt(tail, max(0, size-int64(len(tail))))
	return bytes.HasSuffix(tail[:n], []byte(" +++\n"))
}
