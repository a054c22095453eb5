package doctor

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

func mac(last byte) spec.MAC { return spec.MAC{0x52, 0x54, 0, 0, 0, last} }

// healthy is a host with a NAT network, its guest, and an uplink.
func healthy() Patient {
	links := map[string]plan.Link{
		"eth0": {Name: "eth0", Type: "device", MTU: 1500, MAC: mac(0xe0)},
		"lab0": {Mark: "network/lab", Name: "lab0", Type: "bridge", MTU: 1500, MAC: mac(0xb0)},
		"tap1": {Mark: "port/vm1", Name: "tap1", Type: "tap", MTU: 1500, Master: "lab0", MAC: mac(1)},
	}
	have := plan.State{}
	have.Add(
		plan.Addr{Link: "eth0", Prefix: netip.MustParsePrefix("192.0.2.2/24")},
		plan.Addr{Mark: "network/lab", Link: "lab0", Prefix: netip.MustParsePrefix("10.0.0.1/24")},
		plan.Sysctl{Family: "ipv4", Link: "lab0", Name: "forwarding", Value: "1"},
		plan.Sysctl{Family: "ipv4", Link: "eth0", Name: "forwarding", Value: "1"},
	)
	s := &spec.Spec{
		Networks: map[string]*spec.Network{"lab": {Mode: spec.NAT, Bridge: spec.BridgeSettings{Name: "lab0"},
			Subnets: []spec.Subnet{{Address: netip.MustParsePrefix("10.0.0.1/24"), DHCP: &spec.DHCP{}}}}},
		Ports: map[string]*spec.Port{"vm1": {Network: "lab", Interface: "tap1", MAC: mac(1)}},
	}
	return Patient{Spec: s, Have: have, Facts: plan.Facts{Links: links, Uplinks4: []string{"eth0"}},
		Resolvers: []string{"192.0.2.53"}, Settings: Settings{filter("all"): "0", filter("eth0"): "1"}}
}

func TestAHealthyHostIsWell(t *testing.T) {
	t.Parallel()
	findings := Examine(healthy())
	if len(findings) != len(checks) {
		t.Errorf("%d findings of %d checks", len(findings), len(checks))
	}
	for _, f := range findings {
		if f.Level != api.Fine || f.Message == "" {
			t.Errorf("a healthy host has %+v", f)
		}
	}
}

// Each ailment is found by its check, about the right thing, with a way out that names
// what to do.
func TestEachAilmentIsFound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what, check, subject, fix string
		level                     api.Level
		ail                       func(p *Patient)
	}{
		{"a row is missing", "kernel", "network/lab", "doctor --fix", api.Broken, func(p *Patient) {
			p.Ops = []plan.Op{{Verb: plan.Add, Object: plan.Element{Mark: "network/lab", Map: "bridges", ID: "lab0"}}}
		}},
		{"a bridge is left over", "kernel", "", "doctor --fix", api.Warning, func(p *Patient) {
			p.Ops = []plan.Op{{Verb: plan.Del, Object: plan.Link{Mark: "network/old", Name: "old0", Type: "bridge"}}}
		}},
		{"a pass had a problem", "object", "network/lab", "kvmnet status", api.Broken, func(p *Patient) {
			p.Problems = map[string][]string{"network/lab": {"lab0 is a bridge of somebody else"}}
			p.Blocked = func(owner string) bool { return owner == "network/lab" }
		}},
		{"a network waits", "object", "network/lab", "kvmnet status", api.Warning, func(p *Patient) {
			p.Problems = map[string][]string{"network/lab": {"waits for an uplink"}}
			p.Blocked = func(string) bool { return false }
		}},
		{"no default route", "uplink", "lab", "default route", api.Warning, func(p *Patient) { p.Facts.Uplinks4 = nil }},
		{"an uplink that went", "uplink", "lab", "plug in eth7", api.Warning, func(p *Patient) { p.Spec.Networks["lab"].Uplink = "eth7" }},
		{"forwarding is off", "forwarding", "eth0", "doctor --fix", api.Broken, func(p *Patient) {
			p.Have.Add(plan.Sysctl{Family: "ipv4", Link: "eth0", Name: "forwarding", Value: "0"})
		}},
		{"Docker", "firewall", "Docker", "DOCKER-USER -i lab0", api.Warning, func(p *Patient) {
			p.Chains = []Chain{{"ip", "filter", "FORWARD", "forward", true}, {"ip", "filter", "DOCKER-USER", "", false}}
		}},
		{"ufw", "firewall", "ufw", "ufw allow in on lab0", api.Warning, func(p *Patient) {
			p.Chains = []Chain{{"ip", "filter", "INPUT", "input", true}, {"ip", "filter", "ufw-before-input", "", false}}
		}},
		{"firewalld", "firewall", "firewalld", "firewall-cmd", api.Warning, func(p *Patient) {
			p.Chains = []Chain{{"inet", "firewalld", "filter_FORWARD", "forward", true}}
		}},
		{"a ruleset by hand", "firewall", "a firewall", "nft insert rule inet mine gate iifname lab0", api.Warning, func(p *Patient) {
			p.Chains = []Chain{{"inet", "mine", "gate", "forward", true}}
		}},
		{"the old iptables", "firewall", "iptables-legacy", "iptables-legacy -S", api.Warning, func(p *Patient) { p.Legacy = []string{"iptables filter"} }},
		{"br_netfilter on somebody's bridge", "br_netfilter", "br9", "bridge-nf-call-iptables=0", api.Warning, func(p *Patient) {
			p.Spec.Networks["lan"] = &spec.Network{Mode: spec.Bridge, Bridge: spec.BridgeSettings{Name: "br9"}}
			p.Facts.Links["br9"] = plan.Link{Name: "br9", Type: "bridge", MTU: 1500}
			p.Settings[callIPTables] = "1"
		}},
		{"two uplinks, one strict", "rp_filter", "eth0", "eth0/rp_filter=2", api.Warning, func(p *Patient) {
			p.Facts.Uplinks4 = []string{"eth0", "eth1"}
		}},
		{"all strict, and a route behind a guest", "rp_filter", "lab0", "lab0/rp_filter=2", api.Warning, func(p *Patient) {
			p.Settings[filter("all")] = "1"
			p.Spec.Networks["lab"].Routes = []spec.StaticRoute{{To: netip.MustParsePrefix("10.7.0.0/24")}}
		}},
		{"a port with another MTU", "mtu", "tap1", "doctor --fix", api.Broken, func(p *Patient) {
			l := p.Facts.Links["tap1"]
			l.MTU = 1400
			p.Facts.Links["tap1"] = l
		}},
		{"somebody's port with another MTU", "mtu", "vnet3", "ip link set vnet3 mtu 1500", api.Broken, func(p *Patient) {
			p.Facts.Links["vnet3"] = plan.Link{Name: "vnet3", Type: "tap", MTU: 9000, Master: "lab0"}
		}},
		{"a narrow uplink", "mtu", "lab", "mtu: 1420", api.Warning, func(p *Patient) {
			p.Facts.Links["eth0"] = plan.Link{Name: "eth0", Type: "device", MTU: 1420, MAC: mac(0xe0)}
		}},
		{"an address on two links", "address", "eth0, eth1", "ip addr del 192.0.2.2", api.Warning, func(p *Patient) {
			p.Have.Add(plan.Addr{Link: "eth1", Prefix: netip.MustParsePrefix("192.0.2.2/25")})
		}},
		{"a guest with the lease of another", "address", "lab", "port list", api.Broken, func(p *Patient) {
			p.Leases = []api.Lease{{Network: "lab", Address: netip.MustParsePrefix("10.0.0.5/24"), MAC: mac(1), State: "bound"}}
			p.Neighbours = []api.Neighbour{{Link: "lab0", Address: netip.MustParseAddr("10.0.0.5"), MAC: mac(9)}}
		}},
		{"a guest with the gateway's address", "address", "lab", "port list", api.Broken, func(p *Patient) {
			p.Neighbours = []api.Neighbour{{Link: "lab0", Address: netip.MustParseAddr("10.0.0.1"), MAC: mac(9)}}
		}},
		{"two ports with one MAC", "mac", "lab", "port set", api.Broken, func(p *Patient) {
			p.Spec.Ports["vm2"] = &spec.Port{Network: "lab", Interface: "tap2", MAC: mac(1)}
		}},
		{"dnsmasq on all addresses", "port", "lab", "bind-interfaces", api.Warning, func(p *Patient) {
			p.Ports = []PortHolder{{"lab", "DHCP", "dnsmasq (pid 7) on 0.0.0.0:67"}}
		}},
		{"no resolver", "resolver", "lab", "forwarders", api.Warning, func(p *Patient) { p.Resolvers = nil }},
		{"networkd takes our bridge", "manager", "lab0", "Unmanaged=yes", api.Warning, func(p *Patient) {
			p.Managers = map[string]Manager{"lab0": {"systemd-networkd", "/etc/systemd/network/all.network matches it"}}
		}},
		{"a change that waits", "change", "eth0", "bridge confirm b3f1", api.Warning, func(p *Patient) {
			p.Changes = []api.HostChange{{ID: "b3f1", What: "eth0 into br0", Holds: []string{"eth0"}, State: "armed", Deadline: time.Now()}}
		}},
		{"a stale file", "file", "/etc/kvmnet/.new-1", "doctor --fix", api.Warning, func(p *Patient) {
			p.Litter = []Stray{{"/etc/kvmnet/.new-1", "is left of a write that was cut off", true}}
		}},
	} {
		p := healthy()
		c.ail(&p)
		var found []api.Finding
		for _, f := range Examine(p) {
			if f.Level != api.Fine {
				found = append(found, f)
			}
		}
		if len(found) != 1 {
			t.Errorf("%s: %d findings: %+v", c.what, len(found), found)
			continue
		}
		f := found[0]
		if f.Check != c.check || f.Subject != c.subject || f.Level != c.level || !strings.Contains(f.Fix, c.fix) || f.Message == "" {
			t.Errorf("%s: got %+v, want %s about %q, %s, with a fix like %q", c.what, f, c.check, c.subject, c.level, c.fix)
		}
	}
}

// What is none of guests' business is not told.
func TestNobodyIsBotheredWithoutNeed(t *testing.T) {
	t.Parallel()
	p := healthy()
	n := p.Spec.Networks["lab"]
	n.Mode, n.Subnets = spec.Isolated, nil
	p.Facts.Uplinks4, p.Resolvers = nil, nil
	p.Chains = []Chain{{"ip", "filter", "FORWARD", "forward", true}}
	p.Have.Add(plan.Sysctl{Family: "ipv4", Link: "lab0", Name: "forwarding", Value: "0"})
	p.Facts.Links["eth0"] = plan.Link{Name: "eth0", Type: "device", MTU: 1280, MAC: mac(0xe0)}
	p.Settings[callIPTables] = "1"
	for _, f := range Examine(p) {
		if f.Level != api.Fine {
			t.Errorf("an isolated network without addresses: %+v", f)
		}
	}
}

func TestRepairsAreTold(t *testing.T) {
	t.Parallel()
	ours := api.Finding{Check: "kernel", Level: api.Broken, Message: "a", Ours: true}
	other := api.Finding{Check: "mtu", Level: api.Broken, Message: "b"}
	fine := api.Finding{Check: "kernel", Level: api.Fine}
	got := Healed([]api.Finding{ours, other}, []api.Finding{fine, other})
	fixed := ours
	fixed.Fixed = true
	if want := []api.Finding{fixed, fine, other}; !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
