package nft

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
	"kvmnet/internal/plan"
)

// machine is a namespace with an interface and, on port 7 of TCP and UDP, a
// server that tells each client which source address it saw.
type machine struct {
	t      testing.TB
	name   string
	ns     *netns.NS
	v4, v6 netip.Addr

	stop func() // ends the server

	mu   sync.Mutex
	seen map[string]string // UDP payload → source address, as arrived
}

func newMachine(t testing.TB, name string) *machine {
	t.Helper()
	ns, err := netns.New()
	if err != nil {
		t.Skipf("needs root: %v", err)
	}
	t.Cleanup(func() { ns.Close() })
	m := &machine{t: t, name: name, ns: ns, seen: map[string]string{}}
	// Duplicate address detection would keep each address away for a second.
	m.sysctl("net/ipv6/conf/default/accept_dad", "0")
	m.sysctl("net/ipv4/conf/default/rp_filter", "0")
	m.sysctl("net/ipv4/conf/all/rp_filter", "0")
	m.ip("link set lo up")
	return m
}

func (m *machine) path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), m.ns.Fd()) }

func (m *machine) sysctl(path, value string) {
	m.t.Helper()
	err := m.ns.Do(func() error { return os.WriteFile(filepath.Join("/proc/sys", path), []byte(value), 0o644) })
	if err != nil {
		m.t.Fatalf("%s: %v", m.name, err)
	}
}

// ip runs lines of ip(8).
func (m *machine) ip(lines ...string) {
	m.t.Helper()
	if out, err := m.run(strings.Join(lines, "\n"), "ip", "-batch", "-"); err != nil {
		m.t.Fatalf("%s: ip: %v\n%s", m.name, err, out)
	}
}

// nft runs nft(8) and returns what it prints.
func (m *machine) nft(text string) string {
	m.t.Helper()
	out, err := m.run(text, "nft", "-f", "-")
	if err != nil {
		m.t.Fatalf("%s: nft: %v\n%s", m.name, err, out)
	}
	return out
}

func (m *machine) run(stdin, name string, args ...string) (string, error) {
	var out bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &out
	if err := m.ns.Do(cmd.Start); err != nil {
		return "", err
	}
	err := cmd.Wait()
	return out.String(), err
}

// serve answers on port 7 until the test ends.
func (m *machine) serve() { m.t.Helper(); m.stop = m.serveAt(7) }

// serveAt answers on a port until the test ends, or stop is called.
func (m *machine) serveAt(port int) (stop func()) {
	m.t.Helper()
	var tcp net.Listener
	var udp net.PacketConn
	err := m.ns.Do(func() (err error) {
		if tcp, err = net.Listen("tcp", fmt.Sprintf("[::]:%d", port)); err != nil {
			return err
		}
		udp, err = net.ListenPacket("udp", fmt.Sprintf("[::]:%d", port))
		return err
	})
	if err != nil {
		m.t.Fatalf("%s: serve: %v", m.name, err)
	}
	stop = func() { tcp.Close(); udp.Close() }
	m.t.Cleanup(stop)
	go func() {
		for {
			conn, err := tcp.Accept()
			if err != nil {
				return
			}
			go m.answer(conn)
		}
	}()
	go func() {
		buf := make([]byte, 2048)
		for {
			n, from, err := udp.ReadFrom(buf)
			if err != nil {
				return
			}
			source := from.(*net.UDPAddr).AddrPort().Addr().Unmap().String()
			m.mu.Lock()
			m.seen[string(buf[:n])] = source
			m.mu.Unlock()
			udp.WriteTo([]byte(source), from)
		}
	}()
	return stop
}

// answer tells the source address after each byte the client sends.
func (m *machine) answer(conn net.Conn) {
	defer conn.Close()
	source := conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap().String()
	one := make([]byte, 1)
	for {
		if _, err := conn.Read(one); err != nil {
			return
		}
		if _, err := conn.Write([]byte(source + "\n")); err != nil {
			return
		}
	}
}

// frames puts frames on the wire of eth0 as they are.
func (m *machine) frames(t *testing.T, frames ...[]byte) {
	t.Helper()
	index := m.link(t, "eth0").Index
	err := m.ns.Do(func() error {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		for _, frame := range frames {
			if err := unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: index, Halen: 6}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// heard reports whether a UDP payload arrived.
func (m *machine) heard(payload string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.seen[payload]
	return ok
}

// dial opens a connection to port 7 from inside the machine, from a source
// address if given.
func (m *machine) dial(network string, from, to netip.Addr, wait time.Duration) (net.Conn, error) {
	return m.dialPort(network, from, netip.AddrPortFrom(to, 7), wait)
}

func (m *machine) dialPort(network string, from netip.Addr, to netip.AddrPort, wait time.Duration) (net.Conn, error) {
	d := net.Dialer{Timeout: wait}
	if from.IsValid() {
		d.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
		if network == "tcp" {
			d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
		}
	}
	var conn net.Conn
	err := m.ns.Do(func() (err error) {
		conn, err = d.Dial(network, to.String())
		return err
	})
	return conn, err
}

// reach opens a connection (tcp), sends a datagram (udp) or an echo request
// (icmp) and returns the source address the other side saw ("" for icmp), or why
// there was no answer in time.
func (m *machine) reach(protocol string, to netip.Addr, wait time.Duration) (string, error) {
	if protocol == "icmp" {
		out, err := m.run("", "ping", "-n", "-c", "1", "-W", fmt.Sprint(wait.Seconds()), to.String())
		if err != nil {
			return "", fmt.Errorf("%w: %s", err, out)
		}
		return "", nil
	}
	payload := "x"
	if protocol == "udp" {
		payload = m.name + " to " + to.String()
	}
	return m.ask(protocol, netip.AddrPortFrom(to, 7), payload, wait)
}

// ask sends a payload to a port and returns the answer: the source address that
// was seen.
func (m *machine) ask(protocol string, to netip.AddrPort, payload string, wait time.Duration) (string, error) {
	conn, err := m.dialPort(protocol, netip.Addr{}, to, wait)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(wait))
	if _, err := conn.Write([]byte(payload)); err != nil {
		return "", err
	}
	buf := make([]byte, 128)
	n, err := conn.Read(buf)
	return strings.TrimSpace(string(buf[:n])), err
}

// Patience of probes: a yes ends as soon as the answer is there; a no is waited
// for, and for UDP the receiver is asked as well.
const (
	yes = 5 * time.Second
	no  = 400 * time.Millisecond
)

// network is one network of a lab, with its guests.
type network struct {
	bridge string
	mode   string // silent, isolated, nat, route, open
	guests []string
}

// lab is a host with our program, networks and guests, and two neighbours behind
// its uplinks: "outside" on eth0, "other" on eth1.
type lab struct {
	t        testing.TB
	host     *machine
	conn     *Conn
	machines map[string]*machine
	gateways map[string][2]netip.Addr // by bridge
	nets     []network
}

// The host's own addresses on its uplinks.
var uplinks = [2]struct{ v4, v6 string }{{"203.0.113", "2001:db8:1:"}, {"198.51.100", "2001:db8:2:"}}

func newLab(t testing.TB, nets ...network) *lab {
	t.Helper()
	l := &lab{t: t, host: newMachine(t, "host"), machines: map[string]*machine{}, gateways: map[string][2]netip.Addr{}, nets: nets}
	l.host.sysctl("net/ipv4/conf/all/forwarding", "1")
	l.host.sysctl("net/ipv6/conf/all/forwarding", "1")
	for i, name := range []string{"outside", "other"} {
		l.uplink(i, name)
	}
	for i, n := range nets {
		l.network(i+1, n)
	}
	conn, err := Open(l.host.ns, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	l.conn = conn
	l.apply(plan.Add, append([]plan.Object{plan.Program{Fingerprint: mustFingerprint(t)}}, l.elements()...)...)
	l.ready()
	return l
}

// ready starts the servers once the links carry: the kernel makes a new port
// forward, and gives an interface its link-local address, in its own time, and
// one-shot datagrams would be lost before.
func (l *lab) ready() {
	l.t.Helper()
	eventually(l.t, "all bridge ports forward", func() bool {
		out, err := l.host.run("", "bridge", "link")
		return err == nil && strings.Count(out, "\n") == strings.Count(out, "state forwarding")
	})
	l.host.serve()
	for _, m := range l.machines {
		eventually(l.t, m.name+" has its link-local address", func() bool {
			out, err := m.run("", "ip", "-6", "addr", "show", "dev", "eth0", "scope", "link")
			return err == nil && strings.Contains(out, "inet6 fe80")
		})
		m.serve()
	}
}

func (l *lab) uplink(i int, name string) {
	m := newMachine(l.t, name)
	l.machines[name] = m
	u := uplinks[i]
	m.v4, m.v6 = netip.MustParseAddr(u.v4+".2"), netip.MustParseAddr(u.v6+":2")
	l.host.ip(
		fmt.Sprintf("link add eth%d type veth peer name eth0 netns %s", i, m.path()),
		fmt.Sprintf("addr add %s.1/24 dev eth%d", u.v4, i),
		fmt.Sprintf("addr add %s:1/64 dev eth%d", u.v6, i),
		fmt.Sprintf("link set eth%d up", i))
	m.ip("link set eth0 up",
		"addr add "+u.v4+".2/24 dev eth0", "addr add "+u.v6+":2/64 dev eth0",
		"route add default via "+u.v4+".1", "route add ::/0 via "+u.v6+":1")
}

// network makes bridge i with 10.0.i.0/24 and fd00:i::/64; the host is .1, except
// on a silent network, where the guests are told that the bridge's MAC is .1.
func (l *lab) network(i int, n network) {
	mac := fmt.Sprintf("52:54:00:00:%02x:01", i)
	l.host.ip("link add "+n.bridge+" type bridge forward_delay 0 mcast_snooping 0",
		"link set "+n.bridge+" address "+mac, "link set "+n.bridge+" up")
	gw4, gw6 := fmt.Sprintf("10.0.%d.1", i), fmt.Sprintf("fd00:%d::1", i)
	if n.mode != "silent" {
		l.host.ip("addr add "+gw4+"/24 dev "+n.bridge, "addr add "+gw6+"/64 dev "+n.bridge)
		l.gateways[n.bridge] = [2]netip.Addr{netip.MustParseAddr(gw4), netip.MustParseAddr(gw6)}
	}
	for k, guest := range n.guests {
		m := newMachine(l.t, guest)
		l.machines[guest] = m
		port := fmt.Sprintf("p%d-%d", i, k)
		l.host.ip("link add "+port+" type veth peer name eth0 netns "+m.path(),
			"link set "+port+" master "+n.bridge, "link set "+port+" up")
		m.v4, m.v6 = netip.MustParseAddr(fmt.Sprintf("10.0.%d.%d", i, k+2)), netip.MustParseAddr(fmt.Sprintf("fd00:%d::%d", i, k+2))
		m.ip("link set eth0 up", "addr add "+m.v4.String()+"/24 dev eth0", "addr add "+m.v6.String()+"/64 dev eth0")
		if n.mode == "silent" {
			m.ip("neigh add "+gw4+" lladdr "+mac+" dev eth0", "neigh add "+gw6+" lladdr "+mac+" dev eth0")
		}
		m.ip("route add default via "+gw4, "route add ::/0 via "+gw6)
	}
}

// elements are the rows of the lab's networks.
func (l *lab) elements() []plan.Object {
	var objs []plan.Object
	for _, n := range l.nets {
		held := l.gateways[n.bridge]
		objs = append(objs, rows(n.mode, n.bridge, held[:]...)...)
	}
	return objs
}

// rows are the elements a network of a mode has.
func rows(mode, bridge string, gateways ...netip.Addr) []plan.Object {
	row := func(m, id, value string) plan.Object {
		return plan.Element{Mark: "host", Map: m, ID: id, Value: value}
	}
	objs := []plan.Object{row("bridges", bridge, ""), row("segments", bridge+" . "+bridge, "")}
	chain := map[string]string{"silent": "isolated"}[mode]
	if chain == "" {
		chain = mode
	}
	objs = append(objs, row("from", bridge, "jump from_"+chain), row("to", bridge, "jump to_"+chain))
	input := map[string]string{"silent": "in_silent", "isolated": "in_isolated", "nat": "in_network", "route": "in_network"}
	if in := input[mode]; in != "" {
		objs = append(objs, row("input", bridge, "jump "+in))
	}
	if mode == "nat" {
		objs = append(objs, row("masquerade4", bridge, ""), row("masquerade6", bridge, ""))
	}
	for _, g := range gateways {
		if g.Is4() {
			objs = append(objs, row("gateways4", g.String(), ""))
		} else if g.IsValid() {
			objs = append(objs, row("gateways6", g.String(), ""))
		}
	}
	return objs
}

func (l *lab) apply(verb plan.Verb, objs ...plan.Object) {
	l.t.Helper()
	apply(l.t, l.conn, verb, objs...)
}

func apply(t testing.TB, c *Conn, verb plan.Verb, objs ...plan.Object) {
	t.Helper()
	ops := make([]plan.Op, len(objs))
	for i, o := range objs {
		ops[i] = plan.Op{Verb: verb, Object: o}
	}
	for _, err := range c.Apply(t.Context(), ops) {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func mustFingerprint(t testing.TB) string {
	t.Helper()
	f, err := Fingerprint(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// packets is how many packets the program refused for a reason.
func (l *lab) packets(reason string) uint64 {
	l.t.Helper()
	counters, err := l.conn.Counters()
	if err != nil {
		l.t.Fatal(err)
	}
	for _, c := range counters {
		if c.Name == reason {
			return c.Packets
		}
	}
	l.t.Fatalf("no counter %s", reason)
	return 0
}

// eventually polls until the condition holds or five seconds are over.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if condition() {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not within 5 s: %s", what)
		}
	}
}

// bound makes sockets that are bound to a device.
func bound(dev string) *net.ListenConfig {
	return &net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(fd uintptr) {
			failed = errors.Join(unix.BindToDevice(int(fd), dev),
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BROADCAST, 1))
		})
		return errors.Join(err, failed)
	}}
}
