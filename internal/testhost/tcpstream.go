package testhost

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"time"
)

// TCPReport is the balance of a TCPStream.
type TCPReport struct {
	Bytes        int64         // that came back, in order and right
	LongestStall time.Duration // the longest time in which nothing came back
	Stalls       int           // how often that took longer than StallAfter
	Broken       string        // what ended the connection before Stop, or the first wrong byte; "" is whole
}

// StallAfter is the pause that counts as a stall. It is the kernel's shortest
// retransmission timeout (200 ms), so one lost packet at the end of a burst
// shows, and a busy machine does not.
const StallAfter = 200 * time.Millisecond

// record is what a stream sends each recordEvery: numbers, so that a byte lost,
// doubled or altered shows. It makes about 1 MB/s, far below what a bridge does.
const (
	recordSize  = 1024
	recordEvery = time.Millisecond
)

// TCPStream sends numbered data to an Echo and reads it back, to show that a
// connection lives through a change.
type TCPStream struct {
	host *Host
	sock *socket
	seen netip.AddrPort
	quit chan struct{}
	done sync.WaitGroup
	once sync.Once

	mu       sync.Mutex
	report   TCPReport
	lastSeen time.Time
}

// TCPStream connects to an Echo and begins; it ends with the context or Stop. The
// handshake has DefaultTimeout.
func (h *Host) TCPStream(ctx context.Context, dst netip.AddrPort) (*TCPStream, error) {
	sock, seen, err := h.dialEcho(ctx, dst)
	if err != nil {
		return nil, fmt.Errorf("stream from %s to %s: %w", h.name, dst, err)
	}
	s := &TCPStream{host: h, sock: sock, seen: seen, quit: make(chan struct{}), lastSeen: time.Now()}
	s.done.Go(s.send)
	s.done.Go(s.hear)
	if err := h.own(s); err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { s.Stop() })
	return s, nil
}

// dialEcho connects and reads the line that says who we are, byte by byte: what
// follows belongs to the stream.
func (h *Host) dialEcho(ctx context.Context, dst netip.AddrPort) (*socket, netip.AddrPort, error) {
	ctx, cancel := context.WithTimeout(ctx, DefaultTimeout)
	defer cancel()
	sock, err := dialTCP(ctx, h.ns, Probe{Proto: TCP, To: dst.Addr(), Port: dst.Port()})
	if err != nil {
		return nil, netip.AddrPort{}, err
	}
	deadline, _ := ctx.Deadline()
	sock.file.SetDeadline(deadline)
	line := make([]byte, 0, 64)
	for len(line) == 0 || line[len(line)-1] != '\n' && len(line) < cap(line) {
		line = line[:len(line)+1]
		if _, err = io.ReadFull(sock.file, line[len(line)-1:]); err != nil {
			break
		}
	}
	var seen netip.AddrPort
	if err == nil {
		seen, err = parseSeen(string(line))
	}
	if err != nil {
		sock.Close()
		return nil, netip.AddrPort{}, err
	}
	return sock, seen, sock.file.SetDeadline(time.Time{})
}

// Seen is the source address and port that the other side saw.
func (s *TCPStream) Seen() netip.AddrPort { return s.seen }

func (s *TCPStream) send() {
	tick := time.NewTicker(recordEvery)
	defer tick.Stop()
	buf := make([]byte, recordSize)
	for n := uint64(0); ; {
		for i := 0; i < len(buf); i += 8 {
			binary.BigEndian.PutUint64(buf[i:], n)
			n++
		}
		if _, err := s.sock.file.Write(buf); err != nil {
			s.broke(err)
			return
		}
		select {
		case <-tick.C:
		case <-s.quit:
			return
		}
	}
}

func (s *TCPStream) hear() {
	buf := make([]byte, recordSize)
	for n := uint64(0); ; {
		if _, err := io.ReadFull(s.sock.file, buf); err != nil {
			s.broke(err)
			return
		}
		for i := 0; i < len(buf); i += 8 {
			if got := binary.BigEndian.Uint64(buf[i:]); got != n {
				s.broke(fmt.Errorf("number %d came back as %d", n, got))
				return
			}
			n++
		}
		s.mu.Lock()
		s.heard(time.Now())
		s.report.Bytes += recordSize
		s.mu.Unlock()
	}
}

// heard closes the pause since the last data. The lock is held.
func (s *TCPStream) heard(now time.Time) {
	pause := now.Sub(s.lastSeen)
	s.lastSeen = now
	s.report.LongestStall = max(s.report.LongestStall, pause)
	if pause > StallAfter {
		s.report.Stalls++
	}
}

func (s *TCPStream) broke(err error) {
	select {
	case <-s.quit: // by Stop
		return
	default:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.report.Broken == "" {
		s.report.Broken = err.Error()
	}
}

// Report is the balance so far, with a pause that is still going on.
func (s *TCPStream) Report() TCPReport {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.report
	pause := time.Since(s.lastSeen)
	r.LongestStall = max(r.LongestStall, pause)
	if pause > StallAfter {
		r.Stalls++
	}
	return r
}

// Stop ends the stream and returns its balance.
func (s *TCPStream) Stop() TCPReport {
	s.once.Do(func() {
		s.mu.Lock()
		s.heard(time.Now())
		s.mu.Unlock()
		close(s.quit)
		s.sock.Close()
		s.done.Wait()
		s.host.disown(s)
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.report
}

// Close is Stop for those who do not ask.
func (s *TCPStream) Close() error { s.Stop(); return nil }
