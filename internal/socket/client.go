package socket

import (
	"net/netip"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
	"kvmnet/internal/spec"
)

// ClientHandler is told what a Client hears, as a Handler is of a Link.
type ClientHandler interface {
	DHCP4(Packet) // to UDP port 68
	// ARP tells who says to have an address. A probe (RFC 5227) says nothing of that: a
	// server may look whether the address is free that it has just given to us.
	ARP(mac spec.MAC, addr netip.Addr)
}

// Client hears DHCPv4 servers and asks them, on an interface that need not have an
// address. It sends as a Link does.
type Client struct {
	link *Link
	to   ClientHandler
}

// OpenClient listens on an interface, until Close or until it is gone.
func OpenClient(ns *netns.NS, device string, h ClientHandler) (*Client, error) {
	c := &Client{link: &Link{done: make(chan struct{})}, to: h}
	c.link.hear = c.hear
	if err := c.link.open(ns, device, answers); err != nil {
		return nil, err
	}
	return c, nil
}

// Alive says whether the interface has not gone.
func (c *Client) Alive() bool { return c.link.Alive() }

// Close ends the client; the handler is not called any more when it returns.
func (c *Client) Close() error { return c.link.Close() }

// Send sends a packet, see Link.Send.
func (c *Client) Send(p Packet) error { return c.link.Send(p) }

// Probe asks whether somebody has an address, see Link.Probe.
func (c *Client) Probe(a netip.Addr) error { return c.link.Probe(a) }

// Index is the number of the interface.
func (c *Client) Index() int { return c.link.index }

// Running says whether the interface is up and has a carrier.
func (c *Client) Running() (running bool) {
	c.link.conn.control(func(fd int) error { running = isRunning(fd, c.link.index); return nil })
	return running
}

func (c *Client) hear(f frame, whole bool) {
	if f.etherType == unix.ETH_P_ARP {
		if who, ok := f.claim(); ok && whole {
			c.to.ARP(who.mac, who.addr)
		}
		return
	}
	kind, p := f.parse()
	if !whole || kind != answer4 {
		c.link.tally.malformed.Add(1)
		return
	}
	c.to.DHCP4(p)
}

// answers takes what DHCPv4 servers answer, and ARP.
var answers = assembleLabels([]step{
	{ins: bpf.LoadExtension{Num: bpf.ExtProto}},
	{eq: unix.ETH_P_IP, els: "arp"},
	{ins: bpf.LoadAbsolute{Off: 9, Size: 1}},
	{eq: unix.IPPROTO_UDP, els: "no"},
	{ins: bpf.LoadAbsolute{Off: 6, Size: 2}},
	{none: 0x3fff, els: "no"},
	{ins: bpf.LoadMemShift{Off: 0}},
	{ins: bpf.LoadIndirect{Off: 2, Size: 2}},
	{eq: portClient, els: "no"},
	{to: "mine"},
	{label: "arp", eq: unix.ETH_P_ARP, els: "no"},
	{label: "mine", ins: bpf.LoadExtension{Num: bpf.ExtType}},
	{ne: unix.PACKET_OTHERHOST, els: "no"},
	{ins: bpf.RetConstant{Val: slotSize}},
	{label: "no", ins: bpf.RetConstant{Val: 0}},
})
