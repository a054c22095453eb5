package testhost

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
)

// askTCP opens connections until one of them is answered or refused. The kernel
// repeats a SYN after one second only, so each attempt is a connection of its
// own, and earlier ones go on: a slow answer counts too.
func askTCP(ctx context.Context, ns *netns.NS, p Probe) Result {
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	results := make(chan Result, attempts)
	again := time.NewTicker(p.Timeout / attempts)
	defer again.Stop()
	started := 0
	start := func() {
		started++
		go func() { results <- askTCPOnce(ctx, ns, p) }()
	}
	var last Result
	start()
	for done := 0; done < started; {
		select {
		case last = <-results:
			done++
			if last.Reason != Timeout {
				cancel()
				for ; done < started; done++ { // leave no connection behind
					<-results
				}
				return last
			}
		case <-again.C:
			// A fixed source port allows one connection at a time.
			if started < attempts && p.FromPort == 0 {
				start()
			}
		}
	}
	return last
}

func askTCPOnce(ctx context.Context, ns *netns.NS, p Probe) Result {
	s, err := dialTCP(ctx, ns, p)
	if err != nil {
		var no *noAnswer
		if errors.As(err, &no) {
			return no.Result
		}
		return failed(err)
	}
	defer s.Close()
	r := Result{OK: true, By: p.To}
	if p.Connect {
		return r
	}
	deadline, _ := ctx.Deadline()
	defer s.until(ctx, deadline)()
	line, err := bufio.NewReaderSize(s.file, 128).ReadString('\n')
	if err != nil {
		if errors.Is(err, io.EOF) {
			return Result{Reason: Closed, By: p.To}
		}
		reason, by := s.because(err)
		return Result{Reason: reason, By: by, Err: err.Error()}
	}
	seen, err := parseSeen(line)
	if err != nil {
		return Result{Reason: Failed, Err: err.Error(), By: p.To}
	}
	r.Seen, r.SeenPort = seen.Addr(), seen.Port()
	return r
}

// noAnswer is the error of a connection that nobody accepted.
type noAnswer struct{ Result }

func (e *noAnswer) Error() string { return e.String() }

// dialTCP opens a connection; ctx bounds the handshake. An unanswered or refused
// one is a *noAnswer.
func dialTCP(ctx context.Context, ns *netns.NS, p Probe) (*socket, error) {
	s, err := openSocket(ns, domain(p.To), unix.SOCK_STREAM, unix.IPPROTO_TCP, p.connect)
	if err != nil {
		return nil, err
	}
	deadline, _ := ctx.Deadline()
	stop := s.until(ctx, deadline)
	err = s.connected()
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		reason, by := s.because(err)
		s.Close()
		if ctx.Err() != nil && reason == Failed {
			reason = Timeout
		}
		if reason == Refused && !by.IsValid() {
			by = p.To // a reset comes from the address asked, or in its name
		}
		return nil, &noAnswer{Result{Reason: reason, By: by}}
	}
	return s, nil
}

// connected waits for the end of a handshake begun by connect(2).
func (s *socket) connected() (err error) {
	wait := s.raw.Write(func(fd uintptr) bool {
		var errno int
		errno, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && errno != 0 {
			err = unix.Errno(errno)
		}
		if err != nil {
			return true
		}
		// No error and no peer: the poller woke us before anything happened.
		_, peer := unix.Getpeername(int(fd))
		return peer == nil
	})
	if wait != nil {
		return wait
	}
	return err
}

// parseSeen reads the first line of an Echo's answer, "ADDRESS PORT".
func parseSeen(line string) (netip.AddrPort, error) {
	addr, port, _ := strings.Cut(strings.TrimSpace(line), " ")
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("read answer %q: it is not an address and a port", line)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("read answer %q: it is not an address and a port", line)
	}
	return netip.AddrPortFrom(a, uint16(n)), nil
}
