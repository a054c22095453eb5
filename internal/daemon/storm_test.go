package daemon_test

import (
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"kvmnet/internal/daemontest"
	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// stormLab gives out addresses by way of a relay agent at 10.2.0.7, which asks for
// as many guests as it likes.
const stormLab = `
networks:
  lab:
    mode: nat
    dhcp: {rate: -1, leaseTime: 1h}
    subnets:
      - address: 10.2.0.1/16
        dhcp: {ranges: [10.2.1.0-10.2.8.255], relays: [10.2.0.7]}
`

// storm is many guests behind one relay agent, and what they were promised.
type storm struct {
	t             *testing.T
	conn          net.PacketConn
	relay, server net.IP

	mu     sync.Mutex
	waits  map[dhcpv4.TransactionID]chan *dhcpv4.DHCPv4
	leased map[spec.MAC]netip.Addr // acknowledged, and not given back
	owner  map[netip.Addr]spec.MAC
	acks   int
}

// newStorm opens the relay agent's port at an address of a guest. What it receives
// has passed the kernel's own check of checksums.
func newStorm(t *testing.T, guest *testhost.Host, relay, server string) *storm {
	s := &storm{t: t, relay: net.ParseIP(relay).To4(), server: net.ParseIP(server).To4(), waits: map[dhcpv4.TransactionID]chan *dhcpv4.DHCPv4{},
		leased: map[spec.MAC]netip.Addr{}, owner: map[netip.Addr]spec.MAC{}}
	if err := guest.NS().Do(func() (err error) { s.conn, err = net.ListenPacket("udp4", relay+":67"); return err }); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { s.receive(); close(done) }()
	t.Cleanup(func() { s.conn.Close(); <-done })
	return s
}

func (s *storm) receive() {
	b := make([]byte, 2048)
	for {
		n, _, err := s.conn.ReadFrom(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		m, err := dhcpv4.FromBytes(b[:max(n, 0)])
		if err != nil {
			continue // an ICMP error while no daemon runs
		}
		s.mu.Lock()
		if c := s.waits[m.TransactionID]; c != nil {
			select {
			case c <- m:
			default:
			}
		}
		s.mu.Unlock()
	}
}

// ask sends a message of a guest and waits a little for the answer; nil is none.
func (s *storm) ask(m *dhcpv4.DHCPv4, patience time.Duration) *dhcpv4.DHCPv4 {
	m.GatewayIPAddr = s.relay
	c := make(chan *dhcpv4.DHCPv4, 1)
	s.mu.Lock()
	s.waits[m.TransactionID] = c
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.waits, m.TransactionID)
		s.mu.Unlock()
	}()
	s.send(m) // while no daemon runs nobody hears it
	select {
	case got := <-c:
		return got
	case <-time.After(patience):
		return nil
	}
}

func (s *storm) send(m *dhcpv4.DHCPv4) {
	s.conn.WriteTo(m.ToBytes(), &net.UDPAddr{IP: s.server, Port: 67})
}

func message(mac spec.MAC, kind dhcpv4.MessageType, more ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	m, err := dhcpv4.New(append([]dhcpv4.Modifier{dhcpv4.WithHwAddr(mac[:]), dhcpv4.WithMessageType(kind)}, more...)...)
	if err != nil {
		panic(err)
	}
	return m
}

// take goes through the four messages, or renews what the guest has.
func (s *storm) take(mac spec.MAC, patience time.Duration) bool { return s.takeAs(mac, patience) }

// takeAs does it with more options in each message.
func (s *storm) takeAs(mac spec.MAC, patience time.Duration, more ...dhcpv4.Modifier) bool {
	s.mu.Lock()
	held, renews := s.leased[mac]
	s.mu.Unlock()
	var request *dhcpv4.DHCPv4
	if renews {
		request = message(mac, dhcpv4.MessageTypeRequest, append(more, dhcpv4.WithClientIP(held.AsSlice()))...)
	} else {
		offer := s.ask(message(mac, dhcpv4.MessageTypeDiscover, more...), patience)
		if offer == nil || offer.MessageType() != dhcpv4.MessageTypeOffer {
			return false
		}
		request = message(mac, dhcpv4.MessageTypeRequest, append(more, dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(offer.YourIPAddr)),
			dhcpv4.WithOption(dhcpv4.OptServerIdentifier(offer.ServerIdentifier())))...)
	}
	ack := s.ask(request, patience)
	if ack == nil {
		return false
	}
	s.judge(mac, held, ack)
	return ack.MessageType() == dhcpv4.MessageTypeAck
}

// judge compares an answer with what was promised before.
func (s *storm) judge(mac spec.MAC, held netip.Addr, ack *dhcpv4.DHCPv4) {
	s.mu.Lock()
	defer s.mu.Unlock()
	got, _ := netip.AddrFromSlice(ack.YourIPAddr.To4())
	switch other, taken := s.owner[got]; {
	case ack.MessageType() == dhcpv4.MessageTypeNak && held.IsValid():
		s.t.Errorf("%s: the lease of %s was refused: %s", mac, held, ack.Message())
	case ack.MessageType() != dhcpv4.MessageTypeAck:
	case held.IsValid() && got != held:
		s.t.Errorf("%s: had %s, was acknowledged %s", mac, held, got)
	case taken && other != mac:
		s.t.Errorf("%s was acknowledged to %s, and is %s's", got, mac, other)
	default:
		s.acks++
		s.leased[mac], s.owner[got] = got, mac
	}
}

// release gives the address back. The guest forgets it before it says so: whether
// the daemon heard it nobody knows.
func (s *storm) release(mac spec.MAC) {
	s.mu.Lock()
	held, has := s.leased[mac]
	delete(s.leased, mac)
	delete(s.owner, held)
	s.mu.Unlock()
	if has {
		m := message(mac, dhcpv4.MessageTypeRelease, dhcpv4.WithClientIP(held.AsSlice()), dhcpv4.WithOption(dhcpv4.OptServerIdentifier(s.server)))
		m.GatewayIPAddr = s.relay
		s.send(m)
	}
}

func guestMAC(n int) spec.MAC {
	m := spec.MAC{0x52, 0x54, 0x01}
	binary.BigEndian.PutUint16(m[4:], uint16(n))
	return m
}

// rage runs guests until the end: each takes, renews and now and then releases.
func (s *storm) rage(guests int, end chan struct{}) (wait func()) {
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for n := w; ; n += 16 {
				select {
				case <-end:
					return
				default:
				}
				mac := guestMAC(n % guests)
				if s.take(mac, 50*time.Millisecond); rand.IntN(10) == 0 {
					s.release(mac)
				}
			}
		})
	}
	return wg.Wait
}

// stormKills: half of them are at a write; with 48 there is one before each of the
// first 24 writes that a daemon makes.
var stormKills = flag.Int("storm-kills", 24, "how often the daemon is killed while it gives leases")

// TestKilledDaemonKeepsEveryAcknowledgedLease kills the daemon by SIGKILL in a
// storm of exchanges, again and again: at a random moment, and right before and
// after each kind of write of the lease book. Whatever a guest was acknowledged it
// must be able to renew, and nobody else may have.
func TestKilledDaemonKeepsEveryAcknowledgedLease(t *testing.T) {
	t.Parallel()
	machine, guest := nstest.Host(t, "machine"), nstest.Host(t, "relay")
	m := newMachine(t, machine.NS())
	m.Start(0)
	m.Apply(stormLab)
	nstest.Join(t, guest, machine, "lab", netip.MustParsePrefix("10.2.0.7/16"))
	s := newStorm(t, guest, "10.2.0.7", "10.2.0.1")
	kills := *stormKills
	if testing.Short() {
		kills = 20
	}
	const guests = 400
	end := make(chan struct{})
	wait := s.rage(guests, end)
	for k := range kills {
		if k%2 == 0 { // the n-th write from now on, counted by the daemon itself
			m.Kill()
			m.LaunchAs(daemontest.Role{Dir: m.Dir, KillAtWrite: 1 + k%24})
			m.Wait()
			m.Start(0)
			continue
		}
		time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond) // a random moment is what is tested
		m.Kill()
		m.Start(0)
	}
	close(end)
	wait()
	t.Logf("%d kills, %d acknowledgements, %d leases held at the end", kills, s.acks, len(s.leased))
	if s.acks < 10*kills {
		t.Errorf("only %d acknowledgements: no storm", s.acks)
	}
	s.verify(m)
}

// verify has every guest renew what it was promised, and compares with the book.
func (s *storm) verify(m *machine) {
	s.t.Helper()
	listed := map[spec.MAC]netip.Addr{}
	list, err := m.Client.Leases(s.t.Context(), "lab")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, l := range list {
		listed[l.MAC] = l.Address.Addr()
	}
	for mac, held := range s.leased {
		if listed[mac] != held {
			s.t.Errorf("%s holds %s, the book says %s", mac, held, listed[mac])
		}
		nstest.Eventually(s.t, 20*time.Second, func() error {
			if !s.take(mac, time.Second) {
				return fmt.Errorf("%s cannot renew %s", mac, held)
			}
			return nil
		})
	}
}
