package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"path"
	"strings"
)

// Asset is a static file. Its name contains a digest of its content, so a
// browser may keep it for good.
type Asset struct {
	Data      []byte
	Packed    []byte // Data with gzip; nil where that saves nothing
	MediaType string
}

// Asset finds a static file by its hashed name.
func (s *Site) Asset(name string) (Asset, bool) {
	a, ok := s.assets[name]
	return a, ok
}

// AssetPath is the address of a static file by its plain name, such as
// "icon.svg"; "" if there is none.
func (s *Site) AssetPath(name string) string {
	if s.hashed[name] == "" {
		return ""
	}
	return "/static/" + s.hashed[name]
}

func (s *Site) loadAssets() error {
	s.assets, s.hashed = map[string]Asset{}, map[string]string{}
	for _, name := range staticNames() {
		data, err := files.ReadFile("static/" + name)
		if err != nil {
			return err
		}
		s.addAsset(name, data)
	}
	return nil
}

// addAsset serves a file, in the place of the one that had its name.
func (s *Site) addAsset(name string, data []byte) {
	types := map[string]string{".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".png": "image/png", ".ico": "image/vnd.microsoft.icon"}
	sum, ext := sha256.Sum256(data), path.Ext(name)
	hashed := strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext
	delete(s.assets, s.hashed[name])
	s.assets[hashed], s.hashed[name] = Asset{Data: data, Packed: pack(data), MediaType: types[ext]}, hashed
}

// pack packs once what is sent often; nil if that does not save a tenth.
func pack(data []byte) []byte {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil
	}
	// A buffer takes all that is written to it.
	_, _ = w.Write(data)
	_ = w.Close()
	if b.Len() > len(data)*9/10 {
		return nil
	}
	return b.Bytes()
}
