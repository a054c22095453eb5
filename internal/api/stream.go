package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"
)

// A stream is JSON objects, a line each, every line sent at once. When the verb
// fails after its first line, the last line is {"error": …}.

// failure is the last line of a stream that failed.
type failure struct {
	Error *Error `json:"error"`
}

// lineTimeout is how long a client may take to read a line before the daemon
// gives it up: one that is stopped must not hold the daemon's memory.
const lineTimeout = 10 * time.Second

// stream writes lines to one client, from any goroutine.
type stream struct {
	mu      sync.Mutex
	w       http.ResponseWriter
	control *http.ResponseController
	cancel  context.CancelFunc
	begun   bool
}

// serveEvents streams events until the client goes or the daemon ends.
func serveEvents(s Service, w http.ResponseWriter, r *http.Request) {
	ctx, out := newStream(w, r)
	defer out.cancel()
	out.begin()
	err := s.Events(ctx, func(e Event) { out.send(e) })
	if errors.Is(err, context.Canceled) { // how a stream without an end ends
		err = nil
	}
	out.end(err)
}

// serveVerify streams checks until the last.
func serveVerify(s Service, w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
	in, err := decode[VerifyRequest](r)
	if err != nil {
		fail(w, err)
		return
	}
	ctx, out := newStream(w, r)
	defer out.cancel()
	out.end(s.Verify(ctx, in, func(c Check) { out.send(c) }))
}

func newStream(w http.ResponseWriter, r *http.Request) (context.Context, *stream) {
	ctx, cancel := context.WithCancel(r.Context())
	return ctx, &stream{w: w, control: http.NewResponseController(w), cancel: cancel}
}

// begin sends the headers, so that the client knows it is heard before the
// first line.
func (s *stream) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.header()
	s.control.Flush()
}

func (s *stream) header() {
	if s.begun {
		return
	}
	s.begun = true
	s.w.Header().Set("Content-Type", "application/x-ndjson")
	s.w.WriteHeader(http.StatusOK)
}

// send writes one line and flushes it. When the client has gone or stands
// still the verb's context ends.
func (s *stream) send(v any) {
	b, err := encode(v)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.header()
	s.control.SetWriteDeadline(time.Now().Add(lineTimeout))
	if err == nil {
		_, err = s.w.Write(b)
	}
	if err == nil {
		err = s.control.Flush()
	}
	if err != nil {
		s.cancel()
	}
}

// end writes the error of the verb: as an ordinary answer with its status when
// nothing was sent yet, else as the last line. A client that went away is told
// nothing.
func (s *stream) end(err error) {
	s.mu.Lock()
	begun := s.begun
	s.mu.Unlock()
	switch {
	case err == nil:
		s.begin()
	case !begun:
		fail(s.w, err)
	default:
		s.send(failure{AsError(err)})
	}
	// The connection may carry further calls, which have no deadline.
	s.control.SetWriteDeadline(time.Time{})
}

// readStream hands every line of a stream to each, and returns the error of the
// last line or of the reading.
func readStream[T any](lines *json.Decoder, each func(T)) error {
	for lines.More() {
		var raw json.RawMessage
		if err := lines.Decode(&raw); err != nil {
			return err
		}
		var f failure
		if json.Unmarshal(raw, &f) == nil && f.Error != nil {
			return f.Error
		}
		var v T
		if err := json.Unmarshal(raw, &v); err != nil {
			return err
		}
		each(v)
	}
	_, err := lines.Token() // io.EOF at a clean end, else why More stopped
	return err
}
