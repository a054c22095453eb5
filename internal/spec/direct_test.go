package spec

import "testing"

func direct(d *Direct) func(*Spec) {
	return func(s *Spec) {
		s.Networks["lan"].Bridge.Name, s.Networks["lan"].Direct = "", d
		s.Ports["vm2"].Type = ""
	}
}

func onNIC(change func(*Spec)) func(*Spec) {
	return func(s *Spec) {
		direct(&Direct{Devices: []string{"eth1", "eth2"}})(s)
		change(s)
	}
}

func TestDirectNetworks(t *testing.T) {
	t.Parallel()
	port := func(change func(*Port)) func(*Spec) {
		return onNIC(func(s *Spec) { change(s.Ports["vm2"]) })
	}
	run(t, map[string]rule{
		"two NICs":                {change: direct(&Direct{Devices: []string{"eth1", "eth2"}})},
		"a NIC for one port":      {change: direct(&Direct{Mode: DirectPassthrough, Devices: []string{"eth1"}})},
		"a port on one of them":   {change: port(func(p *Port) { p.Device = "eth2" })},
		"a macvtap with an owner": {change: port(func(p *Port) { p.Type, p.Owner = Macvtap, "qemu" })},
		"no NIC":                  {direct(&Direct{}), "networks.lan.direct.devices: there is no NIC to put ports on (name NICs of the host, for instance direct: {devices: [eth1]})"},
		"a NIC twice":             {direct(&Direct{Devices: []string{"eth1", "eth1"}}), `networks.lan.direct.devices[1]: "eth1" is listed twice (remove it)`},
		"no name of a NIC":        {direct(&Direct{Devices: []string{"a/b"}}), `networks.lan.direct.devices[0]: "a/b" cannot name an interface because of '/'`},
		"no mode":                 {direct(&Direct{Mode: "vepaa", Devices: []string{"eth1"}}), `networks.lan.direct.mode: "vepaa" is not a mode of macvtap (did you mean vepa?)`},
		"a port of a bridge":      {direct(&Direct{Devices: []string{"eth0"}}), `networks.lan.direct.devices[0]: "eth0" is a port of bridge "br0", it cannot be shared (write bridge: and that bridge)`},
		"a bridge, too": {onNIC(func(s *Spec) { s.Networks["lan"].Bridge.Name = "br0" }),
			"networks.lan.bridge.name: the ports are on NICs of the host, not in a bridge (remove it, or direct)"},
		"isolated": {onNIC(func(s *Spec) { s.Networks["lan"].Isolated = true }),
			"networks.lan.isolated: macvtap ports know isolation as a mode (write direct: {mode: private})"},
		"another mode": {lab(func(n *Network) { n.Direct = &Direct{Devices: []string{"eth1"}} }),
			"networks.lab.direct: mode nat has a bridge of its own for the ports (remove it, or choose mode bridge)"},
		"a tap": {port(func(p *Port) { p.Type = Tap }),
			`ports.vm2.type: network "lan" has no bridge for a tap, its ports are macvtaps (remove it)`},
		"a macvtap elsewhere": {func(s *Spec) { s.Ports["vm1"].Type = Macvtap },
			`ports.vm1.type: network "lab" has no NICs for a macvtap (remove it, or give the network direct: {devices: [eth1]})`},
		"a NIC that is not the network's": {port(func(p *Port) { p.Device = "eth9" }),
			`ports.vm2.device: network "lan" has no NIC "eth9" (did you mean eth1?)`},
		"a NIC below a tap": {func(s *Spec) { s.Ports["vm1"].Device = "eth1" },
			"ports.vm1.device: only a macvtap has a NIC below it (remove it)"},
		"a macvtap with another end": {port(func(p *Port) { p.Peer = "x" }),
			"ports.vm2.peer: a tap has no other end (add type: veth or remove it)"},
		"an uplink of a router": {onNIC(func(s *Spec) {
			s.Routers = map[string]*Router{"r1": {Uplink: &Uplink{Network: "lan", Address: "192.168.1.7/24"}}}
		}), `routers.r1.uplink.network: network "lan" has no bridge to plug the router into, its ports are on NICs (write nic: and one of eth1 or eth2)`},
	})
}

func TestPortsOfDirectNetworksAreMacvtaps(t *testing.T) {
	t.Parallel()
	s := valid()
	direct(&Direct{Devices: []string{"eth1"}})(s)
	s.Default()
	if s.Ports["vm2"].Type != Macvtap || s.Ports["vm1"].Type != Tap {
		t.Errorf("vm1 is a %s, vm2 a %s", s.Ports["vm1"].Type, s.Ports["vm2"].Type)
	}
}

func TestLimitsAndSourcesOfNetworks(t *testing.T) {
	t.Parallel()
	nat := func(n NATSettings) func(*Spec) { return lab(func(net *Network) { net.NAT = &n }) }
	sources := func(from, to string) NATSettings { return NATSettings{Address: AddrRange{addr(from), addr(to)}} }
	run(t, map[string]rule{
		"a range of addresses and ports": {change: nat(NATSettings{Address: AddrRange{addr("198.51.100.1"), addr("198.51.100.9")}, Ports: PortRange{1024, 65535}})},
		"ports alone":                    {change: nat(NATSettings{Ports: PortRange{2000, 2000}})},
		"a limit with all":               {change: lab(func(n *Network) { n.Bandwidth = &Bandwidth{In: Limit{8000, 16000, 1024}} })},
		"guests kept apart":              {change: lab(func(n *Network) { n.Isolated = true })},
		"guests kept apart on a LAN":     {change: func(s *Spec) { s.Networks["lan"].Isolated = true }},
		"a source of IPv6": {nat(sources("fd00::7", "fd00::7")),
			"networks.lab.nat.address: the source is to be IPv4, not fd00::7 (IPv6 leaves with the address of the interface; remove it, or use a router's egress: snat)"},
		"sources backwards": {nat(sources("198.51.100.9", "198.51.100.1")),
			"networks.lab.nat.address: the range 198.51.100.9-198.51.100.1 is not in order"},
		"a source that is nobody's": {nat(sources("224.0.0.1", "224.0.0.1")),
			"networks.lab.nat.address: 224.0.0.1 is a multicast address"},
		"half a range": {nat(NATSettings{Address: AddrRange{From: addr("198.51.100.9")}}),
			"networks.lab.nat.address: the range is missing an address"},
		"ports backwards": {nat(NATSettings{Ports: PortRange{9, 7}}), "networks.lab.nat.ports: 9-7 is not a range of ports"},
		"a peak alone": {lab(func(n *Network) { n.Bandwidth = &Bandwidth{Out: Limit{Peak: 8000}} }),
			`networks.lab.bandwidth.out: " peak 8kbit" is not a limit such as 10mbit or 10mbit peak 20mbit burst 512kb`},
		"a limit of a LAN": {func(s *Spec) { s.Networks["lan"].Bandwidth = &Bandwidth{} },
			"networks.lan.bandwidth: guests of mode bridge reach their LAN past the host: a limit on the bridge would hold back the host alone (remove it, or choose another mode)"},
	})
}
