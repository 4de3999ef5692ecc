package ballotlog

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// tileHeight is that of C2SP tlog-tiles: 256 hashes to a tile.
const (
	tileHeight = 8
	TileWidth  = 1 << tileHeight
)

// Tiles are where a tree is kept: by level and number, up to TileWidth hashes of
// 32 bytes. A tile that is not there is empty.
type Tiles interface {
	Tile(level int, n int64) ([]byte, error)
	SaveTile(level int, n int64, hashes []byte) error
}

// Tree is a Merkle tree over tiles (RFC 6962 §2.1; C2SP tlog-tiles).
type Tree struct {
	Tiles Tiles
	Size  int64
}

// Append adds entries and writes the tiles that change.
func (t *Tree) Append(entries []string) error {
	hashes := make([]byte, 0, len(entries)*tlog.HashSize)
	for _, e := range entries {
		h := tlog.RecordHash([]byte(e))
		hashes = append(hashes, h[:]...)
	}
	if err := t.add(0, t.Size, hashes); err != nil {
		return fmt.Errorf("append to the log: %w", err)
	}
	t.Size += int64(len(entries))
	return nil
}

// add appends hashes to a level that has some, and the heads of the tiles that
// become full to the level above.
func (t *Tree) add(level int, have int64, hashes []byte) error {
	var heads []byte
	above := have / TileWidth
	for n := have / TileWidth; len(hashes) > 0; n++ {
		tile, err := t.tile(level, n, int(have-n*TileWidth))
		if err != nil {
			return err
		}
		room := min(TileWidth*tlog.HashSize-len(tile), len(hashes))
		tile = append(tile, hashes[:room]...)
		hashes = hashes[room:]
		have += int64(room / tlog.HashSize)
		if err := t.Tiles.SaveTile(level, n, tile); err != nil {
			return err
		}
		if len(tile) == TileWidth*tlog.HashSize {
			head := tileHead(tile)
			heads = append(heads, head[:]...)
		}
	}
	if len(heads) == 0 {
		return nil
	}
	return t.add(level+1, above, heads)
}

// tile is the first width hashes of a tile.
func (t *Tree) tile(level int, n int64, width int) ([]byte, error) {
	if width == 0 {
		return nil, nil
	}
	data, err := t.Tiles.Tile(level, n)
	if err != nil {
		return nil, err
	}
	if len(data) < width*tlog.HashSize {
		return nil, fmt.Errorf("tile %d of level %d is cut short", n, level)
	}
	return data[: width*tlog.HashSize : width*tlog.HashSize], nil
}

func tileHead(tile []byte) tlog.Hash {
	hashes := make([]tlog.Hash, 0, TileWidth)
	for i := 0; i < len(tile); i += tlog.HashSize {
		hashes = append(hashes, tlog.Hash(tile[i:]))
	}
	for ; len(hashes) > 1; hashes = hashes[:len(hashes)/2] {
		for i := range len(hashes) / 2 {
			hashes[i] = tlog.NodeHash(hashes[2*i], hashes[2*i+1])
		}
	}
	return hashes[0]
}

// ReadHashes implements tlog.HashReader.
func (t *Tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	all := make([]tlog.Hash, 0, len(indexes))
	read := map[tlog.Tile][]byte{}
	for _, index := range indexes {
		at := tlog.TileForIndex(tileHeight, index)
		data, ok := read[at]
		if !ok {
			var err error
			if data, err = t.tile(at.L, at.N, at.W); err != nil {
				return nil, err
			}
			read[at] = data
		}
		h, err := tlog.HashFromTile(at, data, index)
		if err != nil {
			return nil, err
		}
		all = append(all, h)
	}
	return all, nil
}

// Root is the hash of the whole tree.
func (t *Tree) Root() (tlog.Hash, error) {
	root, err := tlog.TreeHash(t.Size, t)
	if err != nil {
		return root, fmt.Errorf("root of the log: %w", err)
	}
	return root, nil
}

// Proof is an offline proof that entry n stands in the log of a checkpoint
// (C2SP tlog-proof), with the entry itself as its extra data.
func (t *Tree) Proof(n int64, entry, checkpoint string) ([]byte, error) {
	hashes, err := tlog.ProveRecord(t.Size, n, t)
	if err != nil {
		return nil, fmt.Errorf("prove entry %d: %w", n, err)
	}
	return proofText(n, hashes, entry, checkpoint), nil
}
