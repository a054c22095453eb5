package testhost

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
)

// askUDP sends the same datagram until it comes back behind a line that says who
// we are, or until somebody refuses.
func askUDP(ctx context.Context, ns *netns.NS, p Probe) Result {
	s, err := openSocket(ns, domain(p.To), unix.SOCK_DGRAM, unix.IPPROTO_UDP, p.connect)
	if err != nil {
		return failed(err)
	}
	defer s.Close()
	question := make([]byte, max(p.Size, 16))
	rand.Read(question)
	return repeat(ctx, s, p.Timeout, func() error { return s.send(question, nil) }, func() (Result, error) {
		return hearUDP(s, p.To, question)
	})
}

// hearUDP waits for one datagram; one that is not an answer is no result.
func hearUDP(s *socket, to netip.Addr, question []byte) (Result, error) {
	buf := make([]byte, 1<<16)
	n, _, err := s.recv(buf)
	if err != nil {
		return Result{}, err
	}
	line, echoed, _ := bytes.Cut(buf[:n], []byte("\n"))
	seen, err := parseSeen(string(line))
	if err != nil || !bytes.Equal(echoed, question) {
		return Result{}, nil
	}
	return Result{OK: true, By: to, Seen: seen.Addr(), SeenPort: seen.Port()}, nil
}

// repeat sends a question several times within the timeout and listens in
// between. hear returns a Result with OK or a Reason to end it, the zero Result
// to go on, or the error of the socket.
func repeat(ctx context.Context, s *socket, timeout time.Duration, send func() error, hear func() (Result, error)) Result {
	for range attempts {
		stop := s.until(ctx, time.Now().Add(timeout/attempts))
		var r Result
		err := send()
		for err == nil && !r.OK && r.Reason == "" {
			r, err = hear()
		}
		stop()
		if err == nil {
			return r
		}
		if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil {
			continue
		}
		if ctx.Err() != nil {
			return Result{Reason: Timeout, Err: context.Cause(ctx).Error()}
		}
		reason, by := s.because(err)
		return Result{Reason: reason, By: by, Err: err.Error()}
	}
	return Result{Reason: Timeout}
}
