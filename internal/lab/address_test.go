package lab

import (
	"net/netip"
	"strings"
	"testing"

	"kvmnet/internal/spec"
)

func TestNthCountsThroughBytes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		subnet string
		n      int
		want   string
	}{
		{"192.168.100.1/24", 20, "192.168.100.20/24"},
		{"172.16.0.1/16", 256, "172.16.1.0/16"},
		{"172.16.255.1/16", 65535, "172.16.255.255/16"},
		{"fd00::1/64", 0x1ff, "fd00::1ff/64"},
		{"fd00::ffff:0:0/64", 1, "fd00::1/64"},
	} {
		if got := nth(netip.MustParsePrefix(c.subnet), c.n).String(); got != c.want {
			t.Errorf("address %d of %s is %s, want %s", c.n, c.subnet, got, c.want)
		}
	}
}

func TestSeats(t *testing.T) {
	t.Parallel()
	mac := spec.MAC{0x52, 0x54, 0, 0, 0, 9}
	subnet := func(p string, hosts map[string]spec.Reservation) spec.Subnet {
		s := spec.Subnet{Address: netip.MustParsePrefix(p)}
		if hosts != nil {
			s.DHCP = &spec.DHCP{Hosts: hosts}
		}
		return s
	}
	for _, c := range []struct {
		name    string
		network spec.Network
		want    string // addresses of the guests, or the end of the error
	}{
		{"nat with both families", spec.Network{Mode: spec.NAT, Subnets: []spec.Subnet{subnet("192.168.100.1/24", nil), subnet("fd00::1/64", nil)}},
			"192.168.100.20/24 fd00::14/64 | 192.168.100.30/24 fd00::1e/64"},
		{"the gateway is where the guest would be", spec.Network{Mode: spec.NAT, Subnets: []spec.Subnet{subnet("10.0.0.20/24", nil)}},
			"10.0.0.21/24 | 10.0.0.30/24"},
		{"a small subnet", spec.Network{Mode: spec.Route, Subnets: []spec.Subnet{subnet("10.0.0.9/29", nil)}},
			"10.0.0.12/29 | 10.0.0.14/29"},
		{"no room", spec.Network{Mode: spec.Route, Subnets: []spec.Subnet{subnet("10.0.0.1/30", nil)}},
			"subnet 10.0.0.0/30 has no room"},
		{"reserved for one", spec.Network{Mode: spec.NAT, Subnets: []spec.Subnet{
			subnet("10.0.0.1/24", map[string]spec.Reservation{"vm": {MAC: mac, IP: netip.MustParseAddr("10.0.0.30")}})}},
			"10.0.0.30/24 | 10.0.0.31/24"},
		{"a second subnet of a family", spec.Network{Mode: spec.NAT, Subnets: []spec.Subnet{subnet("10.0.0.1/24", nil), subnet("10.0.1.1/24", nil)}},
			"10.0.0.20/24 | 10.0.0.30/24"},
		{"isolated without address", spec.Network{Mode: spec.Isolated}, "10.77.3.2/24 fd77:4::2/64 | 10.77.3.3/24 fd77:4::3/64"},
		{"bridge", spec.Network{Mode: spec.Bridge}, "203.0.113.50/24 2001:db8:3::50/64 | 203.0.113.51/24 2001:db8:3::51/64"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := &network{name: "net", spec: &c.network, index: 3}
			err := n.seat(nil, nil)
			two := n.seats
			if err != nil {
				if !strings.HasSuffix(err.Error(), c.want) {
					t.Errorf("got error %v, want %s", err, c.want)
				}
				return
			}
			var guests []string
			for _, s := range two {
				var texts []string
				for _, p := range s.addr.list() {
					texts = append(texts, p.String())
				}
				guests = append(guests, strings.Join(texts, " "))
			}
			if got := strings.Join(guests, " | "); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if two[0].mac == two[1].mac || two[0].name == two[1].name {
				t.Errorf("guests share a name or a MAC: %v", two)
			}
		})
	}
}

func TestSeatsGiveReservedMACs(t *testing.T) {
	t.Parallel()
	mac := spec.MAC{0x52, 0x54, 0, 0, 0, 9}
	n := &spec.Network{Mode: spec.NAT, Subnets: []spec.Subnet{{Address: netip.MustParsePrefix("10.0.0.1/24"),
		DHCP: &spec.DHCP{Hosts: map[string]spec.Reservation{"vm": {MAC: mac, IP: netip.MustParseAddr("10.0.0.30")}}}}}}
	seated := &network{name: "net", spec: n}
	err := seated.seat(nil, nil)
	two := seated.seats
	if err != nil || two[0].mac != mac || two[1].mac == mac {
		t.Errorf("got %v and %v (%v), want %v first", two[0].mac, two[1].mac, err, mac)
	}
}
