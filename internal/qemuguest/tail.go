package qemuguest

import (
	"io"
	"strings"
	"sync"
)

// tailSize is how much of an output is kept.
const tailSize = 16 << 10

// tail keeps the end of what a reader gives.
type tail struct {
	done chan struct{} // closed at the end of the reader

	mu  sync.Mutex
	buf []byte
}

func newTail() *tail { return &tail{done: make(chan struct{})} }

// follow reads to the end and closes the reader.
func (t *tail) follow(r io.ReadCloser) {
	defer close(t.done)
	defer r.Close()
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		t.keep(buf[:n])
		if err != nil {
			return
		}
	}
}

func (t *tail) keep(p []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - tailSize; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.buf))
}
