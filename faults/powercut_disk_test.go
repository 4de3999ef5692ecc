package faults_test

import (
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
)

// A disk is what would be left of some files after a power cut, had it obeyed
// the calls seen so far: for certain only what a completed fsync covers.
type disk struct {
	files  map[string]*stored
	normal bool // heed only the syncs that synchronous=NORMAL would have done
}

type stored struct {
	content []byte  // for certain
	linked  bool    // its name is in the folder for certain
	pending []*call // written since, perhaps lost
}

// see takes note of one moment.
func (d *disk) see(m moment) {
	f := d.files[m.path]
	switch m.name {
	case "open":
		if m.end && !m.failed && f == nil {
			d.files[m.path] = &stored{}
		}
	case "pwrite64", "ftruncate":
		if !m.end {
			f.pending = append(f.pending, m.call)
		} else if m.done = true; m.failed { // a failed write may have written something
			f.pending = slices.DeleteFunc(f.pending, func(c *call) bool { return c == m.call })
		}
	case "fsync":
		switch {
		case d.normal && !m.normal:
		case f == nil && m.end && !m.failed: // the folder
			for path, f := range d.files {
				f.linked = f.linked || filepath.Dir(path) == m.path
			}
		case f == nil:
		case !m.end:
			m.covers = slices.DeleteFunc(slices.Clone(f.pending), func(c *call) bool { return !c.done })
		case !m.failed:
			for _, c := range m.covers {
				f.content = c.apply(f.content, nil)
			}
			f.pending = slices.DeleteFunc(f.pending, func(c *call) bool { return slices.Contains(m.covers, c) })
		}
	}
}

// apply does a write or a truncation, or of a write only the sectors wanted.
func (c *call) apply(content []byte, wanted func() bool) []byte {
	end := c.offset + int64(len(c.data))
	if c.name == "ftruncate" && end < int64(len(content)) {
		return content[:end]
	}
	if grow := end - int64(len(content)); grow > 0 {
		content = append(content, make([]byte, grow)...)
	}
	if wanted == nil {
		copy(content[c.offset:], c.data)
		return content
	}
	for at := c.offset; at < end; {
		next := min(end, (at/sector+1)*sector)
		if wanted() {
			copy(content[at:next], c.data[at-c.offset:next-c.offset])
		}
		at = next
	}
	return content
}

// sector is what a disk writes whole or not at all.
const sector = 512

// pessimal is what is left if all that is uncertain is lost.
func (d *disk) pessimal() map[string][]byte {
	left := map[string][]byte{}
	for path, f := range d.files {
		if f.linked {
			left[path] = slices.Clone(f.content)
		}
	}
	return left
}

// reordered is what is left if each uncertain write is lost with a chance of
// one half, whatever its neighbours do, and three in ten of the others are torn:
// of their sectors, too, each is lost with a chance of one half.
func (d *disk) reordered(r *rand.Rand) map[string][]byte {
	coin := func() bool { return r.IntN(2) == 0 }
	left := map[string][]byte{}
	for _, path := range slices.Sorted(maps.Keys(d.files)) {
		f := d.files[path]
		if !f.linked && coin() {
			continue
		}
		content := slices.Clone(f.content)
		for _, c := range f.pending {
			if !coin() {
				continue
			}
			if r.IntN(10) < 3 {
				content = c.apply(content, coin)
			} else {
				content = c.apply(content, nil)
			}
		}
		left[path] = content
	}
	return left
}
