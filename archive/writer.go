package archive

import (
	"hash"
	"io"
	"mime"
	"net/http"
)

// writer receives one answer.
type writer struct {
	header  http.Header
	status  int
	to      io.Writer
	hash    hash.Hash
	size    int64
	err     error
	endless bool
	cancel  func()
}

// Header implements http.ResponseWriter.
func (w *writer) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *writer) WriteHeader(status int) {
	if w.status != 0 {
		return
	}
	w.status = status
	if mediaType, _, _ := mime.ParseMediaType(w.header.Get("Content-Type")); mediaType == "text/event-stream" {
		w.endless = true
		w.cancel()
	}
}

// Write implements http.ResponseWriter.
func (w *writer) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.endless {
		return 0, io.ErrClosedPipe
	}
	n, err := w.to.Write(p)
	w.hash.Write(p[:n])
	w.size += int64(n)
	if err != nil && w.err == nil {
		w.err = err
	}
	return n, err
}

// Flush implements http.Flusher.
func (w *writer) Flush() { w.WriteHeader(http.StatusOK) }
