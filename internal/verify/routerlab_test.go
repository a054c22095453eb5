package verify

import (
	"fmt"
	"strings"
	"testing"

	"kvmnet/internal/netns"
	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// routerLab is a lab with routers made by hand, on the LAN themselves.
type routerLab struct {
	*lab
	o       Options
	routers map[string]*testhost.Host
}

// behind makes a network that has nothing but a bridge called after it. Nobody
// serves it here: these labs have no servers in routers.
func behind(bridge string) *spec.Network {
	off := false
	n := network(spec.Isolated, bridge)
	n.DNS, n.RA = &spec.DNS{Enabled: &off}, &spec.RA{Enabled: &off}
	return n
}

// uplink is the way out of the labs' routers, at .10 of the LAN.
func uplink() *spec.Uplink {
	return &spec.Uplink{NIC: "eth9", Address: "192.0.2.10/24, 2001:db8:2::10/64", Gateway: "192.0.2.1, 2001:db8:2::1"}
}

func newRouterLab(t *testing.T, running map[string]*spec.Network, routers map[string]*spec.Router) *routerLab {
	t.Helper()
	l := &routerLab{lab: newLab(t, running), routers: map[string]*testhost.Host{}}
	whole := &spec.Spec{Routers: routers}
	whole.Default()
	for name, r := range routers {
		l.routers[name] = l.router(name, r)
	}
	l.o = l.options()
	l.o.Routers = routers
	l.o.Namespace = func(name string) (*netns.NS, error) {
		return netns.Open(fmt.Sprintf("/proc/self/fd/%d", l.routers[name].NS().Fd()))
	}
	return l
}

// router makes a router as somebody would by hand: interfaces, addresses, and
// rules that keep what it promises.
func (l *routerLab) router(name string, r *spec.Router) *testhost.Host {
	l.t.Helper()
	h := nstest.Host(l.t, name)
	for way, u := range r.Ways() {
		where, bridge := l.LAN, "lan0"
		if u.Network != "" {
			where, bridge = l.Machine, l.running[u.Network].Bridge.Name
		}
		try(l.t, h.Plug(testhost.Plug{Inside: way, Outside: where.NS(), OutsideName: name + "-" + way, Bridge: bridge}))
		l.address(h, way, u.Address)
		if u.Gateway != "" {
			gateways, err := u.Gateway.List()
			try(l.t, err)
			try(l.t, h.Gateways(gateways...))
		}
	}
	for _, i := range r.Interfaces {
		try(l.t, h.Plug(testhost.Plug{Inside: i.Name, Outside: l.Machine.NS(), OutsideName: name + "-" + i.Name, Bridge: l.running[i.Network].Bridge.Name}))
		l.address(h, i.Name, i.Address)
		for _, s := range i.Subnets {
			l.address(h, i.Name, spec.Prefixes(s.Address.String()))
		}
	}
	try(l.t, h.Forward(true))
	nstest.Run(l.t, h.NS(), "nft", rulesOf(r))
	return h
}

func (l *routerLab) address(h *testhost.Host, link string, list spec.Prefixes) {
	l.t.Helper()
	prefixes, err := list.List()
	try(l.t, err)
	try(l.t, h.AddAddress(link, prefixes...))
}

// rulesOf are a router's rules: guests keep to their own addresses, leave by the
// uplink as their interface says, and do not reach each other.
func rulesOf(r *spec.Router) string {
	var rules []string
	open := []string{"uplink"} // whence routed networks are entered
	for _, i := range r.Interfaces {
		if i.Egress == spec.EgressRoute {
			open = append(open, i.Name)
		}
	}
	add := func(format string, args ...any) { rules = append(rules, fmt.Sprintf(format, args...)) }
	add("add table inet r")
	add("add chain inet r own { type filter hook input priority 0; }")
	add("add chain inet r f { type filter hook forward priority 0; policy drop; }")
	add("add chain inet r extra")
	add("add chain inet r n { type nat hook postrouting priority 100; }")
	for _, i := range r.Interfaces {
		add("add rule inet r own iifname %s fib daddr . iif type { local, broadcast, multicast } accept", i.Name)
		add("add rule inet r own iifname %s drop", i.Name)
		add("add rule inet r f iifname %s fib saddr . iif oif missing drop", i.Name)
	}
	add("add rule inet r f ct state established,related accept")
	add("add rule inet r f jump extra")
	for _, i := range r.Interfaces {
		for _, allow := range allowed4(i.Allow) {
			add("add rule inet r f iifname %s oifname uplink %s accept", i.Name, allow)
		}
		switch i.Egress {
		case spec.EgressNone:
			continue
		case spec.EgressMasquerade:
			add("add rule inet r n iifname %s oifname uplink masquerade", i.Name)
		case spec.EgressSNAT:
			ports := ""
			if !i.SNAT.Ports.IsZero() {
				ports = ":" + i.SNAT.Ports.String()
			}
			add("add rule inet r n iifname %s oifname uplink meta l4proto { tcp, udp } snat ip to %s%s", i.Name, i.SNAT.Address, ports)
			add("add rule inet r n iifname %s oifname uplink snat ip to %s", i.Name, i.SNAT.Address)
			add("add rule inet r n iifname %s oifname uplink masquerade", i.Name)
		}
		if len(i.Allow) == 0 {
			add("add rule inet r f iifname %s oifname uplink accept", i.Name)
		}
		if i.Egress == spec.EgressRoute {
			add("add rule inet r f iifname { %s } oifname %s accept", strings.Join(open, ", "), i.Name)
		}
	}
	return strings.Join(rules, "; ")
}

// allowed4 writes kinds of traffic as nft does.
func allowed4(kinds []spec.Traffic) (list []string) {
	for _, t := range kinds {
		text := ""
		if t.To != "" {
			text = fmt.Sprintf("ip daddr { %s } ", t.To)
		}
		switch {
		case t.Ports != "":
			text += fmt.Sprintf("%s dport { %s }", t.Protocol, t.Ports)
		case t.Protocol != "":
			text += fmt.Sprintf("meta l4proto %s", t.Protocol)
		}
		list = append(list, text)
	}
	return list
}

// in executes a command in a router.
func (l *routerLab) in(router, command string, args ...string) {
	l.t.Helper()
	argv := append(strings.Fields(command), args...)
	nstest.Run(l.t, l.routers[router].NS(), argv[0], argv[1:]...)
}
