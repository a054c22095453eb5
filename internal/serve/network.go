package serve

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"reflect"
	"sync/atomic"

	"kvmnet/internal/dhcp4"
	"kvmnet/internal/dhcp6"
	"kvmnet/internal/dns"
	"kvmnet/internal/lease"
	"kvmnet/internal/plan"
	"kvmnet/internal/radv"
	"kvmnet/internal/resolved"
	"kvmnet/internal/socket"
)

// network is the service on one network, by the host or by a router. What serves
// is made when it is first needed and stays until the network goes; what it says
// changes in place. The sockets are bound to one device of one namespace: when
// either is made anew, they are, too.
type network struct {
	s        *Servers
	o        *Options
	log      *slog.Logger
	name     string
	ns       string // that of at, which never changes; the goroutines of sockets read it
	at       address
	bridge   string // in the daemon's namespace
	table    *lease.Table
	place    place // the namespace the sockets are in
	index    int   // of the device the sockets are on; 0 = none
	have     plan.Service
	problems []string // of the last set
	pending  bool     // the device has no link-local address yet, and will have

	link  *socket.Link
	holds map[string]*socket.Hold // by protocol: udp4 and udp6
	watch *socket.Watch
	dns   *dns.Server
	tftp  map[plan.TFTP]io.Closer

	// Read by the goroutines of sockets.
	dhcp4  atomic.Pointer[dhcp4.Server]
	dhcp6  atomic.Pointer[dhcp6.Server]
	radv   atomic.Pointer[radv.Server]
	source atomic.Pointer[netip.Addr]        // link-local address of the device
	ports  atomic.Pointer[map[string]string] // interface → name
	on     atomic.Int64                      // index of the bridge

	guarded atomic.Bool // some guest may not use an address before it is permitted
}

func newNetwork(s *Servers, w plan.Service) *network {
	n := &network{s: s, o: &s.o, log: s.o.Log.With("network", w.Network), name: w.Network, ns: w.NS, at: addressOf(w), bridge: w.Bridge,
		table: s.o.Book.Table(w.Network), holds: map[string]*socket.Hold{}, tftp: map[plan.TFTP]io.Closer{}}
	n.source.Store(&netip.Addr{})
	n.ports.Store(&map[string]string{})
	return n
}

// isOwn reports whether an address is one of the host's, or of the router's whose
// network it is.
func (n *network) isOwn(a netip.Addr) bool { return n.s.own.holds(n.ns, a) }

// set serves what is wanted on the device as it is now, and tells what it cannot:
//
//  1. nothing is served in a namespace that is gone
//  2. nothing to do when all is as it was, and was well; what is still to come is
//     looked for
//  3. new sockets when the namespace or the device is a new one
//  4. each protocol is told what to say
func (n *network) set(w plan.Service) []string {
	p, there := n.s.placeOf(n.at.ns)
	if !there {
		n.close()
		return nil
	}
	index, err := n.find(p, w.Bridge)
	if err != nil {
		n.problems = []string{fmt.Sprintf("cannot serve: %v", err)}
		return n.problems
	}
	moved := p.ns != n.place.ns || index != n.index || n.link != nil && !n.link.Alive() || n.watch != nil && !n.watch.Alive()
	if !moved && len(n.problems) == 0 && reflect.DeepEqual(w, n.have) {
		if n.pending {
			n.setRA()
		}
		return n.problems
	}
	if moved {
		n.close()
	}
	n.dropPorts(w)
	n.place, n.index = p, index
	n.bridge, n.have, n.problems, n.pending = w.Bridge, w, nil, false
	n.ports.Store(&w.Ports)
	n.guarded.Store(w.Guarded)
	n.tell()
	return n.problems
}

// tell hands each protocol what it is to say.
func (n *network) tell() {
	n.setWatch()
	n.setLink()
	n.setDHCP4()
	n.setDHCP6()
	n.setRA()
	n.setDNS()
	n.setTFTP()
}

// try notes why something cannot be served; the rest is served all the same.
func (n *network) try(err error) {
	if err != nil {
		n.problems = append(n.problems, err.Error())
	}
}

// setLink opens the socket by which requests of guests come in, and takes the
// ports they are sent to, so that the kernel does not refuse them and another
// server on this device is found.
func (n *network) setLink() {
	four, six := n.have.DHCP4 != nil, n.have.DHCP6 != nil || n.have.RA != nil
	n.try(n.hold("udp4", 67, four))
	n.try(n.hold("udp6", 547, six))
	if n.link != nil || !four && !six {
		return
	}
	link, err := socket.OpenLink(n.place.ns, n.at.device, n)
	if n.try(err); err == nil {
		n.link = link
	}
}

func (n *network) hold(protocol string, port uint16, wanted bool) (err error) {
	h := n.holds[protocol]
	switch {
	case wanted && h == nil:
		if h, err = socket.HoldPort(n.place.ns, n.at.device, protocol, port); err == nil {
			n.holds[protocol] = h
		}
	case !wanted && h != nil:
		delete(n.holds, protocol)
		err = h.Close()
	}
	return err
}

// setWatch looks out for guests whose addresses we do not give.
func (n *network) setWatch() {
	switch {
	case n.have.Watch && n.watch == nil:
		w, err := socket.OpenWatch(n.place.ns, n.at.device)
		if n.try(err); err == nil {
			n.watch = w
		}
	case !n.have.Watch && n.watch != nil:
		n.try(n.watch.Close())
		n.watch = nil
	}
}

func (n *network) warn(message string) { n.o.Warn("network/"+n.name, message) }

// registration is what systemd-resolved is told of the network. A link without
// zones is one that must not have any of ours.
func (n *network) registration() resolved.Link {
	l := resolved.Link{Index: n.index, Name: n.bridge}
	for _, p := range n.have.Subnets {
		l.Servers = append(l.Servers, p.Addr())
	}
	if d := n.have.DNS; d != nil && d.Register && d.Domain != "" && n.dns != nil {
		l.Domain, l.Reverse = d.Domain, d.ReverseZones()
	}
	return l
}

// farewell tells guests that the router goes.
func (n *network) farewell() {
	if s := n.radv.Load(); s != nil && n.link != nil && n.link.Alive() {
		s.Farewell()
	}
}

// close ends service and closes every socket. The network can be set again, and
// then all of it is made anew.
func (n *network) close() error {
	var errs []error
	if n.link != nil {
		errs = append(errs, n.link.Close())
		n.link = nil
	}
	if n.watch != nil {
		errs = append(errs, n.watch.Close())
		n.watch = nil
	}
	for protocol, h := range n.holds {
		errs = append(errs, h.Close())
		delete(n.holds, protocol)
	}
	for t, s := range n.tftp {
		errs = append(errs, s.Close())
		delete(n.tftp, t)
	}
	if s := n.dhcp4.Swap(nil); s != nil {
		s.Close()
	}
	if s := n.dhcp6.Swap(nil); s != nil {
		s.Close()
	}
	if s := n.radv.Swap(nil); s != nil {
		s.Close()
	}
	if n.dns != nil {
		n.dns.Close()
		n.dns = nil
	}
	n.index, n.place, n.problems, n.pending = 0, place{}, nil, false
	return errors.Join(errs...)
}
