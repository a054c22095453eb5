package proof

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"kvmnet/internal/nstest"
	"kvmnet/internal/peers"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// party is one of those on a segment.
type party struct {
	*testhost.Host
	nic              string // its interface there
	mac              spec.MAC
	four, six, local netip.Addr
	leases           []peers.Client // that it has its addresses from
}

// scene is a segment with somebody on it, evil, who attacks the others.
type scene struct {
	*world
	t                     *testing.T
	network, bridge, port string // port is evil's
	evil, victim, gateway party
	heard                 map[string]*testhost.Capture // by "victim" and "gateway": what came that is not of their connections
}

// kind is a way in which guests are on a network: the same one twice, guarded and not.
type kind struct {
	name    string
	network string // its text, with NAME, NUMBER and GUARD
	ports   string // those of evil and its victim; "" = others plug them in
	dhcp    bool   // guests have their addresses by DHCP and by router advertisement
	lan     bool   // the gateway is a host of the LAN
}

const (
	twoFree  = "  evilNUMBER: {network: NAME, type: veth, peer: evilNUMBER-p}\n  victimNUMBER: {network: NAME, type: veth, peer: victimNUMBER-p}\n"
	twoFixed = "  evilNUMBER: {network: NAME, type: veth, peer: evilNUMBER-p, addresses: [10.NUMBER.0.5, \"fd00:NUMBER::5\"]}\n" +
		"  victimNUMBER: {network: NAME, type: veth, peer: victimNUMBER-p, addresses: [10.NUMBER.0.6, \"fd00:NUMBER::6\"]}\n"
	natText = "{mode: nat, guard: GUARD, bridge: {name: NAME0}, " +
		"subnets: [{address: 10.NUMBER.0.1/24, dhcp: {}}, {address: \"fd00:NUMBER::1/64\", slaac: true, dhcp: {}}]}"
)

// kinds are all of them. The networks are 10.9.0.0/24 and fd00:9::/64, guarded, and
// 10.8.0.0/24 and fd00:8::/64, where everything goes.
var kinds = []kind{
	{name: "nat", network: natText, ports: twoFree, dhcp: true},
	{name: "adopted", network: natText, dhcp: true},
	{name: "isolated", network: "{mode: isolated, guard: GUARD, bridge: {name: NAME0}, subnets: [{address: 10.NUMBER.0.1/24}, {address: \"fd00:NUMBER::1/64\"}]}", ports: twoFixed},
	{name: "bridge", network: "{mode: bridge, guard: GUARD, bridge: {name: NAME0}}", ports: twoFixed, lan: true},
}

const (
	guardedNet, laxNet = "lab", "lax"
	guardedNo, laxNo   = "9", "8"
)

// text is the file of both networks. more is appended to the ports.
func (k kind) text(guard string, more ...string) string {
	fill := func(s, name, number, guard string) string {
		return strings.NewReplacer("NAME", name, "NUMBER", number, "GUARD", guard).Replace(s)
	}
	s := ""
	if k.lan {
		s = "bridges: {lab0: {ports: [eth1]}, lax0: {}}\n"
	}
	s += "networks:\n  lab: " + fill(k.network, guardedNet, guardedNo, guard) + "\n  lax: " + fill(k.network, laxNet, laxNo, "off") + "\n"
	if ports := fill(k.ports, guardedNet, guardedNo, "") + fill(k.ports, laxNet, laxNo, "") + strings.Join(more, ""); ports != "" {
		s += "ports:\n" + ports
	}
	return s
}

// scene puts evil and its victim on one of the networks.
func (w *world) scene(t *testing.T, k kind, network string) *scene {
	t.Helper()
	number := map[string]string{guardedNet: guardedNo, laxNet: laxNo}[network]
	s := &scene{world: w, t: t, network: network, bridge: network + "0", port: "evil" + number, heard: map[string]*testhost.Capture{}}
	s.evil, s.victim = s.guest(k, "evil", number, "5"), s.guest(k, "victim", number, "6")
	s.gateway = s.theGateway(k, number) // a bridge without a guest has no link-local address
	if k.ports == "" {
		s.port = nstest.PortName("evil" + number)
	}
	s.listen("victim", s.victim)
	s.listen("gateway", s.gateway)
	return s
}

// theGateway is the bridge, or the host of the LAN that has its address.
func (s *scene) theGateway(k kind, number string) party {
	four, six := netip.MustParsePrefix("10."+number+".0.1/24"), netip.MustParsePrefix("fd00:"+number+"::1/64")
	switch {
	case !k.lan:
		if s.network == guardedNet {
			nstest.Serve(s.t, s.Lab.Machine)
		}
		return s.party(s.Lab.Machine, s.bridge, four.Addr(), six.Addr())
	case s.network == laxNet: // a LAN of its own, for what is said there is believed
		return s.party(s.world.guest("gate", s.bridge, four.String(), six.String()), "eth0", four.Addr(), six.Addr())
	}
	if err := s.Outside.AddAddress("eth0", four, six); err != nil {
		s.t.Fatal(err)
	}
	return s.party(s.Outside, "eth0", four.Addr(), six.Addr())
}

func (s *scene) party(h *testhost.Host, nic string, four, six netip.Addr) party {
	s.t.Helper()
	p := party{Host: h, nic: nic, four: four, six: six}
	var err error
	if p.mac, err = h.MAC(nic); err != nil {
		s.t.Fatal(err)
	}
	nstest.Eventually(s.t, patience, func() error {
		list, err := h.Addresses(nic)
		for _, a := range list {
			if a.Addr().IsLinkLocalUnicast() && a.Addr().Is6() {
				p.local = a.Addr()
			}
			if !p.six.IsValid() && a.Addr().Is6() && a.Addr().IsGlobalUnicast() && a.Bits() == 64 && !a.Addr().IsLinkLocalUnicast() {
				p.six = a.Addr()
			}
		}
		if !p.local.IsValid() || !p.six.IsValid() {
			return fmt.Errorf("%s has %v, %w", h.Name(), list, err)
		}
		return nil
	})
	return p
}

// guest plugs a host in and gives it its addresses, last being the end of fixed ones.
func (s *scene) guest(k kind, name, number, last string) party {
	s.t.Helper()
	name += number
	fixed := []string{"10." + number + ".0." + last + "/24", "fd00:" + number + "::" + last + "/64", "10." + number + ".0.1", "fd00:" + number + "::1"}
	if k.dhcp {
		fixed = nil
	}
	var h *testhost.Host
	if k.ports == "" {
		h = s.world.guest(name, s.bridge, fixed...)
	} else {
		h = s.world.port(name, fixed...)
	}
	if !k.dhcp {
		return s.party(h, "eth0", netip.MustParsePrefix(fixed[0]).Addr(), netip.MustParsePrefix(fixed[1]).Addr())
	}
	return s.takes(h, peers.Strict(s.t, h), peers.Dhclient6(s.t, h))
}

// takes has a host take its addresses; that of IPv6 which it made itself is its six.
func (s *scene) takes(h *testhost.Host, clients ...peers.Client) party {
	s.t.Helper()
	var four netip.Addr
	for _, c := range clients {
		l, err := c.Take(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		if c.Family() == 4 {
			four = l.Address.Addr()
			if err := h.Gateways(l.Router); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	p := s.party(h, "eth0", four, netip.Addr{})
	p.leases = clients
	return p
}

// listen hears what comes to somebody, without the connections that go on.
func (s *scene) listen(name string, p party) {
	s.t.Helper()
	c, err := p.Capture(s.t.Context(), p.nic, func(p testhost.Packet) bool {
		return !p.Outgoing && p.Proto != testhost.TCP && !(p.Proto == testhost.ICMP && slices.Contains([]uint8{0, 8, 128, 129}, p.Type))
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.heard[name] = c
}

// refused is what the guards have counted for a port, by its name or interface.
func (w *world) refused(t *testing.T, port string) map[string]uint64 {
	t.Helper()
	list, err := w.Client.Ports(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		if p.Name == port || p.Spec.Interface == port {
			return p.Status.Refused
		}
	}
	t.Fatalf("there is no port %s", port)
	return nil
}
