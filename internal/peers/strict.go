package peers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// Strict is a client of our own that takes nothing but whole packets: it fails
// on an answer whose IP or UDP checksum is wrong or missing, and on one that the
// sender's kernel has left to the network card (TP_STATUS_CSUMNOTREADY of
// packet(7)). Old clients that read from a packet socket drop such answers
// without a word. It does not set the broadcast flag.
func Strict(t testing.TB, h *testhost.Host) Client {
	t.Helper()
	c := &strict{station: newStation(t, h, "strict", 4)}
	w, err := openWire(h)
	if err != nil {
		t.Fatal(err)
	}
	c.wire = w
	t.Cleanup(func() { c.wire.close() })
	return c
}

type strict struct {
	*station
	wire   *wire
	lease  *dhcpv4.DHCPv4 // nil without one
	server spec.MAC       // who gave it
}

// ask is how often and how long a question waits for its answer.
const (
	askTimes = 20
	askPause = time.Second
)

// HostName is none: it sends no name.
func (c *strict) HostName() string { return "" }

func (c *strict) Take(ctx context.Context) (Lease, error) {
	want := dhcpv4.WithRequestedOptions(dhcpv4.OptionSubnetMask, dhcpv4.OptionRouter, dhcpv4.OptionDomainNameServer,
		dhcpv4.OptionDomainName, dhcpv4.OptionInterfaceMTU, dhcpv4.OptionDNSDomainSearchList)
	discover, err := dhcpv4.NewDiscovery(net.HardwareAddr(c.mac[:]), want)
	if err != nil {
		return Lease{}, c.explain("take", err)
	}
	offer, err := c.ask(ctx, discover, spec.MAC{}, dhcpv4.MessageTypeOffer)
	if err != nil {
		return Lease{}, c.explain("take", err)
	}
	request, err := dhcpv4.NewRequestFromOffer(offer, want)
	if err != nil {
		return Lease{}, c.explain("take", err)
	}
	return c.granted(ctx, "take", request, spec.MAC{})
}

// granted asks and makes the answer the lease.
func (c *strict) granted(ctx context.Context, verb string, request *dhcpv4.DHCPv4, to spec.MAC) (Lease, error) {
	ack, err := c.ask(ctx, request, to, dhcpv4.MessageTypeAck)
	if err != nil {
		return Lease{}, c.explain(verb, err)
	}
	c.lease = ack
	l := leaseOf(ack)
	return l, c.explain(verb, c.host.AddAddress(device, l.Address))
}

// leaseOf reads a lease from the answer itself.
func leaseOf(ack *dhcpv4.DHCPv4) Lease {
	ones, _ := ack.SubnetMask().Size()
	l := Lease{Address: prefix(ack.YourIPAddr.String(), ones), Domain: ack.DomainName(), Host: ack.HostName(),
		Time: ack.IPAddressLeaseTime(0), Server: ack.ServerIdentifier().String()}
	if r := ack.Router(); len(r) > 0 {
		l.Router = address(r[0].String())
	}
	for _, ip := range ack.DNS() {
		l.DNS = append(l.DNS, address(ip.String()))
	}
	if search := ack.DomainSearch(); search != nil {
		l.Search = search.Labels
	}
	if mtu, err := dhcpv4.GetUint16(dhcpv4.OptionInterfaceMTU, ack.Options); err == nil {
		l.MTU = int(mtu)
	}
	return l
}

// Renew sends the request to the server's own Ethernet address.
func (c *strict) Renew(ctx context.Context) (Lease, error) {
	return c.extend(ctx, "renew", c.server)
}

func (c *strict) Rebind(ctx context.Context) (Lease, error) {
	return c.extend(ctx, "rebind", spec.MAC{})
}

func (c *strict) extend(ctx context.Context, verb string, to spec.MAC) (Lease, error) {
	request, err := c.fromLease(dhcpv4.MessageTypeRequest)
	if err != nil {
		return Lease{}, c.explain(verb, err)
	}
	request.UpdateOption(dhcpv4.OptParameterRequestList(dhcpv4.OptionSubnetMask, dhcpv4.OptionRouter, dhcpv4.OptionDomainNameServer,
		dhcpv4.OptionDomainName, dhcpv4.OptionInterfaceMTU, dhcpv4.OptionDNSDomainSearchList))
	return c.granted(ctx, verb, request, to)
}

// fromLease is a message of a client that has an address.
func (c *strict) fromLease(kind dhcpv4.MessageType) (*dhcpv4.DHCPv4, error) {
	if c.lease == nil {
		return nil, errors.New("it has no lease")
	}
	return dhcpv4.New(dhcpv4.WithMessageType(kind), dhcpv4.WithHwAddr(net.HardwareAddr(c.mac[:])), dhcpv4.WithClientIP(c.lease.YourIPAddr))
}

func (c *strict) Release(ctx context.Context) error {
	m, err := c.fromLease(dhcpv4.MessageTypeRelease)
	if err != nil {
		return c.explain("release", err)
	}
	m.UpdateOption(dhcpv4.OptServerIdentifier(c.lease.ServerIdentifier()))
	mark := c.trace.Mark()
	if err = c.send(m, c.server); err == nil {
		_, err = c.trace.Sent(ctx, mark, is("RELEASE"))
	}
	return errors.Join(c.explain("release", err), c.Stop())
}

// Stop forgets the lease.
func (c *strict) Stop() error {
	c.lease = nil
	return c.station.Stop()
}

// ask sends a message, again after a pause, until the answer is there. A bad
// packet is an error at once.
func (c *strict) ask(ctx context.Context, m *dhcpv4.DHCPv4, to spec.MAC, answer dhcpv4.MessageType) (*dhcpv4.DHCPv4, error) {
	var err error
	for range askTimes {
		if err = c.send(m, to); err != nil {
			return nil, err
		}
		try, cancel := context.WithTimeout(ctx, askPause)
		var got *dhcpv4.DHCPv4
		got, c.server, err = c.wire.receive(try, m.TransactionID)
		cancel()
		switch {
		case err == nil && got.MessageType() == answer:
			return got, nil
		case err == nil:
			return nil, fmt.Errorf("asked with %s, got %s", m.MessageType(), got.MessageType())
		case !errors.Is(err, context.DeadlineExceeded):
			return nil, err
		}
	}
	return nil, fmt.Errorf("asked with %s: %w", m.MessageType(), err)
}

// send sends to one server, or to all if the address is zero.
func (c *strict) send(m *dhcpv4.DHCPv4, to spec.MAC) error {
	src, dst := netip.IPv4Unspecified(), netip.AddrFrom4([4]byte{255, 255, 255, 255})
	if c.lease != nil {
		src = address(m.ClientIPAddr.String())
	}
	if !to.IsZero() {
		dst = address(c.lease.ServerIdentifier().String())
	} else {
		to = spec.MAC{255, 255, 255, 255, 255, 255}
	}
	return c.wire.send(frame(c.mac, to, src, dst, m.ToBytes()))
}
