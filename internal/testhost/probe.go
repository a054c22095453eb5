package testhost

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
)

// Proto is what a probe speaks, or what a packet carries.
type Proto string

// The protocols. ICMP means ICMPv6 when the addresses are IPv6.
const (
	ICMP Proto = "icmp"
	TCP  Proto = "tcp"
	UDP  Proto = "udp"
	ARP  Proto = "arp" // in captured and spoofed packets only
)

// DefaultTimeout is how long an answer may take unless a Probe says otherwise.
const DefaultTimeout = time.Second

// Probe is one question to another machine.
type Probe struct {
	Proto    Proto
	To       netip.Addr    // a link-local address carries its zone: fe80::1%eth0
	Port     uint16        // tcp, udp; 0 means EchoPort
	From     netip.Addr    // optional source; one the host does not hold is sent all the same
	FromPort uint16        // optional source port; 0 lets the kernel choose
	Timeout  time.Duration // 0 means DefaultTimeout
	Connect  bool          // tcp: the handshake is answer enough, nobody need say who I am
	Size     int           // icmp, udp: payload bytes; raised to the 8 or 16 a probe needs
	DontFrag bool          // icmp, udp: a packet larger than the path is an error, not fragments
}

// String prints the probe for messages: "tcp 192.0.2.1:80".
func (p Probe) String() string {
	s := string(p.Proto) + " " + p.To.String()
	if p.Proto != ICMP {
		s = string(p.Proto) + " " + netip.AddrPortFrom(p.To, p.port()).String()
	}
	if p.From.IsValid() {
		s += " from " + p.From.String()
	}
	return s
}

func (p Probe) port() uint16 {
	if p.Port == 0 {
		return EchoPort
	}
	return p.Port
}

// Result is what came of a Probe.
type Result struct {
	OK       bool
	Seen     netip.Addr    // the source the other side saw (tcp, udp)
	SeenPort uint16        // and its port
	By       netip.Addr    // who answered, or who sent the error; not valid if nobody did
	Reason   Reason        // why not OK; "" when OK
	Err      string        // the error behind Failed and the local reasons
	RTT      time.Duration // from the first packet to the answer or the refusal
}

// String prints the result for messages.
func (r Result) String() string {
	switch {
	case r.OK && r.Seen.IsValid():
		return fmt.Sprintf("answered by %s, seen as %s", r.By, netip.AddrPortFrom(r.Seen, r.SeenPort))
	case r.OK:
		return fmt.Sprintf("answered by %s", r.By)
	case r.By.IsValid():
		return fmt.Sprintf("%s, says %s", r.Reason, r.By)
	case r.Err != "":
		return fmt.Sprintf("%s (%s)", r.Reason, r.Err)
	}
	return string(r.Reason)
}

// attempts is how often a question is put within the timeout: a bridge that has
// just learnt a port, or a neighbour entry that has just failed, swallows the
// first packet.
const attempts = 3

// Probe asks another machine and returns as soon as somebody answers or refuses;
// silence is decided by the timeout. It never fails: a probe that could not be
// made is a Result with Reason Failed.
func (h *Host) Probe(ctx context.Context, p Probe) Result { return Ask(ctx, h.ns, p) }

// Ask puts a Probe from any namespace, such as the one kvmnet manages.
func Ask(ctx context.Context, ns *netns.NS, p Probe) Result {
	p.Port = p.port()
	if p.Timeout <= 0 {
		p.Timeout = DefaultTimeout
	}
	p.To = p.To.Unmap()
	ask, ok := map[Proto]func(context.Context, *netns.NS, Probe) Result{ICMP: askICMP, TCP: askTCP, UDP: askUDP}[p.Proto]
	switch {
	case !ok:
		return failed(fmt.Errorf("probe %q: the protocol is not icmp, tcp or udp", p.Proto))
	case !p.To.IsValid():
		return failed(fmt.Errorf("probe %s: no address", p.Proto))
	}
	start := time.Now()
	r := ask(ctx, ns, p)
	r.RTT = time.Since(start)
	return r
}

// failed is the result of a probe that did not leave.
func failed(err error) Result { return Result{Reason: errnoReason(err), Err: err.Error()} }

// prepare binds a socket as the probe asks. IP_TRANSPARENT lets the kernel send
// from an address the host does not hold, as a spoofing guest would.
func (p Probe) prepare(fd int) error {
	level, transparent, discover, probe := unix.IPPROTO_IP, unix.IP_TRANSPARENT, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE
	if p.To.Is6() {
		level, transparent, discover, probe = unix.IPPROTO_IPV6, unix.IPV6_TRANSPARENT, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE
	}
	if p.DontFrag {
		if err := unix.SetsockoptInt(fd, level, discover, probe); err != nil {
			return fmt.Errorf("forbid fragments: %w", err)
		}
	}
	if !p.From.IsValid() && p.FromPort == 0 {
		return nil
	}
	from := p.From
	if !from.IsValid() {
		from = netip.IPv4Unspecified()
		if p.To.Is6() {
			from = netip.IPv6Unspecified()
		}
	}
	if err := unix.SetsockoptInt(fd, level, transparent, 1); err != nil {
		return fmt.Errorf("allow any source: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return fmt.Errorf("allow a port in use: %w", err)
	}
	sa, err := sockaddr(from, p.FromPort)
	if err == nil {
		err = unix.Bind(fd, sa)
	}
	if err != nil {
		return fmt.Errorf("bind to %s: %w", netip.AddrPortFrom(from, p.FromPort), err)
	}
	return nil
}

// connect prepares a socket and begins its connection.
func (p Probe) connect(fd int) error {
	level, recverr := unix.IPPROTO_IP, unix.IP_RECVERR
	if p.To.Is6() {
		level, recverr = unix.IPPROTO_IPV6, unix.IPV6_RECVERR
	}
	if err := unix.SetsockoptInt(fd, level, recverr, 1); err != nil {
		return fmt.Errorf("ask for errors: %w", err)
	}
	if err := p.prepare(fd); err != nil {
		return err
	}
	sa, err := sockaddr(p.To, p.Port)
	if err == nil {
		err = unix.Connect(fd, sa)
	}
	if err != nil && err != unix.EINPROGRESS {
		return fmt.Errorf("connect to %s: %w", netip.AddrPortFrom(p.To, p.Port), err)
	}
	return nil
}
