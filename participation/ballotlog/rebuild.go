package ballotlog

import (
	"bytes"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Rebuild makes a tree anew of its entries and holds the stored tiles against
// it. It needs memory for one tile per level.
type Rebuild struct {
	Tiles Tiles // the stored ones

	size   int64
	levels []rebuilt
	peaks  []peak
}

type rebuilt struct {
	n    int64 // number of the tile under way
	tile []byte
}

// peak is a full subtree whose sibling has not come yet.
type peak struct {
	height int
	hash   tlog.Hash
}

// Add takes the next entry.
func (r *Rebuild) Add(entry string) error {
	h := tlog.RecordHash([]byte(entry))
	r.size++
	p := peak{hash: h}
	for n := len(r.peaks); n > 0 && r.peaks[n-1].height == p.height; n = len(r.peaks) {
		p = peak{p.height + 1, tlog.NodeHash(r.peaks[n-1].hash, p.hash)}
		r.peaks = r.peaks[:n-1]
	}
	r.peaks = append(r.peaks, p)
	return r.place(0, h)
}

func (r *Rebuild) place(level int, h tlog.Hash) error {
	if level == len(r.levels) {
		r.levels = append(r.levels, rebuilt{})
	}
	l := &r.levels[level]
	l.tile = append(l.tile, h[:]...)
	if len(l.tile) < TileWidth*tlog.HashSize {
		return nil
	}
	if err := r.compare(level); err != nil {
		return err
	}
	head := tileHead(l.tile)
	l.n, l.tile = l.n+1, l.tile[:0]
	return r.place(level+1, head)
}

func (r *Rebuild) compare(level int) error {
	l := r.levels[level]
	stored, err := r.Tiles.Tile(level, l.n)
	if err != nil {
		return err
	}
	if len(stored) < len(l.tile) || !bytes.Equal(stored[:len(l.tile)], l.tile) {
		return fmt.Errorf("tile %d of level %d is not that of the entries", l.n, level)
	}
	return nil
}

// Root is that of the entries so far.
func (r *Rebuild) Root() tlog.Hash {
	if len(r.peaks) == 0 {
		root, _ := tlog.TreeHash(0, nil)
		return root
	}
	last := len(r.peaks) - 1
	h := r.peaks[last].hash
	for i := last - 1; i >= 0; i-- {
		h = tlog.NodeHash(r.peaks[i].hash, h)
	}
	return h
}

// Finish compares the tiles that are not full.
func (r *Rebuild) Finish() error {
	for level, l := range r.levels {
		if len(l.tile) == 0 {
			continue
		}
		if err := r.compare(level); err != nil {
			return err
		}
	}
	return nil
}
