package proof

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/nstest"
	"kvmnet/internal/testhost"
)

// checkAll has every guest take its lease, and then prove what its network promises.
func (r *guestRig) checkAll(guests []*visitor) {
	r.t.Helper()
	r.each(guests, (*visitor).leases)
	ports, err := r.Client.Ports(r.t.Context())
	r.fine(err)
	for _, g := range guests {
		g.listed(ports)
	}
	r.each(guests, func(g *visitor) { g.reaches(guests[g.number^1]) })
}

// each does something with guests at the same time.
func (r *guestRig) each(guests []*visitor, do func(*visitor)) {
	r.t.Helper()
	var work sync.WaitGroup
	for _, g := range guests {
		work.Go(func() { do(g) })
	}
	work.Wait()
	if r.t.Failed() {
		r.t.FailNow()
	}
}

func (g *visitor) errorf(format string, args ...any) {
	g.rig.t.Helper()
	g.rig.t.Errorf("%s, %s, %s: %s", g.way.name, g.on.mode, g.name, fmt.Sprintf(format, args...))
}

// leases waits until the guest has an address, of which the daemon knows whose it is,
// unless it is one of the LAN's.
func (g *visitor) leases() {
	addr, err := eventually(90*time.Second, g.address)
	if err != nil {
		g.errorf("no lease: %v", err)
		return
	}
	g.addr = addr
	if g.on.gateway == "" {
		return
	}
	leases, err := g.rig.Client.Leases(g.rig.t.Context(), g.on.network)
	if err != nil {
		g.errorf("%v", err)
	}
	for _, l := range leases {
		if l.MAC == g.mac && l.Address.Addr() == addr {
			return
		}
	}
	g.errorf("%s is no lease of %s: %v", addr, g.mac, leases)
}

// address is what the guest's NIC has.
func (g *visitor) address() (netip.Addr, error) {
	out, _, err := g.Run(g.rig.t.Context(), "ip -4 -o address show dev eth0 scope global")
	if err != nil {
		return netip.Addr{}, err
	}
	_, rest, _ := strings.Cut(out, "inet ")
	p, err := netip.ParsePrefix(strings.TrimSpace(strings.SplitN(rest+" ", " ", 2)[0]))
	return p.Addr(), err
}

// eventually is nstest.Eventually for those who do not fail the test at once: they
// are not on its goroutine.
func eventually[T any](timeout time.Duration, try func() (T, error)) (v T, err error) {
	for deadline := time.Now().Add(timeout); ; time.Sleep(50 * time.Millisecond) {
		if v, err = try(); err == nil || time.Now().After(deadline) {
			return v, err
		}
	}
}

// listed finds the guest among the ports of the daemon: by its MAC, by its interface,
// or, where the daemon was told neither, by its lease. On a network without leases of
// ours such a guest is one of those of which nothing is known.
func (g *visitor) listed(ports []api.Port) {
	text := ""
	for _, p := range ports {
		text += fmt.Sprintf("%s: %s %s %s %s %v\n", p.Name, p.Spec.Network, p.Spec.Interface, p.Spec.MAC, p.Status.State, p.Status.Leases)
		unknown := g.iface == "" && p.Spec.MAC.IsZero() && g.on.network == "lan"
		switch is := unknown || p.Spec.MAC == g.mac || p.Spec.Interface == g.iface || slices.Contains(p.Status.Leases, g.addr); {
		case g.adopted && p.Status.State == "adopted":
			return
		case is && !g.adopted && p.Spec.Network == g.on.network && p.Status.State == "up":
			return
		}
	}
	g.errorf("is not up among the ports of %s:\n%s", g.on.network, text)
}

// reaches proves what the mode says of a guest: its neighbour, its gateway, the
// outside in both directions, and a guest of another network.
func (g *visitor) reaches(peer *visitor) {
	ctx, cancel := context.WithTimeout(g.rig.t.Context(), 2*time.Minute)
	defer cancel()
	want := map[string]bool{peer.addr.String(): true, stranger: false, nstest.Outside4.String(): g.on.outside != ""}
	if g.on.gateway != "" {
		want[g.on.gateway] = true
		// An isolated network offers no way out. A guest may try one.
		g.Run(ctx, "ip route | grep -q default || ip route add default via "+g.on.gateway)
	}
	got, err := g.pings(ctx, want)
	if err != nil {
		g.errorf("%v", err)
	}
	for to, yes := range want {
		if got[to] != yes {
			g.errorf("%s answers: %v, want %v", to, got[to], yes)
		}
	}
	g.seen(ctx)
	if n := g.way.queues; n > 0 {
		if out, _, err := g.Run(ctx, "ls /sys/class/net/eth0/queues"); strings.Count(out, "tx-") != n || strings.Count(out, "rx-") != n {
			g.errorf("its NIC has the queues %q (%v), want %d of each", strings.Fields(out), err, n)
		}
	}
}

// pings asks addresses at the same time: those that must answer until they do, the
// others twice.
func (g *visitor) pings(ctx context.Context, want map[string]bool) (map[string]bool, error) {
	var script strings.Builder
	script.WriteString("ask() { n=0; while [ $n -lt $2 ]; do n=$((n+1)); ping -c 1 -W 1 $1 >/dev/null 2>&1 && echo $1 && return; done; }\n")
	for to, yes := range want {
		fmt.Fprintf(&script, "ask %s %d &\n", to, map[bool]int{true: 20, false: 2}[yes])
	}
	out, _, err := g.Run(ctx, script.String()+"wait\n")
	got := map[string]bool{}
	for _, line := range strings.Fields(out) {
		got[line] = true
	}
	return got, err
}

// seen asks the outside as whom it sees the guest, and whether it reaches the guest
// by itself.
func (g *visitor) seen(ctx context.Context) {
	want := map[string]netip.Addr{"machine": nstest.Machine4, "guest": g.addr}[g.on.outside]
	patient := time.Duration(0)
	if want.IsValid() { // a guest without hardware support is slow on a busy machine
		patient = patience
	}
	seen, err := eventually(patient, func() (netip.AddrPort, error) {
		return g.Seen(ctx, netip.AddrPortFrom(nstest.Outside4, testhost.EchoPort))
	})
	if want.IsValid() && (err != nil || seen.Addr() != want) || !want.IsValid() && err == nil {
		g.errorf("the outside sees %s (%v), want %s", seen, err, want)
	}
	inbound := g.on.outside == "guest"
	timeout := 700 * time.Millisecond
	if inbound {
		timeout = 5 * time.Second
	}
	if a := g.rig.Outside.Probe(ctx, testhost.Probe{Proto: testhost.ICMP, To: g.addr, Timeout: timeout}); a.OK != inbound {
		g.errorf("from outside: %s, want %v", a, inbound)
	}
}
