package dns

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"kvmnet/internal/socket"
)

// listener is the pair of sockets on an address; one of them may be missing.
type listener struct {
	udp *socket.UDP
	tcp net.Listener
}

// listen opens what is missing on an address.
func (s *Server) listen(a netip.Addr) error {
	l := s.sockets[a]
	if l == nil {
		l = &listener{}
		s.sockets[a] = l
	}
	at := netip.AddrPortFrom(a, 53)
	var udp, tcp error
	if l.udp == nil {
		udp = patiently(func() (err error) { l.udp, err = socket.ListenUDP(s.o.NS, at); return err })
		if u := l.udp; udp == nil {
			s.tasks.Go(func() { s.serveDatagrams(l, u) })
		}
	}
	if l.tcp == nil {
		tcp = patiently(func() (err error) { l.tcp, err = socket.ListenTCP(s.o.NS, at); return err })
		if t := l.tcp; tcp == nil {
			s.tasks.Go(func() { s.serveStreams(t) })
		}
	}
	return errors.Join(wayOut(udp), wayOut(tcp))
}

// wayOut says what to do about a port that is taken.
func wayOut(err error) error {
	if _, taken := errors.AsType[*socket.TakenError](err); taken {
		return fmt.Errorf("%w; stop it, or have it listen on other addresses", err)
	}
	return err
}

// patiently opens a socket, again for a moment when the port seems to be taken by
// nobody or by ourselves: between fork and exec a child that we start has all our
// sockets, also those that we close meanwhile.
func patiently(open func() error) error {
	for pause := time.Millisecond; ; pause *= 2 {
		err := open()
		taken, ok := errors.AsType[*socket.TakenError](err)
		if !ok || pause > 32*time.Millisecond || taken.PID != 0 && taken.Command != command() {
			return err
		}
		time.Sleep(pause)
	}
}

// command is our name as the kernel has it, with at most 15 characters.
func command() string {
	comm, _ := os.ReadFile("/proc/self/comm")
	return strings.TrimSpace(string(comm))
}

// close ends the listeners of the addresses that match.
func (s *Server) close(match func(netip.Addr) bool) {
	for a, l := range maps.Clone(s.sockets) {
		if !match(a) {
			continue
		}
		if l.udp != nil {
			l.udp.Close()
		}
		if l.tcp != nil {
			l.tcp.Close()
		}
		delete(s.sockets, a)
	}
}
