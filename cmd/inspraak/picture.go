package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // for image.DecodeConfig
	_ "image/png"
	"io/fs"
	"os"
	"path/filepath"

	"inspraak/participation"
)

// maxPicture is what every server fetches and keeps.
const maxPicture = 2 << 20

// picture is an image read from its author's folder, not yet in ours.
type picture struct {
	participation.Image
	data []byte
}

// readPicture reads a PNG, JPEG or WebP image of at most 2 MiB. The type is
// that of the content, not of the name. Width and height are known for PNG and
// JPEG only.
func readPicture(path, alt string) (*picture, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxPicture {
		return nil, fmt.Errorf("%s has %d bytes, at most %d: make it smaller", path, info.Size(), maxPicture)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p := &picture{data: data, Image: participation.Image{Alt: alt}}
	size, kind, err := image.DecodeConfig(bytes.NewReader(data))
	sum := sha256.Sum256(data)
	name := hex.EncodeToString(sum[:16])
	switch {
	case err == nil && kind == "png":
		p.MediaType, p.Path = "image/png", name+".png"
	case err == nil && kind == "jpeg":
		p.MediaType, p.Path = "image/jpeg", name+".jpg"
	case len(data) > 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WEBP":
		p.MediaType, p.Path = "image/webp", name+".webp"
	default:
		return nil, fmt.Errorf("%s is no PNG, JPEG or WebP image", path)
	}
	p.Width, p.Height = size.Width, size.Height
	return p, nil
}

// keep puts the picture into the media folder under its content's hash. The
// function returned takes it out again, if it was not there before.
func (p *picture) keep(folder string) (undo func(), err error) {
	nothing := func() {}
	if p == nil {
		return nothing, nil
	}
	path := filepath.Join(folder, p.Path)
	if _, err := os.Stat(path); err == nil {
		return nothing, nil
	}
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return nothing, fmt.Errorf("keep image: %w", err)
	}
	if err := writeNew(path, p.data, 0o640); err != nil && !errors.Is(err, fs.ErrExist) {
		return nothing, fmt.Errorf("keep image: %w", err)
	}
	return func() { os.Remove(path) }, nil
}
