package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/dns/dnsmessage"

	"kvmnet/internal/spec"
	"kvmnet/internal/verify/client"
)

// This file holds the promises about what the machine serves to guests. The first
// guest of a network asks for its address, its router and its name, though it has
// them all: what it is told must be what it was given.

// The rows of the table of services.
const (
	addressRow = "address offered"
	routerRow  = "router advertised"
	nameRow    = "name answered"
)

// served lists what guests are promised to be served.
func (d *demo) served() []*cell {
	s := &sheet{d: d, service: true}
	d.each(s.address)
	d.each(s.router)
	d.each(s.name)
	return s.cells
}

// address adds that a guest is offered the address that its port has.
func (s *sheet) address(n *network, f family) {
	if f == v6 && n.guests[0].host == nil { // busybox has no client for DHCPv6
		return
	}
	gateway := n.gateways()[f]
	for _, sub := range n.subnets() {
		if sub.Address == gateway && sub.DHCP != nil && spec.Truth(sub.DHCP.Enabled) {
			s.told(addressRow, n, f, n.seats[0].addr.addr(f).String(), func(ctx context.Context) string { return n.guests[0].offered(ctx, gateway) })
		}
	}
}

// router adds that the prefixes of a network are advertised, and whether the
// gateway is a default router: it is not where nobody is beyond it.
func (s *sheet) router(n *network, f family) {
	var prefixes []netip.Prefix
	for _, sub := range n.subnets() {
		if sub.Address.Addr().Is6() {
			prefixes = append(prefixes, sub.Address.Masked())
		}
	}
	ra := spec.RA{}
	if n.spec.RA != nil {
		ra = *n.spec.RA
	}
	if n.lan() || f == v4 || len(prefixes) == 0 || !spec.Truth(ra.Enabled) {
		return
	}
	router := s.d.leadsSomewhere(n)
	if ra.Lifetime != nil {
		router = *ra.Lifetime > 0
	}
	slices.SortFunc(prefixes, netip.Prefix.Compare)
	s.told(routerRow, n, f, client.Advertised(prefixes, router), func(ctx context.Context) string { return n.guests[0].advertised(ctx) })
}

// name adds that the name of a guest's port is its address.
func (s *sheet) name(n *network, f family) {
	gateway := n.gateways()
	if !gateway.has(f) || !dnsOn(n.spec) {
		return
	}
	own := n.seats[0].addr.addr(f)
	q := client.Name{Name: strings.ToLower(n.seats[0].name) + ".", Type: dnsmessage.TypeA}
	if n.spec.DNS != nil && n.spec.DNS.Domain != "" {
		q.Name += n.spec.DNS.Domain + "."
	}
	if f == v6 {
		q.Type = dnsmessage.TypeAAAA
	}
	s.told(nameRow, n, f, own.String(), func(ctx context.Context) string { return n.guests[0].named(ctx, q, own, gateway.addr(f)) })
}

func dnsOn(n *spec.Network) bool { return n.DNS == nil || spec.Truth(n.DNS.Enabled) }

// told adds a promise of what a guest is told.
func (s *sheet) told(row string, n *network, f family, promise string, ask func(context.Context) string) {
	s.add(row, n, f, promise, func(ctx context.Context) verdict {
		ctx, cancel := context.WithTimeout(ctx, 2*hopeful) // for virtual machines, which do one thing after the other
		defer cancel()
		return verdict{outcome: ask(ctx), detail: "asked by " + n.guests[0].name}
	})
}

// silence is what a guest is told when nobody says anything.
const silence = "no answer"

// offered implements asker. What is offered is not taken.
func (h hostAsker) offered(ctx context.Context, gateway netip.Prefix) string {
	c, err := client.Open(h.NS(), "eth0")
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	if gateway.Addr().Is4() {
		o, err := c.Discover(ctx, hopeful)
		if err != nil || o == nil {
			return unheard(err)
		}
		return right(o.Addr.String(), o.Wrong(gateway))
	}
	a, err := c.Solicit(ctx, hopeful)
	if err != nil || a == nil {
		return unheard(err)
	}
	return right(a.Addr.String(), a.Wrong(gateway))
}

// advertised implements asker.
func (h hostAsker) advertised(ctx context.Context) string {
	c, err := client.Open(h.NS(), "eth0")
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	r, err := c.SolicitRouter(ctx, hopeful, spec.MAC{})
	if err != nil || r == nil {
		return unheard(err)
	}
	slices.SortFunc(r.Prefixes, netip.Prefix.Compare)
	return right(r.String(), r.Wrong())
}

// named implements asker: over UDP and TCP, which must agree.
func (h hostAsker) named(ctx context.Context, q client.Name, from, server netip.Addr) string {
	var told []string
	for _, network := range []string{"udp", "tcp"} {
		a, err := q.Ask(ctx, h.NS(), network, from, server, hopeful)
		switch {
		case err != nil:
			return fmt.Sprintf("%s over %s: %v", silence, network, err)
		case len(a.Addrs) == 0:
			return a.Code
		}
		told = append(told, a.Addrs[0].String())
	}
	return strings.Join(slices.Compact(told), " or ")
}

// unheard is what a guest is told when it hears nothing within its time.
func unheard(err error) string {
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err.Error()
	}
	return silence
}

// right adds to what was told what is wrong with it.
func right(told, wrong string) string {
	if wrong != "" {
		return told + ": " + wrong
	}
	return told
}
