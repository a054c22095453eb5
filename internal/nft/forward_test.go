package nft

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"kvmnet/internal/plan"
)

// Who opens a connection to which address of the host, and from which address it
// arrives at the guest: the sender's own, that of the guest's gateway, or the
// address that was asked for, which is the host's.
const forwardMatrix = `
from     to        arrives
outside  uplink    own
guest2   uplink    own
guest2   gateway2  own
host     uplink    asked
host     gateway   asked
host     loopback  gateway
guest    uplink    gateway
guest    gateway   gateway
self     gateway   gateway
`

// With bridge-nf-call-iptables on, the kernel turns around what a guest sends to
// its own segment without leaving the bridge: another guest sees the sender, and a
// guest does not reach itself, since a bridge sends no frame back. Answers to ::1
// are addressed to it before the bridge hands them up, and then IPv6 refuses them
// (ip6_rcv_core).
const bridgedMatrix = `
from     to        arrives
outside  uplink    own
guest2   gateway2  own
host     loopback4 gateway
guest    uplink    own
guest    gateway   own
`

// Ports of the host, and what they lead to: one port, one of a range that keeps
// its number, one of a range that is shifted, which is elements of single ports.
var forwarded = map[string]struct {
	ask, port uint16
	rows      func(target4, target6, proto string) []plan.Object
}{
	"single": {8080, 7, func(t4, t6, p string) []plan.Object {
		return []plan.Object{el("forward4", p+" . 8080", t4+" . 7"), el("forward6", p+" . 8080", t6+" . 7")}
	}},
	"range": {20007, 20007, func(t4, t6, p string) []plan.Object {
		return []plan.Object{el("forward_range4", p+" . 5000-64999", t4), el("forward_range6", p+" . 5000-64999", t6)}
	}},
	"shifted": {1002, 20007, func(t4, t6, p string) (rows []plan.Object) {
		for i := range 10 {
			from := fmt.Sprintf("%s . %d", p, 1000+i)
			rows = append(rows, el("forward4", from, fmt.Sprintf("%s . %d", t4, 20005+i)),
				el("forward6", from, fmt.Sprintf("%s . %d", t6, 20005+i)))
		}
		return rows
	}},
}

func TestNSForwardsLeadToTheirGuestFromEverywhere(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"nat", "route", "open"} {
		for _, where := range []string{"everywhere", "one address"} {
			t.Run(mode+" "+where, func(t *testing.T) {
				t.Parallel()
				f := newForwardLab(t, mode)
				f.forward(where)
				f.bridgeCalls("0")
				f.check(t, forwardMatrix)
				f.bridgeCalls("1")
				f.check(t, bridgedMatrix)
			})
		}
	}
}

type forwardLab struct{ *lab }

func newForwardLab(t *testing.T, mode string) forwardLab {
	l := newLab(t, network{"net0", mode, []string{"self", "guest"}}, network{"net1", "nat", []string{"guest2"}})
	l.machines["self"].serveAt(20007)
	l.machines["host"] = l.host
	// As the host has it that forwards from 127.0.0.1 and ::1. Answers to ::1 come in
	// on the bridge, and the kernel takes a packet to a loopback address only where a
	// route says so.
	l.host.sysctl("net/ipv4/conf/net0/route_localnet", "1")
	l.host.ip("route add local ::1/128 dev net0 table local metric 4000")
	return forwardLab{l}
}

// bridgeCalls has bridged frames shown to our hooks, or not.
func (f forwardLab) bridgeCalls(value string) {
	for _, hook := range []string{"iptables", "ip6tables"} {
		f.host.sysctl("net/bridge/bridge-nf-call-"+hook, value)
	}
}

// forward makes the rows of all forwards, of all addresses or of each one.
func (f forwardLab) forward(where string) {
	target := f.machines["self"]
	for _, kind := range forwarded {
		for _, proto := range []string{"tcp", "udp"} {
			rows := kind.rows(target.v4.String(), target.v6.String(), proto)
			if where != "everywhere" {
				rows = f.atEach(rows)
			}
			f.apply(plan.Add, rows...)
		}
	}
}

// atEach turns forwards of all addresses into forwards of each.
func (f forwardLab) atEach(rows []plan.Object) (at []plan.Object) {
	for _, to := range []string{"uplink", "gateway", "gateway2", "loopback"} {
		for _, addr := range f.addresses(to) {
			for _, o := range rows {
				e := o.(plan.Element)
				if addr.Is4() != strings.HasSuffix(e.Map, "4") {
					continue
				}
				e.Map = strings.NewReplacer("forward_range", "forward_range_at", "forward4", "forward_at4", "forward6", "forward_at6").Replace(e.Map)
				e.ID = addr.String() + " . " + e.ID
				at = append(at, e)
			}
		}
	}
	return at
}

func (f forwardLab) addresses(to string) []netip.Addr {
	switch to {
	case "uplink":
		return []netip.Addr{netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("2001:db8:1::1")}
	case "gateway", "gateway2":
		g := f.gateways[map[string]string{"gateway": "net0", "gateway2": "net1"}[to]]
		return g[:]
	case "loopback4":
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	}
	return []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback()}
}

func (f forwardLab) check(t *testing.T, matrix string) {
	var jobs []func()
	lines := strings.Split(strings.TrimSpace(matrix), "\n")[1:]
	for _, line := range lines {
		words := strings.Fields(line)
		for name, kind := range forwarded {
			for _, addr := range f.addresses(words[1]) {
				for _, proto := range []string{"tcp", "udp"} {
					jobs = append(jobs, func() {
						f.checkOne(t, words[0], proto+" "+name, netip.AddrPortFrom(addr, kind.ask), words[2])
					})
				}
			}
		}
	}
	each(jobs)
}

func (f forwardLab) checkOne(t *testing.T, from, what string, to netip.AddrPort, arrives string) {
	m := f.machines[from]
	proto, _, _ := strings.Cut(what, " ")
	saw, err := m.ask(proto, to, "x", yes)
	own, gateway := m.v4, f.gateways["net0"][0]
	if to.Addr().Is6() {
		own, gateway = m.v6, f.gateways["net0"][1]
	}
	want := map[string]netip.Addr{"own": own, "gateway": gateway, "asked": to.Addr()}[arrives]
	if err != nil || saw != want.String() {
		t.Errorf("%s of %s to %s: seen as %q, %v; want %s", what, from, to, saw, err, want)
	}
}

// What lets answers to the loopback addresses in lets no guest in.
func TestNSGuestsDoNotReachTheLoopbackAddresses(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"nat", "open", "isolated"} {
		f := newForwardLab(t, mode)
		guest := f.machines["guest"]
		guest.ip("route del local 127.0.0.0/8 dev lo table local", "route del local 127.0.0.1 dev lo table local",
			"route del local ::1 dev lo table local",
			"route add 127.0.0.0/8 via "+f.gateways["net0"][0].String(), "route add ::1 via "+f.gateways["net0"][1].String())
		for _, m := range []string{"net/ipv4/conf/eth0/route_localnet", "net/ipv4/conf/all/route_localnet"} {
			guest.sysctl(m, "1")
		}
		var jobs []func()
		for _, to := range []string{"127.0.0.1", "127.9.9.9", "::1"} {
			for _, proto := range []string{"tcp", "udp"} {
				payload := mode + " " + proto + " to " + to
				addr := netip.AddrPortFrom(netip.MustParseAddr(to), 7)
				jobs = append(jobs, func() {
					if saw, err := guest.ask(proto, addr, payload, no); err == nil || f.host.heard(payload) {
						t.Errorf("%s arrived at the host from %s", payload, saw)
					}
				})
			}
		}
		each(jobs)
		if f.packets("spoofed") == 0 {
			t.Errorf("%s: nothing was refused: the packets did not come this way", mode)
		}
	}
}
