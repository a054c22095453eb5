package dhcpclient

import (
	"errors"
	"net/netip"

	"kvmnet/internal/netns"
	"kvmnet/internal/socket"
)

// wire is the link of a client.
type wire interface {
	Send(socket.Packet) error
	Probe(netip.Addr) error
	Running() bool // it has a carrier
	Alive() bool   // it is still the same link, in the same namespace
	Close() error
}

// packets is the real one: a socket that hears servers before there is an address,
// and a port that is kept, so that the kernel does not refuse them when there is.
type packets struct {
	*socket.Client
	hold    *socket.Hold
	current func() bool // the namespace has not been made anew
}

// open opens the link of a client.
func (c *Clients) openPackets(name, link string, h socket.ClientHandler) (wire, error) {
	ns, there := c.o.Namespace(name)
	if !there {
		return nil, errGone
	}
	hold, err := socket.HoldPort(ns, link, "udp4", clientPort)
	if err != nil {
		return nil, err
	}
	client, err := socket.OpenClient(ns, link, h)
	if err != nil {
		return nil, errors.Join(err, hold.Close())
	}
	return &packets{client, hold, func() bool { return c.isNamespace(name, ns) }}, nil
}

// errGone: there is no such namespace now. That is nothing to tell of.
var errGone = errors.New("the namespace is gone")

func (c *Clients) isNamespace(name string, ns *netns.NS) bool {
	now, there := c.o.Namespace(name)
	return there && now == ns
}

func (p *packets) Alive() bool { return p.Client.Alive() && p.current() }

func (p *packets) Close() error { return errors.Join(p.Client.Close(), p.hold.Close()) }
